"""Branches and loops on values, and gradients of one's own.

Outside a trace these are Python's own branches and loops. Inside one, each body becomes a graph of its own and the
whole one node: only the branch taken is run, a loop may run any number of times, and gradients run it backwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _core, tree
from .symbols import KerasTensor
from .tracing import abstract_call, in_trace, record_call, tape_active

__all__ = ["cond", "custom_gradient", "scan", "while_loop"]


def _tensors(structure: Any) -> Any:
    return tree.map_structure(lambda x: x if isinstance(x, KerasTensor) else _core.as_tensor(x), structure)


def _any_traced(*structures: Any) -> bool:
    return any(
        isinstance(x, _core.VariableBase) or getattr(x, "is_traced", False) for s in structures for x in tree.flatten(s)
    )


def _symbolically(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    outputs = abstract_call(fn, *args)
    record_call(fn, args, {}, outputs)
    return outputs


def _body(fn: Callable[..., Any], operands: list[Any]) -> tuple[Any, Any, list[Any]]:
    """fn recorded on operands of these specs: its graph, the structure it returns, and the outer values it used."""
    with _core.Graph(nested=True) as graph:
        inputs = [graph.input(tuple(x.shape), x.dtype) for x in operands]
        outputs = fn(*inputs)
        graph.set_outputs([_core.as_tensor(y) for y in tree.flatten(outputs)])
    return graph, outputs, graph.captures()


def _results(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def _specs(structure: Any) -> list[tuple[tuple[int, ...], str]]:
    return [(tuple(x.shape), x.dtype) for x in tree.flatten(structure)]


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """true_fn() where `pred` holds, else false_fn(); both return the same structure, shapes and dtypes.

    Args:
        pred: a scalar; a number other than 0 holds.
    """
    if isinstance(pred, KerasTensor):
        return _symbolically(lambda p: cond(p, true_fn, false_fn), (pred,))
    if not (in_trace() and _any_traced(pred)):
        return true_fn() if bool(_core.as_tensor(pred)) else false_fn()
    if tuple(pred.shape) != ():
        raise ValueError(f"[cond] `pred` has shape {tuple(pred.shape)}; a scalar is needed.")
    then, then_outputs, then_captures = _body(true_fn, [])
    other, other_outputs, other_captures = _body(false_fn, [])
    if _specs(_tensors_of(then, then_outputs)) != _specs(_tensors_of(other, other_outputs)):
        raise ValueError(
            f"[cond] the branches differ: true_fn returns {_specs(_tensors_of(then, then_outputs))}, "
            f"false_fn {_specs(_tensors_of(other, other_outputs))}."
        )
    if not tree.flatten(then_outputs):
        return then_outputs
    results = _core.ops.cond(
        [_core.ops.cast(pred, dtype="bool"), *then_captures, *other_captures],
        true_graph=then,
        false_graph=other,
        num_true=len(then_captures),
    )
    return tree.pack_sequence_as(then_outputs, _results(results))


def _tensors_of(graph: Any, outputs: Any) -> list[Any]:
    with graph:
        return [_core.as_tensor(y) for y in tree.flatten(outputs)]


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    """Repeats loop_vars = body(*loop_vars) while cond(*loop_vars) holds; shapes and dtypes stay as they are.

    Outside a trace its gradient is that of the steps made. Inside one (`jit`, `fit`) a loop with `maximum_iterations`
    has gradients, in memory and time that grow with that number; one without raises ValueError where one is asked for.
    """
    single = not isinstance(loop_vars, (list, tuple))
    start = (loop_vars,) if single else tuple(loop_vars)
    if any(isinstance(x, KerasTensor) for x in tree.flatten(start)):
        return _symbolically(lambda *v: while_loop(cond, body, v[0] if single else v, maximum_iterations), start)
    values = tuple(_tensors(v) for v in start)

    def step(values: tuple[Any, ...]) -> tuple[Any, ...]:
        after = body(*values)
        after = (after,) if single or not isinstance(after, (list, tuple)) else tuple(after)
        after = tuple(_tensors(v) for v in after)
        if _specs(after) != _specs(values):
            raise ValueError(
                f"[while_loop] body turns loop variables of {_specs(values)} into {_specs(after)}; "
                "they must stay alike."
            )
        return after

    if not (in_trace() and (_any_traced(values) or _reads_traced(cond, values))):
        count = 0
        while (maximum_iterations is None or count < maximum_iterations) and bool(_core.as_tensor(cond(*values))):
            values = step(values)
            count += 1
        return values[0] if single else values
    flat = [_core.as_tensor(x) for x in tree.flatten(values)]
    test, _, test_captures = _body(lambda *v: cond(*tree.pack_sequence_as(values, list(v))), flat)
    loop, _, loop_captures = _body(lambda *v: step(tree.pack_sequence_as(values, list(v))), flat)
    results = _core.ops.while_loop(
        [*flat, *test_captures, *loop_captures],
        cond_graph=test,
        body_graph=loop,
        num_values=len(flat),
        num_cond=len(test_captures),
        maximum_iterations=-1 if maximum_iterations is None else maximum_iterations,
    )
    after = tree.pack_sequence_as(values, _results(results))
    return after[0] if single else after


def _reads_traced(fn: Callable[..., Any], values: tuple[Any, ...]) -> bool:
    """Whether a condition looks at traced values besides the loop's own."""
    flat = tree.flatten(values)
    _, _, captures = _body(lambda *v: fn(*tree.pack_sequence_as(values, list(v))), flat)
    return bool(captures)


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """carry, ys[i] = f(carry, xs[i]) for i = 0, 1, ... along the first axes of xs (from the last where `reverse`).

    Args:
        f: function of (carry, x) to (carry, y); carries keep structure, shapes and dtypes.
        init: the first carry.
        xs: a structure of arrays with equal first axes, or None with `length` given.
        length: number of steps.
        unroll: how many steps a traced loop's body takes at once, >= 1: more plan, fewer runs of it. True: all of them,
            so that there is no loop; False: 1. Results stay the same.

    Returns:
        The last carry, and the ys stacked along a new first axis.
    """
    if not isinstance(unroll, int) or (not isinstance(unroll, bool) and unroll < 1):
        raise ValueError(f"[scan] `unroll` is {unroll!r}; it must be a number of steps >= 1, or a bool.")
    leaves = [] if xs is None else tree.flatten(xs)
    if any(isinstance(x, KerasTensor) for x in (*tree.flatten(init), *leaves)):
        return _symbolically(lambda c, x: scan(f, c, x, length, reverse, unroll), (init, xs))
    leaves = [_core.as_tensor(x) for x in leaves]
    lengths = {x.shape[0] if x.ndim else None for x in leaves}
    if None in lengths or len(lengths) > 1:
        raise ValueError(
            f"[scan] the arrays of `xs` need first axes of one length, got shapes {[tuple(x.shape) for x in leaves]}."
        )
    count = length if length is not None else (lengths.pop() if lengths else None)
    if count is None:
        raise ValueError("[scan] `length` is needed where `xs` is None.")
    if lengths and length is not None and leaves[0].shape[0] != length:
        raise ValueError(f"[scan] `length` is {length}; the arrays of `xs` have {leaves[0].shape[0]} rows.")
    carry = _tensors(init)

    def step(carry: Any, rows: list[Any]) -> tuple[Any, Any]:
        result = f(carry, tree.pack_sequence_as(xs, rows) if xs is not None else None)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise ValueError("[scan] f must return two things: the carry and y.")
        after, y = _tensors(result[0]), _tensors(result[1])
        if _specs(after) != _specs(carry):
            raise ValueError(f"[scan] f turns a carry of {_specs(carry)} into {_specs(after)}; it must stay alike.")
        return after, y

    if not in_trace() or unroll is True or unroll >= count:
        return _scan_in_python(step, carry, leaves, count, reverse)
    if unroll > 1:
        return _scan_by_chunks(step, carry, leaves, count, reverse, int(unroll))
    return _scan_in_plan(step, carry, leaves, count, reverse)


