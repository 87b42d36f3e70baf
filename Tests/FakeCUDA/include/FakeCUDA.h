// A card that is not there: NVIDIA's driver, run-time compiler, cuBLASLt and NVML as functions over host memory. Allocations are
// counted and bounded, copies and products really happen, kernels run by KernelEmulator, and every address that is handed to them
// must lie in living memory. Streams, events and graphs are kept apart, and work can be put off until it is waited for. Faults can be
// asked for. Tests only; one fake card in a process.
#pragma once
#include "CCUDA.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int device_count;             // 0: cuInit says that there is none
    int driver_version;           // 12040
    int architecture;             // 90
    size_t memory_bytes;          // of the card
    int module_result;            // what cuModuleLoadData answers; 0 works
    int compile_result;           // what nvrtcCompileProgram answers
    int products_result;          // what cublasLtCreate answers
    long fail_launch;             // the launch with this number (from 1) fails, and if `failure` is fatal everything after it; 0: none
    int failure;                  // how: 719 is CUDA_ERROR_LAUNCH_FAILED
    long fail_capture;            // the part with this number (from 1) of what is captured fails with `failure`; 0: none
    int order;                    // how emulated threads take turns
    int is_lazy;                  // work is done when somebody waits for it, and not before: what nobody waits for stays undone
    int has_no_graphs;            // an older driver
    int has_no_pinned_memory;
    size_t pinned_bytes;          // of page-locked memory that the system gives; 0: enough
} tb_fake_settings;

typedef struct {
    size_t live_bytes, peak_bytes;
    long allocations, frees, live_allocations;
    long launches, products, compilations;
    long uploads, downloads;
    long waits;                   // of the host for a stream, an event or the card
    long captures, instantiations, updates, replays;  // of graphs
    size_t live_pinned;
    long waiting;                 // work that was sent and is not done
    long wild_addresses;          // given to a copy or kernel and not in living memory
} tb_fake_counts;

// Starts a new fake: everything counted from zero. Settings of zero get usual values.
void tb_fake_start(tb_fake_settings settings);
tb_fake_counts tb_fake_read_counts(void);
// Kernels that were launched and that the emulator does not have; "" for none. The text lives until the next call.
const char *tb_fake_missing_kernels(void);
// What was wrong with the first bad call; "" for nothing.
const char *tb_fake_complaint(void);

tb_cuda_driver tb_fake_driver(void);
tb_nvrtc tb_fake_compiler(void);
tb_cublaslt tb_fake_products(void);
tb_nvml tb_fake_management(void);

#ifdef __cplusplus
}
#endif
