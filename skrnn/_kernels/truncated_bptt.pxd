"""Truncated BPTT in the memory of a chunk: a batch goes through the network chunk after chunk.

With `bptt_steps` no gradient passes from a chunk to the one before, only the state. So a batch is
taken in passes, each over one chunk of every sequence that has one left, which starts from the
states that the chunk before left. Chunks are counted back from where a direction ends, as
`truncate_gradient` in time_loop.pxd counts, so the last pass is over the last chunks of all. What
the head reads says what the passes are:

    last        the states of the last chunks: only theirs is a backward pass
    mean, max   all steps: once forward for the features, and again, forward and backward; joined
                with last as well
    all         each step by itself: forward, loss and backward of one chunk after another

Dropout masks are a function of sequence and step (dropout.pxd), so a step has the same ones each
time. The gradient of a batch is the sum over its passes; one optimizer step follows. A chunk here
may be several of `bptt_steps`, between which `truncate_gradient` cuts.

The chunks of two directions begin at different steps. One layer in two directions is two networks
(branches), one per direction, below one head; that needs a pooling, which reads each direction by
itself.
"""
from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from .batch cimport load_batch, share_moving
from .denormals cimport flush_denormals, restore_worker
from .dropout cimport layer_dropout
from .heads.losses cimport head_loss
from .heads.output_layer cimport head_gradient, head_product
from .heads.pooling cimport last_backward, pool_backward, pool_forward
from .heads.targets cimport BatchSize, row_weight
from .network cimport (
    clear_state_gradients, head_backward, head_forward, layers_backward, layers_forward,
)
from .pack cimport pack_head, pack_weights
from .stopping cimport stopped
from .types cimport ALL, LAST, Net, Scan, idx, imax, last_row, real, useful_threads

cdef struct Branch:
    # The layers of one direction, as a network of their own, and the chunks that they go through.
    Net net
    const idx* offsets     # (n_chunks + 1,) rows of the data, chunk after chunk
    const idx* first       # (n_sequences + 1,) first chunk of each sequence
    idx place              # of the direction in a row of features
    idx width              # of the widest scan
    real* h                # (n_scans, n_seats, width) states between passes
    real* c

cdef struct Passes:
    idx n_branches
    Branch[2] branches
    idx n_passes
    idx n_seats            # most sequences of a batch
    idx* seats             # (n_sequences,) place in the batch of those in it
    idx* chunks            # (n_seats,) chunks of a pass
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


cdef inline idx direction_of(const Branch* branch) noexcept nogil:
    return branch.net.scans[0].plan.direction


cdef inline idx chunk_behind(const Branch* branch, idx s, idx left) noexcept nogil:
    """The chunk of sequence s behind which its direction has `left` more, or -1."""
    if left >= branch.first[s + 1] - branch.first[s]:
        return -1
    return branch.first[s + 1] - 1 - left if direction_of(branch) > 0 else branch.first[s] + left


cdef inline bint begins(const Branch* branch, idx b) noexcept nogil:
    """Whether packed chunk b is where its direction begins."""
    cdef idx s = branch.net.sequences[b]
    return branch.net.order[b] == chunk_behind(branch, s, branch.first[s + 1] - branch.first[s] - 1)


cdef inline idx first_step(const Branch* branch, idx b) noexcept nogil:
    """Steps of the sequence of packed chunk b before it."""
    cdef idx s = branch.net.sequences[b]
    return branch.offsets[branch.net.order[b]] - branch.offsets[branch.first[s]]


cdef inline idx whole_length(const Branch* branch, idx b) noexcept nogil:
    """Steps of the whole sequence of packed chunk b."""
    cdef idx s = branch.net.sequences[b]
    return branch.offsets[branch.first[s + 1]] - branch.offsets[branch.first[s]]


cdef inline void seat(
    Net* net, Passes* passes, const Data* data, const idx* batch_indices, idx B, BatchSize* size
) noexcept nogil:
    """Give the sequences of a batch their seats, which are the head's rows, and count its passes
    and its rows with a target."""
    cdef const idx* first = passes.branches[0].first
    cdef idx b, at, s, M = net.plan.n_targets
    passes.n_passes = 0
    passes.batch += 1
    size.rows, size.weight = 0, 0
    net.B = net.R = B
    for b in range(B):
        s = net.sequences[b] = batch_indices[b]
        passes.seats[s] = b
        passes.n_passes = imax(passes.n_passes, first[s + 1] - first[s])
        if net.plan.pooling != ALL:
            row_weight(data.labels, data.targets, data.weights, s, M, size)
            continue
        for at in range(data.offsets[s], data.offsets[s + 1]):
            row_weight(data.labels, data.targets, data.weights, at, M, size)


cdef inline void forward_pass(
    Branch* branch, Passes* passes, const Data* data, const idx* batch_indices, idx B, idx left
) noexcept nogil:
    """Hidden states of the chunks behind which each sequence has `left` more."""
    cdef idx b, chunk, n = 0
    for b in range(B):
        chunk = chunk_behind(branch, batch_indices[b], left)
        if chunk >= 0:
            passes.chunks[n] = chunk
            n += 1
    load_batch(&branch.net, branch.offsets, data.values, data.tokens, NULL, passes.chunks, n)
    move_chunk_states(branch, passes, True)
    layers_forward(&branch.net)
    move_chunk_states(branch, passes, False)


