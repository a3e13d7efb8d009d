"""The time loop: a thread takes its sequences through all steps, no barrier (sharing.pxd).

The loop is the same for every cell and both directions. Direction -1 runs over the same packed rows
from the last step to the first: a sequence joins when the loop reaches its last step.
"""
from libc.string cimport memcpy, memset

from .cells.dispatch cimport cell_backward, cell_forward, previous_h
from .embedding cimport projection
from .products cimport columns
from .types cimport (
    BLOCK_COLS, LANES, Layer, Net, TILE_ROWS, fetch_l1, idx, imax, imin, load, pieces, real, row_at,
    store, tile, tile_pair, vec,
)
from .weight_gradients cimport add_complete, start_sums, sums_of
from .work_stealing cimport Walk, next_step, start_walk


cdef inline real* h_in_at(const Net* net, const Layer* layer, idx t, idx b) noexcept nogil:
    return layer.h_in + (row_at(net, t, b) if layer.mask != NULL else b) * layer.plan.Hp


cdef inline void load_states(
    const Net* net, const Layer* layer, idx t, idx lo, idx hi
) noexcept nogil:
    """h_in = mask * h_{t-1} for rows lo .. hi: contiguous for the tile, as y need not be."""
    cdef idx Hp = layer.plan.Hp
    cdef real* to
    cdef const real* source
    cdef const real* mask
    cdef idx b, k
    for b in range(lo, hi):
        to = h_in_at(net, layer, t, b)
        source = previous_h(net, layer, t, b)
        if layer.mask == NULL:
            memcpy(to, source, Hp * sizeof(real))
        else:
            mask = layer.mask + b * Hp
            for k from 0 <= k < Hp by LANES:
                store(to + k, load(source + k) * load(mask + k))


# A tile reads all weights of its bundle, however many rows it has: 32 rows are 6 6 5 5 5 5, not five
# times 6 and then 2.
cdef inline idx tile_height(idx rows) noexcept nogil:
    """Rows of the next tile when `rows` are left."""
    return pieces(rows, pieces(rows, TILE_ROWS))


cdef inline void forward_tile(
    const Net* net, const Layer* layer, idx t, idx b0, idx stop, idx bundle,
    const real* pack_x, const real* pack_h,
) noexcept nogil:
    """Pre-activations of one bundle for a tile of sequences from b0, and the cell on top of them."""
    cdef vec acc[TILE_ROWS * BLOCK_COLS]
    cdef const real* start = layer.pack_b + bundle * BLOCK_COLS * LANES
    cdef idx start_row = 0, K = layer.K
    cdef idx row = row_at(net, t, b0)
    cdef idx rows = tile_height(stop - b0)
    cdef idx r, at_x, at_h, cols_x, cols_h
    at_x = columns(layer.bundle_x + bundle * BLOCK_COLS, &cols_x)
    at_h = columns(layer.bundle_h + bundle * BLOCK_COLS, &cols_h)
    if layer.projected != NULL:
        for r in range(rows):
            memcpy(acc + r * BLOCK_COLS, projection(layer, net.places[row + r], bundle),
                   BLOCK_COLS * sizeof(vec))
        start, start_row, K = <const real*> acc, BLOCK_COLS * LANES, 0
    fetch_rows(net, layer, t, b0 + rows, imin(b0 + 2 * TILE_ROWS, stop))
    tile_pair(rows, at_x, cols_x, K, layer.x + row * layer.ldx, layer.ldx, pack_x,
              at_h, cols_h, layer.plan.H, h_in_at(net, layer, t, b0), layer.plan.Hp, pack_h,
              start, start_row, <real*> acc)
    cell_forward(net, layer, t, b0, rows, bundle, cols_x, acc)


# At H = 32 and 64 this takes a tenth to a sixth off a prediction. Rows of another thread stay where
# they are: it writes them, and a line that two cores want goes to and fro.
cdef inline void fetch_rows(
    const Net* net, const Layer* layer, idx t, idx lo, idx hi
) noexcept nogil:
    """Fetch what the next tile, sequences lo .. hi, reads while this one is computed."""
    cdef idx b
    for b in range(lo, hi):
        if layer.projected == NULL:
            fetch_l1(layer.x + row_at(net, t, b) * layer.ldx, layer.K)
        fetch_l1(h_in_at(net, layer, t, b), layer.plan.H)


cdef inline idx slice_stop(const Net* net, idx t, idx s, idx hi) noexcept nogil:
    """End of the sequences of slice s below hi that have a step t."""
    return imin(imin(hi, net.slices[s + 1]), net.active[t])


cdef inline void forward_part(Net* net, const Layer* layers, idx part, bint shared) noexcept nogil:
    """Hidden states of a part's sequences and, if `shared`, of those it takes over."""
    cdef Walk walk = start_walk(net, part)
    while next_step(net, &walk, shared):
        step_forward(net, layers + net.parts[part].direction, walk.t, walk.lo, walk.hi)


