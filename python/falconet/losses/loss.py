"""The base of the losses: from values per sample to one number.

    values = call(y_true, y_pred)                       one loss per sample (or per sample and position)
    values = values * sample_weight * mask
    reduction "sum_over_batch_size" (or "mean")         sum(values) / number of values
              "sum"                                     sum(values)
              "mean_with_sample_weight"                 sum(values) / sum(sample_weight * mask)
              "none" (or None)                          values

With "sum_over_batch_size" the denominator counts values, whatever their weights, as in Keras; masked values do not
count. With "mean_with_sample_weight" a sample of weight 2 counts as two samples, and one of weight 0 as none.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from .. import dtype_policies, ops, tree
from ..config import floatx
from ..masks import get_mask
from ..naming import auto_name
from ..saving.configurable import Configurable

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss(Configurable):
    """Base of the losses; a subclass writes `call(y_true, y_pred)`, which returns one value per sample.

    Args:
        name: a name; by default the class's, in snake_case.
        reduction: see the head of this module.
        dtype: dtype (or policy) to compute in; by default `floatx()`.
    """

    _keeps_integer_targets = False  # class indices stay integers, instead of being cast to `dtype`

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name = name or auto_name(type(self).__name__)
        self.reduction = check_reduction(reduction)
        self._dtype = dtype_policies.get(dtype or floatx()).compute_dtype

    @property
    def dtype(self) -> str:
        """Dtype in which the loss is computed."""
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        mask = get_mask(y_pred)
        y_pred = tree.map_structure(lambda x: ops.convert_to_tensor(x, dtype=self.dtype), y_pred)
        y_true = tree.map_structure(self._convert_target, y_true)
        values = self.call(y_true, y_pred)
        valid = get_mask(values)
        mask = valid if mask is None else mask if valid is None else ops.logical_and(mask, valid)
        return reduce_weighted_values(values, sample_weight, mask, self.reduction, self.dtype)

    def _convert_target(self, y_true: Any) -> Any:
        y_true = ops.convert_to_tensor(y_true)
        is_index = self._keeps_integer_targets and "int" in str(y_true.dtype)
        return y_true if is_index else ops.cast(y_true, self.dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        raise NotImplementedError(f"[{type(self).__name__}] write `call(self, y_true, y_pred)` in your loss.")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def check_reduction(reduction: str | None) -> str | None:
    """`reduction`, if it is one of those known."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"[Loss] `reduction` is {reduction!r}; it must be one of {REDUCTIONS}.")
    return reduction


def squeeze_or_expand_to_same_rank(x1: Any, x2: Any, expand_rank_1: bool = True) -> tuple[Any, Any]:
    """Give two tensors the same rank where one has a last axis of size 1 more than the other."""
    rank1, rank2 = len(x1.shape), len(x2.shape)
    if rank1 == rank2 + 1 and x1.shape[-1] == 1:
        if rank2 == 1 and expand_rank_1:
            return x1, ops.expand_dims(x2, axis=-1)
        return ops.squeeze(x1, axis=-1), x2
    if rank2 == rank1 + 1 and x2.shape[-1] == 1:
        if rank1 == 1 and expand_rank_1:
            return ops.expand_dims(x1, axis=-1), x2
        return x1, ops.squeeze(x2, axis=-1)
    return x1, x2


def apply_mask(sample_weight: Any, mask: Any, dtype: str, reduction: str | None) -> Any:
    """Weights with the mask in them; for the mean over values, scaled so that masked values do not count."""
    if mask is None:
        return sample_weight
    weight = ops.cast(mask, dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        weight = weight * ops.divide_no_nan(ops.cast(float(prod(mask.shape)), dtype), ops.sum(weight))
    if sample_weight is None:
        return weight
    weight, sample_weight = squeeze_or_expand_to_same_rank(weight, ops.cast(sample_weight, dtype))
    return sample_weight * weight


def reduce_weighted_values(
    values: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
    dtype: Any = None,
) -> Any:
    """Weighted values to one number (or to weighted values, where `reduction` is "none")."""
    values = ops.convert_to_tensor(values, dtype=dtype)
    if mask is not None:
        mask = ops.convert_to_tensor(mask)
    if sample_weight is not None:
        sample_weight = ops.convert_to_tensor(sample_weight, dtype=dtype)
    weight = apply_mask(sample_weight, mask, values.dtype, reduction)
    if weight is not None:
        values, weight = squeeze_or_expand_to_same_rank(values, ops.cast(weight, values.dtype))
        values = values * weight
    shape = tuple(values.shape)
    if reduction in (None, "none") or shape in ((), (0,)):
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        return ops.divide_no_nan(total, ops.sum(weight))
    return total / max(prod(shape), 1)


def takes_indices(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a loss function whose integer targets are class indices, which stay as they are."""
    fn.takes_indices = True  # type: ignore[attr-defined]
    return fn


class LossFunctionWrapper(Loss):
    """The loss fn(y_true, y_pred, **kwargs), reduced.

    Args:
        fn: returns one value per sample.
        reduction, name, dtype: see `Loss`.
        **kwargs: further arguments of `fn`.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.fn = fn
        self._keeps_integer_targets = getattr(fn, "takes_indices", False)
        self._arguments = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if not tree.is_nested(y_true):
            y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._arguments)
