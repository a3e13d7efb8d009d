"""Losses of distributions whose likelihood has the gamma function, with their gradients.

As in losses.pxd a loss is a mean over the targets of a row, and a target that is NaN is missing.
All is computed in double precision, whatever `real` is. G is the gamma function, F = (log G)';
their differences are computed as such, because those of two values of G lose all digits where its
arguments are large.
"""
from libc.math cimport exp, log, log1p
from libc.string cimport memset

from ..types cimport idx, real

cdef enum:
    LARGEST_SHAPE = 12     # of v and |d| below: e^12 = 160,000; _forecaster/distributions.py has it


# Outputs 3 j, 3 j + 1 and 3 j + 2 are location m, log scale s and shape v of a Student t
# distribution of target j with n = 2 + e^v degrees of freedom, more than 2 so that it has a
# variance. With r = (y_j - m) e^-s and g = (n + 1) r / (n + r^2), without the constant
# 1/2 log(2 pi), which is that of the normal distribution,
#     l = mean_j s + (n + 1) / 2 log(1 + r^2 / n) - R(n / 2)
#     dl/dm = -g e^-s,  dl/ds = 1 - g r,  dl/dv = e^v / 2 (log(1 + r^2 / n) - g r / n - R'(n / 2))
#     R(x) = log G(x + 1/2) - log G(x) - 1/2 log x
# Beyond v = 12 it is a normal distribution to four digits: n stays there, and v has no gradient.
cdef inline double student_t_loss(
    real* dz,              # out (Op,)
    const real* z,         # in  (Op,)
    idx M,
    idx Op,
    const real* y,         # in  (M,)
    double weight,
) noexcept nogil:
    cdef double loss = 0, share = weight / M, inverse, r, v, e, n, g, slope
    cdef idx j
    memset(dz, 0, Op * sizeof(real))
    for j in range(M):
        if y[j] == y[j]:
            inverse = exp(-<double> z[3 * j + 1])
            r = (<double> y[j] - z[3 * j]) * inverse
            v = z[3 * j + 2]
            e = exp(v if v < LARGEST_SHAPE else LARGEST_SHAPE)
            n = 2 + e
            g = (n + 1) * r / (n + r * r)
            loss += z[3 * j + 1] + 0.5 * (n + 1) * log1p(r * r / n) - half_step(0.5 * n, &slope)
            dz[3 * j] = <real> (-g * inverse * share)
            dz[3 * j + 1] = <real> ((1 - g * r) * share)
            if v < LARGEST_SHAPE:
                dz[3 * j + 2] = <real> (0.5 * e * share * (log1p(r * r / n) - g * r / n - slope))
    return loss / M


# Outputs 2 j and 2 j + 1 are a and d of a negative binomial distribution of count c = y_2j, whose
# mean is a multiple of the scale that y_2j+1 is the logarithm of (DeepAR, Salinas et al. 2020,
# section 3.1, where it multiplies the mean as here but divides the dispersion as well; here the
# dispersion e^d, which has no unit, stays as it is). With m = e^(a + y_2j+1) and k = e^-d, so that
# the variance is m + m^2 / k,
#     l = mean_j log G(c + 1) - Q(c, k) + (c + k) log(1 + m / k) - c log m
#     dl/da = k (m - c) / (k + m)
#     dl/dd = k (F(c + k) - F(k) - log(1 + m / k) + (m - c) / (k + m))           O = M
#     Q(c, k) = log G(c + k) - log G(k) - c log k
# Below d = -12 it is a Poisson distribution: k stays there, and d has no gradient; likewise above
# 12, where almost every count is 0.
cdef inline double negative_binomial_loss(
    real* dz, const real* z, idx M, idx Op, const real* y, double weight
) noexcept nogil:
    cdef double loss = 0, share = 2 * weight / M, m, k, c, d, log_mean, slope
    cdef idx j
    memset(dz, 0, Op * sizeof(real))
    for j from 0 <= j < M by 2:
        if y[j] == y[j] and y[j + 1] == y[j + 1]:
            c, d = y[j], z[j + 1]
            log_mean = <double> z[j] + y[j + 1]
            m = exp(log_mean)
            k = exp(-(LARGEST_SHAPE if d > LARGEST_SHAPE
                      else -LARGEST_SHAPE if d < -LARGEST_SHAPE else d))
            loss += (log_factorial(c) - rise(c, k, &slope) + (c + k) * log1p(m / k)
                     - c * log_mean)
            dz[j] = <real> (k * (m - c) / (k + m) * share)
            if -LARGEST_SHAPE < d < LARGEST_SHAPE:
                dz[j + 1] = <real> (k * share * (slope - log1p(m / k) + (m - c) / (k + m)))
    return 2 * loss / M


