import numpy as np
import pytest
from keras_golden import array, assert_close, label, load

from falconet import ops, regularizers

WEIGHT, *ROWS = [row for row in load("regularizers_and_constraints") if row.get("space") != "constraints"]


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_regularizer_is_that_of_keras(row):
    regularizer = getattr(regularizers, row["name"])(**row["arguments"])
    w = ops.convert_to_tensor(array(WEIGHT["w"]))
    assert_close(regularizer(w), row["value"])
    again = regularizers.deserialize(regularizers.serialize(regularizer))
    assert again.get_config() == regularizer.get_config()
    assert_close(again(w), row["value"])


def test_names():
    assert isinstance(regularizers.get("l2"), regularizers.L2)
    assert isinstance(regularizers.get("l1_l2"), regularizers.L1L2)
    assert regularizers.get(None) is None
    assert regularizers.l1(0.5).get_config() == {"l1": 0.5}


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "much"])
def test_factor_must_be_a_finite_number(value):
    with pytest.raises(ValueError, match=r"\[L2\] `l2` is .*must be a finite number >= 0"):
        regularizers.L2(value)


def test_orthogonal_needs_a_matrix():
    with pytest.raises(ValueError, match=r"\(3,\)"):
        regularizers.OrthogonalRegularizer()(np.ones(3))
