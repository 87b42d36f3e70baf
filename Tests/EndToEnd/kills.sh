#!/usr/bin/env bash
# Kills at random moments: whatever hits the board, with a training at work or without, the shell finds a sane terminal; after a hang-up
# the run completes all the same.
#   bash Tests/EndToEnd/kills.sh PROGRAM [COUNT] [SEED]
# COUNT is 12 unless given; the same SEED draws the same moments. KILL_SIGNALS names other signals than the usual five.
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
. Tests/EndToEnd/processes.bash
count=${2:-12}
RANDOM=${3:-20261121}
printf 'Random kills: %s\n' "$count"

copy_demo
# A run that is long enough to be hit, and short enough to wait for after a hang-up.
sed -e 's/^num_train_epochs:.*/num_train_epochs: 12/' recipes/quickstart.yaml > "$work/recipes/kill.yaml"

status_of() { sed -n 's/.*"status": *"\([a-z]*\)".*/\1/p' "$1/state.json" 2>/dev/null | head -1; }

# await_end DIRECTORY: until the run says that it is over.
await_end() {
    # A busy machine takes its time; a run that is no longer at work will not get there.
    local deadline=$((SECONDS + 300))
    until [ "$(status_of "$1")" = finished ]; do
        if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$2" 2>/dev/null; then
            [ "$(status_of "$1")" = finished ] && return 0
            printf 'the run in %s is %s, process %s %s\n' "$1" "$(status_of "$1")" "$2" \
                "$(kill -0 "$2" 2>/dev/null && echo lives || echo is gone)" >&2
            tail -3 "$1/running_log.txt" >&2
            return 1
        fi
        sleep 0.1
    done
}

read -ra signals <<<"${KILL_SIGNALS:-TERM HUP INT QUIT SEGV}"
sane=0
completed=0
hangups=0
declare -A hits
for ((round = 1; round <= count; round++)); do
    signal=${signals[$((RANDOM % ${#signals[@]}))]}
    trains=$((RANDOM % 3))
    moment=$((RANDOM % 900))
    output="$work/saves/kill-$round"
    sed -i "s#^output_dir:.*#output_dir: $output#" "$work/recipes/kill.yaml"
    export XDG_STATE_HOME="$work/state-$round" XDG_CONFIG_HOME="$work/config"
    open_terminal 80 24 "cd '$work' && env SWIFT_BACKTRACE=enable=no XDG_STATE_HOME=$XDG_STATE_HOME XDG_CONFIG_HOME=$XDG_CONFIG_HOME bash --norc --noprofile"
    await '[$#]' 10 || continue
    press "clear; $program --recipe recipes/kill.yaml; echo ended-\$?" Enter
    await '1 Train' 20 || continue
    board=$(board_process)
    if [ "$trains" -gt 0 ]; then
        press F5
        await 'step [0-9]+/' 30 || continue
    fi
    # Keys, clicks and a resize go on while the blow falls.
    case $((RANDOM % 4)) in
    0) press 1 / l e a r n ;;
    1) press ? ;;
    2) tmux -L "$tmux_socket" resize-window -x $((60 + RANDOM % 120)) -y $((16 + RANDOM % 30)) ;;
    3) press 5 s l + ;;
    esac
    sleep "0.$(printf '%03d' "$moment")"
    if [ "$signal" = SEGV ]; then
        threads=("/proc/$board/task/"*)
        thread=$(basename "${threads[$((RANDOM % ${#threads[@]}))]}")
        send_to_thread "$board" "$thread" 11 2>/dev/null || send_to_thread "$board" "$board" 11
    else
        kill -s "$signal" "$board"
    fi
    hits[$signal]=$((${hits[$signal]:-0} + 1))
    if await '^ended-[0-9]+' 30 2>/dev/null && is_sane; then
        sane=$((sane + 1))
    else
        printf 'round %s: SIG%s %s ms after %s left the terminal as it is here:\n' "$round" "$signal" "$moment" \
            "$([ "$trains" -gt 0 ] && echo 'the first step' || echo 'the first frame')" >&2
        screen >&2
    fi
    if [ "$signal" = HUP ] && [ "$trains" -gt 0 ]; then
        hangups=$((hangups + 1))
        await_end "$output" "$board" && completed=$((completed + 1))
    fi
    rm -rf "$output" "$work/state-$round"
done

printf '  signals:'
for signal in "${!hits[@]}"; do printf ' %s %s' "$signal" "${hits[$signal]}"; done
printf '\n'
expect "the terminal is sane after $sane of $count" [ "$sane" -eq "$count" ]
expect "the run completes after $completed of $hangups hang-ups" [ "$completed" -eq "$hangups" ]
finish_story
