// Rotary position embedding (Su et al., 2021), in the half-split order of Hugging Face's Llama and in the interleaved one.
#include "CKernels.h"
#include "clones.h"

CLONED void tb_rotary(const float *x, float *y, long rows, long heads, long head_dimension, long half, int interleaved,
                      const float *restrict cosines, const float *restrict sines, const int32_t *restrict positions, float sign) {
    for (long row = 0; row < rows; row++) {
        const float *cosine = cosines + (long)positions[row] * half;
        const float *sine = sines + (long)positions[row] * half;
        for (long head = 0; head < heads; head++, x += head_dimension, y += head_dimension) {
            if (interleaved) {
                for (long i = 0; i < half; i++) {
                    float a = x[2 * i], b = x[2 * i + 1], c = cosine[i], s = sign * sine[i];
                    y[2 * i] = a * c - b * s;
                    y[2 * i + 1] = b * c + a * s;
                }
            } else {
#pragma clang loop vectorize(assume_safety)
                for (long i = 0; i < half; i++) {
                    float a = x[i], b = x[half + i], c = cosine[i], s = sign * sine[i];
                    y[i] = a * c - b * s;
                    y[half + i] = b * c + a * s;
                }
            }
            if (y != x)
                for (long i = 2 * half; i < head_dimension; i++) y[i] = x[i];
        }
    }
}
