// One instruction set's product kernels. gemm.c includes this file with
//   LANES     floats in a vector
//   TILE_ROWS rows of c in a tile, TILE_VECTORS vectors across it
//   SUFFIX    of the functions' names, and TARGET, their attribute
//
// A tile of c stays in registers while k runs: each step takes TILE_VECTORS vectors of b and TILE_ROWS single numbers of a.
//
//     packed a: [tile][k][TILE_ROWS]                 rows beyond m are zero
//     packed b: [panel][k][TILE_VECTORS * LANES]     columns beyond n are zero

#define TILE_COLUMNS (TILE_VECTORS * LANES)
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(base) JOIN(base, SUFFIX)
#define VECTOR NAME(vector)
#define BITS NAME(bits)
#define HALVES NAME(halves)

typedef float VECTOR __attribute__((vector_size(4 * LANES), aligned(4)));
typedef uint32_t BITS __attribute__((vector_size(4 * LANES), aligned(4)));
typedef uint16_t HALVES __attribute__((vector_size(2 * LANES), aligned(2)));

// LANES elements of a row as f32.
TARGET INLINE VECTOR NAME(load)(const void *from, int type) {
    if (type == TB_FLOAT32) return *(const VECTOR *)from;
    BITS wide = __builtin_convertvector(*(const HALVES *)from, BITS);
    if (type == TB_BFLOAT16) return (VECTOR)(wide << 16);
    // As tb_widen_f16: exponent and mantissa into place, the bias put right by a product.
    BITS sign = (wide & 0x8000u) << 16, magnitude = (wide & 0x7FFFu) << 13;
    BITS scaled = (BITS)((VECTOR)magnitude * 0x1p112f);
    BITS special = (BITS)(magnitude >= 0x0F800000u) & 0x7F800000u;
    return (VECTOR)(scaled | special | sign);
}

