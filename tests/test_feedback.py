"""The state of a person: each event makes the next, nothing that was is changed, and a log gives the same state again."""

import subprocess
import sys
import threading
from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest
from test_event_log import ENVIRONMENT, TESTS

from llmrec_lab.errors import DataError
from llmrec_lab.event_log import Event, SQLiteLog
from llmrec_lab.feedback import RECENT_ITEMS, catch_up, new_state, reward, state_parts
from llmrec_lab.recommender import Recommender


@pytest.fixture
def cold(tiny, word_counts):
    """The same catalog, known by its texts alone."""
    return Recommender(tiny[0], word_counts)


def event(kind: str, item: str = "", value=1.0, user: str = "you", n: int = 0) -> Event:
    return Event(f"e{n}", user, item, kind, value, 1_700_000_000 + n)


def after(lab, *events, state=None):
    state = lab.user() if state is None else state
    for one in events:
        state = lab.feedback(state, one)
    return state


def same(a, b) -> bool:
    """Whether two states agree bit for bit."""
    arrays = [(s.seen, s.liked.total, s.disliked.total) for s in (a, b)]
    plain = [(s.user_id, s.liked.weight, s.disliked.weight, s.recent, s.position) for s in (a, b)]
    labels = [s.interests and (s.interests.labels, s.interests.weights.tolist(), s.interests.avoid.tolist()) for s in (a, b)]
    return plain[0] == plain[1] and labels[0] == labels[1] and all(map(np.array_equal, *arrays))


# ---- one event


@pytest.mark.parametrize("fitted", ["lab", "cold"])
def test_the_next_slate_changes_after_one_like(fitted, request):
    lab = request.getfixturevalue(fitted)
    before = lab.user()
    liked = after(lab, event("like", "spirited-away"))
    assert lab.recommend(before, 4).item_ids.tolist() != lab.recommend(liked, 4).item_ids.tolist()


def test_a_like_brings_up_what_its_text_resembles(cold):
    assert cold.recommend(after(cold, event("like", "spirited-away")), 1).titles.tolist() == ["My Neighbor Totoro"]


def test_a_state_never_changes(lab):
    before = after(lab, event("like", "alien"), event("describe", value="spirits of a forest", n=1))
    kept = (before.seen.copy(), before.liked.total.copy(), before.interests.weights.copy(), before.recent)
    after(lab, event("less", "totoro"), event("say", value="more comedy"), event("like", "amelie"), state=before)
    assert all(map(np.array_equal, kept, (before.seen, before.liked.total, before.interests.weights, before.recent)))
    with pytest.raises(ValueError, match="read-only"):
        before.seen[0] = True


@pytest.mark.parametrize(
    ("kind", "value", "worth"),
    [("like", 1, 1), ("click", 1, 0.5), ("skip", 1, -0.25), ("less", 1, -1), ("rate", 5, 1), ("rate", 0.5, -1)],
)
def test_what_an_event_is_worth(kind, value, worth):
    assert reward(event(kind, "alien", value)) == worth


def test_what_was_dealt_with_is_not_shown_again_and_what_was_opened_is(lab):
    for kind, shown in [("like", False), ("skip", False), ("less", False), ("click", True)]:
        assert ("alien" in lab.recommend(after(lab, event(kind, "alien")), 5).item_ids) == shown
    assert "alien" not in lab.recommend(after(lab, event("rate", "alien", 3.0)), 5).item_ids


def test_less_like_this_lowers_what_resembles_it(cold):
    wish = cold.user("spirits of a forest, a spaceship")
    turned = after(cold, event("less", "spirited-away"), state=wish)
    scores = [dict(zip(s.item_ids, s.scores)) for s in (cold.recommend(wish, 5), cold.recommend(turned, 5))]
    assert scores[1]["totoro"] < scores[0]["totoro"]


