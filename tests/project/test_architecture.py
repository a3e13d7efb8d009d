"""The house: imports point down, long files say why, public names are documented."""

import ast
import importlib
import inspect
import re
from functools import partial
from pathlib import Path

import pytest
from planted_faults import FAULTS

import skrnn
import skrnn.datasets
import skrnn.distributed
import skrnn.export
import skrnn.inspection
import skrnn.metrics
import skrnn.model_selection
import skrnn.preprocessing

PACKAGE = Path(skrnn.__file__).parent
REPOSITORY = PACKAGE.parent
LONGEST = 600

# What a folder, or a module at the top, may import of the package; itself always. An estimator
# imports no other estimator, and nothing imports `inspection`.
ESTIMATORS = {
    "_classifier", "_regressor", "_tagger", "_forecaster", "_language_model", "_translator",
}  # fmt: skip
MAY = {
    "_kernels": set(),
    "_data": set(),
    "_network": {"_kernels", "_data"},
    "_base": {"_network", "_data", "_version", "datasets"},
    **{name: {"_base", "_network", "_data", "metrics"} for name in ESTIMATORS},
    "metrics": {"_data"},
    "model_selection": {"_data", "metrics"},
    "preprocessing": {"_data"},
    "export": {"_data", "_version", "preprocessing", *ESTIMATORS},
    "inspection": {"_base", "_network", "_data", "metrics", "preprocessing", *ESTIMATORS},
    "distributed": {"_base", "_data"},
    "datasets": {"_data"},
    "_training": {"_base"},  # an old import path
    "_version": set(),
    "_show_versions": {"_version", "_kernels", "_network"},
    "_trusted_types": set(),
    "__init__": {"_version", "_show_versions", "_trusted_types", *ESTIMATORS},
}


def sources(*patterns):
    return sorted(path for pattern in patterns for path in PACKAGE.glob(pattern))


def part(path):
    """Return the module's or the subpackage's name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Return the parts of this package that a Python file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            if node.module == "skrnn._base.sklearn_api":  # all may import it: it imports nothing
                continue
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if re.match(r"skrnn\b", name)}
    return found


def modules(path):
    """Return the modules of this package that a Python file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name for name in names if re.match(r"skrnn\b", name)}
    return found


