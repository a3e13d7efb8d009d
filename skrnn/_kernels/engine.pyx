"""What Python calls: train on batches, predict batches, and one batch laid open.

setup.py compiles this file once for every (instruction set, precision) pair; `skrnn._kernels`
picks one. Nothing here keeps state: a call gets the plan, the parameters, the workspace and the
data, and leaves its results in arrays that NumPy owns. Sizes are checked here, before `nogil`.
Above 500 lines because the checks of sizes stand beside the calls that need them.
"""
import numpy as np

from cython.parallel cimport prange, threadid
from libc.math cimport exp, isfinite, sqrt
from libc.string cimport memcpy, memset

from .batch cimport dropout_rows, look_up, move_states, place_single_steps, share_rows
from .core cimport (
    ABSOLUTE_ERROR, ALL, BINARY_LOG_LOSS, CRF, GAUSSIAN, GRU, LANES, LAST, LOGISTIC, LSTM, Layer, LayerPlan, MAX, MEAN, Net, NetPlan, POISSON, QUANTILE,
    RELU, RNN, Stop,
    SOFTMAX, SQUARED_ERROR, TANH, TILE_ROWS, BLOCK_COLS, EmbeddingColumn, exp_negative, idx, imin, load,
    log_vec, mix64, real, row_at, sigmoid,
    splat, store, sum_lanes, tanh_vec, tile, useful_threads, vec,
)
from .crf cimport best_path, crf_prepare, marginals
from .denormals cimport (
    FLUSH_BITS, flush_denormals, read_mode, restore_mode, restore_worker, write_mode,
)
from .heads cimport last_row, softmax_row
from .linear cimport pieces
from .network cimport (
    BatchSize, clear_state_gradients, head_backward, head_loss, head_row, layers_backward, leave_out_top,
    load_batch, network_forward, pack_weights, project_tokens, target_of, target_of_row,
)
from .optim cimport (
    ADAM, SGD, Optimiser, penalise_chunk, step_size, touched_squares, update_range, update_touched,
)
from .roll cimport Roll, keep_states, one_step_each, roll_rows, step_rows
from .stopping cimport check_stopped, stopped, watch
from .truncated cimport Data, Passes, Scan, truncated_batch
from .workspace cimport carve, connect_parameters

# The numbers that stand for names in a plan, and the fields of its two kinds of record, in order.
CELLS = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
ACTIVATIONS = {"tanh": TANH, "relu": RELU, "logistic": LOGISTIC}
POOLINGS = {"last": LAST, "mean": MEAN, "max": MAX, "all": ALL}
LOSSES = {"softmax": SOFTMAX, "squared_error": SQUARED_ERROR, "crf": CRF,
          "absolute_error": ABSOLUTE_ERROR, "quantile": QUANTILE, "gaussian": GAUSSIAN,
          "poisson": POISSON, "binary_log_loss": BINARY_LOG_LOSS}
SOLVERS = {"adam": ADAM, "sgd": SGD}
lanes = LANES
block_cols = BLOCK_COLS
real_dtype = np.dtype(f"f{sizeof(real)}")


def _fields():
    cdef LayerPlan layer
    cdef NetPlan net
    memset(&layer, 0, sizeof(layer))
    memset(&net, 0, sizeof(net))
    return tuple((<object> layer).keys()), tuple((<object> net).keys())


LAYER_FIELDS, NET_FIELDS = _fields()


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


