// The way back through attention on tensor cores, in two kernels, so that no sum is shared between blocks: the same run gives the
// same numbers, for 7 products in place of 5. With P = exp(scores - lse):
//
//     dV = P^T dO    dS = P * (dO V^T - delta)    dK = scale dS^T Q    dQ = scale dS K
//
// attention_backward_keys has TILE keys of one key head and goes over the queries (of all the query heads it serves) that see them;
// its scores are transposed, so that P^T and dS^T are left factors as they stand in registers. attention_backward_queries has TILE
// queries and goes over keys. Gradients must not stand where query, key and value do: the second kernel still reads them.
//
// HEAD_DIMENSION 128: 97 KiB of shared memory, 8 * 128 and 6 * 128 FLOPs for each visible score, two blocks on an H100's multiprocessor.
// Above 128 a block of the first kernel makes 128 columns of the gradients: both for all columns would not fit in registers.
#include "tiles.cuh"

namespace {
constexpr int D = HEAD_DIMENSION;
constexpr int TILE = D <= 128 ? 64 : 32, THREADS = 2 * TILE, SCORES = TILE / 8, STEPS = D / 16;
constexpr int SLICE = D <= 128 ? D : 128, SLICE_GROUPS = SLICE / 8, OUTPUTS = D / 8;
// Above 128 columns, fragments that are loaded early would push others out of the registers.
constexpr int UNROLLED = D <= 128 ? STEPS : 2;
static_assert(D <= 128 || D % 128 == 0, "slices of 128 columns");
using Rows = Tile<D>;
}  // namespace

template <int groups> DEVICE void clear(float (&c)[groups][4]) {
#pragma unroll
    for (int n = 0; n < groups; n++) c[n][0] = c[n][1] = c[n][2] = c[n][3] = 0;
}

// c [16, TILE] = rows `row` ... of a, times b^T
DEVICE void multiply_rows(float (&c)[SCORES][4], const E *a, int row, const E *b) {
    clear(c);
#pragma unroll UNROLLED
    for (int step = 0; step < STEPS; step++) {
        u32 left[4];
        Rows::left(left, a, row, 2 * step);
#pragma unroll
        for (int n = 0; n < SCORES; n += 2) {
            u32 right[4];
            Rows::rightTransposed(right, b, 8 * n, 2 * step);
            multiply_tile(c[n], left, right[0], right[1]);
            multiply_tile(c[n + 1], left, right[2], right[3]);
        }
    }
}

// c += a b for columns of b from `chunk` * 8 on; a [16, TILE] stands in registers.
template <int groups> DEVICE void add_product(float (&c)[groups][4], const float (&a)[SCORES][4], const E *b, int chunk) {
#pragma unroll
    for (int step = 0; step < TILE / 16; step++) {
        u32 left[4];
        as_left(left, a, step);
#pragma unroll
        for (int n = 0; n < groups; n += 2) {
            u32 right[4];
            Rows::right(right, b, 16 * step, chunk + n);
            multiply_tile(c[n], left, right[0], right[1]);
            multiply_tile(c[n + 1], left, right[2], right[3]);
        }
    }
}

