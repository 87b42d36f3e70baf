// Products of a few rows with weights in floating types, at the speed of reading them: decoding. The rows of x are f16 here, scaled
// by a power of two so that the largest number fits: x in f32 would take half of the first-level cache and be driven out of it by
// the weights that stream through (21 against 31 GB/s at 4864 columns on Zen 4). No prefetch instructions: they hinder the
// processor's own prefetching of such a stream.
#include "CKernels.h"
#include "blocks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// One row of weights with `m` rows of x. A sum is made in the same order whatever m is.
typedef void dense_row(const tb_activation *x, long m, const void *row, long columns, float *y, long y_stride);

#define PLAIN_ROW(NAME, TYPE, WIDEN)                                                                                              \
    PLAIN_DOT(NAME##_dot, TYPE, WIDEN)                                                                                             \
    static void NAME(const tb_activation *x, long m, const void *row, long columns, float *y, long y_stride) {                     \
        for (long i = 0; i < m; i++) y[i * y_stride] = NAME##_dot(x[i].full, row, columns);                                        \
    }

PLAIN_ROW(plain_bf16, uint16_t, bf16_value)
PLAIN_ROW(plain_f16, uint16_t, half_value)

#if defined(__x86_64__)
#define WITH_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,f16c,fma,avx2")))
#define WITH_AVX2 __attribute__((target("avx2,fma,f16c")))
#define EACH _Pragma("clang loop unroll(full)")

WITH_AVX512 INLINE __m512 wide_bf16(__m256i halves) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16)); }
WITH_AVX512 INLINE __m512 wide_f16(__m256i halves) { return _mm512_cvtph_ps(halves); }
WITH_AVX512 INLINE __m256i sixteen(const void *from) { return _mm256_loadu_si256(from); }

#define AVX512_ROW(TYPE)                                                                                                          \
    WITH_AVX512 INLINE void some_##TYPE(const tb_activation *x, const int M, const uint16_t *row, long columns, float *y,           \
                                        long y_stride) {                                                                           \
        __m512 a[4][4];                                                                                                            \
        EACH for (int i = 0; i < M; i++) EACH for (int k = 0; k < 4; k++) a[i][k] = _mm512_setzero_ps();                           \
        long p = 0;                                                                                                                \
        for (; p + 64 <= columns; p += 64) {                                                                                       \
            __m512 w[4];                                                                                                           \
            EACH for (int k = 0; k < 4; k++) w[k] = wide_##TYPE(sixteen(row + p + 16 * k));                                        \
            EACH for (int i = 0; i < M; i++)                                                                                       \
                EACH for (int k = 0; k < 4; k++)                                                                                   \
                    a[i][k] = _mm512_fmadd_ps(w[k], _mm512_cvtph_ps(sixteen(x[i].halves + p + 16 * k)), a[i][k]);                  \
        }                                                                                                                          \
        for (; p < columns; p += 16) {                                                                                             \
            __mmask16 mask = columns - p >= 16 ? 0xFFFF : (__mmask16)((1u << (columns - p)) - 1);                                  \
            __m512 rest = wide_##TYPE(_mm256_maskz_loadu_epi16(mask, row + p));                                                    \
            EACH for (int i = 0; i < M; i++)                                                                                       \
                a[i][0] = _mm512_fmadd_ps(rest, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x[i].halves + p)), a[i][0]);        \
        }                                                                                                                          \
        EACH for (int i = 0; i < M; i++) {                                                                                         \
            __m512 sum = _mm512_add_ps(_mm512_add_ps(a[i][0], a[i][1]), _mm512_add_ps(a[i][2], a[i][3]));                          \
            y[i * y_stride] = x[i].half_scale * _mm512_reduce_add_ps(sum);                                                         \
        }                                                                                                                          \
    }                                                                                                                              \
    WITH_AVX512 static void avx512_##TYPE(const tb_activation *x, long m, const void *row, long columns, float *y, long y_stride) { \
        for (; m >= 4; m -= 4, x += 4, y += 4 * y_stride) some_##TYPE(x, 4, row, columns, y, y_stride);                            \
        if (m >= 2) {                                                                                                              \
            some_##TYPE(x, 2, row, columns, y, y_stride);                                                                          \
            m -= 2, x += 2, y += 2 * y_stride;                                                                                     \
        }                                                                                                                          \
        if (m == 1) some_##TYPE(x, 1, row, columns, y, y_stride);                                                                  \
    }

AVX512_ROW(bf16)
AVX512_ROW(f16)

WITH_AVX2 INLINE __m256 eight_bf16(const uint16_t *from) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)from)), 16));
}
WITH_AVX2 INLINE __m256 eight_f16(const uint16_t *from) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from)); }

