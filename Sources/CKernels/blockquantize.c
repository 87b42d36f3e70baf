// Quantisers for GGUF blocks. The plain kinds (Q8_0, Q4_0, ...) give the bytes that gguf-py and llama.cpp give. The K kinds choose
// scales by least squares over each part of a block, all numbers counting alike: a search over roundings, each fitted
// (Lloyd, 1982), and then the six-bit scales around the best ones once more with the block's own d.
#include "CKernels.h"
#include "blocks.h"
#include <math.h>

// A product and a sum are rounded one after the other here, as in the programs whose bytes these are.
#pragma clang fp contract(off)

INLINE uint16_t half_of(float value) {
    uint16_t half;
    tb_narrow_f16(&value, &half, 1);
    return half;
}

// value in 0...top, not-a-numbers as 0
INLINE float clamped(float value, float top) { return value > 0 ? (value < top ? value : top) : 0; }

INLINE float inverse_of(float value) { return value == 0 ? 0 : 1.0f / value; }

// MARK: The plain kinds

CLONED static void to_q8_0(const float *from, long blocks, block_q8_0 *to) {
    for (long b = 0; b < blocks; b++, from += 32) {
        float d = largest_size(from, 32) / 127, inverse = inverse_of(d);
        to[b].d = half_of(d);
        for (int i = 0; i < 32; i++) {
            float x = from[i] * inverse;
            float whole = floorf(fabsf(x)), rounded = whole + floorf(2 * (fabsf(x) - whole));
            rounded = clamped(rounded, 127);
            to[b].codes[i] = (int8_t)(x < 0 ? -rounded : rounded);
        }
    }
}

// The number that is largest in size, the first of several.
INLINE float extreme_of(const float *from) {
    float found = 0, size = 0;
    for (int i = 0; i < 32; i++)
        if (fabsf(from[i]) > size) size = fabsf(from[i]), found = from[i];
    return found;
}

// Codes around `middle` of a block of 32, in `whole`.
INLINE float symmetric(const float *from, float middle, uint8_t *codes) {
    float d = extreme_of(from) / -middle, inverse = inverse_of(d);
    for (int i = 0; i < 32; i++) codes[i] = (uint8_t)clamped(from[i] * inverse + (middle + 0.5f), 2 * middle - 1);
    return d;
}

// Widens low...high by the numbers of a part.
INLINE void widen(const float *x, float *low, float *high) {
    for (int i = 0; i < 32; i++) {
        *low = x[i] < *low ? x[i] : *low;
        *high = x[i] > *high ? x[i] : *high;
    }
}

// Codes 0...top above the least number.
INLINE float spanning(const float *from, float top, uint8_t *codes, float *least) {
    float low = from[0], high = from[0];
    widen(from, &low, &high);
    float d = (high - low) / top, inverse = inverse_of(d);
    for (int i = 0; i < 32; i++) codes[i] = (uint8_t)clamped((from[i] - low) * inverse + 0.5f, top);
    *least = low;
    return d;
}

INLINE void pack_nibbles(const uint8_t *codes, uint8_t *to) {
    for (int i = 0; i < 16; i++) to[i] = (uint8_t)((codes[i] & 15) | (codes[i + 16] & 15) << 4);
}

INLINE void pack_fifths(const uint8_t *codes, uint8_t *to) {
    uint32_t high = 0;
    for (int i = 0; i < 32; i++) high |= (uint32_t)(codes[i] >> 4) << i;
    memcpy(to, &high, 4);
}

CLONED static void to_q4_0(const float *from, long blocks, block_q4_0 *to) {
    uint8_t codes[32];
    for (long b = 0; b < blocks; b++, from += 32) {
        to[b].d = half_of(symmetric(from, 8, codes));
        pack_nibbles(codes, to[b].codes);
    }
}

CLONED static void to_q5_0(const float *from, long blocks, block_q5_0 *to) {
    uint8_t codes[32];
    for (long b = 0; b < blocks; b++, from += 32) {
        to[b].d = half_of(symmetric(from, 16, codes));
        pack_fifths(codes, to[b].high);
        pack_nibbles(codes, to[b].codes);
    }
}

CLONED static void to_q4_1(const float *from, long blocks, block_q4_1 *to) {
    uint8_t codes[32];
    for (long b = 0; b < blocks; b++, from += 32) {
        float least;
        to[b].d = half_of(spanning(from, 15, codes, &least));
        to[b].m = half_of(least);
        pack_nibbles(codes, to[b].codes);
    }
}

CLONED static void to_q5_1(const float *from, long blocks, block_q5_1 *to) {
    uint8_t codes[32];
    for (long b = 0; b < blocks; b++, from += 32) {
        float least;
        to[b].d = half_of(spanning(from, 31, codes, &least));
        to[b].m = half_of(least);
        pack_fifths(codes, to[b].high);
        pack_nibbles(codes, to[b].codes);
    }
}

