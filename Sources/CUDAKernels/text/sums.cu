// Sums over tensors, rows and columns. Parts are summed by the blocks of a grid whose size does not depend on the card and then
// by one block in order: the same numbers every time. Each element is read once; the results are few.
#include "common.cuh"

// Eight products are summed in f32, the rest in f64.
KERNEL(sum_of_squares_partial)(const E *from, i64 count, f64 *partials) {
    bool isVector = is_aligned(from);
    f64 sum = 0;
    FOR_EIGHTS(i, count) {
        float x[8], part = 0;
        load(from + i, count - i, isVector, x);
#pragma unroll
        EIGHT part += x[k] * x[k];
        sum += part;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

KERNEL(dot_partial)(const E *a, const E *b, i64 count, f64 *partials) {
    bool isVector = is_aligned(a) && is_aligned(b);
    f64 sum = 0;
    FOR_EIGHTS(i, count) {
        float x[8], y[8], part = 0;
        load(a + i, count - i, isVector, x);
        load(b + i, count - i, isVector, y);
#pragma unroll
        EIGHT part += x[k] * y[k];
        sum += part;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

KERNEL(sum_finish)(const f64 *partials, i64 count, f64 *result, i32 isAccumulating) {
    f64 sum = 0;
    for (i64 i = threadIdx.x; i < count; i += blockDim.x) sum += partials[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) *result = isAccumulating ? *result + sum : sum;
}

// What gradients are multiplied with so that their norm is at most `maximum` (torch.nn.utils.clip_grad_norm_; 0 leaves them), times
// `scale`, which takes the scale of the losses out of them: `norm` has that already. A norm that is no number closes the gate: the
// factor is -1 then, which stands for no update, and so it is after every later call until the host opens the gate again.
KERNEL(clip_factor)(const f64 *squares, f64 scale, f64 maximum, f32 *factor, f64 *norm, i32 *gate) {
    f64 length = sqrt(*squares) * scale;
    *norm = length;
    bool isSound = length <= 1.7976931348623157e308;
    if (!isSound) *gate = 1;
    f64 wanted = maximum / (length + 1e-6);
    *factor = *gate ? -1.0f : (f32)((maximum > 0 && wanted < 1 ? wanted : 1.0) * scale);
}

KERNEL(row_dots)(const E *a, const E *b, E *result, i64 rows, i64 width) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    const E *x = a + row * width, *y = b + row * width;
    bool isVector = is_aligned(x) && is_aligned(y);
    float sum = 0;
    for (i64 i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float p[8], q[8];
        load(x + i, width - i, isVector, p);
        load(y + i, width - i, isVector, q);
#pragma unroll
        EIGHT sum += p[k] * q[k];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) put(result + row, sum);
}

// Squares of each row: mode 0 their sum, 1 the inverse of its root, 2 their mean.
KERNEL(row_squares)(const void *x, i32 xType, f32 *result, i64 rows, i64 width, i32 mode) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    bool isVector = is_aligned(x) && is_whole(width);
    float sum = 0;
    for (i64 i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float p[8];
        load_any(x, xType, row * width + i, width - i, isVector, p);
#pragma unroll
        EIGHT sum += p[k] * p[k];
    }
    sum = block_sum(sum);
    if (threadIdx.x) return;
    result[row] = mode == 0 ? sum : mode == 1 ? 1.0f / fmaxf(sqrtf(sum), 1e-12f) : sum / (float)width;
}

// partials[part, column] = sum over the part's rows of a (b - shift) factor. Without b, shifts or factors: 1, 0 and 1. It makes
// gradients of biases and of norms' weights, products of columns and their squares.
KERNEL(column_dots_partial)(const E *a, const E *b, const f32 *rowFactors, const f32 *rowShifts, i64 rows, i64 width, f32 *partials) {
    i64 column = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= width) return;
    i64 part = (rows + gridDim.y - 1) / gridDim.y, first = blockIdx.y * part, last = first + part < rows ? first + part : rows;
    float sum = 0;
#pragma unroll 4
    for (i64 row = first; row < last; row++) {
        float term = value(a[row * width + column]);
        if (b) term *= value(b[row * width + column]) - (rowShifts ? rowShifts[row] : 0.0f);
        if (rowFactors) term *= rowFactors[row];
        sum += term;
    }
    partials[blockIdx.y * width + column] = sum;
}

KERNEL(column_sums_finish)(const f32 *partials, i64 parts, i64 width, const void *factors, i32 factorType, f32 factor, f32 *result,
                           i32 isAccumulating) {
    i64 column = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= width) return;
    float sum = 0;
    for (i64 part = 0; part < parts; part++) sum += partials[part * width + column];
    sum *= factors ? factor * value_at(factors, factorType, column) : factor;
    result[column] = isAccumulating ? result[column] + sum : sum;
}
