"""keras.ops.linalg: norms and forward-mode derivatives."""

from __future__ import annotations

from .control import jvp
from .reductions import norm

__all__ = ["jvp", "norm"]
