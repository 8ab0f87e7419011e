"""Writes the type stub of the extension, python/falconet/_core.pyi, from the extension itself.

    python tools/make_stub.py            # write it
    python tools/make_stub.py --check    # exit with 1 where the file is not what would be written

Classes and functions come from the signatures that pybind11 puts in front of their docstrings, ops from the
`inspect.Signature` that falconet makes of their declarations. What differs between versions of pybind11 is brought to
one spelling, so the text depends on the sources alone. It reads the falconet that `import` finds.
"""

import argparse
import ast
import inspect
import json
import re
import sys
from pathlib import Path

import falconet
from falconet import _core

STUB = Path(__file__).resolve().parent.parent / "python" / "falconet" / "_core.pyi"
LINE_LENGTH = 120

HEADER = """\
# Written by tools/make_stub.py from the built extension.

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from falconet.tracing import KerasTensor

Operand: TypeAlias = npt.ArrayLike | Tensor | VariableBase | KerasTensor
# A Tensor; a KerasTensor where an operand is one; a tuple of these from an op with several outputs.
Result: TypeAlias = Any
"""

# What Python's protocols say of methods that carry no annotation.
PROTOCOL_RESULTS = {
    "__bool__": "bool", "__float__": "float", "__format__": "str", "__hash__": "int", "__index__": "int",
    "__int__": "int", "__iter__": "Iterator[Any]", "__len__": "int", "__repr__": "str",
}  # fmt: skip

# Attributes of ops whose default, None or missing, does not tell the type.
ATTRIBUTE_TYPES = {
    "axis": "int | Sequence[int]", "axes": "Sequence[int]", "depth": "int", "dtype": "str", "high": "Sequence[int]",
    "ignore_class": "int", "k": "int", "length": "int", "low": "Sequence[int]", "mode": "str", "num_classes": "int",
    "rule": "Callable[..., Any]", "shape": "int | Sequence[int]", "size": "int", "start": "Sequence[int]",
    "step": "Sequence[int]", "stop": "Sequence[int]",
}  # fmt: skip


def literal(value):
    """A default as the formatter writes it."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def plain_type(annotation, is_result):
    """An annotation of pybind11, of whichever version, in one spelling."""
    text = annotation.replace("falconet._core.", "")
    text = re.sub(r"typing\.SupportsFloat( \| typing\.SupportsIndex)?", "float", text)
    text = re.sub(r"typing\.SupportsInt( \| typing\.SupportsIndex)?", "int", text)
    text = re.sub(r"typing\.Annotated\[numpy\.typing\.ArrayLike, [^\]]*\]", "npt.ArrayLike", text)
    text = re.sub(r"(collections\.abc\.)?\bMapping\[", "Mapping[", text)
    text = re.sub(r"numpy\.(typing\.NDArray|ndarray)(\[[^\]]*\])?", "np.ndarray", text)
    text = re.sub(r"(collections\.abc\.)?\bSequence\[", "Sequence[", text)
    text = re.sub(r"\bobject\b", "Any", text)
    if not is_result:
        text = re.sub(r"\blist\[", "Sequence[", text)
    return {"list": "list[Any]", "tuple": "tuple[Any, ...]", "dict": "dict[Any, Any]"}.get(text, text)


def bound_signature(name, doc, is_method):
    """Parameters and result, from the first line of a docstring that pybind11 wrote."""
    line = (doc or "").partition("\n")[0]
    try:
        tree = ast.parse(f"def {line}: ...").body[0]
    except SyntaxError as error:
        raise SystemExit(f"{name}: the docstring does not begin with one signature: {line!r}") from error
    arguments = tree.args.args[1:] if is_method else tree.args.args
    parameters = ["self"] if is_method else []
    first_default = len(arguments) - len(tree.args.defaults)
    for i, argument in enumerate(arguments):
        kind = plain_type(ast.unparse(argument.annotation), False) if argument.annotation else "Any"
        default = ""
        if i >= first_default:
            default = f" = {literal(ast.literal_eval(tree.args.defaults[i - first_default]))}"
        parameters.append(f"{argument.arg}: {kind}{default}")
    if any(re.fullmatch(r"arg\d+", argument.arg) for argument in arguments):
        parameters.append("/")  # without a name in C++, so without one here
    if tree.args.vararg:
        parameters.append(f"*{tree.args.vararg.arg}: Any")
    if tree.args.kwarg:
        parameters.append(f"**{tree.args.kwarg.arg}: Any")
    return parameters, plain_type(ast.unparse(tree.returns), True) if tree.returns else "Any"


def python_signature(name, function):
    """Parameters and result of a method that Python gave to a class of the extension."""
    signature = inspect.signature(function)
    parameters = ["self"]
    for parameter in list(signature.parameters.values())[1:]:
        prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = parameter.default
        if default is not parameter.empty and not isinstance(default, bool | int | float | str | None):
            continue  # holds a value for the function, not for callers
        kind = parameter.annotation if isinstance(parameter.annotation, str) else "Any"
        shown = "" if default is parameter.empty else f" = {literal(default)}"
        parameters.append(f"{prefix}{parameter.name}: {kind}{shown}")
    result = signature.return_annotation
    fallback = result if isinstance(result, str) else "Any"
    return parameters, PROTOCOL_RESULTS.get(name, fallback)


def attribute_type(parameter):
    """The type of an op's attribute."""
    default = parameter.default
    if parameter.name.endswith("_graph"):
        return "Graph"
    if default is parameter.empty or default is None:
        count = "int" if parameter.name.startswith("num_") else "Any"
        kind = ATTRIBUTE_TYPES.get(parameter.name, count)
        return f"{kind} | None" if default is None and kind != "Any" else kind
    return "Sequence[int]" if isinstance(default, tuple) else type(default).__name__


