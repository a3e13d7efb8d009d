"""Packing: weights laid out as the register tile reads them, once per batch."""
from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from .denormals cimport flush_denormals, restore_worker
from .types cimport (
    ATTENTION, BLOCK_COLS, LANES, Net, Scan, TILE_COLS, ceil_div, idx, imin, padded, real,
    useful_threads,
)


cdef inline void pack_column_block(
    real* out,             # out (cols / TILE_COLS, K, TILE_COLS, LANES), narrower last group
    const real* W,         # in  (rows, segments * width)
    idx segments,          # the input row: `segments` pieces of `width` numbers, each starting
    idx width,             # `stride` after the one before; K spans them, gaps get zeros
    idx stride,
    const idx* starts,     # in  (cols,) gate column where each vector column starts
    idx cols,
    const idx* row_of,     # in  row of W for each gate column, -1 for padding
) noexcept nogil:
    cdef idx K = (segments - 1) * stride + width
    cdef idx group, n, c, lane, row, s, k
    cdef real* to
    cdef const real* source
    memset(out, 0, K * cols * LANES * sizeof(real))
    for group from 0 <= group < cols by TILE_COLS:
        n = imin(TILE_COLS, cols - group)
        for c in range(n):
            for lane in range(LANES):
                row = row_of[starts[group + c] + lane]
                if row < 0:
                    continue
                for s in range(segments):
                    source = W + (row * segments + s) * width
                    to = out + group * K * LANES + s * stride * n * LANES + c * LANES + lane
                    for k in range(width):
                        to[k * n * LANES] = source[k]


cdef inline void pack_transposed(
    real* out,             # out (cols / TILE_COLS, K, TILE_COLS, LANES)
    const real* W,         # in  (rows, segments * width)
    idx segments,          # as in pack_column_block; `stride` is a multiple of LANES
    idx width,
    idx stride,
    idx first,             # vector columns first .. first + cols of a (segments * stride) row
    idx cols,
    const idx* row_of,     # in  (K,) row of W for each gate column, -1 for padding
    idx K,
) noexcept nogil:
    cdef idx group, n, c, k, at, lanes, row, j
    cdef real* to
    cdef const real* source
    memset(out, 0, K * cols * LANES * sizeof(real))
    for group from 0 <= group < cols by TILE_COLS:
        n = imin(TILE_COLS, cols - group)
        for c in range(n):
            at = (first + group + c) * LANES
            lanes = imin(LANES, width - at % stride)
            at = at // stride * width + at % stride
            for k in range(K):
                row = row_of[k]
                if row < 0:
                    continue
                to = out + (group * K + k * n + c) * LANES
                source = W + row * segments * width + at
                for j in range(lanes):
                    to[j] = source[j]


cdef inline void pack_scan(Scan* scan, idx column_block, bint training) noexcept nogil:
    """Weights of one column block as the forward tile reads them, and the biases where they
    enter."""
    cdef const idx* starts_x = scan.block_x + column_block * BLOCK_COLS
    cdef const idx* starts_h = scan.block_h + column_block * BLOCK_COLS
    cdef real* bias = scan.pack_b + column_block * BLOCK_COLS * LANES
    cdef idx before_x = 0, before_h = 0, first_x = -1, first_h = -1, cols_x = 0, cols_h = 0
    cdef idx c, lane, row
    for c in range(column_block * BLOCK_COLS):
        before_x += scan.block_x[c] >= 0
        before_h += scan.block_h[c] >= 0
    memset(bias, 0, BLOCK_COLS * LANES * sizeof(real))
    for c in range(BLOCK_COLS):
        if starts_x[c] >= 0:
            first_x = c if first_x < 0 else first_x
            cols_x += 1
            for lane in range(LANES):
                row = scan.row_ih[starts_x[c] + lane]
                if row >= 0:
                    bias[c * LANES + lane] += scan.b_ih[row]
        if starts_h[c] >= 0:
            first_h = c if first_h < 0 else first_h
            cols_h += 1
            for lane in range(LANES):
                row = scan.row_hh[starts_h[c] + lane]
                if row >= 0:
                    bias[c * LANES + lane] += scan.b_hh[row]
    pack_column_block(scan.pack_x + before_x * scan.K * LANES, scan.w_ih, scan.plan.in_segments,
                      scan.plan.in_width, scan.plan.in_stride, starts_x + first_x, cols_x,
                      scan.row_ih)
    pack_column_block(scan.pack_h + before_h * scan.plan.H * LANES, scan.w_hh, 1, scan.plan.H,
                      scan.plan.Hp, starts_h + first_h, cols_h, scan.row_hh)


