/* The vector type of one instruction set, its elementary functions, and the register tile.
 *
 * This header is compiled once for every (instruction set, precision) pair: the compiler's -m
 * flags choose the vector width, SKRNN_F64 chooses the precision. It uses GCC's vector extensions
 * (Clang has them too), so arithmetic on `vec` is written with plain operators; min and max are the
 * only intrinsics in the package. Everything else in skrnn/_kernels is Cython on top of this.
 */
#ifndef SKRNN_SIMD_H
#define SKRNN_SIMD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#ifdef SKRNN_F64
typedef double real;
typedef int64_t real_bits;
#define REAL(x) x
#else
typedef float real;
typedef int32_t real_bits;
#define REAL(x) x##f
#endif

/* TILE_COLS is what the register file holds beside 6 rows: 6 x 4 accumulators need 24 + 5 of 32
 * registers (AVX-512, NEON); with 16 registers (AVX2, SSE2) 6 x 4 spills and 6 x 2 does not. */
#if defined(__AVX512F__)
#define VEC_BYTES 64
#define TILE_COLS 4
#elif defined(__AVX2__)
#define VEC_BYTES 32
#define TILE_COLS 2
#elif defined(__aarch64__)
#define VEC_BYTES 16
#define TILE_COLS 4
#else
#define VEC_BYTES 16
#define TILE_COLS 2
#endif

#define TILE_ROWS 6
#define BLOCK_COLS 4 /* vector columns of an accumulator block, whatever TILE_COLS is */
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(real)))
#define INLINE static inline __attribute__((always_inline, unused))

typedef real vec __attribute__((vector_size(VEC_BYTES)));
typedef real_bits ivec __attribute__((vector_size(VEC_BYTES)));
/* The same vectors at any address a `real` may have. */
typedef real vec_any __attribute__((vector_size(VEC_BYTES), aligned(sizeof(real)), may_alias));

INLINE vec load(const real *p) { return *(const vec_any *)p; }
INLINE void store(real *p, vec v) { *(vec_any *)p = v; }
INLINE vec splat(real x) { return x - (vec){0}; }
INLINE vec select_vec(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }
INLINE vec abs_vec(vec x) { return (vec)((ivec)x & ~(ivec)(splat(REAL(-0.0)))); }

/* a > b ? a : b and a < b ? a : b: where either is NaN, b. GCC makes a comparison and two more
 * operations of that, x86 has one. */
#if defined(__AVX512F__)
#define EXTREME(name) _mm512_##name
#elif defined(__AVX2__)
#define EXTREME(name) _mm256_##name
#elif defined(__SSE2__)
#define EXTREME(name) _mm_##name
#endif
#if !defined(EXTREME)
INLINE vec max_vec(vec a, vec b) { return select_vec(a > b, a, b); }
INLINE vec min_vec(vec a, vec b) { return select_vec(a < b, a, b); }
#elif defined(SKRNN_F64)
INLINE vec max_vec(vec a, vec b) { return (vec)EXTREME(max_pd)(a, b); }
INLINE vec min_vec(vec a, vec b) { return (vec)EXTREME(min_pd)(a, b); }
#else
INLINE vec max_vec(vec a, vec b) { return (vec)EXTREME(max_ps)(a, b); }
INLINE vec min_vec(vec a, vec b) { return (vec)EXTREME(min_ps)(a, b); }
#endif

/* A sum over lanes in a fixed order: halves first, so every level of lanes has one order. */
INLINE real sum_lanes(vec v)
{
    real s[VEC_BYTES / sizeof(real)];
    memcpy(s, &v, sizeof s);
    for (ptrdiff_t n = LANES / 2; n > 0; n /= 2)
        for (ptrdiff_t k = 0; k < n; ++k) s[k] += s[k + n];
    return s[0];
}
INLINE real max_lanes(vec v)
{
    real s[VEC_BYTES / sizeof(real)], m;
    memcpy(s, &v, sizeof s);
    m = s[0];
    for (ptrdiff_t k = 1; k < LANES; ++k) m = s[k] > m ? s[k] : m;
    return m;
}

