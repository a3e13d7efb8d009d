"""Beam search: the most probable targets of an encoder and a decoder.

A thread takes its sources through all steps, without a barrier. Hypotheses of a source are
neighboring rows of the decoder, which steps as in single_step.pxd: states stand where initial ones
are read.

A hypothesis y with its end symbol compares by

    log p(y) / (|y| + 1)^length_penalty

The log-probability of a live hypothesis can only fall, and it has at most max_length tokens in the
end: log p / (max_length + 1)^length_penalty is the most that can become of it. Where that does not
beat the worst of the results to be kept, the hypothesis is dropped, and its row is computed no
more. This changes no result: all that would have come of it is worse than what is kept, and so is
every candidate that it pushes out of the beam, which has a lower log-probability still.
"""
from cython.parallel cimport prange
from libc.math cimport exp, isfinite, log, pow
from libc.string cimport memcpy, memset

from .attention cimport (
    ADDITIVE, Attention, NONE, attend, combine_rows, combine_rows_of_sources, combine_sources,
    pack_attention, place_sequences, read_sources,
)
from .batch cimport load_batch, place_single_steps
from .denormals cimport flush_denormals, restore_mode, restore_worker
from .embedding cimport look_up
from .heads.pooling cimport read_top
from .network cimport layers_forward
from .pack cimport pack_weights
from .products cimport product
from .single_step cimport keep_states
from .stopping cimport check_stopped, stopped
from .time_loop cimport step_forward
from .types cimport LANES, Net, Scan, Stop, idx, imax, imin, real, useful_threads

cdef struct Search:
    # A beam is the live hypotheses of one source, at most W, best first, in as many rows of the
    # decoder. Live beams of a thread are neighbors, and so are their rows: where one is done, the
    # last takes its place.
    idx W
    idx K                  # results to keep of each source
    idx stop               # most tokens of any target
    const idx* max_lengths  # (n,) most tokens of each target
    double length_penalty
    idx end                # the end symbol, and what the decoder reads to start
    idx* owner             # (B,) source of each beam, in the encoder's order
    idx* first_row         # (B,) of each beam
    idx* n_live            # (B,) rows of each beam
    idx* row_of            # (R,) row of each hypothesis of a beam, best first
    double* scores         # (R,) log-probability of each row's hypothesis
    idx* tokens            # (stop + 1, R) token of each hypothesis at each step, by owner
    idx* back_pointers     # (stop + 1, R) which hypothesis of the step before it goes on
    idx* n_found           # (B,) by owner
    double* score          # (2 R,) of a beam's candidates, best first; then of those that live on
    idx* origin            # (2 R,) hypothesis each goes on; then the row of that
    idx* token             # (2 R,)
    idx* source_row        # (R,) row with the states that each row goes on from
    real* scratch          # (R, widest)
    idx widest
    idx* out_tokens        # out (n, K, stop), in the order of finding
    idx* out_lengths       # out (n, K) tokens of each target found; -1 for none
    double* out_scores     # out (n, K) log-probability


