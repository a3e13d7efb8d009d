"""Weight gradients dW = dZ^T X, by slices of the batch and tiles of dW: within the time loop where
they are small, after it where they are large or there are threads to share them."""
from cython.parallel cimport prange, threadid
from libc.string cimport memset

from .denormals cimport flush_denormals, restore_worker
from .stopping cimport stopped
from .types cimport (
    BLOCK_COLS, LANES, Net, Run, SLICES, Scan, ScanPlan, Stop, TILE_ROWS, ceil_div, fetch_l2, idx,
    imin, real, tile_rows, useful_threads, vec,
)


cdef inline idx layer_size(const ScanPlan* first, const ScanPlan* last) noexcept nogil:
    """Parameters of a layer: they lie side by side, from its first direction's W_ih on."""
    return last.b_hh + (last.b_hh - last.b_ih) - first.w_ih


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
    const real* dZ         # in  (N, ldz), from the first gate column that matters
    idx ldz
    idx cols               # vector columns of dZ
    const idx* row_of      # in  (cols * LANES,) row of dW for each gate column, -1 for padding
    const real* X          # in  (N, ldx)
    idx ldx
    const Run* runs        # in  (n_runs,) row of X for each of dZ, or NULL: the same
    idx n_runs
    const real* X0         # in  (B, ldx0) initial states, for runs
    idx ldx0
    idx segments           # as in pack_column_block
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


cdef inline idx weight_tasks(const WeightGradient* g) noexcept nogil:
    """How many tasks the product is cut into."""
    return ceil_div(ceil_div(g.cols, BLOCK_COLS), g.blocks) * g.segments * ceil_div(g.width, g.run)


cdef inline void cut_weight_tasks(WeightGradient* g, idx threads) noexcept nogil:
    """Choose the size of the tasks: as large as possible, but three for each of several threads.

    No result depends on it: a task computes whole sums, whichever of them are its own.
    """
    cdef idx least_tasks = 3 * threads if threads > 1 else 1
    g.run = SUM_COLS
    g.blocks = SUM_BLOCKS
    while weight_tasks(g) < least_tasks and g.blocks > 1:
        g.blocks //= 2
    while weight_tasks(g) < least_tasks and g.run > 2 * TILE_ROWS:
        g.run //= 2


cdef inline size_t weight_scratch() noexcept nogil:
    """Numbers of scratch that a thread needs for weight gradients: two tasks of the largest
    size."""
    return 2 * SUM_BLOCKS * (SUM_COLS + 2 * TILE_ROWS) * BLOCK_COLS * LANES


cdef inline idx sums_size(const WeightGradient* g) noexcept nogil:
    """Numbers that the sums of all tasks of a product take."""
    cdef idx columns = g.segments * ceil_div(g.width, TILE_ROWS) * TILE_ROWS
    return ceil_div(g.cols, BLOCK_COLS) * columns * BLOCK_COLS * LANES


# dW[row_of[j], k] = sum over rows n of dZ[n, j] * X[n, k]       db[row_of[j]] = sum over n dZ[n, j]
#
# Computed transposed: the tile broadcasts X and has the gate columns j along lanes, where dZ
# already has them. Every sum runs over n in panels of SUM_ROWS, in one order, whoever computes it.
cdef inline void weight_gradient_task(
    const WeightGradient* g,
    idx task,
    real* scratch,         # (weight_scratch(),) of this thread, at a multiple of 64 bytes
) noexcept nogil:
    cdef WeightTask w
    start_weight_task(&w, g, task, scratch)
    finish_weight_task(&w, 0)


cdef inline void finish_weight_task(WeightTask* w, idx panel) noexcept nogil:
    """Add all panels from `panel` on, and write the sums to dW and db."""
    cdef idx p
    for p in range(panel, panels(w.g)):
        if stopped(w.g.stop, 2.0 * SUM_ROWS * w.blocks * BLOCK_COLS * LANES * w.K):
            return
        add_panel(w, p)
    write_weight_task(w)


cdef inline void start_weight_task(
    WeightTask* w, const WeightGradient* g, idx task, real* scratch
) noexcept nogil:
    """Say which part of the product task `task` is, and clear its sums."""
    cdef idx runs = ceil_div(g.width, g.run)
    w.g = g
    w.first = task // (g.segments * runs) * g.blocks * BLOCK_COLS
    w.segment = task // runs % g.segments
    w.k0 = task % runs * g.run
    w.K = imin(g.run, g.width - w.k0)
    w.blocks = imin(g.blocks, ceil_div(g.cols - w.first, BLOCK_COLS))
    w.ld = ceil_div(w.K, TILE_ROWS) * TILE_ROWS * BLOCK_COLS
    w.with_bias = g.db != NULL and w.segment == 0 and w.k0 == 0
    w.run = 0
    w.sums = <vec*> scratch
    memset(w.sums, 0, w.blocks * w.ld * sizeof(vec))
    memset(w.bias, 0, sizeof(w.bias))


