// Sums, scalings and masks over contiguous elements.
#include "CKernels.h"
#include "clones.h"

CLONED void tb_fill(float *to, float value, long count) {
    for (long i = 0; i < count; i++) to[i] = value;
}

CLONED void tb_add(const float *a, const float *b, float *to, long count) {
    for (long i = 0; i < count; i++) to[i] = a[i] + b[i];
}

CLONED void tb_accumulate(const float *restrict from, float *restrict to, float factor, long count) {
    for (long i = 0; i < count; i++) to[i] += factor * from[i];
}

CLONED void tb_scale(const float *from, float *to, float factor, long count) {
    for (long i = 0; i < count; i++) to[i] = factor * from[i];
}

// Blocks of 4,096 are summed in f32, the blocks in f64.
CLONED double tb_sum_of_squares(const float *from, long count) {
    double total = 0;
    for (long start = 0; start < count; start += 4096) {
        long end = start + 4096 < count ? start + 4096 : count;
        float sum = 0;
        {
            REORDER
            for (long i = start; i < end; i++) sum += from[i] * from[i];
        }
        total += sum;
    }
    return total;
}

CLONED double tb_dot(const float *a, const float *b, long count) {
    double total = 0;
    for (long start = 0; start < count; start += 4096) {
        long end = start + 4096 < count ? start + 4096 : count;
        float sum = 0;
        {
            REORDER
            for (long i = start; i < end; i++) sum += a[i] * b[i];
        }
        total += sum;
    }
    return total;
}

// 32-bit finaliser of MurmurHash3 (Appleby) over a counter: cheap in vectors and good enough for a mask.
CLONED void tb_dropout(const float *from, float *to, long count, uint64_t seed, uint64_t first, float probability) {
    uint32_t threshold = (uint32_t)(probability * 4294967296.0);
    float factor = 1.0f / (1.0f - probability);
    uint32_t low = (uint32_t)seed, high = (uint32_t)(seed >> 32);
    uint32_t base = (uint32_t)first, upper = (uint32_t)(first >> 32) * 0x9E3779B9u;
    for (long i = 0; i < count; i++) {
        uint32_t h = (base + (uint32_t)i) * 0x9E3779B1u ^ low ^ upper;
        h ^= h >> 16;
        h *= 0x85EBCA6Bu;
        h ^= high;
        h ^= h >> 13;
        h *= 0xC2B2AE35u;
        h ^= h >> 16;
        to[i] = h >= threshold ? from[i] * factor : 0.0f;
    }
}

CLONED void tb_add_column_sums(const float *restrict from, long rows, long columns, long stride, float *restrict to) {
    for (long row = 0; row < rows; row++)
        for (long i = 0; i < columns; i++) to[i] += from[row * stride + i];
}
