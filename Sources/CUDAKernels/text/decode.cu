// Attention of one new token for each sequence to its cache, in splits of the cache (Flash-Decoding; Dao et al., 2023): a block has a
// part of the keys of one key head and up to 16 of the query heads that it serves, so keys and values are mostly read once; where a key
// head serves more, several blocks share it. Bound by that reading:
// 4 * dimension bytes a token and key head in bf16. With 4 query heads and 128 columns a token costs 2,048 multiply-adds for 512 bytes.
//
// The new token's own key and value are in the cache already (cache_append); cache.lengths does not count it.
#include "sequences.cuh"
#include "paging.cuh"

namespace {
constexpr int THREADS = 128, TILE = 64, MOST = 16, LANES = 8, TOGETHER = 4;  // lanes of a key, heads scored at once
}

// The part of one block: for each query head maximum and sum of its exponentials and its results, in `to` [heads][splits][D + 2].
template <class T> DEVICE void attend(const E *query, const tb_cuda_cache &cache, const f32 *slopes, int keyHead, int group, int D, int window, float scale,
                                      float softCap, float *memory, float *to, i64 toStride) {
    int sequence = blockIdx.z, tid = threadIdx.x, lane = tid % 32, warp = tid / 32;
    float *queries = memory, *scores = queries + MOST * D, *maxima = scores + MOST * TILE, *sums = maxima + MOST, *shrinks = sums + MOST;
    int place = cache.lengths[sequence], total = place + 1;
    int begin = window ? max(0, total - window) : 0;
    int each = ((total - begin + (int)gridDim.x - 1) / (int)gridDim.x + TILE - 1) / TILE * TILE;
    int from = begin + (int)blockIdx.x * each, end = min(total, from + each);
    for (int i = tid; i < group * D; i += THREADS) queries[i] = value(query[i]);
    if (tid < MOST) maxima[tid] = -INFINITY, sums[tid] = 0;

    int pairs = D / 2, pair = tid % pairs, share = tid / pairs, shares = THREADS / pairs;
    float results[MOST][2] = {};
    __syncthreads();
    for (int start = from; start < end; start += TILE) {
        int count = min(TILE, end - start);
        // Scores: eight lanes have a key.
        for (int key = tid / LANES; key < TILE; key += THREADS / LANES) {
            int token = min(start + key, end - 1);
            const T *k = (const T *)cache_keys(cache, cache_page(cache, sequence, token)) + cache_offset(cache, keyHead, token);
            for (int first = 0; first < group; first += TOGETHER) {
                float dots[TOGETHER] = {};
                for (int column = lane % LANES * 8; column < D; column += LANES * 8) {
                    float x[8];
                    load(k + column, D - column, is_aligned(k) && is_whole(D), x);
#pragma unroll
                    for (int h = 0; h < TOGETHER; h++) {
                        if (first + h < group) {
#pragma unroll
                            EIGHT if (column + k < D) dots[h] += x[k] * queries[(first + h) * D + column + k];
                        }
                    }
                }
#pragma unroll
                for (int h = 0; h < TOGETHER; h++) {
#pragma unroll
                    for (int distance = LANES / 2; distance > 0; distance /= 2) dots[h] += __shfl_xor_sync(0xFFFFFFFFu, dots[h], distance);
                    if (lane % LANES == 0 && first + h < group) scores[(first + h) * TILE + key] = dots[h];
                }
            }
        }
        __syncthreads();
        for (int h = warp; h < group; h += THREADS / 32) {
            float x[2];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                int key = lane + 32 * i;
                x[i] = scores[h * TILE + key] * scale;
                if (slopes) x[i] += slopes[h] * (float)(start + key - place);
                if (softCap != 0) x[i] = softCap * tanhf(x[i] / softCap);
                x[i] = key < count ? x[i] * LOG2_E : -INFINITY;
            }
            float before = maxima[h], best = fmaxf(before, warp_maximum(fmaxf(x[0], x[1])));
            x[0] = power_of_two(x[0] - best), x[1] = power_of_two(x[1] - best);
            float sum = warp_sum(x[0] + x[1]), shrink = power_of_two(before - best);
            scores[h * TILE + lane] = x[0], scores[h * TILE + lane + 32] = x[1];
            __syncwarp();
            if (lane == 0) maxima[h] = best, sums[h] = sums[h] * shrink + sum, shrinks[h] = shrink;
        }
        __syncthreads();
        // Results: a thread has two columns of every `shares`th key.
#pragma unroll
        for (int h = 0; h < MOST; h++)
            if (h < group) results[h][0] *= shrinks[h], results[h][1] *= shrinks[h];
        if (share < shares) {
            for (int key = share; key < count; key += shares) {
                int token = start + key;
                const T *v = (const T *)cache_values(cache, cache_page(cache, sequence, token)) + cache_offset(cache, keyHead, token) + 2 * pair;
                float a = value(v[0]), b = value(v[1]);
#pragma unroll
                for (int h = 0; h < MOST; h++) {
                    if (h < group) {
                        float p = scores[h * TILE + key];
                        results[h][0] += p * a, results[h][1] += p * b;
                    }
                }
            }
        }
        __syncthreads();
    }
    // The shares in order, where the queries stood.
    for (int turn = 0; turn < shares; turn++) {
        if (share == turn) {
#pragma unroll
            for (int h = 0; h < MOST; h++) {
                if (h < group) {
                    float *line = queries + h * D + 2 * pair;
                    line[0] = (turn ? line[0] : 0.0f) + results[h][0];
                    line[1] = (turn ? line[1] : 0.0f) + results[h][1];
                }
            }
        }
        __syncthreads();
    }
    for (int i = tid; i < group * D; i += THREADS) to[i / D * toStride + i % D] = queries[i];
    if (tid < group) to[tid * toStride + D] = maxima[tid], to[tid * toStride + D + 1] = sums[tid];
}

