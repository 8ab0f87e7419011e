"""Names that are loaded when first used: what is promised to type checkers is what there is, and no more is loaded."""

import ast
import importlib
import pathlib
import subprocess
import sys

import pytest

import falconet
from falconet import lazy

FOLDER = pathlib.Path(falconet.__file__).parent
PACKAGES = [
    ".".join(("falconet", *path.parent.relative_to(FOLDER).parts))
    for path in sorted(FOLDER.rglob("__init__.py"))
    if "attach(" in path.read_text()
]


def promised(package):
    """Names and the modules they come from, as the plain imports for type checkers have them."""
    tree = ast.parse(pathlib.Path(importlib.import_module(package).__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If) and node.test.id == "TYPE_CHECKING")
    found = {}
    for node in block.body:
        for alias in node.names:
            assert alias.asname == alias.name, "`import X as X` tells type checkers that X is public"
            found[alias.name] = "." * node.level + (node.module or "")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_what_is_loaded(package):
    assert lazy.offered(package) == promised(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_exists(package):
    module = importlib.import_module(package)
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(module.__all__) >= set(lazy.offered(package))
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)
    scope = {}
    exec(f"from {package} import *", scope)
    assert set(module.__all__) <= set(scope)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'falconet.layers' has no attribute 'Dens'"):
        falconet.layers.Dens  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Dens'"):
        from falconet.layers import Dens  # noqa: F401


@pytest.mark.parametrize(
    "script, absent",
    [
        ("import falconet", ["falconet.layers", "falconet.ops", "falconet.models", "falconet.saving"]),
        ("from falconet.layers import Dense", ["falconet.layers.normalization", "falconet.callbacks"]),
        ("import falconet as keras; keras.optimizers.Adam()", ["falconet.optimizers.matrix", "falconet.models"]),
        ("import falconet as keras; keras.losses.get('mse')", ["falconet.losses.margin", "falconet.metrics.auc"]),
    ],
)
def test_only_what_is_used_is_loaded(script, absent):
    script += f"; import sys; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
