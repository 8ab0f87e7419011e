"""Falconet: a small, fast deep-learning framework with the interface of Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falconet import _core as _core  # what is wrong with it is said at once
from falconet.lazy import attach

if TYPE_CHECKING:
    from . import (
        activations as activations,
        callbacks as callbacks,
        config as config,
        constraints as constraints,
        cpu as cpu,
        data as data,
        debug as debug,
        dtype_policies as dtype_policies,
        ensembles as ensembles,
        initializers as initializers,
        layers as layers,
        losses as losses,
        metrics as metrics,
        models as models,
        ops as ops,
        optimizers as optimizers,
        plots as plots,
        random as random,
        regularizers as regularizers,
        saving as saving,
        serving as serving,
        tree as tree,
        utils as utils,
        wrappers as wrappers,
    )
    from ._core import num_threads as num_threads, set_num_threads as set_num_threads
    from .dtype_policies import DTypePolicy as DTypePolicy
    from .embedding import get_cmake_dir as get_cmake_dir, get_include as get_include
    from .initializers import Initializer as Initializer
    from .layers import Input as Input, InputSpec as InputSpec, Layer as Layer
    from .losses import Loss as Loss
    from .metrics import Metric as Metric
    from .models import Model as Model, Sequential as Sequential
    from .naming import name_scope as name_scope
    from .optimizers import Optimizer as Optimizer
    from .profiling import dump as dump, profile as profile
    from .regularizers import Regularizer as Regularizer
    from .serving import Learner as Learner, Predictor as Predictor
    from .symbols import KerasTensor as KerasTensor
    from .tracing import GradientTape as GradientTape, grad as grad, jit as jit, value_and_grad as value_and_grad
    from .variables import Variable as Variable
    from .version import __version__ as __version__
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".": (
                "activations callbacks config constraints cpu data debug dtype_policies ensembles initializers layers "
                "losses metrics models ops optimizers plots random regularizers saving serving tree utils wrappers"
            ),
            "._core": "num_threads set_num_threads",
            ".dtype_policies": "DTypePolicy",
            ".embedding": "get_cmake_dir get_include",
            ".initializers": "Initializer",
            ".layers": "Input InputSpec Layer",
            ".losses": "Loss",
            ".metrics": "Metric",
            ".models": "Model Sequential",
            ".naming": "name_scope",
            ".optimizers": "Optimizer",
            ".profiling": "dump profile",
            ".regularizers": "Regularizer",
            ".serving": "Learner Predictor",
            ".symbols": "KerasTensor",
            ".tracing": "GradientTape grad jit value_and_grad",
            ".variables": "Variable",
            ".version": "__version__",
        },
    )
