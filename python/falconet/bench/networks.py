"""The networks that are trained and asked: in Falconet as a user writes them, in NumPy by hand as an expert would.

A trainer is a call that trains one epoch of `steps` batches and returns its mean loss; a predictor is a call on one
batch, NumPy in and out.
Every contender trains on the same arrays, in the same order, with Adam at Keras's settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron and the data it learns from."""

    name: str
    sizes: tuple[int, ...]
    hidden: str  # "relu" or "sigmoid"
    output: str  # "linear", "sigmoid" or "softmax"
    batch: int = 1
    steps: int = 1

    @property
    def loss(self) -> str:
        return "sparse_categorical_crossentropy" if self.output == "softmax" else "mean_squared_error"

    @property
    def flops(self) -> float:
        """Of the products of one training step: forward, weights' gradients, and inputs' but for the first layer."""
        pairs = [m * n for m, n in zip(self.sizes, self.sizes[1:], strict=False)]
        return 2.0 * self.batch * (3 * sum(pairs) - pairs[0])

    @property
    def forward_flops(self) -> float:
        return 2.0 * self.batch * sum(m * n for m, n in zip(self.sizes, self.sizes[1:], strict=False))

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows for an epoch: standard normal, with targets of the kind that the loss takes."""
        rng = np.random.default_rng(0)
        rows = self.batch * self.steps
        x = rng.standard_normal((rows, self.sizes[0]), dtype=np.float32)
        if self.output == "softmax":
            return x, rng.integers(0, self.sizes[-1], rows).astype(np.int32)
        if self.output == "sigmoid":
            return x, (x[:, :1] + x[:, 1:2] < 0.5).astype(np.float32)
        return x, x[:, :1] * x[:, 1:2] + np.sin(x[:, 2:3])

    def weights(self) -> list[np.ndarray]:
        """Kernel and bias of each layer, in turns: Glorot's uniform kernels and zeros."""
        rng = np.random.default_rng(1)
        found: list[np.ndarray] = []
        for m, n in zip(self.sizes, self.sizes[1:], strict=False):
            limit = (6 / (m + n)) ** 0.5
            found += [rng.uniform(-limit, limit, (m, n)).astype(np.float32), np.zeros(n, np.float32)]
        return found


TINY = Network("2-5-1", (2, 5, 1), "sigmoid", "sigmoid", batch=100, steps=500)
TABULAR = Network("32-64-64-1", (32, 64, 64, 1), "relu", "linear", batch=1024, steps=20)
MNIST = Network("784-512-512-10", (784, 512, 512, 10), "relu", "softmax", batch=128, steps=8)


# Falconet.


def falconet_model(network: Network) -> Any:
    """The network as a compiled model with its starting weights."""
    from falconet import Input, Sequential, layers, optimizers

    *hidden, last = network.sizes[1:]
    model = Sequential([Input((network.sizes[0],)), *(layers.Dense(n, activation=network.hidden) for n in hidden)])
    model.add(layers.Dense(last, activation=network.output))
    model.compile(optimizers.Adam(RATE), network.loss)
    model.set_weights(network.weights())
    return model


def falconet_trainer(network: Network, shuffle: bool = False) -> Callable[[], float]:
    model, (x, y) = falconet_model(network), network.data()
    return lambda: model.fit(x, y, batch_size=network.batch, shuffle=shuffle, verbose=0).history["loss"][0]


def falconet_predictors(network: Network) -> dict[str, Callable[[np.ndarray], Any]]:
    model = falconet_model(network)
    return {"falconet": model.predict_on_batch, "falconet model(x)": model}


# NumPy.


class NumpyNetwork:
    """The network by hand: parameters, gradients and slots lie in flat arrays, and Adam passes over them in place."""

    def __init__(self, network: Network) -> None:
        shapes = [w.shape for w in network.weights()]
        self._network = network
        self._flat = np.concatenate([w.ravel() for w in network.weights()])
        self._gradient, self._m, self._v, self._scratch = (np.zeros_like(self._flat) for _ in range(4))
        self._weights, self._gradients = _views(self._flat, shapes), _views(self._gradient, shapes)
        self._count = 0

    def predict(self, x: np.ndarray) -> np.ndarray:
        z = self._forward(x)[-1]
        if self._network.output == "softmax":
            z -= z.max(-1, keepdims=True)
            np.exp(z, out=z)
            z /= z.sum(-1, keepdims=True)
        return z

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One step of training; the loss before it."""
        activations = self._forward(x)
        loss, delta = self._loss(activations[-1], y)
        for i in range(len(self._weights) - 2, -1, -2):
            h = activations[i // 2]
            np.matmul(h.T, delta, out=self._gradients[i])
            delta.sum(0, out=self._gradients[i + 1])
            if i:
                delta = delta @ self._weights[i].T
                if self._network.hidden == "relu":
                    delta *= h > 0
                else:
                    delta *= h
                    delta *= 1 - h
        self.adam(self._gradient)
        return loss

    def _forward(self, x: np.ndarray) -> list[np.ndarray]:
        """The input and every layer's output; a softmax is left to the loss."""
        found = [x]
        last = len(self._weights) - 2
        for i in range(0, last + 1, 2):
            h = found[-1] @ self._weights[i]
            h += self._weights[i + 1]
            activation = self._network.output if i == last else self._network.hidden
            if activation == "relu":
                np.maximum(h, 0, out=h)
            elif activation == "sigmoid":
                np.negative(h, out=h)
                np.exp(h, out=h)
                h += 1
                np.reciprocal(h, out=h)
            found.append(h)
        return found

    def _loss(self, z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
        """The mean loss and its gradient with respect to the last layer before its activation."""
        rows = len(z)
        if self._network.output == "softmax":
            z -= z.max(-1, keepdims=True)
            picked = z[np.arange(rows), y]
            np.exp(z, out=z)
            total = z.sum(-1, keepdims=True)
            loss = float(np.mean(np.log(total[:, 0]) - picked))
            z /= total
            z[np.arange(rows), y] -= 1
            z *= 1 / rows
            return loss, z
        delta = z - y
        flat = delta.ravel()
        loss = float(flat @ flat) / rows
        delta *= 2 / rows
        if self._network.output == "sigmoid":
            delta *= z
            delta *= 1 - z
        return loss, delta

    def adam(self, g: np.ndarray) -> None:
        """Moves the parameters by the gradient, both flat."""
        m, v, t = self._m, self._v, self._scratch
        self._count += 1
        rate = RATE * (1 - BETA_2**self._count) ** 0.5 / (1 - BETA_1**self._count)
        np.subtract(g, m, out=t)
        t *= 1 - BETA_1
        m += t
        np.square(g, out=t)
        t -= v
        t *= 1 - BETA_2
        v += t
        np.sqrt(v, out=t)
        t += EPSILON
        np.divide(m, t, out=t)
        t *= rate
        self._flat -= t


def _views(flat: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [flat[e - int(np.prod(s)) : e].reshape(s) for e, s in zip(ends, shapes, strict=True)]


def numpy_trainer(network: Network, shuffle: bool = False) -> Callable[[], float]:
    net, (x, y), b = NumpyNetwork(network), network.data(), network.batch
    rng = np.random.default_rng(2)

    def epoch() -> float:
        total = 0.0
        if shuffle:
            order = rng.permutation(len(x))
            for i in range(0, len(x), b):
                rows = order[i : i + b]
                total += net.step(x[rows], y[rows])
        else:
            for i in range(0, len(x), b):
                total += net.step(x[i : i + b], y[i : i + b])
        return total / network.steps

    return epoch
