"""Part of engine.pyx: two networks, the last states of the first of which start the second.

The encoder and the decoder are networks like any other, each with its plan, its part of the
parameters and its part of the workspace. Level k of the decoder is as wide as all directions of
level k of the encoder together, whose final states, side by side, are its initial one:

    h_0 = [h_S forward; h_1 backward]        likewise c_0

The decoder reads the target shifted by one, a start symbol first (teacher forcing), and its head is
to say the target with an end symbol behind it. Between them stands attention (attention.pxd).
"""
from libc.math cimport isfinite, sqrt
from libc.string cimport memcpy, memset

from .attention cimport (
    ADDITIVE, Attention, AttentionPlan, DOT, NONE, attention_backward, attention_forward,
    carve_attention, pack_attention, place_sequences,
)
from .batch cimport load_batch
from .denormals cimport flush_denormals, restore_mode
from .dropout cimport level_dropout
from .heads.losses cimport BatchSize, head_loss
from .heads.output_layer cimport head_gradient, head_product
from .heads.pooling cimport read_top, write_top
from .network cimport clear_state_gradients, layers_backward, layers_forward
from .optimizer cimport Optimiser, _regularise, _step
from .pack cimport pack_weights
from .stopping cimport check_stopped, stopped, watch
from .types cimport Layer, Net, Stop, idx, last_row, mix64, real
from .workspace cimport Arena, indices

SCORES = {None: NONE, "dot": DOT, "additive": ADDITIVE}


cdef struct Pair:
    Net encoder
    Net decoder
    Attention attention
    idx* places            # (n_sequences,) scratch of `place_sequences`


cdef int _describe_attention(Pair* p, pair) except -1:
    cdef const idx[::1] record = pair.attention_record
    cdef const idx[::1] rows = pair.attention_rows
    memset(&p.attention, 0, sizeof(Attention))
    if record.shape[0] * sizeof(idx) != sizeof(AttentionPlan):
        raise ValueError("plan was made for another version of the kernels")
    memcpy(&p.attention.plan, &record[0], sizeof(AttentionPlan))
    p.attention.H, p.attention.Hp = pair.width, rows.shape[0]
    p.attention.row_of = &rows[0]  # the plan keeps them alive
    return 0


cdef size_t _carve_pair(char* base, Pair* p, bint training, limits, idx n_sequences):
    cdef Arena arena
    arena.base, arena.used = base, 0
    carve_attention(&arena, &p.attention, training, limits[0], limits[1], limits[2], limits[3])
    p.places = indices(&arena, n_sequences)
    return arena.used


def pair_bytes(pair, options, limits, n_sequences):
    """Bytes of workspace of the encoder, the decoder and what stands between them.

    `limits` are most sequences, source steps in all and of one, target steps in all and of one.
    """
    cdef Pair p
    _describe_attention(&p, pair)
    return (
        workspace_bytes(pair.encoder, options, limits[:3]),
        workspace_bytes(pair.decoder, options, (limits[0], *limits[3:])),
        _carve_pair(NULL, &p, options.training, limits, n_sequences) + 64,
    )


cdef int _open_pair(
    Pair* p, pair, options, limits, unsigned char[::1] workspace, const real[::1] params,
    real[::1] grads, idx n_sequences,
) except -1:
    """Lay the workspace out and connect the parameters of both networks."""
    cdef idx n = pair.encoder.n_params
    cdef size_t start
    sizes = pair_bytes(pair, options, limits, n_sequences)
    if workspace.shape[0] < sum(sizes):
        raise ValueError("workspace too small")
    if params.shape[0] != pair.n_params:
        raise ValueError("parameter vector does not fit the plan")
    _open(&p.encoder, pair.encoder, options, limits[:3], workspace[:sizes[0]], params[:n],
          None if grads is None else grads[:n])
    workspace = workspace[sizes[0]:]
    _open(&p.decoder, pair.decoder, options, (limits[0], *limits[3:]), workspace[:sizes[1]],
          params[n:], None if grads is None else grads[n:])
    workspace = workspace[sizes[1]:]
    _describe_attention(p, pair)
    start = (64 - (<size_t> &workspace[0]) % 64) % 64
    _carve_pair(<char*> &workspace[start], p, options.training, limits, n_sequences)
    return 0


