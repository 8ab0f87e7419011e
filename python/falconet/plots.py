"""Curves of a training and of a classifier, drawn with matplotlib (`falconet[plot]`), and the numbers behind them.

Every drawing function takes `path`: the file to write (its ending says the format); without it the figure is returned.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

__all__ = [
    "confusion_matrix", "plot_confusion_matrix", "plot_history", "plot_precision_recall", "plot_roc",
    "precision_recall_curve", "roc_curve",
]  # fmt: skip


def _figure(owner: str, **kwargs: Any) -> tuple[Any, Any]:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f"[{owner}] drawing needs matplotlib: pip install 'falconet[plot]'.") from error
    figure, axes = plt.subplots(**kwargs)
    plt.close(figure)  # it belongs to the caller, not to pyplot, which would keep it for ever
    return figure, axes


def _finish(figure: Any, path: Any) -> Any:
    if path is None:
        return figure
    figure.savefig(os.fspath(path), bbox_inches="tight")
    return None


# --- numbers ---------------------------------------------------------------------------------------------------------


def _labels(owner: str, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Class indices of both; probabilities of classes count by their largest, of one class by 0.5."""
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    if true.ndim > 1 and true.shape[-1] > 1:
        true = true.argmax(-1)
    if pred.ndim > 1 and pred.shape[-1] > 1:
        pred = pred.argmax(-1)
    elif pred.dtype.kind == "f" and np.any(pred != np.rint(pred)):
        pred = pred >= 0.5
    true, pred = true.reshape(-1), pred.reshape(-1)
    if true.shape != pred.shape:
        raise ValueError(f"[{owner}] `y_true` has {true.size} samples and `y_pred` {pred.size}.")
    if not true.size:
        raise ValueError(f"[{owner}] there are no samples.")
    if np.any(true != np.rint(true)) or np.any(pred != np.rint(pred)) or min(true.min(), pred.min()) < 0:
        raise ValueError(f"[{owner}] classes must be integers >= 0, one-hot rows or probabilities.")
    return true.astype(np.int64), pred.astype(np.int64)


def confusion_matrix(y_true: Any, y_pred: Any, num_classes: int | None = None) -> np.ndarray:
    """Counts of shape (classes, classes): the row is the true class, the column the predicted one.

    y_true: class indices (n,) or one-hot (n, classes). y_pred: those, or probabilities: (n, classes), or of the class 1
    (n,), where 0.5 and more counts as 1.

    >>> confusion_matrix([0, 1, 1], [0.2, 0.9, 0.4])
    array([[1, 0],
           [1, 1]])
    """
    true, pred = _labels("confusion_matrix", y_true, y_pred)
    seen = int(max(true.max(), pred.max())) + 1
    count = max(seen, 2) if num_classes is None else num_classes
    if count < seen:
        raise ValueError(f"[confusion_matrix] `num_classes` is {count}, but class {seen - 1} occurs.")
    return np.bincount(true * count + pred, minlength=count * count).reshape(count, count)


