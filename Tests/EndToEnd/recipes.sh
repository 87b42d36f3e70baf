#!/usr/bin/env bash
# Every recipe that runs on the embedded model, start to end, and what it has to show for it: DPO raises the margin of the rewards, PPO
# the reward; ORPO, SimPO and KTO come to prefer the better answer of pairs they have not seen. Less than two minutes each.
#   bash Tests/EndToEnd/recipes.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/terminal.bash"
printf 'Every recipe\n'

# Recipes name folders from where they are run, so they run in a copy.
copy_demo
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

expect "blocks are added for LLaMA-Pro" "$program" prepare blocks --model_name_or_path saves/demo-model \
    --output_dir saves/demo-model-pro --num_expand 5 >"$work/log" 2>&1
methods="dora rslora pissa oft lora_embeddings freeze neftune longlora loraplus llama_pro"
for recipe in quickstart full_sft pretrain firefly_qlora $methods; do expect "$recipe runs" run $recipe max_steps=4; done

# Those for downloaded models, on the embedded one.
for recipe in llama3_lora_sft qwen2.5_lora_sft; do
    expect "$recipe runs" run $recipe model_name_or_path=saves/demo-model template=chatml max_steps=2 output_dir=saves/demo-model/lora/$recipe
done
expect "a recipe runs with its data streaming in" run quickstart streaming=true buffer_size=32 max_steps=4 val_size=0 eval_strategy=no \
    do_eval=false output_dir=saves/demo-model/lora/streamed
for recipe in recipes/*.yaml; do
    name=$(basename "$recipe" .yaml)
    case " quickstart full_sft pretrain firefly_qlora $methods llama3_lora_sft qwen2.5_lora_sft dpo orpo simpo kto reward_model " in
        *" $name "*) ;;
        *) expect "$name has its place in this story" false ;;
    esac
done

expect "dpo runs" run dpo
expect "DPO raises the margin of the rewards" rises < <(logged dpo rewards/margins)
expect "DPO prefers the better answer of unseen pairs" above "$(result dpo 'eval_rewards\/accuracies')" 0.8
for loss in orpo simpo; do
    expect "$loss runs" run $loss
    expect "$loss prefers the better answer of unseen pairs" above "$(result $loss 'eval_rewards\/accuracies')" 0.8
done

expect "kto runs" run kto
"$program" eval recipes/kto.yaml stage=dpo do_train=false eval_dataset=manners_test adapter_name_or_path=saves/demo-model/lora/kto \
    output_dir=saves/demo-model/lora/kto-pairs >"$work/log" 2>&1 || tail -5 "$work/log"
expect "KTO prefers the better answer of unseen pairs" above "$(result kto-pairs 'eval_rewards\/accuracies')" 0.8

expect "reward_model runs" run reward_model
expect "the reward model tells the better answer of unseen pairs" above "$(result reward eval_accuracy)" 0.8

expect "Zephyr's first step runs" run zephyr/1_sft
expect "Zephyr's second step runs" run zephyr/2_dpo
expect "Zephyr's second step prefers the better answer" above "$(result zephyr-dpo 'eval_rewards\/accuracies')" 0.8

for step in 1_sft 2_rm 3_ppo; do expect "BELLE's $step runs" run belle/$step; done
expect "BELLE's reward model is right" above "$(result belle-reward eval_accuracy)" 0.8
expect "PPO raises the reward" rises < <(logged belle-ppo reward)

expect "best-of-N answers are scored" "$program" data answer recipes/belle/3_ppo.yaml max_samples=8 max_new_tokens=24 --answers 3 --output scored.jsonl \
    --best_output best.jsonl >"$work/log" 2>&1
expect "scored answers become pairs" "$program" data prefer scored.jsonl --output pairs.jsonl >"$work/log" 2>&1
expect "the pairs train" run dpo dataset=pairs.jsonl dataset_dir=. eval_strategy=no do_eval=false val_size=0 eval_dataset=null max_steps=2 \
    output_dir=saves/demo-model/lora/from-answers

finish_story
