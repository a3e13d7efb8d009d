"""Truncated BPTT in the memory of a chunk: a batch goes through the network chunk after chunk.

With `bptt_steps` no gradient passes from a chunk to the one before, only the state. So a batch is
taken in passes, each over one chunk of every sequence that has one left, which starts from the
states that the chunk before left. Chunks are counted back from where a direction ends, as `cut` in
scan.pxd counts, so the last pass is over the last chunks of all. What the head reads says what the
passes are:

    last        the states of the last chunks: only theirs is a backward pass
    mean, max   all steps: once forward for the features, and again, forward and backward
    all         each step by itself: forward, loss and backward of one chunk after another

Dropout masks are a function of sequence and step (batch.pxd), so a step has the same ones each time.
The gradient of a batch is the sum over its passes; one optimiser step follows. A chunk here may be
several of `bptt_steps` (_batching.py), between which `cut` cuts.

The chunks of two directions begin at different steps. One layer in two directions is two networks,
a direction each, below one head; that needs a pooling, which reads each direction by itself.
"""
from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from .batch cimport load_batch, share_moving
from .denormals cimport flush_denormals, restore_worker
from .dropout cimport level_dropout
from .heads.losses cimport BatchSize, head_loss, row_weight
from .heads.output_layer cimport head_gradient, head_product
from .heads.pooling cimport last_backward, pool_backward, pool_forward
from .network cimport (
    clear_state_gradients, head_backward, head_forward, layers_backward, layers_forward,
)
from .pack cimport pack_head, pack_weights
from .stopping cimport stopped
from .types cimport ALL, LAST, Layer, Net, idx, imax, last_row, real, useful_threads

cdef struct Scan:
    # The layers of one direction, as a network of their own, and the chunks that they go through.
    Net net
    const idx* offsets     # (n_chunks + 1,) rows of the data, chunk after chunk
    const idx* first       # (n_sequences + 1,) first chunk of each sequence
    idx place              # of the direction in a row of features
    idx width              # of the widest layer
    real* h                # (n_layers, n_seats, width) states between passes
    real* c

cdef struct Passes:
    idx n_scans
    Scan[2] scans
    idx n_passes
    idx n_seats            # most sequences of a batch
    idx* seats             # (n_sequences,) place in the batch of those in it
    idx* chosen            # (n_seats,) chunks of a pass
    idx batch              # number of the batch, from 1
    idx* seen              # (rows of all embeddings,) last batch that touched each
    idx* touched           # (rows of all embeddings,) rows touched, column after column
    idx* n_touched         # (n_columns,)

cdef struct Data:
    # What is read and compared with, of all sequences.
    const idx* offsets     # (n_sequences + 1,)
    const real* values     # (total_steps, D), or NULL
    const idx* tokens      # (total_steps, n_columns), or NULL
    const idx* labels      # (n_targets,), or NULL
    const real* targets    # (n_targets, M), or NULL
    const double* weights  # (n_targets,), or NULL


cdef inline idx direction_of(const Scan* scan) noexcept nogil:
    return scan.net.layers[0].plan.direction


cdef inline idx chunk_behind(const Scan* scan, idx s, idx left) noexcept nogil:
    """The chunk of sequence s behind which its direction has `left` more, or -1."""
    if left >= scan.first[s + 1] - scan.first[s]:
        return -1
    return scan.first[s + 1] - 1 - left if direction_of(scan) > 0 else scan.first[s] + left


cdef inline bint begins(const Scan* scan, idx b) noexcept nogil:
    """Whether packed chunk b is where its direction begins."""
    cdef idx s = scan.net.sequences[b]
    return scan.net.order[b] == chunk_behind(scan, s, scan.first[s + 1] - scan.first[s] - 1)


cdef inline idx first_step(const Scan* scan, idx b) noexcept nogil:
    """Steps of the sequence of packed chunk b before it."""
    return scan.offsets[scan.net.order[b]] - scan.offsets[scan.first[scan.net.sequences[b]]]


cdef inline idx whole_length(const Scan* scan, idx b) noexcept nogil:
    """Steps of the whole sequence of packed chunk b."""
    cdef idx s = scan.net.sequences[b]
    return scan.offsets[scan.first[s + 1]] - scan.offsets[scan.first[s]]