cdef inline void move_chunk_states(Branch* branch, const Passes* passes, bint enter) noexcept nogil:
    """Initial states of the chunks of a pass from where those before them left them, or (after the
    forward pass) final ones to there."""
    cdef Net* net = &branch.net
    cdef Scan* scan
    cdef idx k, b, at, last, size
    for k in range(net.plan.n_scans):
        scan = &net.scans[k]
        size = scan.plan.H * sizeof(real)
        for b in range(net.B):
            at = (k * passes.n_seats + passes.seats[net.sequences[b]]) * branch.width
            if not enter:
                if net.lengths[b] == 0:
                    continue
                last = last_row(net, b, scan.plan.direction)
                memcpy(branch.h + at, scan.ws_y + last * scan.ldy, size)
                if scan.plan.has_c:
                    memcpy(branch.c + at, scan.ws_c + last * scan.plan.Hp, size)
            elif begins(branch, b):
                memset(scan.h0 + b * scan.plan.Hp, 0, size)
                if scan.plan.has_c:
                    memset(scan.c0 + b * scan.plan.Hp, 0, size)
            else:
                memcpy(scan.h0 + b * scan.plan.Hp, branch.h + at, size)
                if scan.plan.has_c:
                    memcpy(scan.c0 + b * scan.plan.Hp, branch.c + at, size)


cdef inline void pool_pass(
    Branch* branch, Net* head, const Passes* passes, bint forward
) noexcept nogil:
    """Add the steps of a pass to the head's features, or spread their gradient over them."""
    cdef Net* net = &branch.net
    cdef bint last = net.plan.pooling == LAST
    cdef idx b, part, at, maximum, threads = share_moving(net, net.F, net.B if last else net.N)
    for part in prange(threads, num_threads=threads, use_threads_if=threads > 1,
                       schedule='static', chunksize=1):
        flush_denormals()
        for b in range(net.part_starts[part], net.part_starts[part + 1]):
            at = passes.seats[net.sequences[b]] * head.P + branch.place
            maximum = passes.seats[net.sequences[b]] * head.F + branch.place
            if forward:
                pool_forward(net, b, head.ws_features + at, head.F, head.ws_argmax + maximum,
                             first_step(branch, b), whole_length(branch, b))
            elif last:
                last_backward(net, b, head.dfeatures + at)
            else:
                pool_backward(net, b, head.dfeatures + at, head.F, head.ws_argmax + maximum,
                              first_step(branch, b), whole_length(branch, b))
        restore_worker(net.caller_mode)


cdef inline void backward_pass(Branch* branch, Net* head, Passes* passes) noexcept nogil:
    """Go back through the chunks loaded, and add their gradient to the batch's."""
    clear_state_gradients(&branch.net)
    if head.plan.pooling == ALL:
        head_backward(&branch.net)
    else:
        pool_pass(branch, head, passes, False)
    layers_backward(&branch.net)
    if stopped(head.stop, 0):
        return
    add_pass(&branch.net, head.grads)
    add_embeddings(&branch.net, passes, head.grads)


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
    const idx* batch_indices,
    idx B,
    bint learns,
    BatchSize* size,
) noexcept nogil:
    """Loss of a batch and, if it `learns`, its gradient: what whole sequences with
    `truncate_gradient` give."""
    cdef Branch* branch
    cdef double loss = 0
    cdef idx left, d
    cdef BatchSize part
    seat(net, passes, data, batch_indices, B, size)
    if size.weight <= 0:
        return 0
    if learns:
        start_gradient(net, passes)
    for d in range(passes.n_branches):
        branch = &passes.branches[d]
        branch.net.seed, branch.net.whole_rows = net.seed, size.rows
        branch.net.caller_mode, branch.net.stop = net.caller_mode, net.stop
        pack_weights(&branch.net)
        for left in range(passes.n_passes - 1, -1, -1):
            forward_pass(branch, passes, data, batch_indices, B, left)
            if stopped(net.stop, 0):
                return 0
            if net.plan.pooling == ALL:
                head_forward(&branch.net)
                loss += head_loss(&branch.net, branch.offsets, data.labels, data.targets,
                                  data.weights, &part, learns)
                if learns and part.weight > 0:
                    backward_pass(branch, net, passes)
            elif net.plan.pooling != LAST or left == 0:
                pool_pass(branch, net, passes, True)
    if net.plan.pooling != ALL:
        loss = pooled_batch(net, passes, data, batch_indices, B, learns)
    if learns:
        end_gradient(net, passes)
    return loss


cdef inline double pooled_batch(
    Net* net, Passes* passes, const Data* data, const idx* batch_indices, idx B, bint learns
) noexcept nogil:
    """Loss from the features of all sequences, and all gradients."""
    cdef const Scan* top = &passes.branches[0].net.scans[passes.branches[0].net.plan.n_scans - 1]
    cdef Branch* branch
    cdef double loss
    cdef idx d, left
    cdef BatchSize size
    pack_head(net)
    if net.dropout > 0:
        layer_dropout(net, net.ws_features, net.ws_features, net.R, top, net.plan.n_layers)
    head_product(net)
    loss = head_loss(net, data.offsets, data.labels, data.targets, data.weights, &size, learns)
    if not learns:
        return loss
    head_gradient(net)
    if net.dropout > 0:
        layer_dropout(net, net.dfeatures, net.dfeatures, net.R, top, net.plan.n_layers)
    for d in range(passes.n_branches):
        branch = &passes.branches[d]
        if net.plan.pooling == LAST:
            backward_pass(branch, net, passes)  # the last pass is loaded
            continue
        for left in range(passes.n_passes - 1, -1, -1):
            forward_pass(branch, passes, data, batch_indices, B, left)
            backward_pass(branch, net, passes)
            if stopped(net.stop, 0):
                return loss
    return loss
