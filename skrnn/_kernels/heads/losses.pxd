"""The losses of the head with their gradients."""
from cython.parallel cimport prange
from libc.math cimport exp, fabs, log, log1p
from libc.string cimport memcpy, memset

from ..denormals cimport flush_denormals, restore_worker
from ..products cimport PRODUCT_ROWS
from ..stopping cimport stopped
from ..types cimport (
    ABSOLUTE_ERROR, ALL, BINARY_LOG_LOSS, CRF, LANES, NEGATIVE_BINOMIAL, Net, POISSON, QUANTILE,
    SOFTMAX, SQUARED_ERROR, STUDENT_T, ceil_div, exp_negative, idx, imax, imin, load, max_lanes,
    max_vec, real, splat, store, sum_lanes, useful_threads, vec,
)
from .crf cimport crf_loss
from .distributions cimport negative_binomial_loss, student_t_loss
from .targets cimport BatchSize, head_row, row_weight, target_of, target_of_row
from .wide_output cimport wide_head

cdef inline double head_loss(
    Net* net,
    const idx* offsets,    # in  (n_sequences + 1,)
    const idx* labels,     # in  (n_targets,), or NULL; -1 does not count
    const real* targets,   # in  (n_targets, n_outputs), or NULL
    const double* weights,  # in  (n_targets,), or NULL for ones
    BatchSize* size,       # out rows of the batch that have a target, and the sum of their weights
    bint learns,           # False: gradients of wide outputs are left out
) noexcept nogil:
    """Loss of a batch, sum_r w_r l_r / rows over the rows that have a target, and dlogits; of wide
    outputs all gradients of the output layer.

    The batch's own weights do not divide it: a row weighs the same in whatever batch it stands.
    """
    cdef idx b, t, r, at, steps, M = net.plan.n_targets
    cdef double loss = 0, rows
    size.rows, size.weight = 0, 0
    for b in range(net.B):
        steps = net.lengths[b] if net.plan.pooling == ALL else 1
        for t in range(steps):
            r = head_row(net, t, b)
            at = target_of(net, offsets, t, b)
            net.scratch_row_weight[r] = row_weight(labels, targets, weights, at, M, size)
    if net.whole_rows > 0:
        rows = net.whole_rows
    else:
        rows = size.rows
    if size.weight <= 0:
        if net.logit_rows == 0:
            memset(net.dlogits, 0, net.R * net.Op * sizeof(real))
        return 0
    if net.plan.loss == CRF:
        return crf_loss(net, offsets, labels, rows)
    if net.logit_rows > 0:
        wide_head(net, offsets, labels, rows, learns)
    else:
        row_losses(net, offsets, labels, targets, rows)
    for r in range(net.R):
        if net.scratch_row_weight[r] > 0:
            loss += net.scratch_row_weight[r] * net.scratch_row_loss[r]
    return loss / rows


cdef inline void row_losses(
    Net* net, const idx* offsets, const idx* labels, const real* targets, double rows
) noexcept nogil:
    """Loss of every row (`scratch_row_loss`) and dlogits."""
    cdef idx r, at, block, M = net.plan.n_targets
    cdef idx threads = useful_threads(net.threads, 10.0 * net.R * net.Op)
    for block in prange(ceil_div(net.R, PRODUCT_ROWS), num_threads=threads,
                        use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        for r in range(block * PRODUCT_ROWS, imin(net.R, (block + 1) * PRODUCT_ROWS)):
            if stopped(net.stop, 10.0 * net.Op):
                break
            at = target_of_row(net, offsets, r)
            net.scratch_row_loss[r] = row_loss(
                net, net.dlogits + r * net.Op, net.logits + r * net.Op,
                imax(labels[at], 0) if labels != NULL else 0, targets + at * M,
                net.scratch_row_weight[r] / rows)
        restore_worker(net.caller_mode)


cdef inline double row_loss(
    const Net* net, real* dz, const real* z, idx label, const real* y, double weight
) noexcept nogil:
    """Loss of one row, not weighted, and its gradient, weighted."""
    cdef idx M = net.plan.n_targets, Op = net.Op
    if net.plan.loss == SOFTMAX:
        return softmax_loss(dz, z, net.plan.n_outputs, Op, label, net.label_smoothing, weight)
    if net.plan.loss == SQUARED_ERROR:
        return squared_error_loss(dz, z, M, Op, y, weight)
    if net.plan.loss == ABSOLUTE_ERROR:
        return absolute_error_loss(dz, z, M, Op, y, weight)
    if net.plan.loss == QUANTILE:
        return quantile_loss(dz, z, M, Op, y, weight, net.quantiles, net.plan.n_quantiles)
    if net.plan.loss == POISSON:
        return poisson_loss(dz, z, M, Op, y, weight)
    if net.plan.loss == BINARY_LOG_LOSS:
        return binary_log_loss(dz, z, M, Op, y, weight)
    if net.plan.loss == STUDENT_T:
        return student_t_loss(dz, z, M, Op, y, weight)
    if net.plan.loss == NEGATIVE_BINOMIAL:
        return negative_binomial_loss(dz, z, M, Op, y, weight)
    return gaussian_loss(dz, z, M, Op, y, weight)


# p_j = exp(z_j - max z) / s with s their sum;  log p_y = z_y - max z - log s
cdef inline double softmax_row(
    real* out,             # out (Op,) p; padding gets 0. May be z
    const real* z,         # in  (n_outputs,) in a row of Op
    idx n_outputs,
    idx Op,
) noexcept nogil:
    """Softmax of one row; returns max z + log s, the log of the normalizer."""
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
    const double* p,       # in  (Q,) quantile levels
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
#     l = mean_j s + 1/2 ((y_j - m) e^-s)^2
#     dl/dm = -(y_j - m) e^-2s,  dl/ds = 1 - ((y_j - m) e^-s)^2
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
#     l = mean_j exp(z_j) - y_j z_j            dl/dz_j = (exp(z_j) - y_j) / M            O = M
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


# Output j is the logit of label j, p_j = 1 / (1 + exp(-z_j)); a sum over labels, as
# MLPClassifier's:
#     l = -sum_j y_j log p_j + (1 - y_j) log(1 - p_j) = sum_j log(1 + exp(z_j)) - y_j z_j
#     dl/dz_j = p_j - y_j                                                              O = M
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