/* Elementary functions -----------------------------------------------------------------------
 *
 * x = n ln2 + r with |r| <= ln2 / 2 (Cody and Waite's two-part ln2); exp(x) = 2^n (1 + expm1(r)).
 */
#ifdef SKRNN_F64
#define MANTISSA 52
#define EXPONENT_BIAS 1023
#define ROUND_MAGIC 6755399441055744.0
#define LN2_HI 6.93147180369123816490e-01
#define LN2_LO 1.90821492927058770002e-10
#define EXP_LIMIT 745.2      /* exp(-745.2) rounds to 0 */
#define SIGMOID_LIMIT 40.0   /* sigmoid(40) rounds to 1 */
#define TANH_LIMIT 22.0      /* tanh(22) rounds to 1 */
#define SCALE_SHIFT 128
#define SCALE_BACK 0x1p-128
#define SQRT_HALF 0x1.6a09e667f3bcdp-1
#else
#define MANTISSA 23
#define EXPONENT_BIAS 127
#define ROUND_MAGIC 12582912.0f
#define LN2_HI 0.693359375f
#define LN2_LO -2.12194440e-4f
#define EXP_LIMIT 104.0f     /* exp(-104) rounds to 0 */
#define SIGMOID_LIMIT 20.0f  /* sigmoid(20) rounds to 1 */
#define TANH_LIMIT 10.0f     /* tanh(10) rounds to 1 */
#define SCALE_SHIFT 64
#define SCALE_BACK 0x1p-64f
#define SQRT_HALF 0x1.6a09e6p-1f
#endif

/* r, and 2^(n + shift). Adding 1.5 * 2^(mantissa bits) rounds to whole numbers and leaves n in the
 * lowest bits; with the exponent's bias added too, a shift makes the power of two of them. */
INLINE vec reduce(vec x, int shift, vec *scale)
{
    vec magic = splat(ROUND_MAGIC + (EXPONENT_BIAS + shift));
    vec shifted = x * REAL(1.44269504088896340736) + magic;
    vec whole = shifted - magic;
    *scale = (vec)((ivec)shifted << MANTISSA);
    return (x - whole * LN2_HI) - whole * LN2_LO;
}

/* expm1(r) = r + r^2 q(r), off by a quarter ulp at most. q takes its terms in pairs, which halves
 * the chain of multiply-adds that wait for one another. float64 has the Taylor series to degree 13,
 * float32 the polynomial of degree 6 whose largest relative error is least. */
INLINE vec expm1_reduced(vec r)
{
    vec z = r * r;
#ifdef SKRNN_F64
    vec q = (1.0 / 6227020800.0) * r + 1.0 / 479001600.0;
    q = q * z + ((1.0 / 39916800.0) * r + 1.0 / 3628800.0);
    q = q * z + ((1.0 / 362880.0) * r + 1.0 / 40320.0);
    q = q * z + ((1.0 / 5040.0) * r + 1.0 / 720.0);
    q = q * z + ((1.0 / 120.0) * r + 1.0 / 24.0);
    q = q * z + ((1.0 / 6.0) * r + 0.5);
#else
    vec q = 0x1.6b9c66p-10f * z + (0x1.12254ap-7f * r + 0x1.5556f2p-5f);
    q = q * z + (0x1.5554b4p-3f * r + 0x1.fffffep-2f);
#endif
    return q * z + r;
}

/* exp(x), x <= 0 and down to -inf. The scale 2^n goes in as 2^(n + s) 2^-s, because n may lie
 * below the smallest normal exponent. NaN stays NaN. */
INLINE vec exp_negative(vec x)
{
    vec scale, r = reduce(max_vec(splat(-EXP_LIMIT), x), SCALE_SHIFT, &scale);
    return (expm1_reduced(r) * scale + scale) * SCALE_BACK;
}

/* log(x) of a positive normal number: x = 2^n m with sqrt(1/2) <= m < sqrt(2), and
 * log m = 2 atanh(s), s = (m - 1) / (m + 1), by its series in s^2 <= 0.0295. */
