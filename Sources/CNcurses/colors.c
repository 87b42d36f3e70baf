// Pairs of colours. ncurses numbers them; a table finds the number of a (foreground, background) again.
#include <string.h>

#include "keys.h"

enum { SLOTS = 4096 };

static struct { int foreground, background, pair; } slots[SLOTS];
static int next_pair = 1;

void terminal_forget_pairs(void) {
    memset(slots, 0, sizeof slots);
    next_pair = 1;
}

// Fits a colour into what the terminal has.
static int usable(int color, int count) {
    if (color < 0) return -1;
    if (color & TERMINAL_DIRECT) return count > 1 << 16 ? color & 0xFFFFFF : -1;
    if (color < count) return color;
    return color < 16 && count >= 8 ? color - 8 : -1;
}

int terminal_pair(int foreground, int background) {
    int count = terminal_color_count();
    if (count < 8) return 0;
    foreground = usable(foreground, count);
    background = usable(background, count);
    if (foreground < 0 && background < 0) return 0;
    unsigned hash = (unsigned)foreground * 2654435761u ^ (unsigned)background * 40503u;
    for (unsigned step = 0; step < SLOTS; step++) {
        unsigned slot = (hash + step) % SLOTS;
        if (slots[slot].pair == 0) {
            if (next_pair >= COLOR_PAIRS || next_pair >= SLOTS - 1) return 0;
            if (init_extended_pair(next_pair, foreground, background) == ERR) return 0;
            slots[slot].foreground = foreground;
            slots[slot].background = background;
            slots[slot].pair = next_pair++;
            return slots[slot].pair;
        }
        if (slots[slot].foreground == foreground && slots[slot].background == background) return slots[slot].pair;
    }
    return 0;
}
