// Products of a few rows with quantised weights, at the speed of reading them: decoding.
#include "blockdot.h"
#if defined(__x86_64__)
#include "blockdot_vnni.h"
#endif
#include <math.h>
#include <stdlib.h>

// Places for whole groups of four blocks, because vectors reach that far.
static long activation_blocks(long count) { return (count + 127) / 128 * 4; }

long tb_activation_bytes(long count) { return activation_blocks(count) * (32 + 32 + 64 + 4 + 4 + 32) + 256; }

tb_activation tb_activation_in(void *memory, long count) {
    long blocks = activation_blocks(count);
    tb_activation x = {0};
    x.lanes128 = memory;
    x.codes = (int8_t *)(x.lanes128 + 8 * blocks);
    x.split = x.codes + 32 * blocks;
    x.halves = (uint16_t *)(x.split + 32 * blocks);
    x.scales = (float *)(x.halves + 32 * blocks);
    x.sums = x.scales + blocks;
    return x;
}

CLONED static void quantize(const float *from, long first, long count, tb_activation *x) {
    for (long b = first / 32; b < (first + count) / 32; b++, from += 32) {
        float largest = largest_size(from, 32), inverse = largest > 0 ? 127.0f / largest : 0;
        int8_t *codes = x->codes + 32 * b, *split = x->split + b / 4 * 128 + b % 4 * 16;
        for (int i = 0; i < 32; i++) codes[i] = (int8_t)rintf(from[i] * inverse);
        memcpy(split, codes, 16);
        memcpy(split + 64, codes + 16, 16);
        int total = 0;
        for (int lane = 0; lane < 8; lane++) {
            int sum = codes[4 * lane] + codes[4 * lane + 1] + codes[4 * lane + 2] + codes[4 * lane + 3];
            x->lanes128[8 * b + lane] = -128 * sum;
            total += sum;
        }
        x->scales[b] = largest / 127.0f;
        x->sums[b] = x->scales[b] * (float)total;
    }
}

#if defined(__x86_64__)
// The same numbers: a vector's conversion rounds as rintf does.
WITH_VNNI static void quantize_vnni(const float *from, long first, long count, tb_activation *x) {
    for (long b = first / 32; b < (first + count) / 32; b++, from += 32) {
        __m512 low = _mm512_loadu_ps(from), high = _mm512_loadu_ps(from + 16);
        float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
        __m512 inverse = _mm512_set1_ps(largest > 0 ? 127.0f / largest : 0);
        __m128i first = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(low, inverse)));
        __m128i second = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(high, inverse)));
        __m256i codes = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
        int8_t *split = x->split + b / 4 * 128 + b % 4 * 16;
        _mm256_storeu_si256((__m256i *)(x->codes + 32 * b), codes);
        _mm_storeu_si128((__m128i *)split, first);
        _mm_storeu_si128((__m128i *)(split + 64), second);
        __m256i sums = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), codes);
        _mm256_storeu_si256((__m256i *)(x->lanes128 + 8 * b), _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(sums, 7)));
        x->scales[b] = largest / 127.0f;
        x->sums[b] = x->scales[b] * (float)_mm512_reduce_add_epi32(_mm512_zextsi256_si512(sums));
    }
}
#endif

void tb_quantize_activation(const float *from, long first, long count, tb_activation *x) {
#if defined(__x86_64__)
    if (tb_vector_level() >= 3) {
        quantize_vnni(from, first, count, x);
        return;
    }
#endif
    quantize(from, first, count, x);
}

enum { CODES = 1, SPLIT = 2, LANES = 4 };

int tb_activation_parts(int kind) {
    if (tb_vector_level() < 3) return 0;
    switch (kind) {
        case TB_Q8_0: case TB_Q4_K: case TB_Q5_K: return CODES;
        case TB_Q4_0: case TB_Q5_0: return SPLIT;
        case TB_Q6_K: return CODES | LANES;
        default: return 0;
    }
}

void tb_copy_activation(const tb_activation *from, int parts, long count, tb_activation *to) {
    long blocks = activation_blocks(count);
    // Blocks that are no group of four are taken one by one, from the codes.
    if (parts & CODES || blocks != count / 32) memcpy(to->codes, from->codes, (size_t)count);
    if (parts & SPLIT) memcpy(to->split, from->split, (size_t)(32 * blocks));
    if (parts & LANES) memcpy(to->lanes128, from->lanes128, (size_t)count);
    memcpy(to->scales, from->scales, (size_t)(count / 8));
    memcpy(to->sums, from->sums, (size_t)(count / 8));
    to->full = from->full;
}

