# %% [markdown]
# # Lesson 01 · Tokenization
#
# You type a sentence, and a language model reads numbers. This lesson looks at the step between: what a model sees of a
# sentence, what it does not see, and what it costs to show it.
#
# ## Where we are
#
# Lesson 00 went through eight verbs, a minute each. Here is the first of them, at length:
#
# ```
# text ══TOKENIZE═▶ tokens ──encode─▶ vectors ──decompose─▶ interests
#                                                               │
#                                                            combine
#                                                               ▼
# events ◀─push── slate ◀─rank── scores ◀─────score───────── query
#    │                                                          ▲
#    └──────────────feedback────────────▶ new state ────────────┘
# ```
#
# ## What you will be able to do
#
# - clean the text that people type, and say what cleaning cannot mend;
# - learn a vocabulary from five films by hand, and cut any word with it;
# - see for any model and any language, before you use them together, how much of a text the model can read;
# - tell the two things apart that are called *mask*;
# - put texts of different lengths into one batch without changing their vectors, and count what the padding costs.
#
# **Time:** 50 minutes. **Hardware:** any laptop, no GPU, no network once the files are there. **You need:** Python, and
# lesson 00. No Chinese is needed: every Chinese sentence is explained.
#
# First, what do you remember of lesson 00?

# %%
import sys

if "google.colab" in sys.modules:
    sys.exit("Colab cannot install llmrec_lab: it has no published address. Use a copy of the repository.")
from llmrec_lab.exercises import check, claim, hint, quiz, recap

recap("01")

# %% [markdown]
# ## 1. What people type
#
# The text of a user comes from a keyboard, a web page or another program, and each leaves its traces. Are these two
# titles the same?

# %%
one, other = "Am\u00e9lie", "Ame\u0301lie"
print(one, other, one == other, len(one), len(other))

# %% [markdown]
# They look the same and are not. In the first, `é` is one character; in the second, it is an `e` followed by an accent
# that is drawn above it. *Unicode*, the list of all characters, has both spellings, and a rule that turns one into the
# other:

# %%
import unicodedata

composed = [unicodedata.normalize("NFC", title) for title in (one, other)]
claim("composed, both titles are the same text", composed[0] == composed[1])

# %% [markdown]
# The library's `clean` does this, and removes what cannot be seen: control characters and superfluous spaces. Which of
# these five raw texts are the same wish?

# %%
from llmrec_lab.text import clean

raw = ["French  comedies", "French comedies\x00", " French\ncomedies "]
raw += ["French comedies😀", "Ｆｒｅｎｃｈ ｃｏｍｅｄｉｅｓ"]
print(*(clean(text) for text in raw), sep="\n")

# %% [markdown]
# The first three. The emoji stays, because it carries meaning. The last one was typed with a Chinese keyboard in *full
# width*; its letters are other characters than `F` or `r`, and `clean` leaves them alone. Whether that matters depends on
# the model, as we will see.
#
# > **Check the article: cleaning.** Remove duplicates, it says, and remove noise.
#
# Good advice, and the order decides whether it works. How many different wishes are here, if duplicates are looked for
# before cleaning, and how many after?

# %%
before, after = set(raw), {clean(text) for text in raw}
print(len(before), "before cleaning,", len(after), "after")
claim("cleaning finds duplicates that look different to a computer", len(after) < len(before))

# %% [markdown]
# ## 2. A vocabulary by hand
#
# A **neural network** is a long computation with numbers that were learned from examples. What goes in are numbers too, so
# each piece of text needs one. Which pieces? Whole words would be clear, but there is no end of words: names, new titles,
# typing errors. Single letters would be few, but a sentence becomes long, and a letter means little. Language models take
# the way between: frequent words stay whole, rare ones are put together from parts. Such a part is a **token**, the list of
# all tokens is the **vocabulary**, the place of a token in that list is its **id**, and the program that cuts is the
# **tokenizer**.
#
# Where does a vocabulary come from? It is learned from text. We do it with the texts of five films. Step one: which
# words are there, and how often? (`segment` finds the words of a text; section 4 looks into it.)

# %%
from collections import Counter

from llmrec_lab.datasets.tiny import tiny_world
from llmrec_lab.text import segment

world, _ = tiny_world()
counts = Counter(word for text in world.texts for word in segment(text))
print(len(counts), "words;", counts.most_common(4))

# %% [markdown]
# Step two: cut every word into letters. The mark `##` says that a piece continues a word:

# %%
cut = {word: [word[0], *("##" + letter for letter in word[1:])] for word in counts}
vocabulary = {piece for pieces in cut.values() for piece in pieces}
print(cut["spirits"], "-", len(vocabulary), "pieces so far")

# %% [markdown]
# Step three: which two pieces stand side by side most often? (If several pairs are equally frequent, the first in the
# alphabet counts, so that everybody gets the same.)


# %%
def most_frequent_pair(cut, counts):
    pairs = Counter()
    for word, pieces in cut.items():
        for pair in zip(pieces, pieces[1:]):
            pairs[pair] += counts[word]
    return min(pairs, key=lambda pair: (-pairs[pair], pair))


most_frequent_pair(cut, counts)

# %% [markdown]
# Step four: join that pair wherever it occurs. The joined piece is a new entry of the vocabulary.


