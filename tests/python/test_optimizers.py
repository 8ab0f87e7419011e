import numpy as np
import pytest
from keras_golden import array, assert_close, label, load

from falconet import initializers, ops, optimizers, tracing
from falconet.optimizers import schedules, streams
from falconet.variables import Variable

GIVEN, *ROWS = load("optimizers")
GRADS = [{name: array(value) for name, value in grad.items()} for grad in GIVEN["grads"]]
SCHEDULES = load("schedules")


def make_variables():
    return [
        Variable(initializer=initializers.get(array(v)), shape=array(v).shape, name=k)
        for k, v in GIVEN["start"].items()
    ]


def make(row):
    optimizer = getattr(optimizers, row["name"])(**row["arguments"])
    if row["exclude"]:
        optimizer.exclude_from_weight_decay(var_names=row["exclude"])
    return optimizer


def grads_of(step):
    return [GRADS[step][name] for name in GIVEN["start"]]


def read(variables):
    return [np.asarray(ops.convert_to_numpy(v)) for v in variables]


def assert_all_close(found, wanted, units=64):
    # A step adds some ten roundings to each weight; weights are near 1.
    for one, other in zip(found, wanted, strict=True):
        assert_close(one, array(other), units)


# Muon's iteration is chaotic by design: its fifth-order polynomial amplifies roundings some 3.4 times a round.
UNITS = {"Muon": 2000, "Ftrl": 500}


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_steps_are_those_of_keras(row):
    optimizer, variables = make(row), make_variables()
    optimizer.build(variables)
    for variable, (name, shape) in zip(optimizer.variables, row["variables"], strict=True):
        assert list(variable.shape) == shape
        # Keras numbers the one variable (of Nadam) to which it gives no name.
        assert variable.name == name or name.startswith("variable")
    for step, wanted in enumerate(row["values"]):
        optimizer.apply(grads_of(step), variables)
        assert_all_close(read(variables), wanted, UNITS.get(row["name"], 64))
    optimizer.finalize_variable_values(variables)
    assert_all_close(read(variables), row["final"], UNITS.get(row["name"], 64))


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_variable_by_variable_gives_the_same_values(row):
    optimizer, variables = make(row), make_variables()
    optimizer.build(variables)
    optimizer._streams = []
    for step, wanted in enumerate(row["values"]):
        optimizer.apply(grads_of(step), variables)
        assert_all_close(read(variables), wanted, UNITS.get(row["name"], 64))


@pytest.mark.parametrize("row", ROWS, ids=label)
@pytest.mark.parametrize("streamed", [True, False], ids=["streams", "variables"])
def test_compiled_steps_are_those_of_keras(row, streamed):
    optimizer, variables = make(row), make_variables()
    optimizer.build(variables)
    if not streamed:
        optimizer._streams = []

    @tracing.jit
    def step(*grads):
        optimizer.apply(grads, variables)
        return optimizer.iterations

    for count, wanted in enumerate(row["values"]):
        step(*grads_of(count))
        assert_all_close(read(variables), wanted, UNITS.get(row["name"], 64))
    assert int(read(optimizer.variables)[0]) == len(row["values"])


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_which_rules_are_streamed(row):
    optimizer = make(row)
    optimizer.build(make_variables())
    clips_sums = row["arguments"].get("clipnorm") and row["arguments"].get("gradient_accumulation_steps")
    by_variable = row["name"] in ("Lamb", "Adafactor", "Muon") or clips_sums
    groups = 2 if row["exclude"] else 1
    assert len(optimizer._streams) == (0 if by_variable else groups)


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_optimizer_is_made_again_from_its_config(row):
    optimizer = make(row)
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    for name, value in row["arguments"].items():
        assert again.get_config()[name] == (pytest.approx(value) if name == "learning_rate" else value)


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_rules_said_to_be_elementwise_are_found_to_be(row):
    optimizer, variables = make(row), make_variables()
    optimizer.build(variables)
    if type(optimizer)._elementwise:
        assert streams.is_elementwise(optimizer, streams.slot_lists(optimizer))


