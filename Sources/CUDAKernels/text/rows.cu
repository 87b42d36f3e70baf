// Rows by index: embeddings, selections, and their backward passes without atomics.
#include "common.cuh"

KERNEL(embedding)(const void *table, i32 tableType, const i32 *tokens, f32 scale, E *y, i64 rows, i64 width) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    i64 token = tokens[row];
    bool isVector = is_aligned(table) && is_aligned(y) && is_whole(width);
    for (i64 i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float x[8];
        load_any(table, tableType, token * width + i, width - i, isVector, x);
        EIGHT x[k] *= scale;
        store(y + row * width + i, width - i, isVector, x);
    }
}

// to[row] = from[indices[row]]
KERNEL(select_rows)(const E *from, const i32 *indices, E *to, i64 rows, i64 width) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    const E *source = from + (i64)indices[row] * width;
    bool isVector = is_aligned(from) && is_aligned(to) && is_whole(width);
    for (i64 i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float x[8];
        load(source + i, width - i, isVector, x);
        store(to + row * width + i, width - i, isVector, x);
    }
}

// to[indices[row]] += factor * from[row], in the order of rows: gradients of embeddings and selections.
//
// The block of the first row with an index adds all rows with that index, one after the other; the others leave. So no two
// blocks write one row, nothing is sorted, and sums are those of the CPU. A block looks at all indices: rows^2 / 2 comparisons from
// the second cache, 0.1 ms for 16,384 rows.
KERNEL(add_rows)(const E *from, const i32 *indices, f32 factor, void *to, i32 toType, i64 rows, i64 width) {
    const int threads = 128, columns = 4;
    __shared__ u32 matches[threads / 32];
    i64 mine = blockIdx.x;
    if (mine >= rows) return;
    i32 index = indices[mine];
    for (i64 start = 0; start < mine; start += threads) {
        i64 row = start + threadIdx.x;
        if (__syncthreads_or(row < mine && indices[row] == index)) return;
    }
    i64 firstColumn = (i64)blockIdx.y * threads * columns + threadIdx.x, place = (i64)index * width;
    float sums[columns];
    for (int k = 0; k < columns; k++) {
        i64 column = firstColumn + k * threads;
        sums[k] = column < width ? value_at(to, toType, place + column) : 0.0f;
    }
    for (i64 start = mine; start < rows; start += threads) {
        i64 row = start + threadIdx.x;
        u32 found = __ballot_sync(0xFFFFFFFFu, row < rows && indices[row] == index);
        __syncthreads();
        if (threadIdx.x % 32 == 0) matches[threadIdx.x / 32] = found;
        __syncthreads();
        for (int warp = 0; warp < threads / 32; warp++) {
            for (u32 bits = matches[warp]; bits; bits &= bits - 1) {
                const E *source = from + (start + warp * 32 + __ffs(bits) - 1) * width;
                for (int k = 0; k < columns; k++) {
                    i64 column = firstColumn + k * threads;
                    if (column < width) sums[k] += factor * value(source[column]);
                }
            }
        }
    }
    for (int k = 0; k < columns; k++) {
        i64 column = firstColumn + k * threads;
        if (column < width) put_at(to, toType, place + column, sums[k]);
    }
}
