#!/usr/bin/env bash
# Build the kernels in a copy, with AddressSanitizer, UndefinedBehaviorSanitizer and bounds checks,
# and run hostile input and the test suite in it; the first report ends it. `make sanitize` calls
# this; from elsewhere: tests/sanitize.sh PYTHON [what pytest is to run instead].
#
# SKRNN_HOSTILE_EXAMPLES  generated inputs, and damaged states; 20000 of each unless set
# SKRNN_VARIANTS          what is built, as in setup.py; all unless set (40 s each)
set -euo pipefail
if [ $# = 0 ]; then
    echo "tests/sanitize.sh needs a Python with skrnn's test extra; \`make sanitize\` makes one" >&2
    exit 2
fi
python=$(realpath -s "$(command -v "$1")")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
sanitizers=(libasan.so libubsan.so libstdc++.so.6) # the last for other packages' exceptions
for i in "${!sanitizers[@]}"; do
    name=${sanitizers[i]}
    sanitizers[i]=$("${CC:-gcc}" -print-file-name="$name")
    if [ ! -e "${sanitizers[i]}" ]; then
        echo "$name not found: \`make sanitize\` needs GCC on Linux and its sanitizers" >&2
        exit 1
    fi
done

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cp -r skrnn tests benchmarks docs examples conda.recipe .ci \
    ./*.py ./*.toml ./*.md ./*.in ./*.cff Makefile LICENSE "$tree"
cd "$tree"
rm -rf skrnn/_kernels/*.so 
flags=-fsanitize=address,undefined,float-cast-overflow
echo "Building with sanitizers, some minutes"
SKRNN_BOUNDSCHECK=1 LDFLAGS="$flags" \
    CFLAGS="$flags -fno-sanitize-recover=all -fno-omit-frame-pointer" \
    "$python" setup.py build_ext --inplace >build.log 2>&1 || { tail -n 40 build.log >&2; exit 1; }

# Python leaves memory to the end of the process; a test of memory that runs out wants NULL, not a
# report. Python's own objects stay with its allocator (from malloc they take half of the time): the
# kernels see none of them, but NumPy's arrays, which come from malloc.
export PYTHONPATH=$tree
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:malloc_context_size=8
export UBSAN_OPTIONS=print_stacktrace=1
export SKRNN_HOSTILE_EXAMPLES=${SKRNN_HOSTILE_EXAMPLES:-20000}
sanitized() {
    LD_PRELOAD="${sanitizers[*]}" "$python" "$@"
}
tested() {
    sanitized -m pytest --capture=sys -p no:cacheprovider "$@" # else pytest swallows reports
}
sanitized - <<'END'
import os, pathlib, skrnn
folder = pathlib.Path(skrnn.__file__).parent / "_kernels"
assert folder.is_relative_to(os.environ["PYTHONPATH"]), f"{folder} is not the copy"
for engine in folder.glob("*_f??.*.so"):
    assert b"__asan_report" in engine.read_bytes(), f"{engine} has no sanitizer"
skrnn.show_versions()
END
if [ $# != 0 ]; then
    tested "$@"
    exit
fi
tested -m "" tests/guarantees/test_hostile.py tests/guarantees/test_damage.py
# Left out: what the sanitizers themselves change, a process's memory.
tested -m "not long" --ignore tests/guarantees/test_hostile.py --ignore tests/guarantees/test_damage.py \
    --deselect tests/guarantees/test_resources.py::test_a_limit_of_address_space \
    --deselect tests/guarantees/test_resources.py::test_resident_memory \
    --deselect tests/base/test_persistence.py::test_flipped_bits_never_crash
