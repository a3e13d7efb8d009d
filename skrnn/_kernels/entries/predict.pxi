"""Prediction: outputs of the head, marginals and best paths of a CRF, features."""
from cython.parallel cimport prange, threadid
from libc.string cimport memcpy

from .batch cimport load_batch
from .characters cimport characters_forward
from .denormals cimport flush_denormals, restore_mode, restore_worker
from .embedding cimport project_tokens
from .heads.crf cimport best_path, crf_prepare, marginals
from .heads.losses cimport softmax_row
from .heads.targets cimport head_row, target_of
from .network cimport network_forward
from .pack cimport pack_weights
from .stopping cimport check_stopped, stopped, watch
from .types cimport ALL, Net, Stop, idx, real, useful_threads


def predict(
    plan, options, limits, unsigned char[::1] workspace, const real[::1] params,
    data, distinct, const idx[::1] batch_indices, const idx[::1] batch_offsets, real[:, ::1] out,
    idx[::1] path, bint probabilities, const real[:, ::1] scores, states=None,
    real[:, ::1] features=None,
):
    """Compute the outputs of the head for each sequence (or step), in the user's order.

    `out` (rows, n_outputs) gets logits, or with `probabilities` their softmax. With `scores`
    (n_outputs + 2, n_outputs), those of whole label sequences (crf.pxd), `out` gets marginals and
    `path` (rows,) the best sequence of labels; either may be None.

    `distinct` is None, or DistinctTokens: then each of them goes through W_ih once, not each step.

    `states` is None, or CarriedStates: read as initial states and overwritten by the final ones.
    `features` (rows, n_poolings * n_directions * H), if given, gets what the head reads.
    """
    cdef Net net
    cdef Stop stop
    cdef idx k, n_batches = batch_offsets.shape[0] - 1
    cdef const idx[::1] offsets = data.offsets
    cdef const real[:, ::1] values = data.values
    cdef const idx[:, ::1] tokens = data.tokens
    cdef const real* x = _reals(values)
    cdef const idx* ids = _ids(tokens)
    cdef real* to = NULL if out is None else &out[0, 0]
    cdef idx* best = NULL if path is None else &path[0]
    cdef real* read = NULL if features is None else &features[0, 0]
    cdef const idx[:, ::1] distinct_rows = None
    cdef const idx[::1] places = None
    cdef const real* score = NULL
    _open(&net, plan, options, limits, workspace, params, None, True)
    watch(&stop, &net)
    _check_data(&net, data, limits, batch_indices, batch_offsets, states is not None)
    _read_spellings(&net, data, limits, batch_indices, batch_offsets)
    _check_results(&net, offsets, out, features, path)
    if net.paths:
        if net.plan.pooling != ALL or scores.shape[1] != net.plan.n_outputs \
                or scores.shape[0] != net.plan.n_outputs + 2:
            raise ValueError("The scores do not fit the plan.")
        score = &scores[0, 0]
    if net.n_distinct > 0:
        if net.characters != NULL:
            raise ValueError("Words that are read by characters are not projected.")
        distinct_rows, places = distinct.rows, distinct.places
        _check_distinct(&net, distinct_rows, places, offsets[offsets.shape[0] - 1])
    cdef const idx* place = _pointer(places)
    cdef States carried_states
    _read_states(&carried_states, &net, states,
                 offsets.shape[0] - 1)
    with nogil:
        net.caller_mode = flush_denormals()
        if net.paths:
            crf_prepare(&net, score)
        pack_weights(&net)
        if net.n_distinct > 0:
            project_tokens(&net, &distinct_rows[0, 0])
        for k in range(n_batches):
            load_batch(&net, &offsets[0], x, ids, place, &batch_indices[batch_offsets[k]],
                       batch_offsets[k + 1] - batch_offsets[k])
            _move(&net, &carried_states, True)
            if net.characters != NULL:
                characters_forward(&net)
            network_forward(&net)
            if net.paths and not stopped(&stop, 0):
                _label_sequences(&net, &offsets[0], best, to != NULL)
            if stopped(&stop, 0):
                break
            _move(&net, &carried_states, False)
            if to != NULL:
                _scatter_outputs(&net, &offsets[0], to, probabilities and not net.paths)
            if read != NULL:
                _scatter_features(&net, &offsets[0], read)
        restore_mode(net.caller_mode)
    check_stopped(&stop)


cdef inline void _label_sequences(
    Net* net, const idx* offsets, idx* path, bint wants_marginals
) noexcept nogil:
    cdef idx b, threads = useful_threads(net.threads, 4.0 * net.N * net.plan.n_outputs * net.Op)
    for b in prange(net.B, num_threads=threads, use_threads_if=threads > 1, schedule='dynamic'):
        flush_denormals()
        if path != NULL:
            best_path(net, b, path + offsets[net.order[b]])
        if wants_marginals and not stopped(net.stop, 0):
            marginals(net, b, net.scratch_crf + threadid() * 4 * net.Op)
        restore_worker(net.caller_mode)


cdef inline void _scatter_outputs(
    Net* net, const idx* offsets, real* out, bint probabilities
) noexcept nogil:
    cdef idx b, t, r, steps, O = net.plan.n_outputs
    for b in range(net.B):
        steps = net.lengths[b] if net.plan.pooling == ALL else 1
        for t in range(steps):
            r = head_row(net, t, b)
            if stopped(net.stop, 10.0 * net.Op):
                return
            if probabilities:
                softmax_row(net.logits + r * net.Op, net.logits + r * net.Op, O, net.Op)
            memcpy(out + target_of(net, offsets, t, b) * O, net.logits + r * net.Op,
                   O * sizeof(real))


cdef void _scatter_features(Net* net, const idx* offsets, real* out) noexcept nogil:
    """Copy the features that the head has read of each sequence (or step), in the user's order."""
    cdef idx b, t, d, steps, H = net.plan.H
    cdef real* to
    for b in range(net.B):
        steps = net.lengths[b] if net.plan.pooling == ALL else 1
        for t in range(steps):
            to = out + target_of(net, offsets, t, b) * H * net.segments
            for d in range(net.segments):
                memcpy(to + d * H, net.ws_features + head_row(net, t, b) * net.P + d * net.plan.Hp,
                       H * sizeof(real))
