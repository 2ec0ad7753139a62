"""The tiny world is what its docstring says."""

import numpy as np

from llmrec_lab.baselines import MarkovChain

OBVIOUS = {"ada": "totoro", "bo": "blade-runner", "chen": "spirited-away"}


def test_the_tiny_world_is_asymmetric(tiny):
    catalog, interactions = tiny
    liked = interactions.histories(catalog).matrix().toarray()
    assert liked.shape == (3, 5)
    assert liked.sum(axis=1).tolist() == [3, 1, 4]
    assert liked.sum(axis=0).tolist() == [3, 2, 1, 1, 1]


def test_the_order_of_the_catalog_is_not_the_order_of_the_ids(tiny):
    catalog, _ = tiny
    assert sorted(catalog.item_ids) != catalog.item_ids.tolist()


def test_one_unseen_film_of_each_user_is_by_a_director_they_gave_their_best_rating(tiny):
    catalog, interactions = tiny
    director = dict(zip(catalog.item_ids, catalog.facets["director"]))
    for user, log in interactions.frame.groupby("user_id"):
        best = {director[item] for item in log[log.rating == log.rating.max()].item_id}
        unseen = [item for item in catalog.item_ids if item not in set(log.item_id) and director[item] in best]
        assert unseen == [OBVIOUS[user]]


def test_the_markov_chain_finds_the_obvious_film_of_every_user(tiny):
    catalog, interactions = tiny
    histories = interactions.histories(catalog)
    scores = np.where(histories.matrix().toarray() > 0, -1, MarkovChain().fit(histories).scores(histories))
    assert catalog.item_ids[scores.argmax(axis=1)].tolist() == list(OBVIOUS.values())


def test_what_the_language_model_reads_has_title_plot_genre_and_director(tiny):
    catalog, _ = tiny
    text = catalog.texts[3]
    assert text == "Spirited Away A girl works in a bathhouse of spirits. animation Hayao Miyazaki"
    assert catalog.facets["country"][0] == ("US", "UK")
