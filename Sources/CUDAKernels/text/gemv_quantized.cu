// The same product with a quantised weight, which never stands in memory as anything else: 0.56 bytes a number for NF4 and Q4_K, 1.06
// for Q8_0. For the commonest kinds four eighths of a row are under way in each lane.
#include "gemv.cuh"
#include "quantized.cuh"

// The kinds that models come in most often have more loads under way; the others are shorter to compile.
template <int kind> DEVICE constexpr int under_way() { return ROWS <= 2 && (kind == TABLE4 || kind == Q8_0 || kind == Q4_K || kind == GROUPED) ? 4 : 1; }

template <int kind> DEVICE void add_quantized_row(float (&sums)[ROWS], const Quantized &w, const float *table, i64 row, const E *x, i64 xStride, i32 count) {
    i64 i = threadIdx.x % 32 * 8;
    if (is_aligned(x) && is_whole(xStride) && is_whole(w.columns)) {
#pragma unroll under_way<kind>()
        for (; i < w.columns; i += 256) {
            float v[8];
            quantized_eight<kind>(w, table, row, i, v);
            add_eight<true>(sums, v, x, xStride, count, i, 8);
        }
        return;
    }
#pragma unroll 1
    for (; i < w.columns; i += 256) {
        float v[8];
        quantized_eight<kind>(w, table, row, i, v);
        add_eight<false>(sums, v, x, xStride, count, i, w.columns - i);
    }
}

DEVICE void add_row_of_kind(float (&sums)[ROWS], const Quantized &w, const float *table, i64 row, const E *x, i64 xStride, i32 count) {
    FOR_KIND(w, add_quantized_row, sums, w, table, row, x, xStride, count)
}

KERNEL(quantized_gemv)(const E *x, i64 xStride, i32 count, tb_cuda_quantized w, const void *bias, i32 biasType, const f32 *low,
                       i64 lowStride, const f32 *up, i32 rank, E *y, i64 yStride) {
    __shared__ float table[16];
    load_table(w, table);
    i64 output = (i64)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (output >= w.rows) return;
    float sums[ROWS] = {};
    add_row_of_kind(sums, w, table, output, x, xStride, count);
    finish_output(sums, count, output, bias, biasType, low, lowStride, up, rank, y, yStride);
}
