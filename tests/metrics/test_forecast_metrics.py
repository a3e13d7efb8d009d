"""Tests for metrics of forecasts: by hand, against formulas, in every form of series."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.special import erf, ndtri
from sklearn.metrics import mean_pinball_loss

from skrnn.metrics import (
    crps_from_samples,
    interval_coverage,
    mean_absolute_scaled_error,
    mean_quantile_loss,
    root_mean_squared_scaled_error,
    symmetric_mean_absolute_percentage_error,
    weighted_absolute_percentage_error,
    weighted_interval_score,
)

DATA = Path(os.environ.get("SKRNN_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))

TRUE = [np.array([1.0, 3.0]), np.array([10.0, np.nan, 40.0])]
PRED = [np.array([2.0, 5.0]), np.array([16.0, 0.0, 30.0])]
TRAIN = [np.array([1.0, 2.0, 4.0]), np.array([5.0, np.nan, 7.0, 3.0, 9.0])]
POINTS = [
    # Scales of the histories: (1 + 2) / 2 and, NaN left out, (4 + 6) / 2.
    (mean_absolute_scaled_error, {"y_train": TRAIN}, [1.5 / 1.5, 8 / 5], (3 / 1.5 + 16 / 5) / 4),
    (
        root_mean_squared_scaled_error,
        {"y_train": TRAIN},
        [np.sqrt(2.5 / 2.5), np.sqrt(68 / 26)],
        np.sqrt((5 / 2.5 + 136 / 26) / 4),
    ),
    (
        symmetric_mean_absolute_percentage_error,
        {},
        [100 * (1 / 3 + 2 / 8) , 100 * (6 / 26 + 10 / 70)],
        50 * (1 / 3 + 2 / 8 + 6 / 26 + 10 / 70),
    ),
    (weighted_absolute_percentage_error, {}, [3 / 4, 16 / 50], 19 / 54),
]  # fmt: skip
QUANTILES = (0.1, 0.5, 0.9)


def quantiles_of(true):
    """Return three quantiles per step of each series, some of them wrong."""
    return [np.column_stack([np.nan_to_num(x) + d for d in (-2, 1, 3)]) for x in true]


def panel(parts, ids=("a", "b"), name="y"):
    pd = pytest.importorskip("pandas")
    dates = pd.date_range("2024-01-01", periods=100, freq="D")
    return pd.concat(
        {i: pd.Series(x, index=dates[: len(x)], name=name) for i, x in zip(ids, parts, strict=True)}
    )


# Points


@pytest.mark.parametrize(("metric", "options", "each", "micro"), POINTS)
def test_points_by_hand(metric, options, each, micro):
    assert_allclose(metric(TRUE, PRED, **options, average=None), each)
    assert metric(TRUE, PRED, **options) == pytest.approx(np.mean(each))
    assert metric(TRUE, PRED, **options, average="micro") == pytest.approx(micro)
    weighted = metric(TRUE, PRED, **options, sample_weight=[3, 1])
    assert weighted == pytest.approx(np.average(each, weights=[3, 1]))


def test_scale_of_a_season():
    history = [1.0, 5.0, 2.0, 7.0, 5.0]  # after two steps: 1, 2, 3
    options = {"y_train": history, "season_length": 2}
    assert mean_absolute_scaled_error([3.0], [7.0], **options) == pytest.approx(2)
    score = root_mean_squared_scaled_error([3.0], [7.0], **options)
    assert score == pytest.approx(np.sqrt(16 / (14 / 3)))


def test_the_seasonal_naive_forecast_has_a_scaled_error_of_its_history():
    history = np.random.default_rng(0).normal(size=60)
    naive = mean_absolute_scaled_error(
        history[12:], history[:-12], y_train=history, season_length=12
    )
    assert naive == pytest.approx(1)


def test_naive_forecasts_of_m4_have_the_published_scores():
    pd = pytest.importorskip("pandas")
    path = DATA / "m4_weekly"
    if not path.exists():
        pytest.skip("no m4_weekly: set SKRNN_DATA to the folder of data sets")
    train, test = (
        pd.read_csv(path / f"Weekly-{part}.csv", index_col=0).to_numpy(float)
        for part in ("train", "test")
    )
    last = np.array([x[~np.isnan(x)][-1] for x in train])
    naive = np.repeat(last[:, np.newaxis], 13, axis=1)
    assert symmetric_mean_absolute_percentage_error(test, naive) == pytest.approx(9.161, abs=5e-4)
    assert mean_absolute_scaled_error(test, naive, y_train=train) == pytest.approx(2.777, abs=5e-4)


@pytest.mark.parametrize(("metric", "options", "each", "micro"), POINTS)
def test_units_cancel_out(metric, options, each, micro):
    def scaled(parts):
        return [1e-3 * part for part in parts]

    options = {name: scaled(parts) for name, parts in options.items()}
    assert_allclose(metric(scaled(TRUE), scaled(PRED), **options, average=None), each)


def test_symmetric_error_of_zeros_and_of_extremes():
    metric = symmetric_mean_absolute_percentage_error
    assert metric([0.0, 0.0], [0.0, 5.0]) == 100  # 0 and 200
    assert metric([1.0], [-1.0]) == 200
    assert metric([1e308], [1e308 / 3]) == pytest.approx(100)


ZERO = [
    (mean_absolute_scaled_error, {"y_train": [[1, 2, 2], [3, 3, 3]]}, r"series 1 .* is constant"),
    (root_mean_squared_scaled_error, {"y_train": [[1, 2, 2], [3]]}, r"series 1 .* or not longer"),
    (weighted_absolute_percentage_error, {}, "true values of series 1 are zero"),
]  # fmt: skip


@pytest.mark.parametrize(("metric", "options", "message"), ZERO)
def test_a_denominator_of_zero_is_a_sentence_or_what_was_asked_for(metric, options, message):
    true, pred = [[2.0, 2.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 1.0]]
    with pytest.raises(ValueError, match=message):
        metric(true, pred, **options)
    first = metric(true[:1], pred[:1], **{name: part[:1] for name, part in options.items()})
    for value in (np.nan, np.inf, 7.0):
        scores = metric(true, pred, **options, zero_division=value, average=None)
        assert_array_equal(scores, [first, value])
    assert metric(true, pred, **options, zero_division=np.nan) == first
    # What is not scored needs no scale.
    assert metric([true[0], [np.nan] * 2], pred, **options) == first


def test_pooled_percentage_error_counts_errors_of_series_of_zeros():
    true, pred = [[2.0, 2.0], [0.0, 0.0]], [[1.0, 2.0], [0.0, 1.0]]
    assert weighted_absolute_percentage_error(true, pred, average="micro") == 2 / 4
    with pytest.raises(ValueError, match="All true values"):
        weighted_absolute_percentage_error(true[1:], pred[1:], average="micro")


# Quantiles, intervals, samples


def test_quantile_loss_is_that_of_scikit_learn():
    true = np.concatenate(TRUE)
    pred = np.concatenate(quantiles_of(TRUE))
    known = ~np.isnan(true)
    losses = [
        mean_pinball_loss(true[known], pred[known, j], alpha=level)
        for j, level in enumerate(QUANTILES)
    ]
    args = (TRUE, quantiles_of(TRUE))
    found = mean_quantile_loss(*args, quantiles=QUANTILES, average="micro")
    assert found == pytest.approx(np.mean(losses))


def test_the_true_quantiles_have_the_least_loss():
    draws = np.random.default_rng(0).normal(size=20_000)
    right = ndtri(QUANTILES)
    for shift in (-0.3, 0.3):
        shifted = np.broadcast_to(right + shift, (len(draws), 3))
        exact = np.broadcast_to(right, (len(draws), 3))
        for score in (mean_quantile_loss, weighted_interval_score):
            better, worse = (score(draws, q, quantiles=QUANTILES) for q in (exact, shifted))
            assert better < worse


def test_interval_score_by_hand():
    # Levels out of order; the interval (2, 6) of 80 %, alpha 0.2, with median 3, at 7: width 4,
    # outside by 1: (|7 - 3| / 2 + 0.1 * (4 + 10)) / 1.5.
    found = weighted_interval_score([7.0], [[6.0, 3.0, 2.0]], quantiles=(0.9, 0.5, 0.1))
    assert found == pytest.approx((2 + 1.4) / 1.5)
    # Without a median, and with two intervals.
    found = weighted_interval_score([7.0], [[2.0, 6.0]], quantiles=(0.1, 0.9))
    assert found == pytest.approx(1.4)
    found = weighted_interval_score([1.0], [[2, 3, 4, 6]], quantiles=(0.1, 0.25, 0.75, 0.9))
    assert found == pytest.approx((0.1 * (4 + 10) + 0.25 * (1 + 8)) / 2)


def test_interval_score_is_twice_the_quantile_loss():
    args = (TRUE, quantiles_of(TRUE))
    options = {"quantiles": QUANTILES, "average": None}
    expected = 2 * mean_quantile_loss(*args, **options)
    assert_allclose(weighted_interval_score(*args, **options), expected)


def test_coverage_by_hand():
    interval = [np.array([[1.0, 1.0], [3.5, 4.0]]), np.array([[9, 11], [0, 0], [40, 50]])]
    assert_array_equal(interval_coverage(TRUE, interval, average=None), [0.5, 1])
    assert interval_coverage(TRUE, interval) == 0.75
    assert interval_coverage(TRUE, interval, sample_weight=[3, 1]) == 0.625
    assert interval_coverage([1.0, np.nan, 2.0], [[0, 1], [0, 9], [0, 1]]) == 0.5


@pytest.mark.parametrize("fair", [False, True])
def test_samples_by_all_pairs(fair):
    rng = np.random.default_rng(0)
    true, samples = rng.normal(size=(4, 5)), rng.normal(size=(4, 5, 7))
    pairs = np.abs(samples[..., :, None] - samples[..., None, :]).sum((2, 3))
    expected = np.abs(samples - true[..., None]).mean(2) - pairs / (2 * 7 * (6 if fair else 7))
    found = crps_from_samples(true, samples, fair=fair, average=None)
    assert_allclose(found, expected.mean(axis=1))


def test_samples_of_a_normal_distribution_have_its_score():
    # Gneiting and Raftery (2007), equation 21; and the integral that defines the score.
    y, samples = 0.7, ndtri((np.arange(2000) + 0.5) / 2000)
    cdf = 0.5 * (1 + erf(y / np.sqrt(2)))
    density = np.exp(-(y**2) / 2) / np.sqrt(2 * np.pi)
    formula = y * (2 * cdf - 1) + 2 * density - 1 / np.sqrt(np.pi)
    integral = quad(lambda x: (0.5 * (1 + erf(x / np.sqrt(2))) - (x >= y)) ** 2, -9, 9, points=[y])
    assert formula == pytest.approx(integral[0])
    assert crps_from_samples([y], [samples]) == pytest.approx(formula, abs=1e-4)


def test_fair_score_is_without_bias():
    rng = np.random.default_rng(0)
    true = rng.normal(size=4000)
    few, many = rng.normal(size=(4000, 3)), rng.normal(size=(4000, 400))
    exact = crps_from_samples(true, many)
    assert crps_from_samples(true, few, fair=True) == pytest.approx(exact, rel=0.03)
    assert crps_from_samples(true, few) > 1.2 * exact


def test_one_sample_is_a_point():
    found = crps_from_samples(TRUE, [x[:, np.newaxis] for x in PRED], average=None)
    assert_allclose(found, [1.5, 8])
    with pytest.raises(ValueError, match="at least 2 needed"):
        crps_from_samples([1.0], [[1.0]], fair=True)


# Forms


def score_points(true, pred, train):
    return mean_absolute_scaled_error(true, pred, y_train=train, average=None)


def test_forms_of_one_series():
    pd = pytest.importorskip("pandas")
    dates = pd.period_range("2024-01", periods=6, freq="M")
    true, pred, train = (pd.Series(x, index=dates[i : i + len(x)], name=n) for x, i, n in
                         [([4.0, 6.0], 4, "y"), ([5.0, 8.0], 4, "mean"), ([1.0, 2.0, 4.0, 5.0], 0, "y")])  # fmt: skip  # noqa: E501
    expected = score_points([4, 6], (5, 8), np.array([1, 2, 4, 5]))
    assert_allclose(expected, [1.5 / (4 / 3)])
    for form in (lambda x: x, lambda x: x.to_frame(), lambda x: x.astype("Float64")):
        assert_allclose(score_points(form(true), form(pred), form(train)), expected)
    assert_allclose(score_points(true, pred[::-1], train.to_numpy()), expected)  # by label
    quantiles = pd.DataFrame([[1.0, 2, 9], [1, 2, 9]], index=true.index, columns=QUANTILES)
    for labels in (true, true.to_numpy()):
        found = mean_quantile_loss(labels, quantiles[::-1] if labels is true else quantiles,
                                   quantiles=QUANTILES)  # fmt: skip
        by_array = mean_quantile_loss([4, 6], quantiles.to_numpy(), quantiles=QUANTILES)
        assert found == pytest.approx(by_array)


def test_forms_of_several_series():
    expected = score_points(TRUE, PRED, TRAIN)
    boxed = np.empty(2, dtype=object)
    boxed[:] = TRUE
    padded = [np.full((2, 5), np.nan) for _ in range(2)]
    for table, parts in zip(padded, (TRUE, TRAIN), strict=True):
        for row, part in zip(table, parts, strict=True):
            row[: len(part)] = part
    forecasts = np.zeros((2, 5))
    forecasts[0, :2], forecasts[1, :3] = PRED
    for true, pred, train in [
        (boxed, tuple(PRED), TRAIN),
        ([x[:, None] for x in TRUE], [x.tolist() for x in PRED], TRAIN),
        (padded[0], forecasts, padded[1]),
        (padded[0][:, :, None], forecasts[:, :, None], padded[1][:, :, None]),
    ]:
        assert_allclose(score_points(true, pred, train), expected)


def test_several_targets_are_scored_each():
    true = np.arange(24.0).reshape(2, 4, 3)
    pred = true + np.array([1, 2, 3])
    train = [np.cumsum(np.ones((9, 3)), axis=0) * [1, 1, 2]] * 2
    assert_allclose(score_points(true, pred, train), [[1, 2, 1.5]] * 2)
    weighted = weighted_absolute_percentage_error(true, pred, average="micro")
    assert weighted == pytest.approx(48 / true.sum())
    samples = np.stack([true, true + 2], axis=3)
    assert_allclose(crps_from_samples(true, samples, average=None), np.full((2, 3), 0.5))


def test_panels_are_matched_by_name_and_date():
    pd = pytest.importorskip("pandas")
    dates = pd.date_range("2024-01-01", periods=9, freq="D")
    true = panel(TRUE)
    pred = panel(PRED)
    train = panel([*TRAIN, np.ones(3)], ids="abz")
    back = train.index.set_levels(train.index.levels[1] - pd.Timedelta(days=50), level=1)
    train = train.set_axis(back)
    found = score_points(true, pred.sample(frac=1, random_state=0), train)
    pd.testing.assert_series_equal(found, pd.Series([1, 1.6], index=pd.Index(["a", "b"])))
    frame = pd.concat({"y": true, "z": 2 * true}, axis=1)
    forecasts = pd.concat({"z": 2 * pred, "y": pred}, axis=1)
    found = symmetric_mean_absolute_percentage_error(frame, forecasts, average=None)
    assert list(found.columns) == ["y", "z"]
    assert_allclose(found["y"], found["z"])
    assert_allclose(found["y"], symmetric_mean_absolute_percentage_error(TRUE, PRED, average=None))
    bounds = pd.DataFrame({"lower": true - 1, "upper": true + 1}).fillna(0)
    assert interval_coverage(true, bounds[::-1]) == 1
    levels = pd.MultiIndex.from_product([["y", "z"], ["lower", "upper"]])
    both = pd.DataFrame(np.column_stack([bounds, bounds]), index=true.index, columns=levels)
    assert interval_coverage(frame, both, average=None).loc["b"].tolist() == [1, 0]

    with pytest.raises(
        ValueError, match=r"no forecast for 2024-01-02.* of series|series 'a' has no"
    ):
        score_points(true, pred.drop(("a", dates[1])), train)
    with pytest.raises(ValueError, match="y_pred has no series 'b'"):
        score_points(true, pred[["a"]], train)
    with pytest.raises(ValueError, match="y_true has no series 'b'"):
        score_points(true[["a"]], pred, train)
    with pytest.raises(ValueError, match=r"y_train of series 'a' reaches .* begins at"):
        score_points(true, pred, panel(TRAIN))
    with pytest.raises(ValueError, match="y_pred is a panel, with a name per series, and"):
        score_points(TRUE, pred, TRAIN)
    with pytest.raises(ValueError, match=r"has the step 2024-01-01 .* of series 'a' twice"):
        score_points(true, pd.concat([pred, pred[:1]]), train)
    with pytest.raises(
        ValueError, match="must have two levels, the targets of y_true in its order"
    ):
        interval_coverage(frame, both[both.columns[::-1]])


# Refused


@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        ([1.0, 2.0], [1.0], r"series 0 has 2 step\(s\) in y_true but 1 in y_pred"),
        ([[1.0], [2.0]], [[1.0]], "y_true has 2 series and y_pred has 1"),
        ([[1.0], [2.0]], [1.0, 2.0], "y_true has 2 series and y_pred has 1"),
        ([1.0, 2.0], [1.0, np.nan], "y_pred of series 0 is not finite at step 1"),
        ([1.0, np.inf], [1.0, 1.0], "y_true of series 0 is infinite at step 1"),
        ([np.nan], [1.0], "No step of y_true can be scored"),
        ([[[1.0, 2.0]], [[1.0]]], [[1.0], [1.0]], "have 1 and 2 columns"),
        ([[[1.0, 2.0]]], [[[1.0]]], r"y_pred of series 0 has shape \(1, 1\), but y_true has 2 col"),
        (np.ma.array([1.0, 2.0], mask=[True, False]), [1.0, 2.0], "y_true has masked values"),
    ],
)
def test_what_does_not_fit(true, pred, message):
    with pytest.raises(ValueError, match=message):
        symmetric_mean_absolute_percentage_error(true, pred)


@pytest.mark.parametrize("value", ["text", {"a": 1}, [], 1.0, None, ["a", "b"]])
def test_what_is_no_series(value):
    with pytest.raises(TypeError, match="y_true"):
        symmetric_mean_absolute_percentage_error(value, [1.0, 2.0])


def test_tables_that_could_mean_two_things():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"rows may be series or steps. Pass y.to_numpy\(\)"):
        symmetric_mean_absolute_percentage_error(table, table)
    deep = pd.concat({"x": panel(TRUE)})
    with pytest.raises(ValueError, match="has 3 levels; a panel has two"):
        symmetric_mean_absolute_percentage_error(deep, deep)
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match="is a polars table, whose rows have no index"):
        symmetric_mean_absolute_percentage_error(polars.DataFrame(table), table)
    one = polars.Series([1.0, 2.0])
    assert symmetric_mean_absolute_percentage_error(one, [1.0, 2.0]) == 0


@pytest.mark.parametrize(
    ("quantiles", "message"),
    [
        ((0.1, 0.5, 90), "must be levels between 0 and 1"),
        ((0.1, 0.5, 0.5), "has a level twice"),
        ((0.1, 0.9), "has 3 forecasts per step for 2 quantiles"),
        ((0.1, 0.5, 0.8), "are not the bounds of central intervals"),
    ],
)
def test_levels_that_are_refused(quantiles, message):
    with pytest.raises(ValueError, match=message):
        weighted_interval_score(TRUE, quantiles_of(TRUE), quantiles=quantiles)


def test_axes_that_are_refused():
    with pytest.raises(ValueError, match=r"has shape \(2,\): it needs that of y_true, \(2,\), and"):
        mean_quantile_loss([1.0, 2.0], [1.0, 2.0], quantiles=[0.5])
    with pytest.raises(ValueError, match="have 2 and 3 samples"):
        crps_from_samples(TRUE, [np.ones((2, 2)), np.ones((3, 3))])
    with pytest.raises(ValueError, match="has 3 bounds"):
        interval_coverage([1.0], [[1, 2, 3]])
    with pytest.raises(ValueError, match="series 0 has a lower bound above the upper one at"):
        interval_coverage([1.0], [[2, 1]])
    with pytest.raises(ValueError, match="leave covariates out of it"):
        score_points(TRUE, PRED, [np.ones((4, 2))] * 2)


@pytest.mark.parametrize(
    "options",
    [
        {"average": "mean"},
        {"zero_division": "nan"},
        {"season_length": 0},
        {"sample_weight": [0, 0]},
    ],
)
def test_options_that_are_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}|weight of 0"):
        mean_absolute_scaled_error(TRUE, PRED, y_train=TRAIN, **options)
