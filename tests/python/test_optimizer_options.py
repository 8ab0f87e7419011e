"""Each option of each optimizer, its own and the common ones, against the five steps that Keras gives."""

import inspect

import numpy as np
import pytest
from keras_golden import array, assert_close, label, load

from falconet import initializers, ops, optimizers, tracing
from falconet.optimizers import schedules
from falconet.variables import Variable

GIVEN, *ROWS = load("optimizer_options")
SCALING, *SCALES = load("loss_scales")
GRADS = [[array(value) for value in grad.values()] for grad in GIVEN["grads"]]
# A step adds some ten roundings to weights near 1. Muon's polynomial amplifies roundings some 3.4 times a round.
UNITS = {"Muon": 2000}
# Keras's Nadam takes 1 - beta_2 = 0.001 of a beta_2 rounded to float32, off by up to 2^-25 / 0.001 = 500 units.
SLOT_UNITS = {"Muon": 2000, "Nadam": 564}


def name_of(row):
    return label(row) + "".join(f" {key}" for key in ("exclude", "schedule") if key in row)


def prepare(row):
    rate = schedules.ExponentialDecay(**row["schedule"]) if "schedule" in row else 0.05
    optimizer = getattr(optimizers, row["name"])(learning_rate=rate, **row["arguments"])
    if "exclude" in row:
        optimizer.exclude_from_weight_decay(var_names=row["exclude"])
    variables = [
        Variable(initializer=initializers.get(array(value)), shape=array(value).shape, name=name)
        for name, value in GIVEN["start"].items()
    ]
    optimizer.build(variables)
    return optimizer, variables


def check(row, found, wanted, units=UNITS):
    for one, other in zip(found, wanted, strict=True):
        assert_close(ops.convert_to_numpy(one), array(other), units.get(row["name"], 64))


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_option_has_the_effect_it_has_in_keras(row, compiled):
    optimizer, variables = prepare(row)

    def step(*grads):
        optimizer.apply(grads, variables)
        return optimizer.iterations

    step = tracing.jit(step) if compiled else step
    for grads, wanted in zip(GRADS, row["values"], strict=True):
        step(*grads)
        check(row, variables, wanted)
    check(row, optimizer.variables, row["slots"], SLOT_UNITS)
    optimizer.finalize_variable_values(variables)
    check(row, variables, row.get("final", row["values"][-1]))


def test_every_option_has_a_row():
    given = {}
    for row in ROWS:
        options = given.setdefault(row["name"], {"self", "learning_rate", "name", "kwargs"})
        options.update(row["arguments"])
    found = [getattr(optimizers, name) for name in dir(optimizers)]
    rules = {cls.__name__ for cls in found if inspect.isclass(cls) and issubclass(cls, optimizers.Optimizer)}
    # Of __init__: Python 3.10 shows a class by its __new__, which takes anything.
    common = set(inspect.signature(optimizers.Optimizer.__init__).parameters) - {"kwargs"}
    assert rules - {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"} == given.keys()
    for name, options in given.items():
        own = set(inspect.signature(getattr(optimizers, name).__init__).parameters) - {"self"}
        assert (own | common) <= options, name


@pytest.mark.parametrize("row", SCALES, ids=label)
def test_loss_scale_is_that_of_keras(row):
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(SCALING["rate"]), **row["arguments"])
    variable = Variable(initializer=initializers.get(array(SCALING["start"])), shape=(2,), name="w")
    optimizer.build([variable])
    for grad, scale, wanted in zip(SCALING["grads"], row["scales"], row["values"], strict=True):
        before = float(optimizer.scale_loss(1.0))
        grad = np.full(2, np.inf, "float32") if grad is None else array(grad) * np.float32(before)
        optimizer.apply([grad], [variable])
        assert float(optimizer.scale_loss(1.0)) == scale
        assert_close(ops.convert_to_numpy(variable), wanted)
