"""Denormal numbers are zero while a kernel runs, in every thread of it.

A processor computes with numbers below the smallest normal one (1.2e-38 in single precision) ten
to a hundred times more slowly, and gradients that go back through 2,000 steps get there. So each
thread that computes flushes them, results and operands alike: MXCSR on x86-64, FPCR on arm64;
elsewhere nothing happens. The mode is a thread's own and outlives the call, so the caller's comes
back: in the calling thread when the kernel ends, in the others, which OpenMP keeps and other
libraries share, at the end of each task. A thread that OpenMP starts within a kernel inherits the
flushing, so what a thread found is no guide: all get the caller's mode.

`flush_denormals` is the first statement of a kernel and of the body of each parallel loop;
`restore_mode` is the last of a kernel and `restore_worker` that of the body of a loop.
"""
from cython.parallel cimport threadid

cdef extern from *:
    """
    /* GCC and Clang do not know that arithmetic depends on the mode; what they may not do is to
     * move loads and stores past these statements. */
    #if defined(__x86_64__)
    #define FLUSH_BITS 0x8040ull /* flush to zero, denormals are zero */
    static inline unsigned long long read_mode(void)
    {
        unsigned int mode;
        __asm__ volatile("stmxcsr %0" : "=m"(mode) : : "memory");
        return mode;
    }
    static inline void write_mode(unsigned long long wide)
    {
        unsigned int mode = (unsigned int)wide;
        __asm__ volatile("ldmxcsr %0" : : "m"(mode) : "memory");
    }
    #elif defined(__aarch64__)
    #define FLUSH_BITS 0x1000000ull /* FZ */
    static inline unsigned long long read_mode(void)
    {
        unsigned long long mode;
        __asm__ volatile("mrs %0, fpcr" : "=r"(mode) : : "memory");
        return mode;
    }
    static inline void write_mode(unsigned long long mode)
    {
        __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory");
    }
    #else
    #define FLUSH_BITS 0ull
    static inline unsigned long long read_mode(void) { return 0; }
    static inline void write_mode(unsigned long long mode) { (void) mode; }
    #endif
    """
    const unsigned long long FLUSH_BITS
    unsigned long long read_mode() noexcept nogil
    void write_mode(unsigned long long mode) noexcept nogil


cdef inline unsigned long long flush_denormals() noexcept nogil:
    """Flush from now on in this thread; returns whether it did, for `restore_mode`."""
    cdef unsigned long long mode = read_mode()
    if mode & FLUSH_BITS != FLUSH_BITS:  # to read takes next to nothing
        write_mode(mode | FLUSH_BITS)
    return mode & FLUSH_BITS


cdef inline void restore_mode(unsigned long long caller) noexcept nogil:
    """Flush in this thread as the caller did; all else of its mode stays."""
    cdef unsigned long long mode = read_mode()
    if mode & FLUSH_BITS != caller:
        write_mode((mode & ~FLUSH_BITS) | caller)


cdef inline void restore_worker(unsigned long long caller) noexcept nogil:
    """The same where a task ends, unless this is the calling thread, which goes on."""
    if threadid() > 0:
        restore_mode(caller)
