# %% [markdown]
# # Lesson 00 · Start here
#
# You type a sentence. A moment later you see ten films, and for each film the reasons why. This lesson builds that,
# takes it apart, and shows how everything in this course can be checked.
#
# ## Where we are
#
# A **recommender** chooses, out of many things, the few that somebody may want. The things are called **items**; here
# they are films. Whatever model is inside, the way from a sentence to a list, and from a click to a better list, is
# always the same eight verbs:
#
# ```
# text ──tokenize─▶ tokens ──encode─▶ vectors ──decompose─▶ interests
#                                                               │
#                                                            combine
#                                                               ▼
# events ◀─push── slate ◀─rank── scores ◀─────score───────── query
#    │                                                          ▲
#    └──────────────feedback────────────▶ new state ────────────┘
# ```
#
# | verb | question it answers | lesson that goes deep |
# |---|---|---|
# | tokenize | Which pieces does the text consist of? | 01 |
# | encode | Which numbers stand for its meaning? | 02 |
# | decompose | Which several wishes are in it? | 03 |
# | combine | How do the wishes become one query? | 03 |
# | score | How well does each item fit? | 04 |
# | rank | Which come first, and who decides ties? | 04, 05 |
# | push | How does the list reach the person? | 07 |
# | feedback | What changes after a click? | 07 |
#
# This lesson touches all eight, each for a minute.
#
# ## What you will be able to do
#
# - turn a sentence into ten films, and read why each film is there;
# - walk through all eight verbs by hand, on a world of five films;
# - read a tutorial critically: run what it says and compute its numbers again;
# - say where every model and every data file comes from, under which terms, and prove that it is the right file.
#
# **Time:** 25 minutes. **Hardware:** any laptop; this lesson uses no GPU, and no network once the files are there.
# **You need:** Python, and no knowledge of recommenders.
#
# ## Set up
#
# This page is a *Jupyter notebook*: text and code in cells. Click into a code cell and press Shift+Enter to run it, from
# top to bottom. `make lab` in the repository opens it. Two notes on tools: `make` keeps all packages in a *venv*, a folder
# of its own, so nothing else on your machine changes; and the same lesson opens as `lessons/00_start_here.py` in any
# editor, such as VS Code or PyCharm.
#
# Is the library of this course here?

# %%
import sys

if "google.colab" in sys.modules:
    sys.exit("Colab cannot install llmrec_lab: it has no published address. Use a copy of the repository.")
import llmrec_lab

print("llmrec_lab", llmrec_lab.__version__)

# %% [markdown]
# It is. Results can differ between versions, so a careful notebook says which ones it ran with:

# %% tags=["nbval-ignore-output"]
from importlib.metadata import metadata, requires, version

for name in ("numpy", "pandas", "scikit-learn", "torch", "transformers", "ipywidgets"):
    print(name, version(name))

# %% [markdown]
# ## 1. A sentence in, ten films out
#
# Five lines get ready. They load a few thousand films, and an **encoder**: a language model that turns text into numbers.
# The first time, the encoder reads every film and a bar shows how far it is; the result is kept for the next time.

# %% tags=["nbval-ignore-output"]
from llmrec_lab import Recommender, load_encoder, load_films

films = load_films()
catalog = films.catalog
encoder = load_encoder("minilm")
lab = Recommender(catalog, encoder, progress=True)

# %% [markdown]
# What does the recommender propose to somebody who says this?

# %%
sentence = "I like science fiction films and machine learning"
slate = lab.recommend(sentence, k=10)
print(slate)

# %% [markdown]
# Eight lines, ten films. Such a list, best first, is called a **slate**. The number beside each film is its **score**:
# the higher, the better the film fits the sentence, as far as the recommender can tell.
#
# The recommender has not looked at any rating yet. It works from texts and facts alone, with what the language model
# learned elsewhere; that is called **zero-shot**. What is the text of the first film?

# %%
first = catalog.positions(slate.item_ids[:1])[0]
print(len(catalog), "films; the text of the first one on the slate:")
print(catalog.texts[first])

# %% [markdown]
# One line of facts, and no plot. So a wish for a genre, a director or a country can be met well; a wish such as "a film
# about growing old" hardly. What a recommender cannot read, it cannot recommend by.
#
# Does the slate follow the sentence? A different wish:

