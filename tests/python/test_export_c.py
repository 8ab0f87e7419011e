"""`Model.export_c`: the file compiles as strict C99, and gives what Falconet gives."""

import ctypes
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import falconet as keras
from falconet import layers, ops

COMPILER = shutil.which(os.environ.get("CC", "cc"))
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic"]
needs_compiler = pytest.mark.skipif(
    COMPILER is None or sys.platform == "win32", reason="there is no C compiler with the command line of cc"
)


def mlp():
    return keras.Sequential([
        keras.Input((7,)), layers.Dense(16, activation="relu"), layers.Dense(9, activation="tanh"), layers.Dense(3)
    ])  # fmt: skip


def classifier():
    return keras.Sequential([
        keras.Input((12,)), layers.Dense(20, activation="gelu"), layers.LayerNormalization(),
        layers.Dense(5, activation="softmax"),
    ])  # fmt: skip


def of(shape, *functions, dtype="float32"):
    """A functional model whose outputs are the functions of one input."""

    def make():
        x = keras.Input(shape, dtype=dtype)
        return keras.Model(x, [f(x) for f in functions] if len(functions) > 1 else functions[0](x))

    return make


def two_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b-c")
    return keras.Model([a, b], layers.Dense(2)(layers.Concatenate()([a, b])))


def embedding():
    x = keras.Input((5,), dtype="int32")
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.Embedding(10, 4)(x))))


MODELS = {
    "mlp": mlp,
    "classifier": classifier,
    "two_inputs": two_inputs,
    "embedding": embedding,
    "float64": lambda: keras.Sequential([keras.Input((5,), dtype="float64"), layers.Dense(3, dtype="float64")]),
    "pointwise": of(
        (6,), ops.exp, ops.sigmoid, ops.softplus, ops.silu, ops.erf, ops.sign, ops.sin, lambda x: x / 3 - 1
    ),
    "more_pointwise": of(
        (6,), lambda x: ops.maximum(x, 0.25), lambda x: ops.where(x > 0, x, -x), lambda x: ops.square(x) * 2,
        lambda x: ops.rsqrt(ops.abs(x) + 1), lambda x: ops.clip(x, -0.5, 0.5), lambda x: ops.power(ops.abs(x), 1.5),
        lambda x: ops.round(x * 3), lambda x: ops.floor(x),
    ),
    "reductions": of(
        (4, 6), lambda x: ops.sum(x, 1), lambda x: ops.mean(x, -1, keepdims=True), lambda x: ops.max(x, (1, 2)),
        lambda x: ops.min(x, -1), lambda x: ops.prod(x, -1), lambda x: ops.var(x, 1), lambda x: ops.argmax(x, -1),
        lambda x: ops.argmin(x, 1), lambda x: ops.any(x > 1, -1), lambda x: ops.all(x > -1, -1),
    ),
    "movement": of(
        (4, 6), lambda x: ops.transpose(x, (0, 2, 1)) + 0, lambda x: ops.reshape(x, (-1, 8, 3)) * 2,
        lambda x: x[:, 1:3, ::-2] + 0, lambda x: ops.concatenate([x, x * 2], 1), lambda x: ops.flip(x, 1),
        lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 3)), constant_values=7.0), lambda x: ops.take(x, [2, 0, -1], 1),
        lambda x: ops.cumsum(x, -1), lambda x: x - x[:, :1],
    ),
    "products": of(
        (4, 6),
        lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))),
        lambda x: ops.matmul(ops.transpose(x, (0, 2, 1)), x),
        lambda x: ops.matmul(np.ones((3, 4), "float32"), x),
    ),
    "rows": of(
        (4, 6), ops.softmax, ops.log_softmax, lambda x: ops.logsumexp(x, -1), lambda x: ops.softmax(x, 1),
    ),
    "one_hot": of((5,), lambda x: ops.one_hot(x, 4), lambda x: ops.cast(x, "float32") + 1, dtype="int32"),
}  # fmt: skip


def exported(model, folder):
    path = folder / "net.c"
    model.export_c(path)
    return path


@needs_compiler
@pytest.mark.parametrize("name", MODELS)
def test_the_file_tests_itself(name, tmp_path):
    keras.utils.set_random_seed(5)
    path = exported(MODELS[name](), tmp_path)
    program = tmp_path / "net"
    subprocess.run([COMPILER, *FLAGS, "-DNET_SELF_TEST", path, "-o", program, "-lm"], check=True, timeout=120)
    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@needs_compiler
def test_batches_give_what_the_model_predicts(tmp_path):
    keras.utils.set_random_seed(5)
    model = mlp()
    path, library = exported(model, tmp_path), tmp_path / "net.so"
    subprocess.run([COMPILER, *FLAGS, "-shared", "-fPIC", path, "-o", library, "-lm"], check=True, timeout=120)
    net = ctypes.CDLL(str(library))
    x = np.random.default_rng(1).standard_normal((33, 7)).astype("float32")
    y = np.zeros((33, 3), "float32")
    as_floats = lambda a: a.ctypes.data_as(ctypes.POINTER(ctypes.c_float))  # noqa: E731
    net.net_predict(as_floats(x), as_floats(y), 33)
    want = keras.Predictor(model)(x)
    assert np.abs(y - want).max() <= 1e-5 * np.abs(want).max()
    text = path.read_text()
    assert "#define NET_X_INPUT_SIZE 7" in text.replace("X_" + model.input_names[0].upper(), "X_INPUT")
    assert "void net_predict(const float* x_" in text


def test_what_has_no_c_form_is_named(tmp_path):
    path = tmp_path / "net.c"
    with pytest.raises(ValueError, match=r'cannot be written as C: "sort_rows": there is no C form of the op'):
        of((4,), lambda x: ops.sort(x, -1))().export_c(path)
    with pytest.raises(ValueError, match="depends on the other rows"):
        of((4,), lambda x: x - ops.mean(x, 0, keepdims=True))().export_c(path)
    with pytest.raises(ValueError, match="must be a name in C"):
        mlp().export_c(path, name="2nd")
    with pytest.raises(ValueError, match="C99 has no float16|of floats"):
        of((4,), lambda x: ops.cast(ops.cast(x, "float16") * 2, "float32"))().export_c(path)
    with pytest.raises(ValueError, match="is a folder"):
        mlp().export_c(tmp_path)
    assert not path.exists()
