# Training: one optimizer step per batch.
from libc.math cimport isfinite

from .batch cimport load_batch
from .denormals cimport flush_denormals, restore_mode
from .heads.losses cimport BatchSize, head_loss
from .heads.pooling cimport leave_out_top
from .network cimport clear_state_gradients, head_backward, layers_backward, network_forward
from .optimizer cimport Optimiser, _regularise, _step
from .pack cimport pack_weights
from .stopping cimport check_stopped, stopped, watch
from .truncated_bptt cimport Data, Passes, truncated_batch
from .types cimport Net, Stop, idx, real


def train(
    plan, options, limits, unsigned char[::1] workspace,
    real[::1] params, real[::1] grads, real[::1] first, real[::1] second,
    data, targets, const idx[::1] chosen, const idx[::1] bounds, optimiser, double[:, ::1] report,
    carried=None, cut=None,
):
    """One optimiser step for each batch chosen[bounds[k]:bounds[k + 1]].

    Stops before the step of the first batch whose loss or gradient norm is not finite. Returns
    how many batches were done; the step count in `optimiser` goes on with them, in a call that ends
    with KeyboardInterrupt too. `report` (n_batches, 3) gets each batch's loss, gradient norm and
    number of rows that have a target. A batch without weight is passed over.

    Where `optimiser` is None there are no gradients and no steps, only losses without the penalty.

    `carried` is None, or ((h, c), rows, fresh): a sequence starts from the states in row
    rows[sequence] of h and c (as in `predict`), or from zero where it is `fresh`, and leaves its
    final ones there for the piece that follows it.

    `cut` is None, or for each direction (offsets, owners, first) of the chunks of all sequences, for
    truncated BPTT in the memory of a chunk (truncated.pxd): `limits` are then those of a pass.
    """
    cdef Net net
    cdef Optimiser opt
    cdef States states
    cdef Stop stop
    cdef Passes passes
    cdef Data all_data
    cdef idx k, n_batches = bounds.shape[0] - 1, done = 0
    cdef double loss, norm, penalty
    cdef BatchSize size
    cdef bint learns = optimiser is not None
    cdef unsigned long long seed = 0
    cdef const idx[::1] offsets = data[0]
    cdef const real[:, ::1] values = data[1]
    cdef const idx[:, ::1] tokens = data[2]
    cdef const idx[::1] labels = targets[0]
    cdef const real[:, ::1] numbers = targets[1]
    cdef const double[::1] weights = targets[2]
    cdef const real* x = _reals(values)
    cdef const idx* ids = _ids(tokens)
    cdef const idx* label = _pointer(labels)
    cdef const real* number = _reals(numbers)
    cdef const double* weigh = NULL if weights is None else &weights[0]
    if cut is None:
        _open(&net, plan, options, limits, workspace, params, grads)
        _check_data(&net, data, limits, chosen, bounds, carried is not None)
    else:
        kept = _open_passes(&net, &passes, plan, options, limits, workspace, params, grads, cut,
                            offsets)
        steps = offsets[offsets.shape[0] - 1]
        _check_data(&net, data, (limits[0], steps, steps), chosen, bounds)
        _check_passes(&passes, limits, chosen, bounds)
    watch(&stop, &net)
    _check_targets(&net, offsets, labels, numbers, weights, chosen, bounds)
    _check_report(&net, report, n_batches)
    opt.step = 0
    if learns:
        _read_optimiser(&opt, optimiser, first, second, net.plan.n_params)
        seed = optimiser["seed"]
    _read_states(&states, &net, carried, offsets.shape[0] - 1)
    all_data.offsets, all_data.values, all_data.tokens = &offsets[0], x, ids
    all_data.labels, all_data.targets, all_data.weights = label, number, weigh
    cdef bint truncated = cut is not None
    if truncated and carried is not None:
        raise ValueError("chunks carry their own states")
    with nogil:
        net.caller_mode = flush_denormals()
        if not truncated:
            leave_out_top(&net)
        for k in range(n_batches):
            net.seed = seed + opt.step
            if truncated:
                loss = truncated_batch(&net, &passes, &all_data, &chosen[bounds[k]],
                                       bounds[k + 1] - bounds[k], learns, &size)
            else:
                load_batch(&net, &offsets[0], x, ids, NULL, &chosen[bounds[k]],
                           bounds[k + 1] - bounds[k])
                pack_weights(&net)
                _move(&net, &states, True)
                network_forward(&net)
                if stopped(&stop, 0):
                    break
                _move(&net, &states, False)
                loss = head_loss(&net, &offsets[0], label, number, weigh, &size)
            report[k, 0], report[k, 1], report[k, 2] = loss, 0, size.rows
            if size.weight <= 0 or not learns:
                done += 1
                continue
            if not truncated:
                clear_state_gradients(&net)
                head_backward(&net)
                layers_backward(&net)
            if stopped(&stop, 0):
                break
            norm = _regularise(&net, &opt, &penalty)
            report[k, 0] = loss + penalty
            report[k, 1] = norm
            if not (isfinite(report[k, 0]) and isfinite(norm)):
                break
            _step(&net, &opt, norm)
            done += 1
        restore_mode(net.caller_mode)
    if learns:
        optimiser["step"] = opt.step
    check_stopped(&stop)
    return done
