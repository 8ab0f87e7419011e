"""`serving.Batcher`: batches by size and time, bits, back-pressure, cancellation, errors, closing, counts."""

import asyncio
import threading
import time

import numpy as np
import pytest

import falconet as keras
from falconet import layers
from falconet.serving import Batcher, Histogram, Overloaded

RNG = np.random.default_rng(0)


def run(main):
    return asyncio.run(asyncio.wait_for(main, 20))


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((8,)), layers.Dense(16, activation="tanh"), layers.Dense(3)])


@pytest.fixture(scope="module")
def predictor(model):
    return keras.Predictor(model)


@pytest.fixture(scope="module")
def lookup():
    """A predictor that refuses indices from 5 on, but only when it runs."""
    return keras.Predictor(keras.Sequential([keras.Input((2,), dtype="int32"), layers.Embedding(5, 4)]))


class Slow(keras.Predictor):
    """Notes the rows of each batch and its thread; waits until `gate` is set."""

    def __init__(self, model):
        super().__init__(model)
        self.batches, self.threads = [], []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, *args, **named):
        self.gate.wait(10)
        self.batches.append(len(args[0]))
        self.threads.append(threading.current_thread())
        return super().__call__(*args, **named)


@pytest.fixture
def slow(model):
    """A slow predictor, to be closed until a test opens it; made ready by `ready`."""
    return Slow(model)


def ready(slow, **arguments):
    batcher = Batcher(slow, **arguments)
    slow.batches.clear()
    slow.threads.clear()
    return batcher


def rows(n):
    return RNG.standard_normal((n, 8)).astype("float32")


@pytest.mark.parametrize("max_inline", [0, 10.0])
@pytest.mark.parametrize("max_batch_size", [7, 64, 100])
def test_rows_have_the_bits_of_a_prediction_alone(predictor, max_batch_size, max_inline):
    x = rows(300)

    async def main():
        async with Batcher(predictor, max_batch_size, max_queue=128, max_inline=max_inline) as batcher:
            single = asyncio.gather(*(batcher(row) for row in x))
            few = asyncio.gather(*(batcher(x[i : i + i % 5]) for i in range(100)))
            return await single, await few, batcher.stats

    single, few, stats = run(main())
    for i in range(300):
        assert single[i].shape == (3,)
        np.testing.assert_array_equal(single[i], predictor(x[i : i + 1])[0])
    for i in range(100):
        np.testing.assert_array_equal(few[i], predictor(x[i : i + i % 5]))
    assert stats.requests == stats.answered == stats.latency.count == 400
    assert stats.rows == 300 + sum(i % 5 for i in range(100))
    assert stats.batches < stats.requests / 2
    if max_inline == 0:
        assert stats.batches_in_threads == stats.batches


def test_several_inputs_and_outputs():
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b", dtype="int32")
    shared = layers.Dense(4, name="left")(a)
    model = keras.Model([a, b], [shared, layers.Embedding(9, 2, name="right")(b)])
    predictor = keras.Predictor(model)
    x, y = RNG.standard_normal((4, 3)), RNG.integers(0, 9, (4, 2))

    async def main():
        async with Batcher(predictor) as batcher:
            first, second, third = await asyncio.gather(
                batcher(x[:3], y[:3]), batcher(a=x[3], b=y[3]), batcher({"a": x, "b": y.tolist()})
            )
            with pytest.raises(ValueError, match='input "b" has shape .2, 2., input "a" .3, 3.; the same number'):
                await batcher(x[:3], y[:2])
            with pytest.raises(ValueError, match="the same number of rows"):
                await batcher(x[:1], y[0])
            with pytest.raises(TypeError, match='input "b" is missing'):
                await batcher(x)
            return first, second, third, batcher.stats.batches

    first, second, third, batches = run(main())
    want = predictor(x, y)
    assert batches == 1
    for name, value in want.items():
        np.testing.assert_array_equal(first[name], value[:3])
        np.testing.assert_array_equal(second[name], value[3])
        np.testing.assert_array_equal(third[name], value)


