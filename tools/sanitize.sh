#!/usr/bin/env bash
# The Python suite on an extension built under sanitizers, in a virtual environment and a build folder of its own.
#
#   tools/sanitize.sh address,undefined                                 the whole suite
#   tools/sanitize.sh thread tests/python/test_threads.py -k epoch      what is given is pytest's
#
# Needs GCC, and what `pip install .` needs. FALCONET_ISAS ("avx2", "portable") builds the kernels for one instruction
# set alone, in a third of the time. The interpreter is not instrumented: of what it allocates only the bounds that the
# sanitizer's own malloc sees are checked, and of races only those between lines of ours.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kinds=${1:?address,undefined or thread}
shift
folder=build/sanitize-${kinds//,/-}
case $kinds in
  thread) library=libtsan.so ;;
  *) library=libasan.so ;;
esac

[ -x "$folder/venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$folder/venv"
source "$folder/venv/bin/activate"
pip install --quiet scikit-build-core pybind11 cmake ninja
pip install --quiet --no-build-isolation -e '.[test]' -C build-dir="$folder/cmake" -C install.strip=false \
  -C cmake.define.FALCONET_SANITIZE="$kinds" -C cmake.define.FALCONET_LIBRARIES=OFF \
  -C cmake.define.FALCONET_ISAS="${FALCONET_ISAS:-}" -C cmake.define.FALCONET_DEV=ON

# Python keeps what it allocates until the process ends: leaks are looked for in the C++ tests.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1
LD_PRELOAD=$(gcc -print-file-name=$library) exec python -m pytest -p no:cacheprovider "$@"
