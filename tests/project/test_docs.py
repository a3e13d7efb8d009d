"""The pages are true: their Python runs, their links lead somewhere, and what they name exists.

The blocks of a page run one after the other in one namespace, as a reader would type them. A block
after ``<!-- not run: why -->`` is left out; one between ``<!-- run`` and ``-->`` is not shown on
the page but runs, to make the data that the next block speaks of. A block of ``text`` right behind
a block is what that prints. None warns: who types what stands there should see nothing else.
"""

import pydoc
import re
import warnings
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import pytest
from sklearn.exceptions import ConvergenceWarning

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PAGES = [page for page in PAGES if page.is_file()]

BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^\n]+ -->\n+)?^```python\n(?P<shown>.*?)^```$"
    r"(?:\n\n^```text\n(?P<output>.*?)^```$)?"
    r"|^<!-- run\n(?P<hidden>.*?)^-->$",
    re.DOTALL | re.MULTILINE,
)
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
# A word of code that looks like a file of this repository, and a name said to be in such a file.
FILE = re.compile(r"(?<![\w.*/])[\w./-]*\w\.(?:py|pyi|pyx|pxd|pxi|h|sh|md|toml)(?![\w*/])")
NAME_IN_FILE = re.compile(rf"`(\w+)` (?:in|of)\s+`({FILE.pattern})`")
# A whole span of code that is a name, perhaps dotted, perhaps called.
NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\([^)]*\))?")
FOLDERS = ("skrnn", "tests", "docs", "examples", "benchmarks")
# The running example of "Adding a cell", which the reader is to write.
TO_BE_WRITTEN = {
    "skrnn/_kernels/cells/mgu.pxd", "mgu_gates", "mgu_output", "mgu_backward", "mgu_forward",
    "model_card.md",
}  # fmt: skip
# Names of other packages, and parts of names.
ELSEWHERE = {
    "HistGradientBoostingClassifier", "_l1", "types.SimpleNamespace", "ray.util.joblib",
    "torch.nn.utils.rnn.unpack_sequence", "dataset.to_dataarray", "mlflow.sklearn.autolog",
    "concurrent.futures.Executor", "mpi4py.futures.MPIPoolExecutor", "ray.init",
}  # fmt: skip
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def blocks_of(page):
    """Return the matches of the blocks that run."""
    text = page.read_text(encoding="utf-8")
    return [match for match in BLOCK.finditer(text) if not match["skip"]]


def lines_of(text):
    """Split printed text, without blanks at the ends of lines and blank lines at its end."""
    return [line.rstrip() for line in text.rstrip().splitlines()]


def each(pages):
    """Parametrize a test by page."""
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


