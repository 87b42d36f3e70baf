#!/usr/bin/env bash
# The runs of others in the board: a LLaMA-Factory folder as it grows, half-written lines and all; charts, order, comparison, names.
#   bash Tests/EndToEnd/watch.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
printf 'Runs of others\n'

cp -r recipes themes "$work/"

# log RUN FROM TO OFFSET: lines as LLaMA-Factory writes them.
log() {
    awk -v from="$2" -v to="$3" -v offset="$4" 'BEGIN {
        for (step = from; step <= to; step++)
            printf "{\"current_steps\": %d, \"total_steps\": 200, \"loss\": %.4f, \"lr\": 5e-05, \"epoch\": %.2f, \"percentage\": %.1f, \"elapsed_time\": \"0:00:%02d\", \"remaining_time\": \"0:01:00\"}\n",
                step, offset + 3 / step, step / 50, step / 2, step / 4
    }' >>"$work/saves/model/$1/trainer_log.jsonl"
}
mkdir -p "$work"/saves/model/{first,second,third}
log first 1 40 0.5
log second 1 30 0.9
for run in first second; do
    printf 'model_name_or_path: saves/demo-model\nstage: sft\nfinetuning_type: lora\noutput_dir: saves/model/%s\nlora_rank: %d\n' \
        "$run" "$([ "$run" = first ] && echo 8 || echo 32)" >"$work/saves/model/$run/training_args.yaml"
done
# A folder that holds nothing but broken files.
printf '{"current_steps": 1, "lo' >"$work/saves/model/third/trainer_log.jsonl"
printf '{"global_step": ' >"$work/saves/model/third/trainer_state.json"
touch -d '2 hours ago' "$work"/saves/model/{second,third}/*

open_terminal 120 34 "cd '$work' && env TUNEBOARD_IDLE_FILE='$idle_file' '$program'; echo left with \$?; exec cat"
await 'step 40/200'
expect "a run at work in another program is shown at once" await 'loss'
log first 41 60 0.5
expect "its curve grows as its log does" await 'step 60/200'
printf '{"current_steps": 61, "total_steps": 200, "loss": 0.5' >>"$work/saves/model/first/trainer_log.jsonl"
expect "half a line waits for its other half" await 'step 60/200'
printf '12, "lr": 5e-05, "epoch": 1.22, "elapsed_time": "0:00:16", "remaining_time": "0:01:00"}\n' >>"$work/saves/model/first/trainer_log.jsonl"
expect "and counts when it is whole" await 'step 61/200'
tap x
expect "another program's run is not steered, and the board says why" await 'watched, not steered'
printf '{"current_steps": 62, "total_steps": 200, "loss": NaN, "epoch": 1.24}\n' >>"$work/saves/model/first/trainer_log.jsonl"
expect "a value that is no number is called out" await '1 NaN from step 62'

tap v
expect "every metric has a chart" await 'learning rate  5.00e-05'
tap v a
expect "charts go over seconds" await 'seconds'
tap a

# The list: order, marks, comparison, drawing.
tap R
expect "the list shows the runs" await 'model/third'
tap s
await 'by name'
tap /
type_text second
await_gone 'model/third'
tap Enter Space / Escape
tap /
type_text first
await_gone 'model/third'
tap Enter Space / Escape
await '2 marked'
tap =
expect "two marked runs are compared" await 'lora_rank +(8 +32|32 +8)'
tap q v
expect "and drawn over each other" await 'A┄ (model/)?second'

# Names
tap R /
type_text second
await_gone 'model/third'
tap Enter m C-u
type_text renamed
await 'renamed'
tap Enter
expect "a run gets another name" await 'is now saves/model/renamed'
expect "on the disk too" test -f "$work/saves/model/renamed/training_args.yaml"
tap Escape
press q
expect "the board ends with 0" await 'left with 0'
finish_story
