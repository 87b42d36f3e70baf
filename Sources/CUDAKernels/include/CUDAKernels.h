// The text of the CUDA kernels, which stands inside the binary: NVRTC compiles it for the card that is there. kernels.tsv is the
// list of kernels with their parameters and launch geometry.
#pragma once
#include "parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *name;  // "norms.cu": a program; "common.cuh": a header that programs include by this name
    const char *text;  // ends with a zero
    long length;       // without the zero
} tb_cuda_file;

// All files; `count` gets how many.
const tb_cuda_file *tb_cuda_files(int *count);
// The text of kernels.tsv.
const char *tb_cuda_kernel_table(void);

#ifdef __cplusplus
}
#endif