def test_a_batch_goes_when_it_is_full_and_when_the_oldest_has_waited(slow):
    async def main():
        loop = asyncio.get_running_loop()
        async with ready(slow, max_batch_size=4, max_latency=10) as batcher:
            start = loop.time()
            await asyncio.gather(*(batcher(row) for row in rows(8)))
            assert loop.time() - start < 5 and slow.batches == [4, 4]
        async with ready(slow, max_batch_size=4, max_latency=0.1) as batcher:
            start = loop.time()
            await batcher(rows(1))
            assert 0.1 <= loop.time() - start < 5 and slow.batches == [1]
            # Three rows do not fit beside two: they wait their turn and come in the order they came.
            await asyncio.gather(batcher(rows(2)), batcher(rows(3)), batcher(rows(1)))
            assert slow.batches[1:] == [2, 4]

    run(main())


def test_nobody_waits_longer_than_the_batch_takes(slow):
    async def main():
        async with ready(slow, max_latency=0.5) as batcher:
            loop = asyncio.get_running_loop()
            seconds = []
            for _ in range(5):
                start = loop.time()
                await batcher(rows(1))
                seconds.append(loop.time() - start)
            assert seconds[0] >= 0.5  # nothing is known of the size
            assert min(seconds[1:]) < 0.25

    run(main())


def test_without_latency_what_comes_in_one_pass_goes_together(slow):
    async def main():
        async with ready(slow, max_latency=0) as batcher:
            await asyncio.gather(*(batcher(row) for row in rows(10)))
            assert slow.batches == [10]

    run(main())


def test_short_batches_run_in_the_loop_and_long_ones_in_a_thread(slow):
    async def main():
        async with ready(slow, max_latency=0, max_inline=0.01) as batcher:
            for _ in range(3):
                await batcher(rows(1))
            here = threading.current_thread()
            # Nothing is known of a size at first.
            assert slow.threads[0] is not here and slow.threads[1:] == [here, here]
            assert batcher.stats.batches_in_threads == 1
        async with ready(slow, max_latency=0, max_inline=0) as batcher:
            slow.gate.clear()
            answer = asyncio.ensure_future(batcher(rows(1)))
            passes = 0
            while passes < 20:  # the loop goes on while a thread waits
                await asyncio.sleep(0.001)
                passes += 1
            assert not answer.done()
            slow.gate.set()
            await answer

    run(main())


def test_a_full_queue_refuses_or_lets_wait(slow):
    async def main(overload):
        slow.gate.clear()
        batcher = ready_closed(overload)
        async with batcher:
            under_way = [asyncio.ensure_future(batcher(rows(2)))]
            await asyncio.sleep(0.05)  # in the thread now
            under_way += [asyncio.ensure_future(batcher(rows(1))) for _ in range(4)]
            await asyncio.sleep(0)
            assert batcher.waiting == 4
            beyond = asyncio.ensure_future(batcher(rows(1)))
            await asyncio.sleep(0)
            if overload == "raise":
                with pytest.raises(Overloaded, match="4 rows wait; `max_queue` is 4"):
                    await beyond
            else:
                assert not beyond.done() and batcher.waiting == 5
                under_way.append(beyond)
            slow.gate.set()
            answers = await asyncio.gather(*under_way)
            assert [len(y) for y in answers] == [2] + [1] * (len(under_way) - 1)
            await batcher(rows(1))  # there is room again
            assert batcher.waiting == 0
            assert batcher.stats.overloaded == (overload == "raise")

    def ready_closed(overload):
        slow.gate.set()
        batcher = ready(slow, max_batch_size=2, max_latency=0, max_queue=4, overload=overload, max_inline=0)
        slow.gate.clear()
        return batcher

    run(main("raise"))
    run(main("wait"))