int tb_has_block_dot(int kind) {
    return kind == TB_Q8_0 || kind == TB_Q4_0 || kind == TB_Q5_0 || kind == TB_Q4_K || kind == TB_Q5_K || kind == TB_Q6_K;
}

// One row of weights with `m` rows of x: y[i * y_stride].
typedef void block_row(const void *row, long columns, const tb_activation *x, long m, float *y, long y_stride);

#define ONE_BY_ONE(NAME, TYPE, ELEMENTS)                                                                                          \
    static void rows_##NAME(const void *row, long columns, const tb_activation *x, long m, float *y, long y_stride) {              \
        for (long i = 0; i < m; i++) y[i * y_stride] = NAME((const TYPE *)row, columns / ELEMENTS, x + i);                         \
    }

ONE_BY_ONE(plain_q8_0, block_q8_0, 32)
ONE_BY_ONE(plain_q4_0, block_q4_0, 32)
ONE_BY_ONE(plain_q5_0, block_q5_0, 32)
ONE_BY_ONE(plain_q4_k, block_q4_k, 256)
ONE_BY_ONE(plain_q5_k, block_q5_k, 256)
ONE_BY_ONE(plain_q6_k, block_q6_k, 256)

#if defined(__x86_64__)
ONE_BY_ONE(avx2_q8_0, block_q8_0, 32)
ONE_BY_ONE(avx2_q4_0, block_q4_0, 32)
ONE_BY_ONE(avx2_q5_0, block_q5_0, 32)
ONE_BY_ONE(avx2_q4_k, block_q4_k, 256)
ONE_BY_ONE(avx2_q5_k, block_q5_k, 256)
ONE_BY_ONE(avx2_q6_k, block_q6_k, 256)

// Four rows of x share the unpacked codes.
#define BY_FOURS(NAME, TYPE, ELEMENTS)                                                                                            \
    WITH_VNNI static void rows_##NAME(const void *row, long columns, const tb_activation *x, long m, float *y, long y_stride) {    \
        float found[4];                                                                                                            \
        for (; m >= 4; m -= 4, x += 4, y += 4 * y_stride) {                                                                        \
            NAME((const TYPE *)row, columns / ELEMENTS, x, 4, found);                                                              \
            for (int i = 0; i < 4; i++) y[i * y_stride] = found[i];                                                                \
        }                                                                                                                          \
        if (m >= 2) {                                                                                                              \
            NAME((const TYPE *)row, columns / ELEMENTS, x, 2, found);                                                              \
            for (int i = 0; i < 2; i++) y[i * y_stride] = found[i];                                                                \
            m -= 2, x += 2, y += 2 * y_stride;                                                                                     \
        }                                                                                                                          \
        if (m == 1) NAME((const TYPE *)row, columns / ELEMENTS, x, 1, y);                                                          \
    }

BY_FOURS(vnni_q8_0, block_q8_0, 32)
BY_FOURS(vnni_q4_0, block_q4_0, 32)
BY_FOURS(vnni_q5_0, block_q5_0, 32)
BY_FOURS(vnni_q4_k, block_q4_k, 256)
BY_FOURS(vnni_q5_k, block_q5_k, 256)
BY_FOURS(vnni_q6_k, block_q6_k, 256)
#endif

static block_row *block_kernel(int kind) {
#define AT_LEVEL(LEVEL)                                                                                                           \
    switch (kind) {                                                                                                                \
        case TB_Q8_0: return rows_##LEVEL##_q8_0;                                                                                  \
        case TB_Q4_0: return rows_##LEVEL##_q4_0;                                                                                  \
        case TB_Q5_0: return rows_##LEVEL##_q5_0;                                                                                  \
        case TB_Q4_K: return rows_##LEVEL##_q4_k;                                                                                  \
        case TB_Q5_K: return rows_##LEVEL##_q5_k;                                                                                  \
        case TB_Q6_K: return rows_##LEVEL##_q6_k;                                                                                  \
        default: return 0;                                                                                                         \
    }
#if defined(__x86_64__)
    int level = tb_vector_level();
    if (level >= 3) AT_LEVEL(vnni)
    if (level >= 1) AT_LEVEL(avx2)
#endif
    AT_LEVEL(plain)
}

