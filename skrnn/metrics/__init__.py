"""Metrics for sequences of labels and tokens, and cross-validated predictions.

Labels come as collections (lists or object arrays) of label sequences of unequal lengths, which are
read as `fit` reads them. Steps without a true label are not scored: those whose label is None or
NaN, and padding, which is -1 at the end of a sequence of integers.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from skrnn.metrics._edit_distance import (
    sequence_error_rate,
    sequence_error_rate_scorer,
    token_error_rate,
    token_error_rate_scorer,
)
from skrnn.metrics._entities import (
    cross_val_predict,
    entity_classification_report,
    entity_f1_score,
    entity_f1_scorer,
    entity_precision_recall_f1_support,
    entity_precision_score,
    entity_recall_score,
    entity_spans,
    flatten_labels,
    token_accuracy_score,
    token_accuracy_scorer,
)

__all__ = [
    "cross_val_predict",
    "entity_classification_report",
    "entity_f1_score",
    "entity_f1_scorer",
    "entity_precision_recall_f1_support",
    "entity_precision_score",
    "entity_recall_score",
    "entity_spans",
    "flatten_labels",
    "sequence_error_rate",
    "sequence_error_rate_scorer",
    "token_accuracy_score",
    "token_accuracy_scorer",
    "token_error_rate",
    "token_error_rate_scorer",
]