# %%
def join(pieces, pair):
    joined = pieces[:1]
    for piece in pieces[1:]:
        if (joined[-1], piece) == pair:
            joined[-1] += piece.removeprefix("##")
        else:
            joined.append(piece)
    return joined


join(["##a", "##r", "##s"], ("##a", "##r"))

# %% [markdown]
# Now repeat steps three and four. After sixty joins, what are the last new pieces, and how is *spirits* written?

# %%
learned = []
for _ in range(60):
    pair = most_frequent_pair(cut, counts)
    cut = {word: join(pieces, pair) for word, pieces in cut.items()}
    learned.append(pair[0] + pair[1].removeprefix("##"))
vocabulary |= set(learned)
print(learned[-8:])
print(cut["spirits"], cut["bathhouse"])
whole = {word for word in counts if cut[word] == [word]}
repeated = {word for word in counts if counts[word] > 1}
claim("whole are exactly the words that occur at least twice", whole == repeated)

# %% [markdown]
# A word that occurs several times has become one piece, and a word that occurs once is still in parts. That is all there
# is to training a tokenizer. (The marks `##` are those of **WordPiece**, the kind that BERT has. The rule of the most
# frequent pair is that of **byte-pair encoding**, BPE; the library `tokenizers` learns both kinds with it.)
#
# How is a *new* word cut? From the left, always taking the longest piece that is in the vocabulary. If there is none,
# the word cannot be written, and becomes `[UNK]`, *unknown*.


# %%
def wordpiece(word, vocabulary):
    pieces, start = [], 0
    while start < len(word):
        mark = "##" if start else ""
        ends = [end for end in range(len(word), start, -1) if mark + word[start:end] in vocabulary]
        if not ends:
            return ["[UNK]"]
        pieces.append(mark + word[start : ends[0]])
        start = ends[0]
    return pieces


for word in ("spirits", "spirited", "forester", "quiz"):
    print(word, wordpiece(word, vocabulary))
claim("none of the words has a q", "q" not in "".join(counts))

# %% [markdown]
# *Forester* is in none of the five texts, and can be written all the same. *Quiz* cannot, for want of a `q`. What a
# vocabulary was not learned from, it cannot write. Keep that in mind for section 4.
#
# ## 3. A real tokenizer
#
# `minilm`, the encoder of lesson 00, comes with a vocabulary that its makers took over from **BERT**. BERT is a
# **transformer**: a network in which every token can look at every other one. It was **pre-trained**, which means that
# it practiced on a great deal of text before anybody had a task for it; `minilm` was then **fine-tuned**, trained further
# on pairs of sentences that belong together. Training in these two steps, once for language and once for a task, is the
# rule today: we load a *pre-trained language model* and need not start from nothing. (Lesson 06 fine-tunes it for
# recommendation.) The field is called **natural language processing**, NLP.
#
# What does it make of this?

# %%
from llmrec_lab.text import token_grid
from llmrec_lab.vocabularies import load_tokenizer

minilm = load_tokenizer("minilm")
token_grid(minilm, "I like Hayao Miyazaki's anime")

# %% [markdown]
# The first row holds the tokens. `I` became `i`: this vocabulary has no capitals. The name is put together from parts,
# `anime` is whole. The second row holds the ids. The third row, and `[PAD]` at the end, are for section 5.
#
# > **Check the article: [CLS].** BERT is written as a function of a "classification layer CLS", the text, and the
# > network's parameters.
#
# `[CLS]` is no layer. Place 0 of the grid shows what it is: a token that the tokenizer puts in front, as it puts `[SEP]`
# at the end. Parameters are what the network consists of; they are not part of its input.

# %%
sentence = minilm.encode("I like films")
print(sentence.ids)
claim("the input is ids, and the first is that of [CLS]", sentence.ids[0] == minilm.token_to_id("[CLS]"))

# %% [markdown]
# Is the real tokenizer the same thing as our few lines? We let both cut every word of all film texts, ours with the
# vocabulary of BERT:

# %%
from llmrec_lab import load_films

catalog = load_films().catalog
plain = [minilm.normalizer.normalize_str(text) for text in catalog.texts]  # lower case, no accents
words = sorted({word for text in plain for word, _ in minilm.pre_tokenizer.pre_tokenize_str(text)})
entries = minilm.get_vocab()
ours = [wordpiece(word, entries) for word in words]
theirs = [minilm.encode(word, add_special_tokens=False).tokens for word in words]
print(f"{len(words):,} different words, {sum(map(len, ours)) / len(words):.2f} pieces per word")
claim("ours and the real one cut every word of the catalog alike", ours == theirs)

# %% [markdown]
# They do. What is an id used for? It is a row number. The network has a table with a row of numbers for each entry, its
# **embedding table**, and the first thing it does with an id is to fetch that row. How many rows are there, and how many
# numbers in each?

# %%
from llmrec_lab import load_encoder

encoder = load_encoder("minilm")
table = encoder.bert.embeddings["word_embeddings"].weight
print(tuple(table.shape))
claim("the table has one row for each entry of the vocabulary", len(table) == len(entries))

