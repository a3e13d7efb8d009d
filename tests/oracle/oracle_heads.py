"""The oracle's heads: poolings, losses, and the linear-chain CRF, forward and backward.

A head makes logits p of what a pooling shows it, a row of ``n_outputs`` numbers at a time, and a
loss compares them with the targets. In the backward functions ``dz`` stands for the derivative of
the loss with respect to ``z``.
"""

import numpy as np
from scipy.special import digamma
from scipy.stats import t as student_t

# --------------------------------------------------------------------------------------------------
# Poolings: (T, n_directions * H) outputs -> the rows the head sees, one row or T of them
#
# forward(outputs, H) -> rows;  backward(d_rows, outputs, H) -> d_outputs
# --------------------------------------------------------------------------------------------------


def last_forward(outputs, H):
    """Take each direction's final state: step T - 1 going forward, step 0 in reverse."""
    return np.concatenate([outputs[-1, :H], outputs[0, H:]])[None, :]


def last_backward(d_rows, outputs, H):
    """Hand the derivative back to those two steps."""
    d_outputs = np.zeros_like(outputs)
    d_outputs[-1, :H] = d_rows[0, :H]
    d_outputs[0, H:] = d_rows[0, H:]
    return d_outputs


def mean_forward(outputs, H):
    """Average over the steps."""
    return outputs.sum(axis=0, keepdims=True) / len(outputs)


def mean_backward(d_rows, outputs, H):
    """Share the derivative out evenly."""
    return np.ones_like(outputs) * d_rows / len(outputs)


def max_forward(outputs, H):
    """Take the largest value over the steps, unit by unit."""
    return outputs.max(axis=0, keepdims=True)


def max_backward(d_rows, outputs, H):
    """Give the derivative to the step that won; argmax is the first of equals."""
    d_outputs = np.zeros_like(outputs)
    for unit, t in enumerate(outputs.argmax(axis=0)):
        d_outputs[t, unit] = d_rows[0, unit]
    return d_outputs


def all_forward(outputs, H):
    """Keep every step."""
    return outputs


def all_backward(d_rows, outputs, H):
    """Hand back every step."""
    return d_rows


def attention_forward(outputs, H, v):
    """Average over the steps with the weights softmax_t(v . h_t)."""
    scores = outputs @ v
    shares = np.exp(scores - scores.max())
    return (shares / shares.sum())[None, :] @ outputs


def attention_backward(d_rows, outputs, H, v):
    """Return the derivative of the outputs, and that of v."""
    scores = outputs @ v
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    d_shares = outputs @ d_rows[0]
    d_scores = shares * (d_shares - shares @ d_shares)
    return np.outer(shares, d_rows[0]) + np.outer(d_scores, v), d_scores @ outputs


POOLINGS = {
    "last": (last_forward, last_backward),
    "mean": (mean_forward, mean_backward),
    "max": (max_forward, max_backward),
    "attention": (attention_forward, attention_backward),
    "all": (all_forward, all_backward),
}


def pool_forward(name, outputs, H, weights):
    """Return the rows of a pooling, or of a tuple of them side by side."""
    names = [name] if isinstance(name, str) else name
    own = {one: (weights["pool_weight"],) if one == "attention" else () for one in names}
    return np.hstack([POOLINGS[one][0](outputs, H, *own[one]) for one in names])


def pool_backward(name, d_rows, outputs, H, weights):
    """Return the derivative of the outputs, and those of the pooling's own weights."""
    names = [name] if isinstance(name, str) else name
    d_outputs, d_own = 0, {}
    for one, part in zip(names, np.split(d_rows, len(names), axis=1), strict=True):
        if one == "attention":
            d_part, d_own["pool_weight"] = attention_backward(
                part, outputs, H, weights["pool_weight"]
            )
        else:
            d_part = POOLINGS[one][1](part, outputs, H)
        d_outputs = d_outputs + d_part
    return d_outputs, d_own


# --------------------------------------------------------------------------------------------------
# Linear-chain conditional random field (Lafferty, McCallum, Pereira 2001)
#
# A path y gives each of T steps one of K tags. With the logits p (T, K),
#
#     score(y) = start[y_1] + sum_t p[t, y_t] + sum_t transitions[y_{t-1}, y_t] + end[y_T]
#     P(y) = exp(score(y)) / Z,    Z = sum over all paths of exp(score(y))
#
# transitions[i, j] is the score of tag j after tag i. A score of -inf forbids; that goes for the
# logits too.
# --------------------------------------------------------------------------------------------------


