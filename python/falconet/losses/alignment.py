"""Connectionist temporal classification: the probability of a label sequence, summed over its alignments to time.

Graves et al. 2006, section 4.1, in logarithms. Between and around the n labels of a sequence stand blanks, which makes
S = 2 n + 1 states. With p[t, s] the probability of state s's class at time t, the forward sums are

    a[t, s] = (a[t-1, s] + a[t-1, s-1] + a[t-1, s-2]) * p[t, s],

where the last term is there only if state s is a label other than that of s-2. The loss is
-log(a[T-1, S-1] + a[T-1, S-2]).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from .loss import takes_indices

# Stands for log 0: finite, as the gradient of a difference of infinities is not a number.
_LOG_ZERO = -1e5


@takes_indices
def ctc(y_true: Any, y_pred: Any) -> Any:
    """Connectionist temporal classification: class 0 is the blank, and pads the targets.

    The recursion is unrolled over time, so that recording it takes time in proportion.

    Args:
        y_true: (batch, length) class indices.
        y_pred: (batch, time, classes) logits.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) != 2 or len(y_pred.shape) != 3:
        raise ValueError(
            f"[ctc] `y_true` has shape {tuple(y_true.shape)} and `y_pred` {tuple(y_pred.shape)}; "
            "they must be (batch, length) and (batch, time, classes)."
        )
    labels = ops.cast(y_true, "int32")
    (batch, length), time = labels.shape, y_pred.shape[1]
    states = 2 * length + 1
    blank = ops.zeros_like(labels)
    # blank, label, blank, label, ..., blank
    classes = ops.reshape(ops.stack([blank, labels], axis=-1), (batch, 2 * length))
    classes = ops.concatenate([classes, blank[:, :1]], axis=1)
    log_p = ops.log_softmax(y_pred, axis=-1)
    at_states = ops.broadcast_to(ops.expand_dims(classes, 1), (batch, time, states))
    log_p = ops.take_along_axis(log_p, at_states, axis=2)
    differs = ops.not_equal(classes[:, 2:], classes[:, :-2])
    may_skip = ops.pad(ops.logical_and(ops.not_equal(classes[:, 2:], 0), differs), ((0, 0), (2, 0)))
    start = np.full((1, states), _LOG_ZERO, "float32")
    start[:, :2] = 0.0
    a = log_p[:, 0] + ops.cast(start, log_p.dtype)
    for t in range(1, time):
        step = ops.pad(a[:, :-1], ((0, 0), (1, 0)), constant_values=_LOG_ZERO)
        skip = ops.pad(a[:, :-2], ((0, 0), (2, 0)), constant_values=_LOG_ZERO)
        skip = ops.where(may_skip, skip, ops.full_like(skip, _LOG_ZERO))
        a = ops.logaddexp(ops.logaddexp(a, step), skip) + log_p[:, t]
    count = ops.expand_dims(ops.sum(ops.cast(ops.not_equal(labels, 0), "int32"), axis=1), 1)
    last_blank = ops.take_along_axis(a, 2 * count, axis=1)
    last_label = ops.take_along_axis(a, ops.maximum(2 * count - 1, 0), axis=1)
    last_label = ops.where(count > 0, last_label, ops.full_like(last_label, _LOG_ZERO))
    return -ops.squeeze(ops.logaddexp(last_blank, last_label), 1)
