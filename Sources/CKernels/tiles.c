// What tiled attention does between its products: online softmax (Milakov and Gimelshein, 2018; Dao et al., 2022) and its
// backward.
#include "CKernels.h"
#include "clones.h"
#include "exponential.h"
#include <math.h>

CLONED float tb_online_softmax(float *scores, long first, long count, long width, float soft_cap, float *maximum, float *sum) {
    for (long i = 0; i < first; i++) scores[i] = 0;
    for (long i = first + count; i < width; i++) scores[i] = 0;
    if (count <= 0) return 1.0f;
    float *row = scores + first;
    if (soft_cap > 0)
        for (long i = 0; i < count; i++) row[i] = soft_cap * hyperbolic_tangent(row[i] / soft_cap);
    float before = *maximum, largest = before;
    {
        REORDER
        for (long i = 0; i < count; i++) largest = row[i] > largest ? row[i] : largest;
    }
    float total = 0;
    {
        REORDER
        for (long i = 0; i < count; i++) {
            float e = exponential_or_zero(row[i] - largest);
            row[i] = e;
            total += e;
        }
    }
    float shrink = before == -INFINITY ? 0.0f : exponential_or_zero(before - largest);
    *maximum = largest;
    *sum = *sum * shrink + total;
    return shrink;
}

CLONED void tb_attention_probabilities(float *scores, long first, long count, long width, float soft_cap, float log_sum_exp,
                                       float *slopes) {
    for (long i = 0; i < first; i++) scores[i] = 0;
    for (long i = first + count; i < width; i++) scores[i] = 0;
    float *row = scores + first;
    if (soft_cap > 0) {
        float *slope = slopes + first;
        for (long i = 0; i < count; i++) {
            float t = hyperbolic_tangent(row[i] / soft_cap);
            slope[i] = 1.0f - t * t;
            row[i] = soft_cap * t;
        }
    }
    for (long i = 0; i < count; i++) row[i] = exponential_or_zero(row[i] - log_sum_exp);
}

CLONED void tb_attention_score_gradient(const float *probabilities, float *d, const float *slopes, long width, float delta) {
    if (slopes)
        for (long i = 0; i < width; i++) d[i] = probabilities[i] == 0 ? 0 : probabilities[i] * (d[i] - delta) * slopes[i];
    else
        for (long i = 0; i < width; i++) d[i] = probabilities[i] * (d[i] - delta);
}
