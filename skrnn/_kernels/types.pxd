"""Types every kernel shares: the plan (what the network is), the workspace (where its arrays are).

Sizes are T (time steps), B (sequences of a batch), N (packed rows: steps of all its sequences),
D (input width), H (hidden width). A stride or width with a `p` (Hp) is rounded up to full vectors.

Packed rows are time-major over sequences sorted by falling length, as PyTorch's PackedSequence:
step t has the first `active[t]` sequences. A large batch is cut into slices of neighboring
sequences, and the rows of one slice lie before those of the next; so what two threads write side by
side lies far apart.

Fields of the workspace say how long they live: `ws_` is written by the forward pass and read by the
backward pass, `scratch_` serves one stage and nothing after it, `pack_` is made anew for each
batch, and a gradient is `d` before the name of what it belongs to.
"""

ctypedef Py_ssize_t idx

cdef extern from "simd.h" nogil:
    # For Cython both are numbers: it then writes plain C operators, which GCC knows for vectors.
    ctypedef float real
    ctypedef float vec
    idx LANES
    enum:
        TILE_ROWS
        TILE_COLS
        BLOCK_COLS
    vec load(const real* p)
    void store(real* p, vec v)
    vec splat(real x)
    vec max_vec(vec a, vec b)
    real sum_lanes(vec v)
    real max_lanes(vec v)
    vec exp_negative(vec x)
    vec log_vec(vec x)
    vec sigmoid(vec x)
    vec tanh_vec(vec x)
    vec relu_vec(vec x)
    vec where_positive(vec x, vec d)
    void tile(idx rows, idx cols, idx K, const real* a, idx a_row, idx a_k, const real* w,
              const real* start, idx start_row, real* out, idx out_row)
    void tile_rows(idx rows, idx cols, idx K, const real* a, idx a_row, idx a_k, const real* w,
                   idx w_k, const real* start, idx start_row, real* out, idx out_row)
    void tile_pair(idx rows, idx at_x, idx cols_x, idx Kx, const real* x, idx x_row,
                   const real* wx, idx at_h, idx cols_h, idx Kh, const real* h, idx h_row,
                   const real* wh, const real* start, idx start_row, real* out)
    void fetch_l1(const real* p, idx n)
    void fetch_l2(const real* p, idx n)
    unsigned long long mix64(unsigned long long seed, unsigned long long counter)

# The numbers that stand for names in a plan (entries/tables.pxi hands them to Python).
cdef enum Cell:
    LSTM
    GRU
    RNN

cdef enum Activation:
    TANH
    RELU
    LOGISTIC

cdef enum Pooling:
    # Bits: a plan has the sum of those it joins, side by side in this order; ALL stands alone.
    LAST = 1
    MEAN = 2
    MAX = 4
    ATTENTION = 8
    ALL = 16

cdef enum Loss:
    SOFTMAX
    SQUARED_ERROR
    CRF
    ABSOLUTE_ERROR
    QUANTILE
    GAUSSIAN
    POISSON
    BINARY_LOG_LOSS
    STUDENT_T
    NEGATIVE_BINOMIAL

cdef struct ScanPlan:
    # A scan: one layer in one direction. A cell saves `saved` numbers per unit and row in the gate
    # buffer (its activated gates, overwritten by their gradients in the backward pass) and computes
    # its units in column blocks of BLOCK_COLS vector columns. Offsets point into the plan's tables
    # or the flat parameter vector.
    idx cell
    idx activation
    idx layer         # 0 reads the input, layer l reads layer l - 1
    idx direction     # +1 runs from the first step to the last, -1 from the last to the first
    idx H
    idx Hp
    idx saved
    idx has_c         # 1 where the cell carries a cell state
    idx in_segments   # input row: directions of the layer below (1 at layer 0)
    idx in_width      # .. true width of each
    idx in_stride     # .. width each takes
    idx ih_start      # gate columns that weight_ih feeds: their gradients make dW_ih and dx
    idx ih_stop
    idx hh_start      # gate columns that weight_hh feeds: their gradients make dW_hh and dh
    idx hh_stop
    idx n_column_blocks
    idx block_x       # table (n_column_blocks, BLOCK_COLS): gate column that weight_ih feeds, or -1
    idx block_h       # table (n_column_blocks, BLOCK_COLS): likewise weight_hh
    idx row_ih        # table (saved * Hp,): row of weight_ih for each gate column, or -1
    idx row_hh        # table (saved * Hp,): likewise weight_hh
    idx w_ih          # (gates * H, in_segments * in_width) in the flat parameter vector
    idx w_hh          # (gates * H, H)
    idx b_ih          # (gates * H,)
    idx b_hh          # (gates * H,)

