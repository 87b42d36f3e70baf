// How a kernel is built several times. CLONED goes before a function: the loader picks the best version for the machine.
#pragma once

#if defined(__x86_64__) && defined(__linux__)
#define CLONED __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONED
#endif

#define INLINE static inline __attribute__((always_inline))

// Allows sums in any order inside the block it opens; without it a reduction cannot use vectors.
#define REORDER _Pragma("clang fp reassociate(on) contract(fast)")
