// Opening, drawing and closing: everything that ncurses does for us.
#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "keys.h"
#include "state.h"

int terminal_in_descriptor = -1, terminal_out_descriptor = -1;
atomic_int terminal_is_active, terminal_is_drawing, terminal_has_crashed;
struct termios terminal_saved_settings;
int terminal_has_saved_settings;

static SCREEN *screen;
static FILE *in_file, *out_file;
// Keys are read through a pad that is never drawn to, because reading refreshes the window that it reads from.
static WINDOW *key_pad;
static int uses_mouse, color_count, is_utf8;
static int owns_descriptors;

static const char enter_modes[] = "\033[?2004h";
static const char leave_modes[] = "\033[?2004l";
static const char enter_mouse[] = "\033[?1000h\033[?1002h\033[?1006h";
static const char leave_mouse[] = "\033[?1006l\033[?1002l\033[?1000l";

int terminal_write_all(int descriptor, const void *bytes, size_t count) {
    const char *next = bytes;
    while (count > 0) {
        ssize_t written = write(descriptor, next, count);
        if (written >= 0) {
            next += written;
            count -= (size_t)written;
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return -1;
        struct pollfd entry = {.fd = descriptor, .events = POLLOUT};
        if (poll(&entry, 1, 200) <= 0) return -1;
    }
    return 0;
}

static void choose_locale(void) {
    setlocale(LC_ALL, "");
    is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!is_utf8 && setlocale(LC_CTYPE, "C.UTF-8")) {
        // The locale says nothing of use; believe in UTF-8 unless it names another character set on purpose.
        const char *named = getenv("LC_ALL");
        if (!named || !*named) named = getenv("LC_CTYPE");
        if (!named || !*named) named = getenv("LANG");
        int is_unset = !named || !*named || strcmp(named, "C") == 0 || strcmp(named, "POSIX") == 0;
        const char *upper = named ? strstr(named, "UTF-8") : NULL;
        const char *lower = named ? strstr(named, "utf8") : NULL;
        is_utf8 = is_unset || upper || lower;
    }
    // Numbers in files are written with a dot, wherever we are.
    setlocale(LC_NUMERIC, "C");
}

static int escape_delay(void) {
    const char *text = getenv("ESCDELAY");
    int value = text ? atoi(text) : 0;
    return value > 0 && value <= 5000 ? value : 25;
}

static int open_descriptors(int in_fd, int out_fd) {
    owns_descriptors = in_fd < 0 || out_fd < 0;
    if (!owns_descriptors) {
        terminal_in_descriptor = dup(in_fd);
        terminal_out_descriptor = dup(out_fd);
    } else {
        terminal_in_descriptor = open("/dev/tty", O_RDWR | O_CLOEXEC);
        if (terminal_in_descriptor < 0 && isatty(0) && isatty(1)) terminal_in_descriptor = dup(0);
        if (terminal_in_descriptor >= 0) terminal_out_descriptor = dup(terminal_in_descriptor);
    }
    if (terminal_in_descriptor < 0 || terminal_out_descriptor < 0) return -1;
    fcntl(terminal_in_descriptor, F_SETFD, FD_CLOEXEC);
    fcntl(terminal_out_descriptor, F_SETFD, FD_CLOEXEC);
    in_file = fdopen(terminal_in_descriptor, "r");
    out_file = fdopen(terminal_out_descriptor, "w");
    return in_file && out_file ? 0 : -1;
}

static void drop_descriptors(void) {
    if (in_file) fclose(in_file); else if (terminal_in_descriptor >= 0) close(terminal_in_descriptor);
    if (out_file) fclose(out_file); else if (terminal_out_descriptor >= 0) close(terminal_out_descriptor);
    in_file = out_file = NULL;
    terminal_in_descriptor = terminal_out_descriptor = -1;
}

static void apply_modes(void) {
    raw();
    noecho();
    nonl();
    intrflush(NULL, FALSE);
    meta(key_pad, TRUE);
    keypad(key_pad, TRUE);
    nodelay(key_pad, TRUE);
}

static void send_modes(int entering) {
    terminal_write_all(terminal_out_descriptor, entering ? enter_modes : leave_modes, sizeof(enter_modes) - 1);
    if (!uses_mouse) return;
    if (entering) terminal_write_all(terminal_out_descriptor, enter_mouse, sizeof(enter_mouse) - 1);
    else terminal_write_all(terminal_out_descriptor, leave_mouse, sizeof(leave_mouse) - 1);
}