// MARK: Q4_K and Q5_K: x = scale q - minimum, both not negative

// Codes of 32 numbers for a scale and a minimum, and the squared error that they leave.
INLINE float part_codes(const float *x, float scale, float minimum, float top, float *codes) {
    float inverse = inverse_of(scale), error = 0;
    for (int i = 0; i < 32; i++) codes[i] = clamped(rintf((x[i] + minimum) * inverse), top);
    {
        REORDER
        for (int i = 0; i < 32; i++) {
            float off = scale * codes[i] - minimum - x[i];
            error += off * off;
        }
    }
    return error;
}

// The scale and minimum that fit codes best.
INLINE int fit_part(const float *x, const float *codes, float *scale, float *minimum) {
    float sum_q = 0, sum_qq = 0, sum_x = 0, sum_xq = 0;
    {
        REORDER
        for (int i = 0; i < 32; i++) {
            sum_q += codes[i];
            sum_qq += codes[i] * codes[i];
            sum_x += x[i];
            sum_xq += x[i] * codes[i];
        }
    }
    float determinant = 32 * sum_qq - sum_q * sum_q;
    if (!(determinant > 0)) return 0;
    float slope = (32 * sum_xq - sum_x * sum_q) / determinant, offset = (sum_qq * sum_x - sum_q * sum_xq) / determinant;
    if (offset > 0) {
        offset = 0;
        slope = sum_xq / sum_qq;
    }
    if (!(slope > 0)) return 0;
    *scale = slope;
    *minimum = -offset;
    return 1;
}

CLONED static void search_part(const float *x, float top, float *scale, float *minimum) {
    float low = 0, high = x[0], codes[32];
    widen(x, &low, &high);
    *scale = 0;
    *minimum = -low;
    if (!(high > low)) return;
    float least = INFINITY;
    for (int step = 0; step < 20; step++) {
        float s = (high - low) / (top - 1 + 0.1f * (float)step), m = -low;
        part_codes(x, s, m, top, codes);
        for (int turn = 0; turn < 3; turn++) {
            if (!fit_part(x, codes, &s, &m)) break;
            float error = part_codes(x, s, m, top, codes);
            if (error < least) least = error, *scale = s, *minimum = m;
        }
    }
    if (least == INFINITY) *scale = (high - low) / top;
}

// Scales and minima of a block as six-bit numbers with d and dmin, and the codes.
CLONED static void k_block(const float *x, float top, uint16_t *d, uint16_t *dmin, uint8_t *packed, float *codes) {
    float scales[8], minima[8], largest_scale = 0, largest_minimum = 0;
    for (int part = 0; part < 8; part++) {
        search_part(x + 32 * part, top, &scales[part], &minima[part]);
        largest_scale = scales[part] > largest_scale ? scales[part] : largest_scale;
        largest_minimum = minima[part] > largest_minimum ? minima[part] : largest_minimum;
    }
    *d = half_of(largest_scale / 63);
    *dmin = half_of(largest_minimum / 63);
    float step = half_value(*d), step_minimum = half_value(*dmin);
    uint8_t s6[8], m6[8];
    for (int part = 0; part < 8; part++) {
        const float *from = x + 32 * part;
        float s = clamped(rintf(scales[part] * inverse_of(step)), 63), m = clamped(rintf(minima[part] * inverse_of(step_minimum)), 63);
        float least = INFINITY, trial[32], best_s = s, best_m = m;
        for (float ds = -1; ds <= 1; ds++) {
            for (float dm = -2; dm <= 2; dm++) {
                float ts = clamped(s + ds, 63), tm = clamped(m + dm, 63);
                float error = part_codes(from, step * ts, step_minimum * tm, top, trial);
                if (error < least) {
                    least = error, best_s = ts, best_m = tm;
                    memcpy(codes + 32 * part, trial, sizeof trial);
                }
            }
        }
        if (least == INFINITY) part_codes(from, step * s, step_minimum * m, top, codes + 32 * part);
        s6[part] = (uint8_t)best_s;
        m6[part] = (uint8_t)best_m;
    }
    for (int i = 0; i < 4; i++) {
        packed[i] = (uint8_t)(s6[i] | (s6[i + 4] >> 4) << 6);
        packed[i + 4] = (uint8_t)(m6[i] | (m6[i + 4] >> 4) << 6);
        packed[i + 8] = (uint8_t)((s6[i + 4] & 15) | (m6[i + 4] & 15) << 4);
    }
}

static void to_q4_k(const float *from, long blocks, block_q4_k *to) {
    float codes[SUPER];
    for (long b = 0; b < blocks; b++, from += SUPER) {
        k_block(from, 15, &to[b].d, &to[b].dmin, to[b].scales, codes);
        for (int pair = 0; pair < 4; pair++)
            for (int i = 0; i < 32; i++)
                to[b].codes[32 * pair + i] = (uint8_t)((int)codes[64 * pair + i] | (int)codes[64 * pair + 32 + i] << 4);
    }
}

