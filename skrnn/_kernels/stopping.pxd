"""Ctrl-C within a call: the calling thread asks Python now and then whether a signal has arrived.

Every loop whose work grows with the data calls `stopped` with its operations, and ends early, its
results void, once that is True. The entry takes no optimizer step then, and calls `check_stopped`,
which raises what the signal's handler has raised. Only Python's main thread runs handlers,
so a call from another thread never asks, nor takes the GIL.
"""
from cython.parallel cimport threadid

from .denormals cimport FLUSH_BITS, flush_denormals, read_mode, restore_mode
from .types cimport Net, Stop

cdef extern from *:
    """
    #include <time.h>
    static inline int is_raised(const int* raised) {
        return __atomic_load_n(raised, __ATOMIC_RELAXED);
    }
    static inline double seconds_now(void) {
        struct timespec now;
    #ifdef _WIN32 /* its C library has no monotonic clock */
        timespec_get(&now, TIME_UTC);
    #else
        clock_gettime(CLOCK_MONOTONIC, &now);
    #endif
        return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
    }
    /* Leaves the exception of a handler set in the calling thread. */
    static __attribute__((noinline, cold)) void ask_python(int* raised) {
        PyGILState_STATE state = PyGILState_Ensure();
        if (PyErr_CheckSignals() < 0)
            __atomic_store_n(raised, 1, __ATOMIC_RELAXED);
        PyGILState_Release(state);
    }
    """
    bint is_raised(const int* raised) nogil
    double seconds_now() nogil
    void ask_python(int* raised) nogil

cdef enum:
    # Operations between two looks at the clock, some 0.1 ms: a look takes 25 ns, a call that does
    # not look 2.
    LOOK_FLOPS = 2000000

cdef extern from *:
    """
    /* Between two questions: each may wait 5 ms for a Python thread that holds the GIL. */
    #define ASK_SECONDS 0.1
    """
    const double ASK_SECONDS


cdef inline bint stopped(Stop* stop, double flops) noexcept nogil:
    """Whether the loop that is about to do `flops` operations must end instead. `stop` may be NULL.
    """
    if stop == NULL:
        return False
    if threadid() == 0:
        stop.flops += flops
        if stop.flops >= LOOK_FLOPS:
            look(stop)
    return is_raised(&stop.raised)


cdef inline void look(Stop* stop) noexcept nogil:
    """Ask Python if it is time to, and nothing has been raised yet."""
    cdef double now
    stop.flops = 0
    if not stop.asks or is_raised(&stop.raised):
        return
    now = seconds_now()
    if now >= stop.next:
        restore_mode(stop.mode)
        ask_python(&stop.raised)
        flush_denormals()
        stop.next = now + ASK_SECONDS


cdef inline int watch(Stop* stop, Net* net) except -1:
    """Let the loops of a network, and of one that shares `stop`, be stopped."""
    from threading import get_ident, main_thread
    stop.asks = get_ident() == main_thread().ident
    stop.raised, stop.flops, stop.next = 0, 0, seconds_now() + ASK_SECONDS
    stop.mode = read_mode() & FLUSH_BITS
    net.stop = stop
    return 0


cdef inline int check_stopped(const Stop* stop) except -1:
    """Raise what a signal's handler has raised."""
    return -1 if stop.raised else 0
