// A crash gives the terminal back before it ends the program. Everything here is safe in a signal handler: the bytes that restore
// the screen are made beforehand, and ncurses is not called.
#include "state.h"

// term.h makes macros of ordinary words such as columns, so it comes last.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE};
enum { CRASH_SIGNALS = sizeof crash_signals / sizeof *crash_signals };

static struct sigaction previous_actions[CRASH_SIGNALS];
static int is_installed;
static char restore_string[512];
static size_t restore_length;

static int collect(int character) {
    if (restore_length < sizeof restore_string - 1) restore_string[restore_length++] = (char)character;
    return character;
}

static void add(const char *text) {
    while (text && *text) collect(*text++);
}

static void add_capability(const char *capability) {
    if (capability && capability != (char *)-1) tputs(capability, 1, collect);
}

void terminal_build_restore_string(void) {
    restore_length = 0;
    add("\033[?1006l\033[?1003l\033[?1002l\033[?1000l\033[?2004l");
    add_capability(exit_attribute_mode);
    add_capability(orig_pair);
    add_capability(keypad_local);
    add_capability(cursor_normal);
    add_capability(exit_ca_mode);
    add("\r\n");
}

static void restore(int out_descriptor) {
    terminal_write_all(out_descriptor, restore_string, restore_length);
    if (terminal_has_saved_settings) tcsetattr(terminal_in_descriptor, TCSANOW, &terminal_saved_settings);
}

void terminal_write_restore_string(void) { restore(terminal_out_descriptor); }

// Other threads run on until the end: from here on what they draw goes nowhere. A write that has begun is whole before ours begins.
static int take_terminal_from_threads(void) {
    int terminal = fcntl(terminal_out_descriptor, F_DUPFD_CLOEXEC, 3);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (terminal < 0 || nowhere < 0 || dup2(nowhere, terminal_out_descriptor) < 0) return terminal_out_descriptor;
    return terminal;
}

// Shows what was printed just before the crash: the runtime's own message is in the pipe.
static void release_captured_text(void) {
    if (terminal_output_pipe < 0) return;
    int target = terminal_saved_output[1] >= 0 ? terminal_saved_output[1] : 2;
    char text[1024];
    ssize_t count;
    while ((count = read(terminal_output_pipe, text, sizeof text)) > 0) terminal_write_all(target, text, (size_t)count);
    for (int i = 0; i < 2; i++) {
        if (terminal_saved_output[i] >= 0) dup2(terminal_saved_output[i], i + 1);
    }
}

static void handle_crash(int signal_number, siginfo_t *info, void *context) {
    (void)info;
    (void)context;
    if (!atomic_exchange(&terminal_has_crashed, 1) && atomic_load(&terminal_is_active)) {
        // Let a frame that is under way on another thread end, so that no sequence is cut in two. If it is this very thread that was
        // drawing, or the terminal is stuck, a tenth of a second is enough of politeness.
        struct timespec pause = {.tv_nsec = 1000000};
        for (int i = 0; i < 100 && atomic_load(&terminal_is_drawing); i++) nanosleep(&pause, NULL);
        restore(take_terminal_from_threads());
    }
    release_captured_text();
    for (int i = 0; i < CRASH_SIGNALS; i++) {
        if (crash_signals[i] != signal_number) continue;
        struct sigaction action = previous_actions[i];
        if (!(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_IGN) action.sa_handler = SIG_DFL;
        sigaction(signal_number, &action, NULL);
    }
    // Delivered when this handler returns, to whoever was there before us or to the system.
    raise(signal_number);
}

void terminal_install_crash_handler(void) {
    if (is_installed) return;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handle_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    for (int i = 0; i < CRASH_SIGNALS; i++) sigaction(crash_signals[i], &action, &previous_actions[i]);
    is_installed = 1;
}

void terminal_remove_crash_handler(void) {
    if (!is_installed) return;
    for (int i = 0; i < CRASH_SIGNALS; i++) sigaction(crash_signals[i], &previous_actions[i], NULL);
    is_installed = 0;
}
