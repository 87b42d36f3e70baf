// Vector kernels of the CPU backend. Each is one loop over contiguous rows, run by one thread on its share of the work; the
// callers in Tensors split the work. On x86 every kernel is built for plain x86-64, AVX2 and AVX-512 and chosen at run time;
// elsewhere the plain loop is what the compiler makes of it.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// casts.c: storage types to f32 and back. Rounding to bf16 and f16 is to nearest, ties to even.
void tb_widen_bf16(const uint16_t *from, float *to, long count);
void tb_widen_f16(const uint16_t *from, float *to, long count);
void tb_narrow_bf16(const float *from, uint16_t *to, long count);
void tb_narrow_f16(const float *from, uint16_t *to, long count);

// elementwise.c
void tb_fill(float *to, float value, long count);
void tb_add(const float *a, const float *b, float *to, long count);
void tb_accumulate(const float *from, float *to, float factor, long count);  // to += factor * from
void tb_scale(const float *from, float *to, float factor, long count);       // to = factor * from
double tb_sum_of_squares(const float *from, long count);
double tb_dot(const float *a, const float *b, long count);
// to = from * mask / (1 - probability); the mask of element i is a hash of (seed, first + i), so it can be made again.
void tb_dropout(const float *from, float *to, long count, uint64_t seed, uint64_t first, float probability);
// Column sums of rows x columns added to `to`.
void tb_add_column_sums(const float *from, long rows, long columns, long stride, float *to);

// norms.c: y = x / rms(x) * (weight + offset), one row after the other.
void tb_rms_norm(const float *x, const float *weight, float offset, float epsilon, long rows, long columns,
                 float *y, float *inverse_rms);
void tb_rms_norm_apply(const float *x, const float *weight, float offset, const float *inverse_rms, long rows, long columns,
                       float *y);
// dx (+)= gradient through the norm; weight_gradient += sum over rows when it is not null.
void tb_rms_norm_backward(const float *gradient, const float *x, const float *weight, float offset, const float *inverse_rms,
                          long rows, long columns, int accumulate, float *dx, float *weight_gradient);

// layernorm.c: y = (x - mean) / deviation * weight + bias.
void tb_layer_norm(const float *x, const float *weight, const float *bias, float epsilon, long rows, long columns, float *y,
                   float *means, float *inverse_deviations);
// dx (+)= gradient through the norm; weight_gradient and bias_gradient += sums over rows when they are not null.
void tb_layer_norm_backward(const float *gradient, const float *x, const float *weight, const float *means,
                            const float *inverse_deviations, long rows, long columns, int accumulate, float *dx,
                            float *weight_gradient, float *bias_gradient);

// caps.c
// y = cap * tanh(x / cap), and its derivative in `slopes` when that is not null.
void tb_soft_cap(const float *x, float *y, float *slopes, float cap, long count);
void tb_multiply(const float *a, const float *b, float *to, long count);
// to[i] += slope * (first + i)
void tb_add_ramp(float *to, float first, float slope, long count);

// rotary.c: rotates pairs of each head's first 2 * half elements by the angle of the row's position. sign -1 turns back.
void tb_rotary(const float *x, float *y, long rows, long heads, long head_dimension, long half, int interleaved,
               const float *cosines, const float *sines, const int32_t *positions, float sign);

// gated.c: y = activation(gate) * up. kind: 0 silu, 1 gelu with tanh, 2 gelu.
void tb_gated(const float *gate, const float *up, float *y, long count, int kind);
// dgate and dup may be gate and up themselves.
void tb_gated_backward(const float *gradient, const float *gate, const float *up, float *dgate, float *dup, long count, int kind);

// softmax.c
// One row of logits: its log-sum-exp, and in `best` the index of the largest.
float tb_log_sum_exp(const float *logits, long count, int32_t *best, float *sum);
// Entropy of one row's distribution in natural logarithms, given the row's log-sum-exp.
float tb_entropy(const float *logits, long count, float log_sum_exp);
// logits = weight * (softmax(logits) - (1 - smoothing) * onehot(target) - smoothing / count), given the row's log-sum-exp.
void tb_cross_entropy_gradient(float *logits, long count, float log_sum_exp, int32_t target, float weight, float smoothing);

