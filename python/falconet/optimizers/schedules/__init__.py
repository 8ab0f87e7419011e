"""Learning rates that depend on the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lazy import attach

if TYPE_CHECKING:
    from .schedules import (
        CosineDecay as CosineDecay,
        CosineDecayRestarts as CosineDecayRestarts,
        ExponentialDecay as ExponentialDecay,
        InverseTimeDecay as InverseTimeDecay,
        LearningRateSchedule as LearningRateSchedule,
        PiecewiseConstantDecay as PiecewiseConstantDecay,
        PolynomialDecay as PolynomialDecay,
        deserialize as deserialize,
        serialize as serialize,
    )
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".schedules": (
                "CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay LearningRateSchedule "
                "PiecewiseConstantDecay PolynomialDecay deserialize serialize"
            ),
        },
    )
