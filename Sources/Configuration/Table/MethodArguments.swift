/// What is trained and how: freeze, LoRA, OFT, preference stages, and the optimizers that have a group of their own.

extension ArgumentTable {
    static let freeze: [Argument] = rows(.freeze, [.train], [
        .integer("freeze_trainable_layers", 2, "How many layers train: the last ones, or the first when negative."),
        .list("freeze_trainable_modules", "Modules of those layers that train; all for every one.", default: ["all"]),
        .list("freeze_extra_modules", "Further modules that train, outside of the layers."),
        .flag("use_llama_pro", false, "Train only the blocks that an expanded model has gained."),
    ]) { argument in
        switch argument.name {
        case "use_llama_pro": return argument
        case "freeze_trainable_layers":
            return argument.with {
                $0.applies = { configuration in
                    configuration.text("finetuning_type") == "freeze" || configuration[.useLlamaPro]
                        ? nil : "Only with finetuning_type freeze, or with use_llama_pro."
                }
            }
        case _: return argument.only(with: "finetuning_type", "freeze")
        }
    }

    static let lora: [Argument] = rows(.lora, [.train], [
        .integer("lora_rank", 8, "Rank of the two small matrices.").between(1, 65536),
        .optionalInteger("lora_alpha", nil, "Scale of the adapter's answer times the rank; twice the rank when missing.").atLeast(1),
        .number("lora_dropout", 0, "Share of inputs dropped in front of the adapter.").between(0, andBelow: 1),
        .list("lora_target", "Linear layers that get an adapter, with commas between them; all for every one.", default: ["all"])
            .only(with: "finetuning_type", "lora", "oft"),
        .list("additional_target", "Modules trained in full and stored with the adapter, such as embed_tokens.")
            .only(with: "finetuning_type", "lora", "oft"),
        .optionalNumber("loraplus_lr_ratio", "LoRA+: learning rate of B over that of A.").above(0),
        .number("loraplus_lr_embedding", 1e-6, "LoRA+: learning rate of embedding adapters.").above(0).only(withSet: "loraplus_lr_ratio"),
        .flag("use_rslora", false, "Scale by alpha over the square root of the rank."),
        .flag("use_dora", false, "Learn direction and length of each weight row apart."),
        .flag("pissa_init", false, "Begin with the base's principal components."),
        .integer("pissa_iter", 16, "Iterations of PiSSA's decomposition; -1 for the exact one.").between(-1, 1000).only(withFlag: "pissa_init"),
        .flag("pissa_convert", false, "Store PiSSA as a plain LoRA adapter as well."),
        .flag("create_new_adapter", false, "Begin a new adapter on top of those loaded.").only(with: "finetuning_type", "lora", "oft"),
    ]) { argument in
        ["lora_target", "additional_target", "create_new_adapter", "loraplus_lr_embedding", "pissa_iter", "pissa_convert"].contains(argument.name)
            ? argument : argument.only(with: "finetuning_type", "lora")
    }

    static let oft: [Argument] = rows(.oft, [.train], [
        .integer("oft_rank", 0, "Blocks per layer; 0 when the block size decides.").atLeast(0),
        .integer("oft_block_size", 32, "Size of each orthogonal block.").atLeast(0),
        .list("oft_target", "Linear layers that get an adapter; all for every one.", default: ["all"]),
        .number("module_dropout", 0, "Share of blocks dropped.").between(0, andBelow: 1),
    ]) { $0.only(with: "finetuning_type", "oft") }

    static let rlhf: [Argument] = rows(.rlhf, [.train], [
        .number("pref_beta", 0.1, "How closely preference training stays with the reference.").atLeast(0).only(with: "stage", "dpo", "kto"),
        .number("pref_ftx", 0, "Weight of the plain loss on the chosen answers.").atLeast(0).only(with: "stage", "dpo", "kto"),
        .number("pref_bco_weight", 0, "Weight of the BCO loss.").atLeast(0).only(with: "stage", "dpo"),
        .choice("pref_loss", "sigmoid", ["sigmoid", "hinge", "ipo", "kto_pair", "orpo", "simpo"], "Kind of preference loss.")
            .only(with: "stage", "dpo"),
        .number("dpo_label_smoothing", 0, "Share of preferences thought to be the wrong way round.").between(0, 0.5).only(with: "stage", "dpo"),
        .number("kto_chosen_weight", 1, "Weight of the wanted answers.").atLeast(0).only(with: "stage", "kto"),
        .number("kto_rejected_weight", 1, "Weight of the unwanted answers.").atLeast(0).only(with: "stage", "kto"),
        .number("simpo_gamma", 0.5, "Margin that SimPO asks for.").atLeast(0).only(with: "pref_loss", "simpo"),
        .integer("ppo_buffer_size", 1, "Batches collected before each PPO update.").atLeast(1).only(with: "stage", "ppo"),
        .integer("ppo_epochs", 4, "Passes over each buffer.").atLeast(1).only(with: "stage", "ppo"),
        .flag("ppo_score_norm", false, "Normalise the scores.").only(with: "stage", "ppo"),
        .number("ppo_target", 6, "KL that the adaptive penalty aims at.").above(0).only(with: "stage", "ppo"),
        .flag("ppo_whiten_rewards", false, "Centre and scale the rewards.").only(with: "stage", "ppo"),
        .optionalText("ref_model", "Reference model; the base without its adapter when missing.").with {
            $0.applies = { configuration in
                ["dpo", "kto", "ppo"].contains(configuration.text("stage")) || configuration[.useAsftLoss]
                    ? nil : "Only with stage dpo or kto or ppo, or with use_asft_loss."
            }
        },
        .list("ref_model_adapters", "Adapters of the reference model.").only(withSet: "ref_model"),
        .optionalInteger("ref_model_quantization_bit", nil, "Bits of the reference model.").between(2, 8).only(withSet: "ref_model"),
        .optionalText("reward_model", "Model that scores answers.").only(with: "stage", "ppo"),
        .list("reward_model_adapters", "Adapters of the reward model.").only(with: "stage", "ppo"),
        .optionalInteger("reward_model_quantization_bit", nil, "Bits of the reward model.").between(2, 8).only(with: "stage", "ppo"),
        .choice("reward_model_type", "lora", ["lora", "full", "api"], "How the reward model is given.").only(with: "stage", "ppo"),
        .optionalNumber("ld_alpha", "LD-DPO: weight of what one answer has beyond the other's length.").between(0, 1).only(with: "stage", "dpo"),
    ]) { argument in
        let measures = ["pref_beta", "pref_ftx", "pref_loss", "kto_chosen_weight", "kto_rejected_weight", "simpo_gamma", "ref_model", "ref_model_adapters"]
        return measures.contains(argument.name) ? argument.with { $0.commands.insert(.evaluate) } : argument
    }

