"""Numbers of X at unit scale, for which initial weights, step sizes and clipping are made.

The network reads (x - center) / scale, feature by feature, with the mean and the standard deviation
of all steps of the training data. That is the plain network whose input weights are W / scale and
whose input bias is b - (W / scale) center: `fold` and `unfold` go from one to the other. What is
computed is the former, in float64 before it becomes the network's type: a center far from 0 would
leave float32 no digits.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from skrnn._data.sequences import Sequences, locate
from skrnn._data.validation import largest_sound

BLOCK = 2**18  # numbers at once in float64: 2 MB
# Types that numbers keep until they are scaled; others become the first.
READ_TYPES = (np.dtype(np.float64), np.dtype(np.float32))
LARGEST = {dtype: largest_sound(dtype) for dtype in READ_TYPES}


class InputScaleMixin:
    """Scales numbers of X for estimators that have `scaling` and set `_scales_input`."""

    _scales_input = False
    # Of the network that was started; None where it reads X as it is.
    _input_center: np.ndarray | None = None
    _input_scale: np.ndarray | None = None

    def _learn_input_scale(self, sequences, weights, held):
        """Learn center and scale from what is not held, as the weights count it."""
        if held is not None:
            weights = (~held).astype(np.float64) if weights is None else np.where(held, 0, weights)
        if weights is not None and not weights.any():
            weights = None
        self._input_center, self._input_scale = learn_scale(sequences, weights)

    def _scaled(self, sequences, dtype):
        """Return what the network reads, of type `dtype`, of sequences as they were read."""
        if self._input_scale is None:
            return sequences
        scaler = Scaler(self._input_center, self._input_scale, np.dtype(dtype))
        if sequences.is_stored:
            return replace(sequences, encode=ScaledEncoder(sequences.encode, scaler))
        return scaler.scaled(sequences)

    def _scaled_step(self, x):
        """Return the rows of a step as the network reads them; raises for what needs a look."""
        if x.dtype.kind != "f" or x.ndim != 2 or x.shape[1] != len(self._input_center):
            raise ValueError("the step does not fit")
        with np.errstate(over="ignore"):  # found as infinity by the kernel
            return ((x - self._input_center) / self._input_scale).astype(self._params.dtype)


def _parts(sequences, weights):
    """Yield (steps, weights of the steps or None) as they are read."""
    if sequences.is_stored:
        for first, last, part in sequences.parts():
            of_part = None if weights is None else weights[first:last]
            yield part.values, None if weights is None else np.repeat(of_part, part.lengths)
    else:
        yield sequences.values, None if weights is None else np.repeat(weights, sequences.lengths)


def _blocks(sequences, weights, width):
    """Yield (values, weights or None) of as many steps, those of weight 0 left out.

    Blocks are the same however the steps are read, so that sums have the same bits.
    """
    size = _block_steps(width)
    begun = []  # parts of a block that go on in the next that is read
    for values, w in _parts(sequences, weights):
        start = 0
        while start < len(values):
            stop = start + size - sum(len(part) for part, _ in begun)
            begun.append((values[start:stop], None if w is None else w[start:stop]))
            start = stop
            if stop <= len(values):
                yield from _counted(begun)
                begun = []
        begun = [(part.copy(), w_part) for part, w_part in begun]  # what was read may go
    if begun:
        yield from _counted(begun)


def _block_steps(width):
    return max(1, BLOCK // max(1, width))


def _counted(parts):
    """Yield the steps of a block that count, if there are any."""
    values, w = parts[0]
    if len(parts) > 1:
        values = np.concatenate([part for part, _ in parts])
        w = None if w is None else np.concatenate([of_part for _, of_part in parts])
    if w is not None:
        counts = w > 0
        values, w = values[counts], w[counts, np.newaxis]
    if len(values):
        yield values, w


def learn_scale(sequences, weights=None):
    """Find what brings each feature to mean 0 and standard deviation 1 over all steps.

    Parameters
    ----------
    sequences : Sequences or StoredSequences
    weights : ndarray of shape (n_sequences,), default=None
        A weight counts as that many repetitions of a sequence.

    Returns
    -------
    center, scale : ndarray of shape (n_features,), float64
        The scale of a constant feature is 1.
    """
    width = sequences.n_columns if sequences.is_stored else sequences.values.shape[1]
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    for values, _ in _blocks(sequences, weights, width):
        low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
    if not (low <= high).all():  # no step to learn from
        return np.zeros(width), np.ones(width)
    # Halves, so that the span does not overflow. Counted from the lowest in units of a power of two
    # near the span, no digit of what varies is lost to an offset, and squares do not overflow.
    half = low / 2
    unit = np.ldexp(1.0, np.frexp(high / 2 - half)[1] - 1)
    total, sums, squares = 0.0, np.zeros(width), np.zeros(width)
    for values, w in _blocks(sequences, weights, width):
        shares = (values * 0.5 - half) / unit
        sums += (shares if w is None else shares * w).sum(axis=0)
        total += len(values) if w is None else w.sum()
    mean = sums / total
    for values, w in _blocks(sequences, weights, width):
        off = ((values * 0.5 - half) / unit - mean) ** 2
        squares += (off if w is None else off * w).sum(axis=0)
    constant = low == high
    deviation = np.sqrt(squares / total)
    center = np.where(constant, low, 2 * (half + mean * unit))
    return center, np.where(constant | (deviation == 0), 1.0, 2 * (unit * deviation))


@dataclass(frozen=True)
class Scaler:
    """Brings steps to unit scale: (x - center) / scale in float64, block by block."""

    center: np.ndarray
    scale: np.ndarray
    dtype: np.dtype

    def scaled(self, sequences, out=None):
        """Return the sequences scaled; refuse what is then too large for the network's type.

        Parameters
        ----------
        sequences : Sequences
        out : ndarray of shape (total_steps, n_features), default=None
            Where to; may be what the sequences have. None makes a new array.

        Returns
        -------
        Sequences
        """
        values, size = sequences.values, _block_steps(len(self.center))
        out = np.empty(values.shape, self.dtype) if out is None else out
        largest = LARGEST[self.dtype]
        for start in range(0, len(values), size):
            block = values[start : start + size].astype(np.float64)
            with np.errstate(over="ignore"):  # found as infinity
                block -= self.center
                block /= self.scale
                if not (-largest <= block.min() and block.max() <= largest):
                    raise self._too_far(sequences, start, block)
                out[start : start + size] = block
        return Sequences(out, sequences.offsets)

    def _too_far(self, sequences, start, block):
        """Return the error for the first number of a scaled block that is too large."""
        row, column = np.argwhere(~(np.abs(block) <= LARGEST[self.dtype]))[0]
        i, t = locate(sequences.offsets, start + row)
        return ValueError(
            f"sequence {i} has {sequences.values[start + row, column]:.6g} at step {t} (feature "
            f"{column}), too far from the training data, of mean {self.center[column]:.6g} and "
            f"standard deviation {self.scale[column]:.6g}, for {self.dtype}. If the value stands "
            "for a missing one, impute it, e.g. with PerStep(SimpleImputer()); or use "
            "dtype='float64'."
        )


@dataclass(frozen=True)
class ScaledEncoder:
    """Reads steps of a file and scales them."""

    read: Callable
    scaler: Scaler

    def __call__(self, steps):
        values = self.read(steps)
        # A window is large: it is scaled where it lies.
        out = values if values.dtype == self.scaler.dtype else None
        return self.scaler.scaled(Sequences(values, np.array([0, len(values)])), out).values


def _input_layers(weights):
    return [end for end in ("l0", "l0_reverse") if f"weight_ih_{end}" in weights]


def fold(weights, center, scale):
    """Return the weights of the plain network, which reads X as it is, for those that were learned.

    Parameters
    ----------
    weights : dict of ndarray
    center, scale : ndarray of shape (n_features,)

    Returns
    -------
    dict of ndarray
        Those of the input in float64.
    """
    folded = dict(weights)
    for end in _input_layers(weights):
        W = weights[f"weight_ih_{end}"].astype(np.float64) / scale
        folded[f"weight_ih_{end}"] = W
        folded[f"bias_ih_{end}"] = weights[f"bias_ih_{end}"] - (W * center).sum(axis=1)
    return folded


def unfold(weights, center, scale):
    """Return the weights that are learned for those of the plain network: the inverse of `fold`.

    What does not fit is left as it is, for `set_weights` to refuse.
    """
    learned = dict(weights)
    for end in _input_layers(weights):
        W = np.asarray(weights[f"weight_ih_{end}"], dtype=np.float64)
        b = np.asarray(weights.get(f"bias_ih_{end}", 0.0), dtype=np.float64)
        if W.ndim != 2 or W.shape[1] != len(scale) or b.shape != W.shape[:1]:
            continue
        learned[f"weight_ih_{end}"] = W * scale
        learned[f"bias_ih_{end}"] = b + (W * center).sum(axis=1)
    return learned