def log_sum_exp(scores, axis=None):
    """Return log sum exp(scores); -inf of nothing but -inf."""
    # log sum exp(s) = m + log sum exp(s - m), m the highest of s
    m = np.max(scores, axis=axis, keepdims=True)
    m = np.where(m == -np.inf, 0.0, m)
    with np.errstate(divide="ignore"):
        return np.squeeze(m, axis) + np.log(np.sum(np.exp(scores - m), axis=axis))


def shares(scores):
    """Return exp(scores - log Z), log Z taken of these scores, so that rounding cancels."""
    return np.exp(scores - log_sum_exp(scores))


def crf_lattice(p, start, transitions, end):
    """Sum exp(score) over the beginnings and the endings of paths, in log space.

    Parameters
    ----------
    p : ndarray of shape (T, K)
        Logits.
    start, end : ndarray of shape (K,)
    transitions : ndarray of shape (K, K)

    Returns
    -------
    alpha : ndarray of shape (T, K)
        [t, k]: over the beginnings y_1 .. y_t with y_t = k, of their scores up to p[t, k].
    beta : ndarray of shape (T, K)
        [t, k]: over the endings y_{t+1} .. y_T after y_t = k, of their scores from
        transitions[k, y_{t+1}] on.
    log_z : float
        Over all paths. So is log sum_k exp(alpha[t, k] + beta[t, k]), whatever the step t.
    """
    alpha, beta = np.zeros_like(p), np.zeros_like(p)
    # alpha[1, j] = start[j] + p[1, j]
    # alpha[t, j] = log sum_i exp(alpha[t-1, i] + transitions[i, j]) + p[t, j]
    alpha[0] = start + p[0]
    for t in range(1, len(p)):
        alpha[t] = log_sum_exp(alpha[t - 1][:, None] + transitions, axis=0) + p[t]
    # beta[T, i] = end[i]
    # beta[t, i] = log sum_j exp(transitions[i, j] + p[t+1, j] + beta[t+1, j])
    beta[-1] = end
    for t in reversed(range(len(p) - 1)):
        beta[t] = log_sum_exp(transitions + (p[t + 1] + beta[t + 1])[None, :], axis=1)
    # log Z = log sum_k exp(alpha[T, k] + end[k])
    return alpha, beta, log_sum_exp(alpha[-1] + end)


def crf_log_partition(p, start, transitions, end):
    """Return log Z and its derivatives, which are the marginals of the tags and of their pairs.

    Parameters
    ----------
    p, start, transitions, end : as in `crf_lattice`

    Returns
    -------
    log_z : float
        -inf where every path is forbidden; the derivatives are zeros then.
    dp : ndarray of shape (T, K)
    d_start : ndarray of shape (K,)
    d_transitions : ndarray of shape (K, K)
    d_end : ndarray of shape (K,)
    """
    alpha, beta, log_z = crf_lattice(p, start, transitions, end)
    if log_z == -np.inf:
        return log_z, *(np.zeros_like(scores) for scores in (p, start, transitions, end))
    # d log Z / d p[t, k] = P(y_t = k) = exp(alpha[t, k] + beta[t, k] - log Z)
    dp = np.array([shares(alpha[t] + beta[t]) for t in range(len(p))])
    # d log Z / d transitions[i, j] = sum_t P(y_{t-1} = i, y_t = j)
    #       = sum_t exp(alpha[t-1, i] + transitions[i, j] + p[t, j] + beta[t, j] - log Z)
    d_transitions = np.zeros_like(transitions)
    for t in range(1, len(p)):
        after = (p[t] + beta[t])[None, :]
        d_transitions += shares(alpha[t - 1][:, None] + transitions + after)
    # d log Z / d start[k] = P(y_1 = k)    d log Z / d end[k] = P(y_T = k)
    return log_z, dp, dp[0], d_transitions, dp[-1]


def crf_marginals(logits, start, transitions, end):
    """Return P(y_t = k) of every step and tag, (T, K); zeros where every path is forbidden."""
    _, marginals, *_ = crf_log_partition(*as_floats(logits, start, transitions, end))
    return marginals


