"""How often intervals of `LSTMForecaster` hold the truth, step by step, to three trained horizons.

Made series (random walks, AR(2), counts with a weekly season, the same with three zeros in ten): a
network learns from 300 series, is calibrated on 2,000 others, and 2,000 more are forecast once
each. Airline passengers and ETTh1 are one series each: the last part is forecast from every origin,
calibrated anew on what was known before it, so that windows overlap; the standard error is that of
as many windows as do not.

Counts are integers: an interval of real numbers, or one that ends in integers, holds more or fewer
of them than asked for, whatever the forecast. So counts are measured twice, as they are and
"spread", plus a uniform number from -0.5 to 0.5 (randomized probability integral transform).

Run it as ``SKRNN_DATA=folder python benchmarks/coverage.py [NAME ...]``; it prints a table. What is
chosen for ETTh1 (the rate of adaptation) was chosen with ``--validation``, on months before those
of the table.
"""

import argparse
import os
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skrnn import LSTMForecaster

LEVELS = (0.8, 0.9)
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
ASKED = [(1 + sign * level) / 2 for level in LEVELS for sign in (-1, 1)]
N_TRAIN, N_CALIBRATE, N_TEST, N_PATHS = 300, 2000, 2000, 400
STEPS, HORIZON, LOOKBACK = 144, 8, 28
COMMON = {
    "horizon": HORIZON, "lookback": LOOKBACK, "hidden_layer_sizes": (16,), "max_iter": 30,
    "learning_rate_init": 0.005, "learning_rate": "linear", "n_iter_no_change": np.inf,
    "random_state": 0, "quantiles": QUANTILES,
}  # fmt: skip
# Series of one process have one scale, and what counts has no unit.
ONE_SCALE = {"difference": None, "scaling": "global"}
RATE = 0.002
METHODS = {  # name to the loss, whether it is calibrated, and the rate of adaptation
    "gaussian": ("gaussian", False, 0),
    "gaussian, calibrated": ("gaussian", True, 0),
    "quantile": ("quantile", False, 0),
    "quantile, calibrated": ("quantile", True, 0),
    "conformal": ("squared_error", True, 0),
    "conformal, adapted": ("squared_error", True, RATE),  # ETTh1 alone
}


# Series


def walks(rng, n):
    """Draw random walks."""
    return rng.normal(size=(n, STEPS)).cumsum(axis=1)


def ar2(rng, n):
    """Draw y_t = 1.2 y_{t-1} - 0.4 y_{t-2} + e_t, after a hundred steps to settle."""
    noise, y = rng.normal(size=(n, STEPS + 100)), np.zeros((n, STEPS + 100))
    for t in range(2, y.shape[1]):
        y[:, t] = 1.2 * y[:, t - 1] - 0.4 * y[:, t - 2] + noise[:, t]
    return y[:, 100:]


def rates(rng, n):
    """Draw the means of counts: levels from 2 to 40, and a season of seven steps."""
    level = np.exp(rng.uniform(np.log(2), np.log(40), size=(n, 1)))
    phase = rng.integers(0, 7, size=(n, 1))
    return level * (1 + 0.4 * np.sin(2 * np.pi * (np.arange(STEPS) + phase) / 7))


def poisson(rng, n):
    """Draw Poisson counts."""
    return rng.poisson(rates(rng, n)).astype(float)


def zero_inflated(rng, n):
    """Draw Poisson counts, of which three in ten are zero instead."""
    return rng.poisson(rates(rng, n)) * (rng.random((n, STEPS)) > 0.3).astype(float)


MADE = {
    "random walks": (walks, {}),
    "AR(2)": (ar2, ONE_SCALE),
    "counts": (poisson, ONE_SCALE),
    "counts, 30 % zeros": (zero_inflated, ONE_SCALE),
}
COUNTS = ("counts", "counts, 30 % zeros")