CLONED static float int8_dot(const int8_t *w, const float *x, long count) {
    REORDER
    float sum = 0;
    for (long i = 0; i < count; i++) sum += (float)w[i] * x[i];
    return sum;
}

CLONED static float float_dot(const float *w, const float *x, long count) {
    REORDER
    float sum = 0;
    for (long i = 0; i < count; i++) sum += w[i] * x[i];
    return sum;
}

#if defined(__x86_64__)
// One stretch of 4-bit codes inside a block, from an even place and a multiple of 16 long.
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
static float table_dot_avx512(const tb_quantized *w, long start, long count, const float *x) {
    const __m128i twice = _mm_setr_epi8(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const __m512i shifts = _mm512_set1_epi64(4);
    __m512 table = _mm512_loadu_ps(w->table), total = _mm512_setzero_ps();
    for (long end = start + count; start < end;) {
        long block = start / w->block, stop = (block + 1) * w->block < end ? (block + 1) * w->block : end;
        float scale = w->scale_codes ? w->scale_table[w->scale_codes[block]] * w->scales[block / w->scale_block] + w->scale_offset
                                     : w->scales[block];
        __m512 a = _mm512_setzero_ps(), b = a;
        for (; start + 32 <= stop; start += 32, x += 32) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(w->codes + (start >> 1)));
            __m512i low = _mm512_cvtepu8_epi32(_mm_shuffle_epi8(bytes, twice));
            __m512i high = _mm512_cvtepu8_epi32(_mm_shuffle_epi8(_mm_srli_si128(bytes, 8), twice));
            a = _mm512_fmadd_ps(_mm512_permutexvar_ps(_mm512_srlv_epi32(low, shifts), table), _mm512_loadu_ps(x), a);
            b = _mm512_fmadd_ps(_mm512_permutexvar_ps(_mm512_srlv_epi32(high, shifts), table), _mm512_loadu_ps(x + 16), b);
        }
        for (; start < stop; start += 16, x += 16) {
            __m512i lanes = _mm512_cvtepu8_epi32(_mm_shuffle_epi8(_mm_loadl_epi64((const __m128i *)(w->codes + (start >> 1))), twice));
            a = _mm512_fmadd_ps(_mm512_permutexvar_ps(_mm512_srlv_epi32(lanes, shifts), table), _mm512_loadu_ps(x), a);
        }
        total = _mm512_fmadd_ps(_mm512_add_ps(a, b), _mm512_set1_ps(scale), total);
    }
    return _mm512_reduce_add_ps(total);
}
#endif

static float any_dot(const tb_quantized *w, long row, const float *x) {
    if (w->kind == TB_ROW8) return w->scales[row] * int8_dot((const int8_t *)w->codes + row * w->row_bytes, x, w->columns);
#if defined(__x86_64__)
    if (w->kind == TB_TABLE4 && tb_vector_level() >= 2 && w->columns % 16 == 0 && w->block % 16 == 0)
        return table_dot_avx512(w, row * w->columns, w->columns, x);
#endif
    float piece[256], sum = 0;
    for (long first = 0; first < w->columns; first += 256) {
        long here = w->columns - first < 256 ? w->columns - first : 256;
        tb_dequantize(w, row, first, here, piece);
        sum += float_dot(piece, x + first, here);
    }
    return sum;
}

void tb_quantized_gemv(const tb_quantized *w, long first_row, long rows, const tb_activation *x, long m, float *y, long y_stride) {
    block_row *kernel = block_kernel(w->kind);
    long row = first_row, end = first_row + rows;
#if defined(__x86_64__)
    if (w->kind == TB_Q8_0 && m == 1 && w->columns % 128 == 0 && tb_vector_level() >= 3)
        for (; row + 4 <= end; row += 4, y += 4) vnni_q8_0_four_rows(w->codes + row * w->row_bytes, w->row_bytes, w->columns / 32, x, y);
#endif
    for (; row < end; row++, y++) {
        if (kernel) {
            kernel(w->codes + row * w->row_bytes, w->columns, x, m, y, y_stride);
        } else {
            for (long i = 0; i < m; i++) y[i * y_stride] = any_dot(w, row, x[i].full);
        }
    }
}
