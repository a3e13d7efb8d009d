"""The whole network over one packed batch: forward, loss, back-propagation through time.

Every parallel loop hands out work that no other part of it writes: rows, or output tiles.
Above 500 lines because the backward pass is read beside the forward pass that it reverses.
"""
from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset

from .batch cimport (
    dropout_rows, embedding_gradient, gather_sequence, share_rows, sort_batch,
)
from .core cimport (
    ABSOLUTE_ERROR, ALL, BINARY_LOG_LOSS, BLOCK_COLS, CRF, EmbeddingColumn, LANES, LAST, Layer,
    MOVED, Net, POISSON, QUANTILE, SOFTMAX, SQUARED_ERROR, idx, imax, imin, load, mix64, padded,
    real, row_at, store, useful_threads,
)
from .crf cimport crf_loss
from .denormals cimport flush_denormals, restore_worker
from .gradients cimport (
    add_slices, backward_part, fused, level_weight_gradients, scratch_of,
)
from .heads cimport (
    absolute_error_loss, binary_log_loss, gaussian_loss, last_backward, poisson_loss,
    pool_backward, pool_forward, quantile_loss, softmax_loss, squared_error_loss,
)
from .linear cimport (
    WeightGradient, cut_weight_tasks, pack_bundle, pack_transposed, pieces, product,
    weight_gradient_task, weight_tasks,
)
from .scan cimport forward_part, project
from .sharing cimport start_parts
from .stopping cimport stopped

cdef enum:
    PRODUCT_ROWS = 96      # rows of one task of a product over all packed rows: 16 tiles


cdef inline double layer_flops(const Net* net, const Layer* layer) noexcept nogil:
    return 2.0 * layer.plan.slots * layer.plan.Hp * (layer.K + layer.plan.H) * net.N


cdef inline void pack_layer(Layer* layer, idx bundle, bint training) noexcept nogil:
    """Weights of one bundle as the forward tile reads them, and the biases where they enter."""
    cdef const idx* starts_x = layer.bundle_x + bundle * BLOCK_COLS
    cdef const idx* starts_h = layer.bundle_h + bundle * BLOCK_COLS
    cdef real* bias = layer.pack_b + bundle * BLOCK_COLS * LANES
    cdef idx before_x = 0, before_h = 0, first_x = -1, first_h = -1, cols_x = 0, cols_h = 0
    cdef idx c, lane, row
    for c in range(bundle * BLOCK_COLS):
        before_x += layer.bundle_x[c] >= 0
        before_h += layer.bundle_h[c] >= 0
    memset(bias, 0, BLOCK_COLS * LANES * sizeof(real))
    for c in range(BLOCK_COLS):
        if starts_x[c] >= 0:
            first_x = c if first_x < 0 else first_x
            cols_x += 1
            for lane in range(LANES):
                row = layer.row_ih[starts_x[c] + lane]
                if row >= 0:
                    bias[c * LANES + lane] += layer.b_ih[row]
        if starts_h[c] >= 0:
            first_h = c if first_h < 0 else first_h
            cols_h += 1
            for lane in range(LANES):
                row = layer.row_hh[starts_h[c] + lane]
                if row >= 0:
                    bias[c * LANES + lane] += layer.b_hh[row]
    pack_bundle(layer.pack_x + before_x * layer.K * LANES, layer.w_ih, layer.plan.in_segments,
                layer.plan.in_width, layer.plan.in_stride, starts_x + first_x, cols_x,
                layer.row_ih)
    pack_bundle(layer.pack_h + before_h * layer.plan.H * LANES, layer.w_hh, 1, layer.plan.H,
                layer.plan.Hp, starts_h + first_h, cols_h, layer.row_hh)


