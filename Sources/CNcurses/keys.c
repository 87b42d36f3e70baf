// What ncurses reads, told in our own words.
#include "keys.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

// Codes of our own for sequences that ncurses does not know, above all that it hands out itself.
enum {
    CODE_PASTE_START = 0x5000, CODE_PASTE_END, CODE_MOUSE,
    // Shift, Alt and Control with keys that terminals report in the `CSI number ; modifier` ways: base + key * 8 + modifier bits.
    CODE_MODIFIED = 0x6000
};

// Terminals number modifiers as 1 + bits: 1 Shift, 2 Alt, 4 Control.
static uint8_t modifiers_of(int bits) {
    return (uint8_t)((bits & 1 ? TERMINAL_SHIFT : 0) | (bits & 2 ? TERMINAL_ALT : 0) | (bits & 4 ? TERMINAL_CONTROL : 0));
}

static void define_modified(void) {
    static const struct { char final; int key; } letters[] = {
        {'A', TERMINAL_UP}, {'B', TERMINAL_DOWN}, {'C', TERMINAL_RIGHT}, {'D', TERMINAL_LEFT}, {'H', TERMINAL_HOME}, {'F', TERMINAL_END}};
    static const struct { int number; int key; } numbers[] = {
        {2, TERMINAL_INSERT}, {3, TERMINAL_DELETE}, {5, TERMINAL_PAGE_UP}, {6, TERMINAL_PAGE_DOWN}};
    char text[32];
    for (int bits = 1; bits < 8; bits++) {
        for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
            snprintf(text, sizeof text, "\033[1;%d%c", bits + 1, letters[i].final);
            define_key(text, CODE_MODIFIED + letters[i].key * 8 + bits);
        }
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            snprintf(text, sizeof text, "\033[%d;%d~", numbers[i].number, bits + 1);
            define_key(text, CODE_MODIFIED + numbers[i].key * 8 + bits);
        }
        // Enter with modifiers, where the terminal reports it at all.
        snprintf(text, sizeof text, "\033[13;%du", bits + 1);
        define_key(text, CODE_MODIFIED + TERMINAL_ENTER * 8 + bits);
        snprintf(text, sizeof text, "\033[27;%d;13~", bits + 1);
        define_key(text, CODE_MODIFIED + TERMINAL_ENTER * 8 + bits);
    }
}

void terminal_define_keys(void) {
    define_key("\033[200~", CODE_PASTE_START);
    define_key("\033[201~", CODE_PASTE_END);
    // Mouse reports are read by ourselves, so they work whatever terminfo says of them.
    define_key("\033[<", CODE_MOUSE);
    define_modified();
    // What terminals send whose terminfo entry says otherwise.
    static const struct { const char *text; int code; } variants[] = {
        {"\033[A", KEY_UP}, {"\033[B", KEY_DOWN}, {"\033[C", KEY_RIGHT}, {"\033[D", KEY_LEFT}, {"\033[H", KEY_HOME}, {"\033[F", KEY_END},
        {"\033OA", KEY_UP}, {"\033OB", KEY_DOWN}, {"\033OC", KEY_RIGHT}, {"\033OD", KEY_LEFT}, {"\033OH", KEY_HOME}, {"\033OF", KEY_END},
        {"\033[1~", KEY_HOME}, {"\033[4~", KEY_END}, {"\033[5~", KEY_PPAGE}, {"\033[6~", KEY_NPAGE}, {"\033[3~", KEY_DC}, {"\033[2~", KEY_IC},
        {"\033OP", KEY_F(1)}, {"\033OQ", KEY_F(2)}, {"\033OR", KEY_F(3)}, {"\033OS", KEY_F(4)}, {"\033[15~", KEY_F(5)}, {"\033[17~", KEY_F(6)},
        {"\033[18~", KEY_F(7)}, {"\033[19~", KEY_F(8)}, {"\033[20~", KEY_F(9)}, {"\033[21~", KEY_F(10)}, {"\033[23~", KEY_F(11)},
        {"\033[24~", KEY_F(12)}, {"\033[11~", KEY_F(1)}, {"\033[12~", KEY_F(2)}, {"\033[13~", KEY_F(3)}, {"\033[14~", KEY_F(4)},
        {"\033[Z", KEY_BTAB}};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (key_defined(variants[i].text) <= 0) define_key(variants[i].text, variants[i].code);
    }
}

