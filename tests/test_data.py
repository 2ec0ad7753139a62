"""The committed data is what its README says."""

from hashlib import sha256
from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data"


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda path: path.name)
def test_the_readme_gives_the_hash_of_each_file(path):
    row = next(line for line in (DATA / "README.md").read_text().splitlines() if line.startswith(f"| {path.name} |"))
    assert sha256(path.read_bytes()).hexdigest() in row
