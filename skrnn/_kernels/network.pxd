"""The whole network over one packed batch: forward, loss, back-propagation through time.

Every parallel loop hands out work that no other task of it writes: rows, or output tiles.
Above 500 lines because the backward pass is read beside the forward pass that it reverses.
"""
from cython.parallel cimport prange
from libc.string cimport memset

from .batch cimport share_rows
from .denormals cimport flush_denormals, restore_worker
from .dropout cimport draw_masks, layer_dropout
from .embedding cimport embedding_gradient
from .heads.output_layer cimport head_gradient, head_product
from .heads.pooling cimport read_top, write_top
from .products cimport PRODUCT_ROWS, product
from .stopping cimport stopped
from .time_loop cimport backward_task, forward_task
from .types cimport LANES, Net, Scan, ceil_div, idx, imin, real, useful_threads
from .weight_gradients cimport add_slices, fused, layer_weight_gradients
from .work_stealing cimport start_tasks


cdef inline double scan_flops(const Net* net, const Scan* scan) noexcept nogil:
    return 2.0 * scan.plan.saved * scan.plan.Hp * (scan.K + scan.plan.H) * net.N


cdef inline void network_forward(Net* net) noexcept nogil:
    """Hidden states of all layers, features, logits."""
    layers_forward(net)
    if not stopped(net.stop, 0):
        head_forward(net)


cdef inline void layers_forward(Net* net) noexcept nogil:
    """Hidden states of all layers."""
    cdef Scan* scan
    cdef idx layer, task, threads, shares, dirs = net.plan.n_directions
    draw_masks(net)
    for layer in range(net.plan.n_layers):
        scan = &net.scans[layer * dirs]
        if layer > 0 and net.training and net.dropout > 0:
            layer_dropout(net, net.ws_dropped[layer], (scan - dirs).ws_y, net.N, scan - dirs, layer)
        threads = useful_threads(net.threads, dirs * scan_flops(net, scan))
        shares = imin(ceil_div(threads, dirs), net.B)
        share_rows(net, shares)
        start_tasks(net, scan, shares, 1, False)
        for task in prange(net.n_tasks, num_threads=threads, use_threads_if=threads > 1,
                           schedule='static', chunksize=1):
            flush_denormals()
            forward_task(net, scan, task, threads > 1)
            restore_worker(net.caller_mode)
        if stopped(net.stop, 0):
            return


cdef inline void head_forward(Net* net) noexcept nogil:
    """Features (pooled, dropped out) and logits."""
    read_top(net)
    head_product(net)


cdef inline void head_backward(Net* net) noexcept nogil:
    """dW and db of the head, dfeatures, and dy of the top layer, from dlogits. With pooling 'last'
    it is the gradient of the final states, to which it is added."""
    head_gradient(net)
    write_top(net)


cdef inline void input_gradient(
    const Net* net, const Scan* scans, real* dx, idx ld, idx block
) noexcept nogil:
    """dx = sum over directions of W_ih^T dz for one block of packed rows, forward first."""
    cdef idx d, row = block * PRODUCT_ROWS
    cdef const Scan* scan
    for d in range(net.plan.n_directions):
        scan = scans + d
        product(dx + row * ld, ld,
                scan.ws_gates + row * scan.plan.saved * scan.plan.Hp + scan.plan.ih_start,
                scan.plan.saved * scan.plan.Hp, imin(PRODUCT_ROWS, net.N - row),
                scan.plan.ih_stop - scan.plan.ih_start, scan.pack_dx, ld // LANES, NULL, d > 0)


cdef inline void clear_state_gradients(Net* net) noexcept nogil:
    cdef Scan* scan
    cdef idx k
    for k in range(net.plan.n_scans):
        scan = &net.scans[k]
        memset(scan.dh, 0, net.B * scan.plan.Hp * sizeof(real))
        if scan.plan.has_c:
            memset(scan.dc, 0, net.B * scan.plan.Hp * sizeof(real))


cdef inline void layers_backward(Net* net) noexcept nogil:
    """BPTT from the top layer's dy down; dh and dc hold what the final states get, on return what
    the initial states get."""
    cdef Scan* scan
    cdef idx layer, task, threads, shares, block, ld, dirs = net.plan.n_directions
    cdef bint within
    cdef real* dx
    for layer in range(net.plan.n_layers - 1, -1, -1):
        scan = &net.scans[layer * dirs]
        threads = useful_threads(net.threads, dirs * scan_flops(net, scan))
        within = fused(net, scan, threads)
        shares = net.n_slices if within else imin(ceil_div(threads, dirs), net.B)
        share_rows(net, shares)
        start_tasks(net, scan, shares, -1, within)
        for task in prange(net.n_tasks, num_threads=threads, use_threads_if=threads > 1,
                           schedule='static', chunksize=1):
            flush_denormals()
            backward_task(net, scan, task, within, threads > 1)
            restore_worker(net.caller_mode)
        if stopped(net.stop, 0):
            return
        layer_weight_gradients(net, scan, threads, within)
        add_slices(net, scan)
        if layer == 0 and not net.wants_dx:
            return
        dx = net.dx if layer == 0 else (scan - dirs).dy
        ld = net.ld_dx if layer == 0 else (scan - dirs).ldy
        for block in prange(ceil_div(net.N, PRODUCT_ROWS), num_threads=threads,
                            use_threads_if=threads > 1, schedule='dynamic'):
            flush_denormals()
            if not stopped(net.stop, 2.0 * PRODUCT_ROWS * scan.plan.saved * scan.plan.Hp * ld):
                input_gradient(net, scan, dx, ld, block)
            restore_worker(net.caller_mode)
        if layer > 0 and net.dropout > 0:
            layer_dropout(net, dx, dx, net.N, scan - dirs, layer)
    threads = useful_threads(net.threads, 100.0 * net.N * net.plan.n_columns)
    for block in prange(net.plan.n_columns, num_threads=threads, use_threads_if=threads > 1,
                        schedule='dynamic'):
        flush_denormals()
        if not stopped(net.stop, 100.0 * net.N):
            embedding_gradient(net, block)
        restore_worker(net.caller_mode)
