# What stories that kill the board need: its processes, signals to one thread, and a look at the terminal afterwards. Sourced after
# terminal.bash.

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

# strike_a_thread PID SIGNAL: the youngest thread of a process; one that was just about to end takes the signal with it, and the next one
# is struck.
strike_a_thread() {
    local try
    for try in 1 2 3 4 5; do
        send_to_thread "$1" "$(ls "/proc/$1/task" 2>/dev/null | sort -n | tail -1)" "$2" 2>/dev/null
        for _ in {1..20}; do
            kill -0 "$1" 2>/dev/null || return 0
            sleep 0.05
        done
    done
    return 1
}

# Whether the pane's shell has its terminal back: line mode, echo, cursor, main screen, no mouse reports.
is_sane() {
    local modes
    modes=$(pane '#{mouse_any_flag} #{mouse_sgr_flag} #{alternate_on} #{cursor_flag}')
    [ "$modes" = "0 0 0 1" ] || {
        printf 'mouse, SGR mouse, alternate screen, cursor: %s instead of 0 0 0 1\n' "$modes" >&2
        return 1
    }
    press "clear; stty -a | tr ' ;' '\n\n' | grep -xE 'icanon|isig|echo|onlcr|icrnl' | sort | tr '\n' ' '; echo done-\$((1 + 1))" Enter
    await '^echo icanon icrnl isig onlcr done-2' 10
}
