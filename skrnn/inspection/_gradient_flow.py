"""Norms of hidden states and of their gradients over time, computed by the training kernels."""

import copy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sklearn.base import clone

from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._network.batches import (
    batch_limits,
    equal_bounds,
    kernel_data,
    kernel_targets,
    word_limits,
)
from skrnn._network.plan import Options, Plan
from skrnn._network.threads import effective_n_threads

BATCH_SIZE = 64  # bounds the memory; results do not depend on it


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """Result of :func:`gradient_flow`.

    Parameters
    ----------
    layers : tuple of str, of length n_layers
        Layer and direction, named as in `weights_`: 'l0', 'l0_reverse', 'l1', ...

    steps : ndarray of shape (n_timesteps,), dtype=int
        Numbers of the steps: 0, 1, ... from the first step, or ..., -1, 0 up to the last step with
        `align='end'`.

    hidden_norms, gradient_norms : ndarray of shape (n_layers, n_sequences, n_timesteps), float64
        Euclidean norms of h_t and of dLoss/dh_t; NaN where a sequence has no such step.

    loss : float
        Weighted mean of the losses of all targets, without the L2 penalty.
    """

    __module__ = "skrnn.inspection"  # the path that files name

    layers: tuple
    steps: np.ndarray
    hidden_norms: np.ndarray
    gradient_norms: np.ndarray
    loss: float

    @property
    def counts(self):
        """Number of sequences that have each step: (n_timesteps,), int."""
        return self._exists.sum(axis=0)

    @property
    def mean_hidden_norms(self):
        """Mean of `hidden_norms` over the sequences that have a step: (n_layers, n_timesteps)."""
        return self._mean(self.hidden_norms)

    @property
    def mean_gradient_norms(self):
        """Mean of `gradient_norms` over the sequences that have a step: (n_layers, n_timesteps)."""
        return self._mean(self.gradient_norms)

    @property
    def _exists(self):
        return ~np.isnan(self.hidden_norms[0])

    def _mean(self, norms):
        return np.where(self._exists, norms, 0.0).sum(axis=1) / self.counts


