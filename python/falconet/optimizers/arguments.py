"""The arguments that all optimizers take; `Optimizer` explains them."""

from __future__ import annotations

from typing import TypedDict


class WithoutDecay(TypedDict, total=False):
    """Those of an optimizer that has a `weight_decay` of its own."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


class Common(WithoutDecay, total=False):
    """Keyword arguments that every optimizer hands on to `Optimizer`."""

    weight_decay: float | None
