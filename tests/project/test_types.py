"""What type checkers see: stubs that say what docstrings say; a file of a user in strict mode."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USER = ROOT / "tests" / "helpers" / "typed_user.py"
pytestmark = pytest.mark.skipif(
    not (ROOT / "skrnn" / "py.typed").exists(), reason="the tests are not in a checkout"
)
# scikit-learn has no types, and a checker looks no closer at a package that is installed.
MYPY = """
[mypy]
strict = True
[mypy-sklearn.*]
ignore_missing_imports = True
[mypy-skrnn.*]
ignore_errors = True
"""


def test_stubs_are_current():
    pytest.importorskip("ruff")
    import make_stubs

    assert not list(make_stubs.stale()), "run tests/helpers/make_stubs.py"


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("", ""), None),
        (("batch_size=64", "batch_size='all'"), '[arg-type]'),
        (("batch_size=64", "batchsize=64"), '[call-arg]'),
        (("r2: float", "r2: str"), '[assignment]'),
    ],
)  # fmt: skip
def test_a_users_file_in_strict_mode(change, error, tmp_path):
    file, config = tmp_path / "user.py", tmp_path / "mypy.ini"
    file.write_text(USER.read_text("utf-8").replace(*change), "utf-8")
    config.write_text(MYPY)
    command = [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir"]
    done = subprocess.run(
        [*command, ROOT / ".mypy_cache" / "users", file],
        cwd=ROOT,  # where it finds the package
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) == (error is None), done.stdout
    assert error is None or error in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (("", ""), None),
        (("batch_size=64", "batch_size='all'"), "reportArgumentType"),
        (("batch_size=64", "batchsize=64"), "reportCallIssue"),
    ],
)
def test_a_users_file_in_pyrights_strict_mode(change, rule, tmp_path):
    pytest.importorskip("pyright")
    text = USER.read_text("utf-8").replace(*change)
    (tmp_path / "user.py").write_text(text, "utf-8")
    settings = {"include": ["user.py"], "extraPaths": [str(ROOT)], "typeCheckingMode": "strict"}
    settings["reportMissingTypeStubs"] = False  # scikit-learn's
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(
        [*command, "-p", tmp_path], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    found = {d["rule"] for d in json.loads(done.stdout)["generalDiagnostics"]}
    assert (found == set()) if rule is None else (rule in found), done.stdout


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_users_file_runs():
    """What the checkers accept is what the package accepts."""
    exec(compile(USER.read_text("utf-8"), USER.name, "exec"), {"__name__": "user"})
