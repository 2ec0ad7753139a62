# %% [markdown]
# # Lesson 06 · Fine-tuning BERT
#
# MiniLM has read a large part of the web. It has never seen what people watch one after the other. In this lesson it
# learns that: on a laptop, in less than a minute of training, and on a GPU by the same lines. Then we measure what it was
# worth, on films that people met next and on films that nobody had met.
#
# ## Where we are
#
# ```
# text ──tokenize─▶ tokens ──ENCODE─▶ vectors ──decompose─▶ interests
#                              ▲                                │
#                              │                             combine
#                           TRAIN                               ▼
#                              │          scores ◀─score───── query
#                              │             │                  ▲
#     what people met ─────────┘             └─rank─▶ ... ──────┘
# ```
#
# Up to now the encoder was **frozen**: its weights were those that we loaded. Everything else learned from people, the
# encoder did not.
#
# ## What you will be able to do
#
# - write one step of training by hand, and say what it does to 22 million weights;
# - tell a label from a token id, and find other bugs that no error message reports;
# - write the loss of a bi-encoder and of a cross-encoder, and AdamW;
# - say beforehand how much memory a training takes, and make it smaller;
# - train, choose by validation, report once, with intervals; save, be interrupted, go on;
# - read a program that uses `Trainer`, and see what of it is out of date.
#
# **Time:** 60 minutes. **Hardware:** any laptop with two cores; a GPU is used when there is one. No network once the files
# are there. **You need:** lessons 01, 02 and 05.
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

# %% [markdown]
# First, do you remember? Three questions on the lessons before.

# %%
recap("06")

# %% [markdown]
# ## 1. What a frozen encoder cannot know
#
# The catalog, the histories, and the encoder. The text of a film is short here, because training reads it many times: its
# name, its genres, its year.

# %%
from llmrec_lab import load_encoder, load_films
from llmrec_lab.text_only import short_texts

films = load_films()
catalog = films.catalog
histories = films.interactions.histories(catalog)
encoder = load_encoder("minilm")
texts = short_texts(catalog)
seven = list(catalog.titles).index("Seven (a.k.a. Se7en) (1995)")
print(texts[seven])

# %% [markdown]
# Which films are near to *Seven*, by text? All vectors with their mean taken off, as in lesson 04:

# %%
from llmrec_lab.interests import unit_rows


def centered(vectors):
    return unit_rows(vectors - vectors.mean(axis=0))


plain = encoder.encode(texts)  # (3496, 384)
frozen = centered(plain)


def near(vectors, film, k=5):
    return list(catalog.titles[np.argsort(-(vectors @ vectors[film]), kind="stable")[1 : k + 1]])


print(*near(frozen, seven), sep="\n")

# %% [markdown]
# It reads a number. And which films were met by the same people?

# %%
met = histories.matrix().toarray() > 0  # (671, 3496)
who = unit_rows(met.T.astype(np.float32))  # (3496, 671) a row per film: who met it
print(*near(who, seven), sep="\n")

# %% [markdown]
# Films that many people met in those years, and several of them dark. Some of that is in the text, too. But nobody has told
# the encoder that for people who choose films this matters more than a word of the title. **Fine-tuning** goes on training
# a model that was trained on something general, on a task of ours (lesson 01 met the word; this lesson does it).
#
# How good is the frozen text? As in lesson 05 we hide what people met last. The model is told of a person by the mean of
# the last few films' vectors, and each target gets a rank. How many films to look back, is chosen on
# validation targets: here those of the event
# before the last three, which are kept for the test.

# %%
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.metrics import hits_from_ranks, ndcg, paired_interval, target_rank
from llmrec_lab.ranking import id_order
from llmrec_lab.windows import RecentText

order = id_order(catalog.item_ids)
splits = {back: leave_last_out(histories, back) for back in range(4)}
TEST, VALIDATION = (0, 1, 2), (3,)


def ndcg_at_10(model, backs):
    """(671, t) the NDCG@10 of every person's targets."""
    found = np.full((len(histories), len(backs)), np.nan)
    for column, back in enumerate(backs):
        split = splits[back]
        asked = split.train.of_users(split.train.user_ids[split.rows])
        scores = model.fit(split.train).scores(asked).astype(float)
        ranks = target_rank(scores, split.targets, split.seen(), order)
        found[split.rows, column] = ndcg(hits_from_ranks(ranks, 10))
    return found


by_last = {last: np.nanmean(ndcg_at_10(RecentText(frozen, last), VALIDATION)) for last in (1, 2, 3, 5, 10)}
best_last = max(by_last, key=by_last.get)
pd.Series(by_last, name="validation NDCG@10").rename_axis("films looked back").round(3)

# %% [markdown]
# ## 2. One step, by hand
#
# Training is one small step, many times. Here it is on the tiny world. Chen has met *Alien* and *Blade Runner*, and meets
# *My Neighbor Totoro* next. The five vectors are what may be changed, for now:

# %%
from llmrec_lab.datasets.tiny import tiny_world

world, log = tiny_world()
items = torch.from_numpy(centered(encoder.encode(list(world.texts)))).double()  # (5, 384)
chen = torch.nn.functional.normalize(items[[0, 1]].mean(axis=0), dim=0)  # (384)

# %% [markdown]
# Scores, a softmax, and the loss: minus the logarithm of the share that the target gets (the cross-entropy of lesson 02).

# %%
rivals = items[2:]  # (3, 384) what Chen has not met; her next film is the first of them
share = torch.softmax(rivals @ chen / 0.1, dim=0)  # (3)
loss = -torch.log(share[0])
for title, value in zip(world.titles[2:], share):
    print(f"{value:.3f} {title}")
print(f"loss {loss:.3f}")

# %% [markdown]
# In which direction does each vector have to go? The gradient of this loss is simple: *share minus one* for the target,
# the share itself for all others, times Chen's vector. So the target is pulled towards Chen, and each rival is pushed away
# by as much as it was believed in:

# %%
wrong = share - torch.tensor([1, 0, 0])  # (3)
gradient = wrong[:, None] * chen / 0.1  # (3, 384)
stepped = rivals - 0.01 * gradient  # the learning rate: how far
new_loss = -torch.log_softmax(stepped @ chen / 0.1, dim=0)[0]
print(f"loss {loss:.3f} before the step, {new_loss:.3f} after it")
claim("one step makes the loss smaller", bool(new_loss < loss))

# %% [markdown]
# The 0.01 is the **learning rate**. Does torch agree on the gradient? It keeps a record of how the loss was computed, and
# walks it backwards:

# %%
free = rivals.clone().requires_grad_()
torch.nn.functional.cross_entropy((free @ chen / 0.1)[None], torch.tensor([0])).backward()
claim("torch's gradient is ours", torch.allclose(free.grad, gradient))

# %% [markdown]
# Walking backwards is **backpropagation**: the chain rule, from the loss down to the first layer. A vector is not stored
# anywhere; it is what the network makes of a text. So the walk goes on through the network, and it is the *weights* that
# get the gradient. The same loss on the same five texts, and one step for MiniLM:

# %%
from llmrec_lab.bi_encoder import copy_of, token_ids

student = copy_of(encoder)
ids = token_ids(encoder, world.texts)


def loss_of_chen():
    vectors = student.pooled(ids)  # (5, 384), gradients flow
    told = torch.nn.functional.normalize(vectors[:2].mean(axis=0), dim=0)
    return -torch.log_softmax(vectors[2:] @ told / 0.1, dim=0)[0]


before = loss_of_chen()
before.backward()
weights = list(student.bert.parameters())
with torch.no_grad():
    for weight in weights:
        weight -= 1e-4 * weight.grad
print(f"{sum(weight.numel() for weight in weights):,} weights in {len(weights)} tables")
claim("every table got a gradient", all(bool(weight.grad.any()) for weight in weights))
claim("after one step of all of them the loss is smaller", bool(loss_of_chen() < before))

# %% [markdown]
# That is all of it. The rest of this lesson is about which loss, which examples, how far to step, and what it costs.
#
# ## 3. What the labels are
#
# A label is what the model is to say. Here it is *what a person met*, or a rating; something that people did. The articles
# have programs that fine-tune BERT to recommend. We run their decisive lines on a BERT of one layer with random weights,
# and note which error each one ends in:

# %%
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from llmrec_lab.assets import asset_files

disable_progress_bar()
set_verbosity_error()
names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(asset_files("minilm")["tokenizer.json"]), **names)
torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
small = BertConfig(**sizes)
classifier = BertForSequenceClassification(small).eval()  # two labels


def error_of(line):
    """The type of the error that a line ends in; what it returns does not matter."""
    try:
        line()
    except Exception as problem:
        return type(problem).__name__
    return "no error"


# %% [markdown]
# > **Check the article: labels.** A data set of reviews and products keeps, as `product_embedding`, the *token ids of the
# > product's title*. Its training passes them as `labels` to a BERT with two labels; a cross-entropy is expected to make
# > reviews and products fit.

