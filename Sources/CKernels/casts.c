// Storage types to f32 and back.
#include "CKernels.h"
#include "numbers.h"
#include <string.h>

INLINE float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

INLINE uint32_t to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

CLONED void tb_widen_bf16(const uint16_t *restrict from, float *restrict to, long count) {
    for (long i = 0; i < count; i++) to[i] = bf16_value(from[i]);
}

CLONED void tb_narrow_bf16(const float *restrict from, uint16_t *restrict to, long count) {
    for (long i = 0; i < count; i++) {
        uint32_t bits = to_bits(from[i]);
        uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
        uint32_t quiet = (bits >> 16) | 0x40u;  // a NaN must not round up to infinity
        to[i] = (uint16_t)((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
    }
}

// Exponent and mantissa move to their places in f32 and the bias is put right by one multiplication, which also makes
// subnormals come out; infinities and NaNs get the largest exponent.
CLONED void tb_widen_f16(const uint16_t *restrict from, float *restrict to, long count) {
    for (long i = 0; i < count; i++) {
        uint32_t half = from[i];
        uint32_t sign = (half & 0x8000u) << 16;
        uint32_t magnitude = (half & 0x7FFFu) << 13;
        float scaled = from_bits(magnitude) * 0x1p112f;
        uint32_t bits = to_bits(scaled);
        bits = magnitude >= 0x0F800000u ? (bits | 0x7F800000u) : bits;
        to[i] = from_bits(bits | sign);
    }
}

CLONED void tb_narrow_f16(const float *restrict from, uint16_t *restrict to, long count) {
    for (long i = 0; i < count; i++) {
        uint32_t bits = to_bits(from[i]);
        uint32_t sign = (bits >> 16) & 0x8000u;
        uint32_t magnitude = bits & 0x7FFFFFFFu;
        // Normal results: move the exponent, round to nearest even on the 13 bits that fall off.
        uint32_t normal = (magnitude + 0xC8000FFFu + ((magnitude >> 13) & 1u)) >> 13;
        // Results below 2^-14: adding 0.5 leaves the subnormal's bits in the low end of the sum.
        uint32_t subnormal = to_bits(from_bits(magnitude) + 0.5f) - 0x3F000000u;
        uint32_t half = magnitude < 0x38800000u ? subnormal : normal;
        half = magnitude >= 0x47800000u ? 0x7C00u : half;
        half = magnitude > 0x7F800000u ? 0x7E00u : half;
        to[i] = (uint16_t)(half | sign);
    }
}
