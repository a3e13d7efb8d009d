"""Dropout: masks are a function of (seed, row, column), so no pass has to store one."""
from cython.parallel cimport prange

from .denormals cimport flush_denormals, restore_worker
from .products cimport PRODUCT_ROWS
from .stopping cimport stopped
from .types cimport ALL, MOVED, Net, Scan, ceil_div, idx, imin, mix64, real, useful_threads


cdef inline unsigned long long share_of_64_bits(double rate) noexcept nogil:
    """Random 64 bits lie below this with probability `rate` < 1."""
    return <unsigned long long> (rate * 18446744073709551615.0)


# out = x * m / (1 - rate), m = 0 with probability `rate` (Srivastava et al. 2014). m is a function
# of (seed, id of the row, column), so the backward pass applies the same mask without storing it,
# and whatever other rows there are.
cdef inline void dropout_rows(
    real* out,             # out (., segments * stride), may be x
    const real* x,         # in  (., segments * stride)
    const idx* ids,        # in  of each row, or NULL: its number
    idx start,             # rows start .. stop
    idx stop,
    idx segments,
    idx width,
    idx stride,
    double rate,
    unsigned long long seed,
) noexcept nogil:
    cdef unsigned long long threshold = share_of_64_bits(rate)
    cdef real scale = <real> (1.0 / (1.0 - rate))
    cdef unsigned long long row_seed
    cdef idx r, s, k, at
    for r in range(start, stop):
        row_seed = mix64(seed, r if ids == NULL else ids[r])
        for s in range(segments):
            for k in range(stride):
                at = (r * segments + s) * stride + k
                if k < width and mix64(row_seed, s * width + k) >= threshold:
                    out[at] = x[at] * scale
                else:
                    out[at] = 0


cdef inline void layer_dropout(
    Net* net, real* out, const real* rows, idx n, const Scan* scan, idx layer
) noexcept nogil:
    """Dropout of the outputs of the layer of `scan` as layer `layer` (or the head) reads them."""
    cdef idx segments = net.segments if layer == net.plan.n_layers else net.plan.n_directions
    cdef idx width = segments * scan.plan.Hp, block
    cdef bint pooled = layer == net.plan.n_layers and net.plan.pooling != ALL
    cdef const idx* ids = net.sequences if pooled else net.steps
    cdef idx threads = useful_threads(net.threads, <double> MOVED * n * width)
    for block in prange(ceil_div(n, PRODUCT_ROWS), num_threads=threads,
                        use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        if not stopped(net.stop, <double> MOVED * PRODUCT_ROWS * width):
            dropout_rows(out, rows, ids, block * PRODUCT_ROWS,
                         imin(n, (block + 1) * PRODUCT_ROWS),
                         segments, scan.plan.H, scan.plan.Hp, net.dropout,
                         mix64(net.seed, 2 * layer))
        restore_worker(net.caller_mode)


cdef inline void draw_masks(Net* net) noexcept nogil:
    """Recurrent dropout: one mask per sequence for all its steps (Gal and Ghahramani 2016)."""
    cdef Scan* scan
    cdef idx k, n
    for k in range(net.plan.n_scans):
        scan = &net.scans[k]
        if scan.ws_mask == NULL:
            continue
        for n in range(net.B * scan.plan.Hp):
            scan.ws_mask[n] = 1
        dropout_rows(scan.ws_mask, scan.ws_mask, net.sequences, 0, net.B, 1, scan.plan.H,
                     scan.plan.Hp, net.recurrent_dropout,
                     mix64(net.seed, 2 * (k + net.first_scan) + 1))
