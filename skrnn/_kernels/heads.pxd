"""What stands on the top level: pooling over time, and the losses with their gradients."""
from libc.math cimport exp, fabs, log, log1p
from libc.string cimport memcpy, memset

from .core cimport (
    LANES, LAST, MAX, MEAN, Net, Layer, exp_negative, idx, load, max_lanes, max_vec, real, row_at, splat,
    store, sum_lanes, vec,
)


cdef inline idx last_row(const Net* net, idx b, idx direction) noexcept nogil:
    """Packed row of the step where sequence b ends in that direction: PyTorch's h_n."""
    return row_at(net, net.lengths[b] - 1 if direction > 0 else 0, b)


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
    cdef const Layer* top = &net.layers[net.plan.n_layers - net.plan.n_directions]
    cdef const real* y = top.y
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
    cdef real* dy = net.layers[net.plan.n_layers - net.plan.n_directions].dy
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
    cdef const Layer* top = &net.layers[net.plan.n_layers - net.plan.n_directions]
    cdef real* dh
    for d in range(net.plan.n_directions):
        dh = top[d].dh + b * Hp
        for k in range(Hp):
            dh[k] += d_out[d * Hp + k]


# p_j = exp(z_j - max z) / s with s their sum;  log p_y = z_y - max z - log s
cdef inline double softmax_row(
    real* out,             # out (Op,) p; padding gets 0. May be z
    const real* z,         # in  (n_outputs,) in a row of Op
    idx n_outputs,
    idx Op,
) noexcept nogil:
    """Softmax of one row; returns max z + log s, the log of the normaliser."""
    cdef real low = -float_max()
    cdef vec top = splat(low)
    cdef vec total = splat(0)
    cdef real highest, s
    cdef idx j
    if out != z:
        memcpy(out, z, Op * sizeof(real))
    for j in range(n_outputs, Op):
        out[j] = low
    for j from 0 <= j < Op by LANES:
        top = max_vec(top, load(out + j))
    highest = max_lanes(top)
    for j from 0 <= j < Op by LANES:
        store(out + j, exp_negative(load(out + j) - splat(highest)))
    for j in range(n_outputs, Op):
        out[j] = 0
    for j from 0 <= j < Op by LANES:
        total = total + load(out + j)
    s = sum_lanes(total)
    for j from 0 <= j < Op by LANES:
        store(out + j, load(out + j) / splat(s))
    return <double> highest + log(s)


# l = -sum_j q_j log p_j        dl/dz_j = p_j - q_j        q_j = (1 - s) [j = y] + s / n_outputs
# With s = 0 that is -log p_y; s is label smoothing (Szegedy et al. 2016, section 7).
cdef inline double softmax_loss(
    real* dz,              # out (Op,)
    const real* z,         # in  (Op,)
    idx n_outputs,
    idx Op,
    idx y,
    double smoothing,      # s
    double weight,         # of this row, already divided by the rows that have a target
) noexcept nogil:
    cdef double loss = softmax_row(dz, z, n_outputs, Op) - (1 - smoothing) * z[y]
    cdef real share = <real> (smoothing / n_outputs)
    cdef idx j
    if smoothing > 0:
        for j in range(n_outputs):
            loss -= smoothing / n_outputs * z[j]
    dz[y] -= <real> (1 - smoothing)
    for j in range(n_outputs):
        dz[j] = <real> ((dz[j] - share) * weight)
    return loss


# Losses of numbers are means over the M targets of a row. A target that is NaN is missing: it adds
# nothing, and the mean stays over M. The O outputs belong to the targets as the formulas say.


# l = 1/2 mean_j (z_j - y_j)^2        dl/dz_j = (z_j - y_j) / M                        O = M
cdef inline double squared_error_loss(
    real* dz,              # out (Op,)
    const real* z,         # in  (Op,)
    idx M,
    idx Op,
    const real* y,         # in  (M,)
    double weight,
) noexcept nogil:
    cdef double loss = 0, residual
    cdef idx j
    memset(dz, 0, Op * sizeof(real))
    for j in range(M):
        if y[j] == y[j]:
            residual = <double> z[j] - y[j]
            loss += residual * residual
            dz[j] = <real> (residual * weight / M)
    return 0.5 * loss / M


