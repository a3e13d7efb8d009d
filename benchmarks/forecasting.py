"""Section about forecasts: windows per second in training, and decoding far ahead."""

import warnings

import numpy as np
from report import Table, race_row
from sklearn.exceptions import ConvergenceWarning
from timing import alternate

import skrnn

BATCH, LOOKBACK, HORIZON = 32, 96, 24
WINDOWS = 3200
WIDTHS = (32, 64)
SERIES, AHEAD = 1000, 48


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
