"""Runs over several data sets at once or one after another, and over one that is kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from falconet import tree
from falconet.data.elements import located
from falconet.data.steps import Make, Over, Steps, apply


class ZipSteps(Steps):
    """One element of each, in the structure in which the data sets came; ends with the shortest."""

    def __init__(self, structure: Any, sources: list[Steps]) -> None:
        self._structure, self._sources = structure, sources

    def next(self) -> Any:
        return tree.pack_sequence_as(self._structure, [source.next() for source in self._sources])

    def state_dict(self) -> dict[str, Any]:
        return {"sources": [source.state_dict() for source in self._sources]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for source, one in zip(self._sources, state["sources"], strict=True):
            source.load_state_dict(one)

    def close(self) -> None:
        for source in self._sources:
            source.close()


class ChainSteps(Steps):
    """One data set after another."""

    def __init__(self, makes: list[Make]) -> None:
        self._makes, self._which = makes, 0
        self._source: Steps | None = None

    def next(self) -> Any:
        while self._which < len(self._makes):
            if self._source is None:
                self._source = self._makes[self._which]()
            try:
                return self._source.next()
            except StopIteration:
                self.close()
                self._which += 1
        raise StopIteration

    def state_dict(self) -> dict[str, Any]:
        return {"which": self._which, "source": None if self._source is None else self._source.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.close()
        self._which = state["which"]
        if state["source"] is not None:
            self._source = self._makes[self._which]()
            self._source.load_state_dict(state["source"])

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = None


class InterleaveSteps(Over):
    """Elements of the data sets that a function makes of `cycle` input elements at a time, `block` of each in turn."""

    def __init__(self, source: Steps, function: Callable[..., Any], cycle: int, block: int) -> None:
        super().__init__(source)
        self._function, self._block = function, block
        self._slots: list[tuple[Any, Steps] | None] = [None] * cycle
        self._slot = self._in_block = self._pulled = 0
        self._ended = False  # the input has no more elements

    def next(self) -> Any:
        idle = 0
        while idle <= len(self._slots):
            if self._slots[self._slot] is None and not self._ended:
                self._open()
            held = self._slots[self._slot]
            if held is None:
                idle += 1
                self._advance()
                continue
            try:
                element = held[1].next()
            except StopIteration:
                held[1].close()
                self._slots[self._slot] = None
                self._advance()
                idle = 0
                continue
            self._in_block += 1
            if self._in_block == self._block:
                self._advance()
            return element
        raise StopIteration

    def _advance(self) -> None:
        self._slot, self._in_block = (self._slot + 1) % len(self._slots), 0

    def _open(self) -> None:
        try:
            element = self._source.next()
        except StopIteration:
            self._ended = True
            return
        self._slots[self._slot] = (element, self._run_of(element))
        self._pulled += 1

    def _run_of(self, element: Any) -> Steps:
        try:
            made = apply(self._function, element)
        except Exception as error:
            self.close()
            raise located(error, f"[Dataset.interleave] element {self._pulled}") from error.__cause__
        if not hasattr(made, "open_steps"):
            raise TypeError(
                f"[Dataset.interleave] `map_func` must return a Dataset, got {type(made).__name__} for element "
                f"{self._pulled}."
            )
        return made.open_steps()

    def state_dict(self) -> dict[str, Any]:
        slots = [None if s is None else {"element": s[0], "state": s[1].state_dict()} for s in self._slots]
        return {
            **super().state_dict(), "slots": slots, "slot": self._slot, "in_block": self._in_block,
            "pulled": self._pulled, "ended": self._ended,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._slots = []
        for held in state["slots"]:
            if held is None:
                self._slots.append(None)
                continue
            run = self._run_of(held["element"])
            run.load_state_dict(held["state"])
            self._slots.append((held["element"], run))
        self._slot, self._in_block = state["slot"], state["in_block"]
        self._pulled, self._ended = state["pulled"], state["ended"]

    def close(self) -> None:
        super().close()
        for held in self._slots:
            if held is not None:
                held[1].close()


class CacheSteps(Steps):
    """The data as the first complete run gave them, which `store` keeps for the runs after.

    To go somewhere before the store is full, the run starts where the first one started, so random stages below give
    what they gave.
    """

    def __init__(self, make: Make, store: dict[str, Any]) -> None:
        self._make, self._store, self._at = make, store, 0
        self._source: Steps | None = None
        self._found: list[Any] = []
        self._start: dict[str, Any] | None = store.get("start")

    def _begin(self) -> Steps:
        source = self._make()
        if self._start is None:
            self._start = source.state_dict()
        else:
            source.load_state_dict(self._start)
        self._source, self._found = source, []
        return source

    def next(self) -> Any:
        kept = self._store.get("items")
        if kept is None:
            source = self._source or self._begin()
            while len(self._found) <= self._at:
                try:
                    self._found.append(source.next())
                except StopIteration:
                    self._store.update(items=self._found, start=self._start)
                    source.close()
                    self._source = None
                    break
            kept = self._found
        if self._at >= len(kept):
            raise StopIteration
        self._at += 1
        return kept[self._at - 1]

    def state_dict(self) -> dict[str, Any]:
        return {"at": self._at, "start": self._start}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.close()
        self._at, self._start = state["at"], state["start"]

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = None
