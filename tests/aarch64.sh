#!/usr/bin/env bash
# Cross-compile the kernels for aarch64 (NEON) and run their tests under qemu, on an x86-64 Debian
# or Ubuntu. `make test-aarch64` calls this; from elsewhere: tests/aarch64.sh PYTHON [what pytest is
# to run instead]. On a machine of that kind the usual `make test` is what you want.
#
# The interpreter comes from Debian's packages for arm64, unpacked into build/aarch64 without being
# installed; NumPy, SciPy and scikit-learn are their wheels for manylinux. The kernels are built for
# the limited API, so that the headers of this machine's Python, of whatever version, serve.
set -euo pipefail
if [ $# = 0 ]; then
    echo "tests/aarch64.sh needs a Python with Cython and setuptools; \`make test-aarch64\` makes one" >&2
    exit 2
fi
python=$(realpath -s "$(command -v "$1")")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for tool in aarch64-linux-gnu-gcc qemu-aarch64 apt-get dpkg-deb; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool not found: \`make test-aarch64\` needs Debian or Ubuntu with" \
            "'apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user'" >&2
        exit 1
    fi
done
root=$PWD/build/aarch64

# An apt of its own: neither the lists of this machine nor what is installed here are touched.
if [ ! -e "$root/.system" ]; then
    rm -rf "$root/system"
    mkdir -p "$root"/{system,lists/partial,cache/archives/partial}
    arm=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64
        -o Dir::State::status=/dev/null -o Dir::State::lists="$root/lists" -o Dir::Cache="$root/cache")
    "${arm[@]}" update
    "${arm[@]}" install --yes --download-only --no-install-recommends python3 libgomp1 libstdc++6
    for package in "$root"/cache/archives/*.deb; do
        dpkg-deb --extract "$package" "$root/system"
    done
    touch "$root/.system"
fi
there=("$root"/system/usr/bin/python3.*[0-9])
if [ ! -e "$root/.packages" ]; then
    rm -rf "$root/packages"
    platforms=()
    for glibc in 2_28 2_27 2_17; do
        platforms+=(--platform "manylinux_${glibc}_aarch64")
    done
    "$python" -m pip --quiet --disable-pip-version-check install --target "$root/packages" \
        "${platforms[@]}" --platform manylinux2014_aarch64 --python-version "${there[0]##*python}" \
        --implementation cp --only-binary=:all: numpy scipy scikit-learn pytest hypothesis
    touch "$root/.packages"
fi

echo "Building for aarch64, some minutes"
mkdir -p "$root/lib" "$root/tree"
_PYTHON_HOST_PLATFORM=linux-aarch64 SKRNN_ABI3=1 CC=aarch64-linux-gnu-gcc \
    LDSHARED="aarch64-linux-gnu-gcc -shared" "$python" setup.py -q build \
    --build-base "$root" --build-lib "$root/lib" >"$root/build.log" 2>&1 ||
    { tail -n 40 "$root/build.log" >&2; exit 1; }

# The tests run as in a checkout: a folder that has no kernels of this machine.
rm -rf "$root/tree"
mkdir "$root/tree"
cp -r tests pyproject.toml "$root/tree"
cp -r "$root/lib/skrnn" "$root/tree"
cd "$root/tree"
export PYTHONPATH=$root/tree:$root/packages QEMU_LD_PREFIX=$root/system PYTHONDONTWRITEBYTECODE=1
emulated() {
    qemu-aarch64 "${there[0]}" "$@"
}
emulated -c "import skrnn; skrnn.show_versions()"
if [ $# = 0 ]; then
    set -- tests/kernels/test_elementary.py tests/kernels/test_gradients.py \
        tests/kernels/test_parity.py -m "not long"
fi
emulated -m pytest -p no:cacheprovider "$@"
