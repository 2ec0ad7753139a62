# %% [markdown]
# # Lesson 05 · Evaluation
#
# Two models, one data set: in one table the first model wins, in another the second wins by far. Neither table has a bug.
# This lesson builds both tables, says which one to trust, and shows how to find the bugs in those that do have one.
#
# ## Where we are
#
# ```
# text ──tokenize─▶ tokens ──encode─▶ vectors ──decompose─▶ interests
#                                                               │
#                                                            combine
#                                                               ▼
# events ◀─push── slate ◀─RANK── scores ◀─────score───────── query
#    │                                                          ▲
#    └──────────────feedback────────────▶ new state ────────────┘
# ```
#
# Scores are there (lesson 04), and *rank* puts the best first. How good is the slate that comes out? Nobody can say by
# looking. We hide something that a person did, let the model guess it, and count. That is **offline evaluation**.
#
# ## What you will be able to do
#
# - compute the usual metrics by hand, and say what each of them overlooks;
# - split data so that a model cannot look at the answers;
# - read a table of results: its protocol, its intervals, its ties;
# - say why sampled rankings can crown the wrong model;
# - find the bug in an evaluation from the numbers that it prints.
#
# **Time:** 60 minutes. **Hardware:** any laptop with two cores; no GPU, and no network once the files are there.
# **You need:** lessons 00 and 04; lesson 02 for intervals.
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
recap("05")

# %% [markdown]
# ## 1. One list, six numbers
#
# An item is **relevant** to a person if it is what the person wanted; here, if she met it next. Suppose a slate of five,
# and three relevant items in the whole catalog. Two of them are in the slate, at places 2 and 4. The places that hold a
# relevant item are its **hits**:

# %%
hit = np.array([0, 1, 0, 1, 0])
n_relevant = 3

# %% [markdown]
# How good is this list? Four ways to count, each a line. **Precision** is the share of the places that are hits, **recall**
# the share of the relevant items that were found. **F1** is high only if both are: their harmonic mean. The **reciprocal
# rank** is one over the place of the first hit; its mean over people is the **MRR**.

# %%
by_hand = {"precision": 2 / 5, "recall": 2 / 3}
by_hand["F1"] = 2 * by_hand["precision"] * by_hand["recall"] / (by_hand["precision"] + by_hand["recall"])
by_hand["MRR"] = 1 / 2

# %% [markdown]
# Precision and recall do not care *where* in the list the hits are. Two metrics do. **Average precision** takes the
# precision of the list up to each hit, and 0 for a relevant item that is missing; its mean over people is the **MAP**:

# %%
by_hand["MAP"] = (1 / 2 + 2 / 4 + 0) / 3

# %% [markdown]
# **NDCG** lets a hit at place $r$ count $1 / \log_2(1 + r)$: in full at the top, less further down. The sum is the DCG. It
# is divided by the *ideal* DCG, that of a list with all relevant items in front, so that 1 is the best there is:

# %%
dcg = 1 / np.log2(1 + 2) + 1 / np.log2(1 + 4)
ideal = 1 / np.log2(1 + 1) + 1 / np.log2(1 + 2) + 1 / np.log2(1 + 3)  # three relevant items in front
by_hand["NDCG"] = dcg / ideal
pd.Series(by_hand).round(3)

# %% [markdown]
# The library takes many lists at once, one per row. Does it agree?

# %%
from llmrec_lab.metrics import average_precision, f1, mrr, ndcg, precision, recall

LIBRARY = {"recall": recall, "F1": f1, "MRR": mrr, "MAP": average_precision, "NDCG": ndcg}
library = {name: metric(hit[None], n_relevant)[0] for name, metric in LIBRARY.items()}
library["precision"] = precision(hit[None])[0]
claim("all six equal the values by hand", all(np.isclose(by_hand[name], library[name]) for name in by_hand))

# %% [markdown]
# We wrote both, so both may share a mistake. A second opinion: scikit-learn, on 200 lists at random that rank 30 items.

# %%
from sklearn.metrics import average_precision_score, ndcg_score

rng = np.random.default_rng(5)
scores, relevant = rng.random((200, 30)), rng.random((200, 30)) < 0.2
relevant[:, 0] = True  # at least one each
n_each = relevant.sum(axis=1)  # (200)
ranked = np.argsort(-scores, axis=1)
hits_at = np.take_along_axis(relevant, ranked, axis=1)  # (200, 30)
theirs = [average_precision_score(r, s) for r, s in zip(relevant, scores)]
claim("average precision equals scikit-learn's", np.allclose(average_precision(hits_at, n_each), theirs))
ours = ndcg(hits_at[:, :10], n_each).mean()
claim("NDCG@10 equals scikit-learn's", np.isclose(ours, ndcg_score(relevant, scores, k=10)))

# %% [markdown]
# A third: the package *ranx*, which was written for this purpose. It is one of the packages that `make` installs; without
# it, this cell only says so.

# %% tags=["nbval-ignore-output"]
import importlib.util
import os

has_ranx = importlib.util.find_spec("ranx") is not None
if has_ranx:
    os.environ["NUMBA_DISABLE_JIT"] = "1"  # compiling takes longer than these few lists
    import ranx

    qrels = ranx.Qrels({f"u{u}": {f"i{i}": 1 for i in np.flatnonzero(row)} for u, row in enumerate(relevant)})
    run = ranx.Run({f"u{u}": {f"i{i}": float(s) for i, s in enumerate(row)} for u, row in enumerate(scores)})
    theirs = ranx.evaluate(qrels, run, [f"{name.lower()}@10" for name in by_hand])
print("ranx", "is here" if has_ranx else "is not installed: pip install ranx")

# %%
if has_ranx:
    top = hits_at[:, :10]
    ours = {name: metric(top, n_each).mean() for name, metric in LIBRARY.items()}
    ours["precision"] = precision(top).mean()
    same = [np.isclose(ours[name], theirs[f"{name.lower()}@10"]) for name in by_hand]
    claim("all six metrics equal those of ranx", all(same))