cdef int _watch_pair(Stop* stop, Pair* p) except -1:
    watch(stop, &p.encoder)
    p.decoder.stop = p.attention.stop = stop
    return 0


cdef inline void start_decoder(Pair* p) noexcept nogil:
    """The encoder's final states become the decoder's initial ones."""
    cdef Net* encoder = &p.encoder
    cdef Layer* source
    cdef Layer* to
    cdef idx k, b, d, H, place, last, D = encoder.plan.n_directions
    for k in range(encoder.plan.n_layers):
        source, to, d = &encoder.layers[k], &p.decoder.layers[k // D], k % D
        H = source.plan.H
        for b in range(p.decoder.B):
            place = p.attention.source[b]
            last = last_row(encoder, place, source.plan.direction)
            memcpy(to.h0 + b * to.plan.Hp + d * H, source.y + last * source.ldy, H * sizeof(real))
            if source.plan.has_c:
                memcpy(to.c0 + b * to.plan.Hp + d * H,
                       source.c + (last if encoder.training else place) * source.plan.Hp,
                       H * sizeof(real))


cdef inline void end_encoder(Pair* p) noexcept nogil:
    """What the decoder's initial states get, the encoder's final ones get."""
    cdef Net* encoder = &p.encoder
    cdef Layer* source
    cdef Layer* to
    cdef idx k, b, d, H, place, D = encoder.plan.n_directions
    clear_state_gradients(encoder)
    for k in range(encoder.plan.n_layers):
        to, source, d = &encoder.layers[k], &p.decoder.layers[k // D], k % D
        H = to.plan.H
        for b in range(p.decoder.B):
            place = p.attention.source[b]
            memcpy(to.dh + place * to.plan.Hp, source.dh + b * source.plan.Hp + d * H,
                   H * sizeof(real))
            if to.plan.has_c:
                memcpy(to.dc + place * to.plan.Hp, source.dc + b * source.plan.Hp + d * H,
                       H * sizeof(real))


cdef inline void pair_forward(Pair* p) noexcept nogil:
    """Both networks over a loaded batch, to the logits."""
    cdef Net* decoder = &p.decoder
    pack_weights(&p.encoder)
    pack_weights(decoder)
    pack_attention(&p.attention, decoder)
    layers_forward(&p.encoder)
    if stopped(decoder.stop, 0):  # what follows would take memory of the system to put nothing in
        return
    place_sequences(&p.attention, &p.encoder, decoder, p.places)
    start_decoder(p)
    layers_forward(decoder)
    if stopped(decoder.stop, 0):
        return
    if p.attention.plan.score == NONE:
        read_top(decoder)
    else:
        read_top(&p.encoder)
        attention_forward(&p.attention, &p.encoder, decoder)
        if decoder.training and decoder.dropout > 0:
            level_dropout(decoder, decoder.features, decoder.features, decoder.N,
                          &decoder.layers[decoder.plan.n_layers - 1], decoder.plan.n_levels)
    head_product(decoder)


cdef inline void pair_backward(Pair* p) noexcept nogil:
    """All gradients, from the decoder's dlogits."""
    cdef Net* decoder = &p.decoder
    cdef Net* encoder = &p.encoder
    head_gradient(decoder)
    if p.attention.plan.score == NONE:
        write_top(decoder)
        memset(encoder.layers[encoder.plan.n_layers - encoder.plan.n_directions].dy, 0,
               encoder.N * encoder.F * sizeof(real))
    else:
        if decoder.dropout > 0:
            level_dropout(decoder, decoder.dfeatures, decoder.dfeatures, decoder.N,
                          &decoder.layers[decoder.plan.n_layers - 1], decoder.plan.n_levels)
        attention_backward(&p.attention, encoder, decoder)
        write_top(encoder)
    clear_state_gradients(decoder)
    layers_backward(decoder)
    end_encoder(p)
    layers_backward(encoder)


cdef struct Texts:
    # Sources and targets of all sequences. The decoder reads `ids` and is to say `labels`.
    const idx* offsets     # (n_sequences + 1,)
    const real* values     # (source steps, D), or NULL
    const idx* tokens      # (source steps, n_columns), or NULL
    const idx* target_offsets
    const idx* ids         # (target steps, 1)
    const idx* labels      # (target steps,)
    const double* weights  # (target steps,), or NULL


cdef int _read_texts(
    Texts* texts, Pair* p, source, target, limits, const idx[::1] chosen, const idx[::1] bounds
) except -1:
    """Check the data, which the caller keeps alive."""
    cdef const idx[::1] offsets = source[0], target_offsets = target[0], labels = target[2]
    cdef const real[:, ::1] values = source[1]
    cdef const idx[:, ::1] tokens = source[2]
    cdef const idx[:, ::1] ids = target[1]
    cdef const double[::1] weights = target[3]
    _check_data(&p.encoder, source, limits[:3], chosen, bounds, 1)
    _check_data(&p.decoder, (target_offsets, None, ids), (limits[0], *limits[3:]), chosen, bounds,
                1)
    _check_targets(&p.decoder, target_offsets, labels, None, weights, chosen, bounds)
    if offsets.shape[0] != target_offsets.shape[0]:
        raise ValueError("sources and targets do not fit")
    texts.offsets, texts.values = &offsets[0], _reals(values)
    texts.tokens = _ids(tokens)
    texts.target_offsets, texts.ids, texts.labels = &target_offsets[0], &ids[0, 0], &labels[0]
    texts.weights = NULL if weights is None else &weights[0]
    return 0


cdef inline void load_pair(
    Pair* p, const Texts* texts, const idx* chosen, idx B, unsigned long long seed
) noexcept nogil:
    """A batch for both networks, each sorted by its own lengths."""
    p.encoder.seed = seed
    p.decoder.seed = mix64(seed, 1 << 32)
    load_batch(&p.encoder, texts.offsets, texts.values, texts.tokens, NULL, chosen, B)
    load_batch(&p.decoder, texts.target_offsets, NULL, texts.ids, NULL, chosen, B)


def translate_train(
    pair, options, limits, unsigned char[::1] workspace, real[::1] params, real[::1] grads,
    real[::1] first, real[::1] second, source, target, const idx[::1] chosen,
    const idx[::1] bounds, optimiser, double[:, ::1] report,
):
    """`train` for two networks: `source` is data, `target` (offsets, ids, labels, weights).

    The gradient is clipped to the norm of both parts together. Without an `optimiser` there are only
    losses.
    """
    cdef Pair p
    cdef Optimiser opt, opt_decoder
    cdef Texts texts
    cdef idx k, n_batches = bounds.shape[0] - 1, done = 0, n = pair.encoder.n_params
    cdef double loss, norm, penalty, penalty_decoder
    cdef BatchSize size
    cdef bint learns = optimiser is not None
    cdef unsigned long long seed = 0
    cdef Stop stop
    _open_pair(&p, pair, options, limits, workspace, params, grads, len(source[0]) - 1)
    _watch_pair(&stop, &p)
    _read_texts(&texts, &p, source, target, limits, chosen, bounds)
    _check_report(&p.decoder, report, n_batches)
    opt.step = 0
    if learns:
        _read_optimiser(&opt, optimiser, first, second, pair.n_params)
        seed = optimiser["seed"]
        opt_decoder = opt
        opt_decoder.first = opt.first + n
        opt_decoder.second = opt.second + n if opt.second != NULL else NULL
    with nogil:
        p.encoder.caller_mode = p.decoder.caller_mode = flush_denormals()
        for k in range(n_batches):
            load_pair(&p, &texts, &chosen[bounds[k]], bounds[k + 1] - bounds[k], seed + opt.step)
            pair_forward(&p)
            loss = head_loss(&p.decoder, texts.target_offsets, texts.labels, NULL, texts.weights,
                             &size)
            if stopped(&stop, 0):
                break
            report[k, 0], report[k, 1], report[k, 2] = loss, 0, size.rows
            if size.weight <= 0 or not learns:
                done += 1
                continue
            pair_backward(&p)
            if stopped(&stop, 0):
                break
            norm = _regularise(&p.encoder, &opt, &penalty) ** 2
            norm += _regularise(&p.decoder, &opt, &penalty_decoder) ** 2
            norm = sqrt(norm)
            report[k, 0] = loss + penalty + penalty_decoder
            report[k, 1] = norm
            if not (isfinite(report[k, 0]) and isfinite(norm)):
                break
            _step(&p.encoder, &opt, norm)
            _step(&p.decoder, &opt_decoder, norm)
            done += 1
        restore_mode(p.decoder.caller_mode)
    if learns:
        optimiser["step"] = opt.step
    check_stopped(&stop)
    return done


def translate_lay_open(
    pair, options, limits, unsigned char[::1] workspace, const real[::1] params,
    real[::1] grads, source, target, const idx[::1] chosen, *, alpha=0.0, seed=0,
):
    """One batch with teacher forcing, and what happened on the way.

    Returns
    -------
    dict
        `logits` (target steps, n_outputs) and `attention` (target steps, longest source), in the
        user's order; in training `loss` and `norm`, and `grads` is filled.
    """
    cdef Pair p
    cdef Optimiser opt
    cdef Texts texts
    cdef Stop stop
    cdef double loss = 0, penalty = 0
    cdef BatchSize size
    cdef idx b, t
    bounds = np.array([0, chosen.shape[0]], dtype=np.intp)
    _open_pair(&p, pair, options, limits, workspace, params, grads, len(source[0]) - 1)
    _watch_pair(&stop, &p)
    _read_texts(&texts, &p, source, target, limits, chosen, bounds)
    p.encoder.caller_mode = p.decoder.caller_mode = flush_denormals()
    try:
        load_pair(&p, &texts, &chosen[0], chosen.shape[0], seed)
        pair_forward(&p)
        check_stopped(&stop)
        rows = _row_order(&p.decoder, texts.target_offsets)
        result = {"logits": np.empty((len(target[2]), pair.n_outputs), real_dtype), "attention": None}
        result["logits"][rows] = _copy(p.decoder.logits, p.decoder.N, p.decoder.Op, pair.n_outputs)
        if p.attention.plan.score != NONE:
            result["attention"] = _attention_rows(&p, texts.target_offsets, len(target[2]))
        if options.training:
            memset(grads_pointer(grads), 0, pair.n_params * sizeof(real))
            loss = head_loss(&p.decoder, texts.target_offsets, texts.labels, NULL, texts.weights,
                             &size)
            pair_backward(&p)
            check_stopped(&stop)
            opt.alpha = alpha
            norm = _regularise(&p.encoder, &opt, &penalty) ** 2
            loss += penalty
            result["norm"] = sqrt(norm + _regularise(&p.decoder, &opt, &penalty) ** 2)
            result["loss"] = loss + penalty
        return result
    finally:
        restore_mode(p.decoder.caller_mode)


cdef _attention_rows(Pair* p, const idx* offsets, n_rows):
    """Weights of every target step, in the user's order; 0 behind a source's end."""
    cdef const Attention* att = &p.attention
    cdef idx b, t, S
    out = np.zeros((n_rows, att.ld), real_dtype)
    cdef real[:, ::1] view = out
    for b in range(p.decoder.B):
        S = att.first_e[b + 1] - att.first_e[b]
        for t in range(p.decoder.lengths[b]):
            memcpy(&view[offsets[p.decoder.order[b]] + t, 0],
                   att.alpha + (att.first_h[b] + t) * att.ld, S * sizeof(real))
    return out
