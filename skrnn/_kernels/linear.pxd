"""Matrix products on the register tile: packing weights, Y = X W^T, and dW = dZ^T X."""
from libc.string cimport memset

from .core cimport (
    BLOCK_COLS, LANES, Run, Stop, TILE_COLS, TILE_ROWS, fetch_l2, idx, imin, real, tile, tile_rows,
    vec,
)
from .stopping cimport stopped

cdef enum:
    # Rows of dZ, a panel, summed in registers before the sum goes to memory. The order of every sum
    # follows from this constant and `order`.
    SUM_ROWS = 128
    # Most input columns, and most blocks of vector columns of dZ, that one task of a weight
    # gradient takes: its running sums (200 KiB) then stay in a level-2 cache while it goes once
    # through the packed rows. At H = 512 tasks of a quarter of each read twice as much memory and
    # took twice as long.
    SUM_COLS = 192
    SUM_BLOCKS = 4
    MOST_TASKS = 32        # of the two products of a slice within the time loop

cdef struct WeightGradient:
    real* dW               # out (rows, segments * width)
    real* db               # out (rows,) or NULL
    const real* dZ         # in  (N, ldz), from the first slot that matters
    idx ldz
    idx cols               # vector columns of dZ
    const idx* row_of      # in  (cols * LANES,) row of dW for each slot, -1 for padding
    const real* X          # in  (N, ldx)
    idx ldx
    const Run* runs        # in  (n_runs,) row of X for each of dZ, or NULL: the same
    idx n_runs
    const real* X0         # in  (B, ldx0) initial states, for runs
    idx ldx0
    idx segments           # as in pack_bundle
    idx width
    idx stride
    idx N
    idx order              # 1: rows are added from the first on; -1: panels from the last back
    idx run                # input columns of a task
    idx blocks             # blocks of vector columns of a task
    Stop* stop

cdef struct WeightTask:
    const WeightGradient* g
    idx first              # vector column of dZ
    idx blocks
    idx segment            # input columns k0 .. k0 + K of it
    idx k0
    idx K
    bint with_bias
    idx run                # of g.runs, where the sums have arrived
    idx ld                 # vectors of sums of a block
    vec* sums              # (blocks, ld): K rounded up to tiles, BLOCK_COLS
    vec[SUM_BLOCKS * BLOCK_COLS] bias

cdef struct SliceSums:
    # Both products of a slice in one direction, as far as they have come within the time loop.
    WeightGradient ih
    WeightGradient hh
    idx panel              # the next panel to add
    idx n
    WeightTask[MOST_TASKS] tasks