// optimizers.c: one AdamW step. step_size = rate / (1 - beta1^t); root_correction = 1 / sqrt(1 - beta2^t);
// decay = 1 - rate * weight_decay. gradient_scale multiplies the gradient first (clipping).
typedef struct {
    float beta1, beta2, epsilon, step_size, root_correction, decay, gradient_scale;
} tb_adamw_step;
void tb_adamw(float *parameter, const float *gradient, float *first, float *second, long count, tb_adamw_step step);
void tb_adamw_bf16(uint16_t *parameter, const float *gradient, float *first, float *second, long count, tb_adamw_step step);
// Both moments take in the gradient; direction = first / (sqrt(second) + epsilon), without bias correction. direction may be gradient.
void tb_adam_direction(const float *gradient, float *first, float *second, float *direction, long count, float beta1, float beta2,
                       float epsilon);
// second = decay * second + gain * (gradient^2 + square_epsilon); direction = gradient / (sqrt(second) + epsilon).
void tb_rms_direction(const float *gradient, float *second, float *direction, long count, float decay, float gain,
                      float square_epsilon, float epsilon);
// parameter = decay * parameter - rate * direction
void tb_descend(float *parameter, const float *direction, long count, float rate, float decay);
void tb_descend_bf16(uint16_t *parameter, const float *direction, long count, float rate, float decay);
// to[c] += sum of x[r][c]^2
void tb_add_column_squares(const float *x, long rows, long columns, float *to);

// A moment kept in 8 bits: blocks of TB_STATE_BLOCK codes into `table` (256 rising values in -1...1), times the block's scale.
#define TB_STATE_BLOCK 256
typedef struct {
    uint8_t *codes;
    float *scales;
    const float *table;      // 256 values
    const float *midpoints;  // 255 values between neighbours of the table
} tb_state_8bit;
// As Adam with both moments in 8 bits: direction = first / (sqrt(second) * root_correction + epsilon).
void tb_adam_8bit_direction(const float *gradient, tb_state_8bit first, tb_state_8bit second, float *direction, long count,
                            tb_adamw_step step);

// gemv.c: y[m, rows] = x[m, columns] . weight[rows, columns]^T for a few rows of x. y_stride: distance of y's rows. A row's numbers do not
// depend on how many there are.
void tb_gemv_f32(const float *x, long m, long x_stride, const float *weight, long rows, long columns, float *y, long y_stride);
void tb_gemv_bf16(const float *x, long m, long x_stride, const uint16_t *weight, long rows, long columns, float *y, long y_stride);
void tb_gemv_f16(const float *x, long m, long x_stride, const uint16_t *weight, long rows, long columns, float *y, long y_stride);
// y[m, columns] += x[m, rows] . weight[rows, columns], for a few rows of x.
void tb_gevm_f32(const float *x, long m, long x_stride, const float *weight, long rows, long columns, long stride, float *y, long y_stride);
void tb_gevm_bf16(const float *x, long m, long x_stride, const uint16_t *weight, long rows, long columns, long stride, float *y, long y_stride);

// tiles.c: what tiled attention needs between its products.
// One row of scores for `count` visible keys out of `width`: soft cap, running maximum and sum (online softmax); the row becomes
// exp(score - maximum), masked columns 0. Returns the factor by which earlier results of the row shrink.
float tb_online_softmax(float *scores, long first, long count, long width, float soft_cap, float *maximum, float *sum);
// Scores to probabilities again: p = exp(cap(score) - log_sum_exp), columns outside [first, first + count) 0. When slopes is not
// null it gets the derivative of the soft cap.
void tb_attention_probabilities(float *scores, long first, long count, long width, float soft_cap, float log_sum_exp, float *slopes);
// d = p * (d - delta) (* slope): the gradient of the scores.
void tb_attention_score_gradient(const float *probabilities, float *d, const float *slopes, long width, float delta);

