"""Write environment.yml (conda) from pyproject.toml, the only source of dependencies (no arguments)."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONDA_NAMES = {"torch": "pytorch"}  # the same project under another name on conda-forge
PYPI_ONLY = {"rjieba"}  # installed by pip even under conda


def environment(pyproject: dict) -> str:
    """The text of environment.yml: what a learner needs, so the core and the extras [course] and [serve]."""
    project = pyproject["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + extras["course"] + extras["serve"]
    pairs = [re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", line).groups() for line in wanted]
    conda = [CONDA_NAMES.get(name, name) + spec for name, spec in pairs if name not in PYPI_ONLY]
    pip = [name + spec for name, spec in pairs if name in PYPI_ONLY] + ["-e ."]
    lines = [
        "# Written by tools/write_environment.py from pyproject.toml: change that file, not this one.",
        "name: llmrec-lab",
    ]
    lines += ["channels:", "  - conda-forge", "dependencies:", f'  - "python{project["requires-python"]}"', "  - pip"]
    lines += [f'  - "{line}"' for line in conda] + ["  - pip:"] + [f'      - "{line}"' for line in pip]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (ROOT / "environment.yml").write_text(environment(pyproject), encoding="utf-8")
