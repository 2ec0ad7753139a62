# %% [markdown]
# # Lesson 02 · Embeddings
#
# A computer compares numbers, and people write words. This lesson turns words into numbers in four ways, from counting
# neighbors with pencil and paper to training a small BERT, and measures which of them knows what a text is about.
#
# ## Where we are
#
# ```
# text ──tokenize─▶ tokens ──ENCODE─▶ vectors ──decompose─▶ interests
#                                                               │
#                                                            combine
#                                                               ▼
# events ◀─push── slate ◀─rank── scores ◀─────score───────── query
#    │                                                          ▲
#    └──────────────feedback────────────▶ new state ────────────┘
# ```
#
# Lesson 01 cut a text into tokens. This lesson is about the second verb, *encode*: which numbers stand for a token, and
# which for a whole text?
#
# ## What you will be able to do
#
# - learn word vectors from nothing but text, by word2vec and by GloVe, and say what each of them minimizes;
# - compute soft and hard attention by hand, and say why dot products are divided by a root;
# - turn the vectors of tokens into one vector for a text, in three ways, and measure which one works;
# - say what anisotropy and whitening are, and when whitening harms;
# - pre-train a BERT, a tiny one, and prove that it learned something.
#
# **Time:** 55 minutes. **Hardware:** any laptop with two cores; no GPU, and no network once the files are there.
# **You need:** lessons 00 and 01, and numpy arrays.
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

torch.set_num_threads(1)  # with two threads numbers are added in another order, and last digits differ

# %% [markdown]
# First, do you remember? Three questions on lessons 00 and 01.

# %%
recap("02")

# %% [markdown]
# ## 1. Words as counts
#
# How could a word become numbers? The plainest way: one place for each word of the vocabulary, 1 in the word's own place,
# 0 elsewhere. That is a **one-hot** vector. How similar are two words then?

# %%
from llmrec_lab.scoring import cosine

words = ("forest", "ghost", "spirit")
one_hot = np.eye(len(words))
print(cosine(one_hot[words.index("ghost")], one_hot[words.index("spirit")]))

# %% [markdown]
# Zero, for any two words. A one-hot vector says which word it is, and nothing about what it means. An **embedding** is a
# vector that does: words with similar meaning get vectors that point in similar directions. But who tells us the
# meanings? Text does. Words with similar meaning have similar neighbors: this is the **distributional hypothesis**, and
# everything in this lesson rests on it.
#
# So we count neighbors. Here is a film of our tiny world as a list of words:

# %%
from llmrec_lab.datasets.tiny import tiny_world
from llmrec_lab.text import segment

sentences = [segment(text) for text in tiny_world()[0].texts]
print(sentences[2])

# %% [markdown]
# The words that stand at most two places from a word are its **window**. How often does each word stand in the window of
# *spirits*? By hand:

# %%
from collections import Counter

neighbors = Counter()
for sentence in sentences:
    for place, word in enumerate(sentence):
        if word == "spirits":
            neighbors.update(sentence[max(0, place - 2) : place] + sentence[place + 1 : place + 3])
print(dict(neighbors))

# %% [markdown]
# Done for all words, this gives a square table: the **co-occurrence** counts. Does the library count the same?

# %%
from llmrec_lab.word_vectors import cooccurrence, vocabulary

words = vocabulary(sentences)
counts = cooccurrence(sentences, words, window=2)  # (v, v)
row = {word: n for word, n in zip(words, counts[words.index("spirits")]) if n}
claim("by hand and by the library the neighbors of spirits are the same", row == neighbors)
claim("the table is symmetric: who is my neighbor has me as a neighbor", bool((counts == counts.T).all()))

# %% [markdown]
# A row of this table is a first embedding. In it *creature* and *detective*, which both hunt, should be closer than
# *creature* and *waitress*:

# %%
creature, detective, waitress = (counts[words.index(word)] for word in ("creature", "detective", "waitress"))
print(f"detective {cosine(creature, detective):.2f}, waitress {cosine(creature, waitress):.2f}")
print(f"{len(words)} numbers in a row, and {(counts == 0).mean():.0%} of the table is 0")

# %% [markdown]
# They are. But such a row has as many numbers as there are words, and nearly all are 0. Two ideas give rows of a few dozen
# numbers: learn to *predict* neighbors (word2vec), or write the table as a *product* of two narrow ones (GloVe).
#
# ## 2. word2vec: predict the neighbors
#
# **word2vec** gives every word two short vectors: $v$, used when it stands in the center, and $u$, used when it is a
# neighbor. In its variant **skip-gram**, the word in the center predicts each word $o$ of its window:
#
# $$P(o \mid c) = \frac{\exp(u_o \cdot v_c)}{\sum_w \exp(u_w \cdot v_c)}$$
#
# The function that turns scores into positive numbers with sum 1 is the **softmax**. On a vocabulary of five words, with
# vectors drawn at random, and word 0 in the center:

# %%
rng = np.random.default_rng(2)
v, u = rng.normal(size=(2, 5, 3))  # (5, 3) each: centers and neighbors
scores = u @ v[0]  # (5)
probabilities = np.exp(scores) / np.exp(scores).sum()
print("scores", scores.round(2), "\nprobabilities", probabilities.round(2))

# %% [markdown]
# > **Check the article: what is a probability?** It gives word2vec as a softmax over $s_t \cdot v_{w_t}$ for the next word
# > given all earlier ones, and calls $s_t$ "the predicted probability".
#
# What goes *into* a softmax is a score, and what $s_t$ stands for is a vector. And which words does skip-gram look at?

# %%
from llmrec_lab.word_vectors import skip_gram_pairs

pairs = {tuple(pair) for pair in skip_gram_pairs(sentences, words, window=2).tolist()}
claim("the vector and the scores are no probabilities: some are negative", max(v[0].min(), scores.min()) < 0)
claim("after the softmax, the numbers are positive", probabilities.min() > 0)
claim("and their sum is 1", abs(probabilities.sum() - 1) < 1e-12)
claim("skip-gram looks left as much as right", pairs == {(context, center) for center, context in pairs})