def _scan_in_plan(step: Any, carry: Any, leaves: list[Any], count: int, reverse: bool) -> tuple[Any, Any]:
    flat = tree.flatten(carry)

    def on_leaves(*values: Any) -> Any:
        return step(tree.pack_sequence_as(carry, list(values[: len(flat)])), list(values[len(flat) :]))

    rows = [_Row(tuple(x.shape[1:]), x.dtype) for x in leaves]
    graph, outputs, captures = _body(on_leaves, [*flat, *rows])
    results = _core.ops.scan(
        [*flat, *leaves, *captures],
        body_graph=graph,
        num_carries=len(flat),
        num_xs=len(leaves),
        length=count,
        reverse=bool(reverse),
    )
    return tree.pack_sequence_as(outputs, _results(results))


class _Row:
    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.shape, self.dtype = shape, dtype


def _scan_by_chunks(step: Any, carry: Any, leaves: list[Any], count: int, reverse: bool, size: int) -> tuple[Any, Any]:
    """A loop over chunks of `size` steps; the rows that are left over, the last ones, are taken one by one."""
    core, whole = _core.ops, count // size * size

    def part(x: Any, start: int, stop: int) -> Any:
        return core.slice(x, start=[start], stop=[stop], step=[1])

    def rest(carry: Any) -> tuple[Any, Any]:
        return _scan_in_python(step, carry, [part(x, whole, count) for x in leaves], count - whole, reverse)

    ys_of_rest = None
    if reverse and whole < count:
        carry, ys_of_rest = rest(carry)
    chunks = [core.reshape(part(x, 0, whole), shape=(whole // size, size, *x.shape[1:])) for x in leaves]
    carry, ys = _scan_in_plan(
        lambda carry, rows: _scan_in_python(step, carry, rows, size, reverse), carry, chunks, whole // size, reverse
    )
    ys = tree.map_structure(lambda y: core.reshape(y, shape=(whole, *y.shape[2:])), ys)
    if not reverse and whole < count:
        carry, ys_of_rest = rest(carry)
    if whole < count:
        ys = tree.map_structure(lambda y, more: core.concatenate([y, more], axis=0), ys, ys_of_rest)
    return carry, ys


def _scan_in_python(step: Any, carry: Any, leaves: list[Any], count: int, reverse: bool) -> tuple[Any, Any]:
    core = _core.ops
    ys: list[Any] = [None] * count
    for i in range(count - 1, -1, -1) if reverse else range(count):
        rows = [
            core.reshape(core.slice(x, start=[i], stop=[i + 1], step=[1]), shape=tuple(x.shape[1:])) for x in leaves
        ]
        carry, ys[i] = step(carry, rows)
    if not ys:
        return carry, None

    def stack(*parts: Any) -> Any:
        return core.concatenate([core.reshape(p, shape=(1, *p.shape)) for p in parts], axis=0)

    return carry, tree.map_structure(stack, *ys)


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of its own: f(*args) returns (y, grad), and grad(*dy) the gradients of the arguments.

    grad is called as grad(dy), or grad(dy, upstream=dy) where it takes `upstream` by keyword only; it returns one
    gradient for each positional argument, or a single one. Usable as a decorator.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, KerasTensor) for x in tree.flatten(args)):
            return _symbolically(lambda *a: call(*a, **kwargs), args)
        if not (in_trace() or tape_active()):
            return f(*args, **kwargs)[0]
        sources = [_core.as_tensor(x) for x in tree.flatten(args)]
        inside = [_core.ops.stop_gradient(x) for x in sources]
        y, grad = f(*tree.pack_sequence_as(args, inside), **kwargs)
        outputs = [_core.as_tensor(t) for t in tree.flatten(y)]

        def rule(*dys: Any) -> list[Any]:
            dy = tree.pack_sequence_as(y, list(dys))
            found = grad(*(dy if isinstance(y, (tuple, list)) else (dy,)))
            found = list(found) if isinstance(found, (tuple, list)) else [found]
            if len(found) != len(sources):
                raise ValueError(
                    f"[custom_gradient] the gradient function returned {len(found)} gradients for {len(sources)} "
                    "arguments."
                )
            return found

        results = _core.with_gradient(outputs, sources, rule)
        return tree.pack_sequence_as(y, results)

    call.__name__, call.__doc__ = getattr(f, "__name__", "custom_gradient"), f.__doc__
    return call
