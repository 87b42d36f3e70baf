// Softmax over one row of logits, and the gradient of the cross-entropy in place of the logits.
#include "CKernels.h"
#include "clones.h"
#include "exponential.h"
#include <math.h>

CLONED float tb_log_sum_exp(const float *restrict logits, long count, int32_t *restrict best, float *restrict sum) {
    float maximum = -INFINITY, total = 0;
    {
        REORDER
        for (long i = 0; i < count; i++) {
            maximum = logits[i] > maximum ? logits[i] : maximum;
            total += logits[i];
        }
    }
    float exponentials = 0;
    {
        REORDER
        for (long i = 0; i < count; i++) exponentials += exponential(logits[i] - maximum);
    }
    int32_t index = 0;
    while (index < count - 1 && logits[index] != maximum) index++;
    *best = index;
    *sum = total;
    return maximum + logf(exponentials);
}

CLONED float tb_entropy(const float *restrict logits, long count, float log_sum_exp) {
    float sum = 0;
    {
        REORDER
        for (long i = 0; i < count; i++) {
            float shifted = logits[i] - log_sum_exp;
            sum -= exponential_or_zero(shifted) * (shifted < -87.0f ? 0.0f : shifted);
        }
    }
    return sum;
}

CLONED void tb_cross_entropy_gradient(float *logits, long count, float log_sum_exp, int32_t target, float weight, float smoothing) {
    float shift = weight * smoothing / (float)count;
    for (long i = 0; i < count; i++) logits[i] = weight * exponential_or_zero(logits[i] - log_sum_exp) - shift;
    logits[target] -= weight * (1.0f - smoothing);
}
