#!/usr/bin/env bash
# Makes saves/demo-model again, from nothing: the corpus, the vocabulary, the training run and the export to bfloat16.
# About a quarter of an hour on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

program=.build/release/tuneboard
work=.build/demo-model
conversations=60000
mkdir -p "$work/scratch"

swift build -c release --product tuneboard
swiftc -O -parse-as-library recipes/demo-model/*.swift -o "$work/write-corpus"
"$work/write-corpus" "$conversations" >"$work/corpus.jsonl"
printf '{"corpus": {"file_name": "corpus.jsonl", "formatting": "sharegpt"}}\n' >"$work/dataset_info.json"

cp recipes/demo-model/config.json "$work/scratch/config.json"
"$program" tokenizer train "$work/corpus.jsonl" --vocab_size 4096 --min_frequency 5 --output_dir "$work/scratch"

"$program" train recipes/demo-model/train.yaml
"$program" export --model_name_or_path "$work/run" --template chatml --infer_dtype bfloat16 --export_dir "$work/export"

# The card is written by hand and stays.
mkdir -p saves/demo-model
find "$work/export" -type f ! -name README.md -exec cp {} saves/demo-model/ \;