def op_lines(name, op):
    inputs = len(op.declaration[0])
    parameters = ["self"]
    has_star = False
    for i, parameter in enumerate(inspect.signature(op).parameters.values()):
        if parameter.kind is parameter.VAR_POSITIONAL:
            parameters.append(f"*{parameter.name}: Operand | Sequence[Operand]")
            has_star = True
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not has_star:
            parameters.append("*")
            has_star = True
        kind = "Operand" if i < inputs else attribute_type(parameter)
        shown = "" if parameter.default is parameter.empty else f" = {literal(parameter.default)}"
        parameters.append(f"{parameter.name}: {kind}{shown}")
    return definition(name, parameters, "Result", "", "    ")


def definition(name, parameters, result, doc, indent):
    """The lines of a `def`."""
    head = f"{indent}def {name}({', '.join(parameters)}) -> {result}:"
    lines = [head]
    if len(head) + len(" ...") > LINE_LENGTH:
        lines = [f"{indent}def {name}(", *(f"{indent}    {p}," for p in parameters), f"{indent}) -> {result}:"]
    if doc:
        return [*lines, *docstring(doc, f"{indent}    ")]
    lines[-1] += " ..."
    return lines


def docstring(text, indent):
    lines = inspect.cleandoc(text).splitlines()
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}".rstrip() for line in lines[1:]), f'{indent}"""']


def doc_below_signature(function):
    return (function.__doc__ or "").partition("\n")[2].strip()


def property_lines(name, value):
    result = "Any"
    written = getattr(value, "fget", None)
    if written is not None and not inspect.isfunction(written):
        result = bound_signature(name, f"{name}{written.__doc__}", False)[1]
    lines = ["    @property", *definition(name, ["self"], result, "", "    ")]
    if getattr(value, "fset", None) is not None:
        lines += [f"    @{name}.setter", *definition(name, ["self", f"value: {result}"], "None", "", "    ")]
    return lines


def member_lines(name, value):
    """The lines of a class's member; none for what every class has."""
    if name in ("__doc__", "__module__", "_pybind11_conduit_v1_") or name == "__vectorcalloffset__":
        return []
    if isinstance(value, property) or (inspect.isgetsetdescriptor(value) and not name.startswith("__")):
        return property_lines(name, value)
    if inspect.isfunction(value):
        return definition(name, *python_signature(name, value), value.__doc__ or "", "    ")
    if type(value).__name__ == "instancemethod":
        return definition(name, *bound_signature(name, value.__doc__, True), doc_below_signature(value), "    ")
    if name == "__call__":
        return definition(name, ["self", "*args: Any", "**kwargs: Any"], "Any", "", "    ")
    if name == "__hash__":
        return definition(name, ["self"], PROTOCOL_RESULTS[name], "", "    ")
    if value is None or isinstance(value, int):
        return [f"    {name}: {type(value).__name__ if value is not None else None}"]
    return []


def class_lines(name, cls):
    lines = [f"class {name}:"]
    if isinstance(cls.__doc__, str):
        lines += docstring(cls.__doc__, "    ")
    for member, value in sorted(vars(cls).items()):
        lines += member_lines(member, value)
    if len(lines) == 1:
        lines[0] += " ..."
    return lines


def stub_text():
    for name in falconet.__all__:
        getattr(falconet, name)  # the package's modules, loaded when used, complete the classes of the extension
    members = sorted((name, value) for name, value in vars(_core).items() if not name.startswith("__"))
    blocks = [HEADER.splitlines(), ["__version__: str"]]
    for name, value in members:
        if isinstance(value, type):
            blocks.append(class_lines(name, value))
    ops = ["class _Ops(ModuleType):"]
    for name, op in sorted(vars(_core.ops).items()):
        if isinstance(op, _core.Op):
            ops += op_lines(name, op)
    blocks.append(ops)
    functions = ["ops: _Ops", ""]
    for name, value in members:
        if inspect.isbuiltin(value):
            doc = doc_below_signature(value)
            functions += definition(name, *bound_signature(name, value.__doc__, False), doc, "")
            if doc:
                functions.append("")
    blocks.append(functions)
    return "\n\n".join("\n".join(block).rstrip() for block in blocks) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Writes or checks the type stub of the extension.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 where the file differs")
    text = stub_text()
    if not parser.parse_args().check:
        STUB.write_text(text, encoding="utf-8", newline="\n")
        return 0
    kept = STUB.read_text(encoding="utf-8") if STUB.exists() else ""
    if kept == text:
        return 0
    import difflib

    sys.stdout.writelines(difflib.unified_diff(kept.splitlines(True), text.splitlines(True), "committed", "built", n=1))
    built = Path(falconet.__file__).parent
    print(f"{STUB.name} is not the stub of the extension in {built}: run `python tools/make_stub.py` and commit it.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
