"""Permutation importance of the features of sequences."""

from itertools import pairwise
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.random import sample_without_replacement

from skrnn._base.sklearn_api import (
    HasMethods,
    Interval,
    StrOptions,
    _safe_indexing,
    validate_params,
)
from skrnn._data.formats import find_format
from skrnn._data.readers import token_row
from skrnn._data.sequences import lengths_to_offsets
from skrnn._data.single_series import unwrap
from skrnn.preprocessing._step_table import read_steps


@validate_params(
    {
        "estimator": [HasMethods(["fit"])],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "max_samples": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="right"),
        ],
        "unit": [StrOptions({"sequence", "step"})],
    },
    prefer_skip_nested_validation=True,
)
def permutation_importance(
    estimator, X, y=None, *, scoring=None, n_repeats=5, n_jobs=None, random_state=None,
    sample_weight=None, max_samples=1.0, unit="sequence",
):  # fmt: skip
    """Compute the permutation importance of each feature, over all steps and sequences.

    It is the decrease of the score when a feature is permuted [1]_, so that it no longer carries
    information about the target or about the other features. This is
    :func:`sklearn.inspection.permutation_importance` for sequences, whose features are not the
    columns of a 2-D array.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator of this package, or a pipeline or search that contains one.

    X : sequences
        In any form that the estimator takes. Tokens, and series in a 2-D array, one per row, are a
        single feature.

    y : array-like or collection of label sequences, default=None
        As in the estimator's `fit`. None for an `LSTMForecaster` alone, which then forecasts the
        last `horizon` steps of the series of X.

    scoring : str, callable, list, tuple, dict or None, default=None
        As in scikit-learn's function; None takes the estimator's `score`.

    n_repeats : int, default=5
        Number of times a feature is permuted.

    n_jobs : int or None, default=None
        Number of features permuted in parallel.

    random_state : int, RandomState instance or None, default=None
        Source of the permutations, which are the same for all features.

    sample_weight : array-like of shape (n_sequences,), default=None
        Weights used in scoring.

    max_samples : int or float, default=1.0
        Number, or fraction, of the sequences drawn for each feature, without replacement.

    unit : {'sequence', 'step'}, default='sequence'
        What is permuted. 'sequence' exchanges the course of a feature between sequences: their
        courses are laid end to end in a random order and cut to the lengths of the sequences.
        Sequences of one length get each other's courses, which stay as smooth and as seasonal as
        they were. 'step' permutes the values among all steps of all sequences.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch` or dict of such
        With `importances_mean` and `importances_std` of shape (n_features,), `importances` of shape
        (n_features, n_repeats) and `feature_names` of shape (n_features,). Several scores give a
        dict with the name of each.

    Raises
    ------
    ValueError, TypeError
        For X and y as in the estimator's `score`, for a single sequence with `unit='sequence'`, and
        if y is missing.

    Notes
    -----
    Permuted steps are white noise: the network is evaluated on series unlike any it has seen, and
    the result depends more on how it extrapolates than on the feature [2]_. Therefore the default
    exchanges whole courses, as work on models of time series does [3]_. It leaves in place what all
    sequences have in common: a feature that only counts the steps has no importance for labels of
    sequences, but may have some for labels of steps. There, and for a single sequence, use
    `unit='step'`. Features with the same information share their importance, or seem to have none.

    NaN at the end of a sequence, which is padding or is to be forecast, stays where it is.

    References
    ----------
    .. [1] Breiman (2001). Random forests. Machine Learning 45.
    .. [2] Hooker, Mentch and Zhou (2021). Unrestricted permutation forces extrapolation: variable
       importance requires at least one more model. Statistics and Computing 31.
    .. [3] Sood and Craven (2022). Feature importance explanations for temporal black-box models.
       AAAI Conference on Artificial Intelligence 36.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier
    >>> from skrnn.inspection import permutation_importance
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, size=100)]
    >>> y = [x[-1, 0] > 0 for x in X]
    >>> model = RNNClassifier((8,), pooling="last", max_iter=60, random_state=0).fit(X, y)
    >>> result = permutation_importance(model, X, y, random_state=0)
    >>> bool(result.importances_mean[0] > 10 * abs(result.importances_mean[1]))
    True
    """
    names = _column_names(X)
    if y is None:
        if not hasattr(estimator, "_last_steps"):
            raise ValueError(
                "y is None: permutation_importance needs the targets. Pass y. A language model "
                "has neither targets nor features to permute."
            )
        X, y = estimator._last_steps(X)
        if names is None:
            names = estimator._columns.names
            names = None if names is None else np.array(names, dtype=object)
    steps = Steps(X)
    names = steps.names if names is None else names
    n = len(steps.offsets) - 1
    if unit == "sequence" and n == 1:
        raise ValueError(
            "X is a single sequence, which has no other to exchange features with. Pass several, "
            "for example windows of it, or set unit='step'."
        )
    if isinstance(max_samples, Integral):
        if max_samples > n:
            raise ValueError(f"max_samples={max_samples}, but X has only {n} sequences.")
    else:
        max_samples = max(1, int(max_samples * n))
    scorer = check_scoring(estimator, scoring=scoring)
    baseline = _score(scorer, estimator, X, y, sample_weight)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    scores = Parallel(n_jobs=n_jobs)(
        delayed(_permuted_scores)(
            estimator, X, y, sample_weight, column, seed, n_repeats, scorer, max_samples, unit
        )
        for column in range(len(names))
    )
    if isinstance(baseline, dict):
        return {
            key: _bunch(value, [[score[key] for score in repeats] for repeats in scores], names)
            for key, value in baseline.items()
        }
    return _bunch(baseline, scores, names)


