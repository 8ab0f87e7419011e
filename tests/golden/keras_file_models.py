"""Models that are written to files by Keras and by Falconet, to be read by the other: `k` is either module."""

import numpy as np


def block_class(k):
    """A layer of a user's, registered under one name on both sides."""

    @k.saving.register_keras_serializable("files")
    class Block(k.layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.wide = k.layers.Dense(units, activation="relu")
            self.stack = [k.layers.Dense(units), k.layers.LayerNormalization()]
            self.named = {"last": k.layers.Dense(2)}

        def build(self, input_shape):
            self.wide.build(input_shape)
            self.stack[0].build((None, self.units))
            self.stack[1].build((None, self.units))
            self.named["last"].build((None, self.units))
            self.shift = self.add_weight(shape=(2,), initializer="ones", name="shift")
            super().build(input_shape)

        def call(self, x):
            x = self.wide(x)
            for layer in self.stack:
                x = layer(x)
            return self.named["last"](x) + self.shift

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return Block


def sequential(k):
    layers = k.layers
    model = k.Sequential([
        layers.Input((6,)), layers.Dense(8, activation="relu", kernel_regularizer=k.regularizers.L2(0.01)),
        layers.BatchNormalization(), layers.Dropout(0.3, seed=3), layers.Dense(7, use_bias=False, name="middle"),
        layers.Activation("tanh"), layers.LeakyReLU(0.1), layers.PReLU(), layers.LayerNormalization(),
        layers.UnitNormalization(), layers.Reshape((7, 1)), layers.Flatten(), layers.RepeatVector(2),
        layers.Permute((2, 1)), layers.Flatten(), layers.GaussianNoise(0.1), layers.Rescaling(2.0, 1.0),
        layers.Dense(1),
    ])  # fmt: skip
    rate = k.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9)
    model.compile(k.optimizers.Adam(rate, weight_decay=0.01), "mse", metrics=["mae"])
    return model, [(6,)], [1]


def functional(k):
    layers, ops = k.layers, k.ops
    a, b = layers.Input((6,), name="a"), layers.Input((6,), name="b")
    x = layers.Concatenate()([a, b * 2.0])
    inner = k.Sequential([layers.Input((12,)), layers.Dense(5, activation="gelu"), layers.Dense(5)], name="inner")
    x = inner(x)
    y = ops.tanh(x) + ops.sum(ops.concatenate([a, b], axis=-1), axis=1, keepdims=True)
    y = ops.softmax(ops.reshape(y, (-1, 5))) / 2.0
    y = 1.0 - ops.clip(y[:, :3], 0.0, 0.4)
    shared = layers.Dense(5, name="shared")
    z = layers.Add()([shared(x), shared(shared(x))])
    model = k.Model([a, b], {"left": layers.Dense(2, name="left")(z), "right": y})
    model.compile(
        k.optimizers.SGD(0.002, momentum=0.9, nesterov=True), {"left": "mse", "right": k.losses.Huber(0.5)},
        loss_weights={"left": 1.0, "right": 0.5},
    )  # fmt: skip
    return model, [(6,), (6,)], {"left": 2, "right": 3}


def custom(k):
    block = block_class(k)
    model = k.Sequential([k.layers.Input((6,)), block(4), block(3, name="second"), k.layers.Dense(1)])
    model.compile(k.optimizers.RMSprop(0.01, momentum=0.5, centered=True), "mae")
    return model, [(6,)], [1]


MODELS = {"sequential": sequential, "functional": functional, "custom": custom}


def arrays(shapes, outputs, rows=8):
    """Inputs and targets, the same on both sides."""
    rng = np.random.default_rng(4)
    x = [rng.normal(size=(rows, *shape)).astype("float32") for shape in shapes]
    if isinstance(outputs, dict):
        y = {name: rng.normal(size=(rows, n)).astype("float32") for name, n in outputs.items()}
    else:
        y = rng.normal(size=(rows, outputs[0])).astype("float32")
    return (x if len(x) > 1 else x[0]), y


def flat(outputs):
    """Predictions as one list of numbers."""
    parts = [outputs[name] for name in sorted(outputs)] if isinstance(outputs, dict) else [outputs]
    return [float(v) for part in parts for v in np.asarray(part).reshape(-1)]