# %% [markdown]
# So a tokenizer and a network belong together. What happens if we feed `minilm` with ids from the tokenizer of `e5`,
# the other encoder of lesson 00?

# %%
e5 = load_tokenizer("e5")
strangers = e5.encode("I like science fiction").ids
print(strangers, "-", minilm.decode([number for number in strangers if number < len(table)]))
claim("some ids of e5 have no row in the table of minilm", max(strangers) >= len(table))

# %% [markdown]
# Some would crash; the others would silently mean something else, here 樹 *tree* and two entries that are not in use.
# Always load both from the same place.
#
# > **Check the article: word vectors.** BERT is listed as a "word embedding" next to word2vec and GloVe, as if it gave
# > every word a vector.
#
# The table does; the network does not stop there. For every token it puts out a new vector, made with a look at the
# whole text. (Its second input, `mask`, is all ones here; section 5 is about it.) Take the word *western* in two sentences:

# %%
import torch

from llmrec_lab.scoring import cosine


@torch.inference_mode()  # compute only, and keep nothing for training
def vector_of(word, text):
    row = minilm.encode(text)
    mask = torch.ones(1, len(row.ids), dtype=torch.bool)
    out = encoder.bert(torch.tensor([row.ids]), mask)  # (1, t, 384)
    place = row.tokens.index(word)
    return row.ids[place], out[0, place].numpy()


genre = vector_of("western", "a western with cowboys and a sheriff")
region = vector_of("western", "a film set in western Germany")
similar = cosine(genre[1], region[1])
print("ids:", genre[0], region[0], "- cosine of the vectors:", round(similar, 2))
claim("the id is the same in both sentences, and the vector is not", genre[0] == region[0] and similar < 0.9)

# %% [markdown]
# Such a vector is **contextual**: it belongs to one occurrence of a word. Lesson 02 goes into that.
#
# Some inputs deserve a second look. What does the tokenizer make of an emoji that touches a word, of full-width
# letters, and of a text that contains one of its own tokens?

# %%
for text in ("great film😀", "great film 😀", "Ｆｒｅｎｃｈ films", "I like [SEP] films"):
    print(f"{text!r:22}", *minilm.encode(text).tokens)

# %% [markdown]
# One emoji without a space, and the word *film* is gone. The full-width word is gone too; the Unicode rule NFKC turns its
# letters into ordinary ones:

# %%
folded = minilm.encode(unicodedata.normalize("NFKC", "Ｆｒｅｎｃｈ films"))
print(*folded.tokens)
claim("folding full-width letters brings the word back", "french" in folded.tokens)

# %% [markdown]
# And whoever types `[SEP]` puts a control token into the middle of the text. One switch makes the tokenizer read it as
# plain letters:

# %%
minilm.encode_special_tokens = True
typed = minilm.encode("I like [SEP] films")
minilm.encode_special_tokens = False
print(*typed.tokens)
claim("with the switch, [SEP] stands at the end only", typed.tokens.count("[SEP]") == 1)

# %% [markdown]
# Every step after this one works with tokens. What is lost here, no later step brings back.
#
# ## 4. Two Chinese sentences
#
# > **Check the article: the model.** The articles load `bert-base-cased` or `bert-base-uncased`, two English models, for
# > Chinese sentences and Chinese shops.
#
# These are two of their sentences: *I like watching science fiction films and studying machine learning*, and *I like
# buying cheap and durable electronics*. `minilm` has the vocabulary of `bert-base-uncased`. What does it see?

# %%
films_and_science = "我喜欢看科幻电影和研究机器学习"
cheap_and_durable = "我喜欢购买便宜且耐用的电子产品"
for text in (films_and_science, cheap_and_durable):
    print(*minilm.encode(text).tokens)

# %% [markdown]
# Hardly anything. The **UNK rate** says how much is lost: the share of characters that end up in an unknown token. By
# hand, then by the library, and beside them the tokenizer of `e5`, which was learned from about a hundred languages:

# %%
from llmrec_lab.text import unknown_shares

both = [films_and_science, cheap_and_durable]
by_hand = [minilm.encode(text).tokens.count("[UNK]") / len(text) for text in both]  # a token per character
print("minilm by hand", by_hand, "- by the library", unknown_shares(minilm, both))
print("e5", unknown_shares(e5, both))

# %%
claim("the English vocabulary turns most characters of both sentences into [UNK]", min(by_hand) > 0.5)
claim("by hand and by the library the rate is the same", by_hand == unknown_shares(minilm, both).tolist())
claim("e5 keeps every character of both", unknown_shares(e5, both).max() == 0)

# %% [markdown]
# (The cased vocabulary is not among our files. If you have it, the same line counts for it.)
#
# Does it matter? Take *I like comedies* and *I hate comedies*:

# %%
like, hate = "我喜欢喜剧", "我讨厌喜剧"
print(*minilm.encode(like).tokens)
print(*minilm.encode(hate).tokens)
claim("to minilm, liking and hating are the same ids", minilm.encode(like).ids == minilm.encode(hate).ids)
claim("to e5 they are not", e5.encode(like).ids != e5.encode(hate).ids)

# %% [markdown]
# Same ids, same vector, same slate. Nothing crashes and nothing warns. Let both encoders rank the five films for three
# wishes: science fiction, animation, and comedies.

