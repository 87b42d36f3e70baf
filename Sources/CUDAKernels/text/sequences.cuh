// Which rows of a stream of sequences a block works on, what a query sees, and how scores are shaped.
#pragma once
#include "common.cuh"

const float LOG2_E = 1.4426950408889634f, LN_2 = 0.6931471805599453f;

// Where a block's rows lie: tile number `number` of all sequences' tiles of `size` rows. In a sequence the last tile comes
// first, because with a causal mask it has most to do.
struct Place {
    int sequence, first;   // of the tile, inside the sequence
    int start, length;     // of the sequence, in the stream
    bool isThere;
};
DEVICE Place find_tile(const i32 *cumulative, int sequences, int size, int number) {
    Place p;
    p.isThere = false;
    int start = cumulative[0];
    for (int s = 0; s < sequences; s++) {
        int end = cumulative[s + 1], tiles = (end - start + size - 1) / size;
        if (number < tiles) {
            p.sequence = s;
            p.first = (tiles - 1 - number) * size;
            p.start = start;
            p.length = end - start;
            p.isThere = true;
            return p;
        }
        number -= tiles;
        start = end;
    }
    return p;
}

// Whether a query sees a key; both are places in a sequence of `length` keys.
DEVICE bool is_visible(const tb_cuda_attention &a, int query, int key, int length) {
    return key < length && (!a.is_causal || key <= query) && (a.window == 0 || key > query - a.window);
}

// A scaled score with slope and cap, in units of log 2; `slope` gets the cap's derivative.
DEVICE float shaped_score(const tb_cuda_attention &a, float score, float ramp, int distance, float *slope) {
    float x = score * a.scale + ramp * (float)distance;
    *slope = 1.0f;
    if (a.soft_cap != 0) {
        float t = 1.0f - 2.0f / (1.0f + power_of_two(2.0f * LOG2_E / a.soft_cap * x));
        *slope = 1.0f - t * t;
        x = a.soft_cap * t;
    }
    return x * LOG2_E;
}
