/// The training loop: what is trained, for how long, with which optimizer, and what is kept.

extension ArgumentTable {
    static let basic: [Argument] = rows(.basic, [.train], [
        .choice("stage", "sft", ["pt", "sft", "rm", "ppo", "dpo", "kto"], "Kind of training: pt pre-training, sft supervised fine-tuning, rm reward model.")
            .with { $0.commands.insert(.evaluate) },
        .choice("finetuning_type", "lora", ["lora", "oft", "freeze", "full"], "What is trained: a LoRA or OFT adapter, some layers (freeze), or all weights (full).")
            .with { $0.commands.formUnion(modelCommands) },
        .flag("do_train", false, "Train."),
        .flag("do_eval", false, "Evaluate the loss when training is done, or of the model as it is."),
        .flag("do_predict", false, "Generate answers to the evaluation data and score them."),
        .optionalText("output_dir", "Folder for checkpoints, logs and the result.").with { $0.commands.insert(.evaluate) },
        .flag("overwrite_output_dir", false, "Use output_dir even if it holds an earlier run."),
        .number("learning_rate", 5e-5, "Step size of the optimizer at its highest.").atLeast(0),
        .number("num_train_epochs", 3, "Passes over the training data.").atLeast(0),
        .integer("max_steps", -1, "Stop after so many optimizer steps, whatever the epochs say; -1 for no limit.").atLeast(-1),
        .integer("per_device_train_batch_size", 8, "Samples per forward pass.").atLeast(1),
        .integer("gradient_accumulation_steps", 1, "Forward passes per optimizer step.").atLeast(1),
        .number("max_grad_norm", 1, "Gradients are scaled down to this norm; 0 for never.").atLeast(0),
        .integer("seed", 42, "Seed of shuffling, dropout and new weights.").between(0, largestSeed).with { $0.commands.formUnion([.evaluate, .chat, .api]) },
        .optionalText("resume_from_checkpoint", "Checkpoint folder to go on from; true for the newest in output_dir."),
        .optionalText("run_name", "Name of the run for trackers.").noEffect("Runs go by the name of their output_dir."),
    ])

    static let extra: [Argument] = rows(.extra, [.train], [
        .flag("disable_shuffling", false, "Take the data in the order in which they lie."),
        .optionalInteger("data_seed", nil, "Seed of the order of the data; seed when missing.").between(0, largestSeed),
        .number("label_smoothing_factor", 0, "Share of the target spread over all tokens.").between(0, andBelow: 1),
        .optionalNumber("neftune_noise_alpha", "Noise on the embeddings (NEFTune).").atLeast(0),
        .optionalInteger("early_stopping_steps", nil, "Stop after so many evaluations without improvement.").atLeast(1),
        .flag("compute_accuracy", false, "Report token accuracy when evaluating.").with { $0.commands.insert(.evaluate) },
        .flag("use_dft_loss", false, "Weigh each token's loss by its probability (DFT)."),
        .flag("use_asft_loss", false, "Weigh each token's loss by its probability and stay near the reference model (ASFT)."),
        .number("asft_alpha", 0.1, "Weight of the anchor.").atLeast(0).only(withFlag: "use_asft_loss"),
        .flag("use_eaft_loss", false, "Entropy-adapted loss (EAFT)."),
        .number("eaft_alpha", 1, "Strength of the adaptation.").atLeast(0).only(withFlag: "use_eaft_loss"),
        .flag("ignore_data_skip", false, "Begin the data anew when resuming.").noEffect("A resumed run finds its place in the data at once."),
        .flag("dataloader_drop_last", false, "Leave an incomplete last batch out."),
        .choice(
            "train_sampling_strategy", "random", ["random", "sequential", "group_by_length", "batch"], "How samples are drawn."
        ).noEffect(["group_by_length", "batch"], "There is no padding to save, so samples are drawn at random."),
        .text("length_column_name", "length", "Column of ready-made lengths.").noEffect("Lengths are counted while tokenising."),
        .flag("full_determinism", false, "Same numbers on every run.").noEffect("Same seed, threads and machine always give the same numbers."),
        .flag("auto_find_batch_size", false, "Halve the batch until the plan says that it fits into memory."),
    ])

