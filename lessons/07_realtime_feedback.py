# %% [markdown]
# # Lesson 07 · Real-time feedback
#
# A list is shown, somebody clicks, and a moment later the list is another one. This is the last stretch of our road, and
# it makes one system of all that came before. It looks easy. Then a click gets lost, another one is counted twice, a
# taste changes and the list does not notice, and the list that shows what was clicked gets clicks for what it showed.
#
# ## Where we are
#
# ```
# text ──tokenize─▶ tokens ──encode─▶ vectors ──decompose─▶ interests
#                                                               │
#                                                            combine
#                                                               ▼
# events ◀─PUSH── slate ◀─rank── scores ◀─────score───────── query
#    │                                                          ▲
#    └──────────────FEEDBACK────────────▶ new state ────────────┘
# ```
#
# The upper two rows are done. Now the way out to a person, and the way back.
#
# ## What you will be able to do
#
# - close the loop by hand, and say what a click changes;
# - say what must be promised to whoever sends an event, and test whether the promise is kept;
# - write six learners that change with every event, and count what an update costs;
# - measure whether learning from events pays: on people whose tastes drift, and on real histories;
# - see what the loop does to itself, and how many people it takes to know that a change is good.
#
# **Time:** 60 minutes. **Hardware:** any laptop with two cores; no GPU, and no network once the files are there.
# **You need:** lessons 00, 03 and 05.
#
# ## Set up

# %%
import sys

if "google.colab" in sys.modules:
    sys.exit("Colab cannot install llmrec_lab: it has no published address. Use a copy of the repository.")
import numpy as np
import pandas as pd

from llmrec_lab.exercises import check, claim, hint, quiz, recap

# %% [markdown]
# First, do you remember? Three questions on the lessons before.

# %%
recap("07")

# %% [markdown]
# ## 1. The loop by hand
#
# > **Check the article: real time.** A text with *real-time feedback* in its title has no line of code that takes any, and
# > what another one calls its *real-time push* is `display_recommendations(list)`: it prints.
#
# Printing hands a list to whoever happens to look. A **push** reaches those who wait, without being asked. It takes little:
# a **subscriber** leaves a function, and it is called with every new slate.

# %%
subscribers = []


def push(slate):
    for tell in subscribers:
        tell(slate)


received = []  # what Ada's page has been sent
subscribers.append(received.append)

# %% [markdown]
# Now the tiny world of five films. For every film we have a vector, with what all films share taken off:

# %%
from llmrec_lab import Recommender, load_encoder
from llmrec_lab.datasets.tiny import tiny_world

encoder = load_encoder("minilm")
world, _ = tiny_world()
tiny = Recommender(world, encoder)
vectors = tiny.vectors.astype(float)  # (5, 384)

# %% [markdown]
# What we know of Ada is her **state**: a vector, here the mean of what she clicked, how many clicks that were, and what she
# has seen. Before the first click it is empty, all scores are 0, and equal ones come in order of item id.

# %%
from llmrec_lab.ranking import id_order, top_k

mean, clicks, seen = np.zeros(384), 0, set()


def ranked():
    scores = np.where([i in seen for i in range(len(world))], -np.inf, vectors @ mean)
    return list(world.titles[top_k(scores, len(world), id_order(world.item_ids))])


push(ranked())
print(received[-1])

# %% [markdown]
# She clicks *My Neighbor Totoro*, which stands last. A mean can be kept up to date without the old clicks: it moves towards
# the new vector, by one part in as many as there are. That is the **running mean**, `mean += (x - mean) / clicks`:


# %%
def click(film):
    global mean, clicks
    clicks += 1
    mean = mean + (vectors[film] - mean) / clicks
    seen.add(film)
    push(ranked())


click(2)
print(received[-1])

# %% [markdown]
# *Spirited Away*, by the same director, stood behind all the others and is now ahead of them:

# %%
rest = [title for title in received[0] if title != "My Neighbor Totoro"]
claim("the next slate changes after one event: what was last of the others is first", received[1][0] == rest[-1])

# %% [markdown]
# A second click, on *Blade Runner*. Two clicks, two directions; the mean lies between them, and *Alien* comes to the front:

# %%
click(1)
print(received[-1])
claim("the slate changes with the second event, too", received[2][0] != received[1][0])

# %% [markdown]
# Push, click, update, push: a loop. The library has the running mean too, as a **learner**: `start` and `update` make a
# state, `query` gives its vector, and `scores` are those of the films. Does it agree?

# %%
from llmrec_lab.online import RunningMean

learner = RunningMean()
state = learner.start(384)
for film in (2, 1):
    state = learner.update(state, vectors[film], reward=1.0)
claim("the library's running mean equals ours", np.allclose(learner.query(state), mean))
claim("and so do its scores", np.allclose(learner.scores(state, vectors), vectors @ mean))

# %% [markdown]
# ### The same on films
#
# A `Recommender` does the loop with three calls: `user` makes a state, `feedback` makes the next one of an event, and
# `recommend` takes a state as it takes a sentence.

# %%
from llmrec_lab import load_films

films = load_films()
catalog = films.catalog
lab = Recommender(catalog, encoder).fit_prior(films.interactions)
before = lab.user("adventure films", user_id="ada")
slate = lab.recommend(before)
print(*slate.titles[:5], sep="\n")

# %% [markdown]
# An **event** is something that happened: who, what, with which item, when, and an id of its own. Ada likes the fifth film:

# %%
from llmrec_lab import Event

event = Event("click-1", "ada", slate.item_ids[4], "like", 1, timestamp=1_700_000_000)
after = lab.feedback(before, event)
print(*lab.recommend(after).titles[:5], sep="\n")

# %% [markdown]
# The film she liked has gone, because it is seen, and the reasons have a new part:

# %%
print(lab.recommend(after).reasons(0))
claim("one event changes the next slate", list(lab.recommend(after).item_ids) != list(slate.item_ids))
same = list(lab.recommend(before).item_ids) == list(slate.item_ids)
claim("a state is never changed: the old one still gives the old slate", same)

# %% [markdown]
# ### What people can say
#
# A like is one kind of event. With *skip* somebody says "not now", with *less* "less like this"; *rate* carries stars,
# of which 2.75 are the middle, neither yes nor no; *click* says only that it was opened. How near to that film are the
# other films of the next slate, after each kind?

# %%
film = catalog.positions([event.item_id])[0]


def nearness(slate):
    others = [i for i in catalog.positions(slate.item_ids) if i != film]
    return (lab.vectors[others] @ lab.vectors[film]).mean()


near = {"before": nearness(slate)}
kinds = [("like", "like", 1), ("five stars", "rate", 5), ("neither", "rate", 2.75)]
kinds += [("skip", "skip", 1), ("one star", "rate", 1), ("less", "less", 1)]
for name, kind, value in kinds:
    said = Event("click-1", "ada", event.item_id, kind, value, 1_700_000_000)
    near[name] = nearness(lab.recommend(lab.feedback(before, said)))
pd.Series(near).round(2)

# %%
claim("a like moves the list towards the film", near["like"] > near["before"])
claim("'less like this' moves it away", near["less"] < near["before"])
claim("a skip is a no, and a weaker one than 'less like this'", near["less"] < near["skip"] < near["neither"])

# %% [markdown]
# And words. A remark about the list is read clause by clause, as a wish is (lesson 03): *more* joins the interests or makes
# one count twice, *less* takes weight away, and *no* takes all of it.

# %%
start = lab.user("scary films and love stories", user_id="ada")
remark = Event("remark-1", "ada", "", "say", "less horror, more French comedies", 1_700_000_000)
said = lab.feedback(start, remark)
for state in (start, said):
    print({label: round(float(weight), 2) for label, weight in zip(state.interests.labels, state.interests.weights)})

