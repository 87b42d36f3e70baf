#!/usr/bin/env bash
# What people get wrong, from the command line: each mistake is told by name, ends with the right exit code, traps nowhere and
# leaves nothing behind that looks finished.
#   bash Tests/EndToEnd/mistakes.sh PROGRAM
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=$(realpath "${1:-.build/release/tuneboard}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
printf 'Mistakes are told\n'

cp -r recipes/data "$work/data"
mkdir -p "$work/model"
cp saves/demo-model/* "$work/model/"
cat >"$work/recipe.yaml" <<'YAML'
model_name_or_path: model
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 4
dataset_dir: data
dataset: identity
template: chatml
cutoff_len: 64
per_device_train_batch_size: 2
logging_steps: 1
max_steps: 2
output_dir: run
YAML
cd "$work" || exit 1

complain() {
    printf '  FAIL  %s: %s\n' "$name" "$1" >&2
    sed 's/^/          /' said | head -n 12 >&2
    failures=$((failures + 1))
    is_well=false
}

train() { "$program" train recipe.yaml "$@"; }

# told CODE NAME WORD... -- COMMAND...: the command exits with the code and its message has all the words.
told() {
    local code=$1 words=() word found is_well=true
    name=$2
    shift 2
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    rm -rf run
    "$@" >out 2>said </dev/null
    found=$?
    [ "$found" -eq "$code" ] || complain "expected exit code $code, found $found"
    for word in "${words[@]}"; do grep -qF -- "$word" said || complain "expected in the message: $word"; done
    if grep -qE 'Fatal error|Crash|Segmentation|Illegal instruction' said; then complain 'it trapped'; fi
    [ "$code" -eq 0 ] || leaves_nothing_finished
    "$is_well" && printf '  ok    %s\n' "$name"
}

leaves_nothing_finished() {
    local file
    for file in adapter_model.safetensors adapter_config.json model.safetensors all_results.json train_results.json; do
        [ ! -e "run/$file" ] || complain "it left run/$file"
    done
    if ls -d run/checkpoint-* >/dev/null 2>&1; then complain 'it left a checkpoint'; fi
    if grep -q '"status": "finished"' run/state.json 2>/dev/null; then complain 'the run says that it is finished'; fi
}

# The folder of a model like the good one, to be damaged.
damaged() {
    rm -rf "$1"
    cp -r model "$1"
}

# Arguments
told 2 'a learning rate of letters' learning_rate abc number -- train --learning_rate abc
told 2 'cutoff_len 0' cutoff_len 0 -- train --cutoff_len 0
told 2 'an unknown argument' learning_rat 'learning_rate' -- train --learning_rat 1e-4
sed 's/^cutoff_len.*/cutof_len: 64\nlearning_rate: abc/' recipe.yaml >wrong.yaml
told 2 'every problem of a recipe at once' cutof_len cutoff_len learning_rate abc 'wrong.yaml' -- "$program" train wrong.yaml
printf 'model_name_or_path: [model\nstage: sft\n' >broken.yaml
told 2 'broken YAML' broken.yaml line -- "$program" train broken.yaml
told 2 'a recipe that is not there' missing.yaml -- "$program" train missing.yaml

# The model
told 1 'a model that is not there' 'no-model' -- train --model_name_or_path no-model
damaged without; rm without/model.safetensors
told 1 'no weights' 'without' safetensors -- train --model_name_or_path without
damaged cut; head -c 4000000 model/model.safetensors >cut/model.safetensors
told 1 'weights cut off' 'cut/model.safetensors' -- train --model_name_or_path cut
damaged header; head -c 100 model/model.safetensors >header/model.safetensors
told 1 'a header cut off' 'header/model.safetensors' -- train --model_name_or_path header
damaged empty; : >empty/model.safetensors
told 1 'an empty file of weights' 'empty/model.safetensors' -- train --model_name_or_path empty
damaged wide; sed -i 's/"intermediate_size": 704/"intermediate_size": 768/' wide/config.json
told 1 'wrong shapes' 'mlp' 704 768 -- train --model_name_or_path wide
damaged deep; sed -i 's/"num_hidden_layers": 5/"num_hidden_layers": 6/' deep/config.json
told 1 'a layer that is not in the file' 'model.layers.5' -- train --model_name_or_path deep
damaged odd; sed -i 's/"model_type": "llama"/"model_type": "lama"/; s/LlamaForCausalLM/LamaForCausalLM/' odd/config.json
told 1 'an unknown family' lama -- train --model_name_or_path odd
damaged zero; sed -i 's/"num_attention_heads": 8/"num_attention_heads": 0/' zero/config.json
told 1 'no heads' num_attention_heads -- train --model_name_or_path zero
damaged torn; head -c 200 model/config.json >torn/config.json
told 1 'a torn config.json' 'torn/config.json' -- train --model_name_or_path torn

# The tokenizer
damaged mute; rm mute/tokenizer.json
told 1 'no tokenizer' 'tokenizer' 'mute' -- train --model_name_or_path mute
damaged unmerged; sed -i 's/"merges"/"merged"/' unmerged/tokenizer.json
told 1 'a tokenizer without merges' merges 'unmerged/tokenizer.json' -- train --model_name_or_path unmerged
damaged wordless; sed -i 's/"vocab"/"vocal"/' wordless/tokenizer.json
told 1 'a tokenizer without a vocabulary' vocab 'wordless/tokenizer.json' -- train --model_name_or_path wordless
damaged half; head -c 20000 model/tokenizer.json >half/tokenizer.json
told 1 'half a tokenizer' 'half/tokenizer.json' -- train --model_name_or_path half

# The template
damaged raising
printf '%s\n' '{"chat_template": "{{ raise_exception(\"only haiku are welcome\") }}", "eos_token": "<|im_end|>"}' >raising/tokenizer_config.json
sed '/^template/d' recipe.yaml >own.yaml
told 1 'a template that raises' 'only haiku are welcome' -- "$program" train own.yaml --model_name_or_path raising
printf '%s\n' '{"chat_template": "{% for m in messages %}{{ m.content }}", "eos_token": "<|im_end|>"}' >raising/tokenizer_config.json
told 1 'a template that does not end' 'chat template' 'endfor' -- "$program" train own.yaml --model_name_or_path raising
told 1 'an unknown template' chatmll chatml -- train --template chatmll

# The data
told 1 'an unknown dataset' identitty identity -- train --dataset identitty
told 1 'a folder without data' 'dataset_info.json' 'nowhere' -- train --dataset_dir nowhere
printf '{"instruction": "a", "output": "b"}\n{"instruction": "a", "outptu": "b"}\n' >data/column.jsonl
told 0 'a row without its column' 'column.jsonl, row 2' '"output"' -- train --dataset data/column.jsonl
sed 2p -n data/column.jsonl >data/columns.jsonl
told 1 'no row with its column' 'columns.jsonl' '"output"' -- train --dataset data/columns.jsonl
printf '{"instruction": "a", "output": "b"}\n{"instruction": "a", "output": "b"\n{"instruction": "a", "output": "b"}\n' >data/torn.jsonl
told 0 'broken JSON on line 2' 'torn.jsonl, row 2 (line 2): column' -- train --dataset data/torn.jsonl
printf '[{"instruction": "a", "output": "b"},\n {"instruction": "a" "output": "b"}]\n' >data/torn.json
told 1 'broken JSON in a list' 'torn.json' 2 -- train --dataset data/torn.json
: >data/empty.jsonl
told 1 'an empty file' 'empty.jsonl' -- train --dataset data/empty.jsonl
printf '[]\n' >data/none.json
told 1 'an empty list' 'none.json' -- train --dataset data/none.json
printf '{"instruction": "a", "output": "\377\376"}\n' >data/bytes.jsonl
told 1 'bytes that are not text' 'bytes.jsonl' -- train --dataset data/bytes.jsonl
printf '{"lost": {"file_name": "lost.json"}}\n' >data/lost_info.json
mkdir -p lost; printf '{"lost": {"file_name": "lost.json"}}\n' >lost/dataset_info.json
told 1 'a file that the catalogue names' 'lost.json' -- train --dataset_dir lost --dataset lost
told 0 'a folder without data sets' 'There is no nowhere/dataset_info.json' '--dataset_dir' -- "$program" data list --dataset_dir nowhere
printf '{"prompt": "a", "answers": [{"text": "b", "rating": 1}]}\n' >scored.jsonl
told 1 'scored answers without scores' 'scored.jsonl, row 1' '"score" is missing' '"rating"' '--score_key' -- \
    "$program" data prefer scored.jsonl --output pairs.jsonl
told 2 'scored answers to nowhere' '--output' -- "$program" data prefer scored.jsonl

told 2 'a tokenizer over that of a model' 'model holds tokenizer.json already' -- \
    "$program" tokenizer train data/facts.jsonl --vocab_size 300 --output_dir model
told 2 'a vocabulary merged over its base' 'model holds tokenizer.json already' -- "$program" tokenizer merge model model --output_dir model
cmp -s model/tokenizer.json "$OLDPWD/saves/demo-model/tokenizer.json" || complain 'the tokenizer has changed'

# Earlier steps
mkdir -p recipes
printf 'output_dir: saves/first\n' >recipes/first.yaml
printf '#  tuneboard prepare blocks --output_dir saves/larger --num_expand 2\noutput_dir: saves/second\n' >recipes/second.yaml
told 1 'an adapter of a step that has not run' 'adapter_name_or_path' 'tuneboard train recipes/first.yaml' -- train --adapter_name_or_path saves/first
told 1 'a plan on a model of a step that has not run' 'tuneboard prepare blocks --output_dir saves/larger --num_expand 2' -- \
    train --plan --model_name_or_path saves/larger

# The output
: >in-the-way
told 1 'a file where the folder should be' 'in-the-way' -- train --output_dir in-the-way/run
told 1 'a file as the folder' 'in-the-way' -- train --output_dir in-the-way
told 1 'a folder that takes no files' '/proc' -- train --output_dir /proc/run
[ -s in-the-way ] && complain 'it wrote into the file in the way'

# The other commands
told 1 'an adapter that is not there' 'no-adapter' -- \
    "$program" export --model_name_or_path model --adapter_name_or_path no-adapter --template chatml --export_dir out-of-it
[ ! -e out-of-it/model.safetensors ] || complain 'it left an export'
told 1 'exporting weights that are cut off' 'cut/model.safetensors' -- \
    "$program" export --model_name_or_path cut --template chatml --export_dir out-of-it
[ ! -e out-of-it/model.safetensors ] || complain 'it left an export'
told 1 'exporting into a file' 'in-the-way' -- \
    "$program" export --model_name_or_path model --template chatml --export_dir in-the-way
told 2 'exporting to nowhere' export_dir -- "$program" export --model_name_or_path model --template chatml
told 1 'chatting with weights that are cut off' 'cut/model.safetensors' -- "$program" chat --model_name_or_path cut --template chatml
told 1 'judging with data that is not there' nothing -- \
    "$program" eval --model_name_or_path model --template chatml --eval_dataset nothing --dataset_dir data --output_dir run-eval

# A run can be put right afterwards
name='the recipe itself is well'
rm -rf run
"$program" train recipe.yaml >out 2>said </dev/null && [ -s run/adapter_model.safetensors ] && [ -s run/all_results.json ] \
    || complain 'it did not train'

printf 'mistakes.sh: %s\n' "$([ "$failures" -eq 0 ] && echo 'all told' || echo "$failures failures")"
[ "$failures" -eq 0 ]