// The next character, waiting a moment because a report may arrive in pieces.
static int next_byte(WINDOW *window) {
    wint_t value;
    for (int attempt = 0; attempt < 4; attempt++) {
        int result = wget_wch(window, &value);
        if (result == OK) return (int)value;
        if (result == KEY_CODE_YES) return -1;
        struct pollfd entry = {.fd = terminal_in_descriptor, .events = POLLIN};
        if (poll(&entry, 1, 50) <= 0) return -1;
    }
    return -1;
}

// `ESC [ <` was read; what follows is `button ; x ; y` and M or m.
static terminal_token read_mouse(WINDOW *window) {
    terminal_token token = {.kind = TERMINAL_IGNORED};
    int numbers[3] = {0, 0, 0}, index = 0;
    for (int length = 0; length < 24; length++) {
        int byte = next_byte(window);
        if (byte >= '0' && byte <= '9') {
            if (numbers[index] < 100000) numbers[index] = numbers[index] * 10 + byte - '0';
        } else if (byte == ';' && index < 2) {
            index++;
        } else if ((byte == 'M' || byte == 'm') && index == 2) {
            token.kind = TERMINAL_MOUSE;
            token.value = (uint32_t)numbers[0];
            token.is_release = byte == 'm';
            token.x = numbers[1] - 1;
            token.y = numbers[2] - 1;
            return token;
        } else {
            return token;
        }
    }
    return token;
}

static uint32_t plain_key(int code) {
    switch (code) {
        case KEY_UP: case KEY_SR: return TERMINAL_UP;
        case KEY_DOWN: case KEY_SF: return TERMINAL_DOWN;
        case KEY_LEFT: case KEY_SLEFT: return TERMINAL_LEFT;
        case KEY_RIGHT: case KEY_SRIGHT: return TERMINAL_RIGHT;
        case KEY_PPAGE: case KEY_SPREVIOUS: return TERMINAL_PAGE_UP;
        case KEY_NPAGE: case KEY_SNEXT: return TERMINAL_PAGE_DOWN;
        case KEY_HOME: case KEY_SHOME: case KEY_FIND: return TERMINAL_HOME;
        case KEY_END: case KEY_SEND: case KEY_SELECT: return TERMINAL_END;
        case KEY_IC: case KEY_SIC: return TERMINAL_INSERT;
        case KEY_DC: case KEY_SDC: return TERMINAL_DELETE;
        case KEY_BACKSPACE: return TERMINAL_BACKSPACE;
        case KEY_ENTER: return TERMINAL_ENTER;
        case KEY_BTAB: return TERMINAL_BACK_TAB;
        default: return code > KEY_F0 && code <= KEY_F0 + 24 ? (uint32_t)(TERMINAL_FUNCTION + code - KEY_F0) : 0;
    }
}

static int is_shifted(int code) {
    switch (code) {
        case KEY_SR: case KEY_SF: case KEY_SLEFT: case KEY_SRIGHT: case KEY_SPREVIOUS: case KEY_SNEXT: case KEY_SHOME: case KEY_SEND:
        case KEY_SIC: case KEY_SDC: return 1;
        default: return 0;
    }
}

terminal_token terminal_read_token(WINDOW *window) {
    terminal_token token = {.kind = TERMINAL_NONE};
    wint_t value = 0;
    int result = wget_wch(window, &value);
    if (result == ERR) return token;
    if (result == OK) {
        token.kind = TERMINAL_CHARACTER;
        token.value = (uint32_t)value;
        return token;
    }
    int code = (int)value;
    if (code == CODE_PASTE_START || code == CODE_PASTE_END) {
        token.kind = code == CODE_PASTE_START ? TERMINAL_PASTE_START : TERMINAL_PASTE_END;
        return token;
    }
    if (code == CODE_MOUSE) return read_mouse(window);
    token.kind = TERMINAL_KEY;
    if (code >= CODE_MODIFIED && code < CODE_MODIFIED + 1024) {
        token.value = (uint32_t)(code - CODE_MODIFIED) / 8;
        token.modifiers = modifiers_of((code - CODE_MODIFIED) & 7);
        return token;
    }
    token.value = plain_key(code);
    token.modifiers = is_shifted(code) ? TERMINAL_SHIFT : 0;
    if (token.value == 0) token.kind = TERMINAL_IGNORED;
    return token;
}
