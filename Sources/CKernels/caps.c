// Elementwise work on logits and scores: soft caps (Gemma 2), factors of columns, the slope of ALiBi.
#include "CKernels.h"
#include "clones.h"
#include "exponential.h"

CLONED void tb_soft_cap(const float *restrict x, float *restrict y, float *restrict slopes, float cap, long count) {
    for (long i = 0; i < count; i++) {
        float t = hyperbolic_tangent(x[i] / cap);
        y[i] = cap * t;
        if (slopes) slopes[i] = 1.0f - t * t;
    }
}

CLONED void tb_multiply(const float *a, const float *b, float *to, long count) {
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < count; i++) to[i] = a[i] * b[i];
}

CLONED void tb_add_ramp(float *to, float first, float slope, long count) {
    for (long i = 0; i < count; i++) to[i] += slope * (first + (float)i);
}
