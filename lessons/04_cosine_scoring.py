# %% [markdown]
# # Lesson 04 · Cosine scoring
#
# A person has become a vector, and so has every film. This lesson compares them: it computes a score, takes it apart until
# every token has its share, turns thousands of scores into ten films, fast, and keeps the ten from being all the same.
#
# ## Where we are
#
# ```
# text ──tokenize─▶ tokens ──encode─▶ vectors ──decompose─▶ interests
#                                                               │
#                                                            combine
#                                                               ▼
# events ◀─push── slate ◀─RANK── scores ◀─────SCORE───────── query
#    │                                                          ▲
#    └──────────────feedback────────────▶ new state ────────────┘
# ```
#
# Lesson 03 took a sentence apart into interests and combined them into a query. This lesson is about the next two verbs:
# *score*, how well does each film fit, and *rank*, which come first.
#
# ## What you will be able to do
#
# - choose between dot product, cosine and distance, and say what must not go into a vector;
# - compute the cosine of two people from their interests, also when the interests overlap;
# - take a score apart, per interest and per token, so that the parts sum to the score;
# - rank without accidents: exact top-k, ties by item id, one matrix product, and approximate search with its recall;
# - make a slate more diverse, and state what that costs.
#
# **Time:** 50 minutes. **Hardware:** any laptop with two cores; no GPU, and no network once the files are there.
# **You need:** lessons 00 to 03, and numpy arrays.
#
# ## Set up

# %%
import sys

if "google.colab" in sys.modules:
    sys.exit("Colab cannot install llmrec_lab: it has no published address. Use a copy of the repository.")
import numpy as np
import pandas as pd
import torch

from llmrec_lab.exercises import check, claim, hint, quiz, recap

torch.set_num_threads(1)  # with two threads sums are added in another order, and the last digits differ

# %% [markdown]
# First, do you remember? Three questions on the lessons before.

# %%
recap("04")

# %% [markdown]
# ## 1. Dot product, cosine, distance
#
# Five films, described by two numbers: how much tension they have, and how much warmth. Ada wants both in equal parts.

# %%
from llmrec_lab.datasets.tiny import tiny_world

world, _ = tiny_world()
films = np.array([[5, 0], [3, 1], [1, 2], [2, 2], [0, 3]])  # (5, 2): tension, warmth
ada = np.array([1, 1])
pd.DataFrame(films, index=world.titles, columns=["tension", "warmth"])

# %% [markdown]
# How well does each film fit? The **dot product** multiplies number by number and adds up. The **cosine** divides it by the
# lengths of both vectors: what remains is the angle alone, 1 for the same direction and 0 for a right angle.

# %%
dots = films @ ada
cosines = dots / (np.linalg.norm(films, axis=1) * np.linalg.norm(ada))
pd.DataFrame({"dot product": dots, "cosine": cosines.round(3)}, index=world.titles)

# %% [markdown]
# The two disagree. *Alien* has no warmth at all, and so much tension that its dot product is the largest. *Spirited Away*
# has both in equal parts, which is what Ada asked for.

# %%
from llmrec_lab.scoring import cosine

claim("the dot product puts Alien first", world.titles[dots.argmax()] == "Alien")
claim("the cosine puts Spirited Away first", world.titles[cosines.argmax()] == "Spirited Away")
claim("by hand and by the library the cosines are the same", np.allclose(cosines, cosine(films, ada)))

# %% [markdown]
# Which one is right? It depends on what length means. In a model trained on clicks, length may say how popular an item is,
# and the dot product keeps that. The length of a text's vector says nothing that we want, so for texts we use the cosine.
#
# Now the real thing: a few thousand films, encoded by MiniLM as in lesson 00.

# %% tags=["nbval-ignore-output"]
from llmrec_lab import Recommender, load_encoder, load_films
from llmrec_lab.interests import unit_rows

movielens = load_films()
catalog, encoder = movielens.catalog, load_encoder("minilm")
lab = Recommender(catalog, encoder, progress=True)
vectors = lab.vectors.astype(np.float64)  # (n, 384)

# %% [markdown]
# These rows have length 1 already. What is left of the difference between dot product, cosine and the distance between the
# two points?

# %%
query = vectors[0]
distances = np.linalg.norm(vectors - query, axis=1)
products = vectors @ query
claim("for rows of length 1 the dot product is the cosine", np.allclose(products, cosine(vectors, query)))
claim("and the squared distance is 2 - 2 cosine", np.allclose(distances**2, 2 - 2 * products, atol=1e-6))

# %% [markdown]
# Nothing: all three give the same order. So one divides by the length *once*, when the vectors are made. Forgetting it, or
# doing it for one side only, is a common bug; exercise 04.3 has a real one.
#
# ## 2. What may go into a vector
#
# A **user profile** is what the system knows about a person, as a vector: interests, ratings, comments. An **item profile**
# is the same for an item: title, description, tags, price. What may stand in such a vector?
#
# > **Check the article: two vectors.** A user vector (user id, rating, comment, ...) is compared by cosine with an item
# > vector (item id, price, rating, ...). Its example, (1, 2, 3, 4, 5) and (6, 7, 8, 9, 10), gives 0.99, it says.

# %%
user, item = np.arange(1, 6), np.arange(6, 11)
renamed = np.array([100001, 2, 3, 4, 5])  # the same user, who joined later
print(f"user 1: {cosine(user, item):.5f}    user 100001: {cosine(renamed, item):.3f}")
claim("the cosine is 0.96495, not 0.99", abs(cosine(user, item) - 0.96495) < 5e-6)
claim("another id, and the cosine falls to 0.330", round(float(cosine(renamed, item)), 3) == 0.330)

# %% [markdown]
# You know this from lesson 00: an id is a name, not an amount. There is a second mistake. The first number of one vector is
# multiplied with the first of the other, so they must mean the same thing. Here a rating meets a price, and the order of
# the columns is anybody's choice. What if the item's columns came in another order?

# %%
as_is, turned = cosine(user, item), cosine(user, item[::-1])
print(f"columns as they are {as_is:.3f}, the other way round {turned:.3f}")
claim("another order of columns, and the score falls by more than 0.1", as_is - turned > 0.1)

# %% [markdown]
# Both vectors have to live in *one* space, where each place means the same on both sides. That is what an encoder gives us.
# And if an id should count? Then every id gets a row of its own in a table, an embedding (lesson 02), whose numbers are
# learned. Ids are equal or not, and nothing in between; one-hot vectors say just that:

