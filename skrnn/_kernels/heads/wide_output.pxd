"""An output layer too wide for the logits of a batch: softmax and all gradients, chunk by chunk.

The rows of the head are taken in chunks of `logit_rows`. For each chunk, with X the features, W
(n_outputs, width) the weights and Y^T the transposed logits (n_outputs, logit_rows):

    Y^T = W X^T + b        loss and dY^T, in place of Y^T
    dW += dY^T X           db += the sum of each row of dY^T           dX^T = W^T dY^T

So W is read as it lies, without packed copies, and rows stand along lanes. Every sum goes over the
same numbers in the same order as in output_layer.pxd and losses.pxd, where a row of logits lies
along lanes: the bits are the same, whatever the size of a chunk.
"""
from cython.parallel cimport prange, threadid
from libc.math cimport log
from libc.string cimport memcpy, memset

from ..denormals cimport flush_denormals, restore_worker
from ..products cimport PRODUCT_ROWS, multiply
from ..stopping cimport stopped
from ..types cimport (
    BLOCK_COLS, LANES, Net, TILE_ROWS, ceil_div, exp_negative, idx, imin, load, max_vec, real,
    splat, store, tile_rows, useful_threads, vec,
)
from ..weight_gradients cimport scratch_of
from .targets cimport target_of_row

cdef enum:
    MOST_BLOCK = 64        # rows of a block, at least BLOCK_COLS of the widest vectors
    SUM_OUTPUTS = 256      # outputs summed over before the next rows of dX^T: level-2 cache
    FEATURE_ROWS = 8 * TILE_ROWS  # of dX^T, of one task


