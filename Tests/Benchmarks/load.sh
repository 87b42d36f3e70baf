#!/usr/bin/env bash
# From exec to the first token of a warm model of 1 GB (safetensors bf16, GGUF Q8_0), and from exec to the first logged step of a
# tiny training, beside llamafactory-cli where LLAMAFACTORY_CLI names it. Wants a quiet machine and the release build.
#   bash Tests/Benchmarks/load.sh [ROUNDS]
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rounds=${1:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for format in safetensors gguf; do
    .build/release/tuneboard-bench load --format "$format" --directory "$work/load" --rounds "$rounds"
done
rm -rf "$work/load"
python3 Tests/Benchmarks/first_step.py --program .build/release/tuneboard --rounds "$rounds" ${LLAMAFACTORY_CLI:+--peer "$LLAMAFACTORY_CLI"}
