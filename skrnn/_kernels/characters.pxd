"""Words by their characters: what a small network makes of them joins the embeddings of a word.

The network reads each different word of a batch once, as a batch of its own whose sequences are the
words' characters (Ling et al. 2015; Lample et al. 2016). It is one like any other, a bidirectional
LSTM without a head, whose weights lie behind those of the network that reads the words:

    f(w) = [h_n forward; h_1 backward]      of the n characters of w
    x_t  = [E[w_t]; ...; f(w_t)]
    df(w) = sum over the places t of w of the last columns of dx_t

The sum goes over the packed rows in their order, which a sort brings together by word, so that the
bits do not depend on the threads.
"""
from libc.string cimport memcpy, memset

from .batch cimport load_batch
from .embedding cimport sort_tokens
from .heads.pooling cimport leave_out_top, read_top, write_top
from .network cimport clear_state_gradients, layers_backward, layers_forward
from .pack cimport pack_weights
from .stopping cimport stopped
from .types cimport Net, idx, mix64, real

cdef enum:
    CHARACTER_SEED = 1 << 20  # apart from what layers, scans and columns draw with


cdef inline void characters_forward(Net* net) noexcept nogil:
    """Read the words of a loaded batch, and write what they give into its input rows."""
    cdef Net* inner = net.characters
    cdef idx b, d, p, u, H = inner.plan.H
    cdef idx place = net.plan.D - net.plan.spelled
    cdef const idx* starts = net.scratch_word_starts
    cdef real* to
    find_words(net)
    inner.stop, inner.caller_mode = net.stop, net.caller_mode
    inner.seed = mix64(net.seed, CHARACTER_SEED)
    if net.n_distinct_words == 0:
        return
    load_batch(inner, net.spelling_starts, NULL, net.spelling, NULL, net.distinct_words,
               net.n_distinct_words)
    pack_weights(inner)
    leave_out_top(inner)
    layers_forward(inner)
    if stopped(net.stop, 0):
        return
    read_top(inner)
    for b in range(inner.B):
        u = word_place(net, inner.order[b])
        for p in range(starts[u], starts[u + 1]):
            to = net.x + net.scratch_word_order[p] * net.plan.D + place
            for d in range(inner.segments):
                memcpy(to + d * H, inner.ws_features + b * inner.P + d * inner.plan.Hp,
                       H * sizeof(real))


cdef inline void characters_backward(Net* net) noexcept nogil:
    """Gradients of the character network, from those of the input rows."""
    cdef Net* inner = net.characters
    cdef idx b, d, k, p, u, H = inner.plan.H
    cdef idx place = net.plan.D - net.plan.spelled
    cdef const idx* starts = net.scratch_word_starts
    cdef const real* source
    cdef real* to
    inner.n_touched[0] = 0
    if net.n_distinct_words == 0:  # then there are no targets, and no step
        return
    memset(inner.dfeatures, 0, inner.B * inner.P * sizeof(real))
    for b in range(inner.B):
        u = word_place(net, inner.order[b])
        to = inner.dfeatures + b * inner.P
        for p in range(starts[u], starts[u + 1]):
            source = net.dx + net.scratch_word_order[p] * net.ld_dx + place
            for d in range(inner.segments):
                for k in range(H):
                    to[d * inner.plan.Hp + k] += source[d * H + k]
    clear_state_gradients(inner)
    write_top(inner)
    layers_backward(inner)


cdef inline void find_words(Net* net) noexcept nogil:
    """Bring the rows of each word together."""
    cdef idx u
    net.n_distinct_words = sort_tokens(net.words, net.N, net.scratch_word_order,
                                       net.scratch_word_starts)
    for u in range(net.n_distinct_words):
        net.distinct_words[u] = net.words[net.scratch_word_order[net.scratch_word_starts[u]]]


cdef inline idx word_place(const Net* net, idx word) noexcept nogil:
    """Place of a word among the different ones of the batch."""
    cdef idx lo = 0, hi = net.n_distinct_words - 1, middle
    while lo < hi:
        middle = (lo + hi) // 2
        if net.distinct_words[middle] < word:
            lo = middle + 1
        else:
            hi = middle
    return lo
