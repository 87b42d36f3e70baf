// exp and tanh as polynomials, so that loops over them become vector code. Relative error below 2e-7 on [-87, 88].
#pragma once
#include "clones.h"
#include <stdint.h>
#include <string.h>

INLINE float exponential(float x) {
    // Cephes' expf: x = n ln 2 + r, |r| <= ln 2 / 2; 2^n is put together from its bits.
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    const float rounding = 12582912.0f;  // 1.5 * 2^23: adding and taking it away rounds to nearest
    float n = x * 1.44269504088896341f + rounding;
    n = n - rounding;
    float r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, 4);
    return p * scale;
}

// 0 below -87, where exp would be a denormal anyway.
INLINE float exponential_or_zero(float x) {
    float e = exponential(x);
    return x < -87.0f ? 0.0f : e;
}

INLINE float hyperbolic_tangent(float x) {
    float e = exponential(2.0f * x);
    return 1.0f - 2.0f / (e + 1.0f);
}