BOUNDED_KERNEL(attention_backward_keys, THREADS, 2)(tb_cuda_attention a) {
    DYNAMIC_SHARED(memory);
    Place place = find_tile(a.cumulative, a.sequences, TILE, blockIdx.x);
    if (!place.isThere) return;
    int keyHead = blockIdx.y, group = a.heads / a.key_value_heads, slice = blockIdx.z * SLICE;
    int firstKey = place.first, present = min(TILE, place.length - firstKey), lastKey = firstKey + present - 1;
    const int tile = TILE * Rows::width;
    E *keys = (E *)memory, *values = keys + tile, *queries = values + tile, *gradients = queries + 2 * tile;
    float *logs = (float *)(gradients + 2 * tile), *deltas = logs + 2 * TILE;

    i64 keyRow = place.start + firstKey;
    Rows::fetch<TILE, THREADS>(keys, (const E *)a.key + keyRow * a.key_stride + keyHead * D, a.key_stride, present);
    Rows::fetch<TILE, THREADS>(values, (const E *)a.value + keyRow * a.value_stride + keyHead * D, a.value_stride, present);

    int begin = a.is_causal ? firstKey : 0, end = a.window ? min(place.length, lastKey + a.window) : place.length;
    int tiles = (end - begin + TILE - 1) / TILE, work = tiles * group;
    // Queries of piece number `number`: one query head after the other.
    auto fetch = [&](int number, int side) {
        int head = keyHead * group + number / tiles, first = begin + number % tiles * TILE, count = min(TILE, place.length - first);
        i64 row = place.start + first;
        Rows::fetch<TILE, THREADS>(queries + side * tile, (const E *)a.query + row * a.query_stride + head * D, a.query_stride, count);
        Rows::fetch<TILE, THREADS>(gradients + side * tile, (const E *)a.gradient + row * a.gradient_stride + head * D, a.gradient_stride, count);
        copy_ahead_commit();
        if (threadIdx.x < TILE) {
            int i = threadIdx.x;
            bool isThere = i < count;
            logs[side * TILE + i] = isThere ? a.log_sum_exp[(i64)head * a.tokens + row + i] * LOG2_E : 0.0f;
            deltas[side * TILE + i] = isThere ? a.delta[(i64)head * a.tokens + row + i] : 0.0f;
        }
    };
    fetch(0, 0);

    int lane = threadIdx.x % 32, ownRow = threadIdx.x / 32 * 16;
    float keyGradient[SLICE_GROUPS][4], valueGradient[SLICE_GROUPS][4];
    clear(keyGradient);
    clear(valueGradient);
    bool isShaped = a.soft_cap != 0 || a.slopes;
    float unit = isShaped ? 1.0f : a.scale * LOG2_E;

    for (int number = 0, side = 0; number < work; number++, side ^= 1) {
        if (number + 1 < work) {
            fetch(number + 1, side ^ 1);
            copy_ahead_wait<1>();
        } else {
            copy_ahead_wait<0>();
        }
        __syncthreads();
        int firstQuery = begin + number % tiles * TILE;
        const E *theseQueries = queries + side * tile, *theseGradients = gradients + side * tile;
        const float *theseLogs = logs + side * TILE, *theseDeltas = deltas + side * TILE;
        float ramp = a.slopes ? a.slopes[keyHead * group + number / tiles] : 0.0f;
        bool isCut = firstQuery + TILE > place.length || present < TILE || (a.is_causal && lastKey > firstQuery)
            || (a.window && firstKey <= firstQuery + TILE - 1 - a.window);

        float p[SCORES][4], d[SCORES][4];
        multiply_rows(p, keys, ownRow, theseQueries);
        multiply_rows(d, values, ownRow, theseGradients);
#pragma unroll
        for (int n = 0; n < SCORES; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int line = 8 * n + lane % 4 * 2 + i % 2;
                int query = firstQuery + line, key = firstKey + ownRow + lane / 4 + i / 2 * 8;
                float slope = 1.0f;
                if (isShaped) p[n][i] = shaped_score(a, p[n][i], ramp, key - query, &slope);
                p[n][i] = power_of_two(p[n][i] * unit - theseLogs[line]);
                if (isCut && (query >= place.length || !is_visible(a, query, key, place.length))) p[n][i] = 0.0f;
                d[n][i] = p[n][i] * (d[n][i] - theseDeltas[line]) * slope;
            }
        }
        add_product(valueGradient, p, theseGradients, slice / 8);
        add_product(keyGradient, d, theseQueries, slice / 8);
        __syncthreads();  // the next copies go where these queries stand
    }

    int left = present - ownRow;
    i64 row = keyRow + ownRow;
    Rows::write(valueGradient, 1.0f, 1.0f, values, ownRow, (E *)a.value_gradient + row * a.value_gradient_stride + keyHead * D + slice,
                a.value_gradient_stride, left);
    Rows::write(keyGradient, a.scale, a.scale, keys, ownRow, (E *)a.key_gradient + row * a.key_gradient_stride + keyHead * D + slice,
                a.key_gradient_stride, left);
}

