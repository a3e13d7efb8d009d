"""Embeddings of tokens: look up, gradient, and input projections of distinct tokens.

dE[token] sums over the places of a token, which a sort brings together.
"""
from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from .denormals cimport flush_denormals, restore_worker
from .dropout cimport share_of_64_bits
from .products cimport PRODUCT_ROWS, columns
from .stopping cimport stopped
from .types cimport (
    BLOCK_COLS, EmbeddingColumn, LANES, Net, Scan, TILE_ROWS, ceil_div, idx, imin, mix64, real,
    tile, useful_threads, vec,
)


# Word dropout: in training a token gives way to its column's unknown token with probability
# `word_dropout`, so that the row of unknown tokens learns from all the places it may stand in.
cdef inline void look_up(const Net* net, const idx* tokens, idx row, idx step) noexcept nogil:
    """One packed input row: the embeddings of a step's tokens side by side. `step` is its row of
    the user's data."""
    cdef unsigned long long threshold = share_of_64_bits(net.word_dropout)
    cdef unsigned long long seed = mix64(mix64(net.seed, 0), step)
    cdef idx C = net.plan.n_columns
    cdef idx c, token
    cdef const EmbeddingColumn* column
    for c in range(C):
        column = &net.columns[c]
        token = tokens[c]
        if net.training and net.word_dropout > 0 and mix64(seed, c) < threshold:
            token = column.rows - 1
        net.tokens[c * net.N + row] = token
        memcpy(net.x + row * net.plan.D + column.place,
               net.params + column.start + token * column.dim, column.dim * sizeof(real))
    if net.plan.spelled > 0:
        net.words[row] = tokens[C]


# dE[token] = sum over the places where the token stands of their dx. Only rows that occur are
# touched; each sums its places in packed order. Where the head has the same weights (tied), its
# gradient stands there already, of all rows, and theirs is the optimizer's usual way. Frozen rows
# are not touched: they have no gradient, no part in its norm, no moments and no step.
cdef inline void embedding_gradient(Net* net, idx c) noexcept nogil:
    """Gradient of the embedding of token column c."""
    cdef const EmbeddingColumn* column = &net.columns[c]
    cdef const idx* tokens = net.tokens + c * net.N
    cdef idx* order = net.scratch_token_order + 2 * c * net.N
    cdef const idx* touched = net.scratch_touched + c * (net.N + 1)
    cdef idx run, runs, row, p, k
    cdef bint tied = column.start == net.plan.head_w
    cdef real* to
    cdef const real* source
    runs = sort_tokens(tokens, net.N, order, net.scratch_touched + c * (net.N + 1))
    net.touched_rows[c] = order + net.N  # scratch that has served
    net.n_touched[c] = 0
    for run in range(runs):
        row = tokens[order[touched[run]]]
        if row < column.frozen:
            continue
        net.touched_rows[c][net.n_touched[c]] = row
        net.n_touched[c] += 1
        to = net.grads + column.start + row * column.dim
        if not tied:
            memset(to, 0, column.dim * sizeof(real))
        for p in range(touched[run], touched[run + 1]):
            source = net.dx + order[p] * net.ld_dx + column.place
            for k in range(column.dim):
                to[k] += source[k]
    if tied:
        net.n_touched[c] = 0


cdef inline idx sort_tokens(
    const idx* tokens,     # in  (n,)
    idx n,
    idx* order,            # out (2 * n,) places by (token, place), and scratch
    idx* touched,          # out (n + 1,) where each token's run starts
) noexcept nogil:
    """Merge sort; returns the number of runs."""
    cdef idx p, width, lo, mid, hi, i, j, k, runs = 0
    cdef idx* source = order
    cdef idx* to = order + n
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
                if i < mid and (j >= hi or tokens[source[i]] <= tokens[source[j]]):
                    to[k] = source[i]
                    i += 1
                else:
                    to[k] = source[j]
                    j += 1
        source, to = to, source
        width *= 2
    if source != order:
        memcpy(order, source, n * sizeof(idx))
    for p in range(n):
        if p == 0 or tokens[order[p]] != tokens[order[p - 1]]:
            touched[runs] = p
            runs += 1
    touched[runs] = n
    return runs


cdef inline real* projection(const Scan* scan, idx place, idx column_block) noexcept nogil:
    return scan.projected + (place * scan.plan.n_column_blocks + column_block) * BLOCK_COLS * LANES


# A token's W_ih x + b is the same wherever it stands: with few distinct tokens it is computed once
# for each. The time loop starts its accumulators from it, so the sums, and their bits, are the
# same.
cdef inline void project(Net* net, const Scan* scan, idx first, idx rows) noexcept nogil:
    """Projections of `rows` distinct input rows from `first`, in one direction of layer 0."""
    cdef const real* pack_x = scan.pack_x
    cdef const real* bias
    cdef real* to
    cdef idx column_block, r0, r, at_x, cols_x, n
    cdef idx apart = scan.plan.n_column_blocks * BLOCK_COLS * LANES
    for column_block in range(scan.plan.n_column_blocks):
        bias = scan.pack_b + column_block * BLOCK_COLS * LANES
        at_x = columns(scan.block_x + column_block * BLOCK_COLS, &cols_x) * LANES
        for r0 from first <= r0 < first + rows by TILE_ROWS:
            n = imin(TILE_ROWS, first + rows - r0)
            to = projection(scan, r0, column_block)
            for r in range(n):
                memcpy(to + r * apart, bias, BLOCK_COLS * sizeof(vec))
            tile(n, cols_x, scan.K, net.distinct_x + r0 * scan.ldx, scan.ldx, 1, pack_x,
                 to + at_x, apart, to + at_x, apart)
        pack_x += cols_x * scan.K * LANES


cdef inline void project_tokens(
    Net* net,
    const idx* tokens,     # in  (n_distinct, n_columns)
) noexcept nogil:
    """Input projections of the distinct token rows: once for all batches of a prediction."""
    cdef idx u, c, task
    cdef idx blocks = ceil_div(net.n_distinct, PRODUCT_ROWS)
    cdef idx threads = useful_threads(net.threads, 2.0 * net.n_distinct * net.scans[0].plan.saved
                                      * net.scans[0].plan.Hp * net.scans[0].K)
    cdef const EmbeddingColumn* column
    for u in range(net.n_distinct):
        for c in range(net.plan.n_columns):
            column = &net.columns[c]
            memcpy(net.distinct_x + u * net.plan.D + column.place,
                   net.params + column.start + tokens[u * net.plan.n_columns + c] * column.dim,
                   column.dim * sizeof(real))
    for task in prange(blocks * net.plan.n_directions, num_threads=threads,
                       use_threads_if=threads > 1, schedule='dynamic'):
        flush_denormals()
        if not stopped(net.stop, 2.0 * PRODUCT_ROWS * net.scans[0].plan.saved
                       * net.scans[0].plan.Hp * net.scans[0].K):
            project(net, &net.scans[task // blocks], task % blocks * PRODUCT_ROWS,
                    imin(PRODUCT_ROWS, net.n_distinct - task % blocks * PRODUCT_ROWS))
        restore_worker(net.caller_mode)
