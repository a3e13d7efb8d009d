"""Dispatch of a step of the time loop to its cell, and the place of the states before the step."""
from ..types cimport BLOCK_COLS, GRU, LANES, LSTM, Net, Scan, idx, load, real, row_at, store, vec
from .gru cimport gru_backward, gru_gates, gru_output
from .lstm cimport lstm_backward, lstm_gates, lstm_output
from .rnn cimport rnn_backward, rnn_output


cdef inline idx row_before(const Net* net, const Scan* scan, idx t, idx b) noexcept nogil:
    """Packed row of sequence b one step before t in its direction; -1 where it starts at t."""
    cdef idx before = t - scan.plan.direction
    if 0 <= before < net.T and b < net.active[before]:
        return row_at(net, before, b)
    return -1


cdef inline const real* previous_h(
    const Net* net, const Scan* scan, idx t, idx b
) noexcept nogil:
    cdef idx row = row_before(net, scan, t, b)
    return scan.ws_y + row * scan.ldy if row >= 0 else scan.h0 + b * scan.plan.Hp


cdef inline const real* previous_c(
    const Net* net, const Scan* scan, idx t, idx b
) noexcept nogil:
    """c_{t-1}. Prediction keeps one row per sequence, where the step before left it."""
    cdef idx row = row_before(net, scan, t, b)
    if row < 0:
        return scan.c0 + b * scan.plan.Hp
    return scan.ws_c + (row if net.training else b) * scan.plan.Hp


cdef inline void cell_forward(
    const Net* net, const Scan* scan, idx t, idx b0, idx rows, idx column_block, idx blocks,
    vec* acc,
) noexcept nogil:
    """Gates, c_t and h_t of one column block of a tile. Prediction keeps no gates, and of c one row
    per sequence.

    Two loops, so that one row's last activation does not wait for its first ones: those of six
    rows are done by then. One loop takes a sixth longer.
    """
    cdef idx Hp = scan.plan.Hp, r
    cdef idx row = row_at(net, t, b0)
    cdef idx ldg = scan.plan.saved * Hp if net.training else 0
    cdef real* gates = scan.ws_gates + row * ldg if net.training else NULL
    cdef real* h = scan.ws_y + row * scan.ldy
    cdef real* c = scan.ws_c + (row if net.training else b0) * Hp
    if scan.plan.cell == LSTM:
        for r in range(rows):
            lstm_gates(acc + r * BLOCK_COLS, column_block, gates + r * ldg,
                       previous_c(net, scan, t, b0 + r), c + r * Hp)
        for r in range(rows):
            lstm_output(acc + r * BLOCK_COLS, column_block, h + r * scan.ldy)
    elif scan.plan.cell == GRU:
        for r in range(rows):
            gru_gates(acc + r * BLOCK_COLS, column_block, Hp, gates + r * ldg)
        for r in range(rows):
            gru_output(acc + r * BLOCK_COLS, column_block, gates + r * ldg,
                       previous_h(net, scan, t, b0 + r), h + r * scan.ldy)
    else:
        for r in range(rows):
            rnn_output(acc + r * BLOCK_COLS, column_block * BLOCK_COLS, blocks,
                       scan.plan.activation, h + r * scan.ldy)


cdef inline void cell_backward(
    const Net* net, const Scan* scan, idx t, idx b
) noexcept nogil:
    """dh += dLoss/dh_t from above; then all units of one row from dLoss/dh_t to gate gradients."""
    cdef idx Hp = scan.plan.Hp
    cdef idx row = row_at(net, t, b)
    cdef real* gates = scan.ws_gates + row * scan.plan.saved * Hp
    cdef real* dh = scan.dh + b * Hp
    cdef const real* before
    cdef idx u
    if scan.dy != NULL:
        for u from 0 <= u < Hp by LANES:
            store(dh + u, load(dh + u) + load(scan.dy + row * scan.ldy + u))
    if scan.plan.cell == LSTM:
        before = previous_c(net, scan, t, b)
        for u in range(Hp // LANES):
            lstm_backward(u, gates, scan.ws_c + row * Hp, before, dh, scan.dc + b * Hp)
    elif scan.plan.cell == GRU:
        before = previous_h(net, scan, t, b)
        for u in range(Hp // LANES):
            gru_backward(u, Hp, gates, before, dh)
    else:
        before = scan.ws_y + row * scan.ldy
        for u in range(Hp // LANES):
            rnn_backward(u, scan.plan.activation, gates, before, dh)