# %%
one_hot = np.eye(4)
different, equal = cosine(one_hot[1], one_hot[3]), cosine(one_hot[1], one_hot[1])
claim("different ids have cosine 0, equal ones 1", different == 0 and equal == 1)

# %% [markdown]
# > **Check the article: scales.** Features, the numbers of such a vector, should be normalized "to prevent
# > over-fitting".
#
# **Normalization** brings features to one scale, for instance mean 0 and standard deviation 1. It matters, for another
# reason. Four phones have a price and a rating; which of the first three is most like the last one?

# %%
phones = np.array([[199.0, 1.2], [205.0, 4.9], [620.0, 4.8], [210.0, 4.7]])  # price, stars of five
views = {"as they are": phones, "price in hundreds": phones / [100, 1]}
views["normalized"] = (phones - phones.mean(axis=0)) / phones.std(axis=0)
columns = {name: cosine(view[:3], view[3]) for name, view in views.items()}
table = pd.DataFrame(columns, index=["cheap, bad", "cheap, good", "dear, good"])
table.round(4)

# %%
moved = (table["as they are"] - table["price in hundreds"]).max()
claim("as they are, the three cosines differ by less than 0.001", np.ptp(table["as they are"]) < 0.001)
claim("another unit for the price alone moves a cosine by more than 0.1", moved > 0.1)
above_0 = table.index[table["normalized"] > 0]
claim("normalized, only the cheap and good one is above 0", above_0.tolist() == ["cheap, good"])

# %% [markdown]
# As they are, everything is like everything: the price is a hundred times larger and decides alone. Written in hundreds, it
# leaves the stars a say. Normalized, the cheap and good phone wins, and the others lie on the other side. So scales decide
# about cosines.
#
# And **over-fitting**, learning the noise of the training data? Let us fit pure noise by least squares, the best straight
# line in many dimensions: 30 rows to train on, 30 to test. Once with features on very different scales, once normalized.
# (Mean and deviation come from the training rows only: test rows must not help to prepare themselves.)

# %%
from sklearn.linear_model import LinearRegression

rng = np.random.default_rng(4)
features, noise = rng.normal(size=(60, 10)) * np.geomspace(0.01, 100, 10), rng.normal(size=60)
normalized = (features - features[:30].mean(axis=0)) / features[:30].std(axis=0)
plain, scaled = (LinearRegression().fit(x[:30], noise[:30]).predict(x[30:]) for x in (features, normalized))
claim("least squares predicts the same, normalized or not", np.allclose(plain, scaled))

# %% [markdown]
# The same predictions, so the same over-fitting. Normalizing helps the digits, the speed of training, and every method that
# compares lengths; against over-fitting there are other means (lesson 06).
#
# ## 3. What is a high cosine?
#
# > **Check the article: a ranking.** After computing the one cosine above, the item "most similar in the vector *i*" is
# > recommended.
#
# The vector *i* is one item. One item has one score, and with one score there is nothing to sort. And is 0.96 much? What do
# vectors get that know nothing of each other: five random numbers, all positive, as in the example?

# %%
random = rng.random((2, 20_000, 5))
by_chance = cosine(*random)
mean, above = by_chance.mean(), np.mean(by_chance > cosine(user, item))
print(f"mean {mean:.3f}; {above:.1%} of the pairs are above 0.965")
claim("random positive vectors of five numbers have a mean cosine of about 0.77", abs(mean - 0.771) < 0.01)

# %% [markdown]
# All positive vectors point into the same corner. A score says something only beside other scores. One way to make it
# comparable: subtract the mean. If each vector's own mean is subtracted first, the cosine becomes the **Pearson
# correlation**. For the article's pair:

# %%
pearson = cosine(user - user.mean(), item - item.mean())
print(f"{pearson:.3f}")
claim(
    "it is the Pearson correlation, and here it is 1",
    np.isclose(pearson, np.corrcoef(user, item)[0, 1]) and np.isclose(pearson, 1),
)

# %% [markdown]
# Exactly 1, since both count upward. Still one number of one pair. What we need is *many items*, and what they all share
# taken off. That is **centering**: subtract the mean *item* from every item. How similar are two films to each other on
# average, as MiniLM gives them, and centered?

# %%
from llmrec_lab.whitening import anisotropy

raw = encoder.encode_cached(list(catalog.texts)).astype(np.float64)
mean_film = raw.mean(axis=0)
centered = unit_rows(raw - mean_film)
print(f"mean cosine of two films: {anisotropy(raw):.2f} as they are, {anisotropy(centered):z.2f} centered")
claim("the library's vectors are the centered ones", np.allclose(centered, vectors, atol=1e-6))

# %% [markdown]
# Two films picked at random are rather similar as they are: they are all films. Centered, they are at right angles on
# average. Prettier numbers, or better recommendations? We hide the last film of every MovieLens user and ask at which
# **rank** it comes, if films are sorted by their cosine to the mean of what the person saw before. One over the rank is the
# *reciprocal rank* of lesson 02.

# %%
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.metrics import bootstrap_interval, paired_interval, target_rank

split = leave_last_out(movielens.interactions.histories(catalog))
seen = split.seen()  # (q, n)
past = seen / seen.sum(axis=1, keepdims=True)  # (q, n): past @ items is the mean of the films seen


def reciprocal_ranks(items):
    return 1 / target_rank(past @ items @ items.T, split.targets, seen, lab.order)


as_they_are, with_centering = reciprocal_ranks(raw), reciprocal_ranks(centered)
print(len(split.targets), "people; mean reciprocal rank:")
gain = paired_interval(with_centering, as_they_are)
print("as they are", bootstrap_interval(as_they_are), "centered", bootstrap_interval(with_centering))
print("difference", gain)
claim("centering ranks the next film higher, beyond the interval", gain.low > 0)

# %% [markdown]
# (In brackets: the 95% interval over people, as in lesson 02.) Better, beyond the interval. The numbers themselves are
# small: from one line of text per film it is hard to guess what somebody watches next. Lesson 05 compares with models that
# learn from what people do.
#
# ## 4. Several interests: the Gram matrix
#
# Lesson 03 wrote a person as a sum of interests, $u = \sum_i a_i x_i$. Let two people share their interests and differ in
# the weights: $v = \sum_i b_i x_i$. How similar are they?
#
# > **Check the article: a number.** For two interests, $a = (0.5, 0.5)$ and $b = (0.3, 0.7)$ it finds $s = 0.6$.
#
# Lesson 03 met this example on its way; here we compute it with care. Suppose the interests are **orthonormal**: at right
# angles, of length 1. Then $u$ is just $a$, and $v$ is $b$:

