"""Writes the golden values of the optimizers: each rule, each option and the loss scaling, as Keras 3 has them.

Run with KERAS_BACKEND=jax; writes optimizers.json, optimizer_options.json and loss_scales.json beside itself.
"""

from make_golden import keras, np, ops, write  # sets the backend before it imports Keras
from optimizer_cases import COMMON, LOSS_SCALE, OPTIMIZERS, OWN, SHAPES, SMALL, STEPS


def optimizers():
    rows = []
    rng = np.random.RandomState(3)
    start = {name: rng.normal(size=shape).astype("float32") for name, shape in SHAPES.items()}
    grads = [{name: rng.normal(size=shape).astype("float32") for name, shape in SHAPES.items()} for _ in range(STEPS)]
    rows.append({"start": start, "grads": grads})
    for name, given in OPTIMIZERS:
        arguments = {"learning_rate": 0.05, **given}
        exclude = arguments.pop("exclude", None)
        optimizer = getattr(keras.optimizers, name)(**arguments)
        variables = [keras.Variable(value, name=key) for key, value in start.items()]
        if exclude:
            optimizer.exclude_from_weight_decay(var_names=exclude)
        optimizer.build(variables)
        names = [[v.name, list(v.shape)] for v in optimizer.variables]
        values = []
        for grad in grads:
            optimizer.apply([ops.convert_to_tensor(grad[key]) for key in start], variables)
            values.append([v.numpy() for v in variables])
        optimizer.finalize_variable_values(variables)
        rows.append(
            {
                "name": name,
                "arguments": arguments,
                "exclude": exclude,
                "variables": names,
                "values": values,
                "final": [v.numpy() for v in variables],
            }
        )
    return rows


def optimizer_options():
    rng = np.random.RandomState(4)
    start = {name: rng.normal(size=shape).astype("float32") for name, shape in SMALL.items()}
    grads = [{name: rng.normal(size=shape).astype("float32") for name, shape in SMALL.items()} for _ in range(STEPS)]
    rows = [{"start": start, "grads": grads}]
    for name, given in [(name, given) for name, own in OWN.items() for given in [*COMMON, *own]]:
        arguments = dict(given)
        exclude, schedule = arguments.pop("exclude", None), arguments.pop("schedule", None)
        rate = keras.optimizers.schedules.ExponentialDecay(**schedule) if schedule else 0.05
        optimizer = getattr(keras.optimizers, name)(learning_rate=rate, **arguments)
        variables = [keras.Variable(value, name=key) for key, value in start.items()]
        if exclude:
            optimizer.exclude_from_weight_decay(var_names=exclude)
        optimizer.build(variables)
        values = []
        for grad in grads:
            optimizer.apply([ops.convert_to_tensor(grad[key]) for key in start], variables)
            values.append([v.numpy() for v in variables])
        slots = [v.numpy() for v in optimizer.variables]
        optimizer.finalize_variable_values(variables)
        row = {"name": name, "arguments": arguments, "exclude": exclude, "schedule": schedule, "values": values}
        if arguments.get("use_ema"):
            row["final"] = [v.numpy() for v in variables]
        rows.append({key: value for key, value in row.items() if value is not None} | {"slots": slots})
    return rows


def loss_scales():
    rows = [{"rate": 0.05, "start": [1.0, -2.0], "grads": [[0.5, 1.0], [1.0, -1.0], [0.25, 2.0], None, [-1.0, 0.5]]}]
    for arguments in LOSS_SCALE:
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(rows[0]["rate"]), **arguments)
        variable = keras.Variable(np.array(rows[0]["start"], "float32"))
        optimizer.build([variable])
        # With JAX, Keras runs this optimizer only without state: values in, values out.
        state, weights = [v.value for v in optimizer.variables], [variable.value]
        scales, values = [], []
        for grad in rows[0]["grads"]:
            scale = float(optimizer.scale_loss(1.0))
            grad = np.full(2, np.inf, "float32") if grad is None else np.array(grad, "float32") * np.float32(scale)
            weights, state = optimizer.stateless_apply(state, [ops.convert_to_tensor(grad)], weights)
            for v, value in zip(optimizer.variables, state, strict=True):
                v.assign(value)
            scales.append(float(optimizer.scale_loss(1.0)))
            values.append(weights[0])
        rows.append({"name": "LossScaleOptimizer", "arguments": arguments, "scales": scales, "values": values})
    return rows


if __name__ == "__main__":
    write("optimizers", optimizers())
    write("optimizer_options", optimizer_options(), digits=8)  # of many numbers: half a unit of a float32
    write("loss_scales", loss_scales())
