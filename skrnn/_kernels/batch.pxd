"""From the user's order to packed rows: sort by length, gather, embed; and the way back."""
from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from .denormals cimport flush_denormals, restore_worker
from .embedding cimport look_up
from .stopping cimport stopped
from .types cimport (
    MOVED, Net, Run, SLICES, Scan, idx, imax, imin, last_row, real, row_at, token_width,
    useful_threads,
)

cdef enum:
    SLICED_ROWS = 512      # fewer are not worth a second set of weight gradients


cdef inline void sort_batch(
    Net* net,
    const idx* offsets,    # in  (n_sequences + 1,) of the whole data
    const idx* batch_indices,     # in  (B,) sequences of this batch
    idx B,
) noexcept nogil:
    """Fill order, lengths, active, T, N: a stable counting sort by falling length; place rows."""
    cdef idx b, t, length, T = 0
    for b in range(B):
        T = imax(T, offsets[batch_indices[b] + 1] - offsets[batch_indices[b]])
    memset(net.scratch_buckets, 0, (T + 2) * sizeof(idx))
    for b in range(B):
        net.scratch_buckets[offsets[batch_indices[b] + 1] - offsets[batch_indices[b]]] += 1
    # active[t] = sequences longer than t; buckets[length] becomes the first place of that length
    net.active[T] = 0
    for t in range(T - 1, -1, -1):
        net.active[t] = net.active[t + 1] + net.scratch_buckets[t + 1]
    for t in range(T, 0, -1):
        net.scratch_buckets[t] = net.active[t]
    net.scratch_buckets[0] = net.active[0] if T > 0 else 0
    for b in range(B):
        length = offsets[batch_indices[b] + 1] - offsets[batch_indices[b]]
        t = net.scratch_buckets[length]
        net.scratch_buckets[length] += 1
        net.order[t] = batch_indices[b]
        net.lengths[t] = length
        if net.owners != NULL:
            net.sequences[t] = net.owners[batch_indices[b]]
    net.B, net.T, net.N = B, T, 0
    for t in range(T):
        net.N += net.active[t]
    place_rows(net)


cdef inline void place_rows(Net* net) noexcept nogil:
    """Cut the batch into slices, and say where their rows lie."""
    cdef idx s, t, d, lo, row = 0
    net.n_slices = imin(SLICES, net.B) if net.N >= SLICED_ROWS else 1
    share_rows(net, net.n_slices)
    for s in range(SLICES + 1):
        net.slices[s] = net.part_starts[imin(s, net.n_slices)]
    for s in range(net.n_slices):
        lo = net.slices[s]
        net.slice_rows[s] = row
        for t in range(net.T):
            net.first[s * net.T + t] = row - lo
            row += slice_steps(net, s, t)
    net.slice_rows[net.n_slices] = row
    if net.training:
        for s in range(net.n_slices):
            for d in range(net.plan.n_directions):
                find_runs(net, d, s)


# With equal lengths there are two runs, the initial states and all the rest; each other length
# makes one more, in direction -1 two: the rows of a step at which sequences join are of both kinds.
cdef inline void find_runs(Net* net, idx d, idx s) noexcept nogil:
    """Where the rows of slice s find their h_{t-1}, in the direction of scan d."""
    cdef idx direction = net.scans[d].plan.direction, place = d * SLICES + s
    cdef Run* runs = net.runs + place * 2 * net.T
    cdef const idx* first = net.first + s * net.T
    cdef idx lo = net.slices[s], n = 0, row = 0, t, before, rows, known
    for t in range(net.T):
        rows = slice_steps(net, s, t)
        before = t - direction
        known = imin(rows, slice_steps(net, s, before)) if 0 <= before < net.T else 0
        if known > 0 and not (
            n > 0 and runs[n - 1].source >= 0
            and first[before] + lo - runs[n - 1].source == row - runs[n - 1].start
        ):
            runs[n].start, runs[n].source = row, first[before] + lo
            n += 1
        if known < rows:
            runs[n].start, runs[n].source = row + known, -1 - (lo + known)
            n += 1
        row += rows
    net.n_runs[place] = n


cdef inline idx slice_steps(const Net* net, idx s, idx t) noexcept nogil:
    """Sequences of slice s that have a step t."""
    return imax(0, imin(net.slices[s + 1], net.active[t]) - net.slices[s])


cdef inline void place_single_steps(Net* net, idx n) noexcept nogil:
    """A batch of n sequences of one step."""
    cdef idx s
    net.B = net.N = net.active[0] = n
    net.T, net.active[1], net.first[0], net.n_slices, net.slices[0] = 1, 0, 0, 1, 0
    for s in range(1, SLICES + 1):
        net.slices[s] = n
    net.slice_rows[0], net.slice_rows[1] = 0, n


