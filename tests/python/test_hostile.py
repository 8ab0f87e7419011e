"""Hostile model files: each is refused with words that say why, without much memory and without delay."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from falconet import _core

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "hostile"))

from make_hostile import GOOD, cases  # noqa: E402

CASES = cases()


def load(path):
    """Reads the file and computes its graph's shapes, as a Predictor does."""
    _core.describe_model(str(path))
    (port,) = _core.describe_model(str(path))["signatures"]["predict"]["inputs"]
    shape = [2 if not isinstance(d, int) else d for d in port["shape"]]
    _core.run_model(str(path), "predict", [np.zeros(shape, port["dtype"])], 2)


def test_the_file_they_are_made_from_is_good(tmp_path):
    (tmp_path / "m.falconet").write_bytes(GOOD)
    load(tmp_path / "m.falconet")


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
    wanted = {name: data for name, (data, _) in CASES.items() if len(data) <= 16384} | {"good": GOOD}
    assert sorted(stored) == sorted(wanted)
    assert all(stored[name] == data for name, data in wanted.items())
