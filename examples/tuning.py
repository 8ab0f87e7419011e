"""Searches for a good network with Optuna, which ends hopeless trials early (scikit-learn's handwritten digits).

    pip install '.[examples,tuning]' && python examples/tuning.py

Each trial draws a width, a depth, a dropout rate, an optimizer and its learning rate, and reports its accuracy on
validation images after every epoch; a trial that is below the median of the earlier ones then is pruned. The best
network is trained again on training and validation images. Prints the best parameters, how many of 20 trials were
pruned, and the accuracy on 360 test images (0.961 to 0.989 over five seeds, with 4 to 14 pruned).
"""

import argparse

import optuna
from digits import load
from sklearn.model_selection import train_test_split

import falconet as keras
from falconet import layers


def make_model(width, depth, dropout, optimizer, learning_rate):
    model = keras.Sequential([keras.Input((64,))])
    for _ in range(depth):
        model.add(layers.Dense(width, activation="relu"))
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(10, activation="softmax"))
    optimizer = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}[optimizer](learning_rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def draw(trial):
    """The parameters of a trial: what the search decides."""
    return {
        "width": trial.suggest_int("width", 16, 256, log=True),
        "depth": trial.suggest_int("depth", 1, 3),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "optimizer": trial.suggest_categorical("optimizer", ["adam", "rmsprop"]),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 3e-2, log=True),
    }


def main(trials=20, epochs=15, seed=1):
    """Runs the example; returns the accuracy on the test images, and how many trials were pruned."""
    x_all, x_test, y_all, y_test = load()
    x_train, x_val, y_train, y_val = train_test_split(x_all, y_all, test_size=0.2, random_state=seed, stratify=y_all)

    def objective(trial):
        keras.utils.set_random_seed(seed)
        model = make_model(**draw(trial))
        history = model.fit(
            x_train, y_train, epochs=epochs, validation_data=(x_val, y_val), verbose=0,
            callbacks=[keras.callbacks.OptunaPruning(trial, "val_accuracy")],
        )  # fmt: skip
        return max(history.history["val_accuracy"])

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2),
    )
    study.optimize(objective, n_trials=trials)
    pruned = sum(trial.state == optuna.trial.TrialState.PRUNED for trial in study.trials)
    print(f"{pruned} of {trials} trials were pruned; the best, at {study.best_value:.4f} of {len(x_val)} images:")
    for name, value in study.best_params.items():
        print(f"    {name}: {value if not isinstance(value, float) else format(value, '.4g')}")

    keras.utils.set_random_seed(seed)
    model = make_model(**study.best_params)
    model.fit(x_all, y_all, epochs=2 * epochs, verbose=0)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"trained again on {len(x_all)} images: accuracy {accuracy:.4f} on {len(x_test)} test images")
    return accuracy, pruned


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few short trials")
    arguments = parser.parse_args()
    main(**({"trials": 6, "epochs": 4} if arguments.quick else {}))