# %%
other = lab.recommend("warm comedies about families", k=10)
print(*other.titles, sep="\n")

# %% [markdown]
# That looks different. In this course, what the text says is also *claimed*: `claim(sentence, holds)` prints the sentence
# with a tick if it holds, and stops the notebook if it does not. `holds` is always computed from what came before.

# %%
from llmrec_lab.exercises import check, claim, hint, quiz

shared = set(slate.item_ids) & set(other.item_ids)
again = lab.recommend(sentence, k=10)
claim("the slate changes with the sentence", len(shared) < len(slate))
claim("the same sentence gives the same slate", list(again.item_ids) == list(slate.item_ids))

# %% [markdown]
# ## 2. Why these films?
#
# Every score is a plain sum, and the slate keeps its parts. What is the score of the first film made of?

# %%
print(slate.titles[0])
print(f"{slate.scores[0]:.3f} = {slate.reasons(0)}")

# %% [markdown]
# *Meaning* compares the numbers that the encoder makes of the sentence with those of the film's text; section 3 opens it.
# Beside its text a film has **facets**: genre, director, country, language, decade, cast. The library picks the facet
# values, or **concepts**, that are nearest to the sentence, shares at most 0.5 among them, and adds a concept's share to
# every film that has it. Are these reasons the whole story, or is something left out?

# %%
import numpy as np

gap = np.abs(slate.parts.sum(axis=1) - slate.scores).max()
claim("the parts of every film sum to its score within 1e-6", gap <= 1e-6)

# %% [markdown]
# Nothing is left out: the explanation *is* the score, taken apart. That also makes mistakes visible. Look at the reasons
# of this slate: which of them did the person surely not mean?

# %%
print(lab.recommend("ghosts of the woods", k=3))

# %% [markdown]
# A reason that rests on a name, such as the actor James Woods, is an accident, and you can see that it is one. A list
# without reasons would have hidden it.
#
# So far no other person had a say. `fit_prior` counts how often each film was rated, and popular films gain a little.
# How much?

# %%
lab.fit_prior(films.interactions)
popular = lab.recommend(sentence, k=10)
print(f"{popular.scores[0]:.3f} = {popular.reasons(0)}")

# %% [markdown]
# There is one more part. A picture shows all ten scores at once:

# %% tags=["nbval-ignore-output"]
from llmrec_lab.plots import parts_in_words, picture, stacked_parts

ax = stacked_parts(popular.titles, popular.parts, popular.part_names)
picture(ax, parts_in_words(popular.titles, popular.parts, popular.part_names))

# %% [markdown]
# The same in words, for those who do not see the picture:

# %%
print(parts_in_words(popular.titles, popular.parts, popular.part_names))

# %% [markdown]
# Popularity is the smallest part. How much may it add at most, and how many of the ten films does it change?

# %%
part = popular.parts[:, list(popular.part_names).index("popularity")]
stay = set(slate.item_ids) & set(popular.item_ids)
print("at most", lab.config.prior_weight, "|", len(stay), "of 10 films stay")
claim(
    "popularity adds to each of the ten films, and never more than it may",
    0 < part.min() and part.max() <= lab.config.prior_weight,
)
claim("the parts still sum to the scores", np.abs(popular.parts.sum(axis=1) - popular.scores).max() <= 1e-6)

# %% [markdown]
# So popularity decides between films that fit about equally well. Learning from each person's own history takes
# `lab.fit(films.interactions)`; lesson 05 measures how much that helps.
#
# ## 3. The eight verbs by hand
#
# What happens inside? We do it by hand, in a world small enough to see all of it: five films.

# %%
from llmrec_lab.datasets.tiny import tiny_world

world, _ = tiny_world()
print(*world.texts, sep="\n")

# %% [markdown]
# **Tokenize.** A language model reads **tokens**: words, or pieces of words, for which it has numbers. Which tokens does
# this wish consist of?

# %%
wish = "spirits of the forest and a love story in Paris"
print(encoder.tokenizer.encode(wish).tokens)

# %% [markdown]
# The model adds `[CLS]` in front and `[SEP]` at the end. Then it **encodes**: the tokens become one **vector**, a row of
# numbers. Texts with similar meaning get vectors that point in similar directions.

# %%
vector = encoder.encode([wish])[0]  # (384)
print(len(vector), "numbers; the first four:", vector[:4].round(2))

