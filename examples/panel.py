"""
From a long table of 120 shops to dated forecasts (writes ``panel.png``)
========================================================================
"""

import numpy as np
import pandas as pd

from skrnn import LSTMForecaster
from skrnn.inspection import ForecastDisplay
from skrnn.metrics import mean_absolute_scaled_error
from skrnn.model_selection import backtest
from skrnn.preprocessing import to_panel

rng, T = np.random.default_rng(0), 210
days, tables = pd.date_range("2023-01-02", periods=T), []
for shop in range(120):
    promo, level = rng.random(T) < 0.1, 10 ** rng.uniform(1, 3)
    sold = level * (1 + 0.3 * np.sin(np.arange(T) * 2 * np.pi / 7) + 0.5 * promo)
    sold *= np.exp(0.02 * rng.normal(size=T).cumsum() + 0.1 * rng.normal(size=T))
    tables.append(pd.DataFrame({"shop": f"shop {shop}", "day": days, "sold": sold, "promo": promo}))
panel = to_panel(pd.concat(tables).sample(frac=1, random_state=0), id="shop", time="day")
late = panel.index.isin(days[-14:], level=1)
known, truth, ahead = panel[~late], panel.loc[late, ["sold"]], panel.loc[late, ["promo"]]
model = LSTMForecaster(
    horizon=14, lookback=28, n_targets=1, loss="gaussian", difference="season", season_length=7,
    max_iter=15, learning_rate="linear", learning_rate_init=0.005, random_state=0,
).fit(known)  # fmt: skip
forecast = model.predict(X_future=ahead)
interval = model.predict_interval(coverage=0.8, X_future=ahead)
print(pd.concat([truth, forecast.add_suffix("_forecast"), interval], axis=1).head(3).round(1))
inside = truth["sold"].between(interval["lower"], interval["upper"]).mean()
error = mean_absolute_scaled_error(truth, forecast, y_train=known[["sold"]], season_length=7)
print(f"error over that of the week before: {error:.2f}; 80 % intervals hold {inside:.1%}")
past = backtest(model, known, n_windows=4, refit=False)
print((past["forecast"] - past["truth"]).abs().groupby(past["cutoff"]).mean().round(1))
shown = {"coverage": 0.8, "truth": truth, "n_history": 42, "series": range(6)}
display = ForecastDisplay.from_estimator(model, known, X_future=ahead, **shown)
display.figure_.savefig("panel.png")