INLINE vec log_vec(vec x)
{
    ivec n = (((ivec)x - (ivec)splat(SQRT_HALF)) >> MANTISSA);
    vec m = (vec)((ivec)x - (n << MANTISSA));
    vec e = (vec)(n + (ivec)splat(ROUND_MAGIC)) - ROUND_MAGIC;
    vec s = (m - 1) / (m + 1), z = s * s;
#ifdef SKRNN_F64
    vec q = splat(1.0 / 21.0);
    q = q * z + 1.0 / 19.0;
    q = q * z + 1.0 / 17.0;
    q = q * z + 1.0 / 15.0;
    q = q * z + 1.0 / 13.0;
    q = q * z + 1.0 / 11.0;
#else
    vec q = splat(1.0f / 11.0f);
#endif
    q = q * z + REAL(1.0) / REAL(9.0);
    q = q * z + REAL(1.0) / REAL(7.0);
    q = q * z + REAL(1.0) / REAL(5.0);
    q = q * z + REAL(1.0) / REAL(3.0);
    return e * LN2_HI + (e * LN2_LO + (2 * s * z * q + 2 * s));
}

/* s / (s + s exp(-x)), where s = 2^-64 (float64 2^-128) keeps exp(-x) finite as long as the result
 * is more than 0. NaN stays NaN. */
INLINE vec sigmoid(vec x)
{
    vec scale, r;
    x = max_vec(splat(-EXP_LIMIT), min_vec(splat(SIGMOID_LIMIT), x));
    r = reduce(-x, -SCALE_SHIFT, &scale);
    return SCALE_BACK / (expm1_reduced(r) * scale + scale + SCALE_BACK);
}

/* tanh(x) = m / (m + 2) with m = expm1(2|x|) = 2^n expm1(r) + (2^n - 1), and x's sign. */
INLINE vec tanh_vec(vec x)
{
    vec scale, a = min_vec(splat(TANH_LIMIT), abs_vec(x));
    vec r = reduce(a + a, 0, &scale);
    vec m = expm1_reduced(r) * scale + (scale - 1);
    vec t = m / (m + 2);
    return (vec)((ivec)t | ((ivec)x & (ivec)splat(REAL(-0.0))));
}

/* Zero where `x` (an activation max(0, .)) is not positive, else `d`. */
INLINE vec where_positive(vec x, vec d) { return (vec)((x > 0) & (ivec)d); }
INLINE vec relu_vec(vec x) { return max_vec(splat(0), x); /* keeps NaN */ }

/* The register tile ---------------------------------------------------------------------------
 *
 *   out[r][c] = start[r][c] + sum_k a[r * a_row + k * a_k] * w[k * w_k + c * LANES]
 *                                                        r < R, c < C, c a vector column
 *   a      in   scalars, broadcast: rows of inputs or hidden states (a_k = 1), or columns of
 *               them where the sum runs over packed steps (a_row = 1)
 *   w      in   (K, C, LANES), rows w_k apart: packed weights, or gate gradients
 *   start  in   (R, C, LANES), rows start_row apart; 0 where all start from the same row, a bias
 *   out    out  (R, C, LANES), rows out_row apart; may be start
 *
 * Each out[r][c] is one chain of multiply-adds over ascending k, the same chain whatever R and C
 * are: a sequence gets the same bits in a full tile and alone.
 */
typedef vec tile_sums[TILE_ROWS][TILE_COLS];

INLINE void tile_load(const int R, const int C, tile_sums s, const real *start, ptrdiff_t row)
{
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) s[r][c] = load(start + r * row + c * LANES);
}

/* s[r][at + c] += the sum above */
INLINE void tile_add(const int R, const int at, const int C, tile_sums s, ptrdiff_t K,
                     const real *a, ptrdiff_t a_row, ptrdiff_t a_k, const real *w, ptrdiff_t w_k)
{
    for (ptrdiff_t k = 0; k < K; ++k, a += a_k, w += w_k) {
        vec wk[TILE_COLS];
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) wk[c] = load(w + c * LANES);
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
            vec ar = splat(a[r * a_row]);
#pragma GCC unroll 4
            for (int c = 0; c < C; ++c) s[r][at + c] += ar * wk[c];
        }
    }
}

INLINE void tile_store(const int R, const int C, tile_sums s, real *out, ptrdiff_t row)
{
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) store(out + r * row + c * LANES, s[r][c]);
}