# %% [markdown]
# `@10` means: only the first ten places count. A metric without it, or a table without its protocol, cannot be compared
# with anything.
#
# > **Check the article: accuracy.** A recommender is to be judged by its accuracy, recall and F1.
#
# **Accuracy** is the share of right answers over all pairs of a person and an item. So let us load the ratings, and see how
# well it goes to say "not relevant" to everything. In most of this course a rating means: this person met this film. In a
# shop it may be a search, a click, a purchase or a comment.

# %%
from llmrec_lab import load_films

films = load_films()
catalog, ratings = films.catalog, films.interactions.frame
histories = films.interactions.histories(catalog)
density = len(ratings) / (len(histories) * len(catalog))
print(f"{len(histories)} people, {len(catalog)} films, {len(ratings)} ratings: {density:.1%} of all pairs")
claim("saying 'nothing is relevant' has an accuracy above 95%", 1 - density > 0.95)

# %% [markdown]
# And it recommends nothing. When nearly all pairs are empty, which is called **sparsity**, accuracy rewards silence. The
# metrics above look only at the list and at what is relevant.
#
# Before any number is trusted: is the data clean? A rating that is there twice could end up in both parts of a split, and
# an impossible one would spoil every mean.

# %%
claim("nobody rated a film twice", not ratings.duplicated(["user_id", "item_id"]).any())
claim("all ratings are from half a star to five", bool(ratings["rating"].between(0.5, 5).all()))

# %% [markdown]
# > **Check the article: another metric.** For ratings it also names the **MAE**, the mean absolute error of a predicted
# > rating.
#
# An error of predictions, not of lists. Does the best MAE give the best list? We hide the last rating of every person and
# predict it in two ways: everybody the same number, or for each film the mean of its other ratings.

# %%
from llmrec_lab.metrics import mae

is_last = ~ratings.duplicated("user_id", keep="last")
known, hidden = ratings[~is_last], ratings[is_last]
overall = known["rating"].mean()
of_film = known.groupby("item_id")["rating"].mean()
guess = hidden["item_id"].map(of_film).fillna(overall)
error = mae(np.array([[overall] * len(hidden), guess]), np.tile(hidden["rating"], (2, 1)))
print(f"MAE: the same for all {error[0]:.2f} stars, the film's mean {error[1]:.2f} stars")
claim("the film's mean predicts ratings better than one number for all", error[1] < error[0])

# %% [markdown]
# Keep the film's mean in mind: section 3 lets it make lists.
#
# ## 2. Two people and a hidden film
#
# What does it mean to hide something and let a model guess it? In our tiny world of five films:

# %%
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.datasets.tiny import tiny_world

world, log = tiny_world()
split = leave_last_out(log.histories(world))
for row, target in zip(split.rows, split.targets):
    print(
        split.train.user_ids[row],
        "| learned from:",
        *world.titles[split.train.of(row)],
        "| asked for:",
        world.titles[target],
    )

# %% [markdown]
# The last film of each person is the **target**; what came before is the **train** part, from which a model may learn. Bo
# has met one film, so nothing is left to learn from, and he is not asked. This split is called **leave-last-out**.
#
# A model has two calls: `fit(train)` learns, and `scores(histories)` gives a number to every item. The simplest one counts
# how many people met each film. By hand, for Ada:

# %%
from llmrec_lab.baselines import Popularity

counts = split.train.matrix().toarray().sum(axis=0)  # (5)
ada = split.rows[0]
unseen = np.setdiff1d(np.arange(len(world)), split.train.of(ada))
scores = Popularity().fit(split.train).scores(split.train)[ada]
print("unseen by Ada:", *(f"{world.titles[i]}: {counts[i]:.0f}" for i in unseen), sep="\n")
claim("the library's popularity ranks as our counts do", np.allclose(scores * len(split.train), counts))

# %% [markdown]
# Films that she has seen are left out of the ranking. The target ties with another film, so who comes first? Here ties go
# to the smaller item id. `target_rank` does all of this:

# %%
from llmrec_lab.metrics import target_rank
from llmrec_lab.ranking import id_order

ranks = target_rank(scores[None], split.targets[:1], split.seen()[:1], id_order(world.item_ids))
better = sum(
    scores[i] > scores[split.targets[0]]
    or (scores[i] == scores[split.targets[0]] and world.item_ids[i] < world.item_ids[split.targets[0]])
    for i in unseen
)
print("the target has rank", ranks[0], "of", len(unseen))
claim("by hand and by the library the rank is the same", ranks[0] == better + 1)

# %% [markdown]
# ## 3. Models in a row, from 1990 to now
#
# A short history. The first recommenders counted who met what: **collaborative filtering**. It looks for people or items
# with similar columns in the table of ratings (**neighbors**), or squeezes the table into a few numbers per person and item
# (**matrix factorization**). Others compare what items *say*: **content-based** recommendation. Around 2016 came neural
# networks over sequences, then language models, which read the text of an item that nobody has met yet. A **hybrid** puts
# several kinds into one score. New does not mean better; it has to be measured.
#
# Six models, with the last film of every person hidden:
#
# | model | what it does |
# |---|---|
# | mean rating | films with the best mean rating first |
# | Popularity | films that most people met first |
# | ItemKNN | films that the same people met as your films |
# | SVD | matrix factorization: 32 numbers per person and film |
# | EASE | a linear model that learns to rebuild each film of a history from the others |
# | Markov chain | what came right after your last three films in other people's histories |
#
# Four are in the library. The other two are a few lines, because all that a model needs is `fit` and `scores`:

# %%
from sklearn.decomposition import TruncatedSVD


class SVD:
    def fit(self, histories):
        self.factors = TruncatedSVD(32, random_state=0).fit(histories.matrix())
        return self

    def scores(self, histories):
        return self.factors.transform(histories.matrix()) @ self.factors.components_  # (m, n_items)


