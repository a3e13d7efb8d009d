"""Any transformer applied to the steps of sequences."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from skrnn._forms import check_same_columns, recognise
from skrnn._sequences import check_sequences
from skrnn.preprocessing._collection import as_collection


def _inner_has(method):
    """Make a method available where the transformer given, or fitted, has it."""

    def check(self):
        getattr(getattr(self, "transformer_", self.transformer), method)
        return True

    return check


# scikit-learn's own set_output would make one table of a list of sequences.
class PerStep(  # type: ignore[call-arg]
    TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Apply a transformer to the steps of all sequences.

    The steps of all sequences are stacked into one table ``(total_steps, n_features)``, the
    transformer is fitted on it, and what it makes of the table is cut into sequences again.

    Parameters
    ----------
    transformer : estimator
        Any transformer that keeps the number of rows: a scaler, an imputer, a PCA, a
        ``ColumnTransformer``, a pipeline of these. It is cloned, not changed.

    Attributes
    ----------
    transformer_ : estimator
        The fitted transformer.

    n_features_in_ : int
        Number of features a step; for 2-D input the number of its columns.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where sequences are DataFrames with string column names.

    Notes
    -----
    The output has the form of the input: a list gives a list of arrays, an object array or a
    Series its like, a 3-D array a 3-D array whose padding stays NaN. A 2-D array, which holds
    univariate series, gives a 2-D array if the transformer makes one column and a 3-D array if
    it makes several. Where the transformer puts out DataFrames (``set_output``), collections
    of sequences hold DataFrames. Sparse output is made dense.

    Sequences given as pandas DataFrames reach the transformer as one DataFrame, so that a
    ``ColumnTransformer`` finds columns by name and columns need not be numbers. NaN inside a
    sequence is passed on: whether it is allowed is up to the transformer.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skrnn.preprocessing import PerStep
    >>> X = [np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[4.0, 4.0]])]
    >>> scaler = PerStep(StandardScaler()).fit(X)
    >>> scaler.transformer_.mean_
    array([2., 2.])
    >>> [x.shape for x in scaler.transform(X)]
    [(2, 2), (1, 2)]
    """

    def __init__(self, transformer):
        self.transformer = transformer

    def fit(self, X, y=None, **fit_params):
        """Fit the transformer on the steps of all sequences.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Training sequences.

        y : array-like, default=None
            A target a sequence, which is repeated for each of its steps, or a sequence of
            targets, one a step, for each sequence.

        **fit_params : dict
            Passed to ``transformer.fit``; ``sample_weight`` is one weight a sequence, or one a
            step for each sequence, as ``y`` is.

        Returns
        -------
        self : PerStep
            The fitted transformer.
        """
        return self._fit(clone(self.transformer), "fit", X, y, fit_params, reset=True)

    @available_if(_inner_has("partial_fit"))
    def partial_fit(self, X, y=None, **fit_params):
        """Go on fitting the transformer on the steps of further sequences.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Training sequences.

        y : array-like, default=None
            As in :meth:`fit`.

        **fit_params : dict
            Passed to ``transformer.partial_fit``, as in :meth:`fit`.

        Returns
        -------
        self : PerStep
            The fitted transformer.
        """
        first = not hasattr(self, "transformer_")
        inner = clone(self.transformer) if first else self.transformer_
        return self._fit(inner, "partial_fit", X, y, fit_params, reset=first)

    def transform(self, X):
        """Transform each step.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Sequences to transform.

        Returns
        -------
        X_out : array-like, or collection of sequences
            Transformed sequences, in the form of ``X``.
        """
        check_is_fitted(self)
        steps, offsets = _stack(self, X, reset=False)
        return _restore(X, offsets, self.transformer_.transform(steps))

    @available_if(_inner_has("inverse_transform"))
    def inverse_transform(self, X):
        """Undo :meth:`transform` on each step.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Transformed sequences.

        Returns
        -------
        X_original : array-like, or collection of sequences
            Sequences of the original features, in the form of ``X``.
        """
        check_is_fitted(self)
        # The features here are those transform puts out, which only the transformer can check.
        steps, offsets = _stack(PerStep(self.transformer), X, reset=True)
        return _restore(X, offsets, self.transformer_.inverse_transform(steps))

    def get_feature_names_out(self, input_features=None):
        """Return the names of the features of a transformed step.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input features.

        Returns
        -------
        feature_names_out : ndarray of str
            Names as the transformer gives them. For 2-D input that stays 2-D the columns are
            steps, and keep their names.
        """
        check_is_fitted(self)
        if self.n_features_in_ == self._step_width:
            return self.transformer_.get_feature_names_out(input_features)
        names = self.transformer_.get_feature_names_out()
        if len(names) == 1:
            return OneToOneFeatureMixin.get_feature_names_out(self, input_features)
        return names

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.transformer)
        tags.target_tags = inner.target_tags
        tags.transformer_tags = inner.transformer_tags
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.input_tags.positive_only = inner.input_tags.positive_only
        tags.input_tags.three_d_array = True
        tags.non_deterministic = inner.non_deterministic
        return tags

    def _fit(self, inner, method, X, y, fit_params, reset):
        before = dict(self.__dict__)
        try:
            steps, offsets = _stack(self, X, reset=reset)
            if fit_params.get("sample_weight") is not None:
                weight = _per_step(fit_params["sample_weight"], offsets)
                fit_params = {**fit_params, "sample_weight": weight}
            self.transformer_ = getattr(inner, method)(steps, _per_step(y, offsets), **fit_params)
        except BaseException:
            # What an earlier fit has learned stays whole.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self


