// Attention of one new token over the keys and values of its conversation: the query heads that share a key head at once, so that the
// cache is read and widened once for all of them.
#include "CKernels.h"
#include "clones.h"
#include <math.h>

// Keys that are scored at a time.
enum { KEYS_AT_ONCE = 256 };

long tb_attend_scratch(long group) { return group * (KEYS_AT_ONCE + 2); }

// Scores of `length` keys, [group][KEYS_AT_ONCE].
static void scores_of(const tb_token_attention *a, const float *query, long at, long length, float *scores) {
    if (a->is_bf16)
        tb_gemv_bf16(query, a->group, a->dimension, (const uint16_t *)a->keys + at, length, a->dimension, scores, KEYS_AT_ONCE);
    else
        tb_gemv_f32(query, a->group, a->dimension, (const float *)a->keys + at, length, a->dimension, scores, KEYS_AT_ONCE);
}

// result[group][dimension] += weights[group][KEYS_AT_ONCE] . values
static void add_values(const tb_token_attention *a, const float *weights, long at, long length, float *result) {
    long d = a->dimension;
    if (a->is_bf16)
        tb_gevm_bf16(weights, a->group, KEYS_AT_ONCE, (const uint16_t *)a->values + at, length, d, d, result, d);
    else
        tb_gevm_f32(weights, a->group, KEYS_AT_ONCE, (const float *)a->values + at, length, d, d, result, d);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define WITH_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,f16c,fma,avx2")))
#define EACH _Pragma("clang loop unroll(full)")

WITH_AVX512 INLINE __m512 wide_f32(const float *from) { return _mm512_loadu_ps(from); }
WITH_AVX512 INLINE __m512 wide_bf16(const uint16_t *from) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from)), 16));
}

// The sums of four vectors.
WITH_AVX512 INLINE __m128 sums_of_four(__m512 a, __m512 b, __m512 c, __m512 d) {
    __m512 ac = _mm512_add_ps(_mm512_unpacklo_ps(a, c), _mm512_unpackhi_ps(a, c));
    __m512 bd = _mm512_add_ps(_mm512_unpacklo_ps(b, d), _mm512_unpackhi_ps(b, d));
    __m512 all = _mm512_add_ps(_mm512_unpacklo_ps(ac, bd), _mm512_unpackhi_ps(ac, bd));
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

// M query heads and V vectors of 16 numbers to a head. Keys are taken in fours; what is missing to the last four is its first again.
#define AVX512_HEADS(TYPE, C_TYPE)                                                                                                \
    WITH_AVX512 INLINE void scores_##TYPE(const C_TYPE *keys, const float *query, const int M, long vectors, long length,           \
                                          float *scores) {                                                                         \
        long d = 16 * vectors;                                                                                                     \
        for (long key = 0; key < length; key += 4) {                                                                               \
            const C_TYPE *k[4];                                                                                                    \
            EACH for (int i = 0; i < 4; i++) k[i] = keys + (key + i < length ? key + i : key) * d;                                 \
            __m512 a[4][4];                                                                                                        \
            EACH for (int m = 0; m < M; m++) EACH for (int i = 0; i < 4; i++) a[m][i] = _mm512_setzero_ps();                       \
            for (long p = 0; p < d; p += 16) {                                                                                     \
                __m512 q[4];                                                                                                       \
                EACH for (int m = 0; m < M; m++) q[m] = _mm512_loadu_ps(query + m * d + p);                                        \
                EACH for (int i = 0; i < 4; i++) {                                                                                 \
                    __m512 w = wide_##TYPE(k[i] + p);                                                                              \
                    EACH for (int m = 0; m < M; m++) a[m][i] = _mm512_fmadd_ps(w, q[m], a[m][i]);                                  \
                }                                                                                                                  \
            }                                                                                                                      \
            EACH for (int m = 0; m < M; m++)                                                                                       \
                _mm_storeu_ps(scores + m * KEYS_AT_ONCE + key, sums_of_four(a[m][0], a[m][1], a[m][2], a[m][3]));                  \
        }                                                                                                                          \
    }                                                                                                                              \
    WITH_AVX512 INLINE void values_##TYPE(const C_TYPE *values, const float *weights, const int M, const int V, long stride,        \
                                          long length, float *result) {                                                            \
        __m512 a[4][4];                                                                                                            \
        EACH for (int m = 0; m < M; m++) EACH for (int v = 0; v < V; v++) a[m][v] = _mm512_loadu_ps(result + m * stride + 16 * v); \
        for (long key = 0; key < length; key++, values += stride) {                                                                \
            __m512 w[4];                                                                                                           \
            EACH for (int v = 0; v < V; v++) w[v] = wide_##TYPE(values + 16 * v);                                                  \
            EACH for (int m = 0; m < M; m++) {                                                                                     \
                __m512 factor = _mm512_set1_ps(weights[m * KEYS_AT_ONCE + key]);                                                   \
                EACH for (int v = 0; v < V; v++) a[m][v] = _mm512_fmadd_ps(w[v], factor, a[m][v]);                                 \
            }                                                                                                                      \
        }                                                                                                                          \
        EACH for (int m = 0; m < M; m++) EACH for (int v = 0; v < V; v++) _mm512_storeu_ps(result + m * stride + 16 * v, a[m][v]); \
    }                                                                                                                              \
    WITH_AVX512 static void avx512_scores_##TYPE(const C_TYPE *keys, const float *query, long group, long d, long length,           \
                                                 float *scores) {                                                                  \
        for (; group >= 4; group -= 4, query += 4 * d, scores += 4 * KEYS_AT_ONCE)                                                 \
            scores_##TYPE(keys, query, 4, d / 16, length, scores);                                                                 \
        if (group == 3) scores_##TYPE(keys, query, 3, d / 16, length, scores);                                                     \
        if (group == 2) scores_##TYPE(keys, query, 2, d / 16, length, scores);                                                     \
        if (group == 1) scores_##TYPE(keys, query, 1, d / 16, length, scores);                                                     \
    }                                                                                                                              \
    WITH_AVX512 INLINE void all_values_##TYPE(const C_TYPE *values, const float *weights, const int M, long d, long length,         \
                                              float *result) {                                                                     \
        long p = 0;                                                                                                                \
        for (; p + 64 <= d; p += 64) values_##TYPE(values + p, weights, M, 4, d, length, result + p);                              \
        for (; p < d; p += 16) values_##TYPE(values + p, weights, M, 1, d, length, result + p);                                    \
    }                                                                                                                              \
    WITH_AVX512 static void avx512_values_##TYPE(const C_TYPE *values, const float *weights, long group, long d, long length,       \
                                                 float *result) {                                                                  \
        for (; group >= 4; group -= 4, weights += 4 * KEYS_AT_ONCE, result += 4 * d)                                               \
            all_values_##TYPE(values, weights, 4, d, length, result);                                                              \
        if (group == 3) all_values_##TYPE(values, weights, 3, d, length, result);                                                  \
        if (group == 2) all_values_##TYPE(values, weights, 2, d, length, result);                                                  \
        if (group == 1) all_values_##TYPE(values, weights, 1, d, length, result);                                                  \
    }

