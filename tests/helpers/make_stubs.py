"""Write the types of the public names, from their docstrings, into the stubs that checkers read.

    python tests/helpers/make_stubs.py [--check]

A package whose names are public gets an ``__init__.pyi`` beside its ``__init__.py``. Parameters,
defaults and methods are those of the objects; their types are what the docstrings say, translated
by `TYPES` (the first pattern that matches). A type of a docstring that no pattern knows ends the
script, so that nothing is without a type by oversight.
"""

import importlib
import inspect
import re
import subprocess
import sys
from abc import ABCMeta
from pathlib import Path

import skrnn

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["", *skrnn._SUBMODULES]
ARRAY = "NDArray[Any]"
# What sequences, labels and tables may be is wider than any type says: see the page on X.
TYPES = [
    (r"^$|^(rows|as |sequence$|sequences?\b|series\b|collections? of|object$|Ignored)", "Any"),
    (r"^None$", "None"),
    (r"^(bool)$", "bool"),
    (r"^bool or None$", "bool | None"),
    (r"^bool or int$", "bool | int"),
    (r"^bool or 'chars'$", "bool | Literal['chars']"),
    (r"^int$", "int"),
    (r"^int or None$", "int | None"),
    (r"^int or 'auto'$", "int | Literal['auto']"),
    (r"^int, np.inf or 'auto'$", "float | Literal['auto']"),
    (r"^int or (float|np.inf)$", "float"),
    (r"^int or array-like of int$", "int | ArrayLike"),
    (r"^int, array-like of int or None$", "int | ArrayLike | None"),
    (r"^int, RandomState instance or None$", "int | np.random.RandomState | None"),
    (r"^int, str, or list of these$", "int | str | list[Any]"),
    (r"^float$", "float"),
    (r"^float or None$", "float | None"),
    (r"^float, or ndarray", f"float | {ARRAY}"),
    (r"^'raise' or float$", "Literal['raise'] | float"),
    (r"^'from_dtype', str, int, or sequence of these$", "str | int | Sequence[str | int]"),
    (r"^str$", "str"),
    (r"^str or None$", "str | None"),
    (r"^str or dict$", "Any"),
    (r"^str or list of str$", "str | list[str]"),
    (r"^str, int,? or", "str | int | Sequence[str | int] | None"),
    (r"^str, callable", "Any"),
    (r"^str, collection of dates, or None$", "str | Collection[Any] | None"),
    (r"^str or int$", "str | int"),
    (r"^callable", "Callable[..., Any]"),
    (r"^\{'auto'\} or bool$", "Literal['auto'] | bool"),
    (r"^\{0.0", "Any"),
    (r"^dict of str to array-like$", "Mapping[str, ArrayLike]"),
    (r"^dict of str to dict$", "dict[str, dict[str, Any]]"),
    (r"^dict of str to ndarray", f"dict[str, {ARRAY}]"),
    (r"^dict of ndarray", f"dict[str, {ARRAY}]"),
    (r"^dict, 'balanced' or None$", "Mapping[Any, float] | Literal['balanced'] | None"),
    (r"^dict, KeyedVectors, path-like or None$", "Any"),
    (r"^dict$", "dict[str, Any]"),
    (r"^dict\b", "Any"),
    (r"^sequence of float$", "Sequence[float]"),
    (r"^sequence of str$", "Sequence[str]"),
    (r"^tuple of int\b", "tuple[int, ...]"),
    (r"^tuple of str\b", "tuple[str, ...]"),
    (r"^tuple if", "Any"),
    (r"^list of float or None$", "list[float] | None"),
    (r"^list of float$", "list[float]"),
    (r"^list of str$", "list[str]"),
    (r"^list of tuple$", "list[tuple[Any, ...]]"),
    (r"^list of \(type, start, stop\)$", "list[tuple[Any, int, int]]"),
    (r"^list of list of \(list, float\)$", "list[list[tuple[list[Any], float]]]"),
    (r"^list of list of str or None$", "list[list[str | None]]"),
    (r"^list of list of str, or None$", "list[list[str]] | None"),
    (r"^list of list of str$", "list[list[str]]"),
    (r"^list of list$", "list[list[Any]]"),
    (r"^list of ndarray", f"list[{ARRAY}]"),
    (r"^list\b", "Any"),
    (r"^array-like.*\bor None$", "ArrayLike | None"),
    (r"^array-like of shape \([^)]*\)(, (\([^)]*\) )?or \([^)]*\))?( or \([^)]*\))?$", "ArrayLike"),
    (r"^array-like of (str|int)", "ArrayLike | Sequence[Any]"),
    (r"^array-like", "Any"),
    (r"^ndarray or DataFrame", "Any"),
    (r"^ndarray of shape \(n_sequences,\), dtype=object$", ARRAY),
    (r"^(ndarray|None, or ndarray)", ARRAY),
    (r"^path-like", "Any"),
    (r"^dtype$", "np.dtype[Any]"),
    (r"^SequenceStore$", "SequenceStore"),
    (r"^estimator instance$", "Self"),
    (r"^pyspark.sql.SparkSession$", "Any"),
    (r"^(estimator|transformer|\S*Pipeline)\b", "Any"),
    (r"^(DataFrame|Series|DatetimeIndex|MetadataRouter|matplotlib|onnx|Dask|distributed)", "Any"),
    (r"^(concurrent|:class:|LSTM|RNN|Seq2Seq)\w*", "Any"),
    (r"^\(output, state\)$", f"tuple[{ARRAY}, {ARRAY}]"),
    (r"^str\b", "Any"),
]
HEAD = '''"""Types of the public names, from the docstrings: see tests/helpers/make_stubs.py."""

from abc import ABCMeta
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    TransformerMixin,
)
'''


