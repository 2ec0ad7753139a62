"""The tiny world: five films and three people, small enough to check every number by hand. Knows nothing about models.

The same world is used in docstrings, tests, and lessons. Each person has one obvious next film, by a director whose
other film they liked: My Neighbor Totoro for Ada, Blade Runner for Bo, Spirited Away for Chen.
"""

from __future__ import annotations

import pandas as pd

from llmrec_lab.catalog import Catalog, Interactions
from llmrec_lab.columns import ITEM, RATING, TIMESTAMP, TITLE, USER

SCOTT, MIYAZAKI, JEUNET = "Ridley Scott", "Hayao Miyazaki", "Jean-Pierre Jeunet"
FILMS = [  # not in order of id, so code that confuses a position with the rank of an id is found out
    ("alien", "Alien", "A creature hunts the crew of a spaceship.", "science fiction, horror", SCOTT, "US, UK"),
    ("blade-runner", "Blade Runner", "A detective hunts artificial humans.", "science fiction, crime", SCOTT, "US"),
    ("totoro", "My Neighbor Totoro", "Two sisters meet the spirits of a forest.", "animation", MIYAZAKI, "Japan"),
    ("spirited-away", "Spirited Away", "A girl works in a bathhouse of spirits.", "animation", MIYAZAKI, "Japan"),
    ("amelie", "Amélie", "A shy waitress in Paris makes others happy.", "comedy, romance", JEUNET, "France"),
]
FIRST_DAY = 1_704_067_200  # 2024-01-01, midnight UTC
EVENTS = [  # who watched what on which day, and how many of five stars it got
    ("ada", "alien", 0, 5.0),
    ("ada", "blade-runner", 1, 4.0),
    ("ada", "spirited-away", 5, 5.0),
    ("bo", "alien", 3, 4.0),
    ("chen", "alien", 0, 3.0),
    ("chen", "blade-runner", 2, 4.0),
    ("chen", "totoro", 4, 5.0),
    ("chen", "amelie", 6, 2.0),
]


def tiny_world() -> tuple[Catalog, Interactions]:
    """Five films with genre, director, and country, and who of Ada, Bo, and Chen watched which when.

    Returns:
        A Catalog of 5 items and Interactions of 3 users in 8 events: 3 by Ada, 1 by Bo, 4 by Chen.

    Example:
        >>> catalog, interactions = tiny_world()
        >>> catalog.titles.tolist()
        ['Alien', 'Blade Runner', 'My Neighbor Totoro', 'Spirited Away', 'Amélie']
        >>> print(interactions.histories(catalog).matrix().toarray().astype(int))
        [[1 1 0 1 0]
         [1 0 0 0 0]
         [1 1 1 0 1]]
    """
    films = pd.DataFrame(FILMS, columns=[ITEM, TITLE, "plot", "genre", "director", "country"])
    events = pd.DataFrame(EVENTS, columns=[USER, ITEM, TIMESTAMP, RATING])
    events[TIMESTAMP] = FIRST_DAY + 86_400 * events[TIMESTAMP]
    catalog = Catalog.from_frame(films, [TITLE, "plot", "genre", "director"], ["genre", "director", "country"])
    return catalog, Interactions.from_frame(events)
