#!/usr/bin/env bash
# What the board costs: its first frame, a frame in the middle of a long run, and how much slower a run is while it is shown.
# Wants a quiet machine, tmux and the release build.
#   bash Tests/Benchmarks/board.sh [ROUNDS]
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rounds=${1:-5}
program=$PWD/.build/release/tuneboard
bench=$PWD/.build/release/tuneboard-bench
export LC_ALL=C.UTF-8

"$bench" first-frame --program "$program"
"$bench" first-frame --program "$program" --columns 200 --rows 60
"$bench" frame --columns 200 --rows 60 --steps 100000
"$bench" open-run --steps 100000

# The demo run, some 25 s long, with and without the board, in turns. The middle of the run is measured by its log: tokens by
# the time between a step near the start and one near the end, so that loading and saving do not count.
work=$(mktemp -d)
socket=tuneboard-benchmark-$$
trap 'tmux -L "$socket" kill-server 2>/dev/null; rm -rf "$work"' EXIT
# What a board of this machine remembers, its language for one, stays out of it.
export HOME=$work XDG_STATE_HOME=$work/state XDG_CONFIG_HOME=$work/config
mkdir -p "$work/saves"
cp -r recipes themes "$work/"
cp -r saves/demo-model "$work/saves/"
sed -i 's/^num_train_epochs:.*/num_train_epochs: 60/; s/^save_steps:.*/save_steps: 100000/' "$work/recipes/quickstart.yaml"
cd "$work"
"$bench" keys --program "$program"
rm -rf saves/demo-model/lora
run=saves/demo-model/lora/quickstart

tokens_per_second() {
    awk '{
        match($0, /"current_steps": [0-9]+/); step = substr($0, RSTART + 17, RLENGTH - 17) + 0
        match($0, /"total_tokens": [0-9]+/); tokens = substr($0, RSTART + 16, RLENGTH - 16) + 0
        match($0, /"throughput": [0-9.]+/); speed = substr($0, RSTART + 14, RLENGTH - 14) + 0
        if (speed > 0) seconds = tokens / speed
        if (step == 20) { early_tokens = tokens; early_seconds = seconds }
        if (step == 820) printf "%.1f\n", (tokens - early_tokens) / (seconds - early_seconds)
    }' "$run/trainer_log.jsonl" | head -n 1
}
finished() { grep -q '"status": "finished"' "$run/state.json" 2>/dev/null; }

alone() {
    rm -rf "$run"
    # In a session of its own, as the board is: the scheduler shares the processors out among sessions first.
    setsid --wait "$program" train recipes/quickstart.yaml >/dev/null 2>&1 </dev/null
    tokens_per_second
}
shown() {
    rm -rf "$run"
    tmux -L "$socket" -f /dev/null new-session -d -x 200 -y 60 "cd '$work' && '$program'"
    until tmux -L "$socket" capture-pane -p | grep -q 'F5 start'; do sleep 0.05; done
    tmux -L "$socket" send-keys F5
    until finished; do sleep 0.5; done
    tmux -L "$socket" kill-server
    tokens_per_second
}
for round in $(seq "$rounds"); do
    printf '%s %s\n' "$(alone)" "$(shown)"
done | tee rounds.txt | awk '{ printf "round %d: %s tokens/s alone, %s with the board, %+.1f %%\n", NR, $1, $2, 100 * ($2 / $1 - 1) }'
median() { sort -n | awk '{ value[NR] = $1 } END { print (value[int((NR + 1) / 2)] + value[int((NR + 2) / 2)]) / 2 }'; }
awk -v alone="$(cut -d' ' -f1 rounds.txt | median)" -v shown="$(cut -d' ' -f2 rounds.txt | median)" \
    'BEGIN { printf "median: %.1f tokens/s alone, %.1f with the board, %+.1f %%\n", alone, shown, 100 * (shown / alone - 1) }'