def test_a_cancelled_request_leaves_its_batch_and_hurts_no_other(slow):
    x = rows(6)

    async def main():
        async with ready(slow, max_latency=0.2, max_batch_size=4, max_queue=4, max_inline=0) as batcher:
            tasks = [asyncio.ensure_future(batcher(row)) for row in x[:3]]
            await asyncio.sleep(0)
            tasks[1].cancel()
            await asyncio.sleep(0)
            assert batcher.waiting == 2
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert slow.batches == [2] and isinstance(answers[1], asyncio.CancelledError)
            np.testing.assert_array_equal(answers[2], keras.Predictor.__call__(slow, x[2:3])[0])
            # While it is computed, and while it waits for room in the queue.
            slow.gate.clear()
            tasks = [asyncio.ensure_future(batcher(x[:4]))]
            await asyncio.sleep(0.02)
            tasks += [asyncio.ensure_future(batcher(x[:3])) for _ in range(3)]
            await asyncio.sleep(0)
            for task in (tasks[0], tasks[1], tasks[3]):
                task.cancel()
            slow.gate.set()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert [isinstance(y, asyncio.CancelledError) for y in answers] == [True, True, False, True]
            np.testing.assert_array_equal(answers[2], keras.Predictor.__call__(slow, x[:3]))
            with pytest.raises(asyncio.TimeoutError):
                slow.gate.clear()
                await asyncio.wait_for(batcher(x[0]), 0.1)
            slow.gate.set()
            assert batcher.stats.cancelled == 5 and batcher.stats.answered == 3

    run(main())


@pytest.mark.parametrize(("workers", "max_inline"), [(1, 10.0), (1, 0), (3, 0)])
def test_any_order_of_requests_errors_and_cancellations(lookup, workers, max_inline):
    rng = np.random.default_rng(workers)

    async def client(batcher):
        for _ in range(60):
            x = rng.integers(0, 5, (rng.integers(0, 6), 2)).astype("int32")
            is_bad = len(x) > 0 and rng.random() < 0.1
            if is_bad:
                x[-1, 0] = 9
            task = asyncio.ensure_future(batcher(x))
            if rng.random() < 0.3:
                await asyncio.sleep(rng.choice([0, 0.0005, 0.002]))
                task.cancel()
            try:
                y = await task
            except asyncio.CancelledError:
                ended["cancelled"] += 1
            except ValueError:
                assert is_bad
                ended["failed"] += 1
            else:
                assert not is_bad
                np.testing.assert_array_equal(y, lookup(x))
                ended["answered"] += 1

    async def main():
        batcher = Batcher(lookup, 8, 0.001, 10, workers=workers, max_inline=max_inline)
        async with batcher:
            await asyncio.gather(*(client(batcher) for _ in range(20)))
        return batcher

    ended = dict.fromkeys(("answered", "failed", "cancelled"), 0)
    batcher = run(main())
    stats = batcher.stats
    assert batcher.waiting == batcher._queued == batcher._running == 0
    # A request cancelled before its task first ran never reached the batcher; one may be cancelled once it is answered.
    assert ended["answered"] <= stats.answered and ended["failed"] <= stats.failed
    assert stats.cancelled <= ended["cancelled"] and ended["cancelled"] > 100
    assert stats.requests <= sum(ended.values()) == 1200
    assert ended["answered"] > 500 and ended["failed"] > 20


def test_an_error_reaches_its_request_alone(lookup):
    good = np.array([[0, 1]], "int32")

    async def main():
        async with Batcher(lookup, max_latency=0.01) as batcher:
            answers = await asyncio.gather(
                batcher(good),
                batcher(np.array([[0, 7]])),
                batcher(np.zeros((1, 3), "int32")),
                batcher(np.zeros((1, 2))),
                batcher([["a", "b"]]),
                batcher(good[0]),
                return_exceptions=True,
            )
            return answers, batcher.stats

    answers, stats = run(main())
    np.testing.assert_array_equal(answers[0], lookup(good))
    np.testing.assert_array_equal(answers[5], lookup(good)[0])
    assert isinstance(answers[1], ValueError) and "out of range" in str(answers[1])
    assert isinstance(answers[2], ValueError) and "has shape (1, 3); int32 of shape (None, 2), or (2,)" in str(
        answers[2]
    )
    assert isinstance(answers[3], TypeError) and isinstance(answers[4], TypeError)
    assert (stats.requests, stats.answered, stats.failed, stats.batches) == (3, 2, 1, 1)


def test_closing_answers_what_came_before_and_refuses_the_rest(slow):
    async def main():
        batcher = ready(slow, max_batch_size=2, max_queue=2, max_latency=10, max_inline=0)
        tasks = [asyncio.ensure_future(batcher(row)) for row in rows(5)]
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(batcher.aclose())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="is closed"):
            await batcher(rows(1))
        start = time.monotonic()
        await asyncio.gather(closing, batcher.aclose())  # twice does no harm
        assert time.monotonic() - start < 5
        assert all(task.done() and task.result().shape == (3,) for task in tasks)
        assert slow.batches == [2, 2, 1]

    run(main())
    for thread in slow.threads:
        thread.join(5)
        assert not thread.is_alive()


