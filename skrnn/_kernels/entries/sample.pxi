"""Language models: drawing tokens, each read before the next."""
from cython.parallel cimport prange
from libc.math cimport exp, isfinite
from libc.string cimport memset

from .batch cimport share_rows
from .denormals cimport flush_denormals, restore_mode, restore_worker
from .embedding cimport look_up
from .pack cimport pack_weights
from .single_step cimport keep_states, one_step_each, step_rows
from .stopping cimport check_stopped, stopped, watch
from .types cimport Net, SOFTMAX, Stop, idx, imin, real, useful_threads

cdef struct Sampling:
    idx n_steps
    idx excluded            # token that is never drawn, or -1
    idx end                 # token after which a row ends, or -1
    double temperature      # 0: the most probable token
    idx top_k               # only so many most probable tokens are drawn from; 0: from all
    double top_p            # of these only the fewest whose probabilities make up this share
    idx* tokens             # in/out (n, n_steps + 1): what is read first, then what is drawn
    const double* uniforms  # in  (n, n_steps) from [0, 1)
    idx* kept               # (n, top_k) scratch


def sample(
    plan, options, unsigned char[::1] workspace, const real[::1] params, states,
    idx[:, ::1] tokens, const double[:, ::1] uniforms, double temperature, idx[:, ::1] kept,
    idx excluded, idx end, double top_p,
):
    """Draw tokens one after another, each from the outputs after its predecessor was read.

    `tokens` (n, steps + 1) holds in its first column what is read first and gets the rest; `end`
    after the end of a row, -1 after outputs that are not finite. `states` (h, c), as in `predict`,
    are those before the first column and are overwritten. `kept` (n, top_k) is scratch, and with
    its width says from how many most probable tokens is drawn; width 0: from all. With `top_p`
    below 1, which needs a `kept`, these are cut down to the nucleus: the fewest most probable ones
    that have at least this share of their probability.
    """
    cdef Net net
    cdef States carried_states
    cdef Sampling how
    cdef Stop stop
    cdef idx n = tokens.shape[0], part, parts, b
    _open(&net, plan, options, BatchLimits(n, n, 1), workspace, params, None)
    watch(&stop, &net)
    _read_states(&carried_states, &net, states, n)
    memset(&how, 0, sizeof(how))
    how.n_steps, how.excluded, how.end = uniforms.shape[1], excluded, end
    how.temperature, how.top_k, how.top_p = temperature, kept.shape[1], top_p
    if (
        net.plan.n_columns != 1 or net.plan.n_directions != 1 or net.plan.loss != SOFTMAX
        or n == 0 or uniforms.shape[0] != n or how.n_steps == 0
        or tokens.shape[1] != how.n_steps + 1 or kept.shape[0] != n or not temperature >= 0
        or max(1, how.top_k) > net.plan.n_outputs - (0 <= excluded < net.plan.n_outputs)
        or net.columns[0].rows < net.plan.n_outputs or not 0 < top_p <= 1
        or (top_p < 1 and how.top_k == 0)
    ):
        raise ValueError("The array of tokens does not fit the plan.")
    for b in range(n):
        if not 0 <= tokens[b, 0] < net.columns[0].rows:
            raise ValueError(f"The embedding has no row {tokens[b, 0]}.")
    how.tokens, how.uniforms = &tokens[0, 0], &uniforms[0, 0]
    how.kept = &kept[0, 0] if how.top_k else NULL
    parts = imin(n, useful_threads(net.threads, 2.0 * n * how.n_steps * net.plan.n_params))
    with nogil:
        net.caller_mode = flush_denormals()
        one_step_each(&net, n)
        pack_weights(&net)
        _move(&net, &carried_states, True)
        keep_states(&net)
        share_rows(&net, parts)
        for part in prange(parts, num_threads=parts, use_threads_if=parts > 1, schedule='static',
                           chunksize=1):
            flush_denormals()
            _sample_rows(&net, &how, net.part_starts[part], net.part_starts[part + 1])
            restore_worker(net.caller_mode)
        if not stopped(&stop, 0):
            _move(&net, &carried_states, False)
        restore_mode(net.caller_mode)
    check_stopped(&stop)


