// Dot products of a row of GGUF blocks with activations in blocks of 32 signed bytes. Weights are taken as unsigned; what that adds
// is put right by sums over the activations, which are made once.
#pragma once
#include "CKernels.h"
#include "blocks.h"

// Plain C, and the definition of what the others compute.
INLINE float plain_q8_0(const block_q8_0 *w, long count, const tb_activation *x) {
    float sum = 0;
    for (long b = 0; b < count; b++) {
        int dot = 0;
        for (int i = 0; i < 32; i++) dot += w[b].codes[i] * x->codes[32 * b + i];
        sum += half_value(w[b].d) * x->scales[b] * (float)dot;
    }
    return sum;
}

INLINE float plain_q4_0(const block_q4_0 *w, long count, const tb_activation *x) {
    float sum = 0;
    for (long b = 0; b < count; b++) {
        const int8_t *codes = x->codes + 32 * b;
        int dot = 0;
        for (int i = 0; i < 16; i++) dot += ((w[b].codes[i] & 15) - 8) * codes[i] + ((w[b].codes[i] >> 4) - 8) * codes[i + 16];
        sum += half_value(w[b].d) * x->scales[b] * (float)dot;
    }
    return sum;
}

INLINE float plain_q5_0(const block_q5_0 *w, long count, const tb_activation *x) {
    float sum = 0;
    for (long b = 0; b < count; b++) {
        const int8_t *codes = x->codes + 32 * b;
        uint32_t high;
        memcpy(&high, w[b].high, 4);
        int dot = 0;
        for (int i = 0; i < 16; i++) {
            dot += ((int)((w[b].codes[i] & 15u) | (high >> i & 1) << 4) - 16) * codes[i];
            dot += ((int)((w[b].codes[i] >> 4) | (high >> (i + 16) & 1) << 4) - 16) * codes[i + 16];
        }
        sum += half_value(w[b].d) * x->scales[b] * (float)dot;
    }
    return sum;
}

// A block of Q4_K or Q5_K, which differ by the fifth bits only: `high` is null where there are none.
INLINE float plain_k(
    float d, float dmin, const uint8_t *packed, const uint8_t *low, const uint8_t *high, const tb_activation *x, long block
) {
    uint8_t scales[8], minima[8];
    k_scales(packed, scales, minima);
    float scaled = 0, least = 0;
    for (int part = 0; part < 8; part++) {
        const uint8_t *bytes = low + part / 2 * 32;
        const int8_t *codes = x->codes + 256 * block + 32 * part;
        int dot = 0;
        for (int i = 0; i < 32; i++)
            dot += ((part & 1 ? bytes[i] >> 4 : bytes[i] & 15) | (high ? (high[i] >> part & 1) << 4 : 0)) * codes[i];
        scaled += x->scales[8 * block + part] * (float)(dot * scales[part]);
        least += x->sums[8 * block + part] * (float)minima[part];
    }
    return d * scaled - dmin * least;
}

INLINE float plain_q4_k(const block_q4_k *w, long count, const tb_activation *x) {
    float sum = 0;
    for (long b = 0; b < count; b++) sum += plain_k(half_value(w[b].d), half_value(w[b].dmin), w[b].scales, w[b].codes, NULL, x, b);
    return sum;
}

INLINE float plain_q5_k(const block_q5_k *w, long count, const tb_activation *x) {
    float sum = 0;
    for (long b = 0; b < count; b++) sum += plain_k(half_value(w[b].d), half_value(w[b].dmin), w[b].scales, w[b].codes, w[b].high, x, b);
    return sum;
}

