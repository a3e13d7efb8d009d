"""Probes: intermediate results for tests, benchmarks and diagnostics."""
from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from .batch cimport load_batch
from .characters cimport characters_backward, characters_forward
from .denormals cimport FLUSH_BITS, flush_denormals, read_mode, restore_mode, write_mode
from .dropout cimport dropout_rows, layer_dropout
from .heads.losses cimport head_loss
from .heads.targets cimport BatchSize
from .network cimport head_backward, input_gradient, layers_backward, network_forward
from .optimizer cimport Optimizer, penalize
from .pack cimport pack_weights
from .products cimport PRODUCT_ROWS
from .stopping cimport check_stopped, watch
from .time_loop cimport step_backward
from .types cimport (
    ALL, BLOCK_COLS, LANES, Net, Scan, Stop, TILE_ROWS, ceil_div, exp_negative, idx, last_row, load,
    log_vec, real, row_at, sigmoid, splat, store, sum_lanes, tanh_vec, tile, vec,
)


def inspect_batch(
    plan, options, limits, unsigned char[::1] workspace, const real[::1] params,
    real[::1] grads, data, const idx[::1] batch_indices, *, targets=None, alpha=0.0,
    h0=None, c0=None, d_outputs=None, d_hn=None, d_cn=None, seed=0, trace=False,
):
    """Run one batch forward and backward, and return all intermediate results.

    For gradient checks and diagnostics; slow, correct, and through the very functions `train`
    calls. Initial and final states, and their gradients, are lists with an array (B, H) for each
    scan and direction, in the order of `batch_indices`.

    Parameters
    ----------
    targets : (labels, target_values, weights) or None
        With targets, the head's loss is propagated back.
    d_outputs : ndarray (total_steps, n_directions * H) or None
        Cotangents of the top layer's outputs, added to what the head sends down.
    d_hn, d_cn : list of ndarray or None
        Cotangents of the final states.
    trace : bool
        Go back once more to add `dh` (N, H) to each of `scans`: dLoss/dh_t of all packed rows,
        by every way there is.

    Returns
    -------
    dict
        `logits` of packed rows, unless the output layer is computed in chunks; `rows`, the user's
        row of each packed row; `sequences`, the place in `batch_indices` of each packed sequence;
        `tokens` (n_columns, N) as looked up; `scans`,
        for each layer and direction `h` and (in training) `c` of all packed rows, the recurrent
        dropout `mask`, and the packed rows of the `last` steps. In training also `loss`, the
        batch's `rows_with_target`, `norm` (of the gradient), `d_h0`, `d_c0` and, with `wants_dx`
        and `batch_indices` an order of all sequences, `d_inputs`.
    """
    cdef Net net
    cdef Optimizer opt
    cdef Stop stop
    cdef double loss = 0, penalty = 0
    cdef BatchSize size
    cdef const idx[::1] offsets = data.offsets
    cdef const real[:, ::1] values = data.values
    cdef const idx[:, ::1] tokens = data.tokens
    cdef const idx[::1] labels = None
    cdef const real[:, ::1] target_values = None
    cdef const double[::1] weights = None
    cdef idx k
    _open(&net, plan, options, limits, workspace, params, grads, True)
    watch(&stop, &net)
    batch_offsets = np.array([0, batch_indices.shape[0]], dtype=np.intp)
    _check_data(&net, data, limits, batch_indices, batch_offsets)
    _read_spellings(&net, data, limits, batch_indices, batch_offsets)
    if targets is not None:
        labels, target_values, weights = targets.labels, targets.values, targets.weights
        _check_targets(&net, offsets, labels, target_values, weights, batch_indices, batch_offsets)
    net.caller_mode = flush_denormals()
    try:
        net.seed = seed
        load_batch(&net, &offsets[0], _reals(values), NULL if tokens is None else &tokens[0, 0],
                   NULL, &batch_indices[0], batch_indices.shape[0])
        pack_weights(&net)
        # packed position -> position in `batch_indices`
        place = np.empty(batch_indices.shape[0], dtype=np.intp)
        lookup = {int(c): i for i, c in enumerate(batch_indices)}
        for k in range(net.B):
            place[k] = lookup[net.order[k]]
        for k in range(net.plan.n_scans):
            _put_states(net.scans[k].h0, &net, k, None if h0 is None else h0[k], place)
            if net.scans[k].plan.has_c:
                _put_states(net.scans[k].c0, &net, k, None if c0 is None else c0[k], place)
        if net.characters != NULL:
            characters_forward(&net)
        network_forward(&net)
        check_stopped(&stop)
        result = {}
        rows = _row_order(&net, &offsets[0])
        top = &net.scans[net.plan.n_scans - net.plan.n_directions]
        if net.logit_rows == 0:
            result["logits"] = _copy(net.logits, net.R, net.Op, net.plan.n_outputs)
        result["rows"] = rows
        result["sequences"] = place
        result["tokens"] = np.array(<idx[:net.plan.n_columns, :net.N]> net.tokens) \
            if net.plan.n_columns else None
        result["scans"] = [_scan_states(&net, k) for k in range(net.plan.n_scans)]
        if not net.training:
            return result
        memset(grads_pointer(grads), 0, net.plan.n_params * sizeof(real))
        memset(top.dy, 0, net.N * net.F * sizeof(real))
        for k in range(net.plan.n_scans):
            _put_states(net.scans[k].dh, &net, k, None if d_hn is None else d_hn[k], place)
            if net.scans[k].plan.has_c:
                _put_states(net.scans[k].dc, &net, k, None if d_cn is None else d_cn[k], place)
        if targets is not None:
            loss = head_loss(&net, &offsets[0], _pointer(labels), _reals(target_values),
                             NULL if weights is None else &weights[0], &size, True)
            head_backward(&net)
        _add_cotangents(&net, top.dy, d_outputs, rows)
        if trace:
            # The gates are overwritten. A plain copy is a memcpy, which stops at red zones.
            before = np.bitwise_or(workspace, 0)
            for k, dh in enumerate(_state_gradients(&net)):
                result["scans"][k]["dh"] = dh
            np.bitwise_or(before, 0, out=np.asarray(workspace))
        layers_backward(&net)
        if net.characters != NULL:
            characters_backward(&net)
        check_stopped(&stop)
        opt.alpha = alpha
        result["rows_with_target"] = size.rows
        result["norm"] = penalize(&net, &opt, &penalty)
        result["loss"] = loss + penalty
        result["d_h0"] = [_take_states(net.scans[k].dh, &net, k, place)
                          for k in range(net.plan.n_scans)]
        result["d_c0"] = [_take_states(net.scans[k].dc, &net, k, place)
                          for k in range(net.plan.n_scans) if net.scans[k].plan.has_c]
        if options.wants_dx:
            result["d_inputs"] = np.empty((net.N, net.plan.D), real_dtype)
            result["d_inputs"][rows] = _copy(net.dx, net.N, net.ld_dx, net.plan.D)
        return result
    finally:
        restore_mode(net.caller_mode)


