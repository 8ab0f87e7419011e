"""Twenty short programs as people write them after Keras's tutorials, on scikit-learn's data sets and made ones.

Each takes the module, `keras` or `falconet`, and gives the losses and metrics it ends with. The same start is all that
is added to a program: `start` draws matrices by a fixed seed, batches come in order, and nothing drops out at random.
`make_golden_tutorials.py` keeps what Keras gives.
"""

import numpy as np
from sklearn import datasets


def start(model):
    """Weights of two axes or more: Glorot's uniform ones by their position. Vectors stay what they are."""
    for i, w in enumerate(model.weights):
        if len(w.shape) >= 2:
            limit = (6 / (w.shape[0] + w.shape[-1])) ** 0.5
            w.assign(np.random.RandomState(i).uniform(-limit, limit, w.shape).astype("float32"))
    return model


def table(load, classes=None):
    """Standardized rows in a fixed random order, and their targets."""
    x, y = load(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(x))
    x = (x - x.mean(0)) / (x.std(0) + 1e-7)
    return x[order].astype("float32"), y[order].astype("int32" if classes else "float32")


def digits():
    x, y = datasets.load_digits(return_X_y=True)
    return (x / 16).astype("float32"), y.astype("int32")


def last(history):
    return {name: float(values[-1]) for name, values in history.history.items()}


def scores(model, *data):
    return {name: float(value) for name, value in model.evaluate(*data, verbose=0, return_dict=True).items()}


