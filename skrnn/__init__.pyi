"""Types of the public names, from the docstrings: see tests/helpers/make_stubs.py."""

from abc import ABCMeta
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    TransformerMixin,
)

from skrnn import datasets as datasets
from skrnn import distributed as distributed
from skrnn import export as export
from skrnn import inspection as inspection
from skrnn import metrics as metrics
from skrnn import model_selection as model_selection
from skrnn import preprocessing as preprocessing

__all__ = [
    "LSTMForecaster",
    "LSTMLanguageModel",
    "LSTMTagger",
    "RNNClassifier",
    "RNNRegressor",
    "Seq2SeqTranslator",
    "__version__",
    "show_versions",
    "trusted_types",
]

class LSTMForecaster(RegressorMixin, BaseEstimator, metaclass=ABCMeta):
    horizon: int
    lookback: int | None
    loss: Literal[
        "squared_error",
        "absolute_error",
        "quantile",
        "gaussian",
        "student_t",
        "poisson",
        "negative_binomial",
    ]
    quantiles: Any
    n_targets: int | None
    scaling: Literal["auto", "global", "series", "none"]
    difference: Literal["last", "season"] | None
    season_length: int | None
    autoregression: int | None
    freq: str | None
    past_covariates: str | int | Sequence[str | int] | None
    static_covariates: str | int | Sequence[str | int] | None
    categorical_covariates: str | int | Sequence[str | int]
    missing: Literal["error", "mask"]
    transformer: Any
    hidden_layer_sizes: int | ArrayLike
    activation: Literal["tanh", "relu", "logistic"]
    solver: Literal["adam", "sgd"]
    alpha: float
    batch_size: int | Literal["auto"]
    learning_rate: Literal["constant", "linear", "invscaling", "adaptive"]
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: int | np.random.RandomState | None
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float | Literal["auto"]
    scoring: Any
    cell: Literal["lstm", "gru", "rnn"]
    dropout: float
    recurrent_dropout: float
    max_grad_norm: float | None
    bptt_steps: int | None
    dtype: Literal["float32", "float64"]
    @property
    def horizon_(self) -> int: ...
    @property
    def lookback_(self) -> int: ...
    @property
    def transformer_(self) -> Any: ...
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    vocabulary_: dict[str, Any]
    @property
    def weights_(self) -> dict[str, NDArray[Any]]: ...
    n_iter_: int
    t_: int
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    gradient_norm_: float
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    best_epoch_: int | None
    def __init__(
        self,
        horizon: int = ...,
        lookback: int | None = ...,
        *,
        loss: Literal[
            "squared_error",
            "absolute_error",
            "quantile",
            "gaussian",
            "student_t",
            "poisson",
            "negative_binomial",
        ] = ...,
        quantiles: Any = ...,
        n_targets: int | None = ...,
        scaling: Literal["auto", "global", "series", "none"] = ...,
        difference: Literal["last", "season"] | None = ...,
        season_length: int | None = ...,
        autoregression: int | None = ...,
        freq: str | None = ...,
        past_covariates: str | int | Sequence[str | int] | None = ...,
        static_covariates: str | int | Sequence[str | int] | None = ...,
        categorical_covariates: str | int | Sequence[str | int] = ...,
        missing: Literal["error", "mask"] = ...,
        transformer: Any = ...,
        hidden_layer_sizes: int | ArrayLike = ...,
        activation: Literal["tanh", "relu", "logistic"] = ...,
        solver: Literal["adam", "sgd"] = ...,
        alpha: float = ...,
        batch_size: int | Literal["auto"] = ...,
        learning_rate: Literal["constant", "linear", "invscaling", "adaptive"] = ...,
        learning_rate_init: float = ...,
        power_t: float = ...,
        max_iter: int = ...,
        shuffle: bool = ...,
        random_state: int | np.random.RandomState | None = ...,
        tol: float = ...,
        verbose: bool = ...,
        warm_start: bool = ...,
        momentum: float = ...,
        nesterovs_momentum: bool = ...,
        early_stopping: bool = ...,
        validation_fraction: float = ...,
        beta_1: float = ...,
        beta_2: float = ...,
        epsilon: float = ...,
        n_iter_no_change: float | Literal["auto"] = ...,
        scoring: Any = ...,
        cell: Literal["lstm", "gru", "rnn"] = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        max_grad_norm: float | None = ...,
        bptt_steps: int | None = ...,
        dtype: Literal["float32", "float64"] = ...,
    ) -> None: ...
    def calibrate(
        self,
        X: Any,
        *,
        horizon: int | None = ...,
        n_steps: int | None = ...,
        adaptation_rate: float = ...,
    ) -> Self: ...
    def fit(
        self,
        X: Any,
        y: ArrayLike | None = ...,
        sample_weight: ArrayLike | None = ...,
        *,
        X_val: Any = ...,
        y_val: Any = ...,
        sample_weight_val: Any = ...,
    ) -> Self: ...
    def future_index(self, horizon: int | None = ...) -> Any: ...
    def initial_state(self, n_sequences: int = ...) -> NDArray[Any]: ...
    def partial_fit(self, X: Any, y: Any = ..., sample_weight: Any = ...) -> Self: ...
    def predict(
        self, X: Any = ..., *, horizon: int | None = ..., X_future: Any = ...
    ) -> NDArray[Any]: ...
    def predict_interval(
        self,
        X: Any = ...,
        coverage: float = ...,
        *,
        horizon: int | None = ...,
        n_paths: Any = ...,
        random_state: int | np.random.RandomState | None = ...,
        X_future: Any = ...,
    ) -> NDArray[Any]: ...
    def predict_quantiles(
        self,
        X: Any = ...,
        quantiles: Any = ...,
        *,
        horizon: int | None = ...,
        n_paths: int = ...,
        random_state: int | np.random.RandomState | None = ...,
        X_future: Any = ...,
    ) -> NDArray[Any]: ...
    def sample_paths(
        self,
        X: Any = ...,
        n_paths: int = ...,
        *,
        horizon: int | None = ...,
        random_state: int | np.random.RandomState | None = ...,
        X_future: Any = ...,
    ) -> NDArray[Any]: ...
    def score(self, X: Any, y: Any = ..., sample_weight: ArrayLike | None = ...) -> float: ...
    def set_weights(self, weights: Mapping[str, ArrayLike]) -> Self: ...
    def step(
        self,
        x: ArrayLike,
        state: NDArray[Any],
        *,
        out: tuple[NDArray[Any], NDArray[Any]] | None = ...,
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def update(self, X: Any) -> Self: ...

class LSTMLanguageModel(BaseEstimator, metaclass=ABCMeta):
    hidden_layer_sizes: int | ArrayLike
    activation: Literal["tanh", "relu", "logistic"]
    solver: Literal["adam", "sgd"]
    alpha: float
    batch_size: int | Literal["auto"]
    learning_rate: Literal["constant", "linear", "invscaling", "adaptive"]
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: int | np.random.RandomState | None
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float | Literal["auto"]
    scoring: Any
    cell: Literal["lstm", "gru", "rnn"]
    dropout: float
    recurrent_dropout: float
    max_grad_norm: float | None
    bptt_steps: int | None
    embedding_dim: int | None
    dtype: Literal["float32", "float64"]
    tie_embeddings: bool
    min_freq: int
    boundary_tokens: Literal["auto"] | bool
    embeddings: Any
    freeze_embeddings: bool
    embeddings_vocabulary: Literal["training", "all"]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    vocabulary_: dict[str, Any]
    @property
    def weights_(self) -> dict[str, NDArray[Any]]: ...
    n_iter_: int
    t_: int
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    gradient_norm_: float
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    best_epoch_: int | None
    def __init__(
        self,
        hidden_layer_sizes: int | ArrayLike = ...,
        activation: Literal["tanh", "relu", "logistic"] = ...,
        *,
        solver: Literal["adam", "sgd"] = ...,
        alpha: float = ...,
        batch_size: int | Literal["auto"] = ...,
        learning_rate: Literal["constant", "linear", "invscaling", "adaptive"] = ...,
        learning_rate_init: float = ...,
        power_t: float = ...,
        max_iter: int = ...,
        shuffle: bool = ...,
        random_state: int | np.random.RandomState | None = ...,
        tol: float = ...,
        verbose: bool = ...,
        warm_start: bool = ...,
        momentum: float = ...,
        nesterovs_momentum: bool = ...,
        early_stopping: bool = ...,
        validation_fraction: float = ...,
        beta_1: float = ...,
        beta_2: float = ...,
        epsilon: float = ...,
        n_iter_no_change: float | Literal["auto"] = ...,
        scoring: Any = ...,
        cell: Literal["lstm", "gru", "rnn"] = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        max_grad_norm: float | None = ...,
        bptt_steps: int | None = ...,
        embedding_dim: int | None = ...,
        dtype: Literal["float32", "float64"] = ...,
        tie_embeddings: bool = ...,
        min_freq: int = ...,
        boundary_tokens: Literal["auto"] | bool = ...,
        embeddings: Any = ...,
        freeze_embeddings: bool = ...,
        embeddings_vocabulary: Literal["training", "all"] = ...,
    ) -> None: ...
    def fit(
        self,
        X: Any,
        y: Any = ...,
        sample_weight: ArrayLike | None = ...,
        *,
        X_val: Any = ...,
        y_val: Any = ...,
        sample_weight_val: Any = ...,
    ) -> Self: ...
    def initial_state(self, n_sequences: int = ...) -> NDArray[Any]: ...
    @property
    def n_pretrained_words_(self) -> Any: ...
    def partial_fit(
        self,
        X: Any,
        y: Any = ...,
        sample_weight: Any = ...,
        vocabulary: ArrayLike | Sequence[Any] | None = ...,
    ) -> Self: ...
    def perplexity(self, X: Any, unknown: Literal["include", "exclude"] = ...) -> float: ...
    def sample(
        self,
        n_samples: int = ...,
        random_state: int | np.random.RandomState | None = ...,
        *,
        temperature: float = ...,
        top_k: int | None = ...,
        top_p: float = ...,
        prefix: Any = ...,
        max_length: int = ...,
    ) -> list[list[Any]]: ...
    def score(self, X: Any, y: Any = ...) -> float: ...
    def score_samples(self, X: Any) -> NDArray[Any]: ...
    def set_weights(self, weights: Mapping[str, ArrayLike]) -> Self: ...
    def step(
        self, x: Any, state: NDArray[Any], *, out: tuple[NDArray[Any], NDArray[Any]] | None = ...
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...

class LSTMTagger(BaseEstimator, metaclass=ABCMeta):
    hidden_layer_sizes: int | ArrayLike
    activation: Literal["tanh", "relu", "logistic"]
    solver: Literal["adam", "sgd"]
    alpha: float
    batch_size: int | Literal["auto"]
    learning_rate: Literal["constant", "linear", "invscaling", "adaptive"]
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: int | np.random.RandomState | None
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float | Literal["auto"]
    scoring: Any
    cell: Literal["lstm", "gru", "rnn"]
    bidirectional: bool
    dropout: float
    recurrent_dropout: float
    max_grad_norm: float | None
    bptt_steps: int | None
    embedding_dim: int | ArrayLike | None
    dtype: Literal["float32", "float64"]
    crf: bool
    tag_scheme: str | None
    subwords: bool | Literal["chars"]
    min_freq: int
    word_dropout: float
    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    embeddings: Any
    freeze_embeddings: bool
    embeddings_vocabulary: Literal["training", "all"]
    classes_: NDArray[Any]
    @property
    def transitions_(self) -> NDArray[Any]: ...
    tag_scheme_: str | None
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    vocabulary_: dict[str, Any]
    @property
    def weights_(self) -> dict[str, NDArray[Any]]: ...
    n_iter_: int
    t_: int
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    gradient_norm_: float
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    best_epoch_: int | None
    def __init__(
        self,
        hidden_layer_sizes: int | ArrayLike = ...,
        activation: Literal["tanh", "relu", "logistic"] = ...,
        *,
        solver: Literal["adam", "sgd"] = ...,
        alpha: float = ...,
        batch_size: int | Literal["auto"] = ...,
        learning_rate: Literal["constant", "linear", "invscaling", "adaptive"] = ...,
        learning_rate_init: float = ...,
        power_t: float = ...,
        max_iter: int = ...,
        shuffle: bool = ...,
        random_state: int | np.random.RandomState | None = ...,
        tol: float = ...,
        verbose: bool = ...,
        warm_start: bool = ...,
        momentum: float = ...,
        nesterovs_momentum: bool = ...,
        early_stopping: bool = ...,
        validation_fraction: float = ...,
        beta_1: float = ...,
        beta_2: float = ...,
        epsilon: float = ...,
        n_iter_no_change: float | Literal["auto"] = ...,
        scoring: Any = ...,
        cell: Literal["lstm", "gru", "rnn"] = ...,
        bidirectional: bool = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        max_grad_norm: float | None = ...,
        bptt_steps: int | None = ...,
        embedding_dim: int | ArrayLike | None = ...,
        dtype: Literal["float32", "float64"] = ...,
        crf: bool = ...,
        tag_scheme: str | None = ...,
        subwords: bool | Literal["chars"] = ...,
        min_freq: int = ...,
        word_dropout: float = ...,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = ...,
        embeddings: Any = ...,
        freeze_embeddings: bool = ...,
        embeddings_vocabulary: Literal["training", "all"] = ...,
    ) -> None: ...
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = ...,
        *,
        X_val: Any = ...,
        y_val: Any = ...,
        sample_weight_val: Any = ...,
    ) -> Self: ...
    def initial_state(self, n_sequences: int = ...) -> NDArray[Any]: ...
    @property
    def n_pretrained_words_(self) -> Any: ...
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: ArrayLike | None = ...,
        sample_weight: Any = ...,
        vocabulary: ArrayLike | Sequence[Any] | None = ...,
    ) -> Self: ...
    def predict(self, X: Any) -> NDArray[Any]: ...
    def predict_proba(self, X: Any) -> NDArray[Any]: ...
    def score(self, X: Any, y: Any, sample_weight: Any = ...) -> float: ...
    def set_weights(self, weights: Mapping[str, ArrayLike]) -> Self: ...
    def step(
        self, x: Any, state: ArrayLike, *, out: tuple[NDArray[Any], NDArray[Any]] | None = ...
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...

class RNNClassifier(TransformerMixin, ClassifierMixin, BaseEstimator, metaclass=ABCMeta):
    hidden_layer_sizes: int | ArrayLike
    activation: Literal["tanh", "relu", "logistic"]
    solver: Literal["adam", "sgd"]
    alpha: float
    batch_size: int | Literal["auto"]
    learning_rate: Literal["constant", "linear", "invscaling", "adaptive"]
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: int | np.random.RandomState | None
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float | Literal["auto"]
    scoring: Any
    cell: Literal["lstm", "gru", "rnn"]
    bidirectional: bool
    pooling: (
        Literal["last", "mean", "max", "attention"]
        | tuple[Literal["last", "mean", "max", "attention"], ...]
    )
    dropout: float
    recurrent_dropout: float
    max_grad_norm: float | None
    bptt_steps: int | None
    embedding_dim: int | ArrayLike | None
    dtype: Literal["float32", "float64"]
    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    subwords: bool | Literal["chars"]
    min_freq: int
    word_dropout: float
    embeddings: Any
    freeze_embeddings: bool
    embeddings_vocabulary: Literal["training", "all"]
    scaling: Literal["global", "none"] | None
    classes_: NDArray[Any]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    vocabulary_: dict[str, Any]
    @property
    def weights_(self) -> dict[str, NDArray[Any]]: ...
    n_iter_: int
    t_: int
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    gradient_norm_: float
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    best_epoch_: int | None
    def __init__(
        self,
        hidden_layer_sizes: int | ArrayLike = ...,
        activation: Literal["tanh", "relu", "logistic"] = ...,
        *,
        solver: Literal["adam", "sgd"] = ...,
        alpha: float = ...,
        batch_size: int | Literal["auto"] = ...,
        learning_rate: Literal["constant", "linear", "invscaling", "adaptive"] = ...,
        learning_rate_init: float = ...,
        power_t: float = ...,
        max_iter: int = ...,
        shuffle: bool = ...,
        random_state: int | np.random.RandomState | None = ...,
        tol: float = ...,
        verbose: bool = ...,
        warm_start: bool = ...,
        momentum: float = ...,
        nesterovs_momentum: bool = ...,
        early_stopping: bool = ...,
        validation_fraction: float = ...,
        beta_1: float = ...,
        beta_2: float = ...,
        epsilon: float = ...,
        n_iter_no_change: float | Literal["auto"] = ...,
        scoring: Any = ...,
        cell: Literal["lstm", "gru", "rnn"] = ...,
        bidirectional: bool = ...,
        pooling: Literal["last", "mean", "max", "attention"]
        | tuple[Literal["last", "mean", "max", "attention"], ...] = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        max_grad_norm: float | None = ...,
        bptt_steps: int | None = ...,
        embedding_dim: int | ArrayLike | None = ...,
        dtype: Literal["float32", "float64"] = ...,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = ...,
        subwords: bool | Literal["chars"] = ...,
        min_freq: int = ...,
        word_dropout: float = ...,
        embeddings: Any = ...,
        freeze_embeddings: bool = ...,
        embeddings_vocabulary: Literal["training", "all"] = ...,
        scaling: Literal["global", "none"] | None = ...,
    ) -> None: ...
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = ...,
        *,
        X_val: Any = ...,
        y_val: Any = ...,
        sample_weight_val: Any = ...,
    ) -> Self: ...
    @classmethod
    def from_weights(
        cls, weights: Mapping[str, ArrayLike], *, classes: ArrayLike, **params: Any
    ) -> Self: ...
    def initial_state(self, n_sequences: int = ...) -> NDArray[Any]: ...
    @property
    def n_pretrained_words_(self) -> Any: ...
    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = ...,
        sample_weight: ArrayLike | None = ...,
        vocabulary: ArrayLike | Sequence[Any] | None = ...,
    ) -> Self: ...
    def predict(self, X: Any) -> NDArray[Any]: ...
    def predict_log_proba(self, X: Any) -> NDArray[Any]: ...
    def predict_proba(self, X: Any) -> NDArray[Any]: ...
    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = ...) -> float: ...
    def set_weights(self, weights: Mapping[str, ArrayLike]) -> Self: ...
    def step(
        self, x: Any, state: ArrayLike, *, out: tuple[NDArray[Any], NDArray[Any]] | None = ...
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def transform(self, X: Any) -> Any: ...

class RNNRegressor(TransformerMixin, RegressorMixin, BaseEstimator, metaclass=ABCMeta):
    hidden_layer_sizes: int | ArrayLike
    activation: Literal["tanh", "relu", "logistic"]
    solver: Literal["adam", "sgd"]
    alpha: float
    batch_size: int | Literal["auto"]
    learning_rate: Literal["constant", "linear", "invscaling", "adaptive"]
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: int | np.random.RandomState | None
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float | Literal["auto"]
    scoring: Any
    cell: Literal["lstm", "gru", "rnn"]
    bidirectional: bool
    pooling: (
        Literal["last", "mean", "max", "attention"]
        | tuple[Literal["last", "mean", "max", "attention"], ...]
    )
    dropout: float
    recurrent_dropout: float
    max_grad_norm: float | None
    bptt_steps: int | None
    embedding_dim: int | ArrayLike | None
    dtype: Literal["float32", "float64"]
    loss: Literal["squared_error", "absolute_error", "quantile", "poisson"]
    quantile: float
    subwords: bool | Literal["chars"]
    min_freq: int
    word_dropout: float
    embeddings: Any
    freeze_embeddings: bool
    embeddings_vocabulary: Literal["training", "all"]
    scaling: Literal["global", "none"] | None
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    vocabulary_: dict[str, Any]
    @property
    def weights_(self) -> dict[str, NDArray[Any]]: ...
    n_iter_: int
    t_: int
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    gradient_norm_: float
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    best_epoch_: int | None
    def __init__(
        self,
        hidden_layer_sizes: int | ArrayLike = ...,
        activation: Literal["tanh", "relu", "logistic"] = ...,
        *,
        solver: Literal["adam", "sgd"] = ...,
        alpha: float = ...,
        batch_size: int | Literal["auto"] = ...,
        learning_rate: Literal["constant", "linear", "invscaling", "adaptive"] = ...,
        learning_rate_init: float = ...,
        power_t: float = ...,
        max_iter: int = ...,
        shuffle: bool = ...,
        random_state: int | np.random.RandomState | None = ...,
        tol: float = ...,
        verbose: bool = ...,
        warm_start: bool = ...,
        momentum: float = ...,
        nesterovs_momentum: bool = ...,
        early_stopping: bool = ...,
        validation_fraction: float = ...,
        beta_1: float = ...,
        beta_2: float = ...,
        epsilon: float = ...,
        n_iter_no_change: float | Literal["auto"] = ...,
        scoring: Any = ...,
        cell: Literal["lstm", "gru", "rnn"] = ...,
        bidirectional: bool = ...,
        pooling: Literal["last", "mean", "max", "attention"]
        | tuple[Literal["last", "mean", "max", "attention"], ...] = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        max_grad_norm: float | None = ...,
        bptt_steps: int | None = ...,
        embedding_dim: int | ArrayLike | None = ...,
        dtype: Literal["float32", "float64"] = ...,
        loss: Literal["squared_error", "absolute_error", "quantile", "poisson"] = ...,
        quantile: float = ...,
        subwords: bool | Literal["chars"] = ...,
        min_freq: int = ...,
        word_dropout: float = ...,
        embeddings: Any = ...,
        freeze_embeddings: bool = ...,
        embeddings_vocabulary: Literal["training", "all"] = ...,
        scaling: Literal["global", "none"] | None = ...,
    ) -> None: ...
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = ...,
        *,
        X_val: Any = ...,
        y_val: Any = ...,
        sample_weight_val: Any = ...,
    ) -> Self: ...
    @classmethod
    def from_weights(cls, weights: Mapping[str, ArrayLike], **params: Any) -> Self: ...
    def initial_state(self, n_sequences: int = ...) -> NDArray[Any]: ...
    @property
    def n_pretrained_words_(self) -> Any: ...
    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = ...,
        vocabulary: ArrayLike | Sequence[Any] | None = ...,
    ) -> Self: ...
    def predict(self, X: Any) -> NDArray[Any]: ...
    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = ...) -> float: ...
    def set_weights(self, weights: Mapping[str, ArrayLike]) -> Self: ...
    def step(
        self, x: Any, state: ArrayLike, *, out: tuple[NDArray[Any], NDArray[Any]] | None = ...
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def transform(self, X: Any) -> Any: ...

class Seq2SeqTranslator(BaseEstimator, metaclass=ABCMeta):
    hidden_layer_sizes: int | ArrayLike
    activation: Literal["tanh", "relu", "logistic"]
    solver: Literal["adam", "sgd"]
    alpha: float
    batch_size: int | Literal["auto"]
    learning_rate: Literal["constant", "linear", "invscaling", "adaptive"]
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: int | np.random.RandomState | None
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float | Literal["auto"]
    scoring: Any
    cell: Literal["lstm", "gru", "rnn"]
    bidirectional: bool
    dropout: float
    recurrent_dropout: float
    max_grad_norm: float | None
    bptt_steps: int | None
    embedding_dim: int | ArrayLike | None
    dtype: Literal["float32", "float64"]
    attention: Literal["dot", "additive"] | None
    beam_width: int
    length_penalty: float
    max_length: int | None
    min_freq: int
    word_dropout: float
    label_smoothing: float
    embeddings: Any
    freeze_embeddings: bool
    embeddings_vocabulary: Literal["training", "all"]
    copy_unknown: str | int | Sequence[str | int] | None
    target_vocabulary_: dict[str, Any]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    vocabulary_: dict[str, Any]
    @property
    def weights_(self) -> dict[str, NDArray[Any]]: ...
    n_iter_: int
    t_: int
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]
    gradient_norm_: float
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    best_epoch_: int | None
    def __init__(
        self,
        hidden_layer_sizes: int | ArrayLike = ...,
        activation: Literal["tanh", "relu", "logistic"] = ...,
        *,
        solver: Literal["adam", "sgd"] = ...,
        alpha: float = ...,
        batch_size: int | Literal["auto"] = ...,
        learning_rate: Literal["constant", "linear", "invscaling", "adaptive"] = ...,
        learning_rate_init: float = ...,
        power_t: float = ...,
        max_iter: int = ...,
        shuffle: bool = ...,
        random_state: int | np.random.RandomState | None = ...,
        tol: float = ...,
        verbose: bool = ...,
        warm_start: bool = ...,
        momentum: float = ...,
        nesterovs_momentum: bool = ...,
        early_stopping: bool = ...,
        validation_fraction: float = ...,
        beta_1: float = ...,
        beta_2: float = ...,
        epsilon: float = ...,
        n_iter_no_change: float | Literal["auto"] = ...,
        scoring: Any = ...,
        cell: Literal["lstm", "gru", "rnn"] = ...,
        bidirectional: bool = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        max_grad_norm: float | None = ...,
        bptt_steps: int | None = ...,
        embedding_dim: int | ArrayLike | None = ...,
        dtype: Literal["float32", "float64"] = ...,
        attention: Literal["dot", "additive"] | None = ...,
        beam_width: int = ...,
        length_penalty: float = ...,
        max_length: int | None = ...,
        min_freq: int = ...,
        word_dropout: float = ...,
        label_smoothing: float = ...,
        embeddings: Any = ...,
        freeze_embeddings: bool = ...,
        embeddings_vocabulary: Literal["training", "all"] = ...,
        copy_unknown: str | int | Sequence[str | int] | None = ...,
    ) -> None: ...
    def attention_weights(self, X: Any, y: Any = ...) -> list[NDArray[Any]]: ...
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = ...,
        *,
        X_val: Any = ...,
        y_val: Any = ...,
        sample_weight_val: Any = ...,
    ) -> Self: ...
    @property
    def n_pretrained_words_(self) -> Any: ...
    def partial_fit(
        self,
        X: Any,
        y: Any,
        target_tokens: Any = ...,
        sample_weight: ArrayLike | None = ...,
        vocabulary: ArrayLike | Sequence[Any] | None = ...,
    ) -> Self: ...
    def predict(self, X: Any) -> NDArray[Any]: ...
    def predict_n_best(self, X: Any, n_best: int = ...) -> list[list[tuple[list[Any], float]]]: ...
    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = ...) -> float: ...
    def score_samples(self, X: Any, y: Any) -> NDArray[Any]: ...
    def set_weights(self, weights: Mapping[str, ArrayLike]) -> Self: ...

__version__: str

def show_versions() -> None: ...
def trusted_types() -> list[str]: ...