def test_a_skip_moves_the_list_a_quarter_as_far_as_less_like_this(cold):
    wish = cold.user("spirits of a forest, a spaceship")
    plain, skip, less = (
        state_parts(cold, after(cold, *events, state=wish)).values.sum(axis=1)
        for events in ([], [event("skip", "spirited-away")], [event("less", "spirited-away")])
    )
    np.testing.assert_allclose(skip - plain, 0.25 * (less - plain))
    assert np.abs(less - plain).max() > 0.01


def test_a_low_rating_is_a_dislike_and_no_taste(lab):
    state = after(lab, event("rate", "alien", 1.0))
    assert state.disliked.weight > 0 == state.liked.weight and not state.recent


def test_words_and_sliders_change_the_interests(english):
    state = after(english, event("describe", value="westerns and a good musical"))
    assert state.interests.labels == ("westerns", "a good musical")
    state = after(english, event("weigh", "westerns", 0.9), state=state)
    np.testing.assert_allclose(state.interests.weights, [0.9, 0.1])
    genres = [english.catalog.facets["genre"][at] for at in english.catalog.positions(english.recommend(state, 10).item_ids)]
    assert sum("Western" in genre for genre in genres) >= 8
    state = after(english, event("say", value="fewer musicals, more French comedies"), state=state)
    assert state.interests.labels == ("westerns", "a good musical", "French comedies")
    assert after(english, event("describe", value="jazz"), state=state).interests.labels == ("jazz",)


def test_only_what_is_not_wanted_can_be_said_too(english):
    def horror(slate):
        return sum("Horror" in english.catalog.facets["genre"][at] for at in english.catalog.positions(slate.item_ids))

    before = after(english, event("like", english.recommend("scary horror films", 1).item_ids[0]))
    no = after(english, event("say", value="no horror"), state=before)
    assert horror(english.recommend(before, 10)) > 3 and horror(english.recommend(no, 10)) == 0


def test_a_no_takes_off_what_lifts_the_best_items_whatever_their_unit(lab):
    liked = after(lab, event("like", "blade-runner"))
    before, now = (
        state_parts(lab, state).values.sum(axis=1)
        for state in (liked, after(lab, event("say", value="no horror"), state=liked))
    )
    alien = lab.catalog.item_ids.tolist().index("alien")
    assert before.argmax() == alien and now[alien] == pytest.approx(before.mean())


def test_words_without_a_concept_turn_down_their_meaning(english):
    state = after(english, event("say", value="less flibbertigibbet"))
    assert state.disliked.weight == 1 and not state.interests.avoid.any()


@pytest.mark.parametrize("k", [1, 5, 50])
def test_the_parts_of_a_state_sum_to_the_score(lab, k):
    everything = [event("describe", value="forest spirits"), event("like", "alien"), event("less", "amelie")]
    with pytest.warns(UserWarning, match="the catalog has 5") if k > 5 else nullcontext():
        slate = lab.recommend(after(lab, *everything), k)
    np.testing.assert_allclose(slate.parts.sum(axis=1), slate.scores, atol=1e-6)


def test_a_wish_alone_gives_the_slate_of_the_sentence(english):
    wish = "space adventure and warm animation"
    assert english.recommend(english.user(wish), 10).to_frame().equals(english.recommend(wish, 10).to_frame())


def test_a_known_user_starts_from_the_history(lab):
    state = lab.user("chen")
    assert state.user_id == "chen" and [item for item, _ in state.recent] == [0, 1, 2, 4] and state.seen.sum() == 4
    assert lab.recommend(state, 3).to_frame().equals(lab.recommend("chen", 3).to_frame())


def test_a_stranger_gets_what_is_popular(lab):
    assert lab.recommend(lab.user(), 1).item_ids.tolist() == ["alien"]


