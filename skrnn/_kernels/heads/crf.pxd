"""Linear-chain conditional random field over the head's rows (Lafferty, McCallum, Pereira 2001).

    score(y) = start[y_1] + sum_t z_t[y_t] + sum_t T[y_{t-1}, y_t] + end[y_T]
    log p(y) = score(y) - log Z,    Z = sum over all y of exp score(y)

Forward and backward sums stay in log space: a_t[j] is the log of the summed exp score of all paths
that end in j at step t. With m_j = max_i T_ij,

    a_t[j] = z_t[j] + m_j + log s_t[j],    s_t[j] = sum_i exp(a_{t-1}[i]) exp(T_ij - m_j)

costs one product with a constant matrix, and no exp for each pair of tags. Each row is shifted so
that its highest a is 0; `shift` adds up to log Z. Where s_t[j] is too small for that (the tags it
could come from are all but impossible), that one j is summed exactly, from its own highest term.

Scores of -inf forbid a tag. Tags lie along vector lanes; those of the padding are forbidden.
"""
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY, exp, log
from libc.string cimport memcpy, memset

from ..denormals cimport flush_denormals, restore_worker
from ..stopping cimport stopped
from ..types cimport (
    LANES, Net, exp_negative, idx, load, log_vec, max_lanes, max_vec, real, row_at, splat, store,
    sum_lanes, useful_threads, vec,
)

cdef extern from *:
    """
    /* Below this a sum may have lost terms that count: what is lost is less than 1e-38 (float32).
     */
    #define SMALLEST_SUM REAL(1e-28)
    """
    real SMALLEST_SUM


cdef inline void crf_prepare(
    Net* net,
    const real* scores,    # in  (K + 2, K) start, transitions, end; may hold -inf
) noexcept nogil:
    """Pad the scores to full vectors and take their exponentials: once per batch."""
    cdef idx K = net.plan.n_outputs, Op = net.Op
    cdef idx i, j
    cdef real* T = net.crf_scores + Op
    for i in range(K + 2):
        for j in range(Op):
            net.crf_scores[i * Op + j] = scores[i * K + j] if j < K else -INFINITY
    for j in range(Op):
        net.crf_columns[K * Op + j] = net.crf_rows[K * Op + j] = -INFINITY
    for i in range(K):
        for j in range(K):
            if T[i * Op + j] > net.crf_columns[K * Op + j]:
                net.crf_columns[K * Op + j] = T[i * Op + j]
            if T[i * Op + j] > net.crf_rows[K * Op + i]:
                net.crf_rows[K * Op + i] = T[i * Op + j]
    for j in range(Op):
        net.crf_columns[K * Op + j] = finite_or_zero(net.crf_columns[K * Op + j])
        net.crf_rows[K * Op + j] = finite_or_zero(net.crf_rows[K * Op + j])
    for i in range(K):
        for j in range(Op):
            net.crf_columns[i * Op + j] = <real> exp(T[i * Op + j] - net.crf_columns[K * Op + j])
            net.crf_rows[i * Op + j] = 0
    for i in range(K):
        for j in range(K):
            net.crf_rows[j * Op + i] = <real> exp(T[i * Op + j] - net.crf_rows[K * Op + i])


cdef inline real finite_or_zero(real x) noexcept nogil:
    return 0 if x == -INFINITY else x


cdef inline real highest(const real* row, idx Op) noexcept nogil:
    """Maximum of a padded row."""
    cdef vec top = load(row)
    cdef idx j
    for j from LANES <= j < Op by LANES:
        top = max_vec(top, load(row + j))
    return max_lanes(top)


cdef inline double exp_row(real* out, const real* row, real top, idx Op) noexcept nogil:
    """out = exp(row - top); returns its sum."""
    cdef vec total = splat(0)
    cdef idx j
    for j from 0 <= j < Op by LANES:
        store(out + j, exp_negative(load(row + j) - splat(top)))
        total = total + load(out + j)
    return sum_lanes(total)


cdef inline double exact_sum(const real* a, const real* b, idx stride, idx K) noexcept nogil:
    """log sum_i exp(a_i + b_i), b's numbers `stride` apart."""
    cdef double top = -INFINITY, total = 0
    cdef idx i
    for i in range(K):
        if <double> a[i] + b[i * stride] > top:
            top = <double> a[i] + b[i * stride]
    if top == -INFINITY:
        return top
    for i in range(K):
        total += exp(<double> a[i] + b[i * stride] - top)
    return top + log(total)


