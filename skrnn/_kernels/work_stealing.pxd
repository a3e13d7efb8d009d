"""How threads share a time loop: each has sequences of its own, and one that is done with them takes
over half of what another has left.

Cores are seldom equally fast: on a shared machine a neighbour on the same core takes a third of it,
laptops have cores of two kinds. Without this all threads wait for the slowest. No result depends on
it: a sequence's numbers are the same in whatever tile it is computed.
"""
from .stopping cimport stopped
from .types cimport Layer, LayerPlan, Net, Part, idx, imax, imin, pieces

cdef extern from *:
    """
    #include <sched.h>
    /* Waiting yields: the thread that is waited for may want this core. */
    static inline void acquire(Py_ssize_t* lock) {
        while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) sched_yield();
    }
    static inline void release(Py_ssize_t* lock) {
        __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
    }
    static inline void publish(Py_ssize_t* count, Py_ssize_t value) {
        __atomic_store_n(count, value, __ATOMIC_RELEASE);
    }
    static inline void wait_for(const Py_ssize_t* count, Py_ssize_t value) {
        while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < value) sched_yield();
    }
    """
    void acquire(idx* lock) nogil
    void release(idx* lock) nogil
    void publish(idx* count, idx value) nogil
    void wait_for(const idx* count, idx value) nogil

cdef enum:
    CHUNKS = 32            # most pieces of the steps; between them sequences change hands
    LEAST_SEQUENCES = 2    # one is not shared
    # Operations that must be left: below, some 80 us, fetching states and gates from another core
    # costs more than waiting.
    LEAST_SHARED = 8000000

cdef struct Walk:
    # A thread's way through the steps of its part, and then of what it takes over.
    idx part
    idx i                  # of all steps, in the order of the loop
    idx end                # of this chunk
    idx t                  # the step, and the sequences that have it
    idx lo
    idx hi
    idx stop               # sequences of this chunk
    idx slice              # that these sequences make up, or -1


cdef inline idx chunk_steps(const Net* net) noexcept nogil:
    return pieces(net.T, CHUNKS)


cdef inline void start_parts(
    Net* net, const Layer* layers, idx parts, idx order, bint slices
) noexcept nogil:
    """Hand out the sequences bounds[p] .. bounds[p + 1], p < parts, in every direction of a level;
    `slices`: they are the batch's slices. `order`: 1 starts where the direction does, -1 at its end.
    """
    cdef Part* part
    cdef const LayerPlan* plan = &layers.plan
    cdef idx k, dirs = net.plan.n_directions
    net.n_parts = parts * dirs
    net.part_flops = 2 * plan.slots * plan.Hp * (layers.K + plan.H)
    for k in range(net.n_parts):
        part = &net.parts[k]
        part.direction = k % dirs
        part.order = order * layers[k % dirs].plan.direction
        part.slice = k // dirs if slices else -1
        part.start, part.stop = net.bounds[k // dirs], net.bounds[k // dirs + 1]
        part.next = part.done = part.lock = 0


cdef inline Walk start_walk(Net* net, idx part) noexcept nogil:
    cdef Walk walk
    walk.part, walk.i, walk.end = part, 0, 0
    return walk


cdef inline bint next_step(Net* net, Walk* walk, bint shared) noexcept nogil:
    """Go to the next step that any of the sequences has; False when nothing is left to do."""
    cdef Part* part = &net.parts[walk.part]
    while True:
        walk.i += 1
        if walk.i >= walk.end:
            publish(&part.done, part.next)
            while not begin_chunk(net, walk):
                if not shared or not take_over(net, walk.part):
                    return False
        walk.t = walk.i if part.order > 0 else net.T - 1 - walk.i
        walk.lo = part.start
        walk.hi = imin(walk.stop, net.active[walk.t])
        if stopped(net.stop, <double> (walk.hi - walk.lo) * net.part_flops):
            publish(&part.done, part.next)  # nobody waits for what does not come
            return False
        if walk.hi > walk.lo:
            return True


cdef inline bint begin_chunk(Net* net, Walk* walk) noexcept nogil:
    """Take the next chunk of steps, with the sequences that the part still has."""
    cdef Part* part = &net.parts[walk.part]
    acquire(&part.lock)
    walk.i = part.next * chunk_steps(net)
    walk.end = imin(walk.i + chunk_steps(net), net.T)
    walk.stop, walk.slice = part.stop, part.slice
    part.next += 1
    release(&part.lock)
    return walk.i < net.T


cdef inline bint take_over(Net* net, idx own) noexcept nogil:
    """Make half of another part's remaining steps this part, whose own are done."""
    cdef idx k
    for k in range(1, net.n_parts):
        if split(net, &net.parts[(own + k) % net.n_parts], &net.parts[own]):
            return True
    return False


cdef inline bint split(Net* net, Part* other, Part* own) noexcept nogil:
    """Take the later half of a part's sequences from its next chunk on; False if it has too few."""
    cdef Part half
    cdef idx middle, chunk
    acquire(&other.lock)
    half = other[0]
    chunk = other.next
    middle = middle_of(net, other, chunk * chunk_steps(net))
    if middle >= 0:
        other.stop, other.slice = middle, -1
    release(&other.lock)
    if middle < 0:
        return False
    wait_for(&other.done, chunk)  # their states come from the chunk under way
    half.start, half.slice, half.done = middle, -1, chunk
    acquire(&own.lock)
    own[0] = half  # its lock, copied, is taken
    release(&own.lock)
    return True


cdef inline idx middle_of(const Net* net, const Part* part, idx i) noexcept nogil:
    """The sequence that halves what a part has to do from loop step i on, or -1."""
    cdef idx b, left = 0, sequences = 0, before = 0
    for b in range(part.start, part.stop):
        left += steps_left(net, part, b, i)
        sequences += steps_left(net, part, b, i) > 0
    if sequences < LEAST_SEQUENCES or left * net.part_flops < LEAST_SHARED:
        return -1
    b = part.start
    while before + steps_left(net, part, b, i) // 2 < left // 2:
        before += steps_left(net, part, b, i)
        b += 1
    return imax(b, part.start + 1)


cdef inline idx steps_left(const Net* net, const Part* part, idx b, idx i) noexcept nogil:
    """Steps of sequence b that a loop in this order has left at its step i."""
    if part.order > 0:
        return imax(0, net.lengths[b] - i)
    return imin(net.lengths[b], imax(0, net.T - i))