def test_a_dislike_alone_is_no_reason_to_fail(cold):
    slate = cold.recommend(after(cold, event("less", "spirited-away")), 4)
    assert len(slate) == 4 and slate.item_ids[-1] == "totoro"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (event("like", "jaws"), "item 'jaws' is not in the catalog"),
        (event("weigh", "westerns", 0.5), r"use one of \[\]"),
        (event("say", value="less"), "names nothing"),
        (event("describe", value="!!!"), "no words"),
        (event("like", "alien", user="somebody"), "pass one user's"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused(lab, wrong, words):
    with pytest.raises(DataError, match=words):
        lab.feedback(lab.user(), wrong)


# ---- many events


def test_the_work_of_an_update_does_not_grow_with_the_history(lab):
    state, sizes = lab.user(), []
    for n in range(300):
        state = after(lab, event("like", ("alien", "totoro")[n % 2], n=n), state=state)
        sizes.append(state.seen.nbytes + state.liked.total.nbytes + 16 * len(state.recent))
    assert len(state.recent) == RECENT_ITEMS and len(set(sizes[RECENT_ITEMS:])) == 1


def test_old_likes_fade(cold):
    likes = [event("like", "alien", n=n) for n in range(8)] + [event("like", "totoro", n=n) for n in range(8, 16)]
    toward = cold.vectors @ after(cold, *likes).liked.total
    assert toward[2] > 1.5 * toward[0]  # without fading they would be about the same


def test_a_clock_that_goes_backwards_changes_nothing_of_the_order(lab, tmp_path):
    with SQLiteLog(tmp_path / "events.db") as log:
        for n, time in enumerate([50, 40, 30]):
            log.append(Event(f"e{n}", "you", ("alien", "totoro", "amelie")[n], "like", 1, time))
        assert [item for item, _ in catch_up(lab, log, lab.user()).recent] == [0, 2, 4]


def test_a_state_follows_the_log_and_other_users_do_not_matter(lab, tmp_path):
    with SQLiteLog(tmp_path / "events.db") as log:
        log.append(event("like", "alien"))
        log.append(event("like", "totoro", user="other"))
        state = catch_up(lab, log, lab.user())
        assert state.position == 1 and len(state.recent) == 1
        log.append(event("less", "amelie", n=1))
        assert same(catch_up(lab, log, state), catch_up(lab, log, lab.user()))
        assert catch_up(lab, log, state).position == 3


def test_an_event_that_no_longer_makes_sense_changes_nothing(lab, tmp_path):
    with SQLiteLog(tmp_path / "events.db") as log:
        log.append(event("like", "a film that left"))
        log.append(event("like", "alien", n=1))
        state = catch_up(lab, log, lab.user())
    assert state.position == 2 and [item for item, _ in state.recent] == [0]


def test_a_model_that_was_saved_takes_the_same_events(lab, word_counts, tmp_path):
    lab.save(tmp_path / "saved")
    again = Recommender.load(tmp_path / "saved", word_counts)
    events = [event("describe", value="forest spirits"), event("like", "alien"), event("skip", "amelie")]
    slates = [each.recommend(after(each, *events), 3).to_frame() for each in (lab, again)]
    assert slates[0].equals(slates[1]) and again.config == lab.config


def test_two_hundred_kills_lose_nothing_and_a_state_that_was_kept_equals_one_made_again(lab, tmp_path):
    path = tmp_path / "events.db"
    done = threading.Event()
    with SQLiteLog(path) as log:
        states = {f"user{t}": new_state(lab, f"user{t}") for t in range(4)}
        script = [sys.executable, TESTS / "log_writers.py", path, "200", "0"]
        writers = subprocess.Popen(script, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        follower = threading.Thread(target=lambda: follow(lab, log, states, done))
        follower.start()
        out, _ = writers.communicate(timeout=300)
        done.set()
        follower.join()
        log.check()
        found = Counter(event.event_id for _, event in log.read())
        acknowledged = out.split()
        assert len(acknowledged) == len(set(acknowledged)) > 200
        assert set(acknowledged) <= set(found), "an acknowledged event is lost"
        assert set(found.values()) == {1}, "an event is stored twice"
        for user, state in states.items():
            assert same(catch_up(lab, log, state), catch_up(lab, log, new_state(lab, user)))


def follow(lab, log, states: dict, done: threading.Event) -> None:
    """Keep states up to date while others write."""
    while not done.wait(0.01):
        for user, state in states.items():
            states[user] = catch_up(lab, log, state)