cdef inline void pack_layer_transposed(Net* net, Layer* layer, idx block) noexcept nogil:
    """Block `block` of vector columns of W_hh^T, then of W_ih^T where the level below needs it."""
    cdef idx hh = layer.plan.hh_stop - layer.plan.hh_start
    cdef idx ih = layer.plan.ih_stop - layer.plan.ih_start
    cdef idx stride = padded(layer.plan.in_stride)
    cdef idx blocks = (layer.plan.Hp // LANES + BLOCK_COLS - 1) // BLOCK_COLS
    cdef idx first = block * BLOCK_COLS
    if block < blocks:
        pack_transposed(layer.pack_dh + first * hh * LANES, layer.w_hh, 1, layer.plan.H,
                        layer.plan.Hp, first, imin(BLOCK_COLS, layer.plan.Hp // LANES - first),
                        layer.row_hh + layer.plan.hh_start, hh)
    else:
        first -= blocks * BLOCK_COLS
        pack_transposed(layer.pack_dx + first * ih * LANES, layer.w_ih, layer.plan.in_segments,
                        layer.plan.in_width, stride, first,
                        imin(BLOCK_COLS, layer.plan.in_segments * stride // LANES - first),
                        layer.row_ih + layer.plan.ih_start, ih)


cdef inline idx transposed_blocks(const Net* net, const Layer* layer) noexcept nogil:
    cdef idx blocks = (layer.plan.Hp // LANES + BLOCK_COLS - 1) // BLOCK_COLS
    cdef idx width = layer.plan.in_segments * padded(layer.plan.in_stride) // LANES
    if layer.plan.level > 0 or net.wants_dx:
        blocks += (width + BLOCK_COLS - 1) // BLOCK_COLS
    return blocks


cdef inline void pack_head(Net* net) noexcept nogil:
    cdef const idx* row_of = net.tables + net.plan.row_head
    cdef const real* W = net.params + net.plan.head_w
    cdef idx D = net.plan.n_directions
    cdef idx F = net.F
    cdef idx K = (D - 1) * net.plan.Hp + net.plan.H
    cdef idx block, c
    cdef idx starts[BLOCK_COLS]
    for block from 0 <= block < net.Op // LANES by BLOCK_COLS:
        for c in range(BLOCK_COLS):
            starts[c] = (block + c) * LANES
        pack_bundle(net.pack_head + block * K * LANES, W, D, net.plan.H, net.plan.Hp, starts,
                    imin(BLOCK_COLS, net.Op // LANES - block), row_of)
    memset(net.pack_head_b, 0, net.Op * sizeof(real))
    memcpy(net.pack_head_b, net.params + net.plan.head_b, net.plan.n_outputs * sizeof(real))
    if net.training:
        for block from 0 <= block < F // LANES by BLOCK_COLS:
            pack_transposed(net.pack_dhead + block * net.Op * LANES, W, D, net.plan.H, net.plan.Hp,
                            block, imin(BLOCK_COLS, F // LANES - block), row_of, net.Op)


cdef inline void pack_weights(Net* net) noexcept nogil:
    """Repack all weights: once a batch, because the optimiser has moved them."""
    cdef Layer* layer
    cdef idx k, task, blocks, threads
    for k in range(net.plan.n_layers):
        layer = &net.layers[k]
        threads = useful_threads(net.threads, 8.0 * layer.plan.slots * layer.plan.Hp
                                 * (layer.K + layer.plan.H))
        blocks = transposed_blocks(net, layer) if net.training else 0
        for task in prange(layer.plan.n_bundles + blocks, num_threads=threads,
                           use_threads_if=threads > 1, schedule='dynamic'):
            flush_denormals()
            if task < layer.plan.n_bundles:
                pack_layer(layer, task, net.training)
            else:
                pack_layer_transposed(net, layer, task - layer.plan.n_bundles)
            restore_worker(net.caller_mode)
    pack_head(net)


cdef inline idx share_moving(Net* net, idx width, idx rows) noexcept nogil:
    """Threads that move `rows` rows of `width` numbers, and the sequences of each: those whose steps
    it takes in the time loop too."""
    cdef idx threads = imin(useful_threads(net.threads, <double> MOVED * rows * width), net.B)
    share_rows(net, threads)
    return threads


cdef inline void load_batch(
    Net* net,
    const idx* offsets,    # in  (n_sequences + 1,)
    const real* values,    # in  (total_steps, D), or NULL
    const idx* tokens,     # in  (total_steps, n_columns), or NULL
    const idx* places,     # in  (total_steps,) among the distinct token rows, or NULL
    const idx* chosen,     # in  (B,) sequences of this batch
    idx B,
) noexcept nogil:
    """Sort the sequences of a batch by length and gather their steps into packed rows."""
    cdef idx b, part, threads
    sort_batch(net, offsets, chosen, B)
    threads = share_moving(net, net.plan.D, net.N)
    for part in prange(threads, num_threads=threads, use_threads_if=threads > 1,
                       schedule='static', chunksize=1):
        flush_denormals()
        for b in range(net.bounds[part], net.bounds[part + 1]):
            if not stopped(net.stop, <double> MOVED * net.lengths[b] * net.plan.D):
                gather_sequence(net, offsets, values, tokens, places, b)
        restore_worker(net.caller_mode)


cdef inline void project_tokens(
    Net* net,
    const idx* tokens,     # in  (n_distinct, n_columns)
) noexcept nogil:
    """Input projections of the distinct token rows: once for all batches of a prediction."""
    cdef idx u, c, task
    cdef idx blocks = (net.n_distinct + PRODUCT_ROWS - 1) // PRODUCT_ROWS
    cdef idx threads = useful_threads(net.threads, 2.0 * net.n_distinct * net.layers[0].plan.slots
                                      * net.layers[0].plan.Hp * net.layers[0].K)
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
        if not stopped(net.stop, 2.0 * PRODUCT_ROWS * net.layers[0].plan.slots
                       * net.layers[0].plan.Hp * net.layers[0].K):
            project(net, &net.layers[task // blocks], task % blocks * PRODUCT_ROWS,
                    imin(PRODUCT_ROWS, net.n_distinct - task % blocks * PRODUCT_ROWS))
        restore_worker(net.caller_mode)


cdef inline void draw_masks(Net* net) noexcept nogil:
    """Recurrent dropout: one mask a sequence for all its steps (Gal and Ghahramani 2016)."""
    cdef Layer* layer
    cdef idx k, n
    for k in range(net.plan.n_layers):
        layer = &net.layers[k]
        if layer.mask == NULL:
            continue
        for n in range(net.B * layer.plan.Hp):
            layer.mask[n] = 1
        dropout_rows(layer.mask, layer.mask, net.sequences, 0, net.B, 1, layer.plan.H, layer.plan.Hp,
                     net.recurrent_dropout, mix64(net.seed, 2 * (k + net.first_scan) + 1))


cdef inline void level_dropout(
    Net* net, real* out, const real* rows, idx n, const Layer* layer, idx level
) noexcept nogil:
    """Dropout of the outputs of the level of `layer` as level `level` (or the head) reads them."""
    cdef idx width = net.plan.n_directions * layer.plan.Hp, block
    cdef bint pooled = level == net.plan.n_levels and net.plan.pooling != ALL
    cdef const idx* ids = net.sequences if pooled else net.steps
    cdef idx threads = useful_threads(net.threads, <double> MOVED * n * width)
    for block in prange((n + PRODUCT_ROWS - 1) // PRODUCT_ROWS, num_threads=threads,
                        use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        if not stopped(net.stop, <double> MOVED * PRODUCT_ROWS * width):
            dropout_rows(out, rows, ids, block * PRODUCT_ROWS,
                         imin(n, (block + 1) * PRODUCT_ROWS),
                         net.plan.n_directions, layer.plan.H, layer.plan.Hp, net.dropout,
                         mix64(net.seed, 2 * level))
        restore_worker(net.caller_mode)


cdef inline void network_forward(Net* net) noexcept nogil:
    """Hidden states of all levels, features, logits."""
    layers_forward(net)
    if not stopped(net.stop, 0):
        head_forward(net)


cdef inline void layers_forward(Net* net) noexcept nogil:
    """Hidden states of all levels."""
    cdef Layer* layer
    cdef idx level, part, threads, parts, dirs = net.plan.n_directions
    draw_masks(net)
    for level in range(net.plan.n_levels):
        layer = &net.layers[level * dirs]
        if level > 0 and net.training and net.dropout > 0:
            level_dropout(net, net.dropped[level], (layer - dirs).y, net.N, layer - dirs, level)
        threads = useful_threads(net.threads, dirs * layer_flops(net, layer))
        parts = imin(pieces(threads, dirs), net.B)
        share_rows(net, parts)
        start_parts(net, layer, parts, 1, False)
        for part in prange(net.n_parts, num_threads=threads, use_threads_if=threads > 1,
                           schedule='static', chunksize=1):
            flush_denormals()
            forward_part(net, layer, part, threads > 1)
            restore_worker(net.caller_mode)
        if stopped(net.stop, 0):
            return


cdef inline void head_forward(Net* net) noexcept nogil:
    """Features (pooled, dropped out) and logits."""
    read_top(net)
    head_product(net)


cdef inline void read_top(Net* net) noexcept nogil:
    """Features: the top level's outputs, pooled, after dropout."""
    cdef Layer* top = &net.layers[net.plan.n_layers - net.plan.n_directions]
    cdef bint drops = net.training and net.dropout > 0
    cdef idx b, part, threads
    if net.plan.pooling == ALL:
        net.R = net.N
        if drops:
            level_dropout(net, net.features, top.y, net.R, top, net.plan.n_levels)
        else:
            net.features = top.y
        return
    net.R = net.B
    threads = share_moving(net, net.F, net.B if net.plan.pooling == LAST else net.N)
    for part in prange(threads, num_threads=threads, use_threads_if=threads > 1,
                       schedule='static', chunksize=1):
        flush_denormals()
        for b in range(net.bounds[part], net.bounds[part + 1]):
            if not stopped(net.stop, <double> MOVED * net.lengths[b] * net.F):
                pool_forward(net, b, net.features + b * net.F, net.argmax + b * net.F, 0,
                             net.lengths[b])
        restore_worker(net.caller_mode)
    if drops:
        level_dropout(net, net.features, net.features, net.R, top, net.plan.n_levels)


cdef inline void head_product(Net* net) noexcept nogil:
    """Logits of the features."""
    cdef idx r, D = net.plan.n_directions
    cdef idx threads = useful_threads(net.threads, 2.0 * net.R * net.F * net.Op)
    for r in prange((net.R + PRODUCT_ROWS - 1) // PRODUCT_ROWS, num_threads=threads,
                    use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        if not stopped(net.stop, 2.0 * PRODUCT_ROWS * net.F * net.Op):
            product(net.logits + r * PRODUCT_ROWS * net.Op, net.Op,
                    net.features + r * PRODUCT_ROWS * net.F, net.F,
                    imin(PRODUCT_ROWS, net.R - r * PRODUCT_ROWS),
                    (D - 1) * net.plan.Hp + net.plan.H, net.pack_head, net.Op // LANES,
                    net.pack_head_b, False)
        restore_worker(net.caller_mode)


cdef inline idx head_row(const Net* net, idx t, idx b) noexcept nogil:
    """Row of the head for step t of sequence b: one a step, or (t = 0) one a sequence."""
    return row_at(net, t, b) if net.plan.pooling == ALL else b


cdef inline idx target_of(const Net* net, const idx* offsets, idx t, idx b) noexcept nogil:
    """Where the target (and weight) of a head row stands in the user's arrays."""
    if net.plan.pooling == ALL:
        return offsets[net.order[b]] + t
    return net.sequences[b]


cdef inline idx target_of_row(const Net* net, const idx* offsets, idx r) noexcept nogil:
    """The same by the row: its step is the last t that starts at or before it in its slice."""
    cdef idx lo = 0, hi = net.T, s = 0, middle
    cdef const idx* first
    if net.plan.pooling != ALL:
        return net.sequences[r]
    while s + 1 < net.n_slices and r >= net.slice_rows[s + 1]:
        s += 1
    first = net.first + s * net.T
    while hi - lo > 1:
        middle = (lo + hi) // 2
        if first[middle] + net.slices[s] <= r:
            lo = middle
        else:
            hi = middle
    return target_of(net, offsets, lo, r - first[lo])


cdef struct BatchSize:
    double rows            # of the head that have a target
    double weight          # sum of their weights


cdef inline double row_weight(
    const idx* labels, const real* targets, const double* weights, idx at, idx M, BatchSize* size
) noexcept nogil:
    """Weight of a row, 0 where it has no target, which is added to the size of the batch."""
    cdef double weight = 1.0 if weights == NULL else weights[at]
    if (labels != NULL and labels[at] < 0) or (
        targets != NULL and all_missing(targets + at * M, M)
    ):
        return 0
    size.rows += 1
    size.weight += weight
    return weight


cdef inline double head_loss(
    Net* net,
    const idx* offsets,    # in  (n_sequences + 1,)
    const idx* labels,     # in  (n_targets,), or NULL; -1 does not count
    const real* targets,   # in  (n_targets, n_outputs), or NULL
    const double* weights, # in  (n_targets,), or NULL for ones
    BatchSize* size,       # out rows of the batch that have a target, and the sum of their weights
) noexcept nogil:
    """Loss of a batch, sum_r w_r l_r / rows over the rows that have a target, and dlogits.

    The batch's own weights do not divide it: a row weighs the same in whatever batch it stands.
    """
    cdef idx b, t, r, at, steps, threads, block, M = net.plan.n_targets
    cdef double loss = 0, rows
    size.rows, size.weight = 0, 0
    for b in range(net.B):
        steps = net.lengths[b] if net.plan.pooling == ALL else 1
        for t in range(steps):
            r = head_row(net, t, b)
            at = target_of(net, offsets, t, b)
            net.row_weight[r] = row_weight(labels, targets, weights, at, M, size)
    if net.whole_rows > 0:
        rows = net.whole_rows
    else:
        rows = size.rows
    if size.weight <= 0:
        memset(net.dlogits, 0, net.R * net.Op * sizeof(real))
        return 0
    if net.plan.loss == CRF:
        return crf_loss(net, offsets, labels, rows)
    threads = useful_threads(net.threads, 10.0 * net.R * net.Op)
    for block in prange(pieces(net.R, PRODUCT_ROWS), num_threads=threads,
                        use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        for r in range(block * PRODUCT_ROWS, imin(net.R, (block + 1) * PRODUCT_ROWS)):
            if stopped(net.stop, 10.0 * net.Op):
                break
            at = target_of_row(net, offsets, r)
            net.row_loss[r] = row_loss(
                net, net.dlogits + r * net.Op, net.logits + r * net.Op,
                imax(labels[at], 0) if labels != NULL else 0, targets + at * M,
                net.row_weight[r] / rows)
        restore_worker(net.caller_mode)
    for r in range(net.R):
        if net.row_weight[r] > 0:
            loss += net.row_weight[r] * net.row_loss[r]
    return loss / rows


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
    return gaussian_loss(dz, z, M, Op, y, weight)


cdef inline bint all_missing(const real* y, idx M) noexcept nogil:
    cdef idx j
    for j in range(M):
        if y[j] == y[j]:
            return False
    return True


cdef inline void head_backward(Net* net) noexcept nogil:
    """dW and db of the head, dfeatures, and dy of the top level, from dlogits. With pooling 'last'
    it is the gradient of the final states, to which it is added."""
    head_gradient(net)
    write_top(net)


cdef inline void head_gradient(Net* net) noexcept nogil:
    """dW and db of the head, and dfeatures, from dlogits."""
    cdef WeightGradient g
    cdef idx task, r, D = net.plan.n_directions
    cdef idx threads = useful_threads(net.threads, 4.0 * net.R * net.F * net.Op)
    g.runs, g.order, g.stop = NULL, 1, net.stop
    g.dW = net.grads + net.plan.head_w
    g.db = net.grads + net.plan.head_b
    g.dZ = net.dlogits
    g.ldz = net.Op
    g.cols = net.Op // LANES
    g.row_of = net.tables + net.plan.row_head
    g.X = net.features
    g.ldx = net.F
    g.segments = D
    g.width = net.plan.H
    g.stride = net.plan.Hp
    g.N = net.R
    cut_weight_tasks(&g, threads)
    for task in prange(weight_tasks(&g), num_threads=threads, use_threads_if=threads > 1,
                       schedule='dynamic'):
        flush_denormals()
        weight_gradient_task(&g, task, scratch_of(net, threadid()))
        restore_worker(net.caller_mode)
    for r in prange((net.R + PRODUCT_ROWS - 1) // PRODUCT_ROWS, num_threads=threads,
                    use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        if not stopped(net.stop, 2.0 * PRODUCT_ROWS * net.F * net.Op):
            product(net.dfeatures + r * PRODUCT_ROWS * net.F, net.F,
                    net.dlogits + r * PRODUCT_ROWS * net.Op, net.Op,
                    imin(PRODUCT_ROWS, net.R - r * PRODUCT_ROWS), net.Op, net.pack_dhead,
                    net.F // LANES, NULL, False)
        restore_worker(net.caller_mode)


cdef inline void write_top(Net* net) noexcept nogil:
    """dy of the top level from dfeatures."""
    cdef Layer* top = &net.layers[net.plan.n_layers - net.plan.n_directions]
    cdef idx b, part, threads
    if net.dropout > 0:
        level_dropout(net, net.dfeatures, net.dfeatures, net.R, top, net.plan.n_levels)
    if net.plan.pooling == ALL:
        return  # they are one
    if net.plan.pooling == LAST:
        for b in range(net.B):
            last_backward(net, b, net.dfeatures + b * net.F)
        return
    threads = share_moving(net, net.F, net.N)
    for part in prange(threads, num_threads=threads, use_threads_if=threads > 1,
                       schedule='static', chunksize=1):
        flush_denormals()
        for b in range(net.bounds[part], net.bounds[part + 1]):
            if not stopped(net.stop, <double> MOVED * net.lengths[b] * net.F):
                pool_backward(net, b, net.dfeatures + b * net.F, net.argmax + b * net.F, 0,
                              net.lengths[b])
        restore_worker(net.caller_mode)


cdef inline void input_gradient(
    const Net* net, const Layer* layers, real* dx, idx ld, idx block
) noexcept nogil:
    """dx = sum over directions of W_ih^T dz for one block of packed rows, forward first."""
    cdef idx d, row = block * PRODUCT_ROWS
    cdef const Layer* layer
    for d in range(net.plan.n_directions):
        layer = layers + d
        product(dx + row * ld, ld,
                layer.gates + row * layer.plan.slots * layer.plan.Hp + layer.plan.ih_start,
                layer.plan.slots * layer.plan.Hp, imin(PRODUCT_ROWS, net.N - row),
                layer.plan.ih_stop - layer.plan.ih_start, layer.pack_dx, ld // LANES, NULL, d > 0)


cdef inline void clear_state_gradients(Net* net) noexcept nogil:
    cdef Layer* layer
    cdef idx k
    for k in range(net.plan.n_layers):
        layer = &net.layers[k]
        memset(layer.dh, 0, net.B * layer.plan.Hp * sizeof(real))
        if layer.plan.has_c:
            memset(layer.dc, 0, net.B * layer.plan.Hp * sizeof(real))


# Zeros for every step, written, read and added, were 1 % of a fit at H = 128 and more below.
cdef inline void leave_out_top(Net* net) noexcept nogil:
    """Where only final states go to the head, let BPTT read no dy of the top level."""
    cdef idx k
    if net.plan.pooling == LAST:
        for k in range(net.plan.n_layers - net.plan.n_directions, net.plan.n_layers):
            net.layers[k].dy = NULL


cdef inline void layers_backward(Net* net) noexcept nogil:
    """BPTT from the top level's dy down; dh and dc hold what the final states get, on return what
    the initial states get."""
    cdef Layer* layer
    cdef idx level, part, threads, parts, block, ld, dirs = net.plan.n_directions
    cdef bint within
    cdef real* dx
    for level in range(net.plan.n_levels - 1, -1, -1):
        layer = &net.layers[level * dirs]
        threads = useful_threads(net.threads, dirs * layer_flops(net, layer))
        within = fused(net, layer, threads)
        parts = net.n_slices if within else imin(pieces(threads, dirs), net.B)
        share_rows(net, parts)
        start_parts(net, layer, parts, -1, within)
        for part in prange(net.n_parts, num_threads=threads, use_threads_if=threads > 1,
                           schedule='static', chunksize=1):
            flush_denormals()
            backward_part(net, layer, part, within, threads > 1)
            restore_worker(net.caller_mode)
        if stopped(net.stop, 0):
            return
        level_weight_gradients(net, layer, threads, within)
        add_slices(net, layer)
        if level == 0 and not net.wants_dx:
            return
        dx = net.dx if level == 0 else (layer - dirs).dy
        ld = net.ld_dx if level == 0 else (layer - dirs).ldy
        for block in prange(pieces(net.N, PRODUCT_ROWS), num_threads=threads,
                            use_threads_if=threads > 1, schedule='dynamic'):
            flush_denormals()
            if not stopped(net.stop, 2.0 * PRODUCT_ROWS * layer.plan.slots * layer.plan.Hp * ld):
                input_gradient(net, layer, dx, ld, block)
            restore_worker(net.caller_mode)
        if level > 0 and net.dropout > 0:
            level_dropout(net, dx, dx, net.N, layer - dirs, level)
    threads = useful_threads(net.threads, 100.0 * net.N * net.plan.n_columns)
    for block in prange(net.plan.n_columns, num_threads=threads, use_threads_if=threads > 1,
                        schedule='dynamic'):
        flush_denormals()
        if not stopped(net.stop, 100.0 * net.N):
            embedding_gradient(net, block)
        restore_worker(net.caller_mode)
