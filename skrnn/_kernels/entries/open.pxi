"""Open a network for a call: workspace, parameters, states and settings of the optimizer."""
from libc.string cimport memcpy, memset

from .batch cimport move_states
from .optimizer cimport ADAM, Optimizer
from .types cimport (
    BLOCK_COLS, CRF, LANES, LAST, Net, NetPlan, SOFTMAX, ScanPlan, ceil_div, idx, real,
)
from .workspace cimport carve, connect_parameters, unpoison

CHARACTER_DROPOUT = 0.1

cdef struct States:
    real* h                # (n_scans, n_rows, width), or NULL
    real* c
    idx n_rows
    idx width
    const idx* rows
    const unsigned char* reset_mask


cdef const idx* _pointer(const idx[::1] array):
    return NULL if array is None or array.shape[0] == 0 else &array[0]


cdef const real* _reals(const real[:, ::1] array):
    return NULL if array is None or array.size == 0 else &array[0, 0]


cdef const idx* _ids(const idx[:, ::1] array):
    return NULL if array is None or array.size == 0 else &array[0, 0]


cdef const ScanPlan* _describe(Net* net, plan, options) except NULL:
    """The parts of `net` that a plan and its options fix."""
    cdef const idx[::1] record = plan.net
    cdef const idx[:, ::1] scans = plan.scans
    cdef const double[::1] quantiles = plan.quantiles  # the plan keeps them alive
    if record.shape[0] * sizeof(idx) != sizeof(NetPlan):
        raise ValueError("plan was made for another version of the kernels")
    if scans.shape[1] * sizeof(idx) != sizeof(ScanPlan):
        raise ValueError("plan was made for another version of the kernels")
    memset(net, 0, sizeof(Net))
    memcpy(&net.plan, &record[0], sizeof(NetPlan))
    net.training = options.training
    net.wants_dx = options.wants_dx or net.plan.n_columns > 0
    net.threads = max(1, options.threads)
    net.dropout = options.dropout
    net.recurrent_dropout = options.recurrent_dropout
    net.word_dropout = options.word_dropout
    net.label_smoothing = options.label_smoothing
    net.n_distinct = options.distinct
    net.logit_rows = ceil_div(options.logit_rows, BLOCK_COLS * LANES) * BLOCK_COLS * LANES
    if net.logit_rows > 0 and (not net.training or net.plan.loss != SOFTMAX):
        raise ValueError("only softmax in training is computed in chunks of rows")
    net.quantiles = &quantiles[0] if quantiles.shape[0] else NULL
    net.paths = options.paths or (net.training and net.plan.loss == CRF)
    return <const ScanPlan*> &scans[0, 0]


def workspace_bytes(plan, options, limits):
    """Bytes of workspace for batches of at most `limits`, a BatchLimits."""
    cdef Net net
    cdef const ScanPlan* scans = _describe(&net, plan, options)
    cdef size_t used = carve(NULL, &net, scans, limits.n_sequences, limits.n_steps, limits.longest)
    if net.plan.spelled > 0:
        if limits.words is None:
            raise ValueError("A network that reads characters needs the limits of words.")
        used += ceil_div(sizeof(Net), 64) * 64
        used += workspace_bytes(plan.characters, _character_options(options), limits.words)
    return used + 64


def _character_options(options):
    """Return the options of the network that reads characters, from those of the one around it.

    A character gives way to the unknown one a tenth as often as a word, which is about as often a
    word's only sign.
    """
    return type(options)(
        training=options.training, threads=options.threads,
        word_dropout=CHARACTER_DROPOUT * options.word_dropout,
    )


cdef int _open_characters(
    Net* net, plan, options, limits, unsigned char[::1] workspace, const real[::1] params,
    real[::1] grads,
) except -1:
    """Lay out the network that reads characters; its parameters are among those of `net`."""
    cdef const idx[::1] tables = plan.characters.tables
    cdef size_t start = (64 - (<size_t> &workspace[0]) % 64) % 64
    cdef Net* inner = <Net*> &workspace[start]
    unpoison(inner, sizeof(Net))  # a gap of an earlier call may have been here
    cdef const ScanPlan* scans = _describe(inner, plan.characters, _character_options(options))
    if (
        inner.plan.n_directions * inner.plan.H != net.plan.spelled or inner.plan.pooling != LAST
        or inner.plan.n_columns != 1 or inner.plan.n_layers != 1 or inner.plan.spelled > 0
        or inner.plan.n_params != net.plan.n_params or tables.shape[0] != inner.plan.n_tables
        or plan.characters.scans.shape[0] != inner.plan.n_scans
    ):
        raise ValueError("The plan of the characters does not fit that of the words.")
    start += ceil_div(sizeof(Net), 64) * 64
    carve(<char*> &workspace[start], inner, scans, limits.words.n_sequences,
          limits.words.n_steps, limits.words.longest)
    connect_parameters(inner, &tables[0], <real*> &params[0],
                       &grads[0] if net.training else NULL)
    _clear_states(inner, limits.words.n_sequences)
    net.characters = inner
    return 0