@pytest.mark.parametrize("path", sources("**/*.py"), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_keep_the_rules(path):
    assert imported(path) - {part(path)} <= MAY[part(path)], path


def test_the_network_knows_only_sequences_of_the_data():
    for path in sources("_network/*.py"):
        of_data = {name for name in modules(path) if name.startswith("skrnn._data.")}
        assert {name.split(".")[2] for name in of_data} <= {"overlapping_sequences", "sequences"}, (
            path
        )


def test_private_names_of_scikit_learn_stand_in_one_file():
    door = PACKAGE / "_base" / "sklearn_api.py"
    assert not imported(door)
    for path in sources("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
                names = [*node.module.split("."), *(alias.name for alias in node.names)]
                private = [n for n in names if n.startswith("_") or n == "callback"]
                assert path == door or not private, f"{path}: {private}"


def test_nothing_is_imported_in_a_circle():
    names = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
        for path in sources("**/*.py")
    }
    waiting = {name: modules(path) & set(names) - {name} for name, path in names.items()}
    while waiting:
        ready = [name for name, needs in waiting.items() if not needs & set(waiting)]
        assert ready, f"a circle among {sorted(waiting)}"
        for name in ready:
            del waiting[name]


@pytest.mark.parametrize("path", sources("_kernels/**/*.p[yx][xdi]"), ids=lambda p: p.name)
def test_kernels_import_nothing_of_the_python_side(path):
    # What entries/ includes stands in engine.pyx, a folder higher.
    folders = 0 if path.suffix == ".pxi" else len(path.relative_to(PACKAGE / "_kernels").parts) - 1
    beyond = rf"\bskrnn\b(?!\._kernels)|\bfrom \.{{{folders + 2},}}"
    for line in path.read_text().splitlines():
        if re.match(r"\s*(c?import|from)\b", line):
            assert not re.search(beyond, line), line


def test_the_engine_only_includes_entries():
    # Everything of a variant is one compilation unit; each entry is included once.
    lines = (PACKAGE / "_kernels/engine.pyx").read_text().split('"""')[2].split("\n")
    code = [line for line in lines if line and not re.match(r"import|from", line)]
    entries = {f'include "entries/{path.name}"' for path in sources("_kernels/entries/*.pxi")}
    assert sorted(code) == sorted(entries)


def cimported(path, kernels):
    """Return the kernel files that one cimports from."""
    folder = kernels if path.suffix == ".pxi" else path.parent
    found = set()
    for dots, name in re.findall(r"^from (\.+)([\w.]+) cimport", path.read_text(), re.MULTILINE):
        base = folder if dots == "." else folder.parent
        found.add(base / f"{name.replace('.', '/')}.pxd")
    return found


def test_no_circle_among_the_kernels():
    kernels = PACKAGE / "_kernels"
    paths = sources("_kernels/**/*.pxd", "_kernels/**/*.pxi")
    waiting = {path: cimported(path, kernels) for path in paths}
    assert all(path.exists() for needs in waiting.values() for path in needs)
    while waiting:
        ready = [path for path, needs in waiting.items() if not needs & set(waiting)]
        assert ready, f"a circle among {sorted(path.name for path in waiting)}"
        for path in ready:
            del waiting[path]


def test_importing_the_package_needs_no_framework():
    framework = {"torch", "tensorflow", "jax", "keras", "pandas", "matplotlib", "rich", "numba"}
    for path in sources("**/*.py"):
        for node in ast.parse(path.read_text()).body:  # not those inside functions
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] not in framework, path
            elif isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & framework, path


def test_what_is_imported_late_is_what_type_checkers_see():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    seen = {
        alias.name: node.module.split(".")[1]
        for block in tree.body if isinstance(block, ast.If)
        for node in block.body for alias in node.names
    }  # fmt: skip
    assert seen == skrnn._MODULES
    assert (
        {*seen, "__version__", "show_versions", "trusted_types"}
        == set(skrnn.__all__)
        <= set(dir(skrnn))
    )
    assert all(getattr(skrnn, name).__name__ == name for name in seen)
    assert set(skrnn._SUBMODULES) == {
        path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for path in sources("[!_]*.py", "[!_]*/__init__.py")
    }
    assert skrnn.metrics.__name__ == "skrnn.metrics"
    with pytest.raises(AttributeError, match="no attribute 'LSTM'"):
        skrnn.LSTM  # noqa: B018


def test_files_are_short_or_say_why():
    folders = ("skrnn", "tests", "examples", "benchmarks", "docs")
    paths = [p for folder in folders for p in (REPOSITORY / folder).rglob("*")]
    kinds = (".py", ".pyx", ".pxd", ".pxi", ".h", ".md")
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for path in paths
        if path.suffix in kinds
        and (lines := len(path.read_text().splitlines())) >= LONGEST
        and f"Above {LONGEST} lines because" not in path.read_text()[:1500]
    }
    assert not long


def test_faults_can_be_planted():
    # `make faults` takes long; what it lists must not fall behind the sources in the meantime
    for fault in FAULTS:
        assert (PACKAGE / fault.file).read_text().count(fault.old) == 1, fault.what
        for name in fault.tests.split():
            file, _, function = name.partition("::")
            assert f"def {function}(" in (REPOSITORY / "tests" / file).read_text() or not function


# Documentation