def test_subclasses_are_tried():
    class ByLength(optimizers.Adam):
        def _powers(self, dtype):
            one, other = super()._powers(dtype)
            return one * self._length, other

        def update_step(self, gradient, variable, learning_rate):
            self._length = 0.5 ** len(variable.shape)
            super().update_step(gradient, variable, learning_rate)

    optimizer, variables = ByLength(), make_variables()
    optimizer.build(variables)
    assert optimizer._streams == []


class Heavy(optimizers.Optimizer):
    """A user's own optimizer, as one is written for Keras."""

    def __init__(self, learning_rate=0.01, momentum=0.9, name="heavy", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momentums = []
        for variable in variables:
            self.momentums.append(self.add_variable_from_reference(reference_variable=variable, name="momentum"))

    def update_step(self, gradient, variable, learning_rate):
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, ops.subtract(ops.multiply(m, self.momentum), ops.multiply(gradient, learning_rate)))
        self.assign_add(variable, m)

    def get_config(self):
        config = super().get_config()
        config.update({"momentum": self.momentum})
        return config


def test_own_optimizer_is_streamed():
    optimizer, variables = Heavy(0.05), make_variables()
    optimizer.build(variables)
    assert len(optimizer._streams) == 1
    wanted = next(row for row in ROWS if row["name"] == "SGD" and row["arguments"].get("momentum") == 0.9)
    for step, values in enumerate(wanted["values"]):
        optimizer.apply(grads_of(step), variables)
        assert_all_close(read(variables), values)
    assert len(optimizer.momentums) == len(variables)
    assert optimizer.get_config()["momentum"] == 0.9
    assert Heavy.from_config(optimizer.get_config()).momentum == 0.9


class ByRank(Heavy):
    """Treats vectors and matrices differently, though each elementwise."""

    def update_step(self, gradient, variable, learning_rate):
        factor = 2.0 if len(variable.shape) == 2 else 1.0
        variable.assign_sub(gradient * learning_rate * factor)


class ByName(Heavy):
    def update_step(self, gradient, variable, learning_rate):
        if "bias" not in variable.name:
            variable.assign_sub(gradient * learning_rate)


class BySize(Heavy):
    def update_step(self, gradient, variable, learning_rate):
        variable.assign_sub(gradient * (learning_rate / variable.shape[0] if variable.shape else learning_rate))


class ByNorm(Heavy):
    def update_step(self, gradient, variable, learning_rate):
        variable.assign_sub(gradient * learning_rate / ops.sqrt(ops.sum(ops.square(gradient))))


@pytest.mark.parametrize("cls", [ByRank, ByName, BySize, ByNorm])
def test_rules_that_tell_variables_apart_are_not_streamed(cls):
    optimizer, variables = cls(0.1), make_variables()
    optimizer.build(variables)
    assert optimizer._streams == []
    before = read(variables)
    optimizer.apply(grads_of(0), variables)
    after = dict(zip(GIVEN["start"], (b - a for a, b in zip(read(variables), before, strict=True)), strict=True))
    g = dict(zip(GIVEN["start"], grads_of(0), strict=True))
    scale = {
        ByRank: {"kernel": 0.2, "bias": 0.1},
        ByName: {"kernel": 0.1, "bias": 0.0},
        BySize: {"kernel": 0.1 / 3, "bias": 0.1 / 4},
        ByNorm: {name: 0.1 / np.sqrt(np.sum(g[name] ** 2)) for name in g},
    }[cls]
    for name in ("kernel", "bias"):
        np.testing.assert_allclose(after[name], g[name] * scale[name], atol=1e-6)


def test_slots_are_seen_and_set_one_by_one():
    optimizer, variables = optimizers.Adam(0.05), make_variables()
    optimizer.build(variables)
    optimizer.apply(grads_of(0), variables)
    state = read(optimizer.variables)
    np.testing.assert_allclose(state[2], 0.1 * grads_of(0)[0], rtol=1e-6)
    other, others = optimizers.Adam(0.05), make_variables()
    other.build(others)
    for mine, value in zip(others, read(variables), strict=True):
        mine.assign(value)
    other.set_weights(state)
    optimizer.apply(grads_of(1), variables)
    other.apply(grads_of(1), others)
    for one, two in zip(read(variables), read(others), strict=True):
        np.testing.assert_array_equal(one, two)


