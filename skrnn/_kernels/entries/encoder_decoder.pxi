"""Encoder and decoder: two networks, of which the second starts from the last states of the first.

The encoder and the decoder are networks like any other, each with its plan, its part of the
parameters and its part of the workspace. Level k of the decoder is as wide as all directions of
layer k of the encoder together, whose final states, side by side, are its initial one:

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
from .dropout cimport layer_dropout
from .heads.losses cimport head_loss
from .heads.output_layer cimport head_gradient, head_product
from .heads.pooling cimport read_top, write_top
from .heads.targets cimport BatchSize
from .network cimport clear_state_gradients, layers_backward, layers_forward
from .optimizer cimport Optimizer, optimizer_step, penalize
from .pack cimport pack_weights
from .stopping cimport check_stopped, stopped, watch
from .types cimport Net, Scan, Stop, idx, last_row, mix64, real
from .workspace cimport Arena, indices

SCORES = {None: NONE, "dot": DOT, "additive": ADDITIVE}


cdef struct EncoderDecoder:
    Net encoder
    Net decoder
    Attention attention
    idx* places            # (n_sequences,) scratch of `place_sequences`


cdef int _describe_attention(EncoderDecoder* model, plan) except -1:
    cdef const idx[::1] record = plan.attention_record
    cdef const idx[::1] rows = plan.attention_rows
    memset(&model.attention, 0, sizeof(Attention))
    if record.shape[0] * sizeof(idx) != sizeof(AttentionPlan):
        raise ValueError("The plan was made for another version of the kernels.")
    memcpy(&model.attention.plan, &record[0], sizeof(AttentionPlan))
    model.attention.H, model.attention.Hp = plan.width, rows.shape[0]
    model.attention.row_of = &rows[0]  # the plan keeps them alive
    return 0


cdef size_t _carve_between(
    char* base, EncoderDecoder* model, bint training, limits, idx n_sequences
):
    cdef Arena arena
    arena.base, arena.used = base, 0
    carve_attention(&arena, &model.attention, training, limits.source.n_sequences,
                    limits.source.n_steps, limits.source.longest, limits.target.n_steps)
    model.places = indices(&arena, n_sequences)
    return arena.used


def encoder_decoder_bytes(plan, options, limits, n_sequences):
    """Return the bytes of workspace of the encoder, the decoder and what connects them.

    `limits` are PairLimits.
    """
    cdef EncoderDecoder model
    _describe_attention(&model, plan)
    return (
        workspace_bytes(plan.encoder, options, limits.source),
        workspace_bytes(plan.decoder, options, limits.target),
        _carve_between(NULL, &model, options.training, limits, n_sequences) + 64,
    )


cdef int _open_encoder_decoder(
    EncoderDecoder* model, plan, options, limits, unsigned char[::1] workspace,
    const real[::1] params, real[::1] grads, idx n_sequences,
) except -1:
    """Lay the workspace out and connect the parameters of both networks."""
    cdef idx n = plan.encoder.n_params
    cdef size_t start
    sizes = encoder_decoder_bytes(plan, options, limits, n_sequences)
    if workspace.shape[0] < sum(sizes):
        raise ValueError("The workspace is smaller than the plan and the batches need.")
    if params.shape[0] != plan.n_params:
        raise ValueError("The parameter vector does not fit the plan.")
    _open(&model.encoder, plan.encoder, options, limits.source, workspace[:sizes[0]], params[:n],
          None if grads is None else grads[:n])
    workspace = workspace[sizes[0]:]
    _open(&model.decoder, plan.decoder, options, limits.target, workspace[:sizes[1]],
          params[n:], None if grads is None else grads[n:])
    workspace = workspace[sizes[1]:]
    _describe_attention(model, plan)
    start = (64 - (<size_t> &workspace[0]) % 64) % 64
    _carve_between(<char*> &workspace[start], model, options.training, limits, n_sequences)
    return 0


cdef int _watch_encoder_decoder(Stop* stop, EncoderDecoder* model) except -1:
    watch(stop, &model.encoder)
    model.decoder.stop = model.attention.stop = stop
    return 0


cdef inline void start_decoder(EncoderDecoder* model) noexcept nogil:
    """Copy the encoder's final states to the decoder's initial states."""
    cdef Net* encoder = &model.encoder
    cdef Scan* source
    cdef Scan* to
    cdef idx k, b, d, H, place, last, D = encoder.plan.n_directions
    for k in range(encoder.plan.n_scans):
        source, to, d = &encoder.scans[k], &model.decoder.scans[k // D], k % D
        H = source.plan.H
        for b in range(model.decoder.B):
            place = model.attention.source[b]
            last = last_row(encoder, place, source.plan.direction)
            memcpy(to.h0 + b * to.plan.Hp + d * H, source.ws_y + last * source.ldy,
                   H * sizeof(real))
            if source.plan.has_c:
                memcpy(to.c0 + b * to.plan.Hp + d * H,
                       source.ws_c + (last if encoder.training else place) * source.plan.Hp,
                       H * sizeof(real))


cdef inline void end_encoder(EncoderDecoder* model) noexcept nogil:
    """Copy the gradients of the decoder's initial states to the encoder's final states."""
    cdef Net* encoder = &model.encoder
    cdef Scan* source
    cdef Scan* to
    cdef idx k, b, d, H, place, D = encoder.plan.n_directions
    clear_state_gradients(encoder)
    for k in range(encoder.plan.n_scans):
        to, source, d = &encoder.scans[k], &model.decoder.scans[k // D], k % D
        H = to.plan.H
        for b in range(model.decoder.B):
            place = model.attention.source[b]
            memcpy(to.dh + place * to.plan.Hp, source.dh + b * source.plan.Hp + d * H,
                   H * sizeof(real))
            if to.plan.has_c:
                memcpy(to.dc + place * to.plan.Hp, source.dc + b * source.plan.Hp + d * H,
                       H * sizeof(real))


cdef inline void encoder_decoder_forward(EncoderDecoder* model) noexcept nogil:
    """Run both networks over a loaded batch, up to the logits."""
    cdef Net* decoder = &model.decoder
    pack_weights(&model.encoder)
    pack_weights(decoder)
    pack_attention(&model.attention, decoder)
    layers_forward(&model.encoder)
    if stopped(decoder.stop, 0):  # what follows would take memory of the system to put nothing in
        return
    place_sequences(&model.attention, &model.encoder, decoder, model.places)
    start_decoder(model)
    layers_forward(decoder)
    if stopped(decoder.stop, 0):
        return
    if model.attention.plan.score == NONE:
        read_top(decoder)
    else:
        read_top(&model.encoder)
        attention_forward(&model.attention, &model.encoder, decoder)
        if decoder.training and decoder.dropout > 0:
            layer_dropout(decoder, decoder.ws_features, decoder.ws_features, decoder.N,
                          &decoder.scans[decoder.plan.n_scans - 1], decoder.plan.n_layers)
    head_product(decoder)


cdef inline void encoder_decoder_backward(EncoderDecoder* model) noexcept nogil:
    """Compute all gradients from the decoder's dlogits."""
    cdef Net* decoder = &model.decoder
    cdef Net* encoder = &model.encoder
    head_gradient(decoder)
    if model.attention.plan.score == NONE:
        write_top(decoder)
        memset(encoder.scans[encoder.plan.n_scans - encoder.plan.n_directions].dy, 0,
               encoder.N * encoder.F * sizeof(real))
    else:
        if decoder.dropout > 0:
            layer_dropout(decoder, decoder.dfeatures, decoder.dfeatures, decoder.N,
                          &decoder.scans[decoder.plan.n_scans - 1], decoder.plan.n_layers)
        attention_backward(&model.attention, encoder, decoder)
        write_top(encoder)
    clear_state_gradients(decoder)
    layers_backward(decoder)
    end_encoder(model)
    layers_backward(encoder)