def folder(name):
    """Return a folder of real data."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    found = Path(os.environ.get("SKRNN_DATA", beside)) / name
    if not found.exists():
        sys.exit(f"Skipped: no data. Point SKRNN_DATA to the folder that holds {name}.")
    return found


# Measurements: each returns the truth (n, steps), quantiles (n, steps, 4), and how many of the n
# windows do not overlap


def made(name, loss, calibrated):
    """Forecast series that were drawn."""
    draw, params = MADE[name]
    train, held, test = (
        draw(np.random.default_rng([i, 0]), n) for i, n in enumerate((N_TRAIN, N_CALIBRATE, N_TEST))
    )
    ahead = 3 * HORIZON
    model = LSTMForecaster(**{**COMMON, **params}, loss=loss).fit(list(train))
    if calibrated:  # at one origin of each, the one that the others are forecast from
        model.calibrate(list(held), horizon=ahead, n_steps=ahead)
    X, truth = list(test[:, :-ahead]), test[:, -ahead:]
    found = model.predict_quantiles(X, ASKED, horizon=ahead, n_paths=N_PATHS)
    return truth, found, len(test)


def rolling(model, y, start, stop, every, ahead, calibrated, n_known, stride=1, **options):
    """Forecast one series from origins start .. stop, calibrated on what was known before each.

    Parameters
    ----------
    model : fitted LSTMForecaster
    y : ndarray of shape (n_steps,)
    start, stop, every : int
        Steps between two calibrations: `every`.
    ahead : int
    calibrated : bool
    n_known : callable
        Given an origin, the steps before it that `calibrate` gets.
    stride : int
        Steps between the origins that are forecast.
    **options : of `calibrate`
    """
    need, truths, found = model._transform.history_length, [], []
    for now in range(start, stop - ahead + 1, every):
        if calibrated:
            model.calibrate([y[now - n_known(now) : now]], horizon=ahead, **options)
        origins = range(now, min(now + every, stop - ahead + 1), stride)
        truths += [y[at : at + ahead] for at in origins]
        X = [y[at - need : at] for at in origins]
        found.append(model.predict_quantiles(X, ASKED, horizon=ahead, n_paths=N_PATHS))
    return np.array(truths), np.concatenate(found), (stop - start) / ahead


def airline(loss, calibrated, rate, validation):
    """Passengers of 12 years by month: five to learn from, three to calibrate on, four to forecast.

    The network forecasts four steps at once, of logarithms. Each month its calibration is anew on
    all months from the sixth year to the last one known.
    """
    (path,) = folder("airline").glob("*.csv")
    y = np.log(np.loadtxt(path, delimiter=",", skiprows=1, usecols=-1))
    params = {"horizon": 4, "lookback": 24, "difference": "season", "season_length": 12,
              "hidden_layer_sizes": (8,), "max_iter": 60, "batch_size": 1}  # fmt: skip
    model = LSTMForecaster(**{**COMMON, **params}, loss=loss)
    model.fit([y[:60]])
    return rolling(model, y, 96, 144, 1, 12, calibrated, lambda now: now - 60 + 36)


def etth1(loss, calibrated, rate, validation):
    """Oil temperature by hour: 12 months to learn from, 4 to choose by, 4 to forecast.

    Each week the calibration is anew on the two months before. To choose by are the third and
    fourth month after training.
    """
    month, ahead = 30 * 24, 72
    y = np.loadtxt(folder("ett") / "ETTh1.csv", delimiter=",", skiprows=1, usecols=-1)
    train = y[: 12 * month]
    y = (y[: 20 * month] - train.mean()) / train.std()
    params = {"horizon": 24, "lookback": 96, "autoregression": 336, "batch_size": 4,
              "max_iter": 20, "learning_rate_init": 0.002, "hidden_layer_sizes": (64,)}  # fmt: skip
    model = LSTMForecaster(**{**COMMON, **params}, loss=loss).fit([y[: 12 * month]])
    start, stop = (14, 16) if validation else (16, 20)
    return rolling(
        model, y, start * month, stop * month, 168, ahead, calibrated,
        lambda now: 2 * month + 336, stride=3, adaptation_rate=rate,
    )  # fmt: skip


REAL = {"airline": airline, "ETTh1": etth1}


# The table


def off(truth, found, level):
    """Return, for each step, the share of truths in the interval of a level, less the level."""
    at = 2 * LEVELS.index(level)
    low, high = found[..., at], found[..., at + 1]
    return ((truth >= low) & (truth <= high)).mean(axis=0) - level


def row(cells):
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def run(name, method, validation):
    """Print the rows of a data set and a method."""
    loss, calibrated, rate = METHODS[method]
    if rate and name != "ETTh1":
        return
    if name in MADE:
        truth, found, independent = made(name, loss, calibrated)
    else:
        truth, found, independent = REAL[name](loss, calibrated, rate, validation)
    found, h = np.asarray(found).reshape(*truth.shape, len(ASKED)), truth.shape[1] // 3
    spread = truth + np.random.default_rng(0).uniform(-0.5, 0.5, truth.shape)
    for level in LEVELS:
        cells = [name, method, f"{level:.0%}"]
        for y in (truth, spread if name in COUNTS else None):
            if y is None:
                cells.append("-")
                continue
            shares = off(y, found, level) * 100
            worst = [part[np.abs(part).argmax()] for part in (shares[:h], shares[h:])]
            cells.append(f"{worst[0]:+.1f}, {worst[1]:+.1f}; {shares.mean():+.1f}")
        row([*cells, f"{100 * np.sqrt(level * (1 - level) / independent):.1f}"])


def main(argv=None):
    """Print the table, or the rows of the data sets named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*MADE, *REAL, []])
    parser.add_argument("--methods", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--validation", action="store_true", help="of ETTh1, leave the test alone")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore", ConvergenceWarning)
    row(["series", "intervals", "level", "points off", "points off, spread", "standard error"])
    row(["---"] * 6)
    for name in args.names or (*MADE, *REAL):
        for method in args.methods:
            run(name, method, args.validation)
    return 0


if __name__ == "__main__":
    sys.exit(main())