cdef inline void seat(
    Net* net, Passes* passes, const Data* data, const idx* chosen, idx B, BatchSize* size
) noexcept nogil:
    """Give the sequences of a batch their seats, which are the head's rows, and count its passes and
    its rows with a target."""
    cdef const idx* first = passes.scans[0].first
    cdef idx b, at, s, M = net.plan.n_targets
    passes.n_passes = 0
    passes.batch += 1
    size.rows, size.weight = 0, 0
    net.B = net.R = B
    for b in range(B):
        s = net.sequences[b] = chosen[b]
        passes.seats[s] = b
        passes.n_passes = imax(passes.n_passes, first[s + 1] - first[s])
        if net.plan.pooling != ALL:
            row_weight(data.labels, data.targets, data.weights, s, M, size)
            continue
        for at in range(data.offsets[s], data.offsets[s + 1]):
            row_weight(data.labels, data.targets, data.weights, at, M, size)


cdef inline void forward_pass(
    Scan* scan, Passes* passes, const Data* data, const idx* chosen, idx B, idx left
) noexcept nogil:
    """Hidden states of the chunks behind which each sequence has `left` more."""
    cdef idx b, chunk, n = 0
    for b in range(B):
        chunk = chunk_behind(scan, chosen[b], left)
        if chunk >= 0:
            passes.chosen[n] = chunk
            n += 1
    load_batch(&scan.net, scan.offsets, data.values, data.tokens, NULL, passes.chosen, n)
    move_chunk_states(scan, passes, True)
    layers_forward(&scan.net)
    move_chunk_states(scan, passes, False)


cdef inline void move_chunk_states(Scan* scan, const Passes* passes, bint enter) noexcept nogil:
    """Initial states of the chunks of a pass from where those before them left them, or (after the
    forward pass) final ones to there."""
    cdef Net* net = &scan.net
    cdef Layer* layer
    cdef idx k, b, at, last, size
    for k in range(net.plan.n_layers):
        layer = &net.layers[k]
        size = layer.plan.H * sizeof(real)
        for b in range(net.B):
            at = (k * passes.n_seats + passes.seats[net.sequences[b]]) * scan.width
            if not enter:
                if net.lengths[b] == 0:
                    continue
                last = last_row(net, b, layer.plan.direction)
                memcpy(scan.h + at, layer.y + last * layer.ldy, size)
                if layer.plan.has_c:
                    memcpy(scan.c + at, layer.c + last * layer.plan.Hp, size)
            elif begins(scan, b):
                memset(layer.h0 + b * layer.plan.Hp, 0, size)
                if layer.plan.has_c:
                    memset(layer.c0 + b * layer.plan.Hp, 0, size)
            else:
                memcpy(layer.h0 + b * layer.plan.Hp, scan.h + at, size)
                if layer.plan.has_c:
                    memcpy(layer.c0 + b * layer.plan.Hp, scan.c + at, size)


cdef inline void pool_pass(
    Scan* scan, Net* head, const Passes* passes, bint forward
) noexcept nogil:
    """Add the steps of a pass to the head's features, or spread their gradient over them."""
    cdef Net* net = &scan.net
    cdef bint last = net.plan.pooling == LAST
    cdef idx b, part, at, threads = share_moving(net, net.F, net.B if last else net.N)
    for part in prange(threads, num_threads=threads, use_threads_if=threads > 1,
                       schedule='static', chunksize=1):
        flush_denormals()
        for b in range(net.bounds[part], net.bounds[part + 1]):
            at = passes.seats[net.sequences[b]] * head.F + scan.place
            if forward:
                pool_forward(net, b, head.features + at, head.argmax + at, first_step(scan, b),
                             whole_length(scan, b))
            elif last:
                last_backward(net, b, head.dfeatures + at)
            else:
                pool_backward(net, b, head.dfeatures + at, head.argmax + at, first_step(scan, b),
                              whole_length(scan, b))
        restore_worker(net.caller_mode)


cdef inline void backward_pass(Scan* scan, Net* head, Passes* passes) noexcept nogil:
    """Go back through the chunks loaded, and add their gradient to the batch's."""
    clear_state_gradients(&scan.net)
    if head.plan.pooling == ALL:
        head_backward(&scan.net)
    else:
        pool_pass(scan, head, passes, False)
    layers_backward(&scan.net)
    if stopped(head.stop, 0):
        return
    add_pass(&scan.net, head.grads)
    add_embeddings(&scan.net, passes, head.grads)


cdef inline void add_pass(Net* net, real* total) noexcept nogil:
    """Add the gradient of one pass to that of the batch."""
    cdef idx chunk, k, threads = useful_threads(net.threads, 8.0 * net.plan.n_params)
    cdef const idx* ranges = net.tables + net.plan.chunks
    for chunk in prange(net.plan.n_chunks, num_threads=threads, use_threads_if=threads > 1,
                        schedule='static'):
        flush_denormals()
        for k in range(ranges[3 * chunk], ranges[3 * chunk + 1]):
            total[k] += net.grads[k]
        restore_worker(net.caller_mode)


