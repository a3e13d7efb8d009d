"""The oracle's words by their characters: a bidirectional LSTM whose final states join the word.

Each word is read anew in each place where it stands, one after another, so nothing here knows that
words come again. The weights are those of the network that reads the words, and those of the one
that reads characters under the same names with `characters_` before them.
"""

import dataclasses

import numpy as np
from oracle import (
    Spec,
    embed_backward,
    embed_forward,
    is_penalized,
    run,
    stack_backward,
    stack_forward,
)

PREFIX = "characters_"


def split_weights(weights):
    """Return (weights of the reader of words, without embeddings; embeddings; of characters)."""
    inner = {n.removeprefix(PREFIX): w for n, w in weights.items() if n.startswith(PREFIX)}
    outer = {n: w for n, w in weights.items() if not n.startswith(PREFIX)}
    embeddings = {n: w for n, w in outer.items() if n.startswith("embedding_weight")}
    return {n: w for n, w in outer.items() if n not in embeddings}, embeddings, inner


def run_characters(spec, weights, sequences, spellings, **problem):
    """Run a network that reads characters forward and backward.

    Parameters
    ----------
    spec : Spec
    weights : dict of str -> ndarray
    sequences : list of ndarray of int of shape (T_i, n_columns + 1)
        Ids of each column, and the number of the word.
    spellings : list of ndarray of int
        Characters of each word.
    **problem
        As in `run`.

    Returns
    -------
    result : Result
        `d_inputs` are those of the joined rows.
    """
    outer, embeddings, inner = split_weights(weights)
    H = inner["weight_hh_l0"].shape[1]
    reader = Spec("lstm", (H,), bidirectional=True)
    zeros = [np.zeros(H)] * 2
    grads = {name: np.zeros_like(w) for name, w in weights.items()}
    inner_grads = {name: np.zeros_like(w) for name, w in inner.items()}
    inputs, tapes = [], []
    for sequence in sequences:
        read = []
        for number in sequence[:, -1]:
            ids = np.asarray(spellings[number])[:, np.newaxis]
            _, h_n, _, saved = stack_forward(
                reader, inner, embed_forward(inner, ids), zeros, zeros, {}
            )
            read.append(np.concatenate(h_n))
            tapes.append((ids, saved))
        read = np.array(read).reshape(len(sequence), 2 * H)
        inputs.append(np.concatenate([embed_forward(embeddings, sequence[:, :-1]), read], axis=1))

    result = run(spec, outer, inputs, **problem)

    grads.update(result.grads)
    tape = iter(tapes)
    for sequence, dx in zip(sequences, result.d_inputs, strict=True):
        embed_backward(embeddings, grads, sequence[:, :-1], dx[:, : -2 * H])
        for d_word in dx[:, -2 * H :]:
            ids, saved = next(tape)
            nothing = np.zeros((len(ids), 2 * H))
            d_ids, _, _ = stack_backward(
                reader, inner, inner_grads, nothing, [d_word[:H], d_word[H:]], zeros, {}, saved
            )
            embed_backward(inner, inner_grads, ids, d_ids)
    loss = result.loss
    for name in filter(is_penalized, inner if problem.get("targets") is not None else ()):
        loss += 0.5 * spec.alpha * np.sum(inner[name] ** 2)
        inner_grads[name] += spec.alpha * inner[name]
    grads.update({PREFIX + name: gradient for name, gradient in inner_grads.items()})
    return dataclasses.replace(result, loss=float(loss), grads=grads)
