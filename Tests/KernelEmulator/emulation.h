// The CPU's version of machine.cuh and of what NVRTC knows by itself. A thread is a fiber; it gives way where it must wait for
// others: barriers and the collective operations of a warp, whose lanes exchange what they were given and compute their own share.
// Copies ahead happen as late as their wait allows, so that a missing wait shows, or (EMULATED_BACKWARD) at once, so that a missing
// barrier before them does.
#pragma once
#define EMULATED
#include <cmath>
#include <cstdint>
#include <cstring>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

struct alignas(16) uint4 { u32 x, y, z, w; };
struct alignas(8) uint2 { u32 x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) float2 { float x, y; };
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
struct Extent { unsigned x, y, z; };

namespace emulation {
extern Extent threadPlace, blockPlace, blockExtent, gridExtent;
extern unsigned char *dynamicShared;
void barrier();
int barrierOr(int mine);
// What each lane of this warp gives, known to all of them until the next exchange but one.
struct Given { u64 words[8]; };
const Given *exchange(const Given &mine);
unsigned lane();
void queueCopy(void *to, const void *from, bool isThere);
void closeCopies();
void finishCopies(int pending);
}  // namespace emulation

#define threadIdx emulation::threadPlace
#define blockIdx emulation::blockPlace
#define blockDim emulation::blockExtent
#define gridDim emulation::gridExtent
// In a section of its own, which the emulator fills with rubbish before each block.
#define __shared__ static __attribute__((section("emulated_shared")))
#define __align__(n) alignas(n)
#define __restrict__
#define KERNEL(name) static void name
#define BOUNDED_KERNEL(name, threads, blocks) static void name
#define DEVICE static inline
#define DYNAMIC_SHARED(name) unsigned char *name = emulation::dynamicShared

inline void __syncthreads() { emulation::barrier(); }
inline int __syncthreads_or(int x) { return emulation::barrierOr(x); }
inline void __syncwarp(u32 = 0xFFFFFFFFu) { emulation::exchange({}); }

template <class T> inline T emulated_from(u64 word) { T x; memcpy(&x, &word, sizeof(T)); return x; }
template <class T> inline emulation::Given emulated_given(T x) { emulation::Given g = {}; memcpy(g.words, &x, sizeof(T)); return g; }
template <class T> inline T __shfl_sync(u32, T x, int source, int = 32) {
    return emulated_from<T>(emulation::exchange(emulated_given(x))[source & 31].words[0]);
}
template <class T> inline T __shfl_xor_sync(u32, T x, int distance, int = 32) {
    return emulated_from<T>(emulation::exchange(emulated_given(x))[emulation::lane() ^ distance].words[0]);
}
template <class T> inline T __shfl_up_sync(u32, T x, int distance, int = 32) {
    const emulation::Given *all = emulation::exchange(emulated_given(x));
    int from = (int)emulation::lane() - distance;
    return from < 0 ? x : emulated_from<T>(all[from].words[0]);
}
inline u32 __ballot_sync(u32, int x) {
    const emulation::Given *all = emulation::exchange(emulated_given((u32)(x != 0)));
    u32 bits = 0;
    for (int i = 0; i < 32; i++) bits |= (u32)(all[i].words[0] & 1) << i;
    return bits;
}
inline int __any_sync(u32 mask, int x) { return __ballot_sync(mask, x) != 0; }