class MeanRating:
    def fit(self, histories):
        means = of_film.reindex(catalog.item_ids).fillna(overall)  # of section 1: targets left out
        self.means = means.to_numpy()
        return self

    def scores(self, histories):
        return np.tile(self.means, (len(histories), 1))


# %% [markdown]
# The models see a history, and we count: how many people find their hidden film in the first ten? With one target per
# person, recall is also called the **hit rate**, HR@10.

# %%
from llmrec_lab.baselines import EASE, ItemKNN, MarkovChain

order = id_order(catalog.item_ids)


def scored(model, split):
    asked = split.train.of_users(split.train.user_ids[split.rows])  # of q people
    return model.fit(split.train).scores(asked).astype(float)  # (q, n_items)


def hit_at_10(scores, split):
    return (target_rank(scores, split.targets, split.seen(), order) <= 10).astype(float)  # (q)


MODELS = {"mean rating": MeanRating(), "Popularity": Popularity(), "ItemKNN": ItemKNN(), "SVD": SVD()}
MODELS |= {"EASE": EASE(), "Markov chain": MarkovChain()}
last = leave_last_out(histories)
seen = last.seen()  # (q, n_items)
by_time = {name: scored(model, last) for name, model in MODELS.items()}
full = {name: hit_at_10(scores, last) for name, scores in by_time.items()}

# %% tags=["nbval-ignore-output"]
from llmrec_lab.metrics import bootstrap_interval, paired_interval


def shown(found):
    return {name: str(bootstrap_interval(values)) for name, values in found.items()}


pd.DataFrame({"HR@10": shown(full)})

# %% [markdown]
# In brackets is the 95% **interval**: so far would the mean move with other people of the same kind. It comes from the
# **bootstrap**, which draws the same number of people again and again with replacement. The mean rating, whose MAE was
# fine, makes useless lists: its favorites are films that few people saw, and rated high.

# %%
rare = of_film.nlargest(10).index
print("ratings of its ten favorites:", sorted(known["item_id"].value_counts()[rare].tolist()))
claim(
    "the mean rating loses to popularity beyond the interval",
    paired_interval(full["mean rating"], full["Popularity"]).high < 0,
)

# %% [markdown]
# A difference counts as *beyond the interval* in this course when the interval of the difference, person by person, leaves
# out 0. Popularity is the least that a model has to beat. Do these?

# %%
for name in ("SVD", "EASE", "Markov chain"):
    lead = paired_interval(full[name], full["Popularity"])
    claim(f"{name} beats popularity beyond the interval", lead.low > 0)
found = paired_interval(full["Markov chain"], full["EASE"])
claim("the Markov chain and EASE cannot be told apart", not found.excludes_zero)

# %% [markdown]
# The chain's mean is higher, but with so few people that may be luck. Write "no difference found", not "wins".
#
# ## 4. What may a model know?
#
# We hid the *last* film. Many tables hide a film at *random* instead, which is called a **random split**. Does it matter?

# %%
rng = np.random.default_rng(0)
lengths = np.diff(histories.starts)
chosen = histories.starts[:-1] + (rng.random(len(lengths)) * lengths).astype(int)
keep = np.ones(len(histories.items), dtype=bool)
keep[chosen] = False

# %%
from llmrec_lab.datasets.splits import Split

TWO = ("EASE", "Markov chain")
at_random = Split(histories.take(keep), np.arange(len(histories)), histories.items[chosen])
random_split = {name: hit_at_10(scored(MODELS[name], at_random), at_random) for name in TWO}

# %% tags=["nbval-ignore-output"]
last_split = {name: full[name] for name in TWO}
pd.DataFrame({"last film hidden": shown(last_split), "random film hidden": shown(random_split)})

# %%
gain = bootstrap_interval(random_split["EASE"]).low - bootstrap_interval(full["EASE"]).high
claim("with a random film hidden EASE looks far better than it is", gain > 0)
found = paired_interval(random_split["EASE"], random_split["Markov chain"])
claim("and now it beats the Markov chain beyond the interval", found.low > 0)

# %% [markdown]
# The model has seen what this person did *after* the hidden film, which no recommender ever has. Information that will not
# be there in use is called **leakage**. It does not lift all models alike, so it even changes who wins.
#
# Is leave-last-out free of it? Each person's own future is hidden, but people end at different times. What share of the
# train part happened after the target of the person who is asked?

# %%
asked_at = np.array([histories.timestamps[histories.starts[row + 1] - 1] for row in last.rows])
later = np.array([(last.train.timestamps > moment).mean() for moment in asked_at])
print(f"{later.mean():.0%} on average")
span = ratings.groupby("user_id")["timestamp"].agg(lambda times: times.max() - times.min())
print(f"{(span < 24 * 3600).mean():.0%} of the people rated everything within 24 hours")
claim("on average, more than a third of what is learned from happened later", later.mean() > 1 / 3)

# %% [markdown]
# So a model may know from others how popular a film will become. All models in a table share this advantage, which makes
# the comparison fair and each single number too high. The strict way is to train on everything before one date, for
# everybody. But as most people rated all their films within 24 hours, hardly anybody has a history on both sides of a date.
# Exercise 05.4 writes the strict rule.
#
# ### Ties in time
#
# "The last film": is it always clear which one that is?

# %%
tied = ratings.duplicated(["user_id", "timestamp"], keep=False)
at_end = ratings["timestamp"] == ratings.groupby("user_id")["timestamp"].transform("max")
open_end = ratings[at_end].groupby("user_id").size() > 1
print(f"{tied.mean():.0%} of the ratings share their second with another by the same person")
print(f"for {open_end.mean():.0%} of the people it is open which film was the last")

# %% [markdown]
# Somebody has to decide, and most programs do so without knowing: they keep the order of the file, which here is the order
# of film ids. Our library orders such ties by a hash of person and film, which means nothing. Other rules: ids as numbers,
# ids as text, and eight orders at random.

