"""Unknown tokens in predictions give way to the source token that attention rests on most."""

import numpy as np

from skrnn._data.labels import as_rows
from skrnn._data.sequences import lengths_to_offsets
from skrnn._translator.decoding import attention_weights


def copied_tokens(pair, params, X, sequences, targets, tokens, unknown):
    """Return targets in which unknown tokens are replaced by tokens of their source.

    Parameters
    ----------
    pair : EncoderDecoder
        With attention.
    params : ndarray of shape (n_params,)
    X : collection of token sequences
        As the user gave it.
    sequences : Sequences
        What the network reads of it.
    targets : list of list of ndarray
        Predictions of each source, as numbers of outputs.
    tokens : list
        Token of each output, but the last, the end symbol.
    unknown : int
        Output that stands for all unknown tokens.

    Returns
    -------
    list of list of list
        Tokens of each prediction of each source.
    """
    told = [[[tokens[k] for k in target] for target in found] for found in targets]
    where = [(i, n) for i, found in enumerate(targets) for n, y in enumerate(found) if unknown in y]
    if not where:
        return told
    end = len(tokens)
    labels = np.concatenate([np.append(targets[i][n], end) for i, n in where]).astype(np.intp)
    offsets = lengths_to_offsets([len(targets[i][n]) + 1 for i, n in where])
    sources = sequences.take(np.array([i for i, _ in where]))
    rows = as_rows(X)
    rows = rows if hasattr(rows, "__getitem__") and not hasattr(rows, "iloc") else list(rows)
    # Along its own tokens a prediction has the attention weights that it was found with.
    for (i, n), weights in zip(
        where, attention_weights(pair, params, sources, labels, offsets), strict=True
    ):
        for t in np.flatnonzero(targets[i][n] == unknown):
            told[i][n][t] = source_token(rows[i], int(weights[t].argmax()), i, type(tokens[0]))
    return told


def source_token(row, step, i, kind):
    """Return the token of source i at a step, which is to be of the kind of target tokens."""
    token = np.asarray(row[step] if isinstance(row, (list, tuple)) else np.asarray(row)[step])
    token = token.ravel()[0]  # of several columns the tokens themselves come first
    token = token.item() if isinstance(token, np.generic) else token
    if not isinstance(token, kind):
        raise ValueError(
            f"sequence {i} of X has {token!r} at step {step}, which copy_unknown would put among "
            f"target tokens of type {kind.__name__}. Write both as strings, or set "
            "copy_unknown=None."
        )
    return token
