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

INLINE float plain_q4_k(const block_q4_k *w, long count, const tb_activation *x) {
    float sum = 0;
    for (long b = 0; b < count; b++) {
        uint8_t scales[8], minima[8];
        k_scales(w[b].scales, scales, minima);
        float scaled = 0, least = 0;
        for (int part = 0; part < 8; part++) {
            const uint8_t *bytes = w[b].codes + part / 2 * 32;
            const int8_t *codes = x->codes + 256 * b + 32 * part;
            int dot = 0;
            for (int i = 0; i < 32; i++) dot += (part & 1 ? bytes[i] >> 4 : bytes[i] & 15) * codes[i];
            scaled += x->scales[8 * b + part] * (float)(dot * scales[part]);
            least += x->sums[8 * b + part] * (float)minima[part];
        }
        sum += half_value(w[b].d) * scaled - half_value(w[b].dmin) * least;
    }
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

#define WITH_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c,fma,avx2")))
#define WITH_AVX2 __attribute__((target("avx2,fma,f16c")))

WITH_VNNI INLINE float half_fast(uint16_t half) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half))); }

WITH_VNNI INLINE __m512 two_scales(float low, float high) {
    return _mm512_insertf32x8(_mm512_set1_ps(low), _mm256_set1_ps(high), 1);
}

WITH_VNNI INLINE __m512i two_halves(const void *low, const void *high) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256(low)), _mm256_loadu_si256(high), 1);
}

WITH_VNNI static float vnni_q8_0(const block_q8_0 *w, long count, const tb_activation *x) {
    __m512 sum0 = _mm512_setzero_ps(), sum1 = sum0;
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    long b = 0;
    for (; b + 2 <= count; b += 2) {
        __builtin_prefetch((const char *)(w + b) + 1024);
        __m512i codes = _mm512_xor_si512(two_halves(w[b].codes, w[b + 1].codes), flip);
        __m512i start = _mm512_loadu_si512(x->lanes128 + 8 * b);
        __m512i dot = _mm512_dpbusd_epi32(start, codes, _mm512_loadu_si512(x->codes + 32 * b));
        __m512 scale = two_scales(half_fast(w[b].d) * x->scales[b], half_fast(w[b + 1].d) * x->scales[b + 1]);
        if (b & 2)
            sum1 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, sum1);
        else
            sum0 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, sum0);
    }
    float sum = _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
    if (b < count) {
        tb_activation rest = {x->codes + 32 * b, x->scales + b, x->sums + b, 0, 0};
        sum += plain_q8_0(w + b, count - b, &rest);
    }
    return sum;
}

WITH_VNNI static float vnni_q4_0(const block_q4_0 *w, long count, const tb_activation *x) {
    __m512 sum0 = _mm512_setzero_ps(), sum1 = sum0;
    const __m512i nibbles = _mm512_set1_epi8(15), shifts = _mm512_set_epi64(4, 4, 0, 0, 4, 4, 0, 0);
    long b = 0;
    for (; b + 2 <= count; b += 2) {
        __builtin_prefetch((const char *)(w + b) + 1024);
        __m512i both = _mm512_inserti32x4(
            _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)w[b].codes)), _mm_loadu_si128((const __m128i *)w[b + 1].codes), 1);
        __m512i codes = _mm512_and_si512(_mm512_srlv_epi64(_mm512_shuffle_i32x4(both, both, 0x50), shifts), nibbles);
        __m512i start = _mm512_srai_epi32(_mm512_loadu_si512(x->lanes128 + 8 * b), 4);
        __m512i dot = _mm512_dpbusd_epi32(start, codes, _mm512_loadu_si512(x->codes + 32 * b));
        __m512 scale = two_scales(half_fast(w[b].d) * x->scales[b], half_fast(w[b + 1].d) * x->scales[b + 1]);
        if (b & 2)
            sum1 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, sum1);
        else
            sum0 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, sum0);
    }
    float sum = _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
    if (b < count) {
        tb_activation rest = {x->codes + 32 * b, x->scales + b, x->sums + b, 0, 0};
        sum += plain_q4_0(w + b, count - b, &rest);
    }
    return sum;
}

WITH_VNNI static float vnni_q4_k(const block_q4_k *w, long count, const tb_activation *x) {
    __m512 sum0 = _mm512_setzero_ps(), sum1 = sum0;
    __m256 least = _mm256_setzero_ps();
    const __m512i nibbles = _mm512_set1_epi8(15), shifts = _mm512_set_epi64(4, 4, 4, 4, 0, 0, 0, 0);
    const __m512i first = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0), two = _mm512_set1_epi32(2);
    for (long b = 0; b < count; b++) {
        __builtin_prefetch((const char *)(w + b) + 1152);
        __builtin_prefetch((const char *)(w + b) + 1216);
        uint8_t scales[8], minima[8];
        k_scales(w[b].scales, scales, minima);
        __m256 steps = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)scales)));
        __m256 lows = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)minima)));
        steps = _mm256_mul_ps(_mm256_mul_ps(steps, _mm256_loadu_ps(x->scales + 8 * b)), _mm256_set1_ps(half_fast(w[b].d)));
        lows = _mm256_mul_ps(lows, _mm256_loadu_ps(x->sums + 8 * b));
        least = _mm256_fmadd_ps(lows, _mm256_set1_ps(half_fast(w[b].dmin)), least);
        __m512 wide = _mm512_castps256_ps512(steps);
        __m512i place = first;