# out_j = m_j + log s_j,  s_j = sum_i e_i E_ij: log sum_i exp(a_i + T_ij) for all j at once.
cdef inline void log_product(
    real* out,             # out (Op,)
    real* sums,            # out (Op,) s
    real* e,               # out (Op,) exp(a_i - a_top)
    const real* a,         # in  (Op,), finite at its highest
    const real* E,         # in  (K + 1, Op) exp(T_ij - m_j), then m
    const real* T,         # in  T_ij at T[i * step_i + j * step_j]
    idx step_i,
    idx step_j,
    idx K,
    idx Op,
) noexcept nogil:
    cdef real top = finite_or_zero(highest(a, Op))
    cdef idx i, j
    cdef vec s
    exp_row(e, a, top, Op)
    for j from 0 <= j < Op by LANES:
        s = splat(0)
        for i in range(K):
            s = s + splat(e[i]) * load(E + i * Op + j)
        store(sums + j, s)
        store(out + j, log_vec(s) + load(E + K * Op + j) + splat(top))
    for j in range(K):
        if sums[j] < SMALLEST_SUM:
            out[j] = <real> exact_sum(a, T + j * step_j, step_i, K)
    for j in range(K, Op):
        out[j] = -INFINITY


cdef inline const real* emissions(
    real* scratch,         # out (Op,) where a label clamps the step
    const real* z,         # in  (Op,)
    idx label,             # -1: any tag
    idx Op,
) noexcept nogil:
    """z, or with a label, z there and -inf elsewhere."""
    cdef idx j
    if label < 0:
        return z
    for j in range(Op):
        scratch[j] = -INFINITY
    scratch[label] = z[label]
    return scratch


cdef inline idx label_at(const Net* net, const idx* labels, idx first, idx t, idx b) noexcept nogil:
    """The label that step t counts with; -1 where it has none, or no weight."""
    if labels == NULL or net.scratch_row_weight[row_at(net, t, b)] == 0:
        return -1
    return labels[first + t]


cdef inline double forward_sums(
    Net* net, idx b, const idx* labels, idx first, real* scratch
) noexcept nogil:
    """Fill crf_alpha and crf_sums of sequence b; returns log Z of the paths that fit the labels."""
    cdef idx K = net.plan.n_outputs, Op = net.Op
    cdef const real* z
    cdef real* a
    cdef real* before = NULL
    cdef real shift
    cdef double log_z = 0
    cdef idx t, j, r
    for t in range(net.lengths[b]):
        if stopped(net.stop, 2.0 * K * Op):
            return 0
        r = row_at(net, t, b) * Op
        a = net.scratch_crf_alpha + r
        if t == 0:
            memcpy(a, net.crf_scores, Op * sizeof(real))
        else:
            log_product(a, net.scratch_crf_sums + r, scratch, before, net.crf_columns,
                        net.crf_scores + Op, Op, 1, K, Op)
        z = emissions(scratch, net.logits + r, label_at(net, labels, first, t, b), Op)
        for j from 0 <= j < Op by LANES:
            store(a + j, load(a + j) + load(z + j))
        shift = finite_or_zero(highest(a, Op))
        for j from 0 <= j < Op by LANES:
            store(a + j, load(a + j) - splat(shift))
        log_z += shift
        before = a
    for j from 0 <= j < Op by LANES:
        store(scratch + Op + j, load(before + j) + load(net.crf_scores + (K + 1) * Op + j))
    shift = finite_or_zero(highest(scratch + Op, Op))
    return log_z + shift + log(exp_row(scratch, scratch + Op, shift, Op))


# Marginals g_t[j] = p(y_t = j) = softmax_j(a_t[j] + b_t[j]) with the backward sums
#     b_T = end,    b_{t-1}[i] = log sum_j exp(T_ij + z_t[j] + b_t[j])
# and of pairs p(y_{t-1} = i, y_t = j) = exp(a_{t-1}[i]) exp(T_ij - m_j) g_t[j] / s_t[j].
# The gradient of log Z: dz_t = g_t, dstart = g_1, dend = g_T, dT = the sum of the pairs.
cdef inline void backward_sums(
    Net* net,
    idx b,
    const idx* labels,
    idx first,
    real* out,             # in/out (N, Op): gets factor * marginals added
    real* grads,           # in/out (K + 2, Op) gradient of the scores, or NULL
    real factor,
    real* scratch,         # (4, Op)
) noexcept nogil:
    cdef idx K = net.plan.n_outputs, Op = net.Op
    cdef real* beta = scratch
    cdef real* g = scratch + Op
    cdef real* other = scratch + 2 * Op
    cdef real* e = scratch + 3 * Op
    cdef const real* z
    cdef idx t, j, r
    cdef real share
    memcpy(beta, net.crf_scores + (K + 1) * Op, Op * sizeof(real))
    for t in range(net.lengths[b] - 1, -1, -1):
        if stopped(net.stop, 6.0 * K * Op):
            return
        r = row_at(net, t, b) * Op
        for j from 0 <= j < Op by LANES:
            store(other + j, load(net.scratch_crf_alpha + r + j) + load(beta + j))
        share = <real> (1.0 / exp_row(g, other, finite_or_zero(highest(other, Op)), Op))
        for j from 0 <= j < Op by LANES:
            store(g + j, load(g + j) * splat(share))
            store(out + r + j, load(out + r + j) + splat(factor) * load(g + j))
        if grads != NULL:
            add_score_gradients(net, b, t, g, grads, factor, other, e)
        if t > 0:
            z = emissions(other, net.logits + r, label_at(net, labels, first, t, b), Op)
            for j from 0 <= j < Op by LANES:
                store(g + j, load(z + j) + load(beta + j))
            # `other` is free again: z has been read
            log_product(beta, other, e, g, net.crf_rows, net.crf_scores + Op, 1, Op, K, Op)
            shift_row(beta, Op)


