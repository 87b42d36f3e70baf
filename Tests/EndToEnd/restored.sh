#!/usr/bin/env bash
# However the program ends, the terminal is as it was: line mode, echo, cursor, main screen, no mouse reports.
#   bash Tests/EndToEnd/restored.sh PROGRAM
set -u
program=$(realpath "$1")
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
printf 'The terminal is restored\n'

pane() { tmux -L "$tmux_socket" display-message -p "$1"; }

# The processes below the pane's shell, the deepest last.
descendants() {
    local child
    for child in $(pgrep -P "$1"); do
        printf '%s\n' "$child"
        descendants "$child"
    done
}

# The one that draws, behind the one that waits.
board_process() { descendants "$(pane '#{pane_pid}')" | tail -1; }

# send_to_thread PID TID SIGNAL: to one thread of a process, as a fault in it would be.
send_to_thread() {
    local number=234
    [ "$(uname -m)" = aarch64 ] && number=131
    perl -e 'syscall($ARGV[0] + 0, $ARGV[1] + 0, $ARGV[2] + 0, $ARGV[3] + 0) == 0 or exit 1' "$number" "$1" "$2" "$3"
}

is_sane() {
    local modes
    modes=$(pane '#{mouse_any_flag} #{mouse_sgr_flag} #{alternate_on} #{cursor_flag}')
    [ "$modes" = "0 0 0 1" ] || {
        printf 'mouse, SGR mouse, alternate screen, cursor: %s instead of 0 0 0 1\n' "$modes" >&2
        return 1
    }
    press "clear; stty -a | tr ' ;' '\n\n' | grep -xE 'icanon|isig|echo|onlcr|icrnl' | sort | tr '\n' ' '; echo done-\$((1 + 1))" Enter
    await '^echo icanon icrnl isig onlcr done-2' 5
}

await_sane() {
    local deadline=$((SECONDS + 10))
    until [ "$(pane '#{alternate_on}')" = 0 ] || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.05; done
    is_sane
}

# A shell in a fresh terminal, and the board in it. The runtime's own crash reporter asks questions, so it is off.
case_number=0
start_board() {
    close_terminal
    case_number=$((case_number + 1))
    tmux_socket="tuneboard-test-$$-$case_number"
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
    board=$(board_process)
    send_to_thread "$board" "$(ls "/proc/$board/task" | tail -1)" "$number"
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