def viterbi(logits, start, transitions, end):
    """Return the path of the highest score, (T,); -1 throughout where every path is forbidden.

    Of tags that do equally well the first is taken, from the last step back (Viterbi 1967).
    """
    p, start, transitions, end = as_floats(logits, start, transitions, end)
    # best[t, k] is the highest score of the beginnings y_1 .. y_t with y_t = k, before[t, k] the
    # y_{t-1} of the one that has it
    best, before = np.zeros_like(p), np.zeros(p.shape, dtype=np.intp)
    best[0] = start + p[0]
    for t in range(1, len(p)):
        scores = best[t - 1][:, None] + transitions
        best[t] = scores.max(axis=0) + p[t]
        before[t] = scores.argmax(axis=0)
    path = np.full(len(p), -1)
    if np.max(best[-1] + end) == -np.inf:
        return path
    path[-1] = np.argmax(best[-1] + end)
    for t in reversed(range(1, len(p))):
        path[t - 1] = before[t, path[t]]
    return path


def as_floats(*arrays):
    """Return the arrays in float64."""
    return [np.asarray(array, dtype=np.float64) for array in arrays]


# --------------------------------------------------------------------------------------------------
# Losses of one sequence: the (rows, n_outputs) logits p, targets y and weights w of its rows
#
# loss(p, y, w, weights) -> weighted loss, its derivative dp, {name: derivative} of its own weights
#
# One whose targets are labels gets weight 0 where the label is -1: see `counted_weights`.
# --------------------------------------------------------------------------------------------------


def softmax_loss(p, y, w, weights):
    """Cross-entropy of integer targets, row by row."""
    # l = -w log q_y    q = exp(p) / sum exp(p)    dl/dp = w (q - onehot(y))
    rows = np.arange(len(p))
    shifted = p - p.max(axis=1, keepdims=True)
    log_q = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dp = np.exp(log_q)
    dp[rows, y] -= 1
    return np.sum(w * -log_q[rows, y]), w[:, None] * dp, {}


# Losses of numbers compare M targets per row with the outputs, and are means over the M. A target
# that is NaN is missing: its term is 0, and the mean is still over M.

QUANTILES = (0.2, 0.9)


OUTPUTS_PER_TARGET = {
    "quantile": len(QUANTILES), "gaussian": 2, "student_t": 3, "negative_binomial": 2
}  # fmt: skip


def n_targets(loss, n_outputs):
    """Return M: how many numbers so many outputs are compared with."""
    per = 2 if loss == "negative_binomial" else 1  # a count, and the logarithm of its scale
    return n_outputs // OUTPUTS_PER_TARGET.get(loss, 1) * per


