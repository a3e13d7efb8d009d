"""Forecasts of distributions: heavy tails, and counts at any scale, with many zeros."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtr
from scipy.stats import nbinom, poisson
from scipy.stats import t as student_t

from skrnn import LSTMForecaster
from skrnn._data.sequences import Sequences
from skrnn._forecaster.distributions import (
    COUNT_LOSSES,
    PARAMETRIC_LOSSES,
    normal_scores,
    quantile,
    values_at,
)
from skrnn._forecaster.rollout import forecast
from skrnn.inspection import ForecastDisplay
from skrnn.metrics import crps_from_samples
from skrnn.model_selection import backtest

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` larger"),
]
each_count_loss = pytest.mark.parametrize("loss", COUNT_LOSSES)


def quick(**params):
    return LSTMForecaster(**{"horizon": 4, "lookback": 16, "hidden_layer_sizes": (6,),
                             "max_iter": 2, "random_state": 0} | params)  # fmt: skip


def counts(n, length, mean=3.0, dispersion=0.5, seed=0):
    rng = np.random.default_rng(seed)
    means = mean * rng.gamma(1 / dispersion, dispersion, (n, length)) if dispersion else mean
    return list(rng.poisson(np.broadcast_to(means, (n, length))).astype(float))


# The distributions themselves


@pytest.mark.parametrize("level", [1e-300, 1e-9, 0.3, 0.5, 0.999, 1 - 2.0**-53, 1.0])
def test_quantiles_of_counts_end_whatever_a_network_puts_out(level):
    means = np.array([0.0, 1e-300, 1e-3, 0.7, 30.0, 5e4, 1e12, 1e200])
    for dispersion in (np.exp(-12), 1e-3, 1.0, 30.0, np.exp(12)):
        details = np.column_stack([means, np.full(len(means), dispersion)])
        found = quantile("negative_binomial", details, np.array([level]))[:, 0]
        assert (found == np.rint(found)).all()
        assert (np.diff(found[np.isfinite(found)]) >= 0).all()
        if dispersion < 1e4 and level < 1 - 1e-9:  # SciPy's do not end for all of them
            near, size = (means > 1e-6) & (means < 1e5), 1 / dispersion
            assert_array_equal(found[near], nbinom.ppf(level, size, size / (size + means[near])))
    found = quantile("poisson", means[:, np.newaxis], np.array([level]))[:, 0]
    if level < 1 - 1e-9:
        assert_array_equal(found[:6], np.maximum(poisson.ppf(level, means[:6]), 0))


def test_scores_are_undone_far_into_the_tails():
    details = np.array([[1.0, 2.0, -3.0], [0.0, 1.0, 5.0], [5.0, 0.1, 20.0]])
    for score in (-20.0, -3.0, 0.0, 1.0, 9.0):
        values = values_at("student_t", details, np.full(3, score))
        assert np.isfinite(values).all()
        assert_allclose(normal_scores("student_t", details, values), score, rtol=1e-9)
    levels = np.array([0.001, 0.5, 0.9])
    n = 2 + np.exp(np.minimum(details[:, 2:], 12))
    expected = student_t.ppf(levels, n, details[:, :1], details[:, 1:2])
    assert_allclose(quantile("student_t", details, levels), expected, atol=1e-12)


def test_scores_of_counts_are_the_middle_of_their_probability():
    details = np.array([[0.2, 1.0], [7.0, 0.1]])
    for loss in COUNT_LOSSES:
        zero = normal_scores(loss, details, np.zeros(2))
        below = np.exp(-details[:, 0]) if loss == "poisson" else nbinom.pmf(
            0, 1 / details[:, 1], 1 / (1 + details.prod(axis=1)))  # fmt: skip
        assert_allclose(ndtr(zero), below / 2)


# Counts


@each_count_loss
def test_forecasts_of_counts_are_counts(loss):
    # series of very different means, zeros alone, and far beyond the steps that were trained for
    X = [*counts(4, 60, 0.1), *counts(4, 60, 400.0, seed=1), np.zeros(60), np.full(60, 5.0)]
    model = quick(loss=loss, max_iter=10).fit(X)
    points = model.predict(horizon=11)
    assert (points >= 0).all()
    intervals = model.predict_interval(coverage=0.8, horizon=11)
    paths = model.sample_paths(n_paths=20, horizon=11, random_state=0)
    for found in (intervals, paths):
        assert (found >= 0).all()
        assert_array_equal(found, np.rint(found))
    assert (points[8] < 2).all()  # zeros among thousands are not forecast as thousands
    assert (points[4:8] > 50).all()
    assert intervals[4:8, :, 1].min() > 50
    same = model.sample_paths(n_paths=20, horizon=11, random_state=0)
    assert_array_equal(paths, same)


def test_a_dispersion_is_learned():
    def interval(**how):
        X = counts(30, 120, 20.0, seed=0, **how)
        model = quick(
            loss="negative_binomial", max_iter=30, learning_rate_init=0.01, n_iter_no_change=np.inf
        )
        return model.fit(X).predict_interval(coverage=0.8)

    narrow, wide = interval(dispersion=None), interval(dispersion=1.0)
    expected = (
        [poisson.ppf(q, 20) for q in (0.1, 0.9)],
        [nbinom.ppf(q, 1, 1 / 21) for q in (0.1, 0.9)],
    )
    for found, (low, high) in zip((narrow, wide), expected, strict=True):
        assert abs(np.median(found[..., 0]) - low) < 3
        assert abs(np.median(found[..., 1]) - high) < 6


@each_count_loss
@pytest.mark.parametrize("scaling", ["series", "global", "none"])
def test_a_mean_of_counts_is_right_on_average(loss, scaling):
    X = counts(40, 60, 3.0) + counts(40, 60, 30.0, seed=1)
    model = quick(
        loss=loss, scaling=scaling, max_iter=20, learning_rate_init=0.01, n_iter_no_change=np.inf
    ).fit(X)
    found = model.predict(X).mean(axis=1)
    assert_allclose([found[:40].mean(), found[40:].mean()], [3, 30], rtol=0.2)


@each_count_loss
def test_what_is_no_count_is_refused(loss):
    X = counts(3, 40)
    wrong = [x.copy() for x in X]
    wrong[1][7] = 2.5
    with pytest.raises(ValueError, match=r"series 1 at step 7 has 2.5, which is none.*Round"):
        quick(loss=loss).fit(wrong)
    with pytest.raises(ValueError, match="autoregression=None and difference=None"):
        quick(loss=loss, autoregression=3).fit(X)
    with pytest.raises(ValueError, match="autoregression=None and difference=None"):
        quick(loss=loss, difference="season", season_length=7).fit(X)
    y = np.ones((3, 4))
    y[2, 1] = -1
    with pytest.raises(ValueError, match=r"row 2 of y \(step 2 ahead\) has -1"):
        quick(loss=loss).fit(X, y)
    model = quick(loss=loss).fit(X)
    for call in (model.predict, model.sample_paths, model.update, model.score):
        with pytest.raises(ValueError, match=r"series 1 at step 7 has 2\.5"):
            call(wrong)
    one = quick(loss=loss, scaling="global").fit(X)
    with pytest.raises(ValueError, match=r"x of series 0 has 0\.5"):
        one.step([[0.5]], one.initial_state())
    table = pd.Series(wrong[1], pd.date_range("2024-01-01", periods=40))
    with pytest.raises(ValueError, match=r"series 0 at step 7 has 2.5"):
        quick(loss=loss).fit(table)


def test_counts_with_gaps_and_what_followed():
    X = counts(5, 40)
    X[2][10:14] = np.nan
    model = quick(loss="negative_binomial", missing="mask").fit(X)
    assert (model.predict_interval() >= 0).all()
    histories = counts(6, 20)
    model = quick(loss="poisson").fit(histories, np.stack(counts(6, 4, seed=1)))
    assert model.predict(histories).shape == (6, 4)
    assert_array_equal(np.rint(paths := model.sample_paths(histories, 3)), paths)


@each_count_loss
def test_calibrated_counts_are_counts(loss):
    X = counts(10, 60, 2.0)
    model = quick(loss=loss).fit(X).calibrate(counts(30, 60, 2.0, seed=1))
    intervals, paths = model.predict_interval(coverage=0.8), model.sample_paths(n_paths=9)
    for found in (intervals, paths):
        assert (found >= 0).all()
        assert_array_equal(found, np.rint(found))


@each_count_loss
def test_counts_step_by_step(loss):
    X = counts(3, 40)
    model = quick(loss=loss, scaling="global", lookback=40).fit(X)
    state = model.initial_state(3)
    for t in range(12):
        output, state = model.step([[x[t]] for x in X], state)
        assert_allclose(output, model.predict([x[: t + 1] for x in X]), rtol=1e-4)


# All of them


@pytest.mark.parametrize("loss", PARAMETRIC_LOSSES)
@pytest.mark.parametrize("scaling", ["series", "global"])
def test_distributions_after_what_is_fed_back(loss, scaling):
    # What the compiled loop puts out for the second block, points having been fed back: as when
    # these points are read.
    X = counts(3, 80, 30.0)
    model = quick(lookback=60, loss=loss, scaling=scaling).fit(X)
    nothing = Sequences(np.empty((0, 0)), np.zeros(2, np.int64))
    known = X[0][:25, np.newaxis]
    network = model._network()
    if scaling == "series":  # scales of the longer history would be others
        center, scale = network.transform.scales(known)
        fixed = network.transform.__class__(**{
            **vars(network.transform), "own_scale": False,
            "center": center[0], "scale": scale[0],
        })  # fmt: skip
        network = network._replace(transform=fixed)
    longer = forecast(network, Sequences.of([known]), nothing, 8)
    points = longer[0, :4, :, network.point]
    again = forecast(network, Sequences.of([np.concatenate([known, points])]), nothing, 4)
    assert_allclose(longer[:, 4:], again, rtol=2e-4)
    if scaling == "series":
        assert_allclose(longer, forecast(model._network(), Sequences.of([known]), nothing, 8))


@pytest.mark.parametrize("loss", PARAMETRIC_LOSSES)
def test_paths_have_the_quantiles_of_the_distribution(loss):
    X = counts(8, 80, 30.0)
    model = quick(loss=loss).fit(X)
    levels = [0.1, 0.5, 0.9]
    found = model.predict_quantiles(X[:3], levels)
    paths = model.sample_paths(X[:3], 4000, random_state=0)
    sampled = np.moveaxis(np.quantile(paths, levels, axis=1), 0, -1)
    spread = (found[..., 2] - found[..., 0])[..., np.newaxis]
    assert (np.abs(sampled - found) < 0.08 * spread + 1).all()


def test_heavy_tails():
    # An outlier neither widens every interval nor moves the forecasts, as it does a normal one.
    rng = np.random.default_rng(0)
    X = list(rng.standard_t(2.2, (20, 150)))
    how = {"difference": None, "max_iter": 40, "learning_rate_init": 0.01,
           "n_iter_no_change": np.inf}  # fmt: skip
    model = quick(loss="student_t", **how).fit(X)
    low, high = np.median(model.predict_interval(X, 0.9), axis=(0, 1))
    expected = student_t.ppf(0.95, 2.2)
    assert abs(high - expected) < 0.6
    assert abs(low + expected) < 0.6
    details = model._forecast(model._read_histories(X, None))
    assert np.median(2 + np.exp(details[..., 2])) < 5
    assert model.loss_ < quick(loss="gaussian", **how).fit(X).loss_


@pytest.mark.parametrize("loss", ["student_t", "negative_binomial"])
def test_scores_display_and_backtest_take_them(loss):
    index = pd.date_range("2024-01-01", periods=80)
    table = pd.DataFrame(dict(zip("abc", counts(3, 80, 9.0), strict=True)), index)
    panel = table.stack().swaplevel().sort_index()
    model = quick(loss=loss).fit(panel)
    found = backtest(model, panel, horizon=6, n_windows=2, refit=False, quantiles=[0.1, 0.9])
    assert found["q0.1"].le(found["q0.9"]).all()
    assert found.notna().all(axis=None)
    paths = model.sample_paths(n_paths=50, random_state=0)
    truth = pd.Series(np.arange(len(paths), dtype=float), paths.index)
    assert crps_from_samples(truth, paths) > 0
    display = ForecastDisplay.from_estimator(model, panel, coverage=0.8)
    assert np.isfinite(np.asarray(display.interval, dtype=float)).all()
