"""Sections about forecasts: windows per second, decoding far ahead, and memory of a large panel."""

import warnings

import numpy as np
from around import in_child
from report import Table, race_row
from sklearn.exceptions import ConvergenceWarning
from timing import alternate

import skrnn

BATCH, LOOKBACK, HORIZON = 32, 96, 24
WINDOWS = 3200
WIDTHS = (32, 64)
SERIES, AHEAD = 1000, 48
PANEL = 5000, 1000, 8  # series, steps, columns
PANEL_METHODS = ("fit", "predict", "calibrate", "sample_paths")


class OurForecaster:
    """LSTMForecaster with the interface of the other side's forecaster."""

    def __init__(self, width, horizon):
        self.model = skrnn.LSTMForecaster(
            horizon, LOOKBACK, hidden_layer_sizes=(width,), batch_size=BATCH, max_iter=1, alpha=0,
            tol=0, n_iter_no_change=np.inf, random_state=0,
        )  # fmt: skip

    def fit(self, X, y):
        """Train an epoch from scratch; this whole call is what is timed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model.fit(X, y)
        return self

    def predict(self, X, horizon):
        """Forecast; this whole call is what is timed."""
        return self.model.predict(X[..., np.newaxis], horizon=horizon)


def make_torch_forecaster(width, horizon):
    """Make the same network in PyTorch: differences in, values relative to the last one out."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(1, width, batch_first=True)
            self.head = nn.Linear(width, horizon)

    class Forecaster:
        def fit(self, X, y):
            torch.manual_seed(0)
            self.net = Network()
            optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3, fused=True)
            X, y = torch.from_numpy(X).float(), torch.from_numpy(y).float()
            y = y[:, None] if y.ndim == 1 else y
            x, targets = changes(X), y - X[:, -1:]
            self.scale = targets.std()
            targets = targets / self.scale
            for rows in torch.randperm(len(x)).split(BATCH):
                states, _ = self.net.lstm(x[rows])
                loss = nn.functional.mse_loss(self.net.head(states[:, -1]), targets[rows])
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
                optimizer.step()
            return self

        @torch.no_grad()
        def predict(self, X, horizon):
            X = torch.from_numpy(X).float()
            last, out = X[:, -1:], []
            states, carried = self.net.lstm(changes(X))
            while True:
                step = self.net.head(states[:, -1]) * self.scale
                out.append(last + step)
                if len(out) == horizon:
                    return torch.cat(out, dim=1).numpy()
                states, carried = self.net.lstm(step[..., None], carried)
                last = out[-1]

    def changes(X):
        return torch.diff(X, dim=1, prepend=X[:, :1])[..., None]

    return Forecaster()


def forecasting(run):
    """Compare training on windows, and forecasts fed back step by step."""
    table = Table(
        "Forecasts",
        ["what", "ours", "PyTorch", "ratio", "goal", "verdict"],
        f"`LSTMForecaster` on {WINDOWS:,} windows of {LOOKBACK} steps, {HORIZON} ahead, an epoch "
        f"in batches of {BATCH}; then {SERIES:,} series continued for {AHEAD} steps, one at a "
        f"time, the state carried on by both sides: from one known step, and after {LOOKBACK}.",
    )
    rng = np.random.default_rng(0)
    series = rng.standard_normal((WINDOWS, LOOKBACK + HORIZON)).cumsum(axis=1)
    X, y = series[:, :LOOKBACK], series[:, LOOKBACK:]

    def sides(width, horizon):
        peer = [] if run.peer is None else [make_torch_forecaster(width, horizon)]
        return [OurForecaster(width, horizon), *peer]

    for width in WIDTHS:
        calls = [
            (side, lambda model=model: model.fit(X, y))
            for side, model in zip(run.sides(), sides(width, HORIZON), strict=True)
        ]
        what = f"{WINDOWS:,} windows, H = {width}"
        race_row(table, what, alternate(calls, run.repeats), 3.0)
    for width in WIDTHS:
        models = [model.fit(X, y[:, 0]) for model in sides(width, 1)]
        for known, goal in ((1, 5.0), (LOOKBACK, None)):
            histories = X[:SERIES, -known:]
            calls = [
                (side, lambda model=model, histories=histories: model.predict(histories, AHEAD))
                for side, model in zip(run.sides(), models, strict=True)
            ]
            what = f"{SERIES:,} series x {AHEAD} steps after {known}, H = {width}"
            race_row(table, what, alternate(calls, run.repeats), goal)
    return table


def memory(run):
    """Print what a large panel needs beside its data, a process for each method."""
    series, steps, columns = PANEL
    table = Table(
        f"Peak memory of a panel of {series:,} series x {steps:,} steps x {columns} columns",
        ["method", "data", "beside data", "goal", "verdict"],
        "One target, seven past covariates, a horizon of 12 and a lookback of 48. The high-water "
        "mark of a process, less what it was before the call: an epoch of `fit`, a forecast of "
        "each series, `calibrate` at all origins that it takes, and 20 sample paths of 24 steps of "
        "each series.",
    )
    for method in PANEL_METHODS:
        added, data = in_child("panel", method)
        met = "met" if added <= 1024 else "**missed**"
        table.add(f"`{method}`", f"{data:.0f} MB", f"{added:.0f} MB", "<= 1,024 MB", met)
    return table