def test_swap_takes_a_predictor_of_the_same_ports(model, predictor, lookup):
    other = keras.Predictor(model)
    other.update([w * 2 for w in model.get_weights()])
    x = rows(1)

    async def main():
        async with Batcher(predictor) as batcher:
            before = await batcher(x)
            batcher.swap(other)
            assert batcher.predictor is other
            with pytest.raises(ValueError, match="inputs and outputs must agree"):
                batcher.swap(lookup)
            batcher.swap(keras.Predictor(keras.models.clone_model(model)))  # of layers with names of their own
            batcher.swap(other)
            return before, await batcher(x)

    before, after = run(main())
    np.testing.assert_array_equal(before, predictor(x))
    np.testing.assert_array_equal(after, other(x))
    assert not np.array_equal(before, after)


def test_another_loop_is_refused(predictor):
    batcher = Batcher(predictor)

    async def main():
        return await batcher(rows(1))

    run(main())
    with pytest.raises(RuntimeError, match="belongs to another event loop"):
        run(main())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"max_batch_size": 0}, "`max_batch_size` is 0; it must be a whole number of at least 1"),
        ({"max_batch_size": 2.0}, "`max_batch_size` is 2.0"),
        ({"max_queue": 63}, "`max_queue` is 63; it must be a whole number of at least 64"),
        ({"workers": True}, "`workers` is True"),
        ({"max_latency": -1}, "`max_latency` is -1; it must be a number of seconds from 0"),
        ({"max_latency": float("nan")}, "`max_latency` is nan"),
        ({"max_inline": "1"}, "`max_inline` is '1'"),
        ({"overload": "drop"}, '`overload` is \'drop\'; it must be "wait" or "raise"'),
    ],
)
def test_arguments(predictor, arguments, text):
    with pytest.raises(ValueError) as error:
        Batcher(predictor, **arguments)
    assert text in str(error.value)


def test_more_rows_than_a_batch(predictor):
    async def main():
        async with Batcher(predictor, max_batch_size=4) as batcher:
            await batcher(rows(5))

    with pytest.raises(ValueError, match="has 5 rows; `max_batch_size` is 4"):
        run(main())


class Counting(layers.Layer):
    def build(self, shape):
        self.calls = self.add_weight((), "zeros", name="calls", trainable=False)

    def call(self, x):
        self.calls.assign(self.calls + 1)
        return x + self.calls


def test_models_whose_rows_cannot_be_told_apart(model):
    with pytest.raises(TypeError, match="a Predictor is needed, got Sequential"):
        Batcher(model)
    x = keras.Input((3,))
    mean = keras.Model(x, keras.ops.mean(x, axis=0))
    with pytest.raises(ValueError, match="has shape .3,. for 1 rows"):
        Batcher(keras.Predictor(mean))
    with pytest.raises(ValueError, match="carries a state .*which rows of a batch would share"):
        Batcher(keras.Predictor(keras.Sequential([keras.Input((3,)), Counting()])))
    fixed = keras.Input((3,), batch_size=2)
    with pytest.raises(ValueError, match="whose first axis is not the rows"):
        Batcher(keras.Predictor(keras.Model(fixed, layers.Dense(1)(fixed))))


def test_histogram():
    h = Histogram((1.0, 2.0, 4.0))
    assert np.isnan(h.quantile(0.5))
    for value in (0.5, 1.0, 1.5, 3.0, 3.5, 9.0):
        h.observe(value)
    assert h.counts == [2, 1, 2, 1] and h.count == 6 and h.sum == 18.5
    assert [h.quantile(q) for q in (0, 1 / 3, 0.5, 5 / 6, 1)] == [1, 1, 2, 4, float("inf")]
    with pytest.raises(ValueError, match="`q` is 2"):
        h.quantile(2)
    with pytest.raises(ValueError, match="each must be above"):
        Histogram((1.0, 1.0))
