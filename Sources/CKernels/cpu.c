// Facts about the processor.
#include "CKernels.h"

void tb_cpu_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static _Thread_local int own_number = 0;

int tb_thread_number(void) { return own_number; }

void tb_set_thread_number(int number) { own_number = number; }

static _Thread_local int limit = 9;

static int detected_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq")
        || !__builtin_cpu_supports("avx512vl"))
        return 1;
    return __builtin_cpu_supports("avx512vnni") ? 3 : 2;
#else
    return 0;
#endif
}

int tb_vector_level(void) {
    static int known = -1;
    if (known < 0) known = detected_level();
    return known < limit ? known : limit;
}

void tb_limit_vector_level(int level) { limit = level; }

const char *tb_instruction_set(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return "AVX-512";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "AVX2";
    return "x86-64";
#else
    return "portable";
#endif
}
