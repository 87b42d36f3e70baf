// What one new token of a conversation needs beside products and attention: an adapter's update, the likeliest token.
#include "CKernels.h"
#include "clones.h"
#include "exponential.h"
#include <math.h>

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
