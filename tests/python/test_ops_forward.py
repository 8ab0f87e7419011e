"""Every case of every op against its float64 reference."""

from __future__ import annotations

import numpy as np
import pytest
from ops_support import (
    SMALLEST,
    UNITS,
    all_ops,
    apply,
    check_close,
    converted,
    is_float,
    op_of,
    parameters,
    reference_of,
    run,
)

import falconet


@pytest.mark.parametrize(("row", "case"), parameters())
def test_forward(row, case):
    wanted, bound = reference_of(row, case)
    with np.errstate(over="ignore"):  # a result beyond float32 is an infinity
        wanted = [
            w.astype("float32").astype("float64")
            if np.issubdtype(w.dtype, np.floating) and np.any(np.abs(np.nan_to_num(w, posinf=0, neginf=0)) > 3.4e38)
            else w
            for w in wanted
        ]
    got = run(row, case)
    assert len(got) == len(wanted), f"[{row.name}] {len(got)} results, wanted {len(wanted)}"
    for g, w, b in zip(got, wanted, bound, strict=True):
        check_close(g, w, b, f"[{row.name}] {case.note} {case.attrs}", SMALLEST["float32"])


_FLOAT_ROWS = [
    row for row in all_ops() if row.cases and is_float(row.cases[0].inputs[0] if row.cases[0].inputs else None)
]
# What is not a matter of precision in these ops.
_OWN_DTYPE = {
    "nextafter": "its result is a property of float32",
    "nan_to_num": "infinities become the largest number of the dtype",
    "sort": "rounding to 16 bits makes ties, which is fine but not what is compared",
    "cast": "its result has the dtype that is asked for",
    "saturate_cast": "its result has the dtype that is asked for",
}


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("row", [pytest.param(r, id=f"{r.name}-{i}") for i, r in enumerate(_FLOAT_ROWS)])
def test_forward_in_other_float_dtypes(row, dtype):
    if row.name in _OWN_DTYPE:
        pytest.skip(_OWN_DTYPE[row.name])
    case = row.cases[0]
    # The reference sees what rounding to the dtype left of the inputs.
    rounded = [np.asarray(converted(x, dtype)).astype("float64") if is_float(x) else x for x in case.inputs]
    wanted, bound = reference_of(row, case, rounded)
    got = run(row, case, dtype)
    for g, w, b in zip(got, wanted, bound, strict=True):
        if not np.issubdtype(w.dtype, np.floating):
            np.testing.assert_array_equal(g, w)
            continue
        # Computed in float32 at least and rounded at the end, or at worst rounded after each of a composition's steps;
        # a float64 reference rounds as well.
        scale = 2 * UNITS[dtype]
        check_close(g, w, b * scale + 4 * np.abs(w) * 2.0**-24 * UNITS[dtype], f"[{row.name}] {dtype}", SMALLEST[dtype])


@pytest.mark.parametrize("row", [pytest.param(r, id=f"{r.name}-{i}") for i, r in enumerate(_FLOAT_ROWS)])
def test_traced_gives_the_same_bits(row):
    """An op run at once and the same op in a compiled function."""
    if row.gradient is not True:
        pytest.skip(f"{row.gradient}; what it computes is exact either way")
    case = row.cases[0]
    floats = [x for x in case.inputs if is_float(x)]

    def call(*xs):
        rest = iter(xs)
        return apply(row.name, op_of(row), [next(rest) if is_float(x) else x for x in case.inputs], case.attrs)

    traced = falconet.tracing.jit(call)(*floats)
    eager = call(*[falconet.ops.convert_to_tensor(x) for x in floats])
    for a, b in zip(*(v if isinstance(v, (tuple, list)) else [v] for v in (traced, eager)), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
