"""Step by step: estimators that go on as data arrive, with a state that the caller holds."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrnn._batching import kernel_data
from skrnn._plan import Options
from skrnn._threads import effective_n_threads

# From so many sequences on a step asks how many threads there are, which takes 2 us.
MANY_SEQUENCES = 16


class Steppers:
    """A network that goes on step by step, its weights packed once for each thread that asks.

    Parameters
    ----------
    plan : Plan
    params : ndarray of shape (n_params,)
    t : int
        Sequences it has been trained on: training moves weights in place.
    n : int
        Most sequences side by side.
    """

    def __init__(self, plan, params, t, n):
        self._options = Options()
        self._made_of = plan, params, t
        self._n = max(1, n)
        # A step is not for two threads at a time: each takes one that is free, or makes another.
        self._free = [self._make()]
        self.n_state = self._free[0].n_state

    def fits(self, params, t, n):
        """Tell whether it was made of these weights, for at least n sequences."""
        return params is self._made_of[1] and t == self._made_of[2] and n <= self._n

    def _make(self):
        plan, params, _ = self._made_of
        workspace = plan.workspace(self._options, (self._n, self._n, 1))
        return plan.engine.Stepper(plan, self._options, workspace, params, self._n)

    def step(self, x, before, after, out, probabilities):
        """Take sequences one step further.

        Parameters
        ----------
        x : ndarray of shape (n, n_features) or (n, n_columns)
        before, after : ndarray of shape (n, n_state)
            States around the step; may be the same.
        out : ndarray of shape (n, n_outputs)
        probabilities : bool
            Softmax of the outputs.

        Returns
        -------
        bool
            False where x is not as the kernel takes it, or not finite: nothing is done.
        """
        plan = self._made_of[0]
        tokens = plan.embedding is not None
        dtype = np.intp if tokens else plan.dtype
        if type(x) is not np.ndarray or x.dtype != dtype or not x.flags.c_contiguous or x.ndim != 2:
            return False
        try:
            stepper = self._free.pop()
        except IndexError:
            stepper = self._make()
        threads = 1 if len(before) < MANY_SEQUENCES else effective_n_threads()
        try:
            x, ids = (None, x) if tokens else (x, None)
            return stepper.step(x, ids, before, after, out, probabilities, threads) < 0
        finally:
            self._free.append(stepper)


class StreamingMixin:
    """`initial_state` and `step` of an estimator that reads from the first step to the last."""

    def initial_state(self, n_sequences=1):
        """Return the state before the first step.

        Parameters
        ----------
        n_sequences : int, default=1
            Sequences that go on side by side.

        Returns
        -------
        state : ndarray of shape (n_sequences, n_numbers)
            A plain array, a row a sequence, to copy, to stack and to cut as you please. Zeros.

        Raises
        ------
        ValueError
            For a network whose output at a step depends on later steps.
        """
        return np.zeros((n_sequences, self._stream(1).n_state), self._get_plan().dtype)

    def step(self, x, state, *, out=None):
        """Read one step of each sequence.

        After the last step of a sequence the output is what the estimator says of the whole, to
        rounding (1e-6): `predict_proba` of a classifier or tagger, `predict` of a regressor.

        Parameters
        ----------
        x : array-like of shape (n_sequences, n_features), or tokens
            The step of each sequence; tokens as a list of n_sequences `str`, or ids of shape
            (n_sequences,) or (n_sequences, n_columns). An array of the network's own `dtype`, in C
            order, is taken as it is, which is fastest.

        state : ndarray of shape (n_sequences, n_numbers)
            From `initial_state`, or the step before; it is not changed.

        out : (output, state), default=None
            Arrays for the results, which may be the state given: then nothing is allocated.

        Returns
        -------
        output : ndarray of shape (n_sequences, n_outputs), or (n_sequences,) for one number
            Probabilities in the order of `classes_`, or numbers, of the network's dtype.

        state : ndarray of shape (n_sequences, n_numbers)

        Raises
        ------
        ValueError, TypeError
            For a step or a state that does not fit.
        """
        stream = self._stream(len(state))
        if state.shape != (len(state), stream.n_state):
            raise ValueError(
                f"state has shape {state.shape}, but this network needs (n_sequences, "
                f"{stream.n_state}), as initial_state makes it."
            )
        output, after = out or (self._new_output(len(state)), np.empty_like(state))
        rows = output if output.ndim == 2 else output[:, np.newaxis]
        probabilities = self._architecture["loss"] == "softmax"
        if not stream.step(x, state, after, rows, probabilities):
            x = self._read_step(x, len(state))
            stream.step(x, state, after, rows, probabilities)
        return output, after

    def _new_output(self, n):
        plan = self._get_plan()
        one_number = getattr(self, "_y_ndim", 2) == 1
        return np.empty(n if one_number else (n, plan.n_outputs), plan.dtype)

    def _read_step(self, x, n):
        """Validate a step of each of n sequences through the door for data."""
        if len(x) != n:
            raise ValueError(f"x has a step of {len(x)} sequences, but state is of {n}.")
        if isinstance(x, list) and all(isinstance(token, str) for token in x):
            x = [[token] for token in x]
        else:
            x = np.asarray(x)
            x = x.reshape(n, 1, -1) if x.size else x
        _, values, ids = kernel_data(self._get_plan(), self._sequences(x))
        return values if ids is None else ids

    def _stream(self, n):
        """Return the network ready to go on with n sequences; made anew after every fit."""
        stream = self.__dict__.get("_stream_ready")
        if stream is None or not stream.fits(self._params, self.t_, n):
            check_is_fitted(self)
            self._check_causal()
            stream = Steppers(self._get_plan(), self._params, self.t_, n)
            self._stream_ready = stream
        return stream

    def _check_causal(self):
        """Raise where an output depends on later steps."""
        plan = self._get_plan()
        pooling = self._architecture["pooling"]
        for wrong, name, remedy in (
            (plan.n_directions > 1, "bidirectional=True", "bidirectional=False"),
            (pooling in ("mean", "max"), f"pooling={pooling!r}", "pooling='last'"),
            (plan.loss == "crf", "crf=True", "crf=False"),
        ):
            if wrong:
                raise ValueError(
                    f"A network with {name} cannot go on step by step: its output depends on the "
                    f"whole sequence. Fit one with {remedy}."
                )


class SymbolStreamingMixin(StreamingMixin):
    """The same of a language model: a step is a token, the output what may come next."""

    def initial_state(self, n_sequences=1):
        """Return the state before the first token.

        Parameters
        ----------
        n_sequences : int, default=1
            Sequences that go on side by side.

        Returns
        -------
        state : ndarray of shape (n_sequences, n_numbers)
            A plain array, a row a sequence. The start of a sequence has been read; a network
            fitted to a stream knows none and begins with zeros.
        """
        state = super().initial_state(n_sequences)
        for symbol in self._symbols.start:
            ids = np.full((n_sequences, 1), symbol, np.intp)
            self._stream(n_sequences).step(ids, state, state, self._new_output(n_sequences), True)
        return state

    def step(self, x, state, *, out=None):
        """Read one token of each sequence, and say what may come next.

        Parameters
        ----------
        x : list of n_sequences `str`, or array of ids of shape (n_sequences,)
            The token of each sequence. Ids of shape (n_sequences, 1) and dtype intp are read as
            they are, which is fastest.

        state : ndarray of shape (n_sequences, n_numbers)
            From `initial_state`, or the step before; it is not changed.

        out : (output, state), default=None
            Arrays for the results, which may be the state given.

        Returns
        -------
        output : ndarray of shape (n_sequences, n_outputs)
            Probabilities of the next token, in the order of ids (those of `vocabulary_` for
            strings); of the end of the sequence, unless fitted to a stream; and of any token that
            `fit` did not know. They sum to one.

        state : ndarray of shape (n_sequences, n_numbers)

        Raises
        ------
        ValueError, TypeError
            For tokens or a state that do not fit.
        """
        if isinstance(x, np.ndarray) and x.dtype.kind in "iu":
            # The ids behind the last token's are the network's own: as a user's they are unknown.
            x = np.where(x < self._symbols.n_known, x, -1)
        return super().step(x, state, out=out)

    def _read_step(self, x, n):
        ids, symbols = super()._read_step(x, n), self._symbols
        return np.where(ids == symbols.n_known, symbols.unknown, ids)


class SeriesStreamingMixin(StreamingMixin):
    """The same of a forecaster: a step is what has been observed, the output what follows."""

    def initial_state(self, n_sequences=1):
        """Return the state before the first step.

        Parameters
        ----------
        n_sequences : int, default=1
            Series that go on side by side.

        Returns
        -------
        state : ndarray of shape (n_sequences, n_numbers), dtype=float64
            A plain array, a row a series: the network's state, the number of steps read, and the
            last values, newest first.

        Raises
        ------
        ValueError
            With `scaling='series'`, whose scale is that of the whole series.
        """
        size = self._stream(1).n_state
        if self._frame.own_scale:
            raise ValueError(
                "scaling='series' scales by the whole series, which is not known step by step. Fit "
                "a forecaster with scaling='global' or 'none'."
            )
        return np.zeros((n_sequences, size + 1 + self._n_kept * self._frame.n_targets))

    @property
    def _n_kept(self):
        return max(1, self._frame.reach, self._frame.lags) + 1

    def step(self, x, state, *, out=None):
        """Read the next observation of each series, and forecast what follows.

        The output is that of `predict` for a history of all steps read, as long as `lookback` is
        not shorter: then `predict` has forgotten what came before, and this has not.

        Parameters
        ----------
        x : array-like of shape (n_sequences, n_features)
            What has been observed; with covariates (n_sequences, 1 + horizon, n_features), with
            those of the steps to come, whose targets are NaN.

        state : ndarray of shape (n_sequences, n_numbers)
            From `initial_state`, or the step before; it is not changed.

        out : (output, state), default=None
            Arrays for the results, which may be the state given.

        Returns
        -------
        output : ndarray of shape (n_sequences, horizon), or (n_sequences, horizon, n_targets)
            The points that `predict` gives; float64.

        state : ndarray of shape (n_sequences, n_numbers)

        Raises
        ------
        ValueError, TypeError
            For a step or a state that does not fit.
        """
        stream, frame, network = self._stream(len(state)), self._frame, self._network()
        known, future = self._read_observation(x, len(state))
        size, k = stream.n_state, frame.n_targets
        output = np.empty((len(state), frame.horizon, k))
        after = np.empty_like(state)
        center, scale = frame.scales(known[..., :k])
        for count in np.unique(state[:, size]).astype(int):
            at = np.flatnonzero(state[:, size] == count)
            kept = min(count, self._n_kept - 1)
            last = (
                state[at, size + 1 :].reshape(len(at), -1, k)[:, kept - 1 :: -1] if kept else None
            )
            now, z = frame.prepare(known[at], future[at])
            y = np.concatenate([last, now], axis=1) if kept else now
            # Covariates belong to this step; those of the steps before have been read.
            z = z if z is None else np.concatenate([np.zeros((len(at), kept, z.shape[2])), z], 1)
            rows = frame.inputs(y, z)[:, -1].astype(network.plan.dtype)
            states = np.ascontiguousarray(state[at, :size], dtype=network.plan.dtype)
            raw = np.empty((len(at), network.plan.n_outputs), network.plan.dtype)
            stream.step(rows, states, states, raw, False)
            after[at, :size], after[at, size] = states, count + 1
            newest = y[:, ::-1][:, : self._n_kept]
            after[at, size + 1 :] = 0
            after[at, size + 1 : size + 1 + newest.shape[1] * k] = newest.reshape(len(at), -1)
            details = raw.astype(np.float64).reshape(len(at), frame.horizon, k, -1)
            if network.loss == "quantile":  # learnt apart, they may cross
                details = np.sort(details, axis=-1)
            point = details[..., network.point] * frame.target_scale + frame.last_base(y)
            output[at] = point * scale + center
        output = output[..., 0] if k == 1 else output
        if out is not None:
            out[0][...], out[1][...] = output, after
            return out
        return output, after

    def _read_observation(self, x, n):
        """Return what is known, (n, 1, n_features), and covariates to come."""
        x = np.asarray(x, dtype=np.float64)
        frame = self._frame
        x = x.reshape(n, -1, self._step_width) if x.size == n * self._step_width else x
        ahead = frame.horizon if frame.n_covariates else 0
        if x.shape != (n, 1 + ahead, self._step_width):
            raise ValueError(
                f"x has shape {x.shape}, but {n} series of {self._step_width} feature(s) need "
                f"({n}, {f'{1 + ahead}, ' if ahead else ''}{self._step_width})."
            )
        known, future = x[:, :1], x[:, 1:, frame.n_targets :]
        if not (np.isfinite(known).all() and np.isfinite(future).all()):
            i = int(np.argmin(np.isfinite(known).all(axis=(1, 2))))
            raise ValueError(f"Input x contains NaN or infinity: series {i}.")
        return known, future