# %%
reviews = ["dark and slow, and I loved it", "too long", "the robots are great", "I cried"]
titles = ["Heat", "Titanic", "The Iron Giant", "Casablanca"]
read = tokenizer(reviews, padding=True, return_tensors="pt")
product_embedding = tokenizer(titles, padding="max_length", max_length=32, return_tensors="pt")["input_ids"]
out = classifier(**read)
found = {
    "labels=product_embedding": error_of(lambda: classifier(**read, labels=product_embedding)),
    "one token id for each review": error_of(lambda: classifier(**read, labels=product_embedding[:, 1])),
    "outputs.labels": error_of(lambda: out.labels),
}
print(*(f"{line}: {error}" for line, error in found.items()), sep="\n")
claim("none of the three lines runs", "no error" not in found.values())

# %% [markdown]
# A token id is a row of the vocabulary: *Heat* is number 3684 because of where it stands in a file. With as many labels as
# tokens the second line would even run, and the network would learn to name the title's first token. The
# title belongs to the *input*, beside the
# review; the label is what the person did. A tokenizer takes two texts and tells them apart by **token types**, 0 and 1:

# %%
pair = tokenizer("too long", "Titanic", return_token_type_ids=True)
print(*tokenizer.convert_ids_to_tokens(pair["input_ids"]))
print(*pair["token_type_ids"])
ratings = torch.tensor([1, 0, 1, 1])  # liked it?
pairs_read = tokenizer(reviews, titles, padding=True, return_token_type_ids=True, return_tensors="pt")
scored = classifier(**pairs_read, labels=ratings)
claim("with the pair as input and what people did as labels, there is a loss", scored.loss is not None)

# %% [markdown]
# > **Check the article: the plain loop.** Another program loads a tokenizer and never calls it: user and item are tables of
# > numbers, given to BERT as `model(user, item)`. Their ids are strings in a batch that is sent `.to(device)`. Every pair
# > has the label 1, and the loss is read from `outputs.loss` although no labels were passed. The result of `evaluate(...)`
# > is not kept.

# %%
from torch.utils.data import default_collate

numbers = torch.rand(4, 8)
found = {
    "model(user, item)": error_of(lambda: classifier(numbers, numbers)),
    "batch['user'].to(device)": error_of(lambda: default_collate([{"user": "u1"}, {"user": "u2"}])["user"].to("cpu")),
    "loss.item()": error_of(lambda: out.loss.item()),
}
print(*(f"{line}: {error}" for line, error in found.items()), sep="\n")
claim("none of these lines runs either", "no error" not in found.values())

# %% [markdown]
# Those are loud. The silent one is the label: all pairs that somebody met, and nothing else. What does a network learn from
# 200 pairs with the label 1, and none with 0?

# %%
torch.manual_seed(0)
scorer = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
optimizer = torch.optim.AdamW(scorer.parameters(), lr=2e-2)
train_pairs, unseen = torch.randn(200, 16), torch.randn(1000, 16)
for _ in range(150):
    optimizer.zero_grad()
    ((scorer(train_pairs) - 1.0) ** 2).mean().backward()
    optimizer.step()
with torch.no_grad():
    print(f"on pairs it has never seen it says {scorer(unseen).mean():.2f}, give or take {scorer(unseen).std():.2f}")
    claim("it says 1 to anything, within a quarter", bool(abs(scorer(unseen).mean() - 1) < 0.25))

# %% [markdown]
# The loss is near 0, and it knows nothing about preference. It needs pairs that were *not* met: negatives, in section 5.
#
# > **Check the article: a feature encoder.** For features it takes `BertForSequenceClassification`, and reads
# > `encoded['hidden_states'][0]`. Elsewhere a `BertModel` is loaded, and the same name is then given to a classifier.

# %%
with torch.inference_mode():
    deep = classifier(**read, output_hidden_states=True)
print("without being asked for:", error_of(lambda: out["hidden_states"][0]))
claim(
    "number 0 is what the embeddings say, before any layer",
    torch.equal(deep["hidden_states"][0], classifier.bert.embeddings(read["input_ids"])),
)
head = sum(weight.numel() for weight in classifier.classifier.parameters())
print(f"weights of its head, drawn at random and not needed: {head}")

# %% [markdown]
# A plain `BertModel` has what is needed: `last_hidden_state`, and its mean over the real tokens, which is what our encoder
# does (lesson 01). And two models under one name cost the memory of two until the first is thrown away.
#
# > **Check the article: accuracy.** The predictions of each batch are put into a list by `append`, and `accuracy_score` is
# > asked about the list.

# %%
from sklearn.metrics import accuracy_score

true = [[1, 0, 1], [1, 1, 0]]  # two batches
predicted = [[1, 0, 1], [1, 1, 1]]  # one of six is wrong
appended = accuracy_score(np.array(true), np.array(predicted))
extended = accuracy_score(np.ravel(true), np.ravel(predicted))
print(f"appended {appended:.3f}, extended {extended:.3f}")
claim("a list of lists is taken for rows, of which one of two is right in full", appended == 1 / 2 and extended == 5 / 6)

# %% [markdown]
# `extend` makes one list of all. Accuracy itself is the wrong question anyway (lesson 05).
#
# ## 4. Users as text
#
# A user has no text. But the titles that she met are text, and `user_texts` puts the latest first. `make_pairs` makes
# examples of histories: for every item that has something before it, the text at that moment, and the item.

# %%
from llmrec_lab.pairs import make_pairs

tiny_histories = log.histories(world)
pairs = make_pairs(tiny_histories, world.titles, last=5)
for text, item in zip(pairs.texts, pairs.items):
    print(f"{text}  →  {world.titles[item]}")

# %% [markdown]
# Text and behavior meet in one model: behavior says *which* texts stand together, and the text says what they have in
# common, also for an item that nobody has met. What a person says goes in front of the titles (`said=`): an interest of
# lesson 03, a search in a shop, a review. With reviews of products it is the same: review and title in, rating out.
#
# ## 5. The loss of a bi-encoder
#
# A **bi-encoder** makes one vector of the user's text and one of the item's, and the score is their cosine. Items can be
# encoded once, before anybody asks; so it is quick enough for a whole catalog. What it is trained with is called
# **in-batch negatives**: three users and what they met make a batch, and everybody's item is a wrong answer for the others.
# The cosines of one batch:

# %%
cosines = np.array([[0.6, 0.5, 0.2], [0.4, 0.7, 0.1], [0.3, 0.2, 0.5]])  # a row per user, a column per item
targets = np.array([0, 1, 2])


def cross_entropy(scores):
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return -np.log(shares[np.arange(3), targets]).mean()


print(f"loss of the plain cosines {cross_entropy(cosines):.3f}, of a blind guess {np.log(3):.3f}")
print(f"loss of cosines / 0.1 {cross_entropy(cosines / 0.1):.3f}")

# %% [markdown]
# All three users rank their item first, and yet the plain loss is near to that of guessing: cosines end at 1, and a softmax
# needs more room. So they are divided by a temperature (lesson 02).
#
# Two more things belong to this loss. First, *several positives*: the first user met item 1 as well, on another day. It is
# no wrong answer for her, so it is left out:

# %%
known = np.array([[True, True, False], [False, True, False], [False, False, True]])  # met at any time
own = np.eye(3, dtype=bool)
masked = np.where(known & ~own, -np.inf, cosines / 0.1)
with_it, without = (np.log(np.exp(scores).sum()) - 6 for scores in ([6, 5, 2], [6, 2]))
print(f"user 0 pays {with_it:.3f} with it, {without:.3f} without")

# %% [markdown]
# Second, **popularity correction**. An item that half of the users met is in nearly every batch, and a wrong answer nearly
# every time: it is pushed away for being popular. Taking the logarithm of how often it comes off its score repays that. In
# one function, ours and the library's:

# %%
from llmrec_lab.bi_encoder import softmax_loss

log_share = np.log([0.7, 0.2, 0.1])  # item 0 is in 7 of 10 batches
by_hand = cross_entropy(masked - log_share)
eye = torch.eye(3, dtype=torch.float64)
library = softmax_loss(
    torch.from_numpy(cosines), eye, torch.from_numpy(targets), torch.from_numpy(known), torch.from_numpy(log_share), 0.1
)
print(f"{by_hand:.4f}")
claim("the library's loss is ours", np.isclose(by_hand, library.item()))

# %% [markdown]
# With the full correction the model learns who likes an item *more than others do*; with none it learns what is popular,
# too. Which is better is a question for validation; here it was none.
#
# ### Hard negatives
#
# Most wrong answers of a batch are easy: a cartoon for somebody who met three thrillers. A **hard negative** is one that a
# model ranks high for a user who has not met it. Mining means to let the frozen encoder rank all items for some users, and
# to draw from its first 50:

# %%
from llmrec_lab.pairs import mine_negatives

some = splits[3].train.of_users(histories.user_ids[:40])
film_pairs = make_pairs(some, catalog.titles, last=5, per_user=1)
told = encoder.encode(film_pairs.texts)  # (40, 384)
hard = mine_negatives(film_pairs, lambda rows: told[rows] @ plain.T, count=4)
print("told:", film_pairs.texts[0])
print("met next:", catalog.titles[film_pairs.items[0]])
print("hard negatives:", *catalog.titles[hard[0]], sep="\n  ")


# %%
def mean_cosine(candidates):  # (40, h) items
    return np.einsum("ud,uhd->uh", told, plain[candidates]).mean(axis=1)


by_chance = np.random.default_rng(0).integers(len(catalog), size=(40, 4))
harder = paired_interval(mean_cosine(hard), mean_cosine(by_chance))
nearer = paired_interval(mean_cosine(hard), mean_cosine(film_pairs.items[:, None]))
claim("hard negatives are nearer to the user than items at random", harder.low > 0)
claim("and nearer than what was really met: for the frozen encoder they are the better answer", nearer.low > 0)

# %% [markdown]
# The catch: somebody who has not met a film may simply not have got to it. A very hard negative is often a good
# recommendation; that is why they are drawn from 50 and not the first four. Whether they helped, section 16 says.
#
# ## 6. The optimizer
#
# A gradient says in which direction. How far? Here are the gradients that MiniLM's weights got in section 2:

# %%
lengths = torch.cat([weight.grad.abs().flatten() for weight in weights])
low, high = np.quantile(lengths[lengths > 0].cpu().numpy(), (0.01, 0.99))  # words that were not read have none
print(f"one in a hundred is under {low:.0e}, and one in a hundred is over {high:.0e}")
claim("some weights have gradients hundreds of times those of others", high > 300 * low)
student = weights = before = lengths = None  # what the next cells need is room

# %% [markdown]
# So the same rate for all weights is a poor choice. **AdamW** keeps two running means for each weight, of the gradient
# ($m$) and of its square ($v$), and steps by $m / \sqrt{v}$: about one rate per step, whatever the size. The W stands for
# **weight decay**: each step also makes the weight itself a little smaller. By hand, three steps of three weights:

# %%
rate, decay, start = 0.1, 0.01, np.array([1.0, -2.0, 3.0])
gradients = np.array([[0.5, -100.0, 0.0], [0.4, -90.0, 0.001], [-0.6, -110.0, 0.002]])
w, m, v = start.copy(), np.zeros(3), np.zeros(3)
for step, g in enumerate(gradients, start=1):
    w -= rate * decay * w
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    m_hat, v_hat = m / (1 - 0.9**step), v / (1 - 0.999**step)  # both began at 0, which is repaid
    w -= rate * m_hat / (np.sqrt(v_hat) + 1e-8)
print(w.round(3))

# %%
theirs = torch.nn.Parameter(torch.from_numpy(start))
optimizer = torch.optim.AdamW([theirs], lr=rate, weight_decay=decay)
for g in gradients:
    theirs.grad = torch.from_numpy(g)
    optimizer.step()
claim("torch's AdamW ends where ours ends", np.allclose(theirs.detach(), w))
claim("a gradient 200 times as large moved its weight about as far", 0.5 < abs(w[1] - start[1]) / abs(w[0] - start[0]) < 5)

# %% [markdown]
# The library leaves biases and norms out of the decay: they are scales and shifts, and 0 is no better place for them.
#
# Two more habits. In the first steps $m$ and $v$ know little, so the rate rises slowly: the **warm-up**. Then it falls to 0,
# so that the last steps settle:

# %% tags=["nbval-ignore-output"]
from llmrec_lab.finetune import TrainConfig, rate_share
from llmrec_lab.plots import new_axes, picture

rates = [2e-4 * rate_share(step, total=60, warmup=0.1) for step in range(60)]
ax = new_axes(height=2.5)
ax.plot(range(1, 61), rates, color="black")
ax.set_xlabel("step")
ax.set_ylabel("learning rate")
picture(ax, "A line that rises to 0.0002 in 6 steps, then falls to 0 at step 60.")

# %% [markdown]
# And a gradient that is far too long, because of one odd batch, is cut to a length of 1: **clipping**.

# %%
long = torch.nn.Parameter(torch.zeros(2))
long.grad = torch.tensor([30.0, 40.0])
length = torch.nn.utils.clip_grad_norm_([long], max_norm=1.0)
print(f"length {length:.0f} before, {long.grad.norm():.3f} after; {long.grad.numpy().round(3)}")
claim("the direction stays: 3 to 4", bool(torch.isclose(long.grad[0] / long.grad[1], torch.tensor(0.75))))

# %% [markdown]
# > **Check the article: the rate.** Start at 0.00001, it says, and lower it until the training converges; and use warm-up.
#
# Warm-up is good advice. The rest mixes up two things: any small rate converges, to wherever it gets before the steps run
# out. What is sought is the rate with the best *validation* value. Eight steps on one small batch, at three rates:

# %%
import tempfile
from pathlib import Path

from llmrec_lab.finetune import Training
from llmrec_lab.windows import WindowConfig, WindowTask

scratch = tempfile.TemporaryDirectory()  # goes away with this notebook
folder = Path(scratch.name)
few = splits[3].train.of_users(histories.user_ids[:20])


def losses_of(task, **choices):
    """The loss of every step of a training of which nothing is kept; the six lower parts of MiniLM stay frozen."""
    config = TrainConfig(frozen=6, dtype=choices.pop("dtype", "float32"), **choices)
    training = Training(task, folder / "nothing", config, validate=None, watch=lambda step, values: None)
    for _ in range(training.total):
        training.take_step()
    return np.array(training.curve.losses)


# %%
rates = (1e-5, 3e-4, 1e-1)
ends = {
    rate: losses_of(WindowTask(encoder, few, texts, WindowConfig(count=3)), epochs=8, batch=3, rate=rate) for rate in rates
}
pd.DataFrame(ends).iloc[[0, 3, 7]].round(1).set_axis(["step 1", "step 4", "step 8"])

# %%
fall = {rate: losses[0] - losses[-1] for rate, losses in ends.items()}
claim("in eight steps the smallest rate gets less than a third as far as the middle one", fall[1e-5] < fall[3e-4] / 3)
claim("the largest oversteps, and ends higher than the middle one", ends[1e-1][-1] > 1.5 * ends[3e-4][-1])

# %% [markdown]
# For a whole BERT people search from 0.00001 to 0.0001, for a few weights or a small network higher. Size of batch, rate
# and number of steps are **hyper-parameters**: nobody can derive them, so they are searched, on validation data (exercise
# 06.7).
#
# ## 7. What a step costs
#
# ### Less padding
#
# > **Check the article: padding.** Texts are encoded with `padding='max_length'`.
#
# A BERT reads 512 tokens at most. How many of those would be padding? (Lesson 01 counted 400 films; here are all.)

# %%
from llmrec_lab.encoder import batches_by_length

lengths = [len(row) for row in token_ids(encoder, texts)]
buckets = batches_by_length(lengths, tokens=2048)
in_buckets = sum(len(rows) * max(lengths[row] for row in rows) for rows in buckets)
counted = {"real tokens": sum(lengths), "in buckets": in_buckets, "max_length": 512 * len(lengths)}
print(counted)
claim("buckets pad less than one token in twenty", in_buckets < 1.05 * sum(lengths))
claim("max_length computes over 30 times as many", counted["max_length"] > 30 * in_buckets)

# %% [markdown]
# So a batch is sorted by length and cut into passes of at most so many tokens, the **token budget** (`tokens=`). It changes
# speed and memory, and no result.
#
# ### Two bytes for a number
#
# float32 takes four bytes; **bfloat16** takes two, with the same range and only two to three digits. What does it round
# away?

# %%
b16, f16 = torch.bfloat16, torch.float16
print(
    "256 + 1 =", (torch.tensor(256.0, dtype=b16) + 1).item(), "| 1 - 0.001 =", (torch.tensor(1.0, dtype=b16) - 0.001).item()
)
print("70000 in float16 is", torch.tensor(70000.0).to(f16).item(), "| 1e-8 is", torch.tensor(1e-8).to(f16).item())
claim("a small step on a bfloat16 weight is lost", bool(torch.tensor(1.0, dtype=b16) - 0.001 == 1))
claim("1e-8 survives in float16 once it is scaled up", bool(torch.tensor(1e-8 * 2**16).to(f16) > 0))

# %% [markdown]
# Therefore **mixed precision**: the weights stay in float32, where small steps count, and only the products are rounded.
# float16 has more digits and less range, so its loss is scaled up before the way back, and the gradients down after it.
# `dtype="auto"` takes what the device is fast at. Does a rounded training still follow the exact one?