cdef real* grads_pointer(real[::1] grads):
    return &grads[0]


cdef _copy(const real* rows, idx n, idx ld, idx width):
    """Return an array (n, width) of rows that lie `ld` apart."""
    cdef idx r
    out = np.empty((n, width), real_dtype)
    cdef real[:, ::1] view = out
    for r in range(n):
        memcpy(&view[r, 0], rows + r * ld, width * sizeof(real))
    return out


cdef _row_order(const Net* net, const idx* offsets):
    """Return the row of the user's data for each packed row."""
    cdef idx b, t
    out = np.empty(net.N, dtype=np.intp)
    cdef idx[::1] view = out
    for b in range(net.B):
        for t in range(net.lengths[b]):
            view[row_at(net, t, b)] = offsets[net.order[b]] + t
    return out


cdef _put_states(real* to, const Net* net, idx k, states, place):
    cdef idx H = net.scans[k].plan.H, Hp = net.scans[k].plan.Hp
    cdef real[:, ::1] view = <real[:net.B, :Hp]> to
    view[...] = 0
    if states is not None:
        np.asarray(view)[:, :H] = np.asarray(states)[place]


cdef _take_states(const real* source, const Net* net, idx k, place):
    out = np.empty((net.B, net.scans[k].plan.H), real_dtype)
    out[place] = _copy(source, net.B, net.scans[k].plan.Hp, net.scans[k].plan.H)
    return out


