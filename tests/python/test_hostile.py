"""Hostile model files: each is refused with words that say why, without much memory and without delay."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from falconet import Predictor, _core

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "hostile"))

from make_hostile import ACCEPTED, cases  # noqa: E402

CASES = cases()


def load(path):
    """Reads the file and computes its graph's shapes, as a Predictor does."""
    _core.describe_model(str(path))
    (port,) = _core.describe_model(str(path))["signatures"]["predict"]["inputs"]
    shape = [2 if not isinstance(d, int) else d for d in port["shape"]]
    _core.run_model(str(path), "predict", [np.ones(shape, port["dtype"])], 2)


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name, tmp_path):
    """The file that the others are made from; and one whose arrays lie at odd addresses, which costs a copy of them."""
    header = int.from_bytes(ACCEPTED[name][:8], "little")
    assert (header % 2 == 1) == (name == "misaligned")
    path = tmp_path / "m.falconet"
    path.write_bytes(ACCEPTED[name])
    for source in (str(path), ACCEPTED[name]):
        np.testing.assert_array_equal(Predictor(source)(np.ones((3, 2), "float32")), np.ones((3, 2)))
    load(path)


@pytest.mark.parametrize("name", sorted(CASES))
def test_refused(name, tmp_path):
    data, words = CASES[name]
    path = tmp_path / "m.falconet"
    path.write_bytes(data)
    began = time.perf_counter()
    with pytest.raises((ValueError, TypeError), match=words):
        load(path)
    # A second for 100 MB is promised; these are at most a few MB, on a machine that may be busy.
    assert time.perf_counter() - began < 5


def test_files_are_what_the_script_makes():
    folder = ROOT / "hostile" / "files"
    stored = {p.stem: p.read_bytes() for p in folder.glob("*.falconet")}
    wanted = {name: data for name, (data, _) in CASES.items() if len(data) <= 16384} | ACCEPTED
    assert sorted(stored) == sorted(wanted)
    assert all(stored[name] == data for name, data in wanted.items())
