/// What the stages beyond pt and sft read from the configuration, and which combinations of it cannot work.

import Configuration
import Generation
import Models
import Platform
import Tensors
import Tokenizers

public struct StageSettings: Sendable {
    public var preference = PreferenceSettings()
    public var feedback = FeedbackSettings()
    /// `ref_model` and `ref_model_adapters`; nil for the base without its adapter.
    public var referenceModel: String?
    public var referenceAdapters: [String] = []
    /// `ref_model_quantization_bit`
    public var referenceQuantizer: WeightQuantizer?
    public var policy = PolicySettings()

    public init() {}

    /// Refuses what LLaMA-Factory's parser refuses, and what could only fail later.
    public init(
        _ configuration: Configuration, stage: TrainingSettings.Stage, method: TrainingSettings.Method
    ) throws(TrainingError) {
        switch stage {
        case .pretraining, .supervised: return
        case .preference: try readPreference(configuration)
        case .feedback: try readFeedback(configuration)
        case .rewardModelling: break
        case .policyOptimisation: policy = try PolicySettings(configuration, method: method)
        }
        if stage != .rewardModelling { try readReference(configuration, stage) }
        try Self.checkCommon(configuration, stage)
    }

    private mutating func readPreference(_ configuration: Configuration) throws(TrainingError) {
        guard let kind = PreferenceLossKind(rawValue: configuration[.prefLoss]) else {
            throw .unsuitable(
                argument: "pref_loss", value: configuration[.prefLoss],
                reason: "it is one of \(PreferenceLossKind.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        preference = PreferenceSettings(kind: kind, beta: try Self.beta(configuration))
        preference.plainWeight = configuration[.prefFtx]
        preference.baselineWeight = configuration[.prefBcoWeight]
        preference.labelSmoothing = configuration[.dpoLabelSmoothing]
        preference.margin = configuration[.simpoGamma]
        preference.lengthWeight = configuration[.ldAlpha]
        if kind != .sigmoid, preference.labelSmoothing > 1e-6 {
            throw .unsuitable(
                argument: "dpo_label_smoothing", value: "\(preference.labelSmoothing)",
                reason: "only pref_loss: sigmoid smooths labels, not \(kind.rawValue).")
        }
        if !kind.usesReference, preference.baselineWeight > 1e-6 {
            throw .unsuitable(
                argument: "pref_bco_weight", value: "\(preference.baselineWeight)",
                reason: "the BCO loss compares with a reference model, and pref_loss: \(kind.rawValue) has none.")
        }
    }

    private mutating func readFeedback(_ configuration: Configuration) throws(TrainingError) {
        feedback.beta = try Self.beta(configuration)
        feedback.plainWeight = configuration[.prefFtx]
        feedback.chosenWeight = configuration[.ktoChosenWeight]
        feedback.rejectedWeight = configuration[.ktoRejectedWeight]
        if feedback.chosenWeight <= 0, feedback.rejectedWeight <= 0 {
            throw .unsuitable(
                argument: "kto_chosen_weight", value: "0", reason: "with kto_rejected_weight 0 as well nothing would be learnt.")
        }
    }

    private static func beta(_ configuration: Configuration) throws(TrainingError) -> Double {
        let beta = configuration[.prefBeta]
        guard beta > 0, beta.isFinite else {
            throw .unsuitable(
                argument: "pref_beta", value: NumberText.pythonFloat(beta),
                reason: "it scales the rewards and must be above 0; with 0 every answer is as good as any other. Usual is 0.1.")
        }
        return beta
    }

    private mutating func readReference(_ configuration: Configuration, _ stage: TrainingSettings.Stage) throws(TrainingError) {
        if stage == .preference, !preference.kind.usesReference { return }
        referenceQuantizer = try Self.quantizer(configuration, .refModelQuantizationBit, "ref_model_quantization_bit")
        referenceAdapters = configuration[.refModelAdapters]
        guard let model = configuration[.refModel], !model.isEmpty else {
            if !referenceAdapters.isEmpty {
                throw .unsuitable(
                    argument: "ref_model_adapters", value: referenceAdapters.joined(separator: ","),
                    reason: "they belong to a reference model; name it with ref_model.")
            }
            if referenceQuantizer != nil {
                throw .unsuitable(
                    argument: "ref_model_quantization_bit", value: "set",
                    reason: "it belongs to a reference model; name it with ref_model. Without one the base under the switched-off adapter, "
                        + "quantised or not, is the reference at no memory.")
            }
            return
        }
        referenceModel = model
        try Self.checkVocabulary(of: model, argument: "ref_model", configuration)
        for adapter in referenceAdapters { try Self.checkAdapter(adapter, argument: "ref_model_adapters") }
        try Self.checkMerging(referenceAdapters, referenceQuantizer, argument: "ref_model_adapters")
    }

    static func quantizer(_ configuration: Configuration, _ key: ArgumentKey<Int?>, _ name: String) throws(TrainingError) -> WeightQuantizer? {
        guard let bits = configuration[key] else { return nil }
        guard let quantizer = WeightQuantizer(configuration, bits: bits) else {
            throw .unsuitable(argument: name, value: "\(bits)", reason: "models are quantised to 4 or 8 bits while they are loaded.")
        }
        return quantizer
    }

    /// One adapter works beside a quantised base; several would have to be merged into it.
    static func checkMerging(_ adapters: [String], _ quantizer: WeightQuantizer?, argument: String) throws(TrainingError) {
        guard quantizer != nil, adapters.count > 1 else { return }
        throw .unsuitable(
            argument: argument, value: adapters.joined(separator: ","), reason: "a quantised model takes one adapter, nothing can be merged into it.")
    }

    private static func checkCommon(_ configuration: Configuration, _ stage: TrainingSettings.Stage) throws(TrainingError) {
        if configuration[.doPredict] {
            throw .unsuitable(
                argument: "do_predict", value: "true",
                reason: "stage \(stage.rawValue) has no answers to score. Predict in a run of its own with stage: sft.")
        }
        if configuration[.trainFromScratch] {
            throw .unsuitable(
                argument: "train_from_scratch", value: "true",
                reason: "stage \(stage.rawValue) begins with a model that answers. Train one with stage pt or sft first.")
        }
        if [.rewardModelling, .policyOptimisation].contains(stage), configuration[.loadBestModelAtEnd] {
            throw .unsuitable(
                argument: "load_best_model_at_end", value: "true", reason: "the stages rm and ppo keep their last model, as in LLaMA-Factory.")
        }
        if configuration[.pissaInit], stage != .rewardModelling {
            throw .unsuitable(
                argument: "pissa_init", value: "true",
                reason: "PiSSA moves part of the base into the adapter, so the base alone is no reference for stage \(stage.rawValue).")
        }
    }

    /// The ids of two models that work on the same tokens must mean the same.
    static func checkVocabulary(of directory: String, argument: String, _ configuration: Configuration) throws(TrainingError) {
        guard let model = configuration[.modelNameOrPath], FileSystem.exists(Path.join(model, "config.json")) else { return }
        let sizes: (mine: Int, other: Int)
        do {
            sizes = (try ModelFolder(directory: model).spec.vocabularySize, try ModelFolder(directory: directory).spec.vocabularySize)
        } catch {
            throw .unsuitable(argument: argument, value: directory, reason: error.description)
        }
        guard sizes.mine == sizes.other else {
            throw .unsuitable(
                argument: argument, value: directory,
                reason: "its vocabulary has \(sizes.other) tokens, that of model_name_or_path \(sizes.mine). Both must share one tokenizer.")
        }
        guard let mine = identifiers(model), let other = identifiers(directory), mine != other else { return }
        throw .unsuitable(
            argument: argument, value: directory,
            reason: "its tokenizer gives other ids than that of model_name_or_path. Both must share one tokenizer.")
    }

    /// What a folder's tokenizer makes of a text that has something of everything; nil when there is none.
    private static func identifiers(_ directory: String) -> [Int32]? {
        guard FileSystem.exists(Path.join(directory, "tokenizer.json")), let tokenizer = try? Tokenizer(directory: directory) else { return nil }
        let characters = String(decoding: Array(UInt8(32)...126), as: UTF8.self)
        let words = " The quick brown fox answered 42 questions, didn't she? Übung macht den Meister. \u{8FD9}\u{662F}\u{4E2D}\u{6587}\n\n"
        return tokenizer.encode(characters + words) + [tokenizer.bosID, tokenizer.eosID].map { $0 ?? -1 }
    }

    static func checkAdapter(_ directory: String, argument: String) throws(TrainingError) {
        do { _ = try AdapterFile.configuration(directory) } catch {
            throw .unsuitable(argument: argument, value: directory, reason: error.description)
        }
    }
}