cdef inline void shift_row(real* row, idx Op) noexcept nogil:
    """Make the highest number 0, which no marginal depends on."""
    cdef real top = finite_or_zero(highest(row, Op))
    cdef idx j
    for j from 0 <= j < Op by LANES:
        store(row + j, load(row + j) - splat(top))


cdef inline void add_score_gradients(
    const Net* net, idx b, idx t, const real* g, real* grads, real factor, real* ratio,
    real* e,
) noexcept nogil:
    """Add what step t of sequence b contributes to the gradients of start, transitions, end."""
    cdef idx K = net.plan.n_outputs, Op = net.Op
    cdef idx i, j
    cdef const real* sums = net.scratch_crf_sums + row_at(net, t, b) * Op
    cdef const real* a
    cdef const real* T = net.crf_scores + Op
    cdef real* dT = grads + Op
    if t == net.lengths[b] - 1:
        for j in range(K):
            grads[(K + 1) * Op + j] += factor * g[j]
    if t == 0:
        for j in range(K):
            grads[j] += factor * g[j]
        return
    a = net.scratch_crf_alpha + row_at(net, t - 1, b) * Op
    for j in range(Op):
        ratio[j] = factor * g[j] / sums[j] if j < K and sums[j] >= SMALLEST_SUM else 0
    exp_row(e, a, 0, Op)
    for i in range(K):
        for j from 0 <= j < Op by LANES:
            store(dT + i * Op + j, load(dT + i * Op + j)
                  + splat(e[i]) * load(net.crf_columns + i * Op + j) * load(ratio + j))
    for j in range(K):
        if sums[j] < SMALLEST_SUM and g[j] > 0:
            exact_pairs(dT, T, a, factor * g[j], j, K, Op)


cdef inline void exact_pairs(
    real* dT, const real* T, const real* a, real weight, idx j, idx K, idx Op
) noexcept nogil:
    """Share g_t[j] out over the tags it comes from, by exp(a_i + T_ij)."""
    cdef double total = exact_sum(a, T + j, Op, K)
    cdef idx i
    for i in range(K):
        dT[i * Op + j] += <real> (weight * exp(<double> a[i] + T[i * Op + j] - total))


cdef inline double path_loss(
    Net* net, idx b, const idx* labels, idx first, double factor, real* scratch
) noexcept nogil:
    """factor * -log p(labels of sequence b), its gradients in dlogits and crf_grads."""
    cdef idx K = net.plan.n_outputs, Op = net.Op
    cdef real* grads = net.scratch_crf_grads + b * (K + 2) * Op
    cdef real f = <real> factor
    cdef double log_z, score = 0
    cdef idx t, y, before = -1
    cdef bint complete = True
    for t in range(net.lengths[b]):
        memset(net.dlogits + row_at(net, t, b) * Op, 0, Op * sizeof(real))
        complete = complete and label_at(net, labels, first, t, b) >= 0
    memset(grads, 0, (K + 2) * Op * sizeof(real))
    if factor == 0 or net.lengths[b] == 0:
        return 0
    log_z = forward_sums(net, b, NULL, 0, scratch)
    backward_sums(net, b, NULL, 0, net.dlogits, grads, f, scratch)
    if not complete:
        # Steps without a label count with every tag they may have (Tsuboi et al. 2008).
        score = forward_sums(net, b, labels, first, scratch)
        backward_sums(net, b, labels, first, net.dlogits, grads, -f, scratch)
        return factor * (log_z - score)
    for t in range(net.lengths[b]):
        y = labels[first + t]
        score += net.logits[row_at(net, t, b) * Op + y]
        net.dlogits[row_at(net, t, b) * Op + y] -= f
        score += net.crf_scores[(before + 1) * Op + y]  # start where there is none before
        grads[(before + 1) * Op + y] -= f
        before = y
    score += net.crf_scores[(K + 1) * Op + before]
    grads[(K + 1) * Op + before] -= f
    return factor * (log_z - score)