cdef _scan_states(const Net* net, idx k):
    """h (and c, in training) of every packed row of one scan, its dropout, and its last rows."""
    cdef const Scan* scan = &net.scans[k]
    cdef idx b
    H = scan.plan.H
    states = {"h": _copy(scan.ws_y, net.N, scan.ldy, H), "c": None, "mask": None}
    if net.training and scan.plan.has_c:
        states["c"] = _copy(scan.ws_c, net.N, scan.plan.Hp, H)
    if scan.ws_mask != NULL:
        states["mask"] = _copy(scan.ws_mask, net.B, scan.plan.Hp, H)
    states["last"] = np.array([last_row(net, b, scan.plan.direction) for b in range(net.B)])
    return states


cdef _state_gradients(Net* net):
    """dLoss/dh_t of every scan: `layers_backward`, less the gradients of weights."""
    cdef Scan* scan
    cdef Scan* below
    cdef idx layer, d, block, dirs = net.plan.n_directions
    found = [None] * net.plan.n_scans
    for layer in range(net.plan.n_layers - 1, -1, -1):
        scan = &net.scans[layer * dirs]
        below = scan - dirs
        for d in range(dirs):
            found[layer * dirs + d] = _scan_gradients(net, scan + d)
        for block in range(ceil_div(net.N, PRODUCT_ROWS) if layer > 0 else 0):
            input_gradient(net, scan, below.dy, below.ldy, block)
        if layer > 0 and net.dropout > 0:
            layer_dropout(net, below.dy, below.dy, net.N, below, layer)
    return found


cdef _scan_gradients(Net* net, Scan* scan):
    """Compute dLoss/dh_t of one scan: `backward_task`, with a copy at every step."""
    cdef idx s, t, b, u, row, H = scan.plan.H
    dh = np.empty((net.N, H), real_dtype)
    cdef real[:, ::1] view = dh
    for s in range(net.T):
        t = net.T - 1 - s if scan.plan.direction > 0 else s
        for b in range(net.active[t]):
            row = row_at(net, t, b)
            for u in range(H):
                # what t + 1 sent back, and what comes from above
                view[row, u] = scan.dh[b * scan.plan.Hp + u] + scan.dy[row * scan.ldy + u]
        step_backward(net, scan, t, 0, net.active[t])
    return dh


cdef _add_cotangents(const Net* net, real* dy, d_outputs, rows):
    cdef idx d, H = net.plan.H, Hp = net.plan.Hp
    if d_outputs is None:
        return
    cdef real[:, ::1] view = <real[:net.N, :net.F]> dy
    ours = np.asarray(view)
    theirs = np.asarray(d_outputs, dtype=real_dtype)[rows]
    for d in range(net.plan.n_directions):
        ours[:, d * Hp:d * Hp + H] += theirs[:, d * H:(d + 1) * H]


def repeat_loss(
    plan, options, limits, unsigned char[::1] workspace, const real[::1] params, real[::1] grads,
    data, const idx[::1] batch_indices, targets, const real[:, ::1] logits, idx repeats,
):
    """Compute loss and gradient from given logits, one row per step, `repeats` times.

    Returns
    -------
    (float, ndarray of shape (total_steps, n_outputs))
        Loss, and its gradient with respect to the logits.
    """
    cdef Net net
    cdef double loss = 0
    cdef BatchSize size
    cdef const idx[::1] offsets = data.offsets
    cdef const real[:, ::1] values = data.values
    cdef const idx[::1] labels = targets.labels
    cdef const idx* label = _pointer(labels)
    cdef idx k, O = plan.n_outputs
    _open(&net, plan, options, limits, workspace, params, grads)
    batch_offsets = np.array([0, batch_indices.shape[0]], dtype=np.intp)
    _check_data(&net, data, limits, batch_indices, batch_offsets)
    if net.plan.pooling != ALL or net.plan.n_columns or not net.training or net.logit_rows > 0:
        raise ValueError("The probe needs a head on every step, training, and all logits.")
    _check_targets(&net, offsets, labels, None, None, batch_indices, batch_offsets)
    load_batch(&net, &offsets[0], _reals(values), NULL, NULL, &batch_indices[0],
               batch_indices.shape[0])
    net.R = net.N
    rows = _row_order(&net, &offsets[0])
    cdef real[:, ::1] packed = <real[:net.N, :net.Op]> net.logits
    np.asarray(packed)[:, :O] = np.asarray(logits)[rows]
    np.asarray(packed)[:, O:] = 0
    with nogil:
        net.caller_mode = flush_denormals()
        for k in range(repeats):
            loss = head_loss(&net, &offsets[0], label, NULL, NULL, &size, True)
        restore_mode(net.caller_mode)
    gradient = np.empty((net.N, O), real_dtype)
    gradient[rows] = _copy(net.dlogits, net.N, net.Op, O)
    return loss, gradient


