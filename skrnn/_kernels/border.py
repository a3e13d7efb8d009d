"""Named tuples of the arrays that pass between Python and the compiled side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class BatchLimits(NamedTuple):
    """Sizes that a workspace is laid out for.

    Attributes
    ----------
    n_sequences : int
        Most sequences of a batch.

    n_steps : int
        Most steps of all sequences of a batch together.

    longest : int
        Most steps of one sequence.

    words : BatchLimits or None
        The same of the characters of the different words of a batch; None where they are not read.
    """

    n_sequences: int
    n_steps: int
    longest: int
    words: BatchLimits | None = None


class PairLimits(NamedTuple):
    """The same for batches of pairs: a source for the encoder, a target for the decoder.

    Attributes
    ----------
    source, target : BatchLimits
    """

    source: BatchLimits
    target: BatchLimits


class Spellings(NamedTuple):
    """The characters of the different words of some data, one word after another.

    Attributes
    ----------
    offsets : ndarray of shape (n_words + 1,), dtype=intp
        Characters offsets[i] .. offsets[i + 1] are those of word i.

    characters : ndarray of shape (n_characters, 1), dtype=intp
        Rows of the embedding of characters.
    """

    offsets: np.ndarray
    characters: np.ndarray


class KernelData(NamedTuple):
    """The input of all sequences, one after another; either `values` or `tokens` is None.

    Attributes
    ----------
    offsets : ndarray of shape (n_sequences + 1,), dtype=intp
        Rows offsets[i] .. offsets[i + 1] belong to sequence i.

    values : ndarray of shape (total_steps, n_features) or None
        In the precision of the kernels.

    tokens : ndarray of shape (total_steps, n_columns), dtype=intp, or None
        Rows of the embeddings. Where characters are read the last column is the number of the word
        among `spellings`.

    spellings : Spellings or None
        Characters of words; None where they are not read.
    """

    offsets: np.ndarray
    values: np.ndarray | None
    tokens: np.ndarray | None
    spellings: Spellings | None = None


class KernelTargets(NamedTuple):
    """What outputs are compared with; either `labels` or `values` is None.

    Attributes
    ----------
    labels : ndarray of shape (n_targets,), dtype=intp, or None
        Indices of outputs; -1 where there is none.

    values : ndarray of shape (n_targets, n_values) or None
        In the precision of the kernels; NaN where there is none.

    weights : ndarray of shape (n_targets,), dtype=float64, or None
        Ones where None.
    """

    labels: np.ndarray | None
    values: np.ndarray | None
    weights: np.ndarray | None


class TargetSequences(NamedTuple):
    """The target sequences of an encoder and a decoder, one after another.

    Attributes
    ----------
    offsets : ndarray of shape (n_sequences + 1,), dtype=intp

    ids : ndarray of shape (total_steps, 1), dtype=intp
        What the decoder reads: the target shifted by one step, a start symbol first.

    labels : ndarray of shape (total_steps,), dtype=intp
        What it is to say: the target with an end symbol behind it.

    weights : ndarray of shape (total_steps,), dtype=float64, or None
        Ones where None.
    """

    offsets: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None


class CarriedStates(NamedTuple):
    """States that sequences start from, and leave their final ones in.

    Attributes
    ----------
    h : ndarray of shape (n_scans, n_rows, width)
        Hidden states; one scan is one layer in one direction, and `width` is at least that of the
        widest layer.

    c : ndarray of the same shape, or None
        Cell states; None for a cell that has none.

    rows : ndarray of shape (n_sequences,), dtype=intp, or None
        Row of each sequence; its own number where None.

    reset_mask : ndarray of shape (n_sequences,), dtype=uint8, or None
        1 where a sequence starts from zero instead; given where `rows` is.
    """

    h: np.ndarray
    c: np.ndarray | None
    rows: np.ndarray | None = None
    reset_mask: np.ndarray | None = None


class HypothesisArrays(NamedTuple):
    """What beam search finds, for each source up to n_best hypotheses.

    Attributes
    ----------
    tokens : ndarray of shape (n_sources, n_best, max_length), dtype=intp

    lengths : ndarray of shape (n_sources, n_best), dtype=intp
        Tokens of each hypothesis; -1 where there is none.

    scores : ndarray of shape (n_sources, n_best), dtype=float64
        Log-probabilities.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    scores: np.ndarray


class DirectionChunks(NamedTuple):
    """The chunks that truncated BPTT takes the sequences in, in one direction.

    Attributes
    ----------
    offsets : ndarray of shape (n_chunks + 1,), dtype=intp
        Rows of each chunk.

    owners : ndarray of shape (n_chunks,), dtype=intp
        Sequence of each chunk.

    first : ndarray of shape (n_sequences + 1,), dtype=intp
        First chunk of each sequence.
    """

    offsets: np.ndarray
    owners: np.ndarray
    first: np.ndarray


class DistinctTokens(NamedTuple):
    """Token rows that differ, so that each is projected once.

    Attributes
    ----------
    rows : ndarray of shape (n_distinct, n_columns), dtype=intp

    places : ndarray of shape (total_steps,), dtype=intp
        Which of them stands at each step.
    """

    rows: np.ndarray
    places: np.ndarray
