"""LSTMForecaster: forecast the next values of series, which may share one network.

Here: parameters, `fit` and `predict`. What `fit` reads is in training_data.py; what forecasts are
made from, and `update`, in histories.py; `score` in scoring.py.
"""

from numbers import Integral

import numpy as np
from sklearn.base import RegressorMixin

from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._base.sklearn_api import HasMethods, Interval, StrOptions, _fit_context
from skrnn._forecaster.distributions import FORECAST_LOSSES
from skrnn._forecaster.histories import HistoriesMixin
from skrnn._forecaster.intervals import IntervalsMixin
from skrnn._forecaster.scoring import ScoringMixin
from skrnn._forecaster.state import FORECASTER_ALLOWED, FORECASTER_CHECKS, FORECASTER_CLASSES
from skrnn._forecaster.streaming import SeriesStreamingMixin
from skrnn._forecaster.training_data import TrainingDataMixin


class LSTMForecaster(  # type: ignore[misc]  # its `_read_data` takes no vocabulary
    HistoriesMixin, IntervalsMixin, ScoringMixin, SeriesStreamingMixin, TrainingDataMixin,
    RegressorMixin, BaseRecurrentNetwork,
):  # fmt: skip
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

    loss : {'squared_error', 'absolute_error', 'quantile', 'gaussian', 'student_t', 'poisson', \
            'negative_binomial'}, default='squared_error'
        Loss function. It decides what is forecast: the mean; the median; the `quantiles` (pinball
        loss [7]_); or a distribution, by maximum likelihood. 'gaussian' is a normal distribution;
        'student_t' has heavier tails, as heavy as the data, and outliers move it less. 'poisson'
        and 'negative_binomial' are for counts (0, 1, 2, ...): the variance of the one is its mean,
        that of the other is larger by as much as the data say [10]_. `predict` returns the mean of
        a distribution, which is never negative for counts. Counts are not differenced, whatever
        `difference` is: they are divided by 1 + their mean, over all series or by series as
        `scaling` says, and read as multiples of it.

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

    transformer : transformer of scikit-learn or None, default=None
        Transformer of the targets with an `inverse_transform`, applied before all else and undone
        in all forecasts, for example ``FunctionTransformer(np.log1p, np.expm1)`` or
        ``PowerTransformer()`` (Box-Cox [11]_ and Yeo-Johnson). It must increase with each target by
        itself, so that quantiles, intervals and sample paths are exactly those of the targets. As
        with `scaling`, a clone is fitted to all training series, or with scales of each series'
        own to the given history of each series; `sample_weight` leaves out series of weight 0. The
        loss, differences and errors of `calibrate` are in transformed units, so `predict` returns
        the inverse of their mean: the median of a symmetric distribution, which is less than the
        mean after a logarithm. For a mean, average `sample_paths`. Losses of counts take none.

    hidden_layer_sizes : int or array-like of int, default=(64,)
        Number of hidden units of each layer; several numbers stack layers.

    activation : {'tanh', 'relu', 'logistic'}, default='tanh'
        Activation function of the 'rnn' cell; 'lstm' and 'gru' have fixed ones.

    solver : {'adam', 'sgd'}, default='adam'
        Optimizer: Adam [1]_, or stochastic gradient descent with momentum.

    alpha : float, default=0.0001
        Strength of the L2 penalty on the weight matrices. It is divided by the weight of all data
        (the number of sequences, or of labeled steps) when added to the mean loss, as in
        scikit-learn's linear models: the more data, the less it counts.

    batch_size : int or 'auto', default='auto'
        Number of sequences per mini-batch; 'auto' is `min(32, n_sequences)`.

    learning_rate : {'constant', 'linear', 'invscaling', 'adaptive'}, default='constant'
        Schedule of the step size. 'constant' keeps it; 'linear' decreases it linearly to zero over
        `max_iter` epochs, which takes the noise out of the last weights. With `solver='sgd'`,
        'invscaling' divides the initial step size by `(sequences seen + 1) ** power_t`, and
        'adaptive' divides the step size by 5 each time the loss stalls.

    learning_rate_init : float, default=0.001
        Initial step size.

    power_t : float, default=0.5
        Exponent of the 'invscaling' schedule.

    max_iter : int, default=200
        Maximum number of epochs.

    shuffle : bool, default=True
        Draw a new order of the sequences for each epoch.

    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, the order of the sequences, dropout and the validation part.
        With an int, the fit is the same to the last bit for any number of threads.

    tol : float, default=1e-4
        Smallest change of the loss (or of the validation score) that counts as improvement.

    verbose : bool, default=False
        Print one line per epoch.

    warm_start : bool, default=False
        Continue from the weights and the optimizer state of the previous `fit`. The vocabulary, the
        classes and the scale of the targets stay; improvement is judged by the data of this `fit`.

    momentum : float, default=0.9
        Momentum of 'sgd', between 0 and 1.

    nesterovs_momentum : bool, default=True
        Use Nesterov's form of momentum.

    early_stopping : bool, default=False
        Hold out `validation_fraction` of the sequences (stratified where each has one label; the
        ends of a forecaster's series and of a single text), from which nothing is learned, or watch
        the validation data that `fit` is given. Stop when `scoring` has not improved by `tol` for
        `n_iter_no_change` epochs; the best weights are kept. Without it the training loss decides,
        and the last weights are kept.

    validation_fraction : float, default=0.1
        Fraction of the sequences held out for `early_stopping`.

    beta_1, beta_2 : float, default=0.9, 0.999
        Decay rates of Adam's first and second moments.

    epsilon : float, default=1e-8
        Term added to Adam's denominator, which keeps it from zero.

    n_iter_no_change : int, np.inf or 'auto', default=10
        Number of epochs without improvement after which training stops; `np.inf` never stops it.
        'auto' is 10, but `np.inf` for `learning_rate='linear'` without `early_stopping`: this
        schedule ends by itself, and a loss that stalls at a large step size may fall again at a
        small one.

    scoring : str, callable or None, default='loss'
        What `early_stopping` watches: the loss of the held-out part; the estimator's own `score`
        (None); the name of a scorer of scikit-learn; or a callable `scorer(estimator, X, y)`. Of
        epochs with equal scores the one with the lowest loss is kept.

    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Long short-term memory [2]_, gated recurrent unit [3]_ with the reset gate applied after
        the matrix product (as PyTorch and cuDNN do), or the simple recurrence
        `h_t = f(W_hh h_{t-1} + W_hx x_t + b)` [4]_.

    dropout : float, default=0.0
        Fraction of the values dropped between layers and before the output layer, in training.

    recurrent_dropout : float, default=0.0
        Fraction of the hidden units dropped where they enter the recurrent product; one mask per
        sequence for all its steps [5]_.

    max_grad_norm : float or None, default=1.0
        Maximum global norm of the gradient of a batch, to which a longer one is scaled down [6]_;
        None does not clip.

    bptt_steps : int or None, default=None
        Number of steps of truncated back-propagation through time: the hidden state is carried on,
        but gradients go back through chunks of this many steps only, counted from where a direction
        ends. None goes back to the start. Networks of one direction (without a CRF), and one layer
        in two directions below a pooling (other than 'attention'), then need memory for a chunk,
        not for the longest sequence.

    dtype : {'float32', 'float64'}, default='float32'
        Precision of weights and computation.

    Attributes
    ----------
    horizon_, lookback_ : int
        Number of steps forecast at once, and number of steps read for a forecast.

    transformer_ : transformer of scikit-learn
        Fitted `transformer`; defined only where there is one that all series share.

    n_features_in_ : int
        Number of features per step; for 2-D input (one series per row) its number of columns, as
        scikit-learn counts; for tokens the number of token columns (1 for `str`).

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names; defined only when X has column names that are all strings.

    vocabulary_ : dict
        Row of each token in the (first) embedding; for `str` input only. Tokens that occur only in
        sequences held out by early stopping are not in it.

    weights_ : dict of ndarray
        Weights under the names of PyTorch and in its layout.

    n_iter_ : int
        Number of epochs run by the last `fit`.

    t_ : int
        Number of sequences seen in training.

    loss_ : float
        Loss of the last epoch: the weighted mean over sequences (or steps), and the penalty.

    best_loss_ : float or None
        Lowest loss of any epoch; None with `early_stopping`.

    loss_curve_ : list of float
        Loss of each epoch.

    gradient_norm_ : float
        Mean global norm of the gradients of the last epoch, before clipping.

    validation_scores_ : list of float or None
        Score of the held-out part after each epoch: with `scoring='loss'` its negative loss. None
        without `early_stopping`. Warm starts append to it. NaN for an epoch that an interrupt has
        left without a score.

    best_validation_score_ : float or None
        Score of the weights that the last `fit` has kept; None without `early_stopping`.

    best_epoch_ : int or None
        Epoch of these weights, counted from 1 in `loss_curve_`; None without `early_stopping`.

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
    .. [1] Kingma and Ba (2015). Adam: a method for stochastic optimization.
    .. [2] Hochreiter and Schmidhuber (1997). Long short-term memory.
    .. [3] Cho et al. (2014). Learning phrase representations using RNN encoder-decoder.
    .. [4] Elman (1990). Finding structure in time.
    .. [5] Gal and Ghahramani (2016). A theoretically grounded application of dropout in
       recurrent neural networks.
    .. [6] Pascanu, Mikolov and Bengio (2013). On the difficulty of training recurrent neural
       networks.
    .. [7] Koenker and Bassett (1978). Regression quantiles.
    .. [8] Lai et al. (2018). Modeling long- and short-term temporal patterns with deep neural
       networks.
    .. [10] Salinas et al. (2020). DeepAR: probabilistic forecasting with autoregressive recurrent
       networks.
    .. [11] Box and Cox (1964). An analysis of transformations.

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
        "loss": [StrOptions(set(FORECAST_LOSSES))],
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
        "transformer": [HasMethods(["fit", "transform", "inverse_transform"]), None],
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
        transformer=None,
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
        self.transformer = transformer

    # -- fit ---------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
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

    @_fit_context(prefer_skip_nested_validation=False)
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
        return self._shaped(self._points(given), given)

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("_piece_series", None)  # of the training series: `fit` alone asks for it
        if state.pop("_copula_sample", None) is not None:  # after an interrupt
            self._learn_copula()
            state["_copula"] = self._copula
        return state

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
