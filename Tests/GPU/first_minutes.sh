#!/usr/bin/env bash
# The first minutes with a card: what is there, whether it computes what the processor computes, then how fast. Every measurement is one
# line of JSON with its losses and gradient norms, every comparison one line {"check": ..., "holds": ...}; the last line counts those that
# do not hold, and so does the exit status. Beside the programs in a carried folder, or with their folder as argument. Without a card the
# same comparisons are made on the processor, in small shapes.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=${1:-$here}
bench="$programs/tuneboard-bench"
failures=0
say() { printf '\n== %s\n' "$*"; }

# measure WHAT ARGUMENTS...: one line of JSON, kept in $result.
measure() {
    local what=$1
    shift
    if result=$("$bench" "$@" 2>/tmp/first_minutes.$$); then
        result=$(printf '%s' "$result" | tr -d '\n' | sed -E "s|^\{ *|{\"what\": \"$what\", |; s/  +/ /g")
    else
        result="{\"what\": \"$what\", \"error\": \"$(tr '\n"' " '" < /tmp/first_minutes.$$)\"}"
        failures=$((failures + 1))
    fi
    rm -f /tmp/first_minutes.$$
    printf '%s\n' "$result"
}
# The numbers of a list in the last measurement.
list() { printf '%s' "$result" | grep -oE "\"$1\": *\[[^]]*\]" | grep -oE '\[.*\]' | tr -d '[] ' ; }
# check WHAT A B TOLERANCE: two lists, number by number, relative to the second.
check() {
    local holds
    holds=$(awk -v a="$2" -v b="$3" -v most="$4" 'BEGIN {
        n = split(a, x, ","); m = split(b, y, ",")
        if (n != m || n == 0 || a == "") { print "false"; exit }
        for (i = 1; i <= n; i++) { d = x[i] - y[i]; if (d < 0) d = -d; s = y[i] < 0 ? -y[i] : y[i]; if (!(d <= most * s)) { print "false"; exit } }
        print "true"
    }')
    printf '{"check": "%s", "tolerance": %s, "holds": %s}\n' "$1" "$4" "$holds"
    [ "$holds" = true ] || failures=$((failures + 1))
}

say "What is here"
"$programs/tuneboard" env
nvidia-smi --query-gpu=name,memory.total,memory.used,driver_version --format=csv 2>/dev/null

small="--layers 2 --hidden 256 --ff 512 --heads 4 --kv-heads 2 --vocabulary 1024 --batch 2 --length 128 --steps 10 --warmup 0"
short="--layers 2 --hidden 256 --ff 512 --heads 4 --kv-heads 2 --vocabulary 1024 --prompt 64 --tokens 32"
device=cuda:0
tiny="--layers 1 --hidden 64 --ff 128 --heads 1 --kv-heads 1 --vocabulary 256 --batch 1 --length 16 --steps 1 --warmup 0"
# shellcheck disable=SC2086
if ! reason=$("$bench" train --device $device $tiny 2>&1 >/dev/null); then
    device=cpu
    say "No GPU computes here, so the processor does, in small shapes alone. The reason: $reason"
fi

# shellcheck disable=SC2086
for method in lora full; do
    say "Ten steps, $method: the processor, the card in f32 and in bf16, twice, and with what can wait in the host's memory"
    measure "processor, $method" train --method $method --device cpu $small
    losses=$(list losses) norms=$(list gradient_norms)
    [ $device = cpu ] && again=cpu || again="$device --precision f32"
    measure "$again, $method" train --method $method --device $again $small
    check "losses of $method in f32 are the processor's" "$(list losses)" "$losses" 1e-3
    check "gradient norms of $method in f32 are the processor's" "$(list gradient_norms)" "$norms" 5e-3
    measure "bf16, $method" train --method $method --device $device --precision bf16 --checkpointing 1 $small
    first=$(list losses) firstNorms=$(list gradient_norms)
    check "losses of $method in bf16 are within 1 % of the processor's" "$first" "$losses" 1e-2
    for offload in none optimizer checkpoints both; do
        measure "bf16, $method, offload $offload" train --method $method --device $device --precision bf16 --checkpointing 1 --offload $offload $small
        check "losses of $method are the same again with offload $offload" "$(list losses)" "$first" 0
        check "gradient norms of $method are the same again with offload $offload" "$(list gradient_norms)" "$firstNorms" 0
    done
done

say "Decoding, small: kernel by kernel, and recorded steps"
# shellcheck disable=SC2086
for streams in 1 8; do
    tokens=
    for graphs in 0 1; do
        measure "decoding, $streams streams, graphs $graphs" decode --device $device --streams $streams --graphs $graphs $short
        if [ $graphs = 0 ]; then tokens=$(list last_tokens); else check "recorded steps give the same tokens, $streams streams" "$(list last_tokens)" "$tokens" 0; fi
    done
done

if [ $device != cpu ]; then
    eight="--shape c --method lora --rank 16 --dtype bfloat16 --device $device"
    say "Llama-3-8B's shape, LoRA, 1 x 4096"
    # shellcheck disable=SC2086
    for checkpoints in "0 none" "1 none" "1 checkpoints"; do
        set -- $checkpoints
        measure "8B LoRA, checkpointing $1, offload $2" train $eight --batch 1 --length 4096 --steps 5 --warmup 2 --checkpointing "$1" --offload "$2"
    done
    say "Qwen2.5-0.5B's shape, full, 16 x 1024"
    for offload in none optimizer; do
        measure "0.5B full, offload $offload" train --shape b --method full --dtype bfloat16 --device $device --batch 16 --length 1024 --steps 8 --warmup 2 --offload $offload
    done
    say "Llama-3-8B's shape, decoding"
    for graphs in 0 1; do measure "8B decoding, graphs $graphs" decode --shape c --device $device --prompt 256 --tokens 64 --graphs $graphs; done
    measure "8B decoding, 32 streams" decode --shape c --device $device --prompt 256 --tokens 64 --streams 32
    say "QLoRA of that shape, 1 x 2048 (quantising on the processor takes minutes)"
    # shellcheck disable=SC2086
    measure "8B QLoRA" train $eight --quantization nf4 --batch 1 --length 2048 --steps 5 --warmup 2 --checkpointing 1
    if python3 -c 'import torch, transformers, peft' 2>/dev/null; then
        say "PyTorch and PEFT on the same card"
        python3 "$here/peer.py"
    fi
fi
printf '\n{"checks_that_do_not_hold": %d}\n' "$failures"
[ "$failures" -eq 0 ]
