"""Tracing: functions become graphs, shapes are found by recording, gradients are asked of recordings.

A `KerasTensor` is a shape and a dtype, some sizes unknown; calling ops and layers on it yields KerasTensors. What an op
makes of unknown sizes is found by recording it twice with different sizes in their place: what differs is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _core, tree
from .symbols import KerasTensor, record_call

__all__ = [
    "GradientTape",
    "KerasTensor",
    "Program",
    "abstract_call",
    "grad",
    "in_trace",
    "jit",
    "outside",
    "record_call",
    "symbolic",
    "tape_active",
    "value_and_grad",
]

in_trace: Callable[[], bool] = _core.in_trace
tape_active: Callable[[], bool] = _core.tape_active
# `with outside():` ops run at once, unseen by traces and tapes: initial values, shapes.
outside = _core.Outside


# --- symbolic calls ---


def _stand_in(axis: int, which: int) -> int:
    """A size in place of an unknown one: rich in divisors, different for each axis and recording."""
    return (24, 84)[which] + 12 * axis


def abstract_call(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What fn(*args, **kwargs) returns, as KerasTensors; KerasTensors anywhere in the arguments are traced.

    An unknown size is the same unknown in all arguments along one axis, so that batches agree.
    """
    specs = []
    unknown = any(None in x.shape for x in tree.flatten((args, kwargs)) if isinstance(x, KerasTensor))
    for which in (0, 1) if unknown else (0,):
        with _core.Graph() as graph:

            def traced(x: Any, graph: Any = graph, which: int = which) -> Any:
                if not isinstance(x, KerasTensor):
                    return x
                shape = tuple(_stand_in(axis, which) if n is None else n for axis, n in enumerate(x.shape))
                return graph.input(shape, x.dtype)

            outputs = fn(*tree.map_structure(traced, args), **tree.map_structure(traced, kwargs))
        specs.append(tree.map_structure(lambda y: (tuple(y.shape), y.dtype) if hasattr(y, "dtype") else y, outputs))
    structure = outputs
    found = []
    for first, second in zip(_spec_leaves(specs[0]), _spec_leaves(specs[-1]), strict=True):
        if not isinstance(first, tuple):
            found.append(first)
            continue
        (a, dtype), (b, _) = first, second
        if len(a) != len(b):
            raise ValueError(f"the number of axes of a result depends on an unknown size: it is {a} or {b}")
        found.append(KerasTensor(tuple(m if m == n else None for m, n in zip(a, b, strict=True)), dtype))
    return tree.pack_sequence_as(structure, found)


def _spec_leaves(specs: Any) -> list[Any]:
    """The (shape, dtype) pairs of a structure, which are tuples themselves, and other leaves."""
    leaves: list[Any] = []

    def walk(x: Any) -> None:
        if isinstance(x, tuple) and len(x) == 2 and isinstance(x[0], tuple) and isinstance(x[1], str):
            leaves.append(x)
        elif isinstance(x, dict):
            for key in sorted(x):
                walk(x[key])
        elif isinstance(x, (list, tuple)):
            for item in x:
                walk(item)
        else:
            leaves.append(x)

    walk(specs)
    return leaves


def _has_symbol(args: Any, kwargs: Any) -> bool:
    for x in (*args, *kwargs.values()):
        if isinstance(x, KerasTensor):
            return True
        if isinstance(x, (list, tuple, dict)) and any(isinstance(y, KerasTensor) for y in tree.flatten(x)):
            return True
    return False