// gemm.c: products of packed matrices. c [m, n] (+)= a [m, k] . b [k, n].
enum { TB_FLOAT32 = 0, TB_BFLOAT16 = 1, TB_FLOAT16 = 2 };
// Rows and columns of a tile of c; 0 where this machine has no such kernels and the caller must use BLAS.
int tb_gemm_tile(long *rows, long *columns);
// Packs rows of a: element (i, p) at from[i * stride + p], or at from[p * stride + i] when transposed. Tiles are tile_stride floats
// apart, at least four more than they have, because a vector may be written beyond a tile's end.
void tb_gemm_pack_rows(const float *from, long stride, int is_transposed, long count, long k, long tile_stride, float *to);
// Packs columns of b: element (p, j) at from[j * stride + p], or at from[p * stride + j] when transposed. Panels are panel_stride
// floats apart.
void tb_gemm_pack_columns(const void *from, int type, long stride, int is_transposed, long count, long k, long panel_stride,
                          float *to);
// Memory that will be packed next: it is asked for while this block is computed. No rows: nothing.
typedef struct {
    const void *from;
    long stride_bytes, rows, row_bytes;
} tb_gemm_ahead;
// b's panels are a tile's columns times k floats apart.
void tb_gemm_block(long m, long n, long k, const float *a, long a_stride, const float *b, float *c, long c_stride, int accumulate,
                   tb_gemm_ahead ahead);

// gemm_bf16.c: the same products with pairs of bf16 numbers, neighbours in k, in the place of one f32; sums are f32. k is even.
// Whether this machine has them.
int tb_gemm_has_bf16(void);
// As tb_gemm_pack_rows, not transposed; the numbers are rounded to bf16.
void tb_gemm_pack_rows_bf16(const float *from, long stride, long count, long k, long tile_stride, float *to);
// As tb_gemm_pack_columns; when not transposed, stride is even.
void tb_gemm_pack_columns_bf16(const uint16_t *from, long stride, int is_transposed, long count, long k, long panel_stride, float *to);
// The same of f32 numbers, which are lost: they are rounded in place.
void tb_gemm_pack_widened_bf16(float *from, long stride, int is_transposed, long count, long k, long panel_stride, float *to);
// b's panels are a tile's columns times `pairs` apart.
void tb_gemm_block_bf16(long m, long n, long pairs, const float *a, long a_stride, const float *b, float *c, long c_stride,
                        int accumulate, tb_gemm_ahead ahead);

// dequantize.c: weights of 2 to 8 bits. A kind below 100 is a GGUF block type's number.
enum {
    TB_Q4_0 = 2, TB_Q4_1 = 3, TB_Q5_0 = 6, TB_Q5_1 = 7, TB_Q8_0 = 8, TB_Q2_K = 10, TB_Q3_K = 11, TB_Q4_K = 12, TB_Q5_K = 13, TB_Q6_K = 14,
    TB_TABLE4 = 100,   // 4-bit codes through a table of 16 numbers, times a scale for each `block` of the flattened weight; the high
                       // nibble comes first (bitsandbytes' NF4 and FP4)
    TB_ROW8 = 101,     // signed bytes times a scale for each row
    TB_GROUPED = 102,  // scale (q - zero) with both for each group of columns (GPTQ, AWQ); the low bits come first
};
typedef struct {
    int kind;
    long rows, columns;
    const uint8_t *codes;
    long row_bytes;              // not for TB_TABLE4
    const float *table;          // TABLE4: 16 numbers
    const float *scales;         // TABLE4: one a block, or one for each scale_block of scale_codes; ROW8: rows; GROUPED: [rows][groups]
    const uint8_t *scale_codes;  // TABLE4: each block's scale as scale_table[code] * scales[block / scale_block] + scale_offset, or null
    const float *scale_table;    // 256 numbers
    float scale_offset;
    long scale_block;
    long block;                  // elements of a block or columns of a group
    long groups;
    const uint16_t *zeros;       // GROUPED: [rows][groups]
    const int32_t *group_of;     // GROUPED: each column's group where they are not in order, or null
    int bits;                    // GROUPED: 2, 4 or 8
} tb_quantized;
// to[i] = w[row, first + i]
void tb_dequantize(const tb_quantized *w, long row, long first, long count, float *to);
void tb_widen_int8(const int8_t *from, float *to, float scale, long count);
// Elements and bytes of a GGUF block type; 0 for others.
int tb_block_layout(int kind, long *elements, long *bytes);