# %%
a, b = np.array([0.5, 0.5]), np.array([0.3, 0.7])
value = a @ b / np.sqrt((a @ a) * (b @ b))
print(f"{value:.5f}")
claim("the cosine is 0.92848", abs(value - 0.92848) < 5e-6)

# %% [markdown]
# Was another measure meant? Four candidates: the dot product, the **overlap** (the sum of the smaller weights), and Jaccard
# and Dice, two classic measures for sets, carried over to weights:

# %%
overlap = np.minimum(a, b).sum()
others = {"dot": a @ b, "overlap": overlap, "Jaccard": overlap / np.maximum(a, b).sum()}
others["Dice"] = 2 * a @ b / (a @ a + b @ b)
print({name: round(float(number), 3) for name, number in others.items()})
claim("none of them is 0.6", all(abs(number - 0.6) > 0.05 for number in others.values()))

# %% [markdown]
# > **Check the article: a formula.**
# > $s = \sum_i a_i b_i \, x_i x_i^T \big/ \left(\sqrt{\sum a_i^2}\sqrt{\sum b_i^2}\right)$.
#
# It multiplies every interest with itself only. But "westerns" and "a good musical" are not at right angles: both are
# about films. Multiply out $u \cdot v = \sum_i \sum_j a_i b_j \, x_i \cdot x_j$, and *all* pairs are there. Their dot
# products form the Gram matrix of lesson 03, $G_{ij} = x_i \cdot x_j$, and
#
# $$\cos(u, v) = \frac{a^T G\, b}{\sqrt{a^T G\, a}\,\sqrt{b^T G\, b}}$$
#
# Two interests at an angle, and three ways to compute:

# %%
x = np.array([[1.0, 0.0], [0.6, 0.8]])
G = x @ x.T  # (2, 2)
by_gram = a @ G @ b / np.sqrt((a @ G @ a) * (b @ G @ b))
print(f"from the vectors {cosine(a @ x, b @ x):.4f}, Gram {by_gram:.4f}, the article's formula {value:.4f}")
claim(
    "the Gram formula is the cosine, and the article's is not",
    np.isclose(by_gram, cosine(a @ x, b @ x)) and by_gram - value > 0.05,
)

# %% [markdown]
# The extreme case: one person wants only the first interest, the other only the second. The article's formula gives 0, as
# if they had nothing in common:

# %%
from llmrec_lab.scoring import gram_cosine

print(gram_cosine([1, 0], [0, 1], np.eye(2)), gram_cosine([1, 0], [0, 1], G).round(3))
claim("by hand and by the library the Gram formula is the same", np.isclose(gram_cosine(a, b, G), by_gram))

# %% [markdown]
# Does it matter for real sentences? Two interests, found by lesson 03's method:

# %%
interests = lab.interests("westerns and a good musical")
G = interests.vectors @ interests.vectors.T
print(interests.labels, f"dot product {G[0, 1]:.2f}")
u, v = a @ interests.vectors, b @ interests.vectors  # two people with the same two interests
claim("on real interests too it is their cosine", abs(gram_cosine(a, b, G) - cosine(u, v)) < 1e-6)
claim("and the interests are not at right angles", G[0, 1] > 0.1)

# %% [markdown]
# With $G$ stored, comparing two people takes their few weights, and no vector of 384 numbers.
#
# The same pages have more to check; each takes a cell.
#
# > **Check the article: what is an interest?** The interests are "cheap" and "durable" first, and *phone* and *computer* a
# > few lines later. From the one number *s* then follows the list "phone, computer".
#
# Interests are the axes. Each item has a vector of its own, written in these axes, and so a score of its own:

# %%
items = pd.DataFrame([[0.9, 0.2], [0.4, 0.8]], index=["phone", "computer"], columns=["cheap", "durable"])
wish = np.array([0.3, 0.7])
pd.Series(cosine(items.to_numpy(), wish).round(3), index=items.index)

# %%
claim(
    "each item has a score of its own, and the computer comes first",
    cosine(items.loc["computer"], wish) > cosine(items.loc["phone"], wish),
)

# %% [markdown]
# Two items, two scores, a list. Taken as the article has it, with phone = (1, 0) and computer = (0, 1), what do they get
# from a person with weights (0.5, 0.5)?

# %%
tie = cosine(np.eye(2), a)
print(tie.round(4))
claim("both score 0.7071", np.abs(tie - 0.7071).max() < 5e-5)
claim("it is a tie, and no order follows from it", np.isclose(tie[0], tie[1]))

# %% [markdown]
# > **Check the article: a norm.** $\left\|\sum_i a_i x_i - x\right\|^2$ is rewritten as $\sum_i \|a_i x_i - x\|^2$, and
# > $\|\cdot\|^2$ is called the Euclidean norm (it is its square).
#
# Are these the same? Two orthonormal interests, and $x$ their sum:

# %%
parts = np.eye(2)
total = parts.sum(axis=0)
sum_first, norm_first = np.sum((parts.sum(axis=0) - total) ** 2), np.sum((parts - total) ** 2)
print(sum_first, norm_first)
claim("sum first gives 0, norm first gives 2", sum_first == 0 and norm_first == 2)

# %% [markdown]
# The first asks that all interests *together* make up the person; the second that each *alone* does.
#
# > **Check the article: an objective.** Choose the user $u$ and the item $v$ to *minimize*
# > $\|u - x\|^2 + \|v - x\|^2 + s(u, v)$, where $x$ is the vector of the user's sentence and $s$ the similarity.
#
# Whoever minimizes a similarity pushes things apart. (In the article $x$ is also a list of tokens; a norm needs a vector.)
# Compare the solution that one hopes for, $u = v = x$, with a user who points *away* from the own sentence:

# %%
x = np.array([1.0, 0.0])


def objective(u, v, sign):
    return float(np.sum((u - x) ** 2) + np.sum((v - x) ** 2) + sign * cosine(u, v))