# %%
genres, languages = catalog.facets["genre"], catalog.facets["language"]


def count(state, facet, value):
    return sum(value in facet[i] for i in catalog.positions(lab.recommend(state).item_ids))


print("horror films on the list:", count(start, genres, "Horror"), "then", count(said, genres, "Horror"))
print("films in French:", count(start, languages, "French"), "then", count(said, languages, "French"))
claim("fewer horror films than before", count(said, genres, "Horror") < count(start, genres, "Horror"))
claim("more films in French", count(said, languages, "French") > count(start, languages, "French"))

# %% [markdown]
# ## 2. An event is a fact, a state is a fold
#
# What has to be kept: the events, or the state? An event is a fact; it will be true tomorrow that Ada liked that film today.
# A state is what *this* recommender makes of the facts. It is a **fold**: start with an empty state, and let one event after
# the other make the next one.

# %%
from functools import reduce

likes = [Event(f"click-{n}", "ada", item, "like", 1, 1_700_000_000 + n) for n, item in enumerate(slate.item_ids[:3])]
events = [*likes, remark]
live = before
for event in events:
    live = lab.feedback(live, event)
folded = reduce(lab.feedback, events, before)
same = list(lab.recommend(folded).item_ids) == list(lab.recommend(live).item_ids)
claim("a fold gives the state that was kept live", same)

# %% [markdown]
# So the events are kept, in an **event log**: a file to which events are only ever appended. A state can be thrown away, as
# it can be made again. `catch_up` folds all events that a state has not met, whichever process stored them.

# %%
import tempfile
from pathlib import Path

from llmrec_lab.event_log import SQLiteLog
from llmrec_lab.feedback import catch_up

scratch = tempfile.TemporaryDirectory()  # goes away with this notebook
folder = Path(scratch.name)
log = SQLiteLog(folder / "events.db")
positions = [log.append(event) for event in events]
print(positions)

# %%
rebuilt = catch_up(lab, log, before)
scores = [lab.recommend(state, k=50).scores for state in (live, rebuilt)]
claim("the state rebuilt from the log gives the very scores of the live state", np.array_equal(*scores))

# %% [markdown]
# And another recommender can be given the old facts. Here is one that forgets faster: a like counts half after two further
# ones, not after four. It has not seen a single event, and the log tells it all of them:

# %%
from llmrec_lab.feedback import FeedbackConfig
from llmrec_lab.recommender import RecommenderConfig

faster = RecommenderConfig(feedback=FeedbackConfig(half_life=2))
new_lab = Recommender(catalog, encoder, faster, vectors=lab.vectors).fit_prior(films.interactions)
new_state = catch_up(new_lab, log, new_lab.user("adventure films", user_id="ada"))
claim("another model makes another state of the same facts", new_state.liked.weight != rebuilt.liked.weight)

# %% [markdown]
# ## 3. What a log must promise
#
# Ada's page sends an event and waits for an answer, the **acknowledgement**: "it is safe". What if no answer comes? Either
# the event was lost on its way, or the answer was; the page cannot know. So it sends again, until it is told. Nothing is
# lost then, but an event may arrive more than once, which is called **at least once**. What does a like that arrives three
# times do to a mean?

# %%
once, thrice = vectors[[2, 1]].mean(axis=0), vectors[[2, 1, 1, 1]].mean(axis=0)
for name, taste in (("once", once), ("three times", thrice)):
    print(f"Blade Runner arrived {name}: cosine to Totoro {taste @ vectors[2] / np.linalg.norm(taste):.2f}")

# %% [markdown]
# A network that stutters looks like a person with a strong opinion. The way out: every event has an id, chosen where it
# happened, and the log stores each id once. Then sending again does no harm; such a step is called **idempotent**.

# %%
again = [log.append(likes[0]) for _ in range(3)]
print(again, len(log.read()))
one_event = set(again) == {1} and len(log.read()) == len(events)
claim("sent three times more, it is still one event at its first position", one_event)

# %% [markdown]
# The order is that of the log, not that of the clocks: those differ between machines, and may go backwards.
#
# ### What "safe" means
#
# A program that writes to a file hands the bytes to the operating system, which keeps them in memory and brings them to the
# disk when it finds time. A power cut takes the memory along. To be sure, a program asks for a **sync** and waits until the
# disk has them. Two programs store two events, *a* and *b*, with the same steps in another order:

# %%
careless = ["write a", "acknowledge a", "sync", "write b", "acknowledge b", "sync"]
careful = ["write a", "sync", "acknowledge a", "write b", "sync", "acknowledge b"]

# %% [markdown]
# Let the power fail after every step. Is an event lost of which somebody was told that it is safe?


# %%
def lost(steps):
    memory, disk, told = set(), set(), set()
    for step in steps:
        what, _, event = step.partition(" ")
        if what == "write":
            memory.add(event)
        elif what == "sync":
            disk |= memory
        else:
            told.add(event)
    return sorted(told - disk)


losses = {name: [lost(steps[:n]) for n in range(7)] for name, steps in (("careless", careless), ("careful", careful))}
print(*(f"{name}: {found}" for name, found in losses.items()), sep="\n")

# %%
claim("careless loses an acknowledged event", any(losses["careless"]))
claim("careful loses none, whenever the power fails", not any(losses["careful"]))

# %% [markdown]
# ### A real process, killed
#
# Does our log keep its promise? A process writes events as fast as it can, and says which ones were acknowledged. After a
# random number of them it is killed: `SIGKILL`, without a chance to clean up. Five times, on one file.

# %%
import subprocess

WRITER = """
import sys
from llmrec_lab.event_log import Event, SQLiteLog
log = SQLiteLog(sys.argv[1])
for n in range(1_000_000):
    event = Event(f"{sys.argv[2]}-{n}", "bo", sys.argv[3 + n % 3], "like", 1, 1_700_000_000)
    log.append(event)
    print(event.event_id, flush=True)
"""