cdef inline void share_rows(Net* net, idx parts) noexcept nogil:
    """part_starts[p] .. part_starts[p + 1]: the sequences of part p, with equal shares of the N
    steps."""
    cdef idx p, b = 0, steps = 0
    net.part_starts[0] = 0
    for p in range(1, parts):
        while b < net.B and steps + net.lengths[b] // 2 < net.N * p // parts:
            steps += net.lengths[b]
            b += 1
        net.part_starts[p] = b
    net.part_starts[parts] = net.B


cdef inline void gather_sequence(
    const Net* net,
    const idx* offsets,    # in  (n_sequences + 1,)
    const real* values,    # in  (total_steps, D), or NULL
    const idx* tokens,     # in  (total_steps, token_width), or NULL
    const idx* places,     # in  (total_steps,) among the distinct token rows, or NULL
    idx b,
) noexcept nogil:
    """Packed input rows of one sequence: copied, or looked up in the embedding."""
    cdef idx D = net.plan.D
    cdef idx start = offsets[net.order[b]]
    cdef idx t
    for t in range(net.lengths[b]):
        if net.steps != NULL:
            net.steps[row_at(net, t, b)] = start + t
        if places != NULL:
            net.places[row_at(net, t, b)] = places[start + t]
        elif net.plan.n_columns == 0:
            memcpy(net.x + row_at(net, t, b) * D, values + (start + t) * D, D * sizeof(real))
        else:
            look_up(net, tokens + (start + t) * token_width(&net.plan), row_at(net, t, b),
                    start + t)


cdef inline void move_states(
    Net* net,
    real* h,               # in/out (n_scans, n_rows, width)
    real* c,               # in/out likewise, or NULL
    idx n_rows,
    idx width,             # at least that of the widest scan
    const idx* rows,       # in  (n_sequences,) row of each sequence's state; NULL: its own
    const unsigned char* reset_mask,  # in  (n_sequences,) whether it starts from zero, or NULL
    bint enter,
) noexcept nogil:
    """Initial states from the user's arrays, or (after a forward pass) final states to them."""
    cdef Scan* scan
    cdef idx k, b, at, last, size
    for k in range(net.plan.n_scans):
        scan = &net.scans[k]
        size = scan.plan.H * sizeof(real)
        for b in range(net.B):
            at = (k * n_rows + (net.order[b] if rows == NULL else rows[net.order[b]])) * width
            last = 0 if enter else last_row(net, b, scan.plan.direction)
            if not enter:
                memcpy(h + at, scan.ws_y + last * scan.ldy, size)
                if scan.plan.has_c:
                    memcpy(c + at, scan.ws_c + (last if net.training else b) * scan.plan.Hp, size)
            elif reset_mask != NULL and reset_mask[net.order[b]]:
                memset(scan.h0 + b * scan.plan.Hp, 0, size)
                if scan.plan.has_c:
                    memset(scan.c0 + b * scan.plan.Hp, 0, size)
            else:
                memcpy(scan.h0 + b * scan.plan.Hp, h + at, size)
                if scan.plan.has_c:
                    memcpy(scan.c0 + b * scan.plan.Hp, c + at, size)


cdef inline idx share_moving(Net* net, idx width, idx rows) noexcept nogil:
    """Threads that move `rows` rows of `width` numbers, and the sequences of each: those whose
    steps it takes in the time loop too."""
    cdef idx threads = imin(useful_threads(net.threads, <double> MOVED * rows * width), net.B)
    share_rows(net, threads)
    return threads


cdef inline void load_batch(
    Net* net,
    const idx* offsets,    # in  (n_sequences + 1,)
    const real* values,    # in  (total_steps, D), or NULL
    const idx* tokens,     # in  (total_steps, token_width), or NULL
    const idx* places,     # in  (total_steps,) among the distinct token rows, or NULL
    const idx* batch_indices,     # in  (B,) sequences of this batch
    idx B,
) noexcept nogil:
    """Sort the sequences of a batch by length and gather their steps into packed rows."""
    cdef idx b, part, threads
    sort_batch(net, offsets, batch_indices, B)
    threads = share_moving(net, net.plan.D, net.N)
    for part in prange(threads, num_threads=threads, use_threads_if=threads > 1,
                       schedule='static', chunksize=1):
        flush_denormals()
        for b in range(net.part_starts[part], net.part_starts[part + 1]):
            if not stopped(net.stop, <double> MOVED * net.lengths[b] * net.plan.D):
                gather_sequence(net, offsets, values, tokens, places, b)
        restore_worker(net.caller_mode)
