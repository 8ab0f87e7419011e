"""The compiled form of a step, and its plain-Python stand-in for `run_eagerly`: both run single batches and whole
epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from falconet import ops, tree
from falconet.tracing import Program


class EagerProgram:
    """Runs a step op by op, with `Program`'s interface; slow, for looking inside."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn

    def __call__(self, *args: Any) -> Any:
        return self._fn(*tree.map_structure(lambda x: None if x is None else ops.convert_to_tensor(x), args))

    update = __call__

    def epoch(
        self,
        data: Any,
        order: np.ndarray | None,
        batch_size: int,
        first: int = 0,
        steps: int | None = None,
        on_batch: Callable[[int, Any], Any] | None = None,
    ) -> tuple[int, Any]:
        rows = len(order) if order is not None else num_rows(data)
        last = -(-rows // batch_size) if steps is None else first + steps
        outputs = None
        for step in range(first, last):
            part = slice(step * batch_size, (step + 1) * batch_size)
            outputs = self(*take_rows(data, part if order is None else order[part]))
            if on_batch is not None:
                on_batch(step, outputs)
        return last - first, outputs

    def map(self, data: Any, batch_size: int) -> Any:
        parts: list[Any] = []
        self.epoch(data, None, batch_size, on_batch=lambda _, outputs: parts.append(outputs))
        return tree.map_structure(lambda *leaves: np.concatenate([np.asarray(leaf) for leaf in leaves]), *parts)


def make_program(fn: Callable[..., Any], eager: bool) -> Any:
    """`fn` as a compiled program, or as one that runs it as it is."""
    return EagerProgram(fn) if eager else Program(fn)


def num_rows(data: Any) -> int:
    """The length of the first axis of the arrays in a nested structure, which is the same for all."""
    return next(x for x in tree.flatten(data) if x is not None).shape[0]


def take_rows(data: Any, rows: Any) -> Any:
    """The given rows of every array in a nested structure; None stays None."""
    return tree.map_structure(lambda x: None if x is None else x[rows], data)
