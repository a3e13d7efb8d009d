"""
Forecast a series with an interval
==================================

``LSTMForecaster`` continues a series for any number of steps. With ``loss="gaussian"`` it also
learns how uncertain the next value is; intervals widen as the forecast goes on.
"""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from skrnn import LSTMForecaster
from skrnn.inspection import ForecastDisplay

rng = np.random.default_rng(0)
months = pd.date_range("2010-01-01", periods=156, freq="MS", name="month")
level = 100 + np.arange(156) * 0.8 + rng.normal(size=156).cumsum()
season = 15 * np.sin(2 * np.pi * np.arange(156) / 12)
sales = pd.Series(level + season + 2 * rng.normal(size=156), months, name="sales")

# %%
# The last two years are held back. Each month is compared with the same month of the year before.

known, truth = sales[:-24], sales[-24:]
model = LSTMForecaster(
    horizon=12,
    lookback=24,
    loss="gaussian",
    difference="season",
    season_length=12,
    learning_rate_init=0.003,
    learning_rate="linear",
    max_iter=60,
    random_state=0,
)
model.fit(known)
print(model.predict(horizon=24).tail(3).round(1))

# %%
ForecastDisplay.from_estimator(model, known, horizon=24, coverage=0.9, truth=truth)
plt.show()
