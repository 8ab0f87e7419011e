import numpy as np
import pytest
from keras_golden import array, assert_close, label, load

from falconet import constraints, ops

WEIGHT, *ROWS = [row for row in load("regularizers_and_constraints") if row.get("space") != "regularizers"]


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_constraint_is_that_of_keras(row):
    constraint = getattr(constraints, row["name"])(**row["arguments"])
    w = ops.convert_to_tensor(array(WEIGHT["w"]))
    assert_close(constraint(w), row["value"])
    again = constraints.deserialize(constraints.serialize(constraint))
    assert again.get_config() == constraint.get_config()
    assert_close(again(w), row["value"])


def test_zero_stays_zero():
    for name in ("max_norm", "unit_norm", "min_max_norm", "non_neg"):
        assert_close(constraints.get(name)(np.zeros((2, 2), "float32")), np.zeros((2, 2)))


def test_names():
    assert isinstance(constraints.get("non_neg"), constraints.NonNeg)
    with pytest.raises(ValueError, match="no constraint called 'max_nrm'"):
        constraints.get("max_nrm")
