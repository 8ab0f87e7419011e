"""What the generic tests of ops share: the cases, conversion between dtypes, and comparison with a bound."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

import falconet
from falconet import _core

TESTS = Path(__file__).parent.parent
for folder in (TESTS, TESTS / "golden"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from ops_calls import CALLS, DTYPES, MAKERS  # noqa: E402

from cases import all_ops  # noqa: E402
from cases.base import apply  # noqa: E402

__all__ = [
    "CALLS", "DTYPES", "MAKERS", "SMALLEST", "TESTS", "UNITS", "all_ops", "apply", "check_close", "converted",
    "is_float", "op_of", "parameters", "reference_of", "results", "run", "wide",
]  # fmt: skip

# The unit roundoff of a dtype relative to float32's, by which tolerances are scaled; the smallest normal number.
UNITS = {"float32": 1.0, "float64": 2.0**-29, "float16": 2.0**13, "bfloat16": 2.0**16}
SMALLEST = {"float32": 2.0**-126, "float64": 2.0**-1022, "float16": 2.0**-14, "bfloat16": 2.0**-126}


def op_of(row):
    """The callable a row is about."""
    return getattr(_core.ops if row.internal else falconet.ops, row.name)


def is_float(x):
    return isinstance(x, np.ndarray) and x.dtype == np.float32


def wide(x):
    """A float32 array in float64, NumPy's scalars too; anything else as it is."""
    return x.astype("float64") if isinstance(x, (np.ndarray, np.generic)) and x.dtype == np.float32 else x


def converted(x, dtype):
    """A float32 array in another dtype: rounded as the framework rounds, in a type NumPy can hold."""
    if not is_float(x) or dtype == "float32":
        return x
    return x.astype(dtype) if dtype != "bfloat16" else falconet.ops.cast(x, "bfloat16")


def reference_of(row, case, inputs=None):
    """(reference, tolerance) in float64: lists with an entry for each result."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of all-NaN slices, which have a result
        xs = [wide(x) for x in (case.inputs if inputs is None else inputs)]
        attrs = {name: wide(value) for name, value in case.attrs.items()}
        wanted = row.reference(*xs, **attrs)
        bound = row.tolerance(wanted, *xs, **attrs)
    if not isinstance(wanted, (tuple, list)):
        wanted, bound = [wanted], [bound]
    return [np.asarray(w) for w in wanted], [np.asarray(b, "float64") for b in bound]


def results(y):
    return [np.asarray(part) for part in y] if isinstance(y, (tuple, list)) else [np.asarray(y)]


def run(row, case, dtype="float32"):
    inputs = [converted(x, dtype) for x in case.inputs]
    attrs = {name: converted(value, dtype) for name, value in case.attrs.items()}
    return results(apply(row.name, op_of(row), inputs, attrs))


def check_close(got, wanted, bound, what, smallest=0.0):
    """Shapes equal, NaN and infinities in the same places, |error| <= bound elsewhere; below `smallest`, 0 will do."""
    assert got.shape == wanted.shape, f"{what}: shape {got.shape}, wanted {wanted.shape}"
    got, wanted = got.astype("float64"), wanted.astype("float64")
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(got[~finite], wanted[~finite], err_msg=what)
    error = np.where(finite, np.abs(np.where(finite, got, 0) - np.where(finite, wanted, 0)), 0)
    allowed = np.broadcast_to(np.nan_to_num(bound), wanted.shape) + np.where(np.abs(wanted) < smallest, smallest, 0)
    bad = ~(error <= allowed)
    if bad.any():
        with np.errstate(over="ignore"):
            at = np.unravel_index(np.argmax(np.where(bad, error / np.maximum(allowed, 1e-300), 0)), wanted.shape)
        raise AssertionError(
            f"{what}: {bad.sum()} of {bad.size} elements are off; worst at {at}: got {got[at]}, wanted {wanted[at]},"
            f" error {error[at]:.3g}, allowed {allowed[at]:.3g}"
        )


def parameters(only=lambda row: True):
    """(row, case) pairs with readable names, for pytest.mark.parametrize."""
    import pytest

    found, seen = [], {}
    for row in all_ops():
        if not only(row):
            continue
        for case in row.cases:
            at = seen[row.name] = seen.get(row.name, -1) + 1
            found.append(
                pytest.param(row, case, id=f"{row.name}-{at}{'-' + case.note.replace(' ', '_') if case.note else ''}")
            )
    return found
