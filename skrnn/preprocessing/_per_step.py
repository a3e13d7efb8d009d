"""Apply any transformer to the steps of sequences."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, clone
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skrnn._base.sklearn_api import (
    HasMethods,
    StrOptions,
    _fit_context,
    _raise_for_params,
    _routing_enabled,
    _safe_set_output,
)
from skrnn._data.formats import is_column
from skrnn._data.guards import restore_on_error
from skrnn.preprocessing._output import SequenceTransformerMixin
from skrnn.preprocessing._step_table import read_steps


def inner_has(method):
    """Make a method available where the transformer given, or fitted, has it."""

    def check(self):
        getattr(getattr(self, "transformer_", self._inner), method)
        return True

    return check


def features_of(inner, made=None):
    """Return the names of the features that are put out, else their number, if a table tells."""
    try:
        return list(inner.get_feature_names_out())
    except AttributeError:  # a pipeline has the method, but its steps may not
        pass
    if hasattr(made, "columns"):
        return list(made.columns)
    return made.shape[1] if made is not None else None


class TransformerOfSteps(SequenceTransformerMixin, BaseEstimator):
    """What PerStep and PerSequence share: a transformer of tables, given tables of steps."""

    _parameter_constraints: dict = {
        "transformer": [
            HasMethods(["fit", "transform"]),
            StrOptions({"passthrough"}),
            None,
        ],
    }

    def __init__(self, transformer):
        self.transformer = transformer

    def set_output(self, *, transform=None):
        """Choose the container of each transformed sequence.

        Parameters
        ----------
        transform : {'default', 'pandas', 'polars'}, default=None
            Handed on to the transformer: 'pandas' and 'polars' give a DataFrame for each sequence,
            'default' an array; None changes nothing.

        Returns
        -------
        self : estimator instance
            The transformer.
        """
        if transform is not None:
            _safe_set_output(clone(self._inner), transform=transform)  # raises where it cannot
            if hasattr(self, "transformer_"):
                _safe_set_output(self.transformer_, transform=transform)
        return super().set_output(transform=transform)

    @available_if(inner_has("get_feature_names_out"))
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
            steps, and keep their names; so does a column of sequences.
        """
        check_is_fitted(self)
        if self._one_column and input_features is not None and len(input_features) == 1:
            return np.asarray(input_features, dtype=object)  # of the column, not of its steps
        if self.n_features_in_ == self._step_width:
            return self.transformer_.get_feature_names_out(input_features)
        names = self.transformer_.get_feature_names_out()
        if len(names) == 1:
            return OneToOneFeatureMixin.get_feature_names_out(self, input_features)
        return names

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self._inner)
        tags.transformer_tags = inner.transformer_tags
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.input_tags.positive_only = inner.input_tags.positive_only
        tags.input_tags.three_d_array = True
        tags.non_deterministic = inner.non_deterministic
        return tags

    @property
    def _inner(self):
        """The transformer, also where nothing is to be done."""
        if self.transformer is None or isinstance(self.transformer, str):  # "passthrough"
            return FunctionTransformer(check_inverse=False, feature_names_out="one-to-one")
        return self.transformer

    def _new_inner(self):
        """Return what is to be fitted: a clone that puts out what set_output asks for."""
        inner = clone(self._inner)
        for transform in getattr(self, "_sklearn_output_config", {}).values():
            # FunctionTransformer breaks on None, which should change nothing.
            _safe_set_output(inner, transform=transform)
        return inner

    def _read(self, X, y=None, *, reset=False):
        """Read X as a forecaster does: where there is a y, a table with dates is no series."""
        lone = y is None if reset else self.n_features_in_ == self._step_width
        steps = read_steps(self, X, reset=reset, lone=lone)
        if reset:
            self._one_column = is_column(X)
        return steps

    def _routed(self, method, params, steps):
        """Return what the inner transformer's methods are given: one value per step."""
        if _routing_enabled():
            routed = process_routing(self, method, **params)["transformer"]
        else:  # what a Pipeline hands to the step whose name it had
            routed = dict.fromkeys(("fit", "fit_transform", "partial_fit"), params)
            routed["transform"] = {}
        return {name: steps.metadata(given) for name, given in routed.items()}

    def _fit_transform_inner(self, inner, table, y, routed):
        if hasattr(inner, "fit_transform"):
            made = inner.fit_transform(table, y, **routed["fit_transform"])
        else:
            made = inner.fit(table, y, **routed["fit"]).transform(table, **routed["transform"])
        return self._checked(made, table)

    def _transform_inner(self, table, **params):
        """Let the fitted transformer make a table, also where there are no steps."""
        if len(table) == 0 and self._features_out is not None:
            # Most of scikit-learn's transformers refuse a table of no rows.
            features = self._features_out
            return np.empty((0, features if isinstance(features, int) else len(features)))
        return self._checked(self.transformer_.transform(table, **params), table)

    def _router(self, mapping, *callers):
        """Route what these methods are given to the inner fit_transform, or fit and transform."""
        for caller in callers:
            if hasattr(self._inner, "fit_transform"):
                mapping.add(caller=caller, callee="fit_transform")
            else:
                mapping.add(caller=caller, callee="fit").add(caller=caller, callee="transform")
        # The name alone, which every version of scikit-learn takes.
        return MetadataRouter(owner=type(self).__name__).add(
            method_mapping=mapping, transformer=self._inner
        )

    def _checked(self, made, table):
        """Return a dense table; raise unless its rows are those of the steps."""
        if issparse(made):
            made = made.toarray()
        elif not hasattr(made, "columns"):
            made = np.asarray(made)
        name = f"transformer {type(self._inner).__name__}"
        if len(made.shape) != 2:
            raise ValueError(
                f"{name} made an array of shape {made.shape} of {len(table)} step(s), but a table "
                "(n_steps, n_features) is needed: reshape(-1, 1) makes a column."
            )
        if len(made) != len(table):
            raise ValueError(
                f"{name} made {len(made)} row(s) of {len(table)} step(s): it is unknown which step "
                "each row belongs to. Use a transformer that keeps the number of rows, and leave "
                "out steps before the pipeline, of X and y together."
            )
        if hasattr(made, "iloc") and not _in_order(made.index, getattr(table, "index", None)):
            raise ValueError(
                f"{name} made a DataFrame with another index than it was given: its rows need not "
                "be the steps in their order. Use a transformer that keeps the index."
            )
        return made

    def _names(self, width):
        """Return names of the columns of what is put out."""
        try:
            names = list(self.get_feature_names_out())
        except AttributeError:
            names = self._names_in(width)
        return names if len(names) == width else [f"x{i}" for i in range(width)]

    def _names_in(self, width):
        names = list(getattr(self, "feature_names_in_", ()))
        return names if len(names) == width else [f"x{i}" for i in range(width)]


