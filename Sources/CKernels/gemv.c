// Products with a few rows: they run at the speed of memory, so the weights are read once and in their storage type.
#include "CKernels.h"
#include "clones.h"
#include <string.h>

INLINE float widened(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

// Rows of x are taken four at a time against one weight row; sums may be reordered, in the same way at every call.
CLONED void tb_gemv_f32(const float *restrict x, long m, long x_stride, const float *restrict weight, long rows, long columns,
                        float *restrict y, long y_stride) {
    for (long row = 0; row < rows; row++, weight += columns) {
        long i = 0;
        for (; i + 4 <= m; i += 4) {
            const float *x0 = x + i * x_stride, *x1 = x0 + x_stride, *x2 = x1 + x_stride, *x3 = x2 + x_stride;
            float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
            {
                REORDER
                for (long p = 0; p < columns; p++) {
                    float w = weight[p];
                    s0 += w * x0[p];
                    s1 += w * x1[p];
                    s2 += w * x2[p];
                    s3 += w * x3[p];
                }
            }
            float *to = y + i * y_stride + row;
            to[0] = s0;
            to[y_stride] = s1;
            to[2 * y_stride] = s2;
            to[3 * y_stride] = s3;
        }
        for (; i < m; i++) {
            const float *x0 = x + i * x_stride;
            float s0 = 0;
            {
                REORDER
                for (long p = 0; p < columns; p++) s0 += weight[p] * x0[p];
            }
            y[i * y_stride + row] = s0;
        }
    }
}

CLONED void tb_gemv_bf16(const float *restrict x, long m, long x_stride, const uint16_t *restrict weight, long rows,
                         long columns, float *restrict y, long y_stride) {
    for (long row = 0; row < rows; row++, weight += columns) {
        long i = 0;
        for (; i + 4 <= m; i += 4) {
            const float *x0 = x + i * x_stride, *x1 = x0 + x_stride, *x2 = x1 + x_stride, *x3 = x2 + x_stride;
            float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
            {
                REORDER
                for (long p = 0; p < columns; p++) {
                    float w = widened(weight[p]);
                    s0 += w * x0[p];
                    s1 += w * x1[p];
                    s2 += w * x2[p];
                    s3 += w * x3[p];
                }
            }
            float *to = y + i * y_stride + row;
            to[0] = s0;
            to[y_stride] = s1;
            to[2 * y_stride] = s2;
            to[3 * y_stride] = s3;
        }
        for (; i < m; i++) {
            const float *x0 = x + i * x_stride;
            float s0 = 0;
            {
                REORDER
                for (long p = 0; p < columns; p++) s0 += widened(weight[p]) * x0[p];
            }
            y[i * y_stride + row] = s0;
        }
    }
}

CLONED void tb_gevm_f32(const float *restrict x, long m, long x_stride, const float *restrict weight, long rows, long columns,
                        long stride, float *restrict y, long y_stride) {
    for (long i = 0; i < m; i++) {
        float *to = y + i * y_stride;
        for (long row = 0; row < rows; row++) {
            float factor = x[i * x_stride + row];
            const float *from = weight + row * stride;
            for (long p = 0; p < columns; p++) to[p] += factor * from[p];
        }
    }
}

CLONED void tb_gevm_bf16(const float *restrict x, long m, long x_stride, const uint16_t *restrict weight, long rows,
                         long columns, long stride, float *restrict y, long y_stride) {
    for (long i = 0; i < m; i++) {
        float *to = y + i * y_stride;
        for (long row = 0; row < rows; row++) {
            float factor = x[i * x_stride + row];
            const uint16_t *from = weight + row * stride;
            for (long p = 0; p < columns; p++) to[p] += factor * widened(from[p]);
        }
    }
}