def dropout_multipliers(idx rows, idx width, double rate, unsigned long long seed):
    """Return the multipliers (rows, width) of one dropout mask, as the kernels draw them."""
    out = np.ones((rows, width), dtype=real_dtype)
    cdef real[:, ::1] view = out
    dropout_rows(&view[0, 0], &view[0, 0], NULL, 0, rows, 1, width, width, rate, seed)
    return out


def elementary(name, const real[::1] x):
    """Return sigmoid, tanh, exp (of x <= 0) or log of x, whose size is a multiple of `lanes`."""

    out = np.empty(x.shape[0], dtype=real_dtype)
    cdef real[::1] view = out
    cdef idx k
    cdef unsigned long long caller
    cdef int which = ("sigmoid", "tanh", "exp", "log").index(name)
    if x.shape[0] % LANES:
        raise ValueError(f"The size of x must be a multiple of {LANES}.")
    caller = flush_denormals()
    for k from 0 <= k < x.shape[0] by LANES:
        if which == 0:
            store(&view[k], sigmoid(load(&x[k])))
        elif which == 1:
            store(&view[k], tanh_vec(load(&x[k])))
        elif which == 2:
            store(&view[k], exp_negative(load(&x[k])))
        else:
            store(&view[k], log_vec(load(&x[k])))
    restore_mode(caller)
    return out


def tile_flops(idx repeats, real value):
    """Run the register tile from level-1 cache and return its floating-point operations: timed by
    the caller, the speed the processor's multiply-add units can give.

    Returns (operations, sum of the results). The sum, and operands that all are `value`, which
    the compiler cannot know, keep it from dropping the work.
    """
    cdef vec acc[TILE_ROWS * BLOCK_COLS]
    cdef vec w[64 * BLOCK_COLS]
    cdef real a[TILE_ROWS * 64]
    cdef idx k
    memset(acc, 0, sizeof(acc))
    for k in range(64 * BLOCK_COLS):
        w[k] = splat(value)
    for k in range(TILE_ROWS * 64):
        a[k] = value
    with nogil:
        for k in range(repeats):
            tile(TILE_ROWS, BLOCK_COLS, 64, a, 64, 1, <const real*> w, <const real*> acc,
                 BLOCK_COLS * LANES, <real*> acc, BLOCK_COLS * LANES)
    return 2.0 * repeats * 64 * TILE_ROWS * BLOCK_COLS * LANES, sum_lanes(acc[0])


def flushing(idx threads, on=None):
    """Whether each of OpenMP's threads takes denormal numbers for zero, the calling one first.

    With `on`, the calling thread is told to, or not to, and nothing else is done. Without a bit
    that says so (denormals.pxd) none does.
    """
    if on is not None:
        write_mode((read_mode() & ~FLUSH_BITS) | (FLUSH_BITS if on else 0))
        return None
    found = np.zeros(threads, dtype=np.intp)
    cdef idx[::1] view = found
    cdef idx k
    for k in prange(threads, nogil=True, num_threads=threads, schedule='static', chunksize=1):
        view[k] = FLUSH_BITS != 0 and read_mode() & FLUSH_BITS == FLUSH_BITS
    return found.astype(bool)