class PerStep(TransformerOfSteps):
    """Apply a transformer to the steps of all sequences.

    The steps of all sequences are stacked into one table ``(total_steps, n_features)``, the
    transformer is fitted on it, and its output is cut into sequences again.

    Parameters
    ----------
    transformer : estimator, 'passthrough' or None
        Any transformer that keeps the number of rows, such as a scaler, an imputer, a PCA, a
        ``ColumnTransformer``, or a pipeline of these. It is cloned and not changed. 'passthrough'
        and None leave the steps unchanged.

    Attributes
    ----------
    transformer_ : estimator
        The fitted transformer.

    n_features_in_ : int
        Number of features per step; for 2-D input the number of its columns.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; defined only if sequences are DataFrames with string column names.

    See Also
    --------
    PerSequence : Fit the transformer on each sequence separately.

    Notes
    -----
    The output has the form of the input: a list becomes a list of arrays, an object array or a
    Series one of the same type, a 3-D array a 3-D array whose padding stays NaN. A 2-D array of
    univariate series becomes a 2-D array if the transformer makes one column, and a 3-D array if it
    makes several. If the transformer returns DataFrames, collections of sequences contain
    DataFrames with their original index, and with :meth:`set_output` 3-D arrays become lists of
    DataFrames. Sparse output is converted to dense.

    One series (a 1-D array or a Series of numbers, or a DataFrame with dates as its index) is
    returned as one series: a Series or DataFrame with its dates. As for
    :class:`~skrnn.LSTMForecaster`, such a DataFrame means several samples, one per row, if `fit` is
    given a y.

    Sequences given as DataFrames of pandas or polars reach the transformer as one DataFrame, so
    that a ``ColumnTransformer`` finds columns by name and columns need not be numbers; pandas'
    index goes with them. NaN inside a sequence is passed on: whether it is allowed is up to the
    transformer. Empty sequences stay empty.

    The steps of a sequence share its target. A transformer that cross-fits, as ``TargetEncoder``
    does, sees part of them where it encodes the others; where a category hardly changes within a
    sequence that tells the target. With scikit-learn 1.9 and metadata routing whole sequences are
    left out: ``PerStep(TargetEncoder(cv=GroupKFold())).fit_transform(X, y,
    groups=numpy.arange(len(X)))``.

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

    __module__ = "skrnn.preprocessing"  # the path that files name

    def fit(self, X, y=None, **params):
        """Fit the transformer on the steps of all sequences.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Training sequences.

        y : array-like, default=None
            One target per sequence, which is repeated for each of its steps, or a sequence of
            targets, one per step, for each sequence. Sequences of targets whose lengths are not
            those of X, as a translator has, are not handed on.

        **params : dict
            Passed to ``transformer.fit``; with metadata routing, what it asked for. What has one
            value per sequence, such as ``sample_weight``, gets one per step, as ``y`` does.

        Returns
        -------
        self : PerStep
            The fitted transformer.
        """
        return self._fit("fit", X, y, params, reset=True)

    @available_if(inner_has("partial_fit"))
    def partial_fit(self, X, y=None, **params):
        """Go on fitting the transformer on the steps of further sequences.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Training sequences.

        y : array-like, default=None
            As in :meth:`fit`.

        **params : dict
            Passed to ``transformer.partial_fit``, as in :meth:`fit`.

        Returns
        -------
        self : PerStep
            The fitted transformer.
        """
        return self._fit("partial_fit", X, y, params, reset=not hasattr(self, "transformer_"))

    @_fit_context(prefer_skip_nested_validation=False)
    def _fit(self, method, X, y, params, *, reset):
        with restore_on_error(self):
            steps = self._read(X, y, reset=reset)
            if len(steps.table) == 0:  # a further part of nothing but empty sequences
                return self
            routed = self._routed(method, params, steps)[method]
            inner = self._new_inner() if reset else self.transformer_
            self.transformer_ = getattr(inner, method)(steps.table, steps.targets(y), **routed)
            self._features_out = features_of(self.transformer_)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y=None, **params):
        """Fit the transformer, by its own ``fit_transform``, and transform each step.

        Parameters
        ----------
        X, y, **params : as in `fit`

        Returns
        -------
        X_out : array-like, or collection of sequences
            Transformed sequences, in the form of ``X``.
        """
        with restore_on_error(self):
            steps = self._read(X, y, reset=True)
            routed = self._routed("fit_transform", params, steps)
            inner = self._new_inner()
            made = self._fit_transform_inner(inner, steps.table, steps.targets(y), routed)
            self.transformer_, self._features_out = inner, features_of(inner, made)
            return steps.restore(made, self._container(), self._names)

    def transform(self, X, **params):
        """Transform each step.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Sequences to transform.

        **params : dict
            With metadata routing: what ``transformer.transform`` asked for.

        Returns
        -------
        X_out : array-like, or collection of sequences
            Transformed sequences, in the form of ``X``.
        """
        check_is_fitted(self)
        _raise_for_params(params, self, "transform")
        steps = self._read(X)
        made = self._transform_inner(
            steps.table, **self._routed("transform", params, steps)["transform"]
        )
        return steps.restore(made, self._container(), self._names)

    @available_if(inner_has("inverse_transform"))
    def inverse_transform(self, X):
        """Undo :meth:`transform` on each step.

        Parameters
        ----------
        X : array-like, or collection of sequences
            Transformed sequences, or forecasts of a network that was given such.

        Returns
        -------
        X_original : array-like, or collection of sequences
            Sequences of the original features, in the form of ``X``.
        """
        check_is_fitted(self)
        # The features here are those transform puts out, which only the transformer can check.
        lone = self.n_features_in_ == self._step_width
        steps = read_steps(type(self)(self.transformer), X, reset=True, lone=lone)
        made = self._checked(self.transformer_.inverse_transform(steps.table), steps.table)
        return steps.restore(made, self._container(), self._names_in)

    def get_metadata_routing(self):
        """Return what metadata the transformer asks for.

        Returns
        -------
        routing : MetadataRouter
            See scikit-learn's guide to metadata routing.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        mapping.add(caller="partial_fit", callee="partial_fit")
        mapping.add(caller="transform", callee="transform")
        return self._router(mapping, "fit_transform")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags = get_tags(self._inner).target_tags
        return tags


def _in_order(index, given):
    """Tell whether a DataFrame's rows have the index that went in, or simply count."""
    return (given is not None and index.equals(given)) or np.array_equal(
        index, np.arange(len(index))
    )
