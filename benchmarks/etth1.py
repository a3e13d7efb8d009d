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
LEVELS = (0.8, 0.9, 0.95)
WEEK = 7 * 24
COMMON = {
    "lookback": 96,
    "batch_size": 4,
    "max_iter": 20,
    "learning_rate_init": 0.002,
    "learning_rate": "linear",
    "n_iter_no_change": np.inf,
}
# Chosen on the validation months: autoregressions of 96, 168, 336 and 504 hours, 10 and 20 epochs,
# 64 and 128 units, with and without dropout.
TASKS = {
    "OT, 24 hours": (["OT"], {"horizon": 24, "autoregression": 336}),
    "OT, 48 hours": (["OT"], {"horizon": 48, "autoregression": 336}),
    "all seven, 24 hours": (
        None,
        {"horizon": 24, "autoregression": 168, "hidden_layer_sizes": (128,), "dropout": 0.3,
         "recurrent_dropout": 0.2},
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


def windows(values, hours, start, stop, horizon, n_known):
    """Histories that end in rows to come, and what followed, for each origin in start .. stop."""
    full = np.hstack([values, hours])
    k = values.shape[1]
    histories, truths = [], []
    for origin in range(start, stop - horizon + 1):
        history = full[origin - n_known : origin + horizon].copy()
        history[-horizon:, :k] = np.nan
        histories.append(history)
        truths.append(values[origin : origin + horizon])
    return histories, np.array(truths)


def evaluate(name, seeds, part):
    """Return the mean squared error of each seed, and seconds of a fit."""
    columns, params = TASKS[name]
    values, hours = load(columns)
    start, stop = (TRAIN, VALIDATION) if part == "validation" else (VALIDATION, TEST)
    params = {**COMMON, **params, "n_targets": values.shape[1]}
    n_known = max(params["lookback"] + 24, params.get("autoregression", 0) or 0)
    X, y = windows(values, hours, start, stop, params["horizon"], n_known)
    errors = []
    for seed in range(seeds):
        model = LSTMForecaster(**params, random_state=seed)
        begin = time.perf_counter()
        model.fit([np.hstack([values, hours])[:TRAIN]])
        seconds = time.perf_counter() - begin
        forecast = model.predict(X).reshape(y.shape)
        errors.append(np.mean((forecast - y) ** 2))
    return errors, seconds


def coverage(name, part):
    """Return the share of values within intervals, for each level, made on the past alone.

    Each week the intervals are calibrated anew on the month before it, as one would do it: errors
    change with the season. The other losses are asked once, for all four months.
    """
    columns, params = TASKS[name]
    values, hours = load(columns)
    full, k, h = np.hstack([values, hours]), values.shape[1], params["horizon"]
    params = {**COMMON, **params, "n_targets": k, "random_state": 0}
    start, stop = (TRAIN + HOURS, VALIDATION) if part == "validation" else (VALIDATION, TEST)
    need = max(params["lookback"] + 24, params["autoregression"])
    X, y = windows(values, hours, start, stop, h, need)
    quantiles = [(1 + sign * level) / 2 for level in LEVELS for sign in (-1, 1)]
    for loss in ("squared_error", "quantile", "gaussian"):
        model = LSTMForecaster(**params, loss=loss, quantiles=quantiles).fit([full[:TRAIN]])
        week = WEEK if loss == "squared_error" else len(X)
        inside = np.zeros(len(LEVELS))
        for first in range(0, len(X), week):
            at, now = slice(first, first + week), start + first
            if loss == "squared_error":
                model.calibrate([full[now - HOURS - need : now]])
            for i, level in enumerate(LEVELS):
                interval = model.predict_interval(X[at], coverage=level).reshape(*y[at].shape, 2)
                within = (y[at] >= interval[..., 0]) & (y[at] <= interval[..., 1])
                inside[i] += within.mean() * len(within) / len(X)
        yield loss, inside


def main(argv=None):
    """Print the errors of each task, or the coverage of its intervals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--validation", action="store_true", help="leave the test part alone")
    parser.add_argument("--task", help="one whose name holds this")
    parser.add_argument("--coverage", action="store_true", help="of intervals, not errors")
    args = parser.parse_args(argv)
    for name in TASKS:
        if args.task and args.task not in name:
            continue
        part = "validation" if args.validation else "test"
        if args.coverage:
            for loss, shares in coverage(name, part):
                found = "  ".join(
                    f"{level:.0%}: {share:.1%}" for level, share in zip(LEVELS, shares, strict=True)
                )
                print(f"{name:20}  {part}, {loss:13}  {found}", flush=True)
            continue
        errors, seconds = evaluate(name, args.seeds, part)
        each = " ".join(f"{error:.4f}" for error in errors)
        print(
            f"{name:20}  {part} MSE {np.mean(errors):.4f} ({each})  fit {seconds:.1f} s", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
