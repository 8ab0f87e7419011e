"""Where randomness comes from: 64-bit keys, one for each call that draws.

A key is two uint32 numbers and names one stream of the counter-based generator, so a draw depends on its key and its
shape alone, never on threads, order of evaluation or machine load.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ..naming import auto_name
from ..variables import Variable

core = _core.ops


def _checked(seed: Any, what: str) -> int:
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)) or not 0 <= int(seed) < 2**64:
        raise ValueError(f"[{what}] `seed` is {seed!r}; it must be an integer in [0, 2**64), or None.")
    return int(seed)


def _words(seed: int) -> np.ndarray:
    return np.array([seed & 0xFFFFFFFF, seed >> 32], "uint32")


def make_default_seed() -> int:
    """A seed from Python's own generator, so that `set_random_seed` decides it."""
    import random

    return random.randint(1, 10**9)


def permutation(count: int, seed: int | None = None) -> np.ndarray:
    """The numbers 0 to count - 1 in random order, int64; without a seed `set_random_seed` decides it."""
    return _core.permutation(count, make_default_seed() if seed is None else _checked(seed, "permutation"))


class SeedGenerator:
    """A sequence of keys: each `next()` gives one and moves on, in traced functions too.

    Args:
        seed: an integer in [0, 2**64); None draws one from Python's `random`.
        name: by default "seed_generator", numbered.

    The state is a non-trainable variable of shape (2,), uint32: the key that comes next.

    >>> seeds = SeedGenerator(7)
    >>> seeds.next().numpy(), seeds.next().numpy()
    (array([7, 0], dtype=uint32), array([7, 1], dtype=uint32))
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        if kwargs:
            raise TypeError(f"[SeedGenerator] unknown arguments: {', '.join(sorted(kwargs))}.")
        self._initial_seed = seed
        self.name = auto_name("seed_generator") if name is None else name
        start = make_default_seed() if seed is None else _checked(seed, "SeedGenerator")
        self.state = Variable(_words(start), dtype="uint32", trainable=False, name="seed_generator_state")

    def next(self, ordered: bool = True) -> Any:
        """The next key (2,); the one after it is its successor, or where not `ordered` one that is far away.

        Not ordered, a word w of the key is followed by (w + 1) * 5387 mod 933199, as in Keras.
        """
        key = _core.as_tensor(self.state)
        self.state.assign(core.add(key, _STEP) if ordered else core.mod((key + 1) * 5387, 933199))
        return key

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)


_STEP = np.array([0, 1], "uint32")
_default: SeedGenerator | None = None


def global_seed_generator() -> SeedGenerator:
    """The generator that draws where no seed is given."""
    global _default
    if _default is None:
        _default = SeedGenerator(name="global_seed_generator")
    return _default


def set_random_seed(seed: int) -> None:
    """Seeds what draws random numbers without a seed of its own: falconet, NumPy and Python's `random`."""
    import random as python_random

    seed = _checked(seed, "set_random_seed")
    if seed >= 2**32:
        raise ValueError(f"[set_random_seed] `seed` is {seed}; NumPy's generator needs it below 2**32.")
    # The variable stays the same one: compiled functions hold it. If it is made here, it draws before the others are
    # set.
    global_seed_generator().state.assign(_words(seed))
    python_random.seed(seed)
    np.random.seed(seed)


def draw_seed(seed: Any) -> Any:
    """The key for one draw: the next of a generator (the global one for None), or that of an integer."""
    if seed is None:
        return global_seed_generator().next()
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if isinstance(seed, (int, np.integer)):
        return _core.as_tensor(_words(_checked(seed, "random")), None)
    shape = getattr(seed, "shape", None)
    if shape is not None and tuple(shape) == (2,):
        return core.cast(seed, dtype="uint32")
    raise ValueError(
        f"[random] `seed` is {seed!r}; it must be an integer, a SeedGenerator, a key of shape (2,), or None."
    )


def split(key: Any, count: int) -> list[Any]:
    """`count` keys made from one, for draws that need several streams."""
    bits = core.cast(core.random_bits(key, shape=(count, 2), dtype="int32"), dtype="uint32")
    return [
        core.reshape(core.slice(bits, start=[i, 0], stop=[i + 1, 2], step=[1, 1]), shape=(2,)) for i in range(count)
    ]