cdef struct PairData:
    # Sources and targets of all sequences. The decoder reads `ids` and is to say `labels`.
    const idx* offsets     # (n_sequences + 1,)
    const real* values     # (source steps, D), or NULL
    const idx* tokens      # (source steps, n_columns), or NULL
    const idx* target_offsets
    const idx* ids         # (target steps, 1)
    const idx* labels      # (target steps,)
    const double* weights  # (target steps,), or NULL


cdef int _read_pairs(
    PairData* pairs, EncoderDecoder* model, source, target, limits, const idx[::1] batch_indices,
    const idx[::1] batch_offsets,
) except -1:
    """Check the data, which the caller keeps alive."""
    cdef const idx[::1] offsets = source.offsets, target_offsets = target.offsets
    cdef const idx[::1] labels = target.labels
    cdef const real[:, ::1] values = source.values
    cdef const idx[:, ::1] tokens = source.tokens
    cdef const idx[:, ::1] ids = target.ids
    cdef const double[::1] weights = target.weights
    _check_data(&model.encoder, source, limits.source, batch_indices, batch_offsets, 1)
    _check_data(&model.decoder, KernelData(target_offsets, None, ids), limits.target,
                batch_indices, batch_offsets, 1)
    _check_targets(&model.decoder, target_offsets, labels, None, weights, batch_indices,
                   batch_offsets)
    if offsets.shape[0] != target_offsets.shape[0]:
        raise ValueError("Sources and targets do not fit together.")
    pairs.offsets, pairs.values = &offsets[0], _reals(values)
    pairs.tokens = _ids(tokens)
    pairs.target_offsets, pairs.ids, pairs.labels = &target_offsets[0], &ids[0, 0], &labels[0]
    pairs.weights = NULL if weights is None else &weights[0]
    return 0


