"""Every sentence the learner sees from check, hint, claim and quiz: one table, keyed by language, then by purpose.

Knows nothing about what is right or wrong; `llmrec_lab.exercises` decides that.
The keys of one exercise: `00.1.expected`, `.why`, `.hint1` to `.hint3`, and `.wrong.<name>` for each misconception.
The keys of a quiz question: `00.q1.question`, and of each option `00.q1.a` and `00.q1.a.why`; in a recap, `01.r1.question`.
"""

from __future__ import annotations

from llmrec_lab.errors import DataError

MESSAGES = {
    "en": {
        # what came, in a few words
        "came.none": "None",
        "came.number": "the number {value}",
        "came.text": "the text {value}",
        "came.array": "an array of shape {shape}",
        "came.function": "a function",
        "came.sized": "a {kind} of length {length}",
        "came.entry": "{came} as an entry",
        "came.other": "something of type {kind}",
        # check
        "check.passed": "✓ {id} passed: {why}",
        "check.wrong": "{id} not right: {why}",
        "check.not_yet": "{id} not yet: {expected}.",
        "check.other": "{id} not right: {came} came; {expected}.",
        "check.raised": "{id} not right: {call} raised {error}; {expected}.",
        "check.gives": "{id} not right: {call} gives {came}; {expected}.",
        "check.differs": "{id} not right: {call} gives {got}, expected is {wanted}.",
        "check.unreadable": "{id} not right: this answer cannot be read; {expected}.",
        # hint
        "hint.level": "Hint {level} of 3 for {id}: {text}",
        "hint.done": "That was the last hint for {id}; the solution edition of this notebook has a worked answer.",
        # claim
        "claim.holds": "✓ {sentence}",
        "claim.fails": (
            "This claim does not hold here: {sentence}. Restart the kernel and run all cells from the top; if it "
            "still fails, the data or the versions differ from those of the lesson, and `llmrec doctor` says where."
        ),
        # quiz
        "quiz.title": "Quiz {lesson}. Choose an option to see whether it is right, and why.",
        "recap.title": "Recap before lesson {lesson}. Choose an option to see whether it is right, and why.",
        "quiz.answers": "Answers",
        "quiz.right": "Right.",
        "quiz.wrong": "Not this one.",
        # widgets
        "widget.label": "I like",
        "widget.sentence": "Sentence",
        "widget.tokens": "{name}: {number} tokens",
        "widget.placeholder": "westerns and a good musical",
        "widget.empty": "Type what you like, such as: westerns and a good musical.",
        "widget.problem": "No list yet: {problem}.",
        "widget.caption": "For “{text}”",
        "widget.rank": "rank",
        "widget.title": "title",
        "widget.why": "score, and the parts it is made of",
        # lesson 00
        "00.1.expected": "expected is one number, the cosine of (1, 2, 3, 4, 5) and (6, 7, 8, 9, 10)",
        "00.1.why": "130 / sqrt(55 * 330) is 0.96495. The article printed 0.99; computing it is how you know.",
        "00.1.wrong.article": (
            "0.99 is the number that the article printed. Compute it instead: dot product over both lengths."
        ),
        "00.1.wrong.dot": (
            "130 is the dot product alone. It grows with the lengths of the vectors; divide it by both lengths."
        ),
        "00.1.wrong.pearson": (
            "1.0 is what comes out when each vector's mean is subtracted first: the Pearson correlation. The cosine "
            "leaves the mean in."
        ),
        "00.1.wrong.radians": "this is the angle in radians. The cosine of that angle is asked for.",
        "00.1.wrong.degrees": "this is the angle in degrees. The cosine of that angle is asked for.",
        "00.1.wrong.distance": (
            "this is 1 - cosine, the cosine distance. Near vectors have a small distance and a large cosine."
        ),
        "00.1.wrong.no_root": (
            "the dot product was divided by the squared lengths, 55 * 330. A length is the square root of the sum of "
            "squares."
        ),
        "00.1.hint1": "The cosine is the dot product of the two vectors divided by the product of their two lengths.",
        "00.1.hint2": (
            "The dot product is 1*6 + 2*7 + 3*8 + 4*9 + 5*10. The length of a vector is the root of its sum of squares."
        ),
        "00.1.hint3": "With numpy arrays a and b: `a @ b` is the dot product, and `np.sqrt(a @ a)` is the length of a.",
        "00.2.expected": "expected is a function cosine(a, b) of two arrays of the same length that returns one number",
        "00.2.why": "the same lines work for any two vectors that are not zero, at any angle, whatever their lengths.",
        "00.2.wrong.dot": "your function returns the dot product. Divide it by the length of a and by the length of b.",
        "00.2.wrong.one_length": (
            "your function divides by one of the two lengths only, so a longer vector still scores higher."
        ),
        "00.2.wrong.distance": (
            "your function returns 1 - cosine, a distance. Vectors of the same direction should give 1, not 0."
        ),
        "00.2.wrong.no_root": ("your function divides by the squared lengths. Take the square root of each sum of squares."),
        "00.2.wrong.abs": (
            "your function drops the sign. Vectors that point in opposite directions have the cosine -1, not 1."
        ),
        "00.2.hint1": "Write down what you did in 00.1, with a and b in place of the numbers.",
        "00.2.hint2": ("Three steps: the dot product, the two lengths, one division. Do not take absolute values anywhere."),
        "00.2.hint3": (
            "`np.linalg.norm(a)` is the length of a. Return the dot product over the product of the two lengths."
        ),
        "00.3.expected": "expected is one number, the part of the whole score that comes from history, as a fraction",
        "00.3.why": "0.28 of 0.80 is 0.35: a bit more than a third of this score comes from history.",
        "00.3.wrong.raw": "0.28 is the part itself. Its share is the part divided by the whole score.",
        "00.3.wrong.percent": "35 is the share in percent. As a fraction of 1 it is a hundred times smaller.",
        "00.3.wrong.of_largest": "you compared with the largest part. The whole score is the sum of all parts.",
        "00.3.wrong.of_others": "you compared with the other parts. The whole score has the history part in it too.",
        "00.3.wrong.equal": "a third is the share if all three parts were equal. They are not; use their values.",
        "00.3.hint1": "The parts of an item sum to its score. A share is one part divided by that sum.",
        "00.3.hint2": "Add 0.42, 0.28 and 0.10 first.",
        "00.3.hint3": "With the parts in a dictionary: `parts['history'] / sum(parts.values())`.",
        "00.4.expected": (
            "expected is a function top_k(item_ids, scores, k) that returns a list of at most k item ids, best first"
        ),
        "00.4.why": (
            "largest score first, and equal scores in order of item id: the same slate whatever order the items came in."
        ),
        "00.4.wrong.ascending": "your function puts the smallest score first. Best first means largest first.",
        "00.4.wrong.by_position": (
            "your function leaves equal scores in the order the items came in (or its reverse). Shuffle the catalog "
            "and the slate changes; order equal scores by item id."
        ),
        "00.4.wrong.id_descending": (
            "equal scores come out with the largest item id first. Sorting (score, id) in reverse turns both around; "
            "only the score should be turned."
        ),
        "00.4.wrong.by_number": (
            "your function compares item ids as numbers. Ids are strings here ('tt0078748' is one), so '10' comes "
            "before '9'."
        ),
        "00.4.wrong.positions": "your function returns places in the array. Return the item ids at those places.",
        "00.4.wrong.unsorted": ("your function finds the right items and does not put them in order. Best first, please."),
        "00.4.hint1": ("Two things to sort by: first the score, largest first; then, where scores are equal, the item id."),
        "00.4.hint2": "Sort by the pair (-score, item_id): the minus turns the score around and leaves the id alone.",
        "00.4.hint3": "`sorted(zip(-scores, item_ids))` has the right order; keep the ids of the first k pairs.",
        "00.5.expected": "expected is one letter, A, B, C or D, or a set of letters",
        "00.5.why": (
            "searching for B's title found no such paper. That is not a proof that none exists, but a reference "
            "nobody can find supports nothing; the nearest paper that was found is C."
        ),
        "00.5.wrong.odd_title": (
            "C has an odd title and is there: Gururangan et al., ACL 2020. Search for a title before you judge it."
        ),
        "00.5.wrong.old": (
            "A is old and is there: Goldberg et al., Communications of the ACM, 1992. Age says nothing about existence."
        ),
        "00.5.wrong.plausible": (
            "D sounds like words put together, and is there: Sun et al., CIKM 2019. How a title sounds is no evidence "
            "either way."
        ),
        "00.5.wrong.trusts_all": "one of the four was not found by a search. Look each title up, word for word.",
        "00.5.wrong.doubts_all": (
            "three of the four are found at once by their titles. Doubt is a reason to look, not an answer."
        ),
        "00.5.hint1": "Do not judge by the title. Search for each of the four, in quotation marks.",
        "00.5.hint2": (
            "A reference that exists has a page of its own: a publisher, the ACL Anthology, or arXiv, with the same title."
        ),
        "00.5.hint3": ("Two of the four are about training a language model further. A search finds only one of these two."),
        "00.q1.question": "A sentence has become a vector. Which verb finds the several interests in it?",
        "00.q1.a": "tokenize",
        "00.q1.a.why": "Tokenize comes earlier: it cuts the text into pieces that the model has numbers for.",
        "00.q1.b": "decompose",
        "00.q1.b.why": "Decompose takes vectors and gives interests, each with a label, a vector and a weight.",
        "00.q1.c": "combine",
        "00.q1.c.why": "Combine comes after: it turns the interests into the queries that items are scored against.",
        "00.q1.d": "feedback",
        "00.q1.d.why": "Feedback is the last verb: it takes events, such as a click, and gives a new user state.",
        "00.q2.question": (
            "The sha256 hash of a model file equals the one written in the list of assets. What does that show?"
        ),
        "00.q2.a": "The file is, byte for byte, the one that was recorded.",
        "00.q2.a.why": (
            "A changed or cut-off file has another hash; two different files with the same one have never been seen."
        ),
        "00.q2.b": "The model gives good recommendations.",
        "00.q2.b.why": "A hash says nothing about quality. Lesson 05 measures that, on users the model has not seen.",
        "00.q2.c": "The license permits any use.",
        "00.q2.c.why": (
            "The license is a text to read, not a property of the bytes. MovieLens, for one, is for non-commercial use."
        ),
        "00.q3.question": "Two vectors are compared by their cosine. What about them is ignored?",
        "00.q3.a": "their lengths",
        "00.q3.a.why": "Both lengths are divided away: a vector and ten times that vector have the cosine 1.",
        "00.q3.b": "their directions",
        "00.q3.b.why": "The direction is all that the cosine looks at.",
        "00.q3.c": "the signs of their entries",
        "00.q3.c.why": "Signs count: opposite vectors have the cosine -1.",
        "00.q4.question": "Two films have exactly the same score. Why does ranking need a rule for this?",
        "00.q4.a": "Because the film with the smaller id is the better one.",
        "00.q4.a.why": "An id is a name. It decides the order and says nothing about the film.",
        "00.q4.b": "Because equal scores are an error that has to be mended.",
        "00.q4.b.why": "Equal scores are normal: two films with the same text, or two that were watched equally often.",
        "00.q4.c": "Because the same input should give the same list, in whatever order the items came.",
        "00.q4.c.why": (
            "Without a rule the order of a file or the sort of a library decides, and results cannot be repeated."
        ),
        "00.q5.question": "The first recommender of this lesson is called zero-shot. What was left out?",
        "00.q5.a": "The language model was never trained.",
        "00.q5.a.why": ("It was trained, by others, on a great deal of text. Without that its vectors would mean nothing."),
        "00.q5.b": "It was fitted on no interactions: only the texts and what the model knows already are used.",
        "00.q5.b.why": ("This is why it works for a new film and a new user, and why others' ratings can still improve it."),
        "00.q5.c": "It knows nothing about the user.",
        "00.q5.c.why": "It knows the sentence that the user wrote; change the sentence and the list changes.",
    },
}


def message(key: str, /, language: str = "en", **values) -> str:
    """One sentence for the learner, with its values filled in.

    Args:
        key: which sentence, such as `check.passed` or `00.1.hint1`.
        language: which column of the table.
        values: what the sentence's `{name}` places are filled with.

    Returns:
        The sentence.

    Raises:
        DataError: the language or the key is not in the table, or a value that the sentence needs is missing.

    Example:
        >>> message("hint.level", id="00.1", level=1, text="Look at the lengths.")
        'Hint 1 of 3 for 00.1: Look at the lengths.'
    """
    if language not in MESSAGES:
        raise DataError(f"no messages in language {language!r}; there are {sorted(MESSAGES)}")
    if key not in MESSAGES[language]:
        raise DataError(f"no message {key!r} in language {language!r}; add it to llmrec_lab/messages.py")
    try:
        return MESSAGES[language][key].format(**values)
    except KeyError as missing:
        raise DataError(f"message {key!r} needs a value for {missing}; pass it by name") from None
