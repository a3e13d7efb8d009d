"""The whole network over one packed batch: forward, loss, back-propagation through time.

Every parallel loop hands out work that no other part of it writes: rows, or output tiles.
Above 500 lines because the backward pass is read beside the forward pass that it reverses.
"""
from cython.parallel cimport prange
from libc.string cimport memset

from .batch cimport share_rows
from .denormals cimport flush_denormals, restore_worker
from .dropout cimport draw_masks, level_dropout
from .embedding cimport embedding_gradient
from .heads.output_layer cimport head_gradient, head_product
from .heads.pooling cimport read_top, write_top
from .products cimport PRODUCT_ROWS, product
from .stopping cimport stopped
from .time_loop cimport backward_part, forward_part
from .types cimport LANES, Layer, Net, idx, imin, pieces, real, useful_threads
from .weight_gradients cimport add_slices, fused, level_weight_gradients
from .work_stealing cimport start_parts


cdef inline double layer_flops(const Net* net, const Layer* layer) noexcept nogil:
    return 2.0 * layer.plan.slots * layer.plan.Hp * (layer.K + layer.plan.H) * net.N


cdef inline void network_forward(Net* net) noexcept nogil:
    """Hidden states of all levels, features, logits."""
    layers_forward(net)
    if not stopped(net.stop, 0):
        head_forward(net)


cdef inline void layers_forward(Net* net) noexcept nogil:
    """Hidden states of all levels."""
    cdef Layer* layer
    cdef idx level, part, threads, parts, dirs = net.plan.n_directions
    draw_masks(net)
    for level in range(net.plan.n_levels):
        layer = &net.layers[level * dirs]
        if level > 0 and net.training and net.dropout > 0:
            level_dropout(net, net.dropped[level], (layer - dirs).y, net.N, layer - dirs, level)
        threads = useful_threads(net.threads, dirs * layer_flops(net, layer))
        parts = imin(pieces(threads, dirs), net.B)
        share_rows(net, parts)
        start_parts(net, layer, parts, 1, False)
        for part in prange(net.n_parts, num_threads=threads, use_threads_if=threads > 1,
                           schedule='static', chunksize=1):
            flush_denormals()
            forward_part(net, layer, part, threads > 1)
            restore_worker(net.caller_mode)
        if stopped(net.stop, 0):
            return


cdef inline void head_forward(Net* net) noexcept nogil:
    """Features (pooled, dropped out) and logits."""
    read_top(net)
    head_product(net)


cdef inline void head_backward(Net* net) noexcept nogil:
    """dW and db of the head, dfeatures, and dy of the top level, from dlogits. With pooling 'last'
    it is the gradient of the final states, to which it is added."""
    head_gradient(net)
    write_top(net)


cdef inline void input_gradient(
    const Net* net, const Layer* layers, real* dx, idx ld, idx block
) noexcept nogil:
    """dx = sum over directions of W_ih^T dz for one block of packed rows, forward first."""
    cdef idx d, row = block * PRODUCT_ROWS
    cdef const Layer* layer
    for d in range(net.plan.n_directions):
        layer = layers + d
        product(dx + row * ld, ld,
                layer.gates + row * layer.plan.slots * layer.plan.Hp + layer.plan.ih_start,
                layer.plan.slots * layer.plan.Hp, imin(PRODUCT_ROWS, net.N - row),
                layer.plan.ih_stop - layer.plan.ih_start, layer.pack_dx, ld // LANES, NULL, d > 0)


cdef inline void clear_state_gradients(Net* net) noexcept nogil:
    cdef Layer* layer
    cdef idx k
    for k in range(net.plan.n_layers):
        layer = &net.layers[k]
        memset(layer.dh, 0, net.B * layer.plan.Hp * sizeof(real))
        if layer.plan.has_c:
            memset(layer.dc, 0, net.B * layer.plan.Hp * sizeof(real))


cdef inline void layers_backward(Net* net) noexcept nogil:
    """BPTT from the top level's dy down; dh and dc hold what the final states get, on return what
    the initial states get."""
    cdef Layer* layer
    cdef idx level, part, threads, parts, block, ld, dirs = net.plan.n_directions
    cdef bint within
    cdef real* dx
    for level in range(net.plan.n_levels - 1, -1, -1):
        layer = &net.layers[level * dirs]
        threads = useful_threads(net.threads, dirs * layer_flops(net, layer))
        within = fused(net, layer, threads)
        parts = net.n_slices if within else imin(pieces(threads, dirs), net.B)
        share_rows(net, parts)
        start_parts(net, layer, parts, -1, within)
        for part in prange(net.n_parts, num_threads=threads, use_threads_if=threads > 1,
                           schedule='static', chunksize=1):
            flush_denormals()
            backward_part(net, layer, part, within, threads > 1)
            restore_worker(net.caller_mode)
        if stopped(net.stop, 0):
            return
        level_weight_gradients(net, layer, threads, within)
        add_slices(net, layer)
        if level == 0 and not net.wants_dx:
            return
        dx = net.dx if level == 0 else (layer - dirs).dy
        ld = net.ld_dx if level == 0 else (layer - dirs).ldy
        for block in prange(pieces(net.N, PRODUCT_ROWS), num_threads=threads,
                            use_threads_if=threads > 1, schedule='dynamic'):
            flush_denormals()
            if not stopped(net.stop, 2.0 * PRODUCT_ROWS * layer.plan.slots * layer.plan.Hp * ld):
                input_gradient(net, layer, dx, ld, block)
            restore_worker(net.caller_mode)
        if level > 0 and net.dropout > 0:
            level_dropout(net, dx, dx, net.N, layer - dirs, level)
    threads = useful_threads(net.threads, 100.0 * net.N * net.plan.n_columns)
    for block in prange(net.plan.n_columns, num_threads=threads, use_threads_if=threads > 1,
                        schedule='dynamic'):
        flush_denormals()
        if not stopped(net.stop, 100.0 * net.N):
            embedding_gradient(net, block)
        restore_worker(net.caller_mode)