BOUNDED_KERNEL(attention_backward_queries, THREADS, 2)(tb_cuda_attention a) {
    DYNAMIC_SHARED(memory);
    Place place = find_tile(a.cumulative, a.sequences, TILE, blockIdx.x);
    if (!place.isThere) return;
    int head = blockIdx.y, keyHead = head / (a.heads / a.key_value_heads);
    int firstQuery = place.first, present = min(TILE, place.length - firstQuery), lastQuery = firstQuery + present - 1;
    const int tile = TILE * Rows::width;
    E *queries = (E *)memory, *gradients = queries + tile, *keys = gradients + tile, *values = keys + 2 * tile;

    i64 row = place.start + firstQuery;
    const E *k = (const E *)a.key + (i64)place.start * a.key_stride + keyHead * D;
    const E *v = (const E *)a.value + (i64)place.start * a.value_stride + keyHead * D;
    int begin = a.window ? max(0, firstQuery + 1 - a.window) / TILE * TILE : 0, end = a.is_causal ? lastQuery + 1 : place.length;
    Rows::fetch<TILE, THREADS>(queries, (const E *)a.query + row * a.query_stride + head * D, a.query_stride, present);
    Rows::fetch<TILE, THREADS>(gradients, (const E *)a.gradient + row * a.gradient_stride + head * D, a.gradient_stride, present);
    Rows::fetch<TILE, THREADS>(keys, k + begin * a.key_stride, a.key_stride, place.length - begin);
    Rows::fetch<TILE, THREADS>(values, v + begin * a.value_stride, a.value_stride, place.length - begin);
    copy_ahead_commit();

    int lane = threadIdx.x % 32, ownRow = threadIdx.x / 32 * 16;
    float logs[2], deltas[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int line = ownRow + lane / 4 + 8 * half;
        i64 at = (i64)head * a.tokens + row + line;
        logs[half] = line < present ? a.log_sum_exp[at] * LOG2_E : 0.0f;
        deltas[half] = line < present ? a.delta[at] : 0.0f;
    }
    float queryGradient[OUTPUTS][4];
    clear(queryGradient);
    bool isShaped = a.soft_cap != 0 || a.slopes;
    float ramp = a.slopes ? a.slopes[head] : 0.0f, unit = isShaped ? 1.0f : a.scale * LOG2_E;

    for (int start = begin, side = 0; start < end; start += TILE, side ^= 1) {
        if (start + TILE < end) {
            int next = start + TILE;
            Rows::fetch<TILE, THREADS>(keys + (side ^ 1) * tile, k + next * a.key_stride, a.key_stride, place.length - next);
            Rows::fetch<TILE, THREADS>(values + (side ^ 1) * tile, v + next * a.value_stride, a.value_stride, place.length - next);
            copy_ahead_commit();
            copy_ahead_wait<1>();
        } else {
            copy_ahead_wait<0>();
        }
        __syncthreads();
        const E *theseKeys = keys + side * tile, *theseValues = values + side * tile;
        bool isCut = start + TILE > place.length || present < TILE || (a.is_causal && start + TILE > firstQuery + 1)
            || (a.window && start <= lastQuery - a.window);
        float p[SCORES][4], d[SCORES][4];
        multiply_rows(p, queries, ownRow, theseKeys);
        multiply_rows(d, gradients, ownRow, theseValues);
#pragma unroll
        for (int n = 0; n < SCORES; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int line = ownRow + lane / 4 + i / 2 * 8, query = firstQuery + line, key = start + 8 * n + lane % 4 * 2 + i % 2;
                float slope = 1.0f;
                if (isShaped) p[n][i] = shaped_score(a, p[n][i], ramp, key - query, &slope);
                p[n][i] = power_of_two(p[n][i] * unit - logs[i / 2]);
                if (isCut && (line >= present || !is_visible(a, query, key, place.length))) p[n][i] = 0.0f;
                d[n][i] = p[n][i] * (d[n][i] - deltas[i / 2]) * slope;
            }
        }
        add_product(queryGradient, d, theseKeys, 0);
        __syncthreads();  // the next copies go where these keys stand
    }
    copy_ahead_wait<0>();
    Rows::write(queryGradient, a.scale, a.scale, queries, ownRow,
                (E *)a.query_gradient + (row + ownRow) * a.query_gradient_stride + head * D, a.query_gradient_stride, present - ownRow);
}
