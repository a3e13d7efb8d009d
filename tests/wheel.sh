#!/usr/bin/env bash
# Install a wheel in an empty environment of each interpreter, and run the quick tests of the source
# distribution there, away from any checkout. `make test-wheel` calls this with what lies in dist/;
# from elsewhere: tests/wheel.sh WHEEL SDIST PYTHON...
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: tests/wheel.sh WHEEL SDIST PYTHON..." >&2
    exit 2
fi
wheel=$(realpath "$1")
sdist=$(realpath "$2")
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tar --extract --file "$sdist" --directory "$folder" --strip-components 1
rm -r "$folder/skrnn" # what is tested is what is installed
for python in "$@"; do
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
