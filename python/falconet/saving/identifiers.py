"""From what a user may write for an object (a name, a config, a class, the object itself) to the object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..lazy import load, offered
from ..naming import to_snake_case
from .registration import get_registered_object
from .serialization import deserialize_keras_object


def names_of(classes: Iterable[type], **aliases: Any) -> dict[str, Any]:
    """The names that stand for classes: their own and its snake_case, and the aliases."""
    names: dict[str, Any] = {}
    for cls in classes:
        names[cls.__name__] = names[to_snake_case(cls.__name__)] = cls
    return names | aliases


class NamesIn(Mapping[str, Any]):
    """The names that stand for what a package offers; what one means is loaded when it is asked for.

    Args:
        package: its name.
        besides: classes that no name stands for.
        functions: whether functions have names too; they come before a class whose other spelling is the same.
        spelling: how else the name of a class may be written.
        short: short names of some, which may be written in capitals.
    """

    def __init__(
        self,
        package: str,
        besides: tuple[str, ...] = (),
        functions: bool = False,
        spelling: Callable[[str], str] = to_snake_case,
        short: Mapping[str, str] | None = None,
    ) -> None:
        self._package = package
        known = offered(package)
        classes = [name for name in known if name[0].isupper() and name not in besides]
        self._meanings = {spelling(name): name for name in classes} | {name: name for name in classes}
        if functions:
            self._meanings |= {name: name for name in known if name[0].islower()}
        for name, meaning in (short or {}).items():
            self._meanings[name] = self._meanings[name.upper()] = meaning

    def __getitem__(self, name: str) -> Any:
        return load(self._package, self._meanings[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._meanings)

    def __len__(self) -> int:
        return len(self._meanings)

    def __contains__(self, name: object) -> bool:
        return name in self._meanings


def resolve(identifier: Any, names: Mapping[str, Any], kind: str) -> Any:
    """The object meant by `identifier`; a class stands for an object made with its defaults. None stays None.

    Args:
        identifier: None, a name, a config, a class, or any callable.
        names: what the names mean.
        kind: what is sought, in a word, for the error.
    """
    if identifier is None:
        return None
    found = identifier
    if isinstance(identifier, dict):
        found = deserialize_keras_object(identifier, module_objects=names)
    elif isinstance(identifier, str):
        found = get_registered_object(identifier, module_objects=names)
        if found is None:
            raise ValueError(_unknown(identifier, names, kind))
    if not callable(found):
        raise ValueError(
            f"[{_module(kind)}.get] cannot read {identifier!r} as {_article(kind)}; give a name, a config or an object."
        )
    return found() if isinstance(found, type) else found


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _unknown(name: str, names: Mapping[str, Any], kind: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=3)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else f" Known: {', '.join(sorted(names))}."
    known = f"[{_module(kind)}.get] there is no {kind} called {name!r}.{hint}"
    return f"{known} Your own must be registered or passed as an object."


def _module(kind: str) -> str:
    return kind + ("es" if kind.endswith("s") else "s")
