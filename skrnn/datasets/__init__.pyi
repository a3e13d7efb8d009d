"""Types of the public names, from the docstrings: see tests/helpers/make_stubs.py."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SequenceStore",
    "read_arff",
    "read_conll",
    "read_conllu",
    "read_ts",
    "read_tsf",
    "read_txt",
    "read_word_vectors",
]

class SequenceStore:
    path: str
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def n_features(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def lengths(self) -> NDArray[Any]: ...
    @property
    def vocabulary(self) -> Any: ...
    y: Any
    sample_weight: Any
    def __init__(self, path: Any, *, buffer_bytes: int = ...) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    @overload
    def __getitem__(self, key: int) -> Any: ...
    @overload
    def __getitem__(self, key: slice | Sequence[int] | NDArray[Any]) -> Self: ...
    @classmethod
    def from_arrow(
        cls,
        path: Any,
        source: Any,
        *,
        X: str | list[str],
        y: str | None = ...,
        sample_weight: str | None = ...,
        dtype: Any = ...,
        overwrite: Any = ...,
        buffer_bytes: Any = ...,
    ) -> Self: ...
    @property
    def ndim(self) -> Any: ...
    def to_arrow(self, file: Any) -> None: ...
    @classmethod
    def write(
        cls,
        path: Any,
        X: Any,
        y: Any = ...,
        sample_weight: Any = ...,
        *,
        dtype: str | None = ...,
        overwrite: bool = ...,
        buffer_bytes: int = ...,
    ) -> Self: ...

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
