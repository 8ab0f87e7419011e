"""Small conversions of NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from falconet import ops


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Class indices x (...) as one-hot rows (..., num_classes); a last axis of size 1 is dropped first.

    >>> to_categorical([0, 2], 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if ops.is_tensor(x):
        shape = tuple(x.shape)
        if len(shape) > 1 and shape[-1] == 1:
            x = ops.reshape(x, shape[:-1])
        if num_classes is None:
            num_classes = int(np.max(ops.convert_to_numpy(x))) + 1
        return ops.one_hot(ops.cast(x, "int32"), num_classes)
    x = np.array(x, dtype="int64")
    if x.ndim > 1 and x.shape[-1] == 1:
        x = x.reshape(x.shape[:-1])
    if num_classes is None:
        num_classes = int(x.max()) + 1 if x.size else 0
    if x.size and (x.min() < 0 or x.max() >= num_classes):
        wrong = int(x.min() if x.min() < 0 else x.max())
        raise ValueError(f"[to_categorical] class {wrong} is outside 0..{num_classes - 1} (num_classes={num_classes}).")
    rows = np.zeros((x.size, num_classes))
    rows[np.arange(x.size), x.reshape(-1)] = 1
    return rows.reshape((*x.shape, num_classes))


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """x divided by its norm of the given order along `axis`; rows of norm 0 stay 0."""
    if ops.is_tensor(x):
        return ops.normalize(x, axis=axis, order=order)
    norm = np.atleast_1d(np.linalg.norm(x, order, axis))
    norm[norm == 0] = 1
    return np.asarray(x) / np.expand_dims(norm, axis)


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Sequences of different lengths as one array (count, maxlen, ...): short ones padded with `value`, long ones cut.

    >>> pad_sequences([[1], [2, 3]]).tolist()
    [[0, 1], [2, 3]]
    """
    for argument, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            raise ValueError(f'[pad_sequences] `{argument}` must be "pre" or "post", got {given!r}.')
    if not hasattr(sequences, "__len__") or not all(hasattr(s, "__len__") for s in sequences):
        raise ValueError("[pad_sequences] `sequences` must be a list of lists or arrays.")
    if maxlen is None:
        maxlen = max((len(s) for s in sequences), default=0)
    inner = next((np.shape(s)[1:] for s in sequences if len(s)), ())
    padded = np.full((len(sequences), maxlen, *inner), value, dtype=dtype)
    for i, sequence in enumerate(sequences):
        if not len(sequence) or not maxlen:
            continue
        kept = np.asarray(sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen], dtype=dtype)
        if kept.shape[1:] != inner:
            raise ValueError(f"[pad_sequences] sequence {i} has items of shape {kept.shape[1:]}, the others {inner}.")
        if padding == "post":
            padded[i, : len(kept)] = kept
        else:
            padded[i, -len(kept) :] = kept
    return padded