cdef inline void add_embeddings(Net* net, Passes* passes, real* total) noexcept nogil:
    """The same for embeddings, of which a pass touches few rows; in the order in which a batch
    touches them first."""
    cdef idx c, run, row, k, at, base = 0
    cdef real* to
    cdef const real* source
    for c in range(net.plan.n_columns):
        for run in range(net.n_touched[c]):
            row = net.touched_rows[c][run]
            at = net.columns[c].start + row * net.columns[c].dim
            to, source = total + at, net.grads + at
            if passes.seen[base + row] < passes.batch:
                passes.seen[base + row] = passes.batch
                passes.touched[base + passes.n_touched[c]] = row
                passes.n_touched[c] += 1
                memcpy(to, source, net.columns[c].dim * sizeof(real))
            else:
                for k in range(net.columns[c].dim):
                    to[k] += source[k]
        base += net.columns[c].rows


cdef inline void start_gradient(Net* net, Passes* passes) noexcept nogil:
    """Set the gradient of a batch to zero; rows of embeddings are set where they are touched."""
    cdef const idx* ranges = net.tables + net.plan.chunks
    cdef idx k
    for k in range(net.plan.n_chunks):
        memset(net.grads + ranges[3 * k], 0, (ranges[3 * k + 1] - ranges[3 * k]) * sizeof(real))
    for k in range(net.plan.n_columns):
        passes.n_touched[k] = 0


cdef inline void end_gradient(Net* net, Passes* passes) noexcept nogil:
    """Tell the optimizer which rows of embeddings the passes have touched."""
    cdef idx c, base = 0
    for c in range(net.plan.n_columns):
        net.touched_rows[c], net.n_touched[c] = passes.touched + base, passes.n_touched[c]
        base += net.columns[c].rows


cdef inline double truncated_batch(
    Net* net,              # the head, whose rows are the sequences of the batch
    Passes* passes,
    const Data* data,
    const idx* chosen,
    idx B,
    bint learns,
    BatchSize* size,
) noexcept nogil:
    """Loss of a batch and, if it `learns`, its gradient: what whole sequences with `cut` give."""
    cdef Scan* scan
    cdef double loss = 0
    cdef idx left, d
    cdef BatchSize part
    seat(net, passes, data, chosen, B, size)
    if size.weight <= 0:
        return 0
    if learns:
        start_gradient(net, passes)
    for d in range(passes.n_scans):
        scan = &passes.scans[d]
        scan.net.seed, scan.net.whole_rows = net.seed, size.rows
        scan.net.caller_mode, scan.net.stop = net.caller_mode, net.stop
        pack_weights(&scan.net)
        for left in range(passes.n_passes - 1, -1, -1):
            forward_pass(scan, passes, data, chosen, B, left)
            if stopped(net.stop, 0):
                return 0
            if net.plan.pooling == ALL:
                head_forward(&scan.net)
                loss += head_loss(&scan.net, scan.offsets, data.labels, data.targets, data.weights,
                                  &part)
                if learns and part.weight > 0:
                    backward_pass(scan, net, passes)
            elif net.plan.pooling != LAST or left == 0:
                pool_pass(scan, net, passes, True)
    if net.plan.pooling != ALL:
        loss = pooled_batch(net, passes, data, chosen, B, learns)
    if learns:
        end_gradient(net, passes)
    return loss


cdef inline double pooled_batch(
    Net* net, Passes* passes, const Data* data, const idx* chosen, idx B, bint learns
) noexcept nogil:
    """Loss from the features of all sequences, and all gradients."""
    cdef const Layer* top = &passes.scans[0].net.layers[passes.scans[0].net.plan.n_layers - 1]
    cdef Scan* scan
    cdef double loss
    cdef idx d, left
    cdef BatchSize size
    pack_head(net)
    if net.dropout > 0:
        level_dropout(net, net.features, net.features, net.R, top, net.plan.n_levels)
    head_product(net)
    loss = head_loss(net, data.offsets, data.labels, data.targets, data.weights, &size)
    if not learns:
        return loss
    head_gradient(net)
    if net.dropout > 0:
        level_dropout(net, net.dfeatures, net.dfeatures, net.R, top, net.plan.n_levels)
    for d in range(passes.n_scans):
        scan = &passes.scans[d]
        if net.plan.pooling == LAST:
            backward_pass(scan, net, passes)  # the last pass is loaded
            continue
        for left in range(passes.n_passes - 1, -1, -1):
            forward_pass(scan, passes, data, chosen, B, left)
            backward_pass(scan, net, passes)
            if stopped(net.stop, 0):
                return loss
    return loss
