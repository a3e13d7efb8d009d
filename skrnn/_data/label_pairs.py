"""The door for what metrics compare: true and predicted sequences of labels, or of tokens."""

from itertools import chain

import numpy as np

from skrnn._data.class_labels import plain_string
from skrnn._data.formats import refuse_masked
from skrnn._data.labels import as_rows, cut_padding, plain_labels, plain_tokens
from skrnn._data.sequences import lengths_to_offsets

_LABELS = (
    "which is not a list. The labels of a sequence are a list, one per step, as in ['B-PER', 'O'], "
    "and y_true and y_pred are lists of such lists."
)
_TOKENS = (
    "which is not a list of tokens. Split it first, with list(s) into characters or s.split() into "
    "words."
)


def read_label_pairs(y_true, y_pred):
    """Return true and predicted labels of all steps, read as `fit` reads y.

    Parameters
    ----------
    y_true, y_pred : collections of label sequences
        Padding, at the end of one that is longer than the other, is cut off.

    Returns
    -------
    true, pred : list of length total_steps
        True labels are None where there is none.
    offsets : ndarray of shape (n_sequences + 1,)

    Raises
    ------
    TypeError, ValueError
        Where the two do not fit, naming the sequence.
    """
    trues, preds = _read_both(y_true, y_pred, _LABELS)
    for i, (true, pred) in enumerate(zip(trues, preds, strict=True)):
        trues[i], preds[i] = cut_padding(true, len(pred)), cut_padding(pred, len(true))
        if len(trues[i]) != len(preds[i]):
            raise ValueError(
                f"Sequence {i} has {len(true)} labels in y_true but {len(pred)} in y_pred."
            )
    offsets = lengths_to_offsets([len(true) for true in trues])
    labels = plain_labels(list(chain.from_iterable(trues)), offsets)
    return labels, list(map(plain_string, chain.from_iterable(preds))), offsets


def read_token_pairs(y_true, y_pred):
    """Return the true and the predicted tokens of each sequence, as a translator reads y.

    Parameters
    ----------
    y_true, y_pred : collections of token sequences
        Padding at the end is cut off.

    Returns
    -------
    list of (list, list)

    Raises
    ------
    TypeError, ValueError
        Where the two do not fit, naming the sequence.
    """
    trues, preds = _read_both(y_true, y_pred, _TOKENS)
    if not trues:
        raise ValueError("y_true has no sequence.")
    trues = [plain_tokens(true, i, "y_true") for i, true in enumerate(trues)]
    return list(zip(trues, map(cut_padding, preds), strict=True))


def _read_both(y_true, y_pred, remedy):
    trues, preds = (
        [as_list(row, f"{name}[{i}]", remedy) for i, row in enumerate(_rows(y, name, remedy))]
        for name, y in (("y_true", y_true), ("y_pred", y_pred))
    )
    if len(trues) != len(preds):
        raise ValueError(f"y_true has {len(trues)} sequences but y_pred has {len(preds)}.")
    return trues, preds


def _rows(y, name, remedy):
    refuse_masked(y, name)
    return as_list(as_rows(y), name, remedy, nested=True)


def as_list(values, name, remedy=_LABELS, *, nested=False):
    """Return a sequence, or with `nested` a collection of sequences, as a list."""
    if isinstance(values, str | bytes) or not getattr(values, "ndim", hasattr(values, "__len__")):
        raise TypeError(f"{name} is {values!r}, {remedy}")
    if isinstance(values, (list, tuple)) or nested:
        return list(values)
    values = np.asarray(values)
    return (values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values).tolist()
