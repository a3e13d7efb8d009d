"""The workspace: every array of a pass, in one block that NumPy owns, carved up in one order.

`carve` runs twice: with base = NULL it only counts, so that Python can allocate (and raise
MemoryError) before any kernel starts; with the block it sets the pointers.
"""
from .types cimport (
    ALL, ATTENTION, BLOCK_COLS, EmbeddingColumn, LANES, MAX, Net, POOL_NUMBERS, Run, SLICES, Scan,
    ScanPlan, Task, ceil_div, idx, imax, padded, real,
)
from .weight_gradients cimport SliceSums, layer_size, weight_scratch

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
    cdef size_t taken = ceil_div(count * size, 64) * 64 + RED_ZONE
    arena.used += taken
    if RED_ZONE and here != NULL:
        unpoison(here, count * size)
        poison(here + count * size, taken - count * size)
    return here


cdef inline real* reals(Arena* arena, size_t count) noexcept nogil:
    return <real*> take(arena, count, sizeof(real))


cdef inline idx* indices(Arena* arena, size_t count) noexcept nogil:
    return <idx*> take(arena, count, sizeof(idx))


cdef inline idx row_width(const ScanPlan* plan) noexcept nogil:
    """Width of an input row as the matmuls see it: gaps between directions included."""
    return (plan.in_segments - 1) * plan.in_stride + plan.in_width


cdef inline bint keeps_h_in(const Net* net) noexcept nogil:
    """Recurrent dropout: dW_hh needs h_{t-1} times the mask. Otherwise it reads ws_y of the step
    before."""
    return net.training and net.recurrent_dropout > 0


cdef inline void carve_scan(
    Arena* arena, Net* net, Scan* scan, const ScanPlan* plan, idx B, idx N
) noexcept nogil:
    cdef idx Hp = plan.Hp
    cdef idx blocks = plan.n_column_blocks * BLOCK_COLS
    cdef idx ih = plan.ih_stop - plan.ih_start
    cdef idx hh = plan.hh_stop - plan.hh_start
    scan.plan = plan[0]
    scan.K = row_width(plan)
    scan.pack_x = reals(arena, ih * scan.K)
    scan.pack_h = reals(arena, hh * plan.H)
    scan.pack_b = reals(arena, blocks * LANES)
    scan.ws_h_in = reals(arena, (N if keeps_h_in(net) else B) * Hp)
    scan.h0 = reals(arena, B * Hp)
    scan.ws_c = reals(arena, plan.has_c * (N if net.training else B) * Hp)
    scan.c0 = reals(arena, plan.has_c * B * Hp)
    scan.ws_mask = NULL
    scan.projected = NULL
    if net.n_distinct > 0 and plan.layer == 0:
        scan.projected = reals(arena, net.n_distinct * blocks * LANES)
    if not net.training:
        return
    scan.pack_dh = reals(arena, hh * Hp)
    scan.pack_dx = reals(arena, ih * plan.in_segments * padded(plan.in_stride))
    scan.ws_gates = reals(arena, N * plan.saved * Hp)
    scan.dh = reals(arena, B * Hp)
    scan.dc = reals(arena, plan.has_c * B * Hp)
    if keeps_h_in(net):
        scan.ws_mask = reals(arena, B * Hp)


