#define _GNU_SOURCE
#include "CPlatform.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

pid_t platform_fork(void) { return fork(); }

char *const *platform_environment(void) { return environ; }

const uint8_t *platform_find(const uint8_t *bytes, size_t count, const uint8_t *wanted, size_t wanted_count) {
    return memmem(bytes, count, wanted, wanted_count);
}

// The reflected polynomial 0x82F63B78, one table entry per byte, built on first use. Building it twice from two threads writes
// the same numbers, so no lock is needed.
static uint32_t crc_table[256];
static volatile int crc_table_ready;

static void build_crc_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (0x82F63B78u & (0u - (value & 1u)));
        crc_table[byte] = value;
    }
    crc_table_ready = 1;
}

uint32_t platform_crc32c(uint32_t crc, const uint8_t *bytes, size_t count) {
    if (!crc_table_ready) build_crc_table();
    crc = ~crc;
    for (size_t index = 0; index < count; index++) crc = (crc >> 8) ^ crc_table[(crc ^ bytes[index]) & 0xFF];
    return ~crc;
}

void platform_close_from(int first) {
    // /proc/self/fd names exactly the open ones; without it, the plain range.
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        for (int descriptor = first; descriptor < 1024; descriptor++) close(descriptor);
        return;
    }
    int own = dirfd(directory);
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        int descriptor = atoi(entry->d_name);
        if (descriptor >= first && descriptor != own) close(descriptor);
    }
    closedir(directory);
}

int platform_window_size(int descriptor, int *columns, int *rows) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return -1;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return 0;
}

int platform_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int platform_affinity_count(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

int platform_set_time_slice(uint64_t nanoseconds, int is_inherited) {
    // struct sched_attr of <linux/sched/types.h> in its first published form, which glibc does not declare everywhere.
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = sizeof attributes, .policy = SCHED_OTHER, .flags = is_inherited ? 0 : 1 /* SCHED_FLAG_RESET_ON_FORK */};
    // Whoever started us under another policy knows better.
    if (sched_getscheduler(0) != SCHED_OTHER) return -1;
    attributes.nice = getpriority(PRIO_PROCESS, 0);
    attributes.runtime = nanoseconds;
    return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void platform_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int platform_spawn_directory(posix_spawn_file_actions_t *actions, const char *directory) {
    return posix_spawn_file_actions_addchdir_np(actions, directory);
}

void platform_signal_on_parent_death(int signal) { prctl(PR_SET_PDEATHSIG, signal); }

#define SIGNAL_STACK_BYTES (64 << 10)
static __thread void *signal_stack;

void platform_install_signal_stack(void) {
    if (signal_stack) return;
    void *memory = mmap(NULL, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    stack_t stack = {.ss_sp = memory, .ss_size = SIGNAL_STACK_BYTES};
    if (sigaltstack(&stack, NULL) == 0) signal_stack = memory; else munmap(memory, SIGNAL_STACK_BYTES);
}

void platform_remove_signal_stack(void) {
    if (!signal_stack) return;
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    munmap(signal_stack, SIGNAL_STACK_BYTES);
    signal_stack = NULL;
}

int platform_exchange(const char *first, const char *second) { return renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE); }