int terminal_open(int in_fd, int out_fd, const char *term, int use_mouse, int monochrome) {
    if (screen) return -1;
    const char *name = term ? term : getenv("TERM");
    if (!name || !*name || strcmp(name, "dumb") == 0) return -2;
    choose_locale();
    if (open_descriptors(in_fd, out_fd) != 0) {
        drop_descriptors();
        return -1;
    }
    terminal_has_saved_settings = tcgetattr(terminal_in_descriptor, &terminal_saved_settings) == 0;
    set_escdelay(escape_delay());
    screen = newterm(name, out_file, in_file);
    if (!screen) {
        drop_descriptors();
        return -2;
    }
    set_term(screen);
    const char *placement = tigetstr("cup");
    if (!placement || placement == (const char *)-1) {
        endwin();
        delscreen(screen);
        screen = NULL;
        drop_descriptors();
        return -2;
    }
    color_count = 0;
    if (!monochrome && has_colors() && start_color() == OK) {
        use_default_colors();
        color_count = COLORS;
    }
    key_pad = newpad(1, 1);
    apply_modes();
    terminal_define_keys();
    uses_mouse = use_mouse;
    leaveok(stdscr, FALSE);
    curs_set(0);
    // The first refresh clears the screen and enters the alternate one; the modes come after it.
    wnoutrefresh(stdscr);
    doupdate();
    send_modes(1);
    atomic_store(&terminal_has_crashed, 0);
    terminal_build_restore_string();
    atomic_store(&terminal_is_active, 1);
    terminal_install_crash_handler();
    return 0;
}

void terminal_close(void) {
    if (!screen) return;
    int was_active = atomic_exchange(&terminal_is_active, 0);
    if (was_active && !atomic_load(&terminal_has_crashed)) {
        send_modes(0);
        curs_set(1);
        endwin();
        if (terminal_has_saved_settings) tcsetattr(terminal_in_descriptor, TCSADRAIN, &terminal_saved_settings);
    }
    terminal_remove_crash_handler();
    if (was_active) {
        delwin(key_pad);
        delscreen(screen);
        drop_descriptors();
    }
    // After a hang-up the screen's memory is left alone: freeing it would write to the dead line.
    key_pad = NULL;
    screen = NULL;
    terminal_forget_pairs();
    terminal_in_descriptor = terminal_out_descriptor = -1;
    in_file = out_file = NULL;
}

void terminal_mark_gone(void) {
    if (!atomic_exchange(&terminal_is_active, 0) || !terminal_has_saved_settings) return;
    // SIGHUP may also come from a person while the line is alive: then it is given back in order.
    struct pollfd entry = {.fd = terminal_in_descriptor};
    struct termios settings;
    int is_cut = poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLERR | POLLNVAL));
    if (!is_cut && tcgetattr(terminal_in_descriptor, &settings) == 0) terminal_write_restore_string();
}

int terminal_color_count(void) { return color_count; }
int terminal_is_utf8(void) { return is_utf8; }
int terminal_system_width(uint32_t character) { return wcwidth((wchar_t)character); }

void terminal_size(int *columns, int *rows) {
    *columns = screen ? getmaxx(stdscr) : 0;
    *rows = screen ? getmaxy(stdscr) : 0;
}

