"""Situations of panels in which users of other packages got wrong forecasts, or none."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skrnn import LSTMForecaster

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` larger"),
]
WAVE = np.sin(np.arange(200) / 5)
DAYS = pd.date_range("2024-01-01", periods=64, freq="D")
NAMES = ["north", "south", "west"]


def quick(**params):
    return LSTMForecaster(**{"horizon": 4, "lookback": 8, "hidden_layer_sizes": (4,),
                             "max_iter": 2, "random_state": 0} | params)  # fmt: skip


def panel(start=0, stop=60):
    parts = {
        name: pd.DataFrame(
            {
                "y": 100 * i + WAVE[i + start : i + stop],
                "price": np.cos(np.arange(start, stop) + i),
            },
            index=DAYS[start:stop],
        )
        for i, name in enumerate(NAMES)
    }
    return pd.concat(parts, names=["store", "date"])


def prices():
    return panel(60, 64)[["price"]]


@pytest.mark.parametrize("lacks", ["date", "series"])
def test_rows_to_come_that_are_incomplete(lacks):
    model, future = quick(n_targets=1).fit(panel()), prices()
    short = future.drop(("south", DAYS[62])) if lacks == "date" else future.drop("south", level=0)
    with pytest.raises(ValueError, match="south"):
        model.predict(X_future=short)


def test_rows_to_come_belong_to_their_series_in_any_order():
    model, future = quick(n_targets=1).fit(panel()), prices()
    mixed = pd.concat([future.loc[["west"]], future.loc[["north"]], future.loc[["south"]]])
    expected, found = (model.predict(X_future=rows) for rows in (future, mixed))
    assert_allclose(found.sort_index(), expected.sort_index())


def test_rows_to_come_that_begin_late():
    with pytest.raises(ValueError, match="2024-02-25"):
        quick(n_targets=1).fit(panel(stop=55)).predict(X_future=prices())


def test_a_known_covariate_acts_at_its_own_step():
    z = np.random.default_rng(0).integers(0, 2, 300).astype(float)
    frame = pd.DataFrame({"y": 10 * z, "z": z}, index=pd.date_range("2024", periods=300))
    model = quick(n_targets=1, difference=None, hidden_layer_sizes=(16,), max_iter=200,
                  learning_rate_init=0.01, n_iter_no_change=np.inf)  # fmt: skip
    found = model.fit(frame[:292]).predict(X_future=frame[["z"]][292:])
    assert_allclose(found.to_numpy().ravel(), 10 * z[292:], atol=4)


def test_rows_of_a_panel_sorted_by_date():
    given = panel()[["y"]]
    expected = quick().fit(given).predict()
    found = quick().fit(given.sort_index(level=1)).predict()
    assert_allclose(found.sort_index(), expected.sort_index(), rtol=1e-5)


def test_ids_of_another_type_are_other_series():
    by_number = {name: i for i, name in enumerate(NAMES)}
    model = quick().fit(panel()[["y"]].rename(index=by_number, level=0))
    new = panel(60, 64)[["y"]].rename(index=by_number, level=0).rename(index=str, level=0)
    with pytest.raises(ValueError, match="'0'"):
        model.update(new)


def test_ids_that_are_categories():
    table = panel()[["y"]].reset_index()
    table["store"] = pd.Categorical(table["store"], categories=["west", "nowhere", *NAMES[:2]])
    found = quick().fit(table.set_index(["store", "date"])).predict()
    assert len(found) == 12 and set(found.index.get_level_values(0)) == set(NAMES)


@pytest.mark.parametrize("loss", ["squared_error", "gaussian", "quantile"])
def test_series_of_scales_sixteen_digits_apart(loss):
    found = quick(loss=loss, max_iter=20).fit([1e9 * (2 + WAVE[:90]), 1e-7 * (2 + WAVE[:90])])
    low, high = np.array([[0.5e9, 0.5e-7], [4e9, 4e-7]])
    assert ((found.predict().mean(axis=1) > low) & (found.predict().mean(axis=1) < high)).all()


@pytest.mark.parametrize("loss", ["gaussian", "quantile"])
def test_calibrated_widths_follow_the_scale_of_a_series(loss):
    model = quick(loss=loss, scaling="series").fit([WAVE[:100], 1000 * WAVE[:100]])
    interval = model.calibrate([WAVE, 1000 * WAVE]).predict_interval()
    width = np.diff(interval, axis=-1)
    assert_allclose(width[1], 1000 * width[0], rtol=1e-3)


def test_columns_of_nullable_types():
    table = pd.DataFrame(
        {"y": pd.array(np.arange(60) % 7, dtype="Int64"),
         "open": pd.array(np.arange(60) % 2 == 0, dtype="boolean")}, index=DAYS[:60],
    )  # fmt: skip
    future = pd.DataFrame({"open": [True, False] * 2}, index=DAYS[60:])
    expected = quick(n_targets=1).fit(table.astype(float)).predict(X_future=future)
    assert_allclose(quick(n_targets=1).fit(table).predict(X_future=future), expected)
    table.loc[DAYS[5], "y"] = pd.NA
    with pytest.raises(ValueError, match="NaN at step 5"):
        quick(n_targets=1).fit(table)


def test_small_integers_do_not_overflow():
    given = np.array([200, 10] * 50, dtype=np.uint8)
    assert_allclose(quick().fit(given).predict(), quick().fit(given.astype(float)).predict())


def test_two_columns_of_one_name():
    frame = pd.DataFrame({"y": WAVE[:60], "z": WAVE[5:65]}, index=DAYS[:60])
    with pytest.raises(ValueError, match="2 columns called 'y'"):
        quick(n_targets=1).fit(frame.set_axis(["y", "y"], axis=1))
