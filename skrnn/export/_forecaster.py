"""A block of forecasts in nodes of ONNX: what a forecaster does before its network and after it.

Names are those of ``_forecaster/transform.py`` and ``_forecaster/rollout.py``, whose steps these
nodes repeat for sequences of different lengths in one array.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import numpy as np

from skrnn._forecaster.distributions import (
    COUNT_LOSSES,
    FORECAST_LOSSES,
    LARGEST_SHAPE,
    LOCATION_LOSSES,
    n_moved,
)
from skrnn.export._network import add_network

# What the details of a target are called in the graph.
DETAILS = {
    "gaussian": ("mean", "std"),
    "student_t": ("location", "scale", "degrees_of_freedom"),
    "poisson": ("mean",),
    "negative_binomial": ("mean", "dispersion"),
}


def add_forecaster(graph, estimator, plan, values, lengths):
    """Add the forecast of one block from histories (batch, time, n_targets)."""
    transform, loss = estimator._transform, estimator._architecture["loss"]
    if estimator._transformer is not None:
        raise ValueError(
            "An LSTMForecaster with a transformer cannot be exported: no node of ONNX stands for "
            "it. Fit a forecaster with transformer=None to transformed series, export that one, "
            "and undo the transformer where the graph is run."
        )
    _refuse(transform, loss)
    h, k = transform.horizon, transform.n_targets
    known = _Window.last_of(graph, values, lengths, transform.history_length)
    y = known.with_values(
        graph.add("Div", graph.add("Sub", known.values, transform.center), transform.scale)
    )
    read = _inputs(y, transform)
    outputs = add_network(graph, plan, estimator._params, read.values, read.lengths)
    if plan.pooling == "all":
        outputs = read.with_values(outputs).before_end([0])
    outputs = graph.add("Reshape", graph.cast(outputs, np.float64), graph.ints(0, h, k, -1))
    details = _in_units(graph, transform, loss, outputs, _base(y, transform))
    point = estimator._network().point
    details = _keep_constant(known, transform, loss, details, point)
    shape = ["batch", h, k]
    names = {"forecast": point} | {name: i for i, name in enumerate(DETAILS.get(loss, ()))}
    for name, place in names.items():
        number = graph.add("Gather", details, np.int64(place), axis=3)
        if name == "degrees_of_freedom":
            shape_number = graph.add("Min", number, np.float64(LARGEST_SHAPE))
            number = graph.add("Add", graph.add("Exp", shape_number), np.float64(2))
        graph.output(name, number, np.float64, shape)
    if loss == "quantile":
        graph.output("quantiles", details, np.float64, [*shape, len(plan.quantiles)])


def _refuse(transform, loss):
    """Raise for what no node stands for."""
    if transform.n_columns > transform.n_targets:
        raise ValueError(
            "An LSTMForecaster with covariates, or of series with missing values, cannot be "
            "exported: the graph reads targets alone. Use predict, or a file of skops."
        )
    if transform.own_scale:
        raise ValueError(
            "An LSTMForecaster with scaling='series' (or 'auto', with several series) cannot be "
            "exported: the scale is that of each whole series. Fit with scaling='global' or 'none'."
        )
    if loss not in FORECAST_LOSSES:
        raise ValueError(f"An LSTMForecaster with loss={loss!r} cannot be exported.")


class _Window:
    """Steps of series that are of different lengths, from the left: (batch, n, width).

    Parameters
    ----------
    graph : Graph
    values : str
    lengths : str
        int64, of shape (batch,).
    """

    def __init__(self, graph, values, lengths):
        self.graph, self.values, self.lengths = graph, values, lengths

    def with_values(self, values):
        return _Window(self.graph, values, self.lengths)

    @classmethod
    def last_of(cls, graph, values, lengths, n):
        """Return the last n steps of series, or all of shorter ones."""
        kept = graph.add("Min", lengths, np.int64(n))
        place = cls(graph, values, lengths).places(kept, n)
        return cls(graph, graph.add("GatherND", values, place, batch_dims=1), kept)

    def places(self, kept, n, back=0):
        """Return where the last `kept` steps are, `back` steps earlier: (batch, at most n, 1)."""
        graph = self.graph
        size = graph.add("Min", graph.add("Squeeze", graph.dimension(self.values, 1)), np.int64(n))
        ahead = graph.add("Range", np.int64(0), size, np.int64(1))
        first = graph.add("Sub", graph.add("Sub", self.lengths, kept), np.int64(back))
        return self._indices(graph.add("Add", graph.add("Unsqueeze", first, graph.ints(1)), ahead))

    def _indices(self, places):
        """Return places (batch, n) within the series, for GatherND."""
        graph = self.graph
        last = graph.add("Unsqueeze", graph.add("Sub", self.lengths, np.int64(1)), graph.ints(1))
        places = graph.add("Max", graph.add("Min", places, last), np.int64(0))
        return graph.add("Unsqueeze", places, graph.ints(2))

    def at(self, places):
        """Return the steps at some places (batch, n, 1): (batch, n, width)."""
        return self.graph.add("GatherND", self.values, places, batch_dims=1)

    def before_end(self, back):
        """Return the steps so many before the last: (batch, len(back), width)."""
        graph = self.graph
        last = graph.add("Unsqueeze", graph.add("Sub", self.lengths, np.int64(1)), graph.ints(1))
        return self.at(self._indices(graph.add("Sub", last, np.array(back, dtype=np.int64))))


def _inputs(y, transform):
    """Return what the network reads, the last `lookback` steps: `SeriesTransform.inputs`."""
    graph, n, lag = y.graph, transform.lookback, transform.lag
    kept = graph.add("Min", y.lengths, np.int64(n))
    now = y.places(kept, n)
    changes = y.at(now)
    if lag:
        before = y.at(y.places(kept, n, back=lag))
        known = graph.add("GreaterOrEqual", now, np.int64(lag))
        changes = graph.add("Where", known, graph.add("Sub", changes, before), np.float64(0))
    changes = graph.add("Div", changes, np.asarray(transform.input_scale, dtype=np.float64))
    return _Window(graph, changes, kept)


def _base(y, transform):
    """Return what forecasts are relative to, (batch, horizon, n_targets): `last_base`."""
    graph, ahead = y.graph, np.arange(1, transform.horizon + 1)
    back = np.zeros(transform.horizon, np.int64)
    if transform.difference == "season":
        back = transform.season * -(-ahead // transform.season) - ahead
    base = y.before_end([0])
    if transform.difference is None:
        base = graph.add("Mul", base, np.zeros((transform.horizon, 1)))
    else:
        # The last value of all where no season before is known.
        last = graph.add("Unsqueeze", y.lengths, graph.ints(1, 2))
        known = graph.add("Greater", last, back[:, np.newaxis])
        base = graph.add("Where", known, y.before_end(back), base)
    if transform.lag_weights is None:
        return base
    lagged = y.before_end(np.arange(transform.lags))
    if transform.difference:
        lagged = graph.add("Sub", lagged, y.before_end([0]))
    linear = graph.add("Einsum", lagged, transform.lag_weights, equation="blk,lhk->bhk")
    return graph.add("Add", base, linear)


def _in_units(graph, transform, loss, outputs, base):
    """Return (batch, horizon, n_targets, outputs per target) in the units of the series."""
    k = transform.n_targets
    size = np.broadcast_to(transform.target_scale, (transform.horizon, k))[..., np.newaxis]
    center, scale = transform.center[:k, np.newaxis], transform.scale[:k, np.newaxis]
    base = graph.add("Unsqueeze", base, graph.ints(3))
    if loss in COUNT_LOSSES:
        mean = graph.add("Exp", graph.add("Gather", outputs, graph.ints(0), axis=3))
        mean = graph.add("Mul", graph.add("Mul", mean, size), scale)
        if loss == "poisson":
            return mean
        bounds = np.float64(-LARGEST_SHAPE), np.float64(LARGEST_SHAPE)
        shape = graph.add("Clip", graph.add("Gather", outputs, graph.ints(1), axis=3), *bounds)
        return graph.add("Concat", mean, graph.add("Exp", shape), axis=3)
    others = []  # a scale is not shifted, a shape has no unit
    if loss in LOCATION_LOSSES:
        deviation = graph.add("Gather", outputs, graph.ints(1), axis=3)
        others = [graph.add("Mul", graph.add("Mul", graph.add("Exp", deviation), size), scale)]
        if loss == "student_t":
            others.append(graph.add("Gather", outputs, graph.ints(2), axis=3))
        outputs = graph.add("Gather", outputs, graph.ints(0), axis=3)
    details = graph.add("Add", graph.add("Mul", outputs, size), base)
    details = graph.add("Add", graph.add("Mul", details, scale), center)
    if others:
        return graph.add("Concat", details, *others, axis=3)
    if loss == "quantile":  # quantiles learned apart may cross
        n = graph.dimension(details, 3)
        details, _ = graph.add("TopK", details, n, n_outputs=2, axis=3, largest=0)
    return details


def _keep_constant(known, transform, loss, details, point):
    """Forecast a constant history as constant, unless training saw such ones move."""
    if transform.constant_moves or transform.counts:
        return details
    graph = known.graph
    last = known.before_end([0])
    same = graph.add("Equal", known.values, last)
    beyond = graph.add("Not", graph.mask(known.values, known.lengths))
    same = graph.add("Or", same, graph.add("Unsqueeze", beyond, graph.ints(2)))
    same = graph.add("ReduceMin", graph.cast(same, np.int32), graph.ints(1), keepdims=1)
    constant = graph.add("Equal", same, np.int32(1))
    long = graph.add("GreaterOrEqual", known.lengths, np.int64(transform.least_constant))
    constant = graph.add("And", constant, graph.add("Unsqueeze", long, graph.ints(1, 2)))
    constant = graph.add("Unsqueeze", constant, graph.ints(3))  # batch, 1, n_targets, 1
    last = graph.add("Unsqueeze", last, graph.ints(3))
    width = len(DETAILS.get(loss, (loss,)))
    moved = (np.arange(width) < n_moved(loss, width)).astype(np.float64)
    if transform.constant_moves is None:  # never seen in training: the network's spread stands
        shift = graph.add("Sub", last, graph.add("Gather", details, graph.ints(point), axis=3))
        flat = graph.add("Add", details, graph.add("Mul", shift, moved))
    else:
        flat = graph.add("Mul", last, moved)
    return graph.add("Where", constant, flat, details)
