"""Properties of the input that `fit` sets: kind, number of features, and their names."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
from sklearn.utils.validation import validate_data


def check_fitted_kind(estimator, input_format, X):
    """Refuse strings where numbers were fitted and the reverse; return the format."""
    fitted_on_strings = hasattr(estimator, "vocabulary_")
    if fitted_on_strings == (input_format == "tokens"):
        return input_format
    if fitted_on_strings and input_format == "ragged" and not any(map(np.size, X)):
        return "tokens"  # empty sequences have no kind of their own
    kinds = ("strings", "numbers")
    fitted, found = kinds if fitted_on_strings else kinds[::-1]
    raise TypeError(
        f"X holds {found}, but {type(estimator).__name__} was fitted on sequences of {fitted}."
    )


def fitted_on_rows(estimator):
    """Tell whether fit took 2-D input, whose columns are steps."""
    return estimator.n_features_in_ != estimator._step_width


def set_width(estimator, width, *, vocabularies=None):
    """Set the number of features per step, and what fit learns of tokens; forget what was known.

    Parameters
    ----------
    estimator : estimator instance
    width : int
    vocabularies : Vocabularies, default=None
        Of strings; None for numbers, and for ids.
    """
    for name in ("feature_names_in_", "vocabulary_", "_vocabularies"):
        estimator.__dict__.pop(name, None)
    estimator.n_features_in_ = estimator._step_width = width
    estimator._token_counts = None
    if vocabularies is not None:
        estimator._vocabularies, estimator.vocabulary_ = vocabularies, vocabularies.known[0]
        estimator._token_counts = np.array(list(map(len, vocabularies.known)))


def _wrong_width(estimator, width):
    """Return the message for another number of features per step than that of fit."""
    return (
        f"X has {width} features, but {type(estimator).__name__} is expecting "
        f"{estimator._step_width} features as input."
    )


def check_numbers(estimator, X, input_format, width, *, reset, are_features):
    """Set or check what fit learns of numbers: how many per step, and their names.

    Parameters
    ----------
    estimator : estimator instance
    X : object
        In the format `input_format`.
    input_format : {'rows', 'cube', 'ragged'}
    width : int
        Number of features per step, as they were read.
    reset : bool
    are_features : bool
        Whether fit counts the columns of 'rows' as features.
    """
    if input_format == "rows":
        _check_rows(estimator, X, reset=reset, are_features=are_features)
    else:
        _check_width(estimator, width, reset, X if input_format == "ragged" else None)


def _check_width(estimator, width, reset, items):
    """Set or check the number of features per step, and their names where steps have names."""
    if width == 0:
        raise ValueError("Found array with 0 feature(s) while a minimum of 1 is required by X.")
    if reset:
        set_width(estimator, width)
    elif width != estimator._step_width:
        raise ValueError(_wrong_width(estimator, width))
    named = items is not None and hasattr(items[0], "columns")
    if named:
        check_same_columns(items)
    # After fit on rows the names known are those of the steps, not of the features.
    if named and (reset or not fitted_on_rows(estimator)):
        validate_data(estimator, items[0], reset=reset, skip_check_array=True)
    elif not reset and hasattr(estimator, "feature_names_in_") and not fitted_on_rows(estimator):
        validate_data(estimator, np.empty((1, width)), reset=False, skip_check_array=True)


def _check_rows(estimator, X, *, reset, are_features):
    """Set or check the width of sequences that came as the rows of a 2-D array: one feature.

    scikit-learn demands that fit counts the columns as features: not those of token ids, nor those
    of rows of unequal lengths.
    """
    if reset:
        set_width(estimator, 1)
        if are_features:
            validate_data(estimator, X, reset=True, skip_check_array=True)
    elif estimator._step_width != 1:
        raise ValueError(
            f"{_wrong_width(estimator, 1)}\nX is 2-D, which means one univariate sequence "
            "per row. Pass a list of 2-D arrays or a 3-D array; [X] for a single sequence."
        )
    elif fitted_on_rows(estimator):
        validate_data(estimator, X, reset=False, skip_check_array=True)


def check_same_columns(frames):
    """Raise if DataFrames, one per sequence, differ in their columns.

    Parameters
    ----------
    frames : sequence of DataFrame
        The sequences.
    """
    first = _column_names(frames[0])
    for i, frame in enumerate(frames):
        columns = _column_names(frame) if hasattr(frame, "columns") else None
        if columns is None:
            raise TypeError(
                f"sequence {i} is a {type(frame).__name__}, but sequence 0 is a DataFrame: "
                "pass DataFrames only, or arrays only."
            )
        if columns != first:
            raise ValueError(
                f"sequence {i} has the columns {columns}, but sequence 0 has {first}: "
                "all sequences need the same columns in the same order."
            )


def _column_names(frame):
    return list(getattr(frame, "column_names", frame.columns))  # those of Arrow's tables
