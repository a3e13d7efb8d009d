"""The section "Adding a cell" of CONTRIBUTING.md is true: what it tells to write makes a cell.

Its code is added to a copy of the tree, which is built for one instruction set. The gradients are
compared with the oracle and with central differences.
"""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="needs a checkout"),
]


def code_of_the_page():
    """Return the blocks of the section: kernel, forward, backward, the plan's row, the oracle."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("\n## Adding a cell\n")[2].partition("\n## ")[0]
    block = re.compile(r"^( *)```(?:cython|python)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(code) for _, code in block.findall(section)]


def edit(path, *replacements):
    """Replace texts that each stand in a file just once."""
    text = path.read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, (path, old)
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def before_else(path, function, branch):
    """Put a branch before the `else` of a function."""
    head, name, tail = path.read_text(encoding="utf-8").partition(f"cdef inline void {function}(")
    body, found, rest = tail.partition("\n    else:\n")
    assert name
    assert found
    branch = textwrap.indent(branch.rstrip("\n"), "    ")
    path.write_text(f"{head}{name}{body}\n{branch}{found}{rest}", encoding="utf-8")


def add_the_cell(tree):
    """Follow the steps of the page."""
    kernels = tree / "skrnn/_kernels"
    kernel, forward, backward, row, oracle = code_of_the_page()
    (kernels / "cells/mgu.pxd").write_text(kernel, encoding="utf-8")
    edit(kernels / "types.pxd", ("    GRU\n    RNN\n", "    GRU\n    RNN\n    MGU\n"))
    edit(
        kernels / "entries/tables.pxi",
        ('"rnn": RNN}', '"rnn": RNN, "mgu": MGU}'),
        ("from .types cimport (\n", "from .types cimport MGU\nfrom .types cimport (\n"),
    )
    dispatch = kernels / "cells/dispatch.pxd"
    edit(
        dispatch,
        (
            "from .rnn cimport",
            "from ..types cimport MGU\n"
            "from .mgu cimport mgu_backward, mgu_gates, mgu_output\nfrom .rnn cimport",
        ),
    )
    before_else(dispatch, "cell_forward", forward)
    before_else(dispatch, "cell_backward", backward)
    # The functions stand before the table of cells, the row within it.
    definition, _, line = row.partition("CELLS[")
    entry = re.match(r'"(\w+)"\] = (Cell\(.*?\))(?:  #.*)?\n', line)
    sources = (tree / "skrnn/_network").rglob("*.py")
    edit(
        next(path for path in sources if "CELLS = {" in path.read_text(encoding="utf-8")),
        ("CELLS = {\n", f'{definition}CELLS = {{\n    "{entry[1]}": {entry[2]},\n'),
    )
    edit(
        tree / "tests/oracle/oracle_cells.py",
        ("class Cell(NamedTuple):\n", f"{oracle}\n\nclass Cell(NamedTuple):\n"),
        ("CELLS = {\n", 'CELLS = {\n    "mgu": Cell(2, False, mgu_forward, mgu_backward),\n'),
    )


def test_the_page_makes_a_cell(tmp_path):
    ignored = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "golden", "released")
    for folder in ("skrnn", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    add_the_cell(tmp_path)
    environment = os.environ | {
        "SKRNN_VARIANTS": "base_f64", "SKRNN_ISA": "base", "PYTHONPATH": str(tmp_path),
    }  # fmt: skip
    checks = (
        "test_the_oracle_knows_all", "mgu and test_central_differences",
        "mgu and test_every_network_against_the_oracle", "mgu and test_truncated",
    )  # fmt: skip
    for arguments in (
        ("setup.py", "-q", "build_ext", "--inplace"),
        (
            "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-o", "addopts=",
            "tests/kernels/test_gradients.py", "-k", " or ".join(f"({c})" for c in checks),
        ),
    ):  # fmt: skip
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    last = done.stdout.strip().splitlines()[-1]
    assert int(re.search(r"(\d+) passed", last)[1]) > 50, last
