"""Attention of a decoder over an encoder's outputs, for all its steps at once.

With h_t (t < T) the decoder's top outputs and e_s (s < S) the encoder's, both of width H:

    score_ts = h_t . e_s                        dot (Luong et al. 2015)
    score_ts = v . tanh(W_q h_t + W_k e_s)      additive (Bahdanau et al. 2015)
    a_ts = exp(score_ts) / sum over r of exp(score_tr)
    c_t = sum over s of a_ts e_s
    o_t = tanh(W_c [c_t; h_t])                  what the head reads

The decoder does not read o_{t-1} (no input feeding), so its steps stay apart from attention.

Rows here lie sequence after sequence: the S rows of sequence b begin at row `first_e[b]`, its T
rows at `first_h[b]`, b in the decoder's order. A thread takes whole sequences, so a product over
one of them is summed by one thread in one order.
"""
from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset

from .denormals cimport flush_denormals, restore_worker
from .heads.losses cimport softmax_row
from .pack cimport pack_column_block, pack_transposed
from .products cimport PRODUCT_ROWS, multiply, product, products
from .stopping cimport stopped
from .types cimport (
    BLOCK_COLS, LANES, MOVED, Net, Scan, Stop, TILE_COLS, TILE_ROWS, ceil_div, idx, imin, load,
    padded, real, row_at, splat, store, sum_lanes, tanh_vec, tile, useful_threads, vec,
)
from .weight_gradients cimport (
    WeightGradient, cut_weight_tasks, scratch_of, weight_gradient_task, weight_tasks,
)
from .workspace cimport Arena, indices, reals

cdef enum Score:
    NONE
    DOT
    ADDITIVE

cdef struct AttentionPlan:
    # Offsets point into the decoder's parameters.
    idx score
    idx combine            # W_c (H, 2 H)
    idx query              # W_q (H, H), additive only, as the next two
    idx key                # W_k (H, H)
    idx vector             # v (H,)

cdef struct Attention:
    AttentionPlan plan
    Stop* stop             # of both networks
    idx H
    idx Hp
    idx ld                 # of alpha: the longest source, in full vectors
    idx n_e                # rows of e
    idx n_h                # rows of cat
    const idx* row_of      # (Hp,) row of a weight matrix for each of its outputs, -1 for padding
    idx* source            # (B,) place of a sequence in the encoder's order
    idx* first_e           # (B + 1,)
    idx* first_h           # (B + 1,)
    idx* first_t           # (B + 1,) sums of the lengths S in full vectors
    real* ws_e             # (n_e, Hp) encoder outputs, directions side by side
    real* ws_e_t           # of each sequence (H, padded(S)): the same transposed
    real* ws_keys          # (n_e, Hp) W_k e_s; additive only, as queries, v and their gradients
    real* ws_queries       # (n_h, Hp) W_q h_t
    real* v                # (Hp,)
    real* ws_cat           # (n_h, 2 Hp) [c_t; h_t]
    real* ws_alpha         # (n_h, ld)
    real* ws_o             # (n_h, Hp)
    real* pack_c
    real* pack_q
    real* pack_k
    # training
    real* pack_dc          # transposes
    real* pack_dq
    real* pack_dk
    real* de               # (n_e, Hp)
    real* dkeys            # (n_e, Hp)
    real* dqueries         # (n_h, Hp)
    real* dv               # (B, Hp) of each sequence
    real* dcat             # (n_h, 2 Hp)
    real* dalpha           # (n_h, ld), then dscore
    real* d_o              # (n_h, Hp), then that of W_c [c; h]


