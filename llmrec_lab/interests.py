"""Take a sentence or a history apart into interests: u = sum of a_i x_i. Knows nothing about ranking or users' ids.

A sentence is cut into clauses, and each clause is written as a sparse, non-negative sum of concepts: the values of the
catalog's facets (Western, Japan, Alfred Hitchcock). A history is cut into clusters of similar items, recent ones first.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from llmrec_lab.catalog import Catalog
from llmrec_lab.errors import DataError
from llmrec_lab.text import HAN, chinese_cutter, clean, language, segment

MAX_CHARACTERS = 2000  # longer than any wish typed by hand; a model of 256 tokens would not read more
MAX_CLAUSES = 20  # what stands behind them is not read
MAX_INTERESTS = 5
NAMES = 100  # a facet with more values than this holds names

# What people say whatever they want. Its mean vector is taken off every wish, so that what remains is the wish and not
# the language it is said in: without this, Chinese wishes land on Chinese films.
NEUTRAL = {
    "en": ("I would like something", "recommend me something good", "I like this", "show me what you have"),
    "zh": ("我想要一些东西", "给我推荐一些好的", "我喜欢这个", "给我看看有什么"),
}
ENGLISH_JOINT = re.compile(
    r"[,;:.!?&+/]+(?:\s|$)|\b(?:and|or|but|also|plus|as well as|other times)\b"
    r"|\s(?=(?:without|with no|except|other than)\b)",
    re.IGNORECASE,
)
CHINESE_JOINT = re.compile(rf"[，、；：。！？,;!?]+|(?<={HAN.pattern})\s+(?={HAN.pattern})")
CHINESE_WORDS_THAT_JOIN = {"和", "与", "跟", "及", "以及", "还有", "或", "或者", "但", "但是", "不过", "而且"}
CHINESE_FILLERS = {"也", "都"}
DIGIT = re.compile(r"\d")
NEGATION = re.compile(
    r"\b(?:no(?! more| less| matter)|not(?! only| just| sure| bad| too| very)|without|nothing|hate|dislike|avoid|except"
    r"|other than|(?:don|won|can|isn|doesn)['’]t(?! mind| know| wait))\b"
    r"|不要|不想|不喜欢|不看|讨厌|(?<![特告分区级个离])别(?![的人墅])|除了",  # 特别: very, 告别: farewell, 别墅: villa
    re.IGNORECASE,
)
IDIOMS = ((re.compile(r"\b(?:any|every)thing but\b", re.I), "no"), (re.compile(r"\bnothing but\b", re.I), ""))


@dataclass(frozen=True)
class Interests:
    """A few directions in the space of item vectors, each with a weight.

    Args:
        labels: (k) what each interest is, in the words of the sentence or in titles.
        vectors: (k, d) unit rows.
        weights: (k) non-negative, sum 1.
        codes: (k, c) how much each concept takes part in each interest: non-negative, rows sum to 1 or are all zero.
        avoid: (c) concepts to stay away from, from 0 to 1, which is what a plain no says.
    """

    labels: tuple[str, ...]
    vectors: np.ndarray
    weights: np.ndarray
    codes: np.ndarray
    avoid: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Concepts:
    """The dictionary that sentences are written in: one concept per facet value that enough items have.

    Args:
        names: (c) such as `genre Western`.
        members: (c, n) scipy sparse array, 1 where the item has the value.
        atoms: (a, d) unit rows: every concept has one of its name and its items, and one of its gloss if it has one.
        owners: (a) the concept that each atom belongs to.
        rarity: (c) in 0..1, the larger the fewer items; a rare concept needs a closer match.
        keys: (c) the words of a name, empty for other concepts. A facet with more than 100 values holds names (directors,
            brands), and so do values with digits (1980s): a language model finds some name near any sentence, so a name
            counts only if one of its words is said.
    """

    names: tuple[str, ...]
    members: np.ndarray
    atoms: np.ndarray
    owners: np.ndarray
    rarity: np.ndarray
    keys: tuple[frozenset[str], ...]

    def allowed(self, text: str) -> np.ndarray:
        """(c) booleans: the concepts that a text may be about; a person's name only if the text says a word of it."""
        said = set(segment(text))
        return np.array([not words or bool(words & said) for words in self.keys], dtype=bool)