cdef int _check_data(
    const Net* net, data, limits, const idx[::1] chosen, const idx[::1] bounds, idx shortest=0
) except -1:
    """What is about to be read is there: rows of the right width, batches of sequences that exist,
    are no shorter than `shortest` and fit the workspace, tokens that the embedding has."""
    offsets, values, tokens = data
    rows = values if net.plan.n_columns == 0 else tokens
    width = net.plan.D if net.plan.n_columns == 0 else net.plan.n_columns
    if rows is None or rows.ndim != 2 or rows.shape[1] != width:
        raise ValueError(f"input rows must have {width} columns")
    if len(offsets) == 0 or offsets[0] != 0 or offsets[len(offsets) - 1] != rows.shape[0]:
        raise ValueError("offsets do not span the rows")
    if bounds.shape[0] == 0 or bounds[0] < 0 or bounds[bounds.shape[0] - 1] > chosen.shape[0]:
        raise ValueError("bounds do not lie within the chosen sequences")
    cdef const idx[::1] starts = offsets
    cdef const idx[:, ::1] ids = tokens
    cdef idx most_sequences = limits[0], most_steps = limits[1], longest = limits[2]
    cdef idx k, b, t, c, length, steps, n_rows = rows.shape[0]
    if net.plan.pooling != ALL:
        shortest = 1  # pooling reads a step at least
    for k in range(bounds.shape[0] - 1):
        steps = 0
        if not 0 < bounds[k + 1] - bounds[k] <= most_sequences:
            raise ValueError(f"batch {k} is empty or larger than the workspace")
        for b in range(bounds[k], bounds[k + 1]):
            if not 0 <= chosen[b] < starts.shape[0] - 1:
                raise ValueError(f"there is no sequence {chosen[b]}")
            if not 0 <= starts[chosen[b]] <= starts[chosen[b] + 1] <= n_rows:
                raise ValueError(f"sequence {chosen[b]} does not lie within the rows")
            length = starts[chosen[b] + 1] - starts[chosen[b]]
            if length < shortest:
                raise ValueError(f"sequence {chosen[b]} is too short")
            if length > longest:
                raise ValueError(f"sequence {chosen[b]} is longer than the workspace")
            steps += length
            for t in range(starts[chosen[b]], starts[chosen[b] + 1]):
                for c in range(net.plan.n_columns):
                    if not 0 <= ids[t, c] < net.columns[c].rows:
                        raise ValueError(f"the embedding of column {c} has no row {ids[t, c]}")
        if steps > most_steps:
            raise ValueError(f"batch {k} has more steps than the workspace")
    return 0


cdef inline double _regularise(Net* net, const Optimiser* opt, double* penalty) noexcept nogil:
    """Add the L2 gradient; returns the global norm of the gradient, sets the L2 loss."""
    cdef idx k
    cdef idx threads = useful_threads(net.threads, 4.0 * net.plan.n_params)
    cdef double g2 = 0, w2 = 0
    for k in prange(net.plan.n_chunks, num_threads=threads, use_threads_if=threads > 1,
                    schedule='dynamic'):
        flush_denormals()
        penalise_chunk(net, opt.alpha, k)
        restore_worker(net.caller_mode)
    for k in range(net.plan.n_chunks):
        g2 += net.partial[2 * k]
        w2 += net.partial[2 * k + 1]
    penalty[0] = 0.5 * opt.alpha * w2
    return sqrt(g2 + touched_squares(net))


cdef inline void _step(Net* net, Optimiser* opt, double norm) noexcept nogil:
    """One optimiser step with the gradient clipped to a global norm of max_norm (Pascanu 2013)."""
    cdef idx k
    cdef idx threads = useful_threads(net.threads, 16.0 * net.plan.n_params)
    cdef double scale = 1, rate
    cdef const idx* chunks = net.tables + net.plan.chunks
    if opt.max_norm > 0 and norm > opt.max_norm:
        scale = opt.max_norm / norm
    opt.step += 1
    rate = step_size(opt)
    for k in prange(net.plan.n_chunks, num_threads=threads, use_threads_if=threads > 1,
                    schedule='dynamic'):
        flush_denormals()
        update_range(net, opt, scale, rate, chunks[3 * k], chunks[3 * k + 1])
        restore_worker(net.caller_mode)
    update_touched(net, opt, scale, rate)


