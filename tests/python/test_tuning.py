"""Pruning of Optuna's trials."""

import subprocess
import sys

import numpy as np
import pytest

import falconet as keras
from falconet import layers

optuna = pytest.importorskip("optuna", reason="optuna is not installed: pip install '.[tuning]'")
optuna.logging.set_verbosity(optuna.logging.WARNING)

X, Y = np.ones((8, 1), "float32"), np.ones((8, 1), "float32")


def fit(trial, rate, epochs=6, metrics=None, **kwargs):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(rate), "mse", metrics=metrics)
    kwargs.setdefault("monitor", "loss")
    callback = keras.callbacks.OptunaPruning(trial, **kwargs)
    return model.fit(X, Y, epochs=epochs, callbacks=[callback], verbose=0).history["loss"]


def study(pruner=None, **kwargs):
    return optuna.create_study(pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0), **kwargs)


def test_a_hopeless_trial_ends_early_and_the_search_goes_on():
    rates = [0.25, 0.0, 0.3]
    search = study(optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=2))
    search.optimize(lambda trial: fit(trial, rates[trial.number])[-1], n_trials=3)
    assert [trial.state.name for trial in search.trials] == ["COMPLETE", "PRUNED", "COMPLETE"]
    # (1 - w)^2 with w one step of 2 rate (1 - w) further each epoch; the loss is that before the step.
    expected = {epoch: 0.5 ** (2 * epoch) for epoch in range(6)}
    assert search.trials[0].intermediate_values == pytest.approx(expected, rel=1e-5)
    assert list(search.trials[1].intermediate_values) == [0, 1, 2]


def test_the_interval_and_trials_without_a_study():
    search = study(optuna.pruners.NopPruner())
    search.optimize(lambda trial: fit(trial, 0.25, interval=2)[-1], n_trials=1)
    assert list(search.trials[0].intermediate_values) == [1, 3, 5]
    assert len(fit(optuna.trial.FixedTrial({}), 0.1)) == 6


@pytest.mark.parametrize(
    "direction, metric, message",
    [
        ("maximize", None, "of 'loss' the smaller is better, and the study goes up"),
        ("minimize", "r2_score", "of 'r2_score' the larger is better, and the study goes down"),
    ],
)
def test_a_study_in_the_wrong_direction(direction, metric, message):
    trial = study(direction=direction).ask()
    with pytest.raises(ValueError, match=message):
        fit(trial, 0.1, metrics=[metric] if metric else None, monitor=metric or "loss")


def test_misuse():
    trial = study().ask()
    with pytest.raises(TypeError, match="`trial` must be an Optuna trial, got 3"):
        keras.callbacks.OptunaPruning(3)
    with pytest.raises(ValueError, match="`interval` must be an integer >= 1, got 0"):
        keras.callbacks.OptunaPruning(trial, interval=0)
    with pytest.raises(ValueError, match="several objectives"):
        keras.callbacks.OptunaPruning(study(directions=["minimize", "maximize"]).ask())
    with pytest.warns(UserWarning, match="there is no 'val_loss' in the logs"):
        fit(trial, 0.1, monitor="val_loss")


def test_without_optuna_the_error_names_the_extra():
    script = (
        "import sys; sys.modules['optuna'] = None\n"
        "from falconet import callbacks\n"
        "try:\n    callbacks.OptunaPruning(None)\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'falconet[tuning]'" in done.stdout
