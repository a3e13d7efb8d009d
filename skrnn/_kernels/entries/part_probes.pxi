"""Probes of single parts, each called alone by its tests: sorting, packing, panels, stealing."""
from cython.parallel cimport prange
from libc.string cimport memset
from posix.unistd cimport usleep

from .batch cimport sort_batch
from .embedding cimport sort_tokens
from .pack cimport pack_column_block, pack_transposed
from .types cimport LANES, Net, Run, SLICES, Scan, TILE_COLS, Task, idx, real
from .weight_gradients cimport (
    WeightGradient, cut_weight_tasks, is_complete, panel_start, panels, weight_gradient_task,
    weight_scratch, weight_tasks,
)
from .work_stealing cimport (
    Cursor, LEAST_SHARED, chunk_steps, next_step, start_cursor, start_tasks, steal_half,
)

tile_cols = TILE_COLS
least_shared = LEAST_SHARED


def sort_sequences(const idx[::1] offsets, const idx[::1] batch_indices):
    """`sort_batch` for training in two directions.

    Returns
    -------
    dict
        `order`, `lengths`, `active`, `slices` (first sequence of each, then B), `slice_rows`
        (likewise rows), `first` (n_slices, T), and `runs`, of each (direction, slice) an array of
        rows (start, source).
    """
    cdef Net net
    cdef Scan[2] scans
    cdef idx d, s, B = batch_indices.shape[0]
    taken = np.diff(offsets)[batch_indices]  # raises where an index is out of range
    T = int(taken.max())
    memset(&net, 0, sizeof(net))
    memset(&scans, 0, sizeof(scans))
    scans[0].plan.direction, scans[1].plan.direction = 1, -1
    net.scans, net.plan.n_directions, net.training = &scans[0], 2, True
    cdef idx[::1] order = np.empty(B, np.intp)
    cdef idx[::1] lengths = np.empty(B, np.intp)
    cdef idx[::1] active = np.empty(T + 1, np.intp)
    cdef idx[::1] buckets = np.empty(T + 2, np.intp)
    cdef idx[::1] parts = np.empty(SLICES + 1, np.intp)
    cdef idx[:, ::1] first = np.empty((SLICES, T + 1), np.intp)
    cdef idx[:, ::1] runs = np.empty((4 * SLICES * (T + 1), 2), np.intp)
    net.order, net.lengths, net.active = &order[0], &lengths[0], &active[0]
    net.scratch_buckets, net.part_starts = &buckets[0], &parts[0]
    net.first, net.runs = &first[0, 0], <Run*> &runs[0, 0]
    sort_batch(&net, &offsets[0], &batch_indices[0], B)
    found = {}
    for d in range(2):
        for s in range(net.n_slices):
            at = (d * SLICES + s) * 2 * T
            found[d, s] = np.array(runs[at:at + net.n_runs[d * SLICES + s]])
    return {
        "order": np.asarray(order), "lengths": np.asarray(lengths), "active": np.asarray(active),
        "slices": np.array([net.slices[s] for s in range(net.n_slices + 1)]),
        "slice_rows": np.array([net.slice_rows[s] for s in range(net.n_slices + 1)]),
        "first": np.asarray(first).ravel()[:net.n_slices * T].reshape(net.n_slices, T),
        "runs": found,
    }


def sort_places(const idx[::1] tokens):
    """`sort_tokens`: (places by token, start of each token's run and the end of the last)."""
    cdef idx n = tokens.shape[0]
    cdef idx[::1] order = np.empty(2 * n, np.intp)
    cdef idx[::1] touched = np.empty(n + 1, np.intp)
    runs = sort_tokens(&tokens[0], n, &order[0], &touched[0])
    return np.array(order[:n]), np.array(touched[:runs + 1])