away = {f"u = -{eps} x": round(objective(-eps * x, x, +1), 6) for eps in (0.1, 0.001)}
print(away, "| u = x:", objective(x, x, +1))
claim("as printed, pointing away is cheaper", objective(-0.001 * x, x, +1) < objective(x, x, +1))
claim("with the sign turned, it is not", objective(-0.001 * x, x, -1) > objective(x, x, -1))

# %% [markdown]
# Even with the right sign it would learn nothing from people: no click occurs in it, and every item is pulled to whatever
# sentence it meets. Lesson 06 trains with pairs that belong together against pairs that do not.
#
# ## 5. The score taken apart
#
# A cosine with a sum is a sum of cosines, each with its weight:
#
# $$\cos(u, v) = \frac{u \cdot v}{|u||v|} = \sum_i \frac{a_i \, x_i \cdot v}{|u||v|}$$
#
# The $i$-th term is what interest $i$ brings: its **contribution**. By hand, for Ada on the tiny world, with tension and
# warmth as her interests:

# %%
axes = np.eye(2)
lengths = np.linalg.norm(films, axis=1, keepdims=True)  # (5, 1)
by_hand = ada * (films @ axes.T) / (np.linalg.norm(ada) * lengths)  # (5, 2)
pd.DataFrame(by_hand.round(3), index=world.titles, columns=["tension", "warmth"])

# %% [markdown]
# Does the library agree, and do the parts sum to the score?

# %%
from llmrec_lab.scoring import contributions

library = contributions(axes, ada, films)
claim("by hand and by the library the contributions are the same", np.allclose(by_hand, library))
claim("the parts sum to the score within 1e-6", np.abs(by_hand.sum(axis=1) - cosines).max() < 1e-6)

# %% [markdown]
# On real films, for the two interests of section 4, with the best film of each interest and of both together:

# %%
parts = contributions(interests.vectors, interests.weights, vectors)  # (n, 2)
scores = parts.sum(axis=1)
chosen = [parts[:, 0].argmax(), parts[:, 1].argmax(), scores.argmax()]
table = pd.DataFrame(parts[chosen], index=catalog.titles[chosen], columns=interests.labels)
table.assign(score=scores[chosen]).round(3)

# %%
both = interests.weights @ interests.vectors
gap = np.abs(scores - cosine(vectors, both)).max()
claim("the parts of every film sum to its cosine within 1e-6", gap < 1e-6)

# %% [markdown]
# Look at the first film: it is no western, it only has the word in its title. The parts show such accidents.
#
# The library's own slate has more parts, such as concepts and popularity, and the same property:

# %%
slate = lab.recommend("westerns and a good musical", k=10)
print(slate.titles[0], "|", f"{slate.scores[0]:.3f} = {slate.reasons(0)}")
gap = np.abs(slate.parts.sum(axis=1) - slate.scores).max()
claim("the parts of the slate sum to its scores within 1e-6", gap < 1e-6)

# %% [markdown]
# ### Down to the tokens
#
# Can we go deeper? The vector of a text is the mean of the vectors of its tokens (lesson 02), made one long. A mean is a
# sum: each token has the weight $1 / (t \cdot |\text{mean}|)$. First the tokens, straight from the network:

# %%
wish = "funny films about robots and ghosts"
encoded = encoder.tokenizer.encode(wish)
batch, mask = torch.tensor([encoded.ids]), torch.ones(1, len(encoded.ids), dtype=torch.bool)
with torch.inference_mode():
    tokens = encoder.bert(batch, mask)[0].numpy()  # (t, 384)
length = np.linalg.norm(tokens.mean(axis=0))
gap = np.abs(tokens.mean(axis=0) / length - encoder.encode([wish])[0]).max()
claim("their mean, made one long, is the vector of the wish", gap < 1e-5)

# %% [markdown]
# Films are centered, so the wish must be too: the mean film is taken off, a piece with weight -1. How much does each piece
# bring to the best three films?

# %%
pieces = np.vstack([tokens, mean_film])  # (t + 1, 384)
weights = np.append(np.full(len(tokens), 1 / (len(tokens) * length)), -1)
parts = contributions(pieces, weights, vectors)  # (n, t + 1)
best = np.argsort(-parts.sum(axis=1), kind="stable")[:3]
rows = [*encoded.tokens, "mean film, taken off"]
pd.DataFrame(parts[best].T, index=rows, columns=catalog.titles[best]).round(3)

# %%
wish_vector = encoder.encode([wish])[0] - mean_film
gap = np.abs(parts.sum(axis=1) - cosine(vectors, wish_vector)).max()
claim("the tokens' parts sum to the score of every film within 1e-6", gap < 1e-6)
strongest = encoded.tokens[parts[best[0]][:-1].argmax()]
claim("no token brings more to the first film than robots", strongest == "robots")

# %% [markdown]
# The bookkeeping is exact, down to `[CLS]` and `[SEP]`, which bring a share although nobody typed them. Now a trap: is a
# token's part what the film would lose *without* that word? We remove one word after the other, and encode again:

# %%
words = wish.split()
without = [" ".join(words[:i] + words[i + 1 :]) for i in range(len(words))]
loss = parts[best[0]].sum() - cosine(encoder.encode(without) - mean_film, vectors[best[0]])
compare = pd.DataFrame({"part": parts[best[0]][1:-2], "lost without it": loss}, index=words).round(3)
compare

# %%
claim(
    "without robots the film loses more than twice the part of robots",
    compare.loc["robots", "lost without it"] > 2 * compare.loc["robots", "part"],
)
claim(
    "without ghosts it gains, although the part of ghosts is positive",
    compare.loc["ghosts", "lost without it"] < 0 < compare.loc["ghosts", "part"],
)

# %% [markdown]
# No. Each token's vector has listened to all others (attention), so something of *robots* sits in every row. The parts say
# how this score adds up. What would happen under another sentence is another question, and takes another computation;
# lesson 16 has more of them.
#
# ## 6. Rank: exact, and without accidents
#
# The **top-k** are the k items with the best scores, best first. What about a **tie**, equal scores? Ties are common. Count
# how many of two genres that a person asked for each film has:

# %%
asked = {"Sci-Fi", "Comedy"}
matches = np.array([len(asked & set(genres)) for genres in catalog.facets["genre"]])
print({f"{n} of 2": int((matches == n).sum()) for n in (2, 1, 0)})

# %% [markdown]
# For ten places there are many films with both. `np.argsort` takes whichever its algorithm meets first, and that depends on
# how the catalog happens to be sorted. Shuffle the catalog: do you get the same ten films?

