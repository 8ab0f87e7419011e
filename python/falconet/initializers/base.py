"""What all initializers share."""

from __future__ import annotations

from typing import Any

from ..saving.configurable import Configurable


class Initializer(Configurable):
    """Makes the first value of a variable: `initializer(shape, dtype)` returns a tensor.

    Subclasses write `__call__(shape, dtype=None)`; the config is read off their constructor.
    """

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        raise NotImplementedError(
            f"[{type(self).__name__}] write `__call__(self, shape, dtype=None)` in your initializer."
        )

    def clone(self) -> Initializer:
        """An initializer made from the same arguments; where no seed was given it draws its own."""
        return self.from_config(self.get_config())