# %%
from llmrec_lab.catalog import Histories


def with_ties_by(key):
    events = np.lexsort((key, histories.timestamps, histories.rows()))  # by person, then time, then key
    items, times = histories.items[events], histories.timestamps[events]
    return Histories(histories.user_ids, items, times, histories.starts, len(catalog))


rng = np.random.default_rng(0)
items = histories.items
keys = {"ids as numbers": catalog.item_ids.astype(int)[items], "ids as text": order[items]}
keys |= {f"random {n}": rng.random(len(items)) for n in range(8)}

# %%
splits = {name: leave_last_out(with_ties_by(key)) for name, key in keys.items()}
by_rule = {name: hit_at_10(scored(MarkovChain(), split), split) for name, split in splits.items()}
print(f"{(splits['ids as text'].targets != last.targets).mean():.0%} of the targets change with ids as text")
digests = {split.digest() for split in splits.values()} | {last.digest()}
claim("each rule makes another split", len(digests) == 11)

# %% [markdown]
# And the hit rate of the Markov chain?

# %%
means = {name: values.mean() for name, values in by_rule.items()}
by_chance = [mean for name, mean in means.items() if name.startswith("random")]
print(f"by hash {full['Markov chain'].mean():.3f}, at random {min(by_chance):.3f} to {max(by_chance):.3f}")
print(*(f"{name} {means[name]:.3f}" for name in ("ids as numbers", "ids as text")), sep=", ")
as_text = means["ids as text"]
claim("with ids as text the chain looks better than in any random order", as_text > max(by_chance))
found = paired_interval(by_rule["ids as text"], full["Markov chain"])
claim("and better than with ties by hash, beyond the interval", found.low > 0)

# %% [markdown]
# Who looks for a pattern finds one: if two films of the same second always come in the same order, the second follows the
# first in many histories, and the chain learns a habit of the *file*. As numbers, the ids gain no more than the luckiest
# random order; as text they gain more. Ties by id have made published results too good
# ([thread](https://github.com/yueqirex/LRURec/issues/1)). Publish the split's checksum beside a table, as we do:

# %%
print("split", last.digest())

# %% [markdown]
# ### The test is taken once
#
# > **Check the article: a test in every round.** The program measures the model on the test part after every round of
# > training. A validation part is asked for elsewhere, and there is none.
#
# What is wrong with looking at the test often? An experiment: a thousand "models", each of which throws a coin for every
# person and shows her the slate of EASE or that of the Markov chain. In truth they are all equally good. We pick the best
# one on the test, and measure it again on another target, the film before the last:

# %%
before = leave_last_out(histories, back=1)
test_hits = np.array([full[name] for name in TWO])  # (2, q)
other_hits = np.array([hit_at_10(scored(MODELS[name], before), before) for name in TWO])

# %%
coins = np.random.default_rng(0).integers(2, size=(1000, len(histories)))  # a row per model
on_test = np.array([np.choose(coin[last.rows], test_hits).mean() for coin in coins])
on_other = np.array([np.choose(coin[before.rows], other_hits).mean() for coin in coins])
best = on_test.argmax()
lead, lead_elsewhere = on_test[best] - np.median(on_test), on_other[best] - np.median(on_other)
print(f"HR@10 of the best on the test {on_test[best]:.3f}, of a typical one {np.median(on_test):.3f}")
print(f"on targets that it was not chosen by {on_other[best]:.3f}, a typical one {np.median(on_other):.3f}")
claim("on other targets its lead is less than half as large", lead_elsewhere < lead / 2)

# %% [markdown]
# The winner was lucky on this very test. So data has three parts: **train** to learn, **validation** to choose among models,
# rounds and settings, and **test**, which is looked at once, at the end. `back=1` gives validation targets.
#
# ## 5. The table
#
# Now the whole system: popularity, the rivals, the parts of the recommender, and their **fusion**, the hybrid. The terminal
# command `llmrec evaluate` prints this table; here is the function behind it. It takes half a minute. (ALS and BPR are two
# more recipes for matrix factorization; their rows are there if the package *implicit* is.)

# %% tags=["nbval-ignore-output"]
from llmrec_lab import load_encoder
from llmrec_lab.evaluation import evaluate

result = evaluate(catalog, films.interactions, load_encoder("minilm"))

# %% tags=["nbval-ignore-output"]
result.table.round(3)

# %% [markdown]
# A table without its **protocol** is a rumor. What was done to what?

# %% tags=["nbval-ignore-output"]
print(*(f"{name}: {value}" for name, value in result.protocol.items()), sep="\n")

# %%
claim("the table stands on the split that we made by hand", result.protocol["split"] == last.digest())
ours = {name: full[name].mean() for name in ("Popularity", *TWO)}
same = [np.isclose(result.table.loc[name, "HR@10"], mean) for name, mean in ours.items()]
claim("its hit rates equal ours", all(same))

# %% [markdown]
# Is the hybrid better than the best of its parts, or lucky? For each row, the fusion minus that row:

# %% tags=["nbval-ignore-output"]
from llmrec_lab.metrics import Interval
from llmrec_lab.plots import interval_chart, intervals_in_words, picture

rows = result.differences[result.differences["metric"] == "HR@10"]
gaps = [Interval(row.mean, row.low, row.high) for row in rows.itertuples()]
ax = interval_chart(rows["rival"].tolist(), gaps, "fusion minus row, difference in HR@10 (share of people)")
picture(ax, intervals_in_words(rows["rival"].tolist(), gaps))

# %%
claim("the hybrid beats every part and every rival beyond the interval", min(gap.low for gap in gaps) > 0)

# %% [markdown]
# It does. In NDCG@10, where the place counts, it is a closer race. The lowest ends of all intervals:

# %% tags=["nbval-ignore-output"]
result.differences.groupby("metric")["low"].min().round(3)

# %% [markdown]
# And text alone, the heart of this course? Two ways to use it: as the library does, which looks at the latest films
# most, and the plainest way, the mean of all texts of the history:

# %%
from llmrec_lab import Recommender

vectors = Recommender(catalog, load_encoder("minilm")).vectors  # (n_items, 384)
profile = last.train.matrix()[last.rows] @ vectors  # (q, 384)
plain_text = hit_at_10(profile @ vectors.T, last)
text = result.per_user["part: similar text"]["HR@10"].to_numpy()

# %% tags=["nbval-ignore-output"]
rows = {"plain mean": plain_text, "library": text, "Popularity": full["Popularity"], "EASE": full["EASE"]}
differences = {name: str(paired_interval(text, values)) for name, values in rows.items() if name != "library"}
pd.DataFrame({"HR@10": shown(rows), "library minus row": differences}).fillna("")

# %%
against = {name: paired_interval(text, values) for name, values in rows.items()}
claim("text alone ties with popularity: no difference is found", not against["Popularity"].excludes_zero)
claim("the library's way beats the plain mean beyond the interval", against["plain mean"].low > 0)
claim("text alone loses to EASE beyond the interval", against["EASE"].high < 0)

# %% [markdown]
# So for people with a history, text alone is no better than popularity, which knows nothing about the person, and as far as
# these people can tell no worse. It loses to EASE, which learns from who met what. An LLM reads *meaning*, a traditional
# recommender compares *behavior*; where there is behavior, behavior wins. Where nobody has behaved yet, it says nothing.
# We hide a tenth of the films from everybody, as if they were new, and rank these among themselves:

# %% tags=["nbval-ignore-output"]
new_items = result.new_items
has_order = new_items["Recall@10"].notna()
print("all new items are equal to:", *new_items.index[~has_order], sep="\n  ")
new_items[has_order].round(3).fillna("")

# %%
without_order = set(new_items.index[~has_order])
behavior = set(new_items.index) - {"random order", "similar text", "fusion"}
claim("to every part that counts behavior all new items are equal", without_order == behavior)
claim("text finds new items beyond the interval of a random order", new_items.loc["similar text", "low"] > 0)
same = new_items.loc["fusion", "Recall@10"] == new_items.loc["similar text", "Recall@10"]
claim("so for new items the fusion finds what text finds", bool(same))

# %% [markdown]
# That is what text is for; lesson 10 makes more of it.
#
# ## 6. Ranked among a hundred
#
# To rank a target among all films takes time, so many papers rank it among itself and 100 unseen items drawn at random:
# **sampled ranking**, against **full ranking** above. On our tiny world with one item drawn:

# %%
from llmrec_lab.metrics import sampled_rank

tiny = leave_last_out(log.histories(world))
tiny_scores = Popularity().fit(tiny.train).scores(tiny.train)[tiny.rows]
arguments = tiny_scores, tiny.targets, tiny.seen(), id_order(world.item_ids)
in_full, in_sample = target_rank(*arguments), sampled_rank(*arguments, 1, np.random.default_rng(0))
print("full ranks", in_full, "| sampled ranks", in_sample)
claim("no sampled rank is larger than the full one", (in_sample <= in_full).all())

# %% [markdown]
# A sampled rank is never larger than the full one: fewer items can be ahead. That only makes hit rates larger, one might
# think, and leaves the order of models alone. Does it?


# %%
def sampled_hit_at_10(scores, n_negatives=100, seed=0):
    ranks = sampled_rank(scores, last.targets, seen, order, n_negatives, np.random.default_rng(seed))
    return (ranks <= 10).astype(float)


sampled = {name: sampled_hit_at_10(scores) for name, scores in by_time.items()}

# %% tags=["nbval-ignore-output"]
pd.DataFrame({"full HR@10": shown(full), "sampled HR@10": shown(sampled)})

# %%
found = paired_interval(sampled["EASE"], sampled["Markov chain"])
claim("sampled, EASE beats the Markov chain by more than 0.1 beyond the interval", found.low > 0.1)
claim("in full ranking the chain's mean is the higher one", full["Markov chain"].mean() > full["EASE"].mean())
swap = paired_interval(sampled["ItemKNN"], sampled["Markov chain"]).low > 0
swap &= paired_interval(full["ItemKNN"], full["Markov chain"]).high < 0
claim("ItemKNN and the chain even change places, both times beyond the interval", bool(swap))

# %% [markdown]
# The same scores, the same people, another winner. Why? The first ten of 101 random items are about the first tenth of the
# whole catalog. So a sampled HR@10 is a full hit rate at some hundreds:

# %%
unseen = len(catalog) - seen.sum(axis=1).mean()
k = round(unseen * 10 / 101)
print(f"k = {k}")
for name in TWO:
    long_list = (target_rank(by_time[name], last.targets, seen, order) <= k).mean()
    print(f"{name}: full HR@{k} {long_list:.2f}, sampled HR@10 {sampled[name].mean():.2f}")
    claim("the two differ by less than 0.05", abs(long_list - sampled[name].mean()) < 0.05)

# %% [markdown]
# Nobody reads a slate of several hundred films. The chain is good at the top and knows nothing further down, and a sample
# looks further down. How much nothing? Most films never followed your last three, and get a score of exactly 0:

# %%
chain = by_time["Markov chain"]
own = chain[np.arange(len(chain)), last.targets]
nothing = ((chain == 0) & ~seen).sum(axis=1).mean()
print(f"{(own == 0).mean():.0%} of the targets have score 0, and so do {nothing:.0f} films on average")

# %% [markdown]
# ### Ties in scores
#
# Equal scores need a rule, too. Ours is by item id. The two extremes: the target comes first among its equals, or last.

# %%
ahead, equal = chain > own[:, None], chain == own[:, None]
best_case = ((ahead & ~seen).sum(axis=1) + 1 <= 10).mean()
worst_case = (((ahead | equal) & ~seen).sum(axis=1) <= 10).mean()
by_id = full["Markov chain"].mean()
print(f"Markov chain, full HR@10: {worst_case:.3f} last, {by_id:.3f} by id, {best_case:.3f} first")
claim("a rule by id lies between the extremes", worst_case <= by_id <= best_case)