# %%
import numpy as np
import pandas as pd

wishes = {"science fiction": "我喜欢科幻电影", "animation": "我喜欢动画片", "comedies": like}
multilingual = load_encoder("e5")
ranked = {}
for model in (encoder, multilingual):
    wish_vectors, film_vectors = model.encode(list(wishes.values())), model.encode(list(world.texts))
    scores = wish_vectors @ film_vectors.T  # (3, 5), cosines: all lengths are 1
    ranked[model.name] = [world.titles[order].tolist() for order in np.argsort(-scores)]
shown = {name: [" > ".join(titles[:3]) for titles in rows] for name, rows in ranked.items()}
pd.DataFrame(shown, index=list(wishes))

# %%
claim(
    "minilm ranks the films in one order, whatever the wish says",
    all(row == ranked["minilm"][0] for row in ranked["minilm"]),
)
claim("e5 puts science fiction first for the first wish", ranked["e5"][0][:2] == ["Alien", "Blade Runner"])
claim(
    "and animation first for the second",
    set(ranked["e5"][1][:2]) == {"My Neighbor Totoro", "Spirited Away"},
)

# %% [markdown]
# `minilm` answers every Chinese wish with the same list, and the list looks like any other. `e5` gets two of three right;
# for comedies it should name *Amélie* first, and does not. Being able to read is needed for a good answer, and not enough
# for it.
#
# Two sentences are few. How is it with a thousand real Chinese reviews of hotels, books and laptops? The third tokenizer
# belongs to `smollm2`, a small English language model that writes text in later lessons.

# %%
from llmrec_lab.datasets.reviews import load_reviews
from llmrec_lab.metrics import bootstrap_interval

smollm2 = load_tokenizer("smollm2")
tokenizers = {"minilm": minilm, "e5": e5, "smollm2": smollm2}
chinese = load_reviews("zh")["text"].sample(frac=1, random_state=0).tolist()  # shuffled
unread = {}
for name, tokenizer in tokenizers.items():
    unread[name] = bootstrap_interval(unknown_shares(tokenizer, chinese[:1000]))
    print(f"{name:8} unread: {unread[name]}")

# %% [markdown]
# (In brackets: the 95% bootstrap interval. Draw a thousand reviews again and again; 95% of the means lie in this range.
# Lesson 05 explains it.)

# %%
claim("minilm leaves more than half of a review unread, beyond the interval", unread["minilm"].low > 0.5)
claim("e5 leaves less than one character in a hundred unread", unread["e5"].high < 0.01)
claim("smollm2 leaves none unread", unread["smollm2"].high == 0)

# %% [markdown]
# Is `smollm2`, an English model, then the best reader of Chinese? Look at its pieces, and at the character that each of
# them stands for:

# %%
row = smollm2.encode("科幻")
print(row.tokens, ["科幻"[start:end] for start, end in row.offsets])

# %% [markdown]
# Its pieces are made of *bytes*, the numbers from 0 to 255 that every file consists of. With 256 of them anything can be
# written, so nothing is ever unknown; a Chinese character is written with several pieces, none of which means anything.
# The number of tokens per character gives it away:

# %%
characters = sum(len("".join(text.split())) for text in chinese[:1000])
per_character = {}
for name, tokenizer in tokenizers.items():
    encoded = tokenizer.encode_batch(chinese[:1000], add_special_tokens=False)
    per_character[name] = sum(len(row.ids) for row in encoded) / characters
print(*(f"{name:8} {number:.2f} tokens per character" for name, number in per_character.items()), sep="\n")
claim("smollm2 needs more than twice the tokens of e5", per_character["smollm2"] > 2 * per_character["e5"])

# %% [markdown]
# So check two numbers before you use a model in a language: how much is unknown, and how many tokens the text takes.
# And a third thing, which no tokenizer shows: whether the model saw the language in its training.
#
# What if no model for the language is at hand? A vocabulary of one's own takes seconds. We learn one from all but 2,000 of
# the Chinese reviews, and test it on those 2,000. (The network for it would take longer; lesson 02 trains a tiny one.)

# %%
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

own = Tokenizer(models.WordPiece(unk_token="[UNK]"))
own.normalizer, own.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
sizes = {"vocab_size": 8000, "limit_alphabet": 8000}  # in all, and characters among them at most
trainer = trainers.WordPieceTrainer(**sizes, special_tokens=["[UNK]"], show_progress=False)
own.train_from_iterator(chinese[2000:], trainer)
rate = bootstrap_interval(unknown_shares(own, chinese[:2000]))
print(f"unread: {rate}")
claim("a vocabulary of our own leaves less than 5% of unseen reviews unread", rate.high < 0.05)

# %% [markdown]
# *And words?* Chinese is written without spaces. A tokenizer does not mind, but people do: a reason such as *because of
# 科幻电影* should name a word. Finding the words is called **segmentation**. The obvious way is ours from section 2: take
# the longest entry of a dictionary, from the left. This text says *study the origin of life*, 研究 · 生命 · 起源:

# %%
dictionary = {"研究", "研究生", "生命", "命", "起源"}  # study, graduate student, life, fate, origin
text, greedy = "研究生命起源", []
while text:
    greedy.append(next(text[:end] for end in range(len(text), 0, -1) if text[:end] in dictionary))
    text = text.removeprefix(greedy[-1])
