"""Types of the public names, from the docstrings: see tests/helpers/make_stubs.py."""

from collections.abc import Callable
from typing import Any, Literal

from numpy.typing import ArrayLike, NDArray

__all__ = [
    "bleu_score",
    "bleu_scorer",
    "chrf_score",
    "chrf_scorer",
    "cross_val_predict",
    "crps_from_samples",
    "entity_classification_report",
    "entity_f1_score",
    "entity_f1_scorer",
    "entity_match_counts",
    "entity_precision_recall_f1_support",
    "entity_precision_score",
    "entity_recall_score",
    "entity_spans",
    "flatten_labels",
    "interval_coverage",
    "make_forecast_scorer",
    "mean_absolute_scaled_error",
    "mean_absolute_scaled_error_scorer",
    "mean_quantile_loss",
    "mean_quantile_loss_scorer",
    "root_mean_squared_scaled_error",
    "root_mean_squared_scaled_error_scorer",
    "sequence_error_rate",
    "sequence_error_rate_scorer",
    "symmetric_mean_absolute_percentage_error",
    "symmetric_mean_absolute_percentage_error_scorer",
    "token_accuracy_score",
    "token_accuracy_scorer",
    "token_error_rate",
    "token_error_rate_scorer",
    "weighted_absolute_percentage_error",
    "weighted_absolute_percentage_error_scorer",
    "weighted_interval_score",
    "weighted_interval_score_scorer",
]

def bleu_score(
    y_true: Any,
    y_pred: Any,
    *,
    separator: str | None = ...,
    tokenize: str = ...,
    lowercase: bool = ...,
    max_order: int = ...,
) -> float: ...

bleu_scorer: Callable[..., Any]

def chrf_score(
    y_true: Any,
    y_pred: Any,
    *,
    separator: str = ...,
    char_order: int = ...,
    word_order: int = ...,
    beta: int = ...,
    lowercase: bool = ...,
) -> float: ...

chrf_scorer: Callable[..., Any]

def cross_val_predict(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = ...,
    cv: Any = ...,
    n_jobs: Any = ...,
    params: Any = ...,
    method: str = ...,
) -> NDArray[Any]: ...
def crps_from_samples(
    y_true: Any,
    y_samples: Any,
    *,
    fair: bool = ...,
    average: Literal["macro", "micro"] | None = ...,
    sample_weight: ArrayLike | None = ...,
) -> float | NDArray[Any]: ...
def entity_classification_report(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: Any = ...,
    mode: Any = ...,
    suffix: Any = ...,
    labels: Any = ...,
    digits: int = ...,
    output_dict: bool = ...,
    zero_division: Any = ...,
) -> Any: ...
def entity_f1_score(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: Any = ...,
    mode: Any = ...,
    suffix: Any = ...,
    average: Any = ...,
    labels: Any = ...,
    zero_division: Any = ...,
) -> Any: ...

entity_f1_scorer: Callable[..., Any]

def entity_match_counts(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: Any = ...,
    mode: Any = ...,
    suffix: Any = ...,
    labels: list[str] | None = ...,
    by_type: bool = ...,
) -> dict[str, dict[str, Any]]: ...
def entity_precision_recall_f1_support(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: Any = ...,
    mode: Any = ...,
    suffix: Any = ...,
    average: Literal["micro", "macro", "weighted"] | None = ...,
    labels: list[str] | None = ...,
    zero_division: Any = ...,
) -> tuple[float | NDArray[Any], float | NDArray[Any], float | NDArray[Any], NDArray[Any]]: ...
def entity_precision_score(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: Any = ...,
    mode: Any = ...,
    suffix: Any = ...,
    average: Any = ...,
    labels: Any = ...,
    zero_division: Any = ...,
) -> Any: ...
def entity_recall_score(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: Any = ...,
    mode: Any = ...,
    suffix: Any = ...,
    average: Any = ...,
    labels: Any = ...,
    zero_division: Any = ...,
) -> Any: ...
def entity_spans(
    labels: Any,
    scheme: Literal["auto", "BIO", "BIOES", "BILOU", "BMES", "IOB1", "IOE1", "IOE2", "IO"] = ...,
    *,
    mode: Literal["lenient", "strict"] = ...,
    suffix: bool | None = ...,
) -> list[tuple[Any, int, int]]: ...
def flatten_labels(y_true: Any, y_pred: Any) -> tuple[NDArray[Any], NDArray[Any]]: ...
def interval_coverage(
    y_true: Any,
    y_interval: Any,
    *,
    average: Literal["macro", "micro"] | None = ...,
    sample_weight: ArrayLike | None = ...,
) -> float | NDArray[Any]: ...
def make_forecast_scorer(metric: Callable[..., Any], **options: Any) -> Callable[..., Any]: ...
def mean_absolute_scaled_error(
    y_true: Any,
    y_pred: Any,
    *,
    y_train: Any,
    season_length: int = ...,
    average: Literal["macro", "micro"] | None = ...,
    sample_weight: ArrayLike | None = ...,
    zero_division: Literal["raise"] | float = ...,
) -> float | NDArray[Any]: ...

mean_absolute_scaled_error_scorer: Callable[..., Any]

def mean_quantile_loss(
    y_true: Any,
    y_quantiles: Any,
    *,
    quantiles: ArrayLike,
    average: Literal["macro", "micro"] | None = ...,
    sample_weight: ArrayLike | None = ...,
) -> float | NDArray[Any]: ...

mean_quantile_loss_scorer: Callable[..., Any]

def root_mean_squared_scaled_error(
    y_true: Any,
    y_pred: Any,
    *,
    y_train: Any,
    season_length: int = ...,
    average: Literal["macro", "micro"] | None = ...,
    sample_weight: ArrayLike | None = ...,
    zero_division: Literal["raise"] | float = ...,
) -> float | NDArray[Any]: ...

root_mean_squared_scaled_error_scorer: Callable[..., Any]

def sequence_error_rate(
    y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = ...
) -> float: ...

sequence_error_rate_scorer: Callable[..., Any]

def symmetric_mean_absolute_percentage_error(
    y_true: Any,
    y_pred: Any,
    *,
    average: Literal["macro", "micro"] | None = ...,
    sample_weight: ArrayLike | None = ...,
) -> float | NDArray[Any]: ...

symmetric_mean_absolute_percentage_error_scorer: Callable[..., Any]

def token_accuracy_score(y_true: Any, y_pred: Any, *, sample_weight: Any = ...) -> float: ...

token_accuracy_scorer: Callable[..., Any]

def token_error_rate(
    y_true: Any, y_pred: Any, *, sample_weight: ArrayLike | None = ...
) -> float: ...

token_error_rate_scorer: Callable[..., Any]

def weighted_absolute_percentage_error(
    y_true: Any,
    y_pred: Any,
    *,
    average: Literal["macro", "micro"] | None = ...,
    sample_weight: ArrayLike | None = ...,
    zero_division: Literal["raise"] | float = ...,
) -> float | NDArray[Any]: ...

weighted_absolute_percentage_error_scorer: Callable[..., Any]

def weighted_interval_score(
    y_true: Any,
    y_quantiles: Any,
    *,
    quantiles: ArrayLike,
    average: Literal["macro", "micro"] | None = ...,
    sample_weight: ArrayLike | None = ...,
) -> float | NDArray[Any]: ...

weighted_interval_score_scorer: Callable[..., Any]
