// Gated activations: y = f(gate) * up, with f silu (SwiGLU) or gelu (GeGLU; Shazeer, 2020).
#include "CKernels.h"
#include "clones.h"
#include "exponential.h"
#include <math.h>

INLINE float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

static const float tanh_factor = 0.7978845608028654f;  // sqrt(2 / pi)
static const float tanh_cubic = 0.044715f;

// Normal distribution function by Abramowitz and Stegun 7.1.26 would lose digits; this one is erfc's fit of W. J. Cody reduced to
// what f32 needs: error below 3e-7.
INLINE float normal_distribution(float x) {
    float z = fabsf(x) * 0.70710678118654752f;
    float t = 1.0f / (1.0f + 0.5f * z);
    float p = 0.17087277f;
    p = p * t - 0.82215223f;
    p = p * t + 1.48851587f;
    p = p * t - 1.13520398f;
    p = p * t + 0.27886807f;
    p = p * t - 0.18628806f;
    p = p * t + 0.09678418f;
    p = p * t + 0.37409196f;
    p = p * t + 1.00002368f;
    p = p * t - 1.26551223f;
    float complement = 0.5f * t * exponential_or_zero(p - z * z);  // erfc(z) / 2 (Numerical Recipes' Chebyshev fit)
    return x >= 0 ? 1.0f - complement : complement;
}

CLONED void tb_gated(const float *restrict gate, const float *restrict up, float *restrict y, long count, int kind) {
    if (kind == 0) {
        for (long i = 0; i < count; i++) y[i] = gate[i] * sigmoid(gate[i]) * up[i];
    } else if (kind == 1) {
        for (long i = 0; i < count; i++) {
            float x = gate[i];
            float t = hyperbolic_tangent(tanh_factor * (x + tanh_cubic * x * x * x));
            y[i] = 0.5f * x * (1.0f + t) * up[i];
        }
    } else {
        for (long i = 0; i < count; i++) y[i] = gate[i] * normal_distribution(gate[i]) * up[i];
    }
}

// dgate may be gate and dup may be up: each element is read before it is written.
CLONED void tb_gated_backward(const float *gradient, const float *gate, const float *up, float *dgate, float *dup, long count,
                              int kind) {
    if (kind == 0) {
#pragma clang loop vectorize(assume_safety)
        for (long i = 0; i < count; i++) {
            float x = gate[i], s = sigmoid(x), d = gradient[i], u = up[i];
            dup[i] = d * x * s;
            dgate[i] = d * u * s * (1.0f + x * (1.0f - s));
        }
    } else if (kind == 1) {
#pragma clang loop vectorize(assume_safety)
        for (long i = 0; i < count; i++) {
            float x = gate[i], d = gradient[i], u = up[i];
            float t = hyperbolic_tangent(tanh_factor * (x + tanh_cubic * x * x * x));
            float slope = 0.5f * (1.0f + t)
                + 0.5f * x * (1.0f - t * t) * tanh_factor * (1.0f + 3.0f * tanh_cubic * x * x);
            dup[i] = d * 0.5f * x * (1.0f + t);
            dgate[i] = d * u * slope;
        }
    } else {
#pragma clang loop vectorize(assume_safety)
        for (long i = 0; i < count; i++) {
            float x = gate[i], d = gradient[i], u = up[i];
            float p = normal_distribution(x);
            float density = 0.3989422804014327f * exponential_or_zero(-0.5f * x * x);
            dup[i] = d * x * p;
            dgate[i] = d * u * (p + x * density);
        }
    }
}
