"""The targets that rows of the head are compared with: where they stand, what they weigh."""
from ..types cimport ALL, Net, idx, real, row_at

cdef struct BatchSize:
    double rows            # of the head that have a target
    double weight          # sum of their weights


cdef inline double row_weight(
    const idx* labels, const real* targets, const double* weights, idx at, idx M, BatchSize* size
) noexcept nogil:
    """Weight of a row, 0 where it has no target, which is added to the size of the batch."""
    cdef double weight = 1.0 if weights == NULL else weights[at]
    if (labels != NULL and labels[at] < 0) or (
        targets != NULL and all_missing(targets + at * M, M)
    ):
        return 0
    size.rows += 1
    size.weight += weight
    return weight


cdef inline idx head_row(const Net* net, idx t, idx b) noexcept nogil:
    """Row of the head for step t of sequence b: one per step, or (t = 0) one per sequence."""
    return row_at(net, t, b) if net.plan.pooling == ALL else b


cdef inline idx target_of(const Net* net, const idx* offsets, idx t, idx b) noexcept nogil:
    """Where the target (and weight) of a head row stands in the user's arrays."""
    if net.plan.pooling == ALL:
        return offsets[net.order[b]] + t
    return net.sequences[b]


cdef inline idx target_of_row(const Net* net, const idx* offsets, idx r) noexcept nogil:
    """The same by the row: its step is the last t that starts at or before it in its slice."""
    cdef idx lo = 0, hi = net.T, s = 0, middle
    cdef const idx* first
    if net.plan.pooling != ALL:
        return net.sequences[r]
    while s + 1 < net.n_slices and r >= net.slice_rows[s + 1]:
        s += 1
    first = net.first + s * net.T
    while hi - lo > 1:
        middle = (lo + hi) // 2
        if first[middle] + net.slices[s] <= r:
            lo = middle
        else:
            hi = middle
    return target_of(net, offsets, lo, r - first[lo])


cdef inline bint all_missing(const real* y, idx M) noexcept nogil:
    cdef idx j
    for j in range(M):
        if y[j] == y[j]:
            return False
    return True
