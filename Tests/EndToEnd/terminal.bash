# What every story begins with, and how it drives the real program in tmux; every wait ends when the screen shows what is awaited.
# Sourced by the stories beside it, which take the program as their first argument.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=$(realpath "${1:-.build/release/tuneboard}")
export LC_ALL=C.UTF-8
tmux_socket="tuneboard-test-$$"
story_failures=0

terminal_count=0

# A folder for the story alone. What the board remembers of one story is nobody's business in the next, nor in the user's own board.
work=$(mktemp -d)
idle_file=$work/idle
export XDG_STATE_HOME="$work/state" XDG_CONFIG_HOME="$work/config"

# copy_demo: the recipes, the themes and the demo model, where the board may write.
copy_demo() {
    mkdir -p "$work/saves/demo-model"
    cp -r recipes themes "$work/"
    find saves/demo-model -maxdepth 1 -type f -exec cp {} "$work/saves/demo-model/" \;
}

# open_terminal COLUMNS ROWS COMMAND: a fresh terminal that runs the command; closed when the script ends.
open_terminal() {
    # A server that was asked to end may still hold its socket, so each terminal has its own.
    close_terminal
    terminal_count=$((terminal_count + 1))
    tmux_socket="tuneboard-test-$$-$terminal_count"
    tmux -u -L "$tmux_socket" -f /dev/null new-session -d -x "$1" -y "$2" "$3"
    tmux -L "$tmux_socket" set-option -g remain-on-exit on >/dev/null
}

close_terminal() { tmux -L "$tmux_socket" kill-server 2>/dev/null || true; }
# A board on its way out may still be writing.
leave_nothing() {
    close_terminal
    rm -rf "$work" 2>/dev/null || { sleep 0.5; rm -rf "$work"; }
}
trap leave_nothing EXIT

press() { tmux -L "$tmux_socket" send-keys "$@"; }
type_text() { tmux -L "$tmux_socket" send-keys -l "$1"; }
screen() { tmux -u -L "$tmux_socket" capture-pane -p 2>/dev/null; }

# tap KEY...: keys one by one, each after the board has dealt with the one before. The board keeps $idle_file (TUNEBOARD_IDLE_FILE).
keys_seen() { sed -n 's/.* keys=\([0-9]*\) .*/\1/p' "$idle_file" 2>/dev/null; }
tap() {
    local key before deadline
    for key in "$@"; do
        before=$(keys_seen)
        press "$key"
        deadline=$((SECONDS + 10))
        until [ "$(keys_seen)" != "$before" ] && grep -q '^idle' "$idle_file"; do
            [ "$SECONDS" -lt "$deadline" ] || { printf 'no answer to %s\n' "$key" >&2; return 1; }
            sleep 0.01
        done
    done
}

# await PATTERN [SECONDS]: until a line of the screen matches the extended regular expression.
await() {
    local deadline=$((SECONDS + ${2:-20}))
    until screen | grep -qE "$1"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            printf 'not seen within %s s: %s\n' "${2:-20}" "$1" >&2
            screen >&2
            story_failures=$((story_failures + 1))
            return 1
        fi
        sleep 0.05
    done
}

# await_gone PATTERN [SECONDS]: until no line of the screen matches.
await_gone() {
    local deadline=$((SECONDS + ${2:-20}))
    while screen | grep -qE "$1"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            printf 'still seen after %s s: %s\n' "${2:-20}" "$1" >&2
            screen >&2
            return 1
        fi
        sleep 0.05
    done
}

# expect NAME CONDITION...: counts a failed check and goes on.
expect() {
    local name=$1
    shift
    if "$@"; then
        printf '  ok    %s\n' "$name"
    else
        printf '  FAIL  %s\n' "$name" >&2
        story_failures=$((story_failures + 1))
    fi
}

finish_story() { [ "$story_failures" -eq 0 ]; }
