// The kernels' files as bytes.
#include "CUDAKernels.h"

#pragma clang diagnostic ignored "-Wc23-extensions"  // #embed

#define FILE_ENTRY(array, name) {name, array, (long)sizeof(array) - 1}

static const char machine[] = {
#embed "text/machine.cuh" suffix(, 0)
};
static const char common[] = {
#embed "text/common.cuh" suffix(, 0)
};
static const char parameters[] = {
#embed "include/parameters.h" suffix(, 0)
};
static const char elementwise[] = {
#embed "text/elementwise.cu" suffix(, 0)
};
static const char casts[] = {
#embed "text/casts.cu" suffix(, 0)
};
static const char activations[] = {
#embed "text/activations.cu" suffix(, 0)
};
static const char table[] = {
#embed "kernels.tsv" suffix(, 0)
};

static const tb_cuda_file files[] = {
    FILE_ENTRY(machine, "machine.cuh"), FILE_ENTRY(common, "common.cuh"), FILE_ENTRY(parameters, "parameters.h"),
    FILE_ENTRY(elementwise, "elementwise.cu"), FILE_ENTRY(casts, "casts.cu"), FILE_ENTRY(activations, "activations.cu"),
};

const tb_cuda_file *tb_cuda_files(int *count) {
    *count = (int)(sizeof(files) / sizeof(files[0]));
    return files;
}

const char *tb_cuda_kernel_table(void) { return table; }
