#pragma once
// What Swift cannot call or see directly: fork, the environment, crc32c and a few structures of the C library.

#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// fork(2), which the Swift importer hides. Call it only while the process has one thread.
pid_t platform_fork(void);

/// The environment as execve wants it.
char *const *platform_environment(void);

/// CRC-32C (Castagnoli) of `count` bytes, continuing from `crc` (0 to begin).
uint32_t platform_crc32c(uint32_t crc, const uint8_t *bytes, size_t count);

/// memmem(3): where `wanted` first stands in `bytes`, or null; takes no longer than both lengths together.
const uint8_t *platform_find(const uint8_t *bytes, size_t count, const uint8_t *wanted, size_t wanted_count);

/// Closes every file descriptor from `first` on; for children between fork and exec.
void platform_close_from(int first);

/// ioctl(TIOCGWINSZ): fills columns and rows, returns 0 when `descriptor` is a terminal with a known size.
int platform_window_size(int descriptor, int *columns, int *rows);

/// pipe2(2) with O_CLOEXEC: ends[0] to read, ends[1] to write. 0 when it worked.
int platform_pipe(int ends[2]);

/// Processors in the calling thread's affinity mask, 0 when unknown.
int platform_affinity_count(void);

/// sched_setattr(2) with a slice of processor time for the calling thread, 100 microseconds to 100 ms, as the kernel's EEVDF scheduler
/// (Linux 6.12) understands it; older kernels accept it and change nothing. Threads and processes that the thread starts have it too
/// if it is inherited. 0 when it worked.
int platform_set_time_slice(uint64_t nanoseconds, int is_inherited);

/// pthread_setname_np for the calling thread; at most 15 bytes count.
void platform_name_thread(const char *name);

/// posix_spawn_file_actions_addchdir_np.
int platform_spawn_directory(posix_spawn_file_actions_t *actions, const char *directory);

/// prctl(PR_SET_PDEATHSIG): the signal this process gets when its parent ends; 0 for none.
void platform_signal_on_parent_death(int signal);

/// Gives the calling thread a stack of its own for signal handlers, so that a handler runs even after a stack overflow.
void platform_install_signal_stack(void);

/// Takes that stack back; for threads that end.
void platform_remove_signal_stack(void);

/// Asks for the memory at an address ahead of its use. Any address will do.
static inline void platform_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }

/// How many bytes at the front of a text were found to be whole, valid UTF-8 characters, at many gigabytes a second. What follows may be
/// valid too: short ends are left unchecked, and everything is where the processor lacks AVX2.
size_t platform_utf8_prefix(const uint8_t *bytes, size_t count);

/// Swaps two names in one instant, renameat2(RENAME_EXCHANGE). 0 when it worked; not every file system can.
int platform_exchange(const char *first, const char *second);
