// Sums, scalings, masks and noise over contiguous elements. Each is bound by memory: an element's bytes once in and once out.
#include "common.cuh"

KERNEL(fill)(E *to, f32 value, i64 count) {
    bool isVector = is_aligned(to);
    float x[8];
    EIGHT x[k] = value;
    FOR_EIGHTS(i, count) store(to + i, count - i, isVector, x);
}

KERNEL(scale)(const E *from, f32 factor, E *to, i64 count) {
    bool isVector = is_aligned(from) && is_aligned(to);
    FOR_EIGHTS(i, count) {
        float x[8];
        load(from + i, count - i, isVector, x);
        EIGHT x[k] *= factor;
        store(to + i, count - i, isVector, x);
    }
}

KERNEL(add)(const E *a, const E *b, E *to, i64 count) {
    bool isVector = is_aligned(a) && is_aligned(b) && is_aligned(to);
    FOR_EIGHTS(i, count) {
        float x[8], y[8];
        load(a + i, count - i, isVector, x);
        load(b + i, count - i, isVector, y);
        EIGHT x[k] += y[k];
        store(to + i, count - i, isVector, x);
    }
}

// to += factor * from
KERNEL(accumulate)(const E *from, f32 factor, E *to, i64 count) {
    bool isVector = is_aligned(from) && is_aligned(to);
    FOR_EIGHTS(i, count) {
        float x[8], y[8];
        load(from + i, count - i, isVector, x);
        load(to + i, count - i, isVector, y);
        EIGHT y[k] += factor * x[k];
        store(to + i, count - i, isVector, y);
    }
}

// The same into f32: gradients of parameters over several micro-batches.
KERNEL(accumulate_wide)(const E *from, f32 factor, f32 *to, i64 count) {
    bool isVector = is_aligned(from) && is_aligned(to);
    FOR_EIGHTS(i, count) {
        float x[8], y[8];
        load(from + i, count - i, isVector, x);
        load(to + i, count - i, isVector, y);
        EIGHT y[k] += factor * x[k];
        store(to + i, count - i, isVector, y);
    }
}

KERNEL(multiply)(const E *a, const E *b, E *to, i64 count) {
    bool isVector = is_aligned(a) && is_aligned(b) && is_aligned(to);
    FOR_EIGHTS(i, count) {
        float x[8], y[8];
        load(a + i, count - i, isVector, x);
        load(b + i, count - i, isVector, y);
        EIGHT x[k] *= y[k];
        store(to + i, count - i, isVector, x);
    }
}

// The CPU's mask: a hash of seed and element (MurmurHash3's finaliser).
KERNEL(dropout)(const E *from, E *to, i64 count, u64 seed, f32 probability) {
    bool isVector = is_aligned(from) && is_aligned(to);
    u32 threshold = (u32)((f64)probability * 4294967296.0), low = (u32)seed, high = (u32)(seed >> 32);
    float factor = 1.0f / (1.0f - probability);
    FOR_EIGHTS(i, count) {
        float x[8];
        load(from + i, count - i, isVector, x);
#pragma unroll
        EIGHT {
            u64 place = (u64)i + k;
            u32 h = (u32)place * 0x9E3779B1u ^ low ^ (u32)(place >> 32) * 0x9E3779B9u;
            h ^= h >> 16;
            h *= 0x85EBCA6Bu;
            h ^= high;
            h ^= h >> 13;
            h *= 0xC2B2AE35u;
            h ^= h >> 16;
            x[k] = h >= threshold ? x[k] * factor : 0.0f;
        }
        store(to + i, count - i, isVector, x);
    }
}

// y = cap * tanh(x / cap); slopes, where they are given, get the derivative.
KERNEL(soft_cap)(const E *x, E *y, E *slopes, f32 cap, i64 count) {
    bool isVector = is_aligned(x) && is_aligned(y) && is_aligned(slopes);
    FOR_EIGHTS(i, count) {
        float t[8], z[8];
        load(x + i, count - i, isVector, t);
#pragma unroll
        EIGHT {
            t[k] = tanhf(t[k] / cap);
            z[k] = cap * t[k];
            t[k] = 1.0f - t[k] * t[k];
        }
        store(y + i, count - i, isVector, z);
        if (slopes) store(slopes + i, count - i, isVector, t);
    }
}

// NEFTune: noise uniform in (-bounds[row], bounds[row]), SplitMix64 of the element's number.
KERNEL(uniform_noise)(const E *from, const f32 *bounds, u64 seed, E *to, i64 rows, i64 width) {
    i64 count = rows * width;
    bool isVector = is_aligned(from) && is_aligned(to);
    FOR_EIGHTS(i, count) {
        float x[8];
        load(from + i, count - i, isVector, x);
        EIGHT {
            if (i + k >= count) break;
            u64 mixed = seed + ((u64)i + k + 1) * 0x9E3779B97F4A7C15ull;
            mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9ull;
            mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBull;
            float unit = (float)((mixed ^ mixed >> 31) >> 40) * (1.0f / 16777216.0f);
            x[k] += bounds[(i + k) / width] * (2.0f * unit - 1.0f);
        }
        store(to + i, count - i, isVector, x);
    }
}