cdef inline idx panels(const WeightGradient* g) noexcept nogil:
    return ceil_div(g.N, SUM_ROWS)


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
        n = imin(neighbors(g, n0, &w.run, &x, &ldx), stop - n0)
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


cdef inline void write_weight_task(const WeightTask* w) noexcept nogil:
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


cdef inline idx neighbors(
    const WeightGradient* g, idx n0, idx* run, const real** x, idx* ldx
) noexcept nogil:
    """How many rows from n0 on are neighbors in X as they are in dZ, and where in X."""
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
    cdef idx tiles = ceil_div(w.K, TILE_ROWS), part = k // TILE_ROWS
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


cdef enum:
    ADDED = 4096           # gradients of one task of adding slices up


cdef inline bint fused(const Net* net, const Scan* scans, idx threads) noexcept nogil:
    """Whether weight gradients are summed within the time loop: where they are small, and there are
    threads for no more than whole slices."""
    cdef WeightGradient ih, hh
    describe_gradients(net, scans, 0, 0, 1, &ih, &hh)
    return (
        threads <= net.plan.n_directions * net.n_slices and small(net, &ih, &hh)
        and weight_tasks(&ih) + weight_tasks(&hh) <= MOST_TASKS
    )


cdef inline bint small(
    const Net* net, const WeightGradient* ih, const WeightGradient* hh
) noexcept nogil:
    """Whether all sums of a slice stay in the level-2 cache together."""
    return sums_size(ih) + sums_size(hh) <= net.scratch_size


cdef inline SliceSums* sums_of(const Net* net, idx direction, idx s) noexcept nogil:
    return <SliceSums*> net.scratch_sums + direction * net.n_slices + s


cdef inline void start_sums(Net* net, const Scan* scans, idx direction, idx s) noexcept nogil:
    cdef SliceSums* sums = sums_of(net, direction, s)
    cdef real* scratch = scratch_of(net, direction * net.n_slices + s)
    describe_gradients(net, scans, direction, s, 1, &sums.ih, &sums.hh)
    sums.panel = 0
    sums.n = start_weight_tasks(sums.tasks, &sums.ih, scratch)
    sums.n += start_weight_tasks(sums.tasks + sums.n, &sums.hh, scratch + sums_size(&sums.ih))


cdef inline idx start_weight_tasks(
    WeightTask* tasks, const WeightGradient* g, real* scratch
) noexcept nogil:
    """Start all tasks of a product, their sums side by side; returns how many there are."""
    cdef idx k
    for k in range(weight_tasks(g)):
        start_weight_task(&tasks[k], g, k, scratch)
        scratch += tasks[k].blocks * tasks[k].ld * LANES
    return weight_tasks(g)


cdef inline void add_complete(Net* net, SliceSums* sums, idx row, idx rows) noexcept nogil:
    """Add the panels that are complete now that the loop has done `rows` rows from `row` on."""
    cdef idx k, done = row if sums.ih.order < 0 else row + rows
    while sums.panel < panels(&sums.ih) and is_complete(&sums.ih, sums.panel, done):
        for k in range(sums.n):
            add_panel(&sums.tasks[k], sums.panel)
        sums.panel += 1
        if sums.panel == panels(&sums.ih):
            for k in range(sums.n):
                write_weight_task(&sums.tasks[k])


cdef inline bint complete(const Net* net) noexcept nogil:
    """Whether the time loop has come to the end of all sums that it began."""
    cdef const SliceSums* sums = <const SliceSums*> net.scratch_sums
    cdef idx k
    for k in range(net.plan.n_directions * net.n_slices):
        if sums[k].panel < panels(&sums[k].ih):
            return False
    return True