def anchors(text):
    """Make the anchors of a page's headings, as GitHub does."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@each([page for page in PAGES if blocks_of(page)])
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for match in blocks_of(page):
            code = match["shown"] or match["hidden"]
            start = match.start("shown" if match["shown"] else "hidden")
            line = match.string[:start].count("\n")
            # Blank lines before it give an error the line number it has on the page.
            block = compile("\n" * line + code, str(page), "exec")
            try:
                with redirect_stdout(StringIO()) as printed:
                    exec(block, namespace)
            except ModuleNotFoundError as error:
                pytest.skip(f"{error.name} is not installed: {page.name} is untested from {line}")
            if match["output"] is not None:
                assert lines_of(printed.getvalue()) == lines_of(match["output"]), f"line {line}"


@each(PAGES)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for link in LINK.findall(FENCED.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue  # the world outside is not ours to test
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert target.resolve().is_relative_to(ROOT), f"{page.name}: {link} leaves the repository"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{page.name}: {link}"


def files_named(name):
    """List the files of the repository that a page calls by this name or path."""
    paths = [*ROOT.glob("*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]
    return [path for path in paths if path.relative_to(ROOT).match(name) and path.is_file()]


@each([page for page in PAGES if page.name != "CHANGELOG.md"])  # history names what was
def test_files_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    spans = CODE.findall(FENCED.sub("", text)) + FENCED.findall(text)
    names = {name for span in spans for name in FILE.findall(span)} - TO_BE_WRITTEN
    assert not {name for name in names if not files_named(name)}
    for name, file in NAME_IN_FILE.findall(text):
        sources = [path.read_text(encoding="utf-8") for path in files_named(file)]
        found = any(re.search(rf"\b{name}\b", source) for source in sources)
        assert found or file in TO_BE_WRITTEN, f"{page.name}: {name} in {file}"


@cache
def words_by_stem():
    """Return {name of a file without its ending: the words in all files of that name}."""
    words = {}
    kinds = {".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".toml", ".sh", ""}
    folders = ("skrnn", "tests", "examples", "benchmarks")
    inside = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    for path in [*ROOT.glob("*"), *inside]:
        if path.is_file() and path.suffix in kinds:
            found = re.findall(r"[A-Za-z_]\w*", path.read_text(encoding="utf-8"))
            words.setdefault(path.stem, set()).update(found)
    return words


def exists(name):
    """Whether a name of a page is one of this repository.

    ``skrnn.x.y`` is looked up, the last part of ``file.name`` is a word of a file of that name,
    and any other name is a word of some file.
    """
    if re.match(r"skrnn\b", name):
        return pydoc.locate(name) is not None
    words = words_by_stem()
    module, _, last = name.rpartition(".")
    module = module.rpartition(".")[2]
    if module in words:
        return last in words[module]
    private = module.startswith("_")  # then it is a module of ours, which is not there
    return not private and any(last in found for found in words.values())


@each([page for page in PAGES if page.name not in ("CHANGELOG.md", "coming_from.md")])
def test_names_in_code_font_exist(page):
    spans = CODE.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    names = {match[1] for span in spans if (match := NAME.fullmatch(span))} - TO_BE_WRITTEN
    # One plain word may be a value, a command or a symbol of an equation.
    names = {n for n in names if "." in n or "_" in n or re.search(r"[a-z][A-Z]", n)}
    names = {n for n in names if not FILE.fullmatch(n)}
    names -= ELSEWHERE
    assert not {name for name in names if not exists(name)}


def test_the_map_names_every_part():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, rest = text.split("\n## Map\n")
    package, tests = rest.split("\n## ")[0].split("| in `tests/` |")
    for folder, table in (("skrnn", package), ("tests", tests)):
        named = {
            name.rstrip("/")
            for line in table.splitlines() if line.startswith("|")
            for name in CODE.findall(line.split("|")[1])
        }  # fmt: skip
        there = {path.name for path in (ROOT / folder).iterdir() if path.name[0] not in ".~"}
        assert named - {"skrnn/", "skrnn"} == there - {"__pycache__"}


@pytest.mark.parametrize("folder", ["_base", "_data", "_network"])
def test_a_readme_names_every_module(folder):
    folder = ROOT / "skrnn" / folder
    text = (folder / "README.md").read_text(encoding="utf-8")
    modules = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert modules <= set(CODE.findall(text))


def test_make_draws_every_picture_of_the_theory():
    named = set(re.findall(r"examples/(\w+)\.py", (ROOT / "docs/theory.md").read_text()))
    drawn = re.search(r"^FIGURES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named == set(drawn[1].split())
    for name in named:  # each is drawn to where it runs, and named as the script
        assert f'path="{name}.png"' in (ROOT / "examples" / f"{name}.py").read_text()


def test_every_test_that_a_guarantee_names_exists():
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    named = re.findall(r"`(?:(\w+/test_\w+\.py)(?:::(\w+))?|(test_\w+))`", text)
    assert len(named) > 50
    tests = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    for file, function, alone in named:
        if file:
            source = tests[ROOT / "tests" / file]
            assert f"def {function}(" in source or not function, f"{file}::{function}"
        else:
            assert any(f"def {alone}(" in source for source in tests.values()), alone


def test_every_public_name_has_a_page():
    pages = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    listed = {}
    for block in pages.split(".. currentmodule:: ")[1:]:
        module, *lines = block.splitlines()
        listed[module] = [line.strip() for line in lines if re.fullmatch(r"   \w+", line)]
    for module, names in listed.items():
        public = [name for name in pydoc.locate(module).__all__ if name != "__version__"]
        assert sorted(names) == sorted(public), module
