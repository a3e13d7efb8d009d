"""The oracle of attention, and of an encoder whose last states start a decoder.

Plain NumPy, one sequence after the other, written from the equations. `run_pair` takes weights as
`weights_` names them: those of the encoder and the decoder with a prefix, then `head_weight`,
`head_bias` and the attention's.
"""

import numpy as np
import oracle


def softmax(z):
    """Softmax of the rows."""
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


# --------------------------------------------------------------------------------------------------
# Scores of decoder rows h (T, H) with encoder rows e (S, H), and their way back
# --------------------------------------------------------------------------------------------------


def dot_forward(weights, h, e):
    """Score h_t . e_s."""
    return h @ e.T, None


def dot_backward(weights, grads, h, e, saved, d_scores):
    """Return dh and de."""
    return d_scores @ e, d_scores.T @ h


def additive_forward(weights, h, e):
    """Score v . tanh(W_q h_t + W_k e_s)."""
    queries, keys = h @ weights["attention_query"].T, e @ weights["attention_key"].T
    u = np.tanh(queries[:, None] + keys[None])
    return u @ weights["attention_vector"], u


def additive_backward(weights, grads, h, e, u, d_scores):
    """Return dh and de."""
    grads["attention_vector"] += np.einsum("ts,tsp->p", d_scores, u)
    dz = d_scores[..., None] * weights["attention_vector"] * (1 - u**2)
    d_queries, d_keys = dz.sum(axis=1), dz.sum(axis=0)
    grads["attention_query"] += d_queries.T @ h
    grads["attention_key"] += d_keys.T @ e
    return d_queries @ weights["attention_query"], d_keys @ weights["attention_key"]


SCORES = {"dot": (dot_forward, dot_backward), "additive": (additive_forward, additive_backward)}


def attention_forward(kind, weights, h, e):
    """Return what the head reads, o_t = tanh(W_c [c_t; h_t]), and what the way back needs."""
    if kind is None:
        return h, None
    scores, saved = SCORES[kind][0](weights, h, e)
    alpha = softmax(scores)
    both = np.concatenate([alpha @ e, h], axis=1)
    o = np.tanh(both @ weights["attention_combine"].T)
    return o, (alpha, both, o, saved)


def attention_backward(kind, weights, grads, h, e, tape, d_o):
    """Return dh and de, adding to `grads`."""
    if kind is None:
        return d_o, np.zeros_like(e)
    alpha, both, o, saved = tape
    dz = d_o * (1 - o**2)
    grads["attention_combine"] += dz.T @ both
    dc, dh = np.split(dz @ weights["attention_combine"], 2, axis=1)
    d_alpha = dc @ e.T
    d_scores = alpha * (d_alpha - (alpha * d_alpha).sum(axis=1, keepdims=True))
    dh_scores, de_scores = SCORES[kind][1](weights, grads, h, e, saved, d_scores)
    return dh + dh_scores, alpha.T @ dc + de_scores


# --------------------------------------------------------------------------------------------------
# The pair
# --------------------------------------------------------------------------------------------------


def part(weights, prefix):
    """Return one network's own weights, without the prefix; views of the same arrays."""
    return {name[len(prefix) :]: w for name, w in weights.items() if name.startswith(prefix)}


def beside(states, n_directions):
    """Put the states of all directions of a level side by side."""
    levels = range(0, len(states), n_directions)
    return [np.concatenate(states[k : k + n_directions]) for k in levels]


def apart(states, n_directions):
    """Undo `beside`."""
    return [piece for state in states for piece in np.split(state, n_directions)]


def run_pair(
    specs, attention, weights, sources, targets, sample_weight=None, alpha=0.0, smoothing=0.0
):
    """Run an encoder and a decoder with teacher forcing forward and backward.

    Parameters
    ----------
    specs : (oracle.Spec, oracle.Spec)
        Of the encoder and the decoder; their heads and losses do not count.
    attention : {None, "dot", "additive"}
    weights : dict of str -> ndarray
    sources : list of ndarray of shape (S_i, n_columns) or (S_i, n_features)
        Ids where there is an `encoder_embedding_weight`, else numbers.
    targets : list of (ids, labels), ndarray of shape (T_i,)
        What the decoder reads, and what it is to say.
    sample_weight : list of ndarray of shape (T_i,), default=None
    alpha : float, default=0.0
    smoothing : float, default=0.0
        Part of the true token's probability that goes to all tokens alike.

    Returns
    -------
    loss : float
    grads : dict
    logits : list of ndarray of shape (T_i, n_outputs)
    attended : list of ndarray of shape (T_i, S_i), or of None
    """
    encoder, decoder = specs
    D = 1 + encoder.bidirectional
    grads = {name: np.zeros_like(w) for name, w in weights.items()}
    own, own_grads = part(weights, "encoder_"), part(grads, "encoder_")
    decoder_weights, decoder_grads = part(weights, "decoder_"), part(grads, "decoder_")
    has_c = oracle.CELLS[encoder.cell].has_c
    if sample_weight is None:
        sample_weight = [np.ones(len(labels)) for _, labels in targets]
    n_rows = sum(len(w) for w in sample_weight)
    loss, all_logits, attended = 0.0, [], []

    for source, (ids, labels), w in zip(sources, targets, sample_weight, strict=True):
        # forward
        x = oracle.embed_forward(own, source) if "embedding_weight" in own else source
        zero = [np.zeros(encoder.hidden[level]) for level, _, _ in oracle.scans(encoder)]
        e, h_n, c_n, saved_e = oracle.stack_forward(encoder, own, x, zero, zero, {})
        y = oracle.embed_forward(decoder_weights, ids[:, None])
        h0, c0 = beside(h_n, D), beside(c_n, D)
        h, _, _, saved_h = oracle.stack_forward(decoder, decoder_weights, y, h0, c0, {})
        o, tape = attention_forward(attention, weights, h, e)
        logits = o @ weights["head_weight"].T + weights["head_bias"]
        p = softmax(logits)
        q = np.full_like(p, smoothing / p.shape[1])
        q[np.arange(len(labels)), labels] += 1 - smoothing
        loss -= np.sum(w[:, None] * q * np.log(p)) / n_rows
        all_logits.append(logits)
        attended.append(None if tape is None else tape[0])

        # backward
        dz = (p - q) * w[:, None] / n_rows
        grads["head_weight"] += dz.T @ o
        grads["head_bias"] += dz.sum(axis=0)
        dh, de = attention_backward(
            attention, weights, grads, h, e, tape, dz @ weights["head_weight"]
        )
        zero = [np.zeros(size) for size in decoder.hidden]
        dy, d_h0, d_c0 = oracle.stack_backward(
            decoder, decoder_weights, decoder_grads, dh, zero, zero, {}, saved_h
        )
        oracle.embed_backward(decoder_weights, decoder_grads, ids[:, None], dy)
        d_hn, d_cn = apart(d_h0, D), apart(d_c0, D)
        if not has_c:
            d_cn = [np.zeros_like(d) for d in d_hn]
        dx, _, _ = oracle.stack_backward(encoder, own, own_grads, de, d_hn, d_cn, {}, saved_e)
        if "embedding_weight" in own:
            oracle.embed_backward(own, own_grads, source, dx)

    for name, w in weights.items():
        if (
            name.removeprefix("encoder_")
            .removeprefix("decoder_")
            .startswith(("weight_ih", "weight_hh", "head_weight", "attention"))
        ):
            loss += 0.5 * alpha * np.sum(w**2)
            grads[name] += alpha * w
    return float(loss), grads, all_logits, attended