static void to_q5_k(const float *from, long blocks, block_q5_k *to) {
    float codes[SUPER];
    for (long b = 0; b < blocks; b++, from += SUPER) {
        k_block(from, 31, &to[b].d, &to[b].dmin, to[b].scales, codes);
        memset(to[b].high, 0, 32);
        for (int pair = 0; pair < 4; pair++) {
            for (int i = 0; i < 32; i++) {
                int low = (int)codes[64 * pair + i], high = (int)codes[64 * pair + 32 + i];
                to[b].codes[32 * pair + i] = (uint8_t)((low & 15) | (high & 15) << 4);
                to[b].high[i] |= (uint8_t)((low >> 4) << (2 * pair) | (high >> 4) << (2 * pair + 1));
            }
        }
    }
}

// MARK: Q6_K: x = d scale (q - 32)

// Codes -32...31 of 16 numbers.
INLINE void sixth_codes(const float *x, float inverse, float *codes) {
    for (int i = 0; i < 16; i++) codes[i] = clamped(rintf(x[i] * inverse) + 32, 63) - 32;
}

// The scale, of either sign, that leaves the least squared error.
CLONED static float search_sixteen(const float *x) {
    float extreme = 0, codes[16];
    for (int i = 0; i < 16; i++)
        if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
    if (!(fabsf(extreme) > 1e-30f) || isinf(extreme)) return 0;
    float best = extreme / -32, gain = 0;
    for (int step = -12; step <= 12; step++) {
        float inverse = -(32 + 0.1f * (float)step) / extreme;
        for (int turn = 0; turn < 2; turn++) {
            sixth_codes(x, inverse, codes);
            float sum_xq = 0, sum_qq = 0;
            {
                REORDER
                for (int i = 0; i < 16; i++) {
                    sum_xq += x[i] * codes[i];
                    sum_qq += codes[i] * codes[i];
                }
            }
            if (!(sum_qq > 0)) break;
            // The error is |x|^2 less this.
            float now = sum_xq * sum_xq / sum_qq;
            if (now > gain) gain = now, best = sum_xq / sum_qq;
            if (sum_xq == 0) break;
            inverse = sum_qq / sum_xq;
        }
    }
    return best;
}

static void to_q6_k(const float *from, long blocks, block_q6_k *to) {
    for (long b = 0; b < blocks; b++, from += SUPER) {
        float scales[16], extreme = 0, codes[SUPER];
        for (int part = 0; part < 16; part++) {
            scales[part] = search_sixteen(from + 16 * part);
            if (fabsf(scales[part]) > fabsf(extreme)) extreme = scales[part];
        }
        to[b].d = half_of(extreme / -128);
        float d = half_value(to[b].d), inverse = inverse_of(d);
        for (int part = 0; part < 16; part++) {
            float scale = clamped(rintf(scales[part] * inverse) + 128, 255) - 128;
            to[b].scales[part] = (int8_t)scale;
            sixth_codes(from + 16 * part, inverse_of(d * scale), codes + 16 * part);
        }
        for (int half = 0; half < 2; half++) {
            uint8_t *low = to[b].low + 64 * half, *high = to[b].high + 32 * half;
            const float *c = codes + 128 * half;
            for (int i = 0; i < 32; i++) {
                int q0 = (int)c[i] + 32, q1 = (int)c[i + 32] + 32, q2 = (int)c[i + 64] + 32, q3 = (int)c[i + 96] + 32;
                low[i] = (uint8_t)((q0 & 15) | (q2 & 15) << 4);
                low[i + 32] = (uint8_t)((q1 & 15) | (q3 & 15) << 4);
                high[i] = (uint8_t)(q0 >> 4 | (q1 >> 4) << 2 | (q2 >> 4) << 4 | (q3 >> 4) << 6);
            }
        }
    }
}

int tb_quantize_blocks(int kind, const float *from, long count, void *to) {
    long elements = 0, bytes = 0;
    if (!tb_block_layout(kind, &elements, &bytes)) return 0;
    long blocks = count / elements;
    switch (kind) {
        case TB_Q4_0: to_q4_0(from, blocks, to); return 1;
        case TB_Q4_1: to_q4_1(from, blocks, to); return 1;
        case TB_Q5_0: to_q5_0(from, blocks, to); return 1;
        case TB_Q5_1: to_q5_1(from, blocks, to); return 1;
        case TB_Q8_0: to_q8_0(from, blocks, to); return 1;
        case TB_Q4_K: to_q4_k(from, blocks, to); return 1;
        case TB_Q5_K: to_q5_k(from, blocks, to); return 1;
        case TB_Q6_K: to_q6_k(from, blocks, to); return 1;
    }
    return 0;
}
