// Stretches of quantised weights as f32. The products ask for a few rows and a few hundred columns at a time, so that the whole
// weight never stands in memory in f32.
#include "CKernels.h"
#include "blocks.h"

// A product and a sum are rounded one after the other, as the formats' own programs do.
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// MARK: 4-bit codes through a table (NF4, FP4)

// The scale of a block, itself perhaps an 8-bit code.
INLINE float code_scale(const tb_quantized *w, long block) {
    if (!w->scale_codes) return w->scales[block];
    return w->scale_table[w->scale_codes[block]] * w->scales[block / w->scale_block] + w->scale_offset;
}

INLINE unsigned nibble(const uint8_t *codes, long i) { return i & 1 ? codes[i >> 1] & 15 : codes[i >> 1] >> 4; }

static void expand_plain(const uint8_t *codes, long start, long count, const float *table, float scale, float *to) {
    for (long i = 0; i < count; i++) to[i] = table[nibble(codes, start + i)] * scale;
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw,avx512vl")))
static void expand_avx512(const uint8_t *codes, long start, long count, const float *table, float scale, float *to) {
    long i = 0;
    if (start & 1 && count > 0) {
        to[0] = table[codes[start >> 1] & 15] * scale;
        i = 1;
    }
    __m512 values = _mm512_mul_ps(_mm512_loadu_ps(table), _mm512_set1_ps(scale));
    const __m128i twice = _mm_setr_epi8(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const __m512i shifts = _mm512_set1_epi64(4);  // the even lane takes the high nibble
    for (; i + 16 <= count; i += 16) {
        __m128i bytes = _mm_shuffle_epi8(_mm_loadl_epi64((const __m128i *)(codes + ((start + i) >> 1))), twice);
        // The permutation looks at the low four bits of a lane only.
        __m512i lanes = _mm512_srlv_epi32(_mm512_cvtepu8_epi32(bytes), shifts);
        _mm512_storeu_ps(to + i, _mm512_permutexvar_ps(lanes, values));
    }
    for (; i < count; i++) to[i] = table[nibble(codes, start + i)] * scale;
}

__attribute__((target("avx2,fma")))
static void expand_avx2(const uint8_t *codes, long start, long count, const float *table, float scale, float *to) {
    long i = 0;
    if (start & 1 && count > 0) {
        to[0] = table[codes[start >> 1] & 15] * scale;
        i = 1;
    }
    __m256 factor = _mm256_set1_ps(scale);
    __m256 low = _mm256_mul_ps(_mm256_loadu_ps(table), factor), high = _mm256_mul_ps(_mm256_loadu_ps(table + 8), factor);
    const __m128i twice = _mm_setr_epi8(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const __m256i shifts = _mm256_set1_epi64x(4);
    for (; i + 8 <= count; i += 8) {
        int32_t four;
        memcpy(&four, codes + ((start + i) >> 1), 4);
        __m256i lanes = _mm256_srlv_epi32(_mm256_cvtepu8_epi32(_mm_shuffle_epi8(_mm_cvtsi32_si128(four), twice)), shifts);
        // Three bits choose in each half of the table, the fourth between them.
        __m256 a = _mm256_permutevar8x32_ps(low, lanes), b = _mm256_permutevar8x32_ps(high, lanes);
        _mm256_storeu_ps(to + i, _mm256_blendv_ps(a, b, _mm256_castsi256_ps(_mm256_slli_epi32(lanes, 28))));
    }
    for (; i < count; i++) to[i] = table[nibble(codes, start + i)] * scale;
}
#endif

static void expand(const uint8_t *codes, long start, long count, const float *table, float scale, float *to) {
#if defined(__x86_64__)
    if (tb_vector_level() >= 2) return expand_avx512(codes, start, count, table, scale, to);
    if (tb_vector_level() >= 1) return expand_avx2(codes, start, count, table, scale, to);
#endif
    expand_plain(codes, start, count, table, scale, to);
}

// Blocks run over the flattened weight, so they may cross rows.
static void table_codes(const tb_quantized *w, long start, long count, float *to) {
    while (count > 0) {
        long block = start / w->block, end = (block + 1) * w->block;
        long here = end - start < count ? end - start : count;
        expand(w->codes, start, here, w->table, code_scale(w, block), to);
        start += here;
        to += here;
        count -= here;
    }
}

// MARK: 8-bit codes with a scale for each row

CLONED void tb_widen_int8(const int8_t *from, float *to, float scale, long count) {
    for (long i = 0; i < count; i++) to[i] = (float)from[i] * scale;
}

// MARK: Affine groups (GPTQ, AWQ): scale (q - zero)

CLONED static void group4(const uint8_t *codes, long first, long count, float scale, int zero, float *to) {
    long i = 0;
    if (first & 1 && count > 0) {
        to[0] = scale * (float)((codes[first >> 1] >> 4) - zero);
        i = 1;
    }
    const uint8_t *bytes = codes + ((first + i) >> 1);
    long pairs = (count - i) / 2;
    for (long p = 0; p < pairs; p++) {
        to[i + 2 * p] = scale * (float)((bytes[p] & 15) - zero);
        to[i + 2 * p + 1] = scale * (float)((bytes[p] >> 4) - zero);
    }
    i += 2 * pairs;
    if (i < count) to[i] = scale * (float)((bytes[pairs] & 15) - zero);
}

CLONED static void group8(const uint8_t *codes, long count, float scale, int zero, float *to) {
    for (long i = 0; i < count; i++) to[i] = scale * (float)((int)codes[i] - zero);
}

INLINE int group_code(const uint8_t *codes, int bits, long i) {
    if (bits == 8) return codes[i];
    if (bits == 2) return (codes[i >> 2] >> (2 * (i & 3))) & 3;
    return (codes[i >> 1] >> (4 * (i & 1))) & 15;
}

static void grouped(const tb_quantized *w, long row, long first, long count, float *to) {
    const uint8_t *codes = w->codes + row * w->row_bytes;
    const float *scales = w->scales + row * w->groups;
    const uint16_t *zeros = w->zeros + row * w->groups;
    if (w->group_of) {
        for (long i = 0; i < count; i++) {
            long group = w->group_of[first + i];
            to[i] = scales[group] * (float)(group_code(codes, w->bits, first + i) - (int)zeros[group]);
        }
        return;
    }
    while (count > 0) {
        long group = first / w->block, end = (group + 1) * w->block;
        long here = end - first < count ? end - first : count;
        if (w->bits == 4)
            group4(codes, first, here, scales[group], zeros[group], to);
        else if (w->bits == 8)
            group8(codes + first, here, scales[group], zeros[group], to);
        else
            for (long i = 0; i < here; i++) to[i] = scales[group] * (float)(group_code(codes, w->bits, first + i) - (int)zeros[group]);
        first += here;
        to += here;
        count -= here;
    }
}

// MARK: GGUF blocks

// Left alone, short loops are unrolled into single numbers before anybody thinks of vectors: a tenth of the speed.
#define IN_VECTORS _Pragma("clang loop unroll(disable) vectorize(enable)")

CLONED static void blocks_q8_0(const block_q8_0 *restrict from, long count, float *restrict to) {
    for (long b = 0; b < count; b++, to += 32) {
        float d = half_value(from[b].d);
        IN_VECTORS
        for (int i = 0; i < 32; i++) to[i] = d * (float)from[b].codes[i];
    }
}

CLONED static void blocks_q4_0(const block_q4_0 *restrict from, long count, float *restrict to) {
    for (long b = 0; b < count; b++, to += 32) {
        float d = half_value(from[b].d);
        IN_VECTORS
        for (int i = 0; i < 16; i++) {
            to[i] = d * (float)((from[b].codes[i] & 15) - 8);
            to[i + 16] = d * (float)((from[b].codes[i] >> 4) - 8);
        }
    }
}

CLONED static void blocks_q4_1(const block_q4_1 *restrict from, long count, float *restrict to) {
    for (long b = 0; b < count; b++, to += 32) {
        float d = half_value(from[b].d), m = half_value(from[b].m);
        IN_VECTORS
        for (int i = 0; i < 16; i++) {
            to[i] = d * (float)(from[b].codes[i] & 15) + m;
            to[i + 16] = d * (float)(from[b].codes[i] >> 4) + m;
        }
    }
}

CLONED static void blocks_q5_0(const block_q5_0 *restrict from, long count, float *restrict to) {
    for (long b = 0; b < count; b++, to += 32) {
        float d = half_value(from[b].d);
        uint32_t high;
        memcpy(&high, from[b].high, 4);
        IN_VECTORS
        for (int i = 0; i < 16; i++) {
            to[i] = d * (float)((int)((from[b].codes[i] & 15) | ((high >> i) & 1) << 4) - 16);
            to[i + 16] = d * (float)((int)((from[b].codes[i] >> 4) | ((high >> (i + 16)) & 1) << 4) - 16);
        }
    }
}

CLONED static void blocks_q5_1(const block_q5_1 *restrict from, long count, float *restrict to) {
    for (long b = 0; b < count; b++, to += 32) {
        float d = half_value(from[b].d), m = half_value(from[b].m);
        uint32_t high;
        memcpy(&high, from[b].high, 4);
        IN_VECTORS
        for (int i = 0; i < 16; i++) {
            to[i] = d * (float)((from[b].codes[i] & 15) | ((high >> i) & 1) << 4) + m;
            to[i + 16] = d * (float)((from[b].codes[i] >> 4) | ((high >> (i + 16)) & 1) << 4) + m;
        }
    }
}

CLONED static void blocks_q2_k(const block_q2_k *restrict from, long count, float *restrict to) {
    for (long b = 0; b < count; b++) {
        float d = half_value(from[b].d), least = half_value(from[b].dmin);
        for (int part = 0; part < 16; part++, to += 16) {
            float scale = d * (float)(from[b].scales[part] & 15), minimum = least * (float)(from[b].scales[part] >> 4);
            const uint8_t *codes = from[b].codes + part / 8 * 32 + (part & 1) * 16;
            int shift = part % 8 / 2 * 2;
            IN_VECTORS
            for (int i = 0; i < 16; i++) to[i] = scale * (float)((codes[i] >> shift) & 3) - minimum;
        }
    }
}

CLONED static void blocks_q3_k(const block_q3_k *restrict from, long count, float *restrict to) {
    for (long b = 0; b < count; b++) {
        float d = half_value(from[b].d);
        for (int part = 0; part < 16; part++, to += 16) {
            const uint8_t *packed = from[b].scales;
            int low = part < 8 ? packed[part] & 15 : packed[part - 8] >> 4;
            int scale = (low | ((packed[8 + part % 4] >> (part / 4 * 2)) & 3) << 4) - 32;
            const uint8_t *codes = from[b].codes + part / 8 * 32 + (part & 1) * 16, *high = from[b].high + (part & 1) * 16;
            int shift = part % 8 / 2 * 2, bit = part / 2;
            IN_VECTORS
            for (int i = 0; i < 16; i++)
                to[i] = d * (float)scale * (float)(((codes[i] >> shift) & 3) - ((high[i] >> bit) & 1 ? 0 : 4));
        }
    }
}

CLONED static void blocks_q4_k(const block_q4_k *restrict from, long count, float *restrict to) {
    for (long b = 0; b < count; b++) {
        float d = half_value(from[b].d), least = half_value(from[b].dmin);
        for (int pair = 0; pair < 4; pair++, to += 64) {
            int scale, minimum;
            k_scale(from[b].scales, 2 * pair, &scale, &minimum);
            float d0 = d * (float)scale, m0 = least * (float)minimum;
            k_scale(from[b].scales, 2 * pair + 1, &scale, &minimum);
            float d1 = d * (float)scale, m1 = least * (float)minimum;
            const uint8_t *codes = from[b].codes + 32 * pair;
            IN_VECTORS
            for (int i = 0; i < 32; i++) to[i] = d0 * (float)(codes[i] & 15) - m0;
            IN_VECTORS
            for (int i = 0; i < 32; i++) to[i + 32] = d1 * (float)(codes[i] >> 4) - m1;
        }
    }
}

CLONED static void blocks_q5_k(const block_q5_k *restrict from, long count, float *restrict to) {
    for (long b = 0; b < count; b++) {
        float d = half_value(from[b].d), least = half_value(from[b].dmin);
        for (int pair = 0; pair < 4; pair++, to += 64) {
            int scale, minimum;
            k_scale(from[b].scales, 2 * pair, &scale, &minimum);
            float d0 = d * (float)scale, m0 = least * (float)minimum;
            k_scale(from[b].scales, 2 * pair + 1, &scale, &minimum);
            float d1 = d * (float)scale, m1 = least * (float)minimum;
            const uint8_t *codes = from[b].codes + 32 * pair, *high = from[b].high;
            IN_VECTORS
            for (int i = 0; i < 32; i++) to[i] = d0 * (float)((codes[i] & 15) | ((high[i] >> (2 * pair)) & 1) << 4) - m0;
            IN_VECTORS
            for (int i = 0; i < 32; i++) to[i + 32] = d1 * (float)((codes[i] >> 4) | ((high[i] >> (2 * pair + 1)) & 1) << 4) - m1;
        }
    }
}

CLONED static void blocks_q6_k(const block_q6_k *restrict from, long count, float *restrict to) {
    for (long b = 0; b < count; b++) {
        float d = half_value(from[b].d);
        for (int half = 0; half < 2; half++, to += 128) {
            const uint8_t *low = from[b].low + 64 * half, *high = from[b].high + 32 * half;
            const int8_t *scales = from[b].scales + 8 * half;
            IN_VECTORS
            for (int i = 0; i < 32; i++) {
                int part = i / 16;
                to[i] = d * scales[part] * (float)(((low[i] & 15) | (high[i] & 3) << 4) - 32);
                to[i + 32] = d * scales[part + 2] * (float)(((low[i + 32] & 15) | ((high[i] >> 2) & 3) << 4) - 32);
                to[i + 64] = d * scales[part + 4] * (float)(((low[i] >> 4) | ((high[i] >> 4) & 3) << 4) - 32);
                to[i + 96] = d * scales[part + 6] * (float)(((low[i + 32] >> 4) | (high[i] >> 6) << 4) - 32);
            }
        }
    }
}

static void whole_blocks(int kind, const void *from, long count, float *to) {
    switch (kind) {
        case TB_Q4_0: return blocks_q4_0(from, count, to);
        case TB_Q4_1: return blocks_q4_1(from, count, to);
        case TB_Q5_0: return blocks_q5_0(from, count, to);
        case TB_Q5_1: return blocks_q5_1(from, count, to);
        case TB_Q8_0: return blocks_q8_0(from, count, to);
        case TB_Q2_K: return blocks_q2_k(from, count, to);
        case TB_Q3_K: return blocks_q3_k(from, count, to);
        case TB_Q4_K: return blocks_q4_k(from, count, to);
        case TB_Q5_K: return blocks_q5_k(from, count, to);
        case TB_Q6_K: return blocks_q6_k(from, count, to);
    }
}

int tb_block_layout(int kind, long *elements, long *bytes) {
    switch (kind) {
        case TB_Q4_0: *elements = 32, *bytes = sizeof(block_q4_0); return 1;
        case TB_Q4_1: *elements = 32, *bytes = sizeof(block_q4_1); return 1;
        case TB_Q5_0: *elements = 32, *bytes = sizeof(block_q5_0); return 1;
        case TB_Q5_1: *elements = 32, *bytes = sizeof(block_q5_1); return 1;
        case TB_Q8_0: *elements = 32, *bytes = sizeof(block_q8_0); return 1;
        case TB_Q2_K: *elements = SUPER, *bytes = sizeof(block_q2_k); return 1;
        case TB_Q3_K: *elements = SUPER, *bytes = sizeof(block_q3_k); return 1;
        case TB_Q4_K: *elements = SUPER, *bytes = sizeof(block_q4_k); return 1;
        case TB_Q5_K: *elements = SUPER, *bytes = sizeof(block_q5_k); return 1;
        case TB_Q6_K: *elements = SUPER, *bytes = sizeof(block_q6_k); return 1;
    }
    return 0;
}

static void in_blocks(const tb_quantized *w, long row, long first, long count, float *to) {
    long size = 0, bytes = 0;
    if (!tb_block_layout(w->kind, &size, &bytes)) return;
    const uint8_t *line = w->codes + row * w->row_bytes;
    float whole[SUPER];
    while (count > 0) {
        long block = first / size, skip = first - block * size;
        if (skip == 0 && count >= size) {
            long blocks = count / size;
            whole_blocks(w->kind, line + block * bytes, blocks, to);
            first += blocks * size, to += blocks * size, count -= blocks * size;
            continue;
        }
        long here = size - skip < count ? size - skip : count;
        whole_blocks(w->kind, line + block * bytes, 1, whole);
        memcpy(to, whole + skip, here * sizeof(float));
        first += here, to += here, count -= here;
    }
}

void tb_dequantize(const tb_quantized *w, long row, long first, long count, float *to) {
    switch (w->kind) {
        case TB_TABLE4: return table_codes(w, row * w->columns + first, count, to);
        case TB_ROW8: return tb_widen_int8((const int8_t *)w->codes + row * w->row_bytes + first, to, w->scales[row], count);
        case TB_GROUPED: return grouped(w, row, first, count, to);
        default: return in_blocks(w, row, first, count, to);
    }
}
