// What all kernels share: types, loads and stores of eight numbers at a time, sums over a block.
//
// ELEMENT says what E, the type of activations, is; files that have none leave it out and get f32.
#pragma once
#include "machine.cuh"
#include "parameters.h"

typedef int i32;
typedef long long i64;
typedef float f32;
typedef double f64;

enum { FLOAT32 = 0, BFLOAT16 = 1, FLOAT16 = 2 };

struct bf16 { u16 bits; };
struct f16 { u16 bits; };

#ifndef ELEMENT
#define ELEMENT 0
#endif
#if ELEMENT == 0
typedef float E;
#elif ELEMENT == 1
typedef bf16 E;
#else
typedef f16 E;
#endif

// MARK: One number

DEVICE float bf16_value(u32 bits) { return __uint_as_float(bits << 16); }
DEVICE float value(float x) { return x; }
DEVICE float value(bf16 x) { return bf16_value(x.bits); }
DEVICE float value(f16 x) { return widen_f16(x.bits); }

DEVICE void put(float *to, float x) { *to = x; }
DEVICE void put(bf16 *to, float x) { to->bits = round_bf16(x); }
DEVICE void put(f16 *to, float x) { to->bits = round_f16(x); }

// x as it will be once it is stored.
DEVICE float stored(const float *, float x) { return x; }
DEVICE float stored(const bf16 *, float x) { return bf16_value(round_bf16(x)); }
DEVICE float stored(const f16 *, float x) { return widen_f16(round_f16(x)); }

// Element i of an array whose type is known at run time only.
DEVICE float value_at(const void *from, i32 type, i64 i) {
    if (type == BFLOAT16) return value(((const bf16 *)from)[i]);
    if (type == FLOAT16) return value(((const f16 *)from)[i]);
    return ((const float *)from)[i];
}
DEVICE void put_at(void *to, i32 type, i64 i, float x) {
    if (type == BFLOAT16) return put((bf16 *)to + i, x);
    if (type == FLOAT16) return put((f16 *)to + i, x);
    ((float *)to)[i] = x;
}

// MARK: Eight numbers

// Whether an address allows loads of 16 bytes.
DEVICE bool is_aligned(const void *pointer) { return ((u64)pointer & 15) == 0; }
// The same for rows of `width` elements of E that follow each other.
DEVICE bool is_whole(i64 width) { return width % 8 == 0; }

DEVICE void widen_pair(const bf16 *, u32 word, float *to) {
    to[0] = __uint_as_float(word << 16);
    to[1] = __uint_as_float(word & 0xFFFF0000u);
}
DEVICE void widen_pair(const f16 *, u32 word, float *to) {
    to[0] = widen_f16((u16)word);
    to[1] = widen_f16((u16)(word >> 16));
}
DEVICE u32 round_pair(const bf16 *, float a, float b) { return round_bf16_pair(a, b); }
DEVICE u32 round_pair(const f16 *, float a, float b) { return round_f16_pair(a, b); }

template <class T> DEVICE void widen8(const T *type, uint4 words, float (&to)[8]) {
    widen_pair(type, words.x, to);
    widen_pair(type, words.y, to + 2);
    widen_pair(type, words.z, to + 4);
    widen_pair(type, words.w, to + 6);
}

// Eight neighbours from an aligned address.
template <class T> DEVICE void load8(const T *from, float (&to)[8]) { widen8(from, *(const uint4 *)from, to); }
DEVICE void load8(const float *from, float (&to)[8]) {
    float4 a = ((const float4 *)from)[0], b = ((const float4 *)from)[1];
    to[0] = a.x, to[1] = a.y, to[2] = a.z, to[3] = a.w;
    to[4] = b.x, to[5] = b.y, to[6] = b.z, to[7] = b.w;
}
template <class T> DEVICE void store8(T *to, const float (&from)[8]) {
    uint4 words;
    words.x = round_pair(to, from[0], from[1]);
    words.y = round_pair(to, from[2], from[3]);
    words.z = round_pair(to, from[4], from[5]);
    words.w = round_pair(to, from[6], from[7]);
    *(uint4 *)to = words;
}
DEVICE void store8(float *to, const float (&from)[8]) {
    ((float4 *)to)[0] = make_float4(from[0], from[1], from[2], from[3]);
    ((float4 *)to)[1] = make_float4(from[4], from[5], from[6], from[7]);
}

