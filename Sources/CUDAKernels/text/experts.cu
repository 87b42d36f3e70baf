// Mixtures of experts without a word to the host: which experts a token gets, the tokens of each expert one after the other, and
// their results back at the tokens. Sums are in the order of the choice.
#include "common.cuh"

// The `count` best experts of each row of logits, best first (the first of equals), and their weights: softmax over all experts,
// or over the chosen ones where isNormalised is set. Of logits that are no numbers some expert is chosen all the same: places are
// used as they are, and the weights tell.
KERNEL(expert_route)(const E *logits, i64 rows, i32 experts, i32 count, i32 isNormalised, i32 *chosen, f32 *weights) {
    DYNAMIC_SHARED(memory);
    float *line = (float *)memory;
    __shared__ float values[32];
    __shared__ i32 places[32];
    i64 row = blockIdx.x;
    if (row >= rows) return;
    float best = -INFINITY, total = 0;
    for (int e = threadIdx.x; e < experts; e += blockDim.x) best = fmaxf(best, line[e] = value(logits[row * experts + e]));
    best = block_maximum(best);
    for (int e = threadIdx.x; e < experts; e += blockDim.x) total += __expf(line[e] - best);
    total = block_sum(total);
    float kept = 0;
    for (int n = 0; n < count; n++) {
        float mine = -INFINITY;
        i32 place = experts;
        for (int e = threadIdx.x; e < experts; e += blockDim.x)
            if (line[e] > mine) mine = line[e], place = e;
#pragma unroll
        for (int distance = 16; distance > 0; distance /= 2) {
            float other = __shfl_xor_sync(0xFFFFFFFFu, mine, distance);
            i32 otherPlace = __shfl_xor_sync(0xFFFFFFFFu, place, distance);
            if (other > mine || (other == mine && otherPlace < place)) mine = other, place = otherPlace;
        }
        if (threadIdx.x % 32 == 0) values[threadIdx.x / 32] = mine, places[threadIdx.x / 32] = place;
        __syncthreads();
        if (threadIdx.x == 0) {
            for (int w = 1; w < (int)blockDim.x / 32; w++)
                if (values[w] > mine || (values[w] == mine && places[w] < place)) mine = values[w], place = places[w];
            if (place >= experts) place = n;
            chosen[row * count + n] = place;
            float weight = __expf(mine - best) / total;
            weights[row * count + n] = weight;
            kept += weight;
            line[place] = -INFINITY;
        }
        __syncthreads();
    }
    if (isNormalised && threadIdx.x == 0)
        for (int n = 0; n < count; n++) weights[row * count + n] /= kept;
}

// Sorts the pairs (token, choice) by expert, keeping their order: loads and starts [experts]; for each sorted place its token and its
// pair; for each pair its place. One block: a pair costs a few reads of the second cache.
KERNEL(expert_group)(const i32 *chosen, i32 pairs, i32 experts, i32 count, i32 *loads, i32 *starts, i32 *tokens, i32 *places, i32 *slots) {
    const int parts = 64;
    DYNAMIC_SHARED(memory);
    i32 *counts = (i32 *)memory, *firsts = counts + parts * experts;  // [parts][experts], [experts]
    int part = threadIdx.x, each = (pairs + parts - 1) / parts, begin = part * each, end = min(pairs, begin + each);
    for (int i = threadIdx.x; i < parts * experts; i += blockDim.x) counts[i] = 0;
    __syncthreads();
    if (part < parts)
        for (int i = begin; i < end; i++) counts[part * experts + chosen[i]]++;
    __syncthreads();
    for (int e = threadIdx.x; e < experts; e += blockDim.x) {
        i32 sum = 0;
        for (int p = 0; p < parts; p++) {
            i32 here = counts[p * experts + e];
            counts[p * experts + e] = sum;
            sum += here;
        }
        loads[e] = sum;
        firsts[e] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        i32 sum = 0;
        for (int e = 0; e < experts; e++) {
            i32 here = firsts[e];
            starts[e] = firsts[e] = sum;
            sum += here;
        }
    }
    __syncthreads();
    if (part >= parts) return;
    for (int i = begin; i < end; i++) {
        int e = chosen[i], to = firsts[e] + counts[part * experts + e]++;
        tokens[to] = i / count;
        places[to] = i;
        slots[i] = to;
    }
}

// result[token] = sum over its choices of weights[token, n] * outputs[slots[token, n]]; without weights they are 1, which makes the
// gradient of what the experts were given.
KERNEL(expert_combine)(const E *outputs, const i32 *slots, const f32 *weights, i32 count, E *result, i64 tokens, i64 width) {
    i64 token = blockIdx.x;
    if (token >= tokens) return;
    bool isVector = is_aligned(outputs) && is_aligned(result) && is_whole(width);
    for (i64 i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float sums[8] = {};
        for (int n = 0; n < count; n++) {
            float x[8], w = weights ? weights[token * count + n] : 1.0f;
            load(outputs + slots[token * count + n] * width + i, width - i, isVector, x);
#pragma unroll
            EIGHT sums[k] += w * x[k];
        }
        store(result + token * width + i, width - i, isVector, sums);
    }
}
