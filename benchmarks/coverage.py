"""How often intervals of `LSTMForecaster` hold the truth, step by step, to three trained horizons.

Made series (random walks, AR(2), counts with a weekly season, the same with three zeros in ten, the
airline model): a network learns from 300 series, is calibrated on 5,000 others, and 5,000 more
are forecast once each. Airline passengers and ETTh1 are one series each: the last part is forecast
from every origin, so that windows overlap.

**Airline model.** One series of 144 months holds four windows of a year, which show nothing about
coverage. So its model makes series: ARIMA(0,1,1)(0,1,1)12 of logarithms with the parameters that
Box and Jenkins (Time Series Analysis, 1976, chapter 9) fitted to it, from its first year on.

**Counts** are integers: an interval that ends in them holds more than its level, whatever the
forecast, and one that begins at 0 has nothing below. So they are measured twice. "As they are" is
the share of truths within the interval, ends included. "By PIT" is the share that a distribution
promises at any level if it is right: the probability integral transform of a count y is spread
evenly over F(y - 1) .. F(y), and its part within the levels asked for counts (nonrandomized PIT;
Czado, Gneiting and Held, 2009). F is that of the forecast's quantiles, joined linearly in the
normal score, where a real number stands for the count next to it and what is below 0 for 0. What is
calibrated is judged as it is, which is what calibration is for, and a distribution by PIT.

**Standard errors** are those of the share at one step: of as many independent series, calibrated
and forecast; for ETTh1 from the differences between weeks; for airline of as many windows as do not
overlap. The worst of 24 steps and two levels is about three of them off even if all is well.

Run it as ``SKRNN_DATA=folder python benchmarks/coverage.py [NAME ...]``; it prints a table, and at
its end a verdict per row. What is chosen for ETTh1 (how often its calibration is anew, the rate of
adaptation) was chosen with ``--validation``, on months before those of the table.
"""

import argparse
import os
import sys
import warnings
from pathlib import Path

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import poisson as poisson_distribution
from sklearn.exceptions import ConvergenceWarning

from skrnn import LSTMForecaster
from skrnn._forecaster.quantile_function import scores_between