def acknowledged_until_killed(path, run, patience):
    command = [sys.executable, "-c", WRITER, str(path), str(run), *slate.item_ids[:3]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        first = [process.stdout.readline().strip() for _ in range(patience)]
        process.kill()
        return first + process.stdout.read().split()


# %%
rng = np.random.default_rng(7)
path = folder / "killed.db"
told = [acknowledged_until_killed(path, run, rng.integers(100, 300)) for run in range(5)]

# %%
with SQLiteLog(path) as survivor:
    survivor.check()  # raises if the file is damaged
    found = [event.event_id for _, event in survivor.read()]
    acknowledged = [event_id for run in told for event_id in run]
    claim("500 events or more were acknowledged before the five kills", len(acknowledged) >= 500)
    claim("none of them is lost", set(acknowledged) <= set(found))
    claim("none is there twice", len(set(found)) == len(found))
    bo = catch_up(lab, survivor, lab.user("", user_id="bo"))
    folded = reduce(lab.feedback, [event for _, event in survivor.read()], lab.user("", user_id="bo"))
    claim("the rebuilt state equals the folded one", np.array_equal(bo.liked.total, folded.liked.total))

# %% [markdown]
# An event may be there that was *not* acknowledged: it was stored, and the process died before it could say so. That is
# fine; the page will send it again, with the same id.
#
# ### What a kill cannot show
#
# Convinced? Here is a writer that never syncs at all. It writes, says so, and is killed:

# %%
CARELESS = """
import sys
file = open(sys.argv[1], "wb", buffering=0)
file.write(b"a click")
print("acknowledged", flush=True)
sys.stdin.read()
"""
path = folder / "careless"
command = [sys.executable, "-c", CARELESS, str(path)]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
    answer = process.stdout.readline().strip()
    process.kill()
print(answer)
claim("nothing was synced, the process was killed, and the event is there", path.read_bytes() == b"a click")

# %% [markdown]
# The bytes were in the memory of the operating system, which lives on when a process dies. So no number of kills can show
# that a sync is missing; only a power cut can, or a look at what the process asks the system for, in which order. The tool
# *strace* shows that, where it is installed and allowed. Three events, one after the other:

# %%
import re
import shutil

TRACED = """
import os, sys
from llmrec_lab.event_log import Event, SQLiteLog
log = SQLiteLog(sys.argv[1])
if len(sys.argv) > 2:
    log.writing.execute(sys.argv[2])
for n in range(3):
    log.append(Event(f"event-{n}", "ada", "1", "like", 1, 0))
    os.write(2, b"acknowledged")
"""
# SQLite appends to a file of its own first, events.db-wal; that is the one to watch.
CALLS = {r"write(64)?\(.*\.db-wal>": "write", r"f(data)?sync\(.*\.db-wal>": "sync", '"acknowledged"': "acknowledge"}


def system_calls(name, *arguments):
    trace = ["strace", "-f", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", folder / f"{name}.trace"]
    command = [*trace, sys.executable, "-c", TRACED, folder / f"{name}.db", *arguments]
    if not shutil.which("strace") or subprocess.run(command, stderr=subprocess.PIPE).returncode:
        return []
    lines = (folder / f"{name}.trace").read_text(errors="replace").splitlines()
    found = [word for line in lines for pattern, word in CALLS.items() if re.search(pattern, line)]
    return [word for n, word in enumerate(found) if n == 0 or found[n - 1] != word]  # several writes in a row are one


# %% tags=["nbval-ignore-output"]
calls = system_calls("ours")
print(*(calls or ["strace is not here, or may not look at other processes: nothing to see"]))

# %% [markdown]
# The first writes and syncs make the file. Then each acknowledgement has its own:

# %% tags=["nbval-ignore-output"]
if calls:
    turns = [turn.split()[-2:] for turn in " ".join(calls).split("acknowledge")[:-1]]
    claim("three acknowledgements, and each comes right after write and sync", turns == [["write", "sync"]] * 3)
    relaxed = " ".join(system_calls("relaxed", "PRAGMA synchronous = NORMAL")).split("acknowledge")[:-1]
    unsynced = any("sync" not in turn for turn in relaxed)
    claim("with SQLite's setting NORMAL it would acknowledge without a sync", unsynced)

# %% [markdown]
# A sync takes time. So the log does not sync for every event: while one sync runs, the events that arrive meanwhile gather,
# and the next sync is for all of them. This is called **group commit**; exercise 07.5 writes one.
#
# > **Check the article: stream processing.** Kafka and Flink are both named as frameworks for it.
#
# Kafka *is* a log: events are appended, and readers go through them at their own pace, each from the position it has
# reached. Flink is something that reads. Both ideas fit on this page; an **operator** takes a stream of events and yields
# what it makes of them, event by event. Which films were liked most among the last hundred events?

# %%
from collections import Counter, deque


def trending(stream, window=100):
    recent = deque(maxlen=window)
    for position, event in stream:
        recent.append(event.item_id)
        yield position, Counter(recent).most_common(1)[0]


with SQLiteLog(folder / "killed.db") as log_of_bo:
    *_, (last, (item_id, count)) = trending(log_of_bo.read())
    first = next(iter(log_of_bo.read(after=last - 1)))
claim("a reader may go on from any position", first[0] == last)
claim("the window holds a hundred events, so the most frequent of three films has 34 of them", count == 34)

# %% [markdown]
# The window forgets: what is trending is what was liked lately. So do some of the learners in
# the next section.
#
# ## 4. Six ways to learn from an event
#
# An event is a vector $x$ and a reward $y$: 1 for a like, -1 for a dislike. Each of these learners keeps something small,
# and changes it with every event ($\leftarrow$ means: becomes):
#
# | learner | what it does with an event | a film $v$ scores |
# |---|---|---|
# | running mean | $m \leftarrow m + (x - m)/n$ | $m \cdot v$ |
# | decay | $s \leftarrow \gamma s + x$, $\;w \leftarrow \gamma w + 1$ | $(s/w) \cdot v$ |
# | Rocchio | a like as decay; else $s \leftarrow \gamma s - \beta x$, $w \leftarrow \gamma w + \beta$ | $(s/w) \cdot v$ |
# | logistic | $\theta \leftarrow \theta + \eta\,(1 - \sigma(y\,\theta \cdot x))\,y\,x$ | $\theta \cdot v$ |
# | LinUCB | $A \leftarrow A + xx^\top$, $b \leftarrow b + yx$; $\theta = A^{-1}b$ | $\theta \cdot v + \alpha u$ |
# | Thompson | the same | $\tilde\theta \cdot v$, with $\tilde\theta$ drawn from $N(\theta, \alpha^2 A^{-1})$ |
#
# The running mean and decay take likes only; $n$ counts them. $\sigma(z) = 1/(1 + e^{-z})$ turns a score into a chance,
# $N$ is the normal distribution, and $\beta$, $\eta$ and $\alpha$ are settings. **Decay** forgets: $\gamma = 2^{-1/h}$,
# so that an event counts half after $h$ further ones, its **half-life**. **Rocchio** also goes away from what was
# disliked. **Online logistic regression** asks how surprised it was, and takes a step of that size. The last two are
# **bandits**: they keep how much they do not know. For a film it is $u = \sqrt{v^\top A^{-1} v}$. **LinUCB** adds it to
# the score, so that films of which little is known get a chance; **Thompson sampling** rolls dice instead, and the less
# it knows the wider they fall.
#
# Four events of Ada, by hand: she likes *Totoro*, *Spirited Away* and *Alien*, and dislikes *Blade Runner*.

# %%
events = [(2, 1.0), (3, 1.0), (1, -1.0), (0, 1.0)]
half_life, beta, eta, alpha = 2.0, 0.5, 0.1, 0.5
gamma = 0.5 ** (1 / half_life)
sigma = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731

s, w, theta, bias = np.zeros(384), 0.0, np.zeros(384), 0.0
for film, y in events:
    x = vectors[film]
    s, w = gamma * s + (x if y > 0 else -beta * x), gamma * w + (1 if y > 0 else beta)
    step = eta * (1 - sigma(y * (theta @ x + bias))) * y
    theta, bias = theta + step * x, bias + step  # the bias is a number of its own for all films

# %%
from llmrec_lab.online import Decay, LinUCB, Logistic, Rocchio, Thompson


def taught(learner, events=events):
    state = learner.start(384)
    for film, y in events:
        state = learner.update(state, vectors[film], y)
    return state


rocchio = Rocchio(half_life, dislikes=beta)
claim("Rocchio by hand is the library's", np.allclose(rocchio.query(taught(rocchio)), s / w))
only_likes = [event for event in events if event[1] > 0]
faded = gamma ** np.arange(3)[::-1]  # (3) the first like, the second, the last
by_hand = faded @ vectors[[film for film, _ in only_likes]] / faded.sum()
claim("so is decay", np.allclose(Decay(half_life).query(taught(Decay(half_life))), by_hand))
logistic = taught(Logistic(eta))
claim("and the logistic learner", np.allclose(logistic.weights, theta) and np.isclose(logistic.bias, bias))

# %% [markdown]
# For LinUCB the plain way is to sum up $A$ and $b$ and to solve for $\theta$. $A$ starts as the identity matrix, which keeps
# $\theta$ near zero as long as little is known:

# %%
A, b = np.eye(384), np.zeros(384)
for film, y in events:
    A += np.outer(vectors[film], vectors[film])
    b += y * vectors[film]
theta = np.linalg.solve(A, b)
unsure = np.sqrt([v @ np.linalg.solve(A, v) for v in vectors])
pd.DataFrame({"expected": vectors @ theta, "unsure by": unsure}, index=world.titles).round(2)

# %%
bandit = LinUCB(optimism=alpha)
scores = bandit.scores(taught(bandit), vectors)
claim("LinUCB by hand is the library's", np.allclose(scores, vectors @ theta + alpha * unsure))
claim("it is least sure of the film that had no event", unsure.argmax() == 4)

# %% [markdown]
# Thompson sampling draws. Two thousand draws should lie around what LinUCB expects, and as wide as it is unsure:

# %%
thompson, rng = Thompson(optimism=1.0), np.random.default_rng(0)
state = taught(thompson)
draws = np.array([thompson.scores(state, vectors, rng) for _ in range(2000)])  # (2000, 5)
claim("the mean of the draws is what is expected, within 0.1", np.abs(draws.mean(axis=0) - vectors @ theta).max() < 0.1)
claim("their spread is how unsure it is, within 5%", np.abs(draws.std(axis=0) / unsure - 1).max() < 0.05)

# %% [markdown]
# ## 5. The work of one update
#
# After ten thousand events, is the next update more work than the first? We count additions and multiplications, not
# seconds; so the numbers are the same on every machine. Beside the six, two ways to do it that many programs have: read the
# whole history again for its mean, and solve again for $\theta$ after every event.

# %%
from types import SimpleNamespace

from llmrec_lab.operations import count_operations


class MeanOfHistory:
    def update(self, state, x, reward):
        state.events = np.concatenate([state.events, x[None]])
        state.query = state.events.sum(axis=0) / len(state.events)


class SolvesAgain:
    def update(self, state, x, reward):
        state.A, state.b = state.A + x[:, None] * x, state.b + reward * x
        state.theta = np.linalg.solve(state.A, state.b)


# %%
many = np.random.default_rng(0).normal(size=(9_999, 384)) / np.sqrt(384)
learners = [RunningMean(), Decay(), Rocchio(), Logistic(), LinUCB(), Thompson()]


def work(learner, number):
    state = learner.start(384)
    for x in many[: number - 1]:
        state = learner.update(state, x, 1.0)
    return count_operations(learner, state, vectors[0], 1.0)


counts = {learner.name: [work(learner, number) for number in (1, 10_000)] for learner in learners}

# %%
pasts = [SimpleNamespace(events=many[: number - 1]) for number in (1, 10_000)]
counts["mean of the history"] = [count_operations(MeanOfHistory(), past, vectors[0], 1.0) for past in pasts]
summed = [SimpleNamespace(A=np.eye(384) + past.events.T @ past.events, b=past.events.sum(axis=0)) for past in pasts]
counts["solves again"] = [count_operations(SolvesAgain(), past, vectors[0], 1.0) for past in summed]
pd.DataFrame(counts, index=["1st event", "10,000th event"]).T

# %%
same = [counts[learner.name][0] == counts[learner.name][1] for learner in learners]
claim("the work of all six is the same for event 1 and event 10,000", all(same))
first, last = counts["mean of the history"]
claim("that of a mean over the history is not", last > 1000 * first)
half = count_operations(LinUCB(), LinUCB().start(192), vectors[0, :192], 1.0)
claim("with half the dimensions LinUCB takes about a quarter", 3.9 < counts["LinUCB"][0] / half < 4.1)
claim("solving again takes over 50 times the work of LinUCB's update", counts["solves again"][0] > 50 * counts["LinUCB"][0])

# %% [markdown]
# How does LinUCB get around solving? When $A$ grows by $x x^\top$, its inverse changes by one outer product: the formula of
# Sherman and Morrison, which you will write in exercise 07.4. The work grows with the square of the dimensions, and not with
# what happened before.
#
# ## 6. When tastes drift
#
# Does learning pay? Let us first ask people of whom we know everything: simulated ones. Each has a taste, a direction
# among the films. In every round 50 random films are on offer, three are shown, and each is clicked with a probability
# that depends on how near it is to the taste; what is shown and not clicked is a weak dislike. After 100 rounds the
# taste changes, and after another 100 again: **drift**.

# %%
from sklearn.decomposition import TruncatedSVD

from llmrec_lab.interests import unit_rows
from llmrec_lab.simulation import Frozen, World, regrets, simulate

short = unit_rows(TruncatedSVD(32, random_state=0).fit_transform(lab.vectors)).astype(float)  # 32 numbers a film
drifting = World(short, horizon=300, changes=(100, 200))
steady = World(short, horizon=300)

# %% [markdown]
# As the tastes are known, so is the best that could have been shown. What a learner falls short of it, in expected clicks,
# summed over the rounds, is its **regret**. The rival of all is a profile that is computed once, from the first 50 rounds,
# and never again.

# %%
profile = Frozen(RunningMean(), events=150)  # three events a round
bandits = [LinUCB(optimism=0.1, half_life=300), Thompson(optimism=0.1, half_life=300)]
rivals = {learner.name: learner for learner in (RunningMean(), Decay(32), Rocchio(32), Logistic(0.3), *bandits)}
people = range(20)
lost_drifting = {name: regrets(learner, drifting, people) for name, learner in rivals.items()}
lost_steady = {name: regrets(learner, steady, people) for name, learner in rivals.items()}
frozen_drifting, frozen_steady = regrets(profile, drifting, people), regrets(profile, steady, people)

# %% tags=["nbval-ignore-output"]
from llmrec_lab.metrics import bootstrap_interval, paired_interval

rows = {"frozen profile": frozen_drifting} | lost_drifting
gaps = {name: paired_interval(values, frozen_drifting) for name, values in lost_drifting.items()}
table = pd.DataFrame({"regret": {name: round(values.mean()) for name, values in rows.items()}})
table["difference to frozen [95%]"] = {name: f"{gap.mean:.0f} [{gap.low:.0f}, {gap.high:.0f}]" for name, gap in gaps.items()}
table.fillna("")

# %% tags=["nbval-ignore-output"]
from llmrec_lab.plots import interval_chart, intervals_in_words, picture

ax = interval_chart(list(gaps), list(gaps.values()), "regret minus that of the frozen profile (expected clicks)")
picture(ax, intervals_in_words(list(gaps), list(gaps.values())))

# %%
for name in ("Rocchio", "logistic", "LinUCB", "Thompson"):
    claim(f"under drift {name} loses less than the frozen profile beyond the interval", gaps[name].high < 0)
claim("Rocchio loses less than half as much", lost_drifting["Rocchio"].mean() < frozen_drifting.mean() / 2)

# %% [markdown]
# Look at the running mean and decay: they gain little. Both learn from clicks alone; after a change they show what used to
# be liked, get few clicks, and learn little. The other four learn from what was *not* clicked, too. For Rocchio that is
# the only difference to decay, as both have a half-life of 32:

# %%
dislikes = paired_interval(lost_drifting["Rocchio"], lost_drifting["decay"])
claim("under drift dislikes help: Rocchio loses less than decay beyond the interval", dislikes.high < 0)

# %% [markdown]
#
# And when tastes stay as they are? The regret and its interval:

# %% tags=["nbval-ignore-output"]
rows = {"frozen profile": frozen_steady} | lost_steady | {"Rocchio, half-life 8": regrets(Rocchio(8), steady, people)}
intervals = {name: bootstrap_interval(values) for name, values in rows.items()}
pd.DataFrame({"regret": {name: f"{x.mean:.0f} [{x.low:.0f}, {x.high:.0f}]" for name, x in intervals.items()}})

# %%
mean_steady = lost_steady["running mean"]
short_memory = paired_interval(rows["Rocchio, half-life 8"], mean_steady)
claim("with steady tastes the plain mean beats a short memory beyond the interval", short_memory.low > 0)
for name in ("LinUCB", "Thompson"):
    claim(f"and {name}, which also forgets", paired_interval(lost_steady[name], mean_steady).low > 0)
claim("it still beats the frozen profile", paired_interval(mean_steady, frozen_steady).high < 0)
claim("and loses to the logistic learner", paired_interval(lost_steady["logistic"], mean_steady).high < 0)

# %% [markdown]
# Forgetting pays where the old is wrong, and costs where it is right; and a bandit pays for looking around. How fast to
# forget is a question about people, not about algorithms, and only their data can answer it. The settings here were picked
# by hand, so trust the large differences and not the small ones.
#
# ## 7. Test, then train: real histories
#
# Simulated people do what we programmed. What about real ones? Their last ten ratings are a stream. Before each of them,
# rank all films that the person has not met, and see where the next one stands; then tell the learner, and go on. This is
# called **prequential** evaluation, or test-then-train: every event is a test first, and is learned from only afterwards.

# %%
from llmrec_lab.prequential import last_events, learner_ranks, model_ranks, per_user, state_ranks

order = id_order(catalog.item_ids)
earlier = last_events(catalog, films.interactions, last=10, back=10)  # to choose on
stretch = last_events(catalog, films.interactions, last=10)  # to report
print(len(stretch.asked), "events of", len(np.unique(stretch.users)), "people")

# %% [markdown]
# On the tiny world, to see what is asked of whom. The last two events of each person who has more than two, what was
# known before, and the rank:

# %%
tiny_stretch = last_events(*tiny_world(), last=2)
tiny_ranks = learner_ranks(RunningMean(), vectors, tiny_stretch, id_order(world.item_ids))
known = tiny_stretch.prefixes(updates=True)
for n, target in enumerate(tiny_stretch.histories.items[tiny_stretch.asked]):
    met = ", ".join(world.titles[known.of(n)])
    print(f"{known.user_ids[n]} knows {met}; next is {world.titles[target]}, which has rank {tiny_ranks[n]}")

# %% [markdown]
# The same by hand for one of them: Chen has met *Alien* and *Blade Runner*, and meets *Totoro* next.

# %%
taste = vectors[[0, 1]].mean(axis=0)
by_hand = 1 + sum(vectors[i] @ taste > vectors[2] @ taste for i in (3, 4))
claim("by hand and by the library the rank is the same", by_hand == tiny_ranks[list(known.user_ids).index("chen")])

# %% [markdown]
# Which half-life? It is chosen on the ten events *before* those that are reported, so that the report stays a test. A rating
# of two and a half stars or less is a dislike.

# %%
choices = {half_life: Rocchio(half_life) for half_life in (1, 2, 4, 8)}
quality = {h: per_user(learner_ranks(x, lab.vectors, earlier, order), earlier).mean() for h, x in choices.items()}
chosen = max(quality, key=quality.get)
print({h: round(float(value), 4) for h, value in quality.items()}, "chosen:", chosen)

# %% [markdown]
# Now the report. Every learner twice: frozen when the ten events begin, and updated after each. Beside them the models of
# lesson 05, which read a history: the history as it was, and as it has become.

# %%
from llmrec_lab.baselines import EASE, MarkovChain, Popularity

tested = {"running mean": RunningMean(), "decay": Decay(chosen), "Rocchio": Rocchio(chosen)}
frozen, updated = {}, {}
for name, learner in tested.items():
    frozen[name] = per_user(learner_ranks(learner, lab.vectors, stretch, order, updates=False), stretch)
    updated[name] = per_user(learner_ranks(learner, lab.vectors, stretch, order), stretch)
for model in (Popularity(), MarkovChain(), EASE()):
    model.fit(stretch.train)  # on what came before, and not again
    frozen[type(model).__name__] = per_user(model_ranks(model, stretch, order, updates=False), stretch)
    updated[type(model).__name__] = per_user(model_ranks(model, stretch, order), stretch)

# %% tags=["nbval-ignore-output"]
gains = {name: paired_interval(updated[name], frozen[name]) for name in frozen}
pd.DataFrame(
    {
        "frozen": {name: f"{values.mean():.3f}" for name, values in frozen.items()},
        "updated": {name: str(bootstrap_interval(values)) for name, values in updated.items()},
        "gain": {name: str(gain) for name, gain in gains.items()},
    }
)

# %%
for name in tested:
    claim(f"{name}: NDCG@10 with updates beats the same without them beyond the interval", gains[name].low > 0)
for name in ("MarkovChain", "EASE"):
    claim(f"{name} gains by a history that goes on, too", gains[name].low > 0)
dislikes = paired_interval(updated["Rocchio"], updated["decay"])
claim("no gain by dislikes is found: Rocchio does not beat decay beyond the interval", dislikes.low <= 0)
claim("decay beats the running mean beyond the interval", paired_interval(updated["decay"], updated["running mean"]).low > 0)
behind = [paired_interval(updated[name], updated["MarkovChain"]).high < 0 for name in tested]
claim("all three, by text alone, lose to the Markov chain", all(behind))

# %% [markdown]
# Updates help everybody except popularity, which does not look at the person. Dislikes add nothing here: these people rate
# films they *chose* to watch, which says little about what they would not choose. And text alone still loses to models that
# know what others chose. So what about the whole recommender of lesson 05, with states? Sixty people are enough to see it:

# %%
from llmrec_lab import Interactions

frame = films.interactions.frame
before_stretch = Interactions.from_frame(frame.drop(frame.groupby("user_id").tail(10).index))
whole = Recommender(catalog, encoder, vectors=lab.vectors).fit(before_stretch)
some = stretch.of(np.random.default_rng(0).choice(np.unique(stretch.users), 60, replace=False))

# %%
whole_frozen, whole_updated = (per_user(state_ranks(whole, some, order, updates), some) for updates in (False, True))
gain = paired_interval(whole_updated, whole_frozen)
claim("the recommender was fitted on what came before", np.array_equal(whole.histories.items, stretch.train.items))
claim("the whole recommender: NDCG@10 with updated states beats frozen ones beyond the interval", gain.low > 0)

# %% tags=["nbval-ignore-output"]
print("frozen", bootstrap_interval(whole_frozen), "| updated", bootstrap_interval(whole_updated), "| gain", gain)

# %% [markdown]
# Before we celebrate: lesson 05 found that these people rate page by page. How much time lies between the first and the
# last of ten events?

# %%
spans = [np.ptp(stretch.histories.timestamps[stretch.asked[stretch.users == user]]) for user in np.unique(stretch.users)]
print(f"median {np.median(spans) / 60:.0f} minutes; within a day for {np.mean(np.array(spans) < 86_400):.0%} of the people")

# %% [markdown]
# So this is feedback within a sitting, which is where it matters most, and some of it is knowledge about pages. A gain in
# your shop only your shop can show; section 9 says how.
#
# ## 8. Noticing that something changed
#
# A learner that forgets needs no alarm. A *team* does: has something changed since last week? **Monitoring** watches a
# number as it comes in, such as the share of shown films that are clicked. **ADWIN**, from the library *river*, keeps a
# window of the latest clicks, and cuts it when its older and its newer part differ by more than chance explains.

# %%
from llmrec_lab.experiments import drift_alarms

sudden = World(short, horizon=600, changes=(300,))
quiet = World(short, horizon=600)


def alarms(learner, world, person):
    clicks = simulate(learner, world, person).clicks / 3  # three films a round
    return [place for place in drift_alarms(clicks) if place >= 300]


def noticed(learner):
    return sum(any(place < 500 for place in alarms(learner, sudden, person)) for person in people)


in_time, false = noticed(profile), sum(len(alarms(profile, quiet, person)) > 0 for person in people)
print(f"change noticed within 200 rounds: {in_time} of 20; alarm without any change: {false} of 20")

# %%
claim("most changes are noticed, and few alarms are false", in_time > 10 and false < 5)

# %% [markdown]
# The frozen profile makes it visible: its lists stay the same, so its clicks fall. And a learner that adapts, whose clicks
# come back?

# %%
adapting = noticed(Rocchio(32))
shares = np.array([simulate(Rocchio(32), sudden, person).clicks / 3 for person in people])  # (20, 600)
earlier_share, late_share = shares[:, 200:300].mean(), shares[:, 500:].mean()
print(f"clicked just before the change: {earlier_share:.0%}; from 200 rounds after it: {late_share:.0%}")
print(f"change noticed by the clicks of Rocchio: {adapting} of 20")
claim("its clicks come back: at least nine tenths of what they were", late_share > 0.9 * earlier_share)
claim("a learner that adapts hides the change from such a meter", adapting < in_time / 2)

# %% [markdown]
# So let a few lists come from something that does not adapt, and watch those.
#
# ## 9. Is the new one better? A/A and A/B
#
# Every measurement so far was made on a desk. The only one on real people is the **A/B test**: half of them, by lot, get the
# list of model A, half that of B, and we count. First the **A/A test**, in which both halves get the same. What should come
# out? By hand, with a thousand clicks to expect in each half:

# %%
rng = np.random.default_rng(1)
clicks_a, clicks_b, views = rng.binomial(10_000, 0.10), rng.binomial(10_000, 0.10), 10_000
p, q = clicks_a / views, clicks_b / views
error = np.sqrt(p * (1 - p) / views + q * (1 - q) / views)  # the standard error of a difference of two shares
low, high = q - p - 1.96 * error, q - p + 1.96 * error
print(f"{clicks_a} against {clicks_b} clicks: {q - p:+.4f}, 95% interval {low:+.4f} to {high:+.4f}")

# %%
from llmrec_lab.experiments import compare_rates, false_alarms, sample_size

found = compare_rates(clicks_a, views, clicks_b, views)
claim("the library's interval is ours", np.allclose([found.difference.low, found.difference.high], [low, high], atol=1e-6))
claim("it has 0 in it: no difference found between a thing and itself", not found.difference.excludes_zero)

# %% [markdown]
# At 95% one A/A test in twenty finds a difference that is not there. And if somebody looks at the numbers every day, and
# stops at the first difference? That is **peeking**.

# %%
share = {looks: false_alarms(looks) for looks in (1, 5, 20)}
print("false alarms by number of looks:", {looks: f"{value:.0%}" for looks, value in share.items()})
claim("with one look about 5% of the A/A tests find a difference", 0.03 < share[1] < 0.07)
claim("with twenty looks more than three times as many do", share[20] > 3 * share[1])

# %% [markdown]
# So the number of people is fixed before. How many does it take? With a share of clicks of 10%, to find a lift of the given
# size four times out of five (a **power** of 80%):

# %%
needed = {f"10% to {10 + lift}%": sample_size(0.10, lift / 100) for lift in (0.5, 1, 2, 5)}
pd.Series(needed, name="views in each half")

# %%
claim("half the lift takes about four times the views", 3.5 < needed["10% to 10.5%"] / needed["10% to 11%"] < 4.5)

# %% [markdown]
# The tests that we ran on 20 or 671 people could be so small because they were *paired*: the same person, the same
# offers, two learners. On real people that cannot be done: a click at one list is not a click at the other.
#
# ## 10. What the loop does to itself
#
# A list shows what was clicked; people click what is shown. Where does that lead? Two hundred songs, all equally good: a
# song that is shown to a hundred people gets about ten clicks. Each round the list holds the ten songs with most clicks
# so far.


# %%
from llmrec_lab.loop import most_clicked, thompson_rate


def rounds_of(policy, quality, rounds=50, views_each=100, seed=0):
    rng = np.random.default_rng(seed)
    clicks, views = np.zeros(len(quality)), np.zeros(len(quality))
    for _ in range(rounds):
        shown = np.argsort(-policy(clicks, views, rng))[:10]
        clicks[shown] += rng.binomial(views_each, quality[shown])
        views[shown] += views_each
    return clicks, shown


# %% [markdown]
# A **policy** says which songs look good by the counts so far. `most_clicked` takes the clicks; `thompson_rate` draws for
# each song a click rate that may be true, so that a song which few people have heard may come out high.

# %%
equal = np.full(200, 0.10)
for policy in (most_clicked, thompson_rate):
    clicks, _ = rounds_of(policy, equal)
    top = np.sort(clicks)[-10:].sum() / clicks.sum()
    print(f"{policy.__name__}: ten songs have {top:.0%} of the clicks, {(clicks > 0).mean():.0%} were ever clicked")

# %% [markdown]
# The rich get richer, by nothing but the luck of the first round. Now one song is twice as good as the rest, and nobody has
# heard it yet. Is it on the list in the end?

# %%
one_gem = np.where(np.arange(200) == 123, 0.20, 0.10)
finds = {}
for policy in (most_clicked, thompson_rate):
    finds[policy.__name__] = sum(123 in rounds_of(policy, one_gem, seed=seed)[1] for seed in range(20))
print("of 20 worlds:", finds)
claim("the list of the most clicked finds the best song in fewer than half of 20 worlds", finds["most_clicked"] < 10)
claim("Thompson sampling finds it in at least 18", finds["thompson_rate"] >= 18)

# %% [markdown]
# Now on films: a hundred simulated people, each with a taste, and for all of them one order, *popular now*, of which
# each is shown what is new to them. Three meters: the share of the views that the most viewed hundredth of the films
# get (**top share**), the share of films that anybody was shown so far (coverage, lesson 05), and the chance that what
# is shown is clicked.

# %%
from llmrec_lab.loop import Crowd, run_loop
from llmrec_lab.simulation import random_taste

rng = np.random.default_rng(0)
crowd = Crowd(np.array([random_taste(short, rng) for _ in range(100)]), short)
loops = {policy.__name__: run_loop(policy, crowd, rounds=20) for policy in (most_clicked, thompson_rate)}

# %% tags=["nbval-ignore-output"]
pd.DataFrame({name: loop[["top share", "coverage", "click chance"]].mean() for name, loop in loops.items()}).round(2)

# %%
greedy, explored = loops["most_clicked"], loops["thompson_rate"]
claim("with the most clicked, a hundredth of the films gets over 80% of the views in round 2", greedy["top share"][1] > 0.8)
claim("sampling shows more than twice as many films", explored["coverage"].iloc[-1] > 2 * greedy["coverage"].iloc[-1])
ratio = explored["click chance"].sum() / greedy["click chance"].sum()
claim("and gets no more clicks for it, within 5%", 0.95 < ratio < 1.05)

# %% [markdown]
# Exploring mends the crowding, and does not make one list right for a hundred tastes. For that there are states. Does a
# single person's list narrow, as she likes the first film again and again? For each genre, *I like ... films*, and ten
# slates. Two meters of lesson 05: the diversity of the slate and its popularity share.

# %%
from llmrec_lab.metrics import diversity, popularity_share

counts_of = np.bincount(lab.histories.items, minlength=len(catalog))
wishes = [f"I like {genre} films" for genre in sorted({genre for row in genres for genre in row})]


def meters(wish, rounds=10):
    state, measured = lab.user(wish), []
    for n in range(rounds):
        slate = lab.recommend(state)
        places = catalog.positions(slate.item_ids)[None]
        measured.append((diversity(places, lab.vectors)[0], popularity_share(places, counts_of, len(lab.histories))[0]))
        state = lab.feedback(state, Event(f"like-{n}", "you", slate.item_ids[0], "like", 1, n))
    return measured


measured = np.array([meters(wish) for wish in wishes])  # (21, 10, 2)
first, last = measured[:, 0], measured[:, -1]
changes = {name: paired_interval(last[:, n], first[:, n]) for n, name in enumerate(("diversity", "popularity share"))}

# %% tags=["nbval-ignore-output"]
pd.DataFrame({"first slate": first.mean(axis=0), "tenth slate": last.mean(axis=0)}, index=list(changes)).round(3)

# %%
claim("no fall of the diversity beyond the interval is found", changes["diversity"].high >= 0)
claim("and no rise of the popularity share", changes["popularity share"].low <= 0)

# %% [markdown]
# We expected a bubble, and found none: the wish stays and asks for its share, and a film that was seen leaves. That is no
# proof for other recommenders, or for more than ten slates. The meters are cheap; keep them running.
#
# ## 11. How long it takes
#
# > **Check the article: fast and slow.** *Real-time* stands among the advantages of a language model, and *high computing
# > cost* among its drawbacks. Neither has a number.
#
# Both can be true of one system: the encoder is slow and runs before, once per film; what runs after a click is the rest.
# On this machine, in milliseconds (yours will differ):

# %% tags=["nbval-ignore-output"]
from time import perf_counter


def milliseconds(step, repeats=50):
    taken = []
    for n in range(repeats):
        start = perf_counter()
        step(n)
        taken.append(1000 * (perf_counter() - start))
    return {"half are faster than": np.median(taken), "95% are faster than": np.percentile(taken, 95)}


def like(n):
    return Event(f"timed-{n}", "ada", slate.item_ids[0], "like", 1, 0)


steps = {
    "encode a new sentence": lambda n: encoder.encode([f"a film about the number {n}"]),
    "update the state": lambda n: lab.feedback(before, like(n)),
    "store the event, synced": lambda n: log.append(like(n)),
    "next slate, by text": lambda n: lab.recommend(after),
    "next slate, all parts": lambda n: whole.recommend(whole_state),
}
whole_state = whole.feedback(whole.user("", user_id="ada"), like(0))
pd.DataFrame({name: milliseconds(step) for name, step in steps.items()}).T.round(2)

# %% [markdown]
# Seconds differ from machine to machine, so this lesson claims nothing about them. What holds everywhere is the table of
# section 5: the work after a click does not grow with what came before it.
#
# ## 12. What else is called real time
#
# > **Check the article: two techniques.** Real-time feedback is to be implemented by *multi-task learning* and by *joint
# > embeddings* of users and items.
#
# A **joint embedding** gives users and items vectors in one space; we have used one since section 1. Here is another, a
# matrix factorization of lesson 05: each person's vector is computed when it is fitted. What does it know after a click?

# %%
histories = films.interactions.histories(catalog)
factors = TruncatedSVD(32, random_state=0)
stored = factors.fit_transform(histories.matrix())  # (671, 32) the people; films are the columns of components_
person = histories.matrix()[[0]].toarray()
with_click = person.copy()
with_click[0, catalog.positions(slate.item_ids[:1])] = 1
claim("the stored vector of a person does not know of the click", np.allclose(factors.transform(person)[0], stored[0]))
claim("only an update moves it", not np.allclose(factors.transform(with_click)[0], stored[0]))

# %% [markdown]
# The embedding is where the vectors live; what makes it real time is the update. **Multi-task learning** trains one model
# for several goals, say a click and a long watch. Trained at night, it does not know of today's click either. Updated, it
# is cheap: in a linear model the expensive part, $A$, depends on what was shown and not on the goal, so all goals share
# it.

# %%
rng = np.random.default_rng(0)
shown, goals = rng.normal(size=(50, 8)), rng.normal(size=(50, 2))  # two rewards for each event
A = np.eye(8) + shown.T @ shown
together = np.linalg.solve(A, shown.T @ goals)  # (8, 2)
alone = np.column_stack([np.linalg.solve(A, shown.T @ goals[:, goal]) for goal in range(2)])
claim("two goals learned together with one A equal two learned alone", np.allclose(together, alone))

# %% [markdown]
# ### News
#
# A film is as good next week; a headline is not. For news the *item* ages, whatever the reader does: **freshness**
# multiplies its score by a half for every half-life that has passed. Exercise 07.7 makes a front page of it. And since a
# new headline has no clicks, its text is all there is (lesson 05, section 5).
#
# ### The picture, closed
#
# > **Check the article: the flow chart.** Feedback leads to *adaptive recommendation*, that leads to the *recommendation
# > algorithm*, and there the chart ends. In it the language model leads to its own pre-training.
#
# The arrows, in a few words. Can one go around, so that a click reaches the next list?

# %%
from graphlib import CycleError, TopologicalSorter


def goes_around(arrows):
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError:
        return True
    return False


drawn = {
    "pre-training": ["language model"],
    "feedback": ["pre-training"],
    "adaptive": ["feedback"],
    "algorithm": ["adaptive"],
}
ours = {"language model": ["pre-training"], "vectors": ["language model"], "slate": ["vectors", "state", "parts"]}
ours |= {"event": ["slate"], "log": ["event"], "state": ["log"], "parts": ["log"]}
claim("as drawn, no feedback comes back", not goes_around(drawn))
claim("in ours it does", goes_around(ours))
claim("and not only through the nightly fit: without it, it still goes around", goes_around({**ours, "parts": []}))

# %% [markdown]
# ```
#                      pre-training ─▶ language model ─▶ vectors ──┐
#                                                                  ▼
#          ┌─ fold, at every event ────▶ state ───────────────▶  slate ──push──▶ person
#   log ───┤                                                       ▲               │
#    ▲     └─ fit, every night ────────▶ parts of lesson 05 ───────┘               │
#    └───────────────────────── acknowledged event ◀───────────────────────────────┘
# ```
#
# Two loops share one log: a quick one for each person, a slow one for what all people have in common. Collect, learn,
# recommend, collect: the daily business of every platform is this picture.
#
# ## 13. Your turn: like and skip
#
# Reach a button with Tab, press it with Enter, and watch the list move.

# %% tags=["nbval-ignore-output"]
from llmrec_lab.widgets import feedback_player, feedback_table

feedback_player(lab, "adventure films")

# %% [markdown]
# The buttons need a running notebook. Their still twin: the list at first, and after each press.

# %%
feedback_table(lab, "adventure films", [("like", 5), ("like", 1), ("skip", 2)])

# %% [markdown]
# Which press moved the list most? The first: it brought three new titles, each later one two. At first there is only the
# wish; what is liked later joins a mean.
#
# ## 14. The live page
#
# The same loop as a web page: `llmrec serve` in a terminal starts it, and a browser shows a list that follows every
# click, in all open tabs, with words, sliders, and a log that survives a restart. Here it runs for a moment inside the
# notebook. Its packages come with `make`:

# %% tags=["nbval-ignore-output"]
from importlib.util import find_spec

has_server = all(map(find_spec, ("fastapi", "uvicorn", "itsdangerous")))
print("the server", "can run" if has_server else "lacks its packages: pip install '.[serve]'")

# %% [markdown]
# We ask it as a page would: make a user, say a wish, send a like, and read the list before and after.

# %%
import json
from urllib.request import Request, urlopen

headers = {"Content-Type": "application/json"}


def ask(address, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(address + path, data, headers)) as answer:
        return json.load(answer)


def visit(address):
    headers["Authorization"] = "Bearer " + ask(address, "/users", {})["token"]
    ask(address, "/events", {"event_id": "1", "kind": "describe", "value": "adventure films"})
    first = ask(address, "/recommend")
    liked = {"event_id": "2", "kind": "like", "item_id": slate.item_ids[4]}
    told = [ask(address, "/events", liked)["position"] for _ in range(2)]  # as after a lost answer
    return first, told, ask(address, "/recommend")


# %%
if has_server:
    from llmrec_lab.serve import create_app, running

    with running(create_app(lab, log, secret=b"for this lesson, known to all who read it")) as address:
        first, told, second = visit(address)
    titles = [[item["title"] for item in page["items"]] for page in (first, second)]
    print(*titles[1][:5], sep="\n")
    claim("over HTTP, too, one event changes the next list", titles[0] != titles[1])
    claim("sent twice, it has one position in the log", told[0] == told[1])
    claim("it is the list that the notebook made in section 1", titles[1] == list(lab.recommend(after).titles))
log.close()

# %% [markdown]
# ## What we did
#
# - We closed the loop: one event changes the next slate, by hand, in the library, and over HTTP.
# - We kept events in a log that syncs before it acknowledges, killed its writer, and lost nothing; and we saw why a kill
#   says nothing about the sync.
# - We wrote six learners, and counted that their work does not grow with history.
# - We measured: under drift, learning from likes and dislikes beats a frozen profile; with steady tastes the plain mean
#   beats a short memory; on real histories updated states beat frozen ones.
# - We watched the loop: alarms, A/A and A/B tests with the views they take, and songs that were popular by luck.
#
# ## Exercises
#
# Replace what follows `=` or `return`, and run the cell. For a hint, remove the `#` in the last line; it works like this:

# %%
hint("07.1", level=1)

# %% [markdown]
# **07.1** Write the running mean as one line: the mean of `n + 1` vectors, from the mean of the first `n` and the next one.


# %% tags=["solution"]
# stub: def next_mean(mean, n, x):
# stub:     return None  # Write your code here.
def next_mean(mean, n, x):
    return mean + (x - mean) / (n + 1)


# end solution
check("07.1", next_mean)
# hint("07.1")

# %% [markdown]
# **07.2** *Find the bug.* A page sends again until it is answered, and this counts likes. `received` is a list of
# `(user_id, event_id, item_id)`, one for each arrival; an `event_id` is chosen by the user's page. Mend it.
#
# ```python
# def count_likes(received, item):
#     return sum(liked == item for user, event, liked in received)
# ```


# %% tags=["solution"]
# stub: def count_likes(received, item):
# stub:     return None  # Write your code here.
def count_likes(received, item):
    return len({(user, event) for user, event, liked in received if liked == item})


# end solution
check("07.2", count_likes)
# hint("07.2")

# %% [markdown]
# **07.3** *Find the bug.* A mean in which each vector counts half after `half_life` further ones. The longer the history,
# the smaller everything gets, and in the end nothing is liked. Mend it. `xs` has a row per vector, oldest first.
#
# ```python
# def fading_mean(xs, half_life):
#     fade, total, weight = 0.5 ** (1 / half_life), 0.0, 0.0
#     for x in xs:
#         total = fade * total + x
#         weight = weight + 1
#     return total / weight
# ```


# %% tags=["solution"]
# stub: def fading_mean(xs, half_life):
# stub:     return None  # Write your code here.
def fading_mean(xs, half_life):
    fade, total, weight = 0.5 ** (1 / half_life), 0.0, 0.0
    for x in xs:
        total = fade * total + x
        weight = fade * weight + 1
    return total / weight


# end solution
check("07.3", fading_mean)
# hint("07.3")

# %% [markdown]
# **07.4** *Find the bug.* A bandit keeps the inverse of $A$. When an event comes, $A$ grows by $x x^\top$, and this gets
# the new inverse right, with as much work as if nothing had been known. Write it with products of vectors only: with
# $s = A^{-1} x$, the new inverse is the old one minus $s s^\top / (1 + x \cdot s)$. The check counts steps.
#
# ```python
# def learned(inverse, x):
#     return np.linalg.inv(np.linalg.inv(inverse) + np.outer(x, x))
# ```


# %% tags=["solution"]
# stub: def learned(inverse, x):
# stub:     return None  # Write your code here.
def learned(inverse, x):
    shift = inverse @ x
    return inverse - np.outer(shift, shift) / (1 + x @ shift)


# end solution
check("07.4", learned)
# hint("07.4")

# %% [markdown]
# **07.5** *A bug from a real project.* A database that promises to lose nothing answered "stored" while its log was still
# on its way to the disk ([thread](https://github.com/etcd-io/etcd/issues/14370)). Here is the order of it, for a group of
# events. Mend it, with *one* sync for the whole group. `disk` has `write(event)`, `sync()` and `acknowledge(event)`;
# return `disk.done`.
#
# ```python
# def commit(disk, group):
#     for event in group:
#         disk.write(event)
#         disk.acknowledge(event)
#     disk.sync()
#     return disk.done
# ```


# %% tags=["solution"]
# stub: def commit(disk, group):
# stub:     return None  # Write your code here.
def commit(disk, group):
    for event in group:
        disk.write(event)
    disk.sync()
    for event in group:
        disk.acknowledge(event)
    return disk.done


# end solution
check("07.5", commit)
# hint("07.5")

# %% [markdown]
# **07.6** Of those who see list A, 5% click. How many people must see each list, to find a rise to 6% with a power of
# 80%, where 5% of the A/A tests may find a difference, in either direction? Use the formula $(z_1 + z_2)^2\,(p(1-p) +
# q(1-q))\,/\,(q-p)^2$ with $z_1 = 1.96$ for the 5% and $z_2 = 0.84$ for the power.

# %% tags=["solution"]
# stub: people_each = None  # Write your code here.
people_each = (1.96 + 0.84) ** 2 * (0.05 * 0.95 + 0.06 * 0.94) / (0.06 - 0.05) ** 2
# end solution
check("07.6", people_each)
# hint("07.6")

# %% [markdown]
# **07.7** A small design: the front page of a newspaper. Each item has a score for this reader and an age in hours. A score
# counts half for every `half_life` hours that the item is old. Return the ids of the `k` best, best first. All are arrays.


# %% tags=["solution"]
# stub: def front_page(item_ids, scores, hours, half_life, k):
# stub:     return None  # Write your code here.
def front_page(item_ids, scores, hours, half_life, k):
    fresh = scores * 0.5 ** (hours / half_life)
    return item_ids[np.argsort(-fresh)[:k]]


# end solution
check("07.7", front_page)
# hint("07.7")

# %% [markdown]
# ## Quiz
#
# Click an option to open it; each says why it is right or wrong.

# %%
quiz("07")

# %% [markdown]
# ## Further reading
#
# - Rocchio, *Relevance feedback in information retrieval*, in Salton (editor), *The SMART retrieval system*, 1971.
# - Li, Chu, Langford and Schapire, *A contextual-bandit approach to personalized news article recommendation*, WWW 2010,
#   [arXiv 1003.0146](https://arxiv.org/abs/1003.0146): LinUCB.
# - Agrawal and Goyal, *Thompson sampling for contextual bandits with linear payoffs*, ICML 2013,
#   [arXiv 1209.3352](https://arxiv.org/abs/1209.3352).
# - Kreps, *The Log: What every software engineer should know about real-time data's unifying abstraction*, 2013: on logs.
# - Kleppmann, *Designing Data-Intensive Applications*, O'Reilly 2017, chapter 11: streams.
# - [Write-Ahead Logging](https://sqlite.org/wal.html) in the documentation of SQLite: what is synced when.
# - Kohavi, Tang and Xu, *Trustworthy Online Controlled Experiments*, Cambridge 2020: A/B tests.
# - Bifet and Gavaldà, *Learning from time-changing data with adaptive windowing*, SDM 2007: ADWIN; the library is
#   [river](https://riverml.xyz).
#
# **Next:** this was the last stop of the main road. The deep dives start here; each opens one box of the picture.
