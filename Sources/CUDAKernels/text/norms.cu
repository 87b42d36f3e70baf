// Normalisation of rows, forward and backward, with the residual's addition in the same pass. A block has a row: it is read once
// into registers (up to 8,192 columns; wider ones are read again), so the traffic is that of reading x and writing y.
//
// The gradient of a norm's weight is column_dots_partial(gradient, x, inverse, means) of sums.cu.
#include "common.cuh"

enum { THREADS = 256, HELD = 4 };  // eighths of a row that a thread keeps

// Calls body(h, i): eighth number h of this thread begins at column i; from HELD on they are not kept.
#define FOR_HELD(h, i, width)                          \
    _Pragma("unroll") for (int h = 0; h < HELD; h++) \
        if (i64 i = ((i64)h * blockDim.x + threadIdx.x) * 8; i < (width))
#define FOR_REST(i, width) for (i64 i = ((i64)HELD * blockDim.x + threadIdx.x) * 8; i < (width); i += blockDim.x * 8)

// Loads x, or the sum of x and residual, which is also written.
DEVICE void load_sum(const E *x, const E *residual, E *sum, i64 i, i64 width, bool isVector, float (&to)[8]) {
    load(x + i, width - i, isVector, to);
    if (!residual) return;
    float other[8];
    load(residual + i, width - i, isVector, other);
#pragma unroll
    EIGHT to[k] = stored(sum, to[k] + other[k]);
    store(sum + i, width - i, isVector, to);
}

// y = x / rms(x) * (weight + offset); with a residual, sum = x + residual and y is that sum's.
BOUNDED_KERNEL(rms_norm, THREADS, 3)(const E *x, const E *residual, const void *weight, i32 weightType, f32 epsilon, f32 offset, E *sum,
                                     E *y, f32 *inverse, i64 rows, i64 width) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    bool isVector = is_aligned(x) && is_aligned(residual) && is_aligned(sum) && is_aligned(y) && is_whole(width);
    bool isWeightVector = is_aligned(weight) && is_whole(width);
    x += row * width, y += row * width, sum += row * width;
    if (residual) residual += row * width;
    float held[HELD][8], squares = 0;
    FOR_HELD(h, i, width) {
        load_sum(x, residual, sum, i, width, isVector, held[h]);
#pragma unroll
        EIGHT squares += held[h][k] * held[h][k];
    }
    FOR_REST(i, width) {
        float v[8];
        load_sum(x, residual, sum, i, width, isVector, v);
#pragma unroll
        EIGHT squares += v[k] * v[k];
    }
    float factor = 1.0f / sqrtf(block_sum(squares) / (float)width + epsilon);
    if (threadIdx.x == 0) inverse[row] = factor;
    FOR_HELD(h, i, width) {
        float w[8];
        load_any(weight, weightType, i, width - i, isWeightVector, w);
#pragma unroll
        EIGHT w[k] = held[h][k] * factor * (w[k] + offset);
        store(y + i, width - i, isVector, w);
    }
    const E *again = residual ? sum : x;
    FOR_REST(i, width) {
        float v[8], w[8];
        load(again + i, width - i, isVector, v);
        load_any(weight, weightType, i, width - i, isWeightVector, w);
#pragma unroll
        EIGHT w[k] = v[k] * factor * (w[k] + offset);
        store(y + i, width - i, isVector, w);
    }
}

// The same result again from the saved inverse root mean squares.
KERNEL(rms_norm_again)(const E *x, const void *weight, i32 weightType, f32 offset, const f32 *inverse, E *y, i64 rows, i64 width) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    bool isVector = is_aligned(x) && is_aligned(y) && is_whole(width), isWeightVector = is_aligned(weight) && is_whole(width);
    float factor = inverse[row];
    for (i64 i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float v[8], w[8];
        load(x + row * width + i, width - i, isVector, v);
        load_any(weight, weightType, i, width - i, isWeightVector, w);
#pragma unroll
        EIGHT w[k] = v[k] * factor * (w[k] + offset);
        store(y + row * width + i, width - i, isVector, w);
    }
}

// Writes or adds eight elements of a gradient.
DEVICE void put_gradient(E *to, i64 count, bool isVector, bool isAccumulating, float (&d)[8]) {
    if (isAccumulating) {
        float before[8];
        load(to, count, isVector, before);
#pragma unroll
        EIGHT d[k] += before[k];
    }
    store(to, count, isVector, d);
}

