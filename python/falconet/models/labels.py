"""Class labels outside the classes of an output: found before anything runs, as plans cannot raise for one row."""

from __future__ import annotations

from typing import Any

import numpy as np

from falconet import losses as losses_module

_PIECE = 1 << 20  # labels looked at together


class LabelRange:
    """What the labels of one output may be: 0 to `classes` - 1, and `ignored` where it is not None."""

    def __init__(self, output: str, classes: int, ignored: int | None) -> None:
        self._output, self._classes, self._ignored = output, classes, ignored

    def check(self, labels: Any, owner: str) -> None:
        """Raises ValueError at the first label outside the range."""
        if not isinstance(labels, np.ndarray):
            return
        rows = max(1, _PIECE * len(labels) // max(1, labels.size))
        for at in range(0, len(labels), rows):
            self._check(labels[at : at + rows], at, owner)

    def _check(self, labels: np.ndarray, start: int, owner: str) -> None:
        if labels.dtype.kind == "i" and labels.flags.c_contiguous:
            # Seen as unsigned, negative labels are large: one pass.
            if labels.size == 0 or labels.view(f"u{labels.itemsize}").max() < self._classes:
                return
        bad = (labels < 0) | (labels >= self._classes)
        if self._ignored is not None:
            bad &= labels != self._ignored
        if not bad.any():
            return
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        hint = (
            "For two classes in one output use binary_crossentropy."
            if self._classes == 1
            else "To leave rows out, give the loss an `ignore_class`."
        )
        raise ValueError(
            f"[{owner}] `y` holds the label {labels[at].item():g}, and output {self._output} has {self._classes} "
            f"classes; labels must be in [0, {self._classes - 1}]; the first that is not is in row {start + at[0]}. "
            f"{hint}"
        )


def is_sparse(loss: Any) -> bool:
    """Whether a loss, an object or a function, takes class indices."""
    # The classes of losses have their function as `fn`; naming the classes would load the modules of all of them.
    return getattr(loss, "fn", loss) is losses_module.sparse_categorical_crossentropy


def label_range(loss: Any, y_pred: Any, output: str) -> LabelRange | None:
    """The range of an output's labels, where its loss takes class indices along the last axis."""
    arguments = getattr(loss, "_arguments", {})
    rank = len(y_pred.shape)
    if not is_sparse(loss) or not rank or arguments.get("axis", -1) not in (-1, rank - 1) or y_pred.shape[-1] is None:
        return None
    return LabelRange(output, int(y_pred.shape[-1]), arguments.get("ignore_class"))


def check_kind(loss: Any, y_true: Any, y_pred: Any, output: str) -> None:
    """Raises ValueError where targets are one-hot rows and the loss takes indices, or the other way round."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if not pred or pred[-1] in (None, 1):
        return
    if is_sparse(loss) and len(true) == len(pred) and true[-1] == pred[-1]:
        raise ValueError(
            f"[fit] output {output}: sparse_categorical_crossentropy takes class indices, but `y` has shape {true} "
            f"like the output {pred}, as one-hot rows have. Use categorical_crossentropy, or y.argmax(-1)."
        )
    is_dense = getattr(loss, "fn", loss) is losses_module.categorical_crossentropy
    if is_dense and (len(true) == len(pred) - 1 or (len(true) == len(pred) and true[-1] == 1)):
        raise ValueError(
            f"[fit] output {output}: categorical_crossentropy takes one number for each class, but `y` has shape "
            f"{true} and the output {pred}. For class indices use sparse_categorical_crossentropy, or "
            "utils.to_categorical(y)."
        )
