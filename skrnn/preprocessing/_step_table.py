"""Sequences as one table of steps, and sequences again of what is made of such a table."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import check_consistent_length, validate_data

from skrnn._data.fitted_input import check_same_columns
from skrnn._data.formats import find_format, refuse_masked
from skrnn._data.sample_weight import read_step_weights
from skrnn._data.sequences import lengths_to_offsets
from skrnn._data.single_series import is_panel, series_of_panel, unwrap
from skrnn._data.validation import check_sequences
from skrnn.preprocessing._collection import as_collection
from skrnn.preprocessing._output import is_polars, to_frame


@dataclass(frozen=True)
class StepTable:
    """The steps of all sequences, and what the sequences looked like.

    Attributes
    ----------
    X : object
        What the user passed.

    table : ndarray or DataFrame of shape (total_steps, n_features)
        The steps, of sequences that are DataFrames a DataFrame with their rows' index.

    offsets : ndarray of shape (n_sequences + 1,)
        Where the sequences start in `table`.

    input_format : {"lone", "ragged", "cube", "rows"}
        A lone series or a panel, or as in :mod:`skrnn._data.formats`.

    n_timesteps : int or None
        Of an array: the number of steps, padding included.

    indexes : list or None
        The index of each sequence, where these are pandas objects.
    """

    X: object
    table: object
    offsets: np.ndarray
    input_format: str
    n_timesteps: int | None
    indexes: list | None

    @property
    def lengths(self):
        """Number of steps of each sequence, ndarray of shape (n_sequences,)."""
        return np.diff(self.offsets)

    def targets(self, y, name="y"):
        """Return one target per step, or None where the targets are not those of steps.

        Parameters
        ----------
        y : array-like or None
            One target, or row of targets, per sequence, which each of its steps gets; or one per
            step. Sequences of other lengths, as a translator has, say nothing about steps.

        name : str, default="y"
            What an error calls them.
        """
        if y is None:
            return None
        refuse_masked(y, name)
        y = self._of_a_lone_series(y)
        check_consistent_length(y, self.offsets[1:])
        joined = self._joined(y)
        if joined is not None:
            return joined
        try:
            array = np.asarray(y)
        except ValueError:  # sequences of several lengths
            return None
        if array.ndim > 2 or (array.dtype == object and _holds_sequences(array.ravel())):
            return None
        return np.repeat(array, self.lengths, axis=0)

    def metadata(self, params):
        """Return metadata with one value per step where it had one per sequence, or per step.

        Parameters
        ----------
        params : dict
            Name to value. A value of another length, or of none, is no value of the sequences,
            and stays as it is.
        """
        return {name: self._metadata(name, value) for name, value in params.items()}

    def _metadata(self, name, value):
        if name == "sample_weight" and value is not None:
            return read_step_weights(self._of_a_lone_series(value), self.offsets)
        if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__len__"):
            return value
        value = self._of_a_lone_series(value)
        return self.targets(value, name) if len(value) == len(self.lengths) else value

    def _of_a_lone_series(self, values):
        """Make sequences of values, one per step, of a lone series or of a panel."""
        lone = self.input_format == "lone" and len(values) == self.offsets[-1] != 1
        return np.split(np.asarray(values), self.offsets[1:-1]) if lone else values

    def _joined(self, y):
        """Return the values of all steps where `y` has them, else None."""
        lengths = self.lengths
        if isinstance(y, np.ndarray) and y.dtype != object:
            # As a tagger reads it: labels of the steps of an array, beside padding at the end.
            if y.ndim != 2 or y.shape[1] != self.n_timesteps:
                return None
            return y[np.arange(self.n_timesteps) < lengths[:, np.newaxis]]
        if not isinstance(y, (list, tuple)) and not hasattr(y, "dtype"):
            return None
        if all(
            _is_sequence(part) and len(part) == length
            for part, length in zip(y, lengths, strict=True)
        ):
            return np.concatenate([np.asarray(part) for part in y])
        return None

    def restore(self, table, container, names):
        """Cut what was made of the table into sequences, in the form of ``X``.

        Parameters
        ----------
        table : ndarray or DataFrame of shape (total_steps, n_columns)

        container : {'default', 'pandas', 'polars'}
            What set_output asks for.

        names : callable
            Returns the names of so many columns: those of `table`, or, where X is an array of
            series of one feature and stays one, those of X.
        """
        if self.input_format == "lone":
            return self._restore_lone(table, container, names)
        framed = container != "default"
        if self.input_format == "rows" and table.shape[1] == 1:
            rows = self._padded(np.asarray(table))[:, :, 0]
            if not framed:
                return rows
            frame = to_frame(rows, container, names)
            index = getattr(self.X, "index", None)
            return frame.set_axis(index) if container == "pandas" and index is not None else frame
        if framed:
            table = to_frame(table, container, names)
        if self.input_format == "ragged" or framed:
            return as_collection(
                self.X if self.input_format == "ragged" else [], self.offsets, table, self.indexes
            )
        return self._padded(np.asarray(table))

    def _padded(self, table):
        """Return an array (n_sequences, n_timesteps, n_columns) whose padding is NaN."""
        lengths, n_timesteps = self.lengths, self.n_timesteps
        if (lengths == n_timesteps).all():
            return table.reshape(len(lengths), n_timesteps, -1)
        dtype = table.dtype if table.dtype.kind in "fO" else np.float64
        padded = np.full((len(lengths), n_timesteps, table.shape[1]), np.nan, dtype=dtype)
        padded[np.arange(n_timesteps) < lengths[:, np.newaxis]] = table
        return padded

    def _restore_lone(self, table, container, names):
        """Return one series: one of pandas keeps its index, from which forecasts go on."""
        if not hasattr(self.X, "iloc"):
            if container == "default" and isinstance(table, np.ndarray) and table.shape[1] == 1:
                return table[:, 0]
        elif self.X.ndim == 1 and table.shape[1] == 1:
            return type(self.X)(np.asarray(table)[:, 0], index=self.X.index, name=self.X.name)
        elif is_panel(self.X) or hasattr(self.X.index, "freq"):  # else a frame would be no series
            if container == "polars" or is_polars(table):
                raise ValueError(
                    "X has the dates of its series as its index, but a DataFrame of polars has no "
                    "index. Set the output to 'default' or 'pandas', or pass a list of arrays."
                )
            return to_frame(table, "pandas", names).set_axis(self.X.index)
        if container != "default":
            table = to_frame(table, container, names)
        return as_collection([], self.offsets, table, self.indexes)


def read_steps(estimator, X, *, reset, lone=True):
    """Read sequences in any form; a lone series and a panel as a forecaster reads them.

    Parameters
    ----------
    estimator : estimator instance
        Gets, or is checked on, what :func:`skrnn._data.validation.check_sequences` says.

    X : array-like, or collection of sequences

    reset : bool
        True in ``fit``, False in every later call.

    lone : bool, default=True
        Whether a 1-D array, or a table with dates as its index, is one series, and a table whose
        index has two levels a panel.

    Returns
    -------
    StepTable
    """
    if lone and is_panel(X):
        items, whole = series_of_panel(X), True
    else:
        items, whole = unwrap(X) if lone else (X, False)
        if whole and hasattr(X, "columns"):
            items = [X]  # with its index, and whatever its columns hold
    input_format, data = find_format(items)
    first = data[0] if isinstance(data, list) else None
    if hasattr(first, "columns"):
        input_format, (table, offsets) = "ragged", _stack_frames(estimator, data, reset=reset)
    else:
        sequences = check_sequences(
            estimator,
            items,
            dtype=(np.float64, np.float32),
            reset=reset,
            allow_nan=True,
            min_length=0,
        )
        if estimator._token_counts is not None:
            raise TypeError(
                f"{type(estimator).__name__} works on numbers, but X holds strings. Pass each "
                "sequence as a DataFrame, whose columns may hold anything, or encode the tokens "
                "first."
            )
        table, offsets = sequences.values, sequences.offsets
    if reset and len(table) == 0:
        raise ValueError("Every sequence of X is empty: there is nothing to learn from.")
    n_timesteps = np.asarray(data).shape[1] if input_format in ("cube", "rows") else None
    indexes = None
    if input_format == "ragged" and hasattr(first, "iloc"):
        indexes = [getattr(item, "index", None) for item in data]
    return StepTable(X, table, offsets, "lone" if whole else input_format, n_timesteps, indexes)


def _stack_frames(estimator, frames, *, reset):
    check_same_columns(frames)
    if len(frames) == 1:
        table = frames[0]
    elif hasattr(frames[0], "iloc"):
        import pandas as pd

        # Where rows are only counted, one count for all is an index without repetition.
        counted = all(isinstance(frame.index, pd.RangeIndex) for frame in frames)
        table = pd.concat(frames, ignore_index=counted)
    else:
        import polars as pl

        table = pl.concat(frames, how="vertical_relaxed")
    validate_data(estimator, table, reset=reset, skip_check_array=True)
    if reset:
        estimator._step_width, estimator._token_counts = table.shape[1], None
    return table, lengths_to_offsets([len(frame) for frame in frames])


def _is_sequence(part):
    return hasattr(part, "__len__") and not isinstance(part, (str, bytes))


def _holds_sequences(items):
    return any(map(_is_sequence, items))