# %% [markdown]
# So word2vec has two tables, a window to both sides, and no order: it is no model that writes text from left to right.
#
# The sum in the softmax runs over the whole vocabulary, for every pair. Too slow; so one does not ask "which of all
# words is it?" but "is this the true neighbor, or one drawn at random?". This is **negative sampling**. The number that
# training makes small is called the **loss**. For a center $c$, a true neighbor $o$ and random words $n$ it uses the
# sigmoid $\sigma(x) = 1 / (1 + e^{-x})$:
#
# $$L = -\log \sigma(u_o \cdot v_c) - \sum_n \log \sigma(-u_n \cdot v_c)$$
#
# Let word 0 be the center, 1 the true neighbor, and 3 and 4 the random ones. The loss by hand, and by the library:

# %%
from llmrec_lab.word_vectors import negative_sampling


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


by_hand = -np.log(sigmoid(u[1] @ v[0])) - np.log(sigmoid(-u[3] @ v[0])) - np.log(sigmoid(-u[4] @ v[0]))
loss, for_center, for_contexts = negative_sampling(v[:1], u[None, [1, 3, 4]])
print(f"{by_hand:.4f} by hand, {loss[0]:.4f} by the library")
claim("by hand and by the library the loss is the same", abs(by_hand - loss[0]) < 1e-12)

# %% [markdown]
# Learning means: change the vectors a little in the direction in which the loss falls, the negative **gradient**. The
# library has returned it, `for_center` and `for_contexts`. One such step:

# %%
after, _, _ = negative_sampling(v[:1] - 0.1 * for_center, u[None, [1, 3, 4]] - 0.1 * for_contexts)
print(f"loss {loss[0]:.3f} before the step, {after[0]:.3f} after it")
claim("one step along the negative gradient lowers the loss", after[0] < loss[0])

# %% [markdown]
# `train_word2vec` takes such steps through a few thousand English reviews of food, three times over. To test on later, we
# keep 300 longer reviews out of everything that is trained here.

# %%
from llmrec_lab.datasets.reviews import load_reviews

reviews = load_reviews("en")["text"].sample(frac=1, random_state=0)
long_enough = reviews.str.split().str.len() >= 40
test = reviews[long_enough].head(300)
train = reviews.drop(test.index).tolist()
print(len(train), "reviews to learn from,", len(test), "kept out")

# %% tags=["nbval-ignore-output"]
from llmrec_lab.word_vectors import train_word2vec

vectors = train_word2vec([segment(text) for text in train], seed=0)
for word in ("coffee", "dog", "price"):
    print(word, "→", ", ".join(near for near, _ in vectors.neighbors(word, k=6)))

# %% [markdown]
# Nobody told it which words belong to coffee and which to dogs. To claim that it knows, we need words chosen *before*
# looking: are words about drinks closer to each other than to words about pets? (`anisotropy` is the mean cosine of all
# pairs; section 7 says where its name is from.)

# %%
from llmrec_lab.interests import unit_rows
from llmrec_lab.whitening import anisotropy

drinks, pets = (
    unit_rows(np.array([vectors[word] for word in group]))
    for group in (["coffee", "tea", "espresso", "cup"], ["dog", "cat", "puppy", "vet"])
)
across = (drinks @ pets.T).mean()  # cosines, since all lengths are 1
claim("words about drinks are closer to each other than to pets", anisotropy(drinks) > across + 0.2)
claim("and so are words about pets", anisotropy(pets) > across + 0.2)

# %% [markdown]
# > **Check the article: an import.** The program imports `Word2Vec` from the package *gensim*, and embeds its items with
# > GloVe.
#
# Which of the names that a program imports does it never use? Python can read Python:

# %%
import ast

program = "from gensim.models import Word2Vec\nimport torch\nx = torch.zeros(3)"
nodes = list(ast.walk(ast.parse(program)))
imported = {node.name for node in nodes if isinstance(node, ast.alias)}
used = {node.id for node in nodes if isinstance(node, ast.Name)}
claim("Word2Vec is imported and never used", imported - used == {"Word2Vec"})

# %% [markdown]
# The real program is a page long, and the result is the same. *gensim* is a fine library for word2vec on large text; it
# does not train GloVe, it only loads vectors that were trained elsewhere. Drop what you do not use, or a reader will look
# for what it does.
#
# ## 3. GloVe: explain the counts
#
# **GloVe** starts from the table of counts $X$. Again each word has two vectors, $w$ in a row of the table and $c$ in a
# column. Their product is to be the logarithm of the count, up to a number for each word, the **bias** ($b$ and $a$):
#
# $$J = \sum_{i,j} f(X_{ij})\,\left(w_i \cdot c_j + b_i + a_j - \log X_{ij}\right)^2$$
#
# The weight $f$ is 0 for pairs that never occur, grows, and stops at 1 for frequent ones. Can $J$ reach 0? A world of
# four words and the counts of their pairs:

# %%
from llmrec_lab.word_vectors import GloVeConfig, fit_glove

X = np.array([[8.0, 30, 1, 7], [30, 9, 2, 1], [1, 2, 6, 40], [7, 1, 40, 12]])
model, J = fit_glove(X, GloVeConfig(d=4, steps=500))
end = "below 1e-12" if J[-1] < 1e-12 else "not 0"
print(f"J is {J[0]:.2f} at first, {J[5]:.4f} after five steps, and {end} at the end")
claim("GloVe's J goes to about 0 on a 4 x 4 world", J[0] > 1 and J[-1] < 1e-12)

# %% [markdown]
# Then the tables tell the counts back. Written out for one pair:

# %%
told = np.exp(model.w[0] @ model.c[1] + model.b[0] + model.a[1])
print(f"{told:.3f} told, {X[0, 1]:.0f} counted")
everything = np.exp(model.w @ model.c.T + model.b[:, None] + model.a)
claim("all 16 counts are told back", np.allclose(everything, X, rtol=1e-4))

# %% [markdown]
# > **Check the article: another formula.** GloVe is given there as $v_w = \sigma(u_w + v_c)$.
#
# This is not GloVe. It depends on $c$, so a word would have another vector beside every neighbor. And a sigmoid lies
# between 0 and 1, so all vectors point into the same corner. How far apart can they be?

# %%
plain = rng.normal(size=(200, 10))
squeezed = sigmoid(plain)
smallest = [cosine(rows[:, None], rows[None]).min() for rows in (plain, squeezed)]  # over 200 x 200 pairs
print(f"smallest cosine: {smallest[0]:.2f} plain, {smallest[1]:.2f} after the sigmoid")
claim("after the sigmoid no two of 200 vectors point apart", smallest[0] < 0 < 0.4 < smallest[1])

