"""Single steps: a network that goes on from a state."""

import numpy as np

from skrnn._data.sequences import LONGEST_WORD
from skrnn._network.border import BatchLimits, KernelData
from skrnn._network.plan import Options
from skrnn._network.threads import effective_n_threads

# From so many sequences on a step asks how many threads there are, which takes 2 us.
MANY_SEQUENCES = 16
# More sequences take the step in blocks of so many: the network's memory does not grow with them.
BLOCK = 1024


class Steppers:
    """A network that goes on step by step, its weights packed once for each thread that asks.

    Parameters
    ----------
    plan : Plan
    params : ndarray of shape (n_params,)
    version : int
        Number of changes that `params` had seen, read before `params` is.
    n : int
        Maximum number of sequences side by side. From `BLOCK` on any number.
    """

    def __init__(self, plan, params, version, n):
        self._options = Options()
        self._made_of = plan, params, version
        self._n = min(max(1, n), BLOCK)
        self._probabilities = plan.loss == "softmax"
        self._tokens = plan.embedding is not None
        self._longest = 0 if plan.characters is None else LONGEST_WORD  # characters of a word
        # A step is not for two threads at a time: each takes one that is free, or makes another.
        self._free = [self._make()]
        self.n_state = self._free[0].n_state

    def fits(self, params, version, n):
        """Tell whether it was made of these weights, for at least n sequences."""
        same = params is self._made_of[1] and version == self._made_of[2]
        return same and (n <= self._n or self._n == BLOCK)

    def _make(self):
        plan, params, _ = self._made_of
        words = None
        if plan.characters is not None:
            words = BatchLimits(self._n, self._n * self._longest, self._longest)
        workspace = plan.workspace(self._options, BatchLimits(self._n, self._n, 1, words))
        return plan.engine.Stepper(plan, self._options, workspace, params, self._n, words)

    def step(self, x, before, after, out):
        """Take sequences one step further.

        Parameters
        ----------
        x : ndarray of shape (n, n_features) or (n, n_columns), or KernelData
            KernelData of a sequence of one step each, where characters are read.
        before, after : ndarray of shape (n, n_state)
            States around the step; may be the same.
        out : ndarray of shape (n, n_outputs)
            Gets what the head puts out, after the softmax if there is one.

        Returns
        -------
        int
            -1; or the first sequence whose x, state or output is not finite, or whose token is not
            known. Then nothing is written.

        Raises
        ------
        ValueError, TypeError
            Where an array is not as the kernel takes it. Nothing is written either.
        """
        spellings = None
        if self._longest:
            if not isinstance(x, KernelData):
                raise TypeError("a network that reads characters needs words")
            x, spellings = x.tokens, x.spellings
        if len(before) > BLOCK:
            return self._step_in_blocks(x, spellings, before, after, out)
        return self._step(x, spellings, before, after, out)

    def _step(self, x, spellings, before, after, out):
        """Take the step of a block."""
        try:
            stepper = self._free.pop()
        except IndexError:
            stepper = self._make()
        threads = 1 if len(before) < MANY_SEQUENCES else effective_n_threads()
        x, ids = (None, x) if self._tokens else (x, None)
        try:
            return stepper.step(x, ids, before, after, out, self._probabilities, threads, spellings)
        finally:
            self._free.append(stepper)

    def _step_in_blocks(self, x, spellings, before, after, out):
        """Take the step of one block after the other, and write when all have been taken."""
        n = len(before)
        if not n == len(x) == len(after) == len(out) or np.may_share_memory(after, out):
            raise ValueError("step, state and output do not fit one another")
        states, outputs = np.empty_like(after), np.empty_like(out)
        for start in range(0, n, BLOCK):
            block = slice(start, start + BLOCK)
            wrong = self._step(x[block], spellings, before[block], states[block], outputs[block])
            if wrong >= 0:
                return start + wrong
        after[...], out[...] = states, outputs
        return -1