void terminal_resize(int columns, int rows) {
    if (!screen || !atomic_load(&terminal_is_active)) return;
    struct winsize size;
    if (ioctl(terminal_out_descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        columns = size.ws_col;
        rows = size.ws_row;
    }
    if (columns <= 0 || rows <= 0) return;
    resizeterm(rows, columns);
    // resizeterm announces itself by a key; swallow it.
    werase(stdscr);
    clearok(curscr, TRUE);
}

// MARK: Drawing

static attr_t attributes_of(const terminal_cell *cell) {
    attr_t result = A_NORMAL;
    if (cell->attributes & TERMINAL_BOLD) result |= A_BOLD;
    if (cell->attributes & TERMINAL_DIM) result |= A_DIM;
    if (cell->attributes & TERMINAL_ITALIC) result |= A_ITALIC;
    if (cell->attributes & TERMINAL_UNDERLINE) result |= A_UNDERLINE;
    if (cell->attributes & TERMINAL_REVERSE) result |= A_REVERSE;
    return result;
}

void terminal_draw(int column, int row, const terminal_cell *cells, int count) {
    if (!atomic_load(&terminal_is_active) || count <= 0) return;
    cchar_t line[512];
    int used = 0, start = column;
    for (int i = 0; i < count; i++) {
        const terminal_cell *cell = &cells[i];
        if (cell->width == 0) continue;
        if (used + 2 > (int)(sizeof line / sizeof *line)) {
            mvwadd_wchnstr(stdscr, row, start, line, used);
            start = column + i;
            used = 0;
        }
        int pair = terminal_pair(cell->foreground, cell->background);
        wchar_t text[4] = {(wchar_t)cell->glyph[0], (wchar_t)cell->glyph[1], (wchar_t)cell->glyph[2], 0};
        attr_t attributes = attributes_of(cell);
        // Where the system's idea of a width differs from ours the row would shift: show a stand-in instead.
        if (wcwidth(text[0]) != cell->width) {
            text[0] = L'?';
            text[1] = 0;
            if (cell->width == 2) setcchar(&line[used++], text, attributes, 0, &pair);
        } else if ((text[1] && wcwidth(text[1]) != 0) || (text[2] && wcwidth(text[2]) != 0)) {
            text[1] = 0;
        }
        setcchar(&line[used++], text, attributes, 0, &pair);
    }
    if (used > 0) mvwadd_wchnstr(stdscr, row, start, line, used);
}

// Begins to use the terminal's line; 0 when a crash or a hang-up forbids it.
static int begin_drawing(void) {
    atomic_store(&terminal_is_drawing, 1);
    if (atomic_load(&terminal_has_crashed) || !atomic_load(&terminal_is_active)) {
        atomic_store(&terminal_is_drawing, 0);
        return 0;
    }
    return 1;
}

void terminal_flush(int column, int row) {
    if (!begin_drawing()) return;
    if (column >= 0) wmove(stdscr, row, column);
    curs_set(column >= 0 ? 1 : 0);
    wnoutrefresh(stdscr);
    doupdate();
    atomic_store(&terminal_is_drawing, 0);
}

void terminal_repaint(void) {
    if (!atomic_load(&terminal_is_active)) return;
    clearok(curscr, TRUE);
}

int terminal_read_back(int column, int row, terminal_cell *cell) {
    cchar_t value;
    memset(cell, 0, sizeof *cell);
    if (!screen || mvwin_wch(curscr, row, column, &value) == ERR) return -1;
    wchar_t text[CCHARW_MAX + 1] = {0};
    attr_t attributes = 0;
    short narrow_pair = 0;
    int pair = 0;
    if (getcchar(&value, text, &attributes, &narrow_pair, &pair) == ERR) return -1;
    for (int i = 0; i < 3 && text[i]; i++) cell->glyph[i] = (uint32_t)text[i];
    int width = wcwidth(text[0]);
    cell->width = (uint8_t)(width < 0 ? 0 : width);
    cell->foreground = cell->background = -1;
    if (pair > 0) extended_pair_content(pair, &cell->foreground, &cell->background);
    if (attributes & A_BOLD) cell->attributes |= TERMINAL_BOLD;
    if (attributes & A_DIM) cell->attributes |= TERMINAL_DIM;
    if (attributes & A_ITALIC) cell->attributes |= TERMINAL_ITALIC;
    if (attributes & A_UNDERLINE) cell->attributes |= TERMINAL_UNDERLINE;
    if (attributes & A_REVERSE) cell->attributes |= TERMINAL_REVERSE;
    return 0;
}

int terminal_send(const void *bytes, size_t count) {
    if (!begin_drawing()) return -1;
    int result = terminal_write_all(terminal_out_descriptor, bytes, count);
    atomic_store(&terminal_is_drawing, 0);
    return result;
}

void terminal_leave(void) {
    if (!screen || !atomic_exchange(&terminal_is_active, 0)) return;
    send_modes(0);
    curs_set(1);
    endwin();
    if (terminal_has_saved_settings) tcsetattr(terminal_in_descriptor, TCSADRAIN, &terminal_saved_settings);
}

void terminal_enter(void) {
    if (!screen) return;
    reset_prog_mode();
    apply_modes();
    atomic_store(&terminal_is_active, 1);
    terminal_resize(0, 0);
    clearok(curscr, TRUE);
    wnoutrefresh(stdscr);
    doupdate();
    send_modes(1);
}

// MARK: Keys

terminal_token terminal_next_token(void) {
    terminal_token none = {.kind = TERMINAL_NONE};
    if (!screen || !atomic_load(&terminal_is_active)) return none;
    return terminal_read_token(key_pad);
}
