"""Types of the public names, from the docstrings: see tests/helpers/make_stubs.py."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "AttentionDisplay",
    "ForecastDisplay",
    "GradientFlow",
    "GradientFlowDisplay",
    "LossCurveDisplay",
    "TagConfusionDisplay",
    "gradient_flow",
    "hidden_states",
    "permutation_importance",
    "pooling_weights",
]

class AttentionDisplay:
    source: Any
    target: Any
    weights: ArrayLike
    ax_: Any
    figure_: Any
    im_: Any
    def __init__(self, source: Any, target: Any, weights: ArrayLike) -> None: ...
    @classmethod
    def from_estimator(
        cls, estimator: Any, x: Any, y: Any = ..., *, ax: Any = ..., **kwargs: Any
    ) -> Self: ...
    @classmethod
    def from_predictions(
        cls, source: Any, target: Any, weights: ArrayLike, *, ax: Any = ..., **kwargs: Any
    ) -> Self: ...
    def plot(self, ax: Any = ..., *, colorbar: bool = ..., **kwargs: Any) -> Self: ...

class ForecastDisplay:
    history: ArrayLike
    forecast: ArrayLike
    interval: ArrayLike
    truth: ArrayLike
    coverage: float
    names: list[str]
    ax_: Any
    figure_: Any
    lines_: Any
    band_: Any
    def __init__(
        self,
        history: ArrayLike,
        forecast: ArrayLike,
        interval: ArrayLike | None = ...,
        truth: ArrayLike | None = ...,
        coverage: float | None = ...,
        names: list[str] | None = ...,
    ) -> None: ...
    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        horizon: int | None = ...,
        coverage: float | None = ...,
        series: int | str | list[Any] = ...,
        target: int = ...,
        truth: Any = ...,
        X_future: Any = ...,
        ax: Any = ...,
        **kwargs: Any,
    ) -> Self: ...
    @classmethod
    def from_predictions(
        cls,
        history: ArrayLike,
        forecast: ArrayLike,
        *,
        interval: ArrayLike | None = ...,
        truth: ArrayLike | None = ...,
        coverage: float | None = ...,
        names: list[str] | None = ...,
        ax: Any = ...,
        **kwargs: Any,
    ) -> Self: ...
    def plot(self, ax: Any = ..., *, n_history: int | None = ..., **kwargs: Any) -> Self: ...

class GradientFlow:
    layers: tuple[str, ...]
    steps: NDArray[Any]
    hidden_norms: NDArray[Any]
    gradient_norms: NDArray[Any]
    loss: float
    def __init__(
        self,
        layers: tuple[str, ...],
        steps: NDArray[Any],
        hidden_norms: NDArray[Any],
        gradient_norms: NDArray[Any],
        loss: float,
    ) -> None: ...
    @property
    def counts(self) -> Any: ...
    @property
    def mean_gradient_norms(self) -> Any: ...
    @property
    def mean_hidden_norms(self) -> Any: ...

class GradientFlowDisplay:
    flow: GradientFlow
    ax_: Any
    figure_: Any
    lines_: Any
    def __init__(self, flow: GradientFlow) -> None: ...
    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = ...,
        *,
        align: Any = ...,
        quantity: Any = ...,
        ax: Any = ...,
        **kwargs: Any,
    ) -> Self: ...
    def plot(
        self, ax: Any = ..., *, quantity: Literal["gradient", "hidden"] = ..., **kwargs: Any
    ) -> Self: ...

class LossCurveDisplay:
    loss_curve: ArrayLike
    validation_scores: ArrayLike
    best_epoch: int
    ax_: Any
    validation_ax_: Any
    figure_: Any
    line_: Any
    validation_line_: Any
    best_line_: Any
    def __init__(
        self,
        loss_curve: ArrayLike,
        validation_scores: ArrayLike | None = ...,
        best_epoch: int | None = ...,
    ) -> None: ...
    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = ..., **kwargs: Any) -> Self: ...
    def plot(self, ax: Any = ..., **kwargs: Any) -> Self: ...

class TagConfusionDisplay:
    confusion_matrix: NDArray[Any]
    display_labels: NDArray[Any]
    ax_: Any
    figure_: Any
    im_: Any
    text_: Any
    def __init__(
        self, confusion_matrix: NDArray[Any], *, display_labels: NDArray[Any] | None = ...
    ) -> None: ...
    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: Any, **kwargs: Any) -> Self: ...
    @classmethod
    def from_predictions(cls, y_true: Any, y_pred: Any, **kwargs: Any) -> Self: ...

def gradient_flow(
    estimator: Any, X: Any, y: Any = ..., *, align: Literal["start", "end"] = ...
) -> GradientFlow: ...
def hidden_states(estimator: Any, X: Any) -> NDArray[Any]: ...
def permutation_importance(
    estimator: Any,
    X: Any,
    y: Any = ...,
    *,
    scoring: Any = ...,
    n_repeats: int = ...,
    n_jobs: int | None = ...,
    random_state: int | np.random.RandomState | None = ...,
    sample_weight: ArrayLike | None = ...,
    max_samples: float = ...,
    unit: Literal["sequence", "step"] = ...,
) -> Any: ...
def pooling_weights(estimator: Any, X: Any) -> NDArray[Any]: ...