# l = mean_j |z_j - y_j|              dl/dz_j = sign(z_j - y_j) / M                    O = M
cdef inline double absolute_error_loss(
    real* dz, const real* z, idx M, idx Op, const real* y, double weight
) noexcept nogil:
    cdef double loss = 0, residual
    cdef idx j
    memset(dz, 0, Op * sizeof(real))
    for j in range(M):
        residual = <double> z[j] - y[j]
        if residual > 0:
            loss += residual
            dz[j] = <real> (weight / M)
        elif residual < 0:
            loss -= residual
            dz[j] = <real> (-weight / M)
    return loss / M


# Pinball loss (Koenker and Bassett 1978) of output j Q + q, the quantile p_q of target j:
#     l = mean_j sum_q max(p_q r, (p_q - 1) r),  r = y_j - z_jq        dl/dz_jq = [r < 0] - p_q
cdef inline double quantile_loss(
    real* dz, const real* z, idx M, idx Op, const real* y, double weight,
    const double* p,       # in  (Q,) levels
    idx Q,
) noexcept nogil:
    cdef double loss = 0, residual
    cdef idx j, q
    memset(dz, 0, Op * sizeof(real))
    for j in range(M):
        for q in range(Q):
            residual = <double> y[j] - z[j * Q + q]
            if residual > 0:
                loss += p[q] * residual
                dz[j * Q + q] = <real> (-p[q] * weight / M)
            elif residual < 0:
                loss += (p[q] - 1) * residual
                dz[j * Q + q] = <real> ((1 - p[q]) * weight / M)
    return loss / M


# Outputs 2 j and 2 j + 1 are mean m and log standard deviation s of target j. Without the constant,
#     l = mean_j s + 1/2 ((y_j - m) e^-s)^2      dl/dm = -(y_j - m) e^-2s,  dl/ds = 1 - ((y_j - m) e^-s)^2
cdef inline double gaussian_loss(
    real* dz, const real* z, idx M, idx Op, const real* y, double weight
) noexcept nogil:
    cdef double loss = 0, share = weight / M, inverse, r
    cdef idx j
    memset(dz, 0, Op * sizeof(real))
    for j in range(M):
        if y[j] == y[j]:
            inverse = exp(-<double> z[2 * j + 1])
            r = (<double> y[j] - z[2 * j]) * inverse
            loss += z[2 * j + 1] + 0.5 * r * r
            dz[2 * j] = <real> (-r * inverse * share)
            dz[2 * j + 1] = <real> ((1 - r * r) * share)
    return loss / M


# Output j is the logarithm of the mean of a Poisson distribution. Without the constant log(y!),
#     l = mean_j exp(z_j) - y_j z_j                            dl/dz_j = (exp(z_j) - y_j) / M      O = M
cdef inline double poisson_loss(
    real* dz, const real* z, idx M, idx Op, const real* y, double weight
) noexcept nogil:
    cdef double loss = 0, mean
    cdef idx j
    memset(dz, 0, Op * sizeof(real))
    for j in range(M):
        if y[j] == y[j]:
            mean = exp(<double> z[j])
            loss += mean - <double> y[j] * z[j]
            dz[j] = <real> ((mean - y[j]) * weight / M)
    return loss / M


# Output j is the logit of label j, p_j = 1 / (1 + exp(-z_j)); a sum over labels, as MLPClassifier's:
#     l = -sum_j y_j log p_j + (1 - y_j) log(1 - p_j) = sum_j log(1 + exp(z_j)) - y_j z_j
#     dl/dz_j = p_j - y_j                                                                         O = M
cdef inline double binary_log_loss(
    real* dz, const real* z, idx M, idx Op, const real* y, double weight
) noexcept nogil:
    cdef double loss = 0, e
    cdef idx j
    memset(dz, 0, Op * sizeof(real))
    for j in range(M):
        if y[j] == y[j]:
            e = exp(-fabs(<double> z[j]))
            loss += log1p(e) + (z[j] if z[j] > 0 else 0) - <double> y[j] * z[j]
            dz[j] = <real> (((1 if z[j] >= 0 else e) / (1 + e) - y[j]) * weight)
    return loss


cdef extern from *:
    """
    #include <float.h>
    #ifdef SKRNN_F64
    #define float_max() DBL_MAX
    #else
    #define float_max() FLT_MAX
    #endif
    """
    real float_max() noexcept nogil
