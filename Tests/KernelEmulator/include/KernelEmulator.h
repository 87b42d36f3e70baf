// Runs the CUDA kernels' own text on the CPU, thread by thread, so that they can be checked where there is no card. Tests only.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

// How the threads of a block take turns. Results must not depend on it: where they do, threads race. Forward all warps go step by
// step; in the other two a warp runs until it must wait for the others, beginning with the last or with any.
enum { EMULATED_FORWARD = 0, EMULATED_BACKWARD = 1, EMULATED_SHUFFLED = 2 };

// As cuLaunchKernel: `parameters` holds an address for each. `variant` is HEAD_DIMENSION or ROWS, 0 where a file wants neither.
// Returns 0, or what is wrong: 1 no such kernel or variant, 2 threads wait for each other for ever.
int emulated_launch(const char *kernel, int element, int variant, const unsigned grid[3], unsigned threads, unsigned shared_bytes,
                    void **parameters, int order);
// Whether there is such a kernel for that element type and variant.
int emulated_has(const char *kernel, int element, int variant);

// Comparisons of kernels with the CPU backend's functions or with plain loops.
int kernel_check_count(void);
const char *kernel_check_name(int index);
// Returns null when the check holds, otherwise what was expected and seen; the text lives until the next call.
const char *kernel_check_run(int index);

#ifdef __cplusplus
}
#endif
