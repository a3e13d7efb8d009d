"""Matrix products on the register tile: Y = X W^T with packed weights, and plain products."""
from cython.parallel cimport prange
from libc.string cimport memset

from .denormals cimport flush_denormals, restore_worker
from .stopping cimport stopped
from .types cimport (
    BLOCK_COLS, LANES, Net, TILE_ROWS, ceil_div, idx, imin, real, tile, tile_rows, vec,
)

cdef enum:
    PRODUCT_ROWS = 96      # rows of one task of a product over all packed rows: 16 tiles


cdef inline void product(
    real* out,             # out (rows, ldo): A W^T, plus `bias`, or plus what stands there
    idx ldo,
    const real* A,         # in  (rows, lda)
    idx lda,
    idx rows,
    idx K,
    const real* packed,    # in  vector columns in blocks of BLOCK_COLS, each (K, block)
    idx cols,              # vector columns
    const real* bias,      # in  (cols * LANES,) or NULL
    bint accumulate,
) noexcept nogil:
    cdef vec zeros[BLOCK_COLS]
    cdef const real* start
    cdef idx block, r0, start_row
    cdef real* to
    memset(zeros, 0, sizeof(zeros))
    for block from 0 <= block < cols by BLOCK_COLS:
        for r0 from 0 <= r0 < rows by TILE_ROWS:
            to = out + r0 * ldo + block * LANES
            start, start_row = to, ldo
            if not accumulate:
                start = <const real*> zeros if bias == NULL else bias + block * LANES
                start_row = 0
            tile(imin(TILE_ROWS, rows - r0), imin(BLOCK_COLS, cols - block), K, A + r0 * lda, lda,
                 1, packed + block * K * LANES, start, start_row, to, ldo)


cdef inline void products(
    const Net* net, real* out, idx ldo, const real* x, idx ldx, idx rows, idx K,
    const real* packed, idx cols, bint accumulate, idx threads,
) noexcept nogil:
    """`product` of all rows, shared out."""
    cdef idx r
    for r in prange(ceil_div(rows, PRODUCT_ROWS), num_threads=threads,
                    use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        if not stopped(net.stop, 2.0 * PRODUCT_ROWS * K * cols * LANES):
            product(out + r * PRODUCT_ROWS * ldo, ldo, x + r * PRODUCT_ROWS * ldx, ldx,
                    imin(PRODUCT_ROWS, rows - r * PRODUCT_ROWS), K, packed, cols, NULL, accumulate)
        restore_worker(net.caller_mode)


cdef inline void multiply(
    real* out,             # out (rows, ldo): out[r] = sum_k a[r, k] w[k], plus what is there
    idx ldo,
    const real* a,         # in  a[r, k] at a + r * a_row + k * a_k
    idx a_row,
    idx a_k,
    idx rows,
    idx K,
    const real* w,         # in  (K, ldw)
    idx ldw,
    idx cols,              # vector columns
    bint accumulate,
) noexcept nogil:
    cdef vec zeros[BLOCK_COLS]
    cdef idx block, r0
    cdef real* to
    memset(zeros, 0, sizeof(zeros))
    for block from 0 <= block < cols by BLOCK_COLS:
        for r0 from 0 <= r0 < rows by TILE_ROWS:
            to = out + r0 * ldo + block * LANES
            tile_rows(imin(TILE_ROWS, rows - r0), imin(BLOCK_COLS, cols - block), K,
                      a + r0 * a_row, a_row, a_k, w + block * LANES, ldw,
                      to if accumulate else <const real*> zeros, ldo if accumulate else 0, to, ldo)


cdef inline idx columns(const idx* enters, idx* count) noexcept nogil:
    """First accumulator column in use, and how many: they are neighbors."""
    cdef idx c, first = BLOCK_COLS
    count[0] = 0
    for c in range(BLOCK_COLS):
        if enters[c] >= 0:
            first = imin(first, c)
            count[0] += 1
    return first
