"""Types of the public names, from the docstrings: see tests/helpers/make_stubs.py."""

from abc import ABCMeta
from typing import Any

__all__ = ["TimeSeriesPanelSplit", "backtest"]

class TimeSeriesPanelSplit(metaclass=ABCMeta):
    def __init__(
        self,
        n_splits: int = ...,
        *,
        test_size: int,
        gap: int = ...,
        max_train_size: int | None = ...,
        history: int | None = ...,
    ) -> None: ...
    def get_n_splits(self, X: Any = ..., y: Any = ..., groups: Any = ...) -> int: ...
    def split(self, X: Any, y: Any = ..., groups: Any = ...) -> Any: ...

def backtest(
    forecaster: Any,
    X: Any,
    *,
    horizon: int | None = ...,
    n_windows: int = ...,
    step: int | None = ...,
    refit: bool | int = ...,
    quantiles: Any = ...,
    calibrate: int | None = ...,
) -> Any: ...
