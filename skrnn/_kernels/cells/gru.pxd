"""GRU (Cho et al. 2014) with the reset gate applied after the matmul, as cuDNN and PyTorch do.

    r = sigmoid(W_xr x + W_hr h_{t-1} + b_r)      z likewise
    n = tanh(W_xn x + b_xn + r * m)               with m = W_hn h_{t-1} + b_hn
    h_t = (1 - z) * n + z * h_{t-1}

Gate columns, in three sections so that what weight_ih feeds (n, r, z) and what weight_hh feeds (r,
z, m) are each contiguous: n (Hp) | r, z of each unit block (2 Hp) | m (Hp). A column block is one
unit block.
"""
from ..types cimport LANES, idx, load, real, sigmoid, store, tanh_vec, vec


cdef inline void gru_gates(
    vec* a,                # in  (4,) x part of n, pre-activations of r and z, and m;
                           # out pre-activation of n first, z third
    idx u,                 # unit block
    idx Hp,
    real* gates,           # out (4 * Hp,) or NULL: r, z and m
) noexcept nogil:
    cdef vec r = sigmoid(a[1])
    a[2] = sigmoid(a[2])
    a[0] = a[0] + r * a[3]
    if gates != NULL:
        store(gates + Hp + 2 * u * LANES, r)
        store(gates + Hp + (2 * u + 1) * LANES, a[2])
        store(gates + 3 * Hp + u * LANES, a[3])


cdef inline void gru_output(
    const vec* a,          # in  (4,) as gru_gates leaves it
    idx u,
    real* gates,           # out (4 * Hp,) or NULL: n
    const real* h_prev,    # in  (Hp,)
    real* h,               # out (Hp,)
) noexcept nogil:
    cdef vec n = tanh_vec(a[0])
    store(h + u * LANES, (1 - a[2]) * n + a[2] * load(h_prev + u * LANES))
    if gates != NULL:
        store(gates + u * LANES, n)


# With d = dLoss/dh_t:
#     da_n = d * (1 - z) * (1 - n^2)       dm   = da_n * r
#     da_r = da_n * m * r (1 - r)          da_z = d * (h_{t-1} - n) * z (1 - z)
#     dh_{t-1} = d * z + W_h^T (da_r, da_z, dm), whose second part the time loop adds
cdef inline void gru_backward(
    idx u,
    idx Hp,
    real* gates,           # in  n, r, z, m; out da_n, da_r, da_z, dm
    const real* h_prev,    # in  (Hp,)
    real* dh,              # in  dLoss/dh_t; out d * z
) noexcept nogil:
    cdef real* at_n = gates + u * LANES
    cdef real* at_rz = gates + Hp + 2 * u * LANES
    cdef real* at_m = gates + 3 * Hp + u * LANES
    cdef vec n = load(at_n)
    cdef vec r = load(at_rz)
    cdef vec z = load(at_rz + LANES)
    cdef vec m = load(at_m)
    cdef vec d = load(dh + u * LANES)
    cdef vec da_n = d * (1 - z) * (1 - n * n)
    store(at_n, da_n)
    store(at_rz, da_n * m * r * (1 - r))
    store(at_rz + LANES, d * (load(h_prev + u * LANES) - n) * z * (1 - z))
    store(at_m, da_n * r)
    store(dh + u * LANES, d * z)