#define AVX2_ROW(TYPE, WIDEN)                                                                                                     \
    WITH_AVX2 static void avx2_##TYPE(const tb_activation *x, long m, const void *weights, long columns, float *y, long y_stride) { \
        const uint16_t *row = weights;                                                                                             \
        for (long i = 0; i < m; i++) {                                                                                             \
            __m256 a = _mm256_setzero_ps(), c = a;                                                                                 \
            long p = 0;                                                                                                            \
            for (; p + 16 <= columns; p += 16) {                                                                                   \
                a = _mm256_fmadd_ps(eight_##TYPE(row + p), eight_f16(x[i].halves + p), a);                                         \
                c = _mm256_fmadd_ps(eight_##TYPE(row + p + 8), eight_f16(x[i].halves + p + 8), c);                                 \
            }                                                                                                                      \
            float lanes[8], sum = 0;                                                                                               \
            _mm256_storeu_ps(lanes, _mm256_add_ps(a, c));                                                                          \
            for (int lane = 0; lane < 8; lane++) sum += lanes[lane];                                                               \
            for (; p < columns; p++) sum += WIDEN(row[p]) * half_value(x[i].halves[p]);                                            \
            y[i * y_stride] = x[i].half_scale * sum;                                                                               \
        }                                                                                                                          \
    }

AVX2_ROW(bf16, bf16_value)
AVX2_ROW(f16, half_value)
#endif

static dense_row *dense_kernel(int type) {
    int is_bf16 = type == TB_BFLOAT16;
#if defined(__x86_64__)
    int level = tb_vector_level();
    if (level >= 2) return is_bf16 ? avx512_bf16 : avx512_f16;
    if (level >= 1) return is_bf16 ? avx2_bf16 : avx2_f16;
#endif
    return is_bf16 ? plain_bf16 : plain_f16;
}

CLONED static float largest_plain(const float *from, long count) { return largest_size(from, count); }

CLONED static void scaled_by(const float *from, float factor, long count, float *to) {
    for (long i = 0; i < count; i++) to[i] = factor * from[i];
}

static void halve(const float *from, float factor, long count, uint16_t *to) {
    float piece[256];
    for (long first = 0; first < count; first += 256) {
        long here = count - first < 256 ? count - first : 256;
        scaled_by(from + first, factor, here, piece);
        tb_narrow_f16(piece, to + first, here);
    }
}

#if defined(__x86_64__)
WITH_AVX512 static float largest_avx512(const float *from, long count) {
    __m512 largest = _mm512_setzero_ps();
    for (long i = 0; i < count; i += 16) {
        __mmask16 mask = count - i >= 16 ? 0xFFFF : (__mmask16)((1u << (count - i)) - 1);
        // The second operand is taken where the first is no number: as the plain loop does.
        largest = _mm512_max_ps(_mm512_abs_ps(_mm512_maskz_loadu_ps(mask, from + i)), largest);
    }
    return _mm512_reduce_max_ps(largest);
}

WITH_AVX512 static void halve_avx512(const float *from, float factor, long count, uint16_t *to) {
    __m512 by = _mm512_set1_ps(factor);
    for (long i = 0; i < count; i += 16) {
        __mmask16 mask = count - i >= 16 ? 0xFFFF : (__mmask16)((1u << (count - i)) - 1);
        __m512 x = _mm512_mul_ps(by, _mm512_maskz_loadu_ps(mask, from + i));
        _mm256_mask_storeu_epi16(to + i, mask, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
    }
}
#endif

void tb_halve_activation(const float *from, long count, tb_activation *x) {
#if defined(__x86_64__)
    float largest = tb_vector_level() >= 2 ? largest_avx512(from, count) : largest_plain(from, count);
#else
    float largest = largest_plain(from, count);
#endif
    // The largest number becomes one of 2^14 to 2^15; what is 2^29 times smaller loses digits, which no sum will miss.
    int exponent = 0;
    if (largest > 0 && largest < INFINITY) frexpf(largest, &exponent);
    float factor = ldexpf(1.0f, 15 - exponent < 127 ? 15 - exponent : 127);
    x->half_scale = 1 / factor;
#if defined(__x86_64__)
    if (tb_vector_level() >= 2) {
        halve_avx512(from, factor, count, x->halves);
        return;
    }
#endif
    halve(from, factor, count, x->halves);
}

void tb_dense_gemv(int type, const void *weight, long first_row, long rows, long columns, const tb_activation *x, long m, float *y,
                   long y_stride) {
    dense_row *kernel = dense_kernel(type);
    const uint16_t *row = (const uint16_t *)weight + first_row * columns;
    for (long r = 0; r < rows; r++, row += columns) kernel(x, m, row, columns, y + r, y_stride);
}
