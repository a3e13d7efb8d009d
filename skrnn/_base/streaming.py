"""Step-wise inference: estimators that continue as data arrive; the caller holds the state."""

import numpy as np
from sklearn.utils.validation import validate_data

from skrnn._base.stepping import (
    Steppers,
    as_numbers,
    check_count,
    check_finite,
    check_out,
    not_a_state,
    overflow,
    read_rows,
    read_state,
    read_tokens,
)
from skrnn._network.batches import kernel_data


class StreamingMixin:
    """`initial_state` and `step` of an estimator that reads from the first step to the last."""

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
        stream = self._stream(n)
        try:
            output, after = out or (self._new_output(n), np.empty_like(state))
            # The kernel checks all arrays; what it does not take as it is gets a second look.
            if type(x) is type(state) is np.ndarray:
                raw = self._raw(output)
                if stream.step(x, state, after, raw) < 0:
                    self._finish(raw, output)
                    return output, after
        except (AttributeError, IndexError, TypeError, ValueError):
            pass
        return self._step_with_care(stream, x, state, out)

    def _step_with_care(self, stream, x, state, out):
        """Read what may need converting, take the step, and say what is wrong if there is."""
        plan = self._get_plan()
        state = read_state(state, stream.n_state, plan.dtype)
        n = len(state)
        x = self._read_step(x, n)
        output, after = self._new_output(n), np.empty_like(state)
        output, after = check_out(out, output, after)
        raw = self._raw(output)
        wrong = stream.step(x, state, after, raw)
        if wrong >= 0:
            raise overflow(wrong, plan.dtype)
        self._finish(raw, output)
        return output, after

    # What the network puts out is what the user gets, in one array. An estimator that makes
    # something else of it has `_new_output` return the user's array, `_raw` one for the network.

    def _new_output(self, n):
        """Return an array for the outputs of n sequences as the user gets them."""
        plan = self._get_plan()
        one_number = getattr(self, "_y_ndim", 2) == 1
        return np.empty(n if one_number else (n, plan.n_outputs), plan.dtype)

    def _raw(self, output):
        """Return the array (n, n_outputs) for what the network puts out."""
        return output if output.ndim == 2 else output[:, np.newaxis]

    def _finish(self, raw, output):
        """Fill `output`, if that is another array than `raw`."""

    def _read_step(self, x, n):
        """Return a step of each of n sequences as the kernel takes it."""
        plan = self._get_plan()
        steps = read_tokens(x, n) if hasattr(self, "vocabulary_") else read_rows(x, n)
        if n == 0:
            if plan.embedding is not None:
                return np.empty((0, len(plan.embedding)), np.intp)
            return np.empty((0, self._step_width), plan.dtype)
        _, values, ids = kernel_data(plan, self._sequences(steps))
        return values if ids is None else ids

    def _stream(self, n):
        """Return the network ready to go on with n sequences, made anew where weights changed."""
        stream = self.__dict__.get("_stream_ready")
        if stream is None or not stream.fits(self._params, self._weights_version, n):
            self._check_whole()
            self._check_causal()
            version = self._weights_version
            stream = Steppers(self._get_plan(), self._params, version, n)
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
            Number of sequences that run in parallel.

        Returns
        -------
        state : ndarray of shape (n_sequences, n_numbers)
            A plain array with one row per sequence. The start symbol has been read; a network
            fitted to a stream has none and starts from zeros.
        """
        state = super().initial_state(n_sequences)
        for symbol in self._symbols.start:
            ids = np.full((n_sequences, 1), symbol, np.intp)
            self._stream(n_sequences).step(ids, state, state, self._new_output(n_sequences))
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
            strings), then of the end of the sequence, unless fitted to a stream, and of any token
            unknown to `fit`. They sum to one.

        state : ndarray of shape (n_sequences, n_numbers)

        Raises
        ------
        ValueError, TypeError
            If tokens or a state do not fit.
        """
        if type(x) is np.ndarray and x.dtype.kind in "iu":
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
            Number of series that run in parallel.

        Returns
        -------
        state : ndarray of shape (n_sequences, n_numbers), dtype=float64
            A plain array with one row per series: the state of the network, the number of steps
            read, and the last values, newest first.

        Raises
        ------
        ValueError
            With `scaling='series'`, because the scale is that of the whole series.
        """
        size = self._stream(1).n_state
        if self._frame.own_scale:
            raise ValueError(
                "scaling='series' scales by the whole series, which is not known step by step. Fit "
                "a forecaster with scaling='global' or 'none'."
            )
        return np.zeros((check_count(n_sequences), size + 1 + self._n_kept * self._frame.n_targets))

    @property
    def _n_kept(self):
        return max(1, self._frame.reach, self._frame.lags) + 1

    def step(self, x, state, *, out=None):
        """Read the next observation of each series, and forecast its continuation.

        The output is that of `predict` for a history of all steps read, as long as they are not
        more than `lookback`: `predict` reads only that many, while the state remembers all of them.

        Parameters
        ----------
        x : array-like of shape (n_sequences, n_features)
            Observation of each series; with covariates (n_sequences, 1 + horizon, n_features),
            followed by those of the future steps, whose targets are NaN.

        state : ndarray of shape (n_sequences, n_numbers)
            State from `initial_state` or from the step before, which is not changed.

        out : (output, state), default=None
            Arrays for the results, which may include the given state.

        Returns
        -------
        output : ndarray of shape (n_sequences, horizon), or (n_sequences, horizon, n_targets)
            Forecasts as from `predict`, float64.

        state : ndarray of shape (n_sequences, n_numbers)

        Raises
        ------
        ValueError, TypeError
            If a step or a state does not fit.
        """
        width = self.initial_state(0).shape[1]
        state = read_state(state, width, np.float64)
        stream, frame, network = self._stream(len(state)), self._frame, self._network()
        size, k = stream.n_state, frame.n_targets
        self._check_counts(state[:, size])
        known, future = self._read_observation(x, len(state))
        output = np.empty((len(state), frame.horizon, k))
        after = np.empty_like(state)
        given = check_out(out, output[..., 0] if k == 1 else output, after)
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
            with np.errstate(over="ignore"):
                rows = frame.inputs(y, z)[:, -1].astype(network.plan.dtype)
            with np.errstate(over="ignore"):  # too large for float32: found as infinity below
                states = np.ascontiguousarray(state[at, :size], dtype=network.plan.dtype)
            raw = np.empty((len(at), network.plan.n_outputs), network.plan.dtype)
            wrong = stream.step(rows, states, states, raw)
            if wrong >= 0:
                raise overflow(at[wrong], network.plan.dtype)
            after[at, :size], after[at, size] = states, count + 1
            newest = y[:, ::-1][:, : self._n_kept]
            after[at, size + 1 :] = 0
            after[at, size + 1 : size + 1 + newest.shape[1] * k] = newest.reshape(len(at), -1)
            details = raw.astype(np.float64).reshape(len(at), frame.horizon, k, -1)
            if network.loss == "quantile":  # learned apart, they may cross
                details = np.sort(details, axis=-1)
            point = details[..., network.point] * frame.target_scale + frame.last_base(y)
            output[at] = point * scale + center
        finite = np.isfinite(output).all(axis=(1, 2))
        if not finite.all():
            raise overflow(int(np.argmin(finite)), output.dtype)
        output = output[..., 0] if k == 1 else output
        if out is None:
            return output, after
        given[0][...], given[1][...] = output.reshape(given[0].shape), after
        return given

    def _check_counts(self, counts):
        """Raise where the number of steps read, which a state holds, is none."""
        wrong = np.flatnonzero((counts < 0) | (counts > 2**53) | (counts % 1 != 0))
        if len(wrong):
            raise ValueError(
                f"state says of sequence {wrong[0]} that {counts[wrong[0]]} steps have been read. "
                "Take states as initial_state and step of this forecaster return them."
            )

    def _read_observation(self, x, n):
        """Return what is known, (n, 1, n_features), and covariates to come."""
        frame, width = self._frame, self._step_width
        ahead = frame.horizon if frame.n_covariates else 0
        if hasattr(self, "feature_names_in_"):
            for table in [x] if hasattr(x, "columns") else x:
                if hasattr(table, "columns"):
                    validate_data(self, table, reset=False, skip_check_array=True)
        x = as_numbers(x).astype(np.float64, copy=False)
        if n == 0 and len(x) == 0:
            x = np.empty((0, 1 + ahead, width))
        elif x.size == n * width:
            x = x.reshape(n, 1, width)
        if x.shape != (n, 1 + ahead, width):
            raise ValueError(
                f"x has shape {x.shape}, but state is of {n} series of {width} feature(s): x needs "
                f"shape ({n}, {f'{1 + ahead}, ' if ahead else ''}{width})."
            )
        known, future = x[:, :1], x[:, 1:, frame.n_targets :]
        check_finite(known)
        check_finite(future)
        return known, future
