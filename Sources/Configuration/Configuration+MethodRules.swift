/// What cannot go together among the arguments of the methods: LLaMA-Factory's checks, but for those that a base which an adapter
/// leaves whole makes needless.

extension Configuration {
    /// Arguments that cannot work, each with its reason.
    var methodConflicts: [(argument: String, message: String)] {
        let method = self[.finetuningType]
        var found: [(argument: String, message: String)] = []
        if method != "lora" {
            for name in ["use_dora", "use_rslora", "pissa_init"] where text(name) == "true" {
                found.append((name, "\(name) belongs to finetuning_type lora, not \(method)."))
            }
            if self[.loraplusLrRatio] != nil {
                found.append(("loraplus_lr_ratio", "LoRA+ gives the matrices of LoRA rates of their own; finetuning_type is \(method)."))
            }
        }
        if method == "full", self[.useLlamaPro] {
            found.append(("use_llama_pro", "use_llama_pro trains the added blocks alone: set finetuning_type to freeze or lora, not full."))
        }
        if method == "freeze", self[.freezeTrainableLayers] == 0, self[.freezeExtraModules].isEmpty {
            found.append(("freeze_trainable_layers", "freeze_trainable_layers is 0 and freeze_extra_modules names nothing: nothing would be trained."))
        }
        if self[.pissaConvert], self[.useDora] {
            found.append(("pissa_convert", "The lengths that DoRA learns cannot be turned into a plain LoRA adapter; leave pissa_convert or use_dora out."))
        }
        if self[.shiftAttn], self[.stage] == "ppo" {
            found.append(("shift_attn", "Answers are generated with full attention: shift_attn does not go with stage ppo."))
        }
        return found + rotationConflicts + quantisedConflicts
    }

    /// PEFT takes the number of blocks or their size, not both.
    private var rotationConflicts: [(argument: String, message: String)] {
        guard self[.finetuningType] == "oft" else { return [] }
        if self[.oftRank] > 0, isChanged("oft_block_size"), self[.oftBlockSize] > 0 {
            return [("oft_rank", "oft_rank and oft_block_size say the same in two ways; leave one of them out.")]
        }
        if self[.oftRank] == 0, self[.oftBlockSize] == 0 {
            return [("oft_block_size", "oft_rank and oft_block_size are both 0; set one of them.")]
        }
        return []
    }

    private var quantisedConflicts: [(argument: String, message: String)] {
        guard self[.quantizationBit] != nil else { return [] }
        var found: [(argument: String, message: String)] = []
        if self[.pissaInit] {
            found.append(
                ("pissa_init", "PiSSA takes the base apart, and a quantised one cannot be. Split it first with `tuneboard prepare pissa`, then quantise the rest."))
        }
        if self[.adapterNameOrPath].count > 1 {
            found.append(("adapter_name_or_path", "A quantised base cannot take adapters in; give one, or merge the others first."))
        }
        if self[.createNewAdapter], !self[.adapterNameOrPath].isEmpty {
            found.append(("create_new_adapter", "The loaded adapter would have to be merged into a quantised base; merge it first, or train it on."))
        }
        return found
    }

    /// Arguments of a new adapter that an adapter which is trained on does not heed.
    var methodWarnings: [(argument: String, message: String)] {
        guard let last = self[.adapterNameOrPath].last, !self[.createNewAdapter] else { return [] }
        let own = [
            "lora_rank", "lora_alpha", "lora_dropout", "lora_target", "additional_target", "use_rslora", "use_dora", "pissa_init", "oft_rank",
            "oft_block_size", "oft_target", "module_dropout",
        ]
        return own.filter { isChanged($0) }.map {
            ($0, "\(last) is trained on with the settings that it has; for \($0) to count, set create_new_adapter: true.")
        }
    }
}
