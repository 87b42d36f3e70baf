/// Which model, how it is loaded, quantised bases and vision settings.

extension ArgumentTable {
    static let modelCommands: Set<Command> = [.train, .evaluate, .chat, .export, .api]

    static let model: [Argument] = rows(.model, modelCommands, [
        .optionalText("model_name_or_path", "Folder of a Hugging Face model, or the name of one in the local cache."),
        .list("adapter_name_or_path", "Adapter folders to load on the base model, with commas between them."),
        .optionalText("adapter_folder", "Subfolder of the adapter folders that holds their weights.").only(withSet: "adapter_name_or_path"),
        .optionalText("cache_dir", "Folder for caches, such as tokenised data; the user's own cache folder when missing."),
        .flag("use_fast_tokenizer", true, "Use the compiled tokenizer.").noEffect("There is one tokenizer, and it is the fast one."),
        .flag("resize_vocab", false, "Grow the embeddings to the tokenizer's vocabulary, stop words of the template included."),
        .flag("split_special_tokens", false, "Split special tokens like other text, those that a template writes as text too."),
        .list("add_tokens", "New ordinary tokens for the tokenizer; the embeddings grow with them."),
        .list("add_special_tokens", "New special tokens for the tokenizer; the embeddings grow with them."),
        .optionalText("new_special_tokens_config", "YAML file of new special tokens, each with the words that it stands for."),
        .choice("init_special_tokens", "noise_init", ["noise_init", "desc_init", "desc_init_w_noise"], "How embeddings of new tokens begin.")
            .only(withSet: "new_special_tokens_config"),
        .text("model_revision", "main", "Branch, tag or commit of a hub model.").noEffect("A folder has no revisions."),
        .flag("low_cpu_mem_usage", true, "Load without a second copy in memory.").noEffect("Weights are mapped, so there never is a second copy."),
        .optionalChoice("rope_scaling", nil, ["linear", "dynamic", "yarn", "llama3"], "How positions are stretched when cutoff_len is beyond what the model knows."),
        .choice("flash_attn", "auto", ["auto", "disabled", "sdpa", "fa2", "fa3"], "Which attention program to use.")
            .noEffect("Attention is always exact, unpadded and without the score matrix in memory."),
        .flag("shift_attn", false, "Train with the shifted sparse attention of LongLoRA."),
        .optionalChoice("mixture_of_depths", nil, ["convert", "load"], "Mixture of depths.").elsewhere("It makes a model that only the MoD package reads. `--preview llamafactory` writes the run for LLaMA-Factory, which has it."),
        .flag("use_unsloth", false, "Use Unsloth's kernels.").noEffect("The engine has its own fused operations."),
        .flag("use_unsloth_gc", false, "On a GPU, keep what gradient checkpointing saves in the host's memory."),
        .flag("enable_liger_kernel", false, "Use Liger's kernels.").noEffect("The engine has its own fused operations."),
        .optionalNumber("moe_aux_loss_coef", "Weight of the load-balancing loss of mixture-of-experts models.").atLeast(0),
        .flag("disable_gradient_checkpointing", false, "Keep all activations: faster, more memory."),
        .flag("use_reentrant_gc", true, "Reentrant gradient checkpointing.").noEffect("Both kinds give the same numbers; there is one here."),
        .flag("upcast_layernorm", false, "Norm weights in fp32.").noEffect("Norms are always computed in fp32."),
        .flag("upcast_lmhead_output", false, "Logits in fp32.").noEffect("Logits are always computed in fp32."),
        .flag("train_from_scratch", false, "Begin with random weights of the shape that config.json says."),
        .choice("infer_backend", "huggingface", ["huggingface", "vllm", "sglang", "ktransformers"], "Engine for generation.")
            .noEffect("Generation is the engine's own."),
        .text("offload_folder", "offload", "Folder for weights that do not fit.").noEffect("Weights are mapped from their files; nothing is offloaded."),
        .flag("use_kv_cache", true, "Keep keys and values while generating.").noEffect("The cache is always used."),
        .optionalFlag("use_v1_kernels", false, "Kernels of LLaMA-Factory's next version.").noEffect("The engine has its own fused operations."),
        .choice(
            "infer_dtype", "auto", ["auto", "float16", "bfloat16", "float32"],
            "Type of the weights that an export writes, and of activations on an NVIDIA card for chat and prediction."
        ).onlyOnCardOrForExport(),
        .optionalText("hf_hub_token", "Token for the Hugging Face hub.").secret().noEffect("Nothing is downloaded."),
        .optionalText("ms_hub_token", "Token for ModelScope.").secret().noEffect("Nothing is downloaded."),
        .optionalText("om_hub_token", "Token for Modelers.").secret().noEffect("Nothing is downloaded."),
        .flag("print_param_status", false, "Print every parameter and whether it trains.")
            .noEffect("The plan before each run says what trains."),
        .flag("trust_remote_code", false, "Run Python files out of the model folder.")
            .noEffect("Nothing out of a model folder is ever executed, and no supported model needs it."),
    ])

