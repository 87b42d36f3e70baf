/// What cannot go together in the stages beyond pt and sft, known from the arguments alone.

extension Configuration {
    /// Arguments that cannot work in their stage, each with its reason as a sentence.
    public var stageConflicts: [(argument: String, reason: String)] {
        switch self[.stage] {
        case "dpo": preferenceConflicts + referenceConflicts + commonConflicts
        case "kto": feedbackConflicts + referenceConflicts + commonConflicts
        case "ppo": policyConflicts + referenceConflicts + commonConflicts
        case "rm": commonConflicts
        case "sft" where self[.useAsftLoss]: referenceConflicts + anchorConflicts
        default: []
        }
    }

    private var betaConflicts: [(argument: String, reason: String)] {
        guard !(self[.prefBeta] > 0) else { return [] }
        return [("pref_beta", "it scales the rewards and must be above 0; with 0 every answer is as good as any other. Usual is 0.1.")]
    }

    private var preferenceConflicts: [(argument: String, reason: String)] {
        var found = betaConflicts
        let loss = self[.prefLoss]
        if loss != "sigmoid", self[.dpoLabelSmoothing] > 1e-6 {
            found.append(("dpo_label_smoothing", "only pref_loss: sigmoid smooths labels, not \(loss)."))
        }
        if !usesReference, self[.prefBcoWeight] > 1e-6 {
            found.append(("pref_bco_weight", "the BCO loss compares with a reference model, and pref_loss: \(loss) has none."))
        }
        return found
    }

    private var feedbackConflicts: [(argument: String, reason: String)] {
        guard self[.ktoChosenWeight] <= 0, self[.ktoRejectedWeight] <= 0 else { return betaConflicts }
        return betaConflicts + [("kto_chosen_weight", "with kto_rejected_weight 0 as well nothing would be learnt.")]
    }

    private var policyConflicts: [(argument: String, reason: String)] {
        var found: [(argument: String, reason: String)] = []
        if (self[.rewardModel] ?? "").isEmpty {
            found.append(("reward_model", "stage ppo needs something that scores answers: a folder of stage rm, or a server."))
        }
        if self[.rewardModelType] == "lora", self[.finetuningType] != "lora" {
            found.append(
                (
                    "reward_model_type",
                    "an adapter scores on the frozen base of LoRA training, and finetuning_type is \(self[.finetuningType]). "
                        + "Use reward_model_type: full."
                ))
        }
        if !self[.evalDataset].isEmpty || self[.valSize] > 1e-6 {
            found.append(
                (
                    self[.evalDataset].isEmpty ? "val_size" : "eval_dataset",
                    "stage ppo learns from its own answers and has nothing to evaluate on. Leave it out."
                ))
        }
        return found
    }

    private var usesReference: Bool { !["orpo", "simpo"].contains(self[.prefLoss]) }

    private var referenceConflicts: [(argument: String, reason: String)] {
        if self[.stage] == "dpo", !usesReference { return [] }
        guard (self[.refModel] ?? "").isEmpty, !self[.refModelAdapters].isEmpty else { return [] }
        return [("ref_model_adapters", "they belong to a reference model; name it with ref_model.")]
    }

    private var anchorConflicts: [(argument: String, reason: String)] {
        var found: [(argument: String, reason: String)] = []
        if self[.trainFromScratch] {
            found.append(("train_from_scratch", "use_asft_loss stays near the model that training begins with, and there is none. Leave one of them out."))
        }
        if self[.pissaInit] {
            found.append(("pissa_init", "PiSSA moves part of the base into the adapter, so the base alone is no reference for use_asft_loss."))
        }
        return found
    }

    private var commonConflicts: [(argument: String, reason: String)] {
        let stage = self[.stage]
        var found: [(argument: String, reason: String)] = []
        if self[.doPredict] {
            found.append(("do_predict", "stage \(stage) has no answers to score. Predict in a run of its own with stage: sft."))
        }
        if self[.trainFromScratch] {
            found.append(("train_from_scratch", "stage \(stage) begins with a model that answers. Train one with stage pt or sft first."))
        }
        if ["rm", "ppo"].contains(stage), self[.loadBestModelAtEnd] {
            found.append(("load_best_model_at_end", "the stages rm and ppo keep their last model, as in LLaMA-Factory."))
        }
        if self[.pissaInit], stage != "rm" {
            found.append(("pissa_init", "PiSSA moves part of the base into the adapter, so the base alone is no reference for stage \(stage)."))
        }
        return found
    }

    /// The sentence for a conflict.
    func sentence(_ conflict: (argument: String, reason: String)) -> String {
        let value = text(conflict.argument)
        return value.isEmpty ? "\(conflict.argument) is not set: \(conflict.reason)" : "\(conflict.argument): \(value) cannot be used: \(conflict.reason)"
    }
}
