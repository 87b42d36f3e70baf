// Compiles only when every prototype of CCUDA.h has the size and kind of its original in NVIDIA's headers:
//
//     clang++ -std=c++17 -fsyntax-only -I Sources/CCUDA/include -I <CUDA>/include Tests/CUDAHeaders/prototypes.cpp
#include <type_traits>

#include "CCUDA.h"
#include <cuda.h>
#if __has_include(<nvrtc.h>)
#include <nvrtc.h>
#endif
#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
#endif
#if __has_include(<nvml.h>)
#include <nvml.h>
#endif

// Whole numbers, enumerations and device addresses are one kind, pointers another, floating numbers a third.
template <class A, class B>
constexpr bool isAlike() {
    if constexpr (std::is_void_v<A> || std::is_void_v<B>) return std::is_void_v<A> && std::is_void_v<B>;
    else
        return sizeof(A) == sizeof(B) && std::is_pointer_v<A> == std::is_pointer_v<B> &&
               std::is_floating_point_v<A> == std::is_floating_point_v<B>;
}

template <class... P> struct Parameters {};

template <class... A, class... B>
constexpr bool areAlike(Parameters<A...>, Parameters<B...>) {
    if constexpr (sizeof...(A) != sizeof...(B)) return false;
    else
        return (isAlike<A, B>() && ...);
}

template <class R, class... A, class S, class... B>
constexpr bool match(R (*)(A...), S (*)(B...)) {
    return isAlike<R, S>() && areAlike(Parameters<A...>{}, Parameters<B...>{});
}

#define CHECK(result, name, parameters)                                    \
    static_assert(match((result(*) parameters) nullptr, (decltype(&::name)) nullptr), #name);

TB_CUDA_DRIVER_FUNCTIONS(CHECK)
#if CUDA_VERSION >= 12000
// The headers give the name to a function with other parameters; the one that is called here is no longer declared.
#undef cuGraphExecUpdate
extern "C" CUresult cuGraphExecUpdate(CUgraphExec, CUgraph, CUgraphNode *, CUgraphExecUpdateResult *);
#endif
TB_CUDA_GRAPH_FUNCTIONS(CHECK)
static_assert(sizeof(CUdeviceptr) == sizeof(tb_device_address), "device addresses");
static_assert(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR == 75 && CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR == 76, "attributes");
static_assert(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT == 16 && CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN == 97, "attributes");
static_assert(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE == 36 && CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH == 37, "attributes");
static_assert(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES == 8 && CU_STREAM_NON_BLOCKING == 1, "attributes");
static_assert(CU_EVENT_DISABLE_TIMING == 2 && CUDA_ERROR_DEVICE_UNAVAILABLE == 46 && CUDA_ERROR_ECC_UNCORRECTABLE == 214, "values");
static_assert(CUDA_ERROR_NVLINK_UNCORRECTABLE == 220 && CUDA_ERROR_ILLEGAL_ADDRESS == 700 && CUDA_ERROR_LAUNCH_TIMEOUT == 702, "values");
static_assert(CUDA_ERROR_CONTEXT_IS_DESTROYED == 709 && CUDA_ERROR_HARDWARE_STACK_ERROR == 714 && CUDA_ERROR_LAUNCH_FAILED == 719, "values");
static_assert(CUDA_ERROR_EXTERNAL_DEVICE == 911 && CUDA_ERROR_UNKNOWN == 999, "values");
static_assert(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL == 1 && CUDA_ERROR_OUT_OF_MEMORY == 2, "values");

#if __has_include(<nvrtc.h>)
TB_NVRTC_FUNCTIONS(CHECK)
#endif

#if __has_include(<cublasLt.h>)
TB_CUBLASLT_FUNCTIONS(CHECK)
static_assert(sizeof(tb_matmul_heuristic) == sizeof(cublasLtMatmulHeuristicResult_t), "heuristics");
static_assert(offsetof(tb_matmul_heuristic, workspace_bytes) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize), "heuristics");
static_assert(offsetof(tb_matmul_heuristic, state) == offsetof(cublasLtMatmulHeuristicResult_t, state), "heuristics");
static_assert(CUBLASLT_MATMUL_DESC_TRANSA == 3 && CUBLASLT_MATMUL_DESC_TRANSB == 4, "matmul description");
static_assert(CUBLASLT_MATMUL_DESC_EPILOGUE == 7 && CUBLASLT_MATMUL_DESC_BIAS_POINTER == 8, "matmul description");
static_assert(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE == 26 && CUBLASLT_EPILOGUE_BIAS == 4, "matmul description");
static_assert(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES == 1, "matmul preference");
static_assert(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES == 5 && CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES == 6, "matmul preference");
static_assert(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES == 7 && CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES == 8, "matmul preference");
static_assert(CUBLAS_OP_N == 0 && CUBLAS_OP_T == 1 && CUBLAS_STATUS_SUCCESS == 0, "operations");
static_assert(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT == 5 && CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET == 6, "matrix layout");
static_assert(CUBLAS_COMPUTE_32F == 68 && CUBLAS_COMPUTE_32F_FAST_TF32 == 77, "compute types");
static_assert(CUDA_R_32F == 0 && CUDA_R_16F == 2 && CUDA_R_16BF == 14, "data types");
#endif

#if __has_include(<nvml.h>)
TB_NVML_FUNCTIONS(CHECK)
static_assert(sizeof(tb_nvml_memory) == sizeof(nvmlMemory_t) && sizeof(tb_nvml_utilization) == sizeof(nvmlUtilization_t), "structures");
static_assert(NVML_TEMPERATURE_GPU == 0 && NVML_CLOCK_SM == 1 && NVML_CLOCK_MEM == 2, "values");
#endif
