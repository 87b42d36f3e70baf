import Configuration

/// Short names for the arguments whose own are too long for a form's name column. The help panel shows the argument's own name.
public enum FieldLabel {
    /// The name in the board's language; in English the argument's own, shortened.
    static func short(_ name: String) -> String { Wording.current.translation(of: "field:" + name) ?? table[name] ?? name }

    /// What the argument does, in the board's language where it is a field of the forms.
    public static func help(_ argument: Argument) -> String { Wording.current.translation(of: "help:" + argument.name) ?? argument.help }

    /// The argument of a page that somebody names as it is written in files, as the board shows it, or as LLaMA Board calls it.
    public static func argument(called text: String, on tab: Tab) -> Argument? {
        let name = text.lowercased().replacing(" ", with: "_").replacing("-", with: "_")
        let all = ArgumentTable.all.filter { $0.commands.contains(tab.command) }
        return all.first { $0.name == name } ?? all.first { table[$0.name] == name || short($0.name).lowercased() == text.lowercased() }
            ?? all.first { FieldAliases.names(of: $0.name).contains(name) }
    }

    private static let table: [String: String] = [
        "model_name_or_path": "model",
        "adapter_name_or_path": "adapter",
        "finetuning_type": "finetuning",
        "num_train_epochs": "epochs",
        "per_device_train_batch_size": "batch_size",
        "per_device_eval_batch_size": "eval_batch_size",
        "gradient_accumulation_steps": "grad_accum",
        "gradient_checkpointing": "grad_checkpoint",
        "lr_scheduler_type": "scheduler",
        "overwrite_output_dir": "overwrite",
        "resume_from_checkpoint": "resume_from",
        "predict_with_generate": "generate",
        "neftune_noise_alpha": "neftune_alpha",
        "label_smoothing_factor": "label_smoothing",
        "load_best_model_at_end": "load_best_at_end",
        "freeze_trainable_layers": "layers",
        "freeze_trainable_modules": "modules",
        "freeze_extra_modules": "extra_modules",
        "freeze_multi_modal_projector": "freeze_projector",
        "skip_special_tokens": "skip_specials",
        "repetition_penalty": "repeat_penalty",
        "export_quantization_bit": "export_quant_bit",
        "export_quantization_dataset": "export_quant_data",
        "early_stopping_steps": "early_stop_steps",
        "quantization_method": "quant_method",
        "ppo_whiten_rewards": "ppo_whiten",
        "galore_update_interval": "galore_interval",
        "apollo_update_interval": "apollo_interval",
        "badam_switch_interval": "badam_interval",
        "loraplus_lr_ratio": "loraplus_ratio",
        "create_new_adapter": "new_adapter",
        "quantization_bit": "quant_bit",
        "loraplus_lr_embedding": "loraplus_embed_lr",
        "eval_on_each_dataset": "eval_each_dataset",
        "export_gguf_adapter": "adapter_only",
    ]
}