# %% [markdown]
# **Decompose.** The wish names two things, and one vector for both is a compromise. An **interest** is one thing that
# somebody wants, with a vector of its own. By hand, we cut at the word *and*:

# %%
labels = wish.split(" and ")
interests = encoder.encode(labels)  # (2, 384)
print(labels)

# %% [markdown]
# **Combine.** The interests become a query, the vector that films are compared with. The simplest way is their mean:

# %%
query = interests.mean(axis=0)  # (384)

# %% [markdown]
# **Score.** How well does a film fit the query? By the angle between their vectors. The **cosine** of that angle is 1 for
# the same direction, 0 for a right angle, -1 for opposite directions. It is the dot product, divided by both lengths.
# First on two vectors that one can draw:

# %%
a, b = np.array([3.0, 4.0]), np.array([1.0, 0.0])
dot = (a * b).sum()
length_a, length_b = np.sqrt((a * a).sum()), np.sqrt((b * b).sum())
print(f"{dot} / ({length_a} * {length_b}) = {dot / (length_a * length_b)}")

# %% [markdown]
# The same with many more numbers: the query and the film *My Neighbor Totoro*. Does the library's `cosine` agree?

# %%
from llmrec_lab.scoring import cosine

film_vectors = encoder.encode(list(world.texts))  # (5, 384)
totoro = film_vectors[2]
by_hand = (query * totoro).sum() / (np.sqrt((query * query).sum()) * np.sqrt((totoro * totoro).sum()))
print(f"{by_hand:.4f} by hand, {cosine(query, totoro):.4f} by the library")
claim("by hand and by the library the cosine is the same", abs(by_hand - cosine(query, totoro)) < 1e-6)

# %% [markdown]
# It does, so from here we let the library compute all five:

# %%
import pandas as pd

scores = cosine(film_vectors, query)  # (5)
pd.Series(scores.round(2), index=world.titles)

# %% [markdown]
# **Rank.** Put the best first. **Push.** Hand the first few to the person; here, print them.

# %%
order = np.argsort(-scores)
print(*world.titles[order[:3]], sep="\n")

# %% [markdown]
# Both interests are served. **Feedback** is what the person does next, such as a click or a like. Say she likes the first
# film. We add that film's vector to the query, and leave out what she has seen. What comes first now?

# %%
liked = order[0]
new_scores = cosine(film_vectors, query + film_vectors[liked])
new_scores[liked] = -np.inf  # seen
new_order = np.argsort(-new_scores)
print(*world.titles[new_order[:3]], sep="\n")

# %% [markdown]
# Before the like, another film stood next in line:

# %%
claim("one like changes what comes next", new_order[0] != order[1])

# %% [markdown]
# That is the whole loop. The library does the first six with more care, and lesson 07 the last two. It finds the joints of
# a sentence, writes each wish in concepts such as *genre Western*, gives every interest its share of places, and orders
# equal scores by item id, so that the same input always gives the same slate.
#
# ## 4. Read a tutorial critically
#
# This course grew out of five published articles on recommendation with language models. Their topics: taking a user's
# interests apart; long-term satisfaction; a survey of the field; the limits of hardware; feedback in real time. When a
# lesson says *the articles*, it means these. Much in them is useful, and some of it does not run or is not true. Where a
# lesson meets such a place, you see a box like these.
#
# > **Check the article: a number.** The cosine of (1, 2, 3, 4, 5) and (6, 7, 8, 9, 10) is 0.99, it says.
#
# We have a cosine, so we compute it:

# %%
user, item = np.arange(1, 6), np.arange(6, 11)
value = cosine(user, item)
print(f"{value:.5f}")
claim("the cosine is 0.96495, not 0.99", abs(value - 0.96495) < 5e-6 and round(value, 2) != 0.99)

# %% [markdown]
# The same example means the vector (1, 2, 3, 4, 5) to describe a user, and its first number is the user's *id*. What
# happens if that same user had joined later and got the id 100001?

# %%
renamed = np.array([100001, 2, 3, 4, 5])
print(f"id 1: {cosine(user, item):.3f}    id 100001: {cosine(renamed, item):.3f}")
claim("another id changes the cosine by more than 0.5", abs(cosine(user, item) - cosine(renamed, item)) > 0.5)