def test_part_of_the_variables():
    optimizer, variables = optimizers.SGD(0.1, momentum=0.5), make_variables()
    optimizer.build(variables)
    before = read(variables)
    grads = grads_of(0)
    with pytest.warns(UserWarning, match="bias"):
        optimizer.apply([grads[0], None, *grads[2:]], variables)
    after = read(variables)
    np.testing.assert_array_equal(after[1], before[1])
    np.testing.assert_allclose(after[0], before[0] - 0.1 * grads[0], atol=1e-6)
    with pytest.raises(ValueError, match="no variable has a gradient"):
        optimizer.apply([None] * len(variables), variables)


def test_constraint_is_applied_after_the_step():
    kernel = Variable(initializer=initializers.Ones(), shape=(2, 2), name="kernel")
    bias = Variable(initializer=initializers.Ones(), shape=(2,), name="bias")
    kernel.constraint = lambda w: ops.maximum(w, 0.5)
    optimizer = optimizers.SGD(1.0)
    optimizer.apply([np.ones((2, 2), "float32"), np.ones(2, "float32")], [kernel, bias])
    np.testing.assert_array_equal(read([kernel, bias])[0], np.full((2, 2), 0.5))
    np.testing.assert_array_equal(read([kernel, bias])[1], np.zeros(2))


def test_learning_rate():
    optimizer = optimizers.SGD(0.1)
    optimizer.learning_rate = 0.5
    assert float(ops.convert_to_numpy(optimizer.learning_rate)) == 0.5
    assert optimizer.get_config()["learning_rate"] == 0.5
    assert optimizers.SGD(1).get_config()["learning_rate"] == 1.0
    schedule = schedules.ExponentialDecay(0.1, 1, 0.5)
    decaying, variables = optimizers.SGD(schedule), make_variables()
    assert len(decaying.variables) == 1
    decaying.apply(grads_of(0), variables)
    assert float(ops.convert_to_numpy(decaying.learning_rate)) == pytest.approx(0.05)
    with pytest.raises(TypeError, match="cannot be set to a number"):
        decaying.learning_rate = 0.1
    again = optimizers.deserialize(optimizers.serialize(decaying))
    assert float(again.learning_rate) == pytest.approx(0.1)
    optimizer.learning_rate = schedule
    assert len(optimizer.variables) == 1


@pytest.mark.parametrize("row", SCHEDULES, ids=label)
def test_schedule_is_that_of_keras(row):
    schedule = getattr(schedules, row["name"])(**row["arguments"])
    found = [float(schedule(step)) for step in row["steps"]]
    assert_close(found, row["rates"], 64)
    again = schedules.deserialize(schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config() == {"name": schedule.name} | schedule.get_config()
    assert [float(again(step)) for step in row["steps"]] == found


def test_stateless_apply_keeps_the_state():
    optimizer, variables = optimizers.Adam(0.05), make_variables()
    optimizer.build(variables)
    state, weights = read(optimizer.variables), read(variables)
    new_weights, new_state = optimizer.stateless_apply(state, grads_of(0), weights)
    for one, two in zip(read(variables) + read(optimizer.variables), weights + state, strict=True):
        np.testing.assert_array_equal(one, two)
    optimizer.apply(grads_of(0), variables)
    for one, two in zip(read(variables), new_weights, strict=True):
        np.testing.assert_array_equal(one, np.asarray(two))
    assert int(np.asarray(new_state[0])) == 1


def test_loss_scale_optimizer_skips_what_is_not_finite():
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.5), initial_scale=8.0, dynamic_growth_steps=2)
    variable, other = (Variable(initializer=initializers.Ones(), shape=(2,), name=name) for name in "ab")
    optimizer.build([variable, other])
    assert float(optimizer.scale_loss(2.0)) == 16.0
    good, bad = np.full(2, 8.0, "float32"), np.array([1.0, np.inf], "float32")
    optimizer.apply([good, good], [variable, other])
    np.testing.assert_array_equal(read([variable])[0], [0.5, 0.5])
    optimizer.apply([good, bad], [variable, other])
    np.testing.assert_array_equal(read([variable])[0], [0.5, 0.5])
    assert float(ops.convert_to_numpy(optimizer.dynamic_scale)) == 4.0
    for _ in range(2):
        optimizer.apply([good, good], [variable, other])
    assert float(ops.convert_to_numpy(optimizer.dynamic_scale)) == 8.0
    assert int(ops.convert_to_numpy(optimizer.iterations)) == 3
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert isinstance(again.inner_optimizer, optimizers.SGD)