# %%
from llmrec_lab.ranking import id_order, top_k, top_k_rows

shuffled = rng.permutation(len(catalog))
by_argsort = set(catalog.item_ids[np.argsort(-matches, kind="stable")[:10]])
again = set(catalog.item_ids[shuffled][np.argsort(-matches[shuffled], kind="stable")[:10]])
claim("by argsort another order of the catalog gives other films", by_argsort != again)

# %% [markdown]
# The library breaks ties by item id, which belongs to the film and not to its place:

# %%
first = catalog.item_ids[top_k(matches, 10, lab.order)]
second = catalog.item_ids[shuffled][top_k(matches[shuffled], 10, id_order(catalog.item_ids[shuffled]))]
claim("by item id the ten films are the same, in the same order", first.tolist() == second.tolist())

# %% [markdown]
# An order by id is arbitrary too; but it is the *same* in every run, on every machine. (If low ids are old or popular
# films, even this favors somebody. Lesson 05 shows how ties alone can move a metric.)
#
# Is `top_k` right? **Brute force** is slow and cannot be wrong: sort everything, by score, then by id. For 200 rows of
# cosines, in the shuffled catalog, rounded to two digits so that there are many ties:

# %%
ids, mixed = catalog.item_ids[shuffled], vectors[shuffled]
rounded = (mixed[:200] @ mixed.T).round(2)  # (200, n)
brute_force = [sorted(range(len(ids)), key=lambda i: (-row[i], ids[i]))[:10] for row in rounded]
by_library = top_k_rows(rounded, 10, id_order(ids)).tolist()
claim("top-k equals brute force, ties included", by_library == brute_force)
tied = [np.sum(row == np.sort(row)[-10]) > 1 for row in rounded]
claim("in most rows there was a tie at the tenth place to break", np.mean(tied) > 0.5)

# %% [markdown]
# ## 7. Fast: from loops to one product
#
# Tutorials often score like this: for every user, for every item, a cosine; then sort all. It is right, and it does too
# much. We count the multiplications:

# %%
work = {"multiplications": 0}


def dot(a, b):
    work["multiplications"] += len(a)
    return a @ b


def in_loops(people, items):
    return [[dot(p, i) / np.sqrt(dot(p, p) * dot(i, i)) for i in items] for p in people]


# %% [markdown]
# The same scores as one **matrix product**: every row is divided by its length once, and one call multiplies all rows with
# all rows.

# %% tags=["nbval-ignore-output"]
from time import perf_counter

people = past[:20] @ raw  # (20, 384): the mean film of 20 histories
start = perf_counter()
slow = np.array(in_loops(people, raw))
middle = perf_counter()
fast = unit_rows(people) @ unit_rows(raw).T
end = perf_counter()
loops, product = middle - start, end - middle
print("the loops took", "more" if loops > 10 * product else "less", "than ten times as long as one product")

# %%
m, n, d = len(people), len(raw), raw.shape[1]
one_product = m * d + n * d + m * n * d  # lengths of all rows, then the product
print(f"{work['multiplications']:,} multiplications in loops, {one_product:,} in one product")
times = work["multiplications"] / one_product
claim("both give the same scores", np.allclose(slow, fast))
claim("the loops compute nearly three times as many multiplications", 2.5 < times < 3)

# %% [markdown]
# The seconds differ by more than the multiplications. The rest is Python itself: a call for every pair, where the
# product is one call, which keeps rows in the processor's fast memory while they are needed.
#
# Next: memory. Sorting the scores of everybody needs all of them at once. `nearest` works through the films in blocks, and
# keeps only what may still be among the ten best. How many bytes at most, for 2,000 queries?

# %%
import tracemalloc

from llmrec_lab.ranking import nearest


def peak_bytes(job):
    tracemalloc.start()
    result = job()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, result


queries, short = lab.vectors[:2000], lab.vectors  # 32 bits each: half the bytes
all_bytes, everything = peak_bytes(lambda: np.argsort(-(queries @ short.T), axis=1)[:, :10])
few_bytes, (ranked, _) = peak_bytes(lambda: nearest(queries, short, 10, lab.order))
print(f"sorting all: {all_bytes / 1e6:.0f} MB; nearest: less than {np.ceil(few_bytes / 5e6) * 5:.0f} MB")
claim("nearest needs less than a fifth of the bytes", few_bytes < all_bytes / 5)

# %% [markdown]
# And is it still exact? Compare the cosines, place by place; films with equal cosines may change places.

# %%
found, wanted = (np.take_along_axis(queries @ short.T, ids, axis=1) for ids in (ranked, everything))
claim("the cosines on all 2,000 lists are the same within 1e-5", np.abs(found - wanted).max() < 1e-5)

# %% [markdown]
# ## 8. Approximate search, and what it misses
#
# One product with every film is fine for thousands of films. For a hundred million it is too much. **Approximate nearest
# neighbor search** looks at a part of the items only, and may miss some. The simplest index is the **inverted file**:
# k-means, which finds clusters, groups the films into cells, and a query looks only into the few cells whose centers are
# nearest. The share of the true ten that it finds is its **recall**.

# %%
from sklearn.cluster import KMeans

cells = KMeans(32, n_init=1, random_state=0).fit(vectors)
centers = unit_rows(cells.cluster_centers_)  # (32, 384)


def approximate(query, probes, k=10):
    near = np.argsort(-(centers @ query), kind="stable")[:probes]
    inside = np.flatnonzero(np.isin(cells.labels_, near))
    scores = np.full(len(vectors), -np.inf)
    scores[inside] = vectors[inside] @ query
    return top_k(scores, k, lab.order), (len(centers) + len(inside)) / len(vectors)


# %% [markdown]
# How much does it find, and for which share of the products? With 300 films as queries, looking into 1 to 32 of the cells:

# %% tags=["nbval-ignore-output"]
sample = rng.permutation(len(vectors))[:300]
exact = top_k_rows(vectors[sample] @ vectors.T, 10, lab.order)  # (300, 10)
rows = {}
for probes in (1, 2, 4, 8, 16, 32):
    answers = [approximate(query, probes) for query in vectors[sample]]
    hit = np.array([np.isin(wanted, found).mean() for wanted, (found, _) in zip(exact, answers)])
    rows[probes] = {"recall": hit, "share of products": np.mean([share for _, share in answers])}
