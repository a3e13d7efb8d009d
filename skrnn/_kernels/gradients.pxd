"""Weight gradients of a level, by slices of the batch and tiles of dW."""
from cython.parallel cimport prange, threadid

from .core cimport LANES, SLICES, Layer, LayerPlan, Net, idx, imin, real
from .linear cimport (
    SUM_COLS, WeightGradient, cut_weight_tasks, pieces, weight_gradient_pair,
    weight_gradient_task, weight_tasks,
)
from .workspace cimport level_size

cdef enum:
    ADDED = 4096           # gradients of one task of adding slices up


# A thread's own rows are in its core's cache, another's are not. So the sums of weight gradients are
# cut as the time loop cuts the batch, by slices, and these are added up.
cdef inline void level_weight_gradients(
    Net* net, const Layer* layers, idx threads
) noexcept nogil:
    """dW_ih, dW_hh and both biases of all directions of a level, shared out by output tile."""
    cdef WeightGradient ih, hh
    cdef idx parts = net.plan.n_directions * net.n_slices
    cdef idx chunks = pieces(net.slice_size, ADDED)
    cdef idx task, each
    describe_gradients(net, layers, 0, pieces(threads, parts), &ih, &hh)
    each = weight_tasks(&ih) + (0 if paired(&ih, &hh) else weight_tasks(&hh))
    for task in prange(parts * each, num_threads=threads, use_threads_if=threads > 1,
                       schedule='static'):
        level_gradient_task(net, layers, task // each, task % each, pieces(threads, parts))
    if net.n_slices > 1:
        for task in prange(chunks, num_threads=threads, use_threads_if=threads > 1,
                           schedule='static'):
            add_slices(net, layers, task)


cdef inline void level_gradient_task(
    Net* net, const Layer* layers, idx part, idx task, idx threads
) noexcept nogil:
    """A task of one slice of one direction."""
    cdef WeightGradient ih, hh
    cdef real* scratch = scratch_of(net, threadid())
    describe_gradients(net, layers, part, threads, &ih, &hh)
    if paired(&ih, &hh):
        weight_gradient_pair(&ih, &hh, task, scratch)
    elif task < weight_tasks(&ih):
        weight_gradient_task(&ih, task, scratch)
    else:
        weight_gradient_task(&hh, task - weight_tasks(&ih), scratch)


cdef inline bint paired(const WeightGradient* ih, const WeightGradient* hh) noexcept nogil:
    """Whether each task of dW_ih has one of dW_hh that reads the same of dZ, and the sums of both
    take no more of the cache than those of one may."""
    return (
        ih.dZ == hh.dZ and ih.cols == hh.cols and ih.blocks == hh.blocks and ih.segments == 1
        and ih.width <= ih.run and hh.width <= hh.run and ih.width + hh.width <= SUM_COLS
    )


cdef inline void add_slices(Net* net, const Layer* layers, idx chunk) noexcept nogil:
    """Add what the slices after the first have summed to the gradients."""
    cdef const LayerPlan* last = &layers[net.plan.n_directions - 1].plan
    cdef idx first = chunk * ADDED, s, k
    cdef idx n = imin(ADDED, level_size(&layers.plan, last) - first)
    cdef real* to = net.grads + layers.plan.w_ih + first
    cdef const real* source
    for s in range(1, net.n_slices):
        source = net.slice_grads + (s - 1) * net.slice_size + first
        for k in range(n):
            to[k] += source[k]


cdef inline real* scratch_of(const Net* net, idx thread) noexcept nogil:
    return net.scratch + thread * net.scratch_size


cdef inline void describe_gradients(
    const Net* net, const Layer* layers, idx part, idx threads, WeightGradient* ih,
    WeightGradient* hh,
) noexcept nogil:
    """The two sums of part `part`, a slice of a direction: dW_ih and dW_hh."""
    cdef const Layer* layer = layers + part // net.n_slices
    cdef const LayerPlan* plan = &layer.plan
    cdef idx s = part % net.n_slices, at
    cdef real* grads = net.grads
    if s > 0:
        grads = net.slice_grads + (s - 1) * net.slice_size - layers.plan.w_ih
    describe_gradient(net, layer, s, ih, plan.ih_start, plan.ih_stop, layer.row_ih)
    ih.dW, ih.db = grads + plan.w_ih, grads + plan.b_ih
    ih.X, ih.ldx = layer.x + net.slice_rows[s] * layer.ldx, layer.ldx
    ih.segments, ih.width, ih.stride = plan.in_segments, plan.in_width, plan.in_stride
    describe_gradient(net, layer, s, hh, plan.hh_start, plan.hh_stop, layer.row_hh)
    hh.dW, hh.db = grads + plan.w_hh, grads + plan.b_hh
    if layer.mask != NULL:
        hh.X, hh.ldx = layer.h_in + net.slice_rows[s] * plan.Hp, plan.Hp
    else:
        at = (plan.direction < 0) * SLICES + s
        hh.X, hh.ldx, hh.X0, hh.ldx0 = layer.y, layer.ldy, layer.h0, plan.Hp
        hh.runs, hh.n_runs = net.runs + at * 2 * net.T, net.n_runs[at]
    hh.segments, hh.width, hh.stride = 1, plan.H, plan.Hp
    cut_weight_tasks(ih, threads)
    cut_weight_tasks(hh, threads)


cdef inline void describe_gradient(
    const Net* net, const Layer* layer, idx s, WeightGradient* g, idx start, idx stop,
    const idx* row_of,
) noexcept nogil:
    g.runs = NULL
    g.ldz = layer.plan.slots * layer.plan.Hp
    g.dZ = layer.gates + net.slice_rows[s] * g.ldz + start
    g.cols = (stop - start) // LANES
    g.row_of = row_of + start
    g.N = net.slice_rows[s + 1] - net.slice_rows[s]
