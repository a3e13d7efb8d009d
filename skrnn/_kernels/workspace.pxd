"""Where every array of a pass lies: one block that NumPy owns, carved up in one order.

`carve` runs twice: with base = NULL it only counts, so that Python can allocate (and raise
MemoryError) before any kernel starts; with the block it sets the pointers.
"""
from .types cimport (
    ALL, BLOCK_COLS, EmbeddingColumn, LANES, Layer, LayerPlan, MAX, Net, Part, Run, SLICES, idx,
    imax, padded, real,
)
from .weight_gradients cimport SliceSums, level_size, weight_scratch

cdef extern from *:
    """
    /* All arrays lie in one block: for AddressSanitizer (tests/sanitize.sh) a red zone between them
     * makes the end of one what the end of the block is. */
    #ifdef __SANITIZE_ADDRESS__
    #include <sanitizer/asan_interface.h>
    #define RED_ZONE 64
    #else
    #define RED_ZONE 0
    #define ASAN_POISON_MEMORY_REGION(start, size) ((void) 0)
    #define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void) 0)
    #endif
    """
    size_t RED_ZONE
    void poison "ASAN_POISON_MEMORY_REGION" (void* start, size_t size) nogil
    void unpoison "ASAN_UNPOISON_MEMORY_REGION" (void* start, size_t size) nogil

cdef struct Arena:
    char* base
    size_t used


cdef inline void* take(Arena* arena, size_t count, size_t size) noexcept nogil:
    """`count` items at a multiple of 64 bytes, the widest vector and a cache line."""
    cdef char* here = arena.base + arena.used if arena.base != NULL else NULL
    cdef size_t taken = (count * size + 63) // 64 * 64 + RED_ZONE
    arena.used += taken
    if RED_ZONE and here != NULL:
        unpoison(here, count * size)
        poison(here + count * size, taken - count * size)
    return here


cdef inline real* reals(Arena* arena, size_t count) noexcept nogil:
    return <real*> take(arena, count, sizeof(real))


cdef inline idx* indices(Arena* arena, size_t count) noexcept nogil:
    return <idx*> take(arena, count, sizeof(idx))


cdef inline idx row_width(const LayerPlan* plan) noexcept nogil:
    """Width of an input row as the matmuls see it: gaps between directions included."""
    return (plan.in_segments - 1) * plan.in_stride + plan.in_width


cdef inline bint keeps_h_in(const Net* net) noexcept nogil:
    """Recurrent dropout: dW_hh needs h_{t-1} times the mask. Otherwise it reads y a step before."""
    return net.training and net.recurrent_dropout > 0


cdef inline void carve_layer(
    Arena* arena, Net* net, Layer* layer, const LayerPlan* plan, idx B, idx N
) noexcept nogil:
    cdef idx Hp = plan.Hp
    cdef idx blocks = plan.n_bundles * BLOCK_COLS
    cdef idx ih = plan.ih_stop - plan.ih_start
    cdef idx hh = plan.hh_stop - plan.hh_start
    layer.plan = plan[0]
    layer.K = row_width(plan)
    layer.pack_x = reals(arena, ih * layer.K)
    layer.pack_h = reals(arena, hh * plan.H)
    layer.pack_b = reals(arena, blocks * LANES)
    layer.h_in = reals(arena, (N if keeps_h_in(net) else B) * Hp)
    layer.h0 = reals(arena, B * Hp)
    layer.c = reals(arena, plan.has_c * (N if net.training else B) * Hp)
    layer.c0 = reals(arena, plan.has_c * B * Hp)
    layer.mask = NULL
    layer.projected = NULL
    if net.n_distinct > 0 and plan.level == 0:
        layer.projected = reals(arena, net.n_distinct * blocks * LANES)
    if not net.training:
        return
    layer.pack_dh = reals(arena, hh * Hp)
    layer.pack_dx = reals(arena, ih * plan.in_segments * padded(plan.in_stride))
    layer.gates = reals(arena, N * plan.slots * Hp)
    layer.dh = reals(arena, B * Hp)
    layer.dc = reals(arena, plan.has_c * B * Hp)
    if keeps_h_in(net):
        layer.mask = reals(arena, B * Hp)