INLINE float plain_q6_k(const block_q6_k *w, long count, const tb_activation *x) {
    float sum = 0;
    for (long b = 0; b < count; b++) {
        float scaled = 0;
        for (int part = 0; part < 16; part++) {
            const int8_t *codes = x->codes + 256 * b + 16 * part;
            int group = part % 8 / 2, first = part % 2 * 16, dot = 0;
            const uint8_t *low = w[b].low + part / 8 * 64 + group % 2 * 32 + first, *high = w[b].high + part / 8 * 32 + first;
            for (int i = 0; i < 16; i++)
                dot += (((group < 2 ? low[i] & 15 : low[i] >> 4) | ((high[i] >> (2 * group)) & 3) << 4) - 32) * codes[i];
            scaled += x->scales[8 * b + part / 2] * (float)(dot * w[b].scales[part]);
        }
        sum += half_value(w[b].d) * scaled;
    }
    return sum;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define WITH_AVX2 __attribute__((target("avx2,fma,f16c")))

// 32 products of unsigned and signed bytes in eight sums; the unsigned ones are below 128.
WITH_AVX2 INLINE __m256i dot32(__m256i unsigned_bytes, __m256i signed_bytes) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(unsigned_bytes, signed_bytes), _mm256_set1_epi16(1));
}

WITH_AVX2 INLINE float eight_sums(__m256 v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

WITH_AVX2 static float avx2_q8_0(const block_q8_0 *w, long count, const tb_activation *x) {
    __m256 sum = _mm256_setzero_ps();
    for (long b = 0; b < count; b++) {
        __m256i codes = _mm256_loadu_si256((const __m256i *)w[b].codes), given = _mm256_loadu_si256((const __m256i *)(x->codes + 32 * b));
        __m256i dot = dot32(_mm256_abs_epi8(codes), _mm256_sign_epi8(given, codes));
        sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_set1_ps(half_value(w[b].d) * x->scales[b]), sum);
    }
    return eight_sums(sum);
}

WITH_AVX2 static float avx2_q4_0(const block_q4_0 *w, long count, const tb_activation *x) {
    __m256 sum = _mm256_setzero_ps();
    const __m256i nibbles = _mm256_set1_epi8(15);
    for (long b = 0; b < count; b++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)w[b].codes);
        __m256i codes = _mm256_and_si256(_mm256_inserti128_si256(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4), 1), nibbles);
        __m256i dot = dot32(codes, _mm256_loadu_si256((const __m256i *)(x->codes + 32 * b)));
        dot = _mm256_add_epi32(dot, _mm256_srai_epi32(_mm256_loadu_si256((const __m256i *)(x->lanes128 + 8 * b)), 4));
        sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_set1_ps(half_value(w[b].d) * x->scales[b]), sum);
    }
    return eight_sums(sum);
}

// 32 bits as bytes of 16 or 0: each byte looks at one of them.
WITH_AVX2 INLINE __m256i bits_as_sixteen(const uint8_t *bits) {
    int word;
    memcpy(&word, bits, 4);
    __m256i spread = _mm256_shuffle_epi8(
        _mm256_set1_epi32(word), _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
    __m256i chosen = _mm256_set1_epi64x((long long)0x8040201008040201);
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(spread, chosen), chosen), _mm256_set1_epi8(16));
}

WITH_AVX2 static float avx2_q5_0(const block_q5_0 *w, long count, const tb_activation *x) {
    __m256 sum = _mm256_setzero_ps();
    const __m256i nibbles = _mm256_set1_epi8(15);
    for (long b = 0; b < count; b++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)w[b].codes);
        __m256i codes = _mm256_and_si256(_mm256_inserti128_si256(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4), 1), nibbles);
        codes = _mm256_or_si256(codes, bits_as_sixteen(w[b].high));
        __m256i dot = dot32(codes, _mm256_loadu_si256((const __m256i *)(x->codes + 32 * b)));
        dot = _mm256_add_epi32(dot, _mm256_srai_epi32(_mm256_loadu_si256((const __m256i *)(x->lanes128 + 8 * b)), 3));
        sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_set1_ps(half_value(w[b].d) * x->scales[b]), sum);
    }
    return eight_sums(sum);
}

