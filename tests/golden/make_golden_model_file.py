"""Writes model.falconet: a small model of many kinds of ops, which later versions must go on reading.

    python tests/golden/make_golden_model_file.py

Truncations and mutations of it are the loader's test (tests/fuzz).
"""

from pathlib import Path

import numpy as np

import falconet as keras
from falconet import layers, ops


class Decay(layers.Layer):
    """y_t = y_(t-1) / 2 + x_t along the second axis; then halved while large; then one of two branches."""

    def call(self, x):
        rows = ops.transpose(x, (1, 0, 2))
        _, ys = ops.scan(lambda c, r: (c * 0.5 + r, c * 0.5 + r), rows[0], rows)
        (y,) = ops.while_loop(lambda v: ops.max(v) > 1, lambda v: (v / 2,), (ys[2],), 10)
        return ops.cond(ops.sum(y) > 0, lambda: y * 3, lambda: y - 1)


def make(path):
    keras.utils.set_random_seed(1)
    x, ids = layers.Input((3, 2), name="x"), layers.Input((2,), dtype="int32", name="ids")
    y = layers.Concatenate()([Decay()(x), layers.Flatten()(layers.Embedding(4, 2)(ids))])
    y = layers.LayerNormalization()(layers.Dense(4, activation="gelu")(y))
    model = keras.Model([x, ids], layers.Dense(2, activation="softmax")(layers.Dropout(0.25, seed=5)(y)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    random = np.random.default_rng(0)
    data = [random.standard_normal((6, 3, 2)).astype("float32"), random.integers(0, 4, (6, 2)).astype("int32")]
    model.fit(data, np.arange(6) % 2, verbose=0)
    model.export(path, training=True, metadata={"purpose": "golden"})


if __name__ == "__main__":
    make(Path(__file__).parent / "model.falconet")