cdef inline void carve_batch(Arena* arena, Net* net, idx B, idx N, idx T) noexcept nogil:
    cdef idx C = net.plan.n_columns
    net.order = net.sequences = indices(arena, B)
    net.owners = NULL
    net.steps = indices(arena, N) if net.training and net.dropout > 0 else NULL
    net.lengths = indices(arena, B)
    net.active = indices(arena, T + 1)
    net.first = indices(arena, SLICES * T)
    net.buckets = indices(arena, T + 2)
    net.bounds = indices(arena, imax(net.threads, SLICES) + 1)
    net.parts = <Part*> take(arena, net.threads + 2 * SLICES, sizeof(Part))
    net.tokens = indices(arena, N * C)
    net.x = reals(arena, (N if net.n_distinct == 0 else 0) * net.plan.D)
    net.distinct_x = reals(arena, net.n_distinct * net.plan.D)
    net.places = indices(arena, N if net.n_distinct > 0 else 0)
    if net.training:
        net.runs = <Run*> take(arena, net.plan.n_directions * SLICES * 2 * T, sizeof(Run))
        net.token_order = indices(arena, 2 * N * C)
        net.touched = indices(arena, (N + 1) * C)
        net.touched_rows = <idx**> take(arena, C, sizeof(idx*))
        net.n_touched = indices(arena, C)
        net.ld_dx = padded(net.plan.D)
        net.dx = reals(arena, N * net.ld_dx if net.wants_dx else 0)


cdef inline void carve_head(Arena* arena, Net* net, idx B, idx N) noexcept nogil:
    net.F = net.plan.n_directions * net.plan.Hp
    net.Op = padded(net.plan.n_outputs)
    net.R = N if net.plan.pooling == ALL else B
    net.features = reals(arena, net.R * net.F)
    net.argmax = indices(arena, B * net.F if net.plan.pooling == MAX else 0)
    net.logits = reals(arena, net.R * net.Op)
    net.pack_head = reals(arena, net.F * net.Op)
    net.pack_head_b = reals(arena, net.Op)
    if net.training:
        net.dlogits = reals(arena, net.R * net.Op)
        net.dfeatures = net.dy[(net.plan.n_levels - 1) % 2]
        if net.plan.pooling != ALL:
            net.dfeatures = reals(arena, net.R * net.F)
        net.pack_dhead = reals(arena, net.F * net.Op)
        net.row_loss = <double*> take(arena, imax(net.R, B), sizeof(double))
        net.row_weight = <double*> take(arena, net.R, sizeof(double))
        net.partial = <double*> take(arena, 2 * net.plan.n_chunks, sizeof(double))
    if net.paths:
        carve_paths(arena, net, B, N)


cdef inline void carve_paths(Arena* arena, Net* net, idx B, idx N) noexcept nogil:
    cdef idx K = net.plan.n_outputs
    net.crf_scores = reals(arena, (K + 2) * net.Op)
    net.crf_columns = reals(arena, (K + 1) * net.Op)
    net.crf_rows = reals(arena, (K + 1) * net.Op)
    net.crf_alpha = reals(arena, N * net.Op)
    net.crf_sums = reals(arena, N * net.Op)
    net.crf_scratch = reals(arena, net.threads * 4 * net.Op)
    net.crf_grads = reals(arena, B * (K + 2) * net.Op if net.training else 0)


