// What products of a few rows (1 to `most`) with a weight share. A warp has an output; the weight is read once, the rows of x come
// from the first cache.
#pragma once
#include "common.cuh"

// y[m, output] = sums + bias + low[m] . up[output]: what a low-rank adapter adds comes before the lanes are summed.
template <int most> DEVICE void finish_output(float (&sums)[most], i32 count, i64 output, const void *bias, i32 biasType, const f32 *low, i64 lowStride,
                           const f32 *up, i32 rank, E *y, i64 yStride) {
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int m = 0; m < most; m++) {
        if (m < count) {
            if (low)
                for (int r = lane; r < rank; r += 32) sums[m] += low[m * lowStride + r] * up[output * rank + r];
            float sum = warp_sum(sums[m]);
            if (lane == 0) put(y + m * yStride + output, bias ? sum + value_at(bias, biasType, output) : sum);
        }
    }
}

// sums[m] += eight numbers of a weight's row times those of x's rows, which are aligned and whole where isVector says so.
template <bool isVector, int most> DEVICE void add_eight(float (&sums)[most], const float (&w)[8], const E *x, i64 xStride, i32 count, i64 i, i64 left) {
#pragma unroll
    for (int m = 0; m < most; m++) {
        if (m < count) {
            float v[8];
            if (isVector) load8(x + m * xStride + i, v);
            else load(x + m * xStride + i, left, false, v);
#pragma unroll
            EIGHT sums[m] += w[k] * v[k];
        }
    }
}
