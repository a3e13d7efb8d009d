"""Part of engine.pyx: the most probable targets of an encoder and a decoder, by beam search.

A thread takes its sources through all steps, no barrier. Hypotheses of a source are neighbouring
rows of the decoder, which steps as in roll.pxd: states stand where initial ones are read.
"""
from cython.parallel cimport prange
from libc.math cimport exp, isfinite, log
from libc.string cimport memcpy, memset

from .attention cimport (
    ADDITIVE, Attention, NONE, attend, combine_rows, pack_attention, place_sequences, read_sources,
)
from .batch cimport load_batch, place_single_steps
from .denormals cimport flush_denormals, restore_mode, restore_worker
from .embedding cimport look_up
from .heads.losses cimport float_max
from .heads.pooling cimport read_top
from .network cimport layers_forward
from .pack cimport pack_weights
from .products cimport product
from .single_step cimport keep_states
from .stopping cimport check_stopped, stopped
from .time_loop cimport step_forward
from .types cimport LANES, Layer, Net, Stop, idx, imax, imin, real, useful_threads

cdef struct Search:
    # A slot holds the W hypotheses of one source, in W rows of the decoder. Live slots of a thread
    # are neighbours: where one is done, the last takes its place.
    idx W
    idx stop               # most tokens of a target
    idx end                # the end symbol, and what the decoder reads to start
    idx* owner             # (B,) source of each slot, in the encoder's order
    double* scores         # (R,) log-probability of each row's hypothesis; -inf where there is none
    idx* said              # (stop + 1, R) token of each hypothesis at each step, by owner
    idx* parent            # (stop + 1, R) which hypothesis of the step before it goes on
    idx* n_found           # (B,) by owner
    double* score          # (2 R,) of a slot's candidates, best first
    idx* origin            # (2 R,) hypothesis each goes on
    idx* token             # (2 R,)
    idx* chosen            # (R,) origins of those that live on
    real* scratch          # (R, widest)
    idx widest
    idx* tokens            # out (n, 2 W, stop)
    idx* counts            # out (n, 2 W) tokens of each target found; -1 for none
    double* found          # out (n, 2 W) log-probability