    static let quantization: [Argument] = rows(.quantization, modelCommands, [
        .optionalInteger("quantization_bit", nil, "Bits of a base quantised while loading (QLoRA): 4 or 8.")
            .between(2, 8),
        .choice(
            "quantization_method", "bnb", ["bnb", "gptq", "awq", "aqlm", "quanto", "eetq", "hqq", "mxfp4", "fp8"],
            "Kind of quantisation while loading."
        )
        .elsewhere(
            ["gptq", "awq", "aqlm", "quanto", "mxfp4", "fp8"],
            "Only bnb quantises while loading; a GPTQ, AWQ or bitsandbytes checkpoint is recognised by its own config.json. For the others `--preview llamafactory` writes the run for LLaMA-Factory.")
        .elsewhere(["eetq", "hqq"], "EETQ and HQQ are GPU libraries; bnb gives the same bits. With them `--preview llamafactory` writes the run for LLaMA-Factory.")
        .only(withSet: "quantization_bit"),
        .choice("quantization_type", "nf4", ["fp4", "nf4"], "Number format of 4-bit weights.").only(withSet: "quantization_bit"),
        .flag("double_quantization", true, "Quantise the scales of 4-bit weights too.").only(withSet: "quantization_bit"),
        .optionalChoice("quantization_device_map", nil, ["auto"], "Spread a 4-bit model over devices.")
            .noEffect("There is one device.").only(withSet: "quantization_bit"),
    ])

    static let multimodal: [Argument] = rows(.multimodal, [.train, .chat, .evaluate, .export, .api], [
        .integer("image_max_pixels", 589_824, "Larger images are scaled down to so many pixels.").atLeast(1),
        .integer("image_min_pixels", 1024, "Smaller images are scaled up to so many pixels.").atLeast(1),
        .flag("image_do_pan_and_scan", false, "Cut wide images into several views (Gemma 3)."),
        .flag("crop_to_patches", false, "Cut images into tiles (InternVL)."),
        .integer("video_max_pixels", 65536, "Larger frames are scaled down to so many pixels.").atLeast(1),
        .integer("video_min_pixels", 256, "Smaller frames are scaled up to so many pixels.").atLeast(1),
        .number("video_fps", 2, "Frames per second taken from a video.").above(0),
        .integer("video_maxlen", 128, "Most frames taken from a video.").atLeast(1),
        .flag("use_audio_in_video", false, "Use the sound of videos."),
        .integer("audio_sampling_rate", 16000, "Samples per second of audio.").atLeast(1),
        .optionalText("media_dir", "Folder of images, videos and audio files; dataset_dir when missing."),
        .flag("freeze_vision_tower", true, "Do not train the image encoder."),
        .flag("freeze_multi_modal_projector", true, "Do not train the projector between image encoder and language model."),
        .flag("freeze_language_model", false, "Do not train the language model."),
    ]) { $0.noEffect("Models with images, video and sound are not built yet; text models are not touched by this.") }
}
