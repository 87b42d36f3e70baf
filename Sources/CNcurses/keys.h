// Between screen.c and the files that know key sequences and colour pairs.
#pragma once
#include <curses.h>

#include "CNcurses.h"

void terminal_define_keys(void);
terminal_token terminal_read_token(WINDOW *window);

// The pair of two colours, made when first asked for; 0 when the terminal has no colours or no more pairs.
int terminal_pair(int foreground, int background);
void terminal_forget_pairs(void);
