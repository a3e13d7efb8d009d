"""Fit and apply any transformer to each sequence separately."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MethodMapping
from sklearn.utils.validation import check_is_fitted

from skrnn._base.sklearn_api import _fit_context, _raise_for_params
from skrnn._data.guards import restore_on_error
from skrnn.preprocessing._collection import split_table
from skrnn.preprocessing._output import is_polars
from skrnn.preprocessing._per_step import TransformerOfSteps, features_of


class PerSequence(TransformerOfSteps):
    """Fit a transformer on each sequence separately, and apply it to this sequence only.

    Each sequence is a table ``(n_timesteps, n_features)``, which a clone of the transformer
    transforms by its ``fit_transform``: z-normalization of each series, the rank of each value
    within its series, or differences that do not cross from one sequence to the next. Differences
    between whole sequences, such as their levels, are lost in the result.

    Parameters
    ----------
    transformer : estimator, 'passthrough' or None
        Any transformer that keeps the number of rows and needs no y, such as a scaler, an imputer,
        a ``FunctionTransformer``, or a pipeline of these. 'passthrough' and None leave the
        sequences unchanged.

    Attributes
    ----------
    transformer_ : estimator
        Clone fitted on the first sequence that is not empty, which determines the names of the
        features; they must be the same for every sequence.

    n_features_in_ : int
        Number of features per step; for 2-D input the number of its columns.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; defined only if sequences are DataFrames with string column names.

    See Also
    --------
    PerStep : Fit one transformer on the steps of all training sequences.

    Notes
    -----
    The output has the form of the input, as with :class:`PerStep`, and all forms that
    :class:`PerStep` takes are read in the same way.

    Because `transform` fits as well, there is no ``inverse_transform``, and y is not passed on: new
    sequences have none. ``LSTMForecaster(scaling="series")`` scales each series separately and
    converts its forecasts back.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import FunctionTransformer, StandardScaler
    >>> from skrnn.preprocessing import PerSequence
    >>> X = [np.array([1.0, 3.0]), np.array([100.0, 101.0, 102.0])]
    >>> [x.ravel().round(2).tolist() for x in PerSequence(StandardScaler()).fit_transform(X)]
    [[-1.0, 1.0], [-1.22, 0.0, 1.22]]
    >>> differences = FunctionTransformer(lambda x: np.diff(x, axis=0, prepend=x[:1]))
    >>> [x.ravel().tolist() for x in PerSequence(differences).fit_transform(X)]
    [[0.0, 2.0], [0.0, 1.0, 1.0]]
    """

    __module__ = "skrnn.preprocessing"  # the path that files name

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Check the sequences, and fit the transformer on the first of them for its names.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Training sequences.

        y : None
            Not used.

        **params : dict
            With metadata routing: what the transformer asked for in ``fit_transform``. What has
            one value per sequence gets one per step.

        Returns
        -------
        self : PerSequence
            The fitted transformer.
        """
        _raise_for_params(params, self, "fit")
        with restore_on_error(self):
            self._fit_each("fit", X, y, params)
        return self

    def partial_fit(self, X, y=None):
        """Check further sequences, from which nothing is learned.

        Parameters
        ----------
        X, y : as in `fit`

        Returns
        -------
        self : PerSequence
            The fitted transformer.
        """
        if not hasattr(self, "transformer_"):
            return self.fit(X, y)
        self._read(X, y)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y=None, **params):
        """Fit the transformer on each sequence, and transform it.

        Parameters
        ----------
        X, y, **params : as in `fit`

        Returns
        -------
        X_out : array-like, or collection of sequences
            Transformed sequences, in the form of ``X``.
        """
        _raise_for_params(params, self, "fit_transform")
        with restore_on_error(self):
            steps, made = self._fit_each("fit_transform", X, y, params)
            return steps.restore(made, self._container(), self._names)

    def transform(self, X, **params):
        """Fit the transformer on each sequence, and transform it.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Sequences to transform.

        **params : as in `fit`

        Returns
        -------
        X_out : array-like, or collection of sequences
            Transformed sequences, in the form of ``X``.
        """
        check_is_fitted(self)
        _raise_for_params(params, self, "transform")
        steps = self._read(X)
        parts = [made for _, made in self._each(steps, "transform", params)]
        made = _join(parts) if parts else self._transform_inner(steps.table)
        return steps.restore(made, self._container(), self._names)

    def get_metadata_routing(self):
        """Return what metadata the transformer asks for.

        Returns
        -------
        routing : MetadataRouter
            See scikit-learn's guide to metadata routing.
        """
        return self._router(MethodMapping(), "fit", "fit_transform", "transform")

    def _fit_each(self, method, X, y, params):
        """Learn the names of the first sequence; return the steps, and those that were made."""
        inner = self._inner
        if get_tags(inner).target_tags.required:
            raise ValueError(
                f"transformer {type(inner).__name__} needs y, but PerSequence fits it on new "
                "sequences, too, which have none. Use PerStep."
            )
        steps = self._read(X, y, reset=True)
        self.__dict__.pop("_features_out", None)
        each = self._each(steps, method, params)
        self.transformer_, first = next(each)
        return steps, None if method == "fit" else _join([first, *(made for _, made in each)])

    def _each(self, steps, method, params):
        """Yield the fitted transformer and what it made, for each sequence that is not empty."""
        routed = self._routed(method, params, steps)
        for i, part in enumerate(split_table(steps.table, steps.offsets)):
            if len(part) == 0:
                continue
            inner, span = self._new_inner(), slice(*steps.offsets[i : i + 2])
            given = {name: _rows(params, span, steps) for name, params in routed.items()}
            try:
                made = self._fit_transform_inner(inner, part, None, given)
            except (TypeError, ValueError) as error:
                kind = ValueError if isinstance(error, ValueError) else TypeError
                raise kind(f"sequence {i}: {error}") from error
            features = features_of(inner, made)
            if not hasattr(self, "_features_out"):
                self._features_out = features
            elif features != self._features_out:
                raise ValueError(
                    f"transformer {type(inner).__name__}, fitted on sequence {i} by itself, makes "
                    f"the features {features}, but {self._features_out} of another sequence. Use "
                    "PerStep, which fits it once."
                )
            yield inner, made


def _rows(params, span, steps):
    """Cut out of what has one value per step those of one sequence."""
    n_steps = steps.offsets[-1]
    return {
        name: value[span] if isinstance(value, np.ndarray) and len(value) == n_steps else value
        for name, value in params.items()
    }


def _join(parts):
    if not hasattr(parts[0], "columns"):
        return np.concatenate(parts)
    if is_polars(parts[0]):
        import polars as pl

        return pl.concat(parts, how="vertical_relaxed")
    import pandas as pd

    return pd.concat(parts)
