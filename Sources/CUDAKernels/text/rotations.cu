// Rotations in blocks (OFT): orthogonal matrices made of skew-symmetric ones by Cayley's transform, their gradients, and their
// products with activations. The blocks are small (32 columns by default), so plain sums in shared memory do.
#include "common.cuh"

// c = identity * unit + a^(T) b^(T), all [n, n]; c must be neither. All threads come here, and wait before and after.
DEVICE void multiply(float *c, const float *a, bool aTransposed, const float *b, bool bTransposed, int n, float unit) {
    __syncthreads();
    for (int i = threadIdx.x; i < n * n; i += blockDim.x) {
        int row = i / n, column = i % n;
        float sum = row == column ? unit : 0.0f;
        for (int k = 0; k < n; k++) sum += (aTransposed ? a[k * n + row] : a[row * n + k]) * (bTransposed ? b[column * n + k] : b[k * n + column]);
        c[i] = sum;
    }
    __syncthreads();
}

// The skew-symmetric matrix of an upper triangle.
DEVICE void fill_skew(float *q, const float *generator, int n) {
    for (int i = threadIdx.x; i < n * n; i += blockDim.x) {
        int row = i / n, column = i % n, low = min(row, column), high = max(row, column);
        float x = row == column ? 0.0f : generator[low * (2 * n - low - 1) / 2 + high - low - 1];
        q[i] = row > column ? -x : x;
    }
    __syncthreads();
}

// inverse = (I + Q)^-1 by Gauss and Jordan. The symmetric part of I + Q is I, so no pivot is ever zero and none must be sought.
// `line` and `column` have n numbers each, `work` n * n.
DEVICE void invert(float *inverse, float *work, float *line, float *column, const float *q, int n) {
    for (int i = threadIdx.x; i < n * n; i += blockDim.x) {
        bool isDiagonal = i / n == i % n;
        work[i] = q[i] + (isDiagonal ? 1.0f : 0.0f);
        inverse[i] = isDiagonal ? 1.0f : 0.0f;
    }
    __syncthreads();
    for (int p = 0; p < n; p++) {
        float factor = 1.0f / work[p * n + p];
        for (int i = threadIdx.x; i < n; i += blockDim.x) column[i] = work[i * n + p];
        __syncthreads();
        for (int side = 0; side < 2; side++) {
            float *matrix = side ? inverse : work;
            for (int i = threadIdx.x; i < n; i += blockDim.x) line[i] = matrix[p * n + i] * factor;
            __syncthreads();
            for (int i = threadIdx.x; i < n * n; i += blockDim.x) {
                int row = i / n;
                matrix[i] = row == p ? line[i % n] : matrix[i] - column[row] * line[i % n];
            }
            __syncthreads();
        }
    }
}

// (I - Q)(I + Q)^-1
DEVICE void exact_rotation(float *result, float *inverse, float *work, float *vectors, const float *q, int n) {
    invert(inverse, work, vectors, vectors + n, q, n);
    for (int i = threadIdx.x; i < n * n; i += blockDim.x) work[i] = (i / n == i % n ? 1.0f : 0.0f) - q[i];
    multiply(result, work, false, inverse, false, n, 0.0f);
}

// PEFT's truncated Neumann series I + 2Q + 2Q^2 + ... with the last power once: how many coefficients, and which.
DEVICE int series_count(int terms) { return terms <= 1 ? 1 : terms == 2 ? 2 : max(4, terms); }
DEVICE float coefficient(int terms, int k) { return k == 0 || (k == series_count(terms) - 1 && terms > 2) ? 1.0f : 2.0f; }