// With g = gradient * (weight + offset): dx (+)= inverse * g - x * inverse^3 * mean(g x).
BOUNDED_KERNEL(rms_norm_backward, THREADS, 2)(const E *gradient, const E *x, const void *weight, i32 weightType, f32 offset,
                                              const f32 *inverse, E *dx, i32 isAccumulating, i64 rows, i64 width) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    bool isVector = is_aligned(gradient) && is_aligned(x) && is_aligned(dx) && is_whole(width);
    bool isWeightVector = is_aligned(weight) && is_whole(width);
    gradient += row * width, x += row * width, dx += row * width;
    float g[HELD][8], v[HELD][8], dot = 0;
    FOR_HELD(h, i, width) {
        float w[8];
        load(gradient + i, width - i, isVector, g[h]);
        load(x + i, width - i, isVector, v[h]);
        load_any(weight, weightType, i, width - i, isWeightVector, w);
#pragma unroll
        EIGHT {
            g[h][k] *= i + k < width ? w[k] + offset : 0.0f;
            dot += g[h][k] * v[h][k];
        }
    }
    FOR_REST(i, width) {
        float d[8], u[8], w[8];
        load(gradient + i, width - i, isVector, d);
        load(x + i, width - i, isVector, u);
        load_any(weight, weightType, i, width - i, isWeightVector, w);
#pragma unroll
        EIGHT dot += d[k] * (w[k] + offset) * u[k];
    }
    float factor = inverse[row];
    float along = block_sum(dot) * factor * factor * factor / (float)width;
    FOR_HELD(h, i, width) {
#pragma unroll
        EIGHT g[h][k] = factor * g[h][k] - along * v[h][k];
        put_gradient(dx + i, width - i, isVector, isAccumulating, g[h]);
    }
    FOR_REST(i, width) {
        float d[8], u[8], w[8];
        load(gradient + i, width - i, isVector, d);
        load(x + i, width - i, isVector, u);
        load_any(weight, weightType, i, width - i, isWeightVector, w);
#pragma unroll
        EIGHT d[k] = factor * d[k] * (w[k] + offset) - along * u[k];
        put_gradient(dx + i, width - i, isVector, isAccumulating, d);
    }
}

// y = (x - mean) / deviation * weight + bias
BOUNDED_KERNEL(layer_norm, THREADS, 3)(const E *x, const E *residual, const void *weight, i32 weightType, const void *bias, i32 biasType,
                                       f32 epsilon, E *sum, E *y, f32 *means, f32 *inverse, i64 rows, i64 width) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    bool isVector = is_aligned(x) && is_aligned(residual) && is_aligned(sum) && is_aligned(y) && is_whole(width);
    bool areWeightsVectors = is_aligned(weight) && is_aligned(bias) && is_whole(width);
    x += row * width, y += row * width, sum += row * width;
    if (residual) residual += row * width;
    const E *again = residual ? sum : x;
    float held[HELD][8], total = 0, squares = 0;
    FOR_HELD(h, i, width) {
        load_sum(x, residual, sum, i, width, isVector, held[h]);
#pragma unroll
        EIGHT total += held[h][k];
    }
    FOR_REST(i, width) {
        float v[8];
        load_sum(x, residual, sum, i, width, isVector, v);
#pragma unroll
        EIGHT total += v[k];
    }
    float mean = block_sum(total) / (float)width;
    FOR_HELD(h, i, width) {
#pragma unroll
        EIGHT {
            held[h][k] = i + k < width ? held[h][k] - mean : 0.0f;
            squares += held[h][k] * held[h][k];
        }
    }
    FOR_REST(i, width) {
        float v[8];
        load(again + i, width - i, isVector, v);
#pragma unroll
        EIGHT squares += i + k < width ? (v[k] - mean) * (v[k] - mean) : 0.0f;
    }
    float factor = 1.0f / sqrtf(block_sum(squares) / (float)width + epsilon);
    if (threadIdx.x == 0) means[row] = mean, inverse[row] = factor;
    FOR_HELD(h, i, width) {
        float w[8], b[8];
        load_any(weight, weightType, i, width - i, areWeightsVectors, w);
        load_any(bias, biasType, i, width - i, areWeightsVectors, b);
#pragma unroll
        EIGHT w[k] = held[h][k] * factor * w[k] + b[k];
        store(y + i, width - i, isVector, w);
    }
    FOR_REST(i, width) {
        float v[8], w[8], b[8];
        load(again + i, width - i, isVector, v);
        load_any(weight, weightType, i, width - i, areWeightsVectors, w);
        load_any(bias, biasType, i, width - i, areWeightsVectors, b);
#pragma unroll
        EIGHT w[k] = (v[k] - mean) * factor * w[k] + b[k];
        store(y + i, width - i, isVector, w);
    }
}

// With g = gradient * weight and c = x - mean: dx (+)= inverse * (g - mean(g) - c * inverse^2 * mean(g c)).
BOUNDED_KERNEL(layer_norm_backward, THREADS, 2)(const E *gradient, const E *x, const void *weight, i32 weightType, const f32 *means,
                                                const f32 *inverse, E *dx, i32 isAccumulating, i64 rows, i64 width) {
    i64 row = blockIdx.x;
    if (row >= rows) return;
    bool isVector = is_aligned(gradient) && is_aligned(x) && is_aligned(dx) && is_whole(width);
    bool isWeightVector = is_aligned(weight) && is_whole(width);
    gradient += row * width, x += row * width, dx += row * width;
    float mean = means[row], factor = inverse[row];
    float total = 0, along = 0;
    for (i64 i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float d[8], v[8], w[8];
        load(gradient + i, width - i, isVector, d);
        load(x + i, width - i, isVector, v);
        load_any(weight, weightType, i, width - i, isWeightVector, w);
#pragma unroll
        EIGHT {
            total += d[k] * w[k];
            along += d[k] * w[k] * (v[k] - mean);
        }
    }
    total = block_sum(total) / (float)width;
    along = block_sum(along) * factor * factor / (float)width;
    for (i64 i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float d[8], v[8], w[8];
        load(gradient + i, width - i, isVector, d);
        load(x + i, width - i, isVector, v);
        load_any(weight, weightType, i, width - i, isWeightVector, w);
#pragma unroll
        EIGHT d[k] = factor * (d[k] * w[k] - total - along * (v[k] - mean));
        put_gradient(dx + i, width - i, isVector, isAccumulating, d);
    }
}
