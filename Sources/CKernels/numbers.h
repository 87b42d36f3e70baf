// Single numbers and plain sums that several kernels share.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "clones.h"

INLINE float bf16_value(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

// To the nearest bf16, ties to even. Not for NaN, whose payload may round to an infinity.
INLINE uint16_t rounded_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

INLINE float half_value(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, magnitude = (uint32_t)(half & 0x7FFFu) << 13;
    float scaled;
    memcpy(&scaled, &magnitude, 4);
    scaled *= 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &scaled, 4);
    if (magnitude >= 0x0F800000u) bits |= 0x7F800000u;
    bits |= sign;
    memcpy(&scaled, &bits, 4);
    return scaled;
}

// The largest absolute value. A NaN counts as nothing.
INLINE float largest_size(const float *from, long count) {
    float largest = 0;
    for (long i = 0; i < count; i++) {
        float size = fabsf(from[i]);
        largest = size > largest ? size : largest;
    }
    return largest;
}

// One row of weights of a narrow type with one row of f32.
#define PLAIN_DOT(NAME, TYPE, WIDEN)                                                                                              \
    CLONED static float NAME(const float *restrict x, const TYPE *restrict row, long columns) {                                    \
        REORDER                                                                                                                    \
        float sum = 0;                                                                                                             \
        for (long p = 0; p < columns; p++) sum += WIDEN(row[p]) * x[p];                                                            \
        return sum;                                                                                                                \
    }
