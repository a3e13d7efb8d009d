"""Metrics for sequences of labels and tokens and for forecasts, and cross-validated predictions.

Labels come as collections (lists or object arrays) of label sequences of unequal lengths, which are
read as `fit` reads them. Steps without a true label are not scored: those whose label is None or
NaN, and padding, which is -1 at the end of a sequence of integers.

Forecasts come as series, in every form that a forecaster reads or returns. Steps whose true value
is NaN are not scored.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from inspect import isfunction

from skrnn.metrics._cross_validation import cross_val_predict
from skrnn.metrics._edit_distance import (
    sequence_error_rate,
    sequence_error_rate_scorer,
    token_error_rate,
    token_error_rate_scorer,
)
from skrnn.metrics._entities import (
    entity_classification_report,
    entity_f1_score,
    entity_f1_scorer,
    entity_precision_recall_f1_support,
    entity_precision_score,
    entity_recall_score,
    entity_spans,
)
from skrnn.metrics._entity_matches import entity_match_counts
from skrnn.metrics._forecast_scorers import (
    make_forecast_scorer,
    mean_absolute_scaled_error_scorer,
    mean_quantile_loss_scorer,
    root_mean_squared_scaled_error_scorer,
    symmetric_mean_absolute_percentage_error_scorer,
    weighted_absolute_percentage_error_scorer,
    weighted_interval_score_scorer,
)
from skrnn.metrics._point_forecasts import (
    mean_absolute_scaled_error,
    root_mean_squared_scaled_error,
    symmetric_mean_absolute_percentage_error,
    weighted_absolute_percentage_error,
)
from skrnn.metrics._probabilistic_forecasts import (
    crps_from_samples,
    interval_coverage,
    mean_quantile_loss,
    weighted_interval_score,
)
from skrnn.metrics._tokens import flatten_labels, token_accuracy_score, token_accuracy_scorer
from skrnn.metrics._translation import bleu_score, bleu_scorer, chrf_score, chrf_scorer

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

for _name in __all__:
    if isfunction(globals()[_name]):
        globals()[_name].__module__ = "skrnn.metrics"  # the path that files of searches name
del _name
