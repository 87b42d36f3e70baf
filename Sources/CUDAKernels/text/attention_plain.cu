// Attention without tensor cores, for f32, for cards before sm_80 and for head dimensions that are no multiple of 16; up to 256.
//
// A block has 16 rows, four for each warp, and goes over the rows of the other side by 32, which stand in shared memory as f32:
// a lane scores one of them, then has every 32nd column of the results. Sums are those of the kernels on tensor cores.
#include "sequences.cuh"

namespace {
constexpr int OWN = 16, EACH = 4, TILE = 32, PIECES = 8;  // rows of a block, of a warp, of the other side; columns of a lane
}

// Rows of E into shared memory as f32, `stride` floats apart; those from `present` on are zeros.
DEVICE void fetch_rows(float *to, int stride, const E *from, i64 fromStride, int rows, int present, int dimension) {
    for (int index = threadIdx.x; index < rows * dimension; index += blockDim.x) {
        int row = index / dimension, column = index % dimension;
        to[row * stride + column] = row < present ? value(from[row * fromStride + column]) : 0.0f;
    }
}
DEVICE float dot(const float *a, const float *b, int count) {
    float sum = 0;
    for (int i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}
// sums += factors (one a lane) times rows, this lane's columns.
DEVICE void add_rows_times(float (&sums)[PIECES], float factor, const float *rows, int stride, int dimension) {
    int lane = threadIdx.x % 32;
    for (int k = 0; k < TILE; k++) {
        float f = __shfl_sync(0xFFFFFFFFu, factor, k);
#pragma unroll
        for (int j = 0; j < PIECES; j++)
            if (lane + 32 * j < dimension) sums[j] += f * rows[k * stride + lane + 32 * j];
    }
}
DEVICE void put_columns(E *to, const float (&from)[PIECES], float factor, int dimension) {
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int j = 0; j < PIECES; j++)
        if (lane + 32 * j < dimension) put(to + lane + 32 * j, from[j] * factor);
}

KERNEL(plain_attention_forward)(tb_cuda_attention a) {
    DYNAMIC_SHARED(memory);
    Place place = find_tile(a.cumulative, a.sequences, OWN, blockIdx.x);
    if (!place.isThere) return;
    int D = a.dimension, head = blockIdx.y, keyHead = head / (a.heads / a.key_value_heads);
    int keyStart = a.key_cumulative ? a.key_cumulative[place.sequence] : place.start;
    int keyCount = a.key_cumulative ? a.key_cumulative[place.sequence + 1] - keyStart : place.length;
    int present = min(OWN, place.length - place.first), firstQuery = place.first + keyCount - place.length;
    float *keys = (float *)memory, *values = keys + TILE * (D + 1), *queries = values + TILE * (D + 1);
    i64 row = place.start + place.first;
    fetch_rows(queries, D, (const E *)a.query + row * a.query_stride + head * D, a.query_stride, OWN, present, D);

    int lane = threadIdx.x % 32, own = threadIdx.x / 32 * EACH;
    float results[EACH][PIECES] = {}, maxima[EACH], sums[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i++) maxima[i] = -INFINITY, sums[i] = 0;
    float ramp = a.slopes ? a.slopes[head] : 0.0f;
    int begin = a.window ? max(0, firstQuery + 1 - a.window) : 0, end = a.is_causal ? min(keyCount, firstQuery + present) : keyCount;
    for (int start = begin; start < end; start += TILE) {
        __syncthreads();
        i64 keyRow = keyStart + start;
        fetch_rows(keys, D + 1, (const E *)a.key + keyRow * a.key_stride + keyHead * D, a.key_stride, TILE, keyCount - start, D);
        fetch_rows(values, D + 1, (const E *)a.value + keyRow * a.value_stride + keyHead * D, a.value_stride, TILE, keyCount - start, D);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int query = firstQuery + own + i, key = start + lane;
            float slope, score = shaped_score(a, dot(queries + (own + i) * D, keys + lane * (D + 1), D), ramp, key - query, &slope);
            if (!is_visible(a, query, key, keyCount)) score = -INFINITY;
            float best = fmaxf(maxima[i], warp_maximum(score));
            if (best == -INFINITY) continue;  // the same for the whole warp
            float shrink = power_of_two(maxima[i] - best), p = power_of_two(score - best);
            maxima[i] = best;
            sums[i] = sums[i] * shrink + warp_sum(p);
#pragma unroll
            for (int j = 0; j < PIECES; j++) results[i][j] *= shrink;
            add_rows_times(results[i], p, values, D + 1, D);
        }
    }
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        if (own + i >= present) continue;
        put_columns((E *)a.result + (row + own + i) * a.result_stride + head * D, results[i], sums[i] > 0 ? 1.0f / sums[i] : 0.0f, D);
        if (a.log_sum_exp && lane == 0) a.log_sum_exp[(i64)head * a.tokens + row + own + i] = maxima[i] * LN_2 + logf(sums[i]);
    }
}