# %% [markdown]
# In a full ranking it hardly matters. In a sampled one, programs often put the target first and 100 others behind it, and
# sort by score in a way that keeps equal ones in place. What does a model get there that gives every film the same score?

# %%
same_for_all = np.zeros((len(last.rows), 101))  # the target in column 0
place = np.argsort(-same_for_all, axis=1, kind="stable").argmin(axis=1) + 1
by_place, by_id = (place <= 10).mean(), sampled_hit_at_10(np.zeros_like(chain)).mean()
print(f"knowing nothing: HR@10 {by_place:.2f} by place, {by_id:.2f} by id; by chance {10 / 101:.2f}")
claim("with ties by place a model that knows nothing is perfect", by_place == 1)
claim("with ties by id it is near chance", abs(by_id - 10 / 101) < 0.05)

# %% [markdown]
# This has happened ([thread](https://github.com/mlcommons/training_policies/issues/131)). If a result is too good, test the
# test: give it a model that knows nothing.
#
# ## 7. What hit rates do not see
#
# Look at the table again, at the columns to the right. **Coverage** is the share of the catalog that is on at least one
# slate. **Diversity** is one minus the mean cosine of two films on a slate. **Novelty** is the mean surprise: minus log2 of
# the share of people who met a film. **Popularity share** is that share itself, averaged. By hand, on two slates of the
# tiny world:

# %%
from llmrec_lab.metrics import coverage, novelty

slates = np.array([[0, 1], [0, 2]])  # two people, two films each
met_by = np.array([3, 2, 1, 1, 1])  # of 3 people
claim("coverage: 3 of 5 films", coverage(slates, n_items=5) == 3 / 5)
by_hand = (-np.log2(3 / 3) - np.log2(2 / 3)) / 2
claim("novelty of the first slate: its mean surprise", np.isclose(novelty(slates, met_by, 3)[0], by_hand))

# %% [markdown]
# What do they say about our models?

# %% tags=["nbval-ignore-output"]
result.table.loc[["Popularity", "EASE", "Markov chain", "fusion"], "coverage":].round(2)

# %%
table = result.table
claim(
    "EASE shows less than half of the films that the chain shows",
    2 * table.coverage["EASE"] < table.coverage["Markov chain"],
)
least_popular = table["popularity share"].idxmin()
claim("every model shows more popular films than text does", least_popular == "part: similar text")

# %% [markdown]
# That a recommender shows the popular even more is called **popularity bias**. Whom does it serve? We sort the people by how
# many met their target, into three groups of about the same size:

# %%
met = np.bincount(last.train.items, minlength=len(catalog))[last.targets]
group = np.digitize(met, np.quantile(met, [1 / 3, 2 / 3]))
found = {name: values["HR@10"].to_numpy() for name, values in result.per_user.items()}
shares = pd.DataFrame(
    {name: [found[name][group == g].mean() for g in range(3)] for name in ("Popularity", "EASE", "fusion")}
)

# %% tags=["nbval-ignore-output"]
shares.set_axis(["rare", "middle", "popular"]).rename_axis("target is").round(3)

# %%
rare, popular = shares.loc[0], shares.loc[2]
claim("popularity and EASE never find a rare target", rare["Popularity"] == rare["EASE"] == 0)
claim("the hybrid finds some, and still serves the popular best", 0 < rare["fusion"] < popular["fusion"])

# %% [markdown]
# > **Check the article: fairness.** Fairness is to be measured by "mean accuracy" and coverage.
#
# A mean hides groups. Ninety people are served with 0.99, and ten with 0.10:

# %%
served = np.array([0.99] * 90 + [0.10] * 10)
print(f"mean {served.mean():.3f}, gap between the groups {served.max() - served.min():.2f}")
claim("the mean is above 0.9, whatever happens to the ten", served.mean() > 0.9)

# %% [markdown]
# And coverage counts films, not people. To see unfairness, measure each group and report the gap, as the table above does;
# lesson 16 goes on from here.
#
# ### Is it taste, or the page?
#
# One part is surprisingly strong: *chosen around the same time*, an EASE that counts films near each other in a history.
# Before we believe in it: how do these people rate? How many seconds pass between the last two ratings?

# %%
ends = histories.starts[1:][last.rows]
seconds = histories.timestamps[ends - 1] - histories.timestamps[ends - 2]
print(f"median {np.median(seconds):.0f} s; less than a minute for {(seconds < 60).mean():.0%} of the people")

# %% [markdown]
# Nobody watches a film in that time. MovieLens shows pages of films, and people click through them, rating what they know
# from years before. Neighbors in time are often neighbors on a page. So is the part still strong when time has passed?

# %%
near, whole = found["part: chosen around the same time"], found["EASE"]
within, after = seconds < 60, seconds >= 3600
print(within.sum(), "people within a minute,", after.sum(), "after an hour or more")

# %% tags=["nbval-ignore-output"]
print("within a minute", paired_interval(near[within], whole[within]))
print("after an hour  ", paired_interval(near[after], whole[after]))

# %%
soon, later = paired_interval(near[within], whole[within]), paired_interval(near[after], whole[after])
claim("within a minute it beats EASE beyond the interval", soon.low > 0)
claim("after an hour no difference is found", not later.excludes_zero)

# %% [markdown]
# Few people came back after an hour, so the second interval is wide: it does not prove that the advantage is gone. Is the
# lead within a minute larger than that of all who took longer, or is it luck? We draw both groups again and again:

# %%
rng = np.random.default_rng(0)
part, low_end = "part: chosen around the same time", {}


def drawn_means(values):
    return rng.choice(values, size=(2000, len(values))).mean(axis=1)  # (2000)