# %% [markdown]
# Neither word2vec nor GloVe knows any language. So GloVe learns as well from Chinese reviews of hotels, books and laptops.
# Only the cutting into words differs, and `segment` does it (lesson 01). `train_glove` counts, and makes $J$ small.

# %% tags=["nbval-ignore-output"]
from llmrec_lab.word_vectors import train_glove

reviews_zh = load_reviews("zh")["text"].sample(9000, random_state=0).tolist()
vectors_zh = train_glove([segment(text) for text in reviews_zh], min_count=40, config=GloVeConfig(steps=50))
meanings = {"房间": "room", "屏幕": "screen", "作者": "author", "早餐": "breakfast"}
for word, meaning in meanings.items():
    print(f"{word} ({meaning}) →", " ".join(near for near, _ in vectors_zh.neighbors(word, k=6)))

# %% [markdown]
# Look for 设施 *facilities* and 干净 *clean* beside the room, 键盘 *keyboard* beside the screen, 读者 *reader* beside the
# author, 餐厅 *restaurant* and 自助 *buffet* beside breakfast. Again, claimed on words chosen before looking: *room*,
# *breakfast*, *front desk*, *bathroom* against *screen*, *keyboard*, *battery*, *memory*.

# %%
hotel, laptop = (
    unit_rows(np.array([vectors_zh[word] for word in group]))
    for group in (["房间", "早餐", "前台", "卫生间"], ["屏幕", "键盘", "电池", "内存"])
)
across = (hotel @ laptop.T).mean()
claim("words of hotels are closer to each other than to words of laptops", anisotropy(hotel) > across + 0.2)
claim("and so are words of laptops", anisotropy(laptop) > across + 0.2)

# %% [markdown]
# ## 4. Attention: whom to listen to
#
# A word has many neighbors, and a person many past purchases. Which of them matter now? **Attention** answers with
# weights. A **query** $q$ asks, every item offers a **key** $k$ of $d$ numbers to be compared with, and a **value** to be
# taken along:
#
# $$\text{attention}(q) = \sum_i a_i\, \text{value}_i, \qquad
# a_i = \frac{\exp(q \cdot k_i / \sqrt d)}{\sum_j \exp(q \cdot k_j / \sqrt d)}$$
#
# The weights $a$ are a softmax. By hand, with four keys of two numbers each:

# %%
query = np.array([1.0, 2.0])
keys = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.5]])
values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 5.0], [0.0, 9.0]])
scores = keys @ query / np.sqrt(2)  # (4)
weights = np.exp(scores) / np.exp(scores).sum()
print("weights", weights.round(3), "sum", weights.sum().round(6))
print("attention", (weights @ values).round(3))

# %% [markdown]
# The third key fits best and gets the largest weight, and all others get some. This is **soft attention**: a weighted
# mean. Does the library agree?

# %%
from llmrec_lab.pooling import attention_weights, hard_attention, soft_attention

soft = soft_attention(query, keys, values)
claim("by hand and by the library soft attention is the same", np.allclose(soft, weights @ values))

# %% [markdown]
# > **Check the article: hard attention.** It gives $\sum_i \text{softmax}(\text{score}_i)\, V_i$ for *hard* attention.
#
# That is soft attention, once more. **Hard attention** takes one value and drops the others:

# %%
hard = hard_attention(query, keys, values)
print("soft", soft.round(3), " hard", hard)
claim("the article's formula for hard attention gives soft attention", np.allclose(weights @ values, soft))
is_a_value = [np.isclose(values, result).all(axis=1).any() for result in (hard, soft)]
claim("hard attention is not softmax: it is one of the values, and soft is none", is_a_value == [True, False])

# %% [markdown]
# Why do language models use soft attention? Because it can be learned. Move the second key a little. Soft attention moves
# a little with it; hard attention stays where it is, until some day it jumps:

# %%
moved = keys + [[0, 0], [0, 0.01], [0, 0], [0, 0]]
ways = (soft_attention, hard_attention)
moves = [np.abs(attend(query, moved, values) - attend(query, keys, values)).max() for attend in ways]
print(f"soft moves by {moves[0]:.4f}, hard by {moves[1]:.4f}")
claim(
    "a key that moves a little moves soft attention a little, and hard attention not at all",
    0 < moves[0] < 0.1 and moves[1] == 0,
)

# %% [markdown]
# Learning needs to know in which direction to move. "Not at all" teaches nothing. (There are ways to train a hard choice:
# draw at random and reward what worked, or the *Gumbel softmax* of lesson 11.)
#
# **Why the root?** Draw queries and keys at random, each entry with variance 1. How large do the dot products get?

# %%
variances = {}
for d in (16, 64, 256, 1024):
    q, k = rng.normal(size=(2, 4000, d))
    variances[d] = ((q * k).sum(axis=1).var(), ((q * k).sum(axis=1) / np.sqrt(d)).var())
pd.DataFrame(variances, index=["variance of q·k", "of q·k / √d"]).T.round(1).rename_axis("d")

# %%
plain, scaled = np.array(list(variances.values())).T
claim("without the root the variance is d, within 10%", np.abs(plain / list(variances) - 1).max() < 0.1)
claim("divided by the root of d it stays at 1", np.abs(scaled - 1).max() < 0.1)

# %% [markdown]
# And large scores make a softmax forget all keys but one, so that soft attention becomes hard, with hardly any gradient.
# How much weight does the best of eight keys get?

# %%
from scipy.special import softmax

q, k = rng.normal(size=(500, 1, 1024)), rng.normal(size=(500, 8, 1024))
dots = (q * k).sum(axis=2)  # (500, 8)
shares = {}
for name, x in (("q·k", dots), ("q·k / √d", dots / np.sqrt(1024))):
    shares[name] = softmax(x, axis=1).max(axis=1).mean()
print({name: f"{share:.0%}" for name, share in shares.items()})
claim("without the root one key takes nearly everything", shares["q·k"] > 0.9)
claim("with it no key does", shares["q·k / √d"] < 0.5)