cdef inline void step_forward(
    const Net* net, const Layer* layer, idx t, idx lo, idx hi
) noexcept nogil:
    """Hidden and cell states at step t of sequences lo .. hi."""
    cdef idx s, stop, bundle, b, cols
    cdef const real* pack_x = layer.pack_x
    cdef const real* pack_h = layer.pack_h
    load_states(net, layer, t, lo, hi)
    for bundle in range(layer.plan.n_bundles):
        for s in range(net.n_slices):  # a tile is of one slice: its rows are neighbours
            stop = slice_stop(net, t, s, hi)
            b = imax(lo, net.slices[s])
            while b < stop:
                forward_tile(net, layer, t, b, stop, bundle, pack_x, pack_h)
                b += tile_height(stop - b)
        columns(layer.bundle_x + bundle * BLOCK_COLS, &cols)
        pack_x += cols * layer.K * LANES
        columns(layer.bundle_h + bundle * BLOCK_COLS, &cols)
        pack_h += cols * layer.plan.H * LANES


cdef inline void recurrent_gradient(
    const Net* net, const Layer* layer, idx t, idx lo, idx hi
) noexcept nogil:
    """dh += mask * (W_hh^T dz): what h_{t-1} gets through the gates, rows lo .. hi."""
    cdef vec acc[TILE_ROWS * BLOCK_COLS]
    cdef idx Hp = layer.plan.Hp
    cdef idx ldz = layer.plan.slots * Hp
    cdef idx K = layer.plan.hh_stop - layer.plan.hh_start
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
                dz = layer.gates + row_at(net, t, b) * ldz + layer.plan.hh_start
                dh = layer.dh + b * Hp + block * LANES
                for r in range(m, imin(m + TILE_ROWS, stop - b)):
                    fetch_l1(dz + r * ldz, K)  # for the next tile
                if layer.mask == NULL:
                    tile(m, n, K, dz, ldz, 1, layer.pack_dh + block * K * LANES, dh, Hp, dh, Hp)
                else:
                    memset(acc, 0, sizeof(acc))
                    tile(m, n, K, dz, ldz, 1, layer.pack_dh + block * K * LANES,
                         <real*> acc, BLOCK_COLS * LANES, <real*> acc, BLOCK_COLS * LANES)
                    for r in range(m):
                        add_masked(dh + r * Hp, layer.mask + (b + r) * Hp + block * LANES,
                                   acc + r * BLOCK_COLS, n)
                b += m


cdef inline void add_masked(real* dh, const real* mask, const vec* sums, idx n) noexcept nogil:
    cdef idx c
    for c in range(n):
        store(dh + c * LANES, load(dh + c * LANES) + load(mask + c * LANES) * sums[c])


cdef inline void cut(const Net* net, const Layer* layer, idx t, idx lo, idx hi) noexcept nogil:
    """Truncated BPTT: no gradient passes from step t to the step before it where, counted back
    from the sequence's end in this direction, a chunk of bptt_steps steps begins at t."""
    cdef idx b, left, Hp = layer.plan.Hp
    for b in range(lo, hi):
        left = net.lengths[b] - t if layer.plan.direction > 0 else t + 1
        if left % net.plan.bptt_steps == 0:
            memset(layer.dh + b * Hp, 0, Hp * sizeof(real))
            if layer.plan.has_c:
                memset(layer.dc + b * Hp, 0, Hp * sizeof(real))


cdef inline void step_backward(
    const Net* net, const Layer* layer, idx t, idx lo, idx hi
) noexcept nogil:
    """Gate gradients of step t, and dh and dc of the step before it, of sequences lo .. hi."""
    cdef idx b
    for b in range(lo, hi):
        cell_backward(net, layer, t, b)
    recurrent_gradient(net, layer, t, lo, hi)
    if net.plan.bptt_steps > 0:
        cut(net, layer, t, lo, hi)


# After the loop has gone through all steps the first gate gradients have left the level-2 cache. The
# bits are those of sums made after it, which take the panels of small sums in the same order.
cdef inline void backward_part(
    Net* net, const Layer* layers, idx part, bint within, bint shared
) noexcept nogil:
    """BPTT of a part's sequences and, if `shared`, of those it takes over. `within`: they are a
    slice, and while they are a whole one each panel goes into dW as soon as it is complete."""
    cdef Walk walk = start_walk(net, part)
    cdef const Layer* layer
    if within:
        start_sums(net, layers, part % net.plan.n_directions, part // net.plan.n_directions)
    while next_step(net, &walk, shared):
        layer = layers + net.parts[part].direction
        step_backward(net, layer, walk.t, walk.lo, walk.hi)
        if walk.slice >= 0:
            add_complete(net, sums_of(net, net.parts[part].direction, walk.slice),
                         row_at(net, walk.t, walk.lo) - net.slice_rows[walk.slice],
                         walk.hi - walk.lo)
