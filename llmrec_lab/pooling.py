"""Many vectors to one: soft and hard attention, and CLS, mean, and pooler over tokens. Knows nothing about models.

All are weighted sums of rows; they differ in where the weights come from.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from llmrec_lab.errors import DataError


def attention_weights(query: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """How much each key gets of a query's attention: softmax(q . k / sqrt(d)).

    The dot product of two vectors with entries of variance 1 has variance d; the root keeps it at 1, so that the softmax
    neither saturates nor depends on d.

    Args:
        query: (d).
        keys: (n, d).

    Returns:
        (n) positive weights that sum to 1.

    Raises:
        DataError: there is no key, or the shapes do not fit.

    Source:
        Vaswani et al. 2017, Attention is all you need, arXiv 1706.03762, equation 1.

    Example:
        >>> attention_weights(np.array([2.0, 0.0]), np.array([[1.0, 0.0], [0.0, 1.0]])).round(3)
        array([0.804, 0.196])
    """
    query, keys = np.asarray(query), np.asarray(keys)
    if query.ndim != 1 or keys.ndim != 2 or keys.shape[1] != len(query) or not len(keys):
        raise DataError(f"query has shape {query.shape} and keys {keys.shape}; pass (d) and (n, d), with n of at least 1")
    return softmax(keys @ query / np.sqrt(len(query)))


def soft_attention(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mean of all values, weighted by attention. A gradient reaches every one of them.

    Args:
        query: (d).
        keys: (n, d).
        values: (n, m), one row per key.

    Returns:
        (m).

    Raises:
        DataError: the shapes do not fit.

    Source:
        Vaswani et al. 2017, arXiv 1706.03762, equation 1.

    Example:
        >>> keys = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> soft_attention(np.array([2.0, 0.0]), keys, np.array([[10.0], [20.0]])).round(2)
        array([11.96])
    """
    return attention_weights(query, keys) @ rows_for(keys, values)


def hard_attention(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The value of the best key alone; of equal ones, the first. No gradient says how to choose better.

    Args:
        query: (d).
        keys: (n, d).
        values: (n, m), one row per key.

    Returns:
        (m).

    Raises:
        DataError: the shapes do not fit.

    Source:
        Xu et al. 2015, Show, attend and tell, arXiv 1502.03044, section 4.1; with argmax in place of a draw.

    Example:
        >>> keys = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> hard_attention(np.array([2.0, 0.0]), keys, np.array([[10.0], [20.0]]))
        array([10.])
    """
    return rows_for(keys, values)[np.argmax(attention_weights(query, keys))]


def rows_for(keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values as an array; raises DataError unless there is one row for each key."""
    values = np.asarray(values)
    if values.ndim != 2 or len(values) != len(keys):
        raise DataError(f"values have shape {values.shape} for {len(keys)} keys; pass one row per key")
    return values


def mean_pool(tokens: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean of the tokens of each text, without what was only padded.

    Args:
        tokens: (b, t, d) vectors.
        mask: (b, t) booleans, False where padded.

    Returns:
        (b, d).

    Raises:
        DataError: the shapes do not fit, or a text has no token.

    Source:
        Reimers and Gurevych 2019, Sentence-BERT, arXiv 1908.10084, section 3.

    Example:
        >>> mean_pool(np.array([[[1.0], [3.0], [99.0]]]), np.array([[True, True, False]]))
        array([[2.]])
    """
    tokens, mask = np.asarray(tokens), np.asarray(mask, dtype=bool)
    if tokens.ndim != 3 or mask.shape != tokens.shape[:2]:
        raise DataError(f"tokens have shape {tokens.shape} and the mask {mask.shape}; pass (b, t, d) and (b, t)")
    if not mask.any(axis=1).all():
        raise DataError("a text has no token that is not padding; every text has at least [CLS] and [SEP]")
    return np.where(mask[:, :, None], tokens, 0).sum(axis=1) / mask.sum(axis=1, keepdims=True)


def cls_pool(tokens: np.ndarray) -> np.ndarray:
    """The vector of the first token of each text, [CLS].

    Args:
        tokens: (b, t, d) vectors.

    Returns:
        (b, d).

    Example:
        >>> cls_pool(np.array([[[1.0], [3.0]]]))
        array([[1.]])
    """
    return np.asarray(tokens)[:, 0]


def pooler_pool(tokens: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """What BERT calls the pooler: a dense layer and tanh on [CLS], trained to say whether two sentences belong together.

    Args:
        tokens: (b, t, d) vectors.
        weight: (d, d) and
        bias: (d), from the checkpoint.

    Returns:
        (b, d), entries between -1 and 1.

    Source:
        Devlin et al. 2019, BERT, arXiv 1810.04805, section 3.1.

    Example:
        >>> pooler_pool(np.array([[[1.0], [3.0]]]), np.array([[2.0]]), np.array([0.0])).round(3)
        array([[0.964]])
    """
    return np.tanh(cls_pool(tokens) @ np.asarray(weight).T + bias)
