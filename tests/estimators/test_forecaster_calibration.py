"""Calibrated distributions, and levels that follow errors that change with time."""

import pickle

import numpy as np
import pytest
from forecasts import WAVE, covered, quick, walks
from numpy.testing import assert_allclose, assert_array_equal

from skrnn._forecaster.adaptation import LEAST_KNOWN, Adaptation, adaptation
from skrnn._forecaster.quantile_function import scores_between
from skrnn._forecaster.sampling import values_between

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` larger"),
]


# Distributions, calibrated


@pytest.mark.parametrize("horizon", [6, 12])
@pytest.mark.parametrize("loss", ["gaussian", "quantile"])
def test_calibration_mends_a_distribution_that_is_too_narrow(loss, horizon):
    # Trained on walks of steady steps; the steps of those to come are three times as large.
    params = {"scaling": "global", "quantiles": (0.1, 0.5, 0.9), "max_iter": 10}
    model = quick(loss=loss, **params).fit(walks(30, 120))
    wide = [3 * x for x in walks(500, 80, seed=1)]
    histories, truth = (
        [x[: 80 - horizon] for x in wide],
        np.array([x[80 - horizon :] for x in wide]),
    )
    narrow = model.predict_interval(histories, coverage=0.8, horizon=horizon, n_paths=200)
    assert covered(truth, narrow).max() < 0.5
    model.calibrate([3 * x for x in walks(300, 80, seed=2)], horizon=horizon)
    mended = model.predict_interval(histories, coverage=0.8, horizon=horizon, n_paths=200)
    assert (np.abs(covered(truth, mended) - 0.8) < 0.06).all()
    paths = model.sample_paths(histories[:50], 200, horizon=horizon, random_state=0)
    found = np.moveaxis(np.quantile(paths, [0.1, 0.9], axis=1), 0, -1)
    sizes = np.diff(found, axis=-1).mean(axis=0) / np.diff(mended[:50], axis=-1).mean(axis=0)
    assert (np.abs(sizes - 1) < 0.15).all()
    with pytest.raises(ValueError, match=rf"calibrate\(X, horizon={horizon + 1}\)"):
        model.predict_interval(histories, horizon=horizon + 1)


def test_a_calibrated_network_of_quantiles_has_all_levels():
    model = quick(loss="quantile", quantiles=(0.25, 0.75)).fit(WAVE[:200])
    with pytest.raises(ValueError, match="call calibrate"):
        model.predict_quantiles(quantiles=[0.5])
    found = model.calibrate(WAVE[180:]).predict_quantiles(quantiles=[0.1, 0.5, 0.9])
    assert found.shape == (6, 3)
    assert (np.diff(found, axis=-1) >= 0).all()
    one = quick(loss="quantile", quantiles=(0.5,)).fit(WAVE[:200])
    with pytest.raises(ValueError, match="calibrate needs a distribution"):
        one.calibrate(WAVE[180:])


@pytest.mark.parametrize("loss", ["gaussian", "quantile"])
def test_errors_are_measured_on_as_many_paths_as_they_are_used_on(loss):
    # Where many truths are one value, their places move with the noise of few paths.
    rng = np.random.default_rng(0)
    level = np.exp(rng.uniform(np.log(2), np.log(40), size=(1000, 1)))
    x = rng.poisson(level, size=(1000, 52)) * (rng.random((1000, 52)) > 0.3).astype(float)
    params = {"max_iter": 30, "learning_rate_init": 0.01, "difference": None, "scaling": "global"}
    model = quick(loss=loss, quantiles=(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95), **params)
    model.fit(list(x[:200])).calibrate(list(x), horizon=18, n_steps=18)
    # Among the very series that were measured, as many as asked for lie within.
    found = model.predict_interval(list(x[:, :-18]), 0.8, horizon=18)
    assert np.abs(covered(x[:, -18:], found) - 0.8).max() < 0.025
    few = model.predict_interval(list(x[:3, :-18]), 0.8, horizon=18, n_paths=2)
    assert_array_equal(few, found[:3])
    # Of a small sample, too, the values have the spread of the calibrated distribution.
    paths = model.sample_paths(list(x[:, :-18]), 5, horizon=18, random_state=0)
    inside = (paths >= found[:, np.newaxis, :, 0]) & (paths <= found[:, np.newaxis, :, 1])
    assert np.abs(inside.mean(axis=(0, 1)) - 0.8).max() < 0.05


def test_scores_and_values_are_inverse():
    quantiles, known = np.array([1.0, 2.0, 2.0, 2.0, 5.0]), np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    values = np.array([-1.0, 1.0, 1.5, 3.0, 5.0, 8.0])
    scores = scores_between(quantiles, known, values)
    assert_allclose(scores, [-4, -2, -1.5, 4 / 3, 2, 3])
    assert_allclose(values_between(quantiles, known, scores), values)
    # Where several quantiles are one value, as of counts, its score is in their middle.
    assert_allclose(scores_between(quantiles, known, np.array([2.0, np.nan])), [0, np.nan])
    flat = scores_between(np.full(5, 3.0), known, np.array([2.0, 3.0, 4.0]))
    assert_allclose(flat, [-10, 0, 10])


# Levels that follow


@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_levels_follow_errors_that_grow(rate):
    # Noise whose size grows by 1 every 200 steps: the errors of the past are too small.
    rng = np.random.default_rng(0)
    x = rng.normal(size=3000) * (1 + np.arange(3000) / 200)
    model = quick(horizon=2, difference=None, max_iter=1).fit(x[:100])
    inside = []
    for now in range(1500, 2900, 100):
        model.calibrate(x[83:now], horizon=3, adaptation_rate=rate)
        histories = [x[at - 17 : at] for at in range(now, now + 98)]
        truth = np.array([x[at : at + 3] for at in range(now, now + 98)])
        inside.append(covered(truth, model.predict_interval(histories, 0.8, horizon=3)))
    found = np.mean(inside, axis=0)
    assert (np.abs(found - 0.8) < 0.03).all() if rate else (found < 0.7).all(), found


def test_no_level_is_adapted_before_its_truth_is_known():
    # One step ahead, errors in order: ranks are among errors whose truth came before.
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(60, 2, 1))
    found = adaptation(0.1, errors, np.arange(60) - 60, np.zeros(60, int))
    for j in range(2):
        known = 30 - j  # at the origin at time 30, j + 1 steps ahead
        base = LEAST_KNOWN
        while (after := max(base + 1, int(np.ceil(1.1 * base)))) <= known:
            base = after
        rank = (errors[:base, j, 0] <= errors[30, j, 0]).sum() / (base + 1)
        assert_allclose(found.ranks[30, 0, j, 0], rank)
        assert np.isnan(found.ranks[: LEAST_KNOWN + j, 0, j]).all()
    # By hand, of the last of two series whose ranks are known.
    ranks = np.full((3, 2, 1, 1), np.nan)
    ranks[0, :, 0, 0], ranks[1, 0, 0, 0] = (0.2, 0.9), 0.95
    level = 0.9 + 0.1 * (0.9 - 1) + 0.1 * 0.9  # both at or below 0.9; then one above 0.89
    assert_allclose(Adaptation(0.1, ranks).levels(np.array([0.9]))[0, 0], [level])


def test_an_adapted_calibration_is_kept_in_a_file():
    model = quick().fit(WAVE[:200]).calibrate(WAVE[180:], horizon=9, adaptation_rate=0.02)
    saved = pickle.loads(pickle.dumps(model))
    assert_array_equal(saved.predict_interval(horizon=9), model.predict_interval(horizon=9))
    plain = quick().fit(WAVE[:200]).calibrate(WAVE[180:], horizon=9)
    assert (plain.predict_interval(horizon=9) != model.predict_interval(horizon=9)).any()
    assert model.calibrate(WAVE[180:])._adaptation is None