cdef struct EmbeddingColumn:
    idx start          # of its weights (rows, dim) in the flat parameter vector
    idx rows           # the last one is that of unknown tokens
    idx dim
    idx place          # first of its columns in an input row
    idx frozen         # the first so many rows stay as they are in training

cdef struct NetPlan:
    idx n_layers
    idx n_directions
    idx n_scans       # layers x directions
    idx n_columns     # token columns; 0 for vectors
    idx spelled       # last numbers of an input row, those of the character network; 0: none
    idx columns       # table (n_columns, 5): one embedding each; fields as in EmbeddingColumn
    idx D             # width of the rows layer 0 reads
    idx H             # width of the top layer
    idx Hp
    idx pooling
    idx n_poolings    # joined
    idx pool_w        # (n_directions * H,) scores of steps; -1 without attention pooling
    idx loss
    idx n_outputs
    idx n_targets     # numbers per row that outputs are compared with; 0 for labels
    idx n_quantiles   # outputs per target; quantile only
    idx head_w        # (n_outputs, n_poolings * n_directions * H)
    idx head_b        # (n_outputs,)
    idx crf           # (n_outputs + 2, n_outputs): start, transitions, end; crf only
    idx row_head      # table: row of head_weight for each output, -1 for padding
    idx bptt_steps    # 0: never cut
    idx n_params
    idx n_chunks      # pieces of the flat vector, one task of the optimizer each
    idx chunks        # table (n_chunks, 3): start, stop, 1 where L2 applies
    idx n_tables

cdef struct Scan:
    ScanPlan plan
    idx K                    # width of an input row as the matmuls see it
    const idx* block_x
    const idx* block_h
    const idx* row_ih
    const idx* row_hh
    const real* w_ih         # parameters and their gradients
    const real* w_hh
    const real* b_ih
    const real* b_hh
    real* dw_ih
    real* dw_hh
    real* db_ih
    real* db_hh
    real* pack_x             # weights as the tile reads them, repacked once per batch
    real* pack_h
    real* pack_b             # (n_column_blocks, BLOCK_COLS, LANES): the two biases where they enter
    real* pack_dx
    real* pack_dh
    const real* x            # (N, ldx) input rows
    idx ldx
    real* projected          # (n_distinct, n_column_blocks, BLOCK_COLS, LANES) W_ih x + b, or NULL
    real* ws_y               # (N, ldy) hidden states; this direction's columns
    real* dy                 # (N, ldy) their gradients, or NULL: all 0
    idx ldy
    real* ws_gates           # (N, saved * Hp), training only
    real* ws_c               # (N, Hp) in training, (B, Hp) in prediction
    real* ws_h_in            # (B, Hp) h_{t-1} as matmuls see it; under `ws_mask` (N, Hp), for dW_hh
    real* h0                 # (B, Hp) initial states
    real* c0
    real* dh                 # (B, Hp) gradient that reaches h_{t-1}; after the pass that of h0
    real* dc
    real* ws_mask            # (B, Hp) recurrent dropout, or NULL

cdef struct Run:
    # Neighboring packed rows whose h_{t-1} are neighbors too.
    idx start                # the first, counted from the slice's; ends where the next starts
    idx source               # packed row of its h_{t-1}, or -1 - b: the initial state of sequence b

cdef struct Task:
    # A thread's share of a time loop (work_stealing.pxd): all steps of some sequences. Others may
    # take over the later ones, so each has a cache line of its own: 64 bytes.
    idx direction            # scan of the layer: 0 forward, 1 backward
    idx order                # 1: the loop starts at the first step, -1: at the last
    idx slice                # that the sequences make up, while they do; else -1
    idx start
    idx stop
    idx next                 # first chunk of steps not begun
    idx done                 # chunks done
    idx lock

