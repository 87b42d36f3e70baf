// Quantised weights as E: into the workspace that a product with cuBLASLt reads, and rows of quantised embeddings. NF4 in blocks of
// 64 reads 0.56 bytes and writes 2 for each number: bound by memory, 6 ms for the 7 * 10^9 of an 8B model at 3 TB/s.
#include "quantized.cuh"

template <int kind> DEVICE void dequantize_rows(const Quantized &w, const float *table, i64 firstRow, i64 rows, E *to) {
    bool isVector = is_aligned(to) && is_whole(w.columns);
    FOR_ROW_EIGHTS(row, i, rows, w.columns) {
        float x[8];
        quantized_eight<kind>(w, table, firstRow + row, i, x);
        store(to + row * w.columns + i, w.columns - i, isVector, x);
    }
}

// to [rows, columns] = rows of w from firstRow on
KERNEL(dequantize)(tb_cuda_quantized w, i64 firstRow, i64 rows, E *to) {
    __shared__ float table[16];
    load_table(w, table);
    FOR_KIND(w, dequantize_rows, w, table, firstRow, rows, to)
}

template <int kind> DEVICE void embed_row(const Quantized &w, const float *table, i64 token, float scale, E *to) {
    bool isVector = is_aligned(to);
    for (i64 i = threadIdx.x * 8; i < w.columns; i += blockDim.x * 8) {
        float x[8];
        quantized_eight<kind>(w, table, token, i, x);
        EIGHT x[k] *= scale;
        store(to + i, w.columns - i, isVector, x);
    }
}

// y[row] = scale * table[tokens[row]]
KERNEL(quantized_embedding)(tb_cuda_quantized table, const i32 *tokens, f32 scale, E *y, i64 rows) {
    __shared__ float numbers[16];
    load_table(table, numbers);
    i64 row = blockIdx.x;
    if (row >= rows) return;
    FOR_KIND(table, embed_row, table, numbers, tokens[row], scale, y + row * table.columns)
}