// result [blocks, side, side] of generators [blocks, side (side - 1) / 2]; terms 0: exact.
KERNEL(cayley_rotations)(const f32 *generators, i32 side, i32 terms, f32 *result) {
    DYNAMIC_SHARED(memory);
    int n = side, area = n * n;
    float *q = (float *)memory, *a = q + area, *b = a + area, *c = b + area, *vectors = c + area;
    i64 block = blockIdx.x;
    fill_skew(q, generators + block * (n * (n - 1) / 2), n);
    float *rotation = a;
    if (terms == 0) {
        exact_rotation(rotation, b, c, vectors, q, n);
    } else {
        // Horner's rule: S_k = c_k I + Q S_(k + 1).
        int last = series_count(terms) - 1;
        for (int i = threadIdx.x; i < area; i += blockDim.x) a[i] = i / n == i % n ? coefficient(terms, last) : 0.0f;
        float *next = b;
        for (int k = last - 1; k >= 0; k--) {
            multiply(next, q, false, rotation, false, n, coefficient(terms, k));
            float *swap = rotation;
            rotation = next;
            next = swap;
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < area; i += blockDim.x) result[block * area + i] = rotation[i];
}

// Gradient of the generators from that of the rotations. workspace: [blocks, terms' coefficients, side, side] f32, null where exact.
KERNEL(cayley_rotations_backward)(const f32 *gradient, const f32 *generators, i32 side, i32 terms, f32 *workspace, f32 *result, i32 isAccumulating) {
    DYNAMIC_SHARED(memory);
    int n = side, area = n * n, width = n * (n - 1) / 2;
    float *q = (float *)memory, *whole = q + area, *flow = whole + area, *next = flow + area, *a = next + area, *b = a + area, *vectors = b + area;
    i64 block = blockIdx.x;
    fill_skew(q, generators + block * width, n);
    for (int i = threadIdx.x; i < area; i += blockDim.x) next[i] = gradient[block * area + i];
    __syncthreads();
    if (terms == 0) {
        // X (I + Q) = I - Q: with F = D (I + Q)^-T the gradient of Q is -F - X^T F.
        exact_rotation(a, b, whole, vectors, q, n);
        multiply(flow, next, false, b, true, n, 0.0f);
        multiply(whole, a, true, flow, false, n, 0.0f);
        for (int i = threadIdx.x; i < area; i += blockDim.x) whole[i] = -whole[i] - flow[i];
    } else {
        int count = series_count(terms), last = count - 1;
        float *partials = workspace + block * count * area;
        for (int i = threadIdx.x; i < area; i += blockDim.x) {
            a[i] = i / n == i % n ? coefficient(terms, last) : 0.0f;
            partials[last * area + i] = a[i];
            whole[i] = 0;
            flow[i] = next[i];
        }
        for (int k = last - 1; k >= 1; k--) {
            multiply(b, q, false, a, false, n, coefficient(terms, k));
            for (int i = threadIdx.x; i < area; i += blockDim.x) a[i] = partials[k * area + i] = b[i];
        }
        __syncthreads();
        for (int k = 0; k < last; k++) {
            for (int i = threadIdx.x; i < area; i += blockDim.x) a[i] = partials[(k + 1) * area + i];
            multiply(b, flow, false, a, true, n, 0.0f);
            multiply(next, q, true, flow, false, n, 0.0f);
            for (int i = threadIdx.x; i < area; i += blockDim.x) whole[i] += b[i], flow[i] = next[i];
            __syncthreads();
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < area; i += blockDim.x) {
        int row = i / n, column = i % n;
        if (column <= row) continue;
        float *to = result + block * width + row * (2 * n - row - 1) / 2 + column - row - 1;
        float x = whole[row * n + column] - whole[column * n + row];
        *to = isAccumulating ? *to + x : x;
    }
}

// y[:, block] = x[:, block] R or R^T; one rotation serves all blocks where isShared is set. x and y have the same type.
KERNEL(rotate_blocks)(const void *x, i32 xType, const f32 *rotations, i32 isShared, i32 isTransposed, void *y, i64 rows, i64 width, i32 side) {
    DYNAMIC_SHARED(memory);
    float *rotation = (float *)memory;
    int n = side, block = blockIdx.x;
    const float *from = rotations + (isShared ? 0 : (i64)block * n * n);
    for (int i = threadIdx.x; i < n * n; i += blockDim.x) rotation[i] = isTransposed ? from[i % n * n + i / n] : from[i];
    __syncthreads();
    i64 first = (i64)blockIdx.y * 64, last = first + 64 < rows ? first + 64 : rows;
    for (i64 i = threadIdx.x; i < (last - first) * n; i += blockDim.x) {
        i64 row = first + i / n, at = row * width + (i64)block * n;
        int column = (int)(i % n);
        float sum = 0;
        for (int k = 0; k < n; k++) sum += value_at(x, xType, at + k) * rotation[k * n + column];
        put_at(y, xType, at + column, sum);
    }
}

// result [block] = x^T gradient of its columns, summed over all blocks of columns where isShared is set.
KERNEL(rotation_gradient)(const void *x, i32 xType, const void *gradient, f32 *result, i32 isShared, i64 rows, i64 width, i32 side) {
    const int lines = 32;
    DYNAMIC_SHARED(memory);
    int n = side, blocks = (int)(width / n), area = n * n;
    float *left = (float *)memory, *right = left + lines * n;
    float *to = result + (i64)blockIdx.x * area;
    for (int i = threadIdx.x; i < area; i += blockDim.x) to[i] = 0;
    for (int block = isShared ? 0 : (int)blockIdx.x; block < (isShared ? blocks : (int)blockIdx.x + 1); block++) {
        for (i64 first = 0; first < rows; first += lines) {
            __syncthreads();
            for (int i = threadIdx.x; i < lines * n; i += blockDim.x) {
                i64 row = first + i / n, at = row * width + (i64)block * n + i % n;
                left[i] = row < rows ? value_at(x, xType, at) : 0.0f;
                right[i] = row < rows ? value_at(gradient, xType, at) : 0.0f;
            }
            __syncthreads();
            for (int i = threadIdx.x; i < area; i += blockDim.x) {
                float sum = 0;
                for (int k = 0; k < lines; k++) sum += left[k * n + i / n] * right[k * n + i % n];
                to[i] += sum;
            }
        }
    }
}
