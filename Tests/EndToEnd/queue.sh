#!/usr/bin/env bash
# A run to its end, made longer; jobs that wait for each other; an export that asks before it replaces one.
#   bash Tests/EndToEnd/queue.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
printf 'Longer runs, the queue, export\n'

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
logging_steps: 2
save_steps: 6
max_steps: 12
learning_rate: 1.0e-3
per_device_train_batch_size: 4
threads: 1
output_dir: saves/one
YAML
open_terminal 100 30 "cd '$work' && env TUNEBOARD_IDLE_FILE='$idle_file' '$program' --recipe recipe.yaml; echo left with \$?; exec cat"
await 'ready: F5 starts'

tap F5
expect "a run comes to its end" await 'step 12/12 .* finished'
tap R
await 'one +done +12/12'
tap e C-u
type_text steps=9
await 'steps=9'
tap Enter
expect "a run is not made shorter" await 'more are needed'
tap C-u
type_text steps=20
await 'steps=20'
tap Enter
expect "a finished run goes on from its last checkpoint" await 'step 20/20 .* finished'
expect "and its curve is whole" [ "$(grep -c '"current_steps": 2,' "$work/saves/one/trainer_log.jsonl")" = 1 ]

# set_folder NAME: the form's output_dir.
set_folder() {
    tap 1 /
    type_text output_dir
    await '/output_dir'
    tap Enter e C-u
    type_text "$1"
    await "$1"
    tap Enter Escape
}
# The form still goes on from the checkpoint of the run before.
tap 1 L
await 'recipe.yaml'
type_text recipe.yaml
tap Enter
await 'ready: F5 starts'
tap A
expect "a job for the folder of a finished run is asked about when it is queued" await 'one is there already'
tap c
await_gone 'is there already'
expect "and is not queued unless somebody says so" test ! -s "$work/saves/.queue.json"
set_folder saves/two
tap A
await 'two'
set_folder saves/three
tap A
set_folder saves/four
tap A B
expect "jobs wait in a queue" await 'three|four'
tap Escape
until_file() { local deadline=$((SECONDS + 20)); until [ -s "$1" ]; do [ "$SECONDS" -lt "$deadline" ] || return 1; sleep 0.05; done; }
expect "and start one after the other" until_file "$work/saves/four/all_results.json"
expect "the one before is done" test -s "$work/saves/three/all_results.json"
expect "jobs of the queue take nobody elsewhere and leave the form" await 'output_dir.*saves/four|ready: F5 starts'
await_gone 'queued'
# A job leaves the file once its start is known to have worked.
queue_is_empty() {
    local deadline=$((SECONDS + 10))
    until [ ! -s "$work/saves/.queue.json" ] || ! grep -q '"id"' "$work/saves/.queue.json"; do
        [ "$SECONDS" -lt "$deadline" ] || { cat "$work/saves/.queue.json"; return 1; }
        sleep 0.05
    done
}
expect "nothing is left in the queue" queue_is_empty

tap 4 /
type_text export_dir
await '/export_dir'
tap Enter e C-u
type_text exports/merged
tap Enter Escape F5
expect "the export says what it verified" await 'same best token'
tap F5
expect "a folder that is not empty asks" await 'is not empty'
tap c
await_gone 'is not empty'
press q
expect "the board ends with 0" await 'left with 0'
finish_story