print("longest first:", greedy)

# %% [markdown]
# It reads *graduate student, fate, origin*: the longest piece at the front has eaten the beginning of the next word. The
# library's `segment` compares whole sentences, and takes the one whose words are the most frequent together:

# %%
print("segment:", segment("研究生命起源"))
print("segment:", segment(cheap_and_durable))
claim(
    "the whole sentence decides better than the longest first word",
    segment("研究生命起源") == ["研究", "生命", "起源"] != greedy,
)

# %% [markdown]
# Is the same true of WordPiece, which also takes the longest piece first? Yes, and there it matters less: the network
# reads all pieces together, and has learned from text that was cut in the same way.
#
# ## 5. Two things called mask
#
# > **Check the article: the mask.** A mask marks "the positions of missing words", it says, and one call of
# > `tokenizer.encode` makes it.
#
# Two different things are mixed here. The first is needed as soon as two texts have different lengths. A network
# computes several texts at once, in a **batch**, and a batch is an array: all rows are equally long. What to do with
# short texts?

# %%
batch = ["a film", "spirits of the forest", "I like science fiction films and machine learning"]
rows = [minilm.encode(text).ids for text in batch]
longest = max(map(len, rows))
ids = np.array([row + [0] * (longest - len(row)) for row in rows])  # (3, t)
ids

# %% [markdown]
# They are filled up with the id 0, which is `[PAD]`. That is **padding**. The network must not take it for text, so it
# gets a second array, the **padding mask** (*attention mask* in the libraries): 1 for a real token, 0 for padding.

# %%
mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows])  # (3, t)
print(mask)

# %% [markdown]
# The library's `pad` makes both:

# %%
from llmrec_lab.text import pad

theirs = pad(rows)
claim("the library makes the same ids and mask", (theirs[0] == ids).all() and (theirs[1] == mask).all())

# %% [markdown]
# Does the mask do its work? We compute the vectors of all tokens three times: each text alone, all in one batch with the
# mask, and in one batch without it. How far apart are they?


# %%
@torch.inference_mode()
def network(ids, mask):
    ids, mask = torch.tensor(np.array(ids)), torch.tensor(np.array(mask), dtype=torch.bool)
    return encoder.bert(ids, mask).numpy()  # (b, t, 384)


def largest_difference(out):
    alone = [network([row], [[1] * len(row)])[0] for row in rows]
    return max(np.abs(out[i, : len(row)] - alone[i]).max() for i, row in enumerate(rows))


with_mask = largest_difference(network(ids, mask))
without = largest_difference(network(ids, np.ones_like(mask)))
print(f"largest difference: {with_mask:.4f} with the mask, {without:.4f} without")
claim("a batch with its mask gives what the texts give one by one", with_mask < 1e-5)
claim("without the mask, vectors depend on the other texts of the batch", without > 0.1)

# %% [markdown]
# Without the mask nothing crashes; the vector of *a film* is simply another one, and it is another one again in the next
# batch. With the mask, what stands in the padding does not matter at all:

# %%
cats = pad(rows, filler=minilm.token_to_id("cat"))[0]
change = np.abs(network(cats, mask) - network(ids, mask))[mask.astype(bool)]  # at the real tokens
claim("padding with cats changes nothing", change.max() < 1e-5)

# %% [markdown]
# The library's `encode` pads and masks for us. Is that true for real texts, too? Sixty films, together and one by one:

# %%
some = list(catalog.texts[:60])
apart = np.abs(encoder.encode(some) - np.vstack([encoder.encode([text]) for text in some])).max()
claim("sixty films get the same vectors together and one by one, within 1e-5", apart < 1e-5)

# %% [markdown]
# The second thing is a **token**, `[MASK]`, with an id of its own. It is how BERT learned language: hide some tokens of a
# text, and guess them. The answers need nobody to write them, since the text itself has them; learning of this kind is
# called **self-supervised**, and this task **masked language modeling**. Of one sentence it makes this:

# %%
row = minilm.encode("two sisters meet the spirits of a forest")
hidden = [2, 6]  # places; BERT draws 15% of them at random
inputs = [minilm.token_to_id("[MASK]") if place in hidden else number for place, number in enumerate(row.ids)]
labels = [number if place in hidden else -100 for place, number in enumerate(row.ids)]
pd.DataFrame([row.tokens, inputs, labels], index=["text", "input", "label"])

# %% [markdown]
# A **label** is the right answer, here for a place; -100 says that nothing is asked there. (Two relatives save labels too:
# **semi-supervised** learning has labels for a few texts and uses the others as well, and **active** learning asks for
# the label that it would learn most from. Lesson 10 meets them.)
#
# Both masks in one batch: this row, and a shorter text. Where is the padding mask 0?

# %%
both_ids, both_mask = pad([inputs, minilm.encode("a film").ids])
print(both_ids)
print(both_mask.astype(int))
asked = both_ids == minilm.token_to_id("[MASK]")
claim("the padding mask is 1 where [MASK] stands", asked.any() and both_mask[asked].all())
claim("and 0 exactly where [PAD] stands", ((both_ids == minilm.token_to_id("[PAD]")) == ~both_mask).all())

