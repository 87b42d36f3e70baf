// Dot products of a row of GGUF blocks with M rows of activations, with AVX-512 and its products of bytes. The codes are unpacked
// once for all M; each row's sum is made in the same order whatever M is, so that decoding several streams together gives the
// very numbers of decoding them one by one.
#pragma once
#include "CKernels.h"
#include "blocks.h"
#include <immintrin.h>

#define WITH_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c,fma,avx2")))
#define EACH _Pragma("clang loop unroll(full)")

WITH_VNNI INLINE __m512i two_halves(const void *low, const void *high) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256(low)), _mm256_loadu_si256(high), 1);
}

WITH_VNNI INLINE __m512i four_quarters(const void *a, const void *b, const void *c, const void *d) {
    __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(a)), _mm_loadu_si128(b), 1);
    __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(c)), _mm_loadu_si128(d), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// The factors of four blocks, whose first two bytes they are.
WITH_VNNI INLINE __m128 four_factors(const void *blocks, long bytes) {
    const uint8_t *from = blocks;
    uint16_t h[4];
    memcpy(h, from, 2);
    memcpy(h + 1, from + bytes, 2);
    memcpy(h + 2, from + 2 * bytes, 2);
    memcpy(h + 3, from + 3 * bytes, 2);
    __m128i halves = _mm_cvtsi32_si128(h[0]);
    halves = _mm_insert_epi16(halves, h[1], 1);
    halves = _mm_insert_epi16(halves, h[2], 2);
    halves = _mm_insert_epi16(halves, h[3], 3);
    return _mm_cvtph_ps(halves);
}

WITH_VNNI INLINE __m128 one_factor(uint16_t half) { return _mm_cvtph_ps(_mm_cvtsi32_si128(half)); }

WITH_VNNI INLINE float four_sums(__m128 v) {
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
}

// The sums of whole groups of four blocks, still in lanes: of the products with the weights taken as unsigned, and of what that adds,
// which is to be taken off 128 times. Returns the blocks done.
WITH_VNNI INLINE long q8_0_lanes(const block_q8_0 *w, long count, const tb_activation *x, const int M, __m512 *total, __m128 *shift) {
    __m512 a[4], c[4];
    EACH for (int i = 0; i < M; i++) {
        a[i] = c[i] = _mm512_setzero_ps();
        shift[i] = _mm_setzero_ps();
    }
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    const __m512i first = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m512i second = _mm512_set_epi32(3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2);
    long b = 0;
    for (; b + 4 <= count; b += 4) {
        __m128 d = four_factors(w + b, sizeof *w);
        __m512i one = _mm512_xor_si512(two_halves(w[b].codes, w[b + 1].codes), flip);
        __m512i two = _mm512_xor_si512(two_halves(w[b + 2].codes, w[b + 3].codes), flip);
        EACH for (int i = 0; i < M; i++) {
            __m512 scale = _mm512_castps128_ps512(_mm_mul_ps(d, _mm_loadu_ps(x[i].scales + b)));
            shift[i] = _mm_fmadd_ps(d, _mm_loadu_ps(x[i].sums + b), shift[i]);
            __m512i p = _mm512_dpbusd_epi32(_mm512_setzero_si512(), one, _mm512_loadu_si512(x[i].codes + 32 * b));
            __m512i q = _mm512_dpbusd_epi32(_mm512_setzero_si512(), two, _mm512_loadu_si512(x[i].codes + 32 * b + 64));
            a[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(p), _mm512_permutexvar_ps(first, scale), a[i]);
            c[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(q), _mm512_permutexvar_ps(second, scale), c[i]);
        }
    }
    EACH for (int i = 0; i < M; i++) total[i] = _mm512_add_ps(a[i], c[i]);
    return b;
}

