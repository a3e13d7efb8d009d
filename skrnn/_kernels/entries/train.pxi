"""Training: one optimizer step per batch."""
from libc.math cimport isfinite

from .batch cimport load_batch
from .characters cimport characters_backward, characters_forward
from .denormals cimport flush_denormals, restore_mode
from .heads.losses cimport head_loss
from .heads.pooling cimport leave_out_top
from .heads.targets cimport BatchSize
from .network cimport clear_state_gradients, head_backward, layers_backward, network_forward
from .optimizer cimport Optimizer, optimizer_step, penalize
from .pack cimport pack_weights
from .stopping cimport check_stopped, stopped, watch
from .truncated_bptt cimport Data, Passes, truncated_batch
from .types cimport Net, Stop, idx, real


def train(
    plan, options, limits, unsigned char[::1] workspace, real[::1] params, real[::1] grads,
    real[::1] m, real[::1] v, data, targets, const idx[::1] batch_indices,
    const idx[::1] batch_offsets, optimizer, double[:, ::1] report, carried_states=None,
    direction_chunks=None,
):
    """Take one optimizer step for each batch batch_indices[batch_offsets[k]:batch_offsets[k + 1]].

    Stops before the step of the first batch whose loss or gradient norm is not finite. Returns
    how many batches were done; the step count in `optimizer` goes on with them, in a call that ends
    with KeyboardInterrupt too. `report` (n_batches, 3) gets each batch's loss, gradient norm and
    number of rows that have a target. A batch without weight is passed over.

    Where `optimizer` is None there are no gradients and no steps, only losses without the penalty.

    `limits`, `data`, `targets` and `carried_states`, which may be None, are what border.py
    describes. With `carried_states` a sequence starts from the states in its row, and leaves its
    final ones there for the piece that follows it.

    `direction_chunks` is None, or the DirectionChunks of each direction for truncated BPTT in the
    memory of a chunk (truncated_bptt.pxd): `limits` are then those of a pass.
    """
    cdef Net net
    cdef Optimizer opt
    cdef States states
    cdef Stop stop
    cdef Passes passes
    cdef Data all_data
    cdef idx k, n_batches = batch_offsets.shape[0] - 1, done = 0
    cdef double loss, norm, penalty
    cdef BatchSize size
    cdef bint learns = optimizer is not None
    cdef unsigned long long seed = 0
    cdef const idx[::1] offsets = data.offsets
    cdef const real[:, ::1] values = data.values
    cdef const idx[:, ::1] tokens = data.tokens
    cdef const idx[::1] labels = targets.labels
    cdef const real[:, ::1] target_values = targets.values
    cdef const double[::1] weights = targets.weights
    cdef const real* x = _reals(values)
    cdef const idx* ids = _ids(tokens)
    cdef const idx* label = _pointer(labels)
    cdef const real* target_value = _reals(target_values)
    cdef const double* weight = NULL if weights is None else &weights[0]
    if direction_chunks is None:
        _open(&net, plan, options, limits, workspace, params, grads, True)
        _check_data(&net, data, limits, batch_indices, batch_offsets, carried_states is not None)
        _read_spellings(&net, data, limits, batch_indices, batch_offsets)
    else:
        kept = _open_passes(&net, &passes, plan, options, limits, workspace, params, grads,
                            direction_chunks, offsets)
        steps = offsets[offsets.shape[0] - 1]
        _check_data(&net, data, BatchLimits(limits.n_sequences, steps, steps), batch_indices,
                    batch_offsets)
        _check_passes(&passes, limits, batch_indices, batch_offsets)
    watch(&stop, &net)
    _check_targets(&net, offsets, labels, target_values, weights, batch_indices, batch_offsets)
    _check_report(&net, report, n_batches)
    opt.step = 0
    if learns:
        _read_optimizer(&opt, optimizer, m, v, net.plan.n_params)
        seed = optimizer["seed"]
    _read_states(&states, &net, carried_states, offsets.shape[0] - 1)
    all_data.offsets, all_data.values, all_data.tokens = &offsets[0], x, ids
    all_data.labels, all_data.targets, all_data.weights = label, target_value, weight
    cdef bint truncated = direction_chunks is not None
    if truncated and carried_states is not None:
        raise ValueError("Chunks carry their own states: pass no carried_states.")
    with nogil:
        net.caller_mode = flush_denormals()
        if not truncated:
            leave_out_top(&net)
        for k in range(n_batches):
            net.seed = seed + opt.step
            if truncated:
                loss = truncated_batch(&net, &passes, &all_data, &batch_indices[batch_offsets[k]],
                                       batch_offsets[k + 1] - batch_offsets[k], learns, &size)
            else:
                load_batch(&net, &offsets[0], x, ids, NULL, &batch_indices[batch_offsets[k]],
                           batch_offsets[k + 1] - batch_offsets[k])
                pack_weights(&net)
                _move(&net, &states, True)
                if net.characters != NULL:
                    characters_forward(&net)
                network_forward(&net)
                if stopped(&stop, 0):
                    break
                _move(&net, &states, False)
                loss = head_loss(&net, &offsets[0], label, target_value, weight, &size,
                                 learns)
            report[k, 0], report[k, 1], report[k, 2] = loss, 0, size.rows
            if size.weight <= 0 or not learns:
                done += 1
                continue
            if not truncated:
                clear_state_gradients(&net)
                head_backward(&net)
                layers_backward(&net)
                if net.characters != NULL and not stopped(&stop, 0):
                    characters_backward(&net)
            if stopped(&stop, 0):
                break
            norm = penalize(&net, &opt, &penalty)
            report[k, 0] = loss + penalty
            report[k, 1] = norm
            if not (isfinite(report[k, 0]) and isfinite(norm)):
                break
            optimizer_step(&net, &opt, norm)
            done += 1
        restore_mode(net.caller_mode)
    if learns:
        optimizer["step"] = opt.step
    check_stopped(&stop)
    return done
