"""Truncated BPTT in the memory of a chunk: its networks are laid out and checked."""
from libc.string cimport memset

from .heads.pooling cimport leave_out_top
from .truncated_bptt cimport Branch, Passes
from .types cimport ALL, ATTENTION, CRF, Net, Scan, ScanPlan, idx, imax, real
from .workspace cimport carve, connect_parameters


cdef size_t _carve_passes(char* base, Net* net, Passes* passes, plan, options, limits) except 0:
    """Lay out the head, whose rows are sequences, and the scans of each direction; count bytes."""
    cdef const ScanPlan* scans = _describe(net, plan, options)
    cdef idx d, n = net.plan.n_directions
    cdef size_t used
    if n * net.plan.n_layers > imax(n, net.plan.n_layers) or net.plan.loss == CRF \
            or (n > 1 and net.plan.pooling == ALL) \
            or net.plan.pooling & ATTENTION or net.plan.spelled > 0:
        raise ValueError("Networks of this kind have no passes over chunks.")
    passes.n_branches = n
    net.plan.n_scans = 0
    used = carve(base, net, scans, limits.n_sequences, limits.n_sequences, 1)
    for d in range(n):
        _describe(&passes.branches[d].net, plan, options)
        passes.branches[d].net.plan.n_directions = 1
        passes.branches[d].net.plan.n_scans = net.plan.n_layers
        passes.branches[d].net.first_scan = d
        used += carve(NULL if base == NULL else base + used, &passes.branches[d].net, scans + d,
                      limits.n_sequences, limits.n_steps, limits.longest)
    return used


def passes_bytes(plan, options, limits):
    """Return the bytes of workspace of `train` in chunks; `limits` are those of a pass."""
    cdef Net net
    cdef Passes passes
    return _carve_passes(NULL, &net, &passes, plan, options, limits) + 64


cdef _open_passes(
    Net* net, Passes* passes, plan, options, limits, unsigned char[::1] workspace,
    const real[::1] params, real[::1] grads, direction_chunks, const idx[::1] offsets,
):
    """Lay the workspace out, and check and connect the chunks of each direction.

    Returns arrays to keep while they are used.
    """
    cdef const idx[::1] tables = plan.tables
    cdef idx d, k, rows = 1, seats = limits.n_sequences, n = offsets.shape[0] - 1
    cdef idx width = max(plan.hidden)
    cdef Branch* branch
    cdef Scan* scan
    memset(passes, 0, sizeof(Passes))
    if seats < 1:
        raise ValueError("The limits leave no room for a sequence.")
    if workspace.shape[0] < <idx> passes_bytes(plan, options, limits):
        raise ValueError("The workspace is smaller than the plan and the batches need.")
    if params.shape[0] != plan.n_params or grads.shape[0] != plan.n_params:
        raise ValueError("Parameters or gradients do not fit the plan.")
    start = (64 - (<size_t> &workspace[0]) % 64) % 64
    _carve_passes(<char*> &workspace[start], net, passes, plan, options, limits)
    connect_parameters(net, &tables[0], <real*> &params[0], &grads[0])
    for k in range(net.plan.n_columns):
        rows += net.columns[k].rows
    cdef real[:, :, :, :, ::1] states = np.zeros(
        (passes.n_branches, 2, net.plan.n_layers, seats, width), real_dtype
    )
    cdef real[:, ::1] gradients = np.zeros((passes.n_branches, plan.n_params), real_dtype)
    cdef idx[:, ::1] sequences = np.zeros((passes.n_branches + 1, seats), dtype=np.intp)
    cdef idx[:, ::1] touched = np.zeros((2, rows), dtype=np.intp)
    cdef idx[::1] counts = np.zeros(net.plan.n_columns + 1, dtype=np.intp)
    cdef idx[::1] places = np.zeros(n, dtype=np.intp)
    passes.n_seats, passes.seats = seats, &places[0]
    passes.chunks = &sequences[passes.n_branches, 0]
    passes.seen, passes.touched, passes.n_touched = &touched[0, 0], &touched[1, 0], &counts[0]
    kept = [tables, states, gradients, sequences, touched, counts, places]
    if len(direction_chunks) != passes.n_branches:
        raise ValueError("Pass one set of chunks per direction.")
    for d in range(passes.n_branches):
        branch = &passes.branches[d]
        kept += _read_chunks(branch, direction_chunks[d], limits.longest, offsets)
        connect_parameters(&branch.net, &tables[0], <real*> &params[0], &gradients[d, 0])
        branch.net.sequences = &sequences[d, 0]
        branch.h, branch.c, branch.width = &states[d, 0, 0, 0, 0], &states[d, 1, 0, 0, 0], width
        branch.place = d * net.plan.Hp
        for k in range(branch.net.plan.n_scans):
            scan = &branch.net.scans[k]
            memset(scan.h0, 0, seats * scan.plan.Hp * sizeof(real))
            if scan.plan.has_c:
                memset(scan.c0, 0, seats * scan.plan.Hp * sizeof(real))
        leave_out_top(&branch.net)
    return kept


cdef list _read_chunks(Branch* branch, chunks, idx longest, const idx[::1] offsets):
    """Check and connect the chunks of one direction; returns their arrays."""
    cdef const idx[::1] starts = chunks.offsets, owners = chunks.owners, first = chunks.first
    cdef idx n = offsets.shape[0] - 1, n_chunks = owners.shape[0], s, k
    if starts.shape[0] != n_chunks + 1 or first.shape[0] != n + 1 or first[0] != 0 \
            or first[n] != n_chunks or starts[n_chunks] != offsets[n]:
        raise ValueError("The chunks do not fit the sequences.")
    for s in range(n):
        if not first[s] < first[s + 1] <= n_chunks or starts[first[s]] != offsets[s]:
            raise ValueError(f"The chunks do not fit sequence {s}.")
        for k in range(first[s], first[s + 1]):
            if owners[k] != s or not 0 <= starts[k + 1] - starts[k] <= longest:
                raise ValueError(f"chunk {k} does not fit sequence {s} or the workspace")
    branch.offsets, branch.first, branch.net.owners = &starts[0], &first[0], &owners[0]
    return [starts, owners, first]


cdef int _check_passes(
    const Passes* passes, limits, const idx[::1] batch_indices, const idx[::1] batch_offsets
) except -1:
    """Raise if a pass has more steps than the workspace, or a batch has a sequence twice."""
    cdef const Branch* branch = &passes.branches[0]
    cdef idx k, b, s, at, most, steps
    for k in range(batch_offsets.shape[0] - 1):
        steps = 0
        for b in range(batch_offsets[k], batch_offsets[k + 1]):
            s = batch_indices[b]
            if passes.seats[s] == k + 1:
                raise ValueError(f"sequence {s} is twice in batch {k}")
            passes.seats[s], most = k + 1, 0
            for at in range(branch.first[s], branch.first[s + 1]):
                most = imax(most, branch.offsets[at + 1] - branch.offsets[at])
            steps += most
        if steps > limits.n_steps:
            raise ValueError(f"a pass of batch {k} has more steps than the workspace")
    return 0
