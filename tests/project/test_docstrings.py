"""Docstrings say each thing once, and class bodies keep nothing but what the class is."""

import ast
import importlib
import inspect
import re
from collections import Counter
from pathlib import Path

import pytest
from make_docstrings import FILES, SECTIONS, updated

import skrnn

PACKAGE = Path(skrnn.__file__).parent
PUBLIC = ("", ".datasets", ".inspection", ".metrics", ".model_selection", ".preprocessing")
MODULES = [importlib.import_module(f"skrnn{part}") for part in PUBLIC]
CLASSES = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if inspect.isclass(getattr(module, name))
}
TREES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def entries(doc, section):
    """Return (names, text) of each entry of a section of a numpydoc text."""
    match = re.search(rf"^{section}\n-+\n(.*?)(?=^\S[^\n]*\n-{{3,}}\n|\Z)", doc, re.M | re.S)
    found = re.split(r"^(?=\S)", match[1], flags=re.M)[1:] if match else []
    return [(re.split(" : |\n", entry)[0].split(", "), entry.strip()) for entry in found]


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("section", ["Parameters", "Attributes"])
def test_nothing_is_documented_twice(name, section):
    found = entries(inspect.getdoc(CLASSES[name]), section)
    counts = Counter(name for names, _ in found for name in names)
    assert not [name for name, count in counts.items() if count > 1]


def test_shared_texts_are_current():
    """`make_docstrings.py` has the only copy to edit, and has been run since."""
    stale = [name for name in FILES if len({*updated(name)[1:]}) > 1]
    assert not stale, "run tests/helpers/make_docstrings.py"


def test_what_two_estimators_say_is_shared():
    where = {}
    for name in FILES:
        for section in ("Parameters", "Attributes"):
            for names, entry in entries(inspect.getdoc(getattr(skrnn, name)), section):
                if ", ".join(names) not in SECTIONS[section]:
                    where.setdefault(entry, set()).add(name)
    assert len(where) > 25
    assert not {entry: names for entry, names in where.items() if len(names) > 1}


def test_no_loop_variable_stays_in_a_class_body():
    found = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef):
                continue
            loops = [part for part in node.body if isinstance(part, ast.For | ast.With)]
            found += [f"{path.relative_to(PACKAGE)}: {node.name}" for part in loops]
    assert not found