// Q4_K and Q5_K, as their blocks differ by the fifth bits only.
WITH_AVX2 INLINE float avx2_k(const uint8_t *row, const long bytes, const int has_fifth, long count, const tb_activation *x) {
    __m256 sum = _mm256_setzero_ps();
    float least = 0;
    const __m256i nibbles = _mm256_set1_epi8(15);
    for (long b = 0; b < count; b++, row += bytes) {
        uint8_t scales[8], minima[8];
        uint16_t factors[2];
        memcpy(factors, row, 4);
        k_scales(row + 4, scales, minima);
        const uint8_t *packed = row + 16 + (has_fifth ? 32 : 0);
        float d = half_value(factors[0]), low = 0;
        for (int part = 0; part < 8; part++) {
            __m256i codes = _mm256_loadu_si256((const __m256i *)(packed + part / 2 * 32));
            if (part & 1) codes = _mm256_srli_epi16(codes, 4);
            codes = _mm256_and_si256(codes, nibbles);
            if (has_fifth) {
                __m256i fifths = _mm256_loadu_si256((const __m256i *)(row + 16)), bit = _mm256_set1_epi8((char)(1 << part));
                fifths = _mm256_cmpeq_epi8(_mm256_and_si256(fifths, bit), bit);
                codes = _mm256_or_si256(codes, _mm256_and_si256(fifths, _mm256_set1_epi8(16)));
            }
            __m256i dot = dot32(codes, _mm256_loadu_si256((const __m256i *)(x->codes + 256 * b + 32 * part)));
            sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_set1_ps(d * scales[part] * x->scales[8 * b + part]), sum);
            low += x->sums[8 * b + part] * minima[part];
        }
        least += half_value(factors[1]) * low;
    }
    return eight_sums(sum) - least;
}

WITH_AVX2 static float avx2_q5_k(const block_q5_k *w, long count, const tb_activation *x) {
    return avx2_k((const uint8_t *)w, sizeof *w, 1, count, x);
}

WITH_AVX2 static float avx2_q4_k(const block_q4_k *w, long count, const tb_activation *x) {
    return avx2_k((const uint8_t *)w, sizeof *w, 0, count, x);
}

WITH_AVX2 static float avx2_q6_k(const block_q6_k *w, long count, const tb_activation *x) {
    __m256 sum = _mm256_setzero_ps();
    const __m256i nibbles = _mm256_set1_epi8(15), pairs = _mm256_set1_epi8(0x30);
    for (long b = 0; b < count; b++) {
        float d = half_value(w[b].d);
        for (int part = 0; part < 8; part++) {
            int group = part % 4;
            __m256i low = _mm256_loadu_si256((const __m256i *)(w[b].low + part / 4 * 64 + group % 2 * 32));
            __m256i high = _mm256_loadu_si256((const __m256i *)(w[b].high + part / 4 * 32));
            if (group >= 2) low = _mm256_srli_epi16(low, 4);
            high = group == 0 ? _mm256_slli_epi16(high, 4) : group == 1 ? _mm256_slli_epi16(high, 2) : group == 2 ? high : _mm256_srli_epi16(high, 2);
            __m256i codes = _mm256_or_si256(_mm256_and_si256(low, nibbles), _mm256_and_si256(high, pairs));
            __m256i dot = dot32(codes, _mm256_loadu_si256((const __m256i *)(x->codes + 256 * b + 32 * part)));
            dot = _mm256_add_epi32(dot, _mm256_srai_epi32(_mm256_loadu_si256((const __m256i *)(x->lanes128 + 64 * b + 8 * part)), 2));
            float scale = d * x->scales[8 * b + part];
            __m256 steps = _mm256_insertf128_ps(
                _mm256_set1_ps(scale * w[b].scales[2 * part]), _mm_set1_ps(scale * w[b].scales[2 * part + 1]), 1);
            sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), steps, sum);
        }
    }
    return eight_sums(sum);
}
#endif