// The first `count` of eight neighbours, the others zero; `isVector` where the address is aligned.
template <class T> DEVICE void load(const T *from, i64 count, bool isVector, float (&to)[8]) {
    if (isVector && count >= 8) return load8(from, to);
#pragma unroll
    for (int k = 0; k < 8; k++) to[k] = k < count ? value(from[k]) : 0.0f;
}
template <class T> DEVICE void store(T *to, i64 count, bool isVector, const float (&from)[8]) {
    if (isVector && count >= 8) return store8(to, from);
#pragma unroll
    for (int k = 0; k < 8; k++)
        if (k < count) put(to + k, from[k]);
}
// The same of an array whose type is known at run time.
DEVICE void load_any(const void *from, i32 type, i64 i, i64 count, bool isVector, float (&to)[8]) {
    if (type == BFLOAT16) return load((const bf16 *)from + i, count, isVector, to);
    if (type == FLOAT16) return load((const f16 *)from + i, count, isVector, to);
    load((const float *)from + i, count, isVector, to);
}
DEVICE void store_any(void *to, i32 type, i64 i, i64 count, bool isVector, const float (&from)[8]) {
    if (type == BFLOAT16) return store((bf16 *)to + i, count, isVector, from);
    if (type == FLOAT16) return store((f16 *)to + i, count, isVector, from);
    store((float *)to + i, count, isVector, from);
}

// Strides over `count` elements by eight for each thread of the grid: `i` is the first of them.
#ifndef INFINITY
#define INFINITY __int_as_float(0x7F800000)
#endif

#define FOR_EIGHTS(i, count) \
    for (i64 i = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * 8; i < (count); i += (i64)gridDim.x * blockDim.x * 8)
// Divisions of 64 bits are slow; most numbers have 32.
DEVICE i64 quotient(i64 a, i64 b) { return ((u64)(a | b) >> 32) == 0 ? (i64)((u32)a / (u32)b) : a / b; }

// Strides over the eighths of rows: `i` is the first column of eight in `row`.
#define FOR_ROW_EIGHTS(row, i, rows, width)                                                                                      \
    i64 eighths = ((width) + 7) / 8;                                                                                             \
    for (i64 place = (i64)blockIdx.x * blockDim.x + threadIdx.x, row = quotient(place, eighths), i = (place - row * eighths) * 8; \
         place < (rows) * eighths;                                                                                               \
         place += (i64)gridDim.x * blockDim.x, row = quotient(place, eighths), i = (place - row * eighths) * 8)
#define EIGHT for (int k = 0; k < 8; k++)

// MARK: Sums. Their order is always the same, so results are, too.

template <class T> DEVICE T warp_sum(T x) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(0xFFFFFFFFu, x, distance);
    return x;
}
DEVICE float warp_maximum(float x) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, distance));
    return x;
}

// The sum over all threads of a block of whole warps, known to each.
template <class T> DEVICE T block_sum(T x) {
    __shared__ T shares[32];
    x = warp_sum(x);
    __syncthreads();  // the shares of an earlier call may still be read
    if (threadIdx.x % 32 == 0) shares[threadIdx.x / 32] = x;
    __syncthreads();
    int warps = blockDim.x / 32;
    T sum = 0;
    for (int warp = 0; warp < warps; warp++) sum += shares[warp];
    return sum;
}
DEVICE float block_maximum(float x) {
    __shared__ float shares[32];
    x = warp_maximum(x);
    __syncthreads();
    if (threadIdx.x % 32 == 0) shares[threadIdx.x / 32] = x;
    __syncthreads();
    int warps = blockDim.x / 32;
    float best = shares[0];
    for (int warp = 1; warp < warps; warp++) best = fmaxf(best, shares[warp]);
    return best;
}
