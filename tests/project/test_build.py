"""What is built and installed: instruction sets, the build without OpenMP, package data."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from setuptools import find_packages

import skrnn
from skrnn._kernels import cpu

PACKAGE = Path(skrnn.__file__).parent
ROOT = Path(__file__).resolve().parents[2]

needs_checkout = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file(), reason="the tests are not in a checkout"
)


def run_python(code, folder, *, path=PACKAGE.parent, **env):
    """Run code in a new interpreter that finds skrnn in `path`; returns the finished process."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,  # with -c the working folder stands first in sys.path
        env={**os.environ, "PYTHONPATH": str(path), **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def output_of(process):
    """Return what a process printed, if it went well."""
    assert process.returncode == 0, process.stderr
    return process.stdout


# Instruction sets


@pytest.mark.parametrize("level", cpu.levels())
def test_forced_instruction_set_is_obeyed(level, tmp_path):
    if find_spec(f"skrnn._kernels.{level}_f32") is None:
        pytest.skip(f"{level} is not built")
    code = """
import skrnn
from skrnn._network.plan import Plan
skrnn.show_versions()
print(Plan("lstm", (2,), 1, 2).engine.__name__)
"""
    # in capitals, because nobody should have to know that the names are lower case
    out = output_of(run_python(code, tmp_path, SKRNN_ISA=level.upper()))
    assert f"instruction set: {level} " in out
    assert out.splitlines()[-1] == f"skrnn._kernels.{level}_f32"


def test_unknown_instruction_set_is_refused(tmp_path):
    process = run_python("import skrnn", tmp_path, SKRNN_ISA="sse9")
    assert process.returncode != 0
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError:")
    assert "SKRNN_ISA='sse9'" in last
    assert all(level in last for level in cpu.levels())


# What an import brings along


def test_import_is_light(tmp_path):
    # against scikit-learn's own, which loads pandas and rich where it finds them
    code = "import contextlib, sys, {}\n{}\nprint(*sys.modules)"
    callbacks = "with contextlib.suppress(ImportError): import sklearn.callback"
    code_before = code.format("sklearn.model_selection", callbacks)
    before = set(output_of(run_python(code_before, tmp_path)).split())
    code_after = code.format("skrnn, skrnn.datasets, skrnn.preprocessing", "")
    loaded = set(output_of(run_python(code_after, tmp_path)).split())
    packages = {name.partition(".")[0] for name in loaded - before}
    assert "skrnn" in packages
    assert not packages & {"matplotlib", "pandas", "torch", "rich"}


def test_needs_nothing_but_numpy_scipy_and_scikit_learn(tmp_path):
    code = """
import sys
class Missing:
    def find_spec(name, path=None, target=None):
        if name in ("matplotlib", "pandas", "rich", "torch", "hypothesis", "pytest", "Cython"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import skrnn, skrnn.datasets, skrnn.preprocessing
X = [[[0.0], [1.0]], [[1.0], [0.0], [2.0]], [[2.0]]]
scaler = skrnn.preprocessing.PerStep(StandardScaler())
for estimator in (skrnn.RNNClassifier((2,), max_iter=1), skrnn.RNNRegressor((2,), max_iter=1)):
    print(make_pipeline(scaler, estimator).fit(X, [0, 1, 0]).predict(X).shape)
"""
    assert output_of(run_python(code, tmp_path)) == "(3,)\n(3,)\n"


# What a wheel carries


@needs_checkout
def test_every_file_of_the_package_is_packaged():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    settings = settings["tool"]["setuptools"]
    where = settings["packages"]["find"]
    listed = set(find_packages(str(ROOT), include=where["include"]))
    for path in (ROOT / "skrnn").rglob("*"):
        if path.is_dir() or "__pycache__" in path.parts or path.suffix in (".so", ".pyd", ".c"):
            continue
        parts = list(path.relative_to(ROOT).parent.parts)
        if path.suffix == ".py":
            assert ".".join(parts) in listed, f"{path} is missing from pyproject.toml's packages"
            continue
        while ".".join(parts) not in listed:  # a folder of kernels is no package
            parts.pop()
        everywhere = settings["package-data"]["*"]
        patterns = everywhere + settings["package-data"].get(".".join(parts), [])
        found = {file for pattern in patterns for file in ROOT.joinpath(*parts).glob(pattern)}
        assert path in found, f"{path} is not packaged"


@needs_checkout
def test_one_version():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["setuptools"]["dynamic"]["version"]["attr"].endswith("__version__")
    places = {
        "CHANGELOG.md": r"^## \[([^\]]+)\]",
        "CITATION.cff": r"^version: (.+)$",
        "conda.recipe/meta.yaml": r'^  version: "(.+)"$',
    }
    for file, pattern in places.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(pattern, text, re.MULTILINE)[1] == skrnn.__version__, file


@needs_checkout
def test_without_a_compiler_says_what_to_install(tmp_path):
    command = [
        sys.executable,
        "setup.py",
        "-q",
        "build_ext",
        "--build-lib",
        tmp_path,
        "-t",
        tmp_path,
    ]
    environment = os.environ | {"CC": "no-such-compiler"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode
    assert "no C compiler was found (no-such-compiler" in done.stderr
    assert "Traceback" not in done.stderr


@needs_checkout
def test_msvc_alone_is_refused_with_the_remedy(tmp_path):
    """On any machine: setuptools chooses MSVC's class by name, and looks for it later."""
    command = [sys.executable, "setup.py", "-q", "build_ext", "--compiler=msvc"]
    command += ["--build-lib", tmp_path, "-t", tmp_path]
    environment = os.environ | {"PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode
    assert "winget install LLVM.LLVM" in done.stderr
    assert "Traceback" not in done.stderr


@needs_checkout
@pytest.mark.parametrize(
    ("command", "wish", "limited"),
    [
        ("bdist_wheel", None, False),
        ("bdist_wheel", "0", False),
        ("bdist_wheel", "1", True),
        ("build_ext", None, False),
        ("build_ext", "1", True),
    ],
)
def test_the_limited_api_is_a_wish(command, wish, limited):
    """A build serves one CPython, which is faster; on request, every version from 3.11 on."""
    code = f"""
import sys, setuptools
setuptools.setup = lambda ext_modules, **rest: print(
    {{e.py_limited_api for e in ext_modules}}, dict(ext_modules[0].define_macros))
sys.argv = ["setup.py", {command!r}]
exec(open("setup.py").read())
"""
    wishes = {} if wish is None else {"SKRNN_ABI3": wish}
    out = output_of(run_python(code, ROOT, SKRNN_VARIANTS="base_f32", **wishes))
    full = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))  # it has no stable ABI
    macros = {"Py_LIMITED_API": "0x030B0000", "CYTHON_LIMITED_API": "1"}
    limited = limited and not full
    assert out == f"{{{limited}}} {macros if limited else {}}\n"


@needs_checkout
@pytest.mark.parametrize("home", ["", "https://example.org/skrnn"])
def test_an_index_page_has_no_dead_link(home):
    """The README's neighbors are not on an index: links are absolute, or plain words."""
    code = """
import setuptools
setuptools.setup = lambda **given: print(given["project_urls"], given["long_description"])
exec(open("setup.py").read())
"""
    text = output_of(run_python(code, ROOT, SKRNN_VARIANTS="base_f32", SKRNN_HOME_URL=home))
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links and all(link.startswith("https://") for link in links)
    assert (f"{home}/blob/main/docs/guide/index.md" in links) == bool(home)
    assert "User guide" in text
    assert text.startswith(f"{{'Source': '{home}'" if home else "{} # skrnn")


# The build without OpenMP

BITS = """
import hashlib, warnings
import numpy as np
import skrnn
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 5)) for n in rng.integers(1, 40, size=60)]
labels, numbers = rng.integers(0, 3, 60), rng.normal(size=(60, 2))
digest = hashlib.sha256()
for cell in ("lstm", "gru", "rnn"):
    for make, y in ((skrnn.RNNClassifier, labels), (skrnn.RNNRegressor, numbers)):
        model = make((20, 9), cell=cell, bidirectional=True, pooling="mean", dropout=0.2,
                     recurrent_dropout=0.2, max_iter=3, random_state=0).fit(X, y)
        for weight in model.weights_.values():
            digest.update(weight.tobytes())
        digest.update(model.predict(X).tobytes())
skrnn.show_versions()
print("digest:", digest.hexdigest())
"""


def facts(out):
    """Read what show_versions and BITS print, by name."""
    return dict(line.split(": ", 1) for line in out.splitlines() if ": " in line)


@pytest.mark.long
@needs_checkout
def test_build_without_openmp_gives_the_same_bits(tmp_path):
    tree, site = tmp_path / "tree", tmp_path / "site"
    ignored = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(ROOT / "skrnn", tree / "skrnn", ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(site)]
    if find_spec("Cython") and find_spec("setuptools"):  # then nothing needs to be fetched
        command.append("--no-build-isolation")
    build = {**os.environ, "SKRNN_OPENMP": "0", "SKRNN_VARIANTS": "base_f32"}
    built = subprocess.run(
        [*command, str(tree)], env=build, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr

    env = {"SKRNN_ISA": "base", "OMP_NUM_THREADS": "3"}
    without = facts(output_of(run_python(BITS, tmp_path, path=site, **env)))
    ours = facts(output_of(run_python(BITS, tmp_path, **env)))
    assert without["OpenMP"].startswith("no")
    assert without["threads"] == "1"
    assert without["digest"] == ours["digest"]
