"""
From a long table of 120 shops to dated forecasts (writes ``panel.png``)
========================================================================
"""

import numpy as np
import pandas as pd

from skrnn import LSTMForecaster
from skrnn.inspection import ForecastDisplay
from skrnn.metrics import mean_absolute_scaled_error
from skrnn.preprocessing import to_panel

rng = np.random.default_rng(0)
days = pd.date_range("2023-01-02", periods=210, freq="D")
week = 1 + 0.3 * np.sin(2 * np.pi * np.arange(210) / 7)
tables = []
for shop in range(120):
    level = 10 ** rng.uniform(1, 3) * np.exp(0.02 * rng.normal(size=210).cumsum())
    sold = level * week * np.exp(0.1 * rng.normal(size=210))
    tables.append(pd.DataFrame({"shop": f"shop {shop}", "day": days.astype(str), "sold": sold}))
table = pd.concat(tables).sample(frac=1, random_state=0)  # in no order at all
panel = to_panel(table, id="shop", time="day")
known = panel[panel.index.get_level_values("day") < days[-14]]
truth = panel.drop(known.index)
model = LSTMForecaster(
    horizon=14, lookback=28, loss="gaussian", scaling="series", difference="season",
    season_length=7, max_iter=15, learning_rate="linear", learning_rate_init=0.005, random_state=0,
).fit(known)  # fmt: skip
forecast, interval = model.predict(), model.predict_interval(coverage=0.8)
print(pd.concat([truth, forecast.add_suffix("_forecast"), interval], axis=1).head(3).round(1))
error = mean_absolute_scaled_error(truth, forecast, y_train=known, season_length=7)
print(f"error relative to that of the week before: {error:.2f}")
inside = truth["sold"].between(interval["lower"], interval["upper"]).mean()
print(f"80 % intervals hold {100 * inside:.1f} % of {len(truth)} values")
display = ForecastDisplay.from_estimator(
    model, known, coverage=0.8, truth=truth["sold"].loc[known.index[0][0]]
)
display.figure_.savefig("panel.png")
