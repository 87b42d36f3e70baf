// The only door to ncurses and to what a terminal program needs from the operating system. No ncurses name gets through: Swift sees
// plain structs and functions. All functions are for one thread, except terminal_wake_descriptor's user and terminal_stop_drawing.
#pragma once
#include <stddef.h>
#include <stdint.h>

// MARK: Cells

enum { TERMINAL_BOLD = 1, TERMINAL_DIM = 2, TERMINAL_ITALIC = 4, TERMINAL_UNDERLINE = 8, TERMINAL_REVERSE = 16 };

// A colour is -1 for the terminal's own, 0...255 of its palette, or TERMINAL_DIRECT | 0xRRGGBB.
enum { TERMINAL_DIRECT = 1 << 24 };

typedef struct {
    uint32_t glyph[3];   // base character and up to two combining marks, 0 where there is none
    int32_t foreground;
    int32_t background;
    uint8_t attributes;  // TERMINAL_BOLD and so on
    uint8_t width;       // 1 or 2; 0 in the right half of a wide character
} terminal_cell;

// MARK: Input

enum terminal_key_kind {
    TERMINAL_NONE,
    TERMINAL_CHARACTER,      // value: the code point
    TERMINAL_KEY,            // value: one of enum terminal_key
    TERMINAL_PASTE_START,
    TERMINAL_PASTE_END,
    TERMINAL_MOUSE,          // value: the button code of an SGR report; x, y from 0; isRelease
    TERMINAL_IGNORED
};

enum terminal_key {
    TERMINAL_UP = 1, TERMINAL_DOWN, TERMINAL_LEFT, TERMINAL_RIGHT, TERMINAL_PAGE_UP, TERMINAL_PAGE_DOWN, TERMINAL_HOME, TERMINAL_END,
    TERMINAL_INSERT, TERMINAL_DELETE, TERMINAL_BACKSPACE, TERMINAL_ENTER, TERMINAL_BACK_TAB,
    TERMINAL_FUNCTION = 100  // + 1...24
};

enum { TERMINAL_CONTROL = 1, TERMINAL_ALT = 2, TERMINAL_SHIFT = 4 };

typedef struct {
    int32_t kind;
    uint32_t value;
    uint8_t modifiers;
    uint8_t is_release;
    int32_t x, y;
} terminal_token;

// Bits of what terminal_wait found.
enum {
    TERMINAL_READY_KEYS = 1, TERMINAL_READY_WAKE = 2, TERMINAL_READY_OUTPUT = 4, TERMINAL_READY_SIGNAL = 8, TERMINAL_READY_HANG_UP = 16
};

// MARK: Life

// Blocks WINCH, INT, TERM, HUP, QUIT, TSTP and CONT for this thread and all that it starts later. First thing in main.
void terminal_block_signals(void);
// Lets them through again: for programs that open no terminal after all.
void terminal_unblock_signals(void);

// Opens the terminal. in_fd and out_fd < 0 mean /dev/tty. term may be NULL for $TERM.
// Returns 0, or -1 no terminal, -2 TERM unknown to terminfo or too dumb to place the cursor.
int terminal_open(int in_fd, int out_fd, const char *term, int use_mouse, int monochrome);
// Restores the terminal; after a hang-up only forgets it.
void terminal_close(void);
// Number of colours: 0, 8, 16, 256, or more than 1 << 16 for direct colour.
int terminal_color_count(void);
int terminal_is_utf8(void);
// The cells that libc gives a character; -1 for those that cannot be shown. Frames show a stand-in where it differs from the cell's.
int terminal_system_width(uint32_t character);
void terminal_size(int *columns, int *rows);
// Takes over the size of the terminal device, or the given one when it has none. The screen is drawn anew.
void terminal_resize(int columns, int rows);
// From now on nothing is written to the terminal and it is not watched.
void terminal_mark_gone(void);

// MARK: Screen

void terminal_draw(int column, int row, const terminal_cell *cells, int count);
// Sends what changed; the cursor is shown at column, row, or hidden when column < 0.
void terminal_flush(int column, int row);
// The next flush draws everything.
void terminal_repaint(void);
// What ncurses believes to be on the screen.
int terminal_read_back(int column, int row, terminal_cell *cell);
// Sends bytes past ncurses, between frames. Returns 0 when all went out.
int terminal_send(const void *bytes, size_t count);
// Gives the terminal to others and takes it back.
void terminal_leave(void);
void terminal_enter(void);

// MARK: Waiting

int terminal_wait(int timeout_milliseconds);
// Waits only for more keys: 1 when there are some.
int terminal_wait_keys(int timeout_milliseconds);
terminal_token terminal_next_token(void);
// The next signal that came, 0 when there is none.
int terminal_next_signal(void);
int terminal_wake_descriptor(void);
int terminal_make_event_descriptor(void);

// MARK: Stray output

// Sends descriptors 1 and 2 into a pipe, teed to log_fd when it is not negative. Returns 0 on success.
int terminal_capture_output(int log_fd);
// Reads what was captured; 0 when there is nothing.
long terminal_read_output(void *buffer, size_t size);
// Puts descriptors 1 and 2 back.
void terminal_release_output(void);

// MARK: Crashes

