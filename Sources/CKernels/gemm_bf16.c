// Products of bf16 pairs, for AVX-512 with its dot product of them: twice the speed of f32. Both factors are bf16, sums are f32.
//
// The packing is that of gemm.c with a pair of neighbours in k in the place of one f32:
//
//     packed a: [tile][k / 2][12] pairs        packed b: [panel][k / 2][32] pairs        k is even
#include "CKernels.h"
#include "clones.h"
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define TILE_ROWS 12
#define TILE_COLUMNS 32
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"), min_vector_width(512)))

int tb_gemm_has_bf16(void) {
    static int known = -1;
    if (known >= 0) return known;
    long rows = 0, columns = 0;
    __builtin_cpu_init();
    int found = __builtin_cpu_supports("avx512bf16") != 0 && tb_gemm_tile(&rows, &columns) && rows == TILE_ROWS && columns == TILE_COLUMNS;
    return known = found;
}

// k numbers as bf16, rounded to the nearest.
TARGET static void narrow(const float *from, uint16_t *to, long k) {
    long p = 0;
    for (; p + 16 <= k; p += 16) {
        __m256bh half = _mm512_cvtneps_pbh(_mm512_loadu_ps(from + p));
        memcpy(to + p, &half, 32);
    }
    if (p < k) tb_narrow_bf16(from + p, to + p, k - p);
}

void tb_gemm_pack_rows_bf16(const float *from, long stride, long count, long k, long tile_stride, float *to) {
    // A few hundred pairs of a tile's rows at a time.
    enum { most = 512 };
    uint16_t rows[TILE_ROWS * most];
    for (long first = 0; first < count; first += TILE_ROWS, to += tile_stride) {
        long here = count - first < TILE_ROWS ? count - first : TILE_ROWS;
        for (long start = 0; start < k; start += most) {
            long length = k - start < most ? k - start : most;
            for (long i = 0; i < here; i++) narrow(from + (first + i) * stride + start, rows + i * most, length);
            tb_gemm_pack_rows((const float *)(const void *)rows, most / 2, 0, here, length / 2, tile_stride, to + start / 2 * TILE_ROWS);
        }
    }
}

TARGET static void gather_pairs(const uint16_t *from, long stride, long count, long k, long panel_stride, float *to) {
    for (long first = 0; first < count; first += TILE_COLUMNS, to += panel_stride) {
        long here = count - first < TILE_COLUMNS ? count - first : TILE_COLUMNS;
        for (long p = 0; p < k; p += 2) {
            const uint16_t *low = from + p * stride + first, *high = low + stride;
            uint32_t *pairs = (uint32_t *)(void *)(to + p / 2 * TILE_COLUMNS);
            if (here == TILE_COLUMNS) {
                for (long i = 0; i < TILE_COLUMNS; i += 16) {
                    __m512i a = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(low + i)));
                    __m512i b = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(high + i)));
                    _mm512_storeu_si512(pairs + i, _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
                }
                continue;
            }
            for (long i = 0; i < TILE_COLUMNS; i++) pairs[i] = i < here ? (uint32_t)low[i] | (uint32_t)high[i] << 16 : 0;
        }
    }
}

void tb_gemm_pack_columns_bf16(const uint16_t *from, long stride, int is_transposed, long count, long k, long panel_stride, float *to) {
    if (is_transposed) return gather_pairs(from, stride, count, k, panel_stride, to);
    // Pairs lie side by side already, and an even stride keeps them together from row to row.
    tb_gemm_pack_columns(from, TB_FLOAT32, stride / 2, 0, count, k / 2, panel_stride, to);
}

// Rows of f32 that are made bf16 on the way: a quantised weight's, widened a piece at a time.
void tb_gemm_pack_widened_bf16(float *from, long stride, int is_transposed, long count, long k, long panel_stride, float *to) {
    uint16_t *half = (uint16_t *)(void *)from;
    long rows = is_transposed ? k : count, width = is_transposed ? count : k, even = (stride + 1) / 2 * 2;
    // In place: a row's bf16 numbers end before the next row's f32 begin.
    for (long i = 0; i < rows; i++) narrow(from + i * stride, half + i * even, width);
    tb_gemm_pack_columns_bf16(half, even, is_transposed, count, k, panel_stride, to);
}

