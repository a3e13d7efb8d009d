"""LSTMForecaster: forecast the next values of series, which may share one network.

Above 600 lines because parameters and their documentation are half of it.
"""

from dataclasses import replace
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_scalar

from skrnn._base.docstrings import documented
from skrnn._base.early_stopping import hold_out
from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._base.sklearn_api import Interval, StrOptions, _fit_context
from skrnn._data.numbers import read_target_numbers
from skrnn._data.sample_weight import check_sample_weight
from skrnn._data.sequences import Sequences
from skrnn._forecaster.columns import number_categories, read_columns
from skrnn._forecaster.future import read_future
from skrnn._forecaster.intervals import IntervalsMixin, beyond_is_nan
from skrnn._forecaster.reading import read_series, read_y
from skrnn._forecaster.rollout import Network, forecast
from skrnn._forecaster.sampling import learn_copula, training_sample
from skrnn._forecaster.series import (
    Series,
    cut_ends,
    late_forecasts,
    late_windows,
    learn,
)
from skrnn._forecaster.series_format import (
    SeriesFormat,
    check_goes_on,
    ends_with,
    in_order_of,
    places_of,
    read_format,
)
from skrnn._forecaster.state import FORECASTER_ALLOWED, FORECASTER_CHECKS, FORECASTER_CLASSES
from skrnn._forecaster.streaming import SeriesStreamingMixin
from skrnn._forecaster.transform import learn_transform
from skrnn._network.batches import Targets, TrainingData


class Histories(NamedTuple):
    """Histories that forecasts are made from."""

    known: Sequences
    future: Sequences  # covariates of steps to come
    horizons: np.ndarray  # (n_series,) steps to forecast of each
    form: SeriesFormat | None  # its dates end where `known` does


def _check_futures(given, horizons, form):
    if (short := np.flatnonzero(given < horizons)).size:
        i = int(short[0])
        name = i if form is None or form.ids is None else repr(form.ids[i])
        raise ValueError(
            f"series {name} ends in {given[i]} step(s) of covariates to come, but a forecast of "
            f"{horizons[i]} step(s) needs {horizons[i]}. Append rows with the covariates, and NaN "
            "in place of the targets; or pass such rows as X_future, made for the dates of "
            "future_index."
        )