cdef inline void load_pairs(
    EncoderDecoder* model, const PairData* pairs, const idx* batch_indices, idx B,
    unsigned long long seed,
) noexcept nogil:
    """Load a batch for both networks, each sorted by its own lengths."""
    model.encoder.seed = seed
    model.decoder.seed = mix64(seed, 1 << 32)
    load_batch(&model.encoder, pairs.offsets, pairs.values, pairs.tokens, NULL, batch_indices, B)
    load_batch(&model.decoder, pairs.target_offsets, NULL, pairs.ids, NULL, batch_indices, B)


def translate_train(
    plan, options, limits, unsigned char[::1] workspace, real[::1] params, real[::1] grads,
    real[::1] m, real[::1] v, source, target, const idx[::1] batch_indices,
    const idx[::1] batch_offsets, optimizer, double[:, ::1] report,
):
    """`train` for two networks: `source` is KernelData, `target` TargetSequences.

    The gradient is clipped to the norm of both parts together. Without an `optimizer` there are
    only losses.
    """
    cdef EncoderDecoder model
    cdef Optimizer opt, opt_decoder
    cdef PairData pairs
    cdef idx k, n_batches = batch_offsets.shape[0] - 1, done = 0, n = plan.encoder.n_params
    cdef double loss, norm, penalty, penalty_decoder
    cdef BatchSize size
    cdef bint learns = optimizer is not None
    cdef unsigned long long seed = 0
    cdef Stop stop
    _open_encoder_decoder(&model, plan, options, limits, workspace, params, grads,
                          len(source.offsets) - 1)
    _watch_encoder_decoder(&stop, &model)
    _read_pairs(&pairs, &model, source, target, limits, batch_indices, batch_offsets)
    _check_report(&model.decoder, report, n_batches)
    opt.step = 0
    if learns:
        _read_optimizer(&opt, optimizer, m, v, plan.n_params)
        seed = optimizer["seed"]
        opt_decoder = opt
        opt_decoder.m = opt.m + n
        opt_decoder.v = opt.v + n if opt.v != NULL else NULL
    with nogil:
        model.encoder.caller_mode = model.decoder.caller_mode = flush_denormals()
        for k in range(n_batches):
            load_pairs(&model, &pairs, &batch_indices[batch_offsets[k]],
                       batch_offsets[k + 1] - batch_offsets[k], seed + opt.step)
            encoder_decoder_forward(&model)
            loss = head_loss(&model.decoder, pairs.target_offsets, pairs.labels, NULL,
                             pairs.weights, &size, learns)
            if stopped(&stop, 0):
                break
            report[k, 0], report[k, 1], report[k, 2] = loss, 0, size.rows
            if size.weight <= 0 or not learns:
                done += 1
                continue
            encoder_decoder_backward(&model)
            if stopped(&stop, 0):
                break
            norm = penalize(&model.encoder, &opt, &penalty) ** 2
            norm += penalize(&model.decoder, &opt, &penalty_decoder) ** 2
            norm = sqrt(norm)
            report[k, 0] = loss + penalty + penalty_decoder
            report[k, 1] = norm
            if not (isfinite(report[k, 0]) and isfinite(norm)):
                break
            optimizer_step(&model.encoder, &opt, norm)
            optimizer_step(&model.decoder, &opt_decoder, norm)
            done += 1
        restore_mode(model.decoder.caller_mode)
    if learns:
        optimizer["step"] = opt.step
    check_stopped(&stop)
    return done