def _stack(estimator, X, *, reset):
    """Return the steps of all sequences as one table, and where each sequence starts."""
    frames = _as_frames(X)
    if frames is not None:
        return _stack_frames(estimator, frames, reset=reset)
    sequences = check_sequences(
        estimator, X, dtype=(np.float64, np.float32), reset=reset, allow_nan=True, min_length=0
    )
    if estimator._token_counts is not None:
        raise TypeError(
            "PerStep works on numbers, but X holds strings. Pass each sequence as a DataFrame, "
            "whose columns may hold anything, or encode the tokens first."
        )
    return sequences.values, sequences.offsets


def _stack_frames(estimator, frames, *, reset):
    import pandas as pd

    check_same_columns(frames)
    steps = pd.concat(frames, ignore_index=True)
    validate_data(estimator, steps, reset=reset, skip_check_array=True)
    if reset:
        estimator._step_width, estimator._token_counts = steps.shape[1], None
    return steps, np.cumsum([0, *map(len, frames)])


def _as_frames(X):
    """Return the sequences as a list if they are pandas DataFrames, else None."""
    if hasattr(X, "columns") or getattr(X, "ndim", 1) != 1 or not hasattr(X, "__len__"):
        return None
    frames = list(X)
    # polars frames have columns too, but no iloc: their steps are stacked as numbers.
    if frames and hasattr(frames[0], "columns") and hasattr(frames[0], "iloc"):
        return frames
    return None


def _per_step(y, offsets):
    """Return one target a step: joined where ``y`` has them, else repeated for each step."""
    if y is None:
        return None
    check_consistent_length(y, offsets[1:])
    lengths = np.diff(offsets)
    kind = getattr(getattr(y, "dtype", None), "kind", None)
    collection = isinstance(y, (list, tuple)) or kind == "O"
    if collection and all(
        hasattr(part, "__len__") and not isinstance(part, str) and len(part) == length
        for part, length in zip(y, lengths, strict=True)
    ):
        return np.concatenate([np.asarray(part) for part in y])
    return np.repeat(np.asarray(y), lengths, axis=0)


def _restore(X, offsets, table):
    """Cut a transformed table into sequences, in the form of ``X``."""
    if issparse(table):
        table = table.toarray()
    form, data = ("ragged", X) if _as_frames(X) is not None else recognise(X)
    if form == "ragged":
        return as_collection(X, offsets, table)
    table = np.asarray(table)
    lengths = np.diff(offsets)
    n_steps = data.shape[1] if form == "cube" else lengths[0]
    if form == "rows" and table.shape[1] == 1:
        return table.reshape(-1, n_steps)
    if (lengths == n_steps).all():
        return table.reshape(len(lengths), n_steps, -1)
    dtype = table.dtype if table.dtype.kind in "fO" else np.float64
    padded = np.full((len(lengths), n_steps, table.shape[1]), np.nan, dtype=dtype)
    padded[np.arange(n_steps) < lengths[:, np.newaxis]] = table
    return padded
