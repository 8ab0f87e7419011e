"""Signatures of the core's ops, made when somebody asks (`help`, an editor, `inspect.signature`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _core

if TYPE_CHECKING:
    import inspect


def signature(op: _core.Op) -> inspect.Signature:
    """The op's inputs, then its attributes with their defaults: what the op table declares.

    >>> print(signature(_core.ops.where))
    (condition, x1, x2)
    """
    import inspect

    Parameter = inspect.Parameter
    inputs, attributes = op.declaration
    variadic = bool(inputs) and inputs[-1].endswith("...")
    names = [name.removesuffix("...") for name in inputs]
    parameters = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    if variadic:
        parameters[-1] = Parameter(names[-1], Parameter.VAR_POSITIONAL)
    # A parameter without a default may follow one with a default only by keyword.
    kind = Parameter.KEYWORD_ONLY if variadic else Parameter.POSITIONAL_OR_KEYWORD
    for name, default in attributes:
        if default is ...:
            if any(p.default is not Parameter.empty for p in parameters):
                kind = Parameter.KEYWORD_ONLY
            parameters.append(Parameter(name, kind))
        else:
            parameters.append(Parameter(name, kind, default=default))
    return inspect.Signature(parameters)


_core.register_signature(signature)