# %%
exact, rounded = (
    losses_of(WindowTask(encoder, few, texts, WindowConfig(count=24)), batch=4, rate=2e-4, dtype=dtype)
    for dtype in ("float32", "bfloat16")
)
print("losses in float32", exact.round(1))
claim("bfloat16 stays within 0.05 of every loss", np.abs(exact - rounded).max() < 0.05)
claim("and is not simply the same", np.abs(exact - rounded).max() > 0)

# %% [markdown]
# ### Attention in one call
#
# Soft attention (lesson 02) is $\mathrm{softmax}(QK^\top / \sqrt{d})\,V$. **SDPA**, *scaled dot-product attention*, is one
# call for it; on a GPU it never writes the whole table of weights to memory.

# %%
q, k, v = torch.randn(3, 1, 2, 7, 16)  # two heads, seven tokens
by_hand = torch.softmax(q @ k.transpose(-1, -2) / 16**0.5, dim=-1) @ v
claim(
    "one call gives the same", torch.allclose(torch.nn.functional.scaled_dot_product_attention(q, k, v), by_hand, atol=1e-5)
)

# %% [markdown]
# ### The memory of a training
#
# Four things are kept: the weights, a gradient for each, the two means of AdamW, and what every layer saves for the way
# back, the **activations**. All but the last follow from the number of weights: 4 + 4 + 8 bytes. `memory_plan` computes
# all of it from the configuration:

# %%
import json

from llmrec_lab.memory import memory_plan, saved_bytes
from llmrec_lab.model_files import model_folder

shape = json.loads((model_folder("minilm")[0] / "config.json").read_text(encoding="utf-8"))
device = str(encoder.device)
length = None if device == "cuda" else 32  # a GPU does not keep the weights of attention
print(memory_plan(shape, tokens=64 * 32, length=32))

# %% [markdown]
# Is it true? torch can tell which numbers it saves for the way back, and the optimizer what it holds:

# %%
from llmrec_lab.finetune import adamw, attention

bert = copy_of(encoder).bert
read = torch.randint(1000, 2000, (64, 32), device=device)
with saved_bytes(bert) as kept, attention(device):
    loss = bert(read, torch.ones_like(read, dtype=torch.bool)).square().mean()
loss.backward()
optimizer = adamw(dict(bert.named_parameters()), TrainConfig())
optimizer.step()
state = sum(value.nbytes for weight in optimizer.state.values() for value in weight.values())
plan = memory_plan(shape, tokens=64 * 32, length=length)
for name, predicted, measured in (
    ("activations", plan.activations, sum(kept.values())),
    ("optimizer", plan.parts["optimizer state"], state),
    ("gradients", plan.parts["gradients"], sum(weight.grad.nbytes for weight in bert.parameters())),
):
    claim(f"{name}: predicted is measured within 15%", abs(predicted / measured - 1) < 0.15)
del bert, optimizer, loss, kept

# %% [markdown]
# ### When it does not fit
#
# Three ways out. Freeze the lower layers: no gradient, no activations, no means for them. **Gradient checkpointing**: keep
# nothing of a pass but its result, and compute it again on the way back. It costs one more pass; how much does it save?

# %%
task = WindowTask(encoder, few, texts, WindowConfig(count=8))
rows = np.arange(8)


def step_of(checkpointing):
    task.module.zero_grad()
    with saved_bytes(task.module) as kept, attention(device):
        loss = next(task.parts(rows, 256, checkpointing))
    kept = sum(kept.values())
    with attention(device):
        loss.backward()
    return kept, [weight.grad.clone() for weight in task.module.parameters()]


(kept, grads), (kept_less, same_grads) = step_of(False), step_of(True)
print(f"saved for the way back: {kept / 2**20:.0f} MB, with checkpointing {kept_less / 2**20:.1f} MB")
claim("less than a tenth is kept", kept_less < kept / 10)
claim("the gradients are the same", all(torch.allclose(a, b, atol=1e-5) for a, b in zip(grads, same_grads)))
del grads, same_grads

# %% [markdown]
# **Gradient accumulation**: two batches of 8 make one step, as if they were a batch of 16. Is that the same? For a loss
# that is a mean over examples it is. The cross-entropy over a batch is not: there, the other half are the wrong answers.

# %%
from llmrec_lab.bi_encoder import BiEncoderTask
from llmrec_lab.cross_encoder import CrossEncoderTask

every = make_pairs(some, catalog.titles, last=2, per_user=1)  # 40 pairs
negative = mine_negatives(every, lambda rows: np.zeros((len(rows), len(catalog))), count=1)
makers = {
    "each pair for itself (cross-encoder)": lambda: CrossEncoderTask(encoder, every, texts, negative),
    "a choice within the batch (bi-encoder)": lambda: BiEncoderTask(encoder, every, texts),
}
large = {name: losses_of(make(), batch=16) for name, make in makers.items()}  # two steps
halves = {name: losses_of(make(), batch=8, accumulate=2) for name, make in makers.items()}
pd.DataFrame({"batch of 16": {n: x[1] for n, x in large.items()}, "2 times 8": {n: x[1] for n, x in halves.items()}}).round(
    3
)

# %%
gap = {name: np.abs(large[name] - halves[name]).max() for name in makers}
alone, within = gap.values()
claim("accumulation equals the large batch where each example has its own loss", alone < 1e-4)
claim("where the batch is what is chosen from, it does not", within > 0.1)

# %% [markdown]
# So a bi-encoder is not accumulated. It takes one large batch, in small passes with checkpointing: all vectors are there
# for the loss, and the activations of one pass at a time.
#
# ## 8. Training
#
# Now in earnest. The last four films of every person are held out: one for validation, three for the test. A tenth of all
# films is taken out of all histories: for the model these are *new films*. Neither may be in an example.

# %%
hidden = np.sort(np.random.default_rng(0).permutation(len(catalog))[: round(0.1 * len(catalog))])
train = splits[3].train.take(~np.isin(splits[3].train.items, hidden))
task = WindowTask(encoder, train, texts, WindowConfig(count=960))
claim("no new film is in any example", not np.isin(task.stretches, hidden).any())
held_out = len(histories.items) - len(splits[3].train.items)
print(f"{len(hidden)} new films; {held_out} events of {len(histories)} people held out")

# %% [markdown]
# An example of section 4 costs two texts: the user's and the item's. There is a thriftier way to make them. Take sixteen
# stretches of ten films that somebody met one after the other; encode each film once; and tell *every* user by the mean of
# those that they met lately. One film is then a target, a part of many histories, and a wrong answer for the rest:

# %%
in_batch = np.unique(task.stretches[:16])
told_by, _, _ = task.examples(in_batch)
print(f"{len(in_batch)} texts make {len(told_by)} examples")
claim("more than twenty examples for every text that is encoded", len(told_by) > 20 * len(in_batch))

# %% [markdown]
# Sixty steps. The embeddings and the three lower layers stay frozen. Batch, rate, temperature, number of steps were searched
# before, on validation. Three times the model is measured on the validation targets, and the best is what is kept. This
# takes a minute:

# %% tags=["nbval-ignore-output"]
from llmrec_lab.finetune import finetune

config = TrainConfig(batch=16, rate=2e-4, frozen=4, tokens=2048, check_every=30)
quick = load_encoder("minilm", dtype="auto").dtype  # rounds where that is faster


def validation():
    vectors = centered(copy_of(task.encoder, quick).encode(texts))
    return np.nanmean(ndcg_at_10(RecentText(vectors), VALIDATION))


curve = finetune(task, folder / "tuned", config, validation, progress=True)

# %% tags=["nbval-ignore-output"]
ax = new_axes(height=3)
ax.plot(range(1, len(curve.losses) + 1), curve.losses, color="black", label="training loss (nats)")
ax.set_xlabel("step")
ax.set_ylabel("training loss (nats)")
right = ax.twinx()
right.plot(*zip(*curve.checks), "s--", color="tab:blue")
right.set_ylabel("validation NDCG@10 (squares)")
picture(
    ax,
    f"The training loss falls from {curve.losses[0]:.1f} to {curve.losses[-1]:.1f}; validation at each check: "
    + ", ".join(f"{value:.3f}" for _, value in curve.checks),
)

# %%
claim("the loss fell", np.mean(curve.losses[-10:]) < np.mean(curve.losses[:10]))
claim("the best check is not the first, which is before any step", curve.best[0] > 0)

# %% [markdown]
# ## 9. Was it worth it?
#
# The kept model is a folder, and `load_encoder` takes its path. What is near to *Seven* now?

# %%
tuned_encoder = load_encoder(str(folder / "tuned"))
tuned_plain = tuned_encoder.encode(texts)  # (3496, 384)
tuned = centered(tuned_plain)

# %% tags=["nbval-ignore-output"]
print(*near(tuned, seven), sep="\n")

