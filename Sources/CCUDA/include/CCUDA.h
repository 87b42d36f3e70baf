// The NVIDIA libraries as tables of functions, found when the program runs: the driver, the run-time compiler (NVRTC), cuBLASLt
// and the management library (NVML). No CUDA header is needed to build this and no CUDA library to start it. A table whose
// library is missing has null pointers. Tests put their own functions into the tables.
//
// Handles are `void *`, device addresses `uint64_t`, enumerations and status codes `int`; Tests/Tensors check sizes and kinds of every
// prototype against NVIDIA's headers where those are installed.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t tb_device_address;

// cublasLtMatmulHeuristicResult_t: an algorithm and what it needs.
typedef struct {
    uint64_t algorithm[8];
    size_t workspace_bytes;
    int state;  // 0 when the algorithm can be used
    float waves;
    int reserved[4];
} tb_matmul_heuristic;

typedef struct { unsigned int gpu, memory; } tb_nvml_utilization;              // percent
typedef struct { unsigned long long total, free, used; } tb_nvml_memory;      // bytes

// Each line: result, symbol, parameters.
#define TB_CUDA_DRIVER_FUNCTIONS(F)                                                                                             \
    F(int, cuInit, (unsigned int flags))                                                                                        \
    F(int, cuDriverGetVersion, (int *version))                                                                                  \
    F(int, cuGetErrorName, (int error, const char **name))                                                                      \
    F(int, cuGetErrorString, (int error, const char **text))                                                                    \
    F(int, cuDeviceGetCount, (int *count))                                                                                      \
    F(int, cuDeviceGet, (int *device, int ordinal))                                                                             \
    F(int, cuDeviceGetName, (char *name, int length, int device))                                                               \
    F(int, cuDeviceGetAttribute, (int *value, int attribute, int device))                                                       \
    F(int, cuDeviceTotalMem_v2, (size_t *bytes, int device))                                                                    \
    F(int, cuDeviceGetPCIBusId, (char *text, int length, int device))                                                           \
    F(int, cuDevicePrimaryCtxRetain, (void **context, int device))                                                              \
    F(int, cuDevicePrimaryCtxRelease_v2, (int device))                                                                          \
    F(int, cuCtxSetCurrent, (void *context))                                                                                    \
    F(int, cuCtxSynchronize, (void))                                                                                            \
    F(int, cuMemGetInfo_v2, (size_t *free, size_t *total))                                                                      \
    F(int, cuMemAlloc_v2, (tb_device_address *address, size_t bytes))                                                           \
    F(int, cuMemFree_v2, (tb_device_address address))                                                                           \
    F(int, cuMemAllocHost_v2, (void **address, size_t bytes))                                                                   \
    F(int, cuMemFreeHost, (void *address))                                                                                      \
    F(int, cuMemcpyHtoDAsync_v2, (tb_device_address to, const void *from, size_t bytes, void *stream))                          \
    F(int, cuMemcpyDtoHAsync_v2, (void *to, tb_device_address from, size_t bytes, void *stream))                                \
    F(int, cuMemcpyDtoDAsync_v2, (tb_device_address to, tb_device_address from, size_t bytes, void *stream))                    \
    F(int, cuMemsetD8Async, (tb_device_address to, unsigned char value, size_t count, void *stream))                            \
    F(int, cuMemsetD32Async, (tb_device_address to, unsigned int value, size_t count, void *stream))                            \
    F(int, cuStreamCreate, (void **stream, unsigned int flags))                                                                 \
    F(int, cuStreamDestroy_v2, (void *stream))                                                                                  \
    F(int, cuStreamSynchronize, (void *stream))                                                                                 \
    F(int, cuStreamWaitEvent, (void *stream, void *event, unsigned int flags))                                                  \
    F(int, cuEventCreate, (void **event, unsigned int flags))                                                                   \
    F(int, cuEventRecord, (void *event, void *stream))                                                                          \
    F(int, cuEventSynchronize, (void *event))                                                                                   \
    F(int, cuEventElapsedTime, (float *milliseconds, void *start, void *end))                                                   \
    F(int, cuEventDestroy_v2, (void *event))                                                                                    \
    F(int, cuModuleLoadData, (void **module, const void *image))                                                                \
    F(int, cuModuleUnload, (void *module))                                                                                      \
    F(int, cuModuleGetFunction, (void **function, void *module, const char *name))                                              \
    F(int, cuFuncSetAttribute, (void *function, int attribute, int value))                                                      \
    F(int, cuLaunchKernel,                                                                                                      \
      (void *function, unsigned int gridX, unsigned int gridY, unsigned int gridZ, unsigned int blockX, unsigned int blockY,    \
       unsigned int blockZ, unsigned int sharedBytes, void *stream, void **parameters, void **extra))

