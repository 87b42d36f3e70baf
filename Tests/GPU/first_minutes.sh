#!/usr/bin/env bash
# The first minutes with a card: what is there, whether it computes what the processor computes, then how fast. Each line of output is
# JSON or says what it is. Beside the programs in a carried folder, or with their folder as argument.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=${1:-$here}
bench="$programs/tuneboard-bench"
say() { printf '\n== %s\n' "$*"; }

say "What is here"
"$programs/tuneboard" env
nvidia-smi --query-gpu=name,memory.total,memory.used,driver_version --format=csv 2>/dev/null

small="--layers 2 --hidden 256 --ff 512 --heads 4 --kv-heads 2 --vocabulary 1024 --batch 2 --length 128 --steps 10 --warmup 0"
for method in lora full; do
    say "Ten steps, $method: processor, card in f32, card in bf16, card in bf16 again (losses and norms must be alike, the last two equal)"
    # shellcheck disable=SC2086
    for device in "cpu --precision f32" "cuda:0 --precision f32" "cuda:0 --precision bf16" "cuda:0 --precision bf16"; do
        "$bench" train --method $method --device $device $small | tr -d '\n' | grep -oE '"(losses|gradient_norms)": *\[[^]]*\]' || echo "FAILED: $device"
    done
done

say "Decoding, small"
"$bench" decode --device cuda:0 --layers 2 --hidden 256 --ff 512 --heads 4 --kv-heads 2 --vocabulary 1024 --prompt 64 --tokens 32

say "Llama-3-8B's shape, LoRA, 1 x 4096, without and with recomputation"
"$bench" train --shape c --method lora --rank 16 --dtype bfloat16 --device cuda:0 --batch 1 --length 4096 --steps 5 --warmup 2
"$bench" train --shape c --method lora --rank 16 --dtype bfloat16 --device cuda:0 --batch 1 --length 4096 --steps 5 --warmup 2 --checkpointing 1
say "Qwen2.5-0.5B's shape, full, 16 x 1024"
"$bench" train --shape b --method full --dtype bfloat16 --device cuda:0 --batch 16 --length 1024 --steps 8 --warmup 2
say "Llama-3-8B's shape, decoding"
"$bench" decode --shape c --device cuda:0 --prompt 256 --tokens 64
say "QLoRA of that shape, 1 x 2048 (quantising on the processor takes minutes)"
"$bench" train --shape c --method lora --rank 16 --dtype bfloat16 --quantization nf4 --device cuda:0 --batch 1 --length 2048 --steps 5 --warmup 2 --checkpointing 1
if python3 -c 'import torch, transformers, peft' 2>/dev/null; then
    say "PyTorch and PEFT on the same card"
    python3 "$here/peer.py"
fi