def entries(doc, section):
    """Return {name: type} of a section of a numpydoc text; () stands for a result without name."""
    match = re.search(rf"^{section}\n-+\n(.*?)(?=^\S[^\n]*\n-{{3,}}\n|\Z)", doc or "", re.M | re.S)
    found = {}
    for entry in re.split(r"^(?=\S)", match[1], flags=re.M)[1:] if match else []:
        head = re.split(r"\n(?=\s|\Z)", entry)[0].replace("\n", " ").strip()
        names, colon, kind = head.partition(" : ")
        if section == "Returns" and not colon:
            names, kind = f"result {len(found)}", head
        for name in names.split(", "):
            found[name.lstrip("*")] = kind
    return found


def translate(kind, owner):
    """Return the annotation of a type of a docstring."""
    bare = " ".join(re.sub(r",? *default=.*$", "", kind).split())  # of several lines
    literal = re.fullmatch(r"\{((?:['\"]\w+['\"],? ?)+)\}( or None| or tuple of them)?", bare)
    if literal:
        one = f"Literal[{literal[1]}]"
        more = {" or None": " | None", " or tuple of them": f" | tuple[{one}, ...]"}
        return one + more.get(literal[2], "")
    if bare in CLASSES:
        return bare
    for pattern, annotation in TYPES:
        if re.search(pattern, bare):
            return annotation
    raise SystemExit(f"{owner}: no pattern of TYPES knows {bare!r}")


CLASSES: set[str] = set()
# What a collection answers to; it has no docstring to say it.
DUNDERS = {
    "__len__": ["def __len__(self) -> int: ..."],
    "__iter__": ["def __iter__(self) -> Iterator[Any]: ..."],
    "__getitem__": [
        "@overload\n    def __getitem__(self, key: int) -> Any: ...",
        f"@overload\n    def __getitem__(self, key: slice | Sequence[int] | {ARRAY}) -> Self: ...",
    ],
}


def signature_of(function, owner, types, returns, method):
    """Return the parameters of a function with their types, in the form of a stub."""
    parts, star = [], False
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        if method and not parts:
            parts.append(name)
            continue
        mark = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        star = star or mark == "*"
        annotation = "Any" if mark else translate(types.get(name, ""), f"{owner}({name})")
        default = ""
        if parameter.default is not parameter.empty:
            default = " = ..."
            if isinstance(parameter.default, str) and not re.search("str|Literal|Any", annotation):
                raise SystemExit(f"{owner}({name}): the default is none of {types[name]!r}")
            if parameter.default is None and annotation != "Any" and "None" not in annotation:
                annotation += " | None"
        parts.append(f"{mark}{name}: {annotation}{default}")
    return f"({', '.join(parts)}) -> {returns}"


def result_of(function, owner, class_name):
    """Return the annotation of what a function returns."""
    doc = inspect.getdoc(function)
    found = entries(doc, "Returns")
    if not found:  # one line that says it all, or nothing
        source = inspect.getsource(inspect.unwrap(function))
        return "Any" if re.search(r"^ +(return|yield) \S", source, re.M) else "None"
    if list(found) == ["self"] or list(found.values()) == [class_name]:
        return "Self"
    kinds = [translate(kind, f"{owner}: {name}") for name, kind in found.items()]
    if any(kind.startswith("tuple if") for kind in found.values()):
        return "Any"  # one thing or several, by `return_X_y`
    return kinds[0] if len(kinds) == 1 else f"tuple[{', '.join(kinds)}]"


