"""What type checkers say: nothing of the package, and of a user's file only what is wrong with it."""

import os
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest

import falconet

pytest.importorskip("mypy", reason="mypy is not installed: pip install '.[dev]'")

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = pathlib.Path(falconet.__file__).parent


def mypy(*arguments, **kwargs):
    return subprocess.run([sys.executable, "-m", "mypy", *arguments], capture_output=True, text=True, **kwargs)


def test_the_package(tmp_path):
    done = mypy("--cache-dir", str(tmp_path), cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_users_file(tmp_path):
    """Layers with build() of other signatures are fine; names that are loaded when used are known, others are not."""
    source = tmp_path / "user.py"
    source.write_text(
        textwrap.dedent(
            """
            from typing import Any

            import numpy as np

            import falconet as keras
            from falconet import callbacks, layers, losses, ops
            from falconet.optimizers import Adam


            class One(layers.Layer):
                def build(self, input_shape: tuple[int, ...]) -> None:
                    self.w = self.add_weight((input_shape[-1], 2))

                def call(self, x: Any, training: bool = False) -> Any:
                    return ops.matmul(x, self.w)


            class Two(keras.layers.Layer):
                def build(self, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> None: ...

                def call(self, a: Any, b: Any) -> Any:
                    return a @ b


            model = keras.Sequential([keras.Input((4,)), layers.Dense(3), One()])
            model.compile(Adam(1e-3), losses.MeanSquaredError(), metrics=[keras.metrics.MeanAbsoluteError()])
            model.fit(np.zeros((2, 4)), np.zeros((2, 2)), callbacks=[callbacks.EarlyStopping()])
            reveal_type(layers.Dense(3))
            layers.Nothing
            keras.nothing
            """
        )
    )
    # As an installed package is treated: errors in it, which the other test is about, are not reported.
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\n[mypy-falconet.*]\nfollow_imports = silent\n")
    environment = {**os.environ, "MYPYPATH": str(PACKAGE.parent)}
    done = mypy("--config-file", str(config), "--cache-dir", str(tmp_path), str(source), cwd=tmp_path, env=environment)
    found = re.findall(r"user\.py:\d+: (.*)", done.stdout)
    assert found == [
        'note: Revealed type is "falconet.layers.core.Dense"',
        'error: Module has no attribute "Nothing"  [attr-defined]',
        'error: Module has no attribute "nothing"  [attr-defined]',
    ], done.stdout + done.stderr