def train(
    plan, options, limits, unsigned char[::1] workspace,
    real[::1] params, real[::1] grads, real[::1] first, real[::1] second,
    data, targets, const idx[::1] chosen, const idx[::1] bounds, optimiser, double[:, ::1] report,
    carried=None, cut=None,
):
    """One optimiser step for each batch chosen[bounds[k]:bounds[k + 1]].

    Stops before the step of the first batch whose loss or gradient norm is not finite. Returns
    how many batches were done; the step count in `optimiser` goes on with them, in a call that ends
    with KeyboardInterrupt too. `report` (n_batches, 3) gets each batch's loss, gradient norm and
    number of rows that have a target. A batch without weight is passed over.

    Where `optimiser` is None there are no gradients and no steps, only losses without the penalty.

    `carried` is None, or ((h, c), rows, fresh): a sequence starts from the states in row
    rows[sequence] of h and c (as in `predict`), or from zero where it is `fresh`, and leaves its
    final ones there for the piece that follows it.

    `cut` is None, or for each direction (offsets, owners, first) of the chunks of all sequences, for
    truncated BPTT in the memory of a chunk (truncated.pxd): `limits` are then those of a pass.
    """
    cdef Net net
    cdef Optimiser opt
    cdef States states
    cdef Stop stop
    cdef Passes passes
    cdef Data all_data
    cdef idx k, n_batches = bounds.shape[0] - 1, done = 0
    cdef double loss, norm, penalty
    cdef BatchSize size
    cdef bint learns = optimiser is not None
    cdef unsigned long long seed = 0
    cdef const idx[::1] offsets = data[0]
    cdef const real[:, ::1] values = data[1]
    cdef const idx[:, ::1] tokens = data[2]
    cdef const idx[::1] labels = targets[0]
    cdef const real[:, ::1] numbers = targets[1]
    cdef const double[::1] weights = targets[2]
    cdef const real* x = _reals(values)
    cdef const idx* ids = _ids(tokens)
    cdef const idx* label = _pointer(labels)
    cdef const real* number = _reals(numbers)
    cdef const double* weigh = NULL if weights is None else &weights[0]
    if cut is None:
        _open(&net, plan, options, limits, workspace, params, grads)
        _check_data(&net, data, limits, chosen, bounds, carried is not None)
    else:
        kept = _open_passes(&net, &passes, plan, options, limits, workspace, params, grads, cut,
                            offsets)
        steps = offsets[offsets.shape[0] - 1]
        _check_data(&net, data, (limits[0], steps, steps), chosen, bounds)
        _check_passes(&passes, limits, chosen, bounds)
    watch(&stop, &net)
    _check_targets(&net, offsets, labels, numbers, weights, chosen, bounds)
    _check_report(&net, report, n_batches)
    opt.step = 0
    if learns:
        _read_optimiser(&opt, optimiser, first, second, net.plan.n_params)
        seed = optimiser["seed"]
    _read_states(&states, &net, carried, offsets.shape[0] - 1)
    all_data.offsets, all_data.values, all_data.tokens = &offsets[0], x, ids
    all_data.labels, all_data.targets, all_data.weights = label, number, weigh
    cdef bint truncated = cut is not None
    if truncated and carried is not None:
        raise ValueError("chunks carry their own states")
    with nogil:
        net.caller_mode = flush_denormals()
        if not truncated:
            leave_out_top(&net)
        for k in range(n_batches):
            net.seed = seed + opt.step
            if truncated:
                loss = truncated_batch(&net, &passes, &all_data, &chosen[bounds[k]],
                                       bounds[k + 1] - bounds[k], learns, &size)
            else:
                load_batch(&net, &offsets[0], x, ids, NULL, &chosen[bounds[k]],
                           bounds[k + 1] - bounds[k])
                pack_weights(&net)
                _move(&net, &states, True)
                network_forward(&net)
                if stopped(&stop, 0):
                    break
                _move(&net, &states, False)
                loss = head_loss(&net, &offsets[0], label, number, weigh, &size)
            report[k, 0], report[k, 1], report[k, 2] = loss, 0, size.rows
            if size.weight <= 0 or not learns:
                done += 1
                continue
            if not truncated:
                clear_state_gradients(&net)
                head_backward(&net)
                layers_backward(&net)
            if stopped(&stop, 0):
                break
            norm = _regularise(&net, &opt, &penalty)
            report[k, 0] = loss + penalty
            report[k, 1] = norm
            if not (isfinite(report[k, 0]) and isfinite(norm)):
                break
            _step(&net, &opt, norm)
            done += 1
        restore_mode(net.caller_mode)
    if learns:
        optimiser["step"] = opt.step
    check_stopped(&stop)
    return done


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