# %% [markdown]
# An id is a name, not an amount. It has no place inside a vector that is compared by cosine. Lesson 04 returns to this.
#
# > **Check the article: code.** Four lines from the articles: `from transformers import AdamW`;
# > `from transformers import TFBertModel`; `conda create python=3.8`; and `pip install transformers`, to then use its
# > `Trainer`.
#
# Do the imports work today?

# %%
try:
    from transformers import AdamW
except ImportError as problem:
    print(type(problem).__name__, "-", str(problem).split(" (")[0])

# %% [markdown]
# It was there once, and has moved. The mend is one word:

# %%
from torch.optim import AdamW

claim("AdamW can be imported from torch", AdamW.__name__ == "AdamW")

# %% [markdown]
# `TFBertModel`, for TensorFlow, is gone without a successor. This course uses PyTorch only.

# %%
import transformers

claim("transformers has BertModel", hasattr(transformers, "BertModel"))
claim("transformers has no TFBertModel", not hasattr(transformers, "TFBertModel"))

# %% [markdown]
# Does Python 3.8 still do? Every package says which versions of Python it needs:

# %%
from packaging.specifiers import SpecifierSet

needs = metadata("transformers")["Requires-Python"]
claim("this version of transformers does not run on Python 3.8", "3.8" not in SpecifierSet(needs))

# %% [markdown]
# The same page installs PyTorch from the conda channel `pytorch`, which its makers have
# [discontinued](https://github.com/pytorch/pytorch/issues/138506). We use a venv and exact versions instead. And is
# `pip install transformers` enough for its `Trainer`, which needs the package *accelerate*?

# %%
from packaging.requirements import Requirement

brought = {Requirement(line).name for line in requires("transformers") if "extra ==" not in line}
claim("transformers brings tokenizers along", "tokenizers" in brought)
claim("and it does not bring accelerate", "accelerate" not in brought)

# %% [markdown]
# It takes `pip install "transformers[torch]"`.
#
# > **Check the article: data.** `pd.read_csv('recommendation_data.csv')` is the first line of its program.

# %%
try:
    pd.read_csv("recommendation_data.csv")
except FileNotFoundError as problem:
    print(type(problem).__name__)

# %% [markdown]
# The file was never published, so nothing after that line can be repeated. What we do instead: data that is there, with
# a **data card** that says what it is, where it is from, and under which terms.

# %%
from llmrec_lab.assets import ASSETS, inventory

ratings = films.interactions.frame
card = {"films": len(catalog), "people": ratings["user_id"].nunique(), "ratings": len(ratings)}
card |= {"from": ASSETS["movielens"].what, "terms": ASSETS["movielens"].license}
print(*(f"{name}: {value}" for name, value in card.items()), sep="\n")

# %% [markdown]
# The card has two counts of ratings. `load_films` leaves out 7 without a title, and films with fewer than five ratings,
# about which little can be learned. Is that all of the difference?

# %%
counts = load_films(min_ratings=1).interactions.frame["item_id"].value_counts()
rare = counts[counts < 5].sum()
total = len(ratings) + rare + 7
print(f"{len(ratings):,} + {rare:,} + 7 = {total:,}")
claim("it is the count of the edition", f"{total:,} ratings" in card["from"])

# %% [markdown]
# > **Check the article: claims and references.** Code is not all. Large platforms are said to "use BERT" in this or that
# > way, and no source is given; one of them is named as a news platform, which it is not. Pictures have the address
# > `your-repo-name`, so they never load. A course on computer vision (CS231n) is recommended for the theory of
# > recommenders, a Chinese book is given the wrong authors, and several papers cannot be found under their titles.
#
# No cell can run a sentence such as "everybody uses this". Treat it as an opinion until you see a source; in this course
# such sentences do not appear. References can be checked, and exercise 00.5 lets you do it.
#
# ## 5. Where the models and the data come from
#
# A program that downloads a model trusts somebody. How do we know that a file is the one we mean? By its **hash**: a
# short number computed from all bytes of a file. Change one letter, and the hash is another:

# %%
import hashlib

for text in ("Alien", "Alier"):
    print(text, hashlib.sha256(text.encode()).hexdigest()[:12])

# %% [markdown]
# The library has the hash of every file written down, and compares. Which files are there, and are they the right ones?