# %% [markdown]
# > **Check the article: the root in another place.** It scores a pair of user $u$ and item $v$ by a small network of a few
# > layers (MLP), $\text{MLP}([u; v]) / \sqrt d$.
#
# The output of a network is no dot product of $d$ terms. What does the root do to a ranking there?

# %%
from torch import nn

torch.manual_seed(0)
network = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1))
with torch.no_grad():
    outputs = network(torch.tensor(rng.normal(size=(50, 32)), dtype=torch.float32))[:, 0].numpy()
rankings = [np.argsort(-scores, kind="stable").tolist() for scores in (outputs, outputs / np.sqrt(16))]
claim("dividing all scores by the root of d leaves the ranking as it was", rankings[0] == rankings[1])

# %% [markdown]
# Nothing: it is a constant. Leave it out there.
#
# ### Ten things on a shelf
#
# The articles end in an example with ten items. Here is one that runs. A shop has ten things, and somebody has bought
# three. We embed all by the mean of the word vectors of section 2:

# %%
shelf = ["dark roast coffee", "green tea bags", "dry dog food", "cat treats", "chocolate chip cookies"]
shelf += ["extra virgin olive oil", "hot pepper sauce", "crunchy peanut butter"]
shelf += ["organic raw honey", "gluten free pasta"]
bought = ["espresso coffee pods", "puppy biscuits", "milk chocolate bar"]
item_vectors = unit_rows(np.array([vectors.mean(segment(name)) for name in shelf]))  # (10, 50)
history = unit_rows(np.array([vectors.mean(segment(name)) for name in bought]))  # (3, 50)

# %% [markdown]
# For each item on the shelf, which purchase should speak about it? The item is the query, the purchases are keys and
# values. Vectors of length 1 have small dot products, so we multiply them by 10 to make the choice sharper:

# %% tags=["nbval-ignore-output"]
attention = np.array([attention_weights(10 * item, 10 * history) for item in item_vectors])  # (10, 3)
pd.DataFrame(attention.round(2), index=shelf, columns=bought)

# %%
listens = {name: bought[attention[i].argmax()] for i, name in enumerate(shelf)}
claim("the coffee listens to the espresso", listens["dark roast coffee"] == "espresso coffee pods")
claim("the dog food listens to the biscuits for puppies", listens["dry dog food"] == "puppy biscuits")
claim("the cookies listen to the chocolate", listens["chocolate chip cookies"] == "milk chocolate bar")

# %% [markdown]
# The weights of an item always sum to 1: where no purchase fits, one is listened to all the same.
#
# Now a list. The vector of the person *as seen from an item* is that item's attention over the purchases, and the score
# is its cosine with the item. This is **target attention**; lesson 08 trains it.

# %% tags=["nbval-ignore-output"]
people = attention @ history  # (10, 50): one view of the person for each item
order = np.argsort(-cosine(people, item_vectors), kind="stable")
print([shelf[i] for i in order[:5]])

# %% [markdown]
# Do the first three serve three interests, or one interest three times?

# %%
claim("the first three items listen to three purchases", len({attention[i].argmax() for i in order[:3]}) == 3)

# %% [markdown]
# Three. The article makes its list from the attention weights themselves: softmax of profile times item, largest first.
# Is anything gained over plain dot products?

# %%
profile = history.mean(axis=0)  # (50)
by_weight = np.argsort(-attention_weights(profile, item_vectors), kind="stable")
by_product = np.argsort(-(item_vectors @ profile), kind="stable")
claim("by attention weights or by dot products, the list is the same", (by_weight == by_product).all())

# %% [markdown]
# No: softmax changes the numbers and never the order. Attention earns its place where values are *mixed*.
#
# ## 5. One word, several meanings
#
# word2vec and GloVe have one vector per word. But a *star* shines, and a *star* acts. BERT gives every token a vector
# that depends on all tokens around it (lesson 01: a contextual vector). It is a stack of soft attention: in each layer
# every token is a query, and all tokens are keys and values. Such a network is a transformer.
#
# Which vectors does MiniLM, a BERT of six layers, have for *star* in four sentences? (`BertModel` gives the vector of each
# token; `encode` gives one for the whole text.)

# %% tags=["nbval-ignore-output"]
from transformers import BertModel
from transformers.utils.logging import disable_progress_bar

from llmrec_lab.encoder import load_encoder
from llmrec_lab.model_files import model_folder

disable_progress_bar()
encoder = load_encoder("minilm")
bert = BertModel.from_pretrained(model_folder("minilm")[0]).eval()

# %%
texts = ["the star of the film won an oscar", "a star is born in hollywood"]
texts += ["the star explodes far away in space", "a star and its planets"]


def token_vector(text, word):
    encoded = encoder.tokenizer.encode(text)
    with torch.inference_mode():
        tokens = bert(torch.tensor([encoded.ids])).last_hidden_state[0]  # (t, 384)
    return tokens[encoded.tokens.index(word)].numpy()


stars = np.array([token_vector(text, "star") for text in texts])  # (4, 384)
pd.DataFrame(cosine(stars[:, None], stars[None]).round(2), index=texts, columns=["1", "2", "3", "4"])

# %%
same = [cosine(stars[0], stars[1]), cosine(stars[2], stars[3])]
across = cosine(stars[:2, None], stars[None, 2:])
claim("the same word has four different vectors", len(np.unique(stars.round(3), axis=0)) == 4)
claim("two stars of one kind are closer than any two of different kinds", min(same) > across.max())

# %% [markdown]
# > **Check the article: what is inside.** "Language models usually use an RNN, LSTM or GRU", it says.
#
# An **RNN** reads a text word by word and keeps a summary; LSTM and GRU are kinds of it. Before 2018 this was true.
# Look at the names of the weights of the models in this course:

# %%
from safetensors import safe_open

for name in ("minilm", "e5"):
    with safe_open(model_folder(name)[0] / "model.safetensors", "np") as file:
        names = set(file.keys())
    attends = any("attention" in weight for weight in names)
    recurs = any(kind in weight.lower() for weight in names for kind in ("rnn", "lstm", "gru"))
    claim(f"{name} has attention and nothing recurrent", attends and not recurs)

# %% [markdown]
# GPT and its kin are transformers too; lesson 09 works with one. BERT reads the whole text and fills gaps; GPT reads from
# the left and continues.
#
# ## 6. From tokens to a text
#
# A text has many tokens, and to compare texts we want one vector each. To make one of many is called pooling. Three
# ways are common: the mean of all tokens; the vector of the first token, `[CLS]`; and the **pooler**, a small layer on
# top of `[CLS]` that BERT was trained with. First the library's encoder: what does it do?

