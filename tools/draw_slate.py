"""Draw docs/slate.png, the picture in the README: `python tools/draw_slate.py`."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from llmrec_lab import Recommender, load_encoder, load_films
from llmrec_lab.plots import stacked_parts

films = load_films()
lab = Recommender(films.catalog, load_encoder("minilm")).fit_prior(films.interactions)
slate = lab.recommend("gunfights at high noon", k=10)
used = abs(slate.parts).max(axis=0) > 0
ax = stacked_parts(slate.titles, slate.parts[:, used], slate.part_names[used])
ax.set_title("Ten films for “gunfights at high noon”")
ax.figure.set_size_inches(9, 4.5)
ax.figure.savefig(Path(__file__).parent.parent / "docs" / "slate.png", dpi=110, bbox_inches="tight")
