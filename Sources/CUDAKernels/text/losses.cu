// Cross-entropy of rows of logits, which become their own gradient. A row is read twice, the second time mostly from the second
// cache, and written once: 4 to 6 bytes of traffic a bf16 logit.
#include "common.cuh"

// A maximum, where it is first, and the sum of exponentials below it.
struct Running {
    float best, sum;
    i32 index;
};

DEVICE Running merged(Running a, Running b) {
    Running r;
    r.best = fmaxf(a.best, b.best);
    r.index = a.best > b.best || (a.best == b.best && a.index < b.index) ? a.index : b.index;
    r.sum = 0;
    // A sum that is no number stays one.
    if (a.sum != 0) r.sum += a.sum * __expf(a.best - r.best);
    if (b.sum != 0) r.sum += b.sum * __expf(b.best - r.best);
    return r;
}

// loss = lse - (1 - smoothing) logit[target] - smoothing * mean(logits). Where writesGradient is set, logits become
// w (softmax - (1 - smoothing) onehot - smoothing / width) with w the row's weight, or `weight` where there are none.
// losses, logSumExp and hits (whether the first of the largest logits is the target's) may be null.
KERNEL(cross_entropy)(E *logits, const i32 *targets, f32 weight, const f32 *rowWeights, i32 writesGradient, f32 smoothing, f32 *losses,
                      f32 *logSumExp, i32 *hits, i64 rows, i64 width) {
    __shared__ Running shares[32];
    i64 row = blockIdx.x;
    if (row >= rows) return;
    E *line = logits + row * width;
    bool isVector = is_aligned(line);
    Running mine = {-INFINITY, 0, 0x7FFFFFFF};
    float total = 0;
    for (i64 i = (i64)threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float x[8], best = mine.best;
        i32 index = mine.index;
        load(line + i, width - i, isVector, x);
#pragma unroll
        EIGHT {
            if (i + k >= width) x[k] = -INFINITY;
            else total += x[k];
            if (x[k] > best) best = x[k], index = (i32)(i + k);
        }
        if (best > mine.best) {
            mine.sum *= __expf(mine.best - best);
            mine.best = best;
            mine.index = index;
        }
#pragma unroll
        EIGHT mine.sum += x[k] == -INFINITY ? 0.0f : __expf(x[k] - mine.best);
    }
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        Running other;
        other.best = __shfl_xor_sync(0xFFFFFFFFu, mine.best, distance);
        other.sum = __shfl_xor_sync(0xFFFFFFFFu, mine.sum, distance);
        other.index = __shfl_xor_sync(0xFFFFFFFFu, mine.index, distance);
        mine = merged(mine, other);
    }
    if (threadIdx.x % 32 == 0) shares[threadIdx.x / 32] = mine;
    __syncthreads();
    Running all = shares[0];
    for (int warp = 1; warp < (int)blockDim.x / 32; warp++) all = merged(all, shares[warp]);
    float lse = all.best + logf(all.sum);
    if (smoothing != 0) total = block_sum(total);
    i32 target = targets[row];
    if (threadIdx.x == 0) {
        float spread = smoothing != 0 ? smoothing * total / (float)width : 0.0f;
        if (losses) losses[row] = lse - (1.0f - smoothing) * value(line[target]) - spread;
        if (logSumExp) logSumExp[row] = lse;
        if (hits) hits[row] = all.index == target;
    }
    if (!writesGradient) return;
    __syncthreads();  // the target's logit has been read
    float w = rowWeights ? rowWeights[row] : weight, shift = w * smoothing / (float)width;
    for (i64 i = (i64)threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float x[8];
        load(line + i, width - i, isVector, x);
#pragma unroll
        EIGHT {
            x[k] = w * __expf(x[k] - lse) - shift;
            if (i + k == target) x[k] -= w * (1.0f - smoothing);
        }
        store(line + i, width - i, isVector, x);
    }
}

KERNEL(loss_sums)(const f32 *losses, const i32 *hits, i64 rows, f64 *loss, i64 *correct, i32 isAccumulating) {
    f64 sum = 0;
    i32 count = 0;
    for (i64 row = threadIdx.x; row < rows; row += blockDim.x) {
        sum += losses[row];
        count += hits[row];
    }
    sum = block_sum(sum);
    count = block_sum(count);
    if (threadIdx.x) return;
    *loss = isAccumulating ? *loss + sum : sum;
    *correct = isAccumulating ? *correct + count : count;
}
