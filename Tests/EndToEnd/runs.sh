#!/usr/bin/env bash
# A run's life from outside: started, asked things by other processes, interrupted, killed, let go of by its terminal, found again.
# Takes the program as its argument.
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
set -m

# A tiny random model on real data: a step takes milliseconds, so max_steps says how long a run is.
cat >"$work/recipe.yaml" <<YAML
model_name_or_path: $PWD/Tests/Fixtures/models/llama
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 4
dataset_dir: $PWD/recipes/data
dataset: identity
template: alpaca
cutoff_len: 48
logging_steps: 5
save_steps: 100000
learning_rate: 1.0e-3
per_device_train_batch_size: 4
threads: 1
overwrite_output_dir: true
YAML
cd "$work"
train() { "$program" train recipe.yaml "$@"; }
status_of() { "$program" runs show "$1" --json 2>/dev/null | sed -n 's/^  "status": "\(.*\)",$/\1/p'; }
step_of() { "$program" runs show "$1" --json 2>/dev/null | sed -n 's/^  "step": \([0-9]*\),$/\1/p'; }

# until_true SECONDS COMMAND...: waits until the command succeeds.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}
has_status() { [ "$(status_of "$1")" = "$2" ]; }
has_step() { [ "$(step_of "$1")" -ge "$2" ] 2>/dev/null; }
# Closes the terminal and waits until its server is gone, so that the next one does not meet it on the way out.
leave_terminal() {
    close_terminal
    until_true 10 bash -c "! tmux -L '$tmux_socket' list-sessions >/dev/null 2>&1"
}
is_code() { [ "$1" -eq "$2" ]; }

# A short run to its end
train max_steps=10 output_dir=saves/short --json >short.jsonl 2>short.err </dev/null
expect "a run ends with 0" is_code $? 0
expect "its end is the last event" grep -q '"state": "finished"' <(tail -n 1 short.jsonl)
expect "its steps are events" grep -q '"event": "step", "current_steps": 10' short.jsonl
expect "it is finished" has_status saves/short finished
expect "it logged for people" grep -q 'INFO|' saves/short/running_log.txt
train max_steps=10 output_dir=saves/lines >lines.txt 2>lines.err </dev/null
expect "lines without a terminal" grep -q '^step 10/10  epoch' lines.txt
expect "no control characters without a terminal" bash -c '! grep -q $(printf "\033") lines.txt lines.err'

# Ctrl+C stops and saves
# A shell that was itself started with Ctrl+C ignored would hand that on.
env --default-signal=INT "$program" train recipe.yaml max_steps=1000000 output_dir=saves/interrupted >/dev/null 2>&1 </dev/null &
until_true 30 has_step saves/interrupted 5
kill -INT $!
wait $!
expect "an interrupted run ends with 130" is_code $? 130
expect "it is stopped" has_status saves/interrupted stopped
expect "it saved an adapter" test -s saves/interrupted/adapter_model.safetensors

# SIGTERM does the same
"$program" train recipe.yaml max_steps=1000000 output_dir=saves/terminated >/dev/null 2>&1 </dev/null &
until_true 30 has_step saves/terminated 5
kill -TERM $!
wait $!
expect "a terminated run saved" test -s saves/terminated/adapter_model.safetensors

# In the background, steered by other processes
train max_steps=1000000 output_dir=saves/background --detach >detach.txt 2>&1 </dev/null
expect "detaching returns the shell with 0" is_code $? 0
expect "it says how to follow" grep -q 'runs follow saves/background' detach.txt
until_true 30 has_step saves/background 5
expect "it is running" has_status saves/background running
train max_steps=10 output_dir=saves/background >/dev/null 2>second.err </dev/null
expect "a second run in the same folder is refused" is_code $? 1
expect "and told who is there" grep -q 'in use by a run in process' second.err
"$program" runs pause saves/background >/dev/null
expect "it pauses" until_true 10 has_status saves/background paused
"$program" runs resume saves/background >/dev/null
expect "it resumes" until_true 10 has_status saves/background running
"$program" runs save saves/background >/dev/null
expect "it saves on request" until_true 10 bash -c 'ls -d saves/background/checkpoint-* >/dev/null 2>&1'
"$program" runs stop background >/dev/null
expect "a request finds a run by its name" is_code $? 0
expect "it stops" until_true 10 has_status saves/background stopped

# Killed outright
"$program" train recipe.yaml max_steps=1000000 output_dir=saves/killed >/dev/null 2>&1 </dev/null &
until_true 30 has_step saves/killed 5
{ kill -KILL $! && wait $!; } 2>/dev/null
expect "a killed run has crashed" has_status saves/killed crashed
"$program" runs stop saves/killed >/dev/null 2>&1
expect "nobody is there to be asked" is_code $? 1

# The terminal goes away
open_terminal 80 24 "'$program' train recipe.yaml max_steps=1000000 output_dir=saves/closed"
until_true 30 has_step saves/closed 5
leave_terminal
sleep 0.3
before=$(step_of saves/closed)
expect "a run survives its closed terminal" until_true 10 has_step saves/closed $((before + 5))
"$program" runs stop saves/closed >/dev/null
expect "and still stops when asked" until_true 10 has_status saves/closed stopped

# The board lets go and finds again
board() { printf "cd '%s' && PS1='ready> ' TUNEBOARD_IDLE_FILE='%s/idle' '%s' --recipe recipe.yaml; echo back with \$?; exec cat" "$work" "$work" "$program"; }
sed -i 's/^overwrite_output_dir/max_steps: 1000000\noutput_dir: saves\/board\noverwrite_output_dir/' "$work/recipe.yaml"
open_terminal 80 24 "$(board)"
await 'F5 start'
press F5
until_true 30 has_step saves/board 5
press d
await 'back with 0'
expect "the shell is back" is_code $? 0
before=$(step_of saves/board)
expect "the run goes on" until_true 10 has_step saves/board $((before + 5))
leave_terminal
open_terminal 80 24 "$(board)"
await 'elsewhere|another process'
expect "the next board shows the run" is_code $? 0
leave_terminal
"$program" runs stop saves/board >/dev/null
expect "and it stops" until_true 10 has_status saves/board stopped

# A board whose terminal goes away. The stopped run in the folder is replaced because somebody says so, whatever the recipe says.
open_terminal 80 24 "$(board)"
await 'F5 start'
press F5
await 'board is there already'
expect "a start asks about the run that is there" test -s saves/board/adapter_model.safetensors
press r
until_true 30 has_status saves/board running
before=$(step_of saves/board)
leave_terminal
sleep 0.3
expect "a run survives its closed board" until_true 10 has_step saves/board $((before + 5))
"$program" runs stop saves/board >/dev/null
expect "and stops" until_true 10 has_status saves/board stopped

# The same question by lines: Train, Start, and the last answer, which is to leave everything as it is
printf '1\n1\n4\n' | "$program" --plain --recipe recipe.yaml >plain.txt 2>&1
expect "plain mode asks as well" grep -q 'board holds a run: stopped' plain.txt
expect "and leaves everything as it is when told to" test -s saves/board/adapter_model.safetensors -a ! -e saves/board-2

finish_story && echo "runs.sh: all well"
