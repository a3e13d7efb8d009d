"""Pooling over time: what the head reads of the top scan's outputs y (T, F), and back.

    last   f = y_T of each direction, which ends at step 1 going backward
    mean   f = (y_1 + ... + y_T) / T               dy_t = df / T
    max    f_k = max_t y_tk, at the first of the maxima        dy_tk = df_k there, else 0
    attention   f = sum_t a_t y_t, a = softmax(e), e_t = v . y_t (Raffel and Ellis 2015, whose e_t
                has a bias and a tanh)
                dy_t = a_t df + de_t v, de_t = a_t df . (y_t - f), dv = sum_t de_t y_t

Joined poolings stand side by side in a row of features, in this order, each of them F numbers; dy
is the sum of what each hands back.
"""
from cython.parallel cimport prange
from libc.math cimport exp
from libc.string cimport memcpy, memset

from ..batch cimport share_moving
from ..denormals cimport flush_denormals, restore_worker
from ..dropout cimport layer_dropout
from ..stopping cimport stopped
from ..types cimport ALL, ATTENTION, LAST, MAX, MEAN, MOVED, Net, Scan, idx, last_row, real, row_at


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
                pool_forward(net, b, net.ws_features + b * net.P, net.F, net.ws_argmax + b * net.F,
                             0, net.lengths[b])
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
            last_backward(net, b, net.dfeatures + b * net.P)
        return
    threads = share_moving(net, net.F, net.N)
    for part in prange(threads, num_threads=threads, use_threads_if=threads > 1,
                       schedule='static', chunksize=1):
        flush_denormals()
        for b in range(net.part_starts[part], net.part_starts[part + 1]):
            if not stopped(net.stop, <double> MOVED * net.lengths[b] * net.F):
                pool_backward(net, b, net.dfeatures + b * net.P, net.F, net.ws_argmax + b * net.F,
                              0, net.lengths[b])
        restore_worker(net.caller_mode)
    if net.plan.pooling & ATTENTION:
        add_pool_gradients(net)


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
    real* out,             # in/out (n_poolings * ld,)
    idx ld,                # from one pooling to the next
    idx* at,               # in/out (F,) steps of the maxima; max only
    idx t0,                # the first of these steps in the whole sequence, and how many that has
    idx length,
) noexcept nogil:
    """Pool the hidden states y (N, F) of sequence b: last, mean or max over time, or several. A
    chunk but the first in its direction goes on with what stands there."""
    cdef idx Hp = net.plan.Hp, d
    cdef const Scan* top = &net.scans[net.plan.n_scans - net.plan.n_directions]
    cdef bint back = top.plan.direction < 0
    cdef bint begins = t0 + net.lengths[b] == length if back else t0 == 0
    cdef bint ends = t0 == 0 if back else t0 + net.lengths[b] == length
    cdef const real* row
    if net.plan.pooling & LAST:  # of chunks the last one's stays
        for d in range(net.plan.n_directions):
            row = top.ws_y + last_row(net, b, top[d].plan.direction) * net.F
            memcpy(out + d * Hp, row + d * Hp, Hp * sizeof(real))
        out += ld
    if net.plan.pooling & MEAN:
        mean_forward(net, b, top.ws_y, out, begins, ends, length)
        out += ld
    if net.plan.pooling & MAX:
        max_forward(net, b, top.ws_y, out, at, begins, back, t0)
        out += ld
    if net.plan.pooling & ATTENTION:
        attention_forward(net, b, top.ws_y, out)


cdef inline void mean_forward(
    const Net* net, idx b, const real* y, real* out, bint begins, bint ends, idx length
) noexcept nogil:
    cdef const real* row
    cdef idx t, k
    cdef real share = <real> (1.0 / length)
    if begins:
        memcpy(out, y + row_at(net, 0, b) * net.F, net.F * sizeof(real))
    for t in range(begins, net.lengths[b]):
        row = y + row_at(net, t, b) * net.F
        for k in range(net.F):
            out[k] += row[k]
    if ends:
        for k in range(net.F):
            out[k] *= share


cdef inline void max_forward(
    const Net* net, idx b, const real* y, real* out, idx* at, bint begins, bint back, idx t0
) noexcept nogil:
    cdef const real* row
    cdef idx t, k
    if begins:
        memcpy(out, y + row_at(net, 0, b) * net.F, net.F * sizeof(real))
        for k in range(net.F):
            at[k] = t0
    elif back:
        for t in range(net.lengths[b] - 1, -1, -1):  # of equals the first step wins
            row = y + row_at(net, t, b) * net.F
            for k in range(net.F):
                if row[k] >= out[k]:
                    out[k] = row[k]
                    at[k] = t0 + t
        return
    for t in range(begins, net.lengths[b]):
        row = y + row_at(net, t, b) * net.F
        for k in range(net.F):
            if row[k] > out[k]:
                out[k] = row[k]
                at[k] = t0 + t


cdef inline void attention_forward(
    Net* net, idx b, const real* y, real* out
) noexcept nogil:
    """Weights of the steps of a whole sequence, and their weighted mean."""
    cdef const real* row
    cdef idx t, k
    cdef double score, highest = 0, total = 0
    cdef real share
    for t in range(net.lengths[b]):
        row = y + row_at(net, t, b) * net.F
        score = 0
        for k in range(net.F):
            score += net.pack_pool[k] * row[k]
        if t == 0 or score > highest:
            highest = score
        net.ws_shares[row_at(net, t, b)] = <real> score
    for t in range(net.lengths[b]):
        share = <real> exp(net.ws_shares[row_at(net, t, b)] - highest)
        net.ws_shares[row_at(net, t, b)] = share
        total += share
    memset(out, 0, net.F * sizeof(real))
    for t in range(net.lengths[b]):
        share = <real> (net.ws_shares[row_at(net, t, b)] / total)
        net.ws_shares[row_at(net, t, b)] = share
        row = y + row_at(net, t, b) * net.F
        for k in range(net.F):
            out[k] += share * row[k]