AVX512_HEADS(f32, float)
AVX512_HEADS(bf16, uint16_t)

static void wide_scores_of(const tb_token_attention *a, const float *query, long at, long length, float *scores) {
    if (a->is_bf16)
        avx512_scores_bf16((const uint16_t *)a->keys + at, query, a->group, a->dimension, length, scores);
    else
        avx512_scores_f32((const float *)a->keys + at, query, a->group, a->dimension, length, scores);
}

static void add_wide_values(const tb_token_attention *a, const float *weights, long at, long length, float *result) {
    if (a->is_bf16)
        avx512_values_bf16((const uint16_t *)a->values + at, weights, a->group, a->dimension, length, result);
    else
        avx512_values_f32((const float *)a->values + at, weights, a->group, a->dimension, length, result);
}
#endif

void tb_attend_token(const tb_token_attention *a, const float *query, float *scratch, float *result) {
    void (*score)(const tb_token_attention *, const float *, long, long, float *) = scores_of;
    void (*add)(const tb_token_attention *, const float *, long, long, float *) = add_values;
#if defined(__x86_64__)
    if (tb_vector_level() >= 2 && a->dimension % 16 == 0) {
        score = wide_scores_of;
        add = add_wide_values;
    }
#endif
    long group = a->group, dimension = a->dimension;
    float *maxima = scratch + group * KEYS_AT_ONCE, *sums = maxima + group;
    tb_fill(maxima, -INFINITY, group);
    tb_fill(sums, 0, group);
    tb_fill(result, 0, group * dimension);
    for (long start = a->first; start < a->count; start += KEYS_AT_ONCE) {
        long length = a->count - start < KEYS_AT_ONCE ? a->count - start : KEYS_AT_ONCE;
        score(a, query, start * dimension, length, scratch);
        for (long member = 0; member < group; member++) {
            float *line = scratch + member * KEYS_AT_ONCE, *to = result + member * dimension;
            tb_scale(line, line, a->scale, length);
            if (a->slopes) tb_add_ramp(line, (float)(start + 1 - a->count), a->slopes[member], length);
            float shrink = tb_online_softmax(line, 0, length, length, a->soft_cap, maxima + member, sums + member);
            if (shrink != 1.0f) tb_scale(to, to, shrink, dimension);
        }
        add(a, scratch, start * dimension, length, result);
    }
    for (long member = 0; member < group; member++) tb_scale(result + member * dimension, result + member * dimension, 1 / sums[member], dimension);
}
