"""Part of engine.pyx: networks of truncated BPTT in the memory of a chunk, laid out and checked."""
from libc.string cimport memset

from .heads.pooling cimport leave_out_top
from .truncated_bptt cimport Passes, Scan
from .types cimport ALL, CRF, Layer, LayerPlan, Net, idx, imax, real
from .workspace cimport carve, connect_parameters


cdef size_t _carve_passes(char* base, Net* net, Passes* passes, plan, options, limits) except 0:
    """Carve the head, whose rows are sequences, and the layers of each direction; count bytes."""
    cdef const LayerPlan* layers = _describe(net, plan, options)
    cdef idx d, n = net.plan.n_directions
    cdef size_t used
    if n * net.plan.n_levels > imax(n, net.plan.n_levels) or net.plan.loss == CRF \
            or (n > 1 and net.plan.pooling == ALL):
        raise ValueError("this network has no passes over chunks")
    passes.n_scans = n
    net.plan.n_layers = 0
    used = carve(base, net, layers, limits[0], limits[0], 1)
    for d in range(n):
        _describe(&passes.scans[d].net, plan, options)
        passes.scans[d].net.plan.n_directions = 1
        passes.scans[d].net.plan.n_layers = net.plan.n_levels
        passes.scans[d].net.first_scan = d
        used += carve(NULL if base == NULL else base + used, &passes.scans[d].net, layers + d,
                      limits[0], limits[1], limits[2])
    return used


def passes_bytes(plan, options, limits):
    """Bytes of workspace of `train` in chunks, where `limits` = (B, N, T) are those of a pass."""
    cdef Net net
    cdef Passes passes
    return _carve_passes(NULL, &net, &passes, plan, options, limits) + 64


cdef _open_passes(
    Net* net, Passes* passes, plan, options, limits, unsigned char[::1] workspace,
    const real[::1] params, real[::1] grads, cut, const idx[::1] offsets,
):
    """Lay the workspace out, and check and connect the chunks of each direction.

    Returns arrays to keep while they are used.
    """
    cdef const idx[::1] tables = plan.tables
    cdef idx d, k, rows = 1, seats = limits[0], n = offsets.shape[0] - 1
    cdef idx width = max(plan.hidden)
    cdef Scan* scan
    cdef Layer* layer
    memset(passes, 0, sizeof(Passes))
    if workspace.shape[0] < <idx> passes_bytes(plan, options, limits):
        raise ValueError("workspace too small")
    if params.shape[0] != plan.n_params or grads.shape[0] != plan.n_params:
        raise ValueError("parameters or gradients do not fit the plan")
    start = (64 - (<size_t> &workspace[0]) % 64) % 64
    _carve_passes(<char*> &workspace[start], net, passes, plan, options, limits)
    connect_parameters(net, &tables[0], <real*> &params[0], &grads[0])
    for k in range(net.plan.n_columns):
        rows += net.columns[k].rows
    cdef real[:, :, :, :, ::1] states = np.zeros(
        (passes.n_scans, 2, net.plan.n_levels, seats, width), real_dtype
    )
    cdef real[:, ::1] gradients = np.zeros((passes.n_scans, plan.n_params), real_dtype)
    cdef idx[:, ::1] sequences = np.zeros((passes.n_scans + 1, seats), dtype=np.intp)
    cdef idx[:, ::1] touched = np.zeros((2, rows), dtype=np.intp)
    cdef idx[::1] counts = np.zeros(net.plan.n_columns + 1, dtype=np.intp)
    cdef idx[::1] places = np.zeros(n, dtype=np.intp)
    passes.n_seats, passes.seats, passes.chosen = seats, &places[0], &sequences[passes.n_scans, 0]
    passes.seen, passes.touched, passes.n_touched = &touched[0, 0], &touched[1, 0], &counts[0]
    kept = [tables, states, gradients, sequences, touched, counts, places]
    if len(cut) != passes.n_scans:
        raise ValueError("each direction has chunks of its own")
    for d in range(passes.n_scans):
        scan = &passes.scans[d]
        kept += _read_chunks(scan, cut[d], limits[2], offsets)
        connect_parameters(&scan.net, &tables[0], <real*> &params[0], &gradients[d, 0])
        scan.net.sequences = &sequences[d, 0]
        scan.h, scan.c, scan.width = &states[d, 0, 0, 0, 0], &states[d, 1, 0, 0, 0], width
        scan.place = d * net.plan.Hp
        for k in range(scan.net.plan.n_layers):
            layer = &scan.net.layers[k]
            memset(layer.h0, 0, seats * layer.plan.Hp * sizeof(real))
            if layer.plan.has_c:
                memset(layer.c0, 0, seats * layer.plan.Hp * sizeof(real))
        leave_out_top(&scan.net)
    return kept


cdef list _read_chunks(Scan* scan, chunks, idx longest, const idx[::1] offsets):
    """Check and connect the chunks of one direction; returns their arrays."""
    cdef const idx[::1] starts = chunks[0], owners = chunks[1], first = chunks[2]
    cdef idx n = offsets.shape[0] - 1, n_chunks = owners.shape[0], s, k
    if starts.shape[0] != n_chunks + 1 or first.shape[0] != n + 1 or first[0] != 0 \
            or first[n] != n_chunks or starts[n_chunks] != offsets[n]:
        raise ValueError("chunks do not fit the sequences")
    for s in range(n):
        if not first[s] < first[s + 1] <= n_chunks or starts[first[s]] != offsets[s]:
            raise ValueError(f"chunks do not fit sequence {s}")
        for k in range(first[s], first[s + 1]):
            if owners[k] != s or not 0 <= starts[k + 1] - starts[k] <= longest:
                raise ValueError(f"chunk {k} does not fit sequence {s} or the workspace")
    scan.offsets, scan.first, scan.net.owners = &starts[0], &first[0], &owners[0]
    return [starts, owners, first]


cdef int _check_passes(
    const Passes* passes, limits, const idx[::1] chosen, const idx[::1] bounds
) except -1:
    """No pass has more steps than the workspace, and no batch a sequence twice."""
    cdef const Scan* scan = &passes.scans[0]
    cdef idx k, b, s, at, most, steps
    for k in range(bounds.shape[0] - 1):
        steps = 0
        for b in range(bounds[k], bounds[k + 1]):
            s = chosen[b]
            if passes.seats[s] == k + 1:
                raise ValueError(f"sequence {s} is twice in batch {k}")
            passes.seats[s], most = k + 1, 0
            for at in range(scan.first[s], scan.first[s + 1]):
                most = imax(most, scan.offsets[at + 1] - scan.offsets[at])
            steps += most
        if steps > limits[1]:
            raise ValueError(f"a pass of batch {k} has more steps than the workspace")
    return 0
