"""The libraries for C and C++: consumer projects are configured, compiled and run, and give Python's bits."""

import ctypes
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import falconet as keras

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "embed"
X = np.array([[0.5, -1.0, 2.0, 0.25]], "float32")  # what the examples predict
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


def tool(name):
    found = shutil.which(os.environ.get({"cc": "CC", "c++": "CXX"}.get(name, ""), "") or name)
    if not found:
        pytest.skip(f"there is no {name}")
    return found


@pytest.fixture(scope="module")
def cmake_dir():
    try:
        return pathlib.Path(keras.get_cmake_dir())
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """(path, what its prediction is)."""
    keras.utils.set_random_seed(3)
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)])
    path = tmp_path_factory.mktemp("model") / "m.falconet"
    made.export(path)
    return path, keras.Predictor(path)(X)


def run(*command, **kwargs):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, **kwargs)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def check_prediction(program, model, **kwargs):
    path, want = model
    assert float.fromhex(run(program, path, **kwargs).stdout) == want[0, 0]
    failed = subprocess.run([program, "no/such/file"], capture_output=True, text=True, **kwargs)
    assert failed.returncode != 0 and "no/such/file: cannot be opened" in failed.stderr


@pytest.mark.parametrize("shared", [False, True], ids=["static", "shared"])
@pytest.mark.parametrize("language", ["c", "cpp"])
def test_cmake_project(language, shared, cmake_dir, model, tmp_path):
    cmake = tool("cmake")
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    tool("cc" if language == "c" else "c++")
    run(
        cmake,
        *generator,
        "-S",
        EXAMPLES / language,
        "-B",
        tmp_path,
        f"-Dfalconet_DIR={cmake_dir}",
        f"-DBUILD_SHARED_LIBS={shared}",
    )
    run(cmake, "--build", tmp_path)
    check_prediction(tmp_path / "predict", model)


@pytest.mark.skipif(sys.platform == "win32", reason="written for the command line of gcc and clang")
@pytest.mark.parametrize(
    ("language", "flags"),
    [
        ("c", ["-std=c99", *STRICT]),
        ("cpp", ["-std=c++17", *STRICT]),
        ("cpp", ["-std=c++20", *STRICT]),
        ("cpp", ["-std=c++17", "-fno-exceptions", "-fno-rtti", *STRICT]),
    ],
    ids=["c99", "c++17", "c++20", "no-exceptions-no-rtti"],
)
def test_pkg_config(language, flags, cmake_dir, model, tmp_path):
    compiler, pkg_config = tool("cc" if language == "c" else "c++"), tool("pkg-config")
    env = {**os.environ, "PKG_CONFIG_PATH": str(cmake_dir.parents[1] / "pkgconfig")}
    ask = lambda *what: run(pkg_config, *what, "falconet", env=env).stdout.split()  # noqa: E731
    assert run(pkg_config, "--modversion", "falconet", env=env).stdout.strip() == keras.__version__
    source = EXAMPLES / language / f"main.{language}"
    lib = str(cmake_dir.parents[1])
    run(compiler, *flags, source, "-o", tmp_path / "shared", *ask("--cflags", "--libs"), f"-Wl,-rpath,{lib}")
    check_prediction(tmp_path / "shared", model)
    static = [
        os.path.join(lib, "libfalconet.a") if a == "-lfalconet" else a for a in ask("--cflags", "--libs", "--static")
    ]
    run(compiler, *flags, source, "-o", tmp_path / "static", *static)
    check_prediction(tmp_path / "static", model)


@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF files")
def test_only_the_interface_is_exported(cmake_dir):
    nm = tool("nm")
    lib = cmake_dir.parents[1]
    for path, option in ((lib / "libfalconet.so", "-D"), (lib / "libfalconet.a", "-g")):
        lines = run(nm, option, "--defined-only", path).stdout.splitlines()
        names = {line.split()[-1] for line in lines if len(line.split()) == 3}
        assert "falconet_predictor_run" in names
        assert not [name for name in names if not name.startswith("falconet_")], path
    declared = (pathlib.Path(keras.get_include()) / "falconet" / "falconet.h").read_text()
    assert all(f" {name}(" in declared or f"*{name}(" in declared or f"* {name}(" in declared for name in names)


@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF files")
def test_libraries_need_no_python_openmp_or_blas(cmake_dir):
    needed = run(tool("readelf"), "-d", cmake_dir.parents[1] / "libfalconet.so").stdout
    libraries = {line.split("[")[1].rstrip("]") for line in needed.splitlines() if "NEEDED" in line}
    allowed = ("libstdc++", "libm.", "libgcc_s", "libc.", "libpthread", "ld-linux", "libc++", "libunwind")
    assert all(name.startswith(allowed) for name in libraries), libraries


@pytest.mark.skipif(sys.platform == "win32", reason="written for libfalconet.so")
def test_rows_have_pythons_bits_in_every_batch(cmake_dir, tmp_path):
    """Promise D1: through the C API, at any number of rows, place in the batch and number of threads."""
    suffix = "dylib" if sys.platform == "darwin" else "so"
    library = ctypes.CDLL(str(cmake_dir.parents[1] / f"libfalconet.{suffix}"))
    library.falconet_predictor_free.argtypes = [ctypes.c_void_p]
    run_f32 = library.falconet_predictor_run_f32
    run_f32.argtypes = [ctypes.c_void_p, ctypes.c_int64, *[ctypes.c_void_p, ctypes.c_size_t] * 2]
    keras.utils.set_random_seed(4)
    made = keras.Sequential([keras.Input((40,)), *(keras.layers.Dense(n, activation="tanh") for n in (300, 70, 5))])
    made.export(tmp_path / "m.falconet")
    x = np.random.default_rng(0).standard_normal((257, 40)).astype("float32")
    p = keras.Predictor(tmp_path / "m.falconet")
    alone = np.concatenate([p(row[None]) for row in x])
    model = ctypes.c_void_p()
    assert library.falconet_predictor_load(os.fsencode(tmp_path / "m.falconet"), None, ctypes.byref(model)) == 0
    for rows in range(1, 258):
        assert library.falconet_set_num_threads(1 + rows % 3) == 0
        y, begin = np.empty((rows, 5), "float32"), (rows * 7) % (258 - rows)
        part = x[begin : begin + rows]
        assert run_f32(model, rows, part.ctypes.data, part.size, y.ctypes.data, y.size) == 0
        assert np.array_equal(y, alone[begin : begin + rows]), rows
    library.falconet_predictor_free(model)
