"""`python -m falconet.inspect FILE` prints what a model file holds; `--check` runs its own test."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from . import _core


def _line(port: dict[str, Any]) -> str:
    shape = ", ".join("n" if size is None else str(size) for size in port["shape"])
    return f"{port['name']}: {port['dtype']} ({shape}{',' if len(port['shape']) == 1 else ''})"


def text(path: str) -> str:
    """What `python -m falconet.inspect` prints. Raises ValueError where the file is not a well-formed model file."""
    found = _core.describe_model(path)
    lines = [f"{path}: written by {found['producer']}"]
    lines += [f"  {key} = {value}" for key, value in sorted(found["metadata"].items())]
    for name, signature in sorted(found["signatures"].items()):
        lines.append(f"{name}: {signature['nodes']} nodes")
        lines += [f"  in   {_line(port)}" for port in signature["inputs"]]
        lines += [f"  out  {_line(port)}" for port in signature["outputs"]]
    lines.append("variables:")
    for v in found["variables"]:
        if v["role"] == "flat":
            continue
        role = "trainable weight" if v["trainable"] else v["role"]
        lines.append(f"  {v['name']}: {v['dtype']} {tuple(v['shape'])}, {v['bytes']:,} bytes, {role}")
    lines.append(f"{sum(v['bytes'] for v in found['variables']):,} bytes of variables")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """The command; 1 where the file is refused or its test fails."""
    parser = argparse.ArgumentParser(prog="python -m falconet.inspect", description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--check", action="store_true", help="run the test that the file carries")
    given = parser.parse_args(arguments)
    try:
        print(text(given.file))
        difference = _core.check_model(given.file) if given.check else ""
    except (ValueError, TypeError) as error:
        print(error, file=sys.stderr)
        return 1
    if given.check:
        print(f"the test fails: {difference}" if difference else "the test holds")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
