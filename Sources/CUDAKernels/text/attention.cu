// Attention forward in tiles with an online softmax (FlashAttention-2; Dao, 2023) on tensor cores: bf16 or f16 in, f32 sums.
//
// A block has QUERIES rows of one head and goes over its keys by KEYS; a warp has 16 * PARTS of the rows. Keys and values of the
// next tile are copied while this one is computed. Scores never leave registers: a tile's probabilities are the left factor of the
// product with the values as they stand.
//
// HEAD_DIMENSION 128: 4 * 128 FLOPs for each visible score and 6 fragment loads for 16 products, so that the tensor cores and not
// shared memory are the limit; 96 KiB of shared memory, two blocks of four warps on an A100's or H100's multiprocessor.
#include "tiles.cuh"

namespace {
constexpr int D = HEAD_DIMENSION;
constexpr int KEYS = D <= 128 ? 64 : 32, QUERIES = D <= 128 ? 128 : 64, PARTS = QUERIES / 64, THREADS = 128;
constexpr int SCORES = KEYS / 8, OUTPUTS = D / 8, STEPS = D / 16;
using Rows = Tile<D>;
}  // namespace

// Scores to probabilities of one group of 16 rows: the running maximum and sum of its two halves, results shrink accordingly.
// `unit` turns scores into exponents of two.
DEVICE void soften(float (&scores)[SCORES][4], float (&results)[OUTPUTS][4], float (&maxima)[2], float (&sums)[2], float unit) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float best = maxima[half];
#pragma unroll
        for (int n = 0; n < SCORES; n++) best = fmaxf(best, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
        best = fmaxf(best, __shfl_xor_sync(0xFFFFFFFFu, best, 1));
        best = fmaxf(best, __shfl_xor_sync(0xFFFFFFFFu, best, 2));
        float base = best == -INFINITY ? 0.0f : best * unit;  // nothing visible yet
        float shrink = power_of_two(maxima[half] * unit - base), sum = 0;
        maxima[half] = best;
#pragma unroll
        for (int n = 0; n < SCORES; n++) {
#pragma unroll
            for (int k = 2 * half; k < 2 * half + 2; k++) {
                scores[n][k] = power_of_two(scores[n][k] * unit - base);
                sum += scores[n][k];
            }
        }
        sums[half] = sums[half] * shrink + sum;
#pragma unroll
        for (int n = 0; n < OUTPUTS; n++) {
            results[n][2 * half] *= shrink;
            results[n][2 * half + 1] *= shrink;
        }
    }
}