WITH_VNNI INLINE void vnni_q8_0(const block_q8_0 *w, long count, const tb_activation *x, const int M, float *out) {
    __m512 total[4];
    __m128 shift[4];
    long b = q8_0_lanes(w, count, x, M, total, shift);
    EACH for (int i = 0; i < M; i++) {
        float sum = _mm512_reduce_add_ps(total[i]) - 128.0f * four_sums(shift[i]);
        for (long rest = b; rest < count; rest++) {
            __m256i codes = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)w[rest].codes), _mm256_set1_epi8((char)0x80));
            __m256i p = _mm256_dpbusd_epi32(_mm256_setzero_si256(), codes, _mm256_loadu_si256((const __m256i *)(x[i].codes + 32 * rest)));
            float dot = (float)_mm512_reduce_add_epi32(_mm512_zextsi256_si512(p));
            sum += _mm_cvtss_f32(one_factor(w[rest].d)) * (x[i].scales[rest] * dot - 128.0f * x[i].sums[rest]);
        }
        out[i] = sum;
    }
}

WITH_VNNI INLINE __m128 four_lanes(__m512 v) {
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

// The sums of four vectors, each added up in the order in which a single one is.
WITH_VNNI INLINE __m128 sums_of_four(__m128 a, __m128 b, __m128 c, __m128 d) {
    _MM_TRANSPOSE4_PS(a, b, c, d);
    return _mm_add_ps(_mm_add_ps(a, c), _mm_add_ps(b, d));
}

// Four rows of whole groups with one x. Read one after the other, because memory comes fastest as one stream (rows side by side: a
// third of the speed); only what ends a row is done for all four at once, which is a sixth of the work on rows of 768 numbers.
WITH_VNNI static void vnni_q8_0_four_rows(const uint8_t *row, long row_bytes, long count, const tb_activation *x, float *y) {
    __m512 total[4];
    __m128 shift[4];
    EACH for (int r = 0; r < 4; r++) q8_0_lanes((const block_q8_0 *)(row + r * row_bytes), count, x, 1, total + r, shift + r);
    __m128 sum = sums_of_four(four_lanes(total[0]), four_lanes(total[1]), four_lanes(total[2]), four_lanes(total[3]));
    __m128 less = sums_of_four(shift[0], shift[1], shift[2], shift[3]);
    _mm_storeu_ps(y, _mm_fnmadd_ps(_mm_set1_ps(128.0f), less, sum));
}

// Sixty-four low and sixty-four high codes of four blocks with x in `split` order: sums of four lanes belong to one block.
#define NIBBLE_BLOCKS(NAME, TYPE, OFFSET, BITS)                                                                                   \
    WITH_VNNI INLINE void NAME(const TYPE *w, long count, const tb_activation *x, const int M, float *out) {                       \
        __m512 a[4];                                                                                                               \
        __m128 shift[4];                                                                                                           \
        EACH for (int i = 0; i < M; i++) {                                                                                         \
            a[i] = _mm512_setzero_ps();                                                                                            \
            shift[i] = _mm_setzero_ps();                                                                                           \
        }                                                                                                                          \
        const __m512i nibbles = _mm512_set1_epi8(15);                                                                              \
        const __m512i place = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);                                    \
        long b = 0;                                                                                                                \
        for (; b + 4 <= count; b += 4) {                                                                                           \
            __m128 d = four_factors(w + b, sizeof *w);                                                                             \
            __m512i bytes = four_quarters(w[b].codes, w[b + 1].codes, w[b + 2].codes, w[b + 3].codes);                             \
            __m512i low = _mm512_and_si512(bytes, nibbles), high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibbles);         \
            BITS;                                                                                                                  \
            EACH for (int i = 0; i < M; i++) {                                                                                     \
                __m512 scale = _mm512_castps128_ps512(_mm_mul_ps(d, _mm_loadu_ps(x[i].scales + b)));                               \
                shift[i] = _mm_fmadd_ps(d, _mm_loadu_ps(x[i].sums + b), shift[i]);                                                 \
                __m512i p = _mm512_dpbusd_epi32(_mm512_setzero_si512(), low, _mm512_loadu_si512(x[i].split + 32 * b));             \
                p = _mm512_dpbusd_epi32(p, high, _mm512_loadu_si512(x[i].split + 32 * b + 64));                                    \
                a[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(p), _mm512_permutexvar_ps(place, scale), a[i]);                          \
            }                                                                                                                      \
        }                                                                                                                          \
        EACH for (int i = 0; i < M; i++) {                                                                                         \
            out[i] = _mm512_reduce_add_ps(a[i]) - OFFSET * four_sums(shift[i]);                                                    \
            if (b < count) {                                                                                                       \
                tb_activation rest = {.codes = x[i].codes + 32 * b, .scales = x[i].scales + b, .sums = x[i].sums + b};             \
                out[i] += plain_##TYPE(w + b, count - b, &rest);                                                                   \
            }                                                                                                                      \
        }                                                                                                                          \
    }

