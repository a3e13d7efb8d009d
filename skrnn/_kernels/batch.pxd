"""From the user's order to packed rows: sort by length, gather, embed; and the way back."""
from libc.string cimport memcpy, memset

from .core cimport Layer, Net, idx, imax, imin, mix64, real


cdef inline void sort_batch(
    Net* net,
    const idx* offsets,    # in  (n_sequences + 1,) of the whole data
    const idx* chosen,     # in  (B,) sequences of this batch
    idx B,
) noexcept nogil:
    """Fill order, lengths, active, first, T, N: a stable counting sort by falling length."""
    cdef idx b, t, length, T = 0
    for b in range(B):
        T = imax(T, offsets[chosen[b] + 1] - offsets[chosen[b]])
    memset(net.buckets, 0, (T + 2) * sizeof(idx))
    for b in range(B):
        net.buckets[offsets[chosen[b] + 1] - offsets[chosen[b]]] += 1
    # active[t] = sequences longer than t; buckets[length] becomes the first place of that length
    net.active[T] = 0
    for t in range(T - 1, -1, -1):
        net.active[t] = net.active[t + 1] + net.buckets[t + 1]
    for t in range(T, 0, -1):
        net.buckets[t] = net.active[t]
    net.buckets[0] = net.active[0] if T > 0 else 0
    for b in range(B):
        length = offsets[chosen[b] + 1] - offsets[chosen[b]]
        t = net.buckets[length]
        net.buckets[length] += 1
        net.order[t] = chosen[b]
        net.lengths[t] = length
    net.first[0] = 0
    for t in range(T):
        net.first[t + 1] = net.first[t] + net.active[t]
    net.B = B
    net.T = T
    net.N = net.first[T]


cdef inline void share_rows(Net* net, idx parts) noexcept nogil:
    """bounds[p] .. bounds[p + 1]: the sequences of part p, with equal shares of the N steps."""
    cdef idx p, b = 0, steps = 0
    net.bounds[0] = 0
    for p in range(1, parts):
        while b < net.B and steps + net.lengths[b] // 2 < net.N * p // parts:
            steps += net.lengths[b]
            b += 1
        net.bounds[p] = b
    net.bounds[parts] = net.B


cdef inline void gather_sequence(
    const Net* net,
    const idx* offsets,    # in  (n_sequences + 1,)
    const real* values,    # in  (total_steps, D), or NULL
    const idx* tokens,     # in  (total_steps, n_columns), or NULL
    idx b,
) noexcept nogil:
    """Packed input rows of one sequence: copied, or looked up in the embedding."""
    cdef idx D = net.plan.D
    cdef idx C = net.plan.n_columns
    cdef idx E = net.plan.embedding_dim
    cdef idx start = offsets[net.order[b]]
    cdef idx t, c, row, token
    cdef const real* table = net.params + net.plan.embedding
    for t in range(net.lengths[b]):
        row = net.first[t] + b
        if C == 0:
            memcpy(net.x + row * D, values + (start + t) * D, D * sizeof(real))
        for c in range(C):
            token = tokens[(start + t) * C + c]
            net.tokens[row * C + c] = token
            memcpy(net.x + row * D + c * E, table + token * E, E * sizeof(real))


# dE[token] = sum over the places where the token stands of their dx. Only rows that occur are
# touched; each sums its places in packed order.
cdef inline void embedding_gradient(Net* net) noexcept nogil:
    cdef idx C = net.plan.n_columns
    cdef idx E = net.plan.embedding_dim
    cdef idx run, p, k, at, token
    cdef real* to
    cdef const real* source
    sort_tokens(net)
    for run in range(net.n_touched):
        token = net.tokens[net.token_order[net.touched[run]]]
        to = net.grads + net.plan.embedding + token * E
        memset(to, 0, E * sizeof(real))
        for p in range(net.touched[run], net.touched[run + 1]):
            at = net.token_order[p]
            source = net.dx + at // C * net.ld_dx + at % C * E
            for k in range(E):
                to[k] += source[k]


cdef inline void sort_tokens(Net* net) noexcept nogil:
    """token_order: places of the batch by (token, place); touched: where each token's run starts."""
    cdef idx n = net.N * net.plan.n_columns
    cdef idx p, width, lo, mid, hi, i, j, k
    cdef idx* source = net.token_order
    cdef idx* to = net.token_order + n
    for p in range(n):
        source[p] = p
    width = 1
    while width < n:
        for lo from 0 <= lo < n by 2 * width:
            mid = imin(lo + width, n)
            hi = imin(lo + 2 * width, n)
            i = lo
            j = mid
            for k in range(lo, hi):
                if i < mid and (j >= hi or net.tokens[source[i]] <= net.tokens[source[j]]):
                    to[k] = source[i]
                    i += 1
                else:
                    to[k] = source[j]
                    j += 1
        source, to = to, source
        width *= 2
    if source != net.token_order:
        memcpy(net.token_order, source, n * sizeof(idx))
    net.n_touched = 0
    for p in range(n):
        if p == 0 or net.tokens[net.token_order[p]] != net.tokens[net.token_order[p - 1]]:
            net.touched[net.n_touched] = p
            net.n_touched += 1
    net.touched[net.n_touched] = n


# out = x * m / (1 - rate), m = 0 with probability `rate` (Srivastava et al. 2014). m is a function
# of (seed, row, column), so the backward pass applies the same mask without storing it.
cdef inline void dropout_rows(
    real* out,             # out (rows, segments * stride), may be x
    const real* x,         # in  (rows, segments * stride)
    idx rows,
    idx segments,
    idx width,
    idx stride,
    double rate,
    unsigned long long seed,
) noexcept nogil:
    cdef unsigned long long threshold = <unsigned long long> (rate * 18446744073709551615.0)
    cdef real scale = <real> (1.0 / (1.0 - rate))
    cdef unsigned long long row_seed
    cdef idx r, s, k, at
    for r in range(rows):
        row_seed = mix64(seed, r)
        for s in range(segments):
            for k in range(stride):
                at = (r * segments + s) * stride + k
                if k < width and mix64(row_seed, s * width + k) >= threshold:
                    out[at] = x[at] * scale
                else:
                    out[at] = 0