def predict(
    plan, options, limits, unsigned char[::1] workspace, const real[::1] params,
    data, distinct, const idx[::1] chosen, const idx[::1] bounds, real[:, ::1] out,
    idx[::1] path, bint probabilities, const real[:, ::1] scores, states=None,
    real[:, ::1] features=None,
):
    """What the head puts out for each sequence (or step), in the user's order.

    `out` (rows, n_outputs) gets logits, or with `probabilities` their softmax. With `scores`
    (n_outputs + 2, n_outputs), those of whole label sequences (crf.pxd), `out` gets marginals and
    `path` (rows,) the best sequence of labels; either may be None.

    `distinct` is None, or (token rows that differ, place among them of each step): then each of
    them goes through W_ih once, not each step.

    `states` is None, or (h, c): arrays (n_layers, n_sequences, width), read as initial states and
    overwritten by the final ones. `width` is at least that of the widest layer; c is None for a cell
    without cell state. `features` (rows, n_directions * H), if given, gets what the head reads.
    """
    cdef Net net
    cdef Stop stop
    cdef idx k, n_batches = bounds.shape[0] - 1
    cdef const idx[::1] offsets = data[0]
    cdef const real[:, ::1] values = data[1]
    cdef const idx[:, ::1] tokens = data[2]
    cdef const real* x = _reals(values)
    cdef const idx* ids = _ids(tokens)
    cdef real* to = NULL if out is None else &out[0, 0]
    cdef idx* best = NULL if path is None else &path[0]
    cdef real* read = NULL if features is None else &features[0, 0]
    cdef const idx[:, ::1] distinct_rows = None
    cdef const idx[::1] places = None
    cdef const real* score = NULL
    _open(&net, plan, options, limits, workspace, params, None)
    watch(&stop, &net)
    _check_data(&net, data, limits, chosen, bounds, states is not None)
    _check_results(&net, offsets, out, features, path)
    if net.paths:
        if net.plan.pooling != ALL or scores.shape[1] != net.plan.n_outputs \
                or scores.shape[0] != net.plan.n_outputs + 2:
            raise ValueError("scores do not fit the plan")
        score = &scores[0, 0]
    if net.n_distinct > 0:
        distinct_rows, places = distinct
        _check_distinct(&net, distinct_rows, places, offsets[offsets.shape[0] - 1])
    cdef const idx* place = _pointer(places)
    cdef States carried
    _read_states(&carried, &net, None if states is None else (states, None, None),
                 offsets.shape[0] - 1)
    with nogil:
        net.caller_mode = flush_denormals()
        if net.paths:
            crf_prepare(&net, score)
        pack_weights(&net)
        if net.n_distinct > 0:
            project_tokens(&net, &distinct_rows[0, 0])
        for k in range(n_batches):
            load_batch(&net, &offsets[0], x, ids, place, &chosen[bounds[k]],
                       bounds[k + 1] - bounds[k])
            _move(&net, &carried, True)
            network_forward(&net)
            if net.paths and not stopped(&stop, 0):
                _label_sequences(&net, &offsets[0], best, to != NULL)
            if stopped(&stop, 0):
                break
            _move(&net, &carried, False)
            if to != NULL:
                _scatter_outputs(&net, &offsets[0], to, probabilities and not net.paths)
            if read != NULL:
                _scatter_features(&net, &offsets[0], read)
        restore_mode(net.caller_mode)
    check_stopped(&stop)


cdef struct States:
    real* h                # (n_layers, n_rows, width), or NULL
    real* c
    idx n_rows
    idx width
    const idx* rows
    const unsigned char* fresh


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