def first_classifier(keras):
    x, y = table(datasets.load_iris, classes=3)
    model = keras.Sequential()
    model.add(keras.Input((4,)))
    model.add(keras.layers.Dense(16, activation="relu"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    start(model)
    history = model.fit(x, y, batch_size=16, epochs=10, validation_split=0.2, shuffle=False, verbose=0)
    return last(history)


def binary_classification(keras):
    x, y = table(datasets.load_breast_cancer)
    model = keras.Sequential(
        [keras.Input((30,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-3),
        loss="binary_crossentropy",
        metrics=["accuracy", keras.metrics.AUC(), keras.metrics.Precision(name="precision"), keras.metrics.Recall()],
    )
    start(model)
    model.fit(x[:400], y[:400], epochs=5, shuffle=False, verbose=0)
    return {f"score {i}": v for i, v in enumerate(scores(model, x[400:], y[400:]).values())}


def fuel_regression_with_normalization(keras):
    x, y = datasets.load_diabetes(return_X_y=True)
    x, y = x.astype("float32"), (y / 100).astype("float32")
    normalizer = keras.layers.Normalization(axis=-1)
    normalizer.adapt(x)
    dense = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(32, activation="relu")]
    model = keras.Sequential([keras.Input((10,)), normalizer, *dense, keras.layers.Dense(1)])
    model.compile(loss="mean_absolute_error", optimizer=keras.optimizers.Adam(0.001), metrics=["mse"])
    for layer in (*dense, model.layers[-1]):
        start(layer)
    history = model.fit(x, y, validation_split=0.2, epochs=8, shuffle=False, verbose=0)
    return last(history)


def underfit_and_overfit(keras):
    x, y = digits()
    found = {}
    for name, penalty in (
        ("plain", None),
        ("l2", keras.regularizers.L2(0.001)),
        ("l1l2", keras.regularizers.L1L2(1e-4, 1e-4)),
    ):
        model = keras.Sequential(
            [
                keras.Input((64,)),
                keras.layers.Dense(32, activation="elu", kernel_regularizer=penalty),
                keras.layers.Dense(10),
            ]
        )
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        start(model)
        history = model.fit(x[:600], y[:600], validation_data=(x[600:], y[600:]), epochs=4, shuffle=False, verbose=0)
        found |= {f"{name} {key}": value for key, value in last(history).items()}
    return found


def _reviews(rows=200, words=50, length=12):
    """Numbers for words; a review is good where the first half of the dictionary prevails."""
    x = np.random.RandomState(1).randint(1, words, (rows, length)).astype("int32")
    return x, ((x < words // 2).mean(1) > 0.5).astype("float32")


def text_classification(keras):
    x, y = _reviews()
    model = keras.Sequential(
        [
            keras.Input((12,), dtype="int32"),
            keras.layers.Embedding(50, 8),
            keras.layers.Lambda(lambda t: keras.ops.mean(t, axis=1)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=[keras.metrics.BinaryAccuracy(threshold=0.5)])
    start(model)
    return last(model.fit(x, y, epochs=12, batch_size=20, shuffle=False, verbose=0))


def tickets_with_two_inputs_and_outputs(keras):
    words, labels = _reviews()
    tags = np.random.RandomState(2).randint(0, 2, (200, 6)).astype("float32")
    title, tag = keras.Input((12,), name="title", dtype="int32"), keras.Input((6,), name="tags")
    features = keras.layers.Flatten()(keras.layers.Embedding(50, 4)(title))
    x = keras.layers.concatenate([features, tag])
    priority = keras.layers.Dense(1, name="priority")(x)
    department = keras.layers.Dense(4, name="department")(x)
    model = keras.Model(inputs=[title, tag], outputs={"priority": priority, "department": department})
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss={
            "priority": keras.losses.BinaryCrossentropy(from_logits=True),
            "department": keras.losses.CategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"priority": 1.0, "department": 0.2},
    )
    start(model)
    wanted = {"priority": labels[:, None], "department": np.eye(4, dtype="float32")[(tags.sum(1) % 4).astype(int)]}
    history = model.fit({"title": words, "tags": tags}, wanted, epochs=4, batch_size=32, shuffle=False, verbose=0)
    return last(history)


def subclassed_model(keras):
    class MLP(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = [keras.layers.Dense(24, activation="gelu"), keras.layers.Dense(24, activation="gelu")]
            self.normalize = keras.layers.LayerNormalization()
            self.classify = keras.layers.Dense(3)

        def call(self, x):
            for layer in self.hidden:
                x = layer(x)
            return self.classify(self.normalize(x))

    x, y = table(datasets.load_wine, classes=3)
    model = MLP()
    model(x[:1])
    model.compile("nadam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    start(model)
    return last(model.fit(x, y, epochs=6, batch_size=16, shuffle=False, verbose=0))


def own_layer_with_a_loss(keras):
    class Linear(keras.layers.Layer):
        def __init__(self, units, rate):
            super().__init__()
            self.units, self.rate = units, rate

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="zeros", trainable=True)
            self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

        def call(self, inputs):
            self.add_loss(self.rate * keras.ops.sum(keras.ops.square(self.w)))
            return keras.ops.matmul(inputs, self.w) + self.b

    x, y = table(datasets.load_diabetes)
    model = keras.Sequential([keras.Input((10,)), Linear(16, 1e-3), keras.layers.ReLU(), Linear(1, 1e-3)])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    start(model)
    return last(model.fit(x, y / 100, epochs=5, shuffle=False, verbose=0))


def own_loss_and_metric(keras):
    class CategoricalTruePositives(keras.metrics.Metric):
        def __init__(self, name="true_positives"):
            super().__init__(name=name)
            self.count = self.add_variable(shape=(), name="count", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            y_pred = keras.ops.argmax(y_pred, axis=1)
            same = keras.ops.equal(keras.ops.cast(y_true, "int32"), keras.ops.cast(y_pred, "int32"))
            self.count.assign_add(keras.ops.sum(keras.ops.cast(same, "float32")))

        def result(self):
            return self.count.value

        def reset_state(self):
            self.count.assign(0)

    def smooth_loss(y_true, y_pred):
        wanted = keras.ops.one_hot(keras.ops.cast(y_true, "int32"), 10) * 0.9 + 0.01
        return -keras.ops.sum(wanted * keras.ops.log_softmax(y_pred), axis=-1)

    x, y = digits()
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10)])
    model.compile("adam", smooth_loss, metrics=[CategoricalTruePositives()])
    start(model)
    return last(model.fit(x[:800], y[:800], batch_size=64, epochs=4, shuffle=False, verbose=0))


def early_stopping_and_plateau(keras):
    x, y = table(datasets.load_wine, classes=3)
    model = keras.Sequential([keras.Input((13,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    start(model)
    callbacks = [
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=2, min_delta=1e-3),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True),
    ]
    history = model.fit(x[:120], y[:120], validation_data=(x[120:], y[120:]), epochs=30, callbacks=callbacks,
                        shuffle=False, verbose=0)  # fmt: skip
    rate = float(np.asarray(model.optimizer.learning_rate))
    return {"epochs": len(history.epoch), "rate": rate, **scores(model, x[120:], y[120:])}


def learning_rate_schedules(keras):
    x, y = digits()
    schedules = keras.optimizers.schedules
    found = {}
    for name, schedule in {
        "exponential": schedules.ExponentialDecay(0.01, decay_steps=20, decay_rate=0.9),
        "cosine": schedules.CosineDecay(0.0, 50, warmup_target=0.01, warmup_steps=10),
        "piecewise": schedules.PiecewiseConstantDecay([20, 40], [0.01, 0.005, 0.001]),
    }.items():
        model = keras.Sequential(
            [keras.Input((64,)), keras.layers.Dense(16, "tanh"), keras.layers.Dense(10, "softmax")]
        )
        model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
        start(model)
        found[name] = last(model.fit(x[:640], y[:640], epochs=3, shuffle=False, verbose=0))["loss"]
    return found


def autoencoder(keras):
    x, _ = digits()
    image = keras.Input((64,))
    encoded = keras.layers.Dense(12, activation="relu", activity_regularizer=keras.regularizers.L1(1e-5))(image)
    decoded = keras.layers.Dense(64, activation="sigmoid")(encoded)
    model, encoder = keras.Model(image, decoded), keras.Model(image, encoded)
    model.compile("adam", "binary_crossentropy")
    start(model)
    history = model.fit(x, x, epochs=3, batch_size=64, shuffle=False, validation_split=0.1, verbose=0)
    return {**last(history), "code": float(encoder.predict(x, verbose=0).mean())}


def imbalanced_classification(keras):
    x, y = table(datasets.load_breast_cancer)
    rows = np.flatnonzero((y == 1) | (np.arange(len(y)) % 10 == 0))
    x, y = x[rows], 1 - y[rows]
    model = keras.Sequential(
        [
            keras.Input((30,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid", bias_initializer=keras.initializers.Constant(-2.0)),
        ]
    )
    metrics = [keras.metrics.FalseNegatives(name="fn"), keras.metrics.TruePositives(name="tp")]
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=metrics)
    start(model)
    weight = {0: 1 / float((y == 0).sum()) * len(y) / 2, 1: 1 / float((y == 1).sum()) * len(y) / 2}
    return last(model.fit(x, y, batch_size=64, epochs=6, class_weight=weight, shuffle=False, verbose=0))


def sample_weights(keras):
    x, y = table(datasets.load_diabetes)
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(16, "softplus"), keras.layers.Dense(1)])
    model.compile("adamw", "huber", metrics=["mae"], weighted_metrics=["mse"])
    start(model)
    weights = np.where(y > 150, 2.0, 0.5).astype("float32")
    return last(model.fit(x, y / 100, sample_weight=weights, epochs=6, shuffle=False, verbose=0))


def transfer_learning(keras):
    x, y = digits()
    base = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(16, "relu")])
    first = keras.Sequential([keras.Input((64,)), base, keras.layers.Dense(5, "softmax")])
    first.compile("adam", "sparse_categorical_crossentropy")
    start(first)
    old, new = y < 5, y >= 5
    first.fit(x[old], y[old], epochs=3, shuffle=False, verbose=0)
    base.trainable = False
    head = keras.layers.Dense(5, "softmax")
    second = keras.Sequential([keras.Input((64,)), base, head])
    second.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    start(head)
    frozen = last(second.fit(x[new], y[new] - 5, epochs=3, shuffle=False, verbose=0))
    base.trainable = True
    second.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    tuned = last(second.fit(x[new], y[new] - 5, epochs=2, shuffle=False, verbose=0))
    return {**frozen, **{f"tuned {k}": v for k, v in tuned.items()}}


def loop_over_batches(keras):
    x, y = table(datasets.load_iris, classes=3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "swish"), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adagrad(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    start(model)
    for _ in range(4):
        for i in range(0, 120, 24):
            logs = model.train_on_batch(x[i : i + 24], y[i : i + 24], return_dict=True)
        found = {k: float(v) for k, v in logs.items()}
        model.reset_metrics()
    held_out = model.test_on_batch(x[120:], y[120:], return_dict=True)
    return {**found, **{f"test {k}": float(v) for k, v in held_out.items()}}


def architecture_to_json_and_on(keras):
    x, y = table(datasets.load_wine, classes=3)
    inputs = keras.Input((13,))
    h = keras.layers.BatchNormalization()(keras.layers.Dense(16, activation="relu")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(h))
    model.compile("adam", "sparse_categorical_crossentropy")
    start(model)
    model.fit(x, y, epochs=3, batch_size=25, shuffle=False, verbose=0)
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    again.compile("adam", "sparse_categorical_crossentropy")
    history = again.fit(x, y, epochs=3, batch_size=25, shuffle=False, verbose=0)
    return {**last(history), "evaluated": scores(again, x, y)["loss"]}


def k_fold_validation(keras):
    x, y = table(datasets.load_diabetes)
    found = {}
    for fold in range(3):
        keras.utils.clear_session()
        held = np.arange(len(x)) % 3 == fold
        model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(12, "relu"), keras.layers.Dense(1)])
        model.compile("rmsprop", "mse", metrics=["mae"])
        start(model)
        model.fit(x[~held], y[~held] / 100, epochs=6, batch_size=16, shuffle=False, verbose=0)
        found |= {f"{fold} {k}": v for k, v in scores(model, x[held], y[held] / 100).items()}
    return found


def many_labels(keras):
    x, y = digits()
    labels = np.stack([y % 2 == 0, y > 4, np.isin(y, (0, 6, 8, 9))], 1).astype("float32")
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(24, "leaky_relu"), keras.layers.Dense(3, "sigmoid")]
    )
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras.metrics.AUC(multi_label=True, name="auc")]
    model.compile("adam", keras.losses.BinaryFocalCrossentropy(), metrics=metrics)
    start(model)
    return last(model.fit(x, labels, epochs=3, shuffle=False, verbose=0))