// A square of LANES rows, its columns becoming rows: lane bits and row bits are exchanged one at a time.
TARGET INLINE void NAME(transpose)(VECTOR *rows) {
#if LANES == 16
    EXCHANGE(rows, 1, (0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
             (1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
    EXCHANGE(rows, 2, (0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
             (2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    EXCHANGE(rows, 4, (0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
             (4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    EXCHANGE(rows, 8, (0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
             (8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
#else
    EXCHANGE(rows, 1, (0, 8, 2, 10, 4, 12, 6, 14),
             (1, 9, 3, 11, 5, 13, 7, 15))
    EXCHANGE(rows, 2, (0, 1, 8, 9, 4, 5, 12, 13),
             (2, 3, 10, 11, 6, 7, 14, 15))
    EXCHANGE(rows, 4, (0, 1, 2, 3, 8, 9, 10, 11),
             (4, 5, 6, 7, 12, 13, 14, 15))
#endif
}

// `count` rows of k elements, a stride of elements apart, as k groups of `width` numbers (width >= count; the rest zero).
TARGET INLINE void NAME(interleave)(const void *from, int type, long stride, long count, long k, long width, float *to) {
    const char *bytes = from;
    long size = type == TB_FLOAT32 ? 4 : 2;
    long p = 0;
    for (; p + LANES <= k; p += LANES) {
        for (long first = 0; first < width; first += LANES) {
            long here = count - first < LANES ? count - first : LANES;
            VECTOR rows[LANES];
            if (here == LANES || here == TILE_ROWS) {
                // The usual cases without a question in between.
#pragma clang loop unroll(full)
                for (long i = 0; i < LANES; i++)
                    rows[i] = i < TILE_ROWS || here == LANES ? NAME(load)(bytes + ((first + i) * stride + p) * size, type) : (VECTOR){};
            } else {
                for (long i = 0; i < LANES; i++)
                    rows[i] = i < here ? NAME(load)(bytes + ((first + i) * stride + p) * size, type) : (VECTOR){};
            }
            NAME(transpose)(rows);
            // A group may be narrower than a vector: what a store writes beyond it, the next one puts right.
            float *group = to + p * width + first;
#pragma clang loop unroll(full)
            for (long j = 0; j < LANES; j++) *(VECTOR *)(group + j * width) = rows[j];
        }
    }
    for (; p < k; p++)
        for (long i = 0; i < width; i++)
            to[p * width + i] = i < count ? tb_element(bytes + (i * stride + p) * size, type) : 0;
}

// k rows of `count` elements, a stride apart, as k groups of `width` numbers.
TARGET INLINE void NAME(gather)(const void *from, int type, long stride, long count, long k, long width, float *to) {
    const char *bytes = from;
    long size = type == TB_FLOAT32 ? 4 : 2;
    if (count == width && width % LANES == 0) {
        for (long p = 0; p < k; p++)
            for (long i = 0; i < width; i += LANES)
                *(VECTOR *)(to + p * width + i) = NAME(load)(bytes + (p * stride + i) * size, type);
        return;
    }
    if (count == TILE_ROWS && width == TILE_ROWS && type == TB_FLOAT32) {
        for (long p = 0; p < k; p++) memcpy(to + p * TILE_ROWS, bytes + p * stride * 4, TILE_ROWS * 4);
        return;
    }
    for (long p = 0; p < k; p++)
        for (long i = 0; i < width; i++) to[p * width + i] = i < count ? tb_element(bytes + (p * stride + i) * size, type) : 0;
}

TARGET static void NAME(pack)(const void *from, int type, long stride, int is_transposed, long count, long k, long width,
                              long panel_stride, float *to) {
    long size = type == TB_FLOAT32 ? 4 : 2;
    for (long first = 0; first < count; first += width, to += panel_stride) {
        long here = count - first < width ? count - first : width;
        const char *start = (const char *)from + first * (is_transposed ? 1 : stride) * size;
        if (is_transposed)
            NAME(gather)(start, type, stride, here, k, width, to);
        else if (type == TB_FLOAT32)
            NAME(interleave)(start, TB_FLOAT32, stride, here, k, width, to);
        else if (type == TB_BFLOAT16)
            NAME(interleave)(start, TB_BFLOAT16, stride, here, k, width, to);
        else
            NAME(interleave)(start, TB_FLOAT16, stride, here, k, width, to);
    }
}

TARGET INLINE void NAME(tile)(long k, const float *restrict a, const float *restrict b, float *restrict c, long c_stride,
                              int accumulate) {
    VECTOR sums[TILE_ROWS][TILE_VECTORS];
#pragma clang loop unroll(full)
    for (int i = 0; i < TILE_ROWS; i++) {
        __builtin_prefetch(c + i * c_stride, 1);
#pragma clang loop unroll(full)
        for (int j = 0; j < TILE_VECTORS; j++) sums[i][j] = (VECTOR){};
    }
#pragma clang loop unroll_count(2)
    for (long p = 0; p < k; p++) {
        VECTOR columns[TILE_VECTORS];
#pragma clang loop unroll(full)
        for (int j = 0; j < TILE_VECTORS; j++) columns[j] = *(const VECTOR *)(b + j * LANES);
#pragma clang loop unroll(full)
        for (int i = 0; i < TILE_ROWS; i++) {
            // Written out, because the compiler would load several numbers at once and then shuffle them apart.
            VECTOR row;
            __asm__("vbroadcastss %1, %0" : "=v"(row) : "m"(a[i]));
#pragma clang loop unroll(full)
            for (int j = 0; j < TILE_VECTORS; j++) sums[i][j] = row * columns[j] + sums[i][j];
        }
        a += TILE_ROWS;
        b += TILE_COLUMNS;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < TILE_ROWS; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < TILE_VECTORS; j++) {
            VECTOR *to = (VECTOR *)(c + i * c_stride + j * LANES);
            *to = accumulate ? *to + sums[i][j] : sums[i][j];
        }
}

TARGET static void NAME(block)(long m, long n, long k, const float *a, long a_stride, const float *b, long b_stride, float *c,
                               long c_stride, int accumulate, const tb_gemm_ahead *ahead) {
    // The lines that are wanted next, a few for each row of tiles.
    long row_lines = (ahead->row_bytes + 63) / 64, lines = ahead->rows * row_lines, line = 0;
    long share = lines * TILE_ROWS / (m > 0 ? m : 1) + 1;
    for (long row = 0; row < m; row += TILE_ROWS, a += a_stride) {
        for (long end = line + share < lines ? line + share : lines; line < end; line++)
            __builtin_prefetch((const char *)ahead->from + line / row_lines * ahead->stride_bytes + line % row_lines * 64, 0, 2);
        const float *panel = b;
        for (long column = 0; column < n; column += TILE_COLUMNS, panel += b_stride) {
            float *to = c + row * c_stride + column;
            if (row + TILE_ROWS <= m && column + TILE_COLUMNS <= n) {
                NAME(tile)(k, a, panel, to, c_stride, accumulate);
                continue;
            }
            float edge[TILE_ROWS * TILE_COLUMNS];
            NAME(tile)(k, a, panel, edge, TILE_COLUMNS, 0);
            long rows = m - row < TILE_ROWS ? m - row : TILE_ROWS;
            long columns = n - column < TILE_COLUMNS ? n - column : TILE_COLUMNS;
            for (long i = 0; i < rows; i++)
                for (long j = 0; j < columns; j++)
                    to[i * c_stride + j] = (accumulate ? to[i * c_stride + j] : 0) + edge[i * TILE_COLUMNS + j];
        }
    }
}

#undef TILE_COLUMNS
#undef VECTOR
#undef BITS
#undef HALVES
#undef NAME
#undef LANES
#undef TILE_ROWS
#undef TILE_VECTORS
#undef SUFFIX
#undef TARGET