def translate_inspect_batch(
    plan, options, limits, unsigned char[::1] workspace, const real[::1] params,
    real[::1] grads, source, target, const idx[::1] batch_indices, *, alpha=0.0, seed=0,
):
    """Run one batch with teacher forcing, and return all intermediate results.

    Returns
    -------
    dict
        `logits` (target steps, n_outputs; None where the output layer is computed in chunks) and
        `attention` (target steps, longest source), in the user's order; in training `loss` and
        `norm`, and `grads` is filled.
    """
    cdef EncoderDecoder model
    cdef Optimizer opt
    cdef PairData pairs
    cdef Stop stop
    cdef double loss = 0, penalty = 0
    cdef BatchSize size
    cdef idx b, t
    batch_offsets = np.array([0, batch_indices.shape[0]], dtype=np.intp)
    _open_encoder_decoder(&model, plan, options, limits, workspace, params, grads,
                          len(source.offsets) - 1)
    _watch_encoder_decoder(&stop, &model)
    _read_pairs(&pairs, &model, source, target, limits, batch_indices, batch_offsets)
    model.encoder.caller_mode = model.decoder.caller_mode = flush_denormals()
    try:
        load_pairs(&model, &pairs, &batch_indices[0], batch_indices.shape[0], seed)
        encoder_decoder_forward(&model)
        check_stopped(&stop)
        rows = _row_order(&model.decoder, pairs.target_offsets)
        result = {"logits": None, "attention": None}
        if model.decoder.logit_rows == 0:
            result["logits"] = np.empty((len(target.labels), plan.n_outputs), real_dtype)
            result["logits"][rows] = _copy(model.decoder.logits, model.decoder.N,
                                           model.decoder.Op, plan.n_outputs)
        if model.attention.plan.score != NONE:
            result["attention"] = _attention_rows(&model, pairs.target_offsets, len(target.labels))
        if options.training:
            memset(grads_pointer(grads), 0, plan.n_params * sizeof(real))
            loss = head_loss(&model.decoder, pairs.target_offsets, pairs.labels, NULL,
                             pairs.weights, &size, True)
            encoder_decoder_backward(&model)
            check_stopped(&stop)
            opt.alpha = alpha
            norm = penalize(&model.encoder, &opt, &penalty) ** 2
            loss += penalty
            result["norm"] = sqrt(norm + penalize(&model.decoder, &opt, &penalty) ** 2)
            result["loss"] = loss + penalty
        return result
    finally:
        restore_mode(model.decoder.caller_mode)


cdef _attention_rows(EncoderDecoder* model, const idx* offsets, n_rows):
    """Return the weights of every target step, in the user's order; 0 behind a source's end."""
    cdef const Attention* att = &model.attention
    cdef idx b, t, S
    out = np.zeros((n_rows, att.ld), real_dtype)
    cdef real[:, ::1] view = out
    for b in range(model.decoder.B):
        S = att.first_e[b + 1] - att.first_e[b]
        for t in range(model.decoder.lengths[b]):
            memcpy(&view[offsets[model.decoder.order[b]] + t, 0],
                   att.ws_alpha + (att.first_h[b] + t) * att.ld, S * sizeof(real))
    return out
