#!/usr/bin/env bash
# The Python suite under sanitizers.
#
#   tools/sanitize.sh address,undefined [pytest's arguments]
#   tools/sanitize.sh thread [pytest's arguments]
#
# Builds the extension once more, with one instruction set and without the libraries, into a virtual environment under
# build/. FALCONET_ISAS chooses another set than avx2. The C++ tests have -DFALCONET_SANITIZE of their own
# (CONTRIBUTING.md).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kind=${1:?address,undefined or thread}
shift
folder=$PWD/build/sanitize-${kind/,/-}
isas=${FALCONET_ISAS:-avx2}
leave_out=()
case $kind in
  address*) runtimes=(libasan.so libubsan.so) ;;
  thread)
    runtimes=(libtsan.so)
    # These read a model's weights while another thread trains it: a mixture of old and new numbers is what they ask for.
    for test in a_model_is_compiled_and_fitted_while_it_predicts a_model_is_compiled_anew_while_another_thread_fits_it; do
      leave_out+=(--deselect "tests/python/test_threads.py::test_$test")
    done
    ;;
  *) echo "address,undefined or thread, not $kind" >&2 && exit 2 ;;
esac

[[ -d $folder/venv ]] || "${PYTHON:-python3}" -m venv "$folder/venv"
source "$folder/venv/bin/activate"
pip install --quiet scikit-build-core pybind11 ninja
pip install --quiet --no-build-isolation "-Cbuild-dir=$folder/build" "-Ccmake.define.FALCONET_SANITIZE=$kind" \
  "-Ccmake.define.FALCONET_ISAS=$isas" -Ccmake.define.FALCONET_LIBRARIES=OFF -Ccmake.define.FALCONET_DEV=ON -Cinstall.strip=false '.[test]'

preload=
for runtime in "${runtimes[@]}"; do preload+="$("${CXX:-g++}" "-print-file-name=$runtime") "; done
# Python keeps what it allocates to its end, in pools of its own that hide overruns; NumPy asks for more than there is.
export LD_PRELOAD=$preload PYTHONMALLOC=malloc
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:handle_segv=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:suppressions=$PWD/tools/undefined.supp
export TSAN_OPTIONS=halt_on_error=1:exitcode=66:die_after_fork=0
exec python -m pytest -p no:cacheprovider -m "not slow and not footprint" "${leave_out[@]}" "$@"
