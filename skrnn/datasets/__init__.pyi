"""Types of the public names, from the docstrings: see tests/helpers/make_stubs.py."""

from typing import Any, Literal

from numpy.typing import NDArray

__all__ = [
    "read_arff",
    "read_conll",
    "read_conllu",
    "read_ts",
    "read_tsf",
    "read_txt",
    "read_word_vectors",
]

def read_arff(path_or_file: Any, *, return_X_y: bool = ...) -> Any: ...
def read_conll(
    path: Any,
    *,
    token_column: int = ...,
    label_column: int | None = ...,
    separator: str | None = ...,
    comments: str | None = ...,
    errors: Literal["raise", "skip"] = ...,
    encoding: str = ...,
) -> tuple[list[list[str]], list[list[str]] | None]: ...
def read_conllu(
    path: Any, column: str = ..., *, errors: Literal["raise", "skip"] = ..., encoding: str = ...
) -> tuple[list[list[str]], list[list[str | None]]]: ...
def read_ts(path_or_file: Any, *, return_X_y: bool = ...) -> Any: ...
def read_tsf(path_or_file: Any) -> Any: ...
def read_txt(path_or_file: Any, *, return_X_y: bool = ...) -> Any: ...
def read_word_vectors(path_or_file: Any, words: Any = ...) -> dict[str, NDArray[Any]]: ...