# %% tags=["nbval-ignore-output"]
for metric in ("HR@10", "NDCG@10"):
    lead = (result.per_user[part][metric] - result.per_user["EASE"][metric]).to_numpy()
    low, high = np.quantile(drawn_means(lead[within]) - drawn_means(lead[~within]), [0.025, 0.975])
    print(f"{metric} {lead[within].mean() - lead[~within].mean():.3f} [{low:.3f}, {high:.3f}]")
    low_end[metric] = low

# %%
claim("in NDCG@10 the lead is larger within a minute, beyond the interval", low_end["NDCG@10"] > 0)

# %% [markdown]
# In HR@10 these people are too few to show it; NDCG@10, which sees places, does. So a part of the advantage is most likely
# knowledge about a web page. A number on MovieLens says how well you guess the next *rating*; whether the same holds for
# what people watch in your shop, only data of your shop can say.
#
# ## 8. Find the planted bug
#
# Four programs evaluate the same EASE on the same people: the last five films of each are hidden, and NDCG@10 is computed.
# Something is wrong in each. First, the right one:

# %%
from llmrec_lab.metrics import hits
from llmrec_lab.ranking import top_k_rows

lab = leave_last_out(histories, back=4)
relevant = np.array([histories.of(row)[-5:] for row in lab.rows])  # (q, 5)
asked = lab.train.of_users(lab.train.user_ids[lab.rows])
ease = EASE().fit(lab.train).scores(asked).astype(float)


def right():
    scores = np.where(lab.seen(), -np.inf, ease)
    return ndcg(hits(top_k_rows(scores, 10, order), relevant), 5).mean()


# %% [markdown]
# Read each program, guess in which direction it is wrong, and only then run the next cell.


# %%
def program_a():
    hit = hits(top_k_rows(ease, 10, order), relevant)
    return ndcg(hit, 5).mean()


def program_b():
    scores = np.where(lab.seen(), -np.inf, ease)
    hit = hits(top_k_rows(scores, 10, order), relevant)
    return np.nan_to_num(ndcg(hit, hit.sum(axis=1))).mean()


def program_c():
    scores = EASE().fit(histories).scores(asked).astype(float)
    scores = np.where(lab.seen(), -np.inf, scores)
    return ndcg(hits(top_k_rows(scores, 10, order), relevant), 5).mean()


def program_d():
    scores = np.where(lab.seen(), -np.inf, ease).round(1)
    total = 0
    for row, items in zip(scores, relevant):
        candidates = np.concatenate([items, np.setdiff1d(np.arange(len(row)), items)])
        ranked = candidates[np.argsort(-row[candidates], kind="stable")[:10]]
        total += ndcg(hits(ranked[None], items[None]), 5)[0]
    return total / len(scores)


# %%
truth = right()
measured = {name: program() for name, program in zip("ABCD", (program_a, program_b, program_c, program_d))}
print("right", round(truth, 2), "|", *(f"{name} {value:.2f}" for name, value in measured.items()))

# %%
worse = [name for name, value in measured.items() if value < truth]
better = [name for name, value in measured.items() if value > 1.2 * truth]
claim("one program makes the model look worse", len(worse) == 1)
claim("three make it look better, by a fifth or more", len(better) == 3)

# %% [markdown]
# Only one of the four would be noticed by somebody who hopes for good news. Such bugs are real. Threads about
# [seen items](https://github.com/PreferredAI/cornac/pull/523), the [ideal](https://github.com/THUDM/ComiRec/issues/25),
# [test items in train](https://github.com/RUCAIBox/RecBole/issues/620) and
# [ties](https://github.com/mlcommons/training_policies/issues/131) are worth reading, after exercise 05.5: which bug is
# where?
#
# ## 9. Your turn: move the relevant items
#
# Three relevant items, each with a slider for its place; the list has ten places. Which metrics change when you swap two
# hits? Which when a hit moves from place 10 to 11? Reach the sliders with Tab, and move them with the arrow keys.

# %% tags=["nbval-ignore-output"]
from llmrec_lab.widgets import metric_playground, playground_table

metric_playground([1, 4, 12])

# %% [markdown]
# The sliders need a running notebook. Their still twin, one row per placement:

# %%
playground_table([[1, 2, 3], [1, 4, 12], [4, 9, 12], [8, 9, 10], [11, 12, 13]])

# %% [markdown]
# The second and the third list have the same recall, and the fourth has the best recall with a low NDCG. One number never
# says everything; choose the one that matches what people do with your list.
#
# ## 10. A picture without a way back
#
# > **Check the article: the flow chart.** A feedback system is drawn: a path with the language model and one with
# > collaborative filtering, each from the data to the user's satisfaction. Another chart draws deep learning as what
# > follows from a language model.
#
# In a few words, the first chart has these arrows. Can one go around in it?

# %%
from graphlib import CycleError, TopologicalSorter

drawn = {"language model": ["data"], "list 1": ["language model"], "satisfaction 1": ["list 1"]}
drawn |= {"filtering": ["data"], "list 2": ["filtering"], "satisfaction 2": ["list 2"]}


def goes_around(arrows):
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError:
        return True
    return False


# %% [markdown]
# And our way, with the two paths joined in a fusion, and an arrow back:

# %%
ours = {"text part": ["data"], "behavior parts": ["data"], "fusion": ["text part", "behavior parts"]}
ours |= {"slate": ["fusion"], "click": ["slate"], "data": ["click"]}
claim("as drawn, nothing comes back: no feedback", not goes_around(drawn))
claim("in ours, the click changes the data", goes_around(ours))

