// Activations, and gated ones: y = f(gate) * up with f silu (SwiGLU) or gelu (GeGLU; Shazeer, 2020). Gates and ups may be columns of
// wider rows, so that one product makes both. Forward 3, backward 5 elements of memory traffic for each result.
#include "common.cuh"

enum { SILU = 0, GELU_TANH = 1 };

// f and its derivative.
DEVICE void curve(float x, i32 kind, float *f, float *slope) {
    if (kind == SILU) {
        float s = 1.0f / (1.0f + __expf(-x));
        *f = x * s;
        *slope = s * (1.0f + x * (1.0f - s));
    } else if (kind == GELU_TANH) {
        const float factor = 0.7978845608028654f, cubic = 0.044715f;
        float t = tanhf(factor * (x + cubic * x * x * x));
        *f = 0.5f * x * (1.0f + t);
        *slope = 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * factor * (1.0f + 3.0f * cubic * x * x);
    } else {
        float p = 0.5f * erfcf(-0.70710678118654752f * x);
        *f = x * p;
        *slope = p + x * 0.3989422804014327f * __expf(-0.5f * x * x);
    }
}

KERNEL(activation)(const E *x, E *y, i64 count, i32 kind) {
    bool isVector = is_aligned(x) && is_aligned(y);
    FOR_EIGHTS(i, count) {
        float a[8], slope;
        load(x + i, count - i, isVector, a);
#pragma unroll
        EIGHT curve(a[k], kind, &a[k], &slope);
        store(y + i, count - i, isVector, a);
    }
}

KERNEL(activation_backward)(const E *gradient, const E *x, E *dx, i64 count, i32 kind) {
    bool isVector = is_aligned(gradient) && is_aligned(x) && is_aligned(dx);
    FOR_EIGHTS(i, count) {
        float d[8], a[8], f, slope;
        load(gradient + i, count - i, isVector, d);
        load(x + i, count - i, isVector, a);
#pragma unroll
        EIGHT {
            curve(a[k], kind, &f, &slope);
            d[k] *= slope;
        }
        store(dx + i, count - i, isVector, d);
    }
}

KERNEL(gated_activation)(const E *gate, const E *up, E *y, i64 rows, i64 width, i64 gateStride, i64 upStride, i32 kind) {
    bool isVector = is_aligned(gate) && is_aligned(up) && is_aligned(y) && is_whole(width) && is_whole(gateStride) && is_whole(upStride);
    FOR_ROW_EIGHTS(row, i, rows, width) {
        float g[8], u[8], slope;
        load(gate + row * gateStride + i, width - i, isVector, g);
        load(up + row * upStride + i, width - i, isVector, u);
#pragma unroll
        EIGHT {
            curve(g[k], kind, &g[k], &slope);
            g[k] *= u[k];
        }
        store(y + row * width + i, width - i, isVector, g);
    }
}

// gateGradient may be gate and upGradient up: a thread reads its elements before it writes them.
KERNEL(gated_activation_backward)(const E *gradient, const E *gate, const E *up, E *gateGradient, E *upGradient, i64 rows, i64 width,
                                  i64 gateStride, i64 upStride, i64 gateGradientStride, i64 upGradientStride, i32 kind) {
    bool isVector = is_aligned(gradient) && is_aligned(gate) && is_aligned(up) && is_aligned(gateGradient) && is_aligned(upGradient)
        && is_whole(width) && is_whole(gateStride) && is_whole(upStride) && is_whole(gateGradientStride) && is_whole(upGradientStride);
    FOR_ROW_EIGHTS(row, i, rows, width) {
        float d[8], g[8], u[8], f, slope;
        load(gradient + row * width + i, width - i, isVector, d);
        load(gate + row * gateStride + i, width - i, isVector, g);
        load(up + row * upStride + i, width - i, isVector, u);
#pragma unroll
        EIGHT {
            curve(g[k], kind, &f, &slope);
            g[k] = d[k] * u[k] * slope;
            u[k] = d[k] * f;
        }
        store(gateGradient + row * gateGradientStride + i, width - i, isVector, g);
        store(upGradient + row * upGradientStride + i, width - i, isVector, u);
    }
}