cdef inline void wide_head(
    Net* net,
    const idx* offsets,    # in  (n_sequences + 1,)
    const idx* labels,     # in  (n_targets,); -1 does not count
    double rows,           # that have a target
    bint learns,           # whether dW, db and dfeatures are wanted
) noexcept nogil:
    """Loss of every row (`scratch_row_loss`) and, if wanted, the gradients of the output layer."""
    cdef idx start, n, block, task, tasks
    cdef idx wide = BLOCK_COLS * LANES, O = net.plan.n_outputs
    cdef double flops = 2.0 * net.logit_rows * net.P * O
    cdef idx threads = useful_threads(net.threads, flops)
    for start from 0 <= start < net.R by net.logit_rows:
        n = imin(net.logit_rows, net.R - start)
        turn_features(net, start, n)
        for block in prange(ceil_div(O, PRODUCT_ROWS), num_threads=threads,
                            use_threads_if=threads > 1, schedule='static'):
            flush_denormals()
            if not stopped(net.stop, 2.0 * PRODUCT_ROWS * net.P * n):
                turned_logits(net, block * PRODUCT_ROWS, n)
            restore_worker(net.caller_mode)
        for block in prange(ceil_div(n, wide), num_threads=threads, use_threads_if=threads > 1,
                            schedule='static'):
            flush_denormals()
            turned_softmax(net, offsets, labels, start, block * wide, imin(wide, n - block * wide),
                           rows, learns, scratch_of(net, threadid()))
            restore_worker(net.caller_mode)
        if not learns:
            continue
        for block in prange(ceil_div(O, PRODUCT_ROWS), num_threads=threads,
                            use_threads_if=threads > 1, schedule='static'):
            flush_denormals()
            if not stopped(net.stop, 2.0 * PRODUCT_ROWS * net.P * n):
                add_weight_gradient(net, start, n, block * PRODUCT_ROWS)
            restore_worker(net.caller_mode)
        tasks = ceil_div(n, wide)
        for task in prange(tasks * ceil_div(turned_width(net), FEATURE_ROWS), num_threads=threads,
                           use_threads_if=threads > 1, schedule='static'):
            flush_denormals()
            turned_feature_gradient(net, task // tasks * FEATURE_ROWS, task % tasks * wide, n)
            restore_worker(net.caller_mode)
        turn_back(net, start, n)
        if stopped(net.stop, 0):
            return


cdef inline idx turned_width(const Net* net) noexcept nogil:
    """Width of a row of W: that of the features without the gaps between segments."""
    return net.segments * net.plan.H


cdef inline void turn_features(Net* net, idx start, idx n) noexcept nogil:
    """X^T of n rows; rows that fill the last vector up are zeros."""
    cdef idx d, k, r, H = net.plan.H, ld = net.logit_rows
    cdef const real* x
    cdef real* to
    for d in range(net.segments):
        x = net.ws_features + start * net.P + d * net.plan.Hp
        for k in range(H):
            to = net.scratch_turned + (d * H + k) * ld
            for r in range(n):
                to[r] = x[r * net.P + k]
            for r in range(n, ceil_div(n, LANES) * LANES):
                to[r] = 0


cdef inline void turned_logits(Net* net, idx first, idx n) noexcept nogil:
    """Y^T of PRODUCT_ROWS outputs from `first` on."""
    cdef idx ld = net.logit_rows, width = turned_width(net), cols = ceil_div(n, LANES), v, r
    cdef idx outputs = imin(PRODUCT_ROWS, net.plan.n_outputs - first)
    cdef const real* bias = net.params + net.plan.head_b + first
    cdef real* y = net.logits + first * ld
    for v in range(outputs):
        for r in range(cols * LANES):
            y[v * ld + r] = bias[v]
    multiply(y, ld, net.params + net.plan.head_w + first * width, width, 1, outputs, width,
             net.scratch_turned, ld, cols, True)


# As softmax_loss in losses.pxd, for a block of rows at a time: the logits of output v stand side by
# side. Sum v % LANES of a row is lane v % LANES there. exp is computed twice, because the loss
# needs logits where the gradient is to stand.
cdef inline void turned_softmax(
    Net* net, const idx* offsets, const idx* labels, idx start, idx first, idx n, double rows,
    bint learns,
    real* scratch,         # (LANES, BLOCK_COLS, LANES) of this thread, at a multiple of 64 bytes
) noexcept nogil:
    """Losses of n <= BLOCK_COLS * LANES rows from row `first` of the chunk on, and their dY^T."""
    cdef idx O = net.plan.n_outputs, ld = net.logit_rows, cols = ceil_div(n, LANES), v, c, r, k
    cdef real* y = net.logits + first
    cdef real* row
    cdef vec top[BLOCK_COLS]
    cdef vec at_label[BLOCK_COLS]
    cdef vec* sums = <vec*> scratch
    cdef idx[MOST_BLOCK] label
    cdef double[MOST_BLOCK] loss, weight
    cdef double smoothing = net.label_smoothing
    cdef real share = <real> (smoothing / O), rest = <real> (1 - smoothing)
    cdef idx at
    for c in range(cols):
        top[c] = load(y + c * LANES)
        at_label[c] = splat(0)
    for r in range(cols * LANES):
        label[r] = 0
        weight[r] = 0
    for r in range(n):
        at = target_of_row(net, offsets, start + first + r)
        label[r] = labels[at] if labels[at] > 0 else 0
        weight[r] = net.scratch_row_weight[start + first + r] / rows
        (<real*> at_label)[r] = y[label[r] * ld + r]
    for v in range(O):
        for c in range(cols):
            top[c] = max_vec(top[c], load(y + v * ld + c * LANES))
    for k in range(LANES * BLOCK_COLS):
        sums[k] = splat(0)
    for v in range(O):
        if v % SUM_OUTPUTS == 0 and stopped(net.stop, 10.0 * SUM_OUTPUTS * n):
            return
        row = y + v * ld
        k = v % LANES * BLOCK_COLS
        for c in range(cols):
            sums[k + c] = sums[k + c] + exp_negative(load(row + c * LANES) - top[c])
    k = LANES // 2
    while k > 0:
        for r in range(k * BLOCK_COLS):
            sums[r] = sums[r] + sums[k * BLOCK_COLS + r]
        k //= 2
    for r in range(n):
        loss[r] = <double> (<real*> top)[r] + log((<real*> sums)[r])
        loss[r] = loss[r] - (1 - smoothing) * (<real*> at_label)[r]
    if smoothing > 0:
        for v in range(O):
            for r in range(n):
                loss[r] -= smoothing / O * y[v * ld + r]
    for r in range(n):
        net.scratch_row_loss[start + first + r] = loss[r]
    if not learns:
        return
    for c in range(cols):
        at_label[c] = exp_negative(at_label[c] - top[c]) / sums[c]
    for v in range(O):
        if v % SUM_OUTPUTS == 0 and stopped(net.stop, 10.0 * SUM_OUTPUTS * n):
            return
        row = y + v * ld
        for c in range(cols):
            store(row + c * LANES,
                  exp_negative(load(row + c * LANES) - top[c]) / sums[c] - splat(share))
        for r in range(cols * LANES):
            row[r] = <real> (row[r] * weight[r])
    for r in range(n):
        y[label[r] * ld + r] = <real> (((<real*> at_label)[r] - rest - share) * weight[r])


cdef inline void add_weight_gradient(Net* net, idx start, idx n, idx first) noexcept nogil:
    """dW and db of PRODUCT_ROWS outputs from `first` on; the first chunk's replace what is there.
    """
    cdef idx ld = net.logit_rows, width = turned_width(net), H = net.plan.H
    cdef idx last = imin(first + PRODUCT_ROWS, net.plan.n_outputs), v, d, c
    cdef const real* dy
    cdef real* dW
    if start == 0:
        memset(net.grads + net.plan.head_w + first * width, 0,
               (last - first) * width * sizeof(real))
        memset(net.grads + net.plan.head_b + first, 0, (last - first) * sizeof(real))
    for v from first <= v < last by TILE_ROWS:
        dy = net.logits + v * ld
        for d in range(net.segments):
            for c from 0 <= c < H by BLOCK_COLS * LANES:
                dW = net.grads + net.plan.head_w + v * width + d * H + c
                add_tile(dW, width, imin(TILE_ROWS, last - v), imin(BLOCK_COLS * LANES, H - c), dy,
                         ld, n, net.ws_features + start * net.P + d * net.plan.Hp + c, net.P)
        add_rows(net.grads + net.plan.head_b + v, imin(TILE_ROWS, last - v), dy, ld, n)


cdef inline void add_tile(
    real* dW, idx ldw, idx rows, idx width, const real* dy, idx ld, idx n, const real* x, idx ldx
) noexcept nogil:
    """A tile of dW; where it is no whole vectors wide, beside its rows there are others."""
    cdef vec sums[TILE_ROWS * BLOCK_COLS]
    cdef real* tile = <real*> sums
    cdef idx cols = ceil_div(width, LANES), r
    if cols * LANES == width:
        tile_rows(rows, cols, n, dy, ld, 1, x, ldx, dW, ldw, dW, ldw)
        return
    memset(sums, 0, sizeof(sums))
    for r in range(rows):
        memcpy(tile + r * BLOCK_COLS * LANES, dW + r * ldw, width * sizeof(real))
    tile_rows(rows, cols, n, dy, ld, 1, x, ldx, tile, BLOCK_COLS * LANES, tile, BLOCK_COLS * LANES)
    for r in range(rows):
        memcpy(dW + r * ldw, tile + r * BLOCK_COLS * LANES, width * sizeof(real))


# Sums side by side, because in one each addition waits for the one before.
cdef inline void add_rows(real* db, idx outputs, const real* dy, idx ld, idx n) noexcept nogil:
    """db of up to TILE_ROWS outputs."""
    cdef real sums[TILE_ROWS]
    cdef idx v, r
    for v in range(outputs):
        sums[v] = db[v]
    if outputs == TILE_ROWS:
        for r in range(n):
            for v in range(TILE_ROWS):
                sums[v] += dy[v * ld + r]
    else:
        for r in range(n):
            for v in range(outputs):
                sums[v] += dy[v * ld + r]
    for v in range(outputs):
        db[v] = sums[v]


cdef inline void turned_feature_gradient(Net* net, idx k, idx first, idx n) noexcept nogil:
    """FEATURE_ROWS rows of dX^T from feature k on, of a block of rows from `first` on."""
    cdef idx ld = net.logit_rows, width = turned_width(net), O = net.plan.n_outputs, v, outputs
    cdef idx rows = imin(FEATURE_ROWS, width - k)
    cdef idx cols = imin(BLOCK_COLS, ceil_div(n - first, LANES))
    for v from 0 <= v < O by SUM_OUTPUTS:
        outputs = imin(SUM_OUTPUTS, O - v)
        if stopped(net.stop, 2.0 * outputs * rows * cols * LANES):
            return
        multiply(net.scratch_turned + k * ld + first, ld,
                 net.params + net.plan.head_w + v * width + k, 1, width, rows, outputs,
                 net.logits + v * ld + first, ld, cols, v > 0)


cdef inline void turn_back(Net* net, idx start, idx n) noexcept nogil:
    """dfeatures of n rows from dX^T."""
    cdef idx d, k, r, H = net.plan.H, ld = net.logit_rows
    cdef real* to
    for r in range(n):
        for d in range(net.segments):
            to = net.dfeatures + (start + r) * net.P + d * net.plan.Hp
            for k in range(H):
                to[k] = net.scratch_turned[(d * H + k) * ld + r]
            for k in range(H, net.plan.Hp):
                to[k] = 0