inline int __ffs(u32 x) { return __builtin_ffs((int)x); }
inline int __popc(u32 x) { return __builtin_popcount(x); }
inline int __clz(u32 x) { return x ? __builtin_clz(x) : 32; }
inline float __uint_as_float(u32 x) { float f; memcpy(&f, &x, 4); return f; }
inline float __int_as_float(int x) { float f; memcpy(&f, &x, 4); return f; }
inline u32 __float_as_uint(float f) { u32 x; memcpy(&x, &f, 4); return x; }
inline float __expf(float x) { return expf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
template <class T> inline T min(T a, T b) { return a < b ? a : b; }
template <class T> inline T max(T a, T b) { return a > b ? a : b; }
// Threads take turns, so plain arithmetic is atomic.
template <class T> inline T atomicAdd(T *to, T x) { T before = *to; *to += x; return before; }

inline u16 round_bf16(float x) {
    u32 bits = __float_as_uint(x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0x7FFF;
    return (u16)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}
inline u32 round_bf16_pair(float first, float second) { return round_bf16(first) | (u32)round_bf16(second) << 16; }
inline u16 round_f16(float x) { _Float16 h = (_Float16)x; u16 bits; memcpy(&bits, &h, 2); return bits; }
inline u32 round_f16_pair(float first, float second) { return round_f16(first) | (u32)round_f16(second) << 16; }
inline float widen_f16(u16 bits) { _Float16 h; memcpy(&h, &bits, 2); return (float)h; }
inline float power_of_two(float x) { return exp2f(x); }
inline uint4 load_once(const void *from) { return *(const uint4 *)from; }

inline void copy_ahead(void *shared, const void *global, bool isThere) { emulation::queueCopy(shared, global, isThere); }
inline void copy_ahead_commit() { emulation::closeCopies(); }
template <int pending> inline void copy_ahead_wait() { emulation::finishCopies(pending); }

// Lane i gives the address of row i % 8 of matrix i / 8; it gets elements 2 (i % 4) and the next of row i / 4 of each matrix.
inline void load_matrices(u32 (&to)[4], const void *row) {
    const emulation::Given *all = emulation::exchange(emulated_given((u64)row));
    unsigned lane = emulation::lane();
    for (int m = 0; m < 4; m++) memcpy(&to[m], (const char *)all[8 * m + lane / 4].words[0] + lane % 4 * 4, 4);
}
inline void load_matrices_transposed(u32 (&to)[4], const void *row) {
    const emulation::Given *all = emulation::exchange(emulated_given((u64)row));
    unsigned lane = emulation::lane();
    for (int m = 0; m < 4; m++) {
        u16 pair[2];
        for (int k = 0; k < 2; k++) memcpy(&pair[k], (const char *)all[8 * m + lane % 4 * 2 + k].words[0] + lane / 4 * 2, 2);
        to[m] = pair[0] | (u32)pair[1] << 16;
    }
}

// PTX's layout of mma.m16n8k16: with g = lane / 4 and t = lane % 4, a's words are (g, 2t..), (g + 8, 2t..), (g, 2t + 8..),
// (g + 8, 2t + 8..); b's are (2t.., g), (2t + 8.., g); c's are (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
template <class Widen> inline void emulated_multiply(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, Widen widen) {
    emulation::Given mine = {};
    for (int i = 0; i < 4; i++) mine.words[i] = a[i];
    mine.words[4] = b0, mine.words[5] = b1;
    const emulation::Given *all = emulation::exchange(mine);
    unsigned lane = emulation::lane(), group = lane / 4, pair = lane % 4;
    for (int i = 0; i < 4; i++) {
        unsigned rowHalf = i / 2, column = 2 * pair + i % 2;
        for (unsigned k = 0; k < 16; k++) {
            unsigned half = k / 8, within = k % 8;
            u32 wordA = (u32)all[group * 4 + within / 2].words[rowHalf + 2 * half];
            u32 wordB = (u32)all[column * 4 + within / 2].words[4 + half];
            c[i] += widen((u16)(wordA >> (within % 2 * 16))) * widen((u16)(wordB >> (within % 2 * 16)));
        }
    }
}
inline void multiply_bf16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    emulated_multiply(c, a, b0, b1, [](u16 bits) { return __uint_as_float((u32)bits << 16); });
}
inline void multiply_f16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) { emulated_multiply(c, a, b0, b1, widen_f16); }