cdef inline void carve_attention(
    Arena* arena, Attention* att, bint training, idx B, idx N_e, idx T_e, idx N_h
) noexcept nogil:
    """Set every pointer, for at most B sequences, N_e source and N_h target steps in all."""
    cdef idx Hp = att.Hp
    cdef idx additive = att.plan.score == ADDITIVE
    att.ld = padded(T_e)
    att.source = indices(arena, B)
    att.first_e = indices(arena, B + 1)
    att.first_h = indices(arena, B + 1)
    att.first_t = indices(arena, B + 1)
    if att.plan.score == NONE:
        return
    att.ws_e = reals(arena, N_e * Hp)
    att.ws_e_t = reals(arena, (N_e + B * LANES) * att.H)
    att.ws_keys = reals(arena, additive * N_e * Hp)
    att.ws_queries = reals(arena, additive * N_h * Hp)
    att.v = reals(arena, additive * Hp)
    att.ws_cat = reals(arena, N_h * 2 * Hp)
    att.ws_alpha = reals(arena, N_h * att.ld)
    att.ws_o = reals(arena, N_h * Hp)
    att.pack_c = reals(arena, 2 * Hp * Hp)
    att.pack_q = reals(arena, additive * Hp * Hp)
    att.pack_k = reals(arena, additive * Hp * Hp)
    if not training:
        return
    att.pack_dc = reals(arena, 2 * Hp * Hp)
    att.pack_dq = reals(arena, additive * Hp * Hp)
    att.pack_dk = reals(arena, additive * Hp * Hp)
    att.de = reals(arena, N_e * Hp)
    att.dkeys = reals(arena, additive * N_e * Hp)
    att.dqueries = reals(arena, additive * N_h * Hp)
    att.dv = reals(arena, additive * B * Hp)
    att.dcat = reals(arena, N_h * 2 * Hp)
    att.dalpha = reals(arena, N_h * att.ld)
    att.d_o = reals(arena, N_h * Hp)


# Packing