def draw_values(rng, loss, rows, M):
    """Draw targets of shape (rows, M) for a loss of values."""
    values = rng.standard_normal((rows, M))
    if loss == "negative_binomial":
        values[:, ::2] = rng.poisson(2.0, (rows, M // 2))
    return values


def _residuals(p, y):
    """Return targets minus outputs, 0 where the target is missing."""
    return np.nan_to_num(np.reshape(y, p.shape) - p)


def squared_error_loss(p, y, w, weights):
    """Half the squared error."""
    # l = w/2 mean_k (y_k - p_k)^2    dl/dp_k = -w (y_k - p_k) / M
    r = _residuals(p, y)
    return np.sum(w * 0.5 * (r**2).mean(axis=1)), -w[:, None] * r / p.shape[1], {}


def absolute_error_loss(p, y, w, weights):
    """Absolute error."""
    # l = w mean_k |y_k - p_k|        dl/dp_k = -w sign(y_k - p_k) / M
    r = _residuals(p, y)
    return np.sum(w * np.abs(r).mean(axis=1)), -w[:, None] * np.sign(r) / p.shape[1], {}


def quantile_loss(p, y, w, weights):
    """Pinball loss (Koenker and Bassett 1978): target k has the outputs kQ .. kQ + Q - 1."""
    # l = w mean_k sum_q (a_q - [r < 0]) r,  r = y_k - p_kq        dl/dp_kq = -w (a_q - [r < 0]) / M
    Q, a = len(QUANTILES), np.array(QUANTILES)
    M = p.shape[1] // Q
    dp = np.zeros_like(p)
    r = np.nan_to_num(np.reshape(y, (-1, M, 1)) - p[:, : M * Q].reshape(-1, M, Q))
    slope = np.where(r == 0, 0, a - (r < 0))
    dp[:, : M * Q] = (-w[:, None, None] * slope / M).reshape(len(p), -1)
    return np.sum(w * (slope * r).sum(axis=(1, 2)) / M), dp, {}


def gaussian_loss(p, y, w, weights):
    """Negative log-likelihood, less its constant: outputs 2k, 2k + 1 are mean and log deviation."""
    # l = w mean_k s_k + e_k^2 / 2,  e_k = (y_k - m_k) exp(-s_k)
    # dl/dm_k = -w e_k exp(-s_k) / M      dl/ds_k = w (1 - e_k^2) / M
    M = p.shape[1] // 2
    y = np.reshape(y, (-1, M))
    m, s = p[:, 0 : 2 * M : 2], p[:, 1 : 2 * M : 2]
    given = ~np.isnan(y)
    e = np.where(given, y - m, 0) * np.exp(-s)
    dp = np.zeros_like(p)
    dp[:, 0 : 2 * M : 2] = -w[:, None] * e * np.exp(-s) / M
    dp[:, 1 : 2 * M : 2] = w[:, None] * given * (1 - e**2) / M
    return np.sum(w * (given * s + e**2 / 2).sum(axis=1) / M), dp, {}


def student_t_loss(p, y, w, weights):
    """Negative log-likelihood, less a constant: outputs 3k .. are location, log scale and shape."""
    # l = w mean_k s_k - log t_n(e_k) - 1/2 log 2 pi,  e_k = (y_k - m_k) e^-s_k,  n = 2 + e^v_k
    # dl/dm = -w g e^-s / M,  dl/ds = w (1 - g e) / M,  g = (n + 1) e / (n + e^2)
    # dl/dv = w e^v / 2 (log(1 + e^2 / n) - g e / n + F(n / 2) - F((n + 1) / 2) + 1 / n) / M
    # where F is the digamma function
    M = p.shape[1] // 3
    y = np.reshape(y, (-1, M))
    m, s, v = (p[:, i : 3 * M : 3] for i in range(3))
    given = ~np.isnan(y)
    e = np.where(given, y - m, 0) * np.exp(-s)
    more = np.exp(np.minimum(v, 12))
    n = 2 + more
    g = (n + 1) * e / (n + e**2)
    terms = s - student_t.logpdf(e, n) - 0.5 * np.log(2 * np.pi)
    # Of many degrees of freedom the difference has no digits left: the series is exact to rounding.
    apart = digamma(n / 2) - digamma((n + 1) / 2) + 1 / n
    apart = np.where(n > 200, -1 / (2 * n**2) + 1 / (4 * n**4), apart)
    slopes = np.log1p(e**2 / n) - g * e / n + apart
    dp, share = np.zeros_like(p), w[:, None] * given / M
    dp[:, 0 : 3 * M : 3] = -share * g * np.exp(-s)
    dp[:, 1 : 3 * M : 3] = share * (1 - g * e)
    dp[:, 2 : 3 * M : 3] = share * (v < 12) * more / 2 * slopes
    return np.sum(w * (given * terms).sum(axis=1) / M), dp, {}


def negative_binomial_loss(p, y, w, weights):
    """Negative log-likelihood of counts: outputs 2k, 2k + 1 are log mean and log dispersion.

    Of y the numbers 2k are counts c, and 2k + 1 logarithms of the scales of their means.
    """
    # l = w mean_k -log NB(c_k; m_k, r_k),  m = scale_k e^a,  r = e^-d
    #   = w mean_k sum_{i < c} (log(1 + i) - log(1 + i / r)) + (c + r) log(1 + m / r) - c log m
    # dl/da = w r (m - c) / (r + m) / M
    # dl/dd = w r (sum_{i < c} 1 / (r + i) - log(1 + m / r) + (m - c) / (r + m)) / M
    M = p.shape[1] // 2
    y = np.reshape(y, (-1, M, 2))
    given = ~np.isnan(y).any(axis=2)
    c, scale = np.where(given[..., None], y, 0).transpose(2, 0, 1)
    a, d = p[:, 0 : 2 * M : 2], p[:, 1 : 2 * M : 2]
    m, r = np.exp(a + scale), np.exp(-np.clip(d, -12, 12))
    i, below = np.arange(c.max(initial=0)), r[..., None]
    counted = i < c[..., None]
    terms = (counted * (np.log1p(i) - np.log1p(i / below))).sum(axis=-1)
    terms += (c + r) * np.log1p(m / r) - c * (a + scale)
    slopes = (counted / (below + i)).sum(axis=-1) - np.log1p(m / r) + (m - c) / (r + m)
    dp, share = np.zeros_like(p), w[:, None] * given / M
    dp[:, 0 : 2 * M : 2] = share * r * (m - c) / (r + m)
    dp[:, 1 : 2 * M : 2] = share * (np.abs(d) < 12) * r * slopes
    return np.sum(w * (given * terms).sum(axis=1) / M), dp, {}


def poisson_loss(p, y, w, weights):
    """Negative log-likelihood of counts, less its constant; the output is the log of the mean."""
    # l = w mean_k exp(p_k) - y_k p_k      dl/dp_k = w (exp(p_k) - y_k) / M
    y = np.reshape(y, p.shape)
    given = ~np.isnan(y)
    y = np.where(given, y, 0)
    terms, slopes = given * (np.exp(p) - y * p), given * (np.exp(p) - y)
    return np.sum(w * terms.mean(axis=1)), w[:, None] * slopes / p.shape[1], {}


def binary_log_loss(p, y, w, weights):
    """Cross-entropy of labels that are there (1) or not (0), each by itself; a sum over labels."""
    # l = -w sum_k y_k log q_k + (1 - y_k) log(1 - q_k),  q = 1 / (1 + exp(-p))
    #   = w sum_k log(1 + exp(p_k)) - y_k p_k
    # dl/dp_k = w (q_k - y_k)
    y = np.reshape(y, p.shape)
    given = ~np.isnan(y)
    y, q = np.where(given, y, 0), np.exp(-np.logaddexp(0, -p))
    terms = given * (np.logaddexp(0, p) - y * p)
    return np.sum(w * terms.sum(axis=1)), w[:, None] * given * (q - y), {}


def crf_loss(p, y, w, weights):
    """Negative log probability that a CRF gives the labels of a sequence; a row is a step.

    A step of weight 0 has no label: any tag agrees with it (Tsuboi et al. 2008).
    """
    # l = w_b -log sum over the paths that agree with the labels of P(y) = w_b (log Z - log Z')
    # where Z' is the Z of logits of -inf at the tags that do not agree, and w_b the mean of w over
    # the labelled steps. So dl is w_b (marginals of all paths - marginals of those that agree).
    names = ["crf_start", "crf_transitions", "crf_end"]
    scores = [weights[name] for name in names]
    labelled = w != 0
    w_b = w[labelled].mean() if labelled.any() else 0.0
    agrees = (np.arange(p.shape[1]) == np.asarray(y)[:, None]) | ~labelled[:, None]

    log_z, *free = crf_log_partition(p, *scores)
    log_z_agree, *clamped = crf_log_partition(np.where(agrees, p, -np.inf), *scores)
    dp, *own = (w_b * (f - c) for f, c in zip(free, clamped, strict=True))
    return w_b * (log_z - log_z_agree), dp, dict(zip(names, own, strict=True))


LOSSES = {
    "softmax": softmax_loss,
    "squared_error": squared_error_loss,
    "crf": crf_loss,
    "absolute_error": absolute_error_loss,
    "quantile": quantile_loss,
    "gaussian": gaussian_loss,
    "poisson": poisson_loss,
    "binary_log_loss": binary_log_loss,
    "student_t": student_t_loss,
    "negative_binomial": negative_binomial_loss,
}
LABEL_LOSSES = ("softmax", "crf")


def has_target(loss, targets):
    """Tell which rows of one sequence have a target: not a label of -1, nor NaN throughout.

    Parameters
    ----------
    loss : str
    targets : array-like
        Of the rows of the sequence; of its one row, a scalar will do for a label.

    Returns
    -------
    given : ndarray of shape (rows,), dtype=bool
    """
    if loss in LABEL_LOSSES:
        return np.atleast_1d(targets) != -1
    return ~np.isnan(np.atleast_2d(np.asarray(targets, dtype=np.float64))).all(axis=1)