def translate_decode(
    pair, options, limits, unsigned char[::1] workspace, const real[::1] params, source,
    const idx[::1] chosen, const idx[::1] bounds, idx beam_width, idx[:, :, ::1] tokens,
    idx[:, ::1] counts, double[:, ::1] scores,
):
    """The most probable targets, by beam search; a beam of one is greedy.

    At each step the best `beam_width` of all hypotheses that end are kept as found, and the best
    `beam_width` that do not go on, until as many are found or each has as many tokens as `tokens`
    (n, 2 beam_width, most) has room for, where it must end. `counts` and `scores` are filled where
    something is found.
    """
    cdef Pair p
    cdef Search s
    cdef idx k, b, B, part, parts, n = len(source[0]) - 1
    cdef idx R = limits[0] * beam_width
    cdef Stop stop
    _open_pair(&p, pair, options, (R, *limits[1:], R, 1), workspace, params, None, n)
    _watch_pair(&stop, &p)
    _check_data(&p.encoder, source, limits, chosen, bounds, 1)
    if p.decoder.columns[0].rows < p.decoder.plan.n_outputs:
        raise ValueError("the decoder has outputs that it cannot read")
    if (
        beam_width < 1 or tokens.shape[0] != n or tokens.shape[1] != 2 * beam_width
        or counts.shape[0] != n or counts.shape[1] != 2 * beam_width or scores.shape[0] != n
        or scores.shape[1] != 2 * beam_width or tokens.shape[2] < 1
    ):
        raise ValueError("the results do not fit the sources and the beam")
    memset(&s, 0, sizeof(Search))
    s.W, s.stop, s.end = beam_width, tokens.shape[2], pair.n_outputs - 1
    for k in range(p.decoder.plan.n_layers):
        s.widest = imax(s.widest, p.decoder.layers[k].plan.Hp)
    cdef idx[:, ::1] steps = np.empty((2 * (s.stop + 1), R), dtype=np.intp)
    cdef idx[:, ::1] places = np.empty((7, R), dtype=np.intp)
    cdef double[:, ::1] numbers = np.empty((3, R))
    cdef real[:, ::1] scratch = np.empty((R, s.widest), real_dtype)
    s.said, s.parent = &steps[0, 0], &steps[s.stop + 1, 0]
    s.owner, s.n_found, s.chosen = &places[0, 0], &places[1, 0], &places[2, 0]
    s.origin, s.token = &places[3, 0], &places[5, 0]
    s.scores, s.score, s.scratch = &numbers[0, 0], &numbers[1, 0], &scratch[0, 0]
    s.tokens, s.counts, s.found = &tokens[0, 0, 0], &counts[0, 0], &scores[0, 0]
    cdef const idx[::1] offsets = source[0]
    cdef const real[:, ::1] values = source[1]
    cdef const idx[:, ::1] ids = source[2]
    cdef const idx* token = _ids(ids)
    cdef const real* value = _reals(values)
    with nogil:
        p.encoder.caller_mode = p.decoder.caller_mode = flush_denormals()
        pack_weights(&p.encoder)
        pack_weights(&p.decoder)
        pack_attention(&p.attention, &p.decoder)
        keep_states(&p.decoder)
        for k in range(bounds.shape[0] - 1):
            B = bounds[k + 1] - bounds[k]
            load_batch(&p.encoder, &offsets[0], value, token, NULL, &chosen[bounds[k]], B)
            layers_forward(&p.encoder)
            if stopped(&stop, 0):
                break
            begin_search(&p, &s, R)
            parts = imin(B, useful_threads(
                p.decoder.threads, 20.0 * B * beam_width * p.decoder.plan.n_params))
            for part in prange(parts, num_threads=parts, use_threads_if=parts > 1,
                               schedule='static', chunksize=1):
                flush_denormals()
                search_slots(&p, &s, B * part // parts, B * (part + 1) // parts, R)
                restore_worker(p.decoder.caller_mode)
        restore_mode(p.decoder.caller_mode)
    check_stopped(&stop)


cdef inline void begin_search(Pair* p, Search* s, idx R) noexcept nogil:
    """Every source's hypotheses stand at the start symbol, all but the first of them void."""
    cdef Net* decoder = &p.decoder
    cdef idx b, k, row, B = p.encoder.B
    read_top(&p.encoder)
    decoder.B = B
    for b in range(B):
        decoder.order[b], decoder.lengths[b] = p.encoder.order[b], 1
    place_sequences(&p.attention, &p.encoder, decoder, p.places)
    read_sources(&p.attention, &p.encoder, B, useful_threads(
        decoder.threads, 2.0 * p.attention.n_e * p.attention.Hp * p.attention.Hp))
    start_decoder(p)
    place_single_steps(decoder, B * s.W)
    for b in range(B - 1, -1, -1):
        s.owner[b], s.n_found[b] = b, 0
        for k in range(s.W - 1, -1, -1):
            row = b * s.W + k
            copy_states(decoder, b, row)
            s.scores[row] = 0 if k == 0 else -float_max()
            read_token(decoder, row, s.end)


cdef inline void copy_states(Net* decoder, idx source, idx to) noexcept nogil:
    cdef Layer* layer
    cdef idx k, Hp
    if source == to:
        return
    for k in range(decoder.plan.n_layers):
        layer, Hp = &decoder.layers[k], decoder.layers[k].plan.Hp
        memcpy(layer.h0 + to * Hp, layer.h0 + source * Hp, Hp * sizeof(real))
        if layer.plan.has_c:
            memcpy(layer.c0 + to * Hp, layer.c0 + source * Hp, Hp * sizeof(real))


cdef inline void read_token(Net* decoder, idx row, idx token) noexcept nogil:
    look_up(decoder, &token, row, 0)


cdef inline void search_slots(Pair* p, const Search* s, idx lo, idx hi, idx R) noexcept nogil:
    """Decode the sources of slots lo .. hi to the end."""
    cdef idx t, slot, live = hi
    for t in range(s.stop + 1):
        if live == lo or stopped(p.decoder.stop, 2.0 * (live - lo) * s.W * p.decoder.plan.n_params):
            return
        step_slots(p, s, lo, live)
        for slot in range(live - 1, lo - 1, -1):
            if not extend(p, s, slot, t, R):
                live -= 1
                move_slot(p, s, live, slot)


cdef inline void step_slots(Pair* p, const Search* s, idx lo, idx hi) noexcept nogil:
    """Logits of the next token of every hypothesis in slots lo .. hi."""
    cdef Net* decoder = &p.decoder
    cdef const Attention* att = &p.attention
    cdef const Layer* top = &decoder.layers[decoder.plan.n_layers - 1]
    cdef const real* features = top.y
    cdef idx k, slot, row = lo * s.W, rows = (hi - lo) * s.W, Hp = top.plan.Hp
    for k in range(decoder.plan.n_layers):
        step_forward(decoder, &decoder.layers[k], 0, row, row + rows)
    if att.plan.score != NONE:
        for k in range(row, row + rows):
            memcpy(att.cat + (2 * k + 1) * Hp, top.y + k * Hp, Hp * sizeof(real))
        if att.plan.score == ADDITIVE:
            product(att.queries + row * Hp, Hp, att.cat + (2 * row + 1) * Hp, 2 * Hp, rows,
                    att.H, att.pack_q, Hp // LANES, NULL, False)
        for slot in range(lo, hi):
            attend(att, s.owner[slot], slot * s.W, s.W)
        combine_rows(att, row, rows)
        features = att.o
    product(decoder.logits + row * decoder.Op, decoder.Op, features + row * Hp, Hp, rows,
            decoder.plan.H, decoder.pack_head, decoder.Op // LANES, decoder.pack_head_b, False)


cdef inline void move_slot(Pair* p, const Search* s, idx source, idx to) noexcept nogil:
    """Let a slot take the place of one that is done."""
    cdef Net* decoder = &p.decoder
    cdef idx k, D = decoder.plan.D
    if source == to:
        return
    s.owner[to] = s.owner[source]
    for k in range(s.W):
        copy_states(decoder, source * s.W + k, to * s.W + k)
        s.scores[to * s.W + k] = s.scores[source * s.W + k]
        memcpy(decoder.x + (to * s.W + k) * D, decoder.x + (source * s.W + k) * D,
               D * sizeof(real))


cdef inline idx find_candidates(Pair* p, const Search* s, idx slot, bint must_end) noexcept nogil:
    """The best 2 W continuations of a slot's hypotheses, best first; returns how many."""
    cdef const real* z
    cdef double* score = s.score + 2 * slot * s.W
    cdef idx* origin = s.origin + 2 * slot * s.W
    cdef idx* token = s.token + 2 * slot * s.W
    cdef double base, new
    cdef idx k, j, at, n = 0, row = slot * s.W
    for k in range(s.W):
        if s.scores[row + k] <= -float_max():
            continue
        z = p.decoder.logits + (row + k) * p.decoder.Op
        base = s.scores[row + k] - log_normaliser(z, p.decoder.plan.n_outputs)
        for j in range(s.end if must_end else 0, p.decoder.plan.n_outputs):
            new = base + z[j]
            if not isfinite(new) or (n == 2 * s.W and new <= score[n - 1]):
                continue
            at = n if n < 2 * s.W else n - 1
            n = at + 1
            while at > 0 and score[at - 1] < new:
                score[at], origin[at], token[at] = score[at - 1], origin[at - 1], token[at - 1]
                at -= 1
            score[at], origin[at], token[at] = new, k, j
    return n


cdef inline double log_normaliser(const real* z, idx n) noexcept nogil:
    cdef double highest = z[0], total = 0
    cdef idx j
    for j in range(1, n):
        if z[j] > highest:
            highest = z[j]
    for j in range(n):
        total += exp(z[j] - highest)
    return highest + log(total)


cdef inline bint extend(Pair* p, const Search* s, idx slot, idx t, idx R) noexcept nogil:
    """Take the hypotheses of a slot, which have t tokens, one token on; False where it is done."""
    cdef idx owner = s.owner[slot], row = slot * s.W, lived = 0, c, at
    cdef idx n = find_candidates(p, s, slot, t == s.stop)
    cdef const double* score = s.score + 2 * row
    cdef const idx* origin = s.origin + 2 * row
    cdef const idx* token = s.token + 2 * row
    for c in range(n):
        if token[c] == s.end:
            if c < s.W:
                note_found(p, s, owner, t, origin[c], score[c], R)
        elif lived < s.W:
            at = t * R + owner * s.W + lived
            s.said[at], s.parent[at] = token[c], origin[c]
            s.chosen[row + lived] = origin[c]
            s.scores[row + lived] = score[c]
            read_token(&p.decoder, row + lived, token[c])
            lived += 1
    if lived == 0 or s.n_found[owner] >= s.W:
        return False
    for c in range(lived, s.W):
        s.scores[row + c] = -float_max()
    if s.W > 1:
        reorder_states(&p.decoder, s, row, lived)
    return True


cdef inline void note_found(
    Pair* p, const Search* s, idx owner, idx t, idx k, double score, idx R
) noexcept nogil:
    """Write down hypothesis k of a source, which ends with t tokens."""
    cdef idx at = p.encoder.order[owner] * 2 * s.W + s.n_found[owner], i
    s.n_found[owner] += 1
    s.counts[at] = t
    s.found[at] = score
    for i in range(t - 1, -1, -1):
        s.tokens[at * s.stop + i] = s.said[i * R + owner * s.W + k]
        k = s.parent[i * R + owner * s.W + k]


cdef inline void reorder_states(Net* decoder, const Search* s, idx row, idx n) noexcept nogil:
    """Give each of n hypotheses the states of the one it goes on."""
    cdef Layer* layer
    cdef idx k
    for k in range(decoder.plan.n_layers):
        layer = &decoder.layers[k]
        permute_rows(layer.h0, layer.plan.Hp, s, row, n)
        if layer.plan.has_c:
            permute_rows(layer.c0, layer.plan.Hp, s, row, n)


cdef inline void permute_rows(real* states, idx Hp, const Search* s, idx row, idx n) noexcept nogil:
    cdef real* copy = s.scratch + row * s.widest
    cdef idx k
    memcpy(copy, states + row * Hp, s.W * Hp * sizeof(real))
    for k in range(n):
        memcpy(states + (row + k) * Hp, copy + s.chosen[row + k] * Hp, Hp * sizeof(real))
