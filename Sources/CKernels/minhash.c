// The smallest hash of a set under each of several permutations (Broder, 1997): what two sets agree in estimates how much they share.
#include "CKernels.h"
#include "clones.h"

#define AT_ONCE 64

CLONED static void smallest(const uint32_t *restrict items, long count, const uint32_t *restrict factors, const uint32_t *restrict offsets,
                            uint32_t *restrict minima) {
    uint32_t best[AT_ONCE];
    for (int p = 0; p < AT_ONCE; p++) best[p] = UINT32_MAX;
    for (long i = 0; i < count; i++) {
        uint32_t item = items[i];
        for (int p = 0; p < AT_ONCE; p++) {
            uint32_t hash = item * factors[p] + offsets[p];
            hash ^= hash >> 15;
            hash *= 0x2c1b3c6du;
            best[p] = hash < best[p] ? hash : best[p];
        }
    }
    for (int p = 0; p < AT_ONCE; p++) minima[p] = best[p];
}

void tb_minhash(const uint32_t *items, long count, const uint32_t *factors, const uint32_t *offsets, long permutations, uint32_t *minima) {
    for (long p = 0; p + AT_ONCE <= permutations; p += AT_ONCE) smallest(items, count, factors + p, offsets + p, minima + p);
}
