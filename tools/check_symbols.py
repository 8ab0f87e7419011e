"""Checks that code built for one instruction set cannot run on a machine without it.

Two ways in which it could, each checked on what the build made:

1. An inline function of an ordinary header, compiled in a kernel object with AVX flags, may be the copy that the linker
   keeps for the whole program. So every function that a kernel object exports must lie in its own namespace,
   falconet::<isa>. (Data may be shared: it holds no instructions.)
2. A flag may leak. So in the linked result, a VEX or EVEX instruction may stand only in functions of falconet::avx2 and
   falconet::avx512.

    python tools/check_symbols.py BUILD_DIR

reads the objects of the kernels_<isa> targets below BUILD_DIR, and the static library and extension modules, which must
not be stripped. Needs nm and objdump (GNU binutils or LLVM).
"""

import platform
import re
import subprocess
import sys
from pathlib import Path

VEX_NAMESPACES = ("avx2", "avx512")
# Made by the compiler for its own use, equal in all objects and free of vector instructions.
COMPILER_OWN = ("__clang_call_terminate", "__cxx_global_var_init", "_GLOBAL__sub_I_")
# In 64-bit mode these bytes begin a VEX (C4, C5) or EVEX (62) instruction and nothing else.
VEX_BYTES = ("c4", "c5", "62")
SEGMENT_AND_SIZE_PREFIXES = ("26", "2e", "36", "3e", "64", "65", "67")


def lines_of(*command):
    """The output of a command, line by line; it ends the check where it fails."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield from process.stdout
    if process.wait() != 0:
        raise SystemExit(f"{' '.join(command)} failed with status {process.returncode}")


def in_namespace(symbol, isa):
    """Whether a mangled name is of falconet::<isa>: a function, a local of one, a lambda, or a clone of these."""
    return re.match(rf"_Z(GV|GR|T[VTIS])?Z*N[KVrRO]*8falconet{len(isa)}{isa}", symbol) is not None


def kernel_objects(build):
    for path in sorted(build.rglob("*.o")):
        found = re.search(r"kernels_(\w+)\.dir", str(path))
        if found:
            yield found.group(1), path


def leaking_functions(isa, path):
    """Functions that `path` defines for others to link to, outside the namespace of its ISA."""
    for line in lines_of("nm", str(path)):
        fields = line.split()
        if len(fields) == 3 and fields[1] in "TW":
            symbol = fields[2]
            if not in_namespace(symbol, isa) and not symbol.startswith(COMPILER_OWN):
                yield symbol


def stray_instructions(path):
    """(function, instruction) for the first VEX or EVEX instruction of each function that may have none."""
    function, allowed = "?", False
    for line in lines_of("objdump", "-d", "-w", str(path)):
        if line.endswith(">:\n"):
            function = line[line.index("<") + 1 : -3]
            allowed = any(in_namespace(function, isa) for isa in VEX_NAMESPACES)
        elif not allowed and "\t" in line:
            parts = line.split("\t")
            if len(parts) < 3:
                continue
            opcode = next((byte for byte in parts[1].split() if byte not in SEGMENT_AND_SIZE_PREFIXES), "")
            if opcode in VEX_BYTES:
                yield function, parts[2].strip()
                allowed = True  # one line a function says enough


def linked_files(build):
    files = sorted(build.rglob("libfalconet_core.a")) + sorted(build.rglob("_core*.so"))
    for path in files:
        if not any(line.strip() for line in lines_of("nm", str(path))):
            raise SystemExit(f"{path} is stripped: build it without stripping to check it")
    return files


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    build = Path(sys.argv[1])
    problems, checked = [], {}
    for isa, path in kernel_objects(build):
        checked[isa] = checked.get(isa, 0) + 1
        problems += [f"{path.name} for {isa} exports {symbol}" for symbol in leaking_functions(isa, path)]
    files = linked_files(build)
    if not checked and not files:
        raise SystemExit(f"nothing to check below {build}")
    if platform.machine() in ("x86_64", "AMD64"):
        for path in files:
            problems += [f"{path.name}: {function} has {text}" for function, text in stray_instructions(path)]
    for problem in problems:
        print(problem)
    counts = ", ".join(f"{number} of {isa}" for isa, number in checked.items())
    print(f"kernel objects: {counts or 'none'}; linked: {', '.join(path.name for path in files) or 'none'}")
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
