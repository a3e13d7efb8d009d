"""Recursive forecasts: a network that reads its own forecasts."""
from libc.math cimport exp

from .single_step cimport step_rows
from .stopping cimport stopped
from .types cimport Net, idx, real

# What a forecaster makes of a series y of known and forecast steps (_forecaster/transform.py says
# the same of whole series). At step t the network reads
#     (y_t - y_{t - lag}) / input_scale           y_t / input_scale with lag = 0
#     z_{t+1} .. z_{t+h}                         covariates known beforehand
#     p_t                                         columns known at their own step alone
# and every h steps its outputs, times target_scale, are added to the base of step t + j:
#     y_t, or the last known value of its season, or 0  + sum_i lag_weights_ij (y_{t-i} - y_t)
cdef struct Rollout:
    idx horizon                 # h: steps of a block
    idx n_targets               # k
    idx n_covariates            # columns of z
    idx n_past                  # columns of p
    idx width                   # outputs per target
    idx point                   # which of them is fed back
    bint has_scale              # the second output is the logarithm of a scale
    bint counts                 # the first output is the logarithm of a mean
    idx lag
    idx season                  # steps of a season, 0 without
    idx n_lags
    idx T                       # steps known before the first block that is made here
    idx stop                    # steps when the last one is made
    double* y                   # in/out (n, stop, k)
    const double* z             # in  (n, n_known, n_covariates + n_past) or NULL: z_{t+1}, p_t
    idx n_known
    const double* input_scale   # in  (k,)
    const double* target_scale  # in  (h, k)
    const double* lag_weights   # in  (n_lags, h, k), or NULL
    double* out                 # out (n, stop - T, k, width)


cdef inline void rollout_rows(Net* net, const Rollout* rollout, idx lo, idx hi) noexcept nogil:
    """Forecast series lo .. hi of the batch to the end, reading what was forecast last first."""
    cdef idx t, b
    for t in range(rollout.T - rollout.horizon, rollout.stop - rollout.horizon):
        if stopped(net.stop, 2.0 * (hi - lo) * net.plan.n_params):
            return
        for b in range(lo, hi):
            read_step(rollout, net.x + b * net.plan.D, net.order[b], t)
        step_rows(net, lo, hi)
        if (t + 1 - rollout.T) % rollout.horizon == 0:
            for b in range(lo, hi):
                write_block(rollout, net.logits + b * net.Op, net.order[b], t)


cdef inline void read_step(const Rollout* rollout, real* x, idx series, idx t) noexcept nogil:
    cdef idx i, _step, k = rollout.n_targets, c = rollout.n_covariates
    cdef idx apart = c + rollout.n_past
    cdef const double* y = rollout.y + (series * rollout.stop + t) * k
    cdef const double* z = rollout.z + (series * rollout.n_known + t) * apart
    for i in range(k):
        if rollout.lag == 0:
            x[i] = <real> (y[i] / rollout.input_scale[i])
        elif t < rollout.lag:
            x[i] = 0
        else:
            x[i] = <real> ((y[i] - y[i - rollout.lag * k]) / rollout.input_scale[i])
    x += k
    for i in range(rollout.n_past):
        x[rollout.horizon * c + i] = <real> z[c + i]
    for _step in range(rollout.horizon):
        for i in range(c):
            x[i] = <real> z[i]
        x += c
        z += apart


cdef inline void write_block(
    const Rollout* rollout, const real* outputs, idx series, idx t
) noexcept nogil:
    cdef idx j, i, o, w = rollout.width, k = rollout.n_targets
    cdef double* y = rollout.y + series * rollout.stop * k
    cdef idx first = series * (rollout.stop - rollout.T) + t + 1 - rollout.T
    cdef double* out = rollout.out + first * k * w
    cdef double base, scale
    for j in range(rollout.horizon):
        for i in range(k):
            base = base_of(rollout, y + i, t, j, i)
            scale = rollout.target_scale[j * k + i]
            for o in range(w):
                out[o] = outputs[o] * scale + base
            # Shapes, which stand last, have no unit.
            if rollout.has_scale:
                out[1] = exp(outputs[1]) * scale
                for o in range(2, w):
                    out[o] = outputs[o]
            if rollout.counts:
                out[0] = exp(outputs[0]) * scale + base
                for o in range(1, w):
                    out[o] = outputs[o]
            y[(t + 1 + j) * k + i] = out[rollout.point]
            out += w
            outputs += w


cdef inline double base_of(
    const Rollout* rollout, const double* y, idx t, idx j, idx target
) noexcept nogil:
    """What the forecast of step t + 1 + j is relative to; y is this target's column."""
    cdef idx i, k = rollout.n_targets, at = t
    cdef double base, sum = 0, anchor = 0
    if rollout.lag:
        anchor = y[t * k]
    if rollout.season:
        at = t + 1 + j - rollout.season * ((j + rollout.season) // rollout.season)
        at = t if at < 0 else at
    base = y[at * k] if rollout.lag else 0
    for i in range(rollout.n_lags):
        at = t - i if t > i else 0
        sum += rollout.lag_weights[(i * rollout.horizon + j) * k + target] * (y[at * k] - anchor)
    return base + sum
