"""
Monthly airline passengers, 1949 to 1960: two years held back, forecast with an interval
========================================================================================

One series of 120 months to learn from. Its swings grow with its level, so the logarithm is
forecast; each month is compared with the same month of the year before (seasonal differences). The
interval comes from the errors, one to 24 months ahead, that a network fitted on the first six of
ten years makes on the other four. Draws history, forecast and interval to ``airline.png`` where
matplotlib is installed.

Run it as ``SKRNN_DATA=folder python examples/airline.py``, where ``folder/airline`` holds the file.
"""

import csv
import os
import sys
from pathlib import Path

import numpy as np

from skrnn import LSTMForecaster

HELD_BACK, YEAR = 24, 12
CALIBRATION = 48
# Chosen by forecasts of 24 months from the ends of 1954, 1955 and 1956.
PARAMETERS = {
    "horizon": 1,
    "lookback": 24,
    "difference": "season",
    "season_length": YEAR,
    "hidden_layer_sizes": (32,),
    "learning_rate_init": 0.003,
    "learning_rate": "linear",
    "batch_size": 2,
    "max_iter": 30,
    "n_iter_no_change": np.inf,
    "random_state": 0,
}


def load():
    """Read months and passengers."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("SKRNN_DATA", beside)) / "airline" / "Airline.csv"
    if not path.exists():
        sys.exit("Skipped: no data. Point SKRNN_DATA to the folder that holds airline/Airline.csv.")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    months = np.array([row["Date"] for row in rows], dtype="datetime64[M]")
    return months, np.array([float(row["Passengers"]) for row in rows])


def errors(forecast, truth):
    """Return mean absolute and root mean squared error."""
    return np.abs(forecast - truth).mean(), np.sqrt(np.mean((forecast - truth) ** 2))


def draw(months, passengers, forecast, interval, path="airline.png"):
    """Draw the last years of history, what was forecast and what came."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError:
        print("No picture: matplotlib is not installed.")
        return
    figure, axes = plt.subplots(figsize=(8, 4))
    n = len(passengers) - HELD_BACK
    axes.plot(months[n - 60 : n], passengers[n - 60 : n], color="black", label="history")
    axes.plot(months[n:], passengers[n:], color="black", linestyle=":", label="what came")
    axes.plot(months[n:], forecast, color="tab:blue", label="forecast")
    low, high = interval.T
    axes.fill_between(months[n:], low, high, color="tab:blue", alpha=0.2, label="80 % interval")
    axes.set_ylabel("thousand passengers a month")
    axes.legend(loc="upper left", frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"Picture: {path}")


def main():
    """Fit, forecast 24 months, compare with the same month of the last year known."""
    months, passengers = load()
    history, truth = passengers[:-HELD_BACK], passengers[-HELD_BACK:]
    logs = np.log(history)
    model = LSTMForecaster(**PARAMETERS).fit(logs[:-CALIBRATION])
    model.calibrate(logs[-CALIBRATION - 3 * YEAR :], horizon=HELD_BACK)
    width = (
        model.predict_interval(logs, coverage=0.8, horizon=HELD_BACK)
        - model.predict(logs, horizon=HELD_BACK)[:, None]
    )
    model = LSTMForecaster(**PARAMETERS).fit(logs)  # once more, with the four years
    predicted = model.predict(horizon=HELD_BACK)
    forecast, interval = np.exp(predicted), np.exp(predicted[:, None] + width)
    naive = np.tile(history[-YEAR:], HELD_BACK // YEAR)
    for name, found in (("same month of 1958", naive), ("LSTMForecaster", forecast)):
        print(f"{name:20} mean absolute error {errors(found, truth)[0]:5.1f}   root mean square "
              f"{errors(found, truth)[1]:5.1f}")  # fmt: skip
    within = ((truth >= interval[:, 0]) & (truth <= interval[:, 1])).mean()
    print(f"within the 80 % interval: {within:.0%} of {HELD_BACK} months")
    draw(months, passengers, forecast, interval)


if __name__ == "__main__":
    main()
