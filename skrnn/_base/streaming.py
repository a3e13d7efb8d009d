"""Step-wise inference: estimators that continue as data arrive; the caller holds the state."""

import numpy as np

from skrnn._base.stepping import (
    check_count,
    check_out,
    not_a_state,
    overflow,
    read_rows,
    read_state,
    read_tokens,
)
from skrnn._network.batches import kernel_data, no_words
from skrnn._network.stepping import Steppers


class StreamingMixin:
    """`initial_state` and `step` of an estimator that reads from the first step to the last."""

    _input_scale: np.ndarray | None  # None where `_scaled_step` is not needed

    def initial_state(self, n_sequences=1):
        """Return the state before the first step.

        Parameters
        ----------
        n_sequences : int, default=1
            Number of sequences that run in parallel.

        Returns
        -------
        state : ndarray of shape (n_sequences, n_numbers)
            A plain array of zeros with one row per sequence, which may be copied, stacked, cut and
            saved.

        Raises
        ------
        ValueError
            If the output of the network at a step depends on later steps.
        """
        return np.zeros((check_count(n_sequences), self._stream(1).n_state), self._get_plan().dtype)

    def step(self, x, state, *, out=None):
        """Read one step of each sequence.

        After the last step of a sequence the output is the prediction for the whole sequence, up to
        rounding (1e-6): `predict_proba` of a classifier or tagger, `predict` of a regressor.

        Parameters
        ----------
        x : array-like of shape (n_sequences, n_features), or tokens
            Step of each sequence. Tokens are a list of n_sequences `str`, or ids of shape
            (n_sequences,) or (n_sequences, n_columns). An array in C order with the `dtype` of the
            network is used without a copy, which is fastest.

        state : array-like of shape (n_sequences, n_numbers)
            State from `initial_state` or from the step before, which is not changed. Rows may be
            selected, reordered and stacked; other types of numbers and nested lists (from JSON) are
            accepted.

        out : (output, state), default=None
            Arrays for the results, which may include the given state; then nothing is allocated.

        Returns
        -------
        output : ndarray of shape (n_sequences, n_outputs), or (n_sequences,) for one number
            Probabilities in the order of `classes_`, with the dtype of the network; the numbers of
            a regressor are float64.

        state : ndarray of shape (n_sequences, n_numbers)

        Raises
        ------
        ValueError, TypeError
            If a step, a state or `out` does not fit, or if numbers are not finite. The message
            names the sequence, and nothing is written to `out`.
        """
        try:
            n = len(state)
        except TypeError:
            raise not_a_state(state) from None
        stepper = self._stream(n)
        try:
            output, after = (None, np.empty_like(state)) if out is None else out
            # The kernel checks all arrays; what it does not take as it is gets a second look.
            if type(x) is type(state) is np.ndarray and (out is None or output is not None):
                output, raw = self._step_arrays(n, output)
                values = x if self._input_scale is None else self._scaled_step(x)
                if stepper.step(values, state, after, raw) < 0:
                    self._finish_step(raw, output)
                    return output, after
        except (AttributeError, IndexError, TypeError, ValueError):
            pass
        return self._step_with_care(stepper, x, state, out)

    def _step_with_care(self, stepper, x, state, out):
        """Read what may need converting, take the step, and say what is wrong if there is."""
        plan = self._get_plan()
        state = read_state(state, stepper.n_state, plan.dtype)
        n = len(state)
        x = self._read_step(x, n)
        output, raw = self._step_arrays(n)
        after = np.empty_like(state)
        if out is not None:
            output, after = check_out(out, output, after)
            output, raw = self._step_arrays(n, output)
        wrong = stepper.step(x, state, after, raw)
        if wrong >= 0:
            raise overflow(wrong, plan.dtype)
        self._finish_step(raw, output)
        return output, after

    # -- what an estimator fills in ------------------------------------------------------------

    def _step_arrays(self, n, output=None):
        """Return where the outputs of a step go: the user's array, and the network's.

        Called in every step, so that it must be quick.

        Parameters
        ----------
        n : int
            Number of sequences.
        output : ndarray, default=None
            The user's array; None makes one.

        Returns
        -------
        output : ndarray of shape (n, n_outputs), or (n,) for one number
        raw : ndarray of shape (n, n_outputs), dtype of the network
            Shares the memory of `output` where the user gets what the network puts out.
        """
        if output is None:
            plan = self._get_plan()
            one_number = getattr(self, "_y_ndim", 2) == 1
            output = np.empty(n if one_number else (n, plan.n_outputs), plan.dtype)
        return output, output if output.ndim == 2 else output[:, np.newaxis]

    def _finish_step(self, raw, output):
        """Make of the network's outputs what the user gets; by default they are the same.

        Called after every step that was taken.

        Parameters
        ----------
        raw, output : ndarray
            From `_step_arrays`; `output` is to be filled.
        """

    def _read_step(self, x, n):
        """Validate a step and return it as the kernel takes it.

        Called where `x` is not already such an array.

        Parameters
        ----------
        x : object
            As the user gave it.
        n : int
            Number of sequences.

        Returns
        -------
        ndarray of shape (n, n_features), dtype of the network; or (n, n_columns), dtype=intp; or,
        where characters are read, KernelData
        """
        plan = self._get_plan()
        steps = read_tokens(x, n) if hasattr(self, "vocabulary_") else read_rows(x, n)
        if n == 0:
            if plan.characters is not None:
                return no_words(plan)
            if plan.embedding is not None:
                return np.empty((0, len(plan.embedding)), np.intp)
            return np.empty((0, self._step_width), plan.dtype)
        data = kernel_data(plan, self._sequences(steps))
        if plan.characters is not None:
            return data
        return data.values if data.tokens is None else data.tokens

    # ------------------------------------------------------------------------------------------

    def _stream(self, n):
        """Return the network ready to go on with n sequences, made anew where weights changed."""
        stepper = self.__dict__.get("_stepper_ready")
        if stepper is None or not stepper.fits(self._params, self._weights_version, n):
            self._check_whole()
            self._check_causal()
            version = self._weights_version
            stepper = Steppers(self._get_plan(), self._params, version, n)
            self._stepper_ready = stepper
        return stepper

    def _check_causal(self):
        """Raise where an output depends on later steps."""
        plan = self._get_plan()
        for wrong, name, remedy in (
            (plan.n_directions > 1, "bidirectional=True", "bidirectional=False"),
            (plan.loss == "crf", "crf=True", "crf=False"),
        ):
            if wrong:
                raise ValueError(
                    f"A network with {name} cannot go on step by step: its output depends on the "
                    f"whole sequence. Fit one with {remedy}."
                )
