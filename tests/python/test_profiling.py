"""What profile and dump tell, and that they leave everything as it was."""

import json

import numpy as np
import pytest

import falconet as keras
from falconet import ops
from falconet.tracing import Program

KEYS = {
    "name", "time_ns", "share", "flops", "bytes", "gflops_per_s", "gbytes_per_s", "ceiling_share", "parallel",
}  # fmt: skip


def compiled_model():
    keras.utils.set_random_seed(11)
    model = keras.Sequential(
        [
            keras.Input((24,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.fixture
def batch():
    rng = np.random.default_rng(5)
    return rng.standard_normal((16, 24)).astype("float32"), rng.standard_normal((16, 3)).astype("float32")


def state_of(model):
    """Weights, seeds, optimizer and metrics."""
    holders = [*model.variables, *model.optimizer.variables, *(v for m in model.metrics for v in m.variables)]
    return [np.array(v.numpy()) for v in holders]


def test_rows_and_table_agree(capsys):
    a, b = np.ones((64, 96), "float32"), np.ones((96, 80), "float32")
    rows = keras.profile(lambda a, b: ops.sum(ops.matmul(a, b), axis=0), a, b, repeats=5)
    assert all(set(row) == KEYS for row in rows)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    product = max(rows, key=lambda row: row["flops"])
    assert "gemm" in product["name"]
    assert product["flops"] == pytest.approx(2 * 64 * 96 * 80, rel=0.05)
    for row in rows:
        assert row["ceiling_share"] > 0
        if row["time_ns"] >= 1:
            assert row["gflops_per_s"] == pytest.approx(row["flops"] / row["time_ns"])
            assert row["gbytes_per_s"] == pytest.approx(row["bytes"] / row["time_ns"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["instruction", "time", "(us)", "share", "GFLOP/s", "GB/s", "ceiling"]
    assert [line.split()[0] for line in lines[1:]] == [*(row["name"] for row in rows), "total"]
    assert len({len(line) for line in lines[:-1]}) == 1


def test_a_training_step_leaves_no_trace(batch):
    x, y = batch
    model = compiled_model()
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    before = state_of(model)
    rows = keras.profile(model, x, y, repeats=3)
    after = state_of(model)
    assert len(rows) > len(keras.profile(model, x, repeats=3))
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_goes_on_as_if_nothing_had_been_measured(batch):
    x, y = batch
    losses = []
    for measured in (False, True):
        model = compiled_model()
        if measured:
            keras.profile(model, x, y, np.ones(16, "float32"), repeats=2)
            keras.profile(model, x, repeats=2)
        losses.append(model.fit(x, y, epochs=3, batch_size=8, verbose=0).history["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("wrap", [lambda f: f, keras.jit, Program], ids=["function", "jit", "Program"])
def test_variables_of_functions_are_unchanged(wrap):
    counter = keras.Variable(np.zeros(4, "float32"), name="counter")

    def count(x):
        counter.assign_add(x)
        return counter.value * 2.0

    target = wrap(count)
    assert keras.profile(target, np.ones(4, "float32"), repeats=3)
    np.testing.assert_array_equal(counter.numpy(), np.zeros(4))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int32", "bool", "uint32"])
def test_variables_of_every_kind_come_back(dtype):
    start = np.array([0, 1, 1, 0])
    kept = keras.Variable(start, dtype=dtype, name="kept")

    def change(x):
        kept.assign(ops.cast(ops.equal(x, 0.0), dtype))
        return x + 1.0

    keras.profile(change, start.astype("float32"), repeats=2)
    assert kept.dtype == dtype
    np.testing.assert_array_equal(np.asarray(ops.convert_to_numpy(ops.cast(kept, "float32"))), start)


def test_the_trace_file_holds_events_one_after_another(tmp_path, batch):
    path = tmp_path / "trace.json"
    rows = keras.profile(compiled_model(), *batch, repeats=2, trace=path)
    events = json.loads(path.read_text())["traceEvents"]
    assert [event["name"] for event in events] == [row["name"] for row in rows]
    assert {event["ph"] for event in events} == {"X"}
    end = 0.0
    for event, row in zip(events, rows, strict=True):
        assert event["ts"] == pytest.approx(end)
        assert event["dur"] == pytest.approx(row["time_ns"] / 1000)
        assert event["args"]["bytes"] == row["bytes"]
        end = event["ts"] + event["dur"]


def test_empty_arrays_take_no_time_worth_a_share(capsys):
    rows = keras.profile(lambda x: x * 2.0 + 1.0, np.ones((0, 3), "float32"), repeats=1)
    assert all(np.isfinite([row["share"], row["ceiling_share"]]).all() for row in rows)
    assert capsys.readouterr().out.splitlines()[-1].split()[0] == "total"


def test_dump_prints_graph_and_plan_and_runs_nothing(capsys, batch):
    x, y = batch
    model = compiled_model()
    model.fit(x, y, verbose=0)
    before = state_of(model)
    text = keras.dump(model, x, y)
    assert capsys.readouterr().out == text + "\n"
    assert "gemm" in text and "arena" in text and "update iteration" in text
    for one, other in zip(before, state_of(model), strict=True):
        np.testing.assert_array_equal(one, other)
    assert "update" not in keras.dump(model, x)


@pytest.mark.parametrize("repeats", [0, -1, True, 2.0])
def test_repeats_must_be_a_positive_integer(repeats):
    with pytest.raises(ValueError, match=r"^\[profile\] `repeats` is .*; it must be an integer of at least 1\.$"):
        keras.profile(lambda x: x, np.ones(2, "float32"), repeats=repeats)


def test_targets_that_cannot_be_profiled(batch):
    x, y = batch
    with pytest.raises(TypeError, match=r"^\[dump\] `target` is a str; it must be a Model, a Program or a function\.$"):
        keras.dump("model", x)
    with pytest.raises(TypeError, match=r"^\[profile\] a Model takes .*; got 0 arguments\.$"):
        keras.profile(compiled_model())
    model = keras.Sequential([keras.Input((24,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match=r"call compile\(optimizer, loss\) before profile\(\)"):
        keras.profile(model, x, y)


def test_native_repeats_must_be_positive():
    with pytest.raises(ValueError, match=r"\[profile\] `repeats` is 0; it must be at least 1"):
        Program(lambda x: x * 2).profile(np.ones(3, "float32"), repeats=0)


def test_dump_shows_the_values_of_scalars(capsys):
    assert "= constant(2.5)" in keras.dump(lambda x: x * 2.5, np.ones(3, "float32"))


def test_packing_is_no_product(capsys):
    # Rows that lie a multiple of 4096 bytes apart are packed before the product.
    a, b = np.ones((64, 1024), "float32"), np.ones((64, 20000), "float32")
    rows = keras.profile(lambda a, b: ops.matmul(ops.transpose(a), b), a, b, repeats=1)
    assert [row["name"] for row in rows] == ["pack", "gemm"]
    assert [row["flops"] for row in rows] == [0, 2 * 1024 * 64 * 20000]
    assert rows[0]["bytes"] == 2 * a.nbytes