# %%
from llmrec_lab.pooling import cls_pool, mean_pool, pooler_pool


def tokens_of(texts):
    encoder.tokenizer.enable_padding()
    rows = encoder.tokenizer.encode_batch(texts)
    encoder.tokenizer.no_padding()
    ids, mask = (torch.tensor([getattr(row, name) for row in rows]) for name in ("ids", "attention_mask"))
    with torch.inference_mode():
        return bert(ids, attention_mask=mask).last_hidden_state.numpy(), mask.numpy()


tokens, mask = tokens_of(texts)  # (4, t, 384), (4, t)
gap = np.abs(unit_rows(mean_pool(tokens, mask)) - encoder.encode(texts)).max()
claim("the library's encoder is the mean over the tokens that are not padding, with length 1", gap < 1e-5)

# %% [markdown]
# Which pooling knows best what a text is about? We need a test without opinions. Take the first 40 words of each of the 300
# reviews that were kept out, and cut them into two halves. A good encoder, given a first half, finds *its* second half
# among all 300.

# %%
halves = [[" ".join(text.split()[start : start + 20]) for text in test] for start in (0, 20)]


def reciprocal_ranks(first, second):
    scores = unit_rows(first) @ unit_rows(second).T  # (300, 300)
    own = np.diag(scores)[:, None]
    return 1 / (1 + (scores > own).sum(axis=1))  # 1 if its own half comes first, 1/2 if second, ...


# %% [markdown]
# The mean of these is the **MRR**, the mean reciprocal rank. 1 would be perfect. And guessing, where the own half comes
# first as often as last?

# %%
print(f"{np.mean(1 / np.arange(1, 301)):.3f}")

# %% [markdown]
# First two ways without a language model: the mean of the word vectors, and **TF-IDF**, which counts the words that two
# texts share, rare ones more.

# %% tags=["nbval-ignore-output"]
from sklearn.feature_extraction.text import TfidfVectorizer

from llmrec_lab.metrics import bootstrap_interval, paired_interval

means = [np.array([vectors.mean(segment(text)) for text in half]) for half in halves]
ranks = {"word2vec, mean": reciprocal_ranks(*means)}
tfidf = TfidfVectorizer().fit(train)
ranks["TF-IDF"] = reciprocal_ranks(*(tfidf.transform(half).toarray() for half in halves))
for name, values in ranks.items():
    print(f"{name}: {bootstrap_interval(values)}")

# %% [markdown]
# The number in front is the MRR; in brackets is its **95% interval**: how far it would move with other reviews of the
# same kind. Now MiniLM, with its three ways of pooling:

# %% tags=["nbval-ignore-output"]
dense = bert.pooler.dense
pooled = {"CLS": [], "mean": [], "pooler": []}
for half in halves:
    batches = [tokens_of(half[start : start + 50]) for start in range(0, 300, 50)]
    pooled["CLS"].append(np.concatenate([cls_pool(tokens) for tokens, _ in batches]))
    pooled["mean"].append(np.concatenate([mean_pool(tokens, mask) for tokens, mask in batches]))
    weight, bias = dense.weight.detach().numpy(), dense.bias.detach().numpy()
    pooled["pooler"].append(np.concatenate([pooler_pool(tokens, weight, bias) for tokens, _ in batches]))
ranks |= {f"MiniLM, {name}": reciprocal_ranks(*both) for name, both in pooled.items()}
for name in pooled:
    print(f"MiniLM, {name}: {bootstrap_interval(ranks[f'MiniLM, {name}'])}")

# %% [markdown]
# Is the mean really ahead, or lucky with these 300? The interval of the *difference*, review by review, says so:

# %%
for other in ("MiniLM, CLS", "MiniLM, pooler", "TF-IDF"):
    gain = paired_interval(ranks["MiniLM, mean"], ranks[other])
    claim(f"MiniLM with the mean beats {other} beyond the interval", gain.low > 0)
gain = paired_interval(ranks["word2vec, mean"], ranks["TF-IDF"])
claim("the mean of word2vec vectors loses to TF-IDF, beyond the interval", gain.high < 0)

# %% [markdown]
# Two lessons. MiniLM was trained with the mean, so use the mean: a model's pooling belongs to the model. And a mean of
# word vectors loses to counting shared words: word vectors blur *espresso* into *coffee*, which helps when nothing
# matches exactly, and hurts when the rare word itself is the clue. New is not always better.
#
# ## 7. When all vectors point the same way
#
# Take films at random. How similar are two of them, on average, to our two encoders?

# %% tags=["nbval-ignore-output"]
from llmrec_lab import load_films

catalog = load_films().catalog
e5 = load_encoder("e5")
film_vectors = {model.name: model.encode_cached(list(catalog.texts)) for model in (encoder, e5)}

# %%
crowding = {name: round(float(anisotropy(vectors)), 2) for name, vectors in film_vectors.items()}
print("mean cosine of two films:", crowding)
claim("to e5 two films at random look alike, more than to MiniLM", crowding["e5"] > 0.7 > crowding["minilm"])

# %% [markdown]
# A set of vectors that crowd around one direction is called **anisotropic**. To e5, 0.8 is a small cosine, to MiniLM a
# large one: cosines of two models must never be compared.
#
# **Whitening** spreads vectors evenly: subtract the mean, keep the directions in which the vectors differ most (here 64),
# and divide each by its spread. Afterwards every direction has variance 1. By hand, then by the library:

# %%
from llmrec_lab.whitening import fit_whitening

X = film_vectors["e5"].astype(float)
X = X - X.mean(axis=0)
variance, axes = np.linalg.eigh(X.T @ X / len(X))  # directions at right angles, smallest variance first
by_hand = X @ axes[:, -64:] / np.sqrt(variance[-64:])  # (3496, 64)
white = fit_whitening(film_vectors["e5"], k=64)(film_vectors["e5"])
products = [some @ some.T for some in (by_hand[:50], white[:50])]  # the same, even if axes are turned around
claim("by hand and by the library the dot products are the same", np.allclose(*products, atol=1e-3))
claim("every direction has variance 1 now", np.allclose(white.var(axis=0), 1))
claim("and the crowding is gone", abs(anisotropy(white)) < 0.01 < crowding["e5"])

