// AdamW (Loshchilov and Hutter, 2019) as torch.optim.AdamW computes it.
#include "CKernels.h"
#include "clones.h"
#include <math.h>
#include <string.h>

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
        uint32_t bits = (uint32_t)parameter[i] << 16;
        float p;
        memcpy(&p, &bits, 4);
        p = p * step.decay - step.step_size * m / (sqrtf(v) * step.root_correction + step.epsilon);
        memcpy(&bits, &p, 4);
        parameter[i] = (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
    }
}
