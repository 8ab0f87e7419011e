"""The libraries of a build for inference only with one instruction set, in the prefix that FALCONET_INFERENCE_PREFIX
names (.ci/run builds one).

    cmake -S . -B build/inference -DFALCONET_INFERENCE_ONLY=ON -DFALCONET_ISAS=avx2
    cmake --build build/inference && cmake --install build/inference --prefix build/inference/prefix
"""

import ctypes
import os
import pathlib

import numpy as np
import pytest
from test_embedding import EXAMPLES, check_prediction, model, run, tool  # noqa: F401 - `model` is a fixture

import falconet as keras
from falconet import layers, ops

PREFIX = os.environ.get("FALCONET_INFERENCE_PREFIX", "")
pytestmark = pytest.mark.skipif(not PREFIX, reason="FALCONET_INFERENCE_PREFIX does not name the build's libraries")
MOST_BYTES = 1_500_000  # of the static library with one instruction set, as it is installed


class LossOfRow(layers.Layer):
    """A model's output that only a training step's kernels compute."""

    def call(self, x):
        return ops.sparse_categorical_crossentropy(ops.zeros((ops.shape(x)[0],), "int32"), x, from_logits=True)


@pytest.fixture(scope="module")
def library():
    found = ctypes.CDLL(str(pathlib.Path(PREFIX) / "lib" / "libfalconet.so"))
    found.falconet_last_error.restype = ctypes.c_char_p
    return found


def test_predicts_as_python_does(model, tmp_path):  # noqa: F811
    source, archive = EXAMPLES / "c" / "main.c", pathlib.Path(PREFIX) / "lib" / "libfalconet.a"
    flags = [f"-I{PREFIX}/include", "-lstdc++", "-lm", "-lpthread"]
    run(tool("cc"), source, archive, *flags, "-o", tmp_path / "predict")
    check_prediction(tmp_path / "predict", model)


def test_what_only_training_needs_is_refused_with_its_name(library, tmp_path):
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((4,)), layers.Dense(3), LossOfRow()])
    made.export(tmp_path / "loss.falconet")
    assert np.isfinite(keras.Predictor(tmp_path / "loss.falconet")(np.ones((2, 4), "float32"))).all()
    handle = ctypes.c_void_p()
    status = library.falconet_predictor_load(os.fsencode(tmp_path / "loss.falconet"), None, ctypes.byref(handle))
    assert status != 0 and b"built for inference only" in library.falconet_last_error()
    learner = library.falconet_learner_load(os.fsencode(tmp_path / "loss.falconet"), None, ctypes.byref(handle))
    assert learner != 0 and b"built for inference only" in library.falconet_last_error()


def test_the_static_library_is_small(tmp_path):
    archive, stripped = pathlib.Path(PREFIX) / "lib" / "libfalconet.a", tmp_path / "libfalconet.a"
    run(tool("strip"), "--strip-unneeded", "-o", stripped, archive)
    assert stripped.stat().st_size < MOST_BYTES
