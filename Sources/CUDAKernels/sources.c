// The kernels' files as bytes.
#include "CUDAKernels.h"

#pragma clang diagnostic ignored "-Wc23-extensions"  // #embed

static const char parameters_header[] = {
#embed "include/parameters.h" suffix(, 0)
};
static const char machine_header[] = {
#embed "text/machine.cuh" suffix(, 0)
};
static const char common_header[] = {
#embed "text/common.cuh" suffix(, 0)
};
static const char activations_text[] = {
#embed "text/activations.cu" suffix(, 0)
};
static const char attention_text[] = {
#embed "text/attention.cu" suffix(, 0)
};
static const char attention_backward_text[] = {
#embed "text/attention_backward.cu" suffix(, 0)
};
static const char attention_delta_text[] = {
#embed "text/attention_delta.cu" suffix(, 0)
};
static const char attention_plain_text[] = {
#embed "text/attention_plain.cu" suffix(, 0)
};
static const char cache_text[] = {
#embed "text/cache.cu" suffix(, 0)
};
static const char casts_text[] = {
#embed "text/casts.cu" suffix(, 0)
};
static const char columns_text[] = {
#embed "text/columns.cu" suffix(, 0)
};
static const char decode_text[] = {
#embed "text/decode.cu" suffix(, 0)
};
static const char dequantize_text[] = {
#embed "text/dequantize.cu" suffix(, 0)
};
static const char elementwise_text[] = {
#embed "text/elementwise.cu" suffix(, 0)
};
static const char experts_text[] = {
#embed "text/experts.cu" suffix(, 0)
};
static const char gemv_text[] = {
#embed "text/gemv.cu" suffix(, 0)
};
static const char gemv_header[] = {
#embed "text/gemv.cuh" suffix(, 0)
};
static const char gemv_quantized_text[] = {
#embed "text/gemv_quantized.cu" suffix(, 0)
};
static const char losses_text[] = {
#embed "text/losses.cu" suffix(, 0)
};
static const char norms_text[] = {
#embed "text/norms.cu" suffix(, 0)
};
static const char optimizers_text[] = {
#embed "text/optimizers.cu" suffix(, 0)
};
static const char paging_header[] = {
#embed "text/paging.cuh" suffix(, 0)
};
static const char quantized_header[] = {
#embed "text/quantized.cuh" suffix(, 0)
};
static const char rotary_text[] = {
#embed "text/rotary.cu" suffix(, 0)
};
static const char rotations_text[] = {
#embed "text/rotations.cu" suffix(, 0)
};
static const char rows_text[] = {
#embed "text/rows.cu" suffix(, 0)
};
static const char sampling_text[] = {
#embed "text/sampling.cu" suffix(, 0)
};
static const char sequences_header[] = {
#embed "text/sequences.cuh" suffix(, 0)
};
static const char sums_text[] = {
#embed "text/sums.cu" suffix(, 0)
};
static const char tiles_header[] = {
#embed "text/tiles.cuh" suffix(, 0)
};
static const char table[] = {
#embed "kernels.tsv" suffix(, 0)
};

#define ENTRY(array, name) {name, array, (long)sizeof(array) - 1}

static const tb_cuda_file files[] = {
    ENTRY(parameters_header, "parameters.h"),
    ENTRY(machine_header, "machine.cuh"),
    ENTRY(common_header, "common.cuh"),
    ENTRY(activations_text, "activations.cu"),
    ENTRY(attention_text, "attention.cu"),
    ENTRY(attention_backward_text, "attention_backward.cu"),
    ENTRY(attention_delta_text, "attention_delta.cu"),
    ENTRY(attention_plain_text, "attention_plain.cu"),
    ENTRY(cache_text, "cache.cu"),
    ENTRY(casts_text, "casts.cu"),
    ENTRY(columns_text, "columns.cu"),
    ENTRY(decode_text, "decode.cu"),
    ENTRY(dequantize_text, "dequantize.cu"),
    ENTRY(elementwise_text, "elementwise.cu"),
    ENTRY(experts_text, "experts.cu"),
    ENTRY(gemv_text, "gemv.cu"),
    ENTRY(gemv_header, "gemv.cuh"),
    ENTRY(gemv_quantized_text, "gemv_quantized.cu"),
    ENTRY(losses_text, "losses.cu"),
    ENTRY(norms_text, "norms.cu"),
    ENTRY(optimizers_text, "optimizers.cu"),
    ENTRY(paging_header, "paging.cuh"),
    ENTRY(quantized_header, "quantized.cuh"),
    ENTRY(rotary_text, "rotary.cu"),
    ENTRY(rotations_text, "rotations.cu"),
    ENTRY(rows_text, "rows.cu"),
    ENTRY(sampling_text, "sampling.cu"),
    ENTRY(sequences_header, "sequences.cuh"),
    ENTRY(sums_text, "sums.cu"),
    ENTRY(tiles_header, "tiles.cuh"),
};

const tb_cuda_file *tb_cuda_files(int *count) {
    *count = (int)(sizeof(files) / sizeof(files[0]));
    return files;
}

const char *tb_cuda_kernel_table(void) { return table; }
