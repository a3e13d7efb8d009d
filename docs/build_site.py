"""Build the documentation site into build/docs/html; `make docs` calls this script.

    python docs/build_site.py [--linkcheck]

The pages in ``docs`` are read on a code host as well, where links go to files of the repository. A
copy of them in build/docs/source gets links to pages of the site instead, and pages for those files
of the top folder that belong to the documentation. Every warning is an error.
The examples of the docstrings run as they stand on the pages of the reference.
"""

import argparse
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "docs"
SOURCE = BUILD / "source"

# Pages of the site whose text stands in the top folder of the repository.
TOP_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "development/contributing.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s:]+)(#[^)\s]*)?\)")


def page_of(path):
    """Return the page of the site that shows a file of the repository, or None."""
    if path in TOP_PAGES:
        return TOP_PAGES[path]
    if path == "README.md":
        return "index.md"
    folder, _, name = path.partition("/")
    if folder == "docs" and name.endswith((".md", ".rst")):
        return name
    if folder == "examples" and name.endswith(".py"):
        return f"gallery/{name.removesuffix('.py')}.rst"
    return None


def with_site_links(text, path, page):
    """Replace links to files by links to pages; a file that has no page keeps its name as code.

    Parameters
    ----------
    text : str
        Markdown.

    path, page : str
        Where the text stands in the repository, and on the site.

    Returns
    -------
    text : str
    """

    def replace(match):
        label, target, anchor = match[1], match[2], match[3] or ""
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        found = page_of(file)
        if found is None:
            return f"{label} (`{file}`)"
        if file == "README.md":
            anchor = ""
        return f"[{label}]({posixpath.relpath(found, posixpath.dirname(page) or '.')}{anchor})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    parts[::2] = [LINK.sub(replace, part) for part in parts[::2]]  # code blocks stay as they are
    return "".join(parts)


def copy_pages():
    """Write the copy that Sphinx reads; files that did not change keep their time."""
    fresh = BUILD / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(ROOT / "docs", fresh, ignore=shutil.ignore_patterns("__pycache__", "figures"))
    pages = {f"docs/{p.relative_to(fresh).as_posix()}": p for p in fresh.rglob("*.md")}
    pages |= {top: fresh / page for top, page in TOP_PAGES.items()}
    for path, page in pages.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        page.write_text(with_site_links(text, path, page.relative_to(fresh).as_posix()), "utf-8")
    SOURCE.mkdir(parents=True, exist_ok=True)
    for file in (p for p in fresh.rglob("*") if p.is_file()):
        target = SOURCE / file.relative_to(fresh)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != file.read_bytes():
            shutil.copy2(file, target)
    shutil.rmtree(fresh)


def main():
    """Copy the pages and run Sphinx."""
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("--linkcheck", action="store_true", help="check links to other hosts too")
    args = parser.parse_args()
    copy_pages()
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "-q"]
    command += ["-d", str(BUILD / "doctrees")]  # read once for all builders
    for builder in ["html", "doctest"] + ["linkcheck"] * args.linkcheck:
        done = subprocess.run(
            [*command, "-b", builder, str(SOURCE), str(BUILD / builder)], check=False
        ).returncode
        if done:
            return done
    print(f"{BUILD.relative_to(ROOT)}/html/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