def gradient_flow(estimator, X, y=None, *, align="start"):
    """Compute the norms of h_t and of dLoss/dh_t for every step, layer and direction.

    The norms show whether a network can learn long-term dependencies: where the gradient has
    vanished, nothing is learned from earlier steps, and where it explodes, nothing is learned from
    the others [1]_. A fitted network is used as it was fitted, regardless of later calls of
    `set_params`; for one that is not fitted, weights are drawn as `fit` would draw them.

    Parameters
    ----------
    estimator : RNNClassifier, RNNRegressor, LSTMTagger, LSTMForecaster or LSTMLanguageModel
        Estimator, fitted or not, which is left unchanged.

    X : sequences
        As in the estimator's `fit`.

    y : array-like or collection of label sequences, default=None
        As in the estimator's `fit`; None for a language model, and a forecaster that learns from
        the series themselves.

    align : {'start', 'end'}, default='start'
        Alignment of sequences of unequal lengths: step 0 is the first step of each, or the last.
        With `pooling='last'` the loss enters at the end.

    Returns
    -------
    GradientFlow
        Object with `layers`, `steps`, `hidden_norms`, `gradient_norms`, `loss`, and `counts`,
        `mean_hidden_norms` and `mean_gradient_norms` over the sequences that have a step.

    Raises
    ------
    TypeError
        If `estimator` is not one of those named (a pipeline, for example, or a translator).

    ValueError
        If `align` is not known; for X and y as in `fit`.

    See Also
    --------
    GradientFlowDisplay : Plot of the norms.

    Notes
    -----
    dLoss/dh_t is the total derivative: through the layers above, through the later steps (before,
    in the reverse direction), and through the output layer. The loss is that of one sequence, the
    weighted sum over its targets, so that the norms do not depend on the number of sequences;
    training divides by the number of targets of the batch, and by the mean weight of all.
    `class_weight` applies, `bptt_steps` truncates gradients as in training, and dropout is off. The
    sequences of an `LSTMForecaster` are the pieces of at most two lookbacks from which it learns;
    with `bptt_steps` those of a forecaster and of a language model are pieces of that many steps,
    each starting from a state of zeros. Empty sequences have no step. Norms that overflow in
    float32 are infinite, and NaN in the means; `dtype='float64'` avoids this.

    References
    ----------
    .. [1] Pascanu, Mikolov and Bengio (2013). On the difficulty of training recurrent neural
       networks.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier
    >>> from skrnn.inspection import gradient_flow
    >>> X = np.random.default_rng(0).normal(size=(20, 30, 2))
    >>> y = (X[:, 0, 0] > 0).astype(int)
    >>> flow = gradient_flow(RNNClassifier((16,), cell="rnn", random_state=0), X, y)
    >>> flow.mean_gradient_norms.shape
    (1, 30)
    >>> bool(flow.mean_gradient_norms[0, 0] < flow.mean_gradient_norms[0, -1])
    True
    """
    if not isinstance(estimator, BaseRecurrentNetwork):
        raise TypeError(
            f"gradient_flow takes an estimator of skrnn, got {type(estimator).__name__}. For a "
            "pipeline, pass its last step, and X as transformed by the steps before it."
        )
    if not issubclass(estimator._plan_class, Plan):
        raise TypeError(
            f"gradient_flow does not take a {type(estimator).__name__}, which is two networks: it "
            "takes RNNClassifier, RNNRegressor, LSTMTagger, LSTMForecaster and LSTMLanguageModel. "
            "AttentionDisplay shows where a translator looks."
        )
    if align not in ("start", "end"):
        raise ValueError(f"align must be 'start' or 'end', got {align!r}.")
    network, sequences, targets = _network(estimator, X, y)
    plan, lengths = network._get_plan(), sequences.lengths
    shape = len(plan.scans), len(lengths), lengths.max(initial=0)
    hidden_norms, gradient_norms = np.full(shape, np.nan), np.full(shape, np.nan)
    loss = rows = 0.0
    for batch, raw in _batches(network, sequences, targets):
        # The user's sequence and step of each packed row.
        at = np.searchsorted(sequences.offsets, raw["rows"], side="right") - 1
        t = raw["rows"] - sequences.offsets[at]
        t = t + (shape[2] - lengths[at] if align == "end" else 0)
        for k, layer in enumerate(raw["scans"]):
            hidden_norms[k, at, t] = np.linalg.norm(layer["h"].astype(np.float64), axis=1)
            gradient_norms[k, at, t] = np.linalg.norm(layer["dh"].astype(np.float64), axis=1)
        gradient_norms[:, batch] *= raw["rows_with_target"]  # from a mean to a sequence's sum
        loss += raw["loss"] * raw["rows_with_target"]
        rows += raw["rows_with_target"]
    steps = np.arange(shape[2]) - (shape[2] - 1 if align == "end" else 0)
    names = [name for name in plan.parameters if name.startswith("weight_hh_")]
    layers = tuple(name.removeprefix("weight_hh_") for name in names)
    loss /= rows * targets.mean_weight()
    return GradientFlow(layers, steps, hidden_norms, gradient_norms, loss)


def _network(estimator, X, y):
    """Copy of the estimator with weights; what it reads, and its targets, as `fit` makes them."""
    if hasattr(estimator, "_params"):
        network = _as_fitted(estimator)
        data = network._read_data(X, y, None, reset=False)
        return network, data.sequences, data.targets.load()
    network = clone(estimator)
    network._validate_params()
    data, _, _ = network._begin(X, y, None, first=True)
    return network, data.sequences, data.targets.load()


def _as_fitted(estimator):
    """Copy of the estimator with the parameters of its network, which may have been set anew."""
    network, built = copy.copy(estimator), estimator._architecture
    network.hidden_layer_sizes = built["hidden"]
    for name in ("cell", "activation", "bidirectional", "pooling", "bptt_steps", "dtype"):
        setattr(network, name, built[name])
    if hasattr(network, "crf"):
        network.crf = built["loss"] == "crf"
    if hasattr(network, "loss"):
        network.loss = built["loss"]
    if hasattr(network, "_transform"):  # of a forecaster
        network.horizon, network.n_targets = network.horizon_, network._transform.n_targets
    return network


def _batches(network, sequences, targets):
    """Run batches forward and backward; yields the sequences of each, and what happened."""
    plan, lengths = network._get_plan(), sequences.lengths
    not_empty = np.flatnonzero(lengths)
    options = Options(training=True, threads=effective_n_threads())
    limits = batch_limits(lengths, BATCH_SIZE)
    data = kernel_data(plan, sequences)
    if plan.characters is not None:
        limits = limits._replace(words=word_limits(data, BATCH_SIZE))
    workspace, grads = plan.workspace(options, limits), np.zeros_like(network._params)
    batch_offsets = equal_bounds(len(not_empty), BATCH_SIZE)
    for start, stop in pairwise(batch_offsets):
        batch = not_empty[start:stop].astype(np.intp, copy=False)
        yield batch, plan.engine.inspect_batch(
            plan, options, limits, workspace, network._params, grads, data, batch,
            targets=kernel_targets(targets), trace=True,
        )  # fmt: skip