def pack(
    const real[:, ::1] W, idx segments, idx stride, const idx[::1] starts, const idx[::1] row_of
):
    """`pack_column_block` of all `starts`, as a flat array."""
    cdef idx width = W.shape[1] // segments
    if max(starts) + LANES > row_of.shape[0] or max(row_of) >= W.shape[0] or min(starts) < 0:
        raise ValueError("starts or row_of lead out of their arrays")
    cdef real[::1] out = np.full(
        ((segments - 1) * stride + width) * starts.shape[0] * LANES, np.nan, real_dtype
    )
    pack_column_block(&out[0], &W[0, 0], segments, width, stride, &starts[0], starts.shape[0],
                      &row_of[0])
    return np.asarray(out)


def pack_transpose(
    const real[:, ::1] W, idx segments, idx stride, idx first, idx cols, const idx[::1] row_of
):
    """`pack_transposed` of vector columns `first` .. `first + cols`, as a flat array."""
    cdef idx K = row_of.shape[0], width = W.shape[1] // segments
    if stride % LANES or (first + cols) * LANES > segments * stride or max(row_of) >= W.shape[0]:
        raise ValueError("columns or row_of lead out of W")
    cdef real[::1] out = np.full(K * cols * LANES, np.nan, real_dtype)
    pack_transposed(&out[0], &W[0, 0], segments, width, stride, first, cols, &row_of[0], K)
    return np.asarray(out)


def panel_order(idx N, idx order, idx done):
    """First row of each panel in the order of adding, and whether a loop at `done` completes it."""
    cdef WeightGradient g
    cdef idx p
    memset(&g, 0, sizeof(g))
    g.N, g.order = N, order
    starts = np.array([panel_start(&g, p) for p in range(panels(&g))])
    return starts, np.array([is_complete(&g, p, done) for p in range(panels(&g))], dtype=bool)


def sum_panels(
    const real[:, ::1] dZ, const real[:, ::1] X, const idx[::1] row_of, idx rows, idx order,
    idx threads, const idx[:, ::1] runs=None, const real[:, ::1] X0=None,
):
    """The weight gradient (dW, db) of all tasks that `threads` would be given, one by one.

    `runs` has rows (start, source), as `sort_sequences` returns them; the sources of their rows
    must lie in X and X0.
    """
    cdef WeightGradient g
    cdef idx task
    if dZ.shape[1] % LANES or row_of.shape[0] != dZ.shape[1] or max(row_of) >= rows:
        raise ValueError("dZ must have whole vectors, each column with a row below `rows`")
    cdef real[:, ::1] dW = np.full((rows, X.shape[1]), np.nan, real_dtype)
    cdef real[::1] db = np.full(rows, np.nan, real_dtype)
    room = np.empty(weight_scratch() * sizeof(real) + 64, np.uint8)
    cdef unsigned char[::1] scratch = room[-room.ctypes.data % 64:]
    memset(&g, 0, sizeof(g))
    g.dW, g.db, g.dZ, g.X = &dW[0, 0], &db[0], &dZ[0, 0], &X[0, 0]
    g.ldz, g.cols, g.row_of = dZ.shape[1], dZ.shape[1] // LANES, &row_of[0]
    g.ldx = g.width = g.stride = X.shape[1]
    g.segments, g.N, g.order = 1, dZ.shape[0], order
    if runs is not None:
        g.runs, g.n_runs, g.X0, g.ldx0 = <const Run*> &runs[0, 0], runs.shape[0], &X0[0, 0], g.ldx
    cut_weight_tasks(&g, threads)
    for task in range(weight_tasks(&g)):
        weight_gradient_task(&g, task, <real*> &scratch[0])
    return np.asarray(dW), np.asarray(db), weight_tasks(&g)


cdef void start_stealing(Net* net, const idx[::1] lengths, const idx[::1] active):
    memset(net, 0, sizeof(Net))
    net.B, net.T = lengths.shape[0], lengths[0]
    net.lengths, net.active = <idx*> &lengths[0], <idx*> &active[0]
    net.plan.n_directions = 1


