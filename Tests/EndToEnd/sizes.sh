#!/usr/bin/env bash
# The board in terminals of all sorts: small, large, resized below what it needs and back, without colour, without UTF-8.
#   bash Tests/EndToEnd/sizes.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
printf 'The board in terminals of all sorts\n'

copy_demo

# open_board COLUMNS ROWS [VARIABLE=VALUE...]
open_board() {
    local columns=$1 rows=$2
    shift 2
    open_terminal "$columns" "$rows" "cd '$work' && env $* '$program'; echo left with \$?; exec cat"
    await '1 Train'
}
resize() { tmux -L "$tmux_socket" resize-window -x "$1" -y "$2"; }

# Every page once, then the help and the palette, which goes back to the first page.
visit_everything() {
    local page number=0
    for page in Train Evaluate Chat Export Monitor; do
        number=$((number + 1))
        press "$number"
        await "\[$number $page\]" || return 1
    done
    press '?'
    await '━ Help ━' || return 1
    type_text 'checkpoint'
    await 'Save a checkpoint now' || return 1
    # What is typed goes first, then the help.
    press Escape
    await 'type to search all' || return 1
    press Escape
    await_gone '━ Help ━' || return 1
    press :
    await '━ Commands ━' || return 1
    type_text 'go to train'
    await 'Go to Train' || return 1
    press Enter
    await '\[1 Train\]'
}

leaves_well() {
    press q
    await 'left with 0'
}
# Whether any foreground or background is set, at any depth.
uses_colour() { tmux -u -L "$tmux_socket" capture-pane -pe | grep -qE $'\033\\[([0-9]+;)*(3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]'; }
uses_no_colour() { ! uses_colour; }
draws_beyond_ascii() { screen | LC_ALL=C grep -q $'[\x80-\xff]'; }
draws_ascii() { ! draws_beyond_ascii; }

for size in '60 16' '80 24' '160 45' '200 60'; do
    read -r columns rows <<<"$size"
    open_board "$columns" "$rows" || { story_failures=$((story_failures + 1)); continue; }
    expect "$columns x $rows: every page, help and palette" visit_everything
    resize 20 5
    expect "$columns x $rows: too small at 20 x 5" await 'too small'
    press 5
    resize 1 1
    resize "$columns" "$rows"
    expect "$columns x $rows: back in the Monitor" await '\[5 Monitor\]'
    expect "$columns x $rows: it is left well" leaves_well
done

open_terminal 20 5 "cd '$work' && '$program'; echo left with \$?; exec cat"
expect 'it opens at 20 x 5' await 'too small'
expect 'and is left well' leaves_well

open_board 80 24
expect 'colour by default' uses_colour
leaves_well
open_board 80 24 NO_COLOR=1
expect 'none with NO_COLOR' uses_no_colour
expect 'every page, help and palette with NO_COLOR' visit_everything
leaves_well
open_board 80 24 TERM=vt100
expect 'every page, help and palette on a vt100' visit_everything
leaves_well
open_board 80 24 LC_ALL=en_US.ISO-8859-1
expect 'ASCII where the locale names another character set' draws_ascii
press 5
expect 'and the pages turn' await '\[5 Monitor\]'
leaves_well
for theme in dark light mono; do
    open_board 80 24 "TUNEBOARD_THEME=$theme"
    expect "every page, help and palette in $theme" visit_everything
    leaves_well
done

finish_story
