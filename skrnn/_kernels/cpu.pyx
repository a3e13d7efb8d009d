"""What this processor and this build can do. Compiled for the baseline, so it runs anywhere."""
from array import array

cdef extern from *:
    """
    #include <stdlib.h>
    #ifdef _OPENMP
    #include <omp.h>
    #define SKRNN_OPENMP 1
    #else
    #define SKRNN_OPENMP 0
    static int omp_get_max_threads(void) { return 1; }
    static int omp_get_num_procs(void) { return 1; }
    #endif
    #if defined(_OPENMP) && _OPENMP >= 201511
    #define PLACES omp_get_num_places()
    #else
    #define PLACES 0
    static int omp_get_place_num_procs(int place) { return 0; }
    static void omp_get_place_proc_ids(int place, int* ids) {}
    #endif
    #if defined(__x86_64__)
    static int has_avx2(void)
    { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
    static int has_avx512(void)
    {
        return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    }
    #else
    static int has_avx2(void) { return 0; }
    static int has_avx512(void) { return 0; }
    #endif
    """
    const int SKRNN_OPENMP
    int omp_get_max_threads()
    int omp_get_num_procs()
    int PLACES
    int omp_get_place_num_procs(int place)
    void omp_get_place_proc_ids(int place, int* ids)
    int has_avx2()
    int has_avx512()


def levels():
    """Instruction sets this processor runs, best first."""
    found = ["base"]
    if has_avx2():
        found.insert(0, "avx2")
    if has_avx512():
        found.insert(0, "avx512")
    return found


def openmp():
    """Whether the kernels were built with OpenMP."""
    return bool(SKRNN_OPENMP)


def max_threads():
    """Threads OpenMP would use now: OMP_NUM_THREADS, threadpoolctl's limit, or the processors."""
    return min(omp_get_max_threads(), len(bound_processors()) or omp_get_num_procs())


def bound_processors():
    """Numbers of the processors that OpenMP binds its threads to; empty where it binds none.

    A bound main thread may run on its own place alone, and so by its affinity there is one
    processor, however many the other threads have.
    """
    cdef int[::1] ids
    cdef int place
    found = set()
    for place in range(PLACES):
        ids = array("i", bytes(4 * omp_get_place_num_procs(place)))
        if ids.shape[0]:
            omp_get_place_proc_ids(place, &ids[0])
            found.update(ids)
    return found