def translate_decode(
    plan, options, limits, unsigned char[::1] workspace, const real[::1] params, source,
    const idx[::1] batch_indices, const idx[::1] batch_offsets, idx beam_width, hypotheses,
    const idx[::1] max_lengths, double length_penalty,
):
    """Find the most probable targets by beam search; a beam of one decodes greedily.

    Of the top `beam_width` candidates of a step, those that end with the end symbol become results,
    of which the best are kept, as many as `hypotheses` have room for; the best `beam_width`
    candidates that do not end are extended. The search ends when no live hypothesis can beat the
    worst result kept; a beam of one ends with its first result. A hypothesis of `max_lengths` (n,)
    tokens must end. `hypotheses`, which are HypothesisArrays, are filled where something is found,
    in the order of finding.
    """
    cdef EncoderDecoder model
    cdef Search s
    cdef idx k, b, B, part, parts, n = len(source.offsets) - 1
    cdef idx R = limits.n_sequences * beam_width
    cdef idx[:, :, ::1] tokens = hypotheses.tokens
    cdef idx[:, ::1] lengths = hypotheses.lengths
    cdef double[:, ::1] scores = hypotheses.scores
    cdef Stop stop
    pair_limits = PairLimits(limits._replace(n_sequences=R), BatchLimits(R, R, 1))
    _open_encoder_decoder(&model, plan, options, pair_limits, workspace, params, None, n)
    _watch_encoder_decoder(&stop, &model)
    _check_data(&model.encoder, source, limits, batch_indices, batch_offsets, 1)
    if model.decoder.columns[0].rows < model.decoder.plan.n_outputs:
        raise ValueError("The decoder has more outputs than tokens that it can read.")
    if (
        beam_width < 1 or tokens.shape[0] != n or not 1 <= tokens.shape[1] <= beam_width
        or lengths.shape[0] != n or lengths.shape[1] != tokens.shape[1] or scores.shape[0] != n
        or scores.shape[1] != tokens.shape[1] or tokens.shape[2] < 1 or max_lengths.shape[0] != n
        or not length_penalty >= 0
    ):
        raise ValueError("The arrays of results do not fit the sources and the beam.")
    for k in range(n):
        if not 1 <= max_lengths[k] <= tokens.shape[2]:
            raise ValueError(f"The arrays of results have no room for {max_lengths[k]} tokens.")
    memset(&s, 0, sizeof(Search))
    s.W, s.K, s.stop, s.end = beam_width, tokens.shape[1], tokens.shape[2], plan.n_outputs - 1
    s.max_lengths, s.length_penalty = &max_lengths[0], length_penalty
    for k in range(model.decoder.plan.n_scans):
        s.widest = imax(s.widest, model.decoder.scans[k].plan.Hp)
    cdef idx[:, ::1] history = np.empty((2 * (s.stop + 1), R), dtype=np.intp)
    cdef idx[:, ::1] places = np.empty((10, R), dtype=np.intp)
    cdef double[:, ::1] float_scratch = np.empty((3, R))
    cdef real[:, ::1] scratch = np.empty((R, s.widest), real_dtype)
    s.tokens, s.back_pointers = &history[0, 0], &history[s.stop + 1, 0]
    s.owner, s.n_found, s.source_row = &places[0, 0], &places[1, 0], &places[2, 0]
    s.origin, s.token = &places[3, 0], &places[5, 0]
    s.first_row, s.n_live, s.row_of = &places[7, 0], &places[8, 0], &places[9, 0]
    s.scores, s.score, s.scratch = &float_scratch[0, 0], &float_scratch[1, 0], &scratch[0, 0]
    s.out_tokens, s.out_lengths, s.out_scores = &tokens[0, 0, 0], &lengths[0, 0], &scores[0, 0]
    cdef const idx[::1] offsets = source.offsets
    cdef const real[:, ::1] values = source.values
    cdef const idx[:, ::1] ids = source.tokens
    cdef const idx* token = _ids(ids)
    cdef const real* value = _reals(values)
    with nogil:
        model.encoder.caller_mode = model.decoder.caller_mode = flush_denormals()
        pack_weights(&model.encoder)
        pack_weights(&model.decoder)
        pack_attention(&model.attention, &model.decoder)
        keep_states(&model.decoder)
        for k in range(batch_offsets.shape[0] - 1):
            B = batch_offsets[k + 1] - batch_offsets[k]
            load_batch(&model.encoder, &offsets[0], value, token, NULL,
                       &batch_indices[batch_offsets[k]], B)
            layers_forward(&model.encoder)
            if stopped(&stop, 0):
                break
            parts = imin(B, useful_threads(
                model.decoder.threads, 20.0 * B * beam_width * model.decoder.plan.n_params))
            begin_search(&model, &s, parts)
            for part in prange(parts, num_threads=parts, use_threads_if=parts > 1,
                               schedule='static', chunksize=1):
                flush_denormals()
                search_beams(&model, &s, B * part // parts, B * (part + 1) // parts, R)
                restore_worker(model.decoder.caller_mode)
        restore_mode(model.decoder.caller_mode)
    check_stopped(&stop)


cdef inline void begin_search(EncoderDecoder* model, Search* s, idx parts) noexcept nogil:
    """Give every source one hypothesis, at the start symbol. The rows of each part of the sources
    begin where there is room for full beams."""
    cdef Net* decoder = &model.decoder
    cdef idx b, part, lo, row, threads, B = model.encoder.B
    read_top(&model.encoder)
    decoder.B = B
    for b in range(B):
        decoder.order[b], decoder.lengths[b] = model.encoder.order[b], 1
    place_sequences(&model.attention, &model.encoder, decoder, model.places)
    threads = useful_threads(
        decoder.threads, 2.0 * model.attention.n_e * model.attention.Hp * model.attention.Hp)
    read_sources(&model.attention, &model.encoder, B, threads)
    if s.W > 1 and model.attention.plan.score != NONE:
        combine_sources(&model.attention, &model.encoder, B, s.W, threads)
    start_decoder(model)
    place_single_steps(decoder, B * s.W)
    # From the last to the first: no row is written that is still to be read.
    for part in range(parts - 1, -1, -1):
        lo = B * part // parts
        for b in range(B * (part + 1) // parts - 1, lo - 1, -1):
            row = lo * s.W + b - lo
            copy_states(decoder, b, row)
            s.owner[b], s.n_found[b], s.first_row[b], s.n_live[b] = b, 0, row, 1
            s.row_of[b * s.W], s.scores[row] = row, 0
            read_token(decoder, row, s.end)


cdef inline void copy_states(Net* decoder, idx source, idx to) noexcept nogil:
    cdef Scan* scan
    cdef idx k, Hp
    if source == to:
        return
    for k in range(decoder.plan.n_scans):
        scan, Hp = &decoder.scans[k], decoder.scans[k].plan.Hp
        memcpy(scan.h0 + to * Hp, scan.h0 + source * Hp, Hp * sizeof(real))
        if scan.plan.has_c:
            memcpy(scan.c0 + to * Hp, scan.c0 + source * Hp, Hp * sizeof(real))


cdef inline void read_token(Net* decoder, idx row, idx token) noexcept nogil:
    look_up(decoder, &token, row, 0)


cdef inline void search_beams(
    EncoderDecoder* model, const Search* s, idx lo, idx hi, idx R
) noexcept nogil:
    """Decode the sources of beams lo .. hi to the end."""
    cdef idx t, beam, live = hi, row = lo * s.W, rows = hi - lo
    for t in range(s.stop + 1):
        if live == lo or stopped(model.decoder.stop,
                                 2.0 * (live - lo) * s.W * model.decoder.plan.n_params):
            return
        step_beams(model, s, lo, live, row, rows)
        for beam in range(live - 1, lo - 1, -1):
            if not extend(model, s, beam, t, R):
                live -= 1
                move_beam(s, live, beam)
        rows = place_rows(&model.decoder, s, lo, live, row)


cdef inline void step_beams(
    EncoderDecoder* model, const Search* s, idx lo, idx hi, idx row, idx rows
) noexcept nogil:
    """Compute logits of the next token of every hypothesis in beams lo .. hi, at these rows."""
    cdef Net* decoder = &model.decoder
    cdef const Attention* att = &model.attention
    cdef const Scan* top = &decoder.scans[decoder.plan.n_scans - 1]
    cdef const real* features = top.ws_y
    cdef idx k, beam, Hp = top.plan.Hp
    for k in range(decoder.plan.n_scans):
        step_forward(decoder, &decoder.scans[k], 0, row, row + rows)
    if att.plan.score != NONE:
        for k in range(row, row + rows):
            memcpy(att.ws_cat + (2 * k + 1) * Hp, top.ws_y + k * Hp, Hp * sizeof(real))
        if att.plan.score == ADDITIVE:
            product(att.ws_queries + row * Hp, Hp, att.ws_cat + (2 * row + 1) * Hp, 2 * Hp, rows,
                    att.H, att.pack_q, Hp // LANES, NULL, False)
        for beam in range(lo, hi):
            attend(att, s.owner[beam], s.first_row[beam], s.n_live[beam])
        if s.W > 1:
            combine_rows_of_sources(att, row, rows)
        else:
            combine_rows(att, row, rows)
        features = att.ws_o
    product(decoder.logits + row * decoder.Op, decoder.Op, features + row * Hp, Hp, rows,
            decoder.plan.H, decoder.pack_head, decoder.Op // LANES, decoder.pack_head_b, False)


cdef inline void move_beam(const Search* s, idx source, idx to) noexcept nogil:
    """Move a beam, with its live candidates, to the place of one that is done."""
    cdef idx n = s.n_live[source]
    if source == to:
        return
    s.owner[to], s.n_live[to] = s.owner[source], n
    memcpy(s.score + 2 * to * s.W, s.score + 2 * source * s.W, n * sizeof(double))
    memcpy(s.origin + 2 * to * s.W, s.origin + 2 * source * s.W, n * sizeof(idx))
    memcpy(s.token + 2 * to * s.W, s.token + 2 * source * s.W, n * sizeof(idx))


cdef inline idx place_rows(
    Net* decoder, const Search* s, idx lo, idx hi, idx row
) noexcept nogil:
    """Lay the rows of beams lo .. hi side by side from `row` on, and return their number."""
    cdef Scan* scan
    cdef idx beam, k, at, n = 0
    for beam in range(lo, hi):
        s.first_row[beam] = row + n
        place_beam(s, beam)
        for k in range(s.n_live[beam]):
            at = s.row_of[beam * s.W + k]
            s.scores[at] = s.score[2 * beam * s.W + k]
            read_token(decoder, at, s.token[2 * beam * s.W + k])
        n += s.n_live[beam]
    for k in range(decoder.plan.n_scans):
        scan = &decoder.scans[k]
        move_rows(scan.h0, scan.plan.Hp, s, row, n)
        if scan.plan.has_c:
            move_rows(scan.c0, scan.plan.Hp, s, row, n)
    return n


cdef inline void place_beam(const Search* s, idx beam) noexcept nogil:
    """Choose the rows of a beam's hypotheses, those whose states are there already where it can."""
    cdef idx* row_of = s.row_of + beam * s.W
    cdef const idx* from_row = s.origin + 2 * beam * s.W
    cdef idx k, lo = s.first_row[beam], hi = lo + s.n_live[beam], free = lo
    for k in range(lo, hi):
        s.source_row[k] = -1
    for k in range(s.n_live[beam]):
        row_of[k] = -1
        if lo <= from_row[k] < hi and s.source_row[from_row[k]] < 0:
            row_of[k], s.source_row[from_row[k]] = from_row[k], from_row[k]
    for k in range(s.n_live[beam]):
        if row_of[k] < 0:
            while s.source_row[free] >= 0:
                free += 1
            row_of[k], s.source_row[free] = free, from_row[k]


cdef inline void move_rows(real* states, idx Hp, const Search* s, idx row, idx n) noexcept nogil:
    """Give each row the states that it continues from. Most rows stay where they are."""
    cdef idx r
    for r in range(row, row + n):
        if s.source_row[r] != r:
            memcpy(s.scratch + r * s.widest, states + s.source_row[r] * Hp, Hp * sizeof(real))
    for r in range(row, row + n):
        if s.source_row[r] != r:
            memcpy(states + r * Hp, s.scratch + r * s.widest, Hp * sizeof(real))


cdef inline idx find_candidates(
    EncoderDecoder* model, const Search* s, idx beam, bint must_end
) noexcept nogil:
    """Find the best 2 W continuations of a beam's hypotheses, best first; return their number."""
    cdef const real* z
    cdef double* score = s.score + 2 * beam * s.W
    cdef idx* origin = s.origin + 2 * beam * s.W
    cdef idx* token = s.token + 2 * beam * s.W
    cdef double base, new
    cdef idx k, j, at, row, n = 0
    for k in range(s.n_live[beam]):
        row = s.row_of[beam * s.W + k]
        z = model.decoder.logits + row * model.decoder.Op
        base = s.scores[row] - log_normalizer(z, model.decoder.plan.n_outputs)
        for j in range(s.end if must_end else 0, model.decoder.plan.n_outputs):
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


cdef inline double log_normalizer(const real* z, idx n) noexcept nogil:
    cdef double highest = z[0], total = 0
    cdef idx j
    for j in range(1, n):
        if z[j] > highest:
            highest = z[j]
    for j in range(n):
        total += exp(z[j] - highest)
    return highest + log(total)


cdef inline bint extend(
    EncoderDecoder* model, const Search* s, idx beam, idx t, idx R
) noexcept nogil:
    """Extend the hypotheses of a beam, which have t tokens, by one; return False if it is done."""
    cdef idx owner = s.owner[beam], lived = 0, c, at
    cdef idx stop = s.max_lengths[model.encoder.order[owner]]
    cdef idx n = find_candidates(model, s, beam, t == stop)
    cdef double* score = s.score + 2 * beam * s.W
    cdef idx* origin = s.origin + 2 * beam * s.W
    cdef idx* token = s.token + 2 * beam * s.W
    for c in range(n):
        if token[c] == s.end:
            if c < s.W:
                keep_hypothesis(model, s, owner, t, origin[c], score[c], R)
        elif lived < s.W:
            score[lived], origin[lived], token[lived] = score[c], origin[c], token[c]
            lived += 1
    lived = count_promising(model, s, owner, score, lived, stop)
    for c in range(lived):
        at = t * R + owner * s.W + c
        s.tokens[at], s.back_pointers[at] = token[c], origin[c]
        origin[c] = s.row_of[beam * s.W + origin[c]]
    s.n_live[beam] = lived
    return lived > 0


cdef inline double normalized(const Search* s, double score, idx length) noexcept nogil:
    """Return the score by which a hypothesis of so many tokens is compared."""
    return score / pow(length + 1.0, s.length_penalty)


cdef inline idx worst_kept(const Search* s, idx first, idx n) noexcept nogil:
    """Return the place of the worst of n results, the last found of equal ones."""
    cdef idx at, worst = first
    for at in range(first + 1, first + n):
        if (normalized(s, s.out_scores[at], s.out_lengths[at])
                <= normalized(s, s.out_scores[worst], s.out_lengths[worst])):
            worst = at
    return worst


cdef inline idx count_promising(
    EncoderDecoder* model, const Search* s, idx owner, const double* score, idx n, idx stop
) noexcept nogil:
    """Count the n best live hypotheses of a source that can beat the worst of its K results."""
    cdef idx first = model.encoder.order[owner] * s.K, worst
    cdef double least
    if s.n_found[owner] < s.K:
        return n
    if s.W == 1:
        return 0
    worst = worst_kept(s, first, s.K)
    least = normalized(s, s.out_scores[worst], s.out_lengths[worst])
    while n > 0 and normalized(s, score[n - 1], stop) <= least:
        n -= 1
    return n


cdef inline void keep_hypothesis(
    EncoderDecoder* model, const Search* s, idx owner, idx t, idx k, double score, idx R
) noexcept nogil:
    """Keep hypothesis k of a source, which ends with t tokens, if it is among the best K."""
    cdef idx first = model.encoder.order[owner] * s.K, at = first + s.n_found[owner], i
    if s.n_found[owner] < s.K:
        s.n_found[owner] += 1
    else:
        at = worst_kept(s, first, s.K)
        if normalized(s, score, t) <= normalized(s, s.out_scores[at], s.out_lengths[at]):
            return
        # Equal ones stay in the order of finding, whatever K is.
        for i in range(at, first + s.K - 1):
            s.out_lengths[i], s.out_scores[i] = s.out_lengths[i + 1], s.out_scores[i + 1]
            memcpy(s.out_tokens + i * s.stop, s.out_tokens + (i + 1) * s.stop,
                   s.out_lengths[i] * sizeof(idx))
        at = first + s.K - 1
    s.out_lengths[at] = t
    s.out_scores[at] = score
    for i in range(t - 1, -1, -1):
        s.out_tokens[at * s.stop + i] = s.tokens[i * R + owner * s.W + k]
        k = s.back_pointers[i * R + owner * s.W + k]
