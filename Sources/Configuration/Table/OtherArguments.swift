/// Generation, benchmarks, export, hubs, other engines, and what only Tuneboard has.

extension ArgumentTable {
    static let generation: [Argument] = rows(.generation, [.train, .evaluate, .chat, .api], [
        .flag("do_sample", true, "Draw tokens at random; false always takes the likeliest."),
        .number("temperature", 0.95, "Below 1 plays safe, above 1 takes risks.").atLeast(0),
        .number("top_p", 0.7, "Draw from the likeliest tokens that together have this probability.").between(0, 1),
        .integer("top_k", 50, "Draw from so many of the likeliest tokens; 0 for all.").atLeast(0),
        .integer("num_beams", 1, "Beams of beam search; 1 for none.").atLeast(1),
        .integer("max_length", 1024, "Longest prompt and answer together; max_new_tokens goes first.").atLeast(1),
        .integer("max_new_tokens", 1024, "Longest answer in tokens.").atLeast(1),
        .number("repetition_penalty", 1, "Above 1 avoids tokens that are there already.").above(0),
        .number("length_penalty", 1, "Above 0 favours longer answers in beam search."),
        .flag("skip_special_tokens", true, "Leave special tokens out of answers."),
    ])

    static let benchmark: [Argument] = rows(.benchmark, [.evaluate], [
        .text("task", "", "Multiple-choice benchmark: a folder of task_dir and its part, such as mmlu_test or ceval_validation."),
        .text("task_dir", "evaluation", "Folder of the benchmarks."),
        .integer("batch_size", 4, "Questions per forward pass.").atLeast(1),
        .choice("lang", "en", ["en", "zh"], "Language of the prompts."),
        .integer("n_shot", 5, "Examples with answers in front of each question.").atLeast(0),
        .optionalText("save_dir", "New folder for what was answered to each question."),
        .choice(
            "download_mode", "reuse_dataset_if_exists", ["reuse_dataset_if_exists", "reuse_cache_if_exists", "force_redownload"],
            "Whether to download again.").noEffect("Nothing is downloaded."),
    ].map { ["task", "download_mode"].contains($0.name) ? $0 : $0.only(withSet: "task") })

    static let export: [Argument] = rows(.export, [.export], [
        .optionalText("export_dir", "Folder for the merged model."),
        .integer("export_size", 5, "Largest file in GB.").above(0),
        .optionalChoice(
            "export_gguf", nil, ["f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0"],
            "Write a GGUF file of this type, for llama.cpp and Ollama, in place of safetensors."),
        .flag("export_gguf_adapter", false, "Write only the adapter as GGUF, for llama.cpp's --lora.").only(withSet: "export_gguf"),
        .choice("export_device", "cpu", ["cpu", "auto"], "Where weights are merged.").noEffect(["auto"], "Merging is done on the CPU."),
        .optionalInteger("export_quantization_bit", nil, "Bits of a quantised export.").elsewhere("GPTQ is made on a GPU. Here export_gguf: q4_k_m writes 4 bits for llama.cpp and Ollama; `--preview llamafactory` writes the export for LLaMA-Factory, which makes GPTQ.").between(2, 8),
        .optionalText("export_quantization_dataset", "Texts that calibrate the quantisation.").only(withSet: "export_quantization_bit"),
        .integer("export_quantization_nsamples", 128, "Samples for the calibration.").atLeast(1).only(withSet: "export_quantization_bit"),
        .integer("export_quantization_maxlen", 1024, "Longest sample of the calibration.").atLeast(1).only(withSet: "export_quantization_bit"),
        .flag("export_legacy_format", false, "Write pytorch_model.bin.").noEffect("Exports are safetensors; pickle files are not written."),
        .optionalText("export_hub_model_id", "Hub repository to upload to.").noEffect("Nothing is uploaded; export_dir can be uploaded by hand."),
    ])

    static let hub: [Argument] = rows(.hub, [.train], [
        .flag("push_to_hub", false, "Upload the result to the Hugging Face hub."),
        .optionalText("hub_token", "Token for the upload.").secret(),
        .optionalFlag("hub_private_repo", nil, "Make the repository private."),
        .optionalText("hub_model_id", "Name of the repository."),
        .choice("hub_strategy", "every_save", ["end", "every_save", "checkpoint", "all_checkpoints"], "When to upload."),
        .flag("hub_always_push", false, "Upload even if the last upload still runs."),
        .optionalText("hub_revision", "Branch of the repository."),
    ]) { $0.noEffect("Nothing is uploaded; output_dir can be uploaded by hand.") }

