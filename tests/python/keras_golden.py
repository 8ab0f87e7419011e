"""Reads the golden values that `tests/golden/make_golden.py` took from Keras, and compares with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent.parent / "golden"
UNIT = 2.0**-24  # half a unit in the last place of a float32 near 1


def load(name: str) -> list[dict[str, Any]]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def label(row: dict[str, Any]) -> str:
    return f"{row['name']}({', '.join(f'{k}={v}' for k, v in row['arguments'].items())})"


def array(value: Any) -> np.ndarray:
    """Nested lists as float32, or as int32 where all are integers."""
    found = np.array(value)
    return found.astype("int32" if found.dtype.kind in "iub" else "float32")


def assert_close(found: Any, wanted: Any, units: float = 32) -> None:
    """Both are float32 results of some ten roundings: equal up to `units` roundings of the largest value."""
    found, wanted = np.asarray(found, "float64"), np.asarray(wanted, "float64")
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    scale = np.max(np.abs(wanted[np.isfinite(wanted)]), initial=1e-30)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=units * UNIT * scale)