# A thread's own rows are in its core's cache, another's are not. So the sums of weight gradients
# are cut as the time loop cuts the batch, by slices, and these are added up.
cdef inline void layer_weight_gradients(
    Net* net, const Scan* scans, idx threads, bint within
) noexcept nogil:
    """dW_ih, dW_hh and both biases of all directions of a layer, shared out by output tile;
    `within`: those that the time loop has begun are gone on with."""
    cdef WeightGradient ih, hh
    cdef SliceSums* sums = <SliceSums*> net.scratch_sums
    cdef idx parts = net.plan.n_directions * net.n_slices
    cdef idx task, each
    if within and complete(net):
        return
    describe_gradients(net, scans, 0, 0, ceil_div(threads, parts), &ih, &hh)
    each = sums.n if within else weight_tasks(&ih) + weight_tasks(&hh)
    for task in prange(parts * each, num_threads=threads, use_threads_if=threads > 1,
                       schedule='dynamic'):
        flush_denormals()
        if within:
            finish_weight_task(&sums[task // each].tasks[task % each], sums[task // each].panel)
        else:
            layer_gradient_task(net, scans, task // each, task % each, ceil_div(threads, parts))
        restore_worker(net.caller_mode)


cdef inline void layer_gradient_task(
    Net* net, const Scan* scans, idx part, idx task, idx threads
) noexcept nogil:
    """A task of one slice of one direction."""
    cdef WeightGradient ih, hh
    cdef real* scratch = scratch_of(net, threadid())
    describe_gradients(net, scans, part // net.n_slices, part % net.n_slices, threads, &ih, &hh)
    if task < weight_tasks(&ih):
        weight_gradient_task(&ih, task, scratch)
    else:
        weight_gradient_task(&hh, task - weight_tasks(&ih), scratch)


cdef inline void add_slices(Net* net, const Scan* scans) noexcept nogil:
    """Add what the slices after the first have summed to the gradients of a layer."""
    cdef const ScanPlan* last = &scans[net.plan.n_directions - 1].plan
    cdef idx size = layer_size(&scans.plan, last), chunk
    cdef idx threads = useful_threads(net.threads, 8.0 * (net.n_slices - 1) * size)
    if net.n_slices > 1:
        for chunk in prange(ceil_div(size, ADDED), num_threads=threads, use_threads_if=threads > 1,
                            schedule='dynamic'):
            flush_denormals()
            add_chunk(net, scans, chunk * ADDED, imin(ADDED, size - chunk * ADDED))
            restore_worker(net.caller_mode)


cdef inline void add_chunk(Net* net, const Scan* scans, idx first, idx n) noexcept nogil:
    cdef real* to = net.grads + scans.plan.w_ih + first
    cdef const real* source
    cdef idx s, k
    for s in range(1, net.n_slices):
        source = net.scratch_slice_grads + (s - 1) * net.slice_size + first
        for k in range(n):
            to[k] += source[k]


cdef inline real* scratch_of(const Net* net, idx thread) noexcept nogil:
    return net.scratch + thread * net.scratch_size


cdef inline void describe_gradients(
    const Net* net, const Scan* scans, idx direction, idx s, idx threads, WeightGradient* ih,
    WeightGradient* hh,
) noexcept nogil:
    """The two products of slice s in one direction: dW_ih and dW_hh."""
    cdef const Scan* scan = scans + direction
    cdef const ScanPlan* plan = &scan.plan
    cdef idx at
    cdef real* grads = net.grads
    if s > 0:
        grads = net.scratch_slice_grads + (s - 1) * net.slice_size - scans.plan.w_ih
    describe_gradient(net, scan, s, ih, plan.ih_start, plan.ih_stop, scan.row_ih)
    ih.dW, ih.db = grads + plan.w_ih, grads + plan.b_ih
    ih.X, ih.ldx = scan.x + net.slice_rows[s] * scan.ldx, scan.ldx
    ih.segments, ih.width, ih.stride = plan.in_segments, plan.in_width, plan.in_stride
    describe_gradient(net, scan, s, hh, plan.hh_start, plan.hh_stop, scan.row_hh)
    hh.dW, hh.db = grads + plan.w_hh, grads + plan.b_hh
    if scan.ws_mask != NULL:
        hh.X, hh.ldx = scan.ws_h_in + net.slice_rows[s] * plan.Hp, plan.Hp
    else:
        at = direction * SLICES + s
        hh.X, hh.ldx, hh.X0, hh.ldx0 = scan.ws_y, scan.ldy, scan.h0, plan.Hp
        hh.runs, hh.n_runs = net.runs + at * 2 * net.T, net.n_runs[at]
    hh.segments, hh.width, hh.stride = 1, plan.H, plan.Hp
    if small(net, ih, hh):
        ih.order = hh.order = -plan.direction  # as BPTT comes by
    cut_weight_tasks(ih, threads)
    cut_weight_tasks(hh, threads)


cdef inline void describe_gradient(
    const Net* net, const Scan* scan, idx s, WeightGradient* g, idx start, idx stop,
    const idx* row_of,
) noexcept nogil:
    g.runs, g.order, g.stop = NULL, 1, net.stop
    g.ldz = scan.plan.saved * scan.plan.Hp
    g.dZ = scan.ws_gates + net.slice_rows[s] * g.ldz + start
    g.cols = (stop - start) // LANES
    g.row_of = row_of + start
    g.N = net.slice_rows[s + 1] - net.slice_rows[s]
