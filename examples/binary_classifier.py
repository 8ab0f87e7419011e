"""A binary classifier twice: as a training loop written by hand with GradientTape, and with `fit`.

100 random points of two features; the label is 1 where x0 + x1 < 0.5. The network has five hidden sigmoid units and is
trained on the mean squared error with Adam, 1000 epochs of the whole data at once. Both ways print the loss every 100
epochs and reach an accuracy of 0.99 or more; starting from the same weights they give the same losses.

    python examples/binary_classifier.py
"""

import argparse
import time

import numpy as np

import falconet as keras
from falconet import layers, ops


def make_data(points=100, seed=0):
    """x (points, 2), normal; y (points, 1), 1 where x0 + x1 < 0.5, else 0."""
    x = np.random.default_rng(seed).standard_normal((points, 2)).astype("float32")
    y = (x[:, :1] + x[:, 1:] < 0.5).astype("float32")
    return x, y


def make_model():
    return keras.Sequential(
        [keras.Input((2,)), layers.Dense(5, activation="sigmoid"), layers.Dense(1, activation="sigmoid")]
    )


def report(epoch, loss):
    if epoch == 1 or epoch % 100 == 0:
        print(f"  epoch {epoch:4d}  loss {float(loss):.6f}")


def train_by_hand(model, x, y, epochs):
    """The loop in full; returns the loss of each epoch."""
    optimizer = keras.optimizers.Adam(0.05)
    x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)

    @keras.jit  # without this line the step runs op by op: the same numbers, later
    def step(x, y):
        with keras.GradientTape() as tape:
            loss = ops.mean(ops.square(model(x) - y))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    optimizer.build(model.trainable_variables)
    losses = []
    for epoch in range(1, epochs + 1):
        losses.append(float(step(x, y)))
        report(epoch, losses[-1])
    return losses


def train_with_fit(model, x, y, epochs):
    """The same through `fit`; returns the loss of each epoch."""
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse")
    every_100 = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: report(epoch + 1, logs["loss"]))
    history = model.fit(x, y, batch_size=len(x), epochs=epochs, shuffle=False, verbose=0, callbacks=[every_100])
    return history.history["loss"]


def accuracy(model, x, y):
    return float(np.mean((model.predict(x) > 0.5) == (y > 0.5)))


def main(epochs=1000):
    """Runs both ways; returns for each its losses and accuracy."""
    keras.utils.set_random_seed(0)
    x, y = make_data()
    by_hand, with_fit = make_model(), make_model()
    with_fit.set_weights(by_hand.get_weights())
    results = []
    for name, model, train in (
        ("GradientTape loop", by_hand, train_by_hand),
        ("fit", with_fit, train_with_fit),
    ):
        print(name)
        began = time.perf_counter()
        losses = train(model, x, y, epochs)
        took = time.perf_counter() - began
        results.append((losses, accuracy(model, x, y)))
        print(f"  accuracy {results[-1][1]:.2f}, {1e6 * took / epochs:.1f} us per epoch\n")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=1000)
    main(parser.parse_args().epochs)
