#!/usr/bin/env bash
# A run killed without warning and resumed ends with the same adapter, bit for bit, and the same log as one left alone.
#   bash Tests/EndToEnd/resume.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
printf 'Killed and resumed\n'

arguments=(train recipes/quickstart.yaml --save_steps 7 --save_total_limit 100 --num_train_epochs 3 --lora_dropout 0.1)

# losses FILE: what was logged, without the clock.
losses() { sed -E 's/"(elapsed_time|remaining_time|throughput)": [^,}]*,? ?//g' "$1"; }

"$program" "${arguments[@]}" --output_dir "$work/whole" >"$work/whole.log" 2>&1 || { cat "$work/whole.log"; exit 1; }

"$program" "${arguments[@]}" --output_dir "$work/broken" >"$work/broken.log" 2>&1 &
victim=$!
for _ in $(seq 600); do
    [ -d "$work/broken/checkpoint-14" ] && break
    sleep 0.05
done
# A few steps on, so that the log is ahead of the checkpoint.
sleep 0.4
kill -9 "$victim" 2>/dev/null
wait "$victim" 2>/dev/null
expect "the killed run left checkpoint-14 and no final adapter" test -d "$work/broken/checkpoint-14" -a ! -e "$work/broken/all_results.json"

"$program" "${arguments[@]}" --output_dir "$work/broken" --resume_from_checkpoint true --overwrite_output_dir false >"$work/resumed.log" 2>&1 || cat "$work/resumed.log"
expect "the resumed adapter is the same, bit for bit" cmp "$work/whole/adapter_model.safetensors" "$work/broken/adapter_model.safetensors"
losses "$work/whole/trainer_log.jsonl" >"$work/whole.losses"
losses "$work/broken/trainer_log.jsonl" >"$work/broken.losses"
expect "the log has the same steps and losses" diff "$work/whole.losses" "$work/broken.losses"

finish_story
