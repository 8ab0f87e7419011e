"""Public names that are loaded when first used (PEP 562), so that importing a package costs next to nothing.

A package lists its modules and the names each offers; beside that, for type checkers alone, stand the plain imports.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

_tables: dict[str, dict[str, str]] = {}  # package -> public name -> the module that has it


def attach(package: str, modules: dict[str, str]) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` of a package.

    Args:
        package: its `__name__`.
        modules: the names that each module offers, separated by spaces; modules are written as in a relative import,
            and "." offers modules of the package.
    """
    table = {name: module for module, names in modules.items() for name in names.split()}
    _tables[package] = table

    def find(name: str) -> Any:
        module = table.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = import_module(f".{name}", package) if module == "." else getattr(import_module(module, package), name)
        setattr(sys.modules[package], name, value)  # from now on an ordinary attribute
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *table})

    return list(table), find, names


def offered(package: str) -> dict[str, str]:
    """The names that one of Falconet's packages loads when first used, and where they are; none if it has no such."""
    import_module(package)
    return _tables.get(package, {})


def load(package: str, name: str) -> Any:
    """What a package offers under a name."""
    return getattr(sys.modules[package], name)
