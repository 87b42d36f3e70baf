// Weights in blocks, as GGUF files hold them: the layouts, and the small conversions that every kernel of them needs.
// A "half" is an IEEE f16. Blocks are packed without gaps, so nothing in them is aligned to more than two bytes.
#pragma once
#include "numbers.h"

#define SUPER 256  // elements of a K block

typedef struct { uint16_t d; uint8_t codes[16]; } block_q4_0;                    // (q - 8) d; low nibbles are the first half
typedef struct { uint16_t d, m; uint8_t codes[16]; } block_q4_1;                 // q d + m
typedef struct { uint16_t d; uint8_t high[4]; uint8_t codes[16]; } block_q5_0;   // (q - 16) d
typedef struct { uint16_t d, m; uint8_t high[4]; uint8_t codes[16]; } block_q5_1;
typedef struct { uint16_t d; int8_t codes[32]; } block_q8_0;
typedef struct { uint8_t scales[16]; uint8_t codes[64]; uint16_t d, dmin; } block_q2_k;
typedef struct { uint8_t high[32]; uint8_t codes[64]; uint8_t scales[12]; uint16_t d; } block_q3_k;
// Eight parts of 32: d scale q - dmin minimum, scales and minima of six bits in 12 bytes.
typedef struct { uint16_t d, dmin; uint8_t scales[12]; uint8_t codes[128]; } block_q4_k;
typedef struct { uint16_t d, dmin; uint8_t scales[12]; uint8_t high[32]; uint8_t codes[128]; } block_q5_k;
// Sixteen parts of 16: d scale (q - 32).
typedef struct { uint8_t low[128]; uint8_t high[64]; int8_t scales[16]; uint16_t d; } block_q6_k;

// Six-bit scale and minimum number `part` of a Q4_K or Q5_K block.
INLINE void k_scale(const uint8_t *scales, int part, int *scale, int *minimum) {
    if (part < 4) {
        *scale = scales[part] & 63;
        *minimum = scales[part + 4] & 63;
    } else {
        *scale = (scales[part + 4] & 15) | ((scales[part - 4] >> 6) << 4);
        *minimum = (scales[part + 4] >> 4) | ((scales[part] >> 6) << 4);
    }
}

// All eight of both, in bytes.
INLINE void k_scales(const uint8_t *packed, uint8_t *scales, uint8_t *minima) {
    uint32_t words[3];
    memcpy(words, packed, 12);
    uint32_t out[4] = {
        words[0] & 0x3F3F3F3Fu, (words[2] & 0x0F0F0F0Fu) | ((words[0] >> 6) & 0x03030303u) << 4,
        words[1] & 0x3F3F3F3Fu, ((words[2] >> 4) & 0x0F0F0F0Fu) | ((words[1] >> 6) & 0x03030303u) << 4,
    };
    memcpy(scales, out, 8);
    memcpy(minima, out + 2, 8);
}
