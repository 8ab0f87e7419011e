"""The cases of every op: what the generic tests and the bench read. A file a family, a row an op.

`all_ops()` gives every row; see base.py for what one holds.
"""

from __future__ import annotations

from importlib import import_module

FAMILIES = (
    "pointwise",
    "activations",
    "reductions",
    "movement",
    "indexing",
    "ordering",
    "linear",
    "rows",
    "crossentropy",
)


def all_ops():
    """Every row of every family, in order."""
    return [row for family in FAMILIES for row in import_module(f"cases.{family}").OPS]
