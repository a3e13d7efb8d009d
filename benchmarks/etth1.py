"""Forecasts of ETTh1 with `LSTMForecaster`, by the protocol of the papers that use it.

Hours of a power transformer: 12 months of 30 days to train on, 4 to choose parameters by, 4 to test
with; z-scored by the training part; test windows at stride 1, the error is the mean over windows
and steps. Run it as ``SKRNN_DATA=folder python benchmarks/etth1.py``, where ``folder/ett`` holds
the file.
"""

import argparse
import csv
import os
import sys
import time
from pathlib import Path

import numpy as np

from skrnn import LSTMForecaster

HOURS = 30 * 24
TRAIN, VALIDATION, TEST = 12 * HOURS, 16 * HOURS, 20 * HOURS
COMMON = {
    "lookback": 96,
    "batch_size": 4,
    "n_iter_no_change": np.inf,
    "learning_rate": "linear",
}
# Chosen on the validation months.
TASKS = {
    "OT, 24 hours": (["OT"], {"horizon": 24, "max_iter": 40, "learning_rate_init": 0.002}),
    "OT, 48 hours": (["OT"], {"horizon": 48, "max_iter": 30}),
    "all seven, 24 hours": (
        None,
        {"horizon": 24, "max_iter": 40, "learning_rate_init": 0.002, "hidden_layer_sizes": (128,),
         "dropout": 0.3, "recurrent_dropout": 0.2},
    ),
}  # fmt: skip


def load(columns):
    """Read the series (hours, columns), z-scored, with the hour of the day as covariates."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("SKRNN_DATA", beside)) / "ett" / "ETTh1.csv"
    if not path.exists():
        sys.exit("Skipped: no data. Point SKRNN_DATA to the folder that holds ett/ETTh1.csv.")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))[:TEST]
    columns = columns or [name for name in rows[0] if name != "date"]
    values = np.array([[float(row[name]) for name in columns] for row in rows])
    train = values[:TRAIN]
    angle = 2 * np.pi * np.arange(len(values)) / 24
    values = (values - train.mean(axis=0)) / train.std(axis=0)
    return values, np.column_stack([np.sin(angle), np.cos(angle)])


def windows(values, hours, start, stop, horizon, lookback):
    """Histories that end in rows to come, and what followed, for each origin in start .. stop."""
    full = np.hstack([values, hours])
    k = values.shape[1]
    histories, followers = [], []
    for origin in range(start, stop - horizon + 1):
        history = full[origin - lookback - 24 : origin + horizon].copy()
        history[-horizon:, :k] = np.nan
        histories.append(history)
        followers.append(values[origin : origin + horizon])
    return histories, np.array(followers)


def evaluate(name, seeds, part):
    """Return the mean squared error of each seed, and seconds of a fit."""
    columns, params = TASKS[name]
    values, hours = load(columns)
    start, stop = (TRAIN, VALIDATION) if part == "validation" else (VALIDATION, TEST)
    params = {**COMMON, **params, "n_targets": values.shape[1]}
    X, y = windows(values, hours, start, stop, params["horizon"], params["lookback"])
    errors = []
    for seed in range(seeds):
        model = LSTMForecaster(**params, random_state=seed)
        begin = time.perf_counter()
        model.fit([np.hstack([values, hours])[:TRAIN]])
        seconds = time.perf_counter() - begin
        forecast = model.predict(X).reshape(y.shape)
        errors.append(np.mean((forecast - y) ** 2))
    return errors, seconds


def main(argv=None):
    """Print the errors of each task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--validation", action="store_true", help="leave the test part alone")
    parser.add_argument("--task", help="one whose name holds this")
    args = parser.parse_args(argv)
    for name in TASKS:
        if args.task and args.task not in name:
            continue
        part = "validation" if args.validation else "test"
        errors, seconds = evaluate(name, args.seeds, part)
        each = " ".join(f"{error:.4f}" for error in errors)
        print(
            f"{name:20}  {part} MSE {np.mean(errors):.4f} ({each})  fit {seconds:.1f} s", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