# %% [markdown]
# Are the neighbors better now? Among the first 800 films we look at the ten nearest of each and ask how much of their
# genres they share: those in common, divided by those in either.

# %%
sets = [set(genres) for genres in catalog.facets["genre"][:800]]


def shared_genres(vectors):
    units = unit_rows(vectors[:800])
    scores = units @ units.T
    np.fill_diagonal(scores, -np.inf)  # a film is no neighbor of itself
    nearest = np.argsort(-scores, axis=1, kind="stable")[:, :10]  # (800, 10)
    shares = [[len(own & sets[j]) / len(own | sets[j]) for j in row] for own, row in zip(sets, nearest)]
    return np.mean(shares, axis=1)  # (800)


# %% tags=["nbval-ignore-output"]
plain, centered, whitened = map(shared_genres, (film_vectors["e5"], X, white))
for name, values in {"as they are": plain, "mean subtracted": centered, "whitened": whitened}.items():
    print(f"{name}: {bootstrap_interval(values)}")

# %%
claim("subtracting the mean helps a little, beyond the interval", paired_interval(centered, plain).low > 0)
claim("whitening makes neighbors worse, beyond the interval", paired_interval(whitened, plain).high < 0)

# %% [markdown]
# Whitening is recommended for models that were only pre-trained. e5 was trained to compare texts. A likely reason for
# the loss: its large directions carry what matters, and whitening shrinks them to the size of the small ones. Crowding
# by itself is no fault, because ranking looks only at differences. Measure before you mend.
#
# ### Two languages in one space
#
# Where the mean does matter: here are twelve wishes in Chinese and their translations.

# %%
translations = {
    "我想看太空探险的科幻电影": "a science fiction film about space travel",
    "一部关于二战的电影": "a film about the second world war",
    "适合孩子的动画片": "an animated film for children",
    "希区柯克的悬疑片": "a thriller by hitchcock",
    "浪漫的爱情喜剧": "a romantic comedy",
    "美国西部片": "an american western",
    "一部音乐剧": "a musical",
    "关于足球的纪录片": "a documentary about football",
    "恐怖的鬼故事": "a scary ghost story",
    "日本武士电影": "a japanese samurai film",
    "监狱越狱的故事": "a story of a prison escape",
    "一家餐厅的厨师": "the chef of a restaurant",
}
zh, en = list(translations), list(translations.values())

# %% [markdown]
# For each Chinese wish, which English one is nearest? MiniLM, which has few Chinese characters in its vocabulary, and e5:

# %%
found = {}
for name, model in (("minilm", encoder), ("e5", e5)):
    cosines = model.encode(zh) @ model.encode(en).T  # (12, 12)
    found[name] = (cosines.argmax(axis=1) == np.arange(12)).sum()
    print(f"{name} finds {found[name]} of 12 translations")
claim("e5 finds more translations than MiniLM", found["e5"] > found["minilm"])

# %% [markdown]
# Now a harder question, that of a shop with items in both languages. Among *all* other 23 wishes, is the nearest one the
# translation?


# %%
def nearest_of_others(zh_vectors, en_vectors):
    units = unit_rows(np.concatenate([zh_vectors, en_vectors]))  # (24, d), Chinese first
    scores = units @ units.T
    np.fill_diagonal(scores, -np.inf)
    return scores.argmax(axis=1)  # (24)


a, b = e5.encode(zh), e5.encode(en)
both = np.concatenate([a, b]).mean(axis=0)
nearest = {
    "as they are": nearest_of_others(a, b),
    "without the mean of all": nearest_of_others(a - both, b - both),
    "without each language's own mean": nearest_of_others(a - a.mean(axis=0), b - b.mean(axis=0)),
}
translation = (np.arange(24) + 12) % 24
found = {name: int((rows == translation).sum()) for name, rows in nearest.items()}
print(*(f"{n:2} of 24 translations found {name}" for name, n in found.items()), sep="\n")
stay = (nearest["as they are"][:12] < 12).sum()
print(f"as they are, {stay} of 12 Chinese wishes are nearest to a Chinese one")

# %%
claim(
    "without each language's own mean more translations are found than in either other way",
    found["without each language's own mean"] > max(found["as they are"], found["without the mean of all"]),
)

# %% [markdown]
# As they are, nearly every Chinese wish is nearest to some other Chinese wish: a part of each vector says which language
# it is. Take it away, and what is left is the meaning. The recommender of lesson 00 does this with a few neutral sentences.
# Here the means come from the twelve wishes themselves, which is a little unfair; exercise 02.5 is about that.
#
# ## 8. Pre-train a BERT
#
# Where does a BERT get its weights? From a game that needs no labels: hide some words of a text, and let the network
# guess them. This is masked language modeling, and training on it is called pre-training, because what one wants the
# model for comes later.
#
# Texts are cut into blocks of a few tokens. Some tokens are asked about; of these, 80% are replaced by `[MASK]`, 10% by any
# other token, 10% stay. Let us see it on Chinese, where a character is a token:

# %%
from llmrec_lab.masked_lm import TinyBertConfig, blocks, mask_tokens, train_tokenizer

config = TinyBertConfig()
train_zh, test_zh = reviews_zh[1000:], reviews_zh[:1000]
tokenizer = train_tokenizer(train_zh, config.vocabulary)
sentence = "这家酒店的房间很大也很干净，早餐很好。"
ids = blocks([sentence], tokenizer, config.length)  # (2, 8)
read, asked = mask_tokens(ids, config.vocabulary, torch.Generator().manual_seed(26), config.share)
for row, question in zip(read.tolist(), asked.tolist()):
    print(" ".join(tokenizer.id_to_token(i) + ("?" if q else "") for i, q in zip(row, question)))

# %% [markdown]
# The sentence says that the rooms of this hotel are large and clean, and breakfast is good. A `?` marks what is asked
# about: three characters are masked, 撕 has taken the place of 间, and 很 stays. Why not hide all of it? Later the model
# will read texts without any `[MASK]`; so it must not learn that only masks need a good vector. (BERT asks about 15% of the
# tokens; ours about 30%, since its training is short.) Are the shares right?