# %% [markdown]
# A hidden token is a real place: the network looks at it, and is asked about it. Padding is no place at all.
#
# > **Check the article: which way a model reads.** It names "autoregressive models such as BERT and GPT", and BERT for
# > generating sequences.
#
# There is indeed a third use of a mask, and it separates the two families. An **autoregressive** model such as GPT
# guesses the *next* token, so it may look only to the left. BERT, an **autoencoding** model, restores hidden tokens, and
# looks at both sides. Which token (row) may look at which (column)?

# %%
tokens = minilm.encode("spirits of the forest", add_special_tokens=False).tokens
looks = {"BERT": np.ones((4, 4), dtype=int), "GPT": np.tril(np.ones((4, 4), dtype=int))}
pd.concat({name: pd.DataFrame(grid, index=tokens, columns=tokens) for name, grid in looks.items()}, axis=1)

# %% [markdown]
# What follows from that? If we change the last word of a sentence, can the first word notice? Here is one layer of
# attention on random vectors, with each of the two masks. (What attention computes is a topic of lesson 02.)

# %%
before = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(0))  # a text of 4 tokens
after = before.clone()
after[0, 3] += 1  # another last word
attend = torch.nn.functional.scaled_dot_product_attention
moved = {}
for name, grid in looks.items():
    allowed = torch.tensor(grid, dtype=torch.bool)
    change = attend(after, after, after, allowed) - attend(before, before, before, allowed)  # (1, 4, 8)
    moved[name] = change[0, 0].abs().max().item()  # of the first token
claim("in BERT, the first token notices another last word", moved["BERT"] > 0.01)
claim("in GPT, it does not", moved["GPT"] == 0)

# %% [markdown]
# That is why BERT is good at understanding a text that is there, and cannot write one from left to right. The **large
# language models** (LLM) that write and chat are of the other kind: they work like GPT, with far more parameters.
#
# ## 6. The same with the library `transformers`
#
# The articles use `transformers`. There, four calls are easily confused. A tokenizer from our file, and a tiny BERT with
# random numbers, which is enough to see what goes in and what comes out:

# %%
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from llmrec_lab.assets import asset_files

names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(asset_files("minilm")["tokenizer.json"]), **names)
tiny = BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
tiny_bert = BertModel(tiny).eval()

# %% [markdown]
# > **Check the article: four lines.** `tokenizer.encode(text)` is called the step that encodes *and masks*; then comes
# > `model(input_ids)` with the tokenizer's whole answer; then `tokenizer.decode(pooler_output[0])` is to give keywords;
# > and `padding='max_length'` pads.
#
# What does the first one return, and what the call of the tokenizer itself?

# %%
print(tokenizer.encode("a film"))
encoded = tokenizer(batch[:2], padding=True, return_tensors="pt")
print(dict(encoded))
claim("encode returns ids and no mask", type(tokenizer.encode("a film")) is list)
claim("the call returns both", set(encoded) == {"input_ids", "attention_mask"})

# %% [markdown]
# The second one: the answer is a dictionary, and the model wants its parts.

# %%
try:
    tiny_bert(encoded)
except AttributeError as problem:
    print(type(problem).__name__, f"with the message {str(problem)!r}")
with torch.inference_mode():
    out = tiny_bert(**encoded)
print(tuple(out.last_hidden_state.shape), tuple(out.pooler_output.shape))

# %% [markdown]
# Two stars mend it: out come a vector for each token, and one for each text, called the *pooler output*. The third line
# hands that one to `decode`. But a vector is no list of ids:

# %%
try:
    tokenizer.decode(out.pooler_output[0])
    decoded = True
except TypeError as problem:
    decoded = False
    print(type(problem).__name__, "-", problem)
claim("a vector cannot be decoded into words", not decoded)

# %% [markdown]
# How several interests do come out of a sentence is the topic of lesson 03. The fourth one needs a maximum. Which one,
# when the file does not say?

# %%
places = encoder.bert.embeddings["position_embeddings"].weight.shape[0]
print(f"the tokenizer: {tokenizer.model_max_length:.0e}   the network: {places} places")
claim("a tokenizer without a stated maximum has no useful one", tokenizer.model_max_length > 1e29)

# %% [markdown]
# So say it: `tokenizer(texts, truncation=True, max_length=256)`. Section 7 shows what `padding='max_length'` costs.
#
# ## 7. Length costs
#
# A text that is too long is cut; that is **truncation**. Our encoder cuts after 256 tokens, as its makers set it. Does
# it matter what comes after that?

# %%
long = "A film about the sea. " * 60
loved, hated = encoder.encode([long + "I loved it.", long + "I hated it."])
read = encoder.tokenizer.truncation["max_length"]
print(len(minilm.encode(long).ids), "tokens before the opinion is told, and", read, "are read")
claim("two opinions after token 256 give the same vector", np.abs(loved - hated).max() == 0)

# %% [markdown]
# The opinion was never read. How many of the English reviews are longer than that?

# %%
english = load_reviews("en")["text"].tolist()
lengths = np.array([len(row.ids) for row in minilm.encode_batch(english)])
for limit in (128, 256, 512):
    print(f"longer than {limit} tokens: {(lengths > limit).mean():.1%}")
