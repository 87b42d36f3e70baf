// Parameter blocks that kernels take by value. The host fills them; the kernels' text includes this same file, so it uses nothing
// but C's own types. Pointers are device addresses. "Type" numbers are DType's: 0 f32, 1 bf16, 2 f16.
#pragma once

// A weight [rows, columns] of two to eight bits a number; the fields are those of the CPU's tb_quantized (CKernels.h), as are kinds.
typedef struct {
    int kind, bits;
    long long rows, columns;
    const unsigned char *codes;
    long long row_bytes;
    const float *table, *scales;
    const unsigned char *scale_codes;
    const float *scale_table;
    float scale_offset;
    int reserved;
    long long scale_block, block, groups;
    const unsigned short *zeros;
    const int *group_of;
} tb_cuda_quantized;

// Attention of a stream of sequences. Strides are elements between rows; heads follow each other inside a row. A row of the stream
// belongs to the sequence s with cumulative[s] <= row < cumulative[s + 1].
typedef struct {
    const void *query, *key, *value;
    void *result;
    float *log_sum_exp;              // [heads, tokens]; may be null in the forward pass
    const void *gradient;            // of the result; backward only, as are the five that follow
    float *delta;                    // [heads, tokens]
    void *query_gradient, *key_gradient, *value_gradient;
    const int *cumulative;           // [sequences + 1]
    const int *key_cumulative;       // the same of keys where there are more of them (the last query meets the last key), or null
    const float *slopes;             // ALiBi's, one a head, or null
    long long query_stride, key_stride, value_stride, result_stride;
    long long gradient_stride, query_gradient_stride, key_gradient_stride, value_gradient_stride;
    int sequences, tokens, heads, key_value_heads, dimension;
    int window;                      // keys that a query sees, itself among them; 0: all
    int is_causal;
    float scale;
    float soft_cap;                  // 0: none
} tb_cuda_attention;

// Keys and values of one layer in pages. Token t of head h of sequence s lies `h * head_stride + (t % page_tokens) * token_stride`
// elements after the address key_pages[s * most_pages + t / page_tokens] + key_offset (bytes: pages hold all layers). A contiguous
// cache is one page of its whole capacity.
typedef struct {
    const long long *key_pages, *value_pages;
    long long key_offset, value_offset;
    const int *lengths;              // [sequences]: tokens that were there before this call
    long long head_stride, token_stride;
    int most_pages, page_tokens;
    int type;                        // of the elements
    int sequences;
} tb_cuda_cache;

// step_size = rate / (1 - beta1^t); root_correction = 1 / sqrt(1 - beta2^t); decay = 1 - rate * weight_decay.
typedef struct {
    float beta1, beta2, epsilon, step_size, root_correction, decay, gradient_scale;
} tb_cuda_adamw;

// One parameter of a group that is updated by one launch. Each member has whole blocks of TB_MEMBER_BLOCK elements; `first_block`
// counts those of the members before it.
#define TB_MEMBER_BLOCK 16384
typedef struct {
    void *parameter;
    const void *gradient;
    float *first, *second;           // moments; of moments in 8 bits the scales of their blocks
    unsigned char *first_codes, *second_codes;  // null where moments are f32
    long long count, first_block;
    int parameter_type, gradient_type;
    tb_cuda_adamw step;
    int reserved;
} tb_cuda_adamw_member;

// A moment in 8 bits: blocks of 256 codes into `table` (256 rising values), times the block's scale.
typedef struct {
    unsigned char *codes;
    float *scales;
    const float *table;      // 256
    const float *midpoints;  // 255
} tb_cuda_moment;

// How the next token of a row is chosen.
typedef struct {
    float temperature;  // 0: the first of the largest logits
    float top_p;        // 1: all
    float min_p;        // 0: all
    int top_k;          // 0: all
    float penalty;      // of tokens that were seen; 1: none
    int is_live;        // 0: nothing of the row moves on
} tb_cuda_sampling;

// What steps of decoding hand on to each other, so that one is the same work as the next.
typedef struct {
    int *tokens;              // [rows]: what a step is fed, and then what comes next
    int *positions, *lengths; // [rows]: of that token, and of its cache before it
    const float *uniforms;    // [rows, uniform_count]: numbers in [0, 1), taken in turn
    int *draws;               // [rows]: how many were taken
    unsigned char *seen;      // [rows, width]: 1 for tokens of prompt and answer; null where nobody is penalised
    int *results;             // [rows]: the token, -1 where the logits are no numbers
    int uniform_count, reserved;
} tb_cuda_decoding;
