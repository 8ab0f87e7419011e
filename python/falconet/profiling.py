"""Where the time goes: the instructions of a plan, timed one by one, and its text."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from falconet import _core
from falconet.tracing import Program

__all__ = ["dump", "profile"]

# Of an instruction: name, nanoseconds, flops, bytes, whether threads may share it.
_Measured = tuple[str, float, int, int, bool]

_ceilings: dict[tuple[str, int], tuple[float, float]] = {}


def profile(
    target: Any, *args: Any, repeats: int = 30, trace: str | os.PathLike[str] | None = None
) -> list[dict[str, Any]]:
    """Prints and returns what each instruction of the plan for these arguments takes.

    The table's last column holds the larger of two shares: of the arithmetic that a large matrix product reaches on
    this machine, and of the bandwidth that a pass over memory reaches. Both are measured at the first call. Operands
    that are still in the cache move faster than memory, so the share may be above 100 %. Variables, a model's metrics
    and seeds included, have their values back afterwards.

    Args:
        target: a Model, a `jit` function, a `Program`, or any function of arrays.
        args: the arguments. For a Model: (x) is inference, (x, y) or (x, y, sample_weight) a training step.
        repeats: runs of the plan, >= 1; the times are medians of these.
        trace: a file to write for chrome://tracing, the instructions one after another.

    Returns:
        For each instruction a dict of `name`, `time_ns`, `share` of the total time, `flops` (about), `bytes` of its
        operands, `gflops_per_s`, `gbytes_per_s`, `ceiling_share`, and `parallel`: whether threads may share it.

    >>> rows = profile(lambda x: x * 2, np.ones((4, 4), "float32"))  # doctest: +ELLIPSIS
    instruction ...
    >>> rows[0]["bytes"] >= 128
    True
    """
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise ValueError(f"[profile] `repeats` is {repeats!r}; it must be an integer of at least 1.")
    program, args = _program_of("profile", target, args)
    program.text(*args)  # traces without running: it is then known which variables a run would change
    kept = [(v, v._numpy()) for v in _variables_named(program.updated)]
    try:
        measured = program.profile(*args, repeats=repeats)
    finally:
        for variable, value in kept:
            variable._assign(value)
    rows = _rows(measured)
    print(_table(rows))
    if trace is not None:
        _write_trace(rows, trace)
    return rows


def dump(target: Any, *args: Any) -> str:
    """Prints and returns the graph of ops and the plan of instructions for these arguments, which `profile` explains.

    Nothing is computed and no variable changes.

    >>> text = dump(lambda x: x * 2, np.ones(3, "float32"))  # doctest: +ELLIPSIS
    %0: float32(3,) = input()
    ...
    >>> "multiply" in text
    True
    """
    program, args = _program_of("dump", target, args)
    text = program.text(*args)
    print(text)
    return text


class _Recorded(Program):
    """A program that remembers the names of the variables which its last trace updates."""

    updated: frozenset[str] = frozenset()

    def _trace(self, key: int, specs: list[tuple[tuple[int, ...], str]]) -> Any:
        graph = super()._trace(key, specs)
        self.updated = frozenset(graph.updated_variables())
        return graph


def _program_of(caller: str, target: Any, args: tuple[Any, ...]) -> tuple[_Recorded, tuple[Any, ...]]:
    """A program of its own for the target, whose plans stay as they are, and the arguments it takes."""
    from falconet.models import Model

    if isinstance(target, Model):
        return _model_step(caller, target, args)
    program = target if isinstance(target, Program) else getattr(target, "program", None)
    fn = program._fn if isinstance(program, Program) else target
    if not callable(fn):
        kind = type(target).__name__
        raise TypeError(f"[{caller}] `target` is a {kind}; it must be a Model, a Program or a function.")
    return _Recorded(fn), args


def _model_step(caller: str, model: Any, args: tuple[Any, ...]) -> tuple[_Recorded, tuple[Any, ...]]:
    from falconet.models import fitting
    from falconet.models.arrays import as_arrays

    if not 1 <= len(args) <= 3:
        raise TypeError(f"[{caller}] a Model takes (x), (x, y) or (x, y, sample_weight); got {len(args)} arguments.")
    training = len(args) > 1
    if training:
        model._require_compiled(caller)
    x, y, sample_weight = (*args, None, None)[:3]
    data = as_arrays(x, y, sample_weight, model.label)
    fitting.prepare(model, data, training=training)
    return (_Recorded(model._train_data), data) if training else (_Recorded(model._predict_data), data[:1])


def _variables_named(names: frozenset[str]) -> list[Any]:
    """All live variables of these names: a trace tells names, and a variable may be held from anywhere."""
    if not names:
        return []
    import gc

    return [v for v in gc.get_objects() if issubclass(type(v), _core.VariableBase) and v._name in names]


def _rows(measured: list[_Measured]) -> list[dict[str, Any]]:
    flops_ceiling, bytes_ceiling = _machine_ceilings()
    # A clock tick bounds what can be told of an instruction that takes no time.
    total = max(sum(row[1] for row in measured), 1.0)
    rows = []
    for name, time_ns, flops, size, parallel in measured:
        gflops, gbytes = flops / max(time_ns, 1.0), size / max(time_ns, 1.0)
        rows.append(
            {
                "name": name,
                "time_ns": time_ns,
                "share": time_ns / total,
                "flops": flops,
                "bytes": size,
                "gflops_per_s": gflops,
                "gbytes_per_s": gbytes,
                "ceiling_share": max(gflops / flops_ceiling, gbytes / bytes_ceiling),
                "parallel": parallel,
            }
        )
    return rows


def _machine_ceilings() -> tuple[float, float]:
    """GFLOP/s of a product of 1024 x 1024 matrices and GB/s of a pass over 2 x 64 MiB, with the kernels and threads now
    in use; measured once for each."""
    key = (_core.isa(), _core.num_threads())
    if key not in _ceilings:
        square = np.ones((1024, 1024), "float32")
        # 64 MiB read and as many written: beyond the last cache of most machines.
        flat = np.ones(1 << 24, "float32")
        _ceilings[key] = (
            _best_rate(_core.ops.matmul, lambda row: row[2], square, square),
            _best_rate(_core.ops.negative, lambda row: row[3], flat),
        )
    return _ceilings[key]


def _best_rate(fn: Any, amount: Callable[[_Measured], int], *args: Any) -> float:
    """The largest amount per nanosecond that fn's largest instruction reaches in 8 runs: a ceiling is what the machine
    does when others leave it alone."""
    program = Program(fn)
    runs = [max(program.profile(*args, repeats=1), key=amount) for _ in range(8)]
    return max(amount(row) / max(row[1], 1.0) for row in runs)


def _table(rows: list[dict[str, Any]]) -> str:
    width = max([len("instruction"), *(len(row["name"]) for row in rows)])
    lines = [f"{'instruction':{width}}   time (us)  share   GFLOP/s     GB/s  ceiling"]
    for row in rows:
        lines.append(
            f"{row['name']:{width}}  {row['time_ns'] * 1e-3:10.2f} {row['share']:6.1%} {row['gflops_per_s']:9.2f}"
            f" {row['gbytes_per_s']:8.2f}  {row['ceiling_share']:7.1%}"
        )
    lines.append(f"{'total':{width}}  {sum(row['time_ns'] for row in rows) * 1e-3:10.2f}")
    return "\n".join(lines)


def _write_trace(rows: list[dict[str, Any]], path: str | os.PathLike[str]) -> None:
    """Complete events ("X") of Chrome's trace event format: microseconds, one thread, in the order of the plan."""
    import json

    events: list[dict[str, Any]] = []
    start_ns = 0.0
    for row in rows:
        facts = {key: value for key, value in row.items() if key not in ("name", "time_ns")}
        event = {"name": row["name"], "cat": "instruction", "ph": "X", "pid": 0, "tid": 0, "args": facts}
        events.append({**event, "ts": start_ns * 1e-3, "dur": row["time_ns"] * 1e-3})
        start_ns += row["time_ns"]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"traceEvents": events, "displayTimeUnit": "ns"}, file, indent=1)
