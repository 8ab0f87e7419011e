"""The bench: `pip install '.[bench]' && pytest bench`.

A test is a contender of a workload. The first contender of a workload that is asked for times them all, interleaved;
what was measured then is shown to pytest-benchmark round by round, which tabulates, stores and compares it.
"""

from __future__ import annotations

import pytest

pytest.importorskip("pytest_benchmark", reason="the bench needs pytest-benchmark: pip install '.[bench]'")


def pytest_addoption(parser):
    group = parser.getgroup("falconet")
    group.addoption("--threads", type=int, help="threads for every contender; as many as Falconet takes by default")
    group.addoption("--quick", action="store_true", help="short contests and small arrays: does everything run?")
    group.addoption("--peers", help="beside NumPy, separated by commas; by default all that are installed")
    group.addoption("--json", metavar="FILE", help="write a line of JSON for each measurement")


class _Replay:
    """A clock that shows what was measured: the n-th pair of looks at it is as far apart as the n-th round lasted."""

    def __init__(self):
        self._now, self._looks, self._seconds = 0.0, 0, []

    def start(self, seconds):
        self._now, self._looks, self._seconds = 0.0, 0, seconds

    def __call__(self):
        if self._looks % 2:
            self._now += self._seconds[self._looks // 2]
        self._looks += 1
        return self._now


_REPLAY = _Replay()


class Bench:
    """The contests of a session."""

    def __init__(self, config):
        from falconet.bench import peers, timing

        self._timing = timing
        self.is_quick = config.getoption("--quick")
        given = config.getoption("--peers")
        self.peers = peers.installed() if given is None else [name for name in given.split(",") if name]
        self.report = timing.Report(config.getoption("--json"))
        self._budget = timing.QUICK if self.is_quick else timing.Budget()
        self._found = {}

    def measure(self, workload, contender):
        """What a contender took, measured with all others of its workload."""
        if workload.name not in self._found:
            from ceilings import ceilings

            limits = ceilings(self._timing.threads()) if workload.ceiling else {}
            measurements = self._timing.contest(workload, self._budget, limits)
            self.report.add(measurements)
            self._found[workload.name] = {m.contender: m for m in measurements}
        return self._found[workload.name][contender]


_BENCH = pytest.StashKey[Bench]()


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "default")  # peers warn as they please
    if config.getoption("--threads"):
        from falconet.bench import timing

        timing.limit_threads(config.getoption("--threads"))
    config.stash[_BENCH] = Bench(config)


def pytest_generate_tests(metafunc):
    """A test's `workloads(bench)` are what it measures; it runs for each contender of each."""
    if "contender" not in metafunc.fixturenames:
        return
    workloads = metafunc.function.workloads(metafunc.config.stash[_BENCH])
    metafunc.parametrize(
        ("workload", "contender"),
        [pytest.param(w, name, id=f"{w.name}-{name}") for w in workloads for name in w.contenders],
    )


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.benchmark(timer=_REPLAY))


@pytest.fixture
def bench(request):
    return request.config.stash[_BENCH]


@pytest.fixture
def measured(bench, benchmark):
    """measured(workload, contender): the measurement, which pytest-benchmark has been shown."""

    def show(workload, contender):
        found = bench.measure(workload, contender)
        benchmark.group = workload.name
        benchmark.extra_info.update(found.record())
        _REPLAY.start(found.seconds)
        benchmark.pedantic(lambda: None, rounds=len(found.seconds))
        return found

    return show


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash[_BENCH].report.lines()
    if lines:
        terminalreporter.section("Falconet: time, share of ceiling, peers and how many times our time they take")
        terminalreporter.write_line("Medians of interleaved rounds. -: a peer is ahead.")
        for line in lines:
            terminalreporter.write_line(line)
