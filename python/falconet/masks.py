"""Masks on tensors: what a layer, or a loss that ignores classes, says about which elements count."""

from __future__ import annotations

import weakref
from typing import Any

from . import tree
from ._core import Tensor


def _keep_masks_of(tensor_type: type) -> None:
    """Gives tensors a `_keras_mask`. Few tensors ever have one, so masks are kept beside them, not in them."""
    masks: dict[int, tuple[Any, Any]] = {}

    def get(x: Any) -> Any:
        found = masks.get(id(x))
        return None if found is None else found[1]

    def put(x: Any, mask: Any) -> None:
        key = id(x)
        masks[key] = (weakref.ref(x, lambda _: masks.pop(key, None)), mask)

    tensor_type._keras_mask = property(get, put)  # type: ignore[attr-defined]


_keep_masks_of(Tensor)


def get_mask(x: Any) -> Any:
    """The mask that whatever made `x` attached to it, or None."""
    return getattr(x, "_keras_mask", None)


def set_mask(x: Any, mask: Any) -> None:
    """Attaches a mask to a tensor, for `get_mask` to find; what is no tensor is left as it is."""
    if hasattr(x, "shape"):
        x._keras_mask = mask


def masks_of(values: Any) -> Any:
    """Masks of a nested structure of tensors, in the same structure; None where no tensor has one."""
    flat = [get_mask(x) for x in tree.flatten(values)]
    if all(mask is None for mask in flat):
        return None
    return tree.pack_sequence_as(values, flat) if isinstance(values, (list, tuple, dict)) else flat[0]


def set_masks(values: Any, masks: Any) -> None:
    """Attach masks (same structure, or flat) to the tensors among `values` that have none yet."""
    flat_masks = tree.flatten(masks) if isinstance(masks, (list, tuple, dict)) else [masks]
    for x, mask in zip(tree.flatten(values), flat_masks, strict=False):
        if mask is not None and get_mask(x) is None:
            set_mask(x, mask)
