"""The oracle: recurrent networks in plain NumPy, against which the kernels are tested.

Everything here is float64, one sequence and one step at a time, forward and backward written by
hand from the equations. It is meant to be read and believed, not to be fast: no packing, no fused
loops, nothing shared with the code under test.

Weights are a dict under PyTorch's names and layout. A *scan* is one direction of one layer; its
parameters carry the suffix ``l0``, ``l0_reverse``, ``l1``, ... Each step of a scan computes two
pre-activations, and the cell turns them into the new state::

    a_t = W_ih x_t + b_ih                (n_gates * H,)
    b_t = W_hh (m * h_{t-1}) + b_hh      (n_gates * H,)   m: the recurrent dropout mask, or 1
    h_t, c_t = cell(a_t, b_t, h_{t-1}, c_{t-1})

so a cell is a pair of functions that know nothing of matrices, and a new cell is one entry of
`CELLS`. Cells and scans are in `oracle_cells.py`; poolings and losses, tables in the same way, in
`oracle_heads.py`; the embedding, the stack of layers and the whole are here.

In the backward functions ``dz`` stands for the derivative of the loss with respect to ``z``.
"""

from dataclasses import dataclass

import numpy as np
from oracle_cells import CELLS, scan_backward, scan_forward
from oracle_heads import (
    LABEL_LOSSES,
    LOSSES,
    OUTPUTS_PER_TARGET,
    POOLINGS,
    QUANTILES,
    crf_marginals,
    draw_values,
    has_target,
    n_targets,
    pool_backward,
    pool_forward,
    viterbi,
)

__all__ = [
    "CELLS",
    "LABEL_LOSSES",
    "LOSSES",
    "POOLINGS",
    "QUANTILES",
    "Result",
    "Spec",
    "crf_marginals",
    "draw_values",
    "n_targets",
    "random_weights",
    "run",
    "scans",
    "viterbi",
    "weight_shapes",
]

