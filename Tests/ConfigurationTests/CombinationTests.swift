import Formats
import Testing

@testable import Configuration

/// What cannot work together is refused before anything is read, each time with the argument to change and the reason.
@Suite struct CombinationTests {
    private static let sound = [
        "model_name_or_path": "m", "stage": "sft", "do_train": "true", "dataset": "d", "output_dir": "o", "finetuning_type": "lora",
    ]

    private func problems(_ changes: [String: String], for command: Command = .train) throws -> [Problem] {
        var configuration = Configuration()
        for (name, text) in Self.sound.merging(changes, uniquingKeysWith: { $1 }) { try configuration.set(name, text: text) }
        return configuration.validate(for: command)
    }

    @Test("Every stage goes with every method, and a quantised base with adapters alone", arguments: [
        "pt", "sft", "rm", "ppo", "dpo", "kto",
    ])
    func stagesMethodsAndBases(stage: String) throws {
        for method in ["lora", "oft", "freeze", "full"] {
            for bits in ["", "4", "8"] {
                var changes = ["stage": stage, "finetuning_type": method]
                if !bits.isEmpty { changes["quantization_bit"] = bits }
                if stage == "ppo" { (changes["reward_model"], changes["reward_model_type"]) = ("r", "full") }
                let refused = try problems(changes).filter { $0.severity == .error }
                let isAllowed = bits.isEmpty || method == "lora" || method == "oft"
                #expect(refused.isEmpty == isAllowed, "\(changes): \(refused.map(\.message))")
                if !isAllowed { #expect(refused.map(\.argument) == ["quantization_bit"] && refused[0].message.contains("adapters")) }
            }
        }
    }

    static let refusals: [([String: String], argument: String, words: String)] = [
        // Methods.
        (["finetuning_type": "full", "use_dora": "true"], "use_dora", "belongs to finetuning_type lora"),
        (["finetuning_type": "oft", "use_rslora": "true"], "use_rslora", "not oft"),
        (["finetuning_type": "freeze", "pissa_init": "true"], "pissa_init", "not freeze"),
        (["finetuning_type": "full", "loraplus_lr_ratio": "16"], "loraplus_lr_ratio", "matrices of LoRA"),
        (["finetuning_type": "full", "use_llama_pro": "true"], "use_llama_pro", "freeze or lora"),
        (["finetuning_type": "freeze", "freeze_trainable_layers": "0"], "freeze_trainable_layers", "nothing would be trained"),
        (["pissa_init": "true", "pissa_convert": "true", "use_dora": "true"], "pissa_convert", "plain LoRA adapter"),
        (["finetuning_type": "oft", "oft_rank": "4", "oft_block_size": "16"], "oft_rank", "leave one of them out"),
        (["finetuning_type": "oft", "oft_block_size": "0"], "oft_block_size", "set one of them"),
        (["finetuning_type": "full", "adapter_name_or_path": "a"], "adapter_name_or_path", "needs finetuning_type lora"),
        // Quantised bases.
        (["quantization_bit": "4", "pissa_init": "true"], "pissa_init", "takes the base apart"),
        (["quantization_bit": "4", "adapter_name_or_path": "a,b"], "adapter_name_or_path", "merge the others first"),
        (["quantization_bit": "8", "adapter_name_or_path": "a", "create_new_adapter": "true"], "create_new_adapter", "merge it first"),
        (["quantization_bit": "3"], "quantization_bit", "bnb knows 4 and 8"),
        (["quantization_bit": "4", "quantization_method": "eetq"], "quantization_method", "GPU"),
        // Stages.
        (["stage": "dpo", "pref_beta": "0"], "pref_beta", "must be above 0"),
        (["stage": "kto", "pref_beta": "0"], "pref_beta", "must be above 0"),
        (["stage": "dpo", "pref_loss": "ipo", "dpo_label_smoothing": "0.1"], "dpo_label_smoothing", "only pref_loss: sigmoid"),
        (["stage": "dpo", "pref_loss": "orpo", "pref_bco_weight": "1"], "pref_bco_weight", "orpo has none"),
        (["stage": "kto", "kto_chosen_weight": "0", "kto_rejected_weight": "0"], "kto_chosen_weight", "nothing would be learnt"),
        (["stage": "dpo", "ref_model_adapters": "a"], "ref_model_adapters", "name it with ref_model"),
        (["stage": "dpo", "pissa_init": "true"], "pissa_init", "no reference"),
        (["stage": "dpo", "train_from_scratch": "true", "finetuning_type": "full"], "train_from_scratch", "a model that answers"),
        (["stage": "rm", "load_best_model_at_end": "true", "eval_strategy": "steps", "val_size": "0.1"], "load_best_model_at_end", "last model"),
        (["stage": "ppo"], "reward_model", "something that scores"),
        (["stage": "ppo", "reward_model": "r", "finetuning_type": "full"], "reward_model_type", "reward_model_type: full"),
        (["stage": "ppo", "reward_model": "r", "val_size": "0.1"], "val_size", "nothing to evaluate on"),
        (["stage": "ppo", "reward_model": "r", "shift_attn": "true"], "shift_attn", "full attention"),
        (["stage": "dpo", "neat_packing": "true"], "neat_packing", "belongs to stage sft"),
        (["stage": "pt", "mask_history": "true"], "mask_history", "belongs to stage sft"),
        (["stage": "dpo", "use_dft_loss": "true"], "use_dft_loss", "belongs to stage sft"),
        (["use_dft_loss": "true", "use_eaft_loss": "true"], "use_eaft_loss", "exclude each other"),
        (["use_dft_loss": "true", "use_asft_loss": "true"], "use_asft_loss", "exclude each other"),
        (["stage": "dpo", "use_asft_loss": "true"], "use_asft_loss", "belongs to stage sft"),
        (["use_asft_loss": "true", "pissa_init": "true"], "pissa_init", "no reference"),
        (["use_eaft_loss": "true", "label_smoothing_factor": "0.1"], "use_eaft_loss", "exclude each other"),
        // Optimizers and schedules.
        (["use_galore": "true"], "use_galore", "freeze"), (["use_badam": "true"], "use_badam", "freeze"),
        (["finetuning_type": "full", "use_badam": "true", "badam_mode": "ratio", "badam_update_ratio": "0"], "badam_update_ratio", "nothing trains"),
        (["finetuning_type": "full", "use_galore": "true", "use_muon": "true"], "use_muon", "exclude each other"),
        (["loraplus_lr_ratio": "16", "use_adam_mini": "true"], "loraplus_lr_ratio", "exclude each other"),
        (["finetuning_type": "full", "use_galore": "true", "galore_layerwise": "true", "gradient_accumulation_steps": "2"], "galore_layerwise", "accumulation"),
        (["lr_scheduler_type": "reduce_lr_on_plateau"], "lr_scheduler_type", "follows evaluations"),
        (["lr_scheduler_type": "greedy"], "lr_scheduler_type", "follows evaluations"),
        // Data and the loop.
        (["streaming": "true"], "max_steps", "nobody knows the end"),
        (["streaming": "true", "max_steps": "5", "val_size": "0.1"], "val_size", "counts rows"),
        (["streaming": "true", "max_steps": "5", "max_samples": "9"], "max_samples", "exclude each other"),
        (["streaming": "true", "max_steps": "5", "tokenized_path": "t"], "tokenized_path", "not kept"),
        (["mix_strategy": "interleave_over", "interleave_probs": "0.5,0.5"], "interleave_probs", "2 numbers for 1 datasets"),
        (["fp16": "true", "pure_bf16": "true", "finetuning_type": "full"], "fp16", "exclude each other"),
    ]

    @Test("A combination that cannot work is refused by the argument to change, with the reason", arguments: refusals.indices)
    func refuses(index: Int) throws {
        let (changes, argument, words) = Self.refusals[index]
        let errors = try problems(changes).filter { $0.severity == .error }
        #expect(errors.map(\.argument) == [argument], "\(errors.map(\.message))")
        #expect(errors.first?.message.contains(words) == true, "\(errors.map(\.message))")
    }

    @Test("What works but is hardly meant is warned of", arguments: [
        (["adapter_name_or_path": "a", "lora_rank": "16"], "lora_rank", "create_new_adapter"),
        (["lr_scheduler_type": "constant", "warmup_steps": "5"], "lr_scheduler_type", "constant_with_warmup"),
        (["warmup_steps": "5", "warmup_ratio": "0.1"], "warmup_ratio", "goes first"),
        (["lr_scheduler_type": "greedy", "eval_strategy": "steps", "val_size": "0.1"], "lr_scheduler_kwargs", "never lowers"),
        (["lr_scheduler_type": "reduce_lr_on_plateau", "eval_strategy": "steps", "val_size": "0.1", "warmup_steps": "3"], "lr_scheduler_type", "no warm-up"),
        (["learning_rate": "0"], "learning_rate", "will not change"),
        (["early_stopping_steps": "2", "eval_strategy": "steps", "val_size": "0.1"], "early_stopping_steps", "not its best"),
    ])
    func warns(changes: [String: String], argument: String, words: String) throws {
        let found = try problems(changes)
        #expect(!found.contains { $0.severity == .error })
        #expect(found.contains { $0.severity == .warning && $0.argument == argument && $0.message.contains(words) }, "\(found.map(\.message))")
    }

    @Test("An argument that nothing here can honour says so, and none is silently dropped")
    func nothingIsSilent() throws {
        for (name, text) in [
            ("use_mca", "true"), ("use_hyper_parallel", "true"), ("generation_config", "x"), ("torch_compile", "true"), ("deepspeed", "x.json"),
        ] {
            let found = try problems([name: text]).filter { $0.argument == name }
            #expect(found.map(\.severity) == [.notice], "\(name)")
        }
    }
}