def wide_and_deep(keras):
    x, y = table(datasets.load_diabetes)
    wide, deep = keras.Input((4,), name="wide"), keras.Input((10,), name="deep")
    h = keras.layers.Dense(20, activation="selu", kernel_initializer="lecun_normal")(deep)
    h = keras.layers.Dense(20, activation="selu", kernel_initializer="lecun_normal")(h)
    output = keras.layers.Dense(1, name="main")(keras.layers.Concatenate()([wide, h]))
    aside = keras.layers.Dense(1, name="aside")(h)
    model = keras.Model([wide, deep], [output, aside])
    model.compile(keras.optimizers.Adamax(0.01), loss=["mse", "mse"], loss_weights=[0.9, 0.1])
    start(model)
    return last(model.fit([x[:, :4], x], [y / 100, y / 100], epochs=5, shuffle=False, verbose=0))


def collaborative_filtering(keras):
    random = np.random.RandomState(3)
    users, films = random.randint(0, 30, 900), random.randint(0, 40, 900)
    ratings = ((users * 7 + films * 3) % 5).astype("float32") / 4

    class Recommender(keras.Model):
        def __init__(self):
            super().__init__()
            self.users, self.user_bias = keras.layers.Embedding(30, 8), keras.layers.Embedding(30, 1)
            self.films, self.film_bias = keras.layers.Embedding(40, 8), keras.layers.Embedding(40, 1)

        def call(self, pairs):
            user, film = pairs[:, 0], pairs[:, 1]
            match = keras.ops.sum(self.users(user) * self.films(film), axis=1, keepdims=True)
            return keras.ops.sigmoid(match + self.user_bias(user) + self.film_bias(film))

    pairs = np.stack([users, films], 1).astype("int32")
    model = Recommender()
    model(pairs[:2])
    model.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy())
    start(model)
    return last(model.fit(pairs, ratings, batch_size=64, epochs=5, validation_split=0.1, shuffle=False, verbose=0))


