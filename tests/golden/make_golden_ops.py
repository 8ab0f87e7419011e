"""Writes ops_dtypes.json: the dtypes that Keras's ops give for each row of ops_calls.py.

    KERAS_BACKEND=jax python tests/golden/make_golden_ops.py

JAX computes with at most 32 bits unless told otherwise, so 64-bit inputs are not asked for here: the test expects of
them what their 32-bit counterparts give. `null` stands for a dtype that Keras refuses.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import jax
import keras
import numpy as np
from ops_calls import CALLS, DTYPES, MAKERS

HERE = Path(__file__).parent


class Maker:
    """x(2, 3), x.like("int32", 2): arrays with values 1, 2, 3, 4, 1, ..."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __call__(self, *shape):
        return self.like(self.dtype, *shape)

    def like(self, dtype, *shape):
        return keras.ops.cast((np.arange(np.prod(shape)) % 4 + 1).reshape(shape).astype("float32"), dtype)


def flat(result):
    return [leaf for part in result for leaf in flat(part)] if isinstance(result, (list, tuple)) else [result]


def dtypes_of(call):
    """The dtypes of what a call gives: without computing where the shapes do not depend on values."""
    for run in (lambda: jax.eval_shape(call), call):
        try:
            return [str(leaf.dtype) for leaf in flat(run()) if hasattr(leaf, "dtype")]
        except Exception:  # noqa: BLE001, S112 - whatever a refusal is made of
            continue
    return None


def main():
    warnings.simplefilter("ignore")
    narrow = [d for d in DTYPES if not d.endswith("64")]
    calls = [[name, {d: dtypes_of(lambda d=d, c=call: c(keras.ops, Maker(d))) for d in narrow}] for name, call in CALLS]
    makers = [[name, {d: dtypes_of(lambda d=d, c=call: c(keras.ops, d)) for d in narrow}] for name, call in MAKERS]
    rows = ",\n".join(json.dumps(row) for row in calls + makers)
    HERE.joinpath("ops_dtypes.json").write_text(f'{{"keras": "{keras.__version__}", "rows": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
