#!/usr/bin/env bash
# The command line as scripts see it: what it prints where, and how it exits. Takes the program as its argument.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=$(realpath "${1:-.build/release/tuneboard}")
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect CODE NAME COMMAND...: runs the command with nothing to read, keeps what it prints in $work/out and $work/err.
expect() {
    local code=$1 name=$2
    shift 2
    "$@" >"$work/out" 2>"$work/err" </dev/null
    local found=$?
    [ "$found" -eq "$code" ] || complain "$name: expected exit code $code, found $found"
}
complain() {
    echo "cli.sh: $1" >&2
    sed 's/^/    out: /' "$work/out" | head -n 12 >&2
    sed 's/^/    err: /' "$work/err" | head -n 12 >&2
    failures=$((failures + 1))
}
out_has() { grep -qF -- "$1" "$work/out" || complain "expected on standard output: $1"; }
err_has() { grep -qF -- "$1" "$work/err" || complain "expected on standard error: $1"; }
out_is_json_lines() { /usr/bin/env python3 -c 'import json,sys
for line in sys.stdin: json.loads(line)' <"$work/out" 2>/dev/null || complain "expected one JSON value per line"; }

# Help, version, wrong words
expect 2 "no terminal" "$program"
out_has "tuneboard COMMAND"
expect 2 "dumb terminal" env TERM=dumb "$program"
expect 0 "help" "$program" help
out_has "train"
expect 0 "--help" "$program" --help
expect 0 "help of a command" "$program" train --help
out_has "--learning_rate"
expect 0 "help of an argument" "$program" help learning_rate
out_has "learning_rate"
expect 0 "version" "$program" version
expect 0 "--version" "$program" --version
expect 2 "unknown command" "$program" trian
err_has "train"
expect 2 "recipe without command" "$program" recipes/quickstart.yaml
err_has "tuneboard train recipes/quickstart.yaml"
expect 2 "api comes later" "$program" api
err_has "later"
expect 0 "env" "$program" env
out_has "processors to use"
expect 0 "env --json" "$program" env --json
expect 0 "completion" "$program" completion bash
out_has "complete -o filenames -F _tuneboard tuneboard"
bash -n "$work/out" || complain "the completion script is not bash"

# Every problem of a recipe at once, with its place
cat >"$work/wrong.yaml" <<'YAML'
model_name_or_path: saves/demo-model
learning_rat: 1e-4
cutoff_len: 0
stage: sfft
YAML
expect 2 "wrong recipe" "$program" train "$work/wrong.yaml" lora_rank=abc
err_has "wrong.yaml, line 2"
err_has "learning_rate"
err_has "wrong.yaml, line 3"
err_has "wrong.yaml, line 4"
err_has "lora_rank"
expect 2 "wrong value" "$program" train recipes/quickstart.yaml --learning_rate abc
err_has "abc"
expect 2 "no value" "$program" train recipes/quickstart.yaml --learning_rate
expect 2 "missing recipe" "$program" train "$work/none.yaml"
err_has "none.yaml"
printf 'a: [1,\n' >"$work/broken.yaml"
expect 2 "broken YAML" "$program" train "$work/broken.yaml"
err_has "broken.yaml"
expect 2 "stray word" "$program" train recipes/quickstart.yaml stray
err_has "stray"
expect 2 "unknown option" "$program" runs --bogus
err_has "bogus"

# Runs
mkdir -p "$work/saves/old"
cat >"$work/saves/old/trainer_log.jsonl" <<'JSON'
{"current_steps": 5, "total_steps": 10, "loss": 2.5, "lr": 5e-05, "epoch": 0.5, "percentage": 50.0, "elapsed_time": "0:00:10", "remaining_time": "0:00:10"}
{"current_steps": 10, "total_steps": 10, "loss": 1.25, "lr": 0.0, "epoch": 1.0, "percentage": 100.0, "elapsed_time": "0:00:20", "remaining_time": "0:00:00"}
{"current_steps": 10, "tot
JSON
printf '{"train_loss": 1.875}' >"$work/saves/old/all_results.json"
expect 0 "runs" "$program" runs list "$work/saves"
out_has "finished"
out_has "1.2500"
expect 0 "runs --json" "$program" runs list "$work/saves" --json
out_has '"status": "finished"'
out_is_json_lines
expect 0 "runs show" "$program" runs show "$work/saves/old"
out_has "10/10"
expect 0 "runs follow of a finished run" "$program" runs follow "$work/saves/old"
expect 1 "stop of a finished run" "$program" runs stop "$work/saves/old"
expect 2 "delete without asking" "$program" runs delete "$work/saves/old"
expect 0 "delete" "$program" runs delete "$work/saves/old" --yes
[ ! -e "$work/saves/old" ] || complain "the run is still there"
expect 1 "no such run" "$program" runs show "$work/saves/old"

# Tokenizer
tokenizer=Tests/Fixtures/models/llama
printf '"hello"\n5\n' | "$program" tokenizer encode --model_name_or_path "$tokenizer" >"$work/out" 2>"$work/err"
[ $? -eq 1 ] || complain "a line that cannot be encoded makes the exit code 1"
out_has '{"ids": ['
out_has '{"error": '
head -n 1 "$work/out" | "$program" tokenizer decode --model_name_or_path "$tokenizer" >"$work/decoded" 2>"$work/err"
[ "$(cat "$work/decoded")" = '"hello"' ] || complain "decode(encode(hello)) is $(cat "$work/decoded")"
expect 2 "tokenizer without a model" "$program" tokenizer encode
expect 1 "tokenizer of a missing model" "$program" tokenizer encode --model_name_or_path "$work/none"

# Datasets
expect 0 "data list" "$program" data list --dataset_dir recipes/data
out_has "identity"
expect 0 "data preview" "$program" data preview identity --dataset_dir recipes/data --model_name_or_path "$tokenizer" --template alpaca --json
out_has '"labels": [-100'
out_is_json_lines
expect 0 "data preview of a file" "$program" data preview recipes/data/facts.jsonl --model_name_or_path "$tokenizer" --template alpaca
out_has "with loss"
expect 1 "no such dataset" "$program" data preview none --dataset_dir recipes/data --model_name_or_path "$tokenizer"
expect 1 "no such row" "$program" data preview identity --from 9999 --dataset_dir recipes/data --model_name_or_path "$tokenizer" --template alpaca
expect 2 "preview without a model" "$program" data preview identity --dataset_dir recipes/data
expect 0 "data clean" "$program" data clean recipes/data/facts.jsonl --min_words 8 --mask all --output "$work/clean.jsonl"
out_has "rows read"
expect 0 "data clean by a model's perplexity" "$program" data clean recipes/data/facts.jsonl --max_perplexity 2 --model_name_or_path "$tokenizer" --dry_run
out_has "max_perplexity: "
expect 0 "data dedup" "$program" data dedup "$work/clean.jsonl" "$work/clean.jsonl" --output "$work/unique.jsonl" --json
out_has '"rule": "exact"'
expect 0 "data convert" "$program" data convert identity --dataset_dir recipes/data --to openai --output "$work/chats.jsonl"
out_has '"formatting": "openai"'
expect 0 "data split" "$program" data split "$work/chats.jsonl" --val_size 2 --output "$work/train.jsonl" --held_output "$work/held.jsonl"
[ "$(wc -l <"$work/held.jsonl")" -eq 2 ] || complain "split does not hold two rows back"
expect 1 "a source is not overwritten" "$program" data clean "$work/clean.jsonl" --min_words 1 --output "$work/clean.jsonl"
expect 2 "clean without a rule" "$program" data clean "$work/clean.jsonl" --dry_run
expect 2 "rows without a place to go" "$program" data dedup "$work/clean.jsonl"

# Chat and export
expect 0 "chat answers questions" "$program" chat --model_name_or_path "$tokenizer" --template default --max_new_tokens 4 --question hi --question there
out_has "User: hi"
out_has "Assistant: "
printf '"hi"\n{"messages": [{"role": "user", "content": "x"}]}\nnonsense\n' \
    | "$program" chat --model_name_or_path "$tokenizer" --template default --max_new_tokens 4 --json >"$work/out" 2>"$work/err"
[ $? -eq 1 ] || complain "a message that cannot be read makes the exit code 1"
out_is_json_lines
[ "$(grep -c '"event": "answer"' "$work/out")" -eq 2 ] || complain "expected two answers"
expect 1 "chat with a missing model" "$program" chat --model_name_or_path "$work/none" --question hi
err_has "none"
expect 0 "export" "$program" export --model_name_or_path "$tokenizer" --template default \
    --adapter_name_or_path Tests/Fixtures/models/llama-adapter --export_dir "$work/export"
[ -s "$work/export/model.safetensors" ] || complain "there is no exported model"

[ "$failures" -eq 0 ] || { echo "cli.sh: $failures failures" >&2; exit 1; }
echo "cli.sh: all well"
