"""Work stealing: each thread takes its own sequences through the time loop, and a thread that is
done steals half of the sequences of another, from their next chunk of steps on.

Cores are seldom equally fast: on a shared machine a neighbor on the same core takes a third of it,
laptops have cores of two kinds. Without this all threads wait for the slowest. No result depends on
it: a sequence's numbers are the same in whatever tile it is computed.
"""
from .stopping cimport stopped
from .types cimport Net, Scan, ScanPlan, Task, ceil_div, idx, imax, imin

cdef extern from *:
    """
    #ifdef _WIN32
    __declspec(dllimport) int __stdcall SwitchToThread(void);
    #define sched_yield SwitchToThread
    #else
    #include <sched.h>
    #endif
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

cdef struct Cursor:
    # A thread's way through the steps of its task, and then of what it takes over.
    idx task
    idx i                  # of all steps, in the order of the loop
    idx end                # of this chunk
    idx t                  # the step, and the sequences that have it
    idx lo
    idx hi
    idx stop               # sequences of this chunk
    idx slice              # that these sequences make up, or -1


cdef inline idx chunk_steps(const Net* net) noexcept nogil:
    return ceil_div(net.T, CHUNKS)


cdef inline void start_tasks(
    Net* net, const Scan* scans, idx shares, idx order, bint slices
) noexcept nogil:
    """Hand out the sequences part_starts[p] .. part_starts[p + 1], p < shares, in every direction
    of a layer; `slices`: they are the batch's slices. `order`: 1 starts where the direction does,
    -1 at its end.
    """
    cdef Task* task
    cdef const ScanPlan* plan = &scans.plan
    cdef idx k, dirs = net.plan.n_directions
    net.n_tasks = shares * dirs
    net.step_flops = 2 * plan.saved * plan.Hp * (scans.K + plan.H)
    for k in range(net.n_tasks):
        task = &net.tasks[k]
        task.direction = k % dirs
        task.order = order * scans[k % dirs].plan.direction
        task.slice = k // dirs if slices else -1
        task.start, task.stop = net.part_starts[k // dirs], net.part_starts[k // dirs + 1]
        task.next = task.done = task.lock = 0


cdef inline Cursor start_cursor(Net* net, idx task) noexcept nogil:
    cdef Cursor cursor
    cursor.task, cursor.i, cursor.end = task, 0, 0
    return cursor


cdef inline bint next_step(Net* net, Cursor* cursor, bint shared) noexcept nogil:
    """Go to the next step that any of the sequences has; False when nothing is left to do."""
    cdef Task* task = &net.tasks[cursor.task]
    while True:
        cursor.i += 1
        if cursor.i >= cursor.end:
            publish(&task.done, task.next)
            while not begin_chunk(net, cursor):
                if not shared or not steal(net, cursor.task):
                    return False
        cursor.t = cursor.i if task.order > 0 else net.T - 1 - cursor.i
        cursor.lo = task.start
        cursor.hi = imin(cursor.stop, net.active[cursor.t])
        if stopped(net.stop, <double> (cursor.hi - cursor.lo) * net.step_flops):
            publish(&task.done, task.next)  # nobody waits for what does not come
            return False
        if cursor.hi > cursor.lo:
            return True


cdef inline bint begin_chunk(Net* net, Cursor* cursor) noexcept nogil:
    """Take the next chunk of steps, with the sequences that the task still has."""
    cdef Task* task = &net.tasks[cursor.task]
    acquire(&task.lock)
    cursor.i = task.next * chunk_steps(net)
    cursor.end = imin(cursor.i + chunk_steps(net), net.T)
    cursor.stop, cursor.slice = task.stop, task.slice
    task.next += 1
    release(&task.lock)
    return cursor.i < net.T


cdef inline bint steal(Net* net, idx own) noexcept nogil:
    """Make half of another task's remaining steps this task, whose own are done."""
    cdef idx k
    for k in range(1, net.n_tasks):
        if steal_half(net, &net.tasks[(own + k) % net.n_tasks], &net.tasks[own]):
            return True
    return False


cdef inline bint steal_half(Net* net, Task* other, Task* own) noexcept nogil:
    """Take the later half of a task's sequences from its next chunk on; False if it has too few."""
    cdef Task half
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


cdef inline idx middle_of(const Net* net, const Task* task, idx i) noexcept nogil:
    """The sequence that halves what a task has to do from loop step i on, or -1."""
    cdef idx b, left = 0, sequences = 0, before = 0
    for b in range(task.start, task.stop):
        left += steps_left(net, task, b, i)
        sequences += steps_left(net, task, b, i) > 0
    if sequences < LEAST_SEQUENCES or left * net.step_flops < LEAST_SHARED:
        return -1
    b = task.start
    while before + steps_left(net, task, b, i) // 2 < left // 2:
        before += steps_left(net, task, b, i)
        b += 1
    return imax(b, task.start + 1)


cdef inline idx steps_left(const Net* net, const Task* task, idx b, idx i) noexcept nogil:
    """Steps of sequence b that a loop in this order has left at its step i."""
    if task.order > 0:
        return imax(0, net.lengths[b] - i)
    return imin(net.lengths[b], imax(0, net.T - i))