typedef void (*tile_fn)(ptrdiff_t K, const real *a, ptrdiff_t a_row, ptrdiff_t a_k, const real *w,
                        ptrdiff_t w_k, const real *start, ptrdiff_t start_row, real *out,
                        ptrdiff_t out_row);
#define TILE(R, C)                                                                               \
    static void tile_##R##_##C(ptrdiff_t K, const real *a, ptrdiff_t a_row, ptrdiff_t a_k,       \
                               const real *w, ptrdiff_t w_k, const real *start,                  \
                               ptrdiff_t start_row, real *out, ptrdiff_t out_row)                \
    {                                                                                            \
        tile_sums s;                                                                             \
        tile_load(R, C, s, start, start_row);                                                    \
        tile_add(R, 0, C, s, K, a, a_row, a_k, w, w_k);                                          \
        tile_store(R, C, s, out, out_row);                                                       \
    }

/* Two sums on one tile of C columns, of x_t and of h_{t-1}: that of x fills CX columns from AX on,
 * that of h fills CH from AH on. Not leaving the registers in between saves what eight steps of a
 * sum cost. */
typedef void (*pair_fn)(ptrdiff_t Kx, const real *x, ptrdiff_t x_row, const real *wx, ptrdiff_t Kh,
                        const real *h, ptrdiff_t h_row, const real *wh, const real *start,
                        ptrdiff_t start_row, real *out);
#define PAIR(name, R, C, AX, CX, AH, CH)                                                         \
    static void name(ptrdiff_t Kx, const real *x, ptrdiff_t x_row, const real *wx, ptrdiff_t Kh, \
                     const real *h, ptrdiff_t h_row, const real *wh, const real *start,          \
                     ptrdiff_t start_row, real *out)                                             \
    {                                                                                            \
        tile_sums s;                                                                             \
        tile_load(R, C, s, start, start_row);                                                    \
        tile_add(R, AX, CX, s, Kx, x, x_row, 1, wx, CX * LANES);                                 \
        tile_add(R, AH, CH, s, Kh, h, h_row, 1, wh, CH * LANES);                                 \
        tile_store(R, C, s, out, BLOCK_COLS * LANES);                                            \
    }
#define PAIR_SAME(R, C) PAIR(pair_##R##_##C, R, C, 0, C, 0, C)
#define PAIR_APART(R, C) PAIR(apart_##R##_##C, R, C, 0, (C - 1), 1, (C - 1))