# %%
many = torch.full((500, 400), 100)
read, asked = mask_tokens(many, config.vocabulary, torch.Generator().manual_seed(0), config.share)
masked, kept = ((read == wanted)[asked].float().mean().item() for wanted in (4, 100))  # 4 is [MASK]
print(f"asked about {asked.float().mean():.2f}")
print(f"of these masked {masked:.2f}, kept {kept:.2f}, another {1 - masked - kept:.2f}")
claim("80% are masked, 10% kept, 10% another, within 1%", max(abs(masked - 0.8), abs(kept - 0.1)) < 0.01)

# %% [markdown]
# The loss is the **cross-entropy**: minus the logarithm of the probability that the network gives to the true token. What
# counts is the loss on text it has never seen, and there all tokens asked about are hidden: one in plain sight is merely
# copied. And what would somebody reach who looks at no neighbor at all, and guesses each token as often as it occurs? That
# is the line to beat.

# %%
from llmrec_lab.masked_lm import frequency_losses, held_out_losses, pretrain

train_blocks = blocks(train_zh, tokenizer, config.length)  # (n, 8)
test_blocks = blocks(test_zh, tokenizer, config.length)[:2000]
by_frequency = frequency_losses(train_blocks, test_blocks, config.vocabulary).numpy()
print(f"{len(train_blocks):,} blocks of {config.length} tokens to learn from")
print(f"guessing by frequency has a loss of {by_frequency.mean():.2f} nats")

# %% [markdown]
# (A *nat* is the unit of logarithms to base e.) Now train: one layer of attention, vectors of 96 numbers, 400 steps.
# This is the longest wait of the lesson:

# %% tags=["nbval-ignore-output"]
curve = []


def watch(step, model):
    if step % 50 == 0:
        curve.append((step, held_out_losses(model, test_blocks).mean().item()))


tiny = pretrain(train_blocks, config, seed=0, watch=watch)
print(" → ".join(f"{loss:.2f}" for _, loss in curve))

# %% tags=["nbval-ignore-output"]
from llmrec_lab.plots import new_axes, picture

ax = new_axes(height=3.2)
ax.plot(*zip(*curve), marker="o", label="tiny BERT")
ax.axhline(by_frequency.mean(), linestyle="--", color="black", label="guessing by frequency")
ax.set_xlabel("training step")
ax.set_ylabel("held-out loss (nats per hidden token)")
ax.legend()
first, last, base = curve[0][1], curve[-1][1], by_frequency.mean()
words = f"The held-out loss of the tiny BERT falls from {first:.2f} to {last:.2f} nats in 400 steps"
picture(ax, f"{words}; guessing by frequency stays at {base:.2f}.")

# %% [markdown]
# The curve lies flat at first, near the line: the network guesses frequent characters. Then it discovers that neighbors
# help, and falls. Is the fall real? (This is one run; another seed gives another curve of the same kind.)

# %%
trained = held_out_losses(tiny, test_blocks).numpy()
fall = paired_interval(by_frequency, trained)
claim("the loss on held-out text falls during the training", curve[-1][1] < curve[0][1] - 0.1)
claim("the tiny BERT beats guessing by frequency, beyond the interval", fall.low > 0)

# %% [markdown]
# What does it guess? The hidden characters are the second of 酒店 *hotel*, of 房间 *room*, and of 没有 *there is no*:

# %% tags=["nbval-ignore-output"]
from llmrec_lab.masked_lm import guesses

for text in ("这家酒[MASK]不错", "房[MASK]很大", "没[MASK]早餐"):
    print(text, "→", guesses(tiny, tokenizer, text, k=4))

# %%
first = dict(guesses(tiny, tokenizer, "这家酒[MASK]不错", k=3))
claim("hidden in 酒店, 店 is among the first three guesses", "店" in first)

# %% [markdown]
# It has learned which characters stand together. Is it a good encoder of texts? The test of section 6 once more, on two
# times eight characters of held-out Chinese reviews; beside it e5, and a network of the same shape with random weights.

# %% tags=["nbval-ignore-output"]
from llmrec_lab.masked_lm import text_vectors, tiny_bert

halves_zh = [[text[start : start + 8] for text in test_zh if len(text) >= 40][:300] for start in (0, 8)]
ranks_zh = {}
for name, model in (("random weights", tiny_bert(config)), ("tiny BERT", tiny)):
    ranks_zh[name] = reciprocal_ranks(*(text_vectors(model, tokenizer, half).numpy() for half in halves_zh))
ranks_zh["e5"] = reciprocal_ranks(*(e5.encode(half) for half in halves_zh))
for name, values in ranks_zh.items():
    print(f"{name}: {bootstrap_interval(values)}")

# %%
gain = paired_interval(ranks_zh["e5"], ranks_zh["tiny BERT"])
claim("e5 beats the tiny BERT, beyond the interval", gain.low > 0)

# %% [markdown]
# It is not: a short training on a few thousand reviews makes no encoder of texts. e5 has seen far more text, and then
# pairs of texts that belong together. That second step, after pre-training, is what makes an encoder; lesson 06 takes it.
#
# Is the tiny BERT at least better here than random weights? If the interval of the difference includes 0, this test
# cannot tell:

# %% tags=["nbval-ignore-output"]
print("tiny BERT - random weights:", paired_interval(ranks_zh["tiny BERT"], ranks_zh["random weights"]))

# %% [markdown]
# ## 9. Your turn: from hard to soft
#
# Divide the scores by a number before the softmax, and you have a dial: that number is called the **temperature**. Turn
# it. The keys are the three purchases of section 4, and the item that asks is a bag of coffee.

# %% tags=["nbval-ignore-output"]
from llmrec_lab.widgets import attention_dial, attention_table

attention_dial(bought, [3.0, 0.5, 1.5])

# %% [markdown]
# The dial needs a running notebook. Its still twin shows a few of its positions:

# %%
attention_table(bought, [3.0, 0.5, 1.5], [0.1, 0.5, 1.0, 2.0, 100.0])

