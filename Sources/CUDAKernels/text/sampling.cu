// The next token of each row of logits: temperature, top-k, top-p and min-p in transformers' order. Nothing is sorted: borders are
// found by digits of the logits' bits, four passes of 256 each, and masses are whole numbers of 2^-40, so that their sums do not
// depend on the order of the threads. A row is read some ten times, all but the first from the second cache.
#include "common.cuh"

namespace {
constexpr int DIGITS = 256;
}

// Bits whose order as numbers is that of the floats.
DEVICE u32 ordered(float x) {
    u32 bits = __float_as_uint(x);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
DEVICE float unordered(u32 key) { return __uint_as_float(key & 0x80000000u ? key & 0x7FFFFFFFu : ~key); }

struct Row {
    const E *logits;
    i64 width;
    float largest, inverseTemperature;
};
DEVICE u32 key_of(const Row &row, i64 i) { return ordered(value(row.logits[i])); }
// exp(score - largest score) as a whole number.
DEVICE u64 mass_of(const Row &row, float logit) { return (u64)((f64)__expf((logit - row.largest) * row.inverseTemperature) * 1099511627776.0); }

// The largest key at which the masses (or, where countsOnly, the numbers) of all elements from it upwards reach `wanted`.
// Only keys from `least` on take part. All threads get it.
DEVICE u32 border(const Row &row, u32 least, u64 wanted, bool countsOnly, u64 *bins, u64 *shared) {
    u32 prefix = 0;
    u64 above = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        for (int i = threadIdx.x; i < DIGITS; i += blockDim.x) bins[i] = 0;
        __syncthreads();
        for (i64 i = threadIdx.x; i < row.width; i += blockDim.x) {
            u32 key = key_of(row, i);
            if (key < least || (shift < 24 && key >> (shift + 8) != prefix >> (shift + 8))) continue;
            atomicAdd(&bins[key >> shift & 255], countsOnly ? (u64)1 : mass_of(row, unordered(key)));
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            int digit = DIGITS - 1;
            while (digit > 0 && above + bins[digit] < wanted) above += bins[digit--];
            shared[0] = (u64)digit;
            shared[1] = above;
        }
        __syncthreads();
        prefix |= (u32)shared[0] << shift;
        above = shared[1];
        __syncthreads();
    }
    return prefix;
}

DEVICE u64 block_total(u64 x, u64 *shares) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(0xFFFFFFFFu, x, distance);
    __syncthreads();
    if (threadIdx.x % 32 == 0) shares[threadIdx.x / 32] = x;
    __syncthreads();
    u64 sum = 0;
    for (int w = 0; w < (int)blockDim.x / 32; w++) sum += shares[w];
    return sum;
}

KERNEL(sample)(const E *logits, i64 rows, i64 width, tb_cuda_sampling options, const f32 *uniforms, i32 *result) {
    __shared__ u64 bins[DIGITS], shared[2], shares[32];
    __shared__ i32 places[32];
    __shared__ i32 found;
    if (blockIdx.x >= rows) return;
    Row row = {logits + blockIdx.x * width, width, -INFINITY, options.temperature > 0 ? 1.0f / options.temperature : 1.0f};
    float best = -INFINITY;
    i32 place = 0x7FFFFFFF;
    for (i64 i = threadIdx.x; i < width; i += blockDim.x) {
        float x = value(row.logits[i]);
        if (x > best || place == 0x7FFFFFFF) best = x, place = (i32)i;
    }
    row.largest = block_maximum(best);
    if (options.temperature <= 0) {
        if (best != row.largest) place = 0x7FFFFFFF;
#pragma unroll
        for (int distance = 16; distance > 0; distance /= 2) place = min(place, __shfl_xor_sync(0xFFFFFFFFu, place, distance));
        if (threadIdx.x % 32 == 0) places[threadIdx.x / 32] = place;
        __syncthreads();
        if (threadIdx.x) return;
        for (int w = 1; w < (int)blockDim.x / 32; w++) place = min(place, places[w]);
        result[blockIdx.x] = place;
        return;
    }

    // The k-th largest logit and its equals stay; then the largest that hold top_p of what is left; then those near the largest.
    u32 least = 0;
    if (options.top_k > 0 && options.top_k < width) least = border(row, 0, (u64)options.top_k, true, bins, shared);
    if (options.top_p < 1) {
        u64 mass = 0;
        for (i64 i = threadIdx.x; i < width; i += blockDim.x)
            if (key_of(row, i) >= least) mass += mass_of(row, value(row.logits[i]));
        u64 wanted = (u64)((f64)block_total(mass, shares) * (f64)options.top_p);
        u32 nucleus = border(row, least, wanted > 0 ? wanted : 1, false, bins, shared);
        least = max(least, nucleus);
    }
    if (options.min_p > 0) least = max(least, ordered(row.largest + logf(options.min_p) / row.inverseTemperature));
    least = min(least, ordered(row.largest));

    u64 mass = 0;
    for (i64 i = threadIdx.x; i < width; i += blockDim.x)
        if (key_of(row, i) >= least) mass += mass_of(row, value(row.logits[i]));
    u64 total = block_total(mass, shares), wanted = (u64)((f64)total * (f64)uniforms[blockIdx.x]);
    if (threadIdx.x == 0) found = -1;
    __syncthreads();
    // The first element with which the sum exceeds `wanted`, in the order of tokens.
    u64 before = 0;
    for (i64 start = 0; start < width; start += blockDim.x) {
        i64 i = start + threadIdx.x;
        bool isKept = i < width && key_of(row, i) >= least;
        u64 own = isKept ? mass_of(row, value(row.logits[i])) : 0, sum = own;
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            u64 other = __shfl_up_sync(0xFFFFFFFFu, sum, distance);
            if ((int)(threadIdx.x % 32) >= distance) sum += other;
        }
        __syncthreads();
        if (threadIdx.x % 32 == 31) shares[threadIdx.x / 32] = sum;
        __syncthreads();
        u64 here = before;
        for (int w = 0; w < (int)blockDim.x / 32; w++) {
            if (w < (int)threadIdx.x / 32) sum += shares[w];
            here += shares[w];
        }
        sum += before;
        if (own > 0 && sum > wanted && sum - own <= wanted) found = (i32)i;
        before = here;
        __syncthreads();
        if (found >= 0) break;
    }
    if (threadIdx.x == 0) result[blockIdx.x] = found >= 0 ? found : place;
}

// Positive logits of used tokens are divided by the penalty, negative ones multiplied; history has each token once.
KERNEL(penalise)(E *logits, i64 width, const i32 *history, i32 count, f32 penalty) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        i32 token = history[i];
        if (token < 0 || token >= width) continue;
        float x = value(logits[token]);
        put(logits + token, x < 0 ? x * penalty : x / penalty);
    }
}
