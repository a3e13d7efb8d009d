"""The output scan: logits of the features, and its gradients."""
from cython.parallel cimport prange, threadid

from ..denormals cimport flush_denormals, restore_worker
from ..products cimport PRODUCT_ROWS, product
from ..stopping cimport stopped
from ..types cimport LANES, Net, ceil_div, idx, imin, useful_threads
from ..weight_gradients cimport (
    WeightGradient, cut_weight_tasks, scratch_of, weight_gradient_task, weight_tasks,
)


cdef inline void head_product(Net* net) noexcept nogil:
    """Logits of the features; wide ones are computed with their loss."""
    cdef idx r, D = net.segments
    cdef idx threads = useful_threads(net.threads, 2.0 * net.R * net.P * net.Op)
    if net.logit_rows > 0:
        return
    for r in prange(ceil_div(net.R, PRODUCT_ROWS), num_threads=threads,
                    use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        if not stopped(net.stop, 2.0 * PRODUCT_ROWS * net.P * net.Op):
            product(net.logits + r * PRODUCT_ROWS * net.Op, net.Op,
                    net.ws_features + r * PRODUCT_ROWS * net.P, net.P,
                    imin(PRODUCT_ROWS, net.R - r * PRODUCT_ROWS),
                    (D - 1) * net.plan.Hp + net.plan.H, net.pack_head, net.Op // LANES,
                    net.pack_head_b, False)
        restore_worker(net.caller_mode)


cdef inline void head_gradient(Net* net) noexcept nogil:
    """dW and db of the head, and dfeatures, from dlogits; those of wide outputs are there already.
    """
    cdef WeightGradient g
    cdef idx task, r, D = net.segments
    cdef idx threads = useful_threads(net.threads, 4.0 * net.R * net.P * net.Op)
    if net.logit_rows > 0:
        return
    g.runs, g.order, g.stop = NULL, 1, net.stop
    g.dW = net.grads + net.plan.head_w
    g.db = net.grads + net.plan.head_b
    g.dZ = net.dlogits
    g.ldz = net.Op
    g.cols = net.Op // LANES
    g.row_of = net.tables + net.plan.row_head
    g.X = net.ws_features
    g.ldx = net.P
    g.segments = D
    g.width = net.plan.H
    g.stride = net.plan.Hp
    g.N = net.R
    cut_weight_tasks(&g, threads)
    for task in prange(weight_tasks(&g), num_threads=threads, use_threads_if=threads > 1,
                       schedule='dynamic'):
        flush_denormals()
        weight_gradient_task(&g, task, scratch_of(net, threadid()))
        restore_worker(net.caller_mode)
    for r in prange(ceil_div(net.R, PRODUCT_ROWS), num_threads=threads,
                    use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        if not stopped(net.stop, 2.0 * PRODUCT_ROWS * net.P * net.Op):
            product(net.dfeatures + r * PRODUCT_ROWS * net.P, net.P,
                    net.dlogits + r * PRODUCT_ROWS * net.Op, net.Op,
                    imin(PRODUCT_ROWS, net.R - r * PRODUCT_ROWS), net.Op, net.pack_dhead,
                    net.P // LANES, NULL, False)
        restore_worker(net.caller_mode)
