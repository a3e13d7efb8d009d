"""Step-wise inference of a forecaster: it reads an observation and forecasts what follows."""

import numpy as np
from sklearn.utils.validation import validate_data

from skrnn._base.stepping import (
    as_numbers,
    check_count,
    check_finite,
    check_out,
    overflow,
    read_state,
)
from skrnn._base.streaming import StreamingMixin
from skrnn._data.sequences import Sequences
from skrnn._forecaster.columns import number_categories
from skrnn._forecaster.distributions import COUNT_LOSSES, check_counts, parameters
from skrnn._forecaster.missing import Places


class SeriesStreamingMixin(StreamingMixin):
    """Step-wise inference of a forecaster: a step is an observation, the output its forecast."""

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
            Where series are scaled by themselves (`scaling='series'`, or 'auto' with several).
        """
        size = self._stream(1).n_state
        if self._transform.own_scale:
            raise ValueError(
                "scaling='series' (and 'auto', with several series) scales by the whole series, "
                "which is not known step by step. Use update and predict() without X instead, "
                "or fit a forecaster with scaling='global' or 'none'."
            )
        return np.zeros(
            (check_count(n_sequences), size + 1 + self._n_kept * self._transform.n_targets)
        )

    @property
    def _n_kept(self):
        return max(1, self._transform.lag, self._transform.lags) + 1

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
        stepper, transform, network = self._stream(len(state)), self._transform, self._network()
        size, k = stepper.n_state, transform.n_targets
        self._check_counts(state[:, size])
        known, future = self._read_observation(x, len(state))
        output = np.empty((len(state), transform.horizon, k))
        after = np.empty_like(state)
        given = check_out(out, output[..., 0] if k == 1 else output, after)
        transformed = None
        if self._transformer is not None:
            offsets = np.arange(len(known) + 1)
            transformed = self._target_transformer().apply(
                Sequences(known[:, 0], offsets), Places(self._columns, None, offsets)
            )
            known = transformed.known.values[:, np.newaxis]
        center, scale = transform.scales(known[..., :k])
        for count in np.unique(state[:, size]).astype(int):
            at = np.flatnonzero(state[:, size] == count)
            kept = min(count, self._n_kept - 1)
            last = (
                state[at, size + 1 :].reshape(len(at), -1, k)[:, kept - 1 :: -1] if kept else None
            )
            now, z = transform.prepare(known[at], future[at])
            y = np.concatenate([last, now], axis=1) if kept else now
            # Covariates belong to this step; those of the steps before have been read.
            z = z if z is None else np.concatenate([np.zeros((len(at), kept, z.shape[2])), z], 1)
            with np.errstate(over="ignore"):
                rows = transform.inputs(y, z)[:, -1].astype(network.plan.dtype)
            with np.errstate(over="ignore"):  # too large for float32: found as infinity below
                states = np.ascontiguousarray(state[at, :size], dtype=network.plan.dtype)
            raw = np.empty((len(at), network.plan.n_outputs), network.plan.dtype)
            wrong = stepper.step(rows, states, states, raw)
            if wrong >= 0:
                raise overflow(at[wrong], network.plan.dtype)
            after[at, :size], after[at, size] = states, count + 1
            newest = y[:, ::-1][:, : self._n_kept]
            after[at, size + 1 :] = 0
            after[at, size + 1 : size + 1 + newest.shape[1] * k] = newest.reshape(len(at), -1)
            details = raw.astype(np.float64).reshape(len(at), transform.horizon, k, -1)
            if network.loss == "quantile":  # learned apart, they may cross
                details = np.sort(details, axis=-1)
            unit = np.asarray(transform.target_scale)[..., np.newaxis]
            base = transform.last_base(y)[..., np.newaxis]
            found = parameters(network.loss, details, unit, base)
            output[at] = found[..., network.point] * scale + center
        finite = np.isfinite(output).all(axis=(1, 2))
        if not finite.all():
            raise overflow(int(np.argmin(finite)), output.dtype)
        if transformed is not None:
            output = transformed.undo(output, axis=2)
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
        transform, width = self._transform, self._step_width
        ahead = transform.horizon if transform.n_covariates else 0
        if hasattr(self, "feature_names_in_"):
            for table in [x] if hasattr(x, "columns") else x:
                if hasattr(table, "columns"):
                    validate_data(self, table, reset=False, skip_check_array=True)
        columns = self._columns
        if columns.categories and np.size(x):
            x = np.array(x, dtype=object)
            if x.size % width == 0:
                (rows,) = number_categories(columns, [x.reshape(-1, width)])
                x = rows.reshape(x.shape)
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
        check_finite(x[:, :1])
        k = transform.n_targets
        if (loss := self._architecture["loss"]) in COUNT_LOSSES:
            check_counts(loss, x[:, 0, :k], lambda i: f"x of series {i}")
        known = columns.encode(x[:, 0])[:, np.newaxis]
        future = columns.encode_ahead(x[:, 1:].reshape(-1, width)).reshape(
            n, ahead, transform.n_covariates
        )
        check_finite(future)
        return known, future
