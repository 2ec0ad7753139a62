"""Attention and pooling: against torch and transformers, and on cases that can be done by hand."""

import numpy as np
import pytest
import torch

from llmrec_lab.errors import DataError
from llmrec_lab.pooling import attention_weights, cls_pool, hard_attention, mean_pool, pooler_pool, soft_attention

KEYS = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
VALUES = np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 0.0], [5.0, 5.0, 9.0]])


def test_soft_attention_equals_torch(rng):
    query, keys, values = rng.normal(size=6), rng.normal(size=(5, 6)), rng.normal(size=(5, 3))
    expected = torch.nn.functional.scaled_dot_product_attention(*(torch.tensor(x) for x in (query[None], keys, values)))
    np.testing.assert_allclose(soft_attention(query, keys, values), expected[0], atol=1e-12)


def test_weights_are_those_of_scores_divided_by_the_root_of_d():
    weights = attention_weights(np.array([2.0, 0.0]), KEYS)
    expected = np.exp(np.array([2, 0, 2]) / np.sqrt(2))
    np.testing.assert_allclose(weights, expected / expected.sum())


def test_huge_scores_do_not_overflow():
    assert attention_weights(np.array([1e6, 0.0]), KEYS).round(6).tolist() == [0.5, 0, 0.5]


def test_hard_attention_takes_one_value_and_of_equal_keys_the_first():
    assert hard_attention(np.array([1.0, 2.0]), KEYS, VALUES).tolist() == [5, 5, 9]
    assert hard_attention(np.array([1.0, 0.0]), KEYS, VALUES).tolist() == [1, 2, 0]


def test_soft_attention_is_neither_a_value_nor_hard_attention():
    soft = soft_attention(np.array([1.0, 2.0]), KEYS, VALUES)
    assert (soft > VALUES.min(axis=0)).all() and (soft < VALUES.max(axis=0)).all()
    assert not np.allclose(soft, hard_attention(np.array([1.0, 2.0]), KEYS, VALUES))


@pytest.mark.parametrize(
    "query, keys", [([1.0], KEYS), ([1.0, 2.0], np.zeros((0, 2))), (KEYS, KEYS), ([1.0, 2.0], [1.0, 2.0])]
)
def test_a_query_that_does_not_fit_the_keys_is_refused(query, keys):
    with pytest.raises(DataError, match=r"pass \(d\) and \(n, d\)"):
        attention_weights(query, keys)


@pytest.mark.parametrize("attend", [soft_attention, hard_attention])
@pytest.mark.parametrize("values", [VALUES[:2], VALUES[:, 0]])
def test_values_without_a_row_for_each_key_are_refused(attend, values):
    with pytest.raises(DataError, match="one row per key"):
        attend(np.array([1.0, 2.0]), KEYS, values)


def test_mean_pool_does_not_see_what_is_padded(rng):
    tokens = rng.normal(size=(2, 4, 3))
    mask = np.array([[True, True, False, False], [True] * 4])
    spoiled = tokens.copy()
    spoiled[0, 2:] = np.nan
    np.testing.assert_allclose(mean_pool(spoiled, mask), [tokens[0, :2].mean(axis=0), tokens[1].mean(axis=0)])


@pytest.mark.parametrize("mask, reason", [([[True, True, True]], r"\(b, t, d\)"), ([[True], [False]], "no token")])
def test_a_mask_that_cannot_be_used_is_refused(mask, reason):
    with pytest.raises(DataError, match=reason):
        mean_pool(np.zeros((2, 1, 3)), mask)


def test_cls_and_pooler_equal_those_of_transformers():
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, initializer_range=1.0
    )
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        model = BertModel(config).eval()
        given = model(torch.tensor([[1, 2, 3], [4, 5, 6]]))
    tokens, dense = given.last_hidden_state.numpy(), model.pooler.dense
    np.testing.assert_array_equal(cls_pool(tokens), tokens[:, 0])
    weight, bias = dense.weight.detach().numpy(), dense.bias.detach().numpy()
    np.testing.assert_allclose(pooler_pool(tokens, weight, bias), given.pooler_output, atol=1e-5)
