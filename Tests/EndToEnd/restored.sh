#!/usr/bin/env bash
# However the program ends, the terminal is as it was: line mode, echo, cursor, main screen, no mouse reports.
#   bash Tests/EndToEnd/restored.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
. Tests/EndToEnd/processes.bash
printf 'The terminal is restored\n'

await_sane() {
    local deadline=$((SECONDS + 10))
    until [ "$(pane '#{alternate_on}')" = 0 ] || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.05; done
    is_sane
}

# A shell in a fresh terminal, and the board in it. The runtime's own crash reporter asks questions, so it is off.
start_board() {
    open_terminal 80 24 "env SWIFT_BACKTRACE=enable=no bash --norc --noprofile"
    await '[$#]' 10 && press "clear; $program; echo ended-\$?" Enter && await '1 Train' 20
}

# ends_well NAME [STATUS]: waits for the shell's prompt and looks at the terminal.
ends_well() {
    expect "$1: the shell is back" await "^ended-${2:-[0-9]+}" 10
    expect "$1: the line is sane" is_sane
}

start_board && press q
ends_well 'q' 0

for signal in TERM INT HUP QUIT; do
    start_board || continue
    kill -s "$signal" "$(board_process)"
    ends_well "SIG$signal"
done

for number in 11 4 5 6 8 7; do
    start_board || continue
    strike_a_thread "$(board_process)" "$number"
    ends_well "signal $number in a thread" $((128 + number))
done

start_board && press C-z
if await '^\[1\]\+ +Stopped' 5 2>/dev/null; then
    expect 'Ctrl+Z: the line is sane while it is stopped' is_sane
    press 'fg' Enter
    expect 'fg: the board is back' await '1 Train' 10
fi
press q
# The shell forgot the rest of the line when it was stopped, so there is no status to see.
expect 'q after fg: the line is sane' await_sane

finish_story
