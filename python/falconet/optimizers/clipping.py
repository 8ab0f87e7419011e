"""Scaling gradients down to a norm."""

from __future__ import annotations

from typing import Any

from .. import ops


def clip_by_norm(gradient: Any, limit: float) -> Any:
    """gradient * limit / max(|gradient|, limit)."""
    norm = ops.sqrt(ops.sum(ops.square(gradient)))
    return gradient * limit / ops.maximum(norm, limit)


def global_norm(gradients: list[Any]) -> Any:
    """2-norm of all gradients together."""
    squares = [ops.sum(ops.square(gradient)) for gradient in gradients]
    return ops.sqrt(sum(squares[1:], squares[0]))


def clip_by_global_norm(gradients: list[Any], limit: float) -> list[Any]:
    """gradients * min(limit / norm, 1), the norm being that of all of them; NaN where it is not finite."""
    norm = global_norm(gradients)
    # (norm - norm) is 0 for a finite norm and NaN otherwise: an infinite gradient must not pass as a zero one.
    scale = limit * ops.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
    return [gradient * scale for gradient in gradients]