cdef inline void carve_batch(Arena* arena, Net* net, idx B, idx N, idx T) noexcept nogil:
    cdef idx C = net.plan.n_columns
    net.order = net.sequences = indices(arena, B)
    net.owners = NULL
    net.steps = indices(arena, N) if net.training and net.dropout > 0 else NULL
    net.lengths = indices(arena, B)
    net.active = indices(arena, T + 1)
    net.first = indices(arena, SLICES * T)
    net.scratch_buckets = indices(arena, T + 2)
    net.part_starts = indices(arena, imax(net.threads, SLICES) + 1)
    net.tasks = <Task*> take(arena, net.threads + 2 * SLICES, sizeof(Task))
    net.tokens = indices(arena, N * C)
    net.x = reals(arena, (N if net.n_distinct == 0 else 0) * net.plan.D)
    net.distinct_x = reals(arena, net.n_distinct * net.plan.D)
    net.places = indices(arena, N if net.n_distinct > 0 else 0)
    if net.plan.spelled > 0:
        net.words = indices(arena, N)
        net.scratch_word_order = indices(arena, 2 * N)
        net.scratch_word_starts = indices(arena, N + 1)
        net.distinct_words = indices(arena, N)
    if net.training:
        net.runs = <Run*> take(arena, net.plan.n_directions * SLICES * 2 * T, sizeof(Run))
        net.scratch_token_order = indices(arena, 2 * N * C)
        net.scratch_touched = indices(arena, (N + 1) * C)
        net.touched_rows = <idx**> take(arena, C, sizeof(idx*))
        net.n_touched = indices(arena, C)
        net.ld_dx = padded(net.plan.D)
        net.dx = reals(arena, N * net.ld_dx if net.wants_dx else 0)


cdef inline void carve_head(Arena* arena, Net* net, idx B, idx N) noexcept nogil:
    net.F = net.plan.n_directions * net.plan.Hp
    net.segments = net.plan.n_poolings * net.plan.n_directions
    net.P = net.segments * net.plan.Hp
    net.Op = padded(net.plan.n_outputs)
    net.R = N if net.plan.pooling == ALL else B
    net.ws_features = reals(arena, net.R * net.P)
    net.ws_argmax = indices(arena, B * net.F if net.plan.pooling & MAX else 0)
    net.pack_pool = reals(arena, net.F if net.plan.pooling & ATTENTION else 0)
    net.ws_shares = reals(arena, N if net.plan.pooling & ATTENTION else 0)
    net.pool_state = reals(arena, 0 if net.training else B * POOL_NUMBERS)
    if net.logit_rows > 0:
        net.logits = reals(arena, net.plan.n_outputs * net.logit_rows)
        net.scratch_turned = reals(arena, net.segments * net.plan.H * net.logit_rows)
    else:
        net.logits = reals(arena, net.R * net.Op)
        net.pack_head = reals(arena, net.P * net.Op)
        net.pack_head_b = reals(arena, net.Op)
    if net.training:
        if net.logit_rows == 0:
            net.dlogits = reals(arena, net.R * net.Op)
            net.pack_dhead = reals(arena, net.P * net.Op)
        net.dfeatures = net.dy[(net.plan.n_layers - 1) % 2]
        if net.plan.pooling != ALL:
            net.dfeatures = reals(arena, net.R * net.P)
        net.scratch_pool_grads = reals(arena, B * net.F if net.plan.pooling & ATTENTION else 0)
        net.scratch_row_loss = <double*> take(arena, imax(net.R, B), sizeof(double))
        net.scratch_row_weight = <double*> take(arena, net.R, sizeof(double))
        net.scratch_squares = <double*> take(arena, 2 * net.plan.n_chunks, sizeof(double))
    if net.paths:
        carve_paths(arena, net, B, N)


cdef inline void carve_paths(Arena* arena, Net* net, idx B, idx N) noexcept nogil:
    cdef idx K = net.plan.n_outputs
    net.crf_scores = reals(arena, (K + 2) * net.Op)
    net.crf_columns = reals(arena, (K + 1) * net.Op)
    net.crf_rows = reals(arena, (K + 1) * net.Op)
    net.scratch_crf_alpha = reals(arena, N * net.Op)
    net.scratch_crf_sums = reals(arena, N * net.Op)
    net.scratch_crf = reals(arena, net.threads * 4 * net.Op)
    net.scratch_crf_grads = reals(arena, B * (K + 2) * net.Op if net.training else 0)