cdef inline void pack_matrix(
    const Attention* att,
    real* out,             # out as `product` takes it
    real* transposed,      # out likewise, or NULL
    const real* W,         # in  (H, segments * H)
    idx segments,
) noexcept nogil:
    cdef idx H = att.H, Hp = att.Hp, K = (segments - 1) * Hp + H
    cdef idx block, c
    cdef idx starts[BLOCK_COLS]
    for block from 0 <= block < Hp // LANES by BLOCK_COLS:
        for c in range(BLOCK_COLS):
            starts[c] = (block + c) * LANES
        pack_column_block(out + block * K * LANES, W, segments, H, Hp, starts,
                          imin(BLOCK_COLS, Hp // LANES - block), att.row_of)
    if transposed == NULL:
        return
    for block from 0 <= block < segments * Hp // LANES by BLOCK_COLS:
        pack_transposed(transposed + block * Hp * LANES, W, segments, H, Hp, block,
                        imin(BLOCK_COLS, segments * Hp // LANES - block), att.row_of, Hp)


cdef inline void pack_attention(Attention* att, const Net* decoder) noexcept nogil:
    """Repack the weights: once per batch, because the optimizer has moved them."""
    cdef const real* params = decoder.params
    cdef bint training = decoder.training
    if att.plan.score == NONE:
        return
    pack_matrix(att, att.pack_c, att.pack_dc if training else NULL, params + att.plan.combine, 2)
    if att.plan.score == ADDITIVE:
        pack_matrix(att, att.pack_q, att.pack_dq if training else NULL, params + att.plan.query, 1)
        pack_matrix(att, att.pack_k, att.pack_dk if training else NULL, params + att.plan.key, 1)
        memset(att.v, 0, att.Hp * sizeof(real))
        memcpy(att.v, params + att.plan.vector, att.H * sizeof(real))


# From packed rows to rows of sequences, and back

cdef inline void gather_source(Attention* att, const Net* encoder, idx b) noexcept nogil:
    """e and e_t of a sequence, from the encoder's features."""
    cdef idx place = att.source[b], H = encoder.plan.H, D = encoder.plan.n_directions
    cdef idx S = encoder.lengths[place], wide = padded(S)
    cdef real* e = att.ws_e + att.first_e[b] * att.Hp
    cdef real* e_t = att.ws_e_t + att.first_t[b] * att.H
    cdef const real* row
    cdef idx s, d, k
    memset(e_t, 0, wide * att.H * sizeof(real))
    for s in range(S):
        row = encoder.ws_features + row_at(encoder, s, place) * encoder.F
        memset(e + s * att.Hp + att.H, 0, (att.Hp - att.H) * sizeof(real))
        for d in range(D):
            memcpy(e + s * att.Hp + d * H, row + d * encoder.plan.Hp, H * sizeof(real))
        for k in range(att.H):
            e_t[k * wide + s] = e[s * att.Hp + k]


cdef inline void scatter_source(const Attention* att, Net* encoder, idx b) noexcept nogil:
    """The encoder's dfeatures of a sequence, from de."""
    cdef idx place = att.source[b], H = encoder.plan.H, Hp = encoder.plan.Hp
    cdef const real* de = att.de + att.first_e[b] * att.Hp
    cdef real* row
    cdef idx s, d
    for s in range(encoder.lengths[place]):
        row = encoder.dfeatures + row_at(encoder, s, place) * encoder.F
        for d in range(encoder.plan.n_directions):
            memset(row + d * Hp + H, 0, (Hp - H) * sizeof(real))
            memcpy(row + d * Hp, de + s * att.Hp + d * H, H * sizeof(real))


cdef inline void copy_rows(
    real* rows,            # (T, ld) of a sequence
    idx ld,
    real* packed,          # (N, F) of all
    const Net* decoder,
    idx b,
    bint back,             # from `rows` to `packed`, else from `packed` to `rows`
) noexcept nogil:
    cdef idx t, size = decoder.F * sizeof(real)
    cdef real* row
    for t in range(decoder.lengths[b]):
        row = packed + row_at(decoder, t, b) * decoder.F
        if back:
            memcpy(row, rows + t * ld, size)
        else:
            memcpy(rows + t * ld, row, size)


# One sequence

cdef inline void attend(const Attention* att, idx b, idx row, idx T) noexcept nogil:
    """alpha and c_t of T rows of cat and queries, from `row` on, that look at source b."""
    cdef idx Hp = att.Hp, S = att.first_e[b + 1] - att.first_e[b], wide = padded(S), t
    cdef real* alpha = att.ws_alpha + row * att.ld
    cdef real* cat = att.ws_cat + row * 2 * Hp
    if att.plan.score == DOT:
        multiply(alpha, att.ld, cat + Hp, 2 * Hp, 1, T, att.H,
                 att.ws_e_t + att.first_t[b] * att.H, wide, wide // LANES, False)
    else:
        additive_scores(att, alpha, att.ws_queries + row * Hp, att.ws_keys + att.first_e[b] * Hp, T,
                        S)
    for t in range(T):
        softmax_row(alpha + t * att.ld, alpha + t * att.ld, S, wide)
    multiply(cat, 2 * Hp, alpha, att.ld, 1, T, S, att.ws_e + att.first_e[b] * Hp, Hp, Hp // LANES,
             False)


cdef inline void additive_scores(
    const Attention* att,
    real* scores,          # out (T, ld)
    const real* queries,   # in  (T, Hp)
    const real* keys,      # in  (S, Hp)
    idx T,
    idx S,
) noexcept nogil:
    cdef idx t, s, u
    cdef vec total
    for t in range(T):
        if stopped(att.stop, 10.0 * S * att.Hp):
            return
        for s in range(S):
            total = splat(0)
            for u from 0 <= u < att.Hp by LANES:
                total = total + load(att.v + u) * tanh_vec(
                    load(queries + t * att.Hp + u) + load(keys + s * att.Hp + u))
            scores[t * att.ld + s] = sum_lanes(total)


# dc_t is given.    da_ts = dc_t . e_s      dscore_ts = a_ts (da_ts - sum over r of a_tr da_tr)
# de_s = sum over t of a_ts dc_t, and through the scores
#     dot:       dh_t += sum over s of dscore_ts e_s         de_s += sum over t of dscore_ts h_t
#     additive:  with u = tanh(q_t + k_s):  dv += dscore_ts u,  dq_t, dk_s += dscore_ts v (1 - u^2)
cdef inline void attend_backward(const Attention* att, idx b, idx row, idx T) noexcept nogil:
    """de, and dh in dcat or dqueries and dkeys, of a sequence whose dcat holds dc and dh."""
    cdef idx Hp = att.Hp, S = att.first_e[b + 1] - att.first_e[b], wide = padded(S), t
    cdef real* ds = att.dalpha + row * att.ld
    cdef const real* alpha = att.ws_alpha + row * att.ld
    cdef real* dcat = att.dcat + row * 2 * Hp
    cdef const real* e = att.ws_e + att.first_e[b] * Hp
    cdef real* de = att.de + att.first_e[b] * Hp
    multiply(ds, att.ld, dcat, 2 * Hp, 1, T, att.H, att.ws_e_t + att.first_t[b] * att.H, wide,
             wide // LANES, False)
    multiply(de, Hp, alpha, 1, att.ld, S, T, dcat, 2 * Hp, Hp // LANES, False)
    for t in range(T):
        softmax_backward(ds + t * att.ld, alpha + t * att.ld, wide)
    if att.plan.score == DOT:
        multiply(dcat + Hp, 2 * Hp, ds, att.ld, 1, T, S, e, Hp, Hp // LANES, True)
        multiply(de, Hp, ds, 1, att.ld, S, T, att.ws_cat + row * 2 * Hp + Hp, 2 * Hp, Hp // LANES,
                 True)
    else:
        additive_backward(att, b, row, T, S)


cdef inline void softmax_backward(
    real* d,               # in/out (wide,) da, then dscore
    const real* alpha,     # in  (wide,)
    idx wide,
) noexcept nogil:
    cdef vec total = splat(0)
    cdef real mean
    cdef idx s
    for s from 0 <= s < wide by LANES:
        total = total + load(alpha + s) * load(d + s)
    mean = sum_lanes(total)
    for s from 0 <= s < wide by LANES:
        store(d + s, load(alpha + s) * (load(d + s) - splat(mean)))


cdef inline void additive_backward(
    const Attention* att, idx b, idx row, idx T, idx S
) noexcept nogil:
    cdef idx Hp = att.Hp, t, s, u
    cdef const real* keys = att.ws_keys + att.first_e[b] * Hp
    cdef const real* queries = att.ws_queries + row * Hp
    cdef real* dkeys = att.dkeys + att.first_e[b] * Hp
    cdef real* dqueries = att.dqueries + row * Hp
    cdef real* dv = att.dv + b * Hp
    cdef vec d, tanh_u, back
    memset(dkeys, 0, S * Hp * sizeof(real))
    memset(dqueries, 0, T * Hp * sizeof(real))
    memset(dv, 0, Hp * sizeof(real))
    for t in range(T):
        if stopped(att.stop, 20.0 * S * att.Hp):
            return
        for s in range(S):
            d = splat(att.dalpha[(row + t) * att.ld + s])
            for u from 0 <= u < Hp by LANES:
                tanh_u = tanh_vec(load(queries + t * Hp + u) + load(keys + s * Hp + u))
                back = d * load(att.v + u) * (1 - tanh_u * tanh_u)
                store(dv + u, load(dv + u) + d * tanh_u)
                store(dqueries + t * Hp + u, load(dqueries + t * Hp + u) + back)
                store(dkeys + s * Hp + u, load(dkeys + s * Hp + u) + back)


# All sequences

cdef inline double attention_flops(const Attention* att) noexcept nogil:
    return 4.0 * att.n_h * att.Hp * (att.ld + att.Hp)


cdef inline void place_sequences(
    Attention* att, const Net* encoder, const Net* decoder,
    idx* places,           # (n_sequences,) scratch: place in the encoder's order
) noexcept nogil:
    """Where the rows of each sequence begin, in the decoder's order."""
    cdef idx b
    for b in range(encoder.B):
        places[encoder.order[b]] = b
    att.first_e[0] = att.first_h[0] = att.first_t[0] = 0
    for b in range(decoder.B):
        att.source[b] = places[decoder.order[b]]
        att.first_e[b + 1] = att.first_e[b] + encoder.lengths[att.source[b]]
        att.first_t[b + 1] = att.first_t[b] + padded(encoder.lengths[att.source[b]])
        att.first_h[b + 1] = att.first_h[b] + decoder.lengths[b]
    att.n_e, att.n_h = att.first_e[decoder.B], att.first_h[decoder.B]


cdef inline void read_sources(
    Attention* att, const Net* encoder, idx n, idx threads
) noexcept nogil:
    """e, e_t and keys of n sequences."""
    cdef idx b
    if att.plan.score == NONE:
        return
    for b in prange(n, num_threads=threads, use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        if not stopped(att.stop, <double> MOVED * encoder.T * att.Hp):
            gather_source(att, encoder, b)
        restore_worker(encoder.caller_mode)
    if att.plan.score == ADDITIVE:
        products(encoder, att.ws_keys, att.Hp, att.ws_e, att.Hp, att.n_e, att.H, att.pack_k,
                 att.Hp // LANES, False, threads)


cdef inline void combine_rows(const Attention* att, idx row, idx rows) noexcept nogil:
    """o_t = tanh(W_c [c_t; h_t])."""
    cdef idx k
    product(att.ws_o + row * att.Hp, att.Hp, att.ws_cat + row * 2 * att.Hp, 2 * att.Hp, rows,
            att.Hp + att.H, att.pack_c, att.Hp // LANES, NULL, False)
    for k from row * att.Hp <= k < (row + rows) * att.Hp by LANES:
        store(att.ws_o + k, tanh_vec(load(att.ws_o + k)))


# W_c [c_t; h_t] = sum over s of a_ts (W_c [e_s; 0]) + W_c [0; h_t]. A beam has more rows than its
# source has steps, so that the first product is cheaper with those.

cdef inline void combine_part(
    const Attention* att,
    real* out,             # out (rows, Hp): W_c times one part, plus `start`
    const real* A,         # in  (rows, lda)
    idx lda,
    idx rows,
    bint of_h,             # the part is h, else c
    const real* start,     # in  (rows, start_row), or one vector of zeros with start_row = 0
    idx start_row,
) noexcept nogil:
    # Packed weights are (columns of a tile, K, ...): a part of K is whole within a tile's columns.
    cdef idx Hp = att.Hp, col, r0, cols
    for col from 0 <= col < Hp // LANES by TILE_COLS:
        cols = imin(TILE_COLS, Hp // LANES - col)
        for r0 from 0 <= r0 < rows by TILE_ROWS:
            tile(imin(TILE_ROWS, rows - r0), cols, att.H, A + r0 * lda, lda, 1,
                 att.pack_c + (col * (Hp + att.H) + of_h * Hp * cols) * LANES,
                 start + r0 * start_row + (col * LANES if start_row > 0 else 0), start_row,
                 out + r0 * Hp + col * LANES, Hp)


cdef inline void combine_sources(
    Attention* att, const Net* encoder, idx n, idx W, idx threads
) noexcept nogil:
    """e_s becomes W_c [e_s; 0] for n sources, each with W > 1 rows of cat, which are scratch."""
    cdef vec zeros[BLOCK_COLS]
    cdef idx b, r, rows, size = imin(TILE_ROWS, 2 * W)
    cdef real* scratch
    cdef real* e
    memset(zeros, 0, sizeof(zeros))
    for b in prange(n, num_threads=threads, use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        scratch = att.ws_cat + b * W * 2 * att.Hp
        for r from att.first_e[b] <= r < att.first_e[b + 1] by size:
            rows, e = imin(size, att.first_e[b + 1] - r), att.ws_e + r * att.Hp
            combine_part(att, scratch, e, att.Hp, rows, False, <const real*> zeros, 0)
            memcpy(e, scratch, rows * att.Hp * sizeof(real))
        restore_worker(encoder.caller_mode)


cdef inline void combine_rows_of_sources(const Attention* att, idx row, idx rows) noexcept nogil:
    """o_t, where cat holds W_c [c_t; 0] in place of c_t."""
    cdef const real* cat = att.ws_cat + row * 2 * att.Hp
    cdef idx k
    combine_part(att, att.ws_o + row * att.Hp, cat + att.Hp, 2 * att.Hp, rows, True, cat,
                 2 * att.Hp)
    for k from row * att.Hp <= k < (row + rows) * att.Hp by LANES:
        store(att.ws_o + k, tanh_vec(load(att.ws_o + k)))


cdef inline void attention_forward(Attention* att, Net* encoder, Net* decoder) noexcept nogil:
    """The decoder's features, before dropout, from its top layer's y and the encoder's features."""
    cdef idx b, r, blocks, threads = useful_threads(decoder.threads, attention_flops(att))
    cdef Scan* top = &decoder.scans[decoder.plan.n_scans - 1]
    blocks = ceil_div(att.n_h, PRODUCT_ROWS)
    decoder.R = decoder.N
    read_sources(att, encoder, decoder.B, threads)
    for b in prange(decoder.B, num_threads=threads, use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        copy_rows(att.ws_cat + att.first_h[b] * 2 * att.Hp + att.Hp, 2 * att.Hp, top.ws_y, decoder,
                  b, False)
        restore_worker(decoder.caller_mode)
    if att.plan.score == ADDITIVE:
        products(decoder, att.ws_queries, att.Hp, att.ws_cat + att.Hp, 2 * att.Hp, att.n_h, att.H,
                 att.pack_q, att.Hp // LANES, False, threads)
    for b in prange(decoder.B, num_threads=threads, use_threads_if=threads > 1,
                    schedule='dynamic'):
        flush_denormals()
        if not stopped(att.stop, 4.0 * decoder.lengths[b] * att.ld * att.Hp):
            attend(att, b, att.first_h[b], decoder.lengths[b])
        restore_worker(decoder.caller_mode)
    for r in prange(blocks, num_threads=threads, use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        if not stopped(att.stop, 4.0 * PRODUCT_ROWS * att.Hp * att.Hp):
            combine_rows(att, r * PRODUCT_ROWS, imin(PRODUCT_ROWS, att.n_h - r * PRODUCT_ROWS))
        restore_worker(decoder.caller_mode)
    for b in prange(decoder.B, num_threads=threads, use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        copy_rows(att.ws_o + att.first_h[b] * att.Hp, att.Hp, decoder.ws_features, decoder, b, True)
        restore_worker(decoder.caller_mode)


cdef inline void combine_backward(const Attention* att, idx row, idx rows) noexcept nogil:
    """dz = do (1 - o^2) in place of do, and d[c; h] = W_c^T dz."""
    cdef idx k
    cdef vec o
    for k from row * att.Hp <= k < (row + rows) * att.Hp by LANES:
        o = load(att.ws_o + k)
        store(att.d_o + k, load(att.d_o + k) * (1 - o * o))
    product(att.dcat + row * 2 * att.Hp, 2 * att.Hp, att.d_o + row * att.Hp, att.Hp, rows, att.Hp,
            att.pack_dc, 2 * att.Hp // LANES, NULL, False)


cdef inline void attention_backward(Attention* att, Net* encoder, Net* decoder) noexcept nogil:
    """From the decoder's dfeatures (after dropout's backward): the top layer's dy, the encoder's
    dfeatures, and the gradients of W_c, W_q, W_k and v."""
    cdef idx b, r, blocks, threads = useful_threads(decoder.threads, 2 * attention_flops(att))
    cdef Scan* top = &decoder.scans[decoder.plan.n_scans - 1]
    blocks = ceil_div(att.n_h, PRODUCT_ROWS)
    for b in prange(decoder.B, num_threads=threads, use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        copy_rows(att.d_o + att.first_h[b] * att.Hp, att.Hp, decoder.dfeatures, decoder, b, False)
        restore_worker(decoder.caller_mode)
    for r in prange(blocks, num_threads=threads, use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        if not stopped(att.stop, 4.0 * PRODUCT_ROWS * att.Hp * att.Hp):
            combine_backward(att, r * PRODUCT_ROWS, imin(PRODUCT_ROWS, att.n_h - r * PRODUCT_ROWS))
        restore_worker(decoder.caller_mode)
    for b in prange(decoder.B, num_threads=threads, use_threads_if=threads > 1,
                    schedule='dynamic'):
        flush_denormals()
        if not stopped(att.stop, 10.0 * decoder.lengths[b] * att.ld * att.Hp):
            attend_backward(att, b, att.first_h[b], decoder.lengths[b])
        restore_worker(decoder.caller_mode)
    if att.plan.score == ADDITIVE:
        products(decoder, att.dcat + att.Hp, 2 * att.Hp, att.dqueries, att.Hp, att.n_h, att.Hp,
                 att.pack_dq, att.Hp // LANES, True, threads)
        products(decoder, att.de, att.Hp, att.dkeys, att.Hp, att.n_e, att.Hp, att.pack_dk,
                 att.Hp // LANES, True, threads)
    for b in prange(decoder.B, num_threads=threads, use_threads_if=threads > 1, schedule='static'):
        flush_denormals()
        copy_rows(att.dcat + att.first_h[b] * 2 * att.Hp + att.Hp, 2 * att.Hp, top.dy, decoder, b,
                  True)
        scatter_source(att, encoder, b)
        restore_worker(decoder.caller_mode)
    attention_weight_gradients(att, decoder, threads)


cdef inline void attention_weight_gradients(
    const Attention* att, Net* decoder, idx threads
) noexcept nogil:
    cdef real* dv = decoder.grads + att.plan.vector
    cdef idx b, k
    matrix_gradient(att, decoder, att.plan.combine, att.d_o, att.ws_cat, 2 * att.Hp, 2, att.n_h,
                    threads)
    if att.plan.score != ADDITIVE:
        return
    matrix_gradient(att, decoder, att.plan.query, att.dqueries, att.ws_cat + att.Hp, 2 * att.Hp, 1,
                    att.n_h, threads)
    matrix_gradient(att, decoder, att.plan.key, att.dkeys, att.ws_e, att.Hp, 1, att.n_e, threads)
    memset(dv, 0, att.H * sizeof(real))
    for b in range(decoder.B):
        for k in range(att.H):
            dv[k] += att.dv[b * att.Hp + k]


cdef inline void matrix_gradient(
    const Attention* att, Net* decoder, idx place, const real* dZ, const real* X, idx ldx,
    idx segments, idx N, idx threads,
) noexcept nogil:
    """Gradient of the matrix at `place`, (H, segments * H): sum over N rows of dZ X^T."""
    cdef WeightGradient g
    cdef idx task
    g.runs, g.order, g.stop = NULL, 1, decoder.stop
    g.dW = decoder.grads + place
    g.db = NULL
    g.dZ = dZ
    g.ldz = att.Hp
    g.cols = att.Hp // LANES
    g.row_of = att.row_of
    g.X = X
    g.ldx = ldx
    g.segments = segments
    g.width = att.H
    g.stride = att.Hp
    g.N = N
    cut_weight_tasks(&g, threads)
    for task in prange(weight_tasks(&g), num_threads=threads, use_threads_if=threads > 1,
                       schedule='dynamic'):
        flush_denormals()
        weight_gradient_task(&g, task, scratch_of(decoder, threadid()))
        restore_worker(decoder.caller_mode)
