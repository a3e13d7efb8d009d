"""Matrix products on the register tile: packing weights, Y = X W^T, and dW = dZ^T X."""
from libc.string cimport memset

from .core cimport (
    BLOCK_COLS, LANES, TILE_COLS, TILE_ROWS, idx, imin, load, real, splat, store, tile, vec,
)

# Rows of dZ summed in registers before the sum goes to memory: 128 rows of a block of vector
# columns are 32 KiB, what fits beside the inputs in a level-1 cache of 48 KiB and in any level 2.
cdef enum:
    SUM_ROWS = 128
# Input columns of one task of a weight gradient: 16 tiles. A fixed number, so that the work is
# cut alike for any number of threads.
    SUM_COLS = 96


cdef inline void pack_bundle(
    real* out,             # out (cols / TILE_COLS, K, TILE_COLS, LANES), narrower last group
    const real* W,         # in  (rows, segments * width)
    idx segments,          # the input row: `segments` pieces of `width` numbers, each starting
    idx width,             #     `stride` after the one before; K spans them, gaps get zeros
    idx stride,
    const idx* starts,     # in  (cols,) slot where each vector column starts
    idx cols,
    const idx* row_of,     # in  row of W for each slot, -1 for padding
) noexcept nogil:
    cdef idx K = (segments - 1) * stride + width
    cdef idx group, n, c, lane, row, s, k
    cdef real* to
    cdef const real* source
    memset(out, 0, K * cols * LANES * sizeof(real))
    for group from 0 <= group < cols by TILE_COLS:
        n = imin(TILE_COLS, cols - group)
        for c in range(n):
            for lane in range(LANES):
                row = row_of[starts[group + c] + lane]
                if row < 0:
                    continue
                for s in range(segments):
                    source = W + (row * segments + s) * width
                    to = out + group * K * LANES + s * stride * n * LANES + c * LANES + lane
                    for k in range(width):
                        to[k * n * LANES] = source[k]


cdef inline void pack_transposed(
    real* out,             # out (cols / TILE_COLS, K, TILE_COLS, LANES)
    const real* W,         # in  (rows, segments * width)
    idx segments,          # as in pack_bundle; `stride` is a multiple of LANES
    idx width,
    idx stride,
    idx first,             # vector columns first .. first + cols of the (segments * stride) wide row
    idx cols,
    const idx* row_of,     # in  (K,) row of W for each slot, -1 for padding
    idx K,
) noexcept nogil:
    cdef idx group, n, c, k, at, lanes, row, j
    cdef real* to
    cdef const real* source
    memset(out, 0, K * cols * LANES * sizeof(real))
    for group from 0 <= group < cols by TILE_COLS:
        n = imin(TILE_COLS, cols - group)
        for c in range(n):
            at = (first + group + c) * LANES
            lanes = imin(LANES, width - at % stride)
            at = at // stride * width + at % stride
            for k in range(K):
                row = row_of[k]
                if row < 0:
                    continue
                to = out + (group * K + k * n + c) * LANES
                source = W + row * segments * width + at
                for j in range(lanes):
                    to[j] = source[j]


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
    cdef vec acc[TILE_ROWS * BLOCK_COLS]
    cdef idx block, n, r0, m, r, c
    for block from 0 <= block < cols by BLOCK_COLS:
        n = imin(BLOCK_COLS, cols - block)
        for r0 from 0 <= r0 < rows by TILE_ROWS:
            m = imin(TILE_ROWS, rows - r0)
            for r in range(m):
                for c in range(n):
                    if accumulate:
                        acc[r * BLOCK_COLS + c] = load(out + (r0 + r) * ldo + (block + c) * LANES)
                    elif bias != NULL:
                        acc[r * BLOCK_COLS + c] = load(bias + (block + c) * LANES)
                    else:
                        acc[r * BLOCK_COLS + c] = splat(0)
            tile(m, n, K, A + r0 * lda, lda, 1, packed + block * K * LANES, acc)
            for r in range(m):
                for c in range(n):
                    store(out + (r0 + r) * ldo + (block + c) * LANES, acc[r * BLOCK_COLS + c])


