// Products with a few rows: they run at the speed of memory, so the weights are read once and in their storage type.
#include "CKernels.h"
#include "numbers.h"

// One row of weights with `m` rows of x. A sum is made in the same order whatever m is: decoding several streams together gives
// the very numbers of decoding them one by one.
typedef void float_row(const float *x, long m, long x_stride, const void *row, long columns, float *y, long y_stride);

#define PLAIN_ROW(NAME, TYPE, WIDEN)                                                                                              \
    PLAIN_DOT(NAME##_dot, TYPE, WIDEN)                                                                                             \
    static void NAME(const float *x, long m, long x_stride, const void *row, long columns, float *y, long y_stride) {              \
        for (long i = 0; i < m; i++) y[i * y_stride] = NAME##_dot(x + i * x_stride, row, columns);                                 \
    }

PLAIN_ROW(plain_f32, float, (float))
PLAIN_ROW(plain_bf16, uint16_t, bf16_value)
PLAIN_ROW(plain_f16, uint16_t, half_value)

#if defined(__x86_64__)
#include <immintrin.h>

#define WITH_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,f16c,fma,avx2")))
#define EACH _Pragma("clang loop unroll(full)")

WITH_AVX512 INLINE __m512 wide_f32(const float *from, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, from); }
WITH_AVX512 INLINE __m512 wide_bf16(const uint16_t *from, __mmask16 mask) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from)), 16));
}
WITH_AVX512 INLINE __m512 wide_f16(const uint16_t *from, __mmask16 mask) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, from)); }

#define AVX512_ROW(TYPE, C_TYPE)                                                                                                  \
    WITH_AVX512 INLINE void some_##TYPE(const float *x, const int M, long x_stride, const C_TYPE *row, long columns, float *y,      \
                                        long y_stride) {                                                                           \
        __m512 a[4][4];                                                                                                            \
        EACH for (int i = 0; i < M; i++) EACH for (int k = 0; k < 4; k++) a[i][k] = _mm512_setzero_ps();                           \
        long p = 0;                                                                                                                \
        for (; p + 64 <= columns; p += 64) {                                                                                       \
            __m512 w[4];                                                                                                           \
            EACH for (int k = 0; k < 4; k++) w[k] = wide_##TYPE(row + p + 16 * k, 0xFFFF);                                         \
            EACH for (int i = 0; i < M; i++)                                                                                       \
                EACH for (int k = 0; k < 4; k++)                                                                                   \
                    a[i][k] = _mm512_fmadd_ps(w[k], _mm512_loadu_ps(x + i * x_stride + p + 16 * k), a[i][k]);                      \
        }                                                                                                                          \
        for (; p < columns; p += 16) {                                                                                             \
            __mmask16 mask = columns - p >= 16 ? 0xFFFF : (__mmask16)((1u << (columns - p)) - 1);                                  \
            __m512 rest = wide_##TYPE(row + p, mask);                                                                              \
            EACH for (int i = 0; i < M; i++)                                                                                       \
                a[i][0] = _mm512_fmadd_ps(rest, _mm512_maskz_loadu_ps(mask, x + i * x_stride + p), a[i][0]);                       \
        }                                                                                                                          \
        EACH for (int i = 0; i < M; i++)                                                                                           \
            y[i * y_stride] = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a[i][0], a[i][1]), _mm512_add_ps(a[i][2], a[i][3])));\
    }                                                                                                                              \
    WITH_AVX512 static void avx512_##TYPE(const float *x, long m, long x_stride, const void *row, long columns, float *y,           \
                                          long y_stride) {                                                                         \
        for (; m >= 4; m -= 4, x += 4 * x_stride, y += 4 * y_stride) some_##TYPE(x, 4, x_stride, row, columns, y, y_stride);       \
        if (m >= 2) {                                                                                                              \
            some_##TYPE(x, 2, x_stride, row, columns, y, y_stride);                                                                \
            m -= 2, x += 2 * x_stride, y += 2 * y_stride;                                                                          \
        }                                                                                                                          \
        if (m == 1) some_##TYPE(x, 1, x_stride, row, columns, y, y_stride);                                                        \
    }

AVX512_ROW(f32, float)
AVX512_ROW(bf16, uint16_t)
AVX512_ROW(f16, uint16_t)

