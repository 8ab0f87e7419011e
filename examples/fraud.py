"""Finds fraud among card payments with an autoencoder that has only ever seen honest ones.

    pip install '.[examples]' && python examples/fraud.py

THE PAYMENTS ARE GENERATED, not real: `generate` says how. Honest ones come from three kinds of customer, whose amount,
hour, distance from home and so on hang together; in a fraud three of them are those of other payments, so that each
value is usual and their combination is not. The autoencoder squeezes 8 columns through 3 numbers, and what it cannot
rebuild is suspicious. Prints the area under the ROC curve of the rebuilding error (0.955 to 0.976 over five seeds)
beside that of the distance from the mean, and how many frauds are among the most suspicious payments.
"""

import argparse

import numpy as np

import falconet as keras
from falconet import layers, plots

COLUMNS = ("amount", "hour", "distance", "items", "days since last", "limit", "merchant risk", "online")


def honest(rng, count):
    """Payments (count, 8) of customers of three kinds; within a kind two hidden numbers drive all columns."""
    kind = rng.integers(0, 3, count)
    hidden = rng.normal(size=(count, 2))
    # What the columns do as the hidden numbers move, and where they stand, for each kind: fixed for every seed.
    shape = np.random.default_rng(7)
    directions, centres = shape.normal(size=(3, 2, len(COLUMNS))), 2 * shape.normal(size=(3, len(COLUMNS)))
    rows = centres[kind] + np.einsum("nh,nhc->nc", hidden, directions[kind])
    return rows + 0.4 * rng.normal(size=rows.shape)


def generate(seed, train=4000, test=2000, frauds=60):
    """(x_train, x_test, y_test): generated payments, in standard units; y is 1 for fraud. A fraud is an honest payment
    with three of its columns from three others, so that no single column tells it."""
    rng = np.random.default_rng(seed)
    x_train, x_test, donors = honest(rng, train), honest(rng, test), honest(rng, 4000)
    fraud = honest(rng, frauds)
    for row in fraud:
        columns = rng.choice(len(COLUMNS), 3, replace=False)
        row[columns] = donors[rng.choice(len(donors), 3), columns]
    mean, std = x_train.mean(axis=0), x_train.std(axis=0)
    x_test = np.concatenate([x_test, fraud])
    labels = np.concatenate([np.zeros(test, int), np.ones(frauds, int)])
    return ((x_train - mean) / std).astype("float32"), ((x_test - mean) / std).astype("float32"), labels


def make_model(columns):
    inputs = keras.Input((columns,))
    code = layers.Dense(3, name="code")(layers.Dense(32, activation="relu")(inputs))
    outputs = layers.Dense(columns)(layers.Dense(32, activation="relu")(code))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return model


def main(epochs=60, seed=1, verbose=0):
    """Runs the example; returns the areas under the ROC curve of the autoencoder and of the plain distance."""
    keras.utils.set_random_seed(seed)
    x_train, x_test, y_test = generate(seed)
    print(f"{len(x_train)} generated honest payments to learn from, {len(x_test)} to judge ({y_test.sum()} frauds)")
    model = make_model(x_train.shape[1])
    stopping = keras.callbacks.EarlyStopping(patience=8, restore_best_weights=True)
    model.fit(
        x_train, x_train, batch_size=64, epochs=epochs, validation_split=0.1, callbacks=[stopping], verbose=verbose
    )
    errors = np.mean((model.predict(x_test) - x_test) ** 2, axis=1)
    area, plain = plots.roc_curve(y_test, errors)[3], plots.roc_curve(y_test, np.mean(x_test**2, axis=1))[3]
    print(f"area under the ROC curve: {area:.4f}; of the distance from the mean alone: {plain:.4f}")
    worst = np.argsort(-errors)[: y_test.sum()]
    print(f"among the {len(worst)} most suspicious payments are {y_test[worst].sum()} frauds")
    return area, plain


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few epochs")
    arguments = parser.parse_args()
    main(epochs=3 if arguments.quick else 60)
