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
        "widget.temperature": "temperature",
        "widget.attention": "Attention at temperature {temperature:.2f}",
        "widget.key": "key",
        "widget.place": "place of item {number}",
        "widget.places": "places",
        "widget.shared": "Two items cannot stand in the same place; move one of them.",
        "widget.playground": "{found} of the relevant items are in the list, in brackets: {shown}",
        "widget.weight": "weight",
        "widget.no_mix": "Move at least one slider away from 0.",
        "widget.lambda": "lambda",
        "widget.score": "score",
        "widget.diversity": "diversity",
        "widget.diverse": "Lambda {value:.2f}: diversity {diversity:.2f}",
        "widget.press": "Press like or skip.",
        "widget.pressed": "{kind}: {title}. First now: {first}. New on the list: {new}.",
        "widget.nothing": "nothing",
        "widget.start": "at first",
        "widget.after": "{number}. after {kind} {place}",
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
        "00.2.expected": "expected is a function cosine_of(a, b) of two arrays of the same length that returns one number",
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
        # lesson 01
        "01.1.expected": "expected is one number, the share of the wish's characters that are unknown, as a fraction of 1",
        "01.1.why": (
            "6 of 8 characters are unknown. [CLS] and [SEP] are put in by the tokenizer and are no characters of the wish."
        ),
        "01.1.wrong.special": (
            "[CLS] and [SEP] are counted as characters of the wish here. Nobody typed them, so they make the rate "
            "look better."
        ),
        "01.1.wrong.count": "6 is how many are unknown. A rate is a share: divide by the number of characters of the wish.",
        "01.1.wrong.known": "this is the share of the characters that are known. The UNK rate is the share of the others.",
        "01.1.wrong.percent": "75 is the rate in percent. As a fraction of 1 it is a hundred times smaller.",
        "01.1.wrong.ratio": (
            "this compares the unknown characters with the known ones. A share compares them with all characters."
        ),
        "01.1.hint1": "Count the tokens that are [UNK], and the tokens that stand for a character of the wish.",
        "01.1.hint2": "The tokenizer put one token in front and one at the end; these two are not part of the wish.",
        "01.1.hint3": "`tokens.count('[UNK]')` counts the unknown ones; all characters are `len(tokens) - 2`.",
        "01.2.expected": "expected is a function padding_mask(ids) that returns an array (b, t) of 0 and 1",
        "01.2.why": "real is all that is not [PAD]: [CLS], [SEP] and even [MASK] are places that the network looks at.",
        "01.2.wrong.inverted": "your mask is the wrong way around: 1 stands for a real token, 0 for padding.",
        "01.2.wrong.mask_token": (
            "your mask has a 0 where [MASK] stands. A hidden token is a real place; only padding is left out. Two "
            "things share the name."
        ),
        "01.2.wrong.where_masked": (
            "your mask marks where [MASK] stands. That is the other thing of this name; the padding mask asks for "
            "what is not [PAD]."
        ),
        "01.2.wrong.special": (
            "your mask leaves out [CLS] and [SEP]. They are tokens of the input, and the network has learned with "
            "them in sight."
        ),
        "01.2.wrong.all": "your mask is 1 everywhere, so the network takes the padding for text.",
        "01.2.wrong.ids": "these are the ids themselves. The mask has a 1 or a 0 for each of them.",
        "01.2.hint1": "Only one of the special tokens is padding; find its id.",
        "01.2.hint2": "Compare the whole array with that id at once; numpy gives an array of booleans.",
        "01.2.hint3": "`ids != 0` is True for every real token, and `.astype(int)` makes 0 and 1 of it.",
        "01.3.expected": "expected is a function labels(ids, hidden) that returns an array (t) of ids and -100",
        "01.3.why": (
            "the model is asked about hidden tokens only, and the text itself has the answers: nobody has to write labels."
        ),
        "01.3.wrong.inverted": (
            "your labels are the wrong way around: asked is what is hidden. A token in plain sight could simply be copied."
        ),
        "01.3.wrong.input": (
            "this is the input of the network, with [MASK] in it. The labels are the answers: the original ids of "
            "hidden tokens."
        ),
        "01.3.wrong.mask_id": "your labels say that the answer is [MASK]. The answer is the token that was there before.",
        "01.3.wrong.zeros": (
            "0 is the id of [PAD], so this asks the model to answer [PAD] everywhere else. -100 is the sign for: not asked."
        ),
        "01.3.wrong.everywhere": (
            "your labels ask about every token, hidden or not. Copying what is in plain sight teaches nothing."
        ),
        "01.3.wrong.only_hidden": (
            "your answer has the hidden ids only. Labels are as long as the text, so that each place finds its own."
        ),
        "01.3.hint1": "For each place there are two cases, hidden or not, and each has its label.",
        "01.3.hint2": "`np.where(condition, a, b)` takes from a where the condition holds, and from b elsewhere.",
        "01.3.hint3": "The condition is `hidden`, a is `ids`, and b is -100.",
        "01.4.expected": "expected is a function restore(results, order) that returns an array (n) of numbers",
        "01.4.why": (
            "the i-th result goes to the place order[i]. Without this step every user gets the vector of somebody else."
        ),
        "01.4.wrong.again": (
            "`results[order]` sorts once more instead of going back. It looks right for two texts that changed "
            "places, and is wrong for most other orders."
        ),
        "01.4.wrong.unchanged": "your results are still in the order of length. The caller does not know about that order.",
        "01.4.wrong.reversed": "turning the list around is right only if the texts came from the longest to the shortest.",
        "01.4.wrong.places": (
            "these are places, not results: where each text stands in the sorted list. Take the results at those places."
        ),
        "01.4.hint1": "Where does the first result belong? It is the result of the text at the place order[0].",
        "01.4.hint2": "Make an empty array of the same size, and write each result to its place in it.",
        "01.4.hint3": "`restored = np.empty_like(results)`, then `restored[order] = results`.",
        "01.5.expected": "expected is a function pooled(vectors, mask) that returns an array (b, d): a vector per text",
        "01.5.why": (
            "padding has no vote, neither in the sum nor in the count; so the other texts of a batch do not matter."
        ),
        "01.5.wrong.bug": (
            "this is the function with the bug: it averages over all t places, so padding has a vote, and a longer "
            "neighbor changes the vector."
        ),
        "01.5.wrong.divides_by_all": (
            "the sum leaves the padding out, and then it is divided by all t places. A longer neighbor makes the "
            "vector shorter; divide by the real tokens."
        ),
        "01.5.wrong.sum": (
            "this is the sum over the real tokens. A mean divides by how many there are, or long texts get long vectors."
        ),
        "01.5.wrong.first": (
            "this takes the vector of the first token. That is another way to pool, which this model was not trained "
            "for; the mean is asked for."
        ),
        "01.5.wrong.axis": "this sums over the d numbers of each vector. Sum over the t tokens: axis 1.",
        "01.5.wrong.one_count": (
            "this divides by the real tokens of the whole batch. Each text has its own number of tokens."
        ),
        "01.5.hint1": "Compare the places that take part in `vectors.mean(axis=1)` with those that should.",
        "01.5.hint2": (
            "Multiply the vectors with the mask, so that padding becomes 0; then sum over the tokens, and divide by "
            "the number of real ones."
        ),
        "01.5.hint3": (
            "`mask[:, :, None]` has a shape that fits the vectors, and `mask.sum(axis=1, keepdims=True)` counts the "
            "real tokens of each text."
        ),
        "01.6.expected": "expected is a function worth_encoding(texts) that returns a list of strings",
        "01.6.why": (
            "clean first, then look for what is empty or repeated; and a wish is no worse for being short or in "
            "another script."
        ),
        "01.6.wrong.duplicates_first": (
            "your function looks for duplicates before it cleans. Two texts that differ in a space or an accent's "
            "spelling are told apart then."
        ),
        "01.6.wrong.spaces": (
            "your function counts words between spaces, and Chinese has none: 喜剧 is a whole wish, and so is a single "
            "title."
        ),
        "01.6.wrong.ascii": (
            "your function takes only a to z for letters. 喜剧 has two letters; `str.isalnum` knows the letters of all "
            "scripts."
        ),
        "01.6.wrong.capitals": (
            "your function keeps a wish twice if its capitals differ. To minilm both are the same tokens."
        ),
        "01.6.wrong.everything": "your function keeps texts in which nothing can be read, such as ??? or an empty one.",
        "01.6.wrong.lower": (
            "your function returns small letters. Compare in small letters, and return the clean text as it was typed."
        ),
        "01.6.wrong.last": "of wishes that differ in capitals, your function keeps the last. Keep the one that came first.",
        "01.6.wrong.order": (
            "these are the right wishes in another order. Sets and sorting lose the order of first appearance; a "
            "dictionary keeps it."
        ),
        "01.6.hint1": (
            "Three steps, in this order: clean, leave out what has no letter or digit, leave out what was there before."
        ),
        "01.6.hint2": (
            "`llmrec_lab.text.clean` does the first; `any(character.isalnum() for character in text)` decides the second."
        ),
        "01.6.hint3": (
            "A dictionary keeps the order: `first.setdefault(text.lower(), text)` keeps the first spelling; the "
            "answer is its values."
        ),
        "01.r1.question": (
            "A slate shows that a film got a part of its score for James Woods, and the wish was about woods. What is this?"
        ),
        "01.r1.a": "A bug: the parts do not sum to the score.",
        "01.r1.a.why": (
            "The parts do sum to the score; that was checked. The sum says nothing about whether a part makes sense."
        ),
        "01.r1.b": "An accident of names, which the reasons make visible.",
        "01.r1.b.why": (
            "The score is its parts, so a part that makes no sense can be seen, and a list without reasons would hide it."
        ),
        "01.r1.c": "A proof that the film fits.",
        "01.r1.c.why": "The name matched, not the meaning. A reason has to be read by somebody who knows what was meant.",
        "01.r2.question": (
            "Two vectors describe users, and their first entry is the user's id. Why is their cosine of no use?"
        ),
        "01.r2.a": "Because ids are always larger than 1.",
        "01.r2.a.why": "The size is not the point: a small id is as meaningless as a large one.",
        "01.r2.b": "Because a cosine needs vectors of length 1.",
        "01.r2.b.why": "The cosine divides by the lengths, so any length will do.",
        "01.r2.c": "Because an id is a name, and the cosine treats it as an amount.",
        "01.r2.c.why": "Another id for the same user gives another cosine, although nothing about the user has changed.",
        "01.r3.question": "Lesson 00 asked for films in Chinese, and found some although all their texts are English. How?",
        "01.r3.a": "An encoder that was trained on many languages gave both similar vectors.",
        "01.r3.a.why": (
            "The letters did not match, the meaning did. This lesson looks at what such an encoder needs first: to be "
            "able to read."
        ),
        "01.r3.b": "The Chinese sentence was translated to English first.",
        "01.r3.b.why": "There was no translation. The sentence and the films were compared as vectors.",
        "01.r3.c": "The catalog has Chinese texts too.",
        "01.r3.c.why": "It was checked that no text of the catalog has a Chinese character.",
        "01.q1.question": "Why do language models cut rare words into parts, and not simply list all words?",
        "01.q1.a": "Parts carry more meaning than words.",
        "01.q1.a.why": "A part such as ##ya means little. Whole words are kept where they are frequent enough.",
        "01.q1.b": "There is no end of words, and a list has one: with parts, a new word can still be written.",
        "01.q1.b.why": (
            "Names, new titles and typing errors are written with known parts, as long as all their letters are known."
        ),
        "01.q1.c": "It makes the texts shorter.",
        "01.q1.c.why": "It makes them longer: a word becomes one token or several.",
        "01.q2.question": "A tokenizer shows no unknown token in your users' language. What do you know about the model?",
        "01.q2.a": "It understands the language.",
        "01.q2.a.why": "A byte-level vocabulary can write anything, in languages that the model has never seen.",
        "01.q2.b": "It was trained on the language.",
        "01.q2.b.why": (
            "The vocabulary does not show that; smollm2 has no unknown token in Chinese and was trained on English."
        ),
        "01.q2.c": "Its vocabulary can write the language; whether the model has learned it is open.",
        "01.q2.c.why": "Look at the tokens per character too, and then test the model itself.",
        "01.q2.d": "Its vectors for two opposite sentences differ a lot.",
        "01.q2.d.why": (
            "They differ a little at least, since the ids differ. Whether the difference means something is not known."
        ),
        "01.q3.question": (
            "In a batch, one text has a [MASK] token and is shorter than the others. What is its padding mask?"
        ),
        "01.q3.a": "1 for all its own tokens, [MASK] too, then 0 to the end",
        "01.q3.a.why": "The padding mask tells text from filler, and a hidden token is text.",
        "01.q3.b": "0 where [MASK] stands, else 1",
        "01.q3.b.why": "The network has to look at that place: it is where it is asked to guess.",
        "01.q3.c": "1 everywhere",
        "01.q3.c.why": "Then the network would take the padding for text, and the vectors would depend on the batch.",
        "01.q4.question": "The same text gets another vector when another text is in its batch. What is likely?",
        "01.q4.a": "The model draws random numbers.",
        "01.q4.a.why": "When it is used and not trained, a BERT draws none: the same input gives the same output.",
        "01.q4.b": "Padding has a say: the mask is missing, in the network or in the mean.",
        "01.q4.b.why": "Other neighbors mean another padding. Compare with the text alone; the two should agree.",
        "01.q4.c": "The texts of a batch are always mixed.",
        "01.q4.c.why": "Each row is computed by itself. What they share is the length they are padded to.",
        "01.q5.question": "Sorting texts by length before they are put into batches changes what?",
        "01.q5.a": "the vectors",
        "01.q5.a.why": "With a mask they stay the same. Only their order has to be restored.",
        "01.q5.b": "the number of real tokens",
        "01.q5.b.why": "The texts are the same, so their tokens are; what becomes fewer is the padding.",
        "01.q5.c": "the amount of padding, and so the work",
        "01.q5.c.why": "Texts of about the same length share a batch, and hardly any padding is computed.",
        "01.q6.question": "Why can BERT not simply write a text from left to right, as GPT does?",
        "01.q6.a": (
            "It was trained to restore hidden tokens while looking at both sides, and the right side does not exist yet."
        ),
        "01.q6.a.why": "GPT looks only to the left, in training and in writing. Lesson 09 puts the two kinds together.",
        "01.q6.b": "Its vocabulary is too small.",
        "01.q6.b.why": "GPT-2 has a vocabulary of a similar kind. The way of looking is what differs.",
        "01.q6.c": "It has no padding mask.",
        "01.q6.c.why": "It has one. The mask that matters here is the one that hides what is to the right.",
        # lesson 02
        "02.1.expected": "expected is one number, the attention weight of the first key",
        "02.1.why": "the scores divided by 2, the root of 4, are 3, 1 and 0; and 0.844 of the softmax goes to the first.",
        "02.1.wrong.no_root": "this is the softmax of the scores as they are. Divide them by the root of d first; d is 4.",
        "02.1.wrong.by_d": "the scores were divided by d here. Divide by its root, which is 2.",
        "02.1.wrong.share": "this is the score's share of the sum. Softmax takes shares of exp(score), not of the score.",
        "02.1.wrong.hard": "all for the best key: that is hard attention. In soft attention every key gets some weight.",
        "02.1.wrong.equal": "this gives all keys the same weight: a plain mean, which does not look at the query.",
        "02.1.wrong.sigmoid": "a sigmoid looks at one score alone. Attention weights compete: they have to sum to 1.",
        "02.1.hint1": "Three steps: divide by the root of d, take exp of each, divide by the sum.",
        "02.1.hint2": "After the division the scores are 3, 1 and 0.",
        "02.1.hint3": "`np.exp(scores / 2)` are three positive numbers; the answer is the first of them over their sum.",
        "02.2.expected": "expected is a function weight(x) that returns one number from 0 to 1",
        "02.2.why": "rare pairs count little, pairs that never occur nothing, and the most frequent ones cannot rule.",
        "02.2.wrong.no_cap": (
            "your weight grows beyond 1 for counts above 100, so pairs such as (of, the) would decide everything."
        ),
        "02.2.wrong.no_power": "your weight grows in proportion to the count. The power 0.75 is missing.",
        "02.2.wrong.cut_off": "your weight drops to 0 for frequent pairs. It should stay at 1 there.",
        "02.2.wrong.max": "max takes the larger of the two, so no pair weighs less than 1. You want the smaller.",
        "02.2.wrong.count": "your weight does not divide by 100, so it goes far above 1.",
        "02.2.hint1": "Two cases: below 100 a power of x / 100, from 100 on the number 1.",
        "02.2.hint2": "`min(x / 100, 1)` puts both cases into one.",
        "02.2.hint3": "`min(x / 100, 1) ** 0.75` is the whole function.",
        "02.3.expected": "expected is a function pair_loss(center, neighbor, noise) that returns one number",
        "02.3.why": "the true neighbor is pulled near, each noise word pushed away, and every one of them counts in full.",
        "02.3.wrong.sign": (
            "the noise words are pulled near like the true neighbor. Their scores need a minus inside the sigmoid."
        ),
        "02.3.wrong.plus": "the noise part is added here. It has a minus in front too, as a loss has of every logarithm.",
        "02.3.wrong.mean": "the noise words are averaged here. The loss sums over them, so more noise pushes more.",
        "02.3.wrong.no_minus": "this is the loss with the sign turned. A loss falls as the model gets better.",
        "02.3.wrong.only_true": (
            "the noise words take no part here. Then the best model makes all vectors one and the same."
        ),
        "02.3.wrong.one_minus": (
            "for the noise words this takes 1 - sigmoid and not its logarithm. Losses of probabilities are logarithms."
        ),
        "02.3.wrong.softmax": (
            "this is one softmax over the neighbor and the noise. Negative sampling asks a yes-or-no question about each."
        ),
        "02.3.hint1": "The formula of section 2 has two parts: one for the neighbor, one sum for the noise words.",
        "02.3.hint2": "`noise @ center` has the scores of all noise words at once; mind the minus in front of them.",
        "02.3.hint3": "`-np.log(sigmoid(neighbor @ center))` is the first part; write the second the same way, and sum it.",
        "02.4.expected": "expected is a function hide(token, draw, other) that returns two ids: what is read, and the label",
        "02.4.why": (
            "the borders are shares of 0.15: 0.12 and 0.135. In the original both were shares of the draw itself, which "
            "is never smaller than 80% of itself."
        ),
        "02.4.wrong.bug": (
            "this is the function with the bug: no draw is below 80% of itself, so nothing is ever masked, and the "
            "model learns to copy."
        ),
        "02.4.wrong.all_masked": (
            "a draw that is below 0.15 is always below 0.8, so everything asked about is masked. Take 80% of 0.15."
        ),
        "02.4.wrong.asks_all": "your function asks about every token. Only a draw below 0.15 is asked about.",
        "02.4.wrong.kept_not_asked": (
            "a token that stays as it is has the label -100 here. It is asked about too: that is why it was chosen."
        ),
        "02.4.wrong.rest_asked": (
            "your function asks about all tokens that nobody hid. Their label is -100: copying them teaches nothing."
        ),
        "02.4.wrong.no_other": (
            "no token is replaced by another here. Then the model may trust everything it reads that is not [MASK]."
        ),
        "02.4.hint1": "Put a draw of 0.05 in, and ask whether it is below 0.8 times itself. Then ask whether any draw is.",
        "02.4.hint2": "Of the draws below 0.15, which are the first 80%? Those below 0.12.",
        "02.4.hint3": "Compare the draw with 0.15 * 0.8, and then with 0.15 * 0.9.",
        "02.5.expected": (
            "expected is a function without_language(vectors, languages, sample, sample_languages) that returns an "
            "array (n, d)"
        ),
        "02.5.why": "the means come from other texts, so a single wish can be compared as well as a whole catalog.",
        "02.5.wrong.own_means": (
            "your means come from the vectors themselves. A single wish would become all zeros; take them from the sample."
        ),
        "02.5.wrong.one_mean": (
            "one mean for all texts is subtracted here. The gap between the languages is as large as before."
        ),
        "02.5.wrong.other_language": "each text loses the mean of the other languages. Take that of its own.",
        "02.5.wrong.unchanged": "the vectors came back as they were. Subtract the mean of each text's language.",
        "02.5.wrong.added": "the mean is added here, which makes the gap between the languages twice as large.",
        "02.5.hint1": "First one mean for each language, from the sample alone; then subtract.",
        "02.5.hint2": "`sample[np.array(sample_languages) == 'en']` has the rows of one language.",
        "02.5.hint3": "Keep the means in a dictionary by language; then make an array of the mean of each text's language.",
        "02.6.expected": "expected is a function target_attention(item, history) that returns one number",
        "02.6.why": (
            "purchases that have to do with the item speak up, the others hardly, and the order of the purchases does "
            "not matter."
        ),
        "02.6.wrong.mean": (
            "all purchases count the same here. With many interests their mean is near none of them; let the item choose."
        ),
        "02.6.wrong.hard": "only the best purchase speaks here: hard attention, which is hard to train. Use softmax.",
        "02.6.wrong.nearest": "this is the largest cosine with a single purchase. Mix the purchases first, then compare.",
        "02.6.wrong.no_root": "the scores go into the softmax without the root of d.",
        "02.6.wrong.root_of_n": "the scores are divided by the root of the number of purchases. Divide by the root of d.",
        "02.6.wrong.dot": "this is a dot product, so long vectors score higher. The cosine was asked for.",
        "02.6.hint1": "The item is the query; the purchases are keys and values.",
        "02.6.hint2": "`history @ item` has one score for each purchase; divide by `np.sqrt(len(item))`.",
        "02.6.hint3": "Weights @ history is the person as seen from the item; its cosine with the item is the answer.",
        "02.r1.question": "A film on a slate has a score and its parts. How do the two belong together?",
        "02.r1.a": "The parts sum to the score.",
        "02.r1.a.why": "The explanation is the score itself, taken apart; lesson 00 claimed it within 1e-6.",
        "02.r1.b": "The parts are a second model that imitates the score.",
        "02.r1.b.why": "Such explanations exist (lesson 16), and they can be wrong. Here nothing imitates anything.",
        "02.r1.c": "The parts are chosen by hand to sound plausible.",
        "02.r1.c.why": "They are computed, and that is why they also show mistakes, such as the actor James Woods.",
        "02.r2.question": "An English vocabulary reads a Chinese wish and gives mostly [UNK]. What does the model see?",
        "02.r2.a": "The characters, a little blurred.",
        "02.r2.a.why": "Nothing of them is left: every unknown character becomes the very same id.",
        "02.r2.b": "The same id again and again, whatever the wish was.",
        "02.r2.b.why": "So two opposite wishes can become the same input, and no model can tell them apart.",
        "02.r2.c": "An error message.",
        "02.r2.c.why": "That would be better: it goes on without a word, and the vectors look like any others.",
        "02.r3.question": "What are the padding mask and the token [MASK]?",
        "02.r3.a": "Two names for one thing.",
        "02.r3.a.why": "Two things that share a word, which one of the articles mixes up.",
        "02.r3.b": "Both mark words that are not in the vocabulary.",
        "02.r3.b.why": "Words that are not in the vocabulary become [UNK].",
        "02.r3.c": "One says which places are padding; the other hides a word that is to be guessed.",
        "02.r3.c.why": "The first is needed whenever texts of different length share a batch, the second in pre-training.",
        "02.q1.question": "Why does word2vec draw random words as noise?",
        "02.q1.a": "To make the vectors robust against typing errors.",
        "02.q1.a.why": "The noise words are correct words, drawn from the vocabulary; nothing is misspelled.",
        "02.q1.b": "Because a softmax over the whole vocabulary, for every pair, is too slow.",
        "02.q1.b.why": "A few yes-or-no questions replace a sum over all words, and the vectors come out as useful.",
        "02.q1.c": "Because text has too few pairs of words.",
        "02.q1.c.why": "There are plenty, in a few thousand short reviews already.",
        "02.q2.question": "GloVe reaches a J of about 0 on four words. What does that show?",
        "02.q2.a": "The tables can tell all counts back.",
        "02.q2.a.why": "J measures nothing else. With as many numbers as words, any table can be told back.",
        "02.q2.b": "The vectors know what the words mean.",
        "02.q2.b.why": "Whether counts carry meaning depends on the text; J says only how well the counts are explained.",
        "02.q2.c": "J will be 0 on real text too.",
        "02.q2.c.why": "So few numbers cannot tell so many counts back, and should not: rare counts are noise.",
        "02.q3.question": "Why are dot products divided by the root of d in attention?",
        "02.q3.a": "To turn them into cosines.",
        "02.q3.a.why": "A cosine divides by the two lengths, which differ from vector to vector.",
        "02.q3.b": "To make the weights sum to 1.",
        "02.q3.b.why": "The softmax does that, whatever goes in.",
        "02.q3.c": "Because their variance grows with d, and large scores let the softmax look at one key only.",
        "02.q3.c.why": "Divided by the root, the variance stays at 1, and gradients reach all keys.",
        "02.q4.question": "To e5 two films at random have a cosine of about 0.8. What follows?",
        "02.q4.a": "e5 is broken, and its vectors must be whitened.",
        "02.q4.a.why": "Measured on genres, whitening made the neighbors worse. Ranking looks only at differences.",
        "02.q4.b": "Cosines of e5 cannot be compared with those of another model.",
        "02.q4.b.why": "0.8 is hardly related to one model and nearly the same film to another; only the order counts.",
        "02.q4.c": "All films in the catalog are alike.",
        "02.q4.c.why": "The same films have a mean cosine of about 0.3 to MiniLM. It is the model, not the films.",
        "02.q5.question": "Why is the held-out loss measured on hidden tokens only, and not on those left as they were?",
        "02.q5.a": "A model that merely copies what it reads would look as if it had learned.",
        "02.q5.a.why": "For a token in plain sight copying is enough; guessing a hidden one takes its neighbors.",
        "02.q5.b": "Tokens left as they were have no true answer.",
        "02.q5.b.why": "They have one, the token itself, and in training they are asked about too.",
        "02.q5.c": "It is faster.",
        "02.q5.c.why": "It is no slower or faster to speak of; the point is what the number means.",
        # lesson 03
        "03.1.expected": "expected is one number, the cosine of the two mixtures",
        "03.1.why": "the concepts overlap, so the mixtures are more alike than their weights alone say.",
        "03.1.wrong.article": (
            "0.8 is the article's formula. It takes the concepts to be at right angles, and these overlap by 0.6."
        ),
        "03.1.wrong.no_lengths": ("this is aGb alone. It grows with the weights; divide by the lengths of both mixtures."),
        "03.1.wrong.plain_lengths": (
            "the lengths here are those of the weights. A mixture has the length of the root of aGa."
        ),
        "03.1.wrong.no_root": "divide by the root of the product: a length is the root of aGa.",
        "03.1.wrong.dot": (
            "this is the dot product of the weights. Neither the overlap of the concepts nor any length is in it."
        ),
        "03.1.hint1": "Write G down first: the four dot products of the two concepts.",
        "03.1.hint2": "G is ((1, 0.6), (0.6, 1)); then s = aGb over the root of aGa times bGb.",
        "03.1.hint3": "`a @ G @ b / np.sqrt((a @ G @ a) * (b @ G @ b))` with `G = x @ x.T`.",
        "03.2.expected": "expected is a function new_weight(match, price) that returns one number of at least 0",
        "03.2.why": (
            "what a concept explains, less its price, and nothing if it does not pay: this is where the zeros come from."
        ),
        "03.2.wrong.negative": 'your weights can be below 0. "Minus war" is no interest; stop at 0.',
        "03.2.wrong.no_price": "the price is missing, so every concept that matches a little takes part.",
        "03.2.wrong.hard": "a match above the price is kept whole here. The lasso takes the price off every weight.",
        "03.2.wrong.absolute": (
            "a concept that points the other way gets a positive weight here. Do not take the absolute value."
        ),
        "03.2.wrong.added": "the price is added here. It should make weights smaller.",
        "03.2.hint1": "Three cases: a match above the price, one between 0 and the price, and one below 0.",
        "03.2.hint2": "In the first case the weight is the match minus the price; in the others it is 0.",
        "03.2.hint3": "`max(0.0, match - price)` is the whole function.",
        "03.3.expected": "expected is a function freshness(n, half_life) that returns n numbers, oldest first",
        "03.3.why": "the last event counts 1, and each half-life before it halves that.",
        "03.3.wrong.reversed": "the oldest event counts most here. Turn the ages around.",
        "03.3.wrong.late": "the last event counts less than 1 here: its age is 0, not 1.",
        "03.3.wrong.natural": "this falls to 1/e after one half-life. Take powers of 0.5.",
        "03.3.wrong.linear": "this falls along a line and reaches 0. Half-lives never do.",
        "03.3.wrong.normalized": "these sum to 1. Asked for are weights of which the last is 1.",
        "03.3.hint1": "The last event has age 0, the one before it age 1, the oldest age n - 1.",
        "03.3.hint2": "`np.arange(n)[::-1]` has the ages, oldest first.",
        "03.3.hint3": "0.5 to the power of age / half_life.",
        "03.4.expected": (
            "expected is a function keywords(vector, names, rows, k) that returns a list of at most k names, best first"
        ),
        "03.4.why": "the cosine looks at directions only, so a name with a long row has no advantage.",
        "03.4.wrong.dot": ("your function compares by the dot product, so long rows win. Divide by the length of each row."),
        "03.4.wrong.farthest": "your function returns the names that fit worst. Largest cosine first.",
        "03.4.wrong.distance": (
            "your function takes the nearest points. A short row in the right direction is far away; compare directions."
        ),
        "03.4.wrong.positions": "your function returns places. Return the names at those places.",
        "03.4.hint1": "The rows have different lengths, which a cosine divides away.",
        "03.4.hint2": "`rows @ vector` has the dot products; `np.linalg.norm(rows, axis=1)` the lengths of the rows.",
        "03.4.hint3": "Sort by minus the cosine, take the first k places, and return the names there.",
        "03.5.expected": (
            "expected is a function candidate_scores(interests, candidates) that returns one number for each candidate"
        ),
        "03.5.why": "a score is a sum over the directions of a vector; the candidates must stay apart.",
        "03.5.wrong.bug": (
            "this is the function with the bug: it adds up the candidates and leaves the directions. With as many "
            "candidates as directions, nobody notices."
        ),
        "03.5.wrong.one_total": "everything is added up here. One score for each candidate was asked for.",
        "03.5.wrong.each_its_own": (
            "every candidate chooses its own interest here. The click chooses, and its interest scores all candidates."
        ),
        "03.5.wrong.mean": "all interests are mixed into one here: the compromise that several interests were to avoid.",
        "03.5.wrong.worst": "the interest that fits the click worst scores here. Take the one with the largest product.",
        "03.5.hint1": "Put in two interests of two directions and three candidates, and count the numbers that come out.",
        "03.5.hint2": (
            "`best * candidates` has a row for each candidate and a column for each direction. Add up the columns."
        ),
        "03.5.hint3": "The sum is over `axis=1`. Or write the dot products as `candidates @ best`.",
        "03.6.expected": "expected is one letter, A, B or C, or a set of letters",
        "03.6.why": (
            "Pride and Prejudice is one book. Its joint is part of a name; a dictionary of titles would have known."
        ),
        "03.6.wrong.travel": "A is two wishes, and the cut finds them: a beach, and museums.",
        "03.6.wrong.service": (
            "C is two requests, and the cut finds them: a repair, and a refund. A shop may treat them differently."
        ),
        "03.6.wrong.all": "two of the three are cut well. Read the pieces one by one.",
        "03.6.wrong.none": "one of the three is torn apart by the cut. Read the pieces one by one.",
        "03.6.hint1": "Cut each wish at *and* and at commas, and ask of each piece whether it is a wish of its own.",
        "03.6.hint2": "One of the three has its *and* inside a name.",
        "03.6.hint3": "Look for a piece that you could not search for alone.",
        "03.r1.question": (
            "Two Chinese wishes became the same ids under an English vocabulary (lesson 01). What is the first thing "
            "to look at?"
        ),
        "03.r1.a": "the score of the slate",
        "03.r1.a.why": "The slate will look plausible; the damage is done before.",
        "03.r1.b": "the tokens, and how many are unknown",
        "03.r1.b.why": "A look at the tokens shows it at once, before any model has run.",
        "03.r1.c": "the learning rate",
        "03.r1.c.why": "Nothing is learned here.",
        "03.r2.question": (
            "MiniLM's vector of a text is the mean over its tokens (lesson 02). What follows for a wish of two parts?"
        ),
        "03.r2.a": "the second part is lost",
        "03.r2.a.why": "Both are in the mean, and neither alone.",
        "03.r2.b": "the two parts can be read off the vector, token by token",
        "03.r2.b.why": "A mean cannot be undone: many texts have the same one.",
        "03.r2.c": "the vector lies between the two parts",
        "03.r2.c.why": "So do films that are a bit of both, and they are favored.",
        "03.r3.question": "What is a 95% interval around a difference for?",
        "03.r3.a": "to say whether other users of the same kind might turn it around",
        "03.r3.a.why": "If it holds zero, they might.",
        "03.r3.b": "to say how large the best value can get",
        "03.r3.b.why": "It says nothing about the best; it is about the mean.",
        "03.r3.c": "to make sure that the model is right",
        "03.r3.c.why": "No interval knows whether the question was the right one.",
        "03.q1.question": "Why are negative weights forbidden when a wish is written in concepts?",
        "03.q1.a": "Because the computation would not end.",
        "03.q1.a.why": "The plain lasso ends too; it allows negative weights.",
        "03.q1.b": "Because cosines are never negative.",
        "03.q1.b.why": "They can be; opposite vectors have the cosine -1.",
        "03.q1.c": 'Because "a bit of love, minus a bit of war" is nothing that anybody wished for.',
        "03.q1.c.why": "What is to be avoided was said with *no*, and is handled by itself.",
        "03.q2.question": ("On the people we made, clusters of the history did not beat its mean. What would you do first?"),
        "03.q2.a": "Look at what better interests could bring, as the lesson did.",
        "03.q2.a.why": "The true tastes beat the mean by far: the idea is right, and the clusters are too rough.",
        "03.q2.b": "Change the number of clusters until they win.",
        "03.q2.b.why": "That fits the method to these people; on others it would lose again.",
        "03.q2.c": "Leave the clusters out of the table.",
        "03.q2.c.why": "Then the next person tries them in vain.",
        "03.q3.question": "A language model is forced to choose among 21 genres. What does that rule out?",
        "03.q3.a": "wrong answers",
        "03.q3.a.why": "It can still choose the wrong genre, and often did.",
        "03.q3.b": "answers that are no genre",
        "03.q3.b.why": "Every answer is an option, so it can always be used; whether it is right is another question.",
        "03.q3.c": "that it prefers some genres whatever was asked",
        "03.q3.c.why": "It does prefer some; that is why their mean over all people was taken off.",
        "03.q4.question": "Which way of combining gives a minor interest of weight 0.1 its place on a slate of ten?",
        "03.q4.a": "the mean",
        "03.q4.a.why": "It favors films that are good for the major interests.",
        "03.q4.b": "the quota",
        "03.q4.b.why": "One place in ten is its share, and it picks its own best film.",
        "03.q4.c": "the maximum",
        "03.q4.c.why": "It forgets weights; whoever has the largest cosine takes the place.",
        # lesson 04
        "04.1.expected": "expected is one number, the cosine of the two people",
        "04.1.why": (
            "0.9806: the interests overlap, so the people are more alike than their weights alone say, which is 0.9285."
        ),
        "04.1.wrong.right_angle": (
            "0.9285 is right for interests at right angles. These have the dot product 0.6, and it has to come in."
        ),
        "04.1.wrong.article": "0.6 is what the article printed. Compute it; here 0.6 is what the interests share.",
        "04.1.wrong.dot": "this is a dot product. Divide it by the lengths of both people.",
        "04.1.wrong.plain_lengths": (
            "a cosine above 1 cannot be: the Gram matrix is above the line and missing below it. A person's length is "
            "sqrt(a G a), not the length of the weights."
        ),
        "04.1.wrong.no_root": "this divides by the squared lengths. Take the root of a G a and of b G b.",
        "04.1.wrong.distance": "this is 1 - cosine. People who are much alike have a cosine near 1.",
        "04.1.hint1": "Section 4 has a formula that needs a, b and the dot products of the interests.",
        "04.1.hint2": "The Gram matrix is 1 on the diagonal, since the interests have length 1, and 0.6 beside it.",
        "04.1.hint3": "`a @ G @ b` is 0.8; divide it by `np.sqrt((a @ G @ a) * (b @ G @ b))`.",
        "04.2.expected": "expected is a function person_cosine(a, b, x) that returns one number",
        "04.2.why": "every pair of interests counts, above and below the line. You could as well compare a @ x with b @ x.",
        "04.2.wrong.right_angle": (
            "this looks at the weights only, as if the interests were at right angles and of length 1. x has to come in."
        ),
        "04.2.wrong.own_products": (
            "this is the article's formula: every interest meets itself, and no other. Take all pairs, x @ x.T."
        ),
        "04.2.wrong.dot": "this is the dot product of the two people. Divide it by both lengths.",
        "04.2.wrong.plain_lengths": "the numerator is right. Below it belong the lengths of the people, not of the weights.",
        "04.2.wrong.no_root": "this divides by the squared lengths; the root is missing.",
        "04.2.wrong.unit_interests": (
            "this makes every interest one long first. Then a weight means something else; take the interests as they are."
        ),
        "04.2.hint1": "First the Gram matrix: the dot product of every two rows of x.",
        "04.2.hint2": "`G = x @ x.T`, and the numerator is `a @ G @ b`.",
        "04.2.hint3": "Divide by `np.sqrt(a @ G @ a)` and by `np.sqrt(b @ G @ b)`.",
        "04.3.expected": "expected is a function similarities(item, items) that returns n numbers",
        "04.3.why": (
            "both lengths belong there. The forgotten one is the same for all items, so the order was right all along: that "
            "is why such a bug lives long, until somebody compares scores of two lists, or sets a threshold."
        ),
        "04.3.wrong.bug": "this is the code of the library as it was: it divides by the lengths of the items only.",
        "04.3.wrong.other_length": (
            "now the other length is missing: with it went the part that decides the order. Divide by both."
        ),
        "04.3.wrong.dot": "these are dot products. Long vectors win; divide by both lengths.",
        "04.3.wrong.whole_table": (
            "`np.linalg.norm(items)` is one number for the whole table. Each row has a length of its own: axis=1."
        ),
        "04.3.wrong.no_root": "this divides by squared lengths. `np.linalg.norm` takes the root for you.",
        "04.3.wrong.distance": "this is 1 - cosine. Similarities are asked for, the larger the nearer.",
        "04.3.hint1": "What is the similarity of an item with itself? Try it with `item = np.array([3.0, 4.0])`.",
        "04.3.hint2": "A cosine divides by two lengths. The code divides by one.",
        "04.3.hint3": "Divide by `np.linalg.norm(item)` as well.",
        "04.4.expected": "expected is a function token_parts(tokens, item) that returns t numbers, which sum to the cosine",
        "04.4.why": "the mean is a sum, and a dot product with a sum is a sum: that is all there is to it, and it is exact.",
        "04.4.wrong.own_cosines": (
            "this is the cosine of each token on its own. Their sum is not the text's cosine: every token has the length of "
            "the *text* below the line."
        ),
        "04.4.wrong.mean_of_cosines": (
            "the mean of the tokens' cosines is not the cosine of the mean: long tokens count more in the mean."
        ),
        "04.4.wrong.no_count": "the text is the mean of its tokens, so each has the weight 1 / t. These sum to t cosines.",
        "04.4.wrong.text_length": "these sum to a dot product with a unit item. Divide by the length of the text, too.",
        "04.4.wrong.item_length": "the item may have any length. Divide by it.",
        "04.4.wrong.shares": "these are shares that sum to 1. The parts should sum to the score.",
        "04.4.hint1": "Write the cosine of the mean, then the mean as a sum, and leave out the sum sign.",
        "04.4.hint2": "`tokens @ item` has one number for each token; all are divided by the same number.",
        "04.4.hint3": "That number is t, times the length of `tokens.mean(axis=0)`, times the length of `item`.",
        "04.5.expected": "expected is a function pick(scores, similar, k) that returns a list of k positions",
        "04.5.why": (
            "an item must differ from everything chosen so far. Compared with the last one only, a near twin comes back as "
            "soon as something else stands between."
        ),
        "04.5.wrong.bug": "this is the code as it was: it compares with the item chosen last, and forgets all before.",
        "04.5.wrong.first": "this compares with the item chosen first. A twin of the second one would come in.",
        "04.5.wrong.mean": (
            "this takes the mean similarity to the chosen ones. A near twin of one of many would hardly be noticed; "
            "MMR takes the largest."
        ),
        "04.5.wrong.sum": "this adds up the similarities, so the penalty grows with every place. MMR takes the largest.",
        "04.5.wrong.min": "this looks at the *least* similar of the chosen. A twin is found by the largest similarity.",
        "04.5.wrong.sign": "this rewards what repeats. The similarity is taken off.",
        "04.5.wrong.again": "an item is chosen twice. Keep the line that sets the chosen ones to -inf.",
        "04.5.wrong.no_penalty": "this is plain top-k: nothing is taken off for repeating.",
        "04.5.hint1": "`chosen[-1]` is one item. Think of those that were chosen before it.",
        "04.5.hint2": "`similar[:, chosen]` has one column for each item chosen so far.",
        "04.5.hint3": "Take the largest of each row: `similar[:, chosen].max(axis=1)`.",
        "04.6.expected": "expected is a function profile(comments, stars) that returns d numbers, zeros if nothing counts",
        "04.6.why": "the text gives the direction, the stars give the sign and the strength, which texts hardly show.",
        "04.6.wrong.all_pull": "here one star still pulls. Three stars should not count, and fewer push away.",
        "04.6.wrong.likes_only": "what was liked pulls, and what was disliked is ignored. It should push away.",
        "04.6.wrong.sign_only": "the direction counts, and not how much: five stars should pull twice as much as four.",
        "04.6.wrong.own_mean": (
            "this subtracts the person's own mean. That is a sensible design for strict raters, and not the one asked for: "
            "somebody who gives nothing below four would push good things away. Three stars are the zero here."
        ),
        "04.6.wrong.length": "the direction is right, and the length is not 1. Divide by the length of the sum.",
        "04.6.wrong.turned": "the sign is turned: five stars push away here.",
        "04.6.hint1": "Turn stars into weights first: 5 becomes 2, 3 becomes 0, 1 becomes -2.",
        "04.6.hint2": "`weights @ comments` is the weighted sum of all rows.",
        "04.6.hint3": "Divide by its length, but not by 0: `max(np.linalg.norm(total), 1e-12)`.",
        "04.r1.question": "A batch has a text of 5 tokens and one of 12. What happens when the shorter one is pooled?",
        "04.r1.a": "All 12 places are averaged, padding included.",
        "04.r1.a.why": "Then a text's vector would depend on the texts beside it. The mask is there to prevent this.",
        "04.r1.b": "The longer text is cut to 5 tokens.",
        "04.r1.b.why": "Only texts beyond the model's limit are cut; the shorter one is padded.",
        "04.r1.c": "The mean of its 5 real tokens is taken.",
        "04.r1.c.why": "The padding mask leaves out the rest, so a text has the same vector alone and in a batch.",
        "04.r2.question": "Somebody likes westerns and musicals. What may go wrong with the mean of both interests?",
        "04.r2.a": "Nothing, a mean keeps both.",
        "04.r2.a.why": "It keeps a direction between them; a film may be near to it and be no good match for either.",
        "04.r2.b": "Films that are a little of both, or of one only, can fill all the places.",
        "04.r2.b.why": "That is why lesson 03 also has the maximum and the quota, which keep the interests apart.",
        "04.r2.c": "The mean cannot be computed, as the interests have different lengths.",
        "04.r2.c.why": "Every interest is a vector with the same number of places; a mean always exists.",
        "04.r3.question": "What does it mean that the vectors of an encoder are anisotropic?",
        "04.r3.a": "Any two texts have a cosine well above 0, as all vectors lean to one side.",
        "04.r3.a.why": "So a cosine of 0.3 may mean nothing at all; this lesson looks at what to subtract.",
        "04.r3.b": "They have different lengths.",
        "04.r3.b.why": "Lengths can be divided away; the word is about directions.",
        "04.r3.c": "They depend on the order of the words.",
        "04.r3.c.why": "They do, as they are contextual; anisotropy is about where all of them point.",
        "04.q1.question": "All item vectors have length 1. Which gives the best order: dot product, cosine or distance?",
        "04.q1.a": "The cosine, because the dot product prefers long vectors.",
        "04.q1.a.why": "It does, where lengths differ. Here all have length 1.",
        "04.q1.b": "The distance, because it is a true metric.",
        "04.q1.b.why": "It is, and its square is 2 - 2 cosine, so it orders the items in the same way.",
        "04.q1.c": "All three give the same order.",
        "04.q1.c.why": "Section 1 claimed it on all films. So choose the cheapest: one matrix product.",
        "04.q2.question": "When may the Gram matrix be left out of the cosine of two people?",
        "04.q2.a": "When the interests have length 1 and are at right angles.",
        "04.q2.a.why": "Then it is the identity. For real interests, such as two kinds of films, it is not.",
        "04.q2.b": "When both people have weights that sum to 1.",
        "04.q2.b.why": "The cosine does not care for the sum of the weights; it cares for the angles of the interests.",
        "04.q2.c": "When there are more than two interests.",
        "04.q2.c.why": "With more interests there are more pairs, and more is lost without them.",
        "04.q3.question": "The token robots contributes 0.15 to a score. What follows?",
        "04.q3.a": "Without the word robots the score would be lower by 0.15.",
        "04.q3.a.why": "In section 5 it fell by more than twice as much: the other tokens had listened to robots.",
        "04.q3.b": "0.15 of this very score are the product of the item with the vector of that token.",
        "04.q3.b.why": "The parts account for the score as it is, exactly, and for nothing else.",
        "04.q3.c": "The film has robots in it.",
        "04.q3.c.why": "The encoder finds it near; whether it is true, only the film can tell.",
        "04.q4.question": "Why are ties broken by item id?",
        "04.q4.a": "The list is then the same in every run, however the catalog is sorted.",
        "04.q4.a.why": "The id belongs to the item; its position in a table is an accident.",
        "04.q4.b": "Items with small ids are better.",
        "04.q4.b.why": "They may be older or better known, and that is a danger, not a reason.",
        "04.q4.c": "It is faster than sorting by score.",
        "04.q4.c.why": "It is a second sorting key, and costs a little.",
        "04.q5.question": "At lambda 0.5 lists were more diverse, and the interval of the NDCG included 0. What follows?",
        "04.q5.a": "Diversity costs nothing.",
        "04.q5.a.why": "A cost too small for this many people to show may still be there; with lambda 0.1 it was plain.",
        "04.q5.b": "If there is a cost at this lambda, these people are too few to show it.",
        "04.q5.b.why": "The interval says how large it may be. And whether people like the lists better was not measured.",
        "04.q5.c": "People like the diverse lists better.",
        "04.q5.c.why": "Nobody was asked. NDCG only looks for the film that was hidden.",
        # lesson 05
        "05.1.expected": "expected is one number, the NDCG@5 of the list",
        "05.1.why": "the hits count 1 and 1/2; four relevant items in front would count 2.562, so 0.586 of it is reached.",
        "05.1.wrong.ideal_of_hits": (
            "the ideal list has the two hits in front here. It should have all four relevant items: missing two must cost."
        ),
        "05.1.wrong.ideal_of_list": "the ideal list has five relevant items here. There are only four.",
        "05.1.wrong.dcg": "this is the DCG. Divide it by that of a list with all four relevant items in front.",
        "05.1.wrong.reciprocal": "hits are counted 1 / rank here. NDCG counts 1 / log2(1 + rank), which falls more slowly.",
        "05.1.wrong.recall": "this is the recall. NDCG also asks where in the list the hits are.",
        "05.1.wrong.precision": "this is the precision. NDCG also asks where the hits are, and how many items are missing.",
        "05.1.wrong.average_precision": "this is the average precision. It is another metric that looks at places.",
        "05.1.hint1": "DCG of the list, divided by the DCG of the best list there could be.",
        "05.1.hint2": "The hit at place 1 counts 1 / log2(2), that at place 3 counts 1 / log2(4).",
        "05.1.hint3": "The best list has relevant items at places 1 to 4: `(1 / np.log2([2, 3, 4, 5])).sum()`.",
        "05.2.expected": "expected is a function ndcg_of(hit, n_relevant) that returns one number from 0 to 1",
        "05.2.why": "the ideal list now holds what could have been found, not what was found, so missing items cost.",
        "05.2.wrong.bug": "this is still the planted bug: the ideal depends on how many hits the list has. It must not.",
        "05.2.wrong.whole_list": "the ideal list is relevant in every place here, also where fewer items are relevant.",
        "05.2.wrong.beyond_list": (
            "the ideal list is longer than the slate here. Nobody can put five items into two places, so 1 is out of reach."
        ),
        "05.2.wrong.no_ideal": "this is the DCG: it is not divided by an ideal, so it can exceed 1.",
        "05.2.wrong.by_count": "the DCG is divided by a count here. Divide by a DCG: that of the ideal list.",
        "05.2.hint1": "Call it with [1, 0, 0] and 3. Only one of three items was found, so the answer must not be 1.",
        "05.2.hint2": "`sum(hit)` is how many were found. Think of what stands there if all were found.",
        "05.2.hint3": "`discount[:n_relevant].sum()`; a slice never gets longer than the list, and that is right here.",
        "05.3.expected": "expected is a function fair_rank(scores, target) that returns one number",
        "05.3.why": "no model gains or loses by ties, and one that scores all items the same gets the middle rank.",
        "05.3.wrong.best": "this is the best rank among the equals. A model that knows nothing would always be first.",
        "05.3.wrong.worst": "this is the worst rank among the equals. The middle was asked for.",
        "05.3.wrong.by_place": (
            "ties are decided by the place in the array here: whoever puts the target first makes every model look good."
        ),
        "05.3.wrong.itself": "the target was counted among its own equals, so each rank is half a place too large.",
        "05.3.wrong.half": "each rank is half a place too small: the target takes a whole place of its own.",
        "05.3.wrong.from_zero": "ranks start at 1: with nobody ahead the target is first.",
        "05.3.wrong.ascending": "this counts smaller scores as ahead. Larger is better.",
        "05.3.hint1": "Count two things: items that score more, and other items that score the same.",
        "05.3.hint2": "`(scores == scores[target]).sum()` has the target itself in it.",
        "05.3.hint3": "1 + those ahead + half of the other equals.",
        "05.4.expected": "expected is a function may_learn(users, times, user, time) that returns one boolean per event",
        "05.4.why": "whoever it is about: what has not happened yet cannot be known. One comparison is the whole rule.",
        "05.4.wrong.own_future": (
            "this hides only the person's own future, as leave-last-out does. From others the model learns what comes later."
        ),
        "05.4.wrong.same_moment": "events of the same moment are in. The target is one of them.",
        "05.4.wrong.only_own": "this learns from the person alone. What others did before is known, too, and useful.",
        "05.4.wrong.all_but_target": "this hides the target alone, as a random split does: the person's own future leaks.",
        "05.4.wrong.only_others": "the person's own past is missing. It is known, and says the most.",
        "05.4.wrong.after": "this keeps what comes later and hides the past. It is the other way around.",
        "05.4.hint1": "Ask of each event whether it had happened by that moment.",
        "05.4.hint2": "It does not matter whose event it is.",
        "05.4.hint3": "Compare `times` with `time`; strictly, because the target happens at `time` itself.",
        "05.5.expected": "expected is a list of the four words ideal, ties, seen, leak, in the order of programs A, B, C, D",
        "05.5.why": (
            "only A makes the model look worse: its slates are full of seen films. The other three flatter, and stay longer."
        ),
        "05.5.wrong.not_words": "the answer has each of the words ideal, ties, seen, leak once, in the order A, B, C, D.",
        "05.5.wrong.a": "not the bug of program A. Look for the line of `right` that A leaves out.",
        "05.5.wrong.b": "A is right, B is not. Compare the second argument of `ndcg` with that in `right`.",
        "05.5.wrong.c_and_d": "A and B are right, C and D are swapped. Look at what C fits its model on.",
        "05.5.hint1": "Compare each program with `right`, line by line; only one thing differs in meaning.",
        "05.5.hint2": "A does not mask anything. B divides by what was found. That leaves two.",
        "05.5.hint3": "`histories` in C holds the hidden films; `candidates` in D has the relevant items in front.",
        "05.6.expected": 'expected is a function winner(a, b) that returns "a", "b" or "neither"',
        "05.6.why": "the same people are compared with themselves, so that how much they differ among each other drops out.",
        "05.6.wrong.mean": "somebody always wins here. Ask how far the difference would move with other people.",
        "05.6.wrong.overlap": (
            "two separate intervals are compared here. They are wide because people differ; take that of the difference."
        ),
        "05.6.wrong.by_people": "this counts for how many people a model is ahead. By how much matters, too.",
        "05.6.wrong.swapped": "a and b are swapped.",
        "05.6.wrong.never": "your function never lets anybody win, not even where every single person shows the same lead.",
        "05.6.wrong.spread": (
            "the mean is compared with the spread between people. The interval of a mean is narrower than that."
        ),
        "05.6.hint1": "One function of `llmrec_lab.metrics` computes the interval of a difference on the same people.",
        "05.6.hint2": "`paired_interval(a, b)` has a low and a high end.",
        "05.6.hint3": "If the low end is above 0, a wins; if the high end is below 0, b; otherwise neither.",
        "05.r1.question": "Two items of a slate have the same score. Which comes first in this course?",
        "05.r1.a": "The one that came first in the file.",
        "05.r1.a.why": "Then the slate would depend on the order of the file, and another copy would give another slate.",
        "05.r1.b": "The one with the smaller item id.",
        "05.r1.b.why": "So the same scores always give the same slate. This lesson shows what other rules do to numbers.",
        "05.r1.c": "One of them at random.",
        "05.r1.c.why": "That would be fair, and the slate could not be repeated.",
        "05.r2.question": "In a slate for one person, what is the least that a model of texts must know about an item?",
        "05.r2.a": "How many people have met it.",
        "05.r2.a.why": "Models that count need this. A model of texts works for an item that nobody has met.",
        "05.r2.b": "Its rating.",
        "05.r2.b.why": "The first slate of lesson 00 was made without any rating.",
        "05.r2.c": "Its text, from which the encoder makes a vector.",
        "05.r2.c.why": "The vector is compared with that of the wish or of the history, by cosine.",
        "05.r3.question": "The paired 95% interval of the difference of two models is 0.01 to 0.05. What follows?",
        "05.r3.a": "The first is better, and that is hardly luck with these people.",
        "05.r3.a.why": "The interval leaves out 0: with other people of the same kind the lead would most likely stay.",
        "05.r3.b": "The first is better for 95% of the people.",
        "05.r3.b.why": "The interval is about the mean. A single person may be far outside of it.",
        "05.r3.c": "Nothing, because both ends are small.",
        "05.r3.c.why": "Small is not the same as zero. Whether it is worth the work is another question.",
        "05.q1.question": "A paper reports an HR@10 of 0.60; your run of its model gives 0.09. What do you look at first?",
        "05.q1.a": "The number of training rounds.",
        "05.q1.a.why": "That may differ too, but not by so much.",
        "05.q1.b": "The random seed.",
        "05.q1.b.why": "Seeds move such numbers a little, as the intervals show.",
        "05.q1.c": "Whether the paper ranks among all items or among a sample.",
        "05.q1.c.why": "The very same scores gave these two numbers for EASE in this lesson.",
        "05.q2.question": "Why did a random split make EASE look so good?",
        "05.q2.a": "It had seen what the person did after the hidden film.",
        "05.q2.a.why": "Films before and after give the hidden one away; in use there is no after.",
        "05.q2.b": "Random films are more popular than last films.",
        "05.q2.b.why": "A little perhaps, but then popularity would have gained as much.",
        "05.q2.c": "It had more films to learn from.",
        "05.q2.c.why": "In both splits one film is hidden for each person.",
        "05.q3.question": "Text alone does not beat popularity here. Why keep it?",
        "05.q3.a": "Because more parts are always better.",
        "05.q3.a.why": "A part that knows nothing new only adds noise; the learned weights may be 0.",
        "05.q3.b": "It is the only part that can tell new items apart.",
        "05.q3.b.why": "All parts that count behavior score them the same. Text is far above a random order there.",
        "05.q3.c": "Because its diversity is the highest.",
        "05.q3.c.why": "It is the lowest in the table: similar texts make similar slates.",
        "05.q4.question": "Your new model has an HR@10 of 0.98 on the first try. What now?",
        "05.q4.a": "Publish.",
        "05.q4.a.why": "Too good is a finding about the test, until shown otherwise.",
        "05.q4.b": "Evaluate a model that gives every item the same score.",
        "05.q4.b.why": "If it does well too, ties are decided by place, or the target leaks.",
        "05.q4.c": "Collect more test data.",
        "05.q4.c.why": "A bug stays the same on more data.",
        "05.q5.question": "What does the minute between two ratings on MovieLens say about 'chosen around the same time'?",
        "05.q5.a": "Part of its strength may be the page on which films stood together.",
        "05.q5.a.why": "Within a minute it is ahead; after an hour no difference was found, on few people.",
        "05.q5.b": "It is useless.",
        "05.q5.b.why": "It predicts the next rating well. Whether that is what you need depends on your shop.",
        "05.q5.c": "People watch films very fast.",
        "05.q5.c.why": "They rate what they saw long ago. The timestamp is that of the rating, not of the film.",
        # lesson 06
        "06.1.expected": "expected is one number, the loss of this user",
        "06.1.why": "the cosines become 6, 3, 1; what she met on another day is left out. Her film has 0.95 of the softmax.",
        "06.1.wrong.rival": "the second item is counted as a wrong answer. She met it, so it is left out.",
        "06.1.wrong.plain": "the temperature is missing: divide each cosine by 0.1 first.",
        "06.1.wrong.times": "the cosines are multiplied by 0.1. Divide by it, so that they become larger.",
        "06.1.wrong.share": "this is the share of the softmax. The loss is minus its logarithm.",
        "06.1.wrong.sign": "the sign is wrong: a share is below 1, so minus its logarithm is above 0.",
        "06.1.wrong.log10": "this is a logarithm to another base. The loss is in nats: use `np.log`.",
        "06.1.hint1": "Three scores are left in the softmax, each a cosine divided by the temperature.",
        "06.1.hint2": "The share of the first is exp(6) / (exp(6) + exp(3) + exp(1)).",
        "06.1.hint3": "The loss is `-np.log(np.exp(6) / np.exp([6, 3, 1]).sum())`.",
        "06.2.expected": "expected is one number, the GB of weights, gradients and the optimizer together",
        "06.2.why": "16 bytes for a weight: four each for itself, its gradient and two means. Activations come on top.",
        "06.2.wrong.weights": "these are the weights alone.",
        "06.2.wrong.no_means": "weights and gradients are in. AdamW keeps two numbers more for each weight.",
        "06.2.wrong.one_mean": "AdamW keeps two means for each weight: that of the gradient and that of its square.",
        "06.2.wrong.half": "somewhere two bytes were counted for a number. In float32 all of them take four.",
        "06.2.wrong.twice": "eight bytes were counted for a number. In float32 all of them take four.",
        "06.2.wrong.binary": "this is in GiB, of 2³⁰ bytes. A GB is 10⁹ bytes.",
        "06.2.wrong.unit": "the digits are right, the unit is not: a GB is 10⁹ bytes.",
        "06.2.hint1": "Count the numbers that are kept for each weight, itself included.",
        "06.2.hint2": "Four: the weight, its gradient, and the two means of AdamW.",
        "06.2.hint3": "`110e6 * 4 * 4 / 1e9`.",
        "06.3.expected": "expected is a function examples(rows) that returns a list of (user, title, label)",
        "06.3.why": "the label is what the person did. The title is in the input, where it can be read.",
        "06.3.wrong.bug": "this is still the planted bug: the label is a token id, the number of a word in a file.",
        "06.3.wrong.ones": "all labels are 1, so saying 1 to everything is perfect. Low ratings get a 0.",
        "06.3.wrong.stars": "these are the stars. Asked for is 1 from four stars on, else 0.",
        "06.3.wrong.above": "a row with exactly four stars has the label 0 here; four or more is 1.",
        "06.3.wrong.swapped": "0 and 1 are swapped: the model would learn what people dislike.",
        "06.3.wrong.dropped": "the rows with the label 0 are gone, and with them all that could be learned from.",
        "06.3.hint1": "Look for the entry of a row that says what the person did.",
        "06.3.hint2": "Compare `row['stars']` with 4.",
        "06.3.hint3": "`int(row['stars'] >= 4)` in the place of the token id.",
        "06.4.expected": "expected is a function groups(shapes) that returns two lists of names: with decay, without",
        "06.4.why": "together the two lists have every name, so nothing is left untrained; and the rule needs no names.",
        "06.4.wrong.bug": "this is still the planted bug: 'pooler' in its name keeps a weight out of both lists.",
        "06.4.wrong.norms": "the weights of a norm have one axis, but not 'bias' in their name. Go by the shape.",
        "06.4.wrong.still_no_pooler": "norms are right now, and the pooler is still in neither list.",
        "06.4.wrong.swapped": "the two lists are swapped: biases are decayed here, and tables are not.",
        "06.4.wrong.all": "everything is decayed. Biases and norms have one axis, and belong into the second list.",
        "06.4.wrong.twice": "some names are in both lists. An optimizer refuses that, and rightly.",
        "06.4.hint1": "Count the names in both lists, and compare with `len(shapes)`.",
        "06.4.hint2": "Biases and norms have one axis: `len(shape) == 1`.",
        "06.4.hint3": "First list: names whose shape has more than one axis. Second list: all other names.",
        "06.5.expected": "expected is a function accumulated(batches) that returns one number",
        "06.5.why": "every example counts the same, whichever batch it came in.",
        "06.5.wrong.bug": "this is still the planted bug: an example counts more if its batch is small.",
        "06.5.wrong.sum": "this is a sum, so more examples make a longer step. A mean was asked for.",
        "06.5.wrong.sum_of_means": "the means are added and not divided: with ten batches the step is ten times too long.",
        "06.5.wrong.last": "only the last batch counts here, as if the gradient were set to zero before each.",
        "06.5.wrong.first_size": "all batches are taken to be as large as the first.",
        "06.5.hint1": "Try [[1, 1, 1], [5]]. One large batch of the four has a mean of 2.",
        "06.5.hint2": "Add all gradients, and divide once, at the end.",
        "06.5.hint3": "Divide by `sum(len(batch) for batch in batches)`.",
        "06.6.expected": "expected is a function reported(validation, test) that returns one number",
        "06.6.why": "the test is asked about one epoch, which was chosen without it.",
        "06.6.wrong.bug": "this is still the planted bug: the test chooses its own best epoch.",
        "06.6.wrong.last": "this is the last epoch. The best one may be earlier: that is what early stopping is for.",
        "06.6.wrong.validation": "this is the validation value. It was used to choose, so it is too good as well.",
        "06.6.wrong.latest": "of two epochs with the same validation value this takes the later. The earlier was asked for.",
        "06.6.wrong.worst": "this is the epoch that validation likes least. Larger is better here.",
        "06.6.wrong.mean": "this is the mean over all epochs; only one model is kept.",
        "06.6.hint1": "First find the epoch, by one list; then read the other.",
        "06.6.hint2": "`np.argmax` gives the place of the largest entry, and the first of several.",
        "06.6.hint3": "`test[int(np.argmax(validation))]`.",
        "06.7.expected": "expected is a function best_rate(runs) that returns one rate",
        "06.7.why": "the mean over runs says what a rate brings; the best single run says how lucky somebody was.",
        "06.7.wrong.lucky": "this takes the rate of the best single run. It was lucky, and its other runs were not.",
        "06.7.wrong.sum": "a sum prefers the rate that was tried most often.",
        "06.7.wrong.safe": "this judges a rate by its worst run. The mean was asked for.",
        "06.7.wrong.median": "this takes the median of the runs. The mean was asked for.",
        "06.7.wrong.smallest": "this is the smallest rate that was tried, whatever it brought.",
        "06.7.wrong.larger": "of two equal rates this takes the larger; the smaller was asked for.",
        "06.7.wrong.worst": "this is the rate with the worst mean. Larger validation values are better.",
        "06.7.hint1": "Collect the validation values of each rate, then take their mean.",
        "06.7.hint2": "If the rates are sorted first, the earliest of equal ones is the smaller.",
        "06.7.hint3": 'Of a DataFrame, `groupby("rate")["value"].mean()` is sorted by rate; see its `idxmax`.',
        "06.r1.question": "What makes the vector of a text out of the vectors of its tokens, in our encoder?",
        "06.r1.a": "The vector of the first token, [CLS].",
        "06.r1.a.why": "Some models do this, and the cross-encoder of this lesson will. MiniLM was trained for a mean.",
        "06.r1.b": "The mean over all real tokens, made to length 1.",
        "06.r1.b.why": "Padding is left out of it, or the vector would depend on the other texts of the batch.",
        "06.r1.c": "A classifier on top.",
        "06.r1.c.why": "A fresh classifier is a draw of random numbers; there is none in our encoder.",
        "06.r2.question": "How did text alone do in lesson 05, for people with a history?",
        "06.r2.a": "Best of all.",
        "06.r2.a.why": "It is best on new items. For people with a history others are ahead.",
        "06.r2.b": "As well as EASE.",
        "06.r2.b.why": "EASE was ahead by far.",
        "06.r2.c": "Not better than popularity.",
        "06.r2.c.why": "This lesson asks whether that has to be so.",
        "06.r3.question": "Ten settings are compared on the test, and the best one is reported. What is wrong?",
        "06.r3.a": "A part of its lead is luck on this very test.",
        "06.r3.a.why": "So settings are chosen on validation, and the test is looked at once.",
        "06.r3.b": "Ten settings are too few.",
        "06.r3.b.why": "With more of them the luck of the best one only grows.",
        "06.r3.c": "Nothing, if there are enough people.",
        "06.r3.c.why": "More people make luck smaller, and it stays on the side of the winner.",
        "06.q1.question": "A training runs, and its loss falls to 0.001. What do you know?",
        "06.q1.a": "The model is good.",
        "06.q1.a.why": "With labels that are all 1 it would fall as nicely.",
        "06.q1.b": "It can say what its labels say, on its own examples.",
        "06.q1.b.why": "Whether the labels mean something, and whether it holds for others, the loss cannot tell.",
        "06.q1.c": "It is over-fitted.",
        "06.q1.c.why": "Maybe. Only other people's examples can show it.",
        "06.q2.question": "Why may a bi-encoder's batch of 64 not be replaced by eight accumulated batches of 8?",
        "06.q2.a": "It is slower.",
        "06.q2.a.why": "It takes about as long. What is lost is something else.",
        "06.q2.b": "AdamW would step eight times.",
        "06.q2.b.why": "It steps once, after the eighth.",
        "06.q2.c": "Each item would be chosen from 8 and not from 64.",
        "06.q2.c.why": "The others of the batch are the wrong answers; fewer of them make another, easier loss.",
        "06.q3.question": "The memory is too small. What makes the activations smaller, and changes no result?",
        "06.q3.a": "Gradient checkpointing.",
        "06.q3.a.why": "They are computed again on the way back: a third more work, the same gradients.",
        "06.q3.b": "A smaller batch.",
        "06.q3.b.why": "It does, and it changes the gradient, and in a bi-encoder the loss.",
        "06.q3.c": "A smaller learning rate.",
        "06.q3.c.why": "A rate takes no memory.",
        "06.q4.question": "When is a cross-encoder the right tool?",
        "06.q4.a": "To rank a million items.",
        "06.q4.a.why": "It would have to read a million pairs, for every user anew.",
        "06.q4.b": "To make vectors of items, which are stored.",
        "06.q4.b.why": "It has no vector of an item alone.",
        "06.q4.c": "To put the first hundred of another model into a better order.",
        "06.q4.c.why": "There it can let every word of the user meet every word of the item.",
        "06.q5.question": "What does a better rank on new films show that one on known films does not?",
        "06.q5.a": "That the model is popular.",
        "06.q5.a.why": "Popularity is exactly what it cannot have used there.",
        "06.q5.b": "That it learned what to look at in a text, and not only which films to name.",
        "06.q5.b.why": "Nobody had met these films in training, so no film could be learned by heart.",
        "06.q5.c": "That it needs no validation.",
        "06.q5.c.why": "New films are a test as well, and are not for choosing.",
        # lesson 07
        "07.1.expected": "expected is a function next_mean(mean, n, x) that returns an array like mean",
        "07.1.why": "one step of the right length, and the old clicks are never read again.",
        "07.1.wrong.halves": "half old, half new: the last click counts as much as all before it. Only right at n = 1.",
        "07.1.wrong.too_few": "there are n + 1 vectors after this one; the step is divided by n here, so it is too long.",
        "07.1.wrong.adds": "the new vector is added, and the old mean keeps its full size. It has to make room.",
        "07.1.wrong.away": "the mean moves away from the new vector. Look at the sign.",
        "07.1.wrong.replaces": "this forgets all that came before: it is the last click, not the mean.",
        "07.1.wrong.unweighted": "the old mean stands for n vectors, and counts here like one.",
        "07.1.hint1": "With n = 3, the old mean counts three parts and x one part, of four.",
        "07.1.hint2": "`(n * mean + x) / (n + 1)` is right; it can be written as a step from mean towards x.",
        "07.1.hint3": "The step is `(x - mean)`, divided by how many vectors there are now.",
        "07.2.expected": "expected is a function count_likes(received, item) that returns one whole number",
        "07.2.why": "who and which event, together, say whether it is the same like; how often it arrived says nothing.",
        "07.2.wrong.bug": "this is still the planted bug: every arrival counts, so a like that was sent again counts twice.",
        "07.2.wrong.by_event": "two people may use the same event_id, and here they do: Bo's like is lost.",
        "07.2.wrong.by_user": "somebody who likes a film again, later, with a new event_id, has done a second thing.",
        "07.2.wrong.neighbors": "a repetition may come after other events. Remember all that were seen, not the last one.",
        "07.2.wrong.all_items": "events with other items are counted, too.",
        "07.2.hint1": "Ask what makes two arrivals the same event. Not the item.",
        "07.2.hint2": "An event_id is chosen by the user's page, so it is unique for that user only.",
        "07.2.hint3": "Put the pairs (user, event) of the item's arrivals into a set, and count it.",
        "07.3.expected": "expected is a function fading_mean(xs, half_life) that returns an array of the length of one row",
        "07.3.why": "sum and weight fade together, so it stays a mean: of equal vectors it is that vector.",
        "07.3.wrong.bug": (
            "this is still the planted bug: the weight never fades, so the mean shrinks towards 0 with every event. Try it "
            "on equal vectors."
        ),
        "07.3.wrong.never": "nothing fades: this is the plain mean.",
        "07.3.wrong.only_weight": "the weight fades and the sum does not, so the result grows with every event.",
        "07.3.wrong.power": "the longer the half-life, the faster this forgets. It should be a half after half_life steps.",
        "07.3.wrong.half_each": "half is lost at every step, whatever the half-life is.",
        "07.3.wrong.euler": "exp(-1 / half_life) leaves 37% after a half-life, not a half.",
        "07.3.wrong.moving": "a moving average puts too much weight on the first vector. Divide by the sum of weights.",
        "07.3.wrong.undivided": "this is the faded sum. Divide it by the sum of the weights, which fades in the same way.",
        "07.3.wrong.backwards": "the oldest vector counts most here. The last row is the newest.",
        "07.3.hint1": "Give it three equal vectors: that vector should come out.",
        "07.3.hint2": "A mean is a sum divided by the sum of the weights. The weight of an old event fades, too.",
        "07.3.hint3": "`weight = fade * weight + 1`, as for the total.",
        "07.4.expected": "expected is a function learned(inverse, x) that returns an array like inverse",
        "07.4.why": "about d * d steps instead of d * d * d, by the formula of Sherman and Morrison.",
        "07.4.wrong.bug": (
            "the numbers are right, and the work is that of solving again: about d * d * d steps were counted. The inverse "
            "before the event is at hand; mend that one."
        ),
        "07.4.wrong.undivided": "the divisor is missing: 1 + x @ shift.",
        "07.4.wrong.divisor": "the divisor is 1 plus the product of x with shift, not of shift with itself.",
        "07.4.wrong.entries": "`*` between two vectors gives a vector. A table of all products is `np.outer(shift, shift)`.",
        "07.4.wrong.added": "A grows by x x'; its inverse shrinks, because we know more where we have looked.",
        "07.4.wrong.unturned": "x x' is taken off here. It has to be turned by the inverse first: shift = inverse @ x.",
        "07.4.wrong.plus": "the right amount with the wrong sign: the inverse shrinks where we have looked.",
        "07.4.hint1": "Start with `shift = inverse @ x`, which takes d * d products.",
        "07.4.hint2": "What is taken off is the outer product of shift with itself, divided by one number.",
        "07.4.hint3": "`inverse - np.outer(shift, shift) / (1 + x @ shift)`.",
        "07.5.expected": "expected is a function commit(disk, group) that returns disk.done, a list of words",
        "07.5.why": "nobody was told 'safe' before it was, and the whole group paid for one sync.",
        "07.5.wrong.bug": (
            "this is still the planted bug: it acknowledges what is only in memory. A power cut before the sync loses an "
            "event that somebody was told is safe."
        ),
        "07.5.wrong.no_sync": "nothing is ever synced. All of it lives in memory until the power goes.",
        "07.5.wrong.sync_first": "the sync comes before the write, so it keeps everything but this group.",
        "07.5.wrong.sync_each": "safe, and slow: one sync for each event. All of a group may share one.",
        "07.5.wrong.hopes": "the acknowledgement comes before the event is even written.",
        "07.5.wrong.silent": "nobody is told. Whoever sent an event waits, and sends it again.",
        "07.5.hint1": "Ask when somebody may be told that an event is safe. Not a moment before.",
        "07.5.hint2": "Three steps: write all, then one other call, then acknowledge all.",
        "07.5.hint3": "Two loops over the group, with `disk.sync()` between them.",
        "07.6.expected": "expected is one number, the people who see one list, within 2%",
        "07.6.why": "over eight thousand for each list, to find one more click in a hundred. Small gains take many people.",
        "07.6.wrong.both_arms": "these are the people of both lists together. The question is about one.",
        "07.6.wrong.one_spread": "both shares are uncertain: their two spreads add up.",
        "07.6.wrong.relative": "from 5% to 6% the difference is 0.01.",
        "07.6.wrong.no_power": "the power is missing: with so few, a true gain would be found only half of the time.",
        "07.6.wrong.apart": "add the two z values first, then square the sum.",
        "07.6.wrong.unsquared": "two things are squared in the formula: the sum of the z values, and the difference q - p.",
        "07.6.wrong.one_sided": "1.64 leaves 5% on one side. A change may go either way: 2.5% on each, which is 1.96.",
        "07.6.wrong.deviation": "this is the root of the number of people.",
        "07.6.hint1": "p (1 - p) and q (1 - q), added; the sum of the two z values, squared; the difference, squared.",
        "07.6.hint2": "z is 1.96 for 5% in either direction, and 0.84 for a power of 80%.",
        "07.6.hint3": "`(1.96 + 0.84) ** 2 * (0.05 * 0.95 + 0.06 * 0.94) / 0.01 ** 2`, and why each number stands there.",
        "07.7.expected": (
            "expected is a function front_page(item_ids, scores, hours, half_life, k) that returns a list of ids, best first"
        ),
        "07.7.why": "what is old has to be the better for it, and how much better is one number that can be measured.",
        "07.7.wrong.ageless": "age changes nothing here: yesterday's flood stays on top.",
        "07.7.wrong.newest": "this is the newest first, whatever it is worth to the reader.",
        "07.7.wrong.cut_off": "what is older than a half-life is gone here. It should count half, not nothing.",
        "07.7.wrong.linear": "the score falls by the same amount each hour, down to below nothing. Halve it instead.",
        "07.7.wrong.older": "older news count more here. Look at the sign of the power.",
        "07.7.wrong.worst": "this is the list from the bottom.",
        "07.7.hint1": "Think of what is left of a score after one half-life, and after two.",
        "07.7.hint2": "`0.5 ** (hours / half_life)` is the factor.",
        "07.7.hint3": "Multiply, then `np.argsort(-scores)[:k]`.",
        "07.r1.question": "What is an interest, in this course?",
        "07.r1.a": "A film that somebody liked.",
        "07.r1.a.why": "A like is an event. It may speak for several interests at once.",
        "07.r1.b": "One thing that somebody wants, with a vector and a weight of its own.",
        "07.r1.b.why": "A wish may hold several. Words such as 'more French comedies' add one or change its weight.",
        "07.r1.c": "The mean of all that is known of somebody.",
        "07.r1.c.why": "One vector for all wishes was what lesson 03 got away from.",
        "07.r2.question": "The paired 95% interval of a difference is -0.01 to 0.04. What may be said?",
        "07.r2.a": "No difference was found.",
        "07.r2.a.why": "The interval has 0 in it. Perhaps there is a difference, and there were too few people to see it.",
        "07.r2.b": "The first is better, since most of the interval is above 0.",
        "07.r2.b.why": "Beyond the interval means that 0 is outside of it.",
        "07.r2.c": "Both are equal.",
        "07.r2.c.why": "That something was not found does not mean that it is not there.",
        "07.r3.question": "Why did a random split make a model look better than it is?",
        "07.r3.a": "Random films are easier.",
        "07.r3.a.why": "Popularity did not gain by it as EASE did.",
        "07.r3.b": "There was more to learn from.",
        "07.r3.b.why": "One film was hidden for each person in both.",
        "07.r3.c": "It had seen what came after the hidden film.",
        "07.r3.c.why": "In this lesson the order is kept event by event: test first, then train.",
        "07.q1.question": "A writer is killed 1,000 times, and no acknowledged event is lost. What is shown of the sync?",
        "07.q1.a": "That it comes before the acknowledgement.",
        "07.q1.a.why": "Without any sync the test would pass as well: the system's memory outlives the process.",
        "07.q1.b": "That it is not needed.",
        "07.q1.b.why": "A power cut takes the system's memory along.",
        "07.q1.c": "Nothing.",
        "07.q1.c.why": "What the process wrote is in the system's memory, kill or not. Look at the order of system calls.",
        "07.q2.question": "The answer to an event got lost on the way, and the page sends it again. What should it send?",
        "07.q2.a": "The same event_id.",
        "07.q2.a.why": "The log sees that it has the event, and answers with its position. Nothing counts twice.",
        "07.q2.b": "A new event_id, since it is a new request.",
        "07.q2.b.why": "Then one click would be two events.",
        "07.q2.c": "Nothing; it should wait.",
        "07.q2.c.why": "If the event was lost and not only the answer, the click would be gone.",
        "07.q3.question": "Tastes do not change, and clicks are noisy. Which profile does best?",
        "07.q3.a": "One with a short half-life, since it is adaptive.",
        "07.q3.a.why": "It throws good evidence away. Forgetting only pays where the old is wrong.",
        "07.q3.b": "One that keeps all events.",
        "07.q3.b.why": "With a steady taste every event says something true, and the mean of all has the least noise.",
        "07.q3.c": "One that is frozen early.",
        "07.q3.c.why": "It misses what later events would add.",
        "07.q4.question": "Somebody looks at an A/B test daily and stops at the first difference found. And then?",
        "07.q4.a": "It takes fewer people for the same certainty.",
        "07.q4.a.why": "The certainty is not the same: each look is another chance to be fooled.",
        "07.q4.b": "Far more than 5% of the tests without any difference find one.",
        "07.q4.b.why": "Fix the number of people before, or use a method that is made for looking.",
        "07.q4.c": "Nothing, as long as the interval is at 95%.",
        "07.q4.c.why": "An interval of 95% is for one look.",
        "07.q5.question": "What does the recommender's own loop do to its data?",
        "07.q5.a": "People can only click what was shown, so the data lean towards what the model likes already.",
        "07.q5.a.why": "That is why lesson 12 keeps the chance with which each item was shown.",
        "07.q5.b": "Nothing, since people choose freely.",
        "07.q5.b.why": "They choose freely among ten films out of thousands.",
        "07.q5.c": "It makes them larger, and so better.",
        "07.q5.c.why": "More of the same is not better.",
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
