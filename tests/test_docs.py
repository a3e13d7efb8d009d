"""The pages are true: their Python runs, and their links lead somewhere.

The blocks of a page run one after the other in one namespace, as a reader would type them. A block
after ``<!-- not run: why -->`` is left out; one between ``<!-- run`` and ``-->`` is not shown on
the page but runs, to make the data that the next block speaks of.
"""

import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
PAGES = [page for page in PAGES if page.is_file()]

BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^\n]+ -->\n+)?^```python\n(?P<shown>.*?)^```$"
    r"|^<!-- run\n(?P<hidden>.*?)^-->$",
    re.DOTALL | re.MULTILINE,
)
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def blocks_of(page):
    """Return the matches of the blocks that run."""
    text = page.read_text(encoding="utf-8")
    return [match for match in BLOCK.finditer(text) if not match["skip"]]


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
        # The pages' few epochs need not converge.
        warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
        for match in blocks_of(page):
            code = match["shown"] or match["hidden"]
            start = match.start("shown" if match["shown"] else "hidden")
            line = match.string[:start].count("\n")
            # Blank lines before it give an error the line number it has on the page.
            exec(compile("\n" * line + code, str(page), "exec"), namespace)


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


def test_make_draws_every_picture_of_the_theory():
    named = set(re.findall(r"examples/(\w+)\.py", (ROOT / "docs/theory.md").read_text()))
    drawn = re.search(r"^FIGURES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named == set(drawn[1].split())
    for name in named:  # each is drawn to where it runs, and named as the script
        assert f'path="{name}.png"' in (ROOT / "examples" / f"{name}.py").read_text()
