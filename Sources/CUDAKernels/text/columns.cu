// Rows and columns: factors, copies, softmax. Bound by memory.
#include "common.cuh"

KERNEL(scale_rows)(const E *from, const void *factors, i32 factorType, E *to, i64 rows, i64 width) {
    bool isVector = is_aligned(from) && is_aligned(to) && is_whole(width);
    FOR_ROW_EIGHTS(row, i, rows, width) {
        float x[8], factor = value_at(factors, factorType, row);
        load(from + row * width + i, width - i, isVector, x);
        EIGHT x[k] *= factor;
        store(to + row * width + i, width - i, isVector, x);
    }
}

// to = from * factors + offsets, each of a column; offsets may be null.
KERNEL(scale_columns)(const E *from, const void *factors, i32 factorType, const void *offsets, i32 offsetType, E *to, i64 rows, i64 width) {
    bool isVector = is_aligned(from) && is_aligned(to) && is_whole(width);
    bool areFactorsVectors = is_aligned(factors) && is_whole(width), areOffsetsVectors = is_aligned(offsets) && is_whole(width);
    FOR_ROW_EIGHTS(row, i, rows, width) {
        float x[8], f[8], o[8];
        load(from + row * width + i, width - i, isVector, x);
        load_any(factors, factorType, i, width - i, areFactorsVectors, f);
        EIGHT x[k] *= f[k];
        if (offsets) {
            load_any(offsets, offsetType, i, width - i, areOffsetsVectors, o);
            EIGHT x[k] += o[k];
        }
        store(to + row * width + i, width - i, isVector, x);
    }
}

KERNEL(copy_columns)(const E *from, E *to, i64 rows, i64 fromStride, i64 toStride, i64 fromColumn, i64 toColumn, i64 width) {
    const E *source = from + fromColumn;
    E *target = to + toColumn;
    bool isVector = is_aligned(source) && is_aligned(target) && is_whole(width) && is_whole(fromStride) && is_whole(toStride);
    FOR_ROW_EIGHTS(row, i, rows, width) {
        float x[8];
        load(source + row * fromStride + i, width - i, isVector, x);
        store(target + row * toStride + i, width - i, isVector, x);
    }
}

// 1 / |W_j + scale B_j A| from |W_j|^2 = squares, W A^T = cross^T [rank, outputs], B (A A^T) = gram [outputs, rank]; 0 for rows of zeros.
KERNEL(inverse_updated_norms)(const f32 *squares, const void *up, i32 upType, const E *cross, const f32 *gram, f32 scale, f32 *result,
                              i64 outputs, i64 rank) {
    i64 row = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= outputs) return;
    float sum = squares[row];
    for (i64 r = 0; r < rank; r++)
        sum += value_at(up, upType, row * rank + r)
            * (2.0f * scale * value(cross[r * outputs + row]) + scale * scale * gram[row * rank + r]);
    result[row] = sum > 0 ? 1.0f / sqrtf(sum) : 0.0f;
}

KERNEL(softmax)(const E *x, E *y, i64 rows, i64 width) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    const E *from = x + row * width;
    E *to = y + row * width;
    bool isVector = is_aligned(from) && is_aligned(to);
    float best = -INFINITY, sum = 0;
    for (i64 i = threadIdx.x; i < width; i += blockDim.x) best = fmaxf(best, value(from[i]));
    best = block_maximum(best);
    for (i64 i = threadIdx.x; i < width; i += blockDim.x) sum += __expf(value(from[i]) - best);
    float factor = 1.0f / block_sum(sum);
    for (i64 i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float p[8];
        load(from + i, width - i, isVector, p);
        EIGHT p[k] = __expf(p[k] - best) * factor;
        store(to + i, width - i, isVector, p);
    }
}

// dx = result * (gradient - result . gradient)
KERNEL(softmax_backward)(const E *gradient, const E *result, E *dx, i64 rows, i64 width) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    const E *d = gradient + row * width, *p = result + row * width;
    float sum = 0;
    for (i64 i = threadIdx.x; i < width; i += blockDim.x) sum += value(d[i]) * value(p[i]);
    sum = block_sum(sum);
    for (i64 i = threadIdx.x; i < width; i += blockDim.x) put(dx + row * width + i, value(p[i]) * (value(d[i]) - sum));
}
