// AdamW (Loshchilov and Hutter, 2019) as torch.optim.AdamW computes it.
#include "CKernels.h"
#include "numbers.h"

CLONED void tb_adamw(float *restrict parameter, const float *restrict gradient, float *restrict first, float *restrict second,
                     long count, tb_adamw_step step) {
    for (long i = 0; i < count; i++) {
        float g = gradient[i] * step.gradient_scale;
        float m = first[i] + (1.0f - step.beta1) * (g - first[i]);
        float v = step.beta2 * second[i] + (1.0f - step.beta2) * g * g;
        first[i] = m;
        second[i] = v;
        parameter[i] = parameter[i] * step.decay - step.step_size * m / (sqrtf(v) * step.root_correction + step.epsilon);
    }
}

CLONED void tb_adamw_bf16(uint16_t *restrict parameter, const float *restrict gradient, float *restrict first,
                          float *restrict second, long count, tb_adamw_step step) {
    for (long i = 0; i < count; i++) {
        float g = gradient[i] * step.gradient_scale;
        float m = first[i] + (1.0f - step.beta1) * (g - first[i]);
        float v = step.beta2 * second[i] + (1.0f - step.beta2) * g * g;
        first[i] = m;
        second[i] = v;
        parameter[i] = rounded_bf16(
            bf16_value(parameter[i]) * step.decay - step.step_size * m / (sqrtf(v) * step.root_correction + step.epsilon));
    }
}

CLONED void tb_adam_direction(const float *gradient, float *restrict first, float *restrict second, float *direction, long count,
                              float beta1, float beta2, float epsilon) {
    for (long i = 0; i < count; i++) {
        float g = gradient[i];
        float m = beta1 * first[i] + (1.0f - beta1) * g;
        float v = beta2 * second[i] + (1.0f - beta2) * g * g;
        first[i] = m;
        second[i] = v;
        direction[i] = m / (sqrtf(v) + epsilon);
    }
}

CLONED void tb_rms_direction(const float *gradient, float *restrict second, float *direction, long count, float decay, float gain,
                             float square_epsilon, float epsilon) {
    for (long i = 0; i < count; i++) {
        float g = gradient[i];
        float v = decay * second[i] + gain * (g * g + square_epsilon);
        second[i] = v;
        direction[i] = g / (sqrtf(v) + epsilon);
    }
}

CLONED void tb_descend(float *restrict parameter, const float *restrict direction, long count, float rate, float decay) {
    for (long i = 0; i < count; i++) parameter[i] = parameter[i] * decay - rate * direction[i];
}

CLONED void tb_descend_bf16(uint16_t *restrict parameter, const float *restrict direction, long count, float rate, float decay) {
    for (long i = 0; i < count; i++) parameter[i] = rounded_bf16(bf16_value(parameter[i]) * decay - rate * direction[i]);
}

CLONED void tb_add_column_squares(const float *x, long rows, long columns, float *restrict to) {
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < columns; c++) to[c] += x[r * columns + c] * x[r * columns + c];
}

// Codes of the nearest table entries: how many of the 255 midpoints between neighbours lie below the value, found by halving.
INLINE void quantise_block(const float *restrict value, const float *restrict midpoints, float inverse, long count,
                           uint8_t *restrict codes) {
    int32_t place[TB_STATE_BLOCK];
    for (long i = 0; i < count; i++) place[i] = 0;
    for (int32_t step = 128; step > 0; step >>= 1)
        for (long i = 0; i < count; i++) place[i] += value[i] * inverse > midpoints[place[i] + step - 1] ? step : 0;
    for (long i = 0; i < count; i++) codes[i] = (uint8_t)place[i];
}

INLINE float largest_magnitude(const float *value, long count) {
    float largest = 0;
    for (long i = 0; i < count; i++) {
        float magnitude = fabsf(value[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

CLONED void tb_adam_8bit_direction(const float *gradient, tb_state_8bit first, tb_state_8bit second, float *direction, long count,
                                   tb_adamw_step step) {
    float m[TB_STATE_BLOCK], v[TB_STATE_BLOCK];
    for (long start = 0, block = 0; start < count; start += TB_STATE_BLOCK, block++) {
        long length = count - start < TB_STATE_BLOCK ? count - start : TB_STATE_BLOCK;
        const float *g = gradient + start;
        float *d = direction + start;
        for (long i = 0; i < length; i++) {
            float x = g[i] * step.gradient_scale;
            m[i] = step.beta1 * (first.table[first.codes[start + i]] * first.scales[block]) + (1.0f - step.beta1) * x;
            v[i] = step.beta2 * (second.table[second.codes[start + i]] * second.scales[block]) + (1.0f - step.beta2) * x * x;
            d[i] = m[i] / (sqrtf(v[i]) * step.root_correction + step.epsilon);
        }
        float top = largest_magnitude(m, length), high = largest_magnitude(v, length);
        first.scales[block] = top;
        second.scales[block] = high;
        quantise_block(m, first.midpoints, top > 0 ? 1.0f / top : 0, length, first.codes + start);
        quantise_block(v, second.midpoints, high > 0 ? 1.0f / high : 0, length, second.codes + start);
    }
}
