"""A model in which everything is the user's own, beside the same model of built-in parts.

Layer, activation, loss, metric, optimizer and training step are written here in plain `ops`. Started from the same
weights and fed the same batches of scikit-learn's digits, both models give the same losses, accuracies and weights up
to rounding, and they run at the same speed: what is written in `ops` goes through the same fusion and the same kernels
as what is built in.

    python examples/own_everything.py
"""

import argparse
import time

import numpy as np
from digits import load

import falconet as keras
from falconet import layers, ops


def swish(x):
    """x * sigmoid(x)."""
    return x * ops.sigmoid(x)


class Affine(keras.Layer):
    """y = activation(x @ kernel + bias)."""

    def __init__(self, units, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = activation

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), "glorot_uniform", name="kernel")
        self.bias = self.add_weight((self.units,), "zeros", name="bias")

    def call(self, x):
        y = ops.matmul(x, self.kernel) + self.bias
        return y if self.activation is None else self.activation(y)


class CrossEntropy(keras.losses.Loss):
    """log(sum_j exp(z_j)) - z_label for each row of logits z."""

    def call(self, y_true, y_pred):
        target = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
        return ops.logsumexp(y_pred, axis=-1) - ops.sum(target * y_pred, axis=-1)


class Accuracy(keras.metrics.Metric):
    """The share of rows whose largest logit is that of the label."""

    def __init__(self, name="accuracy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.right = self.add_variable((), "zeros", name="right")
        self.seen = self.add_variable((), "zeros", name="seen")

    def update_state(self, y_true, y_pred, sample_weight=None):
        hits = ops.equal(ops.argmax(y_pred, axis=-1), ops.cast(y_true, "int32"))
        weight = 1.0 if sample_weight is None else sample_weight
        hits = ops.cast(hits, "float32") * weight
        self.right.assign_add(ops.sum(hits))
        self.seen.assign_add(ops.sum(ops.ones_like(hits) * weight))

    def result(self):
        return self.right / ops.maximum(self.seen, 1.0)


class Adaptive(keras.optimizers.Optimizer):
    """Adam: steps along the mean of the gradient, divided by the root of the mean of its square."""

    def __init__(self, learning_rate=0.001, decay_1=0.9, decay_2=0.999, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.decay_1, self.decay_2, self.epsilon = decay_1, decay_2, epsilon

    def build(self, variables):
        super().build(variables)
        self.means = [self.add_variable_from_reference(v, "mean") for v in variables]
        self.squares = [self.add_variable_from_reference(v, "square") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        mean, square = self.means[i], self.squares[i]
        mean.assign(self.decay_1 * mean + (1 - self.decay_1) * gradient)
        square.assign(self.decay_2 * square + (1 - self.decay_2) * gradient * gradient)
        t = ops.cast(self.iterations + 1, "float32")
        rate = learning_rate * ops.sqrt(1 - self.decay_2**t) / (1 - self.decay_1**t)
        variable.assign_sub(rate * mean / (ops.sqrt(square) + self.epsilon))


class OwnModel(keras.Sequential):
    """A model with a training step of its own: forward, loss, gradients, update, metrics."""

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            logits = self(x, training=True)
            loss = self.own_loss(y, logits)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        self.mean_loss.update_state(loss, sample_weight=x.shape[0])
        self.accuracy.update_state(y, logits)
        return {"loss": self.mean_loss.result(), "accuracy": self.accuracy.result()}


def make_own(units):
    model = OwnModel([keras.Input((64,)), Affine(units, swish), Affine(units, swish), Affine(10)])
    model.own_loss = CrossEntropy()
    model.mean_loss, model.accuracy = keras.metrics.Mean(name="loss"), Accuracy()
    model.compile(optimizer=Adaptive(0.002))
    return model


def make_built_in(units):
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(units, activation="silu"),
            layers.Dense(units, activation="silu"),
            layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.002),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def compare(epochs, units):
    """Trains both on the same batches; returns the two histories and the largest difference between weights."""
    x, _, y, _ = load()
    built_in, own = make_built_in(units), make_own(units)
    own.set_weights(built_in.get_weights())
    histories = []
    for model in (built_in, own):
        keras.utils.set_random_seed(0)  # the same order of rows
        histories.append(model.fit(x, y, batch_size=128, epochs=epochs, verbose=0).history)
    pairs = zip(built_in.get_weights(), own.get_weights(), strict=True)
    return histories, max(float(np.abs(a - b).max()) for a, b in pairs)


def measure(rounds, units):
    """Microseconds of a step of each, built-in first: the smallest of `rounds` epochs, taken in turn."""
    x, _, y, _ = load()
    steps = len(x) // 128
    x, y = x[: 128 * steps], y[: 128 * steps]
    models = make_built_in(units), make_own(units)
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for i, model in enumerate(models):
            began = time.perf_counter()
            model.fit(x, y, batch_size=128, epochs=5, verbose=0)
            best[i] = min(best[i], 1e6 * (time.perf_counter() - began) / (5 * steps))
    return best


def main(epochs=10, rounds=20, units=128):
    """Runs the example; returns the two histories, the largest difference of weights, and the two step times."""
    keras.utils.set_random_seed(0)
    histories, difference = compare(epochs, units)
    print(f"{'epoch':>5}  {'loss: built-in':>14}  {'own':>9}  {'accuracy: built-in':>18}  {'own':>6}")
    for epoch in range(epochs):
        (a, b), (c, d) = ([h[name][epoch] for h in histories] for name in ("loss", "accuracy"))
        print(f"{epoch + 1:5d}  {a:14.6f}  {b:9.6f}  {c:18.4f}  {d:6.4f}")
    print(f"largest difference between two weights: {difference:.1e}")

    built_in, own = measure(rounds, units)
    print(f"microseconds per step: built-in {built_in:.1f}, own {own:.1f}; own / built-in = {own / built_in:.2f}")
    return histories, difference, (built_in, own)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=20, help="measurements of the time of a step")
    arguments = parser.parse_args()
    main(arguments.epochs, arguments.rounds)
