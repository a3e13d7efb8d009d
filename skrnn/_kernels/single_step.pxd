"""One step at a time: the network as a step function."""
from .batch cimport place_single_steps
from .products cimport product
from .time_loop cimport step_forward
from .types cimport LANES, Layer, Net, idx


cdef inline void one_step_each(Net* net, idx n) noexcept nogil:
    """A batch of n sequences of one step, in the user's order."""
    cdef idx b
    place_single_steps(net, n)
    for b in range(n):
        net.order[b], net.lengths[b] = b, 1


cdef inline void keep_states(Net* net) noexcept nogil:
    """Let every layer write its states where it reads the initial ones.

    A cell reads h_{t-1} and c_{t-1} of a unit before it writes those of t, and the matmuls read the
    copy in h_in.
    """
    cdef Layer* layer
    cdef idx k
    for k in range(net.plan.n_layers):
        layer = &net.layers[k]
        layer.y = layer.h0
        layer.ldy = layer.plan.Hp
        layer.c = layer.c0
        if k > 0:
            layer.x = net.layers[k - 1].h0
            layer.ldx = net.layers[k - 1].plan.Hp


cdef inline void step_rows(Net* net, idx lo, idx hi) noexcept nogil:
    """Take rows lo .. hi of net.x one step further: states, and logits of the new h."""
    cdef const Layer* top = &net.layers[net.plan.n_layers - 1]
    cdef idx k
    for k in range(net.plan.n_layers):
        step_forward(net, &net.layers[k], 0, lo, hi)
    product(net.logits + lo * net.Op, net.Op, top.y + lo * top.ldy, top.ldy, hi - lo, top.plan.H,
            net.pack_head, net.Op // LANES, net.pack_head_b, False)
