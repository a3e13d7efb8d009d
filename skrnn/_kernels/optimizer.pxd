"""L2, global-norm clipping and the optimizer step on the flat parameter vector.

The vector is worked through in the plan's chunks, cut alike for any number of threads; the sums of
squares of the chunks are added in order. An embedding is not among the chunks: only its rows that
occur in the batch are updated, with moments of their own (lazy, as PyTorch's SparseAdam).
"""
from cython.parallel cimport prange
from libc.math cimport sqrt

from .denormals cimport flush_denormals, restore_worker
from .types cimport Net, idx, real, useful_threads

cdef enum Solver:
    ADAM
    SGD

cdef struct Optimizer:
    idx solver
    double alpha      # L2: alpha / 2 * sum(W^2), already divided by the weight of the data
    double max_norm   # 0: no clipping
    double learning_rate
    double beta_1
    double beta_2
    double epsilon
    double momentum
    idx nesterov
    idx step          # t, counted from 1
    real* m           # (n_params,) first moments, or velocity
    real* v           # (n_params,) second moments; adam only


cdef inline void penalize_chunk(Net* net, double alpha, idx chunk) noexcept nogil:
    """g += alpha * W where L2 applies; sums of squares of g and of penalized W."""
    cdef const idx* at = net.tables + net.plan.chunks + 3 * chunk
    cdef real factor = <real> alpha
    cdef real* g = net.grads + at[0]
    cdef const real* w = net.params + at[0]
    cdef idx k, n = at[1] - at[0]
    net.scratch_squares[2 * chunk + 1] = 0
    if at[2] and alpha > 0:
        net.scratch_squares[2 * chunk + 1] = squares(w, n)
        for k in range(n):
            g[k] += factor * w[k]
    net.scratch_squares[2 * chunk] = squares(g, n)


cdef inline double squares(const real* x, idx n) noexcept nogil:
    """Sum of squares in double precision. Eight sums side by side, because in one each addition
    waits for the one before: that was most of the time of clipping and the step."""
    cdef double[8] sums
    cdef idx k, j, whole = n // 8 * 8
    for j in range(8):
        sums[j] = 0
    for k from 0 <= k < whole by 8:
        for j in range(8):
            sums[j] += <double> x[k + j] * x[k + j]
    for j in range(n - whole):
        sums[j] += <double> x[whole + j] * x[whole + j]
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))


cdef inline double touched_squares(const Net* net) noexcept nogil:
    """Sum of squares of the gradients of the embedding rows that occur in the batch."""
    cdef idx c, run
    cdef double total = 0
    for c in range(net.plan.n_columns):
        for run in range(net.n_touched[c]):
            total += squares(net.grads + touched_row(net, c, run), net.columns[c].dim)
    return total


cdef inline idx touched_row(const Net* net, idx c, idx run) noexcept nogil:
    """Where in the flat vector the row lies that run `run` of column c has touched."""
    return net.columns[c].start + net.touched_rows[c][run] * net.columns[c].dim


# Adam (Kingma and Ba 2015, algorithm 1 with the step size of section 2), and momentum in the form
# of Sutskever et al. 2013; both as scikit-learn's MLPClassifier computes them.
#     m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2
#     p -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps)
#     u = mu u - lr g            p += u, or mu u - lr g (Nesterov)
cdef inline void update_range(
    Net* net, const Optimizer* opt, double scale, double rate, idx start, idx stop
) noexcept nogil:
    cdef real b1 = <real> opt.beta_1, b2 = <real> opt.beta_2
    cdef real one_b1 = <real> (1 - opt.beta_1), one_b2 = <real> (1 - opt.beta_2)
    cdef real eps = <real> opt.epsilon, mu = <real> opt.momentum
    cdef real lr = <real> rate, s = <real> scale
    cdef real g
    cdef real* p = net.params
    cdef const real* grads = net.grads
    cdef real* m = opt.m
    cdef real* v = opt.v
    cdef idx k
    if opt.solver == ADAM:
        for k in range(start, stop):
            g = s * grads[k]
            m[k] = b1 * m[k] + one_b1 * g
            v[k] = b2 * v[k] + one_b2 * (g * g)
            p[k] -= lr * m[k] / (sqrt_real(v[k]) + eps)
    elif opt.nesterov:
        for k in range(start, stop):
            g = s * grads[k]
            m[k] = mu * m[k] - lr * g
            p[k] += mu * m[k] - lr * g
    else:
        for k in range(start, stop):
            m[k] = mu * m[k] - lr * s * grads[k]
            p[k] += m[k]


cdef extern from *:
    """
    #ifdef SKRNN_F64
    #define sqrt_real sqrt
    #else
    #define sqrt_real sqrtf
    #endif
    """
    real sqrt_real(real x) noexcept nogil


cdef inline double step_size(const Optimizer* opt) noexcept nogil:
    if opt.solver == ADAM:
        return opt.learning_rate * sqrt(1 - opt.beta_2 ** opt.step) / (1 - opt.beta_1 ** opt.step)
    return opt.learning_rate


cdef inline void update_touched(
    Net* net, const Optimizer* opt, double scale, double rate
) noexcept nogil:
    cdef idx c, run, at
    for c in range(net.plan.n_columns):
        for run in range(net.n_touched[c]):
            at = touched_row(net, c, run)
            update_range(net, opt, scale, rate, at, at + net.columns[c].dim)


cdef inline double penalize(Net* net, const Optimizer* opt, double* penalty) noexcept nogil:
    """Add the L2 gradient; returns the global norm of the gradient, sets the L2 loss."""
    cdef idx k
    cdef idx threads = useful_threads(net.threads, 4.0 * net.plan.n_params)
    cdef double g2 = 0, w2 = 0
    for k in prange(net.plan.n_chunks, num_threads=threads, use_threads_if=threads > 1,
                    schedule='dynamic'):
        flush_denormals()
        penalize_chunk(net, opt.alpha, k)
        restore_worker(net.caller_mode)
    for k in range(net.plan.n_chunks):
        g2 += net.scratch_squares[2 * k]
        w2 += net.scratch_squares[2 * k + 1]
    penalty[0] = 0.5 * opt.alpha * w2
    g2 += touched_squares(net)
    if net.characters != NULL:
        g2 += touched_squares(net.characters)
    return sqrt(g2)


cdef inline void optimizer_step(Net* net, Optimizer* opt, double norm) noexcept nogil:
    """One optimizer step with the gradient clipped to a global norm of max_norm (Pascanu 2013)."""
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
    if net.characters != NULL:
        update_touched(net.characters, opt, scale, rate)