// What an older driver may lack: without them every launch is sent by itself. cuGraphExecUpdate is the first of its name, which
// every driver still has.
#define TB_CUDA_GRAPH_FUNCTIONS(F)                                                                                              \
    F(int, cuStreamBeginCapture_v2, (void *stream, int mode))                                                                   \
    F(int, cuStreamEndCapture, (void *stream, void **graph))                                                                    \
    F(int, cuGraphInstantiateWithFlags, (void **executable, void *graph, unsigned long long flags))                             \
    F(int, cuGraphExecUpdate, (void *executable, void *graph, void **node, int *result))                                        \
    F(int, cuGraphLaunch, (void *executable, void *stream))                                                                     \
    F(int, cuGraphExecDestroy, (void *executable))                                                                              \
    F(int, cuGraphDestroy, (void *graph))

#define TB_NVRTC_FUNCTIONS(F)                                                                                                   \
    F(int, nvrtcVersion, (int *major, int *minor))                                                                              \
    F(const char *, nvrtcGetErrorString, (int error))                                                                           \
    F(int, nvrtcCreateProgram,                                                                                                  \
      (void **program, const char *source, const char *name, int headerCount, const char *const *headers,                       \
       const char *const *includeNames))                                                                                        \
    F(int, nvrtcDestroyProgram, (void **program))                                                                               \
    F(int, nvrtcCompileProgram, (void *program, int optionCount, const char *const *options))                                   \
    F(int, nvrtcGetCUBINSize, (void *program, size_t *bytes))                                                                   \
    F(int, nvrtcGetCUBIN, (void *program, char *cubin))                                                                         \
    F(int, nvrtcGetProgramLogSize, (void *program, size_t *bytes))                                                              \
    F(int, nvrtcGetProgramLog, (void *program, char *log))                                                                      \
    F(int, nvrtcGetNumSupportedArchs, (int *count))                                                                             \
    F(int, nvrtcGetSupportedArchs, (int *architectures))

#define TB_CUBLASLT_FUNCTIONS(F)                                                                                                \
    F(size_t, cublasLtGetVersion, (void))                                                                                       \
    F(int, cublasLtCreate, (void **handle))                                                                                     \
    F(int, cublasLtDestroy, (void *handle))                                                                                     \
    F(int, cublasLtMatmul,                                                                                                      \
      (void *handle, void *description, const void *alpha, const void *a, void *aLayout, const void *b, void *bLayout,          \
       const void *beta, const void *c, void *cLayout, void *d, void *dLayout, const void *algorithm, void *workspace,          \
       size_t workspaceBytes, void *stream))                                                                                    \
    F(int, cublasLtMatmulDescCreate, (void **description, int computeType, int scaleType))                                      \
    F(int, cublasLtMatmulDescDestroy, (void *description))                                                                      \
    F(int, cublasLtMatmulDescSetAttribute, (void *description, int attribute, const void *value, size_t bytes))                 \
    F(int, cublasLtMatrixLayoutCreate, (void **layout, int type, uint64_t rows, uint64_t columns, int64_t leading))             \
    F(int, cublasLtMatrixLayoutDestroy, (void *layout))                                                                         \
    F(int, cublasLtMatrixLayoutSetAttribute, (void *layout, int attribute, const void *value, size_t bytes))                    \
    F(int, cublasLtMatmulPreferenceCreate, (void **preference))                                                                 \
    F(int, cublasLtMatmulPreferenceDestroy, (void *preference))                                                                 \
    F(int, cublasLtMatmulPreferenceSetAttribute, (void *preference, int attribute, const void *value, size_t bytes))            \
    F(int, cublasLtMatmulAlgoGetHeuristic,                                                                                      \
      (void *handle, void *description, void *aLayout, void *bLayout, void *cLayout, void *dLayout, void *preference,           \
       int wanted, tb_matmul_heuristic *results, int *found))