search = pd.DataFrame(rows).T.rename_axis("cells looked into")
shares = search["share of products"].astype(float)
intervals = search["recall"].map(bootstrap_interval)
pd.DataFrame({"recall": intervals.map(str), "share of products": shares.round(3)})

# %%
recalls = search["recall"].map(np.mean)
claim("the more cells, the higher the recall", recalls.is_monotonic_increasing)
claim("all cells give the exact list, for more than all products", recalls[32] == 1 and shares[32] > 1)
most = intervals[8].low > 0.5 and shares[8] < 1 / 3
claim("eight cells find most of the true ten for less than a third of the products", most)
claim("and miss at least a tenth of them", intervals[8].high < 0.9)

# %% tags=["nbval-ignore-output"]
from llmrec_lab.plots import new_axes, picture

ax = new_axes(height=3.2)
ax.margins(0.1)
ax.plot(shares, recalls, marker="o")
for probes in search.index:
    ax.annotate(f"{probes}", (shares[probes], recalls[probes]), textcoords="offset points", xytext=(6, -10))
ax.set_xlabel("share of the products that exact search computes")
ax.set_ylabel("recall of the true ten (share)")
told = ", ".join(f"{recalls[probes]:.2f} for {shares[probes]:.2f} of the products" for probes in search.index)
picture(ax, f"A curve of recall against work, one point for each number of cells: {told}.")

# %% [markdown]
# For our few thousand films this is a bad bargain: an exact product takes a blink, and half the work already loses
# neighbors. With millions of items, and better indexes, it becomes a good one. Libraries such as FAISS have them; whichever
# you take, measure its recall on *your* vectors against exact search, as here.
#
# ## 9. Diverse slates: MMR and quota
#
# The ten nearest films can be ten times nearly the same film. Look:

# %%
wish_scores = cosine(vectors, encoder.encode(["a film about superheroes"])[0] - mean_film)
print(*catalog.titles[top_k(wish_scores, 10, lab.order)], sep="\n")

# %% [markdown]
# **Maximal marginal relevance**, MMR for short, builds the list one by one. Each time it takes the item with the largest
#
# $$\lambda \cdot \text{score} - (1 - \lambda) \cdot \max_{j \text{ chosen}} \cos(\text{item}, j)$$
#
# so that an item that repeats a chosen one loses. By hand on the tiny world, for Bo, who wants tension twice as much as
# warmth, with $\lambda = 0.5$:

# %%
bo_scores, tiny = cosine(films, [2, 1]), unit_rows(films.astype(float))
picked = [int(bo_scores.argmax())]
while len(picked) < 3:
    repeats = (tiny @ tiny[picked].T).max(axis=1)  # (5)
    values = 0.5 * bo_scores - 0.5 * repeats
    values[picked] = -np.inf
    picked.append(int(values.argmax()))
print("by score:", " · ".join(world.titles[np.argsort(-bo_scores)[:3]]))
print("by MMR:  ", " · ".join(world.titles[picked]))

# %%
from llmrec_lab.ranking import mmr

claim(
    "by hand and by the library MMR picks the same",
    picked == mmr(bo_scores, tiny, 3, id_order(world.item_ids), 0.5).tolist(),
)
claim(
    "with lambda 1 it is top-k",
    mmr(wish_scores, vectors, 10, lab.order, 1).tolist() == top_k(wish_scores, 10, lab.order).tolist(),
)

# %% [markdown]
# And the superheroes?

# %%
print(*catalog.titles[mmr(wish_scores, vectors, 10, lab.order, 0.8)], sep="\n")

# %% [markdown]
# Is it less of the same? Superman is easy to count:

# %%
plain, diverse = (mmr(wish_scores, vectors, 10, lab.order, lambda_) for lambda_ in (1, 0.8))
n_superman = [sum("Superman" in title for title in catalog.titles[chosen]) for chosen in (plain, diverse)]
print(*n_superman)
claim("fewer films with Superman in the title", n_superman[1] < n_superman[0])

# %% [markdown]
# It is, and a few of the new ones have little to do with superheroes. What does the variety cost? Here is the experiment.
# EASE is a simple model that learns from who watched what (lesson 05 compares it with others). It scores all films for
# every user; the 100 best, scaled from 0 to 1, go through MMR; and the film that was hidden in section 3 should be on the
# list of ten. Films count as similar if the same people watched them.

# %%
from llmrec_lab.baselines import EASE

histories = split.train.of_users(split.train.user_ids[split.rows])
ease_scores = EASE().fit(split.train).scores(histories).astype(np.float64)
ease_scores[seen] = -np.inf
hundred = top_k_rows(ease_scores, 100, lab.order)  # (q, 100)
best_scores = np.take_along_axis(ease_scores, hundred, axis=1)
low, high = best_scores[:, -1:], best_scores[:, :1]
pool = np.full_like(ease_scores, -np.inf)
np.put_along_axis(pool, hundred, (best_scores - low) / (high - low), axis=1)
watchers = unit_rows(split.train.matrix().toarray().T.astype(np.float64))  # (n, users): who watched the film

# %% [markdown]
# **NDCG** is 1 for a hidden film in the first place, less further down, and 0 if it is not on the list. **Diversity** is
# one minus the cosine of two films of the list, averaged over all pairs. Both for a few values of $\lambda$, minus what
# plain top-k has, with the interval over people:

# %%
from llmrec_lab.metrics import diversity, hits, ndcg

measured = {}
for lambda_ in (1, 0.5, 0.3, 0.1):
    lists = np.array([mmr(row, watchers, 10, lab.order, lambda_) for row in pool])  # (q, 10)
    measured[lambda_] = ndcg(hits(lists, split.targets)), diversity(lists, watchers)

# %% tags=["nbval-ignore-output"]
plain_ndcg, plain_diversity = measured[1]
difference = {
    lambda_: (paired_interval(gained, plain_diversity), paired_interval(kept, plain_ndcg))
    for lambda_, (kept, gained) in measured.items()
    if lambda_ < 1
}
print(f"plain top-k: diversity {plain_diversity.mean():.3f}, NDCG {bootstrap_interval(plain_ndcg)}")
table = pd.DataFrame(difference, index=["diversity", "NDCG"]).T.rename_axis("lambda")
table.map(str).replace("^-0.000", "0.000", regex=True)

