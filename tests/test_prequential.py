"""Test, then train: nothing is known of an event before it is asked for, everything is known after."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from llmrec_lab import Event, Recommender, load_encoder
from llmrec_lab.baselines import EASE, MarkovChain, Popularity
from llmrec_lab.catalog import Catalog, Interactions
from llmrec_lab.datasets.tiny import tiny_world
from llmrec_lab.errors import DataError
from llmrec_lab.feedback import state_parts
from llmrec_lab.metrics import ndcg, paired_interval, recall
from llmrec_lab.online import Decay, LinUCB, Logistic, Rocchio, RunningMean
from llmrec_lab.prequential import last_events, learner_ranks, model_ranks, per_user, state_ranks
from llmrec_lab.ranking import id_order

N, D = 40, 6


@pytest.fixture(scope="module")
def world():
    """A catalog of 40 items, 15 users with 1 to 25 events, some of an item twice, and vectors."""
    rng = np.random.default_rng(0)
    catalog = Catalog.from_frame(pd.DataFrame({"item_id": [f"i{n:02}" for n in range(N)], "title": ["T"] * N}))
    rows = [(user, item, at) for user in range(15) for at, item in enumerate(rng.integers(N, size=1 + 7 * user % 25))]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).astype({"user_id": str})
    frame["item_id"], frame["rating"] = catalog.item_ids[frame["item_id"]], rng.integers(1, 11, len(frame)) / 2
    return catalog, Interactions.from_frame(frame), rng.standard_normal((N, D))


def frame_of(histories, catalog):
    """Histories as a table."""
    users, items = histories.user_ids[histories.rows()], catalog.item_ids[histories.items]
    return pd.DataFrame({"user_id": users, "item_id": items, "timestamp": histories.timestamps})


def by_hand(learner, vectors, stretch, updates):
    """The ranks, with a state learned from the beginning before every question."""
    found, histories = [], stretch.histories
    for asked, begins, user in zip(stretch.asked, stretch.begins, stretch.users):
        state, start = learner.start(D), histories.starts[user]
        for event in range(start, asked if updates else begins):
            state = learner.update(state, vectors[histories.items[event]], stretch.rewards[event])
        scores = {item: round(float(vectors[item] @ learner.query(state)), 6) for item in range(N)}
        target, seen = histories.items[asked], set(histories.items[start:asked])
        better = [i for i, s in scores.items() if i not in seen and (-s, i) < (-scores[target], target)]
        found.append(1 + len(better))
    return np.array(found)


@pytest.mark.parametrize("updates", [True, False])
@pytest.mark.parametrize("learner", [RunningMean(), Decay(3), Rocchio(3), Logistic(), LinUCB()], ids=lambda x: x.name)
def test_ranks_are_those_of_learning_anew_before_every_event(world, learner, updates):
    catalog, interactions, vectors = world
    stretch = last_events(catalog, interactions, last=4)
    found = learner_ranks(learner, vectors, stretch, np.arange(N), updates)
    np.testing.assert_array_equal(found, by_hand(learner, vectors, stretch, updates))


@pytest.mark.parametrize("updates", [True, False])
def test_a_model_reads_what_came_before_the_event_or_before_the_stretch(world, updates):
    catalog, interactions, _ = world
    stretch = last_events(catalog, interactions, last=4)
    prefixes = stretch.prefixes(updates)
    for row, (asked, begins, user) in enumerate(zip(stretch.asked, stretch.begins, stretch.users)):
        start, end = stretch.histories.starts[user], asked if updates else begins
        np.testing.assert_array_equal(prefixes.of(row), stretch.histories.items[start:end])
        assert prefixes.user_ids[row] == stretch.histories.user_ids[user]


@pytest.mark.parametrize("updates", [True, False])
@pytest.mark.parametrize("model", [Popularity(), MarkovChain(), EASE(1.0)], ids=str)
def test_a_models_ranks_are_those_of_scoring_every_prefix_alone(world, model, updates):
    catalog, interactions, _ = world
    stretch = last_events(catalog, interactions, last=4)
    model.fit(stretch.train)
    expected = []
    for row, target in enumerate(stretch.histories.items[stretch.asked]):
        then, scored = (stretch.prefixes(when) for when in (True, updates))
        scores = np.round(model.scores(scored)[row], 6)
        scores[then.of(row)] = -np.inf
        expected.append(1 + sum((-scores[i], i) < (-scores[target], target) for i in range(N)))
    np.testing.assert_array_equal(model_ranks(model, stretch, np.arange(N), updates), expected)


def test_the_train_part_ends_where_the_stretch_begins(world):
    catalog, interactions, _ = world
    stretch, histories = last_events(catalog, interactions, last=4), interactions.histories(catalog)
    for row, train in enumerate(map(stretch.train.of, range(len(histories)))):
        asked = row in stretch.users
        np.testing.assert_array_equal(train, histories.of(row)[:-4] if asked else histories.of(row))


def test_an_earlier_stretch_knows_nothing_of_the_later_one(world):
    catalog, interactions, _ = world
    early, late = (last_events(catalog, interactions, last=3, back=back) for back in (3, 0))
    for row in range(len(early.histories)):
        np.testing.assert_array_equal(early.histories.of(row), late.histories.of(row)[:-3])
    moments = [set(zip(s.users, s.asked - s.histories.starts[s.users])) for s in (early, late)]
    assert moments[0] and moments[1] and not moments[0] & moments[1]


def test_items_met_before_and_users_without_a_past_are_not_asked(world):
    catalog, interactions, _ = world
    stretch = last_events(catalog, interactions, last=4)
    histories, asked = interactions.histories(catalog), 0
    for row in range(len(histories)):
        items = histories.of(row).tolist()
        asked += sum(item not in items[:place] for place, item in enumerate(items) if place >= len(items) - 4 > 0)
    assert len(stretch.asked) == asked > 20
    assert len(np.unique(stretch.users)) < len(histories)


def test_low_ratings_are_dislikes_and_events_without_ratings_are_likes(world):
    catalog, interactions, _ = world
    stretch = last_events(catalog, interactions, last=4)
    frame = interactions.frame
    np.testing.assert_array_equal(stretch.rewards, np.where(frame["rating"] <= 2.5, -1, 1))
    assert set(stretch.rewards) == {1, -1}
    without = Interactions.from_frame(frame.drop(columns="rating"))
    assert set(last_events(catalog, without, last=4).rewards) == {1}


def test_rewards_stay_with_their_events_where_items_are_unknown_or_cut_off(world):
    catalog, interactions, _ = world
    strange = interactions.frame.assign(
        item_id=[f"x{i}" if i % 5 == 0 else name for i, name in enumerate(interactions.frame["item_id"])]
    )
    strange = Interactions.from_frame(strange)
    stretch = last_events(catalog, strange, last=2, back=2)
    known = strange.frame[catalog.positions(strange.frame["item_id"]) >= 0]
    kept = known[known.groupby("user_id").cumcount(ascending=False) >= 2]
    np.testing.assert_array_equal(stretch.histories.items, catalog.positions(kept["item_id"]))
    np.testing.assert_array_equal(stretch.rewards, np.where(kept["rating"] <= 2.5, -1, 1))


def test_ties_go_to_the_smaller_item_id(world):
    catalog, interactions, _ = world
    stretch, order = last_events(catalog, interactions, last=2), np.arange(N)[::-1]
    same = np.ones((N, D))
    seen = stretch.prefixes(updates=True)
    targets = stretch.histories.items[stretch.asked]
    expected = [1 + sum(i > target and i not in seen.of(row) for i in range(N)) for row, target in enumerate(targets)]
    np.testing.assert_array_equal(learner_ranks(RunningMean(), same, stretch, order), expected)


def test_a_user_counts_once_however_many_events_there_are():
    stretch = last_events(*tiny_world(), last=2)
    np.testing.assert_allclose(per_user(np.array([1, 3, 2, 11]), stretch, recall), [1, 0.5])
    np.testing.assert_allclose(per_user(np.array([1, 3, 99, 99]), stretch, ndcg), [0.75, 0])
    np.testing.assert_allclose(per_user(np.array([1, 3, 3, 3]), stretch, recall, k=2), [0.5, 0])


def test_asking_only_some_users_changes_nothing_for_them(world):
    catalog, interactions, vectors = world
    stretch = last_events(catalog, interactions, last=4)
    some = stretch.of(np.array([3, 9]))
    every = learner_ranks(Decay(), vectors, stretch, np.arange(N))
    np.testing.assert_array_equal(learner_ranks(Decay(), vectors, some, np.arange(N)), every[np.isin(stretch.users, [3, 9])])


def test_updating_beats_standing_still_beyond_the_interval_where_tastes_change():
    """60 users who meet 12 items of one side of a circle, then 8 of the other."""
    rng = np.random.default_rng(0)
    catalog = Catalog.from_frame(pd.DataFrame({"item_id": range(200), "title": ["T"] * 200}))
    lives = [np.append(rng.permutation(30)[:12], 100 + rng.permutation(30)[:8]) for _ in range(60)]
    rows = [(user, item, at) for user, life in enumerate(lives) for at, item in enumerate(life)]
    interactions = Interactions.from_frame(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]))
    angles = np.arange(200) / 200 * 2 * np.pi
    vectors, stretch = np.column_stack([np.cos(angles), np.sin(angles)]), last_events(catalog, interactions, last=8)
    on, off = (per_user(learner_ranks(Decay(2), vectors, stretch, np.arange(200), u), stretch) for u in (True, False))
    assert paired_interval(on, off).low > 0


@pytest.mark.parametrize("updates", [True, False])
def test_a_recommenders_state_is_asked_as_a_live_page_would_ask_it(updates):
    catalog, interactions = tiny_world()
    frame = interactions.frame.assign(rating=[5, 1, 4, 5, 5, 4, 1, 5])
    stretch, order = last_events(catalog, Interactions.from_frame(frame), last=2), id_order(catalog.item_ids)
    lab = Recommender(catalog, load_encoder("minilm")).fit(Interactions.from_frame(frame_of(stretch.train, catalog)))
    expected, histories = [], stretch.histories
    for asked, begins, user in zip(stretch.asked, stretch.begins, histories.user_ids[stretch.users]):
        state = lab.user(user)
        for entry in range(begins, asked if updates else begins):
            item, moment = catalog.item_ids[histories.items[entry]], int(histories.timestamps[entry])
            kind = "like" if stretch.rewards[entry] > 0 else "less"
            state = lab.feedback(state, Event(f"e{entry}", user, item, kind, 1, moment))
        scores = np.round(state_parts(lab, state).values.sum(axis=1), 6)
        scores[histories.items[histories.starts[list(histories.user_ids).index(user)] : asked]] = -np.inf
        target = histories.items[asked]
        expected.append(1 + sum((-scores[i], order[i]) < (-scores[target], order[target]) for i in range(5)))
    assert len(expected) == 4 and -1 in stretch.rewards
    np.testing.assert_array_equal(state_ranks(lab, stretch, order, updates), expected)


@pytest.mark.parametrize("updates", [True, False])
def test_every_event_of_the_stretch_reaches_the_state_once_and_in_time(world, updates, monkeypatch):
    catalog, interactions, _ = world
    stretch, histories = last_events(catalog, interactions, last=4), interactions.histories(catalog)
    lab = SimpleNamespace(
        catalog=catalog,
        knows=lambda user: True,
        user=lambda user: SimpleNamespace(user_id=user, events=()),
        feedback=lambda state, event: SimpleNamespace(user_id=state.user_id, events=(*state.events, event)),
    )

    def scored(lab, state):
        return SimpleNamespace(values=np.random.default_rng([len(state.events), int(state.user_id)]).random((N, 1)))

    states = []
    monkeypatch.setattr("llmrec_lab.prequential.state_parts", lambda lab, state: states.append(state) or scored(lab, state))
    found, expected = state_ranks(lab, stretch, np.arange(N), updates), []
    for asked, begins, user in zip(stretch.asked, stretch.begins, stretch.users):
        then = SimpleNamespace(user_id=histories.user_ids[user], events=range(asked - begins if updates else 0))
        scores = np.round(scored(lab, then).values[:, 0], 6)
        target = histories.items[asked]
        scores[histories.items[histories.starts[user] : asked]] = -np.inf
        expected.append(1 + sum((-scores[i], i) < (-scores[target], target) for i in range(N)))
    np.testing.assert_array_equal(found, expected)
    frame = interactions.frame.assign(kind=np.where(interactions.frame["rating"] <= 2.5, "less", "like"))
    for state in states:
        sent = [(event.item_id, event.kind, event.timestamp) for event in state.events]
        known = frame[frame["user_id"] == state.user_id].iloc[-4:][["item_id", "kind", "timestamp"]]
        assert sent == list(known.itertuples(index=False, name=None))[: len(sent)]
        assert {event.user_id for event in state.events} <= {state.user_id}
    assert any(len(state.events) == 3 for state in states) == updates


def test_a_recommender_that_does_not_know_who_is_asked_is_refused():
    catalog, interactions = tiny_world()
    lab = Recommender(catalog, load_encoder("minilm"))
    with pytest.raises(DataError, match="does not know user 'ada'; fit it on stretch.train"):
        state_ranks(lab, last_events(catalog, interactions, last=2), id_order(catalog.item_ids))


@pytest.mark.parametrize("n", [N - 1, N + 1])
def test_vectors_of_other_items_are_refused(world, n):
    with pytest.raises(DataError, match=f"{n} vectors came for {N} items"):
        learner_ranks(Decay(), np.ones((n, D)), last_events(*world[:2], last=2), np.arange(N))


@pytest.mark.parametrize(("last", "back"), [(0, 0), (1, -1), (1.5, 0)])
def test_a_stretch_that_makes_no_sense_is_refused(last, back):
    with pytest.raises(DataError, match="pass whole numbers"):
        last_events(*tiny_world(), last=last, back=back)