TARGET INLINE void tile(long pairs, const float *restrict a, const float *restrict b, float *restrict c, long c_stride, int accumulate) {
    __m512 sums[TILE_ROWS][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < TILE_ROWS; i++) {
        __builtin_prefetch(c + i * c_stride, 1);
        sums[i][0] = sums[i][1] = _mm512_setzero_ps();
    }
#pragma clang loop unroll_count(2)
    for (long p = 0; p < pairs; p++) {
        __m512i first = _mm512_loadu_si512(b), second = _mm512_loadu_si512(b + 16);
#pragma clang loop unroll(full)
        for (int i = 0; i < TILE_ROWS; i++) {
            __m512i row;
            __asm__("vpbroadcastd %1, %0" : "=v"(row) : "m"(a[i]));
            sums[i][0] = _mm512_dpbf16_ps(sums[i][0], (__m512bh)row, (__m512bh)first);
            sums[i][1] = _mm512_dpbf16_ps(sums[i][1], (__m512bh)row, (__m512bh)second);
        }
        a += TILE_ROWS;
        b += TILE_COLUMNS;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < TILE_ROWS; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < 2; j++) {
            float *to = c + i * c_stride + 16 * j;
            _mm512_storeu_ps(to, accumulate ? _mm512_add_ps(_mm512_loadu_ps(to), sums[i][j]) : sums[i][j]);
        }
}

TARGET void tb_gemm_block_bf16(long m, long n, long pairs, const float *a, long a_stride, const float *b, float *c, long c_stride,
                               int accumulate, tb_gemm_ahead ahead) {
    // The lines that are wanted next, a few for each row of tiles.
    long row_lines = (ahead.row_bytes + 63) / 64, lines = ahead.rows * row_lines, line = 0;
    long share = lines * TILE_ROWS / (m > 0 ? m : 1) + 1;
    for (long row = 0; row < m; row += TILE_ROWS, a += a_stride) {
        for (long end = line + share < lines ? line + share : lines; line < end; line++)
            __builtin_prefetch((const char *)ahead.from + line / row_lines * ahead.stride_bytes + line % row_lines * 64, 0, 2);
        const float *panel = b;
        for (long column = 0; column < n; column += TILE_COLUMNS, panel += TILE_COLUMNS * pairs) {
            float *to = c + row * c_stride + column;
            if (row + TILE_ROWS <= m && column + TILE_COLUMNS <= n) {
                tile(pairs, a, panel, to, c_stride, accumulate);
                continue;
            }
            float edge[TILE_ROWS * TILE_COLUMNS];
            tile(pairs, a, panel, edge, TILE_COLUMNS, 0);
            long rows = m - row < TILE_ROWS ? m - row : TILE_ROWS;
            long columns = n - column < TILE_COLUMNS ? n - column : TILE_COLUMNS;
            for (long i = 0; i < rows; i++)
                for (long j = 0; j < columns; j++)
                    to[i * c_stride + j] = (accumulate ? to[i * c_stride + j] : 0) + edge[i * TILE_COLUMNS + j];
        }
    }
}

#else

int tb_gemm_has_bf16(void) { return 0; }
void tb_gemm_pack_rows_bf16(const float *from, long stride, long count, long k, long tile_stride, float *to) {}
void tb_gemm_pack_columns_bf16(const uint16_t *from, long stride, int is_transposed, long count, long k, long panel_stride, float *to) {}
void tb_gemm_pack_widened_bf16(float *from, long stride, int is_transposed, long count, long k, long panel_stride, float *to) {}
void tb_gemm_block_bf16(long m, long n, long pairs, const float *a, long a_stride, const float *b, float *c, long c_stride,
                        int accumulate, tb_gemm_ahead ahead) {}

#endif
