// What one new token of a conversation needs beside products: attention over its cache, an adapter's update, the likeliest token.
#include "CKernels.h"
#include "clones.h"
#include "exponential.h"
#include <math.h>

// Keys that are scored at a time.
enum { KEYS_AT_ONCE = 256 };

long tb_attend_scratch(long group) { return group * (KEYS_AT_ONCE + 2); }

void tb_attend_token(const tb_token_attention *a, const float *query, float *scratch, float *result) {
    long group = a->group, dimension = a->dimension;
    float *maxima = scratch + group * KEYS_AT_ONCE, *sums = maxima + group;
    tb_fill(maxima, -INFINITY, group);
    tb_fill(sums, 0, group);
    tb_fill(result, 0, group * dimension);
    for (long start = a->first; start < a->count; start += KEYS_AT_ONCE) {
        long length = a->count - start < KEYS_AT_ONCE ? a->count - start : KEYS_AT_ONCE, at = start * dimension;
        if (a->is_bf16)
            tb_gemv_bf16(query, group, dimension, (const uint16_t *)a->keys + at, length, dimension, scratch, KEYS_AT_ONCE);
        else
            tb_gemv_f32(query, group, dimension, (const float *)a->keys + at, length, dimension, scratch, KEYS_AT_ONCE);
        for (long member = 0; member < group; member++) {
            float *line = scratch + member * KEYS_AT_ONCE, *to = result + member * dimension;
            tb_scale(line, line, a->scale, length);
            if (a->slopes) tb_add_ramp(line, (float)(start + 1 - a->count), a->slopes[member], length);
            float shrink = tb_online_softmax(line, 0, length, length, a->soft_cap, maxima + member, sums + member);
            if (shrink != 1.0f) tb_scale(to, to, shrink, dimension);
        }
        if (a->is_bf16)
            tb_gevm_bf16(scratch, group, KEYS_AT_ONCE, (const uint16_t *)a->values + at, length, dimension, dimension, result, dimension);
        else
            tb_gevm_f32(scratch, group, KEYS_AT_ONCE, (const float *)a->values + at, length, dimension, dimension, result, dimension);
    }
    for (long member = 0; member < group; member++) tb_scale(result + member * dimension, result + member * dimension, 1 / sums[member], dimension);
}

CLONED void tb_add_low(const float *low, const float *up, long rank, long rows, float *y) {
    for (long row = 0; row < rows; row++, up += rank) {
        REORDER
        float sum = 0;
        for (long k = 0; k < rank; k++) sum += low[k] * up[k];
        y[row] += sum;
    }
}

CLONED static float largest_number(const float *from, long count) {
    float largest = -INFINITY;
    {
        REORDER
        for (long i = 0; i < count; i++) largest = from[i] > largest ? from[i] : largest;
    }
    return largest;
}

long tb_largest(const float *from, long count) {
    const long stretch = 4096;
    float largest = -INFINITY;
    long where = 0;
    for (long start = 0; start < count; start += stretch) {
        long here = count - start < stretch ? count - start : stretch;
        float found = largest_number(from + start, here);
        if (found > largest) {
            largest = found;
            where = start;
        }
    }
    while (where < count - 1 && from[where] != largest) where++;
    return where < count && from[where] == largest ? where : 0;
}

CLONED int tb_reaches(const float *from, long count, float limit) {
    int found = 0;
    for (long i = 0; i < count; i++) found |= from[i] >= limit;
    return found;
}

CLONED static float mass_of(const float *from, long count, float scale, float largest) {
    REORDER
    float sum = 0;
    for (long i = 0; i < count; i++) sum += exponential_or_zero(scale * (from[i] - largest));
    return sum;
}

double tb_exponential_mass(const float *from, long count, float scale, float largest) {
    const long stretch = 4096;
    double sum = 0;
    for (long start = 0; start < count; start += stretch)
        sum += (double)mass_of(from + start, count - start < stretch ? count - start : stretch, scale, largest);
    return sum;
}

CLONED uint64_t tb_read_all(const void *from, long bytes) {
    const uint64_t *words = from;
    uint64_t sum = 0;
    for (long i = 0; i < bytes / 8; i++) sum += words[i];
    return sum;
}

void tb_fetch(const void *from, long bytes) {
    for (long at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)from + at, 0, 2);
}