def steal_steps(
    const idx[::1] lengths, idx start, idx stop, idx order, idx chunk, idx flops,
):
    """`steal_half` from a task of sequences start .. stop that has done `chunk` chunks.

    Returns
    -------
    (other, own) or None
        Dicts of both tasks; None where there is too little to steal.
    """
    cdef Net net
    cdef Task other, own
    active = np.append([(np.asarray(lengths) > t).sum() for t in range(lengths[0])], 0)
    start_stealing(&net, lengths, active.astype(np.intp))
    net.step_flops = flops
    memset(&own, 0, sizeof(own))
    memset(&other, 0, sizeof(other))
    other.order, other.start, other.stop, other.next, other.done = order, start, stop, chunk, chunk
    if not steal_half(&net, &other, &own):
        return None
    return other, own


def share_steps(
    const idx[::1] lengths, const idx[::1] starts, idx order, idx flops, bint parallel,
):
    """A time loop that only notes who does what.

    Parameters
    ----------
    lengths : ndarray of shape (n_sequences,)
        Falling, from 1.
    starts : ndarray of shape (n_tasks + 1,)
        First sequence of each task.
    order : {1, -1}
    flops : int
        Of one step of a sequence.
    parallel : bool
        A thread for each task: the others begin when the first has, and the first waits in its
        first step until it is stolen from. Else one cursor after the other.

    Returns
    -------
    by : ndarray of shape (n_sequences, T)
        Task of the cursor that took a step; -1: none, -2: several.
    turn : ndarray of shape (n_sequences, T)
        How many steps of the sequence were taken before; -1: never taken.
    slices : ndarray of shape (n_tasks,)
        Slice that each task's sequences make up in the end, or -1.
    chunk : int
        Steps of a chunk.
    """
    cdef Net net
    cdef Scan scan
    cdef idx k, n = starts.shape[0] - 1, B = lengths.shape[0]
    if (np.diff(lengths) > 0).any() or min(lengths) < 1 or starts[0] or starts[n] != B:
        raise ValueError("lengths must fall, and starts cover them")
    active = np.append([(np.asarray(lengths) > t).sum() for t in range(lengths[0])], 0)
    cdef idx[::1] on = active.astype(np.intp)
    cdef idx[:, ::1] tasks = np.zeros((n, 8), np.intp)
    start_stealing(&net, lengths, on)
    memset(&scan, 0, sizeof(scan))
    scan.plan.direction = 1
    net.part_starts, net.tasks = <idx*> &starts[0], <Task*> &tasks[0, 0]
    start_tasks(&net, &scan, n, order, True)
    net.step_flops = flops
    cdef idx[:, ::1] by = np.full((B, net.T), -1, np.intp)
    cdef idx[:, ::1] turn = np.full((B, net.T), -1, np.intp)
    cdef idx[::1] taken = np.zeros(B, np.intp)
    net.caller_mode = flush_denormals()
    for k in prange(n, nogil=True, num_threads=n if parallel else 1, schedule='static',
                    chunksize=1):
        flush_denormals()
        note_steps(&net, k, parallel, &by[0, 0], &turn[0, 0], &taken[0])
        restore_worker(net.caller_mode)
    restore_mode(net.caller_mode)
    slices = np.array([net.tasks[k].slice for k in range(n)])
    return np.asarray(by), np.asarray(turn), slices, chunk_steps(&net)


cdef void note_steps(
    Net* net, idx k, bint parallel, idx* by, idx* turn, idx* taken
) noexcept nogil:
    cdef Cursor cursor = start_cursor(net, k)
    cdef idx b, at, stop = net.tasks[0].stop, patience = 20000
    while parallel and k > 0 and net.tasks[0].next == 0 and patience > 0:
        usleep(100)
        patience -= 1
    while next_step(net, &cursor, True):
        while parallel and k == 0 and net.tasks[0].stop == stop and patience > 0:
            usleep(100)
            patience -= 1
        for b in range(cursor.lo, cursor.hi):
            at = b * net.T + cursor.t
            by[at] = k if by[at] == -1 else -2
            turn[at] = taken[b]
            taken[b] += 1
