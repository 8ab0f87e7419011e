"""Running sums and means, and the metric that is the running mean of a function."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from .. import ops
from ..losses.loss import apply_mask, squeeze_or_expand_to_same_rank
from ..masks import get_mask
from .metric import Metric


def _weighted(values: Any, sample_weight: Any, dtype: str, combine: Callable[..., Any]) -> tuple[Any, Any]:
    """Values times weights, and the weights, each combined to at most one number a sample."""
    mask = get_mask(values)
    values = ops.cast(values, dtype)
    weight = ops.convert_to_tensor(sample_weight, dtype=dtype)
    if mask is not None:
        weight = apply_mask(weight, mask, dtype, "sum")
    values, weight = squeeze_or_expand_to_same_rank(values, weight)
    rank = len(weight.shape)
    if len(values.shape) > rank:
        values = combine(values, axis=list(range(rank, len(values.shape))))
    weight = ops.broadcast_to(weight, values.shape)
    values = values * weight
    inner = list(range(1, len(values.shape)))
    return (combine(values, axis=inner), combine(weight, axis=inner)) if inner else (values, weight)


class Sum(Metric):
    """Sum of all values seen, each times its weight."""

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", dtype=self.dtype, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        if sample_weight is None:
            values = ops.cast(values, self.dtype)
        else:
            values, _ = _weighted(values, sample_weight, self.dtype, ops.sum)
        self.total.assign_add(ops.sum(values))

    def result(self) -> Any:
        return ops.cast(self.total, self.dtype)


class Mean(Metric):
    """Sum of weight * value over sum of weights, of all samples seen.

    What a sample holds besides the first axis is averaged first. Without samples the result is 0.
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", dtype=self.dtype, name="total")
        self.count = self.add_variable((), "zeros", dtype=self.dtype, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        if sample_weight is None:
            values = ops.cast(values, self.dtype)
            samples: Any = float(values.shape[0]) if values.shape else 1.0
            inner = max(prod(values.shape[1:]), 1)
            total = ops.sum(values) if inner == 1 else ops.sum(values) / inner
        else:
            values, weight = _weighted(values, sample_weight, self.dtype, ops.mean)
            total, samples = ops.sum(values), ops.sum(weight)
        self.total.assign_add(total)
        self.count.assign_add(ops.cast(samples, self.dtype))

    def result(self) -> Any:
        return ops.divide_no_nan(self.total, self.count)


class MeanMetricWrapper(Mean):
    """Running mean of fn(y_true, y_pred, **kwargs).

    Args:
        fn: returns one value per sample (or per sample and position).
        name: a name; by default "mean_metric_wrapper", "mean_metric_wrapper_1", ...
        dtype: dtype of the state.
        **kwargs: further arguments of `fn`.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name, dtype)
        self._fn_given = fn
        self._arguments = kwargs

    @property
    def fn(self) -> Callable[..., Any]:
        """The function averaged."""
        return self._fn_given

    # A mean of what fn makes of pairs, not of values.
    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        mask = get_mask(y_pred)
        values = self.fn(y_true, y_pred, **self._arguments)
        super().update_state(values, apply_mask(sample_weight, mask, self.dtype, "sum"))


class NamedMean(MeanMetricWrapper):
    """A `MeanMetricWrapper` whose function is the class attribute `_fn`; arguments beside name and dtype go to it."""

    _fn: Callable[..., Any]
    _name: str

    def __init__(self, name: str | None = None, dtype: Any = None, **arguments: Any) -> None:
        super().__init__(type(self)._fn, name or self._name, dtype, **arguments)
        self.__dict__.update(arguments)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "fn"}


class PlainMean(NamedMean):
    """A `NamedMean` without further arguments."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