@documented
class LSTMForecaster(IntervalsMixin, SeriesStreamingMixin, RegressorMixin, BaseRecurrentNetwork):
    """Recurrent network that forecasts the next values of series.

    It learns from one long series, or from thousands of series with one shared network. At every
    step of every series the network predicts the next `horizon` values at once, relative to the
    last known value (or to that of the last season), so that levels far from those in training are
    forecast as well as those within their range. Longer forecasts feed predictions back as input.

    Parameters
    ----------
    horizon : int, default=1
        Number of steps to forecast.

    lookback : int or None, default=None
        Number of steps of history that a forecast reads. None takes the length of the longest
        series, at most 96.

    loss : {'squared_error', 'absolute_error', 'quantile', 'gaussian'}, default='squared_error'
        Loss function. It decides what is forecast: the mean; the median; the `quantiles` (pinball
        loss [7]_); or mean and standard deviation of a normal distribution.

    quantiles : sequence of float, default=(0.05, 0.5, 0.95)
        Levels between 0 and 1 for `loss='quantile'`; `predict` returns the one closest to 0.5.

    n_targets : int or None, default=None
        Number of columns, counted from the first, that are forecast. The other columns are
        covariates. Those that neither `past_covariates` nor `static_covariates` names are known in
        advance, such as calendar features, and are read for the future steps as well. None
        forecasts all columns.

    scaling : {'auto', 'global', 'series', 'none'}, default='auto'
        Scaling of the values: 'global' divides by one standard deviation for all series, 'series'
        by the mean absolute change, from step to step or season to season, of the given history of
        each series; 'none' does not scale. 'auto' is 'series' where
        `fit` learns from several series, and 'global' for a single one, and for histories whose
        continuation is y.

    difference : {'last', 'season'} or None, default='last'
        Differencing of the values that are read and forecast: relative to the previous value
        ('last') or to the value one season before ('season', `season_length` steps). None does not
        difference.

    season_length : int or None, default=None
        Number of steps per season, for `difference='season'`.

    autoregression : int or None, default=None
        Number of last values for a linear autoregression, a ridge regression of each target on its
        own past, whose residuals the network then learns [8]_. None uses the network alone.

    freq : str or None, default=None
        Frequency of dated series, as pandas writes it ('D', 'B', 'ME'). None takes the frequency of
        the index, or infers it. Dates that do not fall on it are refused.

    past_covariates : str, int, or sequence of these, default=None
        Columns, by name or number, whose values are known only for the past, such as observed
        weather. They are read up to the last known step and ignored in rows of future steps.

    static_covariates : str, int, or sequence of these, default=None
        Columns that have one value per series, such as its region. Rows of future steps may lack
        them.

    categorical_covariates : 'from_dtype', str, int, or sequence of these, default='from_dtype'
        Columns whose values are categories: strings, integers or any values that can be compared.
        They may be covariates of any kind, and are one-hot encoded. 'from_dtype' takes the
        covariates that hold strings or have the type `category` of pandas. A column has at most 255
        categories.

    missing : {'error', 'mask'}, default='error'
        Treatment of NaN in the history. 'error' refuses it; 'mask' replaces it by the last value
        (with `difference='season'` by the value one season before), adds an indicator column, and
        leaves the step out of the loss. Steps before the first known target are not part of a
        series. NaN in the targets at the end of a series marks steps to be forecast in either case.

    $training_parameters

    $cell_parameter

    $gradient_parameters

    $dtype_parameter

    Attributes
    ----------
    horizon_, lookback_ : int
        Number of steps forecast at once, and number of steps read for a forecast.

    $fitted_attributes

    See Also
    --------
    RNNRegressor : Predict numbers for each sequence.
    skrnn.preprocessing.SlidingWindow : Cut series into windows, for any regressor.
    skrnn.preprocessing.CalendarFeatures : Compute covariates from dates.

    Notes
    -----
    Series longer than two lookbacks are learned in pieces: each step counts once, after at least
    one lookback of history (less at the start of a series). With `bptt_steps` the pieces have that
    many steps and are consecutive, and the state is carried from each to the next; `batch_size`
    series are read in parallel.

    References
    ----------
    $references
    .. [7] Koenker and Bassett (1978). Regression quantiles.
    .. [8] Lai et al. (2018). Modeling long- and short-term temporal patterns with deep neural
       networks.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import LSTMForecaster
    >>> series = np.sin(np.arange(300) / 5)
    >>> model = LSTMForecaster(horizon=10, lookback=40, max_iter=60, learning_rate_init=0.01,
    ...                        n_iter_no_change=np.inf, random_state=0).fit(series[:280])
    >>> bool(np.abs(model.predict() - series[280:290]).max() < 0.2)
    True
    """

    __module__ = "skrnn"  # the path that files name

    _state_classes: tuple = FORECASTER_CLASSES
    _allowed: dict = FORECASTER_ALLOWED
    _state_checks: dict = FORECASTER_CHECKS
    _parameter_constraints: dict = {
        **BaseRecurrentNetwork._parameter_constraints,
        "horizon": [Interval(Integral, 1, None, closed="left")],
        "lookback": [Interval(Integral, 1, None, closed="left"), None],
        "loss": [StrOptions({"squared_error", "absolute_error", "quantile", "gaussian"})],
        "quantiles": ["array-like"],
        "n_targets": [Interval(Integral, 1, None, closed="left"), None],
        "scaling": [StrOptions({"auto", "global", "series", "none"})],
        "difference": [StrOptions({"last", "season"}), None],
        "season_length": [Interval(Integral, 1, None, closed="left"), None],
        "autoregression": [Interval(Integral, 1, None, closed="left"), None],
        "freq": [str, None],
        "past_covariates": [str, Integral, "array-like", None],
        "static_covariates": [str, Integral, "array-like", None],
        "categorical_covariates": [str, Integral, "array-like", None],
        "missing": [StrOptions({"error", "mask"})],
    }
    _reading_parameters = (
        "lookback", "n_targets", "scaling", "difference", "season_length", "autoregression",
        "past_covariates", "static_covariates", "categorical_covariates", "missing",
    )  # fmt: skip
    del _parameter_constraints["pooling"]
    del _parameter_constraints["bidirectional"]
    del _parameter_constraints["embedding_dim"]

    def __init__(
        self,
        horizon=1,
        lookback=None,
        *,
        loss="squared_error",
        quantiles=(0.05, 0.5, 0.95),
        n_targets=None,
        scaling="auto",
        difference="last",
        season_length=None,
        autoregression=None,
        freq=None,
        past_covariates=None,
        static_covariates=None,
        categorical_covariates="from_dtype",
        missing="error",
        hidden_layer_sizes=(64,),
        activation="tanh",
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        scoring="loss",
        cell="lstm",
        dropout=0.0,
        recurrent_dropout=0.0,
        max_grad_norm=1.0,
        bptt_steps=None,
        dtype="float32",
    ):
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            scoring=scoring,
            cell=cell,
            bidirectional=False,
            pooling="all",
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            max_grad_norm=max_grad_norm,
            bptt_steps=bptt_steps,
            embedding_dim=None,
            dtype=dtype,
        )
        self.horizon = horizon
        self.lookback = lookback
        self.loss = loss
        self.quantiles = quantiles
        self.n_targets = n_targets
        self.scaling = scaling
        self.difference = difference
        self.season_length = season_length
        self.autoregression = autoregression
        self.freq = freq
        self.past_covariates = past_covariates
        self.static_covariates = static_covariates
        self.categorical_covariates = categorical_covariates
        self.missing = missing

    # -- fit ---------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to series, or to histories and the values that followed them.

        Parameters
        ----------
        X : series
            One series: a 1-D array, a pandas Series, or a DataFrame with dates as its index and one
            column per feature. Several series: a panel, which is a Series or DataFrame whose index
            has two levels (series, time); a list of arrays of shape (n_timesteps,) or
            (n_timesteps, n_features), a 3-D array, or a 2-D array with one series per row. Dates
            must be in order and without gaps; later calls match columns by name.

        y : array-like of shape (n,), (n, horizon) or (n, horizon, n_targets), default=None
            Values that followed each of the n series of X. None learns from the series themselves,
            at each step the values that come next.

        sample_weight : array-like of shape (n,), default=None
            Non-negative weight of each series; a weight counts as that many repetitions.

        X_val, y_val, sample_weight_val : as X, y and sample_weight, default=None
            Validation data for `early_stopping`, which then holds out no part of X.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If the network cannot learn from the input. The message names the series, the step and a
            remedy, and the estimator is left unchanged.
        """
        validation = X_val, y_val, sample_weight_val
        self._fit(X, y, sample_weight, validation=validation, complete=True)
        if self._copula_sample is not None:
            self._learn_copula()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Continue training with one epoch over the given series.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`
            The scales remain those of the first call.

        Returns
        -------
        self : object
        """
        self._fit(X, y, sample_weight, incremental=True)
        if self._copula_sample is not None:
            self._learn_copula()
        return self

    def _read_data(
        self, X, y, sample_weight, *, reset, split_seed=None, validation=False, complete=False
    ):
        X, form = self._read_format(X, reset=reset, followed=y is not None)
        known, future = read_series(self, X, reset=reset, form=form)
        k, y_ndim = self._columns.n_targets, None
        weights = np.ones(len(known.offsets) - 1)
        if sample_weight is not None:
            weights = check_sample_weight(sample_weight, known)
        if y is not None:
            y, y_ndim = read_y(y, len(known), self.horizon, k)
        if not reset and (
            self.horizon != self._transform.horizon or self._every_step != (y is None)
        ):
            raise ValueError(
                "horizon has changed, or y has come or gone, since the network was started: start "
                "anew with fit and warm_start=False."
            )
        if not validation:
            self._every_step = y is None
        learned, held = Series(known, future, weights, y), None
        if split_seed is not None:
            learned, held = self._split(learned, split_seed)
        # Nothing is learned from what early stopping holds out, not a scale either.
        if reset:
            self._transform = learn_transform(self, learned.known, learned.weights, len(known))
            self._y_ndim = y_ndim or (3 if k > 1 else 2)
        asked = {"bptt_steps": self.bptt_steps, "dtype": self.dtype}
        self._transform, pieces = learn(
            self._transform, learned, reset=reset, complete=complete, **asked
        )
        if not validation:
            self._conformal, self._conformal_by_series = None, False  # errors of other weights
            if form is not None:
                form = ends_with(form, future)
            self._keep_histories(self._transform.kept(known), future, form)
            self._keep_sample(pieces)
        mask = None
        if held is not None:
            _, late = learn(self._transform, held, reset=False, **asked)
            mask = np.repeat([False, True], [len(pieces.series), len(late.series)])
            pieces = pieces.followed_by(late)
        rows, numbers = pieces.rows, pieces.numbers.reshape(len(pieces.numbers), -1)
        return TrainingData(
            Sequences(rows.values.astype(self.dtype), rows.offsets),
            Targets(
                None, numbers.astype(self.dtype, copy=False), pieces.weights,
                rows.offsets if self._every_step else None,
            ),
            pieces.series if self.bptt_steps and self._every_step else None,
            mask,
        )  # fmt: skip

    def _split(self, given, seed):
        """Return the series that are learned from, and those (or their ends) that are held out."""
        parts = given
        if self._every_step:
            parts = cut_ends(given, self.validation_fraction, self._columns.n_targets)
        self._piece_series = parts.series
        train, held = self._hold_out(len(parts.known), seed, parts)
        return parts.take(train), parts.take(held)

    def _hold_out(self, n, seed, parts):
        """Choose parts of series: what comes later judges what came before, in every series.

        Returns
        -------
        train, held : ndarray of int
        """
        late = parts.cuts > 0
        if self._every_step and late.any():
            return np.flatnonzero(~late), np.flatnonzero(late)
        if not self._every_step:
            late, gaps = late_windows(parts, self.validation_fraction)
            if late.sum() > 1:
                return np.flatnonzero(~(late | gaps)), np.flatnonzero(late)
        # Each series by itself is too short: whole ones are held out.
        held = hold_out(n, self.validation_fraction, seed, weights=parts.weights)
        return np.flatnonzero(~held), np.flatnonzero(held)

    def _held_data(self, X, y, sample_weight, seed):
        X, form = self._read_format(X, followed=y is not None)
        known, future = read_series(self, X, reset=False, form=form)
        if y is not None:
            y, _ = read_y(y, len(known), self._transform.horizon, self._transform.n_targets)
        _, held = self._split(Series(known, future, np.ones(len(known)), y), seed)
        histories, y = late_forecasts(held, self._transform, self._columns)
        return histories, y[:, :, 0] if y.shape[2] == 1 else y, None

    def _read_format(self, X, *, reset=False, followed=False):
        """Take series out of tables, whose dates and columns are to be those of `fit`.

        Histories of which y is given stay as they are, save for their categories.
        """
        if reset:
            self._columns = read_columns(self, X)
        X = number_categories(self._columns, X)
        if followed:
            return X, None
        rows = not reset and self.n_features_in_ != self._step_width  # of a 2-D array
        freq = self.freq if reset else None
        return read_format(X, freq=freq, fitted=None if reset else self._form, rows=rows)

    def _keep_histories(self, histories, future, form):
        """Keep what a forecast from the ends of the fitted series reads, and dates go on from."""
        self._histories = histories
        self._futures = Sequences(future.values.copy(), future.offsets)
        self._form = form

    def _keep_sample(self, pieces):
        """Keep some of what is learned from until the weights are: `_learn_copula` needs it."""
        self._copula = self._copula_sample = None
        if self.loss == "gaussian" or (self.loss == "quantile" and len(self._levels()) > 1):
            rows = pieces.rows
            asked = rows.lengths if self._every_step else np.ones(len(rows), int)
            self._copula_sample = training_sample(rows, pieces.numbers, asked)

    def _learn_copula(self):
        """Learn how errors of the steps of a block depend on each other, where paths need it."""
        if (sample := self.__dict__.get("_copula_sample")) is not None:
            self._copula = list(learn_copula(self._network(), *sample))
            self._copula_sample = None

    def _levels(self):
        levels = np.sort(np.asarray(self.quantiles, dtype=np.float64).ravel())
        if len(levels) == 0 or not ((levels > 0) & (levels < 1)).all():
            raise ValueError(f"quantiles={self.quantiles!r} must lie between 0 and 1.")
        return levels

    def _network_parameters(self, shared):
        levels = tuple(self._levels().tolist()) if self.loss == "quantile" else ()
        pooling = "all" if self._every_step else "last"
        own = {"pooling": pooling, "loss": self.loss, "quantiles": levels}
        return {**shared, **own}

    # -- use ---------------------------------------------------------------------------------

    def _read_histories(self, X, horizon, X_future=None):
        """Read what is to be forecast from; None stands for the ends of the fitted series.

        Returns
        -------
        Histories
        """
        self._check_whole()
        if X is None:
            known, future, form = self._histories, self._futures, self._form
        else:
            rows = self.n_features_in_ != self._step_width  # of a 2-D array: [x] is one of them
            X, form = (X, None) if rows else self._read_format(X)
            known, future = read_series(self, X, reset=False, form=form)
            form = ends_with(form, future)
        if horizon is not None:
            check_scalar(horizon, "horizon", Integral, min_val=1)
        if X_future is not None:
            if X is not None and len(future.values):
                raise ValueError(
                    "X ends in rows to be forecast, and X_future has some as well: pass one of "
                    "them."
                )
            future = read_future(self._columns, X_future, form, len(known), horizon)
        if horizon is None:
            asked = future.lengths
            horizons = np.where(asked > 0, asked, self._transform.horizon)
        else:
            horizons = np.full(len(known), int(horizon))
        if self._transform.n_covariates and self._reads_future:
            _check_futures(future.lengths, horizons, form)
        return Histories(known, future, horizons, form)

    def _forecast(self, given):
        """Forecast as many steps of each series as the longest horizon has.

        Returns
        -------
        details : ndarray of shape (n, horizon, n_targets, outputs per target)
            In the units of the series: points, quantiles, or mean and standard deviation; NaN
            beyond a series' own horizon.
        """
        details = forecast(self._network(), given.known, given.future, int(given.horizons.max()))
        self._check_finite(np.isfinite(details).all(axis=(1, 2, 3)))
        return beyond_is_nan(details, given.horizons)

    def _network(self, params=None):
        """Return the fitted network as pure functions take it."""
        loss, levels = self._architecture["loss"], self._architecture.get("quantiles", ())
        params = self._params if params is None else params
        return Network(self._transform, self._get_plan(), params, loss, np.array(levels))

    def _shaped(self, forecast, given, labels=None):
        """Return (n, horizon, n_targets, ...) in the form of the series: with dates, or an array.

        Arrays have no axes that y, or a lone series, had not.
        """
        form = given.form
        if form is not None and form.axis is not None and form.kind != "list":
            return form.wrap(forecast, given.horizons, labels)
        if form is not None and form.kind == "single":
            return forecast[0, :, 0] if forecast.shape[2] == 1 else forecast[0]
        if self._y_ndim == 1 and forecast.shape[1] == 1:
            return forecast[:, 0, 0]
        if forecast.shape[2] == 1:
            return forecast[:, :, 0]
        return forecast[:, 0] if self._y_ndim == 2 and forecast.shape[1] == 1 else forecast

    def predict(self, X=None, *, horizon=None, X_future=None):
        """Forecast the continuation of each series.

        Parameters
        ----------
        X : series, default=None
            As in `fit`; with covariates each series ends with rows for the future steps, whose
            targets are NaN. None forecasts from the ends of the fitted series.

        horizon : int, default=None
            Number of steps to forecast, at least 1. For more steps than the network was trained
            for, forecasts are fed back as input. None takes, for each series, the number of its
            future rows, or the parameter `horizon` of the estimator if it has none.

        X_future : rows of the steps to come, default=None
            Covariates known in advance, for exactly the steps to be forecast: a DataFrame with the
            dates that follow as its index (for a panel, series and dates), an array, or a list with
            one of these per series. Tables may also hold the other columns of X, which are ignored;
            arrays hold either the columns known in advance or all columns. `future_index` returns
            the dates.

        Returns
        -------
        ndarray of shape (n, horizon), or (n, horizon, n_targets) for several targets
            Forecasts; of shape (n,) if `fit` had such a y. If series have different numbers of
            future rows, `horizon` is the largest, and NaN fills the rest. For a single series the
            shape is (horizon,) or (horizon, n_targets); for one of pandas, a Series or DataFrame
            with the dates that follow. For a panel, a DataFrame with the index (series, time).
        """
        given = self._read_histories(X, horizon, X_future)
        points = self._forecast(given)[..., self._network().point]
        return self._shaped(points, given)

    def update(self, X):
        """Append new observations to the histories of `predict()`; the weights do not change.

        Parameters
        ----------
        X : series
            New observations of each fitted series, in the order of `fit`; series of a panel are
            matched by name, and some may be absent. Dates must continue those of `fit`;
            observations without dates are taken to follow them. Rows of future covariates replace
            earlier ones.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If dates are known already or leave a gap, or if a series or a column is unknown.
        """
        self._check_whole()
        kept = self._form
        X, form = self._read_format(X)
        before, of_panel = self._histories, None
        if kept is not None and kept.kind == "panel" and form is not None and form.kind == "panel":
            of_panel = places_of(kept, form)
            before = before.take(of_panel)
        new, future = read_series(self, X, reset=False, form=form, before=before)
        self._check_static(new, before, form)
        if of_panel is not None:
            new, future, form = in_order_of(kept, of_panel, new, future, form)
        if kept is not None and kept.axis is not None:
            check_goes_on(kept, form, new.lengths, future.lengths)
            kept = replace(kept, axis=kept.axis.moved(new.lengths))
        left = [
            ahead if len(ahead) else before[n:]
            for ahead, before, n in zip(
                future.split(), self._futures.split(), new.lengths, strict=True
            )
        ]
        pairs = zip(self._histories.split(), new.split(), strict=True)
        known = Sequences.of([np.concatenate(pair) for pair in pairs])
        self._keep_histories(self._transform.kept(known), Sequences.of(left), kept)
        return self

    def _check_static(self, new, before, form):
        """Raise for new steps with other static values than those of the history."""
        n = sum(j in self._columns.static for j, _ in self._columns.layout)
        if n == 0:
            return
        stop = len(self._columns.layout)
        for i, (values, history) in enumerate(zip(new.split(), before.split(), strict=True)):
            if (values[:, stop - n : stop] != history[-1, stop - n : stop]).any():
                name = i if form is None or form.ids is None else repr(form.ids[i])
                raise ValueError(
                    f"series {name} has other values in static_covariates than its history. They "
                    "are one value per series: fit anew, or forecast by predict(X)."
                )

    def future_index(self, horizon=None):
        """Return the dates that follow the fitted series and their updates.

        Use them to compute covariates of future steps, for example with `CalendarFeatures`.

        Parameters
        ----------
        horizon : int, default=None
            Number of steps; None takes `horizon` of the estimator.

        Returns
        -------
        DatetimeIndex, PeriodIndex, RangeIndex or MultiIndex
            For a panel, a MultiIndex (series, time).

        Raises
        ------
        ValueError
            If the fitted series had no dates.
        """
        self._check_whole()
        form = self._form
        if form is None or form.axis is None or form.kind == "list":
            raise ValueError("The fitted series had no dates, so that none follow them.")
        horizon = self._transform.horizon if horizon is None else horizon
        check_scalar(horizon, "horizon", Integral, min_val=1)
        return form.index(np.full(len(self._histories), int(horizon)))

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

    def _known_series(self, X):
        """Return the series of X, as they are read, each longer than `horizon`."""
        self._check_whole()
        X, form = self._read_format(X)
        known, _ = read_series(self, X, reset=False, form=form)
        h = self._transform.horizon
        if (short := np.flatnonzero(known.lengths <= h)).size:
            raise ValueError(f"series {short[0]} has no step before the {h} to be forecast.")
        return known.split()

    def _score_last_steps(self, X, sample_weight):
        """Return R² of the last `horizon` steps of series, of those that are known."""
        parts, transform = self._known_series(X), self._transform
        h, k, c = transform.horizon, transform.n_targets, transform.n_covariates
        given = Histories(
            Sequences.of([values[:-h] for values in parts]),
            Sequences.of([values[-h:, k : k + c] for values in parts]),
            np.full(len(parts), h),
            None,
        )
        forecast = self._forecast(given)[..., self._network().point].reshape(len(parts), -1)
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

    def _last_steps(self, X):
        """Return series up to their last `horizon` steps, as X has them, and these targets."""
        held = Series(Sequences.of(parts := self._known_series(X)), None, None, None)
        h, c = self._transform.horizon, self._transform.n_covariates
        cuts = held.known.lengths - h
        ahead = Sequences.of([values[:0, :c] for values in parts])
        held = held._replace(future=ahead, history=cuts)
        return late_forecasts(held, self._transform, self._columns)

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("_piece_series", None)  # of the training series: `fit` alone asks for it
        if state.pop("_copula_sample", None) is not None:  # after an interrupt
            self._learn_copula()
            state["_copula"] = self._copula
        return state

    @property
    def _reads_future(self):
        """Whether covariates of the steps to come were there in training."""
        return self._every_step or len(self._futures.values) > 0

    @property
    def _frame(self):
        """The transform by its old name, under which code outside the package knows it."""
        return self._transform

    @property
    def horizon_(self):
        """Number of steps forecast at once."""
        return self._transform.horizon

    @property
    def lookback_(self):
        """Number of steps read for a forecast."""
        return self._transform.lookback