#define plain_block_q4_0 plain_q4_0
#define plain_block_q5_0 plain_q5_0

NIBBLE_BLOCKS(vnni_q4_0, block_q4_0, 8.0f, )

// The fifth bits: sixteen of each block for its first half, sixteen for its second.
WITH_VNNI INLINE void fifth_bits(const block_q5_0 *w, uint64_t *first, uint64_t *second) {
    uint32_t bits[4];
    for (int i = 0; i < 4; i++) memcpy(bits + i, w[i].high, 4);
    __m128i all = _mm_loadu_si128((const __m128i *)bits);
    all = _mm_shuffle_epi8(all, _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    *first = (uint64_t)_mm_cvtsi128_si64(all);
    *second = (uint64_t)_mm_extract_epi64(all, 1);
}

NIBBLE_BLOCKS(
    vnni_q5_0, block_q5_0, 16.0f, uint64_t first; uint64_t second; fifth_bits(w + b, &first, &second);
    const __m512i fifth = _mm512_set1_epi8(16); low = _mm512_or_si512(low, _mm512_maskz_mov_epi8(first, fifth));
    high = _mm512_or_si512(high, _mm512_maskz_mov_epi8(second, fifth)))

// Q4_K and Q5_K: eight parts of 32, two to 32 bytes of nibbles. `high` holds the fifth bits of Q5_K, bit p of byte i for element i
// of part p.
WITH_VNNI INLINE void vnni_k(
    const uint8_t *row, const long bytes, const int has_fifth, long count, const tb_activation *x, const int M, float *out) {
    __m512 a[4], c[4];
    __m256 least[4];
    EACH for (int i = 0; i < M; i++) {
        a[i] = c[i] = _mm512_setzero_ps();
        least[i] = _mm256_setzero_ps();
    }
    const __m512i nibbles = _mm512_set1_epi8(15), shifts = _mm512_set_epi64(4, 4, 4, 4, 0, 0, 0, 0), sixteen = _mm512_set1_epi8(16);
    const __m512i first = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    for (long b = 0; b < count; b++, row += bytes) {
        uint8_t scales[8], minima[8];
        uint16_t factors[2];
        memcpy(factors, row, 4);
        k_scales(row + 4, scales, minima);
        __m256 steps = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)scales)));
        __m256 lows = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)minima)));
        steps = _mm256_mul_ps(steps, _mm256_broadcastss_ps(one_factor(factors[0])));
        lows = _mm256_mul_ps(lows, _mm256_broadcastss_ps(one_factor(factors[1])));
        __m512 wide[4];
        EACH for (int i = 0; i < M; i++) {
            wide[i] = _mm512_castps256_ps512(_mm256_mul_ps(steps, _mm256_loadu_ps(x[i].scales + 8 * b)));
            least[i] = _mm256_fmadd_ps(lows, _mm256_loadu_ps(x[i].sums + 8 * b), least[i]);
        }
        const uint8_t *codes = row + 16 + (has_fifth ? 32 : 0);
        __m512i fifths = has_fifth ? _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(row + 16))) : _mm512_setzero_si512();
        EACH for (int pair = 0; pair < 4; pair++) {
            __m512i both = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(codes + 32 * pair)));
            __m512i q = _mm512_and_si512(_mm512_srlv_epi64(both, shifts), nibbles);
            if (has_fifth) {
                __m512i bit = _mm512_inserti64x4(_mm512_set1_epi8((char)(1 << 2 * pair)), _mm256_set1_epi8((char)(2 << 2 * pair)), 1);
                q = _mm512_or_si512(q, _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(fifths, bit), sixteen));
            }
            __m512i place = _mm512_add_epi32(first, _mm512_set1_epi32(2 * pair));
            EACH for (int i = 0; i < M; i++) {
                __m512i dot = _mm512_dpbusd_epi32(_mm512_setzero_si512(), q, _mm512_loadu_si512(x[i].codes + 256 * b + 64 * pair));
                __m512 scale = _mm512_permutexvar_ps(place, wide[i]);
                if (pair & 1)
                    c[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, c[i]);
                else
                    a[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, a[i]);
            }
        }
    }
    EACH for (int i = 0; i < M; i++)
        out[i] = _mm512_reduce_add_ps(_mm512_sub_ps(_mm512_add_ps(a[i], c[i]), _mm512_zextps256_ps512(least[i])));
}

