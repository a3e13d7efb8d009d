"""One step at a time: the network as a step function."""
from .batch cimport place_single_steps
from .heads.pooling cimport pool_step
from .products cimport product
from .time_loop cimport step_forward
from .types cimport ALL, LANES, LAST, Net, POOL_NUMBERS, Scan, idx, real


cdef inline void one_step_each(Net* net, idx n) noexcept nogil:
    """A batch of n sequences of one step, in the user's order."""
    cdef idx b
    place_single_steps(net, n)
    for b in range(n):
        net.order[b], net.lengths[b] = b, 1


cdef inline void keep_states(Net* net) noexcept nogil:
    """Let every scan write its states where it reads the initial ones.

    A cell reads h_{t-1} and c_{t-1} of a unit before it writes those of t, and the matmuls read the
    copy in h_in.
    """
    cdef Scan* scan
    cdef idx k
    for k in range(net.plan.n_scans):
        scan = &net.scans[k]
        scan.ws_y = scan.h0
        scan.ldy = scan.plan.Hp
        scan.ws_c = scan.c0
        if k > 0:
            scan.x = net.scans[k - 1].h0
            scan.ldx = net.scans[k - 1].plan.Hp


cdef inline void step_rows(Net* net, idx lo, idx hi) noexcept nogil:
    """Take rows lo .. hi of net.x one step further: states, and logits of the new h, or of what is
    pooled of all h so far."""
    cdef const Scan* top = &net.scans[net.plan.n_scans - 1]
    cdef const real* read = top.ws_y
    cdef idx k, ld = top.ldy, width = top.plan.H
    for k in range(net.plan.n_scans):
        step_forward(net, &net.scans[k], 0, lo, hi)
    if net.plan.pooling != ALL and net.plan.pooling != LAST:
        for k in range(lo, hi):
            pool_step(net, top.ws_y + k * top.ldy, net.ws_features + k * net.P,
                      net.pool_state + k * POOL_NUMBERS)
        read, ld, width = net.ws_features, net.P, (net.segments - 1) * net.plan.Hp + width
    product(net.logits + lo * net.Op, net.Op, read + lo * ld, ld, hi - lo, width,
            net.pack_head, net.Op // LANES, net.pack_head_b, False)