LEVELS = (0.8, 0.9)
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
ASKED = [(1 + sign * level) / 2 for level in LEVELS for sign in (-1, 1)]
# Of counts, levels near those asked for: the probabilities of each count are between them.
FINE = np.concatenate([np.arange(1, 16), np.arange(20, 81, 5), np.arange(85, 100)]) / 100
GOAL = 3  # points that an interval may hold more or less
N_TRAIN, N_CALIBRATE, N_TEST, N_PATHS = 300, 5_000, 5_000, 100
STEPS, HORIZON, LOOKBACK = 144, 8, 28
ZEROS = 0.3
COMMON = {
    "horizon": HORIZON, "lookback": LOOKBACK, "hidden_layer_sizes": (16,), "max_iter": 30,
    "learning_rate_init": 0.005, "learning_rate": "linear", "n_iter_no_change": np.inf,
    "random_state": 0, "quantiles": QUANTILES,
}  # fmt: skip
# Series of one process have one scale, and what counts has no unit.
ONE_SCALE = {"difference": None, "scaling": "global"}
SEASONAL = {"difference": "season", "season_length": 12, "horizon": 4, "lookback": 24}
RATE = 0.001
TRUE = "true distribution"  # of counts: what any forecast can reach
METHODS = {  # name to the loss, whether it is calibrated, and the rate of adaptation
    "gaussian": ("gaussian", False, 0),
    "gaussian, calibrated": ("gaussian", True, 0),
    "gaussian, adapted": ("gaussian", True, RATE),
    "quantile": ("quantile", False, 0),
    "quantile, calibrated": ("quantile", True, 0),
    "quantile, adapted": ("quantile", True, RATE),
    "conformal": ("squared_error", True, 0),
    "conformal, adapted": ("squared_error", True, RATE),
    TRUE: (None, False, 0),
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
    return rng.poisson(rates(rng, n)) * (rng.random((n, STEPS)) > ZEROS).astype(float)


def airline_model(rng, n):
    """Draw (1 - B)(1 - B^12) y_t = (1 - 0.396 B)(1 - 0.614 B^12) e_t, of logarithms."""
    first = [112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 126]  # 13th: of the trend
    noise, y = rng.normal(scale=np.sqrt(0.00134), size=(n, STEPS)), np.zeros((n, STEPS))
    y[:, :13] = np.log(first) + noise[:, :13]
    for t in range(13, STEPS):
        ma = noise[:, t] - 0.396 * noise[:, t - 1] - 0.614 * noise[:, t - 12]
        ma += 0.396 * 0.614 * noise[:, t - 13]
        y[:, t] = y[:, t - 1] + y[:, t - 12] - y[:, t - 13] + ma
    return y


MADE = {
    "random walks": (walks, {}),
    "AR(2)": (ar2, ONE_SCALE),
    "counts": (poisson, ONE_SCALE),
    "counts, 30 % zeros": (zero_inflated, ONE_SCALE),
    "airline model": (airline_model, {**SEASONAL, "scaling": "global"}),
}
COUNTS = {"counts": 0, "counts, 30 % zeros": ZEROS}  # name to the share of additional zeros


def folder(name):
    """Return a folder of real data."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    found = Path(os.environ.get("SKRNN_DATA", beside)) / name
    if not found.exists():
        sys.exit(f"Skipped: no data. Point SKRNN_DATA to the folder that holds {name}.")
    return found


# Measurements: each yields a method, the truth (n, steps), quantiles (n, steps, n_levels), their
# levels, and a function of shares within intervals (n, steps) that returns their standard errors


def made(name, methods):
    """Forecast series that were drawn."""
    draw, params = MADE[name]
    train, held, test = (
        draw(np.random.default_rng([i, 0]), n) for i, n in enumerate((N_TRAIN, N_CALIBRATE, N_TEST))
    )
    ahead, models = 3 * params.get("horizon", HORIZON), {}
    X, truth = list(test[:, :-ahead]), test[:, -ahead:]
    for method in methods:
        loss, calibrated, rate = METHODS[method]
        if rate or (method == TRUE and name not in COUNTS):
            continue
        if loss is None:
            yield method, truth, true_quantiles(name, ahead), FINE, of_series(N_TEST)
            continue
        if loss not in models:
            models[loss] = LSTMForecaster(**{**COMMON, **params}, loss=loss).fit(list(train))
        model, levels = models[loss], ASKED
        if name in COUNTS:
            levels = QUANTILES if loss == "quantile" and not calibrated else FINE
        if calibrated:  # at one origin of each, the one that the others are forecast from
            model.calibrate(list(held), horizon=ahead, n_steps=ahead)
        found = model.predict_quantiles(X, levels, horizon=ahead, n_paths=N_PATHS)
        n = N_TEST if not calibrated else 1 / (1 / N_TEST + 1 / N_CALIBRATE)
        yield method, truth, found, np.asarray(levels), of_series(n)


def true_quantiles(name, ahead):
    """Return the quantiles of the distributions that counts were drawn from."""
    mean = rates(np.random.default_rng([2, 0]), N_TEST)[:, -ahead:, np.newaxis]
    zeros = COUNTS[name]
    return poisson_distribution.ppf(np.maximum(FINE - zeros, 0) / (1 - zeros), mean).clip(0)


def of_series(n):
    """Return the standard errors of shares among so many series."""
    return lambda inside: np.sqrt(inside.mean(axis=0) * (1 - inside.mean(axis=0)) / n)


def of_parts(size):
    """Return the standard errors of shares, from the differences between parts of so many rows."""

    def found(inside):
        parts = inside[: len(inside) // size * size].reshape(-1, size, inside.shape[1])
        return parts.mean(axis=1).std(axis=0, ddof=1) / np.sqrt(len(parts))

    return found


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
    return np.array(truths), np.concatenate(found)


def airline(methods, validation):
    """Passengers of 12 years by month: five to learn from, three to calibrate on, four to forecast.

    The network forecasts four steps at once, of logarithms. Each month its calibration is anew on
    all months from the sixth year to the last one known.
    """
    (path,) = folder("airline").glob("*.csv")
    y = np.log(np.loadtxt(path, delimiter=",", skiprows=1, usecols=-1))
    params = {**COMMON, **SEASONAL, "hidden_layer_sizes": (8,), "max_iter": 60, "batch_size": 1}
    for method in methods:
        loss, calibrated, rate = METHODS[method]
        if rate or method == TRUE:
            continue
        model = LSTMForecaster(**params, loss=loss).fit([y[:60]])
        known = rolling(model, y, 96, 144, 1, 12, calibrated, lambda now: now - 60 + 36)
        yield method, *known, ASKED, of_series(4)


def etth1(methods, validation):
    """Oil temperature by hour: 12 months to learn from, 4 to choose by, 4 to forecast.

    The calibration is anew on the two months before, each week, and each day where it is adapted.
    Of distributions, whose sample paths take a hundred times as long, it is on one month, each
    week. To choose by are the third and fourth month after training.
    """
    month, ahead, stride = 30 * 24, 72, 6
    y = np.loadtxt(folder("ett") / "ETTh1.csv", delimiter=",", skiprows=1, usecols=-1)
    train = y[: 12 * month]
    y = (y[: 20 * month] - train.mean()) / train.std()
    params = {**COMMON, "horizon": 24, "lookback": 96, "autoregression": 336, "batch_size": 4,
              "max_iter": 20, "learning_rate_init": 0.002}  # fmt: skip
    start, stop = (14, 16) if validation else (16, 20)
    for method in methods:
        loss, calibrated, rate = METHODS[method]
        if method == TRUE:
            continue
        model = LSTMForecaster(**params, loss=loss).fit([y[: 12 * month]])
        every = 24 if method == "conformal, adapted" else 168
        n_known = (2 if loss == "squared_error" else 1) * month + 336
        known = rolling(
            model, y, start * month, stop * month, every, ahead, calibrated,
            lambda now, n_known=n_known: n_known, stride=stride, adaptation_rate=rate,
        )  # fmt: skip
        yield method, *known, ASKED, of_parts(168 // stride)


REAL = {"airline": airline, "ETTh1": etth1}


# The table


def within(truth, found, levels, level):
    """Return which truths are in the interval of a level."""
    low, high = (found[..., np.abs(np.subtract(levels, p)).argmin()] for p in ends(level))
    return ((truth >= low) & (truth <= high)).astype(float)


def within_by_pit(counts, found, levels, level):
    """Return how much of the probability integral transform of counts is within a level's ends."""
    low, high = (
        ndtr(scores_between(found, ndtri(levels), counts + side)) for side in (-0.5, 0.5)
    )  # what is at most one count less, and at most this count
    low = np.where(counts == 0, 0.0, low)
    first, last = ends(level)
    width = np.maximum(high - low, 1e-9)
    return np.clip(np.minimum(high, last) - np.maximum(low, first), 0, None) / width


def ends(level):
    """Return the levels of both ends of an interval."""
    return (1 - level) / 2, (1 + level) / 2


def row(cells):
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def deviations(name, method, truth, found, levels, errors, verdicts):
    """Print a row, and append the worst of each measure to the verdicts."""
    found, h = np.asarray(found).reshape(*truth.shape, len(levels)), truth.shape[1] // 3
    measures = {"": within, "by PIT": within_by_pit} if name in COUNTS else {"": within}
    for measure, function in measures.items():
        cells, off, standard = [], [], []
        for level in LEVELS:
            inside = function(truth, found, levels, level)
            off.append((inside.mean(axis=0) - level) * 100)
            standard.append(errors(inside) * 100)
            worst = [part[np.abs(part).argmax()] for part in (off[-1][:h], off[-1][h:])]
            cells.append(f"{worst[0]:+.1f}, {worst[1]:+.1f}; {off[-1].mean():+.1f}")
        cells.append(", ".join(f"{error.mean():.1f}" for error in standard))
        row([name, method, measure, *cells])
        off, standard = np.concatenate(off), np.concatenate(standard)
        at = np.abs(off).argmax()
        # Of a step that all truths are in, the error is not known: it is that of the others.
        error = max(standard[at], np.median(standard))
        judged = (measure == "") == (name not in COUNTS or METHODS[method][1])
        verdicts.append((name, method, measure, off[at], error, judged))


def verdict(worst, error):
    """Say what a worst deviation shows."""
    if abs(worst) <= GOAL:
        return "holds" if error <= GOAL / 2 else "within, by too few windows to tell"
    return "misses" if abs(worst) > GOAL + 2 * error else "too few windows to tell"


def main(argv=None):
    """Print the table, or the rows of the data sets named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*MADE, *REAL, []])
    parser.add_argument("--methods", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--validation", action="store_true", help="of ETTh1, leave the test alone")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore", ConvergenceWarning)
    levels = [f"{level:.0%}: worst near, far; mean" for level in LEVELS]
    row(["series", "intervals", "measure", *levels, "standard error"])
    row(["---"] * 6)
    verdicts = []
    for name in args.names or (*MADE, *REAL):
        rows = (
            made(name, args.methods) if name in MADE else REAL[name](args.methods, args.validation)
        )
        for method, *measured in rows:
            deviations(name, method, *measured, verdicts)
    print("\nWorst of all steps and levels, in points, and its standard error")
    for name, method, measure, worst, error, judged in verdicts:
        called = ", ".join(filter(None, (name, method, measure)))
        said = verdict(worst, error) if judged else "-"
        print(f"{called:50} {worst:+6.1f} {error:5.1f}  {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