claim("most reviews are read to the end", (lengths > 256).mean() < 0.5)

# %% [markdown]
# A few, and they are the ones in which people wrote most. Ways out: put the important things first, cut a text into
# parts and average their vectors, or take a model for longer texts.
#
# Now the opposite waste. Padding is computed like text: the mask makes it harmless, not free. Four hundred films, in the
# order of the catalog and 32 to a batch. How many tokens does the network compute, if every text is padded to 512, as
# in the articles; to 128, as the published file of `minilm` says; to the longest text of its batch; or if the texts are
# sorted by length first, so that a batch holds texts of about the same length, a **bucket**?

# %%
from llmrec_lab.text import padded_tokens

film_lengths = np.array([len(row.ids) for row in minilm.encode_batch(list(catalog.texts[:400]))])
cost = {
    "padded to 512": 400 * 512,
    "padded to 128": 400 * 128,
    "to the longest of the batch": padded_tokens(film_lengths, batch_size=32),
    "buckets": padded_tokens(np.sort(film_lengths), batch_size=32),
    "real tokens": int(film_lengths.sum()),
}
print(*(f"{name:27} {tokens:>8,}" for name, tokens in cost.items()), sep="\n")

# %% [markdown]
# By hand, one bucket is the length of its last text, times its size. Does that agree with the library?

# %%
ordered = np.sort(film_lengths)
buckets = [ordered[start : start + 32] for start in range(0, 400, 32)]
by_hand = sum(len(bucket) * bucket[-1] for bucket in buckets)
claim("buckets counted by hand are what the library counts", by_hand == cost["buckets"])
claim(
    "buckets compute at most a third of the tokens that padding to 128 does",
    cost["buckets"] <= cost["padded to 128"] / 3,
)
claim("and less than without sorting", cost["buckets"] < cost["to the longest of the batch"])

# %% tags=["nbval-ignore-output"]
from llmrec_lab.plots import new_axes, picture

ax = new_axes(height=2.4)
ax.barh(list(cost), list(cost.values()), color="#33638d")
ax.invert_yaxis()
ax.xaxis.set_major_formatter("{x:,.0f}")
ax.set_xlabel("tokens computed for 400 films")
ax.set_ylabel("how they are padded")
numbers = ", ".join(f"{name}: {value:,}" for name, value in cost.items())
picture(ax, f"Bars of the tokens computed for 400 films. {numbers}.")

# %% [markdown]
# Buckets are nearly as good as no padding at all. The library's `encode` works with them, and puts the vectors back into
# the order of the texts (exercise 01.4 is about that step). Tokens are not even the whole bill: in attention, every place
# looks at every place, so that part grows with the *square* of the padded length. Padding to 512, compared with buckets:

# %%
looks = sum(len(bucket) * bucket[-1] ** 2 for bucket in buckets)
times = {"tokens": cost["padded to 512"] / cost["buckets"], "looks": 400 * 512**2 / looks}
print({name: f"{ratio:.0f} times as many" for name, ratio in times.items()})
claim("padding to 512 wastes even more looks than tokens", times["looks"] > times["tokens"])

# %% [markdown]
# ## 8. Your turn: a token explorer
#
# Run the cell and type, in any language. The three tables follow when you pause.

# %% tags=["nbval-ignore-output"]
from llmrec_lab.widgets import token_explorer

token_explorer(tokenizers, "I like 科幻 films")

# %% [markdown]
# The explorer needs a running notebook. Its still twin is the grid that you know, one per tokenizer:

# %%
token_grid(minilm, "I like 科幻 films")

# %%
token_grid(e5, "I like 科幻 films")

# %%
token_grid(smollm2, "I like 科幻 films")

# %% [markdown]
# In `e5`, `▁` stands for the space before a word, in `smollm2`, `Ġ` does. Each puts something else around a text:
# `minilm` puts `[CLS]` and `[SEP]`, `e5` puts `<s>` and `</s>`, `smollm2` nothing. Try a director's name, a typing
# error, your own language, and an emoji that touches a word.
#
# ## What we did
#
# - We cleaned what people type, and saw what cleaning does not mend: emoji that touch a word, full-width letters.
# - We learned a vocabulary from five films by hand, and our few lines cut every word of the catalog as the real
#   tokenizer does.
# - We measured how much of a text three tokenizers can read: English vocabularies lose most of a Chinese sentence without
#   a warning.
# - We told padding mask and `[MASK]` apart, and BERT's way of looking from GPT's.
# - We put texts of different lengths into one batch without changing their vectors, and counted what padding costs.
#
# ## Exercises
#
# Replace what follows `=` or `return`, and run the cell. For a hint, remove the `#` in the last line; it works like this:

# %%
hint("01.1", level=1)

# %% [markdown]
# **01.1** These are the tokens of a Chinese wish. What is its UNK rate, the share of its characters that are unknown?
# Every token of the wish is one character.

# %% tags=["solution"]
tokens = ["[CLS]", "我", "[UNK]", "[UNK]", "看", "[UNK]", "[UNK]", "[UNK]", "[UNK]", "[SEP]"]
# stub: rate = None  # Write your code here.
rate = tokens.count("[UNK]") / (len(tokens) - 2)
# end solution
check("01.1", rate)
# hint("01.1")

