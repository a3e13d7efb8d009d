"""R² of forecasts, of values that followed histories or of the last steps of series."""

import numpy as np
from sklearn.metrics import r2_score

from skrnn._data.numbers import read_target_numbers
from skrnn._data.sample_weight import check_sample_weight
from skrnn._data.sequences import Sequences
from skrnn._forecaster.reading import read_series
from skrnn._forecaster.series import Series, late_forecasts


class ScoringMixin:
    """`score` of a forecaster, and the last steps of series for what compares with them."""

    def score(self, X, y=None, sample_weight=None):
        """Return the coefficient of determination R² of the forecasts.

        Parameters
        ----------
        X : series
            Histories, whose continuation is y; without y, series whose last `horizon` steps are
            forecast from the steps before.

        y : array-like, default=None
            As in `fit`.

        sample_weight : array-like of shape (n,), default=None
            Weights of the series.

        Returns
        -------
        float
        """
        if y is None:
            return self._score_last_steps(X, sample_weight)
        forecast = np.asarray(self.predict(X))
        y = read_target_numbers(y, np.float64)
        sample_weight = check_sample_weight(sample_weight, y)
        if len(y) == 1 and sample_weight is None:  # one series: R² over its steps
            return r2_score(y.ravel(), forecast.ravel())
        return r2_score(
            y.reshape(len(y), -1), forecast.reshape(len(y), -1), sample_weight=sample_weight
        )

    def _score_last_steps(self, X, sample_weight):
        """Return R² of the last `horizon` steps of series, of those that are known."""
        parts, transform = self._known_series(X), self._transform
        h, k, c = transform.horizon, transform.n_targets, transform.n_covariates
        given = self._transformed_histories(
            Sequences.of([values[:-h] for values in parts]),
            Sequences.of([values[-h:, k : k + c] for values in parts]),
            np.full(len(parts), h),
            None,
        )
        forecast = self._points(given).reshape(len(parts), -1)
        y = np.array([transform.truth(values[-h:]) for values in parts]).reshape(len(parts), -1)
        weights = check_sample_weight(sample_weight, y)
        if len(y) == 1 and weights is None:  # one series: R² over its steps
            y, forecast = y.T, forecast.T
        if not np.isnan(y).any():
            return r2_score(y, forecast, sample_weight=weights)
        scores = []
        for true, found in zip(y.T, forecast.T, strict=True):
            at = np.flatnonzero(~np.isnan(true))
            if len(at) > 1:
                weight = None if weights is None else weights[at]
                scores.append(r2_score(true[at], found[at], sample_weight=weight))
        return float(np.mean(scores)) if scores else float("nan")

    def _known_series(self, X):
        """Return the series of X, as they are read, each longer than `horizon`."""
        self._check_whole()
        X, format_ = self._read_format(X)
        known, _ = read_series(self, X, reset=False, format_=format_)
        h = self._transform.horizon
        if (short := np.flatnonzero(known.lengths <= h)).size:
            raise ValueError(
                f"series {short[0]} has no step before the {h} to be forecast. "
                "Leave it out, or pass more of its history."
            )
        return known.arrays()

    def _last_steps(self, X):
        """Return series up to their last `horizon` steps, as X has them, and these targets."""
        held = Series(Sequences.of(parts := self._known_series(X)), None, None, None)
        h, c = self._transform.horizon, self._transform.n_covariates
        cuts = held.known.lengths - h
        ahead = Sequences.of([values[:0, :c] for values in parts])
        held = held._replace(future=ahead, history=cuts)
        histories, y = late_forecasts(held, self._transform, self._columns)
        if histories[0].dtype == object:  # names of categories are of a column, which tables have
            import pandas as pd

            names = self._columns.names
            tables = [pd.DataFrame(rows, columns=names) for rows in histories]
            histories = [table.infer_objects() for table in tables]
        return histories, y
