"""The time loop: a thread takes its sequences through all steps, no barrier (work_stealing.pxd).

The loop is the same for every cell and both directions. Direction -1 runs over the same packed rows
from the last step to the first: a sequence joins when the loop reaches its last step.
"""
from libc.string cimport memcpy, memset

from .cells.dispatch cimport cell_backward, cell_forward, previous_h
from .embedding cimport projection
from .products cimport columns
from .types cimport (
    BLOCK_COLS, LANES, Net, Scan, TILE_ROWS, ceil_div, fetch_l1, idx, imax, imin, load, real,
    row_at, store, tile, tile_pair, vec,
)
from .weight_gradients cimport add_complete, start_sums, sums_of
from .work_stealing cimport Cursor, next_step, start_cursor


cdef inline real* h_in_at(const Net* net, const Scan* scan, idx t, idx b) noexcept nogil:
    return scan.ws_h_in + (row_at(net, t, b) if scan.ws_mask != NULL else b) * scan.plan.Hp


cdef inline void load_states(
    const Net* net, const Scan* scan, idx t, idx lo, idx hi
) noexcept nogil:
    """h_in = mask * h_{t-1} for rows lo .. hi: contiguous for the tile, as y need not be."""
    cdef idx Hp = scan.plan.Hp
    cdef real* to
    cdef const real* source
    cdef const real* mask
    cdef idx b, k
    for b in range(lo, hi):
        to = h_in_at(net, scan, t, b)
        source = previous_h(net, scan, t, b)
        if scan.ws_mask == NULL:
            memcpy(to, source, Hp * sizeof(real))
        else:
            mask = scan.ws_mask + b * Hp
            for k from 0 <= k < Hp by LANES:
                store(to + k, load(source + k) * load(mask + k))


# A tile reads all weights of its column block, however many rows it has: 32 rows are 6 6 5 5 5 5,
# not five times 6 and then 2.
cdef inline idx tile_height(idx rows) noexcept nogil:
    """Rows of the next tile when `rows` are left."""
    return ceil_div(rows, ceil_div(rows, TILE_ROWS))


cdef inline void forward_tile(
    const Net* net, const Scan* scan, idx t, idx b0, idx stop, idx column_block,
    const real* pack_x, const real* pack_h,
) noexcept nogil:
    """Pre-activations of one column block for a tile of sequences from b0, and the cell on top of
    them."""
    cdef vec acc[TILE_ROWS * BLOCK_COLS]
    cdef const real* start = scan.pack_b + column_block * BLOCK_COLS * LANES
    cdef idx start_row = 0, K = scan.K
    cdef idx row = row_at(net, t, b0)
    cdef idx rows = tile_height(stop - b0)
    cdef idx r, at_x, at_h, cols_x, cols_h
    at_x = columns(scan.block_x + column_block * BLOCK_COLS, &cols_x)
    at_h = columns(scan.block_h + column_block * BLOCK_COLS, &cols_h)
    if scan.projected != NULL:
        for r in range(rows):
            memcpy(acc + r * BLOCK_COLS, projection(scan, net.places[row + r], column_block),
                   BLOCK_COLS * sizeof(vec))
        start, start_row, K = <const real*> acc, BLOCK_COLS * LANES, 0
    fetch_rows(net, scan, t, b0 + rows, imin(b0 + 2 * TILE_ROWS, stop))
    tile_pair(rows, at_x, cols_x, K, scan.x + row * scan.ldx, scan.ldx, pack_x,
              at_h, cols_h, scan.plan.H, h_in_at(net, scan, t, b0), scan.plan.Hp, pack_h,
              start, start_row, <real*> acc)
    cell_forward(net, scan, t, b0, rows, column_block, cols_x, acc)


# At H = 32 and 64 this takes a tenth to a sixth off a prediction. Rows of another thread stay where
# they are: it writes them, and the cache line would bounce (false sharing).
cdef inline void fetch_rows(
    const Net* net, const Scan* scan, idx t, idx lo, idx hi
) noexcept nogil:
    """Fetch what the next tile, sequences lo .. hi, reads while this one is computed."""
    cdef idx b
    for b in range(lo, hi):
        if scan.projected == NULL:
            fetch_l1(scan.x + row_at(net, t, b) * scan.ldx, scan.K)
        fetch_l1(h_in_at(net, scan, t, b), scan.plan.H)


cdef inline idx slice_stop(const Net* net, idx t, idx s, idx hi) noexcept nogil:
    """End of the sequences of slice s below hi that have a step t."""
    return imin(imin(hi, net.slices[s + 1]), net.active[t])


cdef inline void forward_task(Net* net, const Scan* scans, idx task, bint shared) noexcept nogil:
    """Hidden states of a task's sequences and, if `shared`, of those it takes over."""
    cdef Cursor cursor = start_cursor(net, task)
    while next_step(net, &cursor, shared):
        step_forward(net, scans + net.tasks[task].direction, cursor.t, cursor.lo, cursor.hi)


