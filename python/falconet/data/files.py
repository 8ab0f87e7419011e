"""Runs over files: lines of text, rows of numbers in CSV."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np

from falconet.data.steps import Over, Steps


class LineSteps(Steps):
    """The lines of text files, without their ends; a state is a file and a byte in it."""

    def __init__(self, paths: list[str], skip: int, encoding: str) -> None:
        self._paths, self._skip, self._encoding = paths, skip, encoding
        self._which = self._byte = self._line = 0
        self._file: Any = None

    @property
    def place(self) -> str:
        """Where the latest line came from."""
        return f"{self._paths[self._which]}, line {self._line}"

    def _open(self) -> Any:
        self._file = open(self._paths[self._which], "rb")  # noqa: SIM115 - kept open while lines are read
        self._file.seek(self._byte)
        while self._line < self._skip and self._read() is not None:
            pass
        return self._file

    def _read(self) -> bytes | None:
        line = self._file.readline()
        if not line:
            return None
        self._byte += len(line)
        self._line += 1
        return bytes(line)

    def next(self) -> str:
        while self._which < len(self._paths):
            if self._file is None:
                self._open()
            line = self._read()
            if line is not None:
                return line.rstrip(b"\r\n").decode(self._encoding)
            self.close()
            self._which, self._byte, self._line = self._which + 1, 0, 0
        raise StopIteration

    def state_dict(self) -> dict[str, Any]:
        return {"which": self._which, "byte": self._byte, "line": self._line}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.close()
        self._which, self._byte, self._line = state["which"], state["byte"], state["line"]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def __del__(self) -> None:
        self.close()


class CsvSteps(Over):
    """Lines of CSV as rows of numbers: the features, or (features, label) where a column is the label."""

    _source: LineSteps

    def __init__(
        self, lines: LineSteps, columns: list[int], names: list[str], label: int | None, delimiter: str, dtype: str
    ) -> None:
        super().__init__(lines)
        self._columns, self._names, self._label = columns, names, label
        self._delimiter, self._dtype = delimiter, dtype

    def next(self) -> Any:
        line = self._source.next()
        while not line.strip():
            line = self._source.next()
        cells = next(csv.reader([line], delimiter=self._delimiter))
        if len(cells) != len(self._names):
            raise ValueError(
                f"[Dataset.from_files] {self._source.place}: {len(cells)} columns where there are {len(self._names)}."
            )
        features = np.array([self._number(cells, i) for i in self._columns], self._dtype)
        return features if self._label is None else (features, np.array(self._number(cells, self._label), self._dtype))

    def _number(self, cells: list[str], column: int) -> float:
        try:
            return float(cells[column]) if cells[column].strip() else float("nan")
        except ValueError:
            raise ValueError(
                f"[Dataset.from_files] {self._source.place}, column {self._names[column]!r}: {cells[column]!r} is not "
                "a number; leave the column out with `columns`, or read lines and map() them."
            ) from None


def read_header(path: str, delimiter: str, encoding: str) -> list[str]:
    """The cells of the first line."""
    with open(path, encoding=encoding, newline="") as file:
        row = next(csv.reader(file, delimiter=delimiter), None)
    if row is None:
        raise ValueError(f"[Dataset.from_files] {path} is empty.")
    return [cell.strip() for cell in row]