BOUNDED_KERNEL(attention_forward, THREADS, 1)(tb_cuda_attention a) {
    DYNAMIC_SHARED(memory);
    Place place = find_tile(a.cumulative, a.sequences, QUERIES, blockIdx.x);
    if (!place.isThere) return;
    int head = blockIdx.y, keyHead = head / (a.heads / a.key_value_heads);
    int keyStart = a.key_cumulative ? a.key_cumulative[place.sequence] : place.start;
    int keyCount = a.key_cumulative ? a.key_cumulative[place.sequence + 1] - keyStart : place.length;
    int offset = keyCount - place.length;  // of a query's place among the keys
    int present = min(QUERIES, place.length - place.first);

    E *queries = (E *)memory, *keys = queries + QUERIES * Rows::width, *values = keys + 2 * KEYS * Rows::width;
    const E *q = (const E *)a.query + (i64)(place.start + place.first) * a.query_stride + head * D;
    const E *k = (const E *)a.key + (i64)keyStart * a.key_stride + keyHead * D;
    const E *v = (const E *)a.value + (i64)keyStart * a.value_stride + keyHead * D;

    int firstQuery = place.first + offset, lastQuery = firstQuery + present - 1;
    int begin = a.window ? max(0, firstQuery + 1 - a.window) / KEYS * KEYS : 0;
    int end = a.is_causal ? min(keyCount, lastQuery + 1) : keyCount;

    Rows::fetch<QUERIES, THREADS>(queries, q, a.query_stride, present);
    Rows::fetch<KEYS, THREADS>(keys, k + begin * a.key_stride, a.key_stride, keyCount - begin);
    Rows::fetch<KEYS, THREADS>(values, v + begin * a.value_stride, a.value_stride, keyCount - begin);
    copy_ahead_commit();

    int lane = threadIdx.x % 32, ownRow = threadIdx.x / 32 * 16 * PARTS;
    float results[PARTS][OUTPUTS][4], maxima[PARTS][2], sums[PARTS][2];
#pragma unroll
    for (int part = 0; part < PARTS; part++) {
#pragma unroll
        for (int n = 0; n < OUTPUTS; n++)
            results[part][n][0] = results[part][n][1] = results[part][n][2] = results[part][n][3] = 0;
        maxima[part][0] = maxima[part][1] = -INFINITY;
        sums[part][0] = sums[part][1] = 0;
    }
    bool isShaped = a.soft_cap != 0 || a.slopes;
    float ramp = a.slopes ? a.slopes[head] : 0.0f, unit = isShaped ? 1.0f : a.scale * LOG2_E;

    for (int start = begin, side = 0; start < end; start += KEYS, side ^= 1) {
        if (start + KEYS < end) {
            int next = start + KEYS;
            Rows::fetch<KEYS, THREADS>(keys + (side ^ 1) * KEYS * Rows::width, k + next * a.key_stride, a.key_stride, keyCount - next);
            Rows::fetch<KEYS, THREADS>(values + (side ^ 1) * KEYS * Rows::width, v + next * a.value_stride, a.value_stride, keyCount - next);
            copy_ahead_commit();
            copy_ahead_wait<1>();
        } else {
            copy_ahead_wait<0>();
        }
        __syncthreads();
        const E *theseKeys = keys + side * KEYS * Rows::width, *theseValues = values + side * KEYS * Rows::width;

        float scores[PARTS][SCORES][4];
#pragma unroll
        for (int part = 0; part < PARTS; part++)
#pragma unroll
            for (int n = 0; n < SCORES; n++) scores[part][n][0] = scores[part][n][1] = scores[part][n][2] = scores[part][n][3] = 0;
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
            u32 left[PARTS][4];
#pragma unroll
            for (int part = 0; part < PARTS; part++) Rows::left(left[part], queries, ownRow + 16 * part, 2 * step);
#pragma unroll
            for (int n = 0; n < SCORES; n += 2) {
                u32 right[4];
                Rows::rightTransposed(right, theseKeys, 8 * n, 2 * step);
#pragma unroll
                for (int part = 0; part < PARTS; part++) {
                    multiply_tile(scores[part][n], left[part], right[0], right[1]);
                    multiply_tile(scores[part][n + 1], left[part], right[2], right[3]);
                }
            }
        }

        bool isCut = start + KEYS > keyCount || (a.is_causal && start + KEYS > firstQuery + 1) || (a.window && start <= lastQuery - a.window);
        if (isShaped || isCut) {
#pragma unroll
            for (int part = 0; part < PARTS; part++) {
                int row = firstQuery + ownRow + 16 * part + lane / 4;
#pragma unroll
                for (int n = 0; n < SCORES; n++) {
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        int query = row + i / 2 * 8, key = start + 8 * n + lane % 4 * 2 + i % 2;
                        float slope;
                        if (isShaped) scores[part][n][i] = shaped_score(a, scores[part][n][i], ramp, key - query, &slope);
                        if (!is_visible(a, query, key, keyCount)) scores[part][n][i] = -INFINITY;
                    }
                }
            }
        }
#pragma unroll
        for (int part = 0; part < PARTS; part++) soften(scores[part], results[part], maxima[part], sums[part], unit);
#pragma unroll
        for (int step = 0; step < KEYS / 16; step++) {
            u32 left[PARTS][4];
#pragma unroll
            for (int part = 0; part < PARTS; part++) as_left(left[part], scores[part], step);
#pragma unroll
            for (int n = 0; n < OUTPUTS; n += 2) {
                u32 right[4];
                Rows::right(right, theseValues, 16 * step, n);
#pragma unroll
                for (int part = 0; part < PARTS; part++) {
                    multiply_tile(results[part][n], left[part], right[0], right[1]);
                    multiply_tile(results[part][n + 1], left[part], right[2], right[3]);
                }
            }
        }
        __syncthreads();  // the next copies go where this tile stands
    }
    copy_ahead_wait<0>();

#pragma unroll
    for (int part = 0; part < PARTS; part++) {
        float factors[2];
        int row = ownRow + 16 * part;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = sums[part][half];
            sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
            sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
            factors[half] = sum > 0 ? 1.0f / sum : 0.0f;
            int line = row + lane / 4 + 8 * half;
            if (a.log_sum_exp && lane % 4 == 0 && line < present)
                a.log_sum_exp[(i64)head * a.tokens + place.start + place.first + line] = maxima[part][half] * unit * LN_2 + logf(sum);
        }
        E *to = (E *)a.result + (i64)(place.start + place.first + row) * a.result_stride + head * D;
        Rows::write(results[part], factors[0], factors[1], queries, row, to, a.result_stride, present - row);
    }
}
