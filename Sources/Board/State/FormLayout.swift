/// Which arguments a page shows first, in which groups and order: the order of LLaMA Board's pages, so that its users find
/// every field where they expect it. Arguments that the command has and that are not listed here follow in folded groups
/// taken from the argument table; nothing is left out.
public struct FormLayout: Sendable {
    public struct Section: Sendable {
        public let title: String
        public let arguments: [String]
        public let isOpenAtFirst: Bool

        init(_ title: String, isOpenAtFirst: Bool = true, _ arguments: [String]) {
            self.title = title
            self.arguments = arguments
            self.isOpenAtFirst = isOpenAtFirst
        }
    }

    public let sections: [Section]

    public static func layout(for tab: Tab) -> FormLayout {
        switch tab {
        case .train, .monitor: train
        case .evaluate: evaluate
        case .chat: chat
        case .export: export
        }
    }

    static let train = FormLayout(sections: [
        Section("Model", [
            "model_name_or_path", "adapter_name_or_path", "finetuning_type", "template", "quantization_bit", "quantization_method",
            "rope_scaling", "flash_attn",
        ]),
        Section("Data", [
            "stage", "dataset_dir", "dataset", "eval_dataset", "cutoff_len", "max_samples", "val_size",
        ]),
        Section("Train", [
            "learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps",
            "lr_scheduler_type", "warmup_ratio", "warmup_steps", "max_grad_norm", "bf16", "fp16", "pure_bf16", "seed",
        ]),
        Section("Output", [
            "output_dir", "overwrite_output_dir", "resume_from_checkpoint", "logging_steps", "save_steps", "save_total_limit",
            "eval_strategy", "eval_steps", "per_device_eval_batch_size", "plot_loss", "report_to",
        ]),
        Section("Device", ["device", "threads", "report_memory"]),
        Section("LoRA", [
            "lora_rank", "lora_alpha", "lora_dropout", "lora_target", "additional_target", "loraplus_lr_ratio", "create_new_adapter",
            "use_rslora", "use_dora", "pissa_init", "pissa_convert",
        ]),
        Section("Extra", isOpenAtFirst: false, [
            "optim", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "neftune_noise_alpha", "optim_args", "packing",
            "neat_packing", "train_on_prompt", "mask_history", "resize_vocab", "use_llama_pro", "enable_thinking",
            "gradient_checkpointing", "label_smoothing_factor", "load_best_model_at_end", "early_stopping_steps",
            "use_unsloth", "enable_liger_kernel", "deepspeed", "project", "trackio_space_id", "hub_private_repo",
        ]),
        Section("Freeze", isOpenAtFirst: false, ["freeze_trainable_layers", "freeze_trainable_modules", "freeze_extra_modules"]),
        Section("RLHF", isOpenAtFirst: false, [
            "pref_beta", "pref_ftx", "pref_loss", "reward_model", "ppo_score_norm", "ppo_whiten_rewards",
        ]),
        Section("Multimodal", isOpenAtFirst: false, [
            "freeze_vision_tower", "freeze_multi_modal_projector", "freeze_language_model", "image_max_pixels", "image_min_pixels",
            "video_max_pixels", "video_min_pixels",
        ]),
        Section("GaLore", isOpenAtFirst: false, [
            "use_galore", "galore_rank", "galore_update_interval", "galore_scale", "galore_target",
        ]),
        Section("APOLLO", isOpenAtFirst: false, [
            "use_apollo", "apollo_rank", "apollo_update_interval", "apollo_scale", "apollo_target",
        ]),
        Section("BAdam", isOpenAtFirst: false, [
            "use_badam", "badam_mode", "badam_switch_mode", "badam_switch_interval", "badam_update_ratio",
        ]),
        Section("SwanLab", isOpenAtFirst: false, [
            "use_swanlab", "swanlab_project", "swanlab_run_name", "swanlab_workspace", "swanlab_api_key", "swanlab_mode",
            "swanlab_logdir",
        ]),
    ])

    static let evaluate = FormLayout(sections: [
        Section("Model", [
            "model_name_or_path", "adapter_name_or_path", "finetuning_type", "template", "quantization_bit", "quantization_method",
            "rope_scaling", "flash_attn",
        ]),
        Section("Data", ["stage", "dataset_dir", "eval_dataset", "cutoff_len", "max_samples", "per_device_eval_batch_size"]),
        Section("Task", ["predict_with_generate", "do_predict", "do_eval"]),
        Section("Generation", [
            "max_new_tokens", "do_sample", "temperature", "top_p", "top_k", "repetition_penalty", "num_beams", "seed",
        ]),
        Section("Output", ["output_dir", "overwrite_output_dir"]),
        Section("Device", isOpenAtFirst: false, ["device", "threads"]),
    ])

    static let chat = FormLayout(sections: [
        Section("Model", [
            "model_name_or_path", "adapter_name_or_path", "finetuning_type", "template", "quantization_bit", "quantization_method",
            "rope_scaling", "flash_attn", "infer_backend", "infer_dtype",
        ]),
        Section("Conversation", ["default_system", "enable_thinking"]),
        Section("Sampling", [
            "do_sample", "temperature", "top_p", "top_k", "max_new_tokens", "repetition_penalty", "length_penalty", "num_beams", "seed",
            "skip_special_tokens",
        ]),
        Section("Device", isOpenAtFirst: false, ["device", "threads"]),
    ])

    static let export = FormLayout(sections: [
        Section("Model", [
            "model_name_or_path", "adapter_name_or_path", "finetuning_type", "template", "quantization_bit", "quantization_method",
        ]),
        Section("Export", [
            "export_dir", "export_gguf", "export_gguf_adapter", "export_size", "infer_dtype", "export_device", "export_legacy_format",
            "export_quantization_bit", "export_quantization_dataset", "export_hub_model_id",
        ]),
        Section("Device", isOpenAtFirst: false, ["device", "threads"]),
    ])
}
