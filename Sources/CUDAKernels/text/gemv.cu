// y [count, outputs] = x [count, inputs] W^T + bias + low up^T for at most ROWS rows: decoding. Bound by reading the weight once: a
// lane has four loads of 16 bytes under way, 2,048 bytes for each of 64 warps on a multiprocessor at full occupancy, which is several
// times what 3.35 TB/s and 600 ns of latency want (16 KiB).
#include "gemv.cuh"

// Rows of 16-bit types and f32 alike; load_eight reads past the first cache.
DEVICE void load_eight(const float *from, float (&to)[8]) {
    uint4 a = load_once(from), b = load_once(from + 4);
    to[0] = __uint_as_float(a.x), to[1] = __uint_as_float(a.y), to[2] = __uint_as_float(a.z), to[3] = __uint_as_float(a.w);
    to[4] = __uint_as_float(b.x), to[5] = __uint_as_float(b.y), to[6] = __uint_as_float(b.z), to[7] = __uint_as_float(b.w);
}
template <class T> DEVICE void load_eight(const T *from, float (&to)[8]) { widen8(from, load_once(from), to); }

template <class T> DEVICE void add_row(float (&sums)[ROWS], const T *weight, i64 inputs, const E *x, i64 xStride, i32 count) {
    i64 i = threadIdx.x % 32 * 8;
    if (is_aligned(weight) && is_whole(inputs) && is_aligned(x) && is_whole(xStride)) {
        for (; i + 3 * 256 < inputs; i += 4 * 256) {
            float w[4][8];
#pragma unroll
            for (int j = 0; j < 4; j++) load_eight(weight + i + j * 256, w[j]);
#pragma unroll
            for (int j = 0; j < 4; j++) add_eight<true>(sums, w[j], x, xStride, count, i + j * 256, 8);
        }
        for (; i < inputs; i += 256) {
            float w[8];
            load_eight(weight + i, w);
            add_eight<true>(sums, w, x, xStride, count, i, 8);
        }
        return;
    }
#pragma unroll 1
    for (; i < inputs; i += 256) {
        float w[8];
        load(weight + i, inputs - i, false, w);
        add_eight<false>(sums, w, x, xStride, count, i, inputs - i);
    }
}

KERNEL(gemv)(const E *x, i64 xStride, i32 count, const void *weight, i32 weightType, i64 outputs, i64 inputs, const void *bias, i32 biasType,
             const f32 *low, i64 lowStride, const f32 *up, i32 rank, E *y, i64 yStride) {
    i64 output = (i64)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (output >= outputs) return;
    float sums[ROWS] = {};
    if (weightType == BFLOAT16) add_row(sums, (const bf16 *)weight + output * inputs, inputs, x, xStride, count);
    else if (weightType == FLOAT16) add_row(sums, (const f16 *)weight + output * inputs, inputs, x, xStride, count);
    else add_row(sums, (const float *)weight + output * inputs, inputs, x, xStride, count);
    finish_output(sums, count, output, bias, biasType, low, lowStride, up, rank, y, yStride);
}
