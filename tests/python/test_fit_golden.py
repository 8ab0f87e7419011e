"""Whole runs of fit, evaluate and the batch methods against those recorded from Keras (tests/golden/fit_cases.py)."""

import json
import sys
from pathlib import Path

import pytest

import falconet as keras

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))

from fit_cases import CASES, run  # noqa: E402

EXPECTED = json.loads((GOLDEN / "fit.json").read_text())["runs"]


def compare(found, expected, path):
    if isinstance(expected, dict):
        assert list(found) == list(expected) if path.endswith("history") else set(found) == set(expected), path
        for key, value in expected.items():
            compare(found[key], value, f"{path}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for i, value in enumerate(expected):
            compare(found[i], value, f"{path}[{i}]")
    elif isinstance(expected, float):
        # A dozen float32 steps: errors of 1e-6 a step, grown by the training itself.
        assert found == pytest.approx(expected, rel=2e-4, abs=1e-5), path
    else:
        assert found == expected, path


def test_every_case_is_recorded():
    assert set(EXPECTED) == set(CASES)


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.filterwarnings("ignore:.*the loss has no gradient")
def test_run_as_in_keras(name):
    compare(run(keras, name), EXPECTED[name], name)
