"""Which dtype a layer stores its weights in and which it computes in."""

from __future__ import annotations

from typing import Any

from falconet import config, dtypes

_default: DTypePolicy | None = None
_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


class DTypePolicy:
    """A pair of dtypes: `variable_dtype` for weights, `compute_dtype` for what `call` sees.

    name: a floating dtype ("float32", "float64"), used for both. The mixed policies of Keras are refused: on a CPU they
    would be slower than float32, and a policy that is accepted and not followed would be a lie.
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = config.floatx()
        if not isinstance(name, str):
            raise TypeError(f"[DTypePolicy] `name` must be a dtype name such as 'float32', got {name!r}.")
        if name in _MIXED:
            raise ValueError(
                f"[DTypePolicy] policy {name!r} is not available: layers compute in the dtype of their weights. "
                f'Use "float32".'
            )
        self._name = dtypes.standardize_dtype(name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def variable_dtype(self) -> str:
        return self._name

    @property
    def compute_dtype(self) -> str:
        return self._name

    def get_config(self) -> dict[str, Any]:
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other._name == self._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


def get(identifier: Any) -> DTypePolicy:
    """A policy from a policy, a dtype name, a config dictionary, or None (the global floating dtype)."""
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        inner = identifier.get("config", identifier)
        return DTypePolicy(inner["name"])
    if identifier is None:
        return default_policy()
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    return DTypePolicy(dtypes.standardize_dtype(identifier))


def serialize(policy: DTypePolicy) -> str:
    return policy.name


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> DTypePolicy:
    return get(config)


def default_policy() -> DTypePolicy:
    """The policy of layers that name none: `config.floatx()` unless set otherwise."""
    return DTypePolicy() if _default is None else _default


def set_default_policy(policy: Any) -> None:
    """Set the policy of layers that name none; None returns to `config.floatx()`."""
    global _default
    _default = None if policy is None else get(policy)
