"""Falconet: a small, fast deep-learning framework with the interface of Keras."""

from __future__ import annotations

from falconet import (
    activations,
    callbacks,
    config,
    constraints,
    cpu,
    debug,
    dtype_policies,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
    tree,
    utils,
)
from falconet._core import num_threads, set_num_threads
from falconet.dtype_policies import DTypePolicy
from falconet.initializers import Initializer
from falconet.layers import Input, InputSpec, Layer
from falconet.losses import Loss
from falconet.metrics import Metric
from falconet.models import Model, Sequential
from falconet.naming import name_scope
from falconet.optimizers import Optimizer
from falconet.profiling import dump, profile
from falconet.regularizers import Regularizer
from falconet.tracing import GradientTape, KerasTensor, grad, jit, value_and_grad
from falconet.variables import Variable
from falconet.version import __version__

__all__ = [
    "__version__", "activations", "callbacks", "config", "constraints", "cpu", "debug", "dtype_policies", "dump",
    "grad", "initializers", "jit", "layers", "losses", "metrics", "models", "name_scope", "num_threads", "ops",
    "optimizers", "profile", "random", "regularizers", "saving", "set_num_threads", "tree", "utils",
    "value_and_grad", "DTypePolicy", "GradientTape", "Initializer", "Input", "InputSpec", "KerasTensor", "Layer",
    "Loss", "Metric", "Model", "Optimizer", "Regularizer", "Sequential", "Variable",
]  # fmt: skip