def siamese(keras):
    x, y = digits()
    left, right = x[:600], x[600:1200]
    same = (y[:600] == y[600:1200]).astype("float32")
    tower = keras.Sequential([keras.Input((64,)), keras.layers.Dense(24, "relu"), keras.layers.Dense(8)])
    a, b = keras.Input((64,)), keras.Input((64,))
    distance = keras.layers.Lambda(
        lambda ab: keras.ops.sqrt(keras.ops.sum(keras.ops.square(ab[0] - ab[1]), 1, keepdims=True) + 1e-7)
    )([tower(a), tower(b)])
    model = keras.Model(
        [a, b], keras.layers.Dense(1, activation="sigmoid")(keras.layers.BatchNormalization()(distance))
    )

    def contrastive(y_true, y_pred):
        margin = keras.ops.square(keras.ops.maximum(1 - y_pred, 0))
        return keras.ops.mean((1 - y_true) * keras.ops.square(y_pred) + y_true * margin)

    model.compile(keras.optimizers.RMSprop(), contrastive, metrics=["accuracy"])
    start(model)
    return last(model.fit([left, right], same, epochs=3, batch_size=50, shuffle=False, verbose=0))


CASES = {
    case.__name__: case
    for case in (
        first_classifier, binary_classification, fuel_regression_with_normalization, underfit_and_overfit,
        text_classification, tickets_with_two_inputs_and_outputs, subclassed_model, own_layer_with_a_loss,
        own_loss_and_metric, early_stopping_and_plateau, learning_rate_schedules, autoencoder,
        imbalanced_classification, sample_weights, transfer_learning, loop_over_batches, architecture_to_json_and_on,
        k_fold_validation, many_labels, wide_and_deep, collaborative_filtering, siamese,
    )
}  # fmt: skip


def run(keras, name):
    keras.utils.clear_session()
    return CASES[name](keras)