# %%
gains = [gain.low for gain, _ in difference.values()]
claim("MMR raises diversity at every lambda, beyond the interval", min(gains) > 0)
claim("at lambda 0.5 no cost can be measured: the interval includes 0", not difference[0.5][1].excludes_zero)
claim("at lambda 0.1 it costs NDCG, beyond the interval", difference[0.1][1].high < 0)

# %% tags=["nbval-ignore-output"]
ax = new_axes(height=3.2)
ax.margins(x=0.2)
points = {lambda_: (gained.mean(), bootstrap_interval(kept)) for lambda_, (kept, gained) in measured.items()}
for lambda_, (x_value, found) in points.items():
    spread = [[found.mean - found.low], [found.high - found.mean]]
    ax.errorbar([x_value], [found.mean], yerr=spread, marker="o", color="black", capsize=3)
    ax.annotate(f"λ = {lambda_}", (x_value, found.mean), textcoords="offset points", xytext=(6, 6))
ax.set_xlabel("diversity (1 - mean cosine of two films of a list)")
ax.set_ylabel("NDCG@10, 95% interval")
told = [f"lambda {name}: {x_value:.2f}, {found.mean:.3f}" for name, (x_value, found) in points.items()]
picture(ax, f"NDCG against diversity, a point with its interval for each lambda. {'; '.join(told)}.")

# %% [markdown]
# A little diversity is free here, as far as 671 people can tell; a lot is not. Where the price begins depends on the data
# and on the scale of the scores, so measure it on yours. And note what the numbers cannot say: whether people *like* the
# varied list better. That takes a test with people.
#
# MMR knows nothing about interests. If a person *named* several, there is a more direct way: a quota, where each
# interest fills its share of the places (lesson 03). Against the one mean vector, with the two interests of section 4:

# %%
from llmrec_lab.ranking import quota

each = interests.vectors @ vectors.T  # (2, n)
by_mean = top_k(interests.weights @ each, 10, lab.order)
by_quota = quota(each, interests.weights, 10, lab.order)
lists = {"mean": by_mean, "quota": by_quota}
rows = {name: np.bincount(each[:, ids].argmax(axis=0), minlength=2) for name, ids in lists.items()}
pd.DataFrame(rows, index=interests.labels).rename_axis("films nearest to")

# %%
claim("the quota gives each interest five of ten places", rows["quota"].tolist() == [5, 5])
claim("the mean does not", rows["mean"].min() < 5)

# %% [markdown]
# ## 10. What people write: topics and opinions
#
# A profile can also come from comments: *what* is a comment about (**topic analysis**), and is it *for or against*
# (**sentiment analysis**)? With an encoder both are cosines: to the name of a topic, and to a sentence of praise minus one
# of blame. We try it on the beginnings of 300 English reviews of food, each labeled 1 for a good and 0 for a bad rating.

# %% tags=["nbval-ignore-output"]
from llmrec_lab.datasets.reviews import load_reviews

reviews = load_reviews("en").sample(300, random_state=0)
review_vectors = encoder.encode(reviews["text"].str.slice(0, 120).tolist())
topics = ["coffee", "tea", "pet food", "chocolate and candy", "something else to eat"]
topic = np.array(topics)[(review_vectors @ encoder.encode(topics).T).argmax(axis=1)]
pd.Series(topic).value_counts().rename("reviews")

# %% [markdown]
# Are the topics right? Reviews of coffee usually say the word. How often is *coffee* in the reviews with that topic, and in
# all others?

# %%
says_coffee = reviews["text"].str.contains("coffee", case=False).to_numpy().astype(float)
inside, outside = (bootstrap_interval(says_coffee[where]) for where in (topic == "coffee", topic != "coffee"))
print(f"topic coffee: {inside.mean:.2f} say coffee; other topics: {outside.mean:.2f}")
claim("the topic coffee is found without training, beyond the intervals", inside.low > outside.high)

# %% [markdown]
# Now the opinions. Take a good and a bad review at random: how often does the good one get the higher score? By guessing,
# half of the time; this share is called the **AUC**. (The interval is over the good reviews.)

# %%
praise, blame = encoder.encode(["I loved it, it is excellent", "I hated it, it is terrible"])
opinion = review_vectors @ (praise - blame)
good = reviews["label"].to_numpy() == 1
wins = (opinion[good, None] > opinion[None, ~good]).mean(axis=1)  # each good one: share of bad ones below
print("AUC", bootstrap_interval(wins))
print(f"right by the sign {np.mean((opinion > 0) == good):.2f}, always saying good {good.mean():.2f}")
claim("better than guessing, beyond the interval", bootstrap_interval(wins).low > 0.5)
claim("and far from reliable: less than 0.8", bootstrap_interval(wins).high < 0.8)

# %% [markdown]
# Topics well, opinions poorly, and the sign alone is no better than calling every review good. Why? Which of two
# sentences is nearer to "I loved the robots"?

# %%
loved, hated, other = encoder.encode(["I loved the robots", "I hated the robots", "I loved the songs"])
print(f"I hated the robots {loved @ hated:.2f}, I loved the songs {loved @ other:.2f}")
claim("the opposite opinion is nearer than another topic", loved @ hated > loved @ other)

# %% [markdown]
# These vectors are about *what*, and hardly about *whether*. So take the direction from the text, and the sign from the
# stars: exercise 04.6 builds such a profile. A language model can also be *asked* what somebody needs, as in lesson 03, and
# an encoder can be trained to listen for something else, as in lesson 06.
#
# ## 11. Your turn: a dial for diversity
#
# Turn $\lambda$, and watch the list of the superheroes change.

# %% tags=["nbval-ignore-output"]
from llmrec_lab.widgets import diversity_dial, diversity_table

diversity_dial(catalog, wish_scores, vectors)

# %% [markdown]
# The dial needs a running notebook. Its still twin shows a few of its positions:

# %%
diversity_table(catalog, wish_scores, vectors, [1.0, 0.8, 0.6, 0.3])

# %% [markdown]
# A diversity above 1? It is one minus a mean cosine, and cosines of centered films can be below 0. Is the mean of the last
# list?

# %%
last_list = mmr(wish_scores, vectors, 10, lab.order, 0.3)
pairs = (vectors[last_list] @ vectors[last_list].T)[np.triu_indices(10, k=1)]  # (45)
print(f"{pairs.mean():.3f}")
claim("the films of the last list have a mean cosine below 0", pairs.mean() < 0)

# %% [markdown]
# At so low a $\lambda$ each film is chosen to be unlike the others, and what the person asked for hardly counts.