cdef inline void _sample_rows(Net* net, const Sampling* how, idx lo, idx hi) noexcept nogil:
    """Draw rows lo .. hi to the end."""
    cdef idx b, t, going
    cdef idx* row
    for t in range(how.n_steps):
        if stopped(net.stop, 2.0 * (hi - lo) * net.plan.n_params):
            return
        going = 0
        for b in range(lo, hi):
            row = how.tokens + b * (how.n_steps + 1) + t
            if not _ended(how, row[0], t):
                going += 1
                look_up(net, row, b, 0)
        if going:
            step_rows(net, lo, hi)
        for b in range(lo, hi):
            row = how.tokens + b * (how.n_steps + 1) + t
            row[1] = row[0]
            if not _ended(how, row[0], t):
                row[1] = _draw(how, net.logits + b * net.Op, net.plan.n_outputs,
                               how.uniforms[b * how.n_steps + t], how.kept + b * how.top_k)


cdef inline bint _ended(const Sampling* how, idx token, idx t) noexcept nogil:
    # What is read first may be the same symbol as that which ends: it starts a sequence.
    return token < 0 or (t > 0 and token == how.end)


# p_j = exp((z_j - max z) / temperature) / s with s their sum over the tokens that may be drawn
cdef inline idx _draw(
    const Sampling* how,
    const real* z,         # in  (n,)
    idx n,
    double u,              # uniform from [0, 1)
    idx* kept,             # out (top_k,) scratch
) noexcept nogil:
    """Return the token whose share of [0, 1) holds u, or -1 where a number is not finite."""
    cdef idx i, j, best = -1, many = how.top_k if how.top_k else n
    cdef double total = 0, sum = 0
    for j in range(n):
        if j != how.excluded and (best < 0 or z[j] > z[best]):
            best = j
    if not isfinite(z[best]):
        return -1
    if how.temperature == 0:
        return best
    if how.top_k:
        _keep_best(z, n, how.excluded, kept, how.top_k)
    for i in range(many):
        j = kept[i] if how.top_k else i
        if j != how.excluded:
            total += exp((z[j] - z[best]) / how.temperature)
    if not isfinite(total):
        return -1
    if how.top_p < 1:
        many = _keep_nucleus(how, z, z[best], kept, &total)
    for i in range(many):
        j = kept[i] if how.top_k else i
        if j != how.excluded:
            sum += exp((z[j] - z[best]) / how.temperature)
            if sum > u * total:
                return j
    return best  # rounding: u * total is not above the whole sum


cdef inline bint _below(const real* z, idx i, idx j) noexcept nogil:
    """Compare by value; of equal values, the later place is the lower."""
    return z[i] < z[j] or (z[i] == z[j] and i > j)


cdef inline void _sift(const real* z, idx* heap, idx n, idx at) noexcept nogil:
    """Move the entry at `at` of a heap of n, lowest first, down to its place."""
    cdef idx child
    while 2 * at + 1 < n:
        child = 2 * at + 1
        if child + 1 < n and _below(z, heap[child + 1], heap[child]):
            child += 1
        if not _below(z, heap[child], heap[at]):
            return
        heap[at], heap[child] = heap[child], heap[at]
        at = child


cdef inline idx _keep_nucleus(
    const Sampling* how, const real* z, double highest, idx* heap, double* total
) noexcept nogil:
    """Remove the least probable tokens from a heap while the others make up the share `top_p`.

    Returns how many are left, and puts the sum of their numbers in `total`.
    """
    cdef idx n = how.top_k
    cdef double off = 0, least
    while n > 1:
        least = exp((z[heap[0]] - highest) / how.temperature)
        if off + least > (1 - how.top_p) * total[0]:
            break
        off += least
        n -= 1
        heap[0] = heap[n]
        _sift(z, heap, n, 0)
    total[0] -= off
    return n


cdef inline void _keep_best(const real* z, idx n, idx excluded, idx* heap, idx k) noexcept nogil:
    """Find the k largest of n values without `excluded`, as a heap whose lowest is replaced."""
    cdef idx j, i, count = 0
    for j in range(n):
        if j == excluded:
            continue
        if count < k:
            heap[count] = j
            count += 1
            if count == k:
                for i in range(k // 2 - 1, -1, -1):
                    _sift(z, heap, k, i)
        elif _below(z, heap[0], j):
            heap[0] = j
            _sift(z, heap, k, 0)
