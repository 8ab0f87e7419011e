"""Spreads what `compile` was given (losses, weights, metrics) over a model's outputs.

Outputs may be one tensor, or any nesting of lists, tuples and dictionaries. What is given may be one thing for all, a
list by position, or a dictionary by key or by output name.
"""

from __future__ import annotations

from typing import Any

from falconet import tree

_NESTS = (list, tuple, dict)


class Outputs:
    """The leaves of a model's output: how many, their names, and how values given for them line up.

    names: names known from a functional model, in flat order, else None.
    """

    def __init__(self, y_pred: Any, names: list[str] | None) -> None:
        self.struct = tree.map_structure(lambda _: 0, y_pred)
        paths = [path for path, _ in tree.flatten_with_path(y_pred)]
        self.count = len(paths)
        given = names if names is not None and len(names) == self.count else None
        if isinstance(y_pred, dict) and self.count == len(y_pred):
            # Keys name the outputs, unless they are numbers.
            self.names: list[str | None] = [str(path[0]) for path in paths]
        elif given is not None:
            self.names = list(given)
        else:
            self.names = [
                "/".join(str(p) for p in path) if any(isinstance(p, str) for p in path) else None for path in paths
            ]
        self.layer_names = given
        self.loss_names = [_loss_name(path, name) for path, name in zip(paths, given or self.names, strict=True)]

    def spread(self, given: Any, what: str) -> list[Any]:
        """One entry per output of what was given to `compile` as argument `what`; None where an output has nothing."""
        return self._spread(given, self.struct, what, self._name_struct())

    def _name_struct(self) -> Any:
        return tree.pack_sequence_as(self.struct, self.names) if isinstance(self.struct, _NESTS) else self.names[0]

    def _spread(self, given: Any, struct: Any, what: str, names: Any) -> list[Any]:
        if not isinstance(struct, _NESTS):
            if isinstance(given, dict) and struct is self.struct:
                return [self._by_name(given, [self.names[0]], what)[0]]
            return [given]
        count = len(tree.flatten(struct))
        if not isinstance(given, _NESTS):
            return [given] * count
        if isinstance(given, dict):
            if isinstance(struct, dict):
                unknown = [key for key in given if key not in struct]
                if not unknown:
                    return [
                        x for key in _keys(struct) for x in self._part(given.get(key), struct[key], what, names, key)
                    ]
            if struct is self.struct:
                return self._by_name(given, self.names, what)
            raise ValueError(f"[compile] `{what}` has keys {sorted(given)}, but the output there is {_shape(struct)}.")
        if len(given) == count and not any(isinstance(x, _NESTS) for x in tree.flatten(struct)):
            flat = all(not isinstance(x, _NESTS) for x in (struct.values() if isinstance(struct, dict) else struct))
            if flat:
                return list(given)
        if not isinstance(struct, dict) and len(given) == len(struct):
            return [x for i, part in enumerate(struct) for x in self._part(given[i], part, what, names, i)]
        raise ValueError(
            f"[compile] `{what}` has {len(given)} entries, but the model has {count} outputs"
            f"{self._shown()}; give one entry per output, or a dictionary by output name."
        )

    def _part(self, given: Any, struct: Any, what: str, names: Any, key: Any) -> list[Any]:
        if given is None:
            return [None] * len(tree.flatten(struct))
        return self._spread(given, struct, what, names[key])

    def _by_name(self, given: dict[str, Any], names: list[str | None], what: str) -> list[Any]:
        unknown = [key for key in given if key not in names]
        if unknown and self.layer_names is not None and set(given) <= set(self.layer_names):
            names, unknown = list(self.layer_names), []
        if unknown:
            known = [name for name in names if name is not None]
            raise ValueError(
                f"[compile] `{what}` has a key {unknown[0]!r}; the model's outputs are {known or 'not named'}."
            )
        return [None if name is None else given.get(name) for name in names]

    def align(self, values: Any, what: str, used: list[bool] | None = None) -> list[Any]:
        """Targets or weights, one per output: matched by structure, by name, or by position; where fewer come than
        there are outputs, they belong to those marked in `used`."""
        if values is None:
            return [None] * self.count
        if not isinstance(values, _NESTS):
            if self.count == 1:
                return [values]
            if used is not None and sum(used) == 1:
                return [values if u else None for u in used]
            if what == "sample_weight":
                return [values] * self.count
            raise ValueError(f"[fit] `{what}` is one array, but the model has {self.count} outputs{self._shown()}.")
        if isinstance(values, dict):
            if isinstance(self.struct, dict):
                if set(values) <= set(self.struct):
                    return [
                        x
                        for key in _keys(self.struct)
                        for x in (
                            tree.flatten(values[key]) if key in values else [None] * len(tree.flatten(self.struct[key]))
                        )
                    ]
            for names in (self.names, self.layer_names):
                if names is not None and set(values) <= set(names):
                    return [values.get(name) for name in names]
            raise ValueError(
                f"[fit] `{what}` has keys {sorted(values)}; the model's outputs are{self._shown() or ' not named'}."
            )
        flat = tree.flatten(values)
        if len(flat) == self.count:
            return flat
        if used is not None and len(flat) == sum(used):
            remaining = iter(flat)
            return [next(remaining) if u else None for u in used]
        raise ValueError(
            f"[fit] `{what}` has {len(flat)} arrays, but the model has {self.count} outputs{self._shown()}."
        )

    def _shown(self) -> str:
        return f" {self.names}" if any(self.names) else ""


def _loss_name(path: tuple[Any, ...], name: str | None) -> str | None:
    """What Keras calls the loss of an output: its keys, and in place of a last index the name of its layer."""
    if not path:
        return name
    if isinstance(path[-1], int):
        if name is None:
            return None
        path = (*path[:-1], name)
    return "/".join(str(part) for part in path)


def _keys(struct: dict[Any, Any]) -> list[Any]:
    return [path[0] for path, _ in tree.flatten_with_path({key: 0 for key in struct})]


def _shape(struct: Any) -> str:
    return f"a {type(struct).__name__} of {len(struct)}" if isinstance(struct, _NESTS) else "one tensor"