cdef _clear_states(Net* net, idx n_sequences):
    """Let all initial states be zero."""
    cdef idx k
    for k in range(net.plan.n_scans):
        memset(net.scans[k].h0, 0, n_sequences * net.scans[k].plan.Hp * sizeof(real))
        if net.scans[k].plan.has_c:
            memset(net.scans[k].c0, 0, n_sequences * net.scans[k].plan.Hp * sizeof(real))


cdef int _open(
    Net* net, plan, options, limits, unsigned char[::1] workspace,
    const real[::1] params, real[::1] grads, bint reads_characters=False,
) except -1:
    """Lay the workspace out and connect the parameters; initial states are zero.

    `reads_characters` where the call goes on with `_read_spellings`.
    """
    cdef const ScanPlan* scans = _describe(net, plan, options)
    cdef const idx[::1] tables = plan.tables
    cdef size_t start, used
    if net.plan.spelled > 0 and not reads_characters:
        raise ValueError("The call reads no characters of words.")
    if (
        tables.shape[0] != net.plan.n_tables or plan.scans.shape[0] != net.plan.n_scans
        or plan.quantiles.shape[0] != net.plan.n_quantiles
    ):
        raise ValueError("the tables of the plan are not its own")
    if workspace.shape[0] < <idx> workspace_bytes(plan, options, limits):
        raise ValueError("workspace too small")
    if params.shape[0] != net.plan.n_params:
        raise ValueError("parameter vector does not fit the plan")
    if net.training and (grads is None or grads.shape[0] != net.plan.n_params):
        raise ValueError("gradient vector does not fit the plan")
    start = (64 - (<size_t> &workspace[0]) % 64) % 64
    used = carve(<char*> &workspace[start], net, scans, limits.n_sequences, limits.n_steps,
                 limits.longest)
    connect_parameters(net, &tables[0], <real*> &params[0],
                       &grads[0] if net.training else NULL)
    _clear_states(net, limits.n_sequences)
    if net.plan.spelled > 0:
        _open_characters(net, plan, options, limits, workspace[start + used:], params, grads)
    return 0


cdef int _read_optimizer(
    Optimizer* opt, settings, real[::1] m, real[::1] v, idx n_params
) except -1:
    opt.solver = SOLVERS[settings["solver"]]
    opt.alpha = settings["alpha"]
    opt.max_norm = settings["max_norm"]
    opt.learning_rate = settings["learning_rate"]
    opt.beta_1 = settings["beta_1"]
    opt.beta_2 = settings["beta_2"]
    opt.epsilon = settings["epsilon"]
    opt.momentum = settings["momentum"]
    opt.nesterov = settings["nesterov"]
    opt.step = settings["step"]
    if m.shape[0] != n_params or (opt.solver == ADAM and v.shape[0] != n_params):
        raise ValueError("moments do not fit the plan")
    opt.m = &m[0]
    opt.v = &v[0] if opt.solver == ADAM else NULL
    return 0


cdef int _read_states(States* states, const Net* net, carried_states, idx n_sequences) except -1:
    """Check the arrays of states, which the caller keeps alive."""
    memset(states, 0, sizeof(States))
    if carried_states is None:
        return 0
    cdef real[:, :, ::1] h = carried_states.h
    cdef real[:, :, ::1] c = carried_states.c
    cdef const idx[::1] rows = carried_states.rows
    cdef const unsigned char[::1] reset_mask = carried_states.reset_mask
    cdef idx k
    states.n_rows, states.width = h.shape[1], h.shape[2]
    for k in range(net.plan.n_scans):
        if net.scans[k].plan.H > states.width:
            raise ValueError("states are narrower than a layer")
    if h.shape[0] != net.plan.n_scans or (rows is None and states.n_rows != n_sequences):
        raise ValueError("states do not fit the plan and the sequences")
    if net.scans[0].plan.has_c and (
        c is None or c.shape[0] != h.shape[0] or c.shape[1] != h.shape[1]
        or c.shape[2] != h.shape[2]
    ):
        raise ValueError("cell states do not fit the hidden states")
    states.h = &h[0, 0, 0]
    states.c = &c[0, 0, 0] if net.scans[0].plan.has_c else NULL
    if rows is not None:
        if rows.shape[0] != n_sequences or reset_mask.shape[0] != n_sequences:
            raise ValueError("a row of states is needed for each sequence")
        for k in range(n_sequences):
            if not 0 <= rows[k] < states.n_rows:
                raise ValueError(f"there is no row {rows[k]} of states")
        states.rows, states.reset_mask = &rows[0], &reset_mask[0]
    return 0


cdef inline void _move(Net* net, const States* states, bint enter) noexcept nogil:
    if states.h != NULL:
        move_states(net, states.h, states.c, states.n_rows, states.width, states.rows,
                    states.reset_mask, enter)
