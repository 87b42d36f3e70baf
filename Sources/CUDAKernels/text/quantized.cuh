// Weights of two to eight bits a number, eight neighbours of a row at a time. Kinds and layouts are those of CKernels.h and blocks.h.
#pragma once
#include "common.cuh"

enum {
    Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14,
    TABLE4 = 100, ROW8 = 101, GROUPED = 102
};

typedef tb_cuda_quantized Quantized;

// Blocks are packed without gaps: nothing in them is aligned to more than two bytes.
DEVICE float half_at(const u8 *from) { return widen_f16(*(const u16 *)from); }
DEVICE u64 eight_bytes(const u8 *from) {
    const u16 *parts = (const u16 *)from;
    return (u64)parts[0] | (u64)parts[1] << 16 | (u64)parts[2] << 32 | (u64)parts[3] << 48;
}
DEVICE u32 four_bytes(const u8 *from) { return *(const u16 *)from | (u32)((const u16 *)from)[1] << 16; }
// Byte k as a number.
DEVICE int byte_of(u64 bytes, int k) { return (int)(bytes >> (8 * k)) & 255; }

// Six-bit scale and minimum number `part` of a Q4_K or Q5_K block.
DEVICE void k_scale(const u8 *scales, int part, float *scale, float *minimum) {
    int s, m;
    if (part < 4) {
        s = scales[part] & 63;
        m = scales[part + 4] & 63;
    } else {
        s = (scales[part + 4] & 15) | scales[part - 4] >> 6 << 4;
        m = scales[part + 4] >> 4 | scales[part] >> 6 << 4;
    }
    *scale = (float)s;
    *minimum = (float)m;
}

template <int kind> DEVICE constexpr int block_elements() { return kind >= Q2_K ? 256 : 32; }
template <int kind> DEVICE constexpr int block_bytes() {
    return kind == Q4_0 ? 18 : kind == Q4_1 ? 20 : kind == Q5_0 ? 22 : kind == Q5_1 ? 24 : kind == Q8_0 ? 34 : kind == Q2_K ? 84
        : kind == Q3_K ? 110 : kind == Q4_K ? 144 : kind == Q5_K ? 176 : 210;
}

// Elements i ... i + 7 of a block, i a multiple of eight.
template <int kind> DEVICE void block_eight(const u8 *b, int i, float (&to)[8]) {
    if (kind == Q8_0) {
        float d = half_at(b);
        u64 codes = eight_bytes(b + 2 + i);
#pragma unroll
        EIGHT to[k] = d * (float)(signed char)byte_of(codes, k);
    } else if (kind == Q4_0 || kind == Q4_1 || kind == Q5_0 || kind == Q5_1) {
        const bool hasMinimum = kind == Q4_1 || kind == Q5_1, isFive = kind == Q5_0 || kind == Q5_1;
        const int highAt = hasMinimum ? 4 : 2, codesAt = highAt + (isFive ? 4 : 0);
        float d = half_at(b), m = hasMinimum ? half_at(b + 2) : 0.0f;
        u64 codes = eight_bytes(b + codesAt + i % 16) >> (i / 16 * 4);
        u32 high = isFive ? four_bytes(b + highAt) >> i : 0;
#pragma unroll
        EIGHT {
            int code = (byte_of(codes, k) & 15) | (int)(high >> k & 1) << 4;
            to[k] = d * (float)(hasMinimum ? code : code - (isFive ? 16 : 8)) + m;
        }
    } else if (kind == Q2_K) {
        int part = i / 16, shift = part % 8 / 2 * 2;
        float scale = half_at(b + 80) * (float)(b[part] & 15), minimum = half_at(b + 82) * (float)(b[part] >> 4);
        u64 codes = eight_bytes(b + 16 + part / 8 * 32 + part % 2 * 16 + i % 16);
#pragma unroll
        EIGHT to[k] = scale * (float)(byte_of(codes, k) >> shift & 3) - minimum;
    } else if (kind == Q3_K) {
        int part = i / 16, shift = part % 8 / 2 * 2;
        const u8 *packed = b + 96;
        int low = part < 8 ? packed[part] & 15 : packed[part - 8] >> 4;
        float scale = half_at(b + 108) * (float)((low | (packed[8 + part % 4] >> (part / 4 * 2) & 3) << 4) - 32);
        u64 codes = eight_bytes(b + 32 + part / 8 * 32 + part % 2 * 16 + i % 16), high = eight_bytes(b + part % 2 * 16 + i % 16);
#pragma unroll
        EIGHT to[k] = scale * (float)((byte_of(codes, k) >> shift & 3) - (byte_of(high, k) >> (part / 2) & 1 ? 0 : 4));
    } else if (kind == Q4_K || kind == Q5_K) {
        int part = i / 32;
        float scale, minimum;
        k_scale(b + 4, part, &scale, &minimum);
        scale *= half_at(b);
        minimum *= half_at(b + 2);
        u64 codes = eight_bytes(b + (kind == Q4_K ? 16 : 48) + part / 2 * 32 + i % 32) >> (part % 2 * 4);
        u64 high = kind == Q5_K ? eight_bytes(b + 16 + i % 32) >> part : 0;
#pragma unroll
        EIGHT to[k] = scale * (float)((byte_of(codes, k) & 15) | (byte_of(high, k) & 1) << 4) - minimum;
    } else {  // Q6_K
        int part = i / 16, within = i % 128, quarter = within / 32;
        float scale = half_at(b + 208) * (float)(signed char)b[192 + part];
        u64 low = eight_bytes(b + i / 128 * 64 + within % 64) >> (quarter / 2 * 4);
        u64 high = eight_bytes(b + 128 + i / 128 * 32 + within % 32) >> (quarter * 2);
#pragma unroll
        EIGHT to[k] = scale * (float)(((byte_of(low, k) & 15) | (byte_of(high, k) & 3) << 4) - 32);
    }
}

