// Rotary position embedding (Su et al., 2021): pairs of each head's first 2 * half elements turn by the angle of the row's
// position; sign -1 turns back, which is the gradient. Rows may be parts of wider ones (fused projections); y may be x.
#include "common.cuh"

KERNEL(rotary)(const E *x, E *y, const f32 *cosines, const f32 *sines, const i32 *positions, i64 rows, i32 heads, i32 headDimension,
               i32 half, i32 isInterleaved, f32 sign, i64 xStride, i64 yStride) {
    // A thread turns eight pairs.
    int pieces = (half + 7) / 8;
    bool isVector = is_aligned(x) && is_aligned(y) && is_whole(headDimension) && is_whole(half) && is_whole(xStride) && is_whole(yStride);
    bool isTableVector = is_aligned(cosines) && is_aligned(sines) && is_whole(half);
    i64 work = rows * heads * pieces;
    for (i64 place = (i64)blockIdx.x * blockDim.x + threadIdx.x; place < work; place += (i64)gridDim.x * blockDim.x) {
        i64 rowAndHead = quotient(place, pieces), row = quotient(rowAndHead, heads);
        int piece = (int)(place - rowAndHead * pieces), head = (int)(rowAndHead - row * heads);
        int i = piece * 8, count = half - i;
        const E *from = x + row * xStride + head * headDimension;
        E *to = y + row * yStride + head * headDimension;
        float c[8], s[8], a[8], b[8];
        load(cosines + (i64)positions[row] * half + i, count, isTableVector, c);
        load(sines + (i64)positions[row] * half + i, count, isTableVector, s);
        if (isInterleaved) {
            load(from + 2 * i, 2 * count, isVector, a);
            load(from + 2 * i + 8, 2 * count - 8, isVector, b);
            float p[8], q[8];
#pragma unroll
            for (int k = 0; k < 4; k++) {
                p[2 * k] = a[2 * k] * c[k] - a[2 * k + 1] * sign * s[k];
                p[2 * k + 1] = a[2 * k + 1] * c[k] + a[2 * k] * sign * s[k];
                q[2 * k] = b[2 * k] * c[k + 4] - b[2 * k + 1] * sign * s[k + 4];
                q[2 * k + 1] = b[2 * k + 1] * c[k + 4] + b[2 * k] * sign * s[k + 4];
            }
            store(to + 2 * i, 2 * count, isVector, p);
            store(to + 2 * i + 8, 2 * count - 8, isVector, q);
        } else {
            load(from + i, count, isVector, a);
            load(from + half + i, count, isVector, b);
            float p[8], q[8];
#pragma unroll
            EIGHT {
                p[k] = a[k] * c[k] - b[k] * sign * s[k];
                q[k] = b[k] * c[k] + a[k] * sign * s[k];
            }
            store(to + i, count, isVector, p);
            store(to + half + i, count, isVector, q);
        }
        // What no angle turns.
        if (to != from)
            for (int j = 2 * half + piece; j < headDimension; j += pieces) to[j] = from[j];
    }
}