def symbolic(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a composition of ops accept KerasTensors as a whole."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if _has_symbol(args, kwargs):
            outputs = abstract_call(fn, *args, **kwargs)
            record_call(call, args, kwargs, outputs)
            return outputs
        return fn(*args, **kwargs)

    for name in ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"):
        setattr(call, name, getattr(fn, name))
    call.__wrapped__ = fn  # type: ignore[attr-defined]
    return call


def _symbolic_op(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    outputs = abstract_call(op, *args, **kwargs)
    record_call(op, args, kwargs, outputs)
    return outputs


_core.register_symbolic(KerasTensor, _symbolic_op)


# --- compiled functions ---

_ARRAYS = (np.ndarray, _core.Tensor)
_FLAT = (np.ndarray, _core.Tensor, type(None))


class Program:
    """A function that runs as a plan.

    `fn` is traced once for each structure, shapes and dtypes of its arguments. Arrays, Tensors and Variables are
    operands; None, strings and Python numbers are part of the signature. It returns what fn returns, with Tensors.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        self._keys: dict[Any, int] = {(): 0}
        self._structures: list[Any] = [None]
        self._flat_keys: dict[Any, int] = {}
        self._native = _core.Program(self._trace)
        # One array in, one array out, both NumPy's.
        self.predict = self._native.predict

    def __call__(self, *args: Any) -> Any:
        if len(args) == 1 and type(args[0]) in _ARRAYS:
            outputs, structure = self._native.call(0, [args[0]])
        else:
            leaves, key = self._signature(args)
            outputs, structure = self._native.call(key, leaves)
        return outputs[0] if structure is None else _pack(structure, outputs)

    def update(self, *args: Any) -> None:
        """Runs fn for what it assigns alone; its outputs are not computed."""
        leaves, key = self._signature(args)
        self._native.update(key, leaves)

    def epoch(
        self,
        data: Any,
        order: np.ndarray | None,
        batch_size: int,
        first: int = 0,
        steps: int | None = None,
        on_batch: Callable[[int, Any], Any] | None = None,
    ) -> tuple[int, Any]:
        """Runs fn on batches of rows of `data`: the tuple of arguments, whose arrays have equal first axes.

        Batch i takes rows order[i * batch_size : (i + 1) * batch_size]; the last may be shorter. fn's outputs are
        computed for the last batch, and for each if `on_batch(step, outputs)` is given. Ctrl-C is seen between batches.

        Returns:
            The number of batches run, and the outputs of the last.
        """
        leaves, key = self._signature(data)
        report = None
        if on_batch is not None:

            def report(step: int, outputs: list[Any], structure: Any) -> None:
                on_batch(step, outputs[0] if structure is None else _pack(structure, outputs))

        steps_run, outputs, structure = self._native.epoch(
            key, leaves, order, batch_size, first, -1 if steps is None else steps, report
        )
        if structure is None:
            return steps_run, outputs[0] if outputs else None
        return steps_run, _pack(structure, outputs)

    def map(self, data: Any, batch_size: int) -> Any:
        """fn's outputs for all rows of `data`, in batches, one after another as NumPy arrays."""
        leaves, key = self._signature(data)
        outputs, structure = self._native.map(key, leaves, batch_size)
        return outputs[0] if structure is None else _pack(structure, outputs)

    def invalidate(self) -> None:
        """Forgets every trace and plan: the function's Python code runs again at the next call."""
        self._native.clear()

    def text(self, *args: Any) -> str:
        """The graph and plan for these arguments, readable."""
        leaves, key = self._signature(args)
        return self._native.text(key, leaves)

    def profile(self, *args: Any, repeats: int = 30) -> list[tuple[str, float, int, int, bool]]:
        """For each instruction: name, median nanoseconds, flops (about), bytes of its operands, whether threads share
        it."""
        leaves, key = self._signature(args)
        return self._native.profile(key, leaves, repeats)

    def _signature(self, args: Any) -> tuple[list[Any], int]:
        args = tuple(args)
        if len(args) == 1 and type(args[0]) in _ARRAYS:
            return [args[0]], 0
        kinds = tuple(map(type, args))  # of arrays and None side by side, the types say all
        key = self._flat_keys.get(kinds)
        if key is not None:
            return [x for x in args if x is not None], key
        leaves: list[Any] = []
        signature = _sign(args, leaves)
        key = self._keys.get(signature)
        if key is None:
            key = self._keys[signature] = len(self._structures)
            self._structures.append(tree.map_structure(lambda x: _Slot if _is_operand(x) else x, args))
        if all(kind in _FLAT for kind in kinds):
            self._flat_keys[kinds] = key
        return leaves, key

    def _trace(self, key: int, specs: list[tuple[tuple[int, ...], str]]) -> Any:
        with _core.Graph() as graph:
            inputs = iter([graph.input(shape, dtype) for shape, dtype in specs])
            if key == 0:
                args = (next(inputs),)
            else:
                args = tree.map_structure(lambda x: next(inputs) if x is _Slot else x, self._structures[key])
            outputs = self._fn(*args)
            tensors: list[Any] = []
            structure = _unpack(outputs, tensors)
            graph.set_outputs(tensors)
            graph.note = None if structure is _Slot else (structure, _flat_keys(structure))
        return graph


class _Slot:
    """In a structure: the place of an operand or of an output."""


def _is_operand(x: Any) -> bool:
    return isinstance(x, _ARRAYS) or isinstance(x, _core.VariableBase) or hasattr(x, "__array__")


def _sign(x: Any, leaves: list[Any]) -> Any:
    """A hashable description of a structure; its operands are appended to `leaves` in tree order."""
    if isinstance(x, _ARRAYS) or x is None:
        if x is not None:
            leaves.append(x)
            return _Slot
        return None
    if isinstance(x, (tuple, list)):
        return (type(x), *[_sign(item, leaves) for item in x])
    if isinstance(x, dict):
        return (dict, *[(key, _sign(x[key], leaves)) for key in sorted(x)])
    if _is_operand(x):
        leaves.append(x)
        return _Slot
    return (type(x), x)


def _unpack(outputs: Any, tensors: list[Any]) -> Any:
    """The structure of outputs with tensors (Tensors, Variables, arrays) moved to a list."""

    def take(y: Any) -> Any:
        if _is_operand(y) or (isinstance(y, (int, float)) and not isinstance(y, bool)):
            tensors.append(y)
            return _Slot
        return y

    return tree.map_structure(take, outputs)


def _flat_keys(structure: Any) -> list[Any] | None:
    """The keys of a dictionary of nothing but outputs, such as logs, in the order of the outputs."""
    if type(structure) is not dict or any(x is not _Slot for x in structure.values()):
        return None
    return sorted(structure)


def _pack(note: tuple[Any, list[Any] | None], outputs: list[Any]) -> Any:
    """Outputs in the structure that the function returned; none at all where no batch ran."""
    structure, keys = note
    if keys is not None and len(outputs) == len(keys):
        found = dict(zip(keys, outputs, strict=True))
        return {key: found[key] for key in structure}
    rest = iter(outputs)
    return tree.map_structure(lambda x: next(rest, None) if x is _Slot else x, structure)


def jit(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled version of fn: traced once for each signature, then run as a plan. Usable as a decorator.

    Python side effects happen while tracing only; control flow on values needs ops (`ops.cond`, `ops.while_loop`).
    Inside another traced function, fn is simply traced along.
    """
    program = Program(fn)

    def call(*args: Any) -> Any:
        return fn(*args) if in_trace() or tape_active() else program(*args)

    call.__name__, call.__doc__ = getattr(fn, "__name__", "jit"), fn.__doc__
    call.program = program  # type: ignore[attr-defined]
    return call


# --- gradients ---


class GradientTape:
    """Records ops so that gradients can be asked for.

    Trainable Variables are watched; other tensors are after `watch`. Inside a traced function the trace itself is the
    record. Tapes nest: the inner one's gradient is recorded by the outer.

    Args:
        persistent: allow `gradient` more than once.
        watch_accessed_variables: watch trainable Variables as they are read.

    >>> x = ops.convert_to_tensor(3.0)
    >>> with GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * x
    >>> float(tape.gradient(y, x))
    6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._traced = in_trace()
        self._tape = None if self._traced else _core.Tape(persistent, watch_accessed_variables)

    def __enter__(self) -> GradientTape:
        if self._tape is not None:
            self._tape.enter()
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._tape is not None:
            self._tape.leave()

    def watch(self, tensor: Any) -> None:
        """Counts a tensor, or each of a structure, as a source."""
        if self._tape is not None:
            for x in tree.flatten(tensor):
                self._tape.watch(x)

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: str = "none",
    ) -> Any:
        """d(sum of target) / d(source) for each source; None (or zeros) where the target does not depend on it.

        Args:
            target: a tensor or a structure of tensors of floating-point dtype.
            sources: a Variable or watched tensor, or a structure of them.
            output_gradients: weights of the target's elements, instead of ones.
            unconnected_gradients: "none" or "zero".
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(
                f'[GradientTape] `unconnected_gradients` is "{unconnected_gradients}"; it must be none or zero.'
            )
        targets, wanted = tree.flatten(target), tree.flatten(sources)
        seeds = None if output_gradients is None else tree.flatten(output_gradients)
        if seeds is not None and len(seeds) != len(targets):
            raise ValueError(f"[GradientTape] {len(seeds)} output_gradients came for {len(targets)} targets.")
        if self._tape is None:
            found = _core.gradients(targets, wanted, seeds)
        else:
            found = self._tape.gradient(targets, wanted, seeds)
        if unconnected_gradients == "zero":
            found = [_zeros_like(x) if g is None else g for g, x in zip(found, wanted, strict=True)]
        return tree.pack_sequence_as(sources, found)


def _zeros_like(x: Any) -> Any:
    return _core.as_tensor(np.zeros(tuple(x.shape), x.dtype))


def value_and_grad(
    fn: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns fn's value and its gradient by the arguments at `argnums`.

    fn returns a scalar, or with `has_aux` a scalar and anything else. Arguments may be structures of arrays; gradients
    come in the same structure.

    >>> float(value_and_grad(lambda x: ops.sum(x * x))(np.ones(3, "float32"))[0])
    3.0
    """
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    def call(*args: Any, **kwargs: Any) -> Any:
        for i in chosen:
            if not -len(args) <= i < len(args):
                raise ValueError(f"[grad] `argnums` names argument {i}; {len(args)} positional arguments came.")
        taken = {i % len(args) for i in chosen}
        args = tuple(tree.map_structure(_source, a) if i in taken else a for i, a in enumerate(args))
        sources = [args[i] for i in chosen]
        with GradientTape() as tape:
            tape.watch([x for x in tree.flatten(sources) if isinstance(x, _core.Tensor)])
            result = fn(*args, **kwargs)
            value = result[0] if has_aux else result
        if getattr(value, "size", 1) != 1 or tuple(getattr(value, "shape", ())) != ():
            raise ValueError(f"[grad] fn must return a scalar; it returned shape {tuple(value.shape)}.")
        grads = tape.gradient(value, sources, unconnected_gradients="zero")
        return result, grads[0] if isinstance(argnums, int) else tuple(grads)

    return call


def grad(fn: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of fn by the arguments at `argnums`; see `value_and_grad`. It composes: grad(grad(fn)).

    >>> float(grad(lambda x: x**3)(2.0))
    12.0
    """
    both = value_and_grad(fn, argnums, has_aux)

    def call(*args: Any, **kwargs: Any) -> Any:
        result, gradient = both(*args, **kwargs)
        return (gradient, result[1]) if has_aux else gradient

    return call


def _source(x: Any) -> Any:
    """An argument as something a gradient can be taken by: floats, a fresh identity for what is not a tensor yet."""
    if isinstance(x, (_core.VariableBase, _core.Tensor)):
        return x
    x = _core.as_tensor(x)
    if x.dtype not in ("float16", "bfloat16", "float32", "float64"):
        raise TypeError(f"[grad] the argument is {x.dtype}; gradients are taken by floating-point arguments.")
    return x


def is_elementwise(fn: Callable[[Any], Any], shapes: list[tuple[int, ...]]) -> bool:
    """Whether fn(shape), called while recording for each shape, does the same pointwise operations each time.

    What it computes on scalars does not count.
    """
    seen: list[list[tuple[str, bool]]] = []
    for shape in shapes:
        with _core.Graph() as graph:
            fn(shape)
        count = int(np.prod(shape))
        steps = []
        for name, pointwise, out in graph.operations():
            size = int(np.prod(out))
            if (
                size not in (1, count)
                or (not pointwise and size != 1)
                or (size == count and name in ("random_uniform", "random_normal"))
            ):
                return False
            steps.append((name, size == 1))
        seen.append(steps)
    return all(steps == seen[0] for steps in seen)