// The scale of a block of TABLE4, itself perhaps an 8-bit code.
DEVICE float table_scale(const Quantized &w, i64 block) {
    if (!w.scale_codes) return w.scales[block];
    return w.scale_table[w.scale_codes[block]] * w.scales[quotient(block, w.scale_block)] + w.scale_offset;
}

// One number of a kind that is not in blocks; `table` is w.table in shared memory.
template <int kind> DEVICE float quantized_value(const Quantized &w, const float *table, i64 row, i64 column) {
    if (kind == TABLE4) {
        i64 place = row * w.columns + column;
        u8 byte = w.codes[place >> 1];
        return table[place & 1 ? byte & 15 : byte >> 4] * table_scale(w, quotient(place, w.block));
    }
    if (kind == ROW8) return (float)((const signed char *)w.codes)[row * w.row_bytes + column] * w.scales[row];
    i64 group = row * w.groups + (w.group_of ? w.group_of[column] : quotient(column, w.block));
    const u8 *codes = w.codes + row * w.row_bytes;
    int bits = w.bits, code = codes[column * bits >> 3] >> ((int)(column * bits) & 7) & ((1 << bits) - 1);
    return w.scales[group] * (float)(code - (int)w.zeros[group]);
}

// Columns `column` ... `column` + 7 of a row, column a multiple of eight; those beyond the row's end are zero.
template <int kind> DEVICE void quantized_eight(const Quantized &w, const float *table, i64 row, i64 column, float (&to)[8]) {
    if (kind < TABLE4) {
        const int elements = block_elements<kind>();
        block_eight<kind>(w.codes + row * w.row_bytes + column / elements * block_bytes<kind>(), (int)(column % elements), to);
        return;
    }
    bool isWhole = column + 8 <= w.columns;
    if (kind == TABLE4 && isWhole && w.block % 8 == 0 && w.columns % 8 == 0 && ((u64)w.codes & 3) == 0) {
        i64 place = row * w.columns + column;
        u32 codes = *(const u32 *)(w.codes + (place >> 1));
        float scale = table_scale(w, quotient(place, w.block));
#pragma unroll
        EIGHT to[k] = table[codes >> (k / 2 * 8 + (k % 2 ? 0 : 4)) & 15] * scale;
        return;
    }
    if (kind == ROW8 && isWhole && (w.row_bytes & 7) == 0 && ((u64)w.codes & 7) == 0) {
        u64 codes = *(const u64 *)(w.codes + row * w.row_bytes + column);
        float scale = w.scales[row];
#pragma unroll
        EIGHT to[k] = (float)(signed char)byte_of(codes, k) * scale;
        return;
    }
    if (kind == GROUPED && isWhole && !w.group_of && w.block % 8 == 0 && w.bits == 4 && (w.row_bytes & 3) == 0 && ((u64)w.codes & 3) == 0) {
        i64 group = row * w.groups + quotient(column, w.block);
        u32 codes = *(const u32 *)(w.codes + row * w.row_bytes + (column >> 1));
        float scale = w.scales[group];
        int zero = w.zeros[group];
#pragma unroll
        EIGHT to[k] = scale * (float)((int)(codes >> (4 * k) & 15) - zero);
        return;
    }
#pragma unroll
    EIGHT to[k] = column + k < w.columns ? quantized_value<kind>(w, table, row, column + k) : 0.0f;
}

// Calls `body<kind>(...)` for the kind that w has.
#define FOR_KIND(w, body, ...)                              \
    switch ((w).kind) {                                     \
        case Q4_0: return body<Q4_0>(__VA_ARGS__);          \
        case Q4_1: return body<Q4_1>(__VA_ARGS__);          \
        case Q5_0: return body<Q5_0>(__VA_ARGS__);          \
        case Q5_1: return body<Q5_1>(__VA_ARGS__);          \
        case Q8_0: return body<Q8_0>(__VA_ARGS__);          \
        case Q2_K: return body<Q2_K>(__VA_ARGS__);          \
        case Q3_K: return body<Q3_K>(__VA_ARGS__);          \
        case Q4_K: return body<Q4_K>(__VA_ARGS__);          \
        case Q5_K: return body<Q5_K>(__VA_ARGS__);          \
        case Q6_K: return body<Q6_K>(__VA_ARGS__);          \
        case TABLE4: return body<TABLE4>(__VA_ARGS__);      \
        case ROW8: return body<ROW8>(__VA_ARGS__);          \
        case GROUPED: return body<GROUPED>(__VA_ARGS__);    \
    }

// The table of 16 numbers in shared memory, where 32 lanes can read it at once.
DEVICE void load_table(const Quantized &w, float *table) {
    if (threadIdx.x < 16) table[threadIdx.x] = w.table ? w.table[threadIdx.x] : 0.0f;
    __syncthreads();
}
