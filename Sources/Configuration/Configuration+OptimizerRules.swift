/// Which ways of optimising go together. LLaMA-Factory's rules, with the reason.

extension Configuration {
    /// The optimizers that replace `optim`, where they are switched on.
    private static let replacements: [(argument: String, name: String)] = [
        ("use_galore", "GaLore"), ("use_apollo", "APOLLO"), ("use_badam", "BAdam"), ("use_adam_mini", "Adam-mini"), ("use_muon", "Muon"),
    ]

    /// Every combination that cannot work: the argument to change and why.
    func optimizerErrors() -> [(argument: String, message: String)] {
        var errors: [(argument: String, message: String)] = []
        var chosen = Self.replacements.filter { text($0.argument) == "true" }
        if isSet("loraplus_lr_ratio"), self[.loraplusLrRatio] != nil { chosen.append(("loraplus_lr_ratio", "LoRA+")) }
        if chosen.count > 1 {
            errors.append((chosen[1].argument, "\(chosen[0].name) and \(chosen[1].name) exclude each other; choose one."))
        }
        let method = self[.finetuningType]
        for (argument, name) in chosen where ["use_galore", "use_apollo", "use_badam"].contains(argument) && method != "full" && method != "freeze" {
            errors.append((argument, "\(name) trains the model's own weights and needs finetuning_type full or freeze, not \(method)."))
        }
        let adamW = self[.optim].hasPrefix("adamw_torch") || self[.optim] == "adamw_hf"
        if self[.useGalore] || self[.useApollo] || self[.useAdamMini] || self[.useMuon], !adamW {
            errors.append(("optim", "\(chosen.first?.name ?? "") brings its own formula, an AdamW; leave optim at adamw_torch."))
        }
        for (flag, layerwise) in [(self[.useGalore], "galore_layerwise"), (self[.useApollo], "apollo_layerwise")]
        where flag && text(layerwise) == "true" && self[.gradientAccumulationSteps] != 1 {
            errors.append((layerwise, "\(layerwise) updates within the backward pass and needs gradient_accumulation_steps 1."))
        }
        if self[.useBadam], self[.badamMode] == "ratio", self[.badamUpdateRatio] <= 1e-6 {
            errors.append(("badam_update_ratio", "badam_update_ratio must be above 0.000001, else nothing trains."))
        }
        if ["galore_adamw", "galore_adamw_layerwise", "apollo_adamw", "apollo_adamw_layerwise"].contains(self[.optim]),
            self[.optimTargetModules].isEmpty
        {
            errors.append(("optim_target_modules", "optim \(self[.optim]) needs optim_target_modules: parts of module names, or all-linear."))
        }
        return errors
    }
}
