"""Step-wise inference of a language model: a step is a token, the output what may come next."""

import numpy as np

from skrnn._base.streaming import StreamingMixin


class TokenStreamingMixin(StreamingMixin):
    """`initial_state` and `step` of a language model."""

    def initial_state(self, n_sequences=1):
        """Return the state before the first token.

        Parameters
        ----------
        n_sequences : int, default=1
            Number of sequences that run in parallel.

        Returns
        -------
        state : ndarray of shape (n_sequences, n_numbers)
            A plain array with one row per sequence. The start symbol has been read; a network
            fitted to documents has none and starts from zeros.
        """
        state = super().initial_state(n_sequences)
        for symbol in self._special_tokens.bos:
            ids = np.full((n_sequences, 1), symbol, np.intp)
            self._stream(n_sequences).step(ids, state, state, self._step_arrays(n_sequences)[1])
        return state

    def step(self, x, state, *, out=None):
        """Read one token of each sequence, and predict the next one.

        Parameters
        ----------
        x : list of n_sequences `str`, or array of ids of shape (n_sequences,)
            Token of each sequence. Ids of shape (n_sequences, 1) and dtype intp are used without a
            copy, which is fastest.

        state : ndarray of shape (n_sequences, n_numbers)
            State from `initial_state` or from the step before, which is not changed.

        out : (output, state), default=None
            Arrays for the results, which may include the given state.

        Returns
        -------
        output : ndarray of shape (n_sequences, n_outputs)
            Probabilities of the next token, in the order of ids (those of `vocabulary_` for
            strings), then of the end of the sequence, unless fitted to documents, and of any token
            unknown to `fit`. They sum to one.

        state : ndarray of shape (n_sequences, n_numbers)

        Raises
        ------
        ValueError, TypeError
            If tokens or a state do not fit.
        """
        if type(x) is np.ndarray and x.dtype.kind in "iu":
            # The ids behind the last token's are the network's own: as a user's they are unknown.
            x = np.where(x < self._special_tokens.n_known, x, -1)
        return super().step(x, state, out=out)

    def _read_step(self, x, n):
        ids, symbols = super()._read_step(x, n), self._special_tokens
        return np.where(ids == symbols.n_known, symbols.unk, ids)
