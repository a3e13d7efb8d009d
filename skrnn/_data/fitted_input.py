"""What an estimator knows of its input after fit: kind, number of features, and their names."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
from sklearn.utils.validation import validate_data

from skrnn._data.formats import check_same_columns


def check_fitted_kind(estimator, form, X):
    """Refuse strings where numbers were fitted and the reverse; return the form."""
    fitted_on_strings = hasattr(estimator, "vocabulary_")
    if fitted_on_strings == (form == "tokens"):
        return form
    if fitted_on_strings and form == "ragged" and not any(map(np.size, X)):
        return "tokens"  # empty sequences have no kind of their own
    kinds = ("strings", "numbers")
    fitted, found = kinds if fitted_on_strings else kinds[::-1]
    raise TypeError(
        f"X holds {found}, but {type(estimator).__name__} was fitted on sequences of {fitted}."
    )


def fitted_on_rows(estimator):
    """Tell whether fit took 2-D input, whose columns are steps."""
    return estimator.n_features_in_ != estimator._step_width


def set_width(estimator, width, *, n_features_in=None, token_counts=None):
    """Set the number of features per step, and what else fit learns of the form of X."""
    estimator.n_features_in_ = width if n_features_in is None else n_features_in
    estimator._step_width = width
    estimator._token_counts = None if token_counts is None else np.array(token_counts)


def wrong_width(estimator, width):
    """Return the message for another number of features per step than that of fit."""
    return (
        f"X has {width} features, but {type(estimator).__name__} is expecting "
        f"{estimator._step_width} features as input."
    )


def check_width(estimator, width, reset, items=None):
    """Set or check the number of features per step, and their names where steps have names."""
    if width == 0:
        raise ValueError("Found array with 0 feature(s) while a minimum of 1 is required by X.")
    if reset:
        set_width(estimator, width)
    elif width != estimator._step_width:
        raise ValueError(wrong_width(estimator, width))
    named = items is not None and hasattr(items[0], "columns")
    if named:
        check_same_columns(items)
    # After fit on rows the names known are those of the steps, not of the features.
    if named and (reset or not fitted_on_rows(estimator)):
        validate_data(estimator, items[0], reset=reset, skip_check_array=True)
    elif not reset and hasattr(estimator, "feature_names_in_") and not fitted_on_rows(estimator):
        validate_data(estimator, np.empty((1, width)), reset=False, skip_check_array=True)