#pragma clang loop unroll(full)
        for (int pair = 0; pair < 4; pair++) {
            __m512i bytes = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(w[b].codes + 32 * pair)));
            __m512i codes = _mm512_and_si512(_mm512_srlv_epi64(bytes, shifts), nibbles);
            __m512i dot = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes, _mm512_loadu_si512(x->codes + 256 * b + 64 * pair));
            __m512 scale = _mm512_permutexvar_ps(place, wide);
            if (pair & 1)
                sum1 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, sum1);
            else
                sum0 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, sum0);
            place = _mm512_add_epi32(place, two);
        }
    }
    return _mm512_reduce_add_ps(_mm512_sub_ps(_mm512_add_ps(sum0, sum1), _mm512_zextps256_ps512(least)));
}

WITH_VNNI static float vnni_q6_k(const block_q6_k *w, long count, const tb_activation *x) {
    __m512 sum0 = _mm512_setzero_ps(), sum1 = sum0;
    const __m512i nibbles = _mm512_set1_epi8(15), pairs = _mm512_set1_epi8(0x30), four = _mm512_set1_epi32(4);
    const __m512i doubled = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512i first = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i up = _mm512_set_epi64(2, 2, 2, 2, 4, 4, 4, 4), down = _mm512_set_epi64(2, 2, 2, 2, 0, 0, 0, 0);
    for (long b = 0; b < count; b++) {
        __builtin_prefetch((const char *)(w + b) + 1260);
        __builtin_prefetch((const char *)(w + b) + 1324);
        __builtin_prefetch((const char *)(w + b) + 1388);
        __m512 steps = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)w[b].scales)));
        __m512 scales = _mm512_permutexvar_ps(doubled, _mm512_castps256_ps512(_mm256_loadu_ps(x->scales + 8 * b)));
        steps = _mm512_mul_ps(_mm512_mul_ps(steps, scales), _mm512_set1_ps(half_fast(w[b].d)));
        __m512i place = first;
#pragma clang loop unroll(full)
        for (int half = 0; half < 2; half++) {
            __m512i low = _mm512_loadu_si512(w[b].low + 64 * half);
            __m512i high = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(w[b].high + 32 * half)));
            __m512i a = _mm512_or_si512(_mm512_and_si512(low, nibbles), _mm512_and_si512(_mm512_sllv_epi64(high, up), pairs));
            __m512i c = _mm512_or_si512(
                _mm512_and_si512(_mm512_srli_epi64(low, 4), nibbles), _mm512_and_si512(_mm512_srlv_epi64(high, down), pairs));
            const int8_t *codes = x->codes + 256 * b + 128 * half;
            const int32_t *lanes = x->lanes128 + 64 * b + 32 * half;
            __m512i dot = _mm512_dpbusd_epi32(_mm512_srai_epi32(_mm512_loadu_si512(lanes), 2), a, _mm512_loadu_si512(codes));
            sum0 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_permutexvar_ps(place, steps), sum0);
            place = _mm512_add_epi32(place, four);
            dot = _mm512_dpbusd_epi32(_mm512_srai_epi32(_mm512_loadu_si512(lanes + 16), 2), c, _mm512_loadu_si512(codes + 64));
            sum1 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_permutexvar_ps(place, steps), sum1);
            place = _mm512_add_epi32(place, four);
        }
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
}

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

WITH_AVX2 static float avx2_q4_k(const block_q4_k *w, long count, const tb_activation *x) {
    __m256 sum = _mm256_setzero_ps();
    float least = 0;
    const __m256i nibbles = _mm256_set1_epi8(15);
    for (long b = 0; b < count; b++) {
        uint8_t scales[8], minima[8];
        k_scales(w[b].scales, scales, minima);
        float d = half_value(w[b].d), low = 0;
        for (int part = 0; part < 8; part++) {
            __m256i bytes = _mm256_loadu_si256((const __m256i *)(w[b].codes + part / 2 * 32));
            if (part & 1) bytes = _mm256_srli_epi16(bytes, 4);
            __m256i dot = dot32(_mm256_and_si256(bytes, nibbles), _mm256_loadu_si256((const __m256i *)(x->codes + 256 * b + 32 * part)));
            sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_set1_ps(d * scales[part] * x->scales[8 * b + part]), sum);
            low += x->sums[8 * b + part] * minima[part];
        }
        least += half_value(w[b].dmin) * low;
    }
    return eight_sums(sum) - least;
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
