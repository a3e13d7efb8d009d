"""Special tokens of a language model: BOS, EOS and UNK, beside the tokens of its vocabulary.

A token that fit knew has its id; then comes the boundary token, which as an input starts a sequence
(BOS) and as an output ends it (EOS), none where the model was fitted to documents; last UNK, which
stands for all unknown tokens.
"""

from typing import NamedTuple

import numpy as np

from skrnn._data.sequences import Sequences, lengths_to_offsets


class SpecialTokens(NamedTuple):
    """What a language model reads and predicts."""

    n_known: int  # tokens of the vocabulary
    bounded: bool  # whether sequences start and end

    @property
    def bos(self):
        """Symbols that are read before the first token, a list."""
        return [self.n_known] * self.bounded

    @property
    def eos(self):
        """Symbol after the last token, -1 for none."""
        return self.n_known if self.bounded else -1

    @property
    def unk(self):
        """Symbol of all tokens that fit did not know: the last one."""
        return self.n_known + self.bounded

    def of(self, sequences):
        """Return the symbols of sequences that come from the door.

        Parameters
        ----------
        sequences : Sequences
            One column of ids, `n_known` for unknown tokens.

        Returns
        -------
        ndarray of shape (total_steps,), dtype=int64
        """
        ids = sequences.values[:, 0]
        return np.where(ids == self.n_known, self.unk, ids)

    def next_tokens(self, sequences):
        """Return what is read, and what comes next at each step.

        Parameters
        ----------
        sequences : Sequences
            As in `of`.

        Returns
        -------
        inputs : Sequences
            With a start, a step more than `sequences` each; of a document one less.
        labels : ndarray of shape (total_steps of inputs,), dtype=intp
        """
        ids, offsets, lengths = self.of(sequences), sequences.offsets, sequences.lengths
        if self.bounded:
            before = np.insert(ids, offsets[:-1], self.n_known)
            after = np.insert(ids, offsets[1:], self.n_known)
            lengths = lengths + 1
        else:
            given = lengths > 0
            before = np.delete(ids, offsets[1:][given] - 1)
            after = np.delete(ids, offsets[:-1][given])
            lengths = lengths - given
        inputs = Sequences(before[:, np.newaxis], lengths_to_offsets(lengths))
        return inputs, after.astype(np.intp, copy=False)

    def lists(self, drawn, names, prefix):
        """Return drawn symbols as tokens, up to the end.

        Parameters
        ----------
        drawn : ndarray of shape (n, steps)
            Known symbols, and the end from where a row ends.
        names : sequence of length n_known
        prefix : list
            What every list begins with.

        Returns
        -------
        list of list
        """
        ended = np.column_stack([drawn, np.full(len(drawn), self.n_known)]) == self.n_known
        return [
            prefix + [names[symbol] for symbol in row[:length]]
            for row, length in zip(drawn.tolist(), ended.argmax(axis=1), strict=True)
        ]
