"""LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    i = sigmoid(W_xi x + W_hi h_{t-1} + b_i)      f, o likewise;  g = tanh(...)
    c_t = f * c_{t-1} + i * g
    h_t = o * tanh(c_t)

Gate columns of unit block u: i, f, g, o, one vector each, at u * 4 * LANES. A column block is one
unit block.
"""
from ..types cimport LANES, idx, load, real, sigmoid, splat, store, tanh_vec, vec


cdef inline void lstm_gates(
    vec* z,                # in  (4,) pre-activations of i, f, g, o; out c_t first, o last
    idx u,                 # unit block
    real* gates,           # out (4 * Hp,) or NULL
    const real* c_prev,    # in  (Hp,)
    real* c,               # out (Hp,), may be c_prev
) noexcept nogil:
    cdef vec i = sigmoid(z[0])
    cdef vec f = sigmoid(z[1])
    cdef vec g = tanh_vec(z[2])
    z[3] = sigmoid(z[3])
    z[0] = f * load(c_prev + u * LANES) + i * g
    store(c + u * LANES, z[0])
    if gates != NULL:
        gates += 4 * u * LANES
        store(gates, i)
        store(gates + LANES, f)
        store(gates + 2 * LANES, g)
        store(gates + 3 * LANES, z[3])


cdef inline void lstm_output(
    const vec* z,          # in  (4,) as lstm_gates leaves it
    idx u,
    real* h,               # out (Hp,)
) noexcept nogil:
    store(h + u * LANES, z[3] * tanh_vec(z[0]))


# With d = dLoss/dh_t (from above and from t + 1) and dc = dLoss/dc_t from t + 1:
#     dc  += d * o * (1 - tanh(c)^2)
#     dz_i = dc * g * i (1 - i)            dz_f = dc * c_{t-1} * f (1 - f)
#     dz_g = dc * i * (1 - g^2)            dz_o = d * tanh(c) * o (1 - o)
#     dc_{t-1} = dc * f                    dh_{t-1} = W_h^T dz, which the time loop adds
cdef inline void lstm_backward(
    idx u,
    real* gates,           # in  i, f, g, o; out their pre-activation gradients
    const real* c,         # in  (Hp,)
    const real* c_prev,    # in  (Hp,)
    real* dh,              # in  dLoss/dh_t; out what reaches h_{t-1} past the matmul: nothing
    real* dc,              # in  dLoss/dc_t from t + 1; out dLoss/dc_{t-1}
) noexcept nogil:
    gates += 4 * u * LANES
    cdef vec i = load(gates)
    cdef vec f = load(gates + LANES)
    cdef vec g = load(gates + 2 * LANES)
    cdef vec o = load(gates + 3 * LANES)
    cdef vec tanh_c = tanh_vec(load(c + u * LANES))
    cdef vec d = load(dh + u * LANES)
    cdef vec d_cell = load(dc + u * LANES) + d * o * (1 - tanh_c * tanh_c)
    store(gates, d_cell * g * i * (1 - i))
    store(gates + LANES, d_cell * load(c_prev + u * LANES) * f * (1 - f))
    store(gates + 2 * LANES, d_cell * i * (1 - g * g))
    store(gates + 3 * LANES, d * tanh_c * o * (1 - o))
    store(dc + u * LANES, d_cell * f)
    store(dh + u * LANES, splat(0))
