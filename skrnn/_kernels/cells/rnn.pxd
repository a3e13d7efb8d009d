"""Simple recurrent network (Elman 1990).

    h_t = f(W_x x + W_h h_{t-1} + b)              f = tanh, max(0, .) or the logistic sigmoid

One gate column per unit. A column block is BLOCK_COLS unit blocks (fewer at the end).
"""
from ..types cimport (
    LANES, LOGISTIC, RELU, idx, load, real, relu_vec, sigmoid, splat, store, tanh_vec, vec,
    where_positive,
)


cdef inline void rnn_output(
    const vec* a,          # in  (n_blocks,) pre-activations
    idx u,                 # first unit block
    idx n_blocks,
    idx activation,
    real* h,               # out (Hp,)
) noexcept nogil:
    cdef idx k
    h += u * LANES
    for k in range(n_blocks):
        if activation == RELU:
            store(h + k * LANES, relu_vec(a[k]))
        elif activation == LOGISTIC:
            store(h + k * LANES, sigmoid(a[k]))
        else:
            store(h + k * LANES, tanh_vec(a[k]))


# da = dLoss/dh_t * f'(a), where f' is a function of h_t = f(a) for all three.
cdef inline void rnn_backward(
    idx u,
    idx activation,
    real* gates,           # out (Hp,) da
    const real* h,         # in  (Hp,) h_t
    real* dh,              # in  dLoss/dh_t; out what reaches h_{t-1} past the matmul: nothing
) noexcept nogil:
    cdef vec y = load(h + u * LANES)
    cdef vec d = load(dh + u * LANES)
    if activation == RELU:
        store(gates + u * LANES, where_positive(y, d))
    elif activation == LOGISTIC:
        store(gates + u * LANES, d * y * (1 - y))
    else:
        store(gates + u * LANES, d * (1 - y * y))
    store(dh + u * LANES, splat(0))
