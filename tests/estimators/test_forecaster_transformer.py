"""A transformer of targets: undone in all that a forecaster gives, or refused with the reason."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

from skrnn.inspection import ForecastDisplay
from skrnn.model_selection import backtest
from tests.helpers.forecasts import quick

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` larger"),
]
LOG = FunctionTransformer(np.log, np.exp)
RISING = np.exp(0.02 * np.arange(80) + np.sin(np.arange(80) / 3))


def panel(n_series=3, n_steps=60, seed=0):
    """Positive series of different sizes, with dates."""
    walks = np.random.default_rng(seed).normal(size=(n_series, n_steps)).cumsum(axis=1)
    index = pd.MultiIndex.from_product(
        [list("abcdef")[:n_series], pd.date_range("2024-01-31", periods=n_steps, freq="ME")]
    )
    sizes = 10.0 ** np.arange(n_series)
    return pd.DataFrame({"sold": (sizes[:, np.newaxis] * np.exp(walks / 5)).ravel()}, index=index)


@pytest.mark.parametrize("scaling", ["global", "series", "auto"])
@pytest.mark.parametrize("loss", ["squared_error", "gaussian", "student_t", "quantile"])
def test_logarithms_inside_are_those_outside(loss, scaling):
    X = panel()
    inside = quick(loss=loss, scaling=scaling, transformer=LOG).fit(X)
    outside = quick(loss=loss, scaling=scaling).fit(np.log(X))
    late = panel(seed=1)
    for forecasters in (
        (inside, outside),
        (inside.calibrate(late), outside.calibrate(np.log(late))),
    ):
        for method, args in (
            ("predict", {"horizon": 15}),
            ("predict_quantiles", {"quantiles": (0.05, 0.5, 0.95)}),
            ("predict_interval", {"coverage": 0.8}),
            ("sample_paths", {"n_paths": 3, "random_state": 0}),
        ):
            if (
                method != "predict"
                and loss == "squared_error"
                and forecasters[0]._conformal is None
            ):
                continue
            found, expected = (getattr(one, method)(**args) for one in forecasters)
            assert_allclose(found, np.exp(expected), rtol=1e-12)
            assert found.index.equals(expected.index)


def test_histories_masks_updates_and_windows_go_through_it():
    X = panel()
    X.iloc[[5, 6, 70], 0] = np.nan
    inside = quick(missing="mask", transformer=LOG).fit(X)
    outside = quick(missing="mask").fit(np.log(X))
    assert_allclose(inside.predict(), np.exp(outside.predict()), rtol=1e-12)
    old = X.groupby(level=0).head(55)
    assert_allclose(inside.predict(old), np.exp(outside.predict(np.log(old))), rtol=1e-12)
    inside.fit(old).update(X.groupby(level=0).tail(5))
    outside.fit(np.log(old)).update(np.log(X.groupby(level=0).tail(5)))
    assert_allclose(inside.predict(), np.exp(outside.predict()), rtol=1e-12)
    windows = np.lib.stride_tricks.sliding_window_view(RISING, 22)
    histories, y = windows[:, :16], windows[:, 16:]
    inside, outside = quick(transformer=LOG), quick()
    inside.fit(histories, y), outside.fit(np.log(histories), np.log(y))
    assert_allclose(inside.predict(histories), np.exp(outside.predict(np.log(histories))))
    assert_allclose(inside.score(histories, y), r2_score(y, inside.predict(histories)))
    inside.fit(RISING), outside.fit(np.log(RISING))
    late = np.exp(outside.predict(np.log(RISING[:-6])))
    assert_allclose(inside.score(RISING), r2_score(RISING[-6:], late))
    options = {"early_stopping": True, "validation_fraction": 0.3}
    inside = quick(transformer=LOG, **options).fit(RISING)
    outside = quick(**options).fit(np.log(RISING))
    assert inside.validation_scores_ == outside.validation_scores_


def test_one_step_at_a_time_it_is_undone_too():
    forecaster = quick(transformer=LOG, lookback=80).fit(RISING)
    state = forecaster.initial_state(1)
    for value in RISING[:20]:
        found, state = forecaster.step([[value]], state)
    assert_allclose(found[0], forecaster.predict(RISING[:20]), rtol=1e-5)


def test_each_series_has_its_own_where_scales_are_its_own():
    X = panel()
    forecaster = quick(transformer=StandardScaler(), scaling="series").fit(X)
    assert not hasattr(forecaster, "transformer_")
    assert_allclose(forecaster.predict(), quick(scaling="series").fit(X).predict(), rtol=1e-5)
    shared = quick(transformer=PowerTransformer(), scaling="global").fit(X)
    assert_allclose(shared.transformer_.lambdas_, PowerTransformer().fit(X.to_numpy()).lambdas_)
    # What a series is forecast as does not depend on those beside it.
    own = quick(transformer=PowerTransformer("box-cox"), scaling="series").fit(X)
    assert_allclose(own.predict(X.loc[["b"]]), own.predict(X).loc[["b"]], rtol=1e-5)
    flat = X.copy()
    flat.loc["c"] = 7.0
    assert_allclose(own.fit(flat).predict().loc["c"], 7.0)


def test_errors_held_out_know_nothing_of_later_steps():
    own = quick(transformer=StandardScaler(), scaling="series").fit(panel())
    late = panel(seed=1)
    changed = late.copy()
    changed.iloc[-1] *= 50
    errors, others = (own.calibrate(X)._conformal for X in (late, changed))
    h = own.horizon_
    n = len(errors) // 3
    assert_array_equal(errors[: n * 3 - h], others[: n * 3 - h])


def test_several_targets_and_covariates_beside_them():
    X = panel()
    X["returned"], X["price"] = X["sold"] ** 2, -1.0
    forecaster = quick(n_targets=2, transformer=LOG).fit(X)
    logs = X.assign(sold=np.log(X["sold"]), returned=np.log(X["returned"]))
    outside = quick(n_targets=2).fit(logs)
    ahead = pd.DataFrame({"price": -1.0}, index=forecaster.future_index())
    found, expected = (one.predict(X_future=ahead) for one in (forecaster, outside))
    assert_allclose(found, np.exp(expected), rtol=1e-12)


def test_backtests_displays_searches_and_files_have_it():
    X = panel()
    forecaster = quick(transformer=LOG, loss="gaussian", scaling="global")
    table = backtest(forecaster, X, n_windows=2, refit=False, quantiles=[0.1, 0.9])
    assert (table["q0.1"] > 0).all() and (table["q0.1"] < table["forecast"]).all()
    forecaster.fit(X)
    display = ForecastDisplay.from_estimator(forecaster, X, coverage=0.8, series="c")
    assert_allclose(display.lines_[1].get_ydata(), forecaster.predict().loc["c", "sold"])
    assert_array_equal(pickle.loads(pickle.dumps(forecaster)).predict(), forecaster.predict())
    other = clone(forecaster).set_params(
        transformer__func=np.log1p, transformer__inverse_func=np.expm1
    )
    assert not np.allclose(other.fit(X).predict(), forecaster.predict())
    forecaster.partial_fit(X).set_params(transformer=StandardScaler())
    with pytest.raises(ValueError, match="transformer has changed since"):
        forecaster.partial_fit(X)


def clipped(y):
    """Return exp(y) - 1, not below 0."""
    return np.maximum(np.expm1(y), 0)


def test_counts_are_never_negative_with_an_inverse_that_is_clipped():
    counts = np.random.default_rng(0).poisson(0.5, (6, 60)).astype(float)
    forecaster = quick(loss="gaussian", transformer=FunctionTransformer(np.log1p, clipped))
    forecaster.fit(list(counts))
    assert forecaster.predict_interval(coverage=0.99).min() == 0
    assert forecaster.sample_paths(n_paths=20, random_state=0).min() == 0


def test_beyond_the_end_of_a_domain_there_is_its_end():
    """Box-Cox has no inverse below (-1 / lambda): there, 0 stands, not NaN."""
    y = np.abs(np.random.default_rng(0).normal(size=200)) ** 2 + 1e-3
    forecaster = quick(loss="gaussian", transformer=PowerTransformer("box-cox")).fit(y)
    assert forecaster.transformer_.lambdas_[0] > 0
    low, high = forecaster.predict_interval(coverage=0.9999).T
    assert ((low >= 0) & (low < 1e-3) & (high > 1)).all()
    falling = 1 / y  # with lambda < 0 there is no largest value, but none above some other
    forecaster.fit(falling)
    with pytest.raises(ValueError, match=r"series 0, .* whose inverse is not finite"):
        forecaster.predict_interval(coverage=0.9999)


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (FunctionTransformer(np.log1p), "does not undo its"),
        (FunctionTransformer(np.negative, np.negative), "does not increase"),
        (KBinsDiscretizer(4, encode="ordinal"), "does not undo its"),
        (KBinsDiscretizer(4), "shape"),
        (PCA(), "does not increase"),
        (Normalizer(), "inverse_transform"),
        (make_pipeline(LOG, KBinsDiscretizer(3, encode="ordinal")), "does not undo its"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_what_is_no_increasing_transformer_with_an_inverse_is_refused(transformer, message):
    X = np.column_stack([RISING, np.roll(RISING, 9)])
    with pytest.raises((ValueError, TypeError), match=message):
        quick(transformer=transformer).fit([X])


@pytest.mark.parametrize("loss", ["poisson", "negative_binomial"])
def test_losses_of_counts_refuse_one(loss):
    with pytest.raises(ValueError, match="Set transformer=None, or loss='gaussian'"):
        quick(loss=loss, transformer=LOG).fit(np.arange(40.0))


@pytest.mark.parametrize("transformer", [LOG, PowerTransformer("box-cox")])
@pytest.mark.parametrize("scaling", ["global", "series"])
def test_values_out_of_its_domain_are_named(transformer, scaling):
    X = panel()
    wrong = X.copy()
    wrong.iloc[60 + 3] = -2.0
    forecaster = quick(transformer=transformer, scaling=scaling)
    with pytest.raises(ValueError, match=r"-2.* series 'b' at step 3"):
        forecaster.fit(wrong)
    forecaster.fit(X)
    with pytest.raises(ValueError, match=r"-2.* series 'b' at step 3"):
        forecaster.predict(wrong)
    with pytest.raises(ValueError, match=r"-2.* series 'b' at step 3"):
        forecaster.calibrate(wrong)
    histories, y = np.exp(np.random.default_rng(0).normal(size=(20, 30))), np.ones((20, 6))
    y[7, 2] = -3
    with pytest.raises(ValueError, match=r"-3.* row 7 of y .step 3 ahead"):
        forecaster.fit(histories, y)


def test_quantiles_as_transformer_keep_forecasts_within_what_was_seen():
    y = RISING + np.random.default_rng(0).normal(size=80) / 10
    transformer = QuantileTransformer(n_quantiles=40, output_distribution="normal")
    forecaster = quick(transformer=transformer, loss="gaussian").fit(y)
    found = forecaster.predict_interval(coverage=0.99, horizon=20)
    assert found.min() >= y.min() and found.max() <= y.max()


def test_no_file_of_onnx_has_one(tmp_path):
    pytest.importorskip("onnx")
    from skrnn.export import to_onnx

    with pytest.raises(ValueError, match="with a transformer cannot be exported"):
        to_onnx(quick(transformer=LOG).fit(RISING))