class Steps:
    """Sequences in any form, as a table of steps whose columns can be permuted.

    Parameters
    ----------
    X : sequences

    Attributes
    ----------
    offsets : ndarray of shape (n_sequences + 1,)
    names : ndarray of shape (n_features,), dtype=object
    """

    def __init__(self, X):
        input_format, data = find_format(X)
        if input_format == "tokens":
            rows = [token_row(item, i) for i, item in enumerate(data)]
            self._steps, self._tokens = None, [token for row in rows for token in row]
            self.offsets = lengths_to_offsets([len(row) for row in rows])
            self.names = np.array(["token"], dtype=object)
            return
        self._steps = read_steps(BaseEstimator(), X, reset=True, lone=False)
        self.offsets = self._steps.offsets
        columns = getattr(self._steps.table, "columns", None)
        if columns is None:
            columns = [f"x{i}" for i in range(self._steps.table.shape[1])]
        self.names = np.array(list(columns), dtype=object)

    def permuted(self, column, unit, rng):
        """Return the sequences, in the form they have, with one feature permuted."""
        source = self._source(column, unit, rng)
        if self._steps is None:
            tokens = [self._tokens[row] for row in source]
            return [tokens[start:stop] for start, stop in pairwise(self.offsets.tolist())]
        table = self._steps.table
        if isinstance(table, np.ndarray):
            table = table.copy()
            table[:, column] = table[source, column]
        elif hasattr(table, "iloc"):
            values = table.iloc[:, column].array.take(source)
            table = table.copy()
            table.isetitem(column, values)
        else:
            table = table.with_columns(table.to_series(column).gather(source))
        X, changed = self._steps.X, self._steps.restore(table, "default", None)
        if not (hasattr(X, "columns") and isinstance(changed, np.ndarray)):
            return changed
        if hasattr(X, "iloc"):  # series in the rows of a DataFrame
            return type(X)(changed, index=X.index, columns=X.columns)
        return type(X)(changed, schema=X.columns)

    def _source(self, column, unit, rng):
        """Return from which row each row gets its value; what is missing at ends stays."""
        missing = self._missing(column)
        courses = []
        for start, stop in pairwise(self.offsets.tolist()):
            known = np.flatnonzero(~missing[start:stop])
            courses.append(np.arange(start, start + (known[-1] + 1 if len(known) else 0)))
        rows, source = np.concatenate(courses), np.arange(self.offsets[-1])
        if unit == "step":
            source[rows] = rng.permutation(rows)
        else:
            source[rows] = np.concatenate([courses[i] for i in rng.permutation(len(courses))])
        return source

    def _missing(self, column):
        """Return a mask of the steps at which a feature has no value."""
        if self._steps is None:
            return np.zeros(self.offsets[-1], dtype=bool)
        table = self._steps.table
        if hasattr(table, "iloc"):
            return table.iloc[:, column].isna().to_numpy()
        if not isinstance(table, np.ndarray):
            series = table.to_series(column)
            gaps = series.is_null().to_numpy()
            return gaps | series.is_nan().fill_null(True).to_numpy() if _is_float(series) else gaps
        values = table[:, column]
        return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)


def _is_float(series):
    return str(series.dtype).startswith("Float")


def _column_names(X):
    """Return the names of the features of one dated series, of which arrays are made; or None."""
    if not hasattr(X, "columns") or not unwrap(X)[1]:
        return None
    return np.array(list(X.columns), dtype=object)


def _permuted_scores(
    estimator, X, y, sample_weight, column, seed, n_repeats, scorer, max_samples, unit
):
    """Return the scores of one feature's permutations."""
    rng, steps = check_random_state(seed), Steps(X)
    n = len(steps.offsets) - 1
    if max_samples < n:
        chosen = np.sort(sample_without_replacement(n, max_samples, random_state=rng))
        steps, y = Steps(_safe_indexing(X, chosen)), _safe_indexing(y, chosen)
        if sample_weight is not None:
            sample_weight = _safe_indexing(sample_weight, chosen)
    return [
        _score(scorer, estimator, steps.permuted(column, unit, rng), y, sample_weight)
        for _ in range(n_repeats)
    ]


def _score(scorer, estimator, X, y, sample_weight):
    if sample_weight is None:
        return scorer(estimator, X, y)
    return scorer(estimator, X, y, sample_weight=sample_weight)


def _bunch(baseline, scores, names):
    importances = baseline - np.array(scores, dtype=np.float64).reshape(len(names), -1)
    return Bunch(
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        importances=importances,
        feature_names=names,
    )