# %% [markdown]
# **01.2** Write the padding mask of a batch of `minilm`: an array with 1 for every real token and 0 for padding. `ids` is
# a numpy array (b, t); `[PAD]` is 0, `[CLS]` is 101, `[SEP]` is 102, `[MASK]` is 103.


# %% tags=["solution"]
# stub: def padding_mask(ids):
# stub:     return None  # Write your code here.
def padding_mask(ids):
    return (ids != 0).astype(int)


# end solution
check("01.2", padding_mask)
# hint("01.2")

# %% [markdown]
# **01.3** Masked language modeling: write the labels. `ids` are the ids of one text, `hidden` is a numpy array of booleans,
# True where the token was replaced by `[MASK]`. The answer has the original id where something is asked, and -100
# everywhere else. `ids` is the original text, before anything was replaced.


# %% tags=["solution"]
# stub: def labels(ids, hidden):
# stub:     return None  # Write your code here.
def labels(ids, hidden):
    return np.where(hidden, ids, -100)


# end solution
check("01.3", labels)
# hint("01.3")

# %% [markdown]
# **01.4** Buckets need an order, and then the old order back. `order` are the places of the texts sorted by length:
# `order[0]` is the place of the shortest. `results` are one number per text, in the *sorted* order. Give them back in the
# order in which the texts came. (Users of sentence-transformers have asked whether it does this,
# [here](https://github.com/huggingface/sentence-transformers/issues/584) and
# [here](https://github.com/huggingface/sentence-transformers/issues/663). It does.)


# %% tags=["solution"]
# stub: def restore(results, order):
# stub:     return None  # Write your code here.
def restore(results, order):
    restored = np.empty_like(results)
    restored[order] = results
    return restored


# end solution
check("01.4", restore)
# hint("01.4")

# %% [markdown]
# **01.5** Find the bug. One vector for a text is made from the vectors of its tokens, by their mean; that is called
# **pooling**. LightRAG, a popular library for searching documents, did it like this until
# [August 2026](https://github.com/HKUDS/LightRAG/pull/3675). Here is *a film*, alone and in the batch of section 5:


# %%
def pooled_with_a_bug(vectors, mask):
    return vectors.mean(axis=1)


alone = pooled_with_a_bug(network([rows[0]], [[1] * len(rows[0])]), np.ones((1, len(rows[0]))))[0]
together = pooled_with_a_bug(network(ids, mask), mask)[0]
print("cosine of the same text with itself:", round(cosine(alone, together), 2))

# %% [markdown]
# The network got its mask, and still the neighbors change the vector. Write it without the bug. `vectors` is (b, t, d),
# `mask` is (b, t) with 1 for real tokens and 0 for padding, the answer is (b, d).


# %% tags=["solution"]
# stub: def pooled(vectors, mask):
# stub:     return None  # Write your code here.
def pooled(vectors, mask):
    return (vectors * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)


# end solution
check("01.5", pooled)
# hint("01.5")

# %% [markdown]
# **01.6** A small design. Wishes arrive from everywhere, and encoding costs. Write `worth_encoding`: it takes a list of raw
# texts, and returns the list of those that should be encoded: cleaned, without those that have no letter or digit left
# (`???`, or nothing at all), each one once, in the order of their first appearance. Two wishes that differ only in
# capitals are the same to `minilm`; keep the one that came first. Short is not bad: 喜剧 is a whole wish.


# %% tags=["solution"]
# stub: def worth_encoding(texts):
# stub:     return None  # Write your code here.
def worth_encoding(texts):
    from llmrec_lab.text import clean

    first = {}
    for text in map(clean, texts):
        if any(character.isalnum() for character in text):
            first.setdefault(text.lower(), text)
    return list(first.values())


# end solution
check("01.6", worth_encoding)
# hint("01.6")

# %% [markdown]
# ## Quiz
#
# Click an option to open it; each says why it is right or wrong.

# %%
quiz("01")

# %% [markdown]
# ## Further reading
#
# - Sennrich, Haddow and Birch, *Neural Machine Translation of Rare Words with Subword Units*, 2016,
#   [arXiv 1508.07909](https://arxiv.org/abs/1508.07909): byte-pair encoding for words.
# - Wu and others, *Google's Neural Machine Translation System*, 2016, [arXiv 1609.08144](https://arxiv.org/abs/1609.08144):
#   WordPiece, in section 4.1.
# - Kudo and Richardson, *SentencePiece*, 2018, [arXiv 1808.06226](https://arxiv.org/abs/1808.06226): the kind that `e5` has.
# - Devlin and others, *BERT*, 2019, [arXiv 1810.04805](https://arxiv.org/abs/1810.04805): masked language modeling, in
#   section 3.1.
# - Vaswani and others, *Attention Is All You Need*, 2017, [arXiv 1706.03762](https://arxiv.org/abs/1706.03762): the
#   transformer.
# - Radford and others, *Language Models are Unsupervised Multitask Learners*, 2019: GPT-2, and its pieces made of bytes.
#
# **Next:** lesson 02. The tokens have numbers now; how do the numbers come to mean something?
