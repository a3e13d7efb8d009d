#!/usr/bin/env bash
# Install each interpreter's wheel in an empty environment, and run the quick tests of the source
# distribution there, away from any checkout. `make test-wheel` calls this with dist/, which has the
# wheels and one source distribution; from elsewhere: tests/wheel.sh FOLDER PYTHON...
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: tests/wheel.sh FOLDER PYTHON..." >&2
    exit 2
fi
dist=$(realpath "$1")
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tar --extract --file "$dist"/skrnn-*.tar.gz --directory "$folder" --strip-components 1
rm -r "$folder/skrnn" # what is tested is what is installed
for python in "$@"; do
    tag=$("$python" -c "if True:
        import sys, sysconfig
        version = 'cp{}{}'.format(*sys.version_info)
        free = bool(sysconfig.get_config_var('Py_GIL_DISABLED'))
        print(version, version + 't' * free, sep='-')")
    wheel=$(ls "$dist"/skrnn-*-"$tag"-*.whl "$dist"/skrnn-*-abi3-*.whl 2>/dev/null | head -n 1 || true)
    if [ -z "$wheel" ]; then
        echo "$dist has no wheel for $("$python" -V) ($tag); \`make wheel\` builds it" >&2
        exit 1
    fi
    echo "$("$python" -V): $(basename "$wheel")"
    "$python" -m venv --clear "$folder/env"
    "$folder/env/bin/python" -m pip --quiet --disable-pip-version-check install \
        "$wheel" pytest hypothesis pandas
    (
        cd "$folder"
        env/bin/python -c "import skrnn; skrnn.show_versions()"
        env/bin/python -m pytest -p no:cacheprovider -m "not long" tests/kernels/test_parity.py \
            tests/base/test_stepping.py tests/base/test_streaming.py tests/base/test_persistence.py \
            tests/estimators/test_estimators.py tests/estimators/test_language_model.py \
            tests/estimators/test_translator.py
    )
done
