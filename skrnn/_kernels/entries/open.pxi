# Opening a network for a call: its workspace, parameters, states and optimizer.
from libc.string cimport memcpy, memset

from .batch cimport move_states
from .optimizer cimport ADAM, Optimiser
from .types cimport CRF, LayerPlan, Net, NetPlan, idx, real
from .workspace cimport carve, connect_parameters

cdef struct States:
    real* h                # (n_layers, n_rows, width), or NULL
    real* c
    idx n_rows
    idx width
    const idx* rows
    const unsigned char* fresh


cdef const idx* _pointer(const idx[::1] array):
    return NULL if array is None or array.shape[0] == 0 else &array[0]


cdef const real* _reals(const real[:, ::1] array):
    return NULL if array is None or array.size == 0 else &array[0, 0]


cdef const idx* _ids(const idx[:, ::1] array):
    return NULL if array is None or array.size == 0 else &array[0, 0]


cdef const LayerPlan* _describe(Net* net, plan, options) except NULL:
    """The parts of `net` that a plan and its options fix."""
    cdef const idx[::1] record = plan.net
    cdef const idx[:, ::1] layers = plan.layers
    cdef const double[::1] levels = plan.quantiles  # the plan keeps them alive
    if record.shape[0] * sizeof(idx) != sizeof(NetPlan):
        raise ValueError("plan was made for another version of the kernels")
    if layers.shape[1] * sizeof(idx) != sizeof(LayerPlan):
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
    net.quantiles = &levels[0] if levels.shape[0] else NULL
    net.paths = options.paths or (net.training and net.plan.loss == CRF)
    return <const LayerPlan*> &layers[0, 0]


def workspace_bytes(plan, options, limits):
    """Bytes of workspace for batches of at most `limits` = (B, N, T)."""
    cdef Net net
    cdef const LayerPlan* layers = _describe(&net, plan, options)
    return carve(NULL, &net, layers, limits[0], limits[1], limits[2]) + 64


cdef int _open(
    Net* net, plan, options, limits, unsigned char[::1] workspace,
    const real[::1] params, real[::1] grads,
) except -1:
    """Lay the workspace out and connect the parameters; initial states are zero."""
    cdef const LayerPlan* layers = _describe(net, plan, options)
    cdef const idx[::1] tables = plan.tables
    cdef size_t start
    cdef idx k
    if (
        tables.shape[0] != net.plan.n_tables or plan.layers.shape[0] != net.plan.n_layers
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
    carve(<char*> &workspace[start], net, layers, limits[0], limits[1], limits[2])
    connect_parameters(net, &tables[0], <real*> &params[0],
                       &grads[0] if net.training else NULL)
    for k in range(net.plan.n_layers):
        memset(net.layers[k].h0, 0, limits[0] * net.layers[k].plan.Hp * sizeof(real))
        if net.layers[k].plan.has_c:
            memset(net.layers[k].c0, 0, limits[0] * net.layers[k].plan.Hp * sizeof(real))
    return 0


cdef int _read_optimiser(
    Optimiser* opt, settings, real[::1] first, real[::1] second, idx n_params
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
    if first.shape[0] != n_params or (opt.solver == ADAM and second.shape[0] != n_params):
        raise ValueError("moments do not fit the plan")
    opt.first = &first[0]
    opt.second = &second[0] if opt.solver == ADAM else NULL
    return 0


cdef int _read_states(States* states, const Net* net, carried, idx n_sequences) except -1:
    """Check the arrays of states, which the caller keeps alive."""
    memset(states, 0, sizeof(States))
    if carried is None:
        return 0
    (h_array, c_array), row_array, fresh_array = carried
    cdef real[:, :, ::1] h = h_array
    cdef real[:, :, ::1] c = c_array
    cdef const idx[::1] rows = row_array
    cdef const unsigned char[::1] fresh = fresh_array
    cdef idx k
    states.n_rows, states.width = h.shape[1], h.shape[2]
    for k in range(net.plan.n_layers):
        if net.layers[k].plan.H > states.width:
            raise ValueError("states are narrower than a layer")
    if h.shape[0] != net.plan.n_layers or (rows is None and states.n_rows != n_sequences):
        raise ValueError("states do not fit the plan and the sequences")
    if net.layers[0].plan.has_c and (
        c is None or c.shape[0] != h.shape[0] or c.shape[1] != h.shape[1] or c.shape[2] != h.shape[2]
    ):
        raise ValueError("cell states do not fit the hidden states")
    states.h = &h[0, 0, 0]
    states.c = &c[0, 0, 0] if net.layers[0].plan.has_c else NULL
    if rows is not None:
        if rows.shape[0] != n_sequences or fresh.shape[0] != n_sequences:
            raise ValueError("a row of states is needed for each sequence")
        for k in range(n_sequences):
            if not 0 <= rows[k] < states.n_rows:
                raise ValueError(f"there is no row {rows[k]} of states")
        states.rows, states.fresh = &rows[0], &fresh[0]
    return 0


cdef inline void _move(Net* net, const States* states, bint enter) noexcept nogil:
    if states.h != NULL:
        move_states(net, states.h, states.c, states.n_rows, states.width, states.rows, states.fresh,
                    enter)
