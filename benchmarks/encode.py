"""Row 1, texts to vectors: MiniLM by us, by sentence-transformers, and in batches of 32 padded to 128 tokens."""

import numpy as np

from benchmarks.harness import Bound, Race, main, peer
from llmrec_lab.datasets.reviews import load_reviews
from llmrec_lab.model_files import model_folder

PADDED_TO = 128


def rows(quick: bool):
    """What our vectors are worth, then how long they take."""
    from llmrec_lab.encoder import fastest_dtype, load_encoder

    folder, _ = model_folder("minilm")
    published = peer("sentence_transformers").SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    texts = sample(16 if quick else 400, folder)
    exact = load_encoder("minilm", "cpu")
    tokens = sum(len(row.ids) for row in exact.tokenizer.encode_batch(texts))
    work = f"encode {len(texts)} texts, {tokens:,} tokens"
    peers = {
        "sentence-transformers": lambda: published.encode(texts, normalize_embeddings=True, show_progress_bar=False),
        f"32s padded to {PADDED_TO}": padded_style(folder, texts),
    }
    reference = peers["sentence-transformers"]()  # (n, d)
    yield from judged(exact, texts, reference, 1e-5, work, peers, [(1.15, 1.5), (3, 4)])
    if quick or fastest_dtype("cpu") == "bfloat16":
        yield from judged(load_encoder("minilm", "cpu", "bfloat16"), texts, reference, 5e-4, work, peers, [(2, 3), (5.5, 8)])
    else:
        print("bfloat16 products are not 1.6 times as fast as float32 ones here: its rows are left out")
    ways = {"run_peer": lambda: by_torchs_own_threads(exact, texts), "run_ours": lambda: exact.encode(texts)}
    yield Race(work, "torch's own threads", ours="a worker per thread", **ways, threads=2)
    yield from cached(exact, texts, work)


def sample(count: int, folder) -> list[str]:
    """Pieces of English reviews; lengths log-normal, 8 to 128 tokens, about 41 on average."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    ids = tokenizer.encode(" ".join(load_reviews("en")["text"][: 2 * count]), add_special_tokens=False).ids
    lengths = np.exp(np.random.default_rng(0).normal(np.log(35), 0.55, count)).clip(6, 120).astype(int)
    ends = np.cumsum(lengths)  # the two marks, and a word cut in two, add a few tokens
    return [tokenizer.decode(ids[end - length : end]) for end, length in zip(ends, lengths)]


def padded_style(folder, texts: list[str]):
    """How tutorials do it: transformers, batches in the order of the texts, every text padded to 128 tokens."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    def encode_batch(batch: list[str]) -> torch.Tensor:
        padded = tokenizer(batch, padding="max_length", truncation=True, max_length=PADDED_TO, return_tensors="pt")
        mask = padded["attention_mask"][:, :, None]  # (b, t, 1)
        means = (model(**padded).last_hidden_state * mask).sum(1) / mask.sum(1)  # (b, d)
        return torch.nn.functional.normalize(means, dim=-1)

    @torch.no_grad()
    def encode() -> torch.Tensor:
        return torch.cat([encode_batch(texts[start : start + 32]) for start in range(0, len(texts), 32)])

    return encode


def judged(encoder, texts, reference, cosine_gap, work, peers, limits):
    """How far an encoder's vectors are from those of sentence-transformers, and its races against the peers."""
    vectors = encoder.encode(texts)  # (n, d)
    gap = 1 - (vectors * reference).sum(axis=1).min()
    yield Bound(f"{encoder.dtype}: largest 1 - cosine to the reference", float(gap), "", cosine_gap)
    lost = np.mean([len(np.setdiff1d(a, b)) / 10 for a, b in zip(top_10(reference), top_10(vectors))])
    yield Bound(f"{encoder.dtype}: share of top-10 neighbors lost", float(lost), "", 0.02)
    for (name, run), (must, goal) in zip(peers.items(), limits):
        yield Race(work, name, run, encoder.dtype, lambda: encoder.encode(texts), must, goal, threads=2)


def top_10(vectors: np.ndarray) -> np.ndarray:
    """(n, 10) the nearest neighbors of each vector, itself left out."""
    cosines = vectors @ vectors.T  # (n, n)
    np.fill_diagonal(cosines, -1)
    return np.argsort(-cosines, axis=1)[:, :10]


def by_torchs_own_threads(encoder, texts: list[str]) -> None:
    """The same batches one after the other, two threads inside each product."""
    from llmrec_lab.encoder import CPU_TOKENS, batches_by_length

    ids = [row.ids for row in encoder.tokenizer.encode_batch(texts)]
    for batch in batches_by_length([len(row) for row in ids], CPU_TOKENS):
        encoder.encode_batch([ids[row] for row in batch])


def cached(encoder, texts: list[str], work: str):
    """An unchanged catalog, read from the cache, against its first encoding."""
    encoder.encode_cached(texts)
    try:
        ways = {"run_peer": lambda: encoder.encode(texts), "run_ours": lambda: encoder.encode_cached(texts)}
        yield Race(work, "the first time", ours="unchanged, from the cache", **ways, must=100, goal=300, threads=2)
    finally:
        encoder.cache_path(texts).unlink(missing_ok=True)


if __name__ == "__main__":
    main("encode", rows)