cdef inline idx weight_tasks(idx cols, idx segments, idx width) noexcept nogil:
    """Tasks of a weight gradient: blocks of vector columns of dZ times runs of input columns."""
    return ((cols + BLOCK_COLS - 1) // BLOCK_COLS) * segments * ((width + SUM_COLS - 1) // SUM_COLS)


# dW[row_of[j], k] = sum over rows n of dZ[n, j] * X[n, k]       db[row_of[j]] = sum over n dZ[n, j]
#
# Computed transposed: the tile broadcasts X and has the slots j along lanes, where dZ already has
# them. Every sum runs over n in one order, in steps of SUM_ROWS, whoever computes it.
cdef inline void weight_gradient_task(
    idx task,
    real* dW,              # out (rows, segments * width)
    real* db,              # out (rows,) or NULL
    const real* dZ,        # in  (N, ldz), from the first slot that matters
    idx ldz,
    idx cols,              # vector columns of dZ
    const idx* row_of,     # in  (cols * LANES,) row of dW for each slot, -1 for padding
    const real* X,         # in  (N, ldx)
    idx ldx,
    idx segments,
    idx width,
    idx stride,
    idx N,
) noexcept nogil:
    cdef vec panel[SUM_ROWS * BLOCK_COLS]
    cdef vec sums[(SUM_COLS + TILE_ROWS) * BLOCK_COLS]
    cdef vec bias[TILE_ROWS * BLOCK_COLS]
    cdef real one = 1
    cdef idx runs = (width + SUM_COLS - 1) // SUM_COLS
    cdef idx block = task // (segments * runs) * BLOCK_COLS
    cdef idx segment = task // runs % segments
    cdef idx k0 = task % runs * SUM_COLS
    cdef idx K = imin(SUM_COLS, width - k0)
    cdef idx n_cols = imin(BLOCK_COLS, cols - block)
    cdef bint with_bias = db != NULL and segment == 0 and k0 == 0
    cdef idx n0, n, k, m
    memset(sums, 0, (K + TILE_ROWS) * BLOCK_COLS * sizeof(vec))
    memset(bias, 0, sizeof(bias))
    for n0 from 0 <= n0 < N by SUM_ROWS:
        n = imin(SUM_ROWS, N - n0)
        copy_panel(panel, dZ + n0 * ldz + block * LANES, ldz, n, n_cols)
        for k from 0 <= k < K by TILE_ROWS:
            m = imin(TILE_ROWS, K - k)
            tile(m, n_cols, n, X + n0 * ldx + segment * stride + k0 + k, 1, ldx,
                 <const real*> panel, sums + k * BLOCK_COLS)
        if with_bias:
            tile(1, n_cols, n, &one, 0, 0, <const real*> panel, bias)
    write_transposed(dW, segments * width, segment * width + k0, K, sums, n_cols,
                     row_of + block * LANES)
    if with_bias:
        write_transposed(db, 1, 0, 1, bias, n_cols, row_of + block * LANES)


cdef inline void copy_panel(
    vec* panel,            # out (cols / TILE_COLS, n, TILE_COLS): what `tile` reads
    const real* dZ,        # in  (n, ldz)
    idx ldz,
    idx n,
    idx cols,
) noexcept nogil:
    cdef idx group, width, r, c
    for group from 0 <= group < cols by TILE_COLS:
        width = imin(TILE_COLS, cols - group)
        for r in range(n):
            for c in range(width):
                panel[group * n + r * width + c] = load(dZ + r * ldz + (group + c) * LANES)


cdef inline void write_transposed(
    real* dW,              # out (rows, ld), columns at .. at + K
    idx ld,
    idx at,
    idx K,
    const vec* sums,       # in  (K, BLOCK_COLS)
    idx cols,
    const idx* row_of,     # in  (cols * LANES,)
) noexcept nogil:
    cdef const real* source = <const real*> sums
    cdef idx j, k, row
    for j in range(cols * LANES):
        row = row_of[j]
        if row < 0:
            continue
        for k in range(K):
            dW[row * ld + at + k] = source[k * BLOCK_COLS * LANES + j]