    static let optimizer: [Argument] = rows(.optimizer, [.train], [
        .choice("optim", "adamw_torch_fused", optimizers, "Optimizer.")
            .noEffect(["adamw_hf", "adamw_apex_fused", "adamw_torch_xla", "adamw_torch_npu_fused"], "This is adamw_torch here.")
            .noEffect(["adamw_torch_8bit"], "This is adamw_bnb_8bit here: blocks of 256, as bitsandbytes has them.")
            .noEffect(["galore_adamw_layerwise", "apollo_adamw_layerwise"], layerwise)
            .elsewhere(
                optimizers.filter { !readyOptimizers.contains($0) },
                "The engine has AdamW (32 and 8 bits, paged or not), Adafactor, SGD, Adagrad, RMSprop, GaLore, APOLLO and Muon. With others "
                    + "`--preview llamafactory` writes the run for LLaMA-Factory, whose libraries have them."),
        .optionalText("optim_args", "Further settings of the optimizer, such as momentum=0.9,nesterov=true for sgd."),
        .list("optim_target_modules", "Modules for galore_adamw and apollo_adamw, or all-linear."),
        .number("weight_decay", 0, "Decay of weights that are no norms and no biases.").atLeast(0),
        .number("adam_beta1", 0.9, "Memory of the gradient's mean.").between(0, andBelow: 1),
        .number("adam_beta2", 0.999, "Memory of the gradient's square.").between(0, andBelow: 1),
        .number("adam_epsilon", 1e-8, "Keeps the division finite.").atLeast(0),
        .flag("use_adam_mini", false, "One second moment per block (Adam-mini)."),
        .flag("use_muon", false, "Orthogonalised momentum (Muon)."),
        .flag("average_tokens_across_devices", true, "Count tokens over all devices.").noEffect("One device works on a run; loss is always per token."),
    ])

    private static let evaluationPrecision = "Evaluations compute as the training does; bf16 and fp16 say how."

    static let layerwise = "Layers are updated after the backward pass: the steps are the same, but gradients are clipped and take their memory."

    private static let readyOptimizers: Set<String> = [
        "adamw_torch", "adamw_torch_fused", "adamw_hf", "adamw_apex_fused", "adamw_torch_xla", "adamw_torch_npu_fused", "adamw_8bit",
        "adamw_bnb_8bit", "adamw_torch_8bit", "paged_adamw_32bit", "paged_adamw_8bit", "adafactor", "sgd", "adagrad", "rmsprop",
        "galore_adamw", "galore_adamw_layerwise", "apollo_adamw", "apollo_adamw_layerwise", "muon",
    ]

    private static let optimizers = [
        "adamw_torch", "adamw_torch_fused", "adamw_hf", "adamw_torch_xla", "adamw_torch_npu_fused", "adamw_apex_fused", "adafactor",
        "adamw_anyprecision", "adamw_torch_4bit", "adamw_torch_8bit", "ademamix", "sgd", "adagrad", "adamw_bnb_8bit", "adamw_8bit",
        "ademamix_8bit", "lion_8bit", "lion_32bit", "paged_adamw_32bit", "paged_adamw_8bit", "paged_ademamix_32bit", "paged_ademamix_8bit",
        "paged_lion_32bit", "paged_lion_8bit", "rmsprop", "rmsprop_bnb", "rmsprop_bnb_8bit", "rmsprop_bnb_32bit", "galore_adamw",
        "galore_adamw_8bit", "galore_adafactor", "galore_adamw_layerwise", "galore_adamw_8bit_layerwise", "galore_adafactor_layerwise",
        "lomo", "adalomo", "grokadamw", "schedule_free_radam", "schedule_free_adamw", "schedule_free_sgd", "apollo_adamw",
        "apollo_adamw_layerwise", "stable_adamw", "muon",
    ]

