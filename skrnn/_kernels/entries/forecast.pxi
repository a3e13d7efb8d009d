# Forecasts.
from cython.parallel cimport prange
from libc.string cimport memset

from .batch cimport share_rows
from .denormals cimport flush_denormals, restore_mode, restore_worker
from .forecast cimport Roll, roll_rows
from .pack cimport pack_weights
from .single_step cimport keep_states, one_step_each
from .stopping cimport check_stopped, stopped, watch
from .types cimport GAUSSIAN, Net, Stop, idx, imin, real, useful_threads


def roll(
    plan, options, unsigned char[::1] workspace, const real[::1] params, states, rule,
    double[:, :, ::1] y, const double[:, :, ::1] z, double[:, :, :, ::1] out,
):
    """Forecast series block after block, each from what was forecast before (roll.pxd).

    `y` (n, steps, n_targets) holds the steps known before, the last `horizon` of which the network
    has not read yet, and gets the rest; `z` (n, at least steps - 1, n_covariates) the covariates of
    steps 1, 2, ..; `out` (n, steps to make, n_targets, outputs a target) gets all of them. `states`
    are as in `predict`, `rule` has the fields of `Roll`.
    """
    cdef Net net
    cdef States carried
    cdef Roll roll
    cdef Stop stop
    cdef idx n = y.shape[0], part, parts
    cdef const double[::1] input_scale = rule["input_scale"]
    cdef const double[:, ::1] target_scale = rule["target_scale"]
    cdef const double[:, :, ::1] lag_weights = rule["lag_weights"]
    _open(&net, plan, options, (n, n, 1), workspace, params, None)
    watch(&stop, &net)
    _read_states(&carried, &net, (states, None, None), n)
    memset(&roll, 0, sizeof(roll))
    roll.horizon, roll.n_targets, roll.width = target_scale.shape[0], y.shape[2], out.shape[3]
    roll.T, roll.stop = y.shape[1] - out.shape[1], y.shape[1]
    roll.point, roll.gaussian = rule["point"], net.plan.loss == GAUSSIAN
    # A season longer than the series is none of it; cut, it cannot overflow.
    roll.reach, roll.season = rule["reach"], imin(rule["season"], roll.stop + roll.horizon)
    roll.y, roll.out = &y[0, 0, 0], &out[0, 0, 0, 0]
    roll.input_scale, roll.target_scale = &input_scale[0], &target_scale[0, 0]
    if lag_weights is not None:
        roll.lags, roll.lag_weights = lag_weights.shape[0], &lag_weights[0, 0, 0]
    if z is not None:
        roll.n_covariates, roll.n_known, roll.z = z.shape[2], z.shape[1], &z[0, 0, 0]
    if (
        net.plan.n_directions > 1 or net.plan.n_columns or out.shape[0] != n
        or roll.horizon < 1 or roll.T < roll.horizon or out.shape[1] % roll.horizon or out.shape[2] != y.shape[2]
        or net.plan.D != y.shape[2] + roll.horizon * roll.n_covariates
        or net.plan.n_outputs != roll.horizon * y.shape[2] * roll.width
        or input_scale.shape[0] != y.shape[2] or target_scale.shape[1] != y.shape[2]
        or (z is not None and (z.shape[0] != n or z.shape[1] < roll.stop - 1))
        or (lag_weights is not None and (lag_weights.shape[1] != roll.horizon
                                         or lag_weights.shape[2] != y.shape[2]))
        or not 0 <= roll.point < roll.width or roll.reach < 0 or roll.season < 0
    ):
        raise ValueError("the series do not fit the plan")
    parts = imin(n, useful_threads(net.threads, 2.0 * n * out.shape[1] * net.plan.n_params))
    with nogil:
        net.caller_mode = flush_denormals()
        one_step_each(&net, n)
        pack_weights(&net)
        _move(&net, &carried, True)
        keep_states(&net)
        share_rows(&net, parts)
        for part in prange(parts, num_threads=parts, use_threads_if=parts > 1, schedule='static',
                           chunksize=1):
            flush_denormals()
            roll_rows(&net, &roll, net.bounds[part], net.bounds[part + 1])
            restore_worker(net.caller_mode)
        if not stopped(&stop, 0):
            _move(&net, &carried, False)
        restore_mode(net.caller_mode)
    check_stopped(&stop)