cdef enum:
    # Most slices of a batch, whatever the number of threads: weight gradients are summed by slices,
    # and the bits must not depend on the threads.
    SLICES = 2

cdef struct Stop:
    # Of one call of the kernels (stopping.pxd). The calling thread writes; others read `raised`.
    int raised               # a signal's handler has raised: every loop ends
    char[60] apart           # a cache line of its own for what changes often
    double flops             # since the last look at the clock
    double next              # when Python is asked again
    bint asks                # the calling thread is the one that runs handlers
    unsigned long long mode  # of the caller (denormals.pxd), which handlers run in

cdef struct Net:
    NetPlan plan
    Stop* stop                      # or NULL: nothing stops it
    const idx* tables
    real* params                    # (n_params,)
    real* grads                     # (n_params,), training only
    Scan* scans                     # (n_scans,) layer-major, forward direction first
    idx first_scan                  # 1: only the backward direction is here (truncated_bptt.pxd)
    bint training
    bint wants_dx                   # gradient of the input rows (embeddings, or asked for)
    idx threads
    unsigned long long caller_mode  # of floating point (denormals.pxd)
    # the batch
    idx B
    idx N
    idx T
    idx* order                      # (B,) place in the offsets, by falling length
    const idx* owners               # sequence of each chunk (truncated_bptt.pxd), or NULL
    idx* sequences                  # (B,) place in the user's data: `order`, or the chunks' owners
    idx* steps                      # (N,) row of the user's data; under dropout, otherwise NULL
    idx* lengths                    # (B,)
    idx* active                     # (T + 1,)
    idx* first                      # (SLICES, T) step t of sequence b is row first[s, t] + b
    idx* scratch_buckets            # (T + 2,) scratch of the counting sort
    idx* part_starts                # (max(threads, SLICES) + 1,) rows of each thread, by equal work
    Task* tasks                     # (threads + 2 * SLICES,)
    idx n_tasks
    idx step_flops                  # of one step of a sequence
    idx n_slices
    idx[SLICES + 1] slices          # first sequence of each; B after the last
    idx[SLICES + 1] slice_rows      # first packed row of each; N after the last
    Run* runs                       # (n_directions, SLICES, 2 * T) rows of h_{t-1}; training only
    idx[2 * SLICES] n_runs          # (n_directions, SLICES)
    const EmbeddingColumn* columns  # (n_columns,)
    idx* tokens                     # (n_columns, N) embedding rows of the batch
    idx* scratch_token_order        # (n_columns, 2, N) rows by embedding row, and scratch
    idx* scratch_touched            # (n_columns, N + 1) starts of runs of one embedding row
    idx** touched_rows              # (n_columns,) embedding rows that have a gradient
    idx* n_touched                  # (n_columns,) and how many they are
    idx n_distinct                  # token rows projected once; 0: each step its own
    idx* places                     # (N,) which of them stands in a packed row
    real* distinct_x                # (n_distinct, D)
    # the characters of words (characters.pxd)
    Net* characters                 # the network that reads them, or NULL
    const idx* spelling_starts      # (n_words + 1,) first character of each word of the data
    const idx* spelling             # (characters of all words, 1)
    idx* words                      # (N,) word of each packed row
    idx* scratch_word_order         # (2 * N,) rows by word, and scratch
    idx* scratch_word_starts        # (N + 1,) starts of runs of one word
    idx* distinct_words             # (N,) words of the batch, rising
    idx n_distinct_words
    real* x                         # (N, D)
    real* dx                        # (N, ld_dx)
    idx ld_dx
    real* dy[2]                     # gradients of the outputs of two neighboring layers
    # dropout
    double dropout
    double recurrent_dropout
    double word_dropout
    double label_smoothing
    unsigned long long seed
    real** ws_dropped               # (n_layers + 1,) input of each layer after dropout, or NULL
    # the head; R rows: B pooled, N at every step
    idx R
    idx F                           # stride of the top layer's outputs: n_directions * Hp
    idx segments                    # of a row of features, Hp wide each: n_poolings * n_directions
    idx P                           # stride of features: segments * Hp
    idx Op                          # stride of outputs
    real* ws_features               # (R, P) what the head reads; may be the top layer's y
    idx* ws_argmax                  # (B, F) step of each maximum
    real* pack_pool                 # (F,) scores of attention pooling, 0 in the padding
    real* ws_shares                 # (N,) weight of each step in attention pooling
    real* scratch_pool_grads        # (B, F) gradient of the scores, by sequence
    # (B, POOL_NUMBERS) of single steps: how many so far, and in attention pooling their highest
    # score u and the sum of exp(e - u)
    real* pool_state
    real* logits                    # (R, Op); of wide outputs (n_outputs, logit_rows), a chunk
    real* dlogits                   # (R, Op); of wide outputs they take the place of logits
    idx logit_rows                  # of a chunk of wide outputs (wide_output.pxd); 0: all at once
    real* scratch_turned            # (segments * H, logit_rows) features, then their gradient
    real* dfeatures                 # (R, P); the top layer's dy where the head reads every step
    real* pack_head
    real* pack_head_b
    real* pack_dhead
    # the CRF (crf.pxd); K = n_outputs
    bint paths                      # whole label sequences are scored: crf in training, or decoding
    real* crf_scores                # (K + 2, Op) start, transitions, end
    real* crf_columns               # (K + 1, Op) exp(T_ij - m_j), and m_j = max_i T_ij
    real* crf_rows                  # (K + 1, Op) exp(T_ij - m_i) at [j, i], and m_i = max_j T_ij
    real* scratch_crf_alpha         # (N, Op) log forward scores, each row's highest 0
    real* scratch_crf_sums          # (N, Op) sum_i exp(alpha_i + T_ij - m_j) of the step before
    real* scratch_crf               # (threads, 4, Op)
    real* scratch_crf_grads         # (B, K + 2, Op) gradient of the scores of each sequence
    const double* quantiles         # (n_quantiles,) quantile levels
    double whole_rows               # rows with a target of a pass's whole batch; 0: all here
    double* scratch_row_loss        # (max(R, B),)
    double* scratch_row_weight      # (R,)
    double* scratch_squares         # (2 * n_chunks,) sums of squares
    real* scratch_slice_grads       # (SLICES - 1, parameters of the largest layer)
    idx slice_size
    void* scratch_sums              # (n_directions, SLICES) SliceSums of weight_gradients.pxd
    real* scratch                   # (max(threads, 2 * SLICES), scratch_size) for weight gradients
    idx scratch_size