def public():
    """Yield (name, object) of all that is public: functions, classes and their methods."""
    public_modules = (
        skrnn, skrnn.preprocessing, skrnn.datasets, skrnn.distributed, skrnn.export,
        skrnn.inspection, skrnn.metrics, skrnn.model_selection,
    )  # fmt: skip
    for module in public_modules:
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing):
                yield f"{module.__name__}.{name}", thing
                for attribute in dir(thing):
                    member = inspect.getattr_static(thing, attribute)
                    own = (getattr(member, "__module__", None) or "").startswith("skrnn")
                    if own and not attribute.startswith("_") and inspect.isfunction(member):
                        yield f"{module.__name__}.{name}.{attribute}", member
            elif inspect.isfunction(thing):
                yield f"{module.__name__}.{name}", thing


def documented_parameters(doc):
    """Return the names in the section "Parameters" of a numpydoc text."""
    match = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", doc, re.M | re.S)
    if match is None:
        return []
    heads = re.findall(r"^(\S[^:\n]*?)(?: :.*)?$", match[1], re.M)
    return [name.strip().lstrip("*") for head in heads for name in head.split(",")]


@pytest.mark.parametrize(("name", "thing"), [pytest.param(*item, id=item[0]) for item in public()])
def test_public_names_are_documented(name, thing):
    doc = inspect.getdoc(thing)
    assert doc
    first, _, rest = doc.partition("\n")
    assert first.endswith("."), "a docstring begins with one sentence on one line"
    assert not rest or rest.startswith("\n")
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return  # takes a message, as all do
    parameters = [p for p in inspect.signature(thing).parameters if p != "self"]
    assert sorted(documented_parameters(doc)) == sorted(parameters)


@pytest.mark.parametrize(
    "make",
    [
        skrnn.LSTMForecaster,
        skrnn.LSTMTagger,
        skrnn.RNNClassifier,
        skrnn.RNNRegressor,
        skrnn.Seq2SeqTranslator,
    ],
)
def test_documented_defaults_are_the_signature_s(make):
    parameters = inspect.signature(make).parameters
    # One entry may document two parameters.
    entries = re.findall(r"^ {4}([a-z]\w*(?:, \w+)*) : .*default=(.*)$", make.__doc__, re.M)
    assert len(entries) > 20
    for names, defaults in entries:
        names = names.split(", ")
        values = ast.literal_eval(defaults)
        for name, value in zip(names, values if len(names) > 1 else [values], strict=True):
            assert parameters[name].default == value, name


@pytest.mark.parametrize(
    ("make", "y"),
    [
        (skrnn.RNNClassifier, [0, 1]),
        (skrnn.RNNRegressor, [0, 1]),
        (partial(skrnn.LSTMTagger, crf=True), [[0], [1]]),
        (skrnn.Seq2SeqTranslator, [[0], [1, 1]]),
    ],
)
def test_documented_attributes_exist(make, y):
    fitted = make((2,), max_iter=1, n_iter_no_change=float("inf")).fit([["a"], ["b"]], y)
    section = re.search(r"Attributes\n +-+\n(.*?)\n +See Also", type(fitted).__doc__, re.S)[1]
    names = set(re.findall(r"^ {4}(\w+_) : ", section, re.M))
    assert {name for name in names if hasattr(fitted, name)} == names - {"feature_names_in_"}
    undocumented = {n for n in vars(fitted) if n.endswith("_") and not n.startswith("_")} - names
    assert not undocumented


@pytest.mark.parametrize(
    "module",
    [
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in sources("**/*.py")
        if ">>> " in path.read_text()
    ],
)
def test_examples_in_docstrings(module, monkeypatch):
    import doctest

    module = importlib.import_module(f"skrnn.{module}")
    for name, thing in vars(module).items():  # doctest looks where `__module__` says they are
        if re.search(rf"^(class|def) {name}\b", inspect.getsource(module), re.MULTILINE):
            monkeypatch.setattr(thing, "__module__", module.__name__)
    # What the module has imported is no part of an example: a reader pastes it alone.
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS, globs={})
    assert result.failed == 0
    assert result.attempted