# %%
files = pd.DataFrame(inventory())
files["MB"] = (files["bytes"] / 1e6).round(1)
files["sha256"] = files["sha256"].str[:12]
files[["asset", "file", "MB", "sha256", "state"]]

# %%
claim("every asset is verified by its hash", bool((files["state"] == "verified").all()))

# %% [markdown]
# The right bytes are one thing, the right to use them is another. Under which terms does each asset come?

# %%
for asset in ASSETS.values():
    print(f"{asset.name}: {asset.what}\n    {asset.license}")

# %% [markdown]
# Most of these permit nearly everything. One matters: MovieLens is *for research and not for commercial use*, and asks
# to be cited:

# %%
from llmrec_lab.datasets.films import CITATION

print(CITATION)

# %% [markdown]
# For a paid workshop there is an open path: `load_open_catalog()` in `llmrec_lab.datasets.films` has the films of
# Wikidata alone, which are free for everybody (CC0), and `llmrec_lab.datasets.people` generates people who watch them.
#
# ## 6. Is everything in order on this machine?
#
# `llmrec doctor` in a terminal looks at Python, the packages, the files and the disk, and says how to mend what fails.
# In a notebook:

# %% tags=["nbval-ignore-output"]
from llmrec_lab.doctor import examine

findings = examine()
for finding in findings:
    print("OK  " if finding.ok else "FAIL", finding.what if finding.ok else f"{finding.what}: {finding.mend}")

# %%
claim("nothing has to be mended here", all(finding.ok for finding in findings))

# %% [markdown]
# ## 7. The same films, asked in Chinese
#
# The encoder `minilm` reads English. `e5` reads about a hundred languages. The films stay as they are, described in
# English; can a Chinese sentence find them? This one asks for science fiction about space and for warm animation.

# %% tags=["nbval-ignore-output"]
lab_zh = Recommender(catalog, load_encoder("e5"), progress=True)

# %%
slate_zh = lab_zh.recommend("我喜欢太空探险的科幻电影和温暖的动画片", k=10)
print(slate_zh)

# %% [markdown]
# Did the words match, letter by letter? Chinese characters are easy to look for:

# %%
chinese = [text for text in catalog.texts if any("\u4e00" <= character <= "\u9fff" for character in text)]
claim("no text of the catalog has a Chinese character", len(chinese) == 0)

# %% [markdown]
# So it was the meaning that matched. Or luck? Compare with the share of such films in the whole catalog:

# %%
fits = np.array([bool({"Sci-Fi", "Animation"} & set(genres)) for genres in catalog.facets["genre"]])
on_slate = fits[catalog.positions(slate_zh.item_ids)].mean()
print(f"science fiction or animation: {fits.mean():.0%} of the catalog, {on_slate:.0%} of the slate")
claim("the slate holds the genres that the Chinese sentence asks for", on_slate > fits.mean())

# %% [markdown]
# ## 8. Your turn: a live search box
#
# Run the cell, click into the field (or reach it with Tab) and type. The list follows when you pause.

# %% tags=["nbval-ignore-output"]
from llmrec_lab.widgets import search_box, search_table

search_box(lab, "westerns and a good musical")

# %% [markdown]
# The box needs a running notebook. Its still twin puts the slates of a few sentences side by side:

# %%
search_table(lab, ["westerns and a good musical", "French comedies", "films by Alfred Hitchcock"], k=5)

# %% [markdown]
# Try a wish with *but no*, a director you like, a sentence with nothing about films, and an empty field.
#
# ## 9. How to work with the exercises
#
# You know `claim`. An exercise ends in `check(number, answer)`. A wrong answer is told what it shows, if it is a mistake
# that people make:

# %%
check("00.3", 0.28)
check("00.3", None)

# %% [markdown]
# `hint(number)` helps in three steps, each saying more. If you are stuck after the third, open the solution edition of
# this notebook, in the folder `solutions`.

# %%
hint("00.1", level=1)

# %% [markdown]
# And a claim that does not hold? It raises an error that says so, and the notebook stops:

# %%
try:
    claim("two and two is five", 2 + 2 == 5)
except AssertionError as problem:
    print(problem)