cdef inline double crf_loss(
    Net* net, const idx* offsets, const idx* labels, double rows
) noexcept nogil:
    """sum_b w_b -log p_b / rows, w_b the mean weight of the steps of sequence b that count.

    scratch_row_weight and scratch_row_loss are set for every row: a row without a label weighs 0.
    """
    cdef idx K = net.plan.n_outputs
    cdef idx b, n
    cdef idx threads = useful_threads(net.threads, 20.0 * net.N * K * net.Op)
    cdef double loss = 0
    crf_prepare(net, net.params + net.plan.crf)
    for b in prange(net.B, num_threads=threads, use_threads_if=threads > 1, schedule='dynamic'):
        flush_denormals()
        net.scratch_row_loss[b] = path_loss(net, b, labels, offsets[net.order[b]],
                                            mean_weight(net, b) / rows,
                                            net.scratch_crf + threadid() * 4 * net.Op)
        restore_worker(net.caller_mode)
    for b in range(net.B):
        loss += net.scratch_row_loss[b]
    for n in prange(K + 2, num_threads=threads, use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        sum_score_gradients(net, n)
        restore_worker(net.caller_mode)
    return loss


cdef inline double mean_weight(const Net* net, idx b) noexcept nogil:
    cdef double total = 0
    cdef idx t, counted = 0
    for t in range(net.lengths[b]):
        total += net.scratch_row_weight[row_at(net, t, b)]
        counted += net.scratch_row_weight[row_at(net, t, b)] > 0
    return total / counted if counted else 0


cdef inline void sum_score_gradients(Net* net, idx row) noexcept nogil:
    """Row of the scores' gradient: the sequences' parts, added in order."""
    cdef idx K = net.plan.n_outputs, Op = net.Op
    cdef real* to = net.grads + net.plan.crf + row * K
    cdef idx b, j
    memset(to, 0, K * sizeof(real))
    for b in range(net.B):
        for j in range(K):
            to[j] += net.scratch_crf_grads[(b * (K + 2) + row) * Op + j]


cdef inline void marginals(Net* net, idx b, real* scratch) noexcept nogil:
    """Replace the logits of sequence b by p(y_t = j)."""
    cdef idx Op = net.Op
    cdef idx t
    forward_sums(net, b, NULL, 0, scratch)
    # crf_sums has served: gradients of the scores are not asked for
    for t in range(net.lengths[b]):
        memset(net.scratch_crf_sums + row_at(net, t, b) * Op, 0, Op * sizeof(real))
    backward_sums(net, b, NULL, 0, net.scratch_crf_sums, NULL, 1, scratch)
    for t in range(net.lengths[b]):
        memcpy(net.logits + row_at(net, t, b) * Op, net.scratch_crf_sums + row_at(net, t, b) * Op,
               Op * sizeof(real))


# Viterbi (1967): v_t[j] = z_t[j] + max_i (v_{t-1}[i] + T_ij), then back from the best end.
cdef inline void best_path(
    Net* net,
    idx b,
    idx* path,             # out (T_b,) of tags; -1 throughout where no path has a finite score
) noexcept nogil:
    cdef idx K = net.plan.n_outputs, Op = net.Op
    cdef const real* T = net.crf_scores + Op
    cdef real* v
    cdef real* before = NULL
    cdef const real* z
    cdef vec best
    cdef idx t, i, j, y
    for t in range(net.lengths[b]):
        if stopped(net.stop, 2.0 * K * Op):
            return
        v = net.scratch_crf_alpha + row_at(net, t, b) * Op
        z = net.logits + row_at(net, t, b) * Op
        for j from 0 <= j < Op by LANES:
            best = load(net.crf_scores + j)
            if t > 0:
                best = splat(-INFINITY)
                for i in range(K):
                    best = max_vec(best, splat(before[i]) + load(T + i * Op + j))
            store(v + j, best + load(z + j))
        shift_row(v, Op)
        before = v
    y = best_predecessor(before, net.crf_scores + (K + 1) * Op, 1, K)
    for t in range(net.lengths[b] - 1, -1, -1):
        path[t] = y
        if t > 0 and y >= 0:
            y = best_predecessor(net.scratch_crf_alpha + row_at(net, t - 1, b) * Op, T + y, Op, K)


cdef inline idx best_predecessor(const real* v, const real* T, idx stride, idx K) noexcept nogil:
    """argmax_i v_i + T_i, the first of equals; -1 where none is finite."""
    cdef real top = -INFINITY, score
    cdef idx i, best = -1
    for i in range(K):
        score = v[i] + T[i * stride]
        if score > top and score < INFINITY:
            top = score
            best = i
    return best