def _ranked(owner: str, y_true: Any, scores: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(true positives, false positives, threshold) where the samples of at least the threshold count as positive, for
    each distinct score from the largest on."""
    true, scores = np.asarray(y_true).reshape(-1), np.asarray(scores, np.float64).reshape(-1)
    if true.shape != scores.shape or not true.size:
        raise ValueError(f"[{owner}] `y_true` has {true.size} samples and `y_score` {scores.size}; one each is needed.")
    if not np.isin(true, (0, 1)).all() or not np.isfinite(scores).all():
        raise ValueError(f"[{owner}] `y_true` must be 0 and 1, and `y_score` finite numbers.")
    if true.min() == true.max():
        raise ValueError(f"[{owner}] all samples are of class {int(true[0])}; both classes are needed.")
    order = np.argsort(-scores, kind="stable")
    true, scores = true[order].astype(np.int64), scores[order]
    last = np.append(np.nonzero(np.diff(scores))[0], true.size - 1)  # of each group of equal scores
    positives = np.cumsum(true)[last]
    return positives, last + 1 - positives, scores[last]


def roc_curve(y_true: Any, y_score: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """(false positive rates, true positive rates, thresholds, area under the curve), from (0, 0) to (1, 1).

    y_true: 0 or 1 for each sample. y_score: larger means rather 1. The area is exact (the trapezoids of all distinct
    scores), unlike that of `metrics.AUC`, which uses a number of thresholds.

    >>> roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])[3]
    0.75
    """
    positives, negatives, thresholds = _ranked("roc_curve", y_true, y_score)
    tpr = np.concatenate([[0.0], positives / positives[-1]])
    fpr = np.concatenate([[0.0], negatives / negatives[-1]])
    return fpr, tpr, np.concatenate([[np.inf], thresholds]), float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1])) / 2)


def precision_recall_curve(y_true: Any, y_score: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """(precisions, recalls, thresholds, average precision), from the largest threshold on.

    average precision = sum over thresholds of (recall - recall before) * precision.

    >>> round(precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])[3], 4)
    0.8333
    """
    positives, negatives, thresholds = _ranked("precision_recall_curve", y_true, y_score)
    precision, recall = positives / (positives + negatives), positives / positives[-1]
    return precision, recall, thresholds, float(np.sum(np.diff(recall, prepend=0.0) * precision))


# --- drawings --------------------------------------------------------------------------------------------------------


def plot_history(history: Any, path: Any = None) -> Any:
    """The curves of a `History`: one picture for each quantity, training solid, validation dashed."""
    names = [name for name in history.history if not name.startswith("val_")]
    names += [n for n in (name[4:] for name in history.history if name.startswith("val_")) if n not in names]
    if not names:
        raise ValueError("[History] there is nothing to plot: no epoch has been run.")
    figure, axes = _figure(
        "History", ncols=len(names), figsize=(4.5 * len(names), 3.5), squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes[0], names, strict=True):
        for label, style in ((name, "-"), (f"val_{name}", "--")):
            values = history.history.get(label)
            if values and np.ndim(values[0]) == 0:
                at = [epoch + 1 for epoch in history.epochs_of(label)]
                axis.plot(at, values, style, marker="." if len(at) < 3 else None, label=label)
        axis.set(xlabel="epoch", title=name)
        axis.legend()
    return _finish(figure, path)


def plot_confusion_matrix(
    y_true: Any, y_pred: Any, class_names: Any = None, normalize: bool = False, path: Any = None
) -> Any:
    """`confusion_matrix` as a coloured table. normalize: shares of each true class instead of counts."""
    names = None if class_names is None else [str(name) for name in class_names]
    counts = confusion_matrix(y_true, y_pred, None if names is None else len(names))
    shown = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) if normalize else counts
    size = max(3.5, 0.55 * len(counts) + 1.5)
    figure, axis = _figure("plot_confusion_matrix", figsize=(size, size), layout="constrained")
    axis.imshow(shown, cmap="Blues", vmin=0)
    for (row, column), value in np.ndenumerate(shown):
        dark = value > 0.5 * max(shown.max(), 1e-12)
        text = f"{value:.2f}" if normalize else str(value)
        axis.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    ticks = range(len(counts))
    labels = names or [str(i) for i in ticks]
    axis.set_xticks(ticks, labels, rotation=45 if max(map(len, labels)) > 3 else 0)
    axis.set_yticks(ticks, labels)
    axis.set(xlabel="predicted class", ylabel="true class")
    return _finish(figure, path)


def plot_roc(y_true: Any, y_score: Any, path: Any = None) -> Any:
    """`roc_curve` with its area."""
    fpr, tpr, _, area = roc_curve(y_true, y_score)
    figure, axis = _figure("plot_roc", figsize=(4, 4), layout="constrained")
    axis.plot(fpr, tpr, label=f"area {area:.4f}")
    axis.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    axis.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axis.legend(loc="lower right")
    return _finish(figure, path)


def plot_precision_recall(y_true: Any, y_score: Any, path: Any = None) -> Any:
    """`precision_recall_curve` with its average precision, and the share of positives as the line of chance."""
    precision, recall, _, average = precision_recall_curve(y_true, y_score)
    figure, axis = _figure("plot_precision_recall", figsize=(4, 4), layout="constrained")
    axis.step([0.0, *recall], [precision[0], *precision], where="post", label=f"average precision {average:.4f}")
    axis.axhline(float(np.mean(y_true)), linestyle="--", color="grey", linewidth=1)
    axis.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axis.legend(loc="lower left")
    return _finish(figure, path)
