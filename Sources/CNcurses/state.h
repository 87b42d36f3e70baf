// Shared by the files of this target.
#pragma once
#include <signal.h>
#include <stdatomic.h>
#include <termios.h>

#include "CNcurses.h"

// The terminal's descriptors; -1 while there is none.
extern int terminal_in_descriptor, terminal_out_descriptor;
// Set from the moment it is open until it is closed, left or gone.
extern atomic_int terminal_is_active;
// Set while a frame is on its way, so that a crash on another thread can wait for it.
extern atomic_int terminal_is_drawing;
// Set by the crash handler: nothing is drawn from then on.
extern atomic_int terminal_has_crashed;
// The settings from before we came.
extern struct termios terminal_saved_settings;
extern int terminal_has_saved_settings;
// Where descriptor 2 went before it was captured; -1 when it is not captured.
extern int terminal_saved_output[2];
extern int terminal_output_pipe;

// The bytes that undo all modes are made beforehand, so that they can be sent from a signal handler.
void terminal_build_restore_string(void);
void terminal_write_restore_string(void);
void terminal_install_crash_handler(void);
void terminal_remove_crash_handler(void);
// Writes all bytes, waiting for a slow terminal; safe in signal handlers.
int terminal_write_all(int descriptor, const void *bytes, size_t count);