// The compiler vectorises the plain loops of f32 and bf16 for AVX2; conversions from f16 it does not find.
__attribute__((target("avx2,fma,f16c"))) static void avx2_f16(
    const float *x, long m, long x_stride, const void *row, long columns, float *y, long y_stride) {
    const uint16_t *from = row;
    for (long i = 0; i < m; i++, x += x_stride) {
        __m256 a = _mm256_setzero_ps(), c = a;
        long p = 0;
        for (; p + 16 <= columns; p += 16) {
            a = _mm256_fmadd_ps(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + p))), _mm256_loadu_ps(x + p), a);
            c = _mm256_fmadd_ps(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + p + 8))), _mm256_loadu_ps(x + p + 8), c);
        }
        float lanes[8], sum = 0;
        _mm256_storeu_ps(lanes, _mm256_add_ps(a, c));
        for (int lane = 0; lane < 8; lane++) sum += lanes[lane];
        for (; p < columns; p++) sum += half_value(from[p]) * x[p];
        y[i * y_stride] = sum;
    }
}
#endif

static float_row *row_kernel(int type) {
#if defined(__x86_64__)
    int level = tb_vector_level();
    if (level >= 2) return type == TB_FLOAT32 ? avx512_f32 : type == TB_BFLOAT16 ? avx512_bf16 : avx512_f16;
    if (level >= 1 && type == TB_FLOAT16) return avx2_f16;
#endif
    return type == TB_FLOAT32 ? plain_f32 : type == TB_BFLOAT16 ? plain_bf16 : plain_f16;
}

static void rows_of(int type, const float *x, long m, long x_stride, const void *weight, long row_bytes, long rows, long columns,
                    float *y, long y_stride) {
    float_row *kernel = row_kernel(type);
    const char *row = weight;
    for (long r = 0; r < rows; r++, row += row_bytes) kernel(x, m, x_stride, row, columns, y + r, y_stride);
}

void tb_gemv_f32(const float *x, long m, long x_stride, const float *weight, long rows, long columns, float *y, long y_stride) {
    rows_of(TB_FLOAT32, x, m, x_stride, weight, 4 * columns, rows, columns, y, y_stride);
}

void tb_gemv_bf16(const float *x, long m, long x_stride, const uint16_t *weight, long rows, long columns, float *y, long y_stride) {
    rows_of(TB_BFLOAT16, x, m, x_stride, weight, 2 * columns, rows, columns, y, y_stride);
}

void tb_gemv_f16(const float *x, long m, long x_stride, const uint16_t *weight, long rows, long columns, float *y, long y_stride) {
    rows_of(TB_FLOAT16, x, m, x_stride, weight, 2 * columns, rows, columns, y, y_stride);
}

// Four rows at a time, so that a result is read and written a quarter as often.
#define GEVM(NAME, TYPE, WIDEN)                                                                                                   \
    CLONED void NAME(const float *restrict x, long m, long x_stride, const TYPE *restrict weight, long rows, long columns,         \
                     long stride, float *restrict y, long y_stride) {                                                              \
        for (long i = 0; i < m; i++) {                                                                                             \
            float *to = y + i * y_stride;                                                                                          \
            const float *factors = x + i * x_stride;                                                                               \
            long row = 0;                                                                                                          \
            for (; row + 4 <= rows; row += 4) {                                                                                    \
                const TYPE *a = weight + row * stride, *b = a + stride, *c = b + stride, *d = c + stride;                          \
                float fa = factors[row], fb = factors[row + 1], fc = factors[row + 2], fd = factors[row + 3];                      \
                for (long p = 0; p < columns; p++) to[p] += (fa * WIDEN(a[p]) + fb * WIDEN(b[p])) + (fc * WIDEN(c[p]) + fd * WIDEN(d[p])); \
            }                                                                                                                      \
            for (; row < rows; row++)                                                                                              \
                for (long p = 0; p < columns; p++) to[p] += factors[row] * WIDEN(weight[row * stride + p]);                        \
        }                                                                                                                          \
    }

GEVM(tb_gevm_f32, float, (float))
GEVM(tb_gevm_bf16, uint16_t, bf16_value)
