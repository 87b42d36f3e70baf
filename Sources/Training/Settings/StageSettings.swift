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
    /// `use_asft_loss`: what staying near the reference model counts.
    public var anchorWeight: Float?

    public init() {}

    /// Refuses what LLaMA-Factory's parser refuses, and what could only fail later.
    public init(_ configuration: Configuration, stage: TrainingSettings.Stage) throws(TrainingError) {
        if let conflict = configuration.stageConflicts.first {
            let value = configuration.text(conflict.argument)
            throw value.isEmpty
                ? .missingArgument(conflict.argument, reason: conflict.reason)
                : .unsuitable(argument: conflict.argument, value: value, reason: conflict.reason)
        }
        switch stage {
        case .pretraining: return
        case .supervised:
            guard configuration[.useAsftLoss] else { return }
            anchorWeight = Float(configuration[.asftAlpha])
        case .preference: try readPreference(configuration)
        case .feedback: readFeedback(configuration)
        case .rewardModelling: break
        case .policyOptimisation: policy = try PolicySettings(configuration)
        }
        if stage != .rewardModelling { try readReference(configuration, stage) }
    }

    private mutating func readPreference(_ configuration: Configuration) throws(TrainingError) {
        guard let kind = PreferenceLossKind(rawValue: configuration[.prefLoss]) else {
            throw .unsuitable(
                argument: "pref_loss", value: configuration[.prefLoss],
                reason: "it is one of \(PreferenceLossKind.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        preference = PreferenceSettings(kind: kind, beta: configuration[.prefBeta])
        preference.plainWeight = configuration[.prefFtx]
        preference.baselineWeight = configuration[.prefBcoWeight]
        preference.labelSmoothing = configuration[.dpoLabelSmoothing]
        preference.margin = configuration[.simpoGamma]
        preference.lengthWeight = configuration[.ldAlpha]
    }

    private mutating func readFeedback(_ configuration: Configuration) {
        feedback.beta = configuration[.prefBeta]
        feedback.plainWeight = configuration[.prefFtx]
        feedback.chosenWeight = configuration[.ktoChosenWeight]
        feedback.rejectedWeight = configuration[.ktoRejectedWeight]
    }

    private mutating func readReference(_ configuration: Configuration, _ stage: TrainingSettings.Stage) throws(TrainingError) {
        if stage == .preference, !preference.kind.usesReference { return }
        referenceQuantizer = try Self.quantizer(configuration, .refModelQuantizationBit, "ref_model_quantization_bit")
        referenceAdapters = configuration[.refModelAdapters]
        guard let model = configuration[.refModel], !model.isEmpty else {
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
