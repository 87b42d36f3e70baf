// Products of packed matrices, for AVX-512 and AVX2. Packing reads weights in their storage type, so a bf16 weight is widened on
// the way into the cache and nowhere else. Every element of c is the sum, block by block of k, of sums that run over k in order:
// how the work is cut into panels does not change a bit of the result.
#include "CKernels.h"
#include "numbers.h"

#if defined(__x86_64__)

INLINE float tb_element(const void *from, int type) {
    uint16_t half;
    float value;
    if (type == TB_FLOAT32) {
        memcpy(&value, from, 4);
        return value;
    }
    memcpy(&half, from, 2);
    if (type == TB_BFLOAT16) return bf16_value(half);
    tb_widen_f16(&half, &value, 1);
    return value;
}

#define UNWRAP(...) __VA_ARGS__
#define SHUFFLE_(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define SHUFFLE(a, b, lanes) SHUFFLE_(a, b, UNWRAP lanes)
// Exchanges bit `distance` of the row number with the same bit of the lane number.
#define EXCHANGE(rows, distance, low, high)                                             \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < LANES; i++) {                \
        if (i & distance) continue;                                                     \
        __typeof__(rows[0]) a = rows[i], b = rows[i + distance];                        \
        rows[i] = SHUFFLE(a, b, low);                                                   \
        rows[i + distance] = SHUFFLE(a, b, high);                                       \
    }

#define LANES 16
#define TILE_ROWS 12
#define TILE_VECTORS 2
#define SUFFIX _avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"), min_vector_width(512)))
#include "gemm.h"

#define LANES 8
#define TILE_ROWS 6
#define TILE_VECTORS 2
#define SUFFIX _avx2
#define TARGET __attribute__((target("avx2,fma"), min_vector_width(256)))
#include "gemm.h"

static int level(void) {
    static int known = -1;
    if (known >= 0) return known;
    __builtin_cpu_init();
    int found = 0;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found = 1;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl"))
        found = 2;
    return known = found;
}

int tb_gemm_tile(long *rows, long *columns) {
    *rows = level() == 2 ? 12 : 6;
    *columns = level() == 2 ? 32 : 16;
    return level() > 0;
}

void tb_gemm_pack_rows(const float *from, long stride, int is_transposed, long count, long k, long tile_stride, float *to) {
    if (level() == 2)
        pack_avx512(from, TB_FLOAT32, stride, is_transposed, count, k, 12, tile_stride, to);
    else
        pack_avx2(from, TB_FLOAT32, stride, is_transposed, count, k, 6, tile_stride, to);
}

void tb_gemm_pack_columns(const void *from, int type, long stride, int is_transposed, long count, long k, long panel_stride,
                          float *to) {
    if (level() == 2)
        pack_avx512(from, type, stride, is_transposed, count, k, 32, panel_stride, to);
    else
        pack_avx2(from, type, stride, is_transposed, count, k, 16, panel_stride, to);
}

void tb_gemm_block(long m, long n, long k, const float *a, long a_stride, const float *b, float *c, long c_stride, int accumulate,
                   tb_gemm_ahead ahead) {
    if (level() == 2)
        block_avx512(m, n, k, a, a_stride, b, 32 * k, c, c_stride, accumulate, &ahead);
    else
        block_avx2(m, n, k, a, a_stride, b, 16 * k, c, c_stride, accumulate, &ahead);
}

#else

int tb_gemm_tile(long *rows, long *columns) {
    *rows = *columns = 1;
    return 0;
}

void tb_gemm_pack_rows(const float *from, long stride, int is_transposed, long count, long k, long tile_stride, float *to) {}
void tb_gemm_pack_columns(const void *from, int type, long stride, int is_transposed, long count, long k, long panel_stride,
                          float *to) {}
void tb_gemm_block(long m, long n, long k, const float *a, long a_stride, const float *b, float *c, long c_stride, int accumulate,
                   tb_gemm_ahead ahead) {}

#endif
