"""What is known of one person now: a state that each event changes a little, and how items are scored for it.

A state is never changed, only followed by another. The work of an update does not grow with what came before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from llmrec_lab.catalog import Histories
from llmrec_lab.critiques import hear, weigh
from llmrec_lab.errors import DataError
from llmrec_lab.event_log import Event, EventLog
from llmrec_lab.interests import Interests, unit_rows
from llmrec_lab.online import Decay, Profile
from llmrec_lab.scoring import Parts

REWARDS = {"like": 1.0, "click": 0.5, "skip": -0.25, "less": -1.0}
STAYS = ("click",)  # what was only opened may be shown again
BEST = 10  # items of a slate; a tenth of the catalog if that is less
RECENT_ITEMS = 50  # liked items that are kept; the models of histories halve an item's weight every 4 places


@dataclass(frozen=True)
class FeedbackConfig:
    """How much each kind of evidence counts, measured by how far it lifts its ten best items above the mean item.

    Args:
        taste: the lift of what was liked, beside that of the wish.
        dislike: the lift of the likeness to what was turned down, beside that of the rest; less of it for a mere skip.
        half_life: a like, or a dislike, counts half after so many further ones. On the films, asking for everybody's last
            twenty to eleven ratings one by one by text alone, 4 did better than 1, 2, and 8.
    """

    taste: float = 0.5
    dislike: float = 0.5
    half_life: float = 4.0


@dataclass(frozen=True)
class UserState:
    """What is known of a person: never changed, only followed by another.

    Args:
        user_id: whose it is.
        seen: (n) booleans, read-only: the items that are not shown any more.
        liked: the fading mean of the vectors of liked items.
        disliked: the same of disliked items, and of words that turned something down.
        recent: the last 50 liked items as (catalog position, timestamp), oldest first.
        interests: what was said, or None.
        position: of the last event in the log that was applied.
    """

    user_id: str
    seen: np.ndarray
    liked: Profile
    disliked: Profile
    recent: tuple[tuple[int, int], ...] = ()
    interests: Interests | None = None
    position: int = 0


def new_state(lab, user_id: str) -> UserState:
    """The state before the first event; of a user that the recommender was fitted on, it starts from the history."""
    nothing = Decay().start(lab.vectors.shape[1])
    state = UserState(user_id, read_only(np.zeros(len(lab.catalog), dtype=bool)), nothing, nothing)
    if not lab.knows(user_id):
        return state
    history = lab.histories.of_users([user_id])
    seen = state.seen.copy()
    seen[history.items] = True
    recent = tuple(zip(history.items[-RECENT_ITEMS:].tolist(), history.timestamps[-RECENT_ITEMS:].tolist()))
    learner = Decay(lab.config.feedback.half_life)
    for item, _ in recent:
        nothing = learner.update(nothing, lab.vectors[item], 1.0)
    return replace(state, seen=read_only(seen), liked=nothing, recent=recent)


def update(lab, state: UserState, event: Event) -> UserState:
    """The state after one more event; the one before stays as it is.

    Args:
        lab: a Recommender, for its items and its encoder.
        state: of the event's user.
        event: what happened.

    Returns:
        A new UserState.

    Raises:
        DataError: the event is of another user, of an unknown item or interest, or its words name nothing.
    """
    if event.user_id != state.user_id:
        raise DataError(f"the event is of user {event.user_id!r:.60}, the state of {state.user_id!r:.60}; pass one user's")
    if event.kind == "describe":
        return replace(state, interests=lab.interests(event.value))
    if event.kind == "weigh":
        return replace(state, interests=weigh(state.interests, event.item_id, event.value))
    if event.kind == "say":
        return said(lab, state, event.value)
    return met(lab, state, event)


def said(lab, state: UserState, words: str) -> UserState:
    """The state after a remark about the list."""
    interests, turned_down = hear(state.interests, words, lab.encoder, lab.concepts)
    disliked = state.disliked
    for direction in turned_down:
        disliked = Decay(lab.config.feedback.half_life).update(disliked, direction, 1.0)
    return replace(state, interests=interests, disliked=disliked)


def met(lab, state: UserState, event: Event) -> UserState:
    """The state after an item was liked, opened, skipped, turned down, or rated."""
    item = int(lab.catalog.positions([event.item_id])[0])
    if item < 0:
        raise DataError(f"item {event.item_id!r:.60} is not in the catalog; send the item_id of a recommended item")
    learner, gain = Decay(lab.config.feedback.half_life), reward(event)
    seen = state.seen
    if event.kind not in STAYS:
        seen = seen.copy()
        seen[item] = True
    state = replace(state, seen=read_only(seen))
    if gain < 0:
        return replace(state, disliked=learner.update(state.disliked, lab.vectors[item], -gain))
    recent = (*state.recent, (item, event.timestamp))[-RECENT_ITEMS:] if gain >= REWARDS["click"] else state.recent
    return replace(state, liked=learner.update(state.liked, lab.vectors[item], gain), recent=recent)


def reward(event: Event) -> float:
    """What an event with an item says, from -1 for the worst to 1 for the best.

    Example:
        >>> [reward(Event("e", "u", "i", "rate", stars, 0)) for stars in (0.5, 2.75, 5)]
        [-1.0, 0.0, 1.0]
    """
    return (event.value - 2.75) / 2.25 if event.kind == "rate" else REWARDS[event.kind]


def catch_up(lab, log: EventLog, state: UserState) -> UserState:
    """The state after all events of its user that the log has behind its position, whoever stored them.

    A state that changes in no other way is the same whether it was kept or made again from the log. An event that no longer
    makes sense, such as a like of an item that has left the catalog, changes nothing.

    Args:
        lab: a Recommender.
        log: where the events are.
        state: of one user.

    Returns:
        A UserState.
    """
    for position, event in log.read(state.position, state.user_id):
        try:
            state = update(lab, state, event)
        except DataError:
            pass
        state = replace(state, position=position)
    return state


# What a state makes of the items


def state_parts(lab, state: UserState) -> Parts:
    """The score of every item for a state, taken apart: the wish, what was liked, what was turned down, popularity.

    The wish keeps its unit, and what was liked is scaled to it; so is what was turned down, to the sum of both. The scale is
    the lift of the ten best items and not the standard deviation: a few neighbors of a liked item stand ten deviations out,
    where the best matches of a wish stand four.

    Args:
        lab: a Recommender.
        state: of one user.

    Returns:
        Parts of all n items, seen ones included; those of the wish come first.
    """
    config, interests = lab.config.feedback, state.interests
    found = [lab.wish(interests)] if interests is not None and len(interests) else []
    taste = taste_parts(lab, state)
    if taste.names:
        found.append(scaled(taste, config.taste * lift(found)) if found else taste)
    if not found:
        found = [Parts(("popularity",), lab.prior[:, None])]
    if interests is not None and not len(interests):  # only what is not wanted was said, so the wish has set no unit
        avoided = lab.wish(interests)  # its last part is popularity, which is in `found`
        found.append(Parts(avoided.names[:-1], avoided.values[:, :-1] * lift(found)))
    if state.disliked.weight:
        away = Parts(("like what you turned down",), likeness(lab.vectors, state.disliked))
        found.append(scaled(away, -config.dislike * min(1.0, state.disliked.weight) * lift(found)))
    return Parts(tuple(name for parts in found for name in parts.names), np.hstack([parts.values for parts in found]))


def taste_parts(lab, state: UserState) -> Parts:
    """What the likes of a state say: by what people chose, if the recommender was fitted, else by the text alone."""
    if not state.recent:
        return Parts((), np.zeros((len(lab.catalog), 0)))
    if lab.fusion is None:
        return Parts(("text like what you liked",), likeness(lab.vectors, state.liked))
    return lab.user_parts(recent_history(lab, state))


def recent_history(lab, state: UserState) -> Histories:
    """The liked items of a state as the histories that the models of other people's choices read."""
    items, timestamps = np.array(state.recent, dtype=np.int64).T
    starts = np.array([0, len(items)])
    return Histories(np.array([state.user_id], dtype=object), items, timestamps, starts, len(lab.catalog))


def likeness(vectors: np.ndarray, profile: Profile) -> np.ndarray:
    """(n, 1) the cosine of each item to a profile."""
    direction = unit_rows(profile.total).astype(vectors.dtype)  # a product of two types would copy all vectors first
    return (vectors @ direction).astype(np.float64)[:, None]


def lift(found: list[Parts]) -> float:
    """How far the best items stand above the mean item, by the sum of some parts; 1 where all items are equal."""
    total = sum(parts.values.sum(axis=1) for parts in found)
    count = min(BEST, -(-len(total) // 10))
    above = np.partition(total, -count)[-count:].mean() - total.mean()
    return float(above) if above > 1e-9 else 1.0


def scaled(parts: Parts, size: float) -> Parts:
    """Parts whose sum has a lift of `size`."""
    return Parts(parts.names, parts.values * (size / lift([parts])))


def read_only(array: np.ndarray) -> np.ndarray:
    """The array, which nobody can change any more."""
    array.flags.writeable = False
    return array