cdef inline idx imin(idx a, idx b) noexcept nogil:
    return a if a < b else b


cdef inline idx imax(idx a, idx b) noexcept nogil:
    return a if a > b else b


cdef inline idx row_at(const Net* net, idx t, idx b) noexcept nogil:
    """Packed row of step t of sequence b."""
    cdef idx s, own = 0
    for s in range(1, SLICES):
        own += b >= net.slices[s]
    return net.first[own * net.T + t] + b


cdef inline idx padded(idx n) noexcept nogil:
    """`n` rounded up to full vectors."""
    return ceil_div(n, LANES) * LANES


cdef enum:
    # Cost of moving one number, in flops, when deciding on threads: what one core moves, the other
    # has to fetch from it.
    MOVED = 40
    # Of a pooled sequence that goes on step by step, beside what is pooled (`pool_state`).
    POOL_NUMBERS = 3


cdef inline idx useful_threads(idx threads, double flops) noexcept nogil:
    """Threads for a parallel region of that much work: below 200,000 operations (some 5 us) a
    second thread costs more in waking up and waiting than it brings."""
    cdef double most = flops / 2e5
    if most < 2:
        return 1
    return threads if most > threads else <idx> most


cdef inline idx token_width(const NetPlan* plan) noexcept nogil:
    """Integers of a step of tokens: a row of each embedding and, where characters are read, the
    word."""
    return plan.n_columns + (plan.spelled > 0)


cdef inline idx ceil_div(idx n, idx size) noexcept nogil:
    return (n + size - 1) // size


cdef inline idx last_row(const Net* net, idx b, idx direction) noexcept nogil:
    """Packed row of the step where sequence b ends in that direction: PyTorch's h_n."""
    return row_at(net, net.lengths[b] - 1 if direction > 0 else 0, b)