cdef inline void pack_scan_transposed(Net* net, Scan* scan, idx block) noexcept nogil:
    """Block `block` of vector columns of W_hh^T, then of W_ih^T where the layer below needs it."""
    cdef idx hh = scan.plan.hh_stop - scan.plan.hh_start
    cdef idx ih = scan.plan.ih_stop - scan.plan.ih_start
    cdef idx stride = padded(scan.plan.in_stride)
    cdef idx blocks = ceil_div(scan.plan.Hp // LANES, BLOCK_COLS)
    cdef idx first = block * BLOCK_COLS
    if block < blocks:
        pack_transposed(scan.pack_dh + first * hh * LANES, scan.w_hh, 1, scan.plan.H,
                        scan.plan.Hp, first, imin(BLOCK_COLS, scan.plan.Hp // LANES - first),
                        scan.row_hh + scan.plan.hh_start, hh)
    else:
        first -= blocks * BLOCK_COLS
        pack_transposed(scan.pack_dx + first * ih * LANES, scan.w_ih, scan.plan.in_segments,
                        scan.plan.in_width, stride, first,
                        imin(BLOCK_COLS, scan.plan.in_segments * stride // LANES - first),
                        scan.row_ih + scan.plan.ih_start, ih)


cdef inline idx transposed_blocks(const Net* net, const Scan* scan) noexcept nogil:
    cdef idx blocks = ceil_div(scan.plan.Hp // LANES, BLOCK_COLS)
    cdef idx width = scan.plan.in_segments * padded(scan.plan.in_stride) // LANES
    if scan.plan.layer > 0 or net.wants_dx:
        blocks += ceil_div(width, BLOCK_COLS)
    return blocks


cdef inline void pack_head(Net* net) noexcept nogil:
    """Weights of the output layer and of attention pooling; those of wide outputs are read as they
    lie."""
    cdef const idx* row_of = net.tables + net.plan.row_head
    cdef const real* W = net.params + net.plan.head_w
    cdef idx D = net.segments
    cdef idx F = net.P
    cdef idx K = (D - 1) * net.plan.Hp + net.plan.H
    cdef idx block, c
    cdef idx starts[BLOCK_COLS]
    if net.plan.pooling & ATTENTION:
        memset(net.pack_pool, 0, net.F * sizeof(real))
        for c in range(net.plan.n_directions):
            memcpy(net.pack_pool + c * net.plan.Hp,
                   net.params + net.plan.pool_w + c * net.plan.H, net.plan.H * sizeof(real))
    if net.logit_rows > 0:
        return
    for block from 0 <= block < net.Op // LANES by BLOCK_COLS:
        for c in range(BLOCK_COLS):
            starts[c] = (block + c) * LANES
        pack_column_block(net.pack_head + block * K * LANES, W, D, net.plan.H, net.plan.Hp, starts,
                          imin(BLOCK_COLS, net.Op // LANES - block), row_of)
    memset(net.pack_head_b, 0, net.Op * sizeof(real))
    memcpy(net.pack_head_b, net.params + net.plan.head_b, net.plan.n_outputs * sizeof(real))
    if net.training:
        for block from 0 <= block < F // LANES by BLOCK_COLS:
            pack_transposed(net.pack_dhead + block * net.Op * LANES, W, D, net.plan.H, net.plan.Hp,
                            block, imin(BLOCK_COLS, F // LANES - block), row_of, net.Op)


cdef inline void pack_weights(Net* net) noexcept nogil:
    """Repack all weights: once per batch, because the optimizer has moved them."""
    cdef Scan* scan
    cdef idx k, task, blocks, threads
    for k in range(net.plan.n_scans):
        scan = &net.scans[k]
        threads = useful_threads(net.threads, 8.0 * scan.plan.saved * scan.plan.Hp
                                 * (scan.K + scan.plan.H))
        blocks = transposed_blocks(net, scan) if net.training else 0
        for task in prange(scan.plan.n_column_blocks + blocks, num_threads=threads,
                           use_threads_if=threads > 1, schedule='dynamic'):
            flush_denormals()
            if task < scan.plan.n_column_blocks:
                pack_scan(scan, task, net.training)
            else:
                pack_scan_transposed(net, scan, task - scan.plan.n_column_blocks)
            restore_worker(net.caller_mode)
    pack_head(net)