    static let galore: [Argument] = rows(.galore, [.train], [
        .flag("use_galore", false, "Project gradients to a low rank (GaLore)."),
        .list("galore_target", "Modules whose gradients are projected.", default: ["all"]).only(withFlag: "use_galore"),
        .integer("galore_rank", 16, "Rank of the projection.").atLeast(1).only(withFlag: "use_galore"),
        .integer("galore_update_interval", 200, "Steps between two projections.").atLeast(1).only(withFlag: "use_galore"),
        .number("galore_scale", 2, "Scale of the projected update.").above(0).only(withFlag: "use_galore"),
        .choice("galore_proj_type", "std", ["std", "reverse_std", "right", "left", "full"], "Side of the projection.").only(withFlag: "use_galore"),
        .flag("galore_layerwise", false, "Update layer by layer.").only(withFlag: "use_galore").noEffect(layerwise),
    ])

    static let apollo: [Argument] = rows(.apollo, [.train], [
        .flag("use_apollo", false, "Scale gradients by a low-rank state (APOLLO)."),
        .list("apollo_target", "Modules whose gradients are scaled.", default: ["all"]).only(withFlag: "use_apollo"),
        .integer("apollo_rank", 16, "Rank of the state.").atLeast(1).only(withFlag: "use_apollo"),
        .integer("apollo_update_interval", 200, "Steps between two projections.").atLeast(1).only(withFlag: "use_apollo"),
        .number("apollo_scale", 32, "Scale of the update.").above(0).only(withFlag: "use_apollo"),
        .choice("apollo_proj", "random", ["svd", "random"], "Kind of projection.").only(withFlag: "use_apollo"),
        .choice("apollo_proj_type", "std", ["std", "right", "left"], "Side of the projection.").only(withFlag: "use_apollo"),
        .choice("apollo_scale_type", "channel", ["channel", "tensor"], "One scale per channel or per tensor.").only(withFlag: "use_apollo"),
        .flag("apollo_layerwise", false, "Update layer by layer.").only(withFlag: "use_apollo").noEffect(layerwise),
        .flag("apollo_scale_front", false, "Apply the scale before the norm's growth is limited.").only(withFlag: "use_apollo"),
    ])

    static let badam: [Argument] = rows(.badam, [.train], [
        .flag("use_badam", false, "Train block after block (BAdam)."),
        .choice("badam_mode", "layer", ["layer", "ratio"], "Blocks are layers, or a share of the parameters.").only(withFlag: "use_badam"),
        .optionalInteger("badam_start_block", nil, "Block to begin with.").atLeast(0).only(withFlag: "use_badam"),
        .optionalChoice("badam_switch_mode", "ascending", ["ascending", "descending", "random", "fixed"], "Order of the blocks.")
            .only(withFlag: "use_badam"),
        .optionalInteger("badam_switch_interval", 50, "Steps per block; -1 never goes on.").atLeast(-1).only(withFlag: "use_badam"),
        .number("badam_update_ratio", 0.05, "Share of the parameters that train.").between(0, 1).only(withFlag: "use_badam"),
        .choice("badam_mask_mode", "adjacent", ["adjacent", "scatter"], "Which parameters the share is made of.").only(withFlag: "use_badam"),
        .integer("badam_verbose", 0, "How much BAdam prints.").between(0, 2).only(withFlag: "use_badam").noEffect("The log names the block in training."),
    ])

    static let swanlab: [Argument] = rows(.swanlab, [.train], [
        .flag("use_swanlab", false, "Send metrics to SwanLab.")
            .noEffect("Metrics go to trainer_log.jsonl and TensorBoard files; SwanLab's client can import those."),
        .optionalText("swanlab_project", "SwanLab project.", default: "llamafactory").only(withFlag: "use_swanlab"),
        .optionalText("swanlab_workspace", "SwanLab workspace.").only(withFlag: "use_swanlab"),
        .optionalText("swanlab_run_name", "Name of the run.").only(withFlag: "use_swanlab"),
        .choice("swanlab_mode", "cloud", ["cloud", "local"], "Where SwanLab keeps the metrics.").only(withFlag: "use_swanlab"),
        .optionalText("swanlab_api_key", "SwanLab key.").secret().only(withFlag: "use_swanlab"),
        .optionalText("swanlab_logdir", "SwanLab's folder.").only(withFlag: "use_swanlab"),
        .optionalText("swanlab_lark_webhook_url", "Lark address for notices.").secret().only(withFlag: "use_swanlab"),
        .optionalText("swanlab_lark_secret", "Lark secret.").secret().only(withFlag: "use_swanlab"),
    ])
}