# %% [markdown]
# ```
#         ┌──▶ text part ───────┐
# data ───┤                     ├──▶ fusion ──▶ slate ──▶ click ──┐
#   ▲     └──▶ behavior parts ──┘                                 │
#   └─────────────────────────────────────────────────────────────┘
# ```
#
# A language model *is* a deep network, so deep learning is no later step. And the loop has a price for evaluation: what
# people click depends on what they were shown, so tomorrow's data is partly made by today's model. Lesson 12 takes this up.
#
# > **Check the article: a package.** "tfx-recommenders" is recommended. The package that exists is
# > [tensorflow-recommenders](https://www.tensorflow.org/recommenders); it needs TensorFlow, which this course does not use.
#
# ## What we did
#
# - We computed six metrics by hand, and the library and two other programs agreed.
# - We split data by time, and saw what a random split, an order by id, and a test taken often do to the numbers.
# - We read a table with its protocol and intervals: the hybrid beats every part, text alone does not beat popularity for
#   people with a history, and it is the only part that knows new items.
# - We saw sampled ranking crown another model, and why.
# - We found that three of four bugs make a model look better.
#
# ## Exercises
#
# Replace what follows `=` or `return`, and run the cell. For a hint, remove the `#` in the last line; it works like this:

# %%
hint("05.1", level=1)

# %% [markdown]
# **05.1** A slate of five has hits at places 1 and 3; four items are relevant in all. What is its NDCG@5?

# %% tags=["solution"]
# stub: answer = None  # Write your code here.
answer = (1 + 1 / np.log2(4)) / (1 / np.log2([2, 3, 4, 5])).sum()
# end solution
check("05.1", answer)
# hint("05.1")

# %% [markdown]
# **05.2** *A bug from a real project.* Several published models report an NDCG that is computed like this
# ([thread](https://github.com/THUDM/ComiRec/issues/25)). A list with one hit at the top gets 1.0, however many relevant
# items are missing. Mend it. `hit` is a list of 0 and 1, one per place; `n_relevant` is how many relevant items there
# are, at least one.
#
# ```python
# def ndcg_of(hit, n_relevant):
#     discount = 1 / np.log2(np.arange(2, len(hit) + 2))
#     ideal = discount[: sum(hit)].sum()
#     return float(hit @ discount / ideal) if ideal else 0.0
# ```


# %% tags=["solution"]
# stub: def ndcg_of(hit, n_relevant):
# stub:     return None  # Write your code here.
def ndcg_of(hit, n_relevant):
    discount = 1 / np.log2(np.arange(2, len(hit) + 2))
    return float(hit @ discount / discount[:n_relevant].sum())


# end solution
check("05.2", ndcg_of)
# hint("05.2")

# %% [markdown]
# **05.3** Ties by id are clear, but an id can be lucky. The fair rank of a target among equals is the middle of their
# places: with two items ahead and the target level with one other, the places are 3 and 4, and the fair rank is 3.5. Write
# it. `scores` is an array with a score per item, `target` the position of the target.


# %% tags=["solution"]
# stub: def fair_rank(scores, target):
# stub:     return None  # Write your code here.
def fair_rank(scores, target):
    ahead = (scores > scores[target]).sum()
    equal = (scores == scores[target]).sum() - 1  # the target itself is no rival
    return 1 + ahead + equal / 2


# end solution
check("05.3", fair_rank)
# hint("05.3")

# %% [markdown]
# **05.4** The strict rule. A model is asked what `user` meets at `time`. From which events may it learn? `users` and `times`
# are arrays with one entry per event; return an array of booleans. In production, only what has happened *before* that
# moment is there: of this person and of all others.


# %% tags=["solution"]
# stub: def may_learn(users, times, user, time):
# stub:     return None  # Write your code here.
def may_learn(users, times, user, time):
    return times < time


# end solution
check("05.4", may_learn)
# hint("05.4")

# %% [markdown]
# **05.5** Which bug is in which program of section 8? In the order A, B, C, D, give four of these words: `"ideal"` (a wrong
# ideal DCG), `"ties"` (ties by place), `"seen"` (seen items are left in), `"leak"` (test items in train).

# %% tags=["solution"]
# stub: bugs = None  # Write a list of four words.
bugs = ["seen", "ideal", "leak", "ties"]
# end solution
check("05.5", bugs)
# hint("05.5")

# %% [markdown]
# **05.6** *A small design.* Two models were measured on the same people: `a` and `b` have one number per person. Who wins?
# Write `winner(a, b)`, which returns `"a"`, `"b"` or `"neither"`; somebody wins only beyond the interval. The library's
# functions are yours to use.


# %% tags=["solution"]
# stub: def winner(a, b):
# stub:     return None  # Write your code here.
def winner(a, b):
    found = paired_interval(a, b)
    return "a" if found.low > 0 else "b" if found.high < 0 else "neither"


# end solution
check("05.6", winner)
# hint("05.6")

# %% [markdown]
# ## Quiz
#
# Click an option to open it; each says why it is right or wrong.

# %%
quiz("05")

# %% [markdown]
# ## Further reading
#
# - Krichene and Rendle, *On Sampled Metrics for Item Recommendation*, KDD 2020,
#   [doi 10.1145/3394486.3403226](https://doi.org/10.1145/3394486.3403226): why a sample can crown another model.
# - Järvelin and Kekäläinen, *Cumulated gain-based evaluation of IR techniques*, 2002,
#   [doi 10.1145/582415.582418](https://doi.org/10.1145/582415.582418): where NDCG comes from.
# - Steck, *Embarrassingly Shallow Autoencoders for Sparse Data*, 2019,
#   [arXiv 1905.03375](https://arxiv.org/abs/1905.03375): EASE, a strong rival in a page of algebra.
# - Ferrari Dacrema, Cremonesi and Jannach, *Are We Really Making Much Progress?*, 2019,
#   [arXiv 1907.06902](https://arxiv.org/abs/1907.06902): what happened to neural recommenders when the baselines were tuned.
# - Koren, Bell and Volinsky, *Matrix Factorization Techniques for Recommender Systems*, 2009,
#   [doi 10.1109/MC.2009.263](https://doi.org/10.1109/MC.2009.263).
# - Bassani, *ranx*, 2022: the package of section 1, [on GitHub](https://github.com/AmenRa/ranx).
#
# **Next:** lesson 06 trains BERT itself on what people met, and measures whether it was worth it.
