"""Weight gradients of a level, by slices of the batch and tiles of dW: within the time loop where
they are small, after it where they are large or there are threads to share them."""
from cython.parallel cimport prange, threadid

from .core cimport (
    LANES, SLICES, Layer, LayerPlan, Net, idx, imin, real, row_at, useful_threads,
)
from .denormals cimport flush_denormals, restore_worker
from .linear cimport (
    MOST_TASKS, SliceSums, WeightGradient, WeightTask, add_panel, cut_weight_tasks, finish_task,
    is_complete, panels, pieces, start_task, sums_size, weight_gradient_task, weight_tasks,
    write_task,
)
from .scan cimport step_backward
from .sharing cimport Walk, next_step, start_walk
from .workspace cimport level_size

cdef enum:
    ADDED = 4096           # gradients of one task of adding slices up


cdef inline bint fused(const Net* net, const Layer* layers, idx threads) noexcept nogil:
    """Whether weight gradients are summed within the time loop: where they are small, and there are
    threads for no more than whole slices."""
    cdef WeightGradient ih, hh
    describe_gradients(net, layers, 0, 0, 1, &ih, &hh)
    return (
        threads <= net.plan.n_directions * net.n_slices and small(net, &ih, &hh)
        and weight_tasks(&ih) + weight_tasks(&hh) <= MOST_TASKS
    )


cdef inline bint small(
    const Net* net, const WeightGradient* ih, const WeightGradient* hh
) noexcept nogil:
    """Whether all sums of a slice stay in the level-2 cache together."""
    return sums_size(ih) + sums_size(hh) <= net.scratch_size


cdef inline SliceSums* sums_of(const Net* net, idx direction, idx s) noexcept nogil:
    return <SliceSums*> net.sums + direction * net.n_slices + s


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


cdef inline void start_sums(Net* net, const Layer* layers, idx direction, idx s) noexcept nogil:
    cdef SliceSums* sums = sums_of(net, direction, s)
    cdef real* scratch = scratch_of(net, direction * net.n_slices + s)
    describe_gradients(net, layers, direction, s, 1, &sums.ih, &sums.hh)
    sums.panel = 0
    sums.n = start_tasks(sums.tasks, &sums.ih, scratch)
    sums.n += start_tasks(sums.tasks + sums.n, &sums.hh, scratch + sums_size(&sums.ih))


cdef inline idx start_tasks(
    WeightTask* tasks, const WeightGradient* g, real* scratch
) noexcept nogil:
    """Start all tasks of a product, their sums side by side; returns how many there are."""
    cdef idx k
    for k in range(weight_tasks(g)):
        start_task(&tasks[k], g, k, scratch)
        scratch += tasks[k].blocks * tasks[k].ld * LANES
    return weight_tasks(g)


cdef inline void add_complete(Net* net, SliceSums* sums, idx row, idx rows) noexcept nogil:
    """Add the panels that are complete now that the loop has done `rows` rows from `row` on."""
    cdef idx k, done = row if sums.ih.order < 0 else row + rows
    while sums.panel < panels(&sums.ih) and is_complete(&sums.ih, sums.panel, done):
        for k in range(sums.n):
            add_panel(&sums.tasks[k], sums.panel)
        sums.panel += 1
        if sums.panel == panels(&sums.ih):
            for k in range(sums.n):
                write_task(&sums.tasks[k])


cdef inline bint complete(const Net* net) noexcept nogil:
    """Whether the time loop has come to the end of all sums that it began."""
    cdef const SliceSums* sums = <const SliceSums*> net.sums
    cdef idx k
    for k in range(net.plan.n_directions * net.n_slices):
        if sums[k].panel < panels(&sums[k].ih):
            return False
    return True


