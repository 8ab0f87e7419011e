"""Several models as one: trained on parts of the data, and joined by their outputs or by their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .joining import stacking as stacking, voting as voting
    from .soups import average_weights as average_weights, greedy_soup as greedy_soup, uniform_soup as uniform_soup
    from .training import Members as Members, bagging as bagging, k_fold as k_fold
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".joining": "stacking voting",
            ".soups": "average_weights greedy_soup uniform_soup",
            ".training": "Members bagging k_fold",
        },
    )
