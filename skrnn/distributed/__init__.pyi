"""Types of the public names, from the docstrings: see tests/helpers/make_stubs.py."""

from collections.abc import Callable
from typing import Any

__all__ = [
    "DaskEngine",
    "Engine",
    "EngineLostError",
    "ExecutorEngine",
    "RayEngine",
    "SerialEngine",
    "SparkEngine",
    "fit",
]

class DaskEngine:
    def __init__(self, client: Any) -> None: ...
    def place(self, shards: Any) -> Any: ...
    def run(
        self, function: Callable[..., Any], handles: Any, arguments: list[tuple[Any, ...]]
    ) -> Any: ...

class Engine:
    n_workers: int
    def place(self, shards: Any) -> Any: ...
    def run(
        self, function: Callable[..., Any], handles: Any, arguments: list[tuple[Any, ...]]
    ) -> Any: ...

class EngineLostError(RuntimeError): ...

class ExecutorEngine:
    def __init__(self, executor: Any, n_workers: int | None = ...) -> None: ...
    def place(self, shards: Any) -> Any: ...
    def run(
        self, function: Callable[..., Any], handles: Any, arguments: list[tuple[Any, ...]]
    ) -> Any: ...

class RayEngine:
    def __init__(self) -> None: ...
    def place(self, shards: Any) -> Any: ...
    def run(
        self, function: Callable[..., Any], handles: Any, arguments: list[tuple[Any, ...]]
    ) -> Any: ...

class SerialEngine:
    def place(self, shards: Any) -> Any: ...
    def run(
        self, function: Callable[..., Any], handles: Any, arguments: list[tuple[Any, ...]]
    ) -> Any: ...

class SparkEngine:
    def __init__(self, session: Any) -> None: ...
    def place(self, shards: Any) -> Any: ...
    def run(
        self, function: Callable[..., Any], handles: Any, arguments: list[tuple[Any, ...]]
    ) -> Any: ...

def fit(
    estimator: Any,
    X: Any,
    y: Any = ...,
    sample_weight: Any = ...,
    *,
    client: Any = ...,
    steps: int = ...,
    momentum: float = ...,
    classes: Any = ...,
    vocabulary: Any = ...,
    X_val: Any = ...,
    y_val: Any = ...,
    sample_weight_val: Any = ...,
) -> Any: ...
