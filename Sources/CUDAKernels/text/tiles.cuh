// Tiles of rows in shared memory and the tensor cores' fragments of them, for attention. E is bf16 or f16.
//
// A row of D elements is cut into chunks of 8 (16 bytes). Chunk c of row r stands where the exclusive or of c and some bits of r says,
// so that the same chunk of eight rows lies in eight different groups of banks for every D that is a multiple of 16.
#pragma once
#include "sequences.cuh"

template <int D> struct Tile {
    static const int width = D;  // elements of a row in shared memory
    static const int chunks = D / 8;

    DEVICE int place(int row, int chunk) {
        int turn = chunks % 8 == 0 ? row & 7 : chunks % 4 == 0 ? row >> 1 & 3 : row >> 2 & 1;
        return row * width + (chunk ^ turn) * 8;
    }

    // Starts copying `rows` rows by all threads of the block; rows from `present` on become zeros.
    template <int rows, int threads> DEVICE void fetch(E *tile, const E *from, i64 stride, int present) {
        static_assert(rows * chunks % threads == 0, "every thread has as much to do");
#pragma unroll
        for (int k = 0; k < rows * chunks / threads; k++) {
            int index = k * threads + (int)threadIdx.x, row = index / chunks, chunk = index % chunks;
            bool isThere = row < present;
            copy_ahead(tile + place(row, chunk), from + (isThere ? row * stride : 0) + chunk * 8, isThere);
        }
    }

    // The fragment of a: 16 rows from `row` on, 16 columns from chunk `chunk` on.
    DEVICE void left(u32 (&a)[4], const E *tile, int row, int chunk) {
        int lane = threadIdx.x % 32;
        load_matrices(a, tile + place(row + lane % 16, chunk + lane / 16));
    }
    // Fragments of b = tile^T for two groups of 8 columns: rows `row` ... `row` + 15 are the columns, two chunks the depth.
    DEVICE void rightTransposed(u32 (&b)[4], const E *tile, int row, int chunk) {
        int lane = threadIdx.x % 32;
        load_matrices(b, tile + place(row + lane / 16 * 8 + lane % 8, chunk + lane / 8 % 2));
    }
    // Fragments of b = tile for two groups of 8 columns: 16 rows from `row` on are the depth, two chunks the columns.
    DEVICE void right(u32 (&b)[4], const E *tile, int row, int chunk) {
        int lane = threadIdx.x % 32;
        load_matrices_transposed(b, tile + place(row + lane % 16, chunk + lane / 16));
    }

    // Writes fragments of results [16, columns] of this warp, times `low` for rows 0 ... 7 and `high` for 8 ... 15, to global rows
    // by way of 16 rows of shared memory that only this warp uses.
    template <int groups> DEVICE void write(const float (&c)[groups][4], float low, float high, E *tile, int row, E *to, i64 stride, int present) {
        int lane = threadIdx.x % 32, line = lane / 4, pair = lane % 4 * 2;
        __syncwarp();
#pragma unroll
        for (int n = 0; n < groups; n++) {
            *(u32 *)(tile + place(row + line, n) + pair) = round_pair(to, c[n][0] * low, c[n][1] * low);
            *(u32 *)(tile + place(row + line + 8, n) + pair) = round_pair(to, c[n][2] * high, c[n][3] * high);
        }
        __syncwarp();
        for (int index = lane; index < 16 * groups; index += 32) {
            int r = index / groups, chunk = index % groups;
            if (r < present) *(uint4 *)(to + r * stride + chunk * 8) = *(const uint4 *)(tile + place(row + r, chunk));
        }
    }
};

DEVICE void multiply_tile(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
#if ELEMENT == 2
    multiply_f16(c, a, b0, b1);
#else
    multiply_bf16(c, a, b0, b1);
#endif
}

// c [16, 8 * groups] as the left factor of a product over 16 of its columns, `step` * 16 and on.
template <int groups> DEVICE void as_left(u32 (&a)[4], const float (&c)[groups][4], int step) {
    const E *type = nullptr;
    a[0] = round_pair(type, c[2 * step][0], c[2 * step][1]);
    a[1] = round_pair(type, c[2 * step][2], c[2 * step][3]);
    a[2] = round_pair(type, c[2 * step + 1][0], c[2 * step + 1][1]);
    a[3] = round_pair(type, c[2 * step + 1][2], c[2 * step + 1][3]);
}
