"""Recommendation with language models: the library of the LLM Recommender Lab.

The names below are all a newcomer needs. They are loaded when they are first used, so that `import llmrec_lab` is quick.
"""

__version__ = "0.1.0"

WHERE = {
    "Catalog": "llmrec_lab.catalog",
    "Event": "llmrec_lab.event_log",
    "Interactions": "llmrec_lab.catalog",
    "Slate": "llmrec_lab.catalog",
    "Recommender": "llmrec_lab.recommender",
    "load_encoder": "llmrec_lab.encoder",
    "load_films": "llmrec_lab.datasets.films",
}
__all__ = list(WHERE)


def __getattr__(name: str):
    if name not in WHERE:
        raise AttributeError(f"llmrec_lab has no {name!r}; it offers {', '.join(WHERE)}")
    from importlib import import_module

    return getattr(import_module(WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *WHERE])
