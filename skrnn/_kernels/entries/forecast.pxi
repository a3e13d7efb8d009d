"""Recursive forecasts: a network that reads its own forecasts."""
from cython.parallel cimport prange
from libc.string cimport memset

from .batch cimport share_rows
from .denormals cimport flush_denormals, restore_mode, restore_worker
from .forecast cimport Rollout, rollout_rows
from .pack cimport pack_weights
from .single_step cimport keep_states, one_step_each
from .stopping cimport check_stopped, stopped, watch
from .types cimport (
    GAUSSIAN, NEGATIVE_BINOMIAL, Net, POISSON, STUDENT_T, Stop, idx, imin, real, useful_threads,
)


def rollout(
    plan, options, unsigned char[::1] workspace, const real[::1] params, states, rule,
    double[:, :, ::1] y, const double[:, :, ::1] z, double[:, :, :, ::1] out,
):
    """Forecast series block by block, each from the forecasts before it (forecast.pxd).

    `y` (n, steps, n_targets) holds the steps known before, the last `horizon` of which the network
    has not read yet, and gets the rest; `z` (n, at least steps - 1, n_covariates + n_past) the
    covariates of steps 1, 2, .., and the columns of steps 0, 1, .. that are read there alone;
    `out` (n, steps to make, n_targets, outputs per target) gets all of them.
    `states` are as in `predict`, `rule` has the fields of `Rollout`.
    """
    cdef Net net
    cdef States carried_states
    cdef Rollout rollout
    cdef Stop stop
    cdef idx n = y.shape[0], part, parts
    cdef const double[::1] input_scale = rule["input_scale"]
    cdef const double[:, ::1] target_scale = rule["target_scale"]
    cdef const double[:, :, ::1] lag_weights = rule["lag_weights"]
    _open(&net, plan, options, BatchLimits(n, n, 1), workspace, params, None)
    watch(&stop, &net)
    _read_states(&carried_states, &net, states, n)
    memset(&rollout, 0, sizeof(rollout))
    rollout.horizon, rollout.n_targets = target_scale.shape[0], y.shape[2]
    rollout.width = out.shape[3]
    rollout.T, rollout.stop = y.shape[1] - out.shape[1], y.shape[1]
    rollout.point = rule["point"]
    rollout.has_scale = net.plan.loss == GAUSSIAN or net.plan.loss == STUDENT_T
    rollout.counts = net.plan.loss == POISSON or net.plan.loss == NEGATIVE_BINOMIAL
    # A season longer than the series is none of it; cut, it cannot overflow.
    rollout.lag, rollout.season = rule["lag"], imin(rule["season"], rollout.stop + rollout.horizon)
    rollout.n_past = rule["n_past"]
    if z is not None:
        rollout.n_covariates, rollout.n_known = z.shape[2] - rollout.n_past, z.shape[1]
    if (
        net.plan.n_directions > 1 or net.plan.n_columns or out.shape[0] != n
        or rollout.horizon < 1 or rollout.T < rollout.horizon
        or out.shape[1] % rollout.horizon or out.shape[2] != y.shape[2]
        or not 0 <= rollout.n_past <= net.plan.D or rollout.n_covariates < 0
        or net.plan.D != y.shape[2] + rollout.horizon * rollout.n_covariates + rollout.n_past
        or net.plan.n_outputs != rollout.horizon * y.shape[2] * rollout.width
        or input_scale.shape[0] != y.shape[2] or target_scale.shape[1] != y.shape[2]
        or (z is not None and (z.shape[0] != n or z.shape[1] < rollout.stop - 1))
        or (lag_weights is not None and (lag_weights.shape[1] != rollout.horizon
                                         or lag_weights.shape[2] != y.shape[2]))
        or not 0 <= rollout.point < rollout.width or rollout.lag < 0 or rollout.season < 0
    ):
        raise ValueError("The series do not fit the plan.")
    rollout.y, rollout.out = &y[0, 0, 0], &out[0, 0, 0, 0]
    rollout.input_scale, rollout.target_scale = &input_scale[0], &target_scale[0, 0]
    if lag_weights is not None:
        rollout.n_lags, rollout.lag_weights = lag_weights.shape[0], &lag_weights[0, 0, 0]
    if z is not None:
        rollout.z = &z[0, 0, 0]
    parts = imin(n, useful_threads(net.threads, 2.0 * n * out.shape[1] * net.plan.n_params))
    with nogil:
        net.caller_mode = flush_denormals()
        one_step_each(&net, n)
        pack_weights(&net)
        _move(&net, &carried_states, True)
        keep_states(&net)
        share_rows(&net, parts)
        for part in prange(parts, num_threads=parts, use_threads_if=parts > 1, schedule='static',
                           chunksize=1):
            flush_denormals()
            rollout_rows(&net, &rollout, net.part_starts[part], net.part_starts[part + 1])
            restore_worker(net.caller_mode)
        if not stopped(&stop, 0):
            _move(&net, &carried_states, False)
        restore_mode(net.caller_mode)
    check_stopped(&stop)