@dataclass(frozen=True)
class CodingConfig:
    """How a clause is written in concepts.

    The values were chosen on 48 sentences of our own and 64 of another person, in English and Chinese. None is sharp: on
    the 64, precision at 10 stayed within 0.88 to 0.91 for penalties of 0.5 to 0.9, a rarity of 0 to 1, and `same` of
    0.35 to 0.5.

    Args:
        penalty: of the best concept's match; nothing that matches less than this share takes part.
        rarity: how much closer a name with one film must match than a genre with thousands.
        keep: concepts with less than this share of the largest coefficient are dropped.
        same: neighboring clauses whose vectors have at least this cosine are one interest.
        weak: a clause whose best match is less than this share of the best clause's belongs to its neighbor.
        sure: a concept is avoided only if the words after "no" match it with at least this cosine.
        min_items: values that fewer items have are no concepts.
    """

    penalty: float = 0.7
    rarity: float = 0.3
    keep: float = 0.3
    same: float = 0.5
    weak: float = 0.6
    sure: float = 0.35
    min_items: int = 5


def build_concepts(catalog: Catalog, encoder, item_vectors: np.ndarray, config: CodingConfig = CodingConfig()) -> Concepts:
    """The concept dictionary of a catalog; empty if the catalog has no facets.

    Args:
        catalog: its facets and glosses become concepts.
        encoder: makes vectors of the names and glosses.
        item_vectors: (n, d) unit rows, the mean item taken off.
        config: which values are concepts.

    Returns:
        Concepts in order of facet, then value.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> from llmrec_lab.encoder import load_encoder
        >>> catalog, encoder = tiny_world()[0], load_encoder("minilm")
        >>> vectors = unit_rows(encoder.encode(list(catalog.texts)))
        >>> build_concepts(catalog, encoder, vectors).names[:4]
        ('genre animation', 'genre comedy', 'genre crime', 'genre horror')
    """
    from scipy.sparse import csr_array

    found, pairs = common_values(catalog, min(config.min_items, max(1, len(catalog) // 100)))
    ones, shape = np.ones(len(pairs), np.float32), (len(found), len(catalog))
    members = csr_array((ones, (pairs[:, 0], pairs[:, 1])), shape)  # (c, n)
    counts = members.sum(axis=1)  # (c)
    atoms, owners = encode_concepts(found, catalog, encoder, unit_rows(members @ item_vectors))
    surprise = np.log(len(catalog) / counts)
    sizes = Counter(facet for facet, _ in found)
    keys = (name_words(value) if sizes[facet] > NAMES or DIGIT.search(value) else frozenset() for facet, value in found)
    names = tuple(f"{facet} {value}" for facet, value in found)
    return Concepts(names, members, atoms, owners, surprise / max(surprise.max(initial=0), 1e-9), tuple(keys))


def common_values(catalog: Catalog, min_items: int) -> tuple[list[tuple[str, str]], np.ndarray]:
    """The (facet, value) pairs that enough items have, sorted within each facet, and who has which.

    Args:
        catalog: with facets or without.
        min_items: how many items are enough.

    Returns:
        c pairs of strings, and (pairs, 2) integers: a concept, an item that has it.
    """
    found = []
    for facet in catalog.facets:
        counts = Counter(value for cell in catalog.facets[facet] for value in cell)
        found += [(facet, value) for value, count in sorted(counts.items()) if count >= min_items]
    number = {pair: c for c, pair in enumerate(found)}
    cells = (
        (facet, value, item) for facet in catalog.facets for item, cell in enumerate(catalog.facets[facet]) for value in cell
    )
    pairs = [(number[facet, value], item) for facet, value, item in cells if (facet, value) in number]
    return found, np.array(pairs, dtype=int).reshape(-1, 2)


def encode_concepts(found, catalog: Catalog, encoder, by_items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The atoms of concepts: each one's name and items together, and each one's gloss; and the concept that each is of."""
    spoken = encoder.encode_cached([f"{value} {catalog.noun}".strip() for _, value in found])  # (c, d)
    center = spoken.mean(axis=0) if len(spoken) else 0.0
    glossed = [c for c, pair in enumerate(found) if pair in catalog.glosses]
    told = encoder.encode_cached([f"{found[c][1]}: {catalog.glosses[found[c]]}" for c in glossed])  # (glossed, d)
    atoms = np.concatenate([unit_rows(unit_rows(spoken - center) + by_items), unit_rows(told - center)])
    return atoms, np.concatenate([np.arange(len(found)), glossed]).astype(int)


def name_words(value: str) -> frozenset[str]:
    """The words of a name by which people call it; initials and particles are left out."""
    return frozenset(word for word in segment(value) if len(word) > 2)


def decompose_text(text: str, encoder, concepts: Concepts, config: CodingConfig = CodingConfig()) -> Interests:
    """The interests that a sentence names, English or Chinese.

    The sentence is cut at its joints. Neighboring clauses that mean about the same are one interest; a clause that matches
    the concepts far worse than the best one does ("please") joins its neighbor. A clause that says no ("but no horror")
    names a concept to avoid, if it matches one well and nothing else in the sentence wants that concept; otherwise it is
    left out, since a wrong guess would hide what was asked for.

    Args:
        text: what a person wants.
        encoder: makes vectors of the clauses.
        concepts: the dictionary to write them in.
        config: how sparse.

    Returns:
        At most 5 interests of equal weight, in the order of the sentence.

    Raises:
        DataError: the text is empty, too long, or says only what is not wanted.
    """
    said = clauses(checked_wish(text))[:MAX_CLAUSES]
    wanted = [clause for clause in said if not NEGATION.search(clause)]
    unwanted = [NEGATION.sub(" ", clause).strip() for clause in said if NEGATION.search(clause)]
    unwanted = [clause for clause in unwanted if clause]  # a mere "no" names nothing
    neutral = neutral_vector(text, encoder)  # (d)
    known = {}  # merging looks at the same clauses again and again

    def read(words: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        new = [clause for clause in dict.fromkeys(words) if clause not in known]
        for clause, vector in zip(new, unit_rows(encoder.encode(new) - neutral)):
            known[clause] = (vector, *sparse_code(vector, concepts, config, clause))
        vectors, codes, strengths = zip(*(known[clause] for clause in words))
        return np.array(vectors), np.array(codes), np.array(strengths)  # (k, d), (k, c), (k)

    avoid = np.zeros(len(concepts.names))
    for clause in unwanted:
        _, codes, strengths = read([clause])
        if strengths[0] >= config.sure:
            avoid[codes[0] > 0.5] = 1.0
    brief = all(len(segment(clause)) <= 2 for clause in unwanted)  # "no tea", and not a title such as No Country for Old Men
    if not wanted and (brief or avoid.any()):
        raise DataError(f"{clean(text)[:60]!r} says only what is not wanted; add what is")
    wanted = merge(wanted or [clean(text)], read, config)[:MAX_INTERESTS]
    vectors, codes, _ = read(wanted)
    avoid[codes.any(axis=0)] = 0.0
    return Interests(tuple(wanted), vectors, np.full(len(wanted), 1 / len(wanted)), codes, avoid)


def neutral_vector(text: str, encoder) -> np.ndarray:
    """(d) what every wish in the language of a text shares."""
    return encoder.encode_cached(list(NEUTRAL[language(text)])).mean(axis=0)


def merge(words: list[str], read, config: CodingConfig) -> list[str]:
    """Join neighboring clauses until each pair of neighbors names two different things."""
    while len(words) > 1:
        vectors, _, strengths = read(words)
        for left in range(len(words) - 1):
            pair = slice(left, left + 2)
            same = vectors[left] @ vectors[left + 1] >= config.same
            weak = strengths[pair].min() < config.weak * strengths.max()
            if same or weak:
                words = [*words[:left], ", ".join(words[pair]), *words[left + 2 :]]
                break
        else:
            return words
    return words


def clauses(text: str) -> list[str]:
    """Cut a sentence at punctuation and at words that join.

    Args:
        text: a clean sentence.

    Returns:
        At least one clause, in order.

    Example:
        >>> clauses("I like westerns and a good musical"), clauses("我喜欢科幻电影和纪录片")
        (['I like westerns', 'a good musical'], ['我喜欢科幻电影', '纪录片'])
    """
    for idiom, plain in IDIOMS:
        text = idiom.sub(plain, text)
    if language(text) == "en":
        found = ENGLISH_JOINT.split(text)
    else:
        found = []
        for stretch in CHINESE_JOINT.split(text):
            found.append("")
            for word in chinese_cutter()(stretch):
                if word in CHINESE_WORDS_THAT_JOIN:
                    found.append("")
                elif word not in CHINESE_FILLERS:
                    found[-1] += word
    return [clause.strip() for clause in found if any(map(str.isalnum, clause))] or [text]


def checked_wish(text) -> str:
    """The clean text of a wish; raises DataError if there is none, or far too much."""
    if not isinstance(text, str):
        raise DataError(f"a wish came as {type(text).__name__}; pass a string")
    if len(text) > MAX_CHARACTERS:
        raise DataError(f"the text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read; say it shorter")
    text = clean(text.replace("\n", " ; "))  # a list, a line each, names a wish in each
    if not any(character.isalnum() for character in text):
        raise DataError("the text has no words; say what you like, such as 'westerns and a good musical'")
    return text


def sparse_code(vector: np.ndarray, concepts: Concepts, config: CodingConfig, text: str) -> tuple[np.ndarray, float]:
    """Write one vector as a sparse non-negative sum of concepts.

    Minimizes |u - sum a_i x_i|^2 / 2 + sum penalty_i a_i over a >= 0 by coordinate descent, the lasso without negative
    coefficients. The penalty is set from the best match, so some concept always takes part.

    Args:
        vector: (d) unit.
        concepts: the dictionary.
        config: how sparse.

    Returns:
        (c) non-negative coefficients that sum to 1 (all zero without concepts), and the cosine of the best match.

    Source:
        Hoyer 2002, Non-negative sparse coding, arXiv cs/0202009.
    """
    code = np.zeros(len(concepts.names))
    if not len(concepts.atoms):
        return code, 0.0
    match = np.where(concepts.allowed(text)[concepts.owners], concepts.atoms @ vector, 0.0)  # (a)
    need = 1 + config.rarity * concepts.rarity[concepts.owners]  # (a)
    penalty = config.penalty * (match / need).max() * need
    active = np.flatnonzero(match > penalty)
    if match.max() > 0:
        found = lasso(concepts.atoms[active], match[active], penalty[active])
        np.add.at(code, concepts.owners[active], found)
        code[code < config.keep * code.max()] = 0
        code /= code.sum()
    return code, float(match.max())


def lasso(atoms: np.ndarray, match: np.ndarray, penalty: np.ndarray, sweeps: int = 100) -> np.ndarray:
    """Non-negative lasso by coordinate descent: each coefficient in turn takes its best value, the others held.

    Args:
        atoms: (a, d) unit rows.
        match: (a) their products with the vector that is to be rebuilt.
        penalty: (a) positive.
        sweeps: at most so many rounds; it stops when nothing changes by 1e-6.

    Returns:
        (a) non-negative coefficients.

    Example:
        >>> lasso(np.eye(2), np.array([0.9, 0.3]), np.array([0.2, 0.5]))
        array([0.7, 0. ])
    """
    gram = atoms @ atoms.T  # (a, a)
    coefficients = np.zeros(len(atoms))
    for _ in range(sweeps):
        before = coefficients.copy()
        for i in range(len(atoms)):
            left_over = match[i] - gram[i] @ coefficients + coefficients[i]  # what the others do not explain
            coefficients[i] = max(0.0, left_over - penalty[i])
        if np.abs(coefficients - before).max(initial=0) < 1e-6:
            break
    return coefficients


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Each row divided by its length; a row of zeros stays.

    Example:
        >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]])
    """
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class ClusterConfig:
    """How a history is cut into interests.

    Args:
        recent: only so many last items are read; tastes of years ago say little about tonight.
        half_life: an item this many places from the end counts half as much as the last one.
        spread: items join a cluster while Ward's distance is below this; between 0 (each its own) and about 2 (all one).
    """

    recent: int = 30
    half_life: float = 10.0
    spread: float = 1.6


def decompose_history(items: np.ndarray, vectors: np.ndarray, titles, config: ClusterConfig = ClusterConfig()):
    """The interests in what a person met: clusters of similar items, each weighted by how recent its items are.

    Args:
        items: (h) catalog positions, oldest first.
        vectors: (n, d) unit item vectors.
        titles: (n) strings; the most recent title of a cluster is its label.
        config: how far back, and how fine.

    Returns:
        Labels (k), unit vectors (k, d), and weights (k) that sum to 1, the heaviest interest first; k is at most 5.

    Example:
        >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
        >>> labels, _, weights = decompose_history(np.array([0, 1, 2]), vectors, ["A", "B", "C"], ClusterConfig(spread=0.8))
        >>> labels, weights.round(2).tolist()
        (['B', 'C'], [0.64, 0.36])
    """
    items = items[-config.recent :]
    if not len(items):
        return [], np.zeros((0, vectors.shape[1]), vectors.dtype), np.zeros(0)
    freshness = 0.5 ** (np.arange(len(items))[::-1] / config.half_life)  # (h), 1 for the last item
    clusters = ward_clusters(vectors[items], config)  # (h)
    found = []
    for cluster in np.unique(clusters):
        inside = clusters == cluster
        center = unit_rows(freshness[inside] @ vectors[items[inside]])
        found.append((freshness[inside].sum(), titles[items[inside][-1]], center))
    found.sort(key=lambda part: -part[0])
    weights, labels, centers = zip(*found)
    return list(labels), np.array(centers), np.array(weights) / freshness.sum()


def ward_clusters(vectors: np.ndarray, config: ClusterConfig) -> np.ndarray:
    """(h) a cluster number for each row, by Ward's method, at most MAX_INTERESTS clusters."""
    if len(vectors) == 1:
        return np.zeros(1, dtype=int)
    from scipy.cluster.hierarchy import fcluster, linkage

    tree = linkage(vectors, "ward")
    clusters = fcluster(tree, config.spread, "distance")
    return clusters if clusters.max() <= MAX_INTERESTS else fcluster(tree, MAX_INTERESTS, "maxclust")


def bare_interests(labels, vectors: np.ndarray, weights: np.ndarray | None = None) -> Interests:
    """Interests that no concepts are known of.

    Args:
        labels: (k) strings.
        vectors: (k, d) unit rows.
        weights: (k) non-negative, sum 1; equal ones if left out.

    Returns:
        Interests whose codes have no columns.

    Example:
        >>> found = bare_interests(["a", "b"], np.eye(2))
        >>> found.weights.tolist(), found.codes.shape
        ([0.5, 0.5], (2, 0))
    """
    k = len(labels)
    weights = np.full(k, 1 / k) if weights is None else weights
    return Interests(tuple(labels), vectors, weights, np.zeros((k, 0)), np.zeros(0))


def clause_interests(text: str, encoder) -> Interests:
    """The clauses of a sentence, each an interest of its own: no dictionary, no merging, no wish to avoid anything.

    Args:
        text: what a person wants.
        encoder: makes vectors of the clauses.

    Returns:
        At most 5 interests of equal weight, in the order of the sentence.

    Raises:
        DataError: the text is empty or too long.

    Example:
        >>> from llmrec_lab.encoder import load_encoder
        >>> clause_interests("westerns and a good musical", load_encoder("minilm")).labels
        ('westerns', 'a good musical')
    """
    said = clauses(checked_wish(text))[:MAX_INTERESTS]
    return bare_interests(said, unit_rows(encoder.encode(said) - neutral_vector(text, encoder)))


def named_interests(names, concepts: Concepts) -> Interests:
    """Interests that somebody, such as a language model, has picked from the dictionary by name.

    Args:
        names: names of concepts, at least one.
        concepts: the dictionary.

    Returns:
        One interest of equal weight for each name; its vector is the concept's, and it is written in that concept alone.

    Raises:
        DataError: there are no names, or one is not in the dictionary.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> from llmrec_lab.encoder import load_encoder
        >>> catalog, encoder = tiny_world()[0], load_encoder("minilm")
        >>> concepts = build_concepts(catalog, encoder, unit_rows(encoder.encode(list(catalog.texts))))
        >>> named_interests(["genre horror"], concepts).codes.sum()
        np.float64(1.0)
    """
    strange = [name for name in names if name not in concepts.names]
    if strange or not len(names):
        raise DataError(f"names came as {list(names)!r:.80}; pass names of concepts, such as {concepts.names[:3]}")
    picked = [concepts.names.index(name) for name in names]
    found = bare_interests(names, concepts.atoms[picked])  # the first atom of each concept is of its name and items
    return replace(found, codes=np.eye(len(concepts.names))[picked], avoid=np.zeros(len(concepts.names)))


def history_interests(items: np.ndarray, vectors: np.ndarray, titles, config: ClusterConfig = ClusterConfig()) -> Interests:
    """What `decompose_history` finds, as Interests.

    Args:
        items: (h) catalog positions, oldest first, at least one.
        vectors: (n, d) unit item vectors.
        titles: (n) strings.
        config: how far back, and how fine.

    Returns:
        At most 5 interests, the heaviest first.

    Raises:
        DataError: the history is empty.

    Example:
        >>> found = history_interests(np.array([0, 1]), np.eye(2), ["A", "B"], ClusterConfig(spread=0.5))
        >>> found.labels
        ('B', 'A')
    """
    if not len(items):
        raise DataError("the history is empty, so there are no interests in it; ask for a sentence instead")
    return bare_interests(*decompose_history(items, vectors, titles, config))
