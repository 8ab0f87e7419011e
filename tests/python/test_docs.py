"""The examples in docstrings, and the Python in README.md and docs/, run and give what they say."""

import doctest
import importlib
import pathlib
import pkgutil
import re
import warnings

import numpy as np
import pytest

import falconet
from falconet import layers, ops

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What the examples of docstrings need not import.
NAMES = {"np": np, "falconet": falconet, "keras": falconet, "layers": layers, "ops": ops}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(falconet.__path__, "falconet.")
    if module.name.split(".")[-1] not in ("__main__", "_core")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(verbose=False)
    for example in doctest.DocTestFinder().find(module, extraglobs=dict(NAMES)):
        lines: list[str] = []
        runner.run(example, out=lines.append)
        assert not runner.failures, "".join(lines)


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    assert sum(bool(test.examples) for name in MODULES for test in finder.find(importlib.import_module(name))) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_of_pages(page, tmp_path, monkeypatch):
    """A page's blocks run one after another; what they take as given is the reader's own data and function."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    given = {
        "x": rng.random((256, 64), "float32"),
        "y": rng.integers(0, 10, 256),
        "a": rng.random((16, 16), "float32"),
        "b": rng.random((16, 16), "float32"),
        "f": lambda a, b: ops.tanh(ops.matmul(a, b)),
    }
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(compile(block, str(page.name), "exec"), given)
