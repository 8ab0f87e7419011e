"""Finds the state that a layer owns: variables, sub-layers, metrics and seed generators set as attributes, also inside
lists, tuples, dictionaries and sets.

The order of discovery is the order of `weights`, so it follows Keras: attribute assignments in program order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from falconet.metrics import Metric
from falconet.random import SeedGenerator
from falconet.variables import Variable

# Values of these types are never state and hold none: the common attribute assignment stays cheap.
PLAIN = frozenset({type(None), bool, int, float, str, bytes, complex})


class Tracker:
    """The state of one layer, in order of discovery. Sub-layers are recognised by their `_is_layer` mark."""

    __slots__ = ("trainable", "non_trainable", "layers", "metrics", "seeds", "locked", "owner")

    def __init__(self, owner: Any) -> None:
        self.trainable: list[Variable] = []
        self.non_trainable: list[Variable] = []
        self.layers: list[Any] = []
        self.metrics: list[Metric] = []
        self.seeds: list[SeedGenerator] = []
        self.locked = False
        self.owner = owner

    def _store_for(self, value: Any) -> list[Any] | None:
        if isinstance(value, Variable):
            return self.trainable if value.trainable else self.non_trainable
        if isinstance(value, Metric):
            return self.metrics
        if getattr(value, "_is_layer", False) and not isinstance(value, type):
            return self.layers
        if isinstance(value, SeedGenerator):
            return self.seeds
        return None

    def track(self, value: Any) -> Any:
        """Registers `value` (and what it holds); returns it, containers replaced by ones that register later
        additions."""
        kind = type(value)
        if kind in PLAIN:
            return value
        if kind is list:
            return TrackedList(self, value)
        if kind is dict:
            return TrackedDict(self, value)
        if kind is set:
            return TrackedSet(self, value)
        if isinstance(value, tuple):
            for item in value:
                self.track(item)
            return value
        store = self._store_for(value)
        if store is not None and not self.holds(value):
            if self.locked:
                raise ValueError(
                    f'[{type(self.owner).__name__} "{getattr(self.owner, "name", "?")}"] cannot add {value!r}: the '
                    "layer is already built. Create variables and sub-layers in __init__() or build()."
                )
            store.append(value)
        return value

    def holds(self, value: Any) -> bool:
        return any(item is value for store in self._stores() for item in store)

    def _stores(self) -> tuple[list[Any], ...]:
        return self.trainable, self.non_trainable, self.layers, self.metrics, self.seeds

    def untrack(self, value: Any) -> None:
        """Forgets `value` (and what it holds)."""
        if isinstance(value, (list, tuple, set)):
            for item in value:
                self.untrack(item)
        elif isinstance(value, dict):
            for item in value.values():
                self.untrack(item)
        else:
            for store in self._stores():
                store[:] = [item for item in store if item is not value]


class TrackedList(list):
    """A list attribute of a layer: what is added to it later is registered too."""

    def __init__(self, tracker: Tracker | None = None, values: Iterable[Any] = ()) -> None:
        self._tracker = tracker
        super().__init__(self._seen(v) for v in values)

    def _seen(self, value: Any) -> Any:
        return value if self._tracker is None else self._tracker.track(value)

    def append(self, value: Any) -> None:
        super().append(self._seen(value))

    def insert(self, index: Any, value: Any) -> None:
        super().insert(index, self._seen(value))

    def extend(self, values: Iterable[Any]) -> None:
        super().extend(self._seen(v) for v in values)

    def __iadd__(self, values: Iterable[Any]) -> TrackedList:  # type: ignore[misc]
        self.extend(values)
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        old = self[index]
        super().__setitem__(index, [self._seen(v) for v in value] if isinstance(index, slice) else self._seen(value))
        self._forget(old)

    def __delitem__(self, index: Any) -> None:
        old = self[index]
        super().__delitem__(index)
        self._forget(old)

    def pop(self, index: Any = -1) -> Any:
        value = super().pop(index)
        self._forget(value)
        return value

    def remove(self, value: Any) -> None:
        super().remove(value)
        self._forget(value)

    def clear(self) -> None:
        old = list(self)
        super().clear()
        self._forget(old)

    def _forget(self, value: Any) -> None:
        if self._tracker is not None:
            self._tracker.untrack(value)

    def __reduce__(self) -> Any:
        return list, (list(self),)


class TrackedDict(dict):
    """A dictionary attribute of a layer: what is added to it later is registered too."""

    def __init__(self, tracker: Tracker | None = None, values: Any = ()) -> None:
        self._tracker = tracker
        super().__init__({key: self._seen(value) for key, value in dict(values).items()})

    def _seen(self, value: Any) -> Any:
        return value if self._tracker is None else self._tracker.track(value)

    def __setitem__(self, key: Any, value: Any) -> None:
        old = self.get(key)
        super().__setitem__(key, self._seen(value))
        if old is not None and old is not value:
            self._forget(old)

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __delitem__(self, key: Any) -> None:
        old = self[key]
        super().__delitem__(key)
        self._forget(old)

    def pop(self, key: Any, *default: Any) -> Any:
        present = key in self
        value = super().pop(key, *default)
        if present:
            self._forget(value)
        return value

    def clear(self) -> None:
        old = list(self.values())
        super().clear()
        self._forget(old)

    def _forget(self, value: Any) -> None:
        if self._tracker is not None:
            self._tracker.untrack(value)

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class TrackedSet(set):
    """A set attribute of a layer: what is added to it later is registered too."""

    def __init__(self, tracker: Tracker | None = None, values: Iterable[Any] = ()) -> None:
        self._tracker = tracker
        super().__init__(values if tracker is None else [tracker.track(v) for v in values])

    def add(self, value: Any) -> None:
        super().add(value if self._tracker is None else self._tracker.track(value))

    def update(self, *others: Iterable[Any]) -> None:
        for other in others:
            for value in other:
                self.add(value)

    def remove(self, value: Any) -> None:
        super().remove(value)
        if self._tracker is not None:
            self._tracker.untrack(value)

    def discard(self, value: Any) -> None:
        if value in self:
            self.remove(value)

    def __reduce__(self) -> Any:
        return set, (set(self),)