    static let schedule: [Argument] = rows(.schedule, [.train], [
        .choice(
            "lr_scheduler_type", "linear",
            [
                "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt",
                "warmup_stable_decay", "cosine_with_min_lr", "cosine_warmup_with_min_lr", "reduce_lr_on_plateau", "greedy",
            ], "How the learning rate goes up and down."
        ),
        .mapping("lr_scheduler_kwargs", "Settings of the schedule, such as {\"num_cycles\": 2}."),
        .number("warmup_steps", 0, "Steps in which the rate rises from 0: a number, or a fraction of all steps below 1.").atLeast(0),
        .optionalNumber("warmup_ratio", "Fraction of all steps in which the rate rises; warmup_steps goes first.").between(0, 1),
    ])

    static let precision: [Argument] = rows(.precision, [.train, .evaluate], [
        .flag("bf16", false, "Mixed precision with bfloat16."),
        .flag("fp16", false, "Mixed precision with float16."),
        .flag("pure_bf16", false, "Weights and arithmetic in bfloat16."),
        .flag("bf16_full_eval", false, "Evaluate in bfloat16.").noEffect(evaluationPrecision),
        .flag("fp16_full_eval", false, "Evaluate in float16.").noEffect(evaluationPrecision),
        .optionalFlag("tf32", nil, "Round the fp32 products of an NVIDIA card to TF32; a processor never does.").onlyOnCard(),
        .flag("gradient_checkpointing", false, "Compute activations twice to save memory (LLaMA-Factory's default is on; see disable_gradient_checkpointing)."),
        .mapping("gradient_checkpointing_kwargs", "Settings of gradient checkpointing.").noEffect("There is one kind of gradient checkpointing here."),
        .optionalInteger("torch_empty_cache_steps", nil, "Steps between two clearings of PyTorch's cache.").atLeast(1).noEffect("Memory is planned before the run; there is no cache to clear."),
        .flag("use_cpu", false, "Compute on the CPU even if there is a GPU.").with { $0.commands.formUnion(modelCommands) },
        .flag("torch_compile", false, "Compile with torch.compile.").noEffect("There is no PyTorch here; operations are compiled and fused already."),
        .optionalText("torch_compile_backend", "Backend of torch.compile.").noEffect("There is no PyTorch here; operations are compiled and fused already."),
        .optionalText("torch_compile_mode", "Mode of torch.compile.").noEffect("There is no PyTorch here; operations are compiled and fused already."),
        .flag("use_liger_kernel", false, "Use Liger's kernels.").noEffect("The engine has its own fused operations."),
        .mapping("liger_kernel_config", "Which Liger kernels.").noEffect("The engine has its own fused operations."),
        .flag("use_cache", false, "Key and value cache while training.").noEffect("Training needs no cache."),
    ])