cdef inline size_t carve(
    char* base,
    Net* net,              # out: plan, training, wants_dx, threads and dropout are set already
    const LayerPlan* plans,
    idx B,
    idx N,
    idx T,
) noexcept nogil:
    """Set every pointer of `net` for batches of at most B sequences, N steps, T steps each."""
    cdef Arena arena
    cdef Layer unused
    cdef Layer* layer
    cdef idx k, level, width = 0
    cdef real* y = NULL
    cdef idx n_directions = net.plan.n_directions
    arena.base = base
    arena.used = 0
    net.layers = <Layer*> take(&arena, net.plan.n_layers, sizeof(Layer))
    net.dropped = <real**> take(&arena, net.plan.n_levels + 1, sizeof(real*))
    carve_batch(&arena, net, B, N, T)
    for k in range(net.plan.n_layers):
        layer = &unused if base == NULL else &net.layers[k]
        carve_layer(&arena, net, layer, &plans[k], B, N)
        width = imax(width, n_directions * plans[k].Hp)
        if k % n_directions == 0:
            level = k // n_directions
            connect_input(&arena, net, layer, y, N)
            y = reals(&arena, N * n_directions * plans[k].Hp)
        elif base != NULL:
            layer.x = net.layers[k - 1].x
            layer.ldx = net.layers[k - 1].ldx
        layer.ldy = n_directions * plans[k].Hp
        if base != NULL:
            layer.y = y + (k % n_directions) * plans[k].Hp
    if net.training:
        net.dy[0] = reals(&arena, N * width)
        net.dy[1] = reals(&arena, N * width if net.plan.n_levels > 1 else 0)
        for k in range(net.plan.n_layers if base != NULL else 0):
            layer = &net.layers[k]
            layer.dy = net.dy[layer.plan.level % 2] + (k % n_directions) * layer.plan.Hp
        net.slice_size = 0
        for k from 0 <= k < net.plan.n_layers by n_directions:
            net.slice_size = imax(
                net.slice_size, level_size(&plans[k], &plans[k + n_directions - 1]))
        net.slice_grads = reals(&arena, (SLICES - 1) * net.slice_size)
        net.scratch_size = weight_scratch()
        net.scratch = reals(&arena, imax(net.threads, 2 * SLICES) * net.scratch_size)
        net.sums = take(&arena, n_directions * SLICES, sizeof(SliceSums))
    carve_head(&arena, net, B, N)
    return arena.used


cdef inline void connect_input(
    Arena* arena, Net* net, Layer* layer, real* below, idx N
) noexcept nogil:
    """What a level reads: the batch, the level below, or a dropped-out copy of the level below."""
    cdef idx level = layer.plan.level
    cdef idx ld = layer.plan.in_segments * layer.plan.in_stride
    cdef real* copy = NULL
    if level == 0:
        layer.x = net.x
        layer.ldx = net.plan.D
        return
    layer.ldx = ld
    layer.x = below
    if net.training and net.dropout > 0:
        copy = reals(arena, N * ld)
        layer.x = copy
    if arena.base != NULL:
        net.dropped[level] = copy


cdef inline void connect_parameters(
    Net* net, const idx* tables, real* params, real* grads
) noexcept nogil:
    cdef Layer* layer
    cdef idx k
    net.tables = tables
    net.columns = <const EmbeddingColumn*> (tables + net.plan.columns)
    net.params = params
    net.grads = grads
    for k in range(net.plan.n_layers):
        layer = &net.layers[k]
        layer.bundle_x = tables + layer.plan.bundle_x
        layer.bundle_h = tables + layer.plan.bundle_h
        layer.row_ih = tables + layer.plan.row_ih
        layer.row_hh = tables + layer.plan.row_hh
        layer.w_ih = params + layer.plan.w_ih
        layer.w_hh = params + layer.plan.w_hh
        layer.b_ih = params + layer.plan.b_ih
        layer.b_hh = params + layer.plan.b_hh
        if grads != NULL:
            layer.dw_ih = grads + layer.plan.w_ih
            layer.dw_hh = grads + layer.plan.w_hh
            layer.db_ih = grads + layer.plan.b_ih
            layer.db_hh = grads + layer.plan.b_hh