# %% [markdown]
# ## What we did
#
# - We saw dot product and cosine disagree, and all three measures agree on rows of length 1; ids and columns that mean
#   different things have no place in a vector.
# - We computed the cosine of two people through the Gram matrix, 0.92848 where an article has 0.6.
# - We took scores apart, per interest and per token; the parts sum to the score, and say nothing about a word's absence.
# - We ranked by brute force and by the library, with the same result, ties by item id; one product replaced the loops, and
#   approximate search had a recall that we could measure.
# - We made slates diverse by MMR: little costs nothing that 671 people show, much costs NDCG.
#
# ## Exercises
#
# Replace what follows `=` or `return`, and run the cell. For a hint, remove the `#` in the last line; it works like this:

# %%
hint("04.1", level=1)

# %% [markdown]
# **04.1** Two interests have length 1 and the dot product 0.6. One person has the weights $a = (0.5, 0.5)$, another has
# $b = (0.3, 0.7)$. What is the cosine of the two people?

# %% tags=["solution"]
a, b = np.array([0.5, 0.5]), np.array([0.3, 0.7])
# stub: answer = None  # Write your code here.
G = np.array([[1, 0.6], [0.6, 1]])
answer = a @ G @ b / np.sqrt((a @ G @ a) * (b @ G @ b))
# end solution
check("04.1", answer)
# hint("04.1")

# %% [markdown]
# **04.2** Now for any interests: `a` and `b` are weights (k), `x` has one interest in each row (k, d).


# %% tags=["solution"]
# stub: def person_cosine(a, b, x):
# stub:     return None  # Write your code here.
def person_cosine(a, b, x):
    G = x @ x.T
    return a @ G @ b / np.sqrt((a @ G @ a) * (b @ G @ b))


# end solution
check("04.2", person_cosine)
# hint("04.2")

# %% [markdown]
# **04.3 Find the bug.** A widely used library for recommendation computed the items similar to a given one like this, and a
# user [saw](https://github.com/benfred/implicit/issues/205) similarities above 1 (here in our words):
#
# ```python
# def similarities(item, items):
#     return items @ item / np.linalg.norm(items, axis=1)
# ```
#
# What is missing? Mend it: `item` is (d), `items` (n, d), and the answer has n cosines. Would the bug have changed the
# *order* of the items? The reply to a right answer says.


# %% tags=["solution"]
# stub: def similarities(item, items):
# stub:     return None  # Write your code here.
def similarities(item, items):
    return items @ item / (np.linalg.norm(items, axis=1) * np.linalg.norm(item))


# end solution
check("04.3", similarities)
# hint("04.3")

# %% [markdown]
# **04.4** A text has the token vectors `tokens` (t, d), and its vector is their mean. What does each token contribute to
# the cosine of the text with `item` (d), which may have any length? Return t numbers that sum to that cosine.


# %% tags=["solution"]
# stub: def token_parts(tokens, item):
# stub:     return None  # Write your code here.
def token_parts(tokens, item):
    mean = tokens.mean(axis=0)
    return tokens @ item / (len(tokens) * np.linalg.norm(mean) * np.linalg.norm(item))


# end solution
check("04.4", token_parts)
# hint("04.4")

# %% [markdown]
# **04.5 Find the bug.** In a large library for search with language models, somebody
# [found](https://github.com/run-llama/llama_index/pull/22684) that MMR brings near twins back. Reduced to its core:
#
# ```python
# def pick(scores, similar, k):
#     chosen = [int(np.argmax(scores))]
#     while len(chosen) < k:
#         values = 0.5 * scores - 0.5 * similar[:, chosen[-1]]
#         values[chosen] = -np.inf
#         chosen.append(int(np.argmax(values)))
#     return chosen
# ```
#
# `scores` (n) are numbers, `similar` (n, n) has the cosine of every two items, and the answer is a list of k positions.
# What does it forget? Mend it.


# %% tags=["solution"]
# stub: def pick(scores, similar, k):
# stub:     return None  # Write your code here.
def pick(scores, similar, k):
    chosen = [int(np.argmax(scores))]
    while len(chosen) < k:
        values = 0.5 * scores - 0.5 * similar[:, chosen].max(axis=1)
        values[chosen] = -np.inf
        chosen.append(int(np.argmax(values)))
    return chosen


# end solution
check("04.5", pick)
# hint("04.5")

# %% [markdown]
# **04.6 A small design.** Mine comments for a better profile. A person wrote n comments, whose vectors `comments` (n, d)
# have length 1, and gave n ratings `stars` (n) from 1 to 5, both arrays. Make a profile (d) so that: what got 5 stars pulls
# twice as much as what got 4; what got 3 does not count; what got less pushes away, by the same scale; the order does not
# matter; and the profile has length 1. If nothing counts, there is no direction: return zeros.


# %% tags=["solution"]
# stub: def profile(comments, stars):
# stub:     return None  # Write your code here.
def profile(comments, stars):
    total = (stars - 3) @ comments
    return total / max(np.linalg.norm(total), 1e-12)


# end solution
check("04.6", profile)
# hint("04.6")

# %% [markdown]
# ## Quiz
#
# Click an option to open it; each says why it is right or wrong.

# %%
quiz("04")

# %% [markdown]
# ## Further reading
#
# - Carbonell and Goldstein, *The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries*,
#   1998, [doi 10.1145/290941.291025](https://doi.org/10.1145/290941.291025).
# - Ziegler, McNee, Konstan and Lausen, *Improving Recommendation Lists Through Topic Diversification*, 2005,
#   [doi 10.1145/1060745.1060754](https://doi.org/10.1145/1060745.1060754).
# - Steck, Ekanadham and Kallus, *Is Cosine-Similarity of Embeddings Really About Similarity?*, 2024,
#   [arXiv 2403.05440](https://arxiv.org/abs/2403.05440): where cosines of learned vectors mislead.
# - Jégou, Douze and Schmid, *Product Quantization for Nearest Neighbor Search*, 2011,
#   [doi 10.1109/TPAMI.2010.57](https://doi.org/10.1109/TPAMI.2010.57): the inverted file, and more.
# - Douze and others, *The Faiss Library*, 2024, [arXiv 2401.08281](https://arxiv.org/abs/2401.08281).
#
# **Next:** lesson 05 asks whether any of this is good: how to measure a recommender, and how not to.