cdef inline void attention_backward(Net* net, idx b, const real* d_out, bint adds) noexcept nogil:
    """dy of a whole sequence, set or added to what stands there, and its gradient of the scores."""
    cdef const Scan* top = &net.scans[net.plan.n_scans - net.plan.n_directions]
    cdef real* dv = net.scratch_pool_grads + b * net.F
    cdef const real* y
    cdef real* dy
    cdef idx t, k, r
    cdef double mean = 0, change
    cdef real share, de
    memset(dv, 0, net.F * sizeof(real))
    for t in range(net.lengths[b]):
        r = row_at(net, t, b)
        mean += net.ws_shares[r] * dot(d_out, top.ws_y + r * net.F, net.F)
    for t in range(net.lengths[b]):
        r = row_at(net, t, b)
        y, dy = top.ws_y + r * net.F, top.dy + r * net.F
        share = net.ws_shares[r]
        change = dot(d_out, y, net.F) - mean
        de = <real> (share * change)
        for k in range(net.F):
            dy[k] = share * d_out[k] + de * net.pack_pool[k] + (dy[k] if adds else 0)
            dv[k] += de * y[k]


cdef inline void pool_step(
    const Net* net,
    const real* y,         # (F,) the new hidden states
    real* features,        # in/out (P,) what is pooled, after the steps before and after this one
    real* state,           # in/out (POOL_NUMBERS,)
) noexcept nogil:
    """Pool one step more. With n steps so far

        mean       m <- m + (y - m) / n          max    m <- max(m, y)
        attention  u <- max(u, e), s <- s exp(u_before - u) + exp(e - u),
                   m <- m + (y - m) exp(e - u) / s

    so that s is a sum of weights relative to the highest score u, and m their mean.
    """
    cdef idx k
    cdef bint first = state[0] == 0
    cdef double score, highest
    cdef real share
    state[0] += 1
    if net.plan.pooling & LAST:
        memcpy(features, y, net.F * sizeof(real))
        features += net.F
    if net.plan.pooling & MEAN:
        share = 1 / state[0]
        for k in range(net.F):
            features[k] += (y[k] - features[k]) * share
        features += net.F
    if net.plan.pooling & MAX:
        for k in range(net.F):
            if first or y[k] > features[k]:
                features[k] = y[k]
        features += net.F
    if net.plan.pooling & ATTENTION:
        score = dot(net.pack_pool, y, net.F)
        highest = score if first or score > state[1] else state[1]
        state[2] = <real> (state[2] * exp(state[1] - highest) if not first else 0)
        share = <real> exp(score - highest)
        state[2] += share
        state[1] = <real> highest
        share /= state[2]
        for k in range(net.F):
            features[k] += (y[k] - features[k]) * share


cdef inline double dot(const real* a, const real* b, idx n) noexcept nogil:
    cdef double total = 0
    cdef idx k
    for k in range(n):
        total += a[k] * b[k]
    return total


cdef inline void add_pool_gradients(Net* net) noexcept nogil:
    """The gradient of the scores: those of all sequences, in their order."""
    cdef idx b, d, k, H = net.plan.H, Hp = net.plan.Hp
    cdef real* to = net.grads + net.plan.pool_w
    memset(to, 0, net.plan.n_directions * H * sizeof(real))
    for b in range(net.B):
        for d in range(net.plan.n_directions):
            for k in range(H):
                to[d * H + k] += net.scratch_pool_grads[b * net.F + d * Hp + k]


cdef inline void pool_backward(
    Net* net,
    idx b,
    const real* d_out,     # in  (n_poolings * ld,)
    idx ld,
    const idx* at,         # in  (F,) as in `pool_forward`, as are t0 and length
    idx t0,
    idx length,
) noexcept nogil:
    """dy of all rows of sequence b, or a chunk; pooling 'last' leaves its own to the states."""
    cdef const Scan* top = &net.scans[net.plan.n_scans - net.plan.n_directions]
    cdef bint means = (net.plan.pooling & MEAN) != 0, maxima = (net.plan.pooling & MAX) != 0
    cdef real* row
    cdef idx t, k
    cdef real share = <real> (1.0 / length)
    if net.plan.pooling & LAST:
        if t0 == 0 if top.plan.direction < 0 else t0 + net.lengths[b] == length:
            last_backward(net, b, d_out)
        d_out += ld
    for t in range(net.lengths[b]):
        row = top.dy + row_at(net, t, b) * net.F
        if means:
            for k in range(net.F):
                row[k] = d_out[k] * share
        if not maxima:
            continue
        if means:
            for k in range(net.F):
                if at[k] == t0 + t:
                    row[k] += d_out[ld + k]
        else:
            for k in range(net.F):
                row[k] = d_out[k] if at[k] == t0 + t else 0
    if net.plan.pooling & ATTENTION:
        d_out += (means + maxima) * ld
        attention_backward(net, b, d_out, means or maxima)


cdef inline void last_backward(Net* net, idx b, const real* d_out) noexcept nogil:
    """The same for pooling 'last': what the final state of sequence b gets, in each direction."""
    cdef idx Hp = net.plan.Hp, d, k
    cdef const Scan* top = &net.scans[net.plan.n_scans - net.plan.n_directions]
    cdef real* dh
    for d in range(net.plan.n_directions):
        dh = top[d].dh + b * Hp
        for k in range(Hp):
            dh[k] += d_out[d * Hp + k]
