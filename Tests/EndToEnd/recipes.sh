#!/usr/bin/env bash
# Every recipe that runs on the embedded model, start to end, and what it has to show for it: DPO raises the margin of the rewards, PPO
# the reward; ORPO, SimPO and KTO come to prefer the better answer of pairs they have not seen. Less than two minutes each.
# Usage: recipes.sh PROGRAM
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=$(realpath "${1:-.build/release/tuneboard}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

check() {
    local name=$1
    shift
    if "$@"; then
        printf '  ok    %s\n' "$name"
    else
        printf '  FAIL  %s\n' "$name"
        failures=$((failures + 1))
    fi
}

# Recipes name folders from where they are run, so they run in a copy.
cp -r recipes "$work/"
mkdir -p "$work/saves"
cp -r saves/demo-model "$work/saves/"
rm -rf "$work/saves/demo-model/lora" "$work/saves/demo-model/full"
cd "$work" || exit 1

# run RECIPE [ARGUMENT...]: green, and within two minutes.
run() {
    local recipe=$1
    shift
    local start=$SECONDS
    if ! "$program" train "recipes/$recipe.yaml" "$@" >"$work/log" 2>&1; then
        tail -5 "$work/log"
        return 1
    fi
    [ $((SECONDS - start)) -lt 120 ]
}

# result FOLDER NAME: a number of all_results.json.
result() { sed -n "s|^ *\"$2\": \([-0-9.e+]*\),*$|\1|p" "saves/demo-model/lora/$1/all_results.json"; }
above() { awk -v found="${1:-none}" -v bound="$2" 'BEGIN { exit !(found != "none" && found + 0 > bound) }'; }
# logged FOLDER NAME: every value of a metric in the log, in order.
logged() { grep -o "\"$2\": [-0-9.e+]*" "saves/demo-model/lora/$1/trainer_log.jsonl" | sed 's/.*: //'; }
# rises: the mean of the last third of the numbers is above that of the first third.
rises() { awk '{ value[NR] = $1 } END { third = int(NR / 3); for (i = 1; i <= third; i++) { first += value[i]; last += value[NR - third + i] }
    exit !(third > 0 && last > first) }'; }

check "blocks are added for LLaMA-Pro" "$program" prepare blocks --model_name_or_path saves/demo-model \
    --output_dir saves/demo-model-pro --num_expand 5 >"$work/log" 2>&1
methods="dora rslora pissa oft lora_embeddings freeze neftune longlora loraplus llama_pro"
for recipe in quickstart full_sft pretrain firefly_qlora $methods; do check "$recipe runs" run $recipe max_steps=4; done

check "dpo runs" run dpo
check "DPO raises the margin of the rewards" rises < <(logged dpo rewards/margins)
check "DPO prefers the better answer of unseen pairs" above "$(result dpo 'eval_rewards\/accuracies')" 0.8
for loss in orpo simpo; do
    check "$loss runs" run $loss
    check "$loss prefers the better answer of unseen pairs" above "$(result $loss 'eval_rewards\/accuracies')" 0.8
done

check "kto runs" run kto
"$program" eval recipes/kto.yaml stage=dpo do_train=false eval_dataset=manners_test adapter_name_or_path=saves/demo-model/lora/kto \
    output_dir=saves/demo-model/lora/kto-pairs >"$work/log" 2>&1 || tail -5 "$work/log"
check "KTO prefers the better answer of unseen pairs" above "$(result kto-pairs 'eval_rewards\/accuracies')" 0.8

check "reward_model runs" run reward_model
check "the reward model tells the better answer of unseen pairs" above "$(result reward eval_accuracy)" 0.8

check "Zephyr's first step runs" run zephyr/1_sft
check "Zephyr's second step runs" run zephyr/2_dpo
check "Zephyr's second step prefers the better answer" above "$(result zephyr-dpo 'eval_rewards\/accuracies')" 0.8

for step in 1_sft 2_rm 3_ppo; do check "BELLE's $step runs" run belle/$step; done
check "BELLE's reward model is right" above "$(result belle-reward eval_accuracy)" 0.8
check "PPO raises the reward" rises < <(logged belle-ppo reward)

[ "$failures" -eq 0 ] || { echo "recipes.sh: $failures failures" >&2; exit 1; }
echo "recipes.sh: all well"