# Below 10 series do not hold: log G(x) = log G(x + 1) - log x leads there. As one product the
# steps cost one logarithm.
#     R(x) = -1/(8 x) + 1/(192 x^3) - 1/(640 x^5) + 17/(14336 x^7) - 31/(18432 x^9) + ..
#     R'(x) = 1/(8 x^2) - 1/(64 x^4) + 1/(128 x^6) - 17/(2048 x^8) + 31/(2048 x^10) - ..
# from Stirling's series below at x + 1/2 and x.
cdef inline double half_step(double x, double* slope) noexcept nogil:
    """R(x) of x > 0; its derivative in `slope`."""
    cdef double passed = 1, steps = 0, first = x, i
    while x < 10:
        passed *= (x + 0.5) / x
        steps += 0.5 / (x * (x + 0.5))
        x += 1
    i = 1 / (x * x)
    slope[0] = steps + 0.5 / x - 0.5 / first + i * (
        1. / 8 - i * (1. / 64 - i * (1. / 128 - i * (17. / 2048 - i * 31. / 2048))))
    return 0.5 * log(x / first) - log(passed) - 1 / x * (
        1. / 8 - i * (1. / 192 - i * (1. / 640 - i * (17. / 14336 - i * 31. / 18432))))


# With log G(x) = (x - 1/2) log x - x + 1/2 log(2 pi) + S(x) and F(x) = log x - 1/(2 x) + S'(x),
# for k of 10 and more
#     Q(c, k) = (c + k - 1/2) log(1 + c / k) - c + S(c + k) - S(k)
#     F(c + k) - F(k) = log(1 + c / k) + c / (2 k (c + k)) + S'(c + k) - S'(k)
cdef inline double rise(double c, double k, double* slope) noexcept nogil:
    """Q(c, k) of c >= 0 and k > 0; F(c + k) - F(k) in `slope`."""
    cdef double passed = 1, steps = 0, first = k
    while k < 10:
        passed *= (c + k) / k
        steps += c / (k * (c + k))
        k += 1
    slope[0] = (log1p(c / k) + 0.5 * c / (k * (c + k)) + stirling_slope(c + k) - stirling_slope(k)
                + steps)
    return ((c + k - 0.5) * log1p(c / k) - c + stirling(c + k) - stirling(k) - log(passed)
            + c * log(k / first))


cdef inline double log_factorial(double c) noexcept nogil:
    """log G(c + 1) of c >= 0. (lgamma of the C library writes a global sign.)"""
    cdef double passed = 1, x = c + 1
    while x < 10:
        passed *= x
        x += 1
    return (x - 0.5) * log(x) - x + 0.91893853320467274178 - log(passed) + stirling(x)


# S(x) = 1/(12 x) - 1/(360 x^3) + 1/(1260 x^5) - 1/(1680 x^7) + 1/(1188 x^9) - ..
# (Abramowitz and Stegun, 6.1.41)
cdef inline double stirling(double x) noexcept nogil:
    """S(x) of x >= 10."""
    cdef double i = 1 / (x * x)
    return (1. / 12 - i * (1. / 360 - i * (1. / 1260 - i * (1. / 1680 - i / 1188)))) / x


cdef inline double stirling_slope(double x) noexcept nogil:
    """S'(x) of x >= 10."""
    cdef double i = 1 / (x * x)
    return -i * (1. / 12 - i * (1. / 120 - i * (1. / 252 - i * (1. / 240 - i / 132))))