# %% [markdown]
# Now the test, looked at once: the last three films of each person. Frozen and tuned text are read the same way, by as many
# films as did best on validation, each for itself.

# %%
from llmrec_lab.baselines import EASE, MarkovChain, Popularity

by_last = {last: np.nanmean(ndcg_at_10(RecentText(tuned, last), VALIDATION)) for last in (1, 2, 3, 5, 10)}
models = {"popularity": Popularity(), "Markov chain": MarkovChain(), "EASE": EASE()}
models |= {"frozen text": RecentText(frozen, best_last), "tuned text": RecentText(tuned, max(by_last, key=by_last.get))}
found = {name: ndcg_at_10(model, TEST) for name, model in models.items()}  # (671, 3) each
three = {name: np.nanmean(values, axis=1) for name, values in found.items()}

# %% tags=["nbval-ignore-output"]
from llmrec_lab.metrics import bootstrap_interval

gains = {name: paired_interval(three["tuned text"], values) for name, values in three.items() if name != "tuned text"}
pd.DataFrame(
    {
        "NDCG@10, last three": {name: str(bootstrap_interval(values)) for name, values in three.items()},
        "tuned minus row": {name: str(gain) for name, gain in gains.items()},
        "the last one alone": {name: str(bootstrap_interval(values[:, 0])) for name, values in found.items()},
    }
).fillna("")

# %%
claim("tuned text beats frozen text at its best reading, beyond the interval", gains["frozen text"].low > 0)
claim("and popularity", gains["popularity"].low > 0)
claim("no difference to EASE is found", not gains["EASE"].excludes_zero)
claim("the Markov chain stays ahead beyond the interval", gains["Markov chain"].high < 0)

# %% [markdown]
# In lesson 05, text alone did not beat popularity. Tuned for less than a minute it does, and cannot be told apart from EASE,
# which knows who met what and nothing else. The Markov chain knows what came *right after* what, and is ahead, until section
# 16 trains for longer.
#
# Two remarks. Three targets for each person give narrower intervals than one, as the last column shows. And the
# settings were once searched on the film before the last, which is among the three; so a small part of the gain may be
# choice. The next question is free of that.
#
# ### New films
#
# Is it memory? The tuned encoder could have learned by heart which films are popular. So the fairer question is about the
# films that it has not met in training. Each is asked for at the moment when somebody met it, and ranked among all new
# ones. Models that count have nothing to say here.

# %%
from llmrec_lab.text_only import new_item_ndcg

new = {
    (name, last): new_item_ndcg(RecentText(vectors, last), histories, hidden, order)
    for name, vectors in (("frozen", frozen), ("tuned", tuned))
    for last in (1, 5)
}

# %% tags=["nbval-ignore-output"]
new_gain = {last: paired_interval(new["tuned", last], new["frozen", last]) for last in (1, 5)}
rows = {name: {last: str(bootstrap_interval(new[name, last])) for last in (1, 5)} for name in ("frozen", "tuned")}
pd.DataFrame(rows | {"tuned minus frozen": {last: str(gain) for last, gain in new_gain.items()}}).rename_axis("films read")

# %%
for last, gain in new_gain.items():
    claim(f"new films, told by the last {last}: tuned text beats frozen text beyond the interval", gain.low > 0)

# %% [markdown]
# It does not know these films. It knows better what, in a text, people choose by.
#
# ## 10. Too much of it
#
# The training above saw every stretch once. What if a model sees few examples, again and again? Twenty people, six
# stretches, up to forty times; beside it the loss on sixty *other* people, whom it does not learn from.

# %%
small_task = WindowTask(encoder, few, texts, WindowConfig(count=6))
others = WindowTask(encoder, train.of_users(histories.user_ids[100:160]), texts, WindowConfig(count=12))
others.encoder = small_task.encoder  # the same network, asked about other people


def loss_of_others():
    with torch.no_grad():
        return sum(others.parts(np.arange(len(others)), tokens=2048, checkpointing=False)).item()


again = TrainConfig(epochs=40, batch=6, rate=1e-4, frozen=5, check_every=2, patience=6)
over = finetune(small_task, folder / "over", again, validate=lambda: -loss_of_others())
steps, losses = zip(*((step, -value) for step, value in over.checks))

# %% tags=["nbval-ignore-output"]
print("the others, by step:", *(f"{step}: {loss:.2f} " for step, loss in zip(steps, losses)))
ax = new_axes(height=3)
ax.plot(range(1, len(over.losses) + 1), over.losses, color="black", label="training, 20 people")
ax.plot(steps, losses, "s--", color="tab:blue", label="validation, 60 others")
ax.set_xlabel("step")
ax.set_ylabel("loss (nats)")
ax.legend()
picture(
    ax,
    f"The training loss falls from {over.losses[0]:.1f} to {over.losses[-1]:.1f}; that of other people is least "
    f"at step {over.best[0]} ({-over.best[1]:.2f}) and then rises to {losses[-1]:.2f}.",
)

# %%
claim("on the people it learns from, the loss fell to less than half", over.losses[-1] < over.losses[0] / 2)
claim("on others it fell first", over.best[0] > 0)
claim("and then rose above where it had started", losses[-1] > losses[0])
claim("so the training stopped by itself, before its forty steps were over", len(over.losses) < 40)

# %% [markdown]
# That is over-fitting (lesson 04): the loss falls where one looks, and rises where one does not. **Early stopping** ends a
# training after so many checks without a better value (`patience=6`), and the folder keeps the weights of the best one.
# Other means against it: more people, a smaller rate, more frozen layers, weight decay, and *dropout*, which switches
# numbers off at random while training (our encoder has none). Where data is scarce, **cross-validation** lets each part of
# it be the validation part once, for as many times the work. All of them are judged by validation, never by the test:

# %%
rng = np.random.default_rng(0)
validation_values, test_values = rng.normal(0.03, 0.002, (2, 1000, 40))  # 40 checks that differ by luck alone
chosen = validation_values.argmax(axis=1)
honest = test_values[np.arange(1000), chosen].mean()
print(f"test value at the best validation {honest:.4f}, best test value {test_values.max(axis=1).mean():.4f}, truth 0.0300")
claim("choosing by the test promises more than is there", test_values.max(axis=1).mean() > 0.033)

# %% [markdown]
# > **Check the article: the loss as a measure.** Its only measure is the mean loss over the test part.
#
# A loss has no unit that a shop knows, and it depends on choices that mean nothing there. The same model, the same
# answers, two temperatures:

# %%
print(f"loss {cross_entropy(cosines / 0.1):.3f} or {cross_entropy(cosines / 0.2):.3f}; ranks {[1, 1, 1]} both times")
claim("the loss more than doubles, and no ranking changes", cross_entropy(cosines / 0.2) > 2 * cross_entropy(cosines / 0.1))

# %% [markdown]
# ## 11. Reading both together: a cross-encoder
#
# A bi-encoder never lets a word of the user meet a word of the item. A **cross-encoder** reads the two as a pair (section
# 3), and a head makes one number of the first token. Nothing can be computed before the user is known, so it is far too
# slow for a catalog: it **re-ranks** the first hundred of another model.
#
# The head: the pooler (a map and a tanh), then a map to one number, the **logit**. Its loss is the **binary cross-entropy**,
# BCE: each pair is a question with the answer 1, met, or 0, not met. By hand, for three logits:

# %%
logits, answers = np.array([2.0, -1.0, 0.5]), np.array([1.0, 0.0, 0.0])
probability = 1 / (1 + np.exp(-logits))
bce = -(answers * np.log(probability) + (1 - answers) * np.log(1 - probability)).mean()
theirs = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(logits), torch.tensor(answers))
print(f"{bce:.4f}")
claim("torch's BCE is ours", np.isclose(bce, theirs.item()))

# %% [markdown]
# In `transformers` that is `BertForSequenceClassification` with `num_labels=1`. Beware: left alone, it then takes the
# labels for *numbers to be hit*, and uses the squared error, a *regression*:

# %%
torch.manual_seed(0)
scorer = BertForSequenceClassification(BertConfig(**sizes, num_labels=1)).eval()
out = scorer(**pairs_read, labels=ratings.float())
squared = ((out.logits[:, 0] - ratings) ** 2).mean()
claim("one label and no word about it: the loss is the squared error", bool(torch.isclose(out.loss, squared)))

# %% [markdown]
# That is right for stars, and less so for met or not met. Now ours on films: the tuned encoder to start from, users as
# text, each film that was met beside two hard negatives of the tuned encoder.

# %%
crowd = train.of_users(histories.user_ids[:300])
examples = make_pairs(crowd, catalog.titles, last=3, per_user=1)
told = tuned_encoder.encode(examples.texts)  # (300, 384)
negatives = mine_negatives(examples, lambda rows: told[rows] @ tuned_plain.T, count=2)
cross_task = CrossEncoderTask(tuned_encoder, examples, texts, negatives)
row = cross_task.read[0]
print(*row.tokens)
print(*row.type_ids)