// blockdot.c: products of a few rows with a quantised weight. Activations become signed bytes in blocks of 32.
typedef struct {
    int8_t *codes;
    int8_t *split;      // the same codes, for each four blocks their first halves and then their second ones
    float *scales;      // of each block
    float *sums;        // scale times the sum of the codes, of each block
    int32_t *lanes128;  // -128 times the sum of four codes
    uint16_t *halves;   // the numbers over half_scale in f16
    float half_scale;
    const float *full;  // the numbers themselves, for kinds without integer products
} tb_activation;
long tb_activation_bytes(long count);
// Lays the parts out in memory of that size.
tb_activation tb_activation_in(void *memory, long count);
// Fills codes, split, scales, sums and lanes128 of the elements first ..< first + count from from[0] on; both are multiples of 32.
void tb_quantize_activation(const float *from, long first, long count, tb_activation *x);
// Which parts of an activation the products of a kind read on this machine, for tb_copy_activation; 0 where that is not known.
int tb_activation_parts(int kind);
// Copies those parts, of a vector of count numbers, and what is no array.
void tb_copy_activation(const tb_activation *from, int parts, long count, tb_activation *to);
// Fills halves and half_scale.
void tb_halve_activation(const float *from, long count, tb_activation *x);
// densedot.c: y[i, row - first_row] = weight[row] . x[i] for weights in bf16 or f16. x needs halves and full.
void tb_dense_gemv(int type, const void *weight, long first_row, long rows, long columns, const tb_activation *x, long m, float *y,
                   long y_stride);
// Whether a kind has products of integers; the others want x.full.
int tb_has_block_dot(int kind);
// y[i, row - first_row] = w[row] . x[i]
void tb_quantized_gemv(const tb_quantized *w, long first_row, long rows, const tb_activation *x, long m, float *y, long y_stride);

// attend.c, decoding.c: one new token of a conversation.
typedef struct {
    const void *keys, *values;  // [slots][dimension] of one head, f32 or bf16
    int is_bf16;
    long first, count;          // the keys it sees: first ..< count, the last being its own
    long group, dimension;      // query heads that share the key head
    float scale, soft_cap;      // soft_cap 0: none
    const float *slopes;        // of each query head, or null
} tb_token_attention;
// Floats of scratch memory for tb_attend_token.
long tb_attend_scratch(long group);
// result [group][dimension] = softmax(query . keys) . values
void tb_attend_token(const tb_token_attention *attention, const float *query, float *scratch, float *result);
// y[row] += low . up[row]
void tb_add_low(const float *low, const float *up, long rank, long rows, float *y);
// The place of the first of the largest numbers.
long tb_largest(const float *from, long count);
// Whether any number is at least the limit.
int tb_reaches(const float *from, long count, float limit);
// The sum of exp(scale * (from[i] - largest)).
double tb_exponential_mass(const float *from, long count, float scale, float largest);
// Asks for memory that will be read soon.
void tb_fetch(const void *from, long bytes);
// Adds up 8-byte words: how fast memory can be read is the limit of decoding.
uint64_t tb_read_all(const void *from, long bytes);

// quantize.c: bitsandbytes' quantisers. `bounds` are the 15 borders between 16 ascending numbers, `order` their codes.
void tb_quantize_table4(const float *from, long count, long block, const float *bounds, const uint8_t *order, uint8_t *codes, float *scales);
void tb_quantize_table8(const float *from, long count, long block, const float *table, uint8_t *codes, float *scales);
void tb_quantize_row8(const float *from, long columns, int8_t *codes, float *largest);

// blockquantize.c: `count` numbers, whole blocks, as a GGUF block type; 0 for types that cannot be made (Q2_K, Q3_K).
int tb_quantize_blocks(int kind, const float *from, long count, void *to);

// minhash.c: for each permutation, x -> mix(factor x + offset), the smallest of some items; UINT32_MAX of none. Permutations come by 64.
void tb_minhash(const uint32_t *items, long count, const uint32_t *factors, const uint32_t *offsets, long permutations, uint32_t *minima);

// cpu.c
void tb_cpu_relax(void);
// A number for the calling thread, 0 until one is set.
int tb_thread_number(void);
void tb_set_thread_number(int number);
// 0 plain, 1 AVX2, 2 AVX-512, 3 with VNNI: what the kernels with hand-written vectors use.
int tb_vector_level(void);
// For tests: the calling thread uses no more than this level; 9 gives all back.
void tb_limit_vector_level(int level);
const char *tb_instruction_set(void);

#ifdef __cplusplus
}
#endif