#define EACH_ROW(MAKE, C) MAKE(1, C) MAKE(2, C) MAKE(3, C) MAKE(4, C) MAKE(5, C) MAKE(6, C)
#define NAMES(name, C)                                                                           \
    {name##_1_##C, name##_2_##C, name##_3_##C, name##_4_##C, name##_5_##C, name##_6_##C}

EACH_ROW(TILE, 1)
EACH_ROW(TILE, 2)
EACH_ROW(PAIR_SAME, 1)
EACH_ROW(PAIR_SAME, 2)
#if TILE_COLS == 4
EACH_ROW(TILE, 3)
EACH_ROW(TILE, 4)
EACH_ROW(PAIR_SAME, 3)
EACH_ROW(PAIR_SAME, 4)
EACH_ROW(PAIR_APART, 4)
static const tile_fn TILES[TILE_COLS][TILE_ROWS] = {NAMES(tile, 1), NAMES(tile, 2), NAMES(tile, 3),
                                                    NAMES(tile, 4)};
static const pair_fn PAIRS[TILE_COLS][TILE_ROWS] = {NAMES(pair, 1), NAMES(pair, 2), NAMES(pair, 3),
                                                    NAMES(pair, 4)};
static const pair_fn APART[TILE_ROWS] = NAMES(apart, 4);
#else
static const tile_fn TILES[TILE_COLS][TILE_ROWS] = {NAMES(tile, 1), NAMES(tile, 2)};
static const pair_fn PAIRS[TILE_COLS][TILE_ROWS] = {NAMES(pair, 1), NAMES(pair, 2)};
#endif

/* A tile of up to BLOCK_COLS vector columns on packed weights: (cols / TILE_COLS, K, TILE_COLS,
 * LANES), the columns in groups of TILE_COLS (the last may be narrower), each group contiguous. */
INLINE void tile(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t K, const real *a, ptrdiff_t a_row,
                 ptrdiff_t a_k, const real *w, const real *start, ptrdiff_t start_row, real *out,
                 ptrdiff_t out_row)
{
    for (ptrdiff_t c = 0; c < cols; c += TILE_COLS) {
        ptrdiff_t n = cols - c < TILE_COLS ? cols - c : TILE_COLS;
        TILES[n - 1][rows - 1](K, a, a_row, a_k, w + c * K * LANES, n * LANES, start + c * LANES,
                               start_row, out + c * LANES, out_row);
    }
}

/* The same where the vector columns of a row stand side by side and rows are w_k apart. */
INLINE void tile_rows(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t K, const real *a, ptrdiff_t a_row,
                      ptrdiff_t a_k, const real *w, ptrdiff_t w_k, const real *start,
                      ptrdiff_t start_row, real *out, ptrdiff_t out_row)
{
    for (ptrdiff_t c = 0; c < cols; c += TILE_COLS) {
        ptrdiff_t n = cols - c < TILE_COLS ? cols - c : TILE_COLS;
        TILES[n - 1][rows - 1](K, a, a_row, a_k, w + c * LANES, w_k, start + c * LANES, start_row,
                               out + c * LANES, out_row);
    }
}

/* Both sums of a column block, on weights packed as for `tile`: out (TILE_ROWS, BLOCK_COLS, LANES). */
INLINE void tile_pair(ptrdiff_t rows, ptrdiff_t at_x, ptrdiff_t cols_x, ptrdiff_t Kx, const real *x,
                      ptrdiff_t x_row, const real *wx, ptrdiff_t at_h, ptrdiff_t cols_h,
                      ptrdiff_t Kh, const real *h, ptrdiff_t h_row, const real *wh,
                      const real *start, ptrdiff_t start_row, real *out)
{
    const ptrdiff_t row = BLOCK_COLS * LANES;
    if (at_x == at_h && cols_x == cols_h) {
        for (ptrdiff_t c = 0; c < cols_x; c += TILE_COLS) {
            ptrdiff_t n = cols_x - c < TILE_COLS ? cols_x - c : TILE_COLS;
            PAIRS[n - 1][rows - 1](Kx, x, x_row, wx + c * Kx * LANES, Kh, h, h_row,
                                   wh + c * Kh * LANES, start + c * LANES, start_row,
                                   out + c * LANES);
        }
        return;
    }
#if TILE_COLS == 4
    if (at_x == 0 && cols_x == 3 && at_h == 1 && cols_h == 3) { /* the GRU: n r z, r z m */
        APART[rows - 1](Kx, x, x_row, wx, Kh, h, h_row, wh, start, start_row, out);
        return;
    }
#endif
    tile_rows(rows, BLOCK_COLS, 0, x, x_row, 1, wx, 0, start, start_row, out, row);
    tile(rows, cols_x, Kx, x, x_row, 1, wx, out + at_x * LANES, row, out + at_x * LANES, row);
    tile(rows, cols_h, Kh, h, h_row, 1, wh, out + at_h * LANES, row, out + at_h * LANES, row);
}

/* Ask for `n` numbers from p to be on their way into the cache of level 1 or 2 while something else
 * is computed. Rows of a few hundred bytes each are too short for the processor to foresee. An
 * address outside of any array does no harm. */
#define LINE ((ptrdiff_t)(64 / sizeof(real)))
INLINE void fetch_l1(const real *p, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k += LINE) __builtin_prefetch(p + k, 0, 3);
}
INLINE void fetch_l2(const real *p, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k += LINE) __builtin_prefetch(p + k, 0, 2);
}

/* 64 pseudo-random bits of (seed, counter): SplitMix64 (Steele, Lea and Flood 2014). Dropout masks
 * are a function of position, so they do not depend on who computes them. */
INLINE uint64_t mix64(uint64_t seed, uint64_t counter)
{
    uint64_t z = seed + (counter + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

#endif
