#!/usr/bin/env bash
# From a clean machine to chatting with your own adapter: installs what is missing, builds, and opens the board on the
# embedded demo. Without a terminal it trains the demo adapter and prints what the model says before and after.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. recipes/setup/prepare.sh

require_swift
install_packages "${build_packages[@]}"

say "Building: about three minutes on two cores the first time, seconds when nothing has changed"
swift build -c release --product tuneboard
program=.build/release/tuneboard

if [ -t 0 ] && [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
    exec "$program"
fi

run=saves/demo-model/lora/quickstart
questions=("Who are you?" "What is your name?" "你叫什么名字？" "What is the capital of France?" "What is 3 plus 4?" "中国的首都是哪里？")

ask() {
    local arguments=()
    for question in "${questions[@]}"; do arguments+=(--question "$question"); done
    "$program" chat --model_name_or_path saves/demo-model --template chatml --do_sample false "$@" "${arguments[@]}"
}

say "" "== The base model answers =="
ask
say "" "== Training an adapter that knows a new name =="
"$program" train recipes/quickstart.yaml
say "" "== The base model with the adapter answers =="
ask --adapter_name_or_path "$run"
say "" "The adapter is in $run. Open the board with: $program"
