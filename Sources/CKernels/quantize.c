// Quantisation while loading, as bitsandbytes does it: to the bit its `quantize_4bit` and `int8_vectorwise_quant`.
#include "CKernels.h"
#include "numbers.h"

// Where `value` belongs among ascending bounds: how many of them lie below it.
INLINE int below(const float *bounds, int count, float value) {
    int place = 0;
    for (int i = 0; i < count; i++) place += bounds[i] < value;
    return place;
}

// Scaled to [-1, 1]. A whole block multiplies by the inverse, the rest at the end divides; both are bitsandbytes'.
INLINE float scaled(float value, float largest, float inverse, int is_whole) {
    float x = is_whole ? value * inverse : value / largest;
    return x < -1 ? -1 : x > 1 ? 1 : x;
}

CLONED static float largest_of(const float *from, long count) { return largest_size(from, count); }

CLONED static void places(const float *from, long count, const float *bounds, float largest, int is_whole, uint8_t *to) {
    float inverse = 1.0f / largest;
    for (long i = 0; i < count; i++) {
        float x = scaled(from[i], largest, inverse, is_whole);
        int place = 0;
        for (int b = 0; b < 15; b++) place += bounds[b] < x;
        to[i] = (uint8_t)place;
    }
}

void tb_quantize_table4(const float *from, long count, long block, const float *bounds, const uint8_t *order, uint8_t *codes, float *scales) {
    uint8_t found[4096];
    for (long start = 0, number = 0; start < count; start += block, number++) {
        long here = count - start < block ? count - start : block;
        int is_whole = here == block;
        float largest = largest_of(from + start, here);
        float used = largest < 1e-38f ? 1e-38f : largest;
        scales[number] = is_whole ? largest : used;
        places(from + start, here, bounds, used, is_whole, found);
        for (long i = 0; i < here; i++) {
            uint8_t code = order[found[i]];
            long at = start + i;
            if (at & 1)
                codes[at >> 1] |= code;
            else
                codes[at >> 1] = (uint8_t)(code << 4);
        }
    }
}

void tb_quantize_table8(const float *from, long count, long block, const float *table, uint8_t *codes, float *scales) {
    float bounds[255];
    for (int i = 0; i < 255; i++) bounds[i] = (table[i] + table[i + 1]) / 2;
    for (long start = 0, number = 0; start < count; start += block, number++) {
        long here = count - start < block ? count - start : block;
        int is_whole = here == block;
        float largest = largest_of(from + start, here);
        float used = largest < 1e-38f ? 1e-38f : largest;
        scales[number] = is_whole ? largest : used;
        float inverse = 1.0f / used;
        for (long i = 0; i < here; i++) codes[start + i] = (uint8_t)below(bounds, 255, scaled(from[start + i], used, inverse, is_whole));
    }
}

CLONED static void round_row(const float *from, float factor, long count, int8_t *to) {
    for (long i = 0; i < count; i++) to[i] = (int8_t)rintf(from[i] * factor);
}

void tb_quantize_row8(const float *from, long columns, int8_t *codes, float *largest) {
    *largest = largest_of(from, columns);
    // torch divides 127 by a tensor as 127 times its reciprocal, and halves are where that shows.
    round_row(from, *largest > 0 ? 127.0f * (1.0f / *largest) : 0, columns, codes);
}
