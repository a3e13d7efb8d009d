"""Pooling over time: what the head reads of the top scan's outputs, and back."""
from cython.parallel cimport prange
from libc.string cimport memcpy

from ..batch cimport share_moving
from ..denormals cimport flush_denormals, restore_worker
from ..dropout cimport layer_dropout
from ..stopping cimport stopped
from ..types cimport ALL, LAST, MAX, MEAN, MOVED, Net, Scan, idx, last_row, real, row_at


cdef inline void read_top(Net* net) noexcept nogil:
    """Features: the top layer's outputs, pooled, after dropout."""
    cdef Scan* top = &net.scans[net.plan.n_scans - net.plan.n_directions]
    cdef bint drops = net.training and net.dropout > 0
    cdef idx b, part, threads
    if net.plan.pooling == ALL:
        net.R = net.N
        if drops:
            layer_dropout(net, net.ws_features, top.ws_y, net.R, top, net.plan.n_layers)
        else:
            net.ws_features = top.ws_y
        return
    net.R = net.B
    threads = share_moving(net, net.F, net.B if net.plan.pooling == LAST else net.N)
    for part in prange(threads, num_threads=threads, use_threads_if=threads > 1,
                       schedule='static', chunksize=1):
        flush_denormals()
        for b in range(net.part_starts[part], net.part_starts[part + 1]):
            if not stopped(net.stop, <double> MOVED * net.lengths[b] * net.F):
                pool_forward(net, b, net.ws_features + b * net.F, net.ws_argmax + b * net.F, 0,
                             net.lengths[b])
        restore_worker(net.caller_mode)
    if drops:
        layer_dropout(net, net.ws_features, net.ws_features, net.R, top, net.plan.n_layers)


cdef inline void write_top(Net* net) noexcept nogil:
    """dy of the top layer from dfeatures."""
    cdef Scan* top = &net.scans[net.plan.n_scans - net.plan.n_directions]
    cdef idx b, part, threads
    if net.dropout > 0:
        layer_dropout(net, net.dfeatures, net.dfeatures, net.R, top, net.plan.n_layers)
    if net.plan.pooling == ALL:
        return  # dfeatures and dy share a buffer
    if net.plan.pooling == LAST:
        for b in range(net.B):
            last_backward(net, b, net.dfeatures + b * net.F)
        return
    threads = share_moving(net, net.F, net.N)
    for part in prange(threads, num_threads=threads, use_threads_if=threads > 1,
                       schedule='static', chunksize=1):
        flush_denormals()
        for b in range(net.part_starts[part], net.part_starts[part + 1]):
            if not stopped(net.stop, <double> MOVED * net.lengths[b] * net.F):
                pool_backward(net, b, net.dfeatures + b * net.F, net.ws_argmax + b * net.F, 0,
                              net.lengths[b])
        restore_worker(net.caller_mode)


# Zeros for every step, written, read and added, were 1 % of a fit at H = 128 and more below.
cdef inline void leave_out_top(Net* net) noexcept nogil:
    """Where only final states go to the head, let BPTT read no dy of the top layer."""
    cdef idx k
    if net.plan.pooling == LAST:
        for k in range(net.plan.n_scans - net.plan.n_directions, net.plan.n_scans):
            net.scans[k].dy = NULL


cdef inline void pool_forward(
    Net* net,
    idx b,
    real* out,             # in/out (F,)
    idx* at,               # in/out (F,) steps of the maxima; max only
    idx t0,                # the first of these steps in the whole sequence, and how many that has
    idx length,
) noexcept nogil:
    """Pool the hidden states y (N, F) of sequence b: last, mean or max over time. A chunk but the
    first in its direction goes on with what stands there."""
    cdef idx F = net.F
    cdef idx Hp = net.plan.Hp
    cdef const Scan* top = &net.scans[net.plan.n_scans - net.plan.n_directions]
    cdef const real* y = top.ws_y
    cdef const real* row
    cdef idx t, k, d, n = net.lengths[b]
    cdef bint back = top.plan.direction < 0
    cdef bint begins = t0 + n == length if back else t0 == 0
    cdef bint ends = t0 == 0 if back else t0 + n == length
    cdef real share = <real> (1.0 / length)
    if net.plan.pooling == LAST:
        for d in range(net.plan.n_directions):
            row = y + last_row(net, b, top[d].plan.direction) * F
            memcpy(out + d * Hp, row + d * Hp, Hp * sizeof(real))
        return
    if begins:
        memcpy(out, y + row_at(net, 0, b) * F, F * sizeof(real))
        if net.plan.pooling == MAX:
            for k in range(F):
                at[k] = t0
    elif back and net.plan.pooling == MAX:
        for t in range(n - 1, -1, -1):  # of equals the first step wins
            row = y + row_at(net, t, b) * F
            for k in range(F):
                if row[k] >= out[k]:
                    out[k] = row[k]
                    at[k] = t0 + t
        return
    for t in range(begins, n):
        row = y + row_at(net, t, b) * F
        if net.plan.pooling == MEAN:
            for k in range(F):
                out[k] += row[k]
        else:
            for k in range(F):
                if row[k] > out[k]:
                    out[k] = row[k]
                    at[k] = t0 + t
    if net.plan.pooling == MEAN and ends:
        for k in range(F):
            out[k] *= share


cdef inline void pool_backward(
    Net* net,
    idx b,
    const real* d_out,     # in  (F,)
    const idx* at,         # in  (F,) as in `pool_forward`, as are t0 and length
    idx t0,
    idx length,
) noexcept nogil:
    """dy of all rows of sequence b, or a chunk; pooling 'last' leaves them to the states."""
    cdef idx F = net.F
    cdef real* dy = net.scans[net.plan.n_scans - net.plan.n_directions].dy
    cdef real* row
    cdef idx t, k
    cdef real share = <real> (1.0 / length)
    for t in range(net.lengths[b]):
        row = dy + row_at(net, t, b) * F
        if net.plan.pooling == MEAN:
            for k in range(F):
                row[k] = d_out[k] * share
        else:
            for k in range(F):
                row[k] = d_out[k] if at[k] == t0 + t else 0


cdef inline void last_backward(Net* net, idx b, const real* d_out) noexcept nogil:
    """The same for pooling 'last': what the final state of sequence b gets, in each direction."""
    cdef idx Hp = net.plan.Hp, d, k
    cdef const Scan* top = &net.scans[net.plan.n_scans - net.plan.n_directions]
    cdef real* dh
    for d in range(net.plan.n_directions):
        dh = top[d].dh + b * Hp
        for k in range(Hp):
            dh[k] += d_out[d * Hp + k]