# %% [markdown]
# ## What we did
#
# - We turned a sentence into ten films, and read why each film is there: the parts of a score sum to the score.
# - We walked through all eight verbs by hand, on five films, and the library's cosine agreed with ours.
# - We read a tutorial critically: ran its lines, and computed its number again.
# - We said where every model and data file comes from and under which terms, and proved by hash that each is the right one.
#
# ## Exercises
#
# Replace what follows `=` or `return`, and run the cell. For a hint, remove the `#` in the last line.
#
# **00.1** What is the cosine of (1, 2, 3, 4, 5) and (6, 7, 8, 9, 10)? You have seen the number; now get it with `@`, the
# dot product, and without a ready-made cosine.

# %% tags=["solution"]
a, b = np.arange(1, 6), np.arange(6, 11)
# stub: answer = None  # Write your code here.
answer = a @ b / np.sqrt((a @ a) * (b @ b))
# end solution
check("00.1", answer)
# hint("00.1")

# %% [markdown]
# **00.2** Make it a function for any two vectors. The check calls it with vectors of other lengths and directions.


# %% tags=["solution"]
# stub: def cosine_of(a, b):
# stub:     return None  # Write your code here.
def cosine_of(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


# end solution
check("00.2", cosine_of)
# hint("00.2")

# %% [markdown]
# **00.3** The score of a film has three parts. Which share of the whole score, as a fraction of 1, comes from history?

# %% tags=["solution"]
parts = {"text": 0.42, "history": 0.28, "popularity": 0.10}
# stub: share = None  # Write your code here.
share = parts["history"] / sum(parts.values())
# end solution
check("00.3", share)
# hint("00.3")

# %% [markdown]
# **00.4** A slate must not depend on the order in which films came. Write `top_k`: the ids of the `k` best scores, best
# first, and equal scores in order of item id. `item_ids` and `scores` are numpy arrays of the same length, and the answer
# is a list. Ids are strings and compared as such: "10" comes before "9".


# %% tags=["solution"]
# stub: def top_k(item_ids, scores, k):
# stub:     return None  # Write your code here.
def top_k(item_ids, scores, k):
    return [item_id for _, item_id in sorted(zip(-scores, item_ids))[:k]]


# end solution
check("00.4", top_k)
# hint("00.4")

# %% [markdown]
# **00.5** Three of these references can be found. Which one cannot? Search for the titles; do not judge by how they
# sound.
#
# - **A** Goldberg, Nichols, Oki and Terry. Using Collaborative Filtering to Weave an Information Tapestry. 1992.
# - **B** Developing Highly Effective Language Models via Adaptive Pre-training. (No authors were given.)
# - **C** Gururangan and others. Don't Stop Pretraining: Adapt Language Models to Domains and Tasks. 2020.
# - **D** Sun and others. BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations from
#   Transformer. 2019.

# %% tags=["solution"]
# stub: not_found = None  # Write a letter, such as "A".
not_found = "B"
# end solution
check("00.5", not_found)
# hint("00.5")

# %% [markdown]
# ## Quiz
#
# Click an option to open it; each says why it is right or wrong.

# %%
quiz("00")

# %% [markdown]
# ## Further reading
#
# - Vaswani and others, *Attention Is All You Need*, 2017, [arXiv 1706.03762](https://arxiv.org/abs/1706.03762): the
#   network inside every language model here.
# - Devlin and others, *BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding*, 2019,
#   [arXiv 1810.04805](https://arxiv.org/abs/1810.04805): the family that both our encoders belong to.
# - Jurafsky and Martin, *Speech and Language Processing*,
#   [draft of the third edition](https://web.stanford.edu/~jurafsky/slp3/): the textbook, free to read.
# - Stanford [CS224N](https://web.stanford.edu/class/cs224n/), *Natural Language Processing with Deep Learning*: the course.
# - Aggarwal, *Recommender Systems: The Textbook*, Springer 2016,
#   [doi 10.1007/978-3-319-29659-3](https://doi.org/10.1007/978-3-319-29659-3).
# - Ricci, Rokach and Shapira (editors), *Recommender Systems Handbook*, third edition, Springer 2022,
#   [doi 10.1007/978-1-0716-2197-4](https://doi.org/10.1007/978-1-0716-2197-4).
# - 项亮 (Xiang Liang), 《推荐系统实践》, 2012: in Chinese, from practice.
#
# For practice on data of your own choice, [Kaggle](https://www.kaggle.com/) has competitions on recommendation.
#
# **Next:** lesson 01 looks at the first verb. What does a language model see when it reads your sentence?
