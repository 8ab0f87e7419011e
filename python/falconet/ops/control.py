"""Control flow on values: loops, branches and functions of functions."""

from __future__ import annotations

import builtins
from typing import Any

from ..control_flow import cond, custom_gradient, scan, while_loop
from ..tracing import grad, symbolic
from ..tree import flatten, map_structure
from .basic import core, size_of, tensor
from .shaping import concatenate, flip, part

__all__ = [
    "associative_scan",
    "cond",
    "custom_gradient",
    "fori_loop",
    "jvp",
    "map",
    "scan",
    "switch",
    "vectorize",
    "vectorized_map",
    "while_loop",
]


def fori_loop(lower: Any, upper: Any, body_fun: Any, init_val: Any) -> Any:
    """val = body_fun(i, val) for i = lower, ..., upper - 1; val keeps its structure, shapes and dtypes."""

    def step(i: Any, value: Any) -> tuple[Any, Any]:
        return i + 1, body_fun(i, value)

    start = tensor(lower, "int32")
    return while_loop(lambda i, value: core.less(i, upper), step, (start, init_val))[1]


def switch(index: Any, branches: Any, *operands: Any) -> Any:
    """branches[index](*operands), the index held within the branches."""
    if not branches:
        raise ValueError("[switch] `branches` is empty; at least one function is needed.")
    index = tensor(index)

    def choose(first: int) -> Any:
        if first == len(branches) - 1:
            return branches[first](*operands)
        return cond(core.less_equal(index, first), lambda: branches[first](*operands), lambda: choose(first + 1))

    return choose(0)


def map(f: Any, xs: Any) -> Any:
    """f of each slice of xs along axis 0, one after another, the results stacked; xs may be a structure."""
    return scan(lambda carry, x: (carry, f(x)), tensor(0, "int32"), xs)[1]


def vectorized_map(function: Any, elements: Any) -> Any:
    """function of each slice of the elements along axis 0, the results stacked."""
    return map(function, elements)


@symbolic
def associative_scan(f: Any, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Running combinations x_0, f(x_0, x_1), f(f(x_0, x_1), x_2), ... along an axis, in about log2(n) rounds.

    f is associative and works on slices of many elements at once; elems may be a structure of arrays.
    """
    elems = map_structure(lambda x: flip(tensor(x), axis) if reverse else tensor(x), elems)
    leaves = flatten(elems)
    axis %= len(leaves[0].shape)
    n = leaves[0].shape[axis]
    if any(x.shape[axis] != n for x in leaves):
        sizes = [x.shape[axis] for x in leaves]
        raise ValueError(f"[associative_scan] the arrays have sizes {sizes} along axis {axis}; they must be equal.")

    # After the round of distance d each place holds the combination of the 2 d elements up to it.
    distance = 1
    while distance < n:
        head, earlier, later = (_cut(elems, axis, a, b) for a, b in ((0, distance), (0, n - distance), (distance, n)))
        elems = map_structure(lambda x, y: concatenate([x, y], axis), head, f(earlier, later))
        distance *= 2
    return map_structure(lambda x: flip(x, axis) if reverse else x, elems)


def _cut(structure: Any, axis: int, start: int, stop: int) -> Any:
    return map_structure(lambda x: part(x, axis, start, stop), structure)


def vectorize(pyfunc: Any, *, excluded: Any = None, signature: str | None = None) -> Any:
    """pyfunc, written for single elements, as a function that maps it over broadcast arrays.

    `signature` such as "(n),(n)->()" names the last axes that one call takes. `excluded`: positions or names of
    arguments passed on as they are.
    """
    excluded = set(excluded or ())
    inner = [t.strip(" ()") for t in signature.split("->")[0].split("),")] if signature else []
    ranks = [len([name for name in term.split(",") if name.strip()]) for term in inner]

    def vectorized(*args: Any, **kwargs: Any) -> Any:
        fixed = {i: a for i, a in enumerate(args) if i in excluded}
        mapped = [tensor(a) for i, a in enumerate(args) if i not in excluded]
        if signature and len(ranks) != len(mapped):
            raise ValueError(f"[vectorize] `signature` {signature!r} has {len(ranks)} operands; {len(mapped)} came.")
        own = ranks or [0] * len(mapped)
        outer = _broadcast([tuple(x.shape[: len(x.shape) - r]) for x, r in zip(mapped, own, strict=True)])
        flat = []
        for x, r in zip(mapped, own, strict=True):
            last = tuple(x.shape[len(x.shape) - r :])
            flat.append(core.reshape(core.broadcast_to(x, shape=(*outer, *last)), shape=(size_of(outer), *last)))

        def one(values: Any) -> Any:
            rest = iter(values)
            return pyfunc(*(fixed[i] if i in fixed else next(rest) for i in range(len(args))), **kwargs)

        found = map(one, flat)
        return map_structure(lambda y: core.reshape(y, shape=(*outer, *y.shape[1:])), found)

    return vectorized


def _broadcast(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    rank = builtins.max((len(s) for s in shapes), default=0)
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    outer = []
    for sizes in zip(*padded, strict=True):
        longer = {n for n in sizes if n != 1}
        if len(longer) > 1:
            raise ValueError(f"[vectorize] shapes {shapes} do not broadcast.")
        outer.append(longer.pop() if longer else 1)
    return tuple(outer)


def jvp(fun: Any, primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """(fun(*primals), its derivative in the direction of the tangents), then what else fun returned if `has_aux`.

    The product J v is the gradient, in u, of the product of J^T u with v: linear in u, so any u serves.
    """
    primals, tangents = [tensor(p) for p in primals], [tensor(t) for t in tangents]
    made = fun(*primals)
    value, aux = made if has_aux else (made, None)
    if len(primals) != len(tangents):
        raise ValueError(f"[jvp] there are {len(primals)} primals and {len(tangents)} tangents; as many are needed.")
    places = tuple(range(len(primals)))

    def along(u: Any) -> Any:
        def weighted(*xs: Any) -> Any:
            y = fun(*xs)
            return core.sum((y[0] if has_aux else y) * u)

        gradients = grad(weighted, argnums=places)(*primals)
        return builtins.sum(core.sum(g * t) for g, t in zip(gradients, tangents, strict=True))

    start = core.broadcast_to(tensor(0, value.dtype), shape=tuple(value.shape))
    tangent = grad(along)(start)
    return (value, tangent, aux) if has_aux else (value, tangent)