    static let saving: [Argument] = rows(.saving, [.train], [
        .choice("logging_strategy", "steps", ["no", "steps", "epoch"], "When losses are logged."),
        .number("logging_steps", 500, "Steps between two log entries: a number, or a fraction of all steps below 1.").atLeast(0),
        .flag("logging_first_step", false, "Log the first step too."),
        .flag("logging_nan_inf_filter", true, "Leave steps without a finite loss out of the logged mean."),
        .choice("save_strategy", "steps", ["no", "steps", "epoch", "best"], "When checkpoints are saved."),
        .number("save_steps", 500, "Steps between two checkpoints: a number, or a fraction of all steps below 1.").above(0),
        .optionalInteger("save_total_limit", nil, "Keep so many checkpoints and remove older ones.").atLeast(1),
        .flag("save_only_model", false, "Save no optimizer state; such checkpoints cannot be resumed."),
        .flag("load_best_model_at_end", false, "End with the weights of the best evaluation."),
        .optionalText("metric_for_best_model", "What decides which checkpoint is best; the loss when missing.").suggesting(["loss", "eval_loss", "accuracy"]),
        .optionalFlag("greater_is_better", nil, "Whether a greater metric is better; told from its name when missing."),
        .flag("plot_loss", false, "Draw the loss curve into output_dir when training is done."),
        .choice("include_num_input_tokens_seen", "no", ["no", "all", "non_padding"], "Write the count of tokens seen to the log.")
            .noEffect("Tokens seen are always counted; there is no padding among them."),
        .flag("include_effective_tokens_per_second", false, "Write tokens per second to the results."),
        .list("report_to", "Where metrics go beside the log: tensorboard or none.").suggesting(["none", "all", "tensorboard", "wandb", "mlflow", "swanlab"]),
        .optionalText("logging_dir", "Folder of the TensorBoard files; runs in output_dir when missing."),
        .flag("restore_callback_states_from_checkpoint", false, "Restore the patience of early stopping and the like.").noEffect("A checkpoint always restores everything."),
        .optionalFlag("disable_tqdm", nil, "No progress bar.").noEffect("The progress bar shows on terminals only."),
        .choice("log_level", "passive", logLevels, "How much is logged.").noEffect("Everything is logged; the board and pagers filter."),
        .choice("log_level_replica", "warning", logLevels, "How much further machines log.").noEffect("One machine works on a run."),
        .flag("log_on_each_node", true, "Log on every machine.").noEffect("One machine works on a run."),
        .flag("save_on_each_node", false, "Save on every machine.").noEffect("One machine works on a run."),
        .flag("skip_memory_metrics", true, "No memory figures in the results.").noEffect("The plan before each run says what the memory is used for."),
        .flag("enable_jit_checkpoint", false, "Save when the scheduler is about to stop the job.").noEffect("A run always saves when it is asked to stop (SIGTERM)."),
        .text("project", "huggingface", "Project name for trackers.").noEffect("Metrics stay on this machine."),
        .optionalText("trackio_space_id", "Trackio space.").noEffect("Metrics stay on this machine."),
        .optionalText("trackio_bucket_id", "Trackio bucket.").noEffect("Metrics stay on this machine."),
        .optionalText("trackio_static_space_id", "Static Trackio space.").noEffect("Metrics stay on this machine."),
    ])

    /// 32 bits, as NumPy has it.
    private static let largestSeed = 4_294_967_295.0

    private static let logLevels = ["detail", "debug", "info", "warning", "error", "critical", "passive"]

    static let evaluation: [Argument] = rows(.evaluation, [.train, .evaluate], [
        .choice("eval_strategy", "no", ["no", "steps", "epoch"], "When the model is evaluated while it trains."),
        .optionalNumber("eval_steps", "Steps between two evaluations: a number, or a fraction of all steps below 1; logging_steps when missing.").above(0),
        .number("eval_delay", 0, "Epochs or steps before the first evaluation.").atLeast(0),
        .integer("per_device_eval_batch_size", 8, "Samples per forward pass of an evaluation.").atLeast(1),
        .flag("eval_on_start", false, "Evaluate once before the first step."),
        .flag("predict_with_generate", false, "Generate answers and score them with BLEU and ROUGE."),
        .optionalInteger("generation_max_length", nil, "Longest generated sequence in evaluations.").atLeast(1)
            .noEffect("max_new_tokens limits every answer."),
        .optionalInteger("generation_num_beams", nil, "Beams in evaluations.").atLeast(1),
        .optionalText("generation_config", "Folder of a generation_config.json.").noEffect("Answers follow the generation arguments; no other file is read for them."),
        .flag("prediction_loss_only", false, "Only the loss.").noEffect("Nothing but the loss is kept unless compute_accuracy or predict_with_generate asks for it."),
        .flag("eval_do_concat_batches", true, "Join the batches' results.").noEffect("Results are summed as they come."),
        .flag("eval_use_gather_object", false, "Gather results over devices.").noEffect("One device works on a run."),
        .optionalInteger("eval_accumulation_steps", nil, "Batches kept on the device.").atLeast(1).noEffect("Results are summed as they come."),
        .flag("batch_eval_metrics", false, "Compute metrics batch by batch.").noEffect("Results are summed as they come."),
        .list("include_for_metrics", "Inputs handed to metrics.").noEffect("Metrics are built in."),
        .list("label_names", "Columns of labels.").noEffect("Labels come from the dataset's format."),
    ])
}
