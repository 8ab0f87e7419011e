"""The examples, run as a reader runs them or through their `main`, give what they promise."""

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the examples' data comes with scikit-learn: pip install '.[examples]'")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch):
    """example(name) imports examples/<name>.py."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


def test_digits_reaches_97_percent_and_the_loaded_model_predicts_the_same(example, capsys):
    accuracy, same = example("digits").main(verbose=0)
    assert accuracy >= 0.97
    assert same
    printed = capsys.readouterr().out
    assert "Total params" in printed and "accuracy on 360 test images" in printed


def test_digits_runs_as_a_script():
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / "digits.py"), "--epochs", "2"], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert "Epoch 2/2" in run.stdout and "predicts the same" in run.stdout


def test_binary_classifier_learns_by_hand_and_with_fit(example, capsys):
    (by_hand, accuracy_by_hand), (with_fit, accuracy_with_fit) = example("binary_classifier").main()
    assert accuracy_by_hand >= 0.99 and accuracy_with_fit >= 0.99
    assert len(by_hand) == len(with_fit) == 1000
    # The same steps from the same weights, the loss a mean of squares in either order of reduction: rounding alone may
    # tell them apart, and the path is a descent, which does not amplify it beyond the loss's own digits at first.
    np.testing.assert_allclose(by_hand[:100], with_fit[:100], rtol=1e-4)
    printed = capsys.readouterr().out
    assert printed.count("epoch  100 ") == 2 and printed.count("epoch 1000 ") == 2


def test_own_parts_give_what_the_built_in_ones_give(example, capsys):
    histories, difference, (built_in, own) = example("own_everything").main(epochs=3, rounds=1, units=32)
    # Rounding alone differs: sums of 128 terms agree to some 1e-6, and Adam's steps of 0.002 carry a relative
    # difference of the gradients of that size into the weights, 33 times.
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-4)
    assert difference < 1e-4
    assert built_in > 0 and own > 0
    assert "own / built-in =" in capsys.readouterr().out


# The bounds below are under what the worst of five seeds gave (the examples say what that was).


@pytest.mark.parametrize("script", ["tabular_regression", "breast_cancer", "fraud", "tuning", "gan_digits"])
def test_examples_run_quickly_as_scripts(script, tmp_path):
    if script == "tuning":
        pytest.importorskip("optuna", reason="optuna is not installed: pip install '.[tuning]'")
    command = [sys.executable, str(EXAMPLES / f"{script}.py"), "--quick"]
    if script == "gan_digits":
        command += ["--folder", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()


def test_tabular_regression_explains_more_than_a_linear_model(example, tmp_path, capsys):
    plots = None
    if importlib.util.find_spec("matplotlib"):
        plots = tmp_path / "plots"
    r2, epochs = example("tabular_regression").main(plots=plots)
    assert r2 > 0.46 and epochs < 200
    assert plots is None or {path.name for path in plots.iterdir()} == {"history.png", "predictions.png"}


def test_breast_cancer_finds_the_malignant(example, capsys):
    area, recall, error = example("breast_cancer").main()
    assert area > 0.98 and recall > 0.9 and error < 0.06
    printed = capsys.readouterr().out
    assert "benign 0.80, malignant 1.34" in printed and "missed" in printed


def test_fraud_is_found_by_what_cannot_be_rebuilt(example, capsys):
    area, plain = example("fraud").main()
    assert area > 0.93 and plain < 0.65
    assert "generated honest payments" in capsys.readouterr().out


def test_tuning_prunes_and_finds_a_good_network(example, capsys):
    pytest.importorskip("optuna", reason="optuna is not installed: pip install '.[tuning]'")
    accuracy, pruned = example("tuning").main()
    assert accuracy > 0.945 and 1 <= pruned < 20
    assert "trials were pruned" in capsys.readouterr().out


def test_gan_draws_half_of_the_digits_after_a_fifth_of_its_epochs(example, tmp_path, capsys):
    share, digits, sheets = example("gan_digits").main(epochs=60, folder=tmp_path)
    assert share > 0.15 and digits >= 5
    before, after = (sheet.read_bytes() for sheet in sheets)
    assert before.startswith(b"\x89PNG") and after.startswith(b"\x89PNG") and before != after