def roll(
    plan, options, unsigned char[::1] workspace, const real[::1] params, states, rule,
    double[:, :, ::1] y, const double[:, :, ::1] z, double[:, :, :, ::1] out,
):
    """Forecast series block after block, each from what was forecast before (roll.pxd).

    `y` (n, steps, n_targets) holds the steps known before, the last `horizon` of which the network
    has not read yet, and gets the rest; `z` (n, at least steps - 1, n_covariates) the covariates of
    steps 1, 2, ..; `out` (n, steps to make, n_targets, outputs a target) gets all of them. `states`
    are as in `predict`, `rule` has the fields of `Roll`.
    """
    cdef Net net
    cdef States carried
    cdef Roll roll
    cdef Stop stop
    cdef idx n = y.shape[0], part, parts
    cdef const double[::1] input_scale = rule["input_scale"]
    cdef const double[:, ::1] target_scale = rule["target_scale"]
    cdef const double[:, :, ::1] lag_weights = rule["lag_weights"]
    _open(&net, plan, options, (n, n, 1), workspace, params, None)
    watch(&stop, &net)
    _read_states(&carried, &net, (states, None, None), n)
    memset(&roll, 0, sizeof(roll))
    roll.horizon, roll.n_targets, roll.width = target_scale.shape[0], y.shape[2], out.shape[3]
    roll.T, roll.stop = y.shape[1] - out.shape[1], y.shape[1]
    roll.point, roll.gaussian = rule["point"], net.plan.loss == GAUSSIAN
    # A season longer than the series is none of it; cut, it cannot overflow.
    roll.reach, roll.season = rule["reach"], imin(rule["season"], roll.stop + roll.horizon)
    roll.y, roll.out = &y[0, 0, 0], &out[0, 0, 0, 0]
    roll.input_scale, roll.target_scale = &input_scale[0], &target_scale[0, 0]
    if lag_weights is not None:
        roll.lags, roll.lag_weights = lag_weights.shape[0], &lag_weights[0, 0, 0]
    if z is not None:
        roll.n_covariates, roll.n_known, roll.z = z.shape[2], z.shape[1], &z[0, 0, 0]
    if (
        net.plan.n_directions > 1 or net.plan.n_columns or out.shape[0] != n
        or roll.horizon < 1 or roll.T < roll.horizon or out.shape[1] % roll.horizon or out.shape[2] != y.shape[2]
        or net.plan.D != y.shape[2] + roll.horizon * roll.n_covariates
        or net.plan.n_outputs != roll.horizon * y.shape[2] * roll.width
        or input_scale.shape[0] != y.shape[2] or target_scale.shape[1] != y.shape[2]
        or (z is not None and (z.shape[0] != n or z.shape[1] < roll.stop - 1))
        or (lag_weights is not None and (lag_weights.shape[1] != roll.horizon
                                         or lag_weights.shape[2] != y.shape[2]))
        or not 0 <= roll.point < roll.width or roll.reach < 0 or roll.season < 0
    ):
        raise ValueError("the series do not fit the plan")
    parts = imin(n, useful_threads(net.threads, 2.0 * n * out.shape[1] * net.plan.n_params))
    with nogil:
        net.caller_mode = flush_denormals()
        one_step_each(&net, n)
        pack_weights(&net)
        _move(&net, &carried, True)
        keep_states(&net)
        share_rows(&net, parts)
        for part in prange(parts, num_threads=parts, use_threads_if=parts > 1, schedule='static',
                           chunksize=1):
            flush_denormals()
            roll_rows(&net, &roll, net.bounds[part], net.bounds[part + 1])
            restore_worker(net.caller_mode)
        if not stopped(&stop, 0):
            _move(&net, &carried, False)
        restore_mode(net.caller_mode)
    check_stopped(&stop)


cdef inline void _label_sequences(
    Net* net, const idx* offsets, idx* path, bint wants_marginals
) noexcept nogil:
    cdef idx b, threads = useful_threads(net.threads, 4.0 * net.N * net.plan.n_outputs * net.Op)
    for b in prange(net.B, num_threads=threads, use_threads_if=threads > 1, schedule='dynamic'):
        flush_denormals()
        if path != NULL:
            best_path(net, b, path + offsets[net.order[b]])
        if wants_marginals and not stopped(net.stop, 0):
            marginals(net, b, net.crf_scratch + threadid() * 4 * net.Op)
        restore_worker(net.caller_mode)


cdef inline void _scatter_outputs(
    Net* net, const idx* offsets, real* out, bint probabilities
) noexcept nogil:
    cdef idx b, t, r, steps, O = net.plan.n_outputs
    for b in range(net.B):
        steps = net.lengths[b] if net.plan.pooling == ALL else 1
        for t in range(steps):
            r = head_row(net, t, b)
            if stopped(net.stop, 10.0 * net.Op):
                return
            if probabilities:
                softmax_row(net.logits + r * net.Op, net.logits + r * net.Op, O, net.Op)
            memcpy(out + target_of(net, offsets, t, b) * O, net.logits + r * net.Op,
                   O * sizeof(real))


include "checks.pxi"
include "chunks.pxi"
include "stream.pxi"
include "probes.pxi"
include "translate.pxi"
include "search.pxi"
include "sample.pxi"