cdef inline size_t carve(
    char* base,
    Net* net,              # out: plan, training, wants_dx, threads and dropout are set already
    const ScanPlan* plans,
    idx B,
    idx N,
    idx T,
) noexcept nogil:
    """Set every pointer of `net` for batches of at most B sequences, N steps, T steps each."""
    cdef Arena arena
    cdef Scan unused
    cdef Scan* scan
    cdef idx k, width = 0
    cdef real* y = NULL
    cdef idx n_directions = net.plan.n_directions
    arena.base = base
    arena.used = 0
    net.scans = <Scan*> take(&arena, net.plan.n_scans, sizeof(Scan))
    net.ws_dropped = <real**> take(&arena, net.plan.n_layers + 1, sizeof(real*))
    carve_batch(&arena, net, B, N, T)
    for k in range(net.plan.n_scans):
        scan = &unused if base == NULL else &net.scans[k]
        carve_scan(&arena, net, scan, &plans[k], B, N)
        width = imax(width, n_directions * plans[k].Hp)
        if k % n_directions == 0:
            connect_input(&arena, net, scan, y, N)
            y = reals(&arena, N * n_directions * plans[k].Hp)
        elif base != NULL:
            scan.x = net.scans[k - 1].x
            scan.ldx = net.scans[k - 1].ldx
        scan.ldy = n_directions * plans[k].Hp
        if base != NULL:
            scan.ws_y = y + (k % n_directions) * plans[k].Hp
    if net.training:
        net.dy[0] = reals(&arena, N * width)
        net.dy[1] = reals(&arena, N * width if net.plan.n_layers > 1 else 0)
        for k in range(net.plan.n_scans if base != NULL else 0):
            scan = &net.scans[k]
            scan.dy = net.dy[scan.plan.layer % 2] + (k % n_directions) * scan.plan.Hp
        net.slice_size = 0
        for k from 0 <= k < net.plan.n_scans by n_directions:
            net.slice_size = imax(
                net.slice_size, layer_size(&plans[k], &plans[k + n_directions - 1]))
        net.scratch_slice_grads = reals(&arena, (SLICES - 1) * net.slice_size)
        net.scratch_size = weight_scratch()
        net.scratch = reals(&arena, imax(net.threads, 2 * SLICES) * net.scratch_size)
        net.scratch_sums = take(&arena, n_directions * SLICES, sizeof(SliceSums))
    carve_head(&arena, net, B, N)
    return arena.used


cdef inline void connect_input(
    Arena* arena, Net* net, Scan* scan, real* below, idx N
) noexcept nogil:
    """What a layer reads: the batch, the layer below, or a dropped-out copy of the layer below."""
    cdef idx layer = scan.plan.layer
    cdef idx ld = scan.plan.in_segments * scan.plan.in_stride
    cdef real* copy = NULL
    if layer == 0:
        scan.x = net.x
        scan.ldx = net.plan.D
        return
    scan.ldx = ld
    scan.x = below
    if net.training and net.dropout > 0:
        copy = reals(arena, N * ld)
        scan.x = copy
    if arena.base != NULL:
        net.ws_dropped[layer] = copy


cdef inline void connect_parameters(
    Net* net, const idx* tables, real* params, real* grads
) noexcept nogil:
    cdef Scan* scan
    cdef idx k
    net.tables = tables
    net.columns = <const EmbeddingColumn*> (tables + net.plan.columns)
    net.params = params
    net.grads = grads
    for k in range(net.plan.n_scans):
        scan = &net.scans[k]
        scan.block_x = tables + scan.plan.block_x
        scan.block_h = tables + scan.plan.block_h
        scan.row_ih = tables + scan.plan.row_ih
        scan.row_hh = tables + scan.plan.row_hh
        scan.w_ih = params + scan.plan.w_ih
        scan.w_hh = params + scan.plan.w_hh
        scan.b_ih = params + scan.plan.b_ih
        scan.b_hh = params + scan.plan.b_hh
        if grads != NULL:
            scan.dw_ih = grads + scan.plan.w_ih
            scan.dw_hh = grads + scan.plan.w_hh
            scan.db_ih = grads + scan.plan.b_ih
            scan.db_hh = grads + scan.plan.b_hh