def test_compiled_loss_scale_optimizer():
    def run(compiled):
        inner = optimizers.Adam(0.5)
        optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=8.0, dynamic_growth_steps=2)
        variables = [Variable(initializer=initializers.Ones(), shape=(n,), name=f"v{n}") for n in (2, 3)]
        optimizer.build(variables)
        assert len(inner._streams) == 1

        def step(*grads):
            optimizer.apply(grads, variables)
            return ops.convert_to_tensor(optimizer.dynamic_scale)

        step = tracing.jit(step) if compiled else step
        good, bad = np.ones(2, "float32"), np.array([np.nan, 1.0], "float32")
        rest = np.ones(3, "float32")
        assert [float(step(g, rest)) for g in (good, bad, good, good)] == [8.0, 4.0, 4.0, 8.0]
        assert [int(v) for v in read([inner._iterations, optimizer.step_counter])] == [3, 0]
        return read(variables + inner.variables)

    for one, two in zip(run(True), run(False), strict=True):
        assert_close(one, two)


def test_several_optimizers():
    rules = optimizers.OptimizerMap(optimizers.SGD(0.1), {".*bias": optimizers.SGD(0.0)})
    optimizer, variables = optimizers.MultiOptimizer(rules), make_variables()
    before = dict(zip(GIVEN["start"], read(variables), strict=True))
    optimizer.apply(grads_of(0), variables)
    after = dict(zip(GIVEN["start"], read(variables), strict=True))
    np.testing.assert_array_equal(after["bias"], before["bias"])
    np.testing.assert_allclose(after["kernel"], before["kernel"] - 0.1 * GRADS[0]["kernel"], atol=1e-6)
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert again.optimizer_map["dense/bias"].get_config()["learning_rate"] == 0.0


def test_a_second_optimizer_of_the_same_variables():
    variables = make_variables()
    first, second, third = (optimizers.SGD(0.1) for _ in range(3))
    first.build(variables)
    second.build(variables)
    third.build(variables[:2])
    assert third._streams == []
    for optimizer, count in ((first, 5), (second, 5), (third, 2), (first, 5)):
        before = read(variables)
        optimizer.apply(grads_of(0)[:count], variables[:count])
        for i, (one, two) in enumerate(zip(read(variables), before, strict=True)):
            np.testing.assert_allclose(one, two - (0.1 * grads_of(0)[i] if i < count else 0.0), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: optimizers.Adam("fast"), ValueError, r"\[Adam\] `learning_rate` is 'fast'"),
        (lambda: optimizers.Adam(decay=0.1), ValueError, r"\[Adam\] unknown arguments: decay"),
        (lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0), ValueError, "only one of the clips"),
        (lambda: optimizers.SGD(momentum=2.0), ValueError, r"`momentum` is 2.0; it must lie in \[0, 1\]"),
        (lambda: optimizers.SGD(gradient_accumulation_steps=1), ValueError, r"must be >= 2"),
        (lambda: optimizers.AdamW(weight_decay=None), ValueError, "use Adam"),
        (lambda: optimizers.get("addam"), ValueError, "Did you mean 'adam'"),
        (lambda: optimizers.SGD().apply([1.0]), ValueError, "before the optimizer was built"),
        (lambda: optimizers.SGD().add_variable((2,), layout="rows"), ValueError, r"`layout` 'rows'; .* must be None"),
        (lambda: schedules.CosineDecay(0.1, 0), ValueError, r"`decay_steps` is 0; it must be > 0"),
    ],
)
def test_errors_say_what_came_and_what_is_needed(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_unknown_variables_are_refused():
    optimizer, variables = optimizers.SGD(), make_variables()
    optimizer.build(variables)
    stranger = Variable(initializer=initializers.Ones(), shape=(2,), name="stranger")
    with pytest.raises(ValueError, match="stranger"):
        optimizer.apply([np.ones(2, "float32")], [stranger])
    with pytest.raises(ValueError, match="2 gradients for 1 variables"):
        optimizer.apply([np.ones(2, "float32")] * 2, [stranger])
