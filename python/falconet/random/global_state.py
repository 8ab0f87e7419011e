"""The state of every generator that a program may draw from without holding it: taken and put back, for exact resumes.

Falconet's global seed generator, Python's `random`, NumPy's legacy generator, and PyTorch's default one (its data
loaders shuffle with it). The last two count only where they have been loaded.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .seed_generator import global_seed_generator


def get_random_state() -> dict[str, Any]:
    """The state of all of them, as plain values and arrays."""
    import random

    version, words, gauss = random.getstate()
    found: dict[str, Any] = {
        "falconet": global_seed_generator().state.numpy(),
        "python": {"version": version, "words": np.array(words, np.uint64), "gauss": gauss},
    }
    if "numpy.random" in sys.modules:
        kind, keys, position, has_gauss, cached = np.random.get_state()
        found["numpy"] = {"kind": str(kind), "keys": keys, "position": int(position), "has_gauss": int(has_gauss),
                          "cached": float(cached)}  # fmt: skip
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        found["torch"] = torch.get_rng_state().numpy().copy()
    return found


def set_random_state(state: dict[str, Any]) -> None:
    """Puts back what `get_random_state` returned; of a library that is not loaded now nothing is put back."""
    import random

    global_seed_generator().state.assign(state["falconet"])
    python = state["python"]
    random.setstate((python["version"], tuple(int(word) for word in python["words"]), python["gauss"]))
    if "numpy" in state:
        numpy = state["numpy"]
        np.random.set_state(
            (numpy["kind"], np.asarray(numpy["keys"], np.uint32), numpy["position"], numpy["has_gauss"],
             numpy["cached"])
        )  # fmt: skip
    torch = sys.modules.get("torch")
    if "torch" in state and torch is not None:
        torch.set_rng_state(torch.from_numpy(np.array(state["torch"], np.uint8)))
