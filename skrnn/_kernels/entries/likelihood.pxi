"""Language models: how likely each next token is."""
from cython.parallel cimport prange

from .batch cimport load_batch
from .denormals cimport flush_denormals, restore_mode, restore_worker
from .heads.losses cimport softmax_row
from .heads.targets cimport target_of_row
from .network cimport network_forward
from .pack cimport pack_weights
from .products cimport PRODUCT_ROWS
from .stopping cimport check_stopped, stopped, watch
from .types cimport ALL, Net, SOFTMAX, Stop, ceil_div, idx, imin, real, useful_threads


def likelihood(
    plan, options, limits, unsigned char[::1] workspace, const real[::1] params, data,
    const idx[::1] labels, const idx[::1] batch_indices, const idx[::1] batch_offsets,
    carried_states, double[::1] out,
):
    """Compute the log-probability of each step's label, in the user's order, batch by batch.

    `carried_states` is as in `train`: pieces of one sequence carry the states on.
    """
    cdef Net net
    cdef States states
    cdef Stop stop
    cdef idx k, r, threads, n_batches = batch_offsets.shape[0] - 1
    cdef const idx[::1] offsets = data.offsets
    cdef const real[:, ::1] values = data.values
    cdef const idx[:, ::1] tokens = data.tokens
    cdef const real* x = _reals(values)
    cdef const idx* ids = _ids(tokens)
    _open(&net, plan, options, limits, workspace, params, None)
    watch(&stop, &net)
    _check_data(&net, data, limits, batch_indices, batch_offsets, carried_states is not None)
    _read_states(&states, &net, carried_states, offsets.shape[0] - 1)
    r = offsets[offsets.shape[0] - 1]
    if net.plan.pooling != ALL or net.plan.loss != SOFTMAX or labels.shape[0] != r \
            or out.shape[0] != r:
        raise ValueError("The labels do not fit the plan.")
    for k in range(r):
        if not 0 <= labels[k] < net.plan.n_outputs:
            raise ValueError(f"there is no output {labels[k]}")
    with nogil:
        net.caller_mode = flush_denormals()
        pack_weights(&net)
        for k in range(n_batches):
            load_batch(&net, &offsets[0], x, ids, NULL, &batch_indices[batch_offsets[k]],
                       batch_offsets[k + 1] - batch_offsets[k])
            _move(&net, &states, True)
            network_forward(&net)
            if stopped(&stop, 0):
                break
            _move(&net, &states, False)
            threads = useful_threads(net.threads, 10.0 * net.R * net.Op)
            for r in prange(ceil_div(net.R, PRODUCT_ROWS), num_threads=threads,
                            use_threads_if=threads > 1, schedule='static'):
                flush_denormals()
                _log_probabilities(&net, &offsets[0], &labels[0], &out[0], r * PRODUCT_ROWS,
                                   imin(net.R, (r + 1) * PRODUCT_ROWS))
                restore_worker(net.caller_mode)
        restore_mode(net.caller_mode)
    check_stopped(&stop)


cdef inline void _log_probabilities(
    Net* net, const idx* offsets, const idx* labels, double* out, idx first, idx stop
) noexcept nogil:
    cdef idx r, at
    cdef real* z
    cdef double logit
    for r in range(first, stop):
        if stopped(net.stop, 10.0 * net.Op):
            return
        at = target_of_row(net, offsets, r)
        z = net.logits + r * net.Op
        logit = z[labels[at]]
        out[at] = logit - softmax_row(z, z, net.plan.n_outputs, net.Op)