KERNEL(plain_attention_backward_queries)(tb_cuda_attention a) {
    DYNAMIC_SHARED(memory);
    Place place = find_tile(a.cumulative, a.sequences, OWN, blockIdx.x);
    if (!place.isThere) return;
    int D = a.dimension, head = blockIdx.y, keyHead = head / (a.heads / a.key_value_heads);
    int firstQuery = place.first, present = min(OWN, place.length - firstQuery);
    float *keys = (float *)memory, *values = keys + TILE * (D + 1), *queries = values + TILE * (D + 1), *gradients = queries + OWN * D;
    i64 row = place.start + firstQuery;
    fetch_rows(queries, D, (const E *)a.query + row * a.query_stride + head * D, a.query_stride, OWN, present, D);
    fetch_rows(gradients, D, (const E *)a.gradient + row * a.gradient_stride + head * D, a.gradient_stride, OWN, present, D);

    int lane = threadIdx.x % 32, own = threadIdx.x / 32 * EACH;
    float sums[EACH][PIECES] = {};
    float ramp = a.slopes ? a.slopes[head] : 0.0f;
    int begin = a.window ? max(0, firstQuery + 1 - a.window) : 0, end = a.is_causal ? firstQuery + present : place.length;
    for (int start = begin; start < end; start += TILE) {
        __syncthreads();
        i64 keyRow = place.start + start;
        fetch_rows(keys, D + 1, (const E *)a.key + keyRow * a.key_stride + keyHead * D, a.key_stride, TILE, place.length - start, D);
        fetch_rows(values, D + 1, (const E *)a.value + keyRow * a.value_stride + keyHead * D, a.value_stride, TILE, place.length - start, D);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            if (own + i >= present) continue;  // the same for the whole warp
            int query = firstQuery + own + i, key = start + lane;
            i64 at = (i64)head * a.tokens + row + own + i;
            float slope, score = shaped_score(a, dot(queries + (own + i) * D, keys + lane * (D + 1), D), ramp, key - query, &slope);
            float p = is_visible(a, query, key, place.length) ? power_of_two(score - a.log_sum_exp[at] * LOG2_E) : 0.0f;
            float d = p * (dot(gradients + (own + i) * D, values + lane * (D + 1), D) - a.delta[at]) * slope;
            add_rows_times(sums[i], d, keys, D + 1, D);
        }
    }
#pragma unroll
    for (int i = 0; i < EACH; i++)
        if (own + i < present) put_columns((E *)a.query_gradient + (row + own + i) * a.query_gradient_stride + head * D, sums[i], a.scale, D);
}

KERNEL(plain_attention_backward_keys)(tb_cuda_attention a) {
    DYNAMIC_SHARED(memory);
    Place place = find_tile(a.cumulative, a.sequences, OWN, blockIdx.x);
    if (!place.isThere) return;
    int D = a.dimension, keyHead = blockIdx.y, group = a.heads / a.key_value_heads;
    int firstKey = place.first, present = min(OWN, place.length - firstKey), lastKey = firstKey + present - 1;
    float *queries = (float *)memory, *gradients = queries + TILE * (D + 1), *keys = gradients + TILE * (D + 1), *values = keys + OWN * D;
    i64 row = place.start + firstKey;
    fetch_rows(keys, D, (const E *)a.key + row * a.key_stride + keyHead * D, a.key_stride, OWN, present, D);
    fetch_rows(values, D, (const E *)a.value + row * a.value_stride + keyHead * D, a.value_stride, OWN, present, D);

    int lane = threadIdx.x % 32, own = threadIdx.x / 32 * EACH;
    float keyGradient[EACH][PIECES] = {}, valueGradient[EACH][PIECES] = {};
    int begin = a.is_causal ? firstKey : 0, end = a.window ? min(place.length, lastKey + a.window) : place.length;
    for (int head = keyHead * group; head < (keyHead + 1) * group; head++) {
        float ramp = a.slopes ? a.slopes[head] : 0.0f;
        for (int start = begin; start < end; start += TILE) {
            __syncthreads();
            i64 first = place.start + start;
            fetch_rows(queries, D + 1, (const E *)a.query + first * a.query_stride + head * D, a.query_stride, TILE, place.length - start, D);
            fetch_rows(gradients, D + 1, (const E *)a.gradient + first * a.gradient_stride + head * D, a.gradient_stride, TILE, place.length - start, D);
            __syncthreads();
            int query = start + lane;
            bool isThere = query < place.length;
            i64 at = (i64)head * a.tokens + place.start + query;
            float log = isThere ? a.log_sum_exp[at] * LOG2_E : 0.0f, delta = isThere ? a.delta[at] : 0.0f;
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                if (own + i >= present) continue;  // the same for the whole warp
                int key = firstKey + own + i;
                float slope, score = shaped_score(a, dot(keys + (own + i) * D, queries + lane * (D + 1), D), ramp, key - query, &slope);
                float p = isThere && is_visible(a, query, key, place.length) ? power_of_two(score - log) : 0.0f;
                float d = p * (dot(values + (own + i) * D, gradients + lane * (D + 1), D) - delta) * slope;
                add_rows_times(valueGradient[i], p, gradients, D + 1, D);
                add_rows_times(keyGradient[i], d, queries, D + 1, D);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        if (own + i >= present) continue;
        put_columns((E *)a.value_gradient + (row + own + i) * a.value_gradient_stride + keyHead * D, valueGradient[i], 1.0f, D);
        put_columns((E *)a.key_gradient + (row + own + i) * a.key_gradient_stride + keyHead * D, keyGradient[i], a.scale, D);
    }
}
