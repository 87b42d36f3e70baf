/// Names and values that older versions of LLaMA-Factory and the Trainer used, and what became of them.

enum FormerNames {
    enum Fate: Sendable {
        /// The same under another name.
        case renamed(String)
        /// A flag that became one value of another argument.
        case became(String, value: String)
        /// Gone; the reason is a sentence.
        case dropped(String)
    }

    static let table: [String: Fate] = [
        // The Trainer's.
        "evaluation_strategy": .renamed("eval_strategy"),
        "per_gpu_train_batch_size": .renamed("per_device_train_batch_size"),
        "per_gpu_eval_batch_size": .renamed("per_device_eval_batch_size"),
        "no_cuda": .renamed("use_cpu"),
        "push_to_hub_model_id": .renamed("hub_model_id"),
        "push_to_hub_token": .renamed("hub_token"),
        "group_by_length": .became("train_sampling_strategy", value: "group_by_length"),
        "adafactor": .became("optim", value: "adafactor"),
        "include_tokens_per_second": .renamed("include_effective_tokens_per_second"),
        "save_safetensors": .dropped("Weights are always saved as safetensors."),
        "half_precision_backend": .dropped("There is one way to compute here."),
        "fp16_backend": .dropped("There is one way to compute here."),
        "fp16_opt_level": .dropped("There is one way to compute here."),
        "use_ipex": .dropped("There is no PyTorch here."),
        "jit_mode_eval": .dropped("There is no PyTorch here."),
        "torchdynamo": .dropped("There is no PyTorch here."),
        "use_mps_device": .dropped("The device is chosen with `device`."),
        "xpu_backend": .dropped("The device is chosen with `device`."),
        "tpu_num_cores": .dropped("There are no TPUs here."),
        "tpu_metrics_debug": .dropped("There are no TPUs here."),
        "mp_parameters": .dropped("One device works on a run."),
        "sharded_ddp": .dropped("One device works on a run."),
        "fsdp_min_num_params": .dropped("One device works on a run."),
        "fsdp_transformer_layer_cls_to_wrap": .dropped("One device works on a run."),
        "ray_scope": .dropped("One machine works on a run."),
        "dispatch_batches": .dropped("One process loads the data."),
        "split_batches": .dropped("One process loads the data."),
        "past_index": .dropped("No supported model has such outputs."),
        "include_inputs_for_metrics": .dropped("Metrics are built in."),
        "use_legacy_prediction_loop": .dropped("There is one evaluation loop."),
        "sortish_sampler": .dropped("There is no padding to save, so samples are drawn at random."),
        // LLaMA-Factory's.
        "checkpoint_dir": .renamed("adapter_name_or_path"),
        "num_layer_trainable": .renamed("freeze_trainable_layers"),
        "name_module_trainable": .renamed("freeze_trainable_modules"),
        "lora_bf16_mode": .renamed("pure_bf16"),
        "sft_packing": .renamed("packing"),
        "cache_path": .renamed("tokenized_path"),
        "dpo_beta": .renamed("pref_beta"),
        "dpo_loss": .renamed("pref_loss"),
        "dpo_ftx": .renamed("pref_ftx"),
        "kto_beta": .renamed("pref_beta"),
        "kto_ftx": .renamed("pref_ftx"),
        "orpo_beta": .renamed("pref_beta"),
        "simpo_beta": .renamed("pref_beta"),
        "max_source_length": .dropped("cutoff_len limits prompt and answer together."),
        "max_target_length": .dropped("cutoff_len limits prompt and answer together."),
        "reserved_label_len": .dropped("Prompt and answer share cutoff_len by their lengths."),
        "visual_inputs": .dropped("It is told from the data."),
        "image_resolution": .dropped("Use image_max_pixels."),
        "video_resolution": .dropped("Use video_max_pixels."),
    ]

    /// Former spellings of values, by argument.
    static let values: [String: [String: String]] = [
        "quantization_method": ["bitsandbytes": "bnb"],
        "infer_backend": ["hf": "huggingface"],
        "flash_attn": ["off": "disabled", "flash_attention_2": "fa2"],
    ]
}
