// Layer normalisation (Ba, Kiros and Hinton, 2016): y = (x - mean) / sqrt(variance + epsilon) * weight + bias, row by row.
#include "CKernels.h"
#include "clones.h"
#include <math.h>

CLONED void tb_layer_norm(const float *restrict x, const float *restrict weight, const float *restrict bias, float epsilon, long rows,
                          long columns, float *restrict y, float *restrict means, float *restrict inverse_deviations) {
    for (long row = 0; row < rows; row++, x += columns, y += columns) {
        float sum = 0, squares = 0;
        {
            REORDER
            for (long i = 0; i < columns; i++) sum += x[i];
        }
        float mean = sum / (float)columns;
        {
            REORDER
            for (long i = 0; i < columns; i++) squares += (x[i] - mean) * (x[i] - mean);
        }
        float inverse = 1.0f / sqrtf(squares / (float)columns + epsilon);
        means[row] = mean;
        inverse_deviations[row] = inverse;
        for (long i = 0; i < columns; i++) y[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
    }
}

// With h = (x - mean) * inverse and g = gradient * weight: dx = inverse * (g - mean(g) - h * mean(g * h)).
CLONED void tb_layer_norm_backward(const float *restrict gradient, const float *restrict x, const float *restrict weight,
                                   const float *restrict means, const float *restrict inverse_deviations, long rows, long columns,
                                   int accumulate, float *restrict dx, float *restrict weight_gradient,
                                   float *restrict bias_gradient) {
    for (long row = 0; row < rows; row++, x += columns, gradient += columns, dx += columns) {
        float mean = means[row], inverse = inverse_deviations[row];
        float sum = 0, along = 0;
        {
            REORDER
            for (long i = 0; i < columns; i++) {
                float g = gradient[i] * weight[i];
                sum += g;
                along += g * (x[i] - mean);
            }
        }
        sum /= (float)columns;
        along *= inverse * inverse / (float)columns;
        if (accumulate)
            for (long i = 0; i < columns; i++) dx[i] += inverse * (gradient[i] * weight[i] - sum - along * (x[i] - mean));
        else
            for (long i = 0; i < columns; i++) dx[i] = inverse * (gradient[i] * weight[i] - sum - along * (x[i] - mean));
        if (weight_gradient)
            for (long i = 0; i < columns; i++) weight_gradient[i] += gradient[i] * (x[i] - mean) * inverse;
        if (bias_gradient)
            for (long i = 0; i < columns; i++) bias_gradient[i] += gradient[i];
    }
}