cdef inline void pack_bundle(
    real* out,             # out (cols / TILE_COLS, K, TILE_COLS, LANES), narrower last group
    const real* W,         # in  (rows, segments * width)
    idx segments,          # the input row: `segments` pieces of `width` numbers, each starting
    idx width,             #     `stride` after the one before; K spans them, gaps get zeros
    idx stride,
    const idx* starts,     # in  (cols,) slot where each vector column starts
    idx cols,
    const idx* row_of,     # in  row of W for each slot, -1 for padding
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
    idx segments,          # as in pack_bundle; `stride` is a multiple of LANES
    idx width,
    idx stride,
    idx first,             # vector columns first .. first + cols of the (segments * stride) wide row
    idx cols,
    const idx* row_of,     # in  (K,) row of W for each slot, -1 for padding
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


cdef inline void product(
    real* out,             # out (rows, ldo): A W^T, plus `bias`, or plus what stands there
    idx ldo,
    const real* A,         # in  (rows, lda)
    idx lda,
    idx rows,
    idx K,
    const real* packed,    # in  vector columns in blocks of BLOCK_COLS, each (K, block)
    idx cols,              # vector columns
    const real* bias,      # in  (cols * LANES,) or NULL
    bint accumulate,
) noexcept nogil:
    cdef vec zeros[BLOCK_COLS]
    cdef const real* start
    cdef idx block, r0, start_row
    cdef real* to
    memset(zeros, 0, sizeof(zeros))
    for block from 0 <= block < cols by BLOCK_COLS:
        for r0 from 0 <= r0 < rows by TILE_ROWS:
            to = out + r0 * ldo + block * LANES
            start, start_row = to, ldo
            if not accumulate:
                start = <const real*> zeros if bias == NULL else bias + block * LANES
                start_row = 0
            tile(imin(TILE_ROWS, rows - r0), imin(BLOCK_COLS, cols - block), K, A + r0 * lda, lda,
                 1, packed + block * K * LANES, start, start_row, to, ldo)


cdef inline idx pieces(idx n, idx size) noexcept nogil:
    return (n + size - 1) // size


cdef inline idx weight_tasks(const WeightGradient* g) noexcept nogil:
    """How many tasks the product is cut into."""
    return pieces(pieces(g.cols, BLOCK_COLS), g.blocks) * g.segments * pieces(g.width, g.run)


cdef inline void cut_weight_tasks(WeightGradient* g, idx threads) noexcept nogil:
    """Choose the size of the tasks: as large as possible, but three for each of several threads.

    No result depends on it: a task computes whole sums, whichever of them are its own.
    """
    cdef idx wanted = 3 * threads if threads > 1 else 1
    g.run = SUM_COLS
    g.blocks = SUM_BLOCKS
    while weight_tasks(g) < wanted and g.blocks > 1:
        g.blocks //= 2
    while weight_tasks(g) < wanted and g.run > 2 * TILE_ROWS:
        g.run //= 2


cdef inline size_t weight_scratch() noexcept nogil:
    """Numbers of scratch that a thread needs for weight gradients: two tasks of the largest size."""
    return 2 * SUM_BLOCKS * (SUM_COLS + 2 * TILE_ROWS) * BLOCK_COLS * LANES


cdef inline idx sums_size(const WeightGradient* g) noexcept nogil:
    """Numbers that the sums of all tasks of a product take."""
    cdef idx columns = g.segments * pieces(g.width, TILE_ROWS) * TILE_ROWS
    return pieces(g.cols, BLOCK_COLS) * columns * BLOCK_COLS * LANES


# dW[row_of[j], k] = sum over rows n of dZ[n, j] * X[n, k]       db[row_of[j]] = sum over n dZ[n, j]
#
# Computed transposed: the tile broadcasts X and has the slots j along lanes, where dZ already has
# them. Every sum runs over n in panels of SUM_ROWS, in one order, whoever computes it.
cdef inline void weight_gradient_task(
    const WeightGradient* g,
    idx task,
    real* scratch,         # (weight_scratch(),) of this thread, at a multiple of 64 bytes
) noexcept nogil:
    cdef WeightTask w
    start_task(&w, g, task, scratch)
    finish_task(&w, 0)


cdef inline void finish_task(WeightTask* w, idx panel) noexcept nogil:
    """Add all panels from `panel` on, and write the sums to dW and db."""
    cdef idx p
    for p in range(panel, panels(w.g)):
        if stopped(w.g.stop, 2.0 * SUM_ROWS * w.blocks * BLOCK_COLS * LANES * w.K):
            return
        add_panel(w, p)
    write_task(w)


cdef inline void start_task(
    WeightTask* w, const WeightGradient* g, idx task, real* scratch
) noexcept nogil:
    """Say which part of the product task `task` is, and clear its sums."""
    cdef idx runs = pieces(g.width, g.run)
    w.g = g
    w.first = task // (g.segments * runs) * g.blocks * BLOCK_COLS
    w.segment = task // runs % g.segments
    w.k0 = task % runs * g.run
    w.K = imin(g.run, g.width - w.k0)
    w.blocks = imin(g.blocks, pieces(g.cols - w.first, BLOCK_COLS))
    w.ld = pieces(w.K, TILE_ROWS) * TILE_ROWS * BLOCK_COLS
    w.with_bias = g.db != NULL and w.segment == 0 and w.k0 == 0
    w.run = 0
    w.sums = <vec*> scratch
    memset(w.sums, 0, w.blocks * w.ld * sizeof(vec))
    memset(w.bias, 0, sizeof(w.bias))


cdef inline idx panels(const WeightGradient* g) noexcept nogil:
    return pieces(g.N, SUM_ROWS)


cdef inline idx panel_start(const WeightGradient* g, idx panel) noexcept nogil:
    """First row of the panel that is added as number `panel`."""
    return (panel if g.order > 0 else panels(g) - 1 - panel) * SUM_ROWS


cdef inline bint is_complete(const WeightGradient* g, idx panel, idx done) noexcept nogil:
    """Whether the loop that fills dZ in this order has come to `done` beyond panel `panel`."""
    cdef idx n0 = panel_start(g, panel)
    return imin(n0 + SUM_ROWS, g.N) <= done if g.order > 0 else n0 >= done


cdef inline void add_panel(WeightTask* w, idx panel) noexcept nogil:
    """Add SUM_ROWS rows (the last few are fewer) to the sums of a task."""
    cdef const WeightGradient* g = w.g
    cdef real one = 1
    cdef const real* x
    cdef const real* z
    cdef real* sum
    cdef idx n, ldx, k, b, col, cols
    cdef idx n0 = panel_start(g, panel)
    cdef idx stop = imin(n0 + SUM_ROWS, g.N)
    while n0 < stop:
        n = imin(neighbours(g, n0, &w.run, &x, &ldx), stop - n0)
        x += w.segment * g.stride + w.k0
        for b in range(w.blocks):
            col = w.first + b * BLOCK_COLS
            cols = imin(BLOCK_COLS, g.cols - col)
            z = g.dZ + n0 * g.ldz + col * LANES
            for k from 0 <= k < w.K by TILE_ROWS:
                fetch_next(w, n0, n, x, ldx, b, k)
                sum = <real*> (w.sums + b * w.ld + k * BLOCK_COLS)
                tile_rows(imin(TILE_ROWS, w.K - k), cols, n, x + k, 1, ldx, z, g.ldz,
                          sum, BLOCK_COLS * LANES, sum, BLOCK_COLS * LANES)
            if w.with_bias:
                sum = <real*> (w.bias + b * BLOCK_COLS)
                tile_rows(1, cols, n, &one, 0, 0, z, g.ldz, sum, 0, sum, 0)
        n0 += n


cdef inline void write_task(const WeightTask* w) noexcept nogil:
    """Write a task's sums where they belong in dW and db."""
    cdef const WeightGradient* g = w.g
    cdef idx b, col, cols
    for b in range(w.blocks):
        col = w.first + b * BLOCK_COLS
        cols = imin(BLOCK_COLS, g.cols - col)
        write_transposed(g.dW, g.segments * g.width, w.segment * g.width + w.k0, w.K,
                         w.sums + b * w.ld, cols, g.row_of + col * LANES)
        if w.with_bias:
            write_transposed(g.db, 1, 0, 1, w.bias + b * BLOCK_COLS, cols,
                             g.row_of + col * LANES)


cdef inline idx neighbours(
    const WeightGradient* g, idx n0, idx* run, const real** x, idx* ldx
) noexcept nogil:
    """How many rows from n0 on are neighbours in X as they are in dZ, and where in X."""
    cdef idx source, stop = g.N
    x[0], ldx[0] = g.X + n0 * g.ldx, g.ldx
    if g.runs != NULL:
        while g.runs[run[0]].start > n0:
            run[0] -= 1
        while run[0] + 1 < g.n_runs and g.runs[run[0] + 1].start <= n0:
            run[0] += 1
        if run[0] + 1 < g.n_runs:
            stop = g.runs[run[0] + 1].start
        source = g.runs[run[0]].source
        if source < 0:
            x[0], ldx[0] = g.X0 + (-1 - source) * g.ldx0, g.ldx0
        else:
            x[0] = g.X + source * g.ldx
        x[0] += (n0 - g.runs[run[0]].start) * ldx[0]
    return stop - n0


# Without it a sixth of the time of these sums is waiting for memory. Where a run ends the guess at
# the next rows of X is wrong, and no more.
cdef inline void fetch_next(
    const WeightTask* w, idx n0, idx n, const real* x, idx ldx, idx b, idx k
) noexcept nogil:
    """While the tile at input column k is computed, fetch its share of what comes next: the next
    block of dZ of the same n rows or, after the last, rows of the next panel of both dZ and X."""
    cdef const WeightGradient* g = w.g
    cdef idx tiles = pieces(w.K, TILE_ROWS), part = k // TILE_ROWS
    cdef idx r, col, cols
    b += 1
    if b == w.blocks:
        b, n0, x = 0, n0 + g.order * SUM_ROWS, x + g.order * SUM_ROWS * ldx
        n = imin(n, g.N - n0) if n0 >= 0 else 0
    col = w.first + b * BLOCK_COLS
    cols = imin(BLOCK_COLS, g.cols - col)
    for r in range(n * part // tiles, n * (part + 1) // tiles):
        fetch_l2(g.dZ + (n0 + r) * g.ldz + col * LANES, cols * LANES)
        if b == 0:
            fetch_l2(x + r * ldx, w.K)


cdef inline void write_transposed(
    real* dW,              # out (rows, ld), columns at .. at + K
    idx ld,
    idx at,
    idx K,
    const vec* sums,       # in  (K, BLOCK_COLS)
    idx cols,
    const idx* row_of,     # in  (cols * LANES,)
) noexcept nogil:
    cdef const real* source = <const real*> sums
    cdef idx j, k, row
    for j in range(cols * LANES):
        row = row_of[j]
        if row < 0:
            continue
        for k in range(K):
            dW[row * ld + at + k] = source[k * BLOCK_COLS * LANES + j]
