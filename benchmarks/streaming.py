"""Section about single steps: one sequence that goes on, through Python."""

import statistics
import time
import warnings

import numpy as np
from report import Table, duration, times, verdict
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import skrnn

FEATURES, CLASSES = 8, 3
GOALS = {32: 4e-6, 128: 15e-6}  # seconds


def make_ours(width, in_place):
    """Return a call that takes one step."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 5, FEATURES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = skrnn.RNNClassifier((width,), pooling="last", scaling="none", max_iter=1)
        model.fit(X, np.arange(12) % CLASSES)
    x = np.ascontiguousarray(X[:1, 0], dtype=np.float32)
    state = model.initial_state()
    if in_place:
        out = np.empty((1, CLASSES), np.float32), state
        return lambda: model.step(x, state, out=out)
    return lambda: model.step(x, state)


def make_torch(width):
    """Return the same step in PyTorch."""
    import torch
    from torch import nn

    cell, head = nn.LSTMCell(FEATURES, width), nn.Linear(width, CLASSES)
    x, h, c = torch.randn(1, FEATURES), torch.zeros(1, width), torch.zeros(1, width)

    @torch.inference_mode()
    def step():
        after = cell(x, (h, c))
        return torch.softmax(head(after[0]), dim=1), after

    return step


def median_seconds(call, quick):
    """Return the median of single calls."""
    taken = []
    for _ in range(2_000 if quick else 20_000):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def streaming(run):
    """Time one step of one sequence, batch 1, one thread."""
    table = Table(
        "One step of one sequence",
        ["what", "ours", "PyTorch", "ratio", "goal", "verdict"],
        f"`step(x, state)` of a classifier, {FEATURES} features, {CLASSES} classes, softmax "
        "included; median of single calls on one thread, PyTorch by `LSTMCell`.",
    )
    for width, goal in GOALS.items():
        with threadpool_limits(1):
            theirs = None
            if run.peer is not None:
                import torch

                torch.set_num_threads(1)
                theirs = median_seconds(make_torch(width), run.quick)
            for in_place in (False, True):
                mine = median_seconds(make_ours(width, in_place), run.quick)
                what = f"H = {width}" + (", in place" if in_place else "")
                ratio = None if theirs is None else theirs / mine
                table.add(
                    what, duration(mine), duration(theirs), times(ratio), f"<= {duration(goal)}",
                    verdict(mine, goal, at_least=False),
                )  # fmt: skip
    return table
