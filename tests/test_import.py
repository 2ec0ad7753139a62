"""Importing the library is quick because it imports nothing large, and its names are found when they are used."""

import subprocess
import sys
from pathlib import Path

import pytest

import llmrec_lab

LARGE = ["torch", "pandas", "numpy", "matplotlib", "ipywidgets", "IPython", "transformers", "sklearn", "scipy"]


def run_python(code):
    """What a fresh interpreter prints."""
    root = Path(llmrec_lab.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_library_imports_nothing_large():
    found = run_python(f"import sys, llmrec_lab; print([name for name in {LARGE} if name in sys.modules])")
    assert found == "[]\n"


def test_a_name_loads_what_it_needs_and_no_more():
    code = "import sys; from llmrec_lab import Catalog; print('pandas' in sys.modules, 'torch' in sys.modules)"
    assert run_python(code) == "True False\n"


def test_the_recommender_needs_torch_only_for_an_encoder():
    code = "import sys; from llmrec_lab import Recommender, load_films; print('torch' in sys.modules)"
    assert run_python(code) == "False\n"


def test_every_public_name_is_what_it_says():
    for name in llmrec_lab.__all__:
        assert getattr(llmrec_lab, name).__name__ == name
    assert set(llmrec_lab.__all__) <= set(dir(llmrec_lab))


def test_the_names_of_the_first_lesson_are_public():
    wanted = {"Catalog", "Interactions", "Recommender", "load_encoder", "load_films"}
    assert wanted <= set(llmrec_lab.__all__)


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(AttributeError, match="llmrec_lab has no 'Recomender'; it offers Catalog, .*, Recommender, "):
        _ = llmrec_lab.Recomender
    with pytest.raises(ImportError, match="Recomender"):
        from llmrec_lab import Recomender  # noqa: F401