# %% tags=["nbval-ignore-output"]
cross_curve = finetune(cross_task, folder / "cross", TrainConfig(batch=16, rate=2e-4, frozen=4, tokens=2048), progress=True)

# %% [markdown]
# What has it learned? We ask it about people whom it does not know: which of two films, one that was met and a hard
# negative? A coin is right half of the time. Beside it, a rule that reads nothing: take the film that more people met.

# %%
from llmrec_lab.cross_encoder import Reranker, load_cross_encoder

reader = load_cross_encoder(str(folder / "cross"))
strangers = train.of_users(histories.user_ids[300:])
asked = make_pairs(strangers, catalog.titles, last=3, per_user=1)
told = tuned_encoder.encode(asked.texts)
rival = mine_negatives(asked, lambda rows: told[rows] @ tuned_plain.T, count=1)[:, 0]
choice = [reader.scores(asked.texts, [texts[item] for item in items]) for items in (asked.items, rival)]
counts = np.bincount(train.items, minlength=len(catalog))
right_choice = {"cross-encoder": choice[0] > choice[1], "more people met it": counts[asked.items] > counts[rival]}
right_choice = {name: bootstrap_interval(values) for name, values in right_choice.items()}

# %% tags=["nbval-ignore-output"]
print(f"loss {np.mean(cross_curve.losses[:5]):.3f} in the first steps, {np.mean(cross_curve.losses[-5:]):.3f} in the last")
print(*(f"right choices, {name}: {share}" for name, share in right_choice.items()), sep="\n")

# %%
claim("it is right more often than a coin, beyond the interval", right_choice["cross-encoder"].low > 0.5)

# %% [markdown]
# It has learned something. How much of it is reading? The rule says how far counting alone gets on these very pairs; a
# share of right choices without such a rival says little. A few hundred examples are a beginning.
#
# What re-ranking does, for one person: the score of the ranking and that of the reader, each standardized, are added for
# the first items; none of the others can pass them.

# %%
person = splits[0].train.of_users(histories.user_ids[:1])
scores = RecentText(tuned).scores(person).astype(float)
scores[person.matrix().toarray() > 0] = -np.inf
finite = np.isfinite(scores)
ranking = np.where(finite, (scores - scores[finite].mean()) / scores[finite].std(), -np.inf)  # (1, 3496)
reranker = Reranker(reader, catalog.titles, texts, depth=20, last=3)
before = np.argsort(-ranking[0], kind="stable")[:20]
after = np.argsort(-(ranking + reranker.scores(person, ranking))[0], kind="stable")[:20]
claim("the first twenty stay the first twenty", set(before) == set(after))
claim("in another order", list(before) != list(after))

# %% [markdown]
# ## 12. The same by `Trainer`
#
# `transformers` has a training loop of its own, `Trainer`. Is ours the same? Same examples in the same order, same AdamW,
# same schedule; two epochs (rounds over all examples) of five batches:

# %%
from llmrec_lab.trainer import train_with_trainer

few_pairs = make_pairs(few, catalog.titles, last=2, per_user=2)  # 40
both = TrainConfig(epochs=2, batch=8, rate=2e-4, frozen=6, dtype="float32")
ours = losses_of(BiEncoderTask(encoder, few_pairs, texts), epochs=2, batch=8, rate=2e-4)
trainers = train_with_trainer(BiEncoderTask(encoder, few_pairs, texts), folder / "trainer", both)
pd.DataFrame({"our loop": ours, "Trainer": trainers}, index=range(1, 11)).round(2).rename_axis("step").T

# %%
claim("loop and Trainer have the same losses, within 0.001", np.abs(ours - np.array(trainers)).max() < 1e-3)
claim("and they are no constant", np.ptp(ours) > 0.01)

# %% [markdown]
# Why write a loop, then? To see what is in it; and for what `Trainer` does not do by itself: batches by token budget, losses
# over a whole batch in small passes, checkpoints without a pickle (section 14). For a plain classifier, take `Trainer`.
#
# ## 13. What `Trainer` takes today
#
# > **Check the article: a Trainer program.** It imports `TensorBoardCallback` from `transformers`; passes
# > `evaluation_strategy="epoch"`, `learning_rate_scheduler="linear"`, `save_steps=10000` with
# > `load_best_model_at_end=True`; measures by `p["labels"]` and `p["preds"]`; and sends the model `.to("cuda")`.
#
# Libraries change names. Each line, with the version that is installed here:

# %%
import importlib

from transformers import EvalPrediction, Trainer, TrainingArguments

place = str(folder / "article")


def arguments(**more):
    return TrainingArguments(output_dir=place, report_to="none", **more)


p = EvalPrediction(predictions=np.array([[0.2, 0.8], [0.9, 0.1]]), label_ids=np.array([1, 1]))
epochs = {"eval_strategy": "epoch", "load_best_model_at_end": True}
found = {
    "transformers.TensorBoardCallback": error_of(lambda: importlib.import_module("transformers").TensorBoardCallback),
    "evaluation_strategy": error_of(lambda: arguments(evaluation_strategy="epoch")),
    "learning_rate_scheduler": error_of(lambda: arguments(learning_rate_scheduler="linear")),
    "save_steps and best model": error_of(lambda: arguments(save_steps=10_000, **epochs)),
    "p['labels']": error_of(lambda: p["labels"]),
    "accuracy of logits": error_of(lambda: accuracy_score(p.label_ids, p.predictions)),
}
print(*(f"{line}: {error}" for line, error in found.items()), sep="\n")
claim("none of the six lines runs today", "no error" not in found.values())

# %% [markdown]
# And what mends them:

# %%
from transformers.integrations import TensorBoardCallback

mended = {
    "eval_strategy": error_of(lambda: arguments(eval_strategy="epoch")),
    "lr_scheduler_type": error_of(lambda: arguments(lr_scheduler_type="linear")),
    "save_strategy like eval_strategy": error_of(lambda: arguments(save_strategy="epoch", **epochs)),
    "p.label_ids, p.predictions": error_of(lambda: accuracy_score(p.label_ids, p.predictions.argmax(-1))),
}
print(*(f"{line}: {error}" for line, error in mended.items()), sep="\n")
claim("all of them run", set(mended.values()) == {"no error"})

# %% [markdown]
# `tokenizer=` of `Trainer` became `processing_class=`, `no_cuda=` became `use_cpu=`, and `warmup_ratio=` is gone
# (`warmup_steps` takes a share, too). With the callback *and* `report_to="tensorboard"` there are two of it, so the second
# alone is right. The device is chosen by `Trainer`, and `.to("cuda")` on a machine without a GPU ends in an error:

# %%
import inspect

takes = set(inspect.signature(Trainer.__init__).parameters) | set(inspect.signature(TrainingArguments.__init__).parameters)
claim("gone: tokenizer, no_cuda, warmup_ratio", not {"tokenizer", "no_cuda", "warmup_ratio"} & takes)
claim("there: processing_class, use_cpu, warmup_steps", {"processing_class", "use_cpu", "warmup_steps"} <= takes)
doubled = Trainer(classifier, TrainingArguments(place, report_to="tensorboard"), callbacks=[TensorBoardCallback()])
kinds = [type(callback).__name__ for callback in doubled.callback_handler.callbacks]
claim("callback and report_to: two TensorBoardCallbacks", kinds.count("TensorBoardCallback") == 2)
claim(
    "without a GPU, .to('cuda') fails",
    torch.cuda.is_available() or error_of(lambda: classifier.to("cuda")) == "AssertionError",
)

# %% [markdown]
# > **Check the article: an optimizer.** It builds `AdamW(model.parameters(), lr=2e-5)`, and a `Trainer` without it.

# %%
built = torch.optim.AdamW(classifier.parameters(), lr=2e-5)
trainer = Trainer(classifier, arguments(use_cpu=True))
trainer.create_optimizer()
print("is the one that was built used?", trainer.optimizer is built, "| rate", trainer.optimizer.defaults["lr"])
given = Trainer(classifier, arguments(use_cpu=True), optimizers=(built, None))
given.create_optimizer()
claim("Trainer makes one of its own unless it is given one", trainer.optimizer is not built and given.optimizer is built)

# %% [markdown]
# > **Check the article: evaluate.** A function `evaluate` builds a `Trainer` whose *training* data is the test part, calls
# > its `evaluate()`, and returns nothing. And `train(model, ...)`: which model? A decoder stands beside the encoder and is
# > never trained, and the satisfaction of users, which is announced, reaches no loss.
#
# One model, one loss, and a result that comes back. The whole program, mended, on the four reviews of section 3:

# %% tags=["nbval-ignore-output"]
from transformers import PrinterCallback, set_seed

reads = tokenizer(reviews, titles, return_token_type_ids=True)
rows = [
    {"input_ids": i, "token_type_ids": t, "labels": int(y)}
    for i, t, y in zip(reads["input_ids"], reads["token_type_ids"], ratings)
]


