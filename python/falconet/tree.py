"""Nested structures of lists, tuples, named tuples, deques and dicts.

Dicts are walked in the order of their sorted keys, `OrderedDict`s in their own order. None is a leaf.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

_CONTAINERS = (list, tuple, dict, deque)
_MISMATCH = "Structures don't have the same nested structure."


class MAP_TO_NONE:  # noqa: N801 (Keras's name)
    """What `func` returns in `traverse` to put None in a place."""


def is_nested(structure: Any) -> bool:
    """Whether `structure` is a list, tuple, named tuple, deque or dict."""
    return isinstance(structure, _CONTAINERS)


def _keys(structure: Any) -> list[Any]:
    if not isinstance(structure, dict):
        return list(range(len(structure)))
    return list(structure) if isinstance(structure, OrderedDict) else sorted(structure)


def _rebuild(structure: Any, children: Sequence[Any]) -> Any:
    """A container of the kind and keys of `structure` with other children, given in the order of `_keys`."""
    if isinstance(structure, dict):
        filled = dict(zip(_keys(structure), children, strict=True))
        ordered = {key: filled[key] for key in structure}
        if isinstance(structure, defaultdict):
            return defaultdict(structure.default_factory, ordered)
        return OrderedDict(ordered) if isinstance(structure, OrderedDict) else ordered
    if isinstance(structure, deque):
        return deque(children, structure.maxlen)
    if isinstance(structure, tuple):
        return type(structure)(*children) if hasattr(structure, "_fields") else tuple(children)
    return list(children)


def flatten(structure: Any) -> list[Any]:
    """All leaves, depth first."""
    leaves: list[Any] = []
    _collect(structure, leaves)
    return leaves


def _collect(structure: Any, leaves: list[Any]) -> None:
    if not isinstance(structure, _CONTAINERS):
        leaves.append(structure)
    elif isinstance(structure, dict):
        for key in _keys(structure):
            _collect(structure[key], leaves)
    else:
        for child in structure:
            _collect(child, leaves)


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """All leaves, each with the tuple of keys and indices that leads to it."""
    if not is_nested(structure):
        return [((), structure)]
    found = []
    for key in _keys(structure):
        found += [((key, *path), leaf) for path, leaf in flatten_with_path(structure[key])]
    return found


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """A structure like `structure` with the leaves `flat_sequence`: the inverse of `flatten`."""
    leaves = list(flat_sequence)
    wanted = len(flatten(structure))
    if wanted != len(leaves):
        raise ValueError(
            f"[pack_sequence_as] `flat_sequence` has {len(leaves)} items; `structure` has {wanted} leaves."
        )
    remaining = iter(leaves)
    return map_structure(lambda _: next(remaining), structure)


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Apply `func` to corresponding leaves; the first structure gives the layout."""
    if not structures:
        raise ValueError("[map_structure] `structures` is empty; give at least one structure.")
    first, *others = structures
    if not isinstance(first, _CONTAINERS):
        if any(isinstance(other, _CONTAINERS) for other in others):
            raise ValueError(_MISMATCH)
        return None if first is None and not none_is_leaf else func(*structures)
    for other in others:
        _check_same_kind(first, other)
    keys = _keys(first)
    children = [map_structure(func, *(s[key] for s in structures), none_is_leaf=none_is_leaf) for key in keys]
    return _rebuild(first, children)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Apply `func` to the parts of `structures` that stand where `shallow_structure` has leaves."""
    if not structures:
        raise ValueError("[map_structure_up_to] `structures` is empty; give at least one structure.")
    if not is_nested(shallow_structure):
        return func(*structures)
    for structure in structures:
        _check_same_kind(shallow_structure, structure)
    keys = _keys(shallow_structure)
    children = [map_structure_up_to(shallow_structure[key], func, *(s[key] for s in structures)) for key in keys]
    return _rebuild(shallow_structure, children)


def _check_same_kind(a: Any, b: Any) -> None:
    if isinstance(a, dict):
        same = isinstance(b, dict) and set(a) == set(b)
    else:
        same = type(a) is type(b) and len(a) == len(b)
    if not same:
        raise ValueError(f"{_MISMATCH} One has {_describe(a)} where another has {_describe(b)}.")


def _describe(structure: Any) -> str:
    if isinstance(structure, dict):
        return f"a dict with keys {list(structure)}"
    kind = type(structure).__name__
    return f"a {kind} of {len(structure)}" if is_nested(structure) else f"a leaf ({kind})"


def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Raise ValueError unless `a` and `b` are nested alike; container types count unless `check_types` is False."""
    if check_types is False:
        assert_same_paths(a, b)
    elif is_nested(a) or is_nested(b):
        if not is_nested(a):
            a, b = b, a
        _check_same_kind(a, b)
        for key in _keys(a):
            assert_same_structure(a[key], b[key])


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise ValueError unless the leaves of `a` and `b` stand at the same paths."""
    in_a, in_b = ({path for path, _ in flatten_with_path(s)} for s in (a, b))
    if in_a != in_b:
        raise ValueError(
            f"`a` and `b` don't have the same paths. Only in `a`: {in_a - in_b}; only in `b`: {in_b - in_a}."
        )


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Replace sub-structures by what `func` returns for them, where that is not None; depth first."""
    if not callable(func):
        raise TypeError(f"[traverse] `func` is {func!r}; it must be callable.")

    def visit_children() -> Any:
        if not is_nested(structure):
            return structure
        return _rebuild(structure, [traverse(func, structure[key], top_down) for key in _keys(structure)])

    if top_down:
        found = func(structure)
        return visit_children() if found is None else _unwrap(found)
    visited = visit_children()
    found = func(visited)
    return visited if found is None else _unwrap(found)


def _unwrap(found: Any) -> Any:
    return None if found is MAP_TO_NONE or isinstance(found, MAP_TO_NONE) else found


def lists_to_tuples(structure: Any) -> Any:
    """The same structure with every list turned into a tuple."""
    return traverse(lambda s: tuple(s) if isinstance(s, list) else None, structure, top_down=False)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """Apply `func` to every shape (a list or tuple of ints and Nones) in a structure of shapes."""

    def visit(s: Any) -> Any:
        if isinstance(s, (list, tuple)) and all(e is None or isinstance(e, int) for e in s):
            found = func(s)
            return MAP_TO_NONE if found is None else found
        return None

    return traverse(visit, structure)