# --------------------------------------------------------------------------------------------------
# What goes in, what comes out
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spec:
    """What a network is made of.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    hidden : tuple of int
        Width of each layer, the lowest first.
    bidirectional : bool, default=False
    activation : {"tanh", "relu", "logistic"}, default="tanh"
        Of the rnn cell; the others ignore it.
    pooling : {"last", "mean", "max", "attention", "all"} or tuple of str, default="last"
        What the head sees of the top layer: each direction's own final state, the mean or the
        maximum over the steps (the first step wins a tie), or every step by itself; of a tuple
        what each of them gives, side by side.
    loss : one of `LOSSES`, default="softmax"
        "crf", a linear-chain conditional random field over the labels, takes pooling "all".
    n_outputs : int, default=2
        At least; so many that a loss with several outputs per target has whole targets.
    alpha : float, default=0.0
        L2 penalty on the weight matrices of layers and head; neither biases, embeddings nor the
        scores of the CRF are penalized.
    bptt_steps : int or None, default=None
        The recurrent gradient is cut every so many steps, counted back from where each direction
        ends. The state itself is carried on unchanged.
    """

    cell: str
    hidden: tuple
    bidirectional: bool = False
    activation: str = "tanh"
    pooling: str | tuple = "last"
    loss: str = "softmax"
    n_outputs: int = 2
    alpha: float = 0.0
    bptt_steps: int | None = None

    def __post_init__(self):
        per = OUTPUTS_PER_TARGET.get(self.loss, 1)
        object.__setattr__(self, "n_outputs", -(-self.n_outputs // per) * per)

    @property
    def n_poolings(self):
        """How many poolings the head sees side by side."""
        return 1 if isinstance(self.pooling, str) else len(self.pooling)


@dataclass
class Result:
    """What `run` returns. Lists over scans go ``l0``, ``l0_reverse``, ``l1``, ...

    Attributes
    ----------
    loss : float
    outputs : list of ndarray of shape (T_i, n_directions * H)
        Top layer, one array per sequence.
    h_n, c_n : list of ndarray of shape (n_sequences, H_l)
        Final states, one array a scan. `c_n` is None for a cell without a cell state.
    logits : ndarray of shape (n_sequences, n_outputs), list of (T_i, n_outputs), or None
        What the head says; a list where pooling is "all", None where there is no head.
    grads : dict
        Derivatives of the loss, keys and shapes as in the weights.
    d_inputs : list of ndarray of shape (T_i, D)
        The same for the inputs, after the embedding if there is one.
    d_h0, d_c0 : list of ndarray of shape (n_sequences, H_l)
        The same for the initial states. `d_c0` is None for a cell without a cell state.
    """

    loss: float
    outputs: list
    h_n: list
    c_n: list | None
    logits: np.ndarray | list | None
    grads: dict
    d_inputs: list
    d_h0: list
    d_c0: list | None


# --------------------------------------------------------------------------------------------------
# Names and shapes
# --------------------------------------------------------------------------------------------------


def scans(spec):
    """List the scans as (layer, direction, suffix), in PyTorch's order.

    Parameters
    ----------
    spec : Spec

    Returns
    -------
    scans : list of (int, int, str)
        (0, 0, "l0"), (0, 1, "l0_reverse"), (1, 0, "l1"), ...
    """
    directions = ["", "_reverse"] if spec.bidirectional else [""]
    return [
        (layer, direction, f"l{layer}{ending}")
        for layer in range(len(spec.hidden))
        for direction, ending in enumerate(directions)
    ]


def embedding_names(n_columns):
    """Name the embedding of each column of ids."""
    if n_columns == 1:
        return ["embedding_weight"]
    return [f"embedding_weight_{column}" for column in range(n_columns)]


def weight_shapes(spec, n_features, embedding=None, head=True):
    """Say which weights a network has, and of what shape.

    Parameters
    ----------
    spec : Spec
    n_features : int
        Columns of a sequence: of numbers, or of ids where there are embeddings.
    embedding : sequence of (rows, width), default=None
        Size of each column's table.
    head : bool, default=True

    Returns
    -------
    shapes : dict of str -> tuple of int
    """
    n_gates, n_directions = CELLS[spec.cell].n_gates, 1 + spec.bidirectional
    shapes, width = {}, n_features
    if embedding is not None:
        for name, size in zip(embedding_names(n_features), embedding, strict=True):
            shapes[name] = tuple(size)
        width = sum(dim for _, dim in embedding)
    for layer, _, suffix in scans(spec):
        H = spec.hidden[layer]
        D = width if layer == 0 else n_directions * spec.hidden[layer - 1]
        shapes[f"weight_ih_{suffix}"] = (n_gates * H, D)
        shapes[f"weight_hh_{suffix}"] = (n_gates * H, H)
        shapes[f"bias_ih_{suffix}"] = (n_gates * H,)
        shapes[f"bias_hh_{suffix}"] = (n_gates * H,)
    if head:
        shapes["head_weight"] = (spec.n_outputs, spec.n_poolings * n_directions * spec.hidden[-1])
        shapes["head_bias"] = (spec.n_outputs,)
    if head and "attention" in spec.pooling:
        shapes["pool_weight"] = (n_directions * spec.hidden[-1],)
    if head and spec.loss == "crf":
        shapes["crf_start"] = (spec.n_outputs,)
        shapes["crf_transitions"] = (spec.n_outputs, spec.n_outputs)
        shapes["crf_end"] = (spec.n_outputs,)
    return shapes


def random_weights(rng, spec, n_features, embedding=None, head=True, scale=0.5):
    """Draw normal weights of the shapes that `weight_shapes` gives.

    Parameters
    ----------
    rng : numpy.random.Generator
    spec, n_features, embedding, head : as in `weight_shapes`
    scale : float, default=0.5

    Returns
    -------
    weights : dict of str -> ndarray
    """
    shapes = weight_shapes(spec, n_features, embedding, head)
    return {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}


def is_penalized(name):
    """Tell whether `alpha` applies to a weight: to matrices that states or inputs go through."""
    return name.startswith(("weight_ih", "weight_hh", "head_weight"))


# --------------------------------------------------------------------------------------------------
# Embeddings: a row of ids, one a column -> the rows they name, side by side
# --------------------------------------------------------------------------------------------------


def embed_forward(weights, ids):
    """Look up each column's ids in its own table.

    Parameters
    ----------
    weights : dict
    ids : ndarray of int of shape (T, n_columns)

    Returns
    -------
    x : ndarray of shape (T, D)
        D is the sum of the tables' widths.
    """
    names = embedding_names(ids.shape[1])
    return np.concatenate([weights[name][ids[:, c]] for c, name in enumerate(names)], axis=1)


def embed_backward(weights, grads, ids, dx):
    """Add the derivative of each embedded id to its row of `grads`."""
    start = 0
    for column, name in enumerate(embedding_names(ids.shape[1])):
        stop = start + weights[name].shape[1]
        for t, row in enumerate(ids[:, column]):
            grads[name][row] += dx[t, start:stop]
        start = stop


# --------------------------------------------------------------------------------------------------
# The stack: all scans over one sequence
# --------------------------------------------------------------------------------------------------


def stack_forward(spec, weights, x, h0, c0, masks):
    """Run all layers over one sequence.

    Parameters
    ----------
    spec : Spec
    weights : dict
    x : ndarray of shape (T, D)
    h0, c0 : list of ndarray of shape (H_l,)
        Initial states, one a scan.
    masks : dict
        As `run` takes them, for this sequence.

    Returns
    -------
    outputs : ndarray of shape (T, n_directions * H)
        Of the top layer, the directions side by side.
    h_n, c_n : list of ndarray of shape (H_l,)
        Final states, one a scan.
    saved : list of (x, mask, tape)
        What `scan_backward` needs of each scan.
    """
    h_n, c_n, saved, outputs = [], [], [], [x]
    for (layer, direction, suffix), h, c in zip(scans(spec), h0, c0, strict=True):
        if direction == 0:  # a new layer reads what the one below wrote
            x = np.concatenate(outputs, axis=1) * masks.get(("input", layer), 1.0)
            outputs = []
        mask = masks.get(("recurrent", layer, direction), 1.0)
        output, h, c, tape = scan_forward(spec, weights, suffix, x, h, c, mask)
        outputs.append(output)
        h_n.append(h)
        c_n.append(c)
        saved.append((x, mask, tape))
    return np.concatenate(outputs, axis=1), h_n, c_n, saved


def stack_backward(spec, weights, grads, d_outputs, d_hn, d_cn, masks, saved):
    """Run back through all layers, adding to `grads`.

    Parameters
    ----------
    spec, weights, masks : as in `stack_forward`
    grads : dict
    d_outputs : ndarray of shape (T, n_directions * H)
    d_hn, d_cn : list of ndarray of shape (H_l,)
        One a scan.
    saved : list
        From `stack_forward`.

    Returns
    -------
    dx : ndarray of shape (T, D)
    d_h0, d_c0 : list of ndarray of shape (H_l,)
        One a scan.
    """
    d_h0, d_c0 = [None] * len(saved), [None] * len(saved)
    for layer in reversed(range(len(spec.hidden))):
        H, d_below = spec.hidden[layer], 0.0
        for s, (at, direction, suffix) in enumerate(scans(spec)):
            if at != layer:
                continue
            x, mask, tape = saved[s]
            d_own = d_outputs[:, direction * H : (direction + 1) * H]
            dx, d_h0[s], d_c0[s] = scan_backward(
                spec, weights, grads, suffix, x, mask, tape, d_own, d_hn[s], d_cn[s]
            )
            d_below = d_below + dx  # both directions read the same input
        d_outputs = d_below * masks.get(("input", layer), 1.0)
    return d_outputs, d_h0, d_c0


# --------------------------------------------------------------------------------------------------
# The whole network
# --------------------------------------------------------------------------------------------------


def run(
    spec,
    weights,
    sequences,
    targets=None,
    sample_weight=None,
    h0=None,
    c0=None,
    d_outputs=None,
    masks=None,
    d_hn=None,
    d_cn=None,
):
    """Run a network forward and backward over some sequences.

    The loss is, with a head and targets, over sequences i (over all steps where pooling is "all")::

        (sum_i w_i l_i + alpha / 2 * sum of squares of the weight matrices) / sum_i w_i

    where a label of -1 has weight 0; with the loss "crf", over sequences b of steps t::

        (sum_b w_b l_b + alpha / 2 * ...) / sum_b sum_t w_bt

    where w_b is the mean of the w_bt that are not 0, which is to say of the labelled steps;
    and without targets, whatever the cotangents make of it::

        sum(outputs * d_outputs) + sum(h_n * d_hn) + sum(c_n * d_cn)

    Where both are given, their sum.

    Parameters
    ----------
    spec : Spec
    weights : dict of str -> ndarray
        See `weight_shapes`.
    sequences : list of ndarray of shape (T_i, n_features)
        Numbers; or, if there is an embedding, ids: in each column, rows of that column's table.
    targets : array-like, default=None
        (n,) ints or (n, n_outputs) floats; where pooling is "all", a list of such with T_i rows.
    sample_weight : array-like of shape (n,) or list of (T_i,), default=None
        A weight for each target; ones by default.
    h0, c0 : list of ndarray of shape (n, H_l), default=None
        Initial states, one array a scan; zeros by default.
    d_outputs : list of ndarray of shape (T_i, n_directions * H), default=None
        Cotangents of the top layer's outputs.
    masks : dict, default=None
        Multipliers for dropout: ``("input", layer)``: list of (T_i, width), on the layer's input;
        ``("recurrent", layer, direction)``: (n, H_l), on h_{t-1} where it enters the matrix
        product; ``("head",)``: (n, n_directions * H), or list of (T_i, n_directions * H) where
        pooling is "all", on what the head sees.
    d_hn, d_cn : list of ndarray of shape (n, H_l), default=None
        Cotangents of the final states, one array a scan.

    Returns
    -------
    result : Result
    """
    weights = {name: np.asarray(weight, dtype=np.float64) for name, weight in weights.items()}
    grads = {name: np.zeros_like(weight) for name, weight in weights.items()}
    n = len(sequences)
    has_c = CELLS[spec.cell].has_c
    has_head = "head_weight" in weights
    has_embedding = any(name.startswith("embedding_weight") for name in weights)
    assert spec.loss != "crf" or spec.pooling == "all"
    total_loss = 0.0

    def states(given):
        # one (n, H_l) array a scan
        if given is None:
            return [np.zeros((n, spec.hidden[layer])) for layer, _, _ in scans(spec)]
        return [np.asarray(state, dtype=np.float64) for state in given]

    h0, c0, d_hn, d_cn = states(h0), states(c0), states(d_hn), states(d_cn)
    h_n, c_n, d_h0, d_c0 = states(None), states(None), states(None), states(None)
    all_outputs, all_logits, d_inputs = [], [], []

    if targets is not None:
        if sample_weight is None:
            sample_weight = (
                [np.ones(len(sequence)) for sequence in sequences]
                if spec.pooling == "all"
                else np.ones(n)
            )
        given = [has_target(spec.loss, y) for y in targets]
        row_weights = [
            np.where(has, np.atleast_1d(w), 0) for has, w in zip(given, sample_weight, strict=True)
        ]
        n_rows = sum(np.sum(has) for has in given)

    for i, sequence in enumerate(sequences):
        mask = {key: value[i] for key, value in (masks or {}).items()}

        # The embedding, or the numbers themselves
        if has_embedding:
            ids = np.asarray(sequence)
            x = embed_forward(weights, ids)
        else:
            x = np.asarray(sequence, dtype=np.float64)

        # The layers
        outputs, h_i, c_i, saved = stack_forward(
            spec, weights, x, [h[i] for h in h0], [c[i] for c in c0], mask
        )
        for s in range(len(saved)):
            h_n[s][i], c_n[s][i] = h_i[s], c_i[s]
        all_outputs.append(outputs)

        # Cotangents from outside
        d_top = np.zeros_like(outputs)
        if d_outputs is not None:
            d_top += d_outputs[i]
            total_loss += np.sum(outputs * d_outputs[i])
        for s in range(len(saved)):
            total_loss += np.sum(h_n[s][i] * d_hn[s][i]) + np.sum(c_n[s][i] * d_cn[s][i])

        # Head: p = W (m * pooled) + b, a row at a time
        if has_head:
            head_mask = mask.get(("head",), 1.0)
            rows = pool_forward(spec.pooling, outputs, spec.hidden[-1], weights) * head_mask
            logits = rows @ weights["head_weight"].T + weights["head_bias"]
            all_logits.append(logits)
        if targets is not None:
            loss, dp, d_own = LOSSES[spec.loss](logits, targets[i], row_weights[i], weights)
            total_loss += loss / n_rows
            dp = dp / n_rows
            for name, gradient in d_own.items():
                grads[name] += gradient / n_rows
            grads["head_weight"] += dp.T @ rows
            grads["head_bias"] += dp.sum(axis=0)
            d_rows = (dp @ weights["head_weight"]) * head_mask
            d_pooled, d_own = pool_backward(spec.pooling, d_rows, outputs, spec.hidden[-1], weights)
            d_top += d_pooled
            for name, gradient in d_own.items():
                grads[name] += gradient

        # The layers, and the embedding, backward
        dx, dh_i, dc_i = stack_backward(
            spec, weights, grads, d_top, [d[i] for d in d_hn], [d[i] for d in d_cn], mask, saved
        )
        for s in range(len(saved)):
            d_h0[s][i], d_c0[s][i] = dh_i[s], dc_i[s]
        d_inputs.append(dx)
        if has_embedding:
            embed_backward(weights, grads, ids, dx)

    # Penalty: alpha / 2 * |W|^2
    if targets is not None:
        for name in filter(is_penalized, weights):
            total_loss += 0.5 * spec.alpha * np.sum(weights[name] ** 2)
            grads[name] += spec.alpha * weights[name]

    logits = None
    if has_head:
        logits = all_logits if spec.pooling == "all" else np.concatenate(all_logits)
    return Result(
        loss=float(total_loss),
        outputs=all_outputs,
        h_n=h_n,
        c_n=c_n if has_c else None,
        logits=logits,
        grads=grads,
        d_inputs=d_inputs,
        d_h0=d_h0,
        d_c0=d_c0 if has_c else None,
    )