#define TB_NVML_FUNCTIONS(F)                                                                                                    \
    F(int, nvmlInit_v2, (void))                                                                                                 \
    F(int, nvmlShutdown, (void))                                                                                                \
    F(const char *, nvmlErrorString, (int error))                                                                               \
    F(int, nvmlSystemGetDriverVersion, (char *version, unsigned int length))                                                    \
    F(int, nvmlDeviceGetCount_v2, (unsigned int *count))                                                                        \
    F(int, nvmlDeviceGetHandleByIndex_v2, (unsigned int index, void **device))                                                  \
    F(int, nvmlDeviceGetHandleByPciBusId_v2, (const char *busId, void **device))                                                \
    F(int, nvmlDeviceGetName, (void *device, char *name, unsigned int length))                                                  \
    F(int, nvmlDeviceGetUtilizationRates, (void *device, tb_nvml_utilization *rates))                                           \
    F(int, nvmlDeviceGetMemoryInfo, (void *device, tb_nvml_memory *memory))                                                     \
    F(int, nvmlDeviceGetTemperature, (void *device, int sensor, unsigned int *celsius))                                         \
    F(int, nvmlDeviceGetPowerUsage, (void *device, unsigned int *milliwatts))                                                   \
    F(int, nvmlDeviceGetEnforcedPowerLimit, (void *device, unsigned int *milliwatts))                                           \
    F(int, nvmlDeviceGetClockInfo, (void *device, int clock, unsigned int *megahertz))                                          \
    F(int, nvmlDeviceGetMaxClockInfo, (void *device, int clock, unsigned int *megahertz))

#define TB_FIELD(result, name, parameters) result(*name) parameters;
typedef struct { TB_CUDA_DRIVER_FUNCTIONS(TB_FIELD) TB_CUDA_GRAPH_FUNCTIONS(TB_FIELD) } tb_cuda_driver;
typedef struct { TB_NVRTC_FUNCTIONS(TB_FIELD) } tb_nvrtc;
typedef struct { TB_CUBLASLT_FUNCTIONS(TB_FIELD) } tb_cublaslt;
typedef struct { TB_NVML_FUNCTIONS(TB_FIELD) } tb_nvml;
#undef TB_FIELD

// Opens a shared library for good; null when that fails, and `reason` (capacity bytes) says why.
void *tb_library_open(const char *path, char *reason, size_t capacity);
void tb_library_close(void *library);
// The file that an address of an open library was loaded from, into `path`; 0 when that cannot be told.
int tb_library_path(void *library, const char *symbol, char *path, size_t capacity);

// Fill a table from an open library. The result is the name of the first function that is missing, or null; those of graphs may be.
const char *tb_cuda_driver_load(void *library, tb_cuda_driver *table);
const char *tb_nvrtc_load(void *library, tb_nvrtc *table);
const char *tb_cublaslt_load(void *library, tb_cublaslt *table);
const char *tb_nvml_load(void *library, tb_nvml *table);

// Whose context is current in the calling thread, by a number that its owner has given itself; 0 in a new thread. Threads cannot be
// told apart by their identifiers: the system gives those of ended threads away again.
uint64_t tb_context_owner(void);
void tb_set_context_owner(uint64_t owner);

#ifdef __cplusplus
}
#endif
