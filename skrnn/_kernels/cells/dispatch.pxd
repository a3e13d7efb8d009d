"""Which cell a step of the time loop runs, and where that finds the states of the step before."""
from ..types cimport BLOCK_COLS, GRU, LANES, LSTM, Layer, Net, idx, load, real, row_at, store, vec
from .gru cimport gru_backward, gru_gates, gru_output
from .lstm cimport lstm_backward, lstm_gates, lstm_output
from .rnn cimport rnn_backward, rnn_output


cdef inline idx row_before(const Net* net, const Layer* layer, idx t, idx b) noexcept nogil:
    """Packed row of sequence b one step before t in its direction; -1 where it starts at t."""
    cdef idx before = t - layer.plan.direction
    if 0 <= before < net.T and b < net.active[before]:
        return row_at(net, before, b)
    return -1


cdef inline const real* previous_h(
    const Net* net, const Layer* layer, idx t, idx b
) noexcept nogil:
    cdef idx row = row_before(net, layer, t, b)
    return layer.y + row * layer.ldy if row >= 0 else layer.h0 + b * layer.plan.Hp


cdef inline const real* previous_c(
    const Net* net, const Layer* layer, idx t, idx b
) noexcept nogil:
    """c_{t-1}. Prediction keeps one row a sequence, where the step before left it."""
    cdef idx row = row_before(net, layer, t, b)
    if row < 0:
        return layer.c0 + b * layer.plan.Hp
    return layer.c + (row if net.training else b) * layer.plan.Hp


cdef inline void cell_forward(
    const Net* net, const Layer* layer, idx t, idx b0, idx rows, idx bundle, idx blocks, vec* acc
) noexcept nogil:
    """Gates, c_t and h_t of one bundle of a tile. Prediction keeps no gates, and of c one row a
    sequence.

    Two loops, so that one row's last activation does not wait for its first ones: those of six
    rows are done by then. One loop takes a sixth longer.
    """
    cdef idx Hp = layer.plan.Hp, r
    cdef idx row = row_at(net, t, b0)
    cdef idx ldg = layer.plan.slots * Hp if net.training else 0
    cdef real* gates = layer.gates + row * ldg if net.training else NULL
    cdef real* h = layer.y + row * layer.ldy
    cdef real* c = layer.c + (row if net.training else b0) * Hp
    if layer.plan.cell == LSTM:
        for r in range(rows):
            lstm_gates(acc + r * BLOCK_COLS, bundle, gates + r * ldg,
                       previous_c(net, layer, t, b0 + r), c + r * Hp)
        for r in range(rows):
            lstm_output(acc + r * BLOCK_COLS, bundle, h + r * layer.ldy)
    elif layer.plan.cell == GRU:
        for r in range(rows):
            gru_gates(acc + r * BLOCK_COLS, bundle, Hp, gates + r * ldg)
        for r in range(rows):
            gru_output(acc + r * BLOCK_COLS, bundle, gates + r * ldg,
                       previous_h(net, layer, t, b0 + r), h + r * layer.ldy)
    else:
        for r in range(rows):
            rnn_output(acc + r * BLOCK_COLS, bundle * BLOCK_COLS, blocks, layer.plan.activation,
                       h + r * layer.ldy)


cdef inline void cell_backward(
    const Net* net, const Layer* layer, idx t, idx b
) noexcept nogil:
    """dh += dLoss/dh_t from above; then all units of one row from dLoss/dh_t to gate gradients."""
    cdef idx Hp = layer.plan.Hp
    cdef idx row = row_at(net, t, b)
    cdef real* gates = layer.gates + row * layer.plan.slots * Hp
    cdef real* dh = layer.dh + b * Hp
    cdef const real* before
    cdef idx u
    if layer.dy != NULL:
        for u from 0 <= u < Hp by LANES:
            store(dh + u, load(dh + u) + load(layer.dy + row * layer.ldy + u))
    if layer.plan.cell == LSTM:
        before = previous_c(net, layer, t, b)
        for u in range(Hp // LANES):
            lstm_backward(u, gates, layer.c + row * Hp, before, dh, layer.dc + b * Hp)
    elif layer.plan.cell == GRU:
        before = previous_h(net, layer, t, b)
        for u in range(Hp // LANES):
            gru_backward(u, Hp, gates, before, dh)
    else:
        before = layer.y + row * layer.ldy
        for u in range(Hp // LANES):
            rnn_backward(u, layer.plan.activation, gates, before, dh)
