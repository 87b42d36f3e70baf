// The next token of each row of logits: repetition penalty, temperature, top-k, top-p and min-p in transformers' order. Nothing is
// sorted: borders are found by digits of the logits' bits, four passes of 256 each, and masses are whole numbers of 2^-40, so that
// their sums do not depend on the order of the threads. A row is read some ten times, all but the first from the second cache. The
// processor's Sampler keeps the same tokens and draws in the same order, that of the vocabulary.
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
    const u8 *seen;  // null without a penalty
    float penalty, largest, inverseTemperature;
};
// Positive logits of used tokens are divided by the penalty, negative ones multiplied (CTRL; Keskar et al., 2019).
DEVICE float logit_of(const Row &row, i64 i) {
    float x = value(row.logits[i]);
    if (row.seen && row.seen[i]) return x < 0 ? x * row.penalty : x / row.penalty;
    return x;
}
DEVICE u32 key_of(const Row &row, i64 i) { return ordered(logit_of(row, i)); }
// exp(score - largest score) as a whole number.
DEVICE u64 mass_of(const Row &row, float logit) { return (u64)((f64)__expf((logit - row.largest) * row.inverseTemperature) * 1099511627776.0); }

// The largest key at which the masses (or, where countsOnly, the numbers) of all elements from it upwards reach `wanted`.
// Only keys from `least` on take part; `above` gets the sum of those beyond the border. All threads get both.
DEVICE u32 border(const Row &row, u32 least, u64 wanted, bool countsOnly, u64 *bins, u64 *shared, u64 &above) {
    u32 prefix = 0;
    above = 0;
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

// What the next step is fed. One thread.
DEVICE void hand_on(const tb_cuda_decoding &state, i64 row, i64 width, bool isLive, bool isDrawn, i32 token) {
    state.results[row] = token;
    if (!isLive) return;
    i32 next = max(token, 0);
    state.tokens[row] = next;
    state.positions[row]++;
    state.lengths[row]++;
    if (isDrawn) state.draws[row]++;
    if (state.seen) state.seen[row * width + next] = 1;
}

BOUNDED_KERNEL(sample, 1024, 1)(const E *logits, i64 rows, i64 width, const tb_cuda_sampling *rules, tb_cuda_decoding state) {
    __shared__ u64 bins[DIGITS], shared[2], shares[32];
    __shared__ i32 places[32];
    __shared__ i32 found;
    if (blockIdx.x >= rows) return;
    tb_cuda_sampling options = rules[blockIdx.x];
    const E *line = logits + blockIdx.x * width;
    const u8 *seen = state.seen && options.penalty != 1 ? state.seen + blockIdx.x * width : (const u8 *)0;
    Row row = {line, width, seen, options.penalty, -INFINITY, options.temperature > 0 ? 1.0f / options.temperature : 1.0f};
    float first = value(line[0]);
    if (first != first) {
        if (threadIdx.x == 0) hand_on(state, blockIdx.x, width, options.is_live, false, -1);
        return;
    }
    float best = -INFINITY;
    i32 place = 0x7FFFFFFF;
    for (i64 i = threadIdx.x; i < width; i += blockDim.x) {
        float x = logit_of(row, i);
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
        hand_on(state, blockIdx.x, width, options.is_live, false, place);
        return;
    }

    // The k-th largest logit and its equals stay; then the largest that hold top_p of what is left, of equals at the border as many as
    // it takes, the first ones; then those near the largest.
    u32 least = 0;
    u64 above = 0, allowed = ~(u64)0;
    if (options.top_k > 0 && options.top_k < width) least = border(row, 0, (u64)options.top_k, true, bins, shared, above);
    if (options.top_p < 1) {
        u64 mass = 0;
        for (i64 i = threadIdx.x; i < width; i += blockDim.x)
            if (key_of(row, i) >= least) mass += mass_of(row, logit_of(row, i));
        u64 wanted = (u64)((f64)block_total(mass, shares) * (f64)options.top_p);
        wanted = max(wanted, (u64)1);
        u32 nucleus = border(row, least, wanted, false, bins, shared, above);
        u64 each = mass_of(row, unordered(nucleus));
        if (nucleus >= least && each > 0) {
            least = nucleus;
            allowed = (wanted - above + each - 1) / each;
        }
    }
    if (options.min_p > 0) {
        u32 near = ordered(row.largest + logf(options.min_p) / row.inverseTemperature);
        if (near > least) least = near, allowed = ~(u64)0;
    }
    if (least > ordered(row.largest)) least = ordered(row.largest), allowed = ~(u64)0;

    u64 mass = 0, equals = 0;
    for (i64 i = threadIdx.x; i < width; i += blockDim.x) {
        u32 key = key_of(row, i);
        if (key > least) mass += mass_of(row, logit_of(row, i));
        if (key == least) equals++;
    }
    u64 total = block_total(mass, shares);
    total += min(block_total(equals, shares), allowed) * mass_of(row, unordered(least));
    i32 taken = state.draws[blockIdx.x];
    f64 uniform = (f64)state.uniforms[(i64)blockIdx.x * state.uniform_count + taken % state.uniform_count];
    u64 wanted = min((u64)((f64)total * uniform), total - 1);
    if (threadIdx.x == 0) found = -1;
    __syncthreads();
    // The first element with which the sum exceeds `wanted`, in the order of tokens.
    u64 before = 0, equalsBefore = 0;
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    for (i64 start = 0; start < width; start += blockDim.x) {
        i64 i = start + threadIdx.x;
        u32 key = i < width ? key_of(row, i) : 0;
        bool isEqual = i < width && key == least;
        u32 lanes = __ballot_sync(0xFFFFFFFFu, isEqual);
        __syncthreads();
        if (lane == 0) shares[warp] = (u64)__popc(lanes);
        __syncthreads();
        u64 rank = equalsBefore + (u64)__popc(lanes & ((1u << lane) - 1));
        for (int w = 0; w < warps; w++) {
            if (w < warp) rank += shares[w];
            equalsBefore += shares[w];
        }
        bool isKept = i < width && (key > least || (isEqual && rank < allowed));
        u64 own = isKept ? mass_of(row, logit_of(row, i)) : 0, sum = own;
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            u64 other = __shfl_up_sync(0xFFFFFFFFu, sum, distance);
            if (lane >= distance) sum += other;
        }
        __syncthreads();
        if (lane == 31) shares[warp] = sum;
        __syncthreads();
        u64 here = before;
        for (int w = 0; w < warps; w++) {
            if (w < warp) sum += shares[w];
            here += shares[w];
        }
        sum += before;
        if (own > 0 && sum > wanted && sum - own <= wanted) found = (i32)i;
        before = here;
        __syncthreads();
        if (found >= 0) break;
    }
    if (threadIdx.x == 0) hand_on(state, blockIdx.x, width, options.is_live, true, found);
}

// Tokens of a prompt count as seen.
KERNEL(mark_seen)(const i32 *tokens, i64 count, u8 *seen, i64 width) {
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x)
        if (tokens[i] >= 0 && tokens[i] < width) seen[tokens[i]] = 1;
}