// workspace [sequences][heads][splits][dimension + 2]; dimension is even.
BOUNDED_KERNEL(attention_decode, THREADS, 4)(const E *query, i64 queryStride, tb_cuda_cache cache, const f32 *slopes, i32 heads,
                                             i32 keyValueHeads, i32 dimension, i32 window, f32 scale, f32 softCap, f32 *workspace) {
    DYNAMIC_SHARED(memory);
    int sequence = blockIdx.z, served = heads / keyValueHeads, parts = (served + MOST - 1) / MOST;
    int keyHead = blockIdx.y / parts, part = blockIdx.y % parts, group = min(MOST, served - part * MOST), first = keyHead * served + part * MOST;
    i64 stride = (i64)gridDim.x * (dimension + 2);
    float *to = workspace + ((i64)sequence * heads + first) * stride + (i64)blockIdx.x * (dimension + 2);
    const E *q = query + sequence * queryStride + (i64)first * dimension;
    if (slopes) slopes += first;
    if (cache.type == BFLOAT16) attend<bf16>(q, cache, slopes, keyHead, group, dimension, window, scale, softCap, (float *)memory, to, stride);
    else if (cache.type == FLOAT16) attend<f16>(q, cache, slopes, keyHead, group, dimension, window, scale, softCap, (float *)memory, to, stride);
    else attend<float>(q, cache, slopes, keyHead, group, dimension, window, scale, softCap, (float *)memory, to, stride);
}

KERNEL(attention_decode_combine)(const f32 *workspace, i32 splits, i32 heads, i32 dimension, E *result, i64 resultStride) {
    int head = blockIdx.x, sequence = blockIdx.y;
    const float *from = workspace + ((i64)sequence * heads + head) * splits * (dimension + 2);
    float best = -INFINITY, sum = 0;
    for (int s = 0; s < splits; s++) best = fmaxf(best, from[(i64)s * (dimension + 2) + dimension]);
    for (int s = 0; s < splits; s++) {
        const float *part = from + (i64)s * (dimension + 2) + dimension;
        sum += part[1] * power_of_two(part[0] - best);
    }
    for (int i = threadIdx.x; i < dimension; i += blockDim.x) {
        float x = 0;
        for (int s = 0; s < splits; s++) {
            const float *part = from + (i64)s * (dimension + 2);
            x += part[i] * power_of_two(part[dimension] - best);
        }
        put(result + sequence * resultStride + (i64)head * dimension + i, x / sum);
    }
}