# A thread's own rows are in its core's cache, another's are not. So the sums of weight gradients are
# cut as the time loop cuts the batch, by slices, and these are added up.
cdef inline void level_weight_gradients(
    Net* net, const Layer* layers, idx threads, bint within
) noexcept nogil:
    """dW_ih, dW_hh and both biases of all directions of a level, shared out by output tile; `within`:
    those that the time loop has begun are gone on with."""
    cdef WeightGradient ih, hh
    cdef SliceSums* sums = <SliceSums*> net.sums
    cdef idx parts = net.plan.n_directions * net.n_slices
    cdef idx task, each
    if within and complete(net):
        return
    describe_gradients(net, layers, 0, 0, pieces(threads, parts), &ih, &hh)
    each = sums.n if within else weight_tasks(&ih) + weight_tasks(&hh)
    for task in prange(parts * each, num_threads=threads, use_threads_if=threads > 1,
                       schedule='dynamic'):
        flush_denormals()
        if within:
            finish_task(&sums[task // each].tasks[task % each], sums[task // each].panel)
        else:
            level_gradient_task(net, layers, task // each, task % each, pieces(threads, parts))
        restore_worker(net.caller_mode)


cdef inline void level_gradient_task(
    Net* net, const Layer* layers, idx part, idx task, idx threads
) noexcept nogil:
    """A task of one slice of one direction."""
    cdef WeightGradient ih, hh
    cdef real* scratch = scratch_of(net, threadid())
    describe_gradients(net, layers, part // net.n_slices, part % net.n_slices, threads, &ih, &hh)
    if task < weight_tasks(&ih):
        weight_gradient_task(&ih, task, scratch)
    else:
        weight_gradient_task(&hh, task - weight_tasks(&ih), scratch)


cdef inline void add_slices(Net* net, const Layer* layers) noexcept nogil:
    """Add what the slices after the first have summed to the gradients of a level."""
    cdef const LayerPlan* last = &layers[net.plan.n_directions - 1].plan
    cdef idx size = level_size(&layers.plan, last), chunk
    cdef idx threads = useful_threads(net.threads, 8.0 * (net.n_slices - 1) * size)
    if net.n_slices > 1:
        for chunk in prange(pieces(size, ADDED), num_threads=threads, use_threads_if=threads > 1,
                            schedule='dynamic'):
            flush_denormals()
            add_chunk(net, layers, chunk * ADDED, imin(ADDED, size - chunk * ADDED))
            restore_worker(net.caller_mode)


cdef inline void add_chunk(Net* net, const Layer* layers, idx first, idx n) noexcept nogil:
    cdef real* to = net.grads + layers.plan.w_ih + first
    cdef const real* source
    cdef idx s, k
    for s in range(1, net.n_slices):
        source = net.slice_grads + (s - 1) * net.slice_size + first
        for k in range(n):
            to[k] += source[k]


cdef inline real* scratch_of(const Net* net, idx thread) noexcept nogil:
    return net.scratch + thread * net.scratch_size


cdef inline void describe_gradients(
    const Net* net, const Layer* layers, idx direction, idx s, idx threads, WeightGradient* ih,
    WeightGradient* hh,
) noexcept nogil:
    """The two products of slice s in one direction: dW_ih and dW_hh."""
    cdef const Layer* layer = layers + direction
    cdef const LayerPlan* plan = &layer.plan
    cdef idx at
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
        at = direction * SLICES + s
        hh.X, hh.ldx, hh.X0, hh.ldx0 = layer.y, layer.ldy, layer.h0, plan.Hp
        hh.runs, hh.n_runs = net.runs + at * 2 * net.T, net.n_runs[at]
    hh.segments, hh.width, hh.stride = 1, plan.H, plan.Hp
    if small(net, ih, hh):
        ih.order = hh.order = -plan.direction  # as BPTT comes by
    cut_weight_tasks(ih, threads)
    cut_weight_tasks(hh, threads)


cdef inline void describe_gradient(
    const Net* net, const Layer* layer, idx s, WeightGradient* g, idx start, idx stop,
    const idx* row_of,
) noexcept nogil:
    g.runs, g.order, g.stop = NULL, 1, net.stop
    g.ldz = layer.plan.slots * layer.plan.Hp
    g.dZ = layer.gates + net.slice_rows[s] * g.ldz + start
    g.cols = (stop - start) // LANES
    g.row_of = row_of + start
    g.N = net.slice_rows[s + 1] - net.slice_rows[s]
