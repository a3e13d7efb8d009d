"""The stepper: a network that goes on step by step, as data arrive."""
from cython.parallel cimport prange
from libc.math cimport isfinite
from libc.string cimport memcpy, memset

from .batch cimport place_single_steps
from .characters cimport characters_forward
from .denormals cimport flush_denormals, restore_mode, restore_worker
from .embedding cimport look_up
from .heads.losses cimport softmax_row
from .pack cimport pack_weights
from .single_step cimport keep_states, one_step_each, step_rows
from .types cimport (
    ALL, LANES, LAST, Net, POOL_NUMBERS, Scan, idx, load, real, splat, sum_lanes, token_width,
    useful_threads, vec,
)


cdef class Stepper:
    """A network with its weights packed, for up to `n` sequences at a time.

    Packing is most of the work of a single step, so it is done once. Not for two threads at a time.

    Parameters
    ----------
    plan : Plan
        Of one direction, without a loss of whole sequences.
    options : Options
    workspace : ndarray of shape (n_bytes,), dtype=uint8
        For BatchLimits(n, n, 1).
    params : ndarray of shape (n_params,)
        As they are now: later changes are not seen.
    n : int
    words : BatchLimits, default=None
        Of the characters of n words, where the network reads them.
    """

    cdef Net net
    cdef object kept, words
    cdef readonly idx n
    # Numbers of a sequence's state, side by side: h and c of each scan; and with a pooling but the
    # last the `pool_state` of a row, and what is pooled.
    cdef readonly idx n_state
    cdef idx n_pooled  # poolings that have a state

    def __init__(self, plan, options, workspace, params, n, words=None):
        cdef idx k
        if n < 1:
            raise ValueError("a stepper needs room for a sequence")
        self.kept = plan, workspace, params
        self.n, self.words = n, words
        _open(&self.net, plan, options, BatchLimits(n, n, 1, words), workspace, params, None, True)
        if self.net.plan.n_directions > 1:
            raise ValueError("a network of two directions has no single step")
        one_step_each(&self.net, n)
        self.net.caller_mode = flush_denormals()
        pack_weights(&self.net)
        restore_mode(self.net.caller_mode)
        keep_states(&self.net)
        for k in range(self.net.plan.n_scans):
            self.n_state += self.net.scans[k].plan.H * (1 + self.net.scans[k].plan.has_c)
        if self.net.plan.pooling != ALL and self.net.plan.pooling != LAST:
            self.n_pooled = self.net.plan.n_poolings - (self.net.plan.pooling & LAST != 0)
            self.n_state += POOL_NUMBERS + self.n_pooled * self.net.plan.H
            memset(self.net.ws_features, 0, n * self.net.P * sizeof(real))

    def step(
        self, const real[:, ::1] x, const idx[:, ::1] tokens, const real[:, ::1] before,
        real[:, ::1] after, real[:, ::1] out, bint probabilities, idx threads, spellings=None,
    ):
        """Take sequences one step further.

        `x` (n, D) or `tokens` (n, n_columns) is the step of each, the other is None; a network that
        reads characters has one column more, as KernelData says, and `spellings`. `before` and
        `after` (n, n_state), which may be the same, are the states around it; `out` (n, n_outputs)
        gets logits or, with `probabilities`, their softmax.

        Returns -1; or the first sequence whose step is not finite (or no row of the embedding), or
        whose state before or after, or whose output, is not finite: then nothing is written.
        """
        cdef Net* net = &self.net
        cdef idx n = before.shape[0], r, c, parts, part, wrong = 0
        cdef idx width = x.shape[1] if tokens is None else tokens.shape[1]
        cdef idx rows = x.shape[0] if tokens is None else tokens.shape[0]
        if (
            n > self.n or rows != n or after.shape[0] != n
            or out.shape[0] != n or before.shape[1] != self.n_state
            or after.shape[1] != self.n_state or out.shape[1] != net.plan.n_outputs
            or width != (token_width(&net.plan) if net.plan.n_columns else net.plan.D)
            or (tokens is None) != (net.plan.n_columns == 0)
        ):
            raise ValueError("step, state and output do not fit the network and one another")
        if n == 0:
            return -1
        if (
            &out[0, 0] < &after[0, 0] + n * self.n_state
            and &after[0, 0] < &out[0, 0] + n * net.plan.n_outputs
        ):
            raise ValueError("output and state share memory")
        if net.characters != NULL:
            self._connect(tokens, spellings)
        place_single_steps(net, n)
        if tokens is None:
            for r in range(n):
                for c in range(width):
                    if not isfinite(x[r, c]):
                        return r
                    net.x[r * width + c] = x[r, c]
        else:
            for r in range(n):
                for c in range(net.plan.n_columns):
                    if not 0 <= tokens[r, c] < net.columns[c].rows:
                        return r
                look_up(net, &tokens[r, 0], r, 0)
        parts = useful_threads(threads, 2.0 * n * net.plan.n_params)
        with nogil:
            net.caller_mode = flush_denormals()
            if net.characters != NULL:
                characters_forward(net)
            for part in prange(parts, num_threads=parts, use_threads_if=parts > 1,
                               schedule='static', chunksize=1):
                flush_denormals()
                wrong += self._step(&before[0, 0], probabilities,
                                    n * part // parts, n * (part + 1) // parts)
                restore_worker(net.caller_mode)
            if wrong == 0:
                self._write(&after[0, 0], &out[0, 0], n)
            restore_mode(net.caller_mode)
        if wrong == 0:
            return -1
        r = self._first_wrong(before)
        self._clear()
        return r

    cdef _connect(self, tokens, spellings):
        """Check the words of a step and connect their characters."""
        n = len(tokens)
        steps = np.arange(n + 1, dtype=np.intp)
        _read_spellings(&self.net, KernelData(steps, None, tokens, spellings),
                        BatchLimits(n, n, 1, self.words), np.arange(n, dtype=np.intp),
                        np.array([0, n], dtype=np.intp))

    cdef idx _step(self, const real* before, bint probabilities, idx lo, idx hi) noexcept nogil:
        """Step rows lo .. hi within the workspace; returns how many rows were not or are not
        finite.

        The user's arrays may be the same before and after, so that what cannot be done must be
        known before anything is written.
        """
        cdef idx r, wrong = 0
        cdef real* logits
        self._exchange(<real*> before, lo, hi, True)
        for r in range(lo, hi):
            wrong += not self._has_finite_state(r)
        step_rows(&self.net, lo, hi)
        for r in range(lo, hi):
            logits = self.net.logits + r * self.net.Op
            if probabilities:
                softmax_row(logits, logits, self.net.plan.n_outputs, self.net.Op)
            wrong += not (is_finite(logits, self.net.Op) and self._has_finite_state(r))
        return wrong

    cdef void _write(self, real* after, real* out, idx n) noexcept nogil:
        """Copy states and outputs of n rows to the user's arrays."""
        cdef idx r, O = self.net.plan.n_outputs
        self._exchange(after, 0, n, False)
        for r in range(n):
            memcpy(out + r * O, self.net.logits + r * self.net.Op, O * sizeof(real))

    cdef bint _has_finite_state(self, idx r) noexcept nogil:
        cdef const Scan* scan
        cdef idx k
        for k in range(self.net.plan.n_scans):
            scan = &self.net.scans[k]
            if not is_finite(scan.h0 + r * scan.plan.Hp, scan.plan.Hp):
                return False
            if scan.plan.has_c and not is_finite(scan.c0 + r * scan.plan.Hp, scan.plan.Hp):
                return False
        return self.n_pooled == 0 or is_finite(self.net.ws_features + r * self.net.P, self.net.P)

    cdef idx _first_wrong(self, const real[:, ::1] before) noexcept:
        """Return the first row of which `_step` found anything that is not finite."""
        cdef idx r, c
        for r in range(before.shape[0]):
            for c in range(before.shape[1]):
                if not isfinite(before[r, c]):
                    return r
            if not (is_finite(self.net.logits + r * self.net.Op, self.net.Op)
                    and self._has_finite_state(r)):
                return r
        return before.shape[0] - 1

    cdef void _clear(self) noexcept:
        """Leave no NaN in the padding of states, which no user's state overwrites."""
        cdef Scan* scan
        cdef idx k
        for k in range(self.net.plan.n_scans):
            scan = &self.net.scans[k]
            memset(scan.h0, 0, self.n * scan.plan.Hp * sizeof(real))
            if scan.plan.has_c:
                memset(scan.c0, 0, self.n * scan.plan.Hp * sizeof(real))
        if self.n_pooled > 0:
            memset(self.net.ws_features, 0, self.n * self.net.P * sizeof(real))

    cdef void _exchange(self, real* states, idx lo, idx hi, bint enter) noexcept nogil:
        """Copy rows lo .. hi of the user's states to the scans', or back."""
        cdef Scan* scan
        cdef idx k, r
        cdef real* at
        for r in range(lo, hi):
            at = states + r * self.n_state
            for k in range(self.net.plan.n_scans):
                scan = &self.net.scans[k]
                at = exchange_row(scan.h0 + r * scan.plan.Hp, at, scan.plan.H, enter)
                if scan.plan.has_c:
                    at = exchange_row(scan.c0 + r * scan.plan.Hp, at, scan.plan.H, enter)
            if self.n_pooled == 0:
                continue
            at = exchange_row(self.net.pool_state + r * POOL_NUMBERS, at, POOL_NUMBERS, enter)
            for k in range(self.net.plan.n_poolings - self.n_pooled, self.net.plan.n_poolings):
                at = exchange_row(self.net.ws_features + r * self.net.P + k * self.net.F, at,
                                  self.net.plan.H, enter)


cdef inline real* exchange_row(real* row, real* state, idx H, bint enter) noexcept nogil:
    """Copy H numbers of a state to the scan's row, or back; returns where the next ones stand."""
    if enter:
        memcpy(row, state, H * sizeof(real))
    else:
        memcpy(state, row, H * sizeof(real))
    return state + H


cdef inline bint is_finite(const real* row, idx width) noexcept nogil:
    """Whether all numbers of a row, whose width is a multiple of LANES, are finite."""
    cdef vec sum = splat(0)
    cdef idx j
    for j from 0 <= j < width by LANES:
        sum = sum + (load(row + j) - load(row + j))  # 0, or NaN for NaN and infinity
    return sum_lanes(sum) == 0
