// Root mean square normalisation (Zhang and Sennrich, 2019), forward and backward.
#include "CKernels.h"
#include "clones.h"
#include <math.h>

CLONED void tb_rms_norm(const float *restrict x, const float *restrict weight, float offset, float epsilon, long rows,
                        long columns, float *restrict y, float *restrict inverse_rms) {
    for (long row = 0; row < rows; row++, x += columns, y += columns) {
        float sum = 0;
        {
            REORDER
            for (long i = 0; i < columns; i++) sum += x[i] * x[i];
        }
        float inverse = 1.0f / sqrtf(sum / (float)columns + epsilon);
        inverse_rms[row] = inverse;
        for (long i = 0; i < columns; i++) y[i] = x[i] * inverse * (weight[i] + offset);
    }
}

CLONED void tb_rms_norm_apply(const float *restrict x, const float *restrict weight, float offset,
                              const float *restrict inverse_rms, long rows, long columns, float *restrict y) {
    for (long row = 0; row < rows; row++, x += columns, y += columns) {
        float inverse = inverse_rms[row];
        for (long i = 0; i < columns; i++) y[i] = x[i] * inverse * (weight[i] + offset);
    }
}

// With h = x * inverse and g = gradient * (weight + offset): dx = inverse * (g - h * mean(g * h)).
CLONED void tb_rms_norm_backward(const float *restrict gradient, const float *restrict x, const float *restrict weight,
                                 float offset, const float *restrict inverse_rms, long rows, long columns, int accumulate,
                                 float *restrict dx, float *restrict weight_gradient) {
    for (long row = 0; row < rows; row++, x += columns, gradient += columns, dx += columns) {
        float inverse = inverse_rms[row];
        float sum = 0;
        {
            REORDER
            for (long i = 0; i < columns; i++) sum += gradient[i] * (weight[i] + offset) * x[i];
        }
        float along = sum * inverse * inverse * inverse / (float)columns;
        if (accumulate)
            for (long i = 0; i < columns; i++) dx[i] += inverse * gradient[i] * (weight[i] + offset) - along * x[i];
        else
            for (long i = 0; i < columns; i++) dx[i] = inverse * gradient[i] * (weight[i] + offset) - along * x[i];
        if (weight_gradient)
            for (long i = 0; i < columns; i++) weight_gradient[i] += gradient[i] * x[i] * inverse;
    }
}
