"""Errors of a panel by `scaling`, with clean histories, with outliers and with shifts of the level.

On the training parts alone: M4's weekly series, whose last 13 weeks are forecast; the seven columns
of ETTh1 as series, in units of their own and z-scored, over months 13 to 16; the airline's
passengers of 1957 and 1958. An error is the mean absolute error over the mean absolute change of
the clean history. Outliers are one step in a hundred, 60 such changes off; shifts move all that
was before a step in the first half by as much. Run it as
``SKRNN_DATA=folder python benchmarks/scaling.py``.
"""

import csv
import os
import warnings
from pathlib import Path

import numpy as np

from skrnn import LSTMForecaster

DATA = Path(os.environ.get("SKRNN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
MONTH, SEEDS = 720, 3
COMMON = {
    "hidden_layer_sizes": (24,), "learning_rate_init": 0.005, "learning_rate": "linear",
    "n_iter_no_change": np.inf,
}  # fmt: skip


def rows(name):
    """Return the rows of a file, without those of names."""
    with (DATA / name).open(newline="") as file:
        return list(csv.reader(file))[1:]


def m4():
    """Return training series, histories, what followed them, and parameters."""
    series = [
        np.array([float(x) for x in row[1:] if x]) for row in rows("m4_weekly/Weekly-train.csv")
    ]
    chosen = [series[i][-260:] for i in np.random.default_rng(0).permutation(len(series))[:90]]
    known = [x[:-13] for x in chosen]
    params = {"horizon": 13, "lookback": 52, "max_iter": 12, "batch_size": 16}
    return known, known, [x[-13:] for x in chosen], params


def ett(units):
    """Return the same of ETTh1, in these units."""
    table = np.array([row[1:] for row in rows("ett/ETTh1.csv")[: 16 * MONTH]], dtype=float)
    table = (table - table[: 12 * MONTH].mean(axis=0)) / table[: 12 * MONTH].std(axis=0) * units
    origins = range(12 * MONTH, 16 * MONTH - 24, 97)
    params = {"horizon": 24, "lookback": 72, "max_iter": 10, "batch_size": 16,
              "difference": "season", "season_length": 24}  # fmt: skip
    return (
        list(table[9 * MONTH : 12 * MONTH].T),
        [x for t in origins for x in table[t - MONTH : t].T],
        [x for t in origins for x in table[t : t + 24].T],
        params,
    )


def airline():
    """Return the same of a single series."""
    y = np.array([float(row[-1]) for row in rows("airline/Airline.csv")])[:120]
    origins = range(84, 109, 3)
    params = {"horizon": 12, "lookback": 24, "max_iter": 150, "batch_size": 4,
              "difference": "season", "season_length": 12}  # fmt: skip
    return [y[:84]], [y[:t] for t in origins], [y[t : t + 12] for t in origins], params


def spoilt(series, how, seed):
    """Return series with outliers or with a shift of the level."""
    rng, found = np.random.default_rng(seed), []
    for y in series:
        y, size = y.copy(), 60 * np.abs(np.diff(y)).mean()
        if how == "outliers":
            at = rng.choice(len(y) - 2, max(1, len(y) // 100), replace=False)
            y[at] += rng.choice([-1, 1], len(at)) * size
        if how == "shifts":
            y[: rng.integers(len(y) // 4, len(y) // 2)] += rng.choice([-1, 1]) * size
        found.append(y)
    return found


def main():
    """Print a row of the table for each data set and kind of history."""
    warnings.simplefilter("ignore")
    tasks = {
        "M4 weekly, 90 series": m4,
        "ETTh1 columns, own units": lambda: ett(10.0 ** np.arange(-2, 5)),
        "ETTh1 columns, z-scored": lambda: ett(1.0),
        "airline, one series": airline,
    }
    for name, load in tasks.items():
        train, histories, truths, params = load()
        sizes = np.array([np.abs(np.diff(y)).mean() for y in histories])
        for how in ("clean", "outliers", "shifts"):
            errors = []
            for scaling in ("none", "global", "series"):
                found = []
                for seed in range(SEEDS):
                    model = LSTMForecaster(**COMMON, **params, scaling=scaling, random_state=seed)
                    model.fit(spoilt(train, how, 0))
                    forecast = model.predict(spoilt(histories, how, 0 if train is histories else 1))
                    found.append((np.abs(forecast - np.array(truths)).mean(axis=1) / sizes).mean())
                errors.append(f"{np.mean(found):.2f}")
            print("|", " | ".join([name, how, *errors]), "|", flush=True)


if __name__ == "__main__":
    main()