def stub_of_class(name, cls):
    """Return the stub of a class: parameters as attributes, fitted attributes, methods."""
    doc = inspect.getdoc(cls)
    types = entries(doc, "Parameters")
    bases = [base.__name__ for base in cls.__mro__ if base.__name__ in MIXINS]
    if type(cls) is ABCMeta:
        bases.append("metaclass=ABCMeta")
    lines = [f"class {name}({', '.join(bases)}):" if bases else f"class {name}:"]
    if issubclass(cls, Exception):
        return [f"class {name}(RuntimeError): ..."]
    attributes = dict(entries(doc, "Attributes"))
    if hasattr(cls, "get_params") or name.endswith("Display") or name == "GradientFlow":
        attributes = types | attributes
    for attribute, kind in attributes.items():
        annotation = translate(kind, f"{name}.{attribute}")
        if isinstance(inspect.getattr_static(cls, attribute, None), property):  # is only read
            lines.append(f"    @property\n    def {attribute}(self) -> {annotation}: ...")
        else:
            lines.append(f"    {attribute}: {annotation}")
    if cls.__init__ is not object.__init__:
        text = signature_of(cls.__init__, name, types, "None", method=True)
        lines.append(f"    def __init__{text}: ...")
    lines += [f"    {line}" for name in DUNDERS if name in vars(cls) for line in DUNDERS[name]]
    for method in sorted(dir(cls)):
        static = inspect.getattr_static(cls, method)
        if method.startswith("_") or not is_ours(getattr(cls, method)):
            continue
        function = getattr(cls, method)
        doc, owner = inspect.getdoc(function), f"{name}.{method}"
        if isinstance(static, property) and method in attributes:
            continue
        if isinstance(static, property):
            lines.append(f"    @property\n    def {method}(self) -> Any: ...")
            continue
        found = entries(doc, "Parameters")
        kinds = {k: types.get(k, "") if is_reference(v) else v for k, v in found.items()}
        if isinstance(static, classmethod):
            text = signature_of(
                static.__func__, owner, kinds, result_of(function, owner, name), True
            )
            lines.append(f"    @classmethod\n    def {method}{text}: ...")
        else:
            text = signature_of(function, owner, kinds, result_of(function, owner, name), True)
            lines.append(f"    def {method}{text}: ...")
    return lines if len(lines) > 1 else [lines[0] + " ..."]


MIXINS = {
    "ClassifierMixin",
    "RegressorMixin",
    "TransformerMixin",
    "MetaEstimatorMixin",
    "BaseEstimator",
}


def is_ours(member):
    """Return whether a member of a class comes from this package."""
    function = getattr(member, "fget", member)
    return callable(function) and getattr(function, "__module__", "").startswith("skrnn")


def is_reference(kind):
    """Return whether a docstring says only that something is as elsewhere."""
    return kind.startswith(("as in", "as of", "as `"))


def stub_of(package):
    """Return the stub of a package, formatted."""
    module = importlib.import_module(f"skrnn.{package}".rstrip("."))
    public = list(module.__all__)
    CLASSES.clear()
    CLASSES.update(n for n in public if inspect.isclass(getattr(module, n)))
    lines = [HEAD]
    if not package:
        lines += [f"from skrnn import {name} as {name}" for name in PACKAGES if name]
    lines.append(f"__all__ = {public}")
    for name in public:
        thing = getattr(module, name)
        doc = inspect.getdoc(thing)
        if isinstance(thing, str):
            lines.append(f"{name}: str")
        elif inspect.isclass(thing):
            lines += stub_of_class(name, thing)
        elif inspect.isfunction(thing):
            text = signature_of(
                thing, name, entries(doc, "Parameters"), result_of(thing, name, ""), False
            )
            lines.append(f"def {name}{text}: ...")
        else:  # a scorer
            lines.append(f"{name}: Callable[..., Any]")
    return formatted("\n".join(lines))


def formatted(text):
    """Return the text without unused imports, formatted by ruff."""
    ruff = [sys.executable, "-m", "ruff"]
    name = ["--stdin-filename", "skrnn/stub.pyi", "-"]
    for command in (["check", "-q", "--fix", "--select", "F401,I"], ["format", "-q"]):
        done = subprocess.run(
            [*ruff, *command, *name], input=text, capture_output=True, text=True, cwd=ROOT
        )
        text = done.stdout or text
    return text


def stale():
    """Return {path: text} of the stubs that are not what the docstrings say."""
    fresh = {ROOT / "skrnn" / name / "__init__.pyi": stub_of(name) for name in PACKAGES}
    return {p: t for p, t in fresh.items() if not p.exists() or p.read_text("utf-8") != t}


if __name__ == "__main__":
    found = stale()
    for path, text in found.items():
        print(path)
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
    sys.exit(len(found) if "--check" in sys.argv else 0)
