# Drives the real program in tmux. Sourced by the stories beside it; every wait ends when the screen shows what is awaited.

set -u
tmux_socket="tuneboard-test-$$"
story_failures=0

terminal_count=0

# What the board remembers of one story is nobody's business in the next, nor in the user's own board.
story_home=$(mktemp -d)
export XDG_STATE_HOME="$story_home/state" XDG_CONFIG_HOME="$story_home/config"

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
trap 'close_terminal; rm -rf "$story_home"' EXIT

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
