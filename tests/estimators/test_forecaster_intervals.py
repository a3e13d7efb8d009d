"""Forecasts of every horizon, and what intervals promise: levels, widths, calibration, paths."""

import pickle

import numpy as np
import pytest
from forecasts import WAVE, covered, quick, walks
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from skrnn._forecaster import rollout, sampling
from skrnn._forecaster.sampling import Copula, _values_at, learn_copula

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` larger"),
]


# Every horizon


@pytest.mark.parametrize("loss", ["squared_error", "quantile", "gaussian"])
@pytest.mark.parametrize("horizon", [1, 5, 6, 7, 13])
def test_every_horizon_begins_alike(loss, horizon):
    model = quick(loss=loss).fit(WAVE[:200])
    if loss == "squared_error":
        model.calibrate(WAVE[180:], horizon=14)
    assert_allclose(model.predict(horizon=horizon), model.predict(horizon=14)[:horizon])
    found = model.predict_interval(horizon=horizon)
    assert found.shape == (horizon, 2)
    assert_allclose(found[:6], model.predict_interval(horizon=14)[: min(horizon, 6)])
    with pytest.raises(ValueError, match="horizon == 0, must be >= 1"):
        model.predict(horizon=0)


def test_each_series_has_a_horizon_of_its_own():
    X = np.column_stack([WAVE, np.cos(np.arange(320) / 7)])
    model = quick(n_targets=1, loss="gaussian").fit([X])
    series = [X[:40].copy(), X[50:80].copy(), X[60:100].copy()]
    for part, n in zip(series, (3, 8, 0), strict=True):
        part[len(part) - n :, 0] = np.nan
    with pytest.raises(ValueError, match=r"series 2 ends in 0 step\(s\) of future covariates"):
        model.predict(series)
    together, alone = model.predict(series[:2]), [model.predict([part])[0] for part in series[:2]]
    assert together.shape == (2, 8)
    assert_allclose(together[0, :3], alone[0], rtol=1e-6)
    assert_allclose(together[1], alone[1], rtol=1e-6)
    for found in (together, model.predict_interval(series[:2])[..., 0],
                  model.sample_paths(series[:2], 2)[:, 0]):  # fmt: skip
        assert np.isnan(found[0, 3:]).all()
        assert np.isfinite(found[0, :3]).all()
        assert np.isfinite(found[1]).all()


def test_blocks_of_series_change_nothing(monkeypatch):
    X = walks(9, 40)
    model = quick(loss="gaussian").fit(X)
    found = model.predict(horizon=13), model.sample_paths(n_paths=3, horizon=13, random_state=1)
    monkeypatch.setattr(rollout, "FORECAST_NUMBERS", 70)
    monkeypatch.setattr(sampling, "PATH_NUMBERS", 200)
    assert_allclose(model.predict(horizon=13), found[0], rtol=1e-5)
    assert_allclose(
        model.sample_paths(n_paths=3, horizon=13, random_state=1), found[1], rtol=1e-4, atol=1e-4
    )


def test_steps_ahead_without_a_target_are_refused():
    short = [np.arange(5.0), np.arange(6.0)]
    with pytest.raises(ValueError, match=r"6 steps ahead.*3 of its steps.*Set horizon=5"):
        quick(horizon=8).fit(short)
    quick(horizon=5).fit(short)
    quick(horizon=8).partial_fit(short)  # its next part may have them


# Constant series


def test_a_constant_series_among_large_ones():
    still = [np.zeros(80), np.full(80, 7.0)]
    model = quick(loss="gaussian", max_iter=10).fit([1e5 * x for x in walks(6, 80)] + still)
    assert_array_equal(model.predict(horizon=13)[-2:], [[0.0] * 13, [7.0] * 13])
    paths = model.sample_paths(n_paths=2, horizon=13)[-2:]
    assert_allclose(paths, np.full((2, 2, 13), [[[0]], [[7]]]), rtol=1e-9)
    # where training has no such series, what comes is centered on it, and open
    model = quick(loss="gaussian").fit(walks(6, 80))
    low, high = model.predict_interval(still[1]).T
    assert_allclose(model.predict(still[1]), 7.0)
    assert (low < 7).all()
    assert (high > 7).all()


def test_rare_events_are_forecast_by_the_network():
    sales = (np.random.default_rng(0).random((40, 90)) < 0.05).astype(float)
    model = quick(max_iter=5).fit(list(sales))
    assert (model.predict(np.zeros(30)) != 0).all()


# Levels


@pytest.mark.parametrize("loss", ["quantile", "gaussian"])
def test_levels_keep_their_order(loss):
    model = quick(loss=loss).fit(WAVE)
    up, down = (
        model.predict_quantiles(quantiles=q, horizon=9) for q in ([0.05, 0.95], [0.95, 0.05])
    )
    assert_array_equal(up, down[:, ::-1])
    assert (up[:, 0] < up[:, 1]).all()


@pytest.mark.parametrize("coverage", [0, 1, 90, -0.1, np.nan, "0.9"])
def test_coverage_that_is_none(coverage):
    model = quick(loss="gaussian").fit(WAVE)
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        model.predict_interval(coverage=coverage)
    with pytest.raises(ValueError, match=r"got 95. Write 0.95 for 95 %"):
        model.predict_quantiles(quantiles=[0.5, 95])


# Errors held out


def test_errors_are_measured_as_far_ahead_as_asked():
    walk = walks(1, 1500, seed=4)[0]  # its errors grow with the square root of the steps
    model = quick(horizon=2).fit(walk[:500]).calibrate(walk[460:1000])
    with pytest.raises(
        ValueError, match=r"up to 2 step\(s\) ahead, but 20.*calibrate\(X, horizon=20\)"
    ):
        model.predict_interval(walk[1000:], horizon=20)
    low, high = model.calibrate(walk[460:1000], horizon=20).predict_interval(horizon=20).T
    assert (high - low)[19] > 2 * (high - low)[1]
    X = np.column_stack([walk, np.arange(1500) % 3])
    model = quick(horizon=4, n_targets=1).fit([X[:500]]).calibrate([X[460:800]], horizon=6)
    assert model._conformal.shape == (340 - 17 - 8 + 1, 6, 1)


@pytest.mark.parametrize("scaling", ["series", "global"])
def test_each_series_has_the_width_of_its_scale(scaling):
    panel = [scale * x for scale, x in zip([1.0, 1e3] * 20, walks(40, 260), strict=True)]
    model = quick(scaling=scaling, max_iter=5).fit([x[:120] for x in panel])
    model.calibrate([x[100:200] for x in panel], horizon=6)
    intervals = np.stack([
        model.predict_interval([x[:stop] for x in panel], coverage=0.8)
        for stop in range(200, 250, 7)
    ])  # fmt: skip
    width = np.diff(intervals, axis=-1)[:, :, 0, 0].mean(axis=0)
    assert 300 < width[1::2].mean() / width[::2].mean() < 3000
    truth = np.stack([[x[stop : stop + 6] for x in panel] for stop in range(200, 250, 7)])
    for group in (slice(0, None, 2), slice(1, None, 2)):
        inside = covered(truth[:, group].reshape(-1, 6), intervals[:, group].reshape(-1, 6, 2))
        assert (np.abs(inside - 0.8) < 0.1).all()


@pytest.mark.parametrize(("coverage", "needed"), [(0.8, 9), (0.9, 19), (0.99, 199)])
def test_as_many_errors_as_a_level_needs(coverage, needed):
    model = quick(horizon=1).fit(WAVE)
    for n, enough in ((needed, True), (needed - 1, False)):
        model.calibrate(WAVE[: 17 + n])
        assert len(model._conformal) == n
        if enough:
            interval = model.predict_interval(coverage=coverage) - model.predict()[:, np.newaxis]
            assert_allclose(interval[0], np.sort(model._conformal[:, 0, 0])[[0, -1]])
        else:
            with pytest.raises(ValueError, match=f"needs at least {needed} errors.* found {n}"):
                model.predict_interval(coverage=coverage)


@pytest.mark.parametrize("again", ["partial_fit", "fit", "warm"])
def test_a_calibration_ends_with_its_weights(again):
    model = quick(warm_start=again == "warm").fit(WAVE).calibrate(WAVE)
    model.predict_interval()
    getattr(model, again.replace("warm", "fit"))(WAVE)
    with pytest.raises(ValueError, match="call calibrate"):
        model.predict_interval()


# Paths


@pytest.mark.parametrize("loss", ["gaussian", "quantile"])
def test_intervals_of_a_walk_grow_beyond_the_trained_horizon(loss):
    model = quick(horizon=4, loss=loss, quantiles=(0.1, 0.5, 0.9), max_iter=25,
                  learning_rate_init=0.01).fit(walks(30, 200))  # fmt: skip
    test = walks(400, 76, seed=1)
    interval = model.predict_interval([x[:60] for x in test], coverage=0.8, horizon=12)
    inside = covered(np.array([x[60:72] for x in test]), interval)
    assert (np.abs(inside - 0.8) < 0.08).all(), inside.round(2)


def test_paths_have_the_differences_of_a_walk():
    # Steps of a block that were independent of each other would differ by far more.
    model = quick(loss="gaussian", max_iter=25, learning_rate_init=0.01).fit(walks(30, 200))
    paths = model.sample_paths(walks(20, 60, seed=1), 200, horizon=12, random_state=0)
    assert paths.shape == (20, 200, 12)
    steps = np.diff(paths, axis=-1).std(axis=(0, 1))
    assert (np.abs(steps - 1) < 0.2).all(), steps.round(2)


def test_paths_are_reproducible_and_belong_to_their_series():
    model, X = quick(loss="gaussian").fit(WAVE), [WAVE[:50], WAVE[:70], WAVE[9:59]]
    paths = model.sample_paths(X, 5, horizon=8, random_state=3)
    assert_array_equal(paths, model.sample_paths(X, 5, horizon=8, random_state=3))
    assert not np.array_equal(paths, model.sample_paths(X, 5, horizon=8, random_state=4))
    assert_allclose(paths[:1], model.sample_paths(X[:1], 5, horizon=8, random_state=3), rtol=1e-5)
    saved = pickle.loads(pickle.dumps(model))
    assert_array_equal(paths, saved.sample_paths(X, 5, horizon=8, random_state=3))


def test_paths_of_point_forecasts_are_those_of_calibrated_errors():
    model = quick(horizon=3).fit(WAVE[:200])
    with pytest.raises(ValueError, match="call calibrate"):
        model.sample_paths()
    paths = model.calibrate(WAVE[180:]).sample_paths(n_paths=50, random_state=0)
    errors = paths - model.predict()
    assert paths.shape == (50, 3)
    distances = np.abs(errors[:, np.newaxis] - model._conformal[..., 0]).max(axis=-1)
    assert distances.min(axis=1).max() < 1e-9  # whole origins: the steps belong together


def test_one_quantile_is_no_distribution():
    model = quick(loss="quantile", quantiles=(0.5,)).fit(WAVE)
    assert model.predict_quantiles().shape == (6, 1)
    with pytest.raises(ValueError, match=r"knows the quantile 0\.5 alone"):
        model.predict_quantiles(horizon=7)


def test_an_interrupt_leaves_a_forecaster_that_samples(monkeypatch):
    model = quick(loss="gaussian")
    monkeypatch.setattr(
        "skrnn._forecaster.intervals.learn_copula",
        lambda *_: (_ for _ in ()).throw(KeyboardInterrupt),
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(WAVE)
    monkeypatch.undo()
    saved = pickle.loads(pickle.dumps(model))
    assert_array_equal(
        saved.sample_paths(horizon=9, random_state=0), model.sample_paths(horizon=9, random_state=0)
    )


# The parts


def test_a_copula_of_a_known_process():
    # Errors of an AR(1) process with a coefficient of 0.8, seen by a network that puts out zeros.
    rng = np.random.default_rng(0)
    errors = np.zeros((20_000, 5, 1))
    for j in range(5):
        errors[:, j] = 0.8 * errors[:, max(j - 1, 0)] * (j > 0) + rng.normal(size=(20_000, 1))

    class Zeros:
        loss = "gaussian"

        def outputs(self, rows):
            return np.zeros((len(errors), 5, 1, 2))

    copula = learn_copula(Zeros(), None, errors)
    joint = copula.join(rng.standard_normal((50_000, 5, 1)))[..., 0]
    assert_allclose(joint.std(axis=0), 1, atol=0.02)
    assert_allclose(np.corrcoef(joint.T), np.corrcoef(errors[..., 0].T), atol=0.02)
    assert_allclose(copula.weights[2, 1:], 0, atol=0.03)
    free = Copula(np.zeros((5, 3, 1)), np.ones((5, 1)))
    assert_array_equal(free.join(errors), errors)


def test_the_inverse_distribution_between_quantiles():
    class Normal:
        loss, levels = "quantile", np.array([0.1, 0.4, 0.8])

    scores = np.array([[-3.0, -0.7, 0.0, 0.5, 4.0]])
    details = np.broadcast_to(3 + 2 * norm.ppf(Normal.levels), (1, 5, 3))
    assert_allclose(_values_at(Normal(), details, scores), 3 + 2 * scores)