    /// Settings of PyTorch's launchers and of other engines. A single device needs none of them.
    static let distributed: [Argument] = rows(.distributed, [.train], [
        .integer("local_rank", -1, "Number of this process on its machine."),
        .optionalFlag("ddp_find_unused_parameters", nil, "Look for parameters without a gradient."),
        .optionalInteger("ddp_bucket_cap_mb", nil, "Size of a bucket of gradients.").atLeast(1),
        .optionalFlag("ddp_broadcast_buffers", nil, "Send buffers to all processes."),
        .optionalFlag("ddp_static_graph", nil, "The graph never changes."),
        .optionalText("ddp_backend", "Communication library."),
        .integer("ddp_timeout", 1800, "Seconds that processes wait for each other.").atLeast(0),
        .optionalText("fsdp", "Fully sharded data parallelism."),
        .optionalText("fsdp_config", "Settings of FSDP: a JSON file or a mapping."),
        .optionalText("deepspeed", "DeepSpeed's settings: a JSON file or a mapping."),
        .optionalText("accelerator_config", "Settings of Accelerate: a JSON file or a mapping."),
        .optionalText("parallelism_config", "Parallelism of Accelerate."),
        .text("debug", "", "Debugging of several processes."),
        .integer("dataloader_num_workers", 0, "Processes that load data.").atLeast(0),
        .flag("dataloader_pin_memory", true, "Load data to pinned memory."),
        .flag("dataloader_persistent_workers", false, "Keep loading processes over epochs."),
        .optionalInteger("dataloader_prefetch_factor", nil, "Batches loaded ahead.").atLeast(0),
        .flag("remove_unused_columns", true, "Leave unknown columns out."),
        .flag("fp8", false, "FP8 arithmetic."),
        .text("fp8_backend", "auto", "Library for FP8."),
        .flag("fp8_enable_fsdp_float8_all_gather", false, "FP8 in FSDP."),
        .integer("vllm_maxlen", 4096, "Longest sequence of vLLM."),
        .number("vllm_gpu_util", 0.7, "Share of GPU memory for vLLM."),
        .flag("vllm_enforce_eager", false, "vLLM without CUDA graphs."),
        .integer("vllm_max_lora_rank", 32, "Largest rank in vLLM."),
        .optionalText("vllm_config", "Settings of vLLM."),
        .integer("sglang_maxlen", 4096, "Longest sequence of SGLang."),
        .number("sglang_mem_fraction", 0.7, "Share of GPU memory for SGLang."),
        .integer("sglang_tp_size", -1, "Devices of SGLang."),
        .optionalText("sglang_config", "Settings of SGLang."),
        .text("sglang_lora_backend", "triton", "Adapters in SGLang."),
        .flag("use_kt", false, "Use KTransformers."),
        .optionalText("kt_optimize_rule", "Rules of KTransformers."),
        .optionalInteger("cpu_infer", nil, "Threads of KTransformers."),
        .optionalInteger("chunk_size", nil, "Chunks of KTransformers."),
        .optionalText("mode", "Mode of KTransformers."),
        .optionalText("kt_maxlen", "Longest sequence of KTransformers."),
        .optionalText("kt_mode", "Mode of KTransformers."),
        .optionalText("kt_force_think", "Thinking in KTransformers."),
        .optionalText("ray_run_name", "Name of the Ray run."),
        .text("ray_storage_path", "./saves", "Folder of Ray's results."),
        .optionalText("ray_storage_filesystem", "File system of Ray's results."),
        .integer("ray_num_workers", 1, "Ray workers."),
        .optionalText("ray_init_kwargs", "Settings of Ray."),
        .optionalText("resources_per_worker", "What each Ray worker needs."),
        .text("placement_strategy", "PACK", "Where Ray places workers."),
        .optionalText("master_addr", "Address of the first machine."),
        .optionalText("master_port", "Port of the first machine."),
    ]) { $0.noEffect("It belongs to another engine or launcher; one process works on a run here.") }

    static let otherEngines: [Argument] = rows(.distributed, [.train], [
        .flag("use_mca", false, "Train with Megatron.").noEffect(ownEngine),
        .flag("use_megatron_bridge", false, "Train with Megatron Bridge.").noEffect(ownEngine),
        .flag("use_hyper_parallel", false, "Train with HyperParallel.").noEffect(ownEngine),
        .optionalText("hyper_parallel_args", "Settings of HyperParallel.").only(withFlag: "use_hyper_parallel"),
        .integer("hyper_parallel_cp_size", 1, "Context parallelism of HyperParallel.").atLeast(1).only(withFlag: "use_hyper_parallel"),
    ])

    private static let ownEngine = "Training is done by the engine here; --preview writes the run as LLaMA-Factory's command, which hands it on."

    static let tuneboard: [Argument] = rows(.tuneboard, [.train, .evaluate, .chat, .export, .api], [
        .text("device", "auto", "Where to compute: auto, cpu, or cuda:0.").suggesting(["auto", "cpu", "cuda:0"]),
        .integer("threads", 0, "Processor threads; 0 for all.").between(0, 4096),
        .flag("report_memory", false, "Say what each part of the memory is used for.")
            .noEffect("The plan before each run always says so."),
    ])
}