WITH_VNNI INLINE void vnni_q4_k(const block_q4_k *w, long count, const tb_activation *x, const int M, float *out) {
    vnni_k((const uint8_t *)w, sizeof *w, 0, count, x, M, out);
}

WITH_VNNI INLINE void vnni_q5_k(const block_q5_k *w, long count, const tb_activation *x, const int M, float *out) {
    vnni_k((const uint8_t *)w, sizeof *w, 1, count, x, M, out);
}

WITH_VNNI INLINE void vnni_q6_k(const block_q6_k *w, long count, const tb_activation *x, const int M, float *out) {
    __m512 s[4], t[4];
    EACH for (int i = 0; i < M; i++) s[i] = t[i] = _mm512_setzero_ps();
    const __m512i nibbles = _mm512_set1_epi8(15), pairs = _mm512_set1_epi8(0x30);
    const __m512i doubled = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512i first = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i up = _mm512_set_epi64(2, 2, 2, 2, 4, 4, 4, 4), down = _mm512_set_epi64(2, 2, 2, 2, 0, 0, 0, 0);
    for (long b = 0; b < count; b++) {
        __m512 steps = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)w[b].scales)));
        steps = _mm512_mul_ps(steps, _mm512_broadcastss_ps(one_factor(w[b].d)));
        __m512 own[4];
        EACH for (int i = 0; i < M; i++)
            own[i] = _mm512_mul_ps(steps, _mm512_permutexvar_ps(doubled, _mm512_castps256_ps512(_mm256_loadu_ps(x[i].scales + 8 * b))));
        EACH for (int half = 0; half < 2; half++) {
            __m512i low = _mm512_loadu_si512(w[b].low + 64 * half);
            __m512i high = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(w[b].high + 32 * half)));
            __m512i a = _mm512_or_si512(_mm512_and_si512(low, nibbles), _mm512_and_si512(_mm512_sllv_epi64(high, up), pairs));
            __m512i c = _mm512_or_si512(
                _mm512_and_si512(_mm512_srli_epi64(low, 4), nibbles), _mm512_and_si512(_mm512_srlv_epi64(high, down), pairs));
            __m512i place = _mm512_add_epi32(first, _mm512_set1_epi32(8 * half)), next = _mm512_add_epi32(place, _mm512_set1_epi32(4));
            EACH for (int i = 0; i < M; i++) {
                const int8_t *codes = x[i].codes + 256 * b + 128 * half;
                const int32_t *lanes = x[i].lanes128 + 64 * b + 32 * half;
                __m512i dot = _mm512_dpbusd_epi32(_mm512_srai_epi32(_mm512_loadu_si512(lanes), 2), a, _mm512_loadu_si512(codes));
                s[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_permutexvar_ps(place, own[i]), s[i]);
                dot = _mm512_dpbusd_epi32(_mm512_srai_epi32(_mm512_loadu_si512(lanes + 16), 2), c, _mm512_loadu_si512(codes + 64));
                t[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_permutexvar_ps(next, own[i]), t[i]);
            }
        }
    }
    EACH for (int i = 0; i < M; i++) out[i] = _mm512_reduce_add_ps(_mm512_add_ps(s[i], t[i]));
}