cdef inline void step_forward(
    const Net* net, const Scan* scan, idx t, idx lo, idx hi
) noexcept nogil:
    """Hidden and cell states at step t of sequences lo .. hi."""
    cdef idx s, stop, column_block, b, cols
    cdef const real* pack_x = scan.pack_x
    cdef const real* pack_h = scan.pack_h
    load_states(net, scan, t, lo, hi)
    for column_block in range(scan.plan.n_column_blocks):
        for s in range(net.n_slices):  # a tile is of one slice: its rows are neighbors
            stop = slice_stop(net, t, s, hi)
            b = imax(lo, net.slices[s])
            while b < stop:
                forward_tile(net, scan, t, b, stop, column_block, pack_x, pack_h)
                b += tile_height(stop - b)
        columns(scan.block_x + column_block * BLOCK_COLS, &cols)
        pack_x += cols * scan.K * LANES
        columns(scan.block_h + column_block * BLOCK_COLS, &cols)
        pack_h += cols * scan.plan.H * LANES


cdef inline void recurrent_gradient(
    const Net* net, const Scan* scan, idx t, idx lo, idx hi
) noexcept nogil:
    """dh += mask * (W_hh^T dz): what h_{t-1} gets through the gates, rows lo .. hi."""
    cdef vec acc[TILE_ROWS * BLOCK_COLS]
    cdef idx Hp = scan.plan.Hp
    cdef idx ldz = scan.plan.saved * Hp
    cdef idx K = scan.plan.hh_stop - scan.plan.hh_start
    cdef const real* dz
    cdef real* dh
    cdef idx block, n, s, b, stop, m, r
    for block from 0 <= block < Hp // LANES by BLOCK_COLS:
        n = imin(BLOCK_COLS, Hp // LANES - block)
        for s in range(net.n_slices):
            stop = slice_stop(net, t, s, hi)
            b = imax(lo, net.slices[s])
            while b < stop:
                m = tile_height(stop - b)
                dz = scan.ws_gates + row_at(net, t, b) * ldz + scan.plan.hh_start
                dh = scan.dh + b * Hp + block * LANES
                for r in range(m, imin(m + TILE_ROWS, stop - b)):
                    fetch_l1(dz + r * ldz, K)  # for the next tile
                if scan.ws_mask == NULL:
                    tile(m, n, K, dz, ldz, 1, scan.pack_dh + block * K * LANES, dh, Hp, dh, Hp)
                else:
                    memset(acc, 0, sizeof(acc))
                    tile(m, n, K, dz, ldz, 1, scan.pack_dh + block * K * LANES,
                         <real*> acc, BLOCK_COLS * LANES, <real*> acc, BLOCK_COLS * LANES)
                    for r in range(m):
                        add_masked(dh + r * Hp, scan.ws_mask + (b + r) * Hp + block * LANES,
                                   acc + r * BLOCK_COLS, n)
                b += m


cdef inline void add_masked(real* dh, const real* mask, const vec* sums, idx n) noexcept nogil:
    cdef idx c
    for c in range(n):
        store(dh + c * LANES, load(dh + c * LANES) + load(mask + c * LANES) * sums[c])


cdef inline void truncate_gradient(
    const Net* net, const Scan* scan, idx t, idx lo, idx hi
) noexcept nogil:
    """Truncated BPTT: no gradient passes from step t to the step before it where, counted back
    from the sequence's end in this direction, a chunk of bptt_steps steps begins at t."""
    cdef idx b, left, Hp = scan.plan.Hp
    for b in range(lo, hi):
        left = net.lengths[b] - t if scan.plan.direction > 0 else t + 1
        if left % net.plan.bptt_steps == 0:
            memset(scan.dh + b * Hp, 0, Hp * sizeof(real))
            if scan.plan.has_c:
                memset(scan.dc + b * Hp, 0, Hp * sizeof(real))


cdef inline void step_backward(
    const Net* net, const Scan* scan, idx t, idx lo, idx hi
) noexcept nogil:
    """Gate gradients of step t, and dh and dc of the step before it, of sequences lo .. hi."""
    cdef idx b
    for b in range(lo, hi):
        cell_backward(net, scan, t, b)
    recurrent_gradient(net, scan, t, lo, hi)
    if net.plan.bptt_steps > 0:
        truncate_gradient(net, scan, t, lo, hi)


# After the loop has gone through all steps the first gate gradients have left the level-2 cache.
# The bits are those of sums made after it, which take the panels of small sums in the same order.
cdef inline void backward_task(
    Net* net, const Scan* scans, idx task, bint within, bint shared
) noexcept nogil:
    """BPTT of a task's sequences and, if `shared`, of those it takes over. `within`: they are a
    slice, and while they are a whole one each panel goes into dW as soon as it is complete."""
    cdef Cursor cursor = start_cursor(net, task)
    cdef const Scan* scan
    if within:
        start_sums(net, scans, task % net.plan.n_directions, task // net.plan.n_directions)
    while next_step(net, &cursor, shared):
        scan = scans + net.tasks[task].direction
        step_backward(net, scan, cursor.t, cursor.lo, cursor.hi)
        if cursor.slice >= 0:
            add_complete(net, sums_of(net, net.tasks[task].direction, cursor.slice),
                         row_at(net, cursor.t, cursor.lo) - net.slice_rows[cursor.slice],
                         cursor.hi - cursor.lo)