def accuracy(p):
    return {"accuracy": accuracy_score(p.label_ids, p.predictions.argmax(-1))}


def train(model, rows, validation_rows):
    choices = arguments(
        num_train_epochs=40,
        learning_rate=5e-3,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        save_total_limit=1,
        use_cpu=True,
        disable_tqdm=True,
        logging_strategy="no",
        seed=0,
    )
    trainer = Trainer(
        model,
        choices,
        train_dataset=rows,
        eval_dataset=validation_rows,
        processing_class=tokenizer,
        compute_metrics=accuracy,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer


def evaluate(model, rows):
    trainer = Trainer(
        model, arguments(use_cpu=True, disable_tqdm=True), processing_class=tokenizer, compute_metrics=accuracy
    )
    trainer.remove_callback(PrinterCallback)
    return trainer.evaluate(rows)


set_seed(0)
trained = train(BertForSequenceClassification(small), rows, rows)
measured = evaluate(trained.model, rows)

# %%
claim("it runs, and what evaluate measures comes back", measured is not None and "eval_accuracy" in measured)
print(f"accuracy on the four that it learned: {measured['eval_accuracy']}")

# %% [markdown]
# `processing_class` brings the padding: batches are padded to their longest text, as in section 7. Four reviews say nothing
# about reviews; section 9 is how a result looks.
#
# ## 14. Save, be interrupted, go on
#
# What a training leaves is three files, which `load_encoder`, `transformers` and others read. The weights are in
# **safetensors**, a format that holds numbers and can run no code, which a pickle can:

# %%
print(*sorted(path.name for path in (folder / "tuned").iterdir()), sep="\n")
from transformers import BertModel

theirs = BertModel.from_pretrained(folder / "tuned", add_pooling_layer=False).eval()
with torch.inference_mode():
    one = torch.tensor([tuned_encoder.tokenizer.encode(texts[seven]).ids])
    vector = torch.nn.functional.normalize(theirs(one).last_hidden_state[0].mean(axis=0), dim=0).numpy()
claim(
    "transformers reads the tuned model, and gives its vector",
    np.allclose(vector, tuned_encoder.encode(texts[seven : seven + 1])[0], atol=1e-4),
)

# %% [markdown]
# The fourth is the **checkpoint**: where the training stands, weights, means of AdamW and the step. A power cut, a laptop
# that falls asleep, a server that is needed by somebody else: the same call again goes on. We let a process train on the
# tiny world, and kill it after its fifth step:

# %%
import subprocess

(folder / "tiny_training.py").write_text("""
import sys
from llmrec_lab import load_encoder
from llmrec_lab.bi_encoder import BiEncoderTask
from llmrec_lab.datasets.tiny import tiny_world
from llmrec_lab.finetune import TrainConfig, finetune
from llmrec_lab.pairs import make_pairs

CONFIG = TrainConfig(epochs=4, batch=2, rate=1e-4, frozen=6, dtype="float32", check_every=3)  # eight steps

def a_task():
    world, log = tiny_world()
    return BiEncoderTask(load_encoder("minilm", "cpu"), make_pairs(log.histories(world), world.titles), world.titles)

if __name__ == "__main__":
    finetune(a_task(), sys.argv[1], CONFIG, watch=lambda step, values: print(step, flush=True))
""")
command = [sys.executable, str(folder / "tiny_training.py"), str(folder / "killed")]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
    while process.stdout.readline().strip() != "5":
        assert process.poll() is None, "it ended before its fifth step"
    process.kill()
print("ended by signal", -process.returncode)

# %% [markdown]
# Its last checkpoint is that of step 3. Here we call the same training twice: in its folder, and in a fresh one.

# %%
from safetensors.torch import load_file

sys.path.append(str(folder))
from tiny_training import CONFIG, a_task

taken = []
resumed = finetune(a_task(), folder / "killed", CONFIG, watch=lambda step, values: taken.append(step))
whole = finetune(a_task(), folder / "whole", CONFIG)
ends = [load_file(folder / name / "model.safetensors") for name in ("killed", "whole")]
print("steps after the kill:", taken)
claim("killed and resumed, it has the losses of the uninterrupted one", resumed.losses == whole.losses)
claim("and the very same weights", all(torch.equal(ends[0][name], ends[1][name]) for name in ends[1]))

# %% [markdown]
# For that, the order of the examples must not depend on a random state that is lost: it is computed from the seed and the
# step.
#
# ### Watching from outside
#
# **TensorBoard** draws the curves of many trainings into one page: `tensorboard --logdir FOLDER`. It is optional, and gets
# its numbers by the `watch` of `finetune`:

# %%
from importlib.util import find_spec

from llmrec_lab.finetune import tensorboard

if find_spec("tensorboard"):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logged = finetune(a_task(), folder / "logged", CONFIG, watch=tensorboard(folder / "log"))
    written = EventAccumulator(str(folder / "log")).Reload().Scalars("loss")
    print(len(written), "losses written")
    claim("what it draws is the curve", np.allclose([event.value for event in written], logged.losses))

# %% [markdown]
# *Weights & Biases* does the same on a server of its own; with `WANDB_MODE=offline` it writes to a folder, to be sent
# later. This course does not need it.
#
# ## 15. In the recommender
#
# A tuned encoder is an encoder: pass it where MiniLM was. A re-ranker is one argument more. On the tiny world, where every
# part of a score can be read:

# %%
from llmrec_lab import Recommender

lab = Recommender(world, tuned_encoder, reranker=Reranker(reader, world.titles, world.texts)).fit(log)
slate = lab.recommend("ada", k=2)
print(*slate.titles, sep="\n")
print(slate.part_names[-1])
claim("what the cross-encoder adds is a part of the score", slate.part_names[-1] == "read together")
claim("and the parts sum to the score", np.allclose(slate.parts.sum(axis=1), slate.scores, atol=1e-6))

# %% [markdown]
# One warning. The encoder has learned what stands next to what, from *texts of films*. Does it still understand a wish?

# %% tags=["nbval-ignore-output"]
wishes = ["a sad film about a robot", "funny films for children", "a war seen by a soldier"]
answers = {}
for name, model, vectors in (("frozen", encoder, plain), ("tuned", tuned_encoder, tuned_plain)):
    asks = model.encode(wishes) - vectors.mean(axis=0)
    best = np.argsort(-(centered(vectors) @ asks.T), axis=0, kind="stable")[:3].T  # (3, 3)
    answers[name] = catalog.titles[best].ravel()
pd.DataFrame(answers, index=pd.MultiIndex.from_product([wishes, (1, 2, 3)], names=["wish", "rank"]))

# %% [markdown]
# Look at the two columns. Nothing in the training rewarded sentences, and where they got worse, that is **forgetting**: what
# was learned before, on the web, is overwritten. Two remedies: fewer steps or more frozen layers; or two encoders, the
# frozen one for wishes and the tuned one for histories, each a part of the fusion.
#
# ## 16. For longer, and on a GPU
#
# Ten times as many steps: `make bench-train`. Its results are kept in a file, with machine and date. The same people, the
# same targets, the same new films:


# %% tags=["nbval-ignore-output"]
def measured_in(name):
    """The committed results of that name; without rows where they are not there."""
    for parent in Path.cwd().resolve().parents:
        path = parent / "benchmarks" / "results" / name
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
    return {"date": "", "machine": "not yet measured", "rows": []}


def ends_of(found):
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


longer = measured_in("finetune_films.json")
table = {}
for row in longer["rows"]:
    asked, _, model = row["work"].partition(": ")
    table.setdefault(asked, {})[model] = ends_of(row)
long_run = longer["trainings"]["tuned text"]
print(longer["date"], "on", longer["machine"]["cpu"], "with", longer["threads"], "threads:")
print(f"{long_run['steps']} steps in {long_run['seconds'] / 60:.0f} minutes")
pd.DataFrame(table).fillna("")

# %% [markdown]
# And the differences, person by person. A verdict is given only beyond the interval:


# %% tags=["nbval-ignore-output"]
def verdict(gap):
    return "better" if gap["low"] > 0 else "worse" if gap["high"] < 0 else "no difference found"


gaps = {(row["work"], f"minus {rival}"): gap for row in longer["rows"] for rival, gap in row["minus"].items()}
pd.DataFrame(
    {"NDCG@10": {k: ends_of(gap) for k, gap in gaps.items()}, "verdict": {k: verdict(gap) for k, gap in gaps.items()}}
)


# %%
def outcome(model, rival):
    return verdict(gaps[f"the last three films: {model}", f"minus {rival}"])


none = "no difference found"
claim("trained for longer, tuned text beats EASE beyond the interval", outcome("tuned text", "EASE") == "better")
claim("and is no longer behind the Markov chain", outcome("tuned text", "Markov chain") != "worse")
claim("the fusion gains nothing that shows by the tuned text", outcome("fusion, tuned text", "fusion, frozen text") == none)
with_hard, without_hard = "user text, trained with hard negatives", "user text, trained without"
claim("nor does a short training on pairs by mined hard negatives", outcome(with_hard, without_hard) == none)
reranked = gaps["the last film: tuned text, first hundred re-ranked by a cross-encoder", "minus tuned text"]
claim("and a cross-encoder trained for minutes makes the first hundred worse", verdict(reranked) == "worse")

# %% [markdown]
# Text alone, told by a few titles: as good as the best simple model that counts, and it ranks films that no counting model
# can. And what it did *not* bring: the fusion of lesson 05 is no better with it. What the tuned text has learned from
# people, the other parts of the fusion knew already. And a cross-encoder that was right more often than a coin, on pairs,
# spoils the order of a hundred: trained for minutes, what it cannot tell yet comes in as noise. A better
# part is not yet a better system, so measure the system.
#
# What a GPU makes of a training step, for a BERT of twelve layers:

# %% tags=["nbval-ignore-output"]
gpu = measured_in("finetune_cuda.json")
print("measured on", gpu["machine"]["device"] if gpu["rows"] else "no GPU: not yet measured")
rows = [{k: v for k, v in row.items() if k not in ("plan_parts", "verdict")} for row in gpu["rows"]]
pd.DataFrame(rows).fillna("") if rows else None

# %% [markdown]
# ## 17. What we did not do
#
# - We did not change the size of the model. A larger one reads better and costs more at every step of its life; lesson 13
#   computes how much. Choose the smallest that was trained on texts like yours, in your language, and measure.
# - We did not train all weights, nor few: small additions to a frozen model, such as LoRA, are in lesson 13.
# - We did not use more than one GPU; lesson 14 does the arithmetic of two workers.
# - We have not seen a shop. Its texts are product pages, searches and reviews; its events are clicks and purchases.
#   Everything here takes a catalog and histories, whatever they are of.
# - Sixty steps with one seed on one data set: the intervals say what other people would change, and not what another seed or
#   another shop would.
#
# ## What we did
#
# - We took one step by hand, and the library took sixty.
# - We saw that a label is what people did; that a bug can be loud, or silent with a perfect loss.
# - We wrote the losses of a bi-encoder and a cross-encoder, AdamW, and mixed precision, and counted bytes before they were
#   needed.
# - We measured: tuned text beats frozen text on what people met next, and on films that nobody had met.
# - We over-fitted on purpose, killed a training, and read a program that uses `Trainer` as of today.
#
# ## Exercises
#
# Replace what follows `=` or `return`, and run the cell. For a hint, remove the `#` in the last line; it works like this:

# %%
hint("06.1", level=1)

# %% [markdown]
# **06.1** The cosines of a user with four items of a batch are 0.6, 0.5, 0.3 and 0.1. She met the first one here; the second
# one she met as well, on another day. What is her loss at a temperature of 0.1, without a popularity correction?

# %% tags=["solution"]
# stub: answer = None  # Write your code here.
answer = -np.log(np.exp(6) / np.exp([6, 3, 1]).sum())
# end solution
check("06.1", answer)
# hint("06.1")

# %% [markdown]
# **06.2** A BERT-base has 110 million weights. How many GB (1 GB is 10⁹ bytes) do weights, gradients and the means of
# AdamW take in float32 together, when all is trained, and before any activation?

# %% tags=["solution"]
# stub: gigabytes = None  # Write your code here.
gigabytes = 110e6 * (4 + 4 + 2 * 4) / 1e9
# end solution
check("06.2", gigabytes)
# hint("06.2")

# %% [markdown]
# **06.3** *Find the bug.* Examples for a cross-encoder, from rows such as
# `{"user": "Alien", "title": "Heat", "ids": [101, 3684, 102], "stars": 4.5}`. The loss of this program falls nicely. Mend
# it: return a list of `(user, title, label)`, where the label is 1 if it got four stars or more, else 0.
#
# ```python
# def examples(rows):
#     return [(row["user"], row["title"], row["ids"][1]) for row in rows]
# ```


# %% tags=["solution"]
# stub: def examples(rows):
# stub:     return None  # Write your code here.
def examples(rows):
    return [(row["user"], row["title"], int(row["stars"] >= 4)) for row in rows]


# end solution
check("06.3", examples)
# hint("06.3")

# %% [markdown]
# **06.4** *A bug from a real project.* A training script for BERT divides the weights by name into those with decay and
# those without, and left the pooler out of both; so it was never trained, and scores came out all the same
# ([thread](https://github.com/huggingface/transformers/issues/461)). Here is its rule. Mend it so that every weight is in
# exactly one group, and biases and norms, which have one axis, are without decay. `shapes` maps a name to a shape; return
# two lists of names.
#
# ```python
# def groups(shapes):
#     used = [name for name in shapes if "pooler" not in name]
#     without = [name for name in used if "bias" in name]
#     return [name for name in used if name not in without], without
# ```


# %% tags=["solution"]
# stub: def groups(shapes):
# stub:     return None  # Write your code here.
def groups(shapes):
    decayed = [name for name, shape in shapes.items() if len(shape) > 1]
    return decayed, [name for name in shapes if name not in decayed]


# end solution
check("06.4", groups)
# hint("06.4")

# %% [markdown]
# **06.5** *Find the bug.* Gradient accumulation: each batch gives a list of numbers, one gradient for each example, and the
# step is to be that of one large batch. The last batch is often smaller. Mend it.
#
# ```python
# def accumulated(batches):
#     return sum(np.mean(batch) for batch in batches) / len(batches)
# ```


# %% tags=["solution"]
# stub: def accumulated(batches):
# stub:     return None  # Write your code here.
def accumulated(batches):
    return sum(np.sum(batch) for batch in batches) / sum(len(batch) for batch in batches)


# end solution
check("06.5", accumulated)
# hint("06.5")

# %% [markdown]
# **06.6** *Find the bug.* Training goes on for as long as the *test* value rises, and the best one is reported. It is common
# ([thread](https://github.com/xiangwang1223/neural_graph_collaborative_filtering/issues/37)). Mend it: the two lists have a
# value per epoch; return the test value that may be reported. Of equal ones the earliest counts.
#
# ```python
# def reported(validation, test):
#     return max(test)
# ```


# %% tags=["solution"]
# stub: def reported(validation, test):
# stub:     return None  # Write your code here.
def reported(validation, test):
    return test[int(np.argmax(validation))]


# end solution
check("06.6", reported)
# hint("06.6")

# %% [markdown]
# **06.7** *A small design:* a search for hyper-parameters. Each rate was tried with several seeds, and a single run may be
# lucky. `runs` is a list of `(rate, validation value)`, one for each run. Return the rate to be used: that with the best
# mean over its runs; of equal ones the smaller.


# %% tags=["solution"]
# stub: def best_rate(runs):
# stub:     return None  # Write your code here.
def best_rate(runs):
    means = pd.DataFrame(runs, columns=["rate", "value"]).groupby("rate")["value"].mean()  # sorted by rate
    return means.idxmax()


# end solution
check("06.7", best_rate)
# hint("06.7")

# %% [markdown]
# ## Quiz
#
# Click an option to open it; each says why it is right or wrong.

# %%
quiz("06")

# %% [markdown]
# ## Further reading
#
# - Devlin, Chang, Lee and Toutanova, *BERT*, NAACL 2019, [arXiv 1810.04805](https://arxiv.org/abs/1810.04805): section 4 is
#   fine-tuning.
# - Reimers and Gurevych, *Sentence-BERT*, EMNLP 2019, [arXiv 1908.10084](https://arxiv.org/abs/1908.10084): bi-encoder and
#   cross-encoder.
# - Yi and others, *Sampling-bias-corrected neural modeling for large corpus item recommendations*, RecSys 2019: the
#   popularity correction.
# - Loshchilov and Hutter, *Decoupled weight decay regularization*, ICLR 2019,
#   [arXiv 1711.05101](https://arxiv.org/abs/1711.05101): AdamW.
# - Micikevicius and others, *Mixed precision training*, ICLR 2018, [arXiv 1710.03740](https://arxiv.org/abs/1710.03740).
# - Chen, Xu, Zhang and Guestrin, *Training deep nets with sublinear memory cost*, 2016,
#   [arXiv 1604.06174](https://arxiv.org/abs/1604.06174): gradient checkpointing.
# - Mosbach, Andriushchenko and Klakow, *On the stability of fine-tuning BERT*, ICLR 2021,
#   [arXiv 2006.04884](https://arxiv.org/abs/2006.04884): warm-up, small rates, and why seeds differ.
# - [The Trainer](https://huggingface.co/docs/transformers/main_classes/trainer) in the documentation of transformers.
#
# **Next:** lesson 07 closes the loop: a click changes the next list.
