// One poll for everything that can happen: keys, signals, captured output, wake-ups.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "state.h"

int terminal_saved_output[2] = {-1, -1};
int terminal_output_pipe = -1;

static int signal_descriptor = -1, wake_descriptor = -1, log_descriptor = -1;

static void signal_set(sigset_t *set) {
    static const int signals[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT};
    sigemptyset(set);
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaddset(set, signals[i]);
}

void terminal_block_signals(void) {
    sigset_t set;
    signal_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (signal_descriptor < 0) signal_descriptor = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

void terminal_unblock_signals(void) {
    sigset_t set;
    signal_set(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    if (signal_descriptor >= 0) close(signal_descriptor);
    signal_descriptor = -1;
}

int terminal_make_event_descriptor(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int terminal_wake_descriptor(void) {
    if (wake_descriptor < 0) wake_descriptor = terminal_make_event_descriptor();
    return wake_descriptor;
}

int terminal_next_signal(void) {
    struct signalfd_siginfo info;
    if (signal_descriptor < 0 || read(signal_descriptor, &info, sizeof info) != sizeof info) return 0;
    return (int)info.ssi_signo;
}

int terminal_wait_keys(int timeout_milliseconds) {
    struct pollfd entry = {.fd = terminal_in_descriptor, .events = POLLIN};
    return poll(&entry, 1, timeout_milliseconds) > 0 && (entry.revents & POLLIN);
}

int terminal_wait(int timeout_milliseconds) {
    int keys = atomic_load(&terminal_is_active) ? terminal_in_descriptor : -1;
    struct pollfd entries[4] = {
        {.fd = keys, .events = POLLIN},
        {.fd = terminal_wake_descriptor(), .events = POLLIN},
        {.fd = terminal_output_pipe, .events = POLLIN},
        {.fd = signal_descriptor, .events = POLLIN},
    };
    if (poll(entries, 4, timeout_milliseconds) <= 0) return 0;
    int ready = 0;
    if (entries[0].revents & (POLLHUP | POLLERR | POLLNVAL)) ready |= TERMINAL_READY_HANG_UP;
    if (entries[0].revents & POLLIN) ready |= TERMINAL_READY_KEYS;
    if (entries[1].revents & POLLIN) {
        uint64_t count;
        if (read(wake_descriptor, &count, sizeof count) == sizeof count) ready |= TERMINAL_READY_WAKE;
    }
    if (entries[2].revents & POLLIN) ready |= TERMINAL_READY_OUTPUT;
    if (entries[3].revents & POLLIN) ready |= TERMINAL_READY_SIGNAL;
    return ready;
}

// MARK: Stray output

int terminal_capture_output(int log_fd) {
    if (terminal_output_pipe >= 0) return -1;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
    for (int i = 0; i < 2; i++) terminal_saved_output[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
    int failed = dup2(ends[1], 1) < 0 || dup2(ends[1], 2) < 0;
    close(ends[1]);
    terminal_output_pipe = ends[0];
    log_descriptor = log_fd;
    if (failed) terminal_release_output();
    return failed ? -1 : 0;
}

long terminal_read_output(void *buffer, size_t size) {
    if (terminal_output_pipe < 0) return 0;
    ssize_t count = read(terminal_output_pipe, buffer, size);
    if (count <= 0) return 0;
    if (log_descriptor >= 0) terminal_write_all(log_descriptor, buffer, (size_t)count);
    return count;
}

void terminal_release_output(void) {
    if (terminal_output_pipe < 0) return;
    for (int i = 0; i < 2; i++) {
        if (terminal_saved_output[i] < 0) continue;
        dup2(terminal_saved_output[i], i + 1);
        close(terminal_saved_output[i]);
        terminal_saved_output[i] = -1;
    }
    // What nobody read is shown after all.
    char rest[4096];
    long count;
    while ((count = terminal_read_output(rest, sizeof rest)) > 0) terminal_write_all(2, rest, (size_t)count);
    close(terminal_output_pipe);
    terminal_output_pipe = -1;
    log_descriptor = -1;
}
