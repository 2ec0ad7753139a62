"""Record which genres the small language model finds in the wishes of generated people: data/taste_answers.json.

    python tools/record_answers.py

It asks 200 questions, which takes minutes. Afterwards put the new hash into llmrec_lab/lm.py and data/README.md.
"""

import json
from datetime import date
from pathlib import Path

import pandas as pd

from llmrec_lab.assets import ASSETS
from llmrec_lab.datasets.films import load_films
from llmrec_lab.datasets.people import generate_people, wish_for
from llmrec_lab.lm import RecordedAnswers, load_language_model

OUT = Path(__file__).resolve().parent.parent / "data" / "taste_answers.json"
MODEL = "smollm2"
# Chosen among seven prompts on 30 other people (seed 1), by the F1 of the genres that it finds.
TEMPLATE = "{wish}.\nWhich film genre did I name? Answer with one word."
FEWEST = 20  # films of a genre that may be an answer; a taste has as many


def main():
    catalog = load_films().catalog
    people = generate_people(catalog, 200, rng=0)
    counts = catalog.facets["genre"].explode().value_counts()
    genres = sorted(counts.index[counts >= FEWEST])
    file = ASSETS[MODEL].files[0]
    today = date.today().isoformat()
    record = RecordedAnswers(MODEL, file.name, file.sha256, today, TEMPLATE, pd.DataFrame())
    model, found = load_language_model(MODEL), {}
    for person, tastes in people.tastes.items():
        choice = model.choose(record.prompt(wish_for(tastes, catalog)), genres)
        found[person] = [round(value, 4) for value in choice.likelihoods.values()]
        print(person, choice.answer, flush=True)
    write(vars(record) | {"options": genres, "likelihoods": found})


def write(content: dict):
    """A line for each person, so that a change shows as few lines."""
    OUT.write_text(json.dumps(content, indent=1).replace("\n   ", " ").replace("\n  ]", " ]") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