# %% [markdown]
# Cold is hard attention, hot is a plain mean. The root of *d* is a temperature that fits *d*.
#
# ## What we did
#
# - We learned word vectors from nothing but text: word2vec predicts neighbors, GloVe explains counts, and its J went to 0
#   where it can.
# - We computed soft and hard attention by hand, and saw the variance of dot products grow with *d* without the root.
# - We pooled tokens in three ways, and measured: the mean won with MiniLM, and counting shared words beat word vectors.
# - We whitened vectors, removed the crowding, and made the neighbors worse; subtracting each language's mean did help.
# - We pre-trained a tiny BERT: it beats guessing by frequency on text it has not seen, and it is no match for e5.
#
# ## Exercises
#
# Replace what follows `=` or `return`, and run the cell. For a hint, remove the `#` in the last line; it works like this:

# %%
hint("02.1", level=1)

# %% [markdown]
# **02.1** A query and three keys have four numbers each. Their dot products are 6, 2 and 0. Which attention weight does
# the first key get?

# %% tags=["solution"]
scores, d = np.array([6.0, 2.0, 0.0]), 4
# stub: answer = None  # Write your code here.
answer = np.exp(scores / np.sqrt(d))[0] / np.exp(scores / np.sqrt(d)).sum()
# end solution
check("02.1", answer)
# hint("02.1")

# %% [markdown]
# **02.2** The weight of GloVe: (x / 100) to the power 0.75 for counts below 100, and 1 from there on. One line.


# %% tags=["solution"]
# stub: def weight(x):
# stub:     return None  # Write your code here.
def weight(x):
    return min(x / 100, 1) ** 0.75


# end solution
check("02.2", weight)
# hint("02.2")

# %% [markdown]
# **02.3** The loss of word2vec for one pair. `center` and `neighbor` are vectors (d), `noise` has one row for each random
# word (k, d). numpy has no sigmoid; it is `1 / (1 + np.exp(-x))`.


# %% tags=["solution"]
# stub: def pair_loss(center, neighbor, noise):
# stub:     return None  # Write your code here.
def pair_loss(center, neighbor, noise):
    true, drawn = neighbor @ center, noise @ center
    return np.log(1 + np.exp(-true)) + np.log(1 + np.exp(drawn)).sum()


# end solution
check("02.3", pair_loss)
# hint("02.3")

# %% [markdown]
# **02.4 Find the bug.** A well-known BERT in PyTorch decided like this what happens to a token, and it was
# [reported](https://github.com/codertimo/BERT-pytorch/issues/29) that something is odd. `draw` is a random number between
# 0 and 1, `other` a random token, 4 is `[MASK]`, and -100 means *not asked about* (here in our words):
#
# ```python
# def hide(token, draw, other):
#     if draw >= 0.15:
#         return token, -100
#     if draw < draw * 0.8:
#         return 4, token
#     if draw < draw * 0.9:
#         return other, token
#     return token, token
# ```
#
# It should ask about 15% of the tokens: the 80% of them with the smallest draws masked, the next 10% another token, the
# rest as they are. What does it do? Mend it. The function returns what is read, and the label.


# %% tags=["solution"]
# stub: def hide(token, draw, other):
# stub:     return None  # Write your code here.
def hide(token, draw, other):
    if draw >= 0.15:
        return token, -100
    if draw < 0.15 * 0.8:
        return 4, token
    if draw < 0.15 * 0.9:
        return other, token
    return token, token


# end solution
check("02.4", hide)
# hint("02.4")

# %% [markdown]
# **02.5** In section 7 the mean of a language came from the very wishes that were compared. With a single wish that would
# leave nothing. Take the means from a sample of other texts: `vectors` (n, d) and `sample` (m, d) are arrays, and
# `languages` and `sample_languages` are lists of strings such as "en", one for each row.


# %% tags=["solution"]
# stub: def without_language(vectors, languages, sample, sample_languages):
# stub:     return None  # Write your code here.
def without_language(vectors, languages, sample, sample_languages):
    means = {name: sample[np.array(sample_languages) == name].mean(axis=0) for name in set(sample_languages)}
    return vectors - np.array([means[name] for name in languages])


# end solution
check("02.5", without_language)
# hint("02.5")

# %% [markdown]
# **02.6 A small design.** Score an item (d) for a person with a history (n, d) so that: the order of the purchases does
# not matter; with one purchase the score is its cosine with the item; and one purchase that fits is heard among many
# that do not. Use soft attention: the item asks, the purchases are keys and values, what comes out is compared by
# cosine.


# %% tags=["solution"]
# stub: def target_attention(item, history):
# stub:     return None  # Write your code here.
def target_attention(item, history):
    scores = history @ item / np.sqrt(len(item))
    weights = np.exp(scores - scores.max())
    person = weights @ history  # its length does not matter: the cosine divides it away
    return person @ item / (np.linalg.norm(person) * np.linalg.norm(item))


# end solution
check("02.6", target_attention)
# hint("02.6")

# %% [markdown]
# ## Quiz
#
# Click an option to open it; each says why it is right or wrong.

# %%
quiz("02")

# %% [markdown]
# ## Further reading
#
# - Mikolov and others, *Distributed Representations of Words and Phrases and their Compositionality*, 2013,
#   [arXiv 1310.4546](https://arxiv.org/abs/1310.4546): word2vec with negative sampling.
# - Pennington, Socher and Manning, *GloVe: Global Vectors for Word Representation*, 2014,
#   [doi 10.3115/v1/D14-1162](https://doi.org/10.3115/v1/D14-1162).
# - Vaswani and others, *Attention Is All You Need*, 2017, [arXiv 1706.03762](https://arxiv.org/abs/1706.03762).
# - Devlin and others, *BERT*, 2019, [arXiv 1810.04805](https://arxiv.org/abs/1810.04805): masked language modeling.
# - Reimers and Gurevych, *Sentence-BERT*, 2019, [arXiv 1908.10084](https://arxiv.org/abs/1908.10084): pooling, and training
#   for comparison.
# - Ethayarajh, *How Contextual are Contextualized Word Representations?*, 2019,
#   [arXiv 1909.00512](https://arxiv.org/abs/1909.00512): anisotropy, measured.
# - Su and others, *Whitening Sentence Representations for Better Semantics and Faster Retrieval*, 2021,
#   [arXiv 2103.15316](https://arxiv.org/abs/2103.15316): where whitening helps.
# - Wang and others, *Multilingual E5 Text Embeddings*, 2024, [arXiv 2402.05672](https://arxiv.org/abs/2402.05672): the
#   second encoder of this course.
#
# **Next:** lesson 03 takes one sentence apart into several wishes.
