/// Numbers of the stage ppo: LLaMA-Factory's arguments, and TRL's defaults for what it leaves alone.

import Configuration
import Models
import Platform
import Tensors

public struct PolicySettings: Sendable, Equatable {
    /// Where scores come from.
    public enum Scorer: Sendable, Equatable {
        /// An adapter on the policy's own base, with a value head.
        case adapter(String)
        /// A model of its own with its adapters; the value head is the last adapter's, or the model's.
        case model(String, adapters: [String])
        /// An HTTP address that is sent texts and answers with scores.
        case server(RewardServer.Address)
    }

    public var scorer = Scorer.adapter("")
    /// `reward_model_quantization_bit`
    public var rewardQuantizer: WeightQuantizer?
    /// `ppo_epochs`: passes over each buffer of answers.
    public var passes = 4
    /// `ppo_buffer_size`: batches of answers before each update.
    public var bufferSize = 1
    /// `ppo_target`: divergence that the adaptive penalty aims at.
    public var targetDivergence = 6.0
    /// `ppo_score_norm`
    public var normalisesScores = false
    /// `ppo_whiten_rewards`
    public var whitensRewards = false

    // TRL 0.9.6's PPOConfig.
    public var initialPenalty = 0.2
    public var horizon = 10_000.0
    public var gamma = 1.0
    public var lambda = 0.95
    public var clipRange = 0.2
    public var valueClipRange = 0.2
    public var valueWeight = 0.1
    /// A batch whose mean ratio is above this teaches nothing.
    public var ratioLimit = 10.0

    public init() {}

    init(_ configuration: Configuration) throws(TrainingError) {
        let model = configuration[.rewardModel] ?? ""
        passes = configuration[.ppoEpochs]
        bufferSize = configuration[.ppoBufferSize]
        targetDivergence = configuration[.ppoTarget]
        normalisesScores = configuration[.ppoScoreNorm]
        whitensRewards = configuration[.ppoWhitenRewards]
        scorer = try Self.scorer(model, configuration)
        rewardQuantizer = try StageSettings.quantizer(configuration, .rewardModelQuantizationBit, "reward_model_quantization_bit")
        guard rewardQuantizer != nil else { return }
        guard case .model(_, let adapters) = scorer else {
            throw .unsuitable(
                argument: "reward_model_quantization_bit", value: "set",
                reason: "only reward_model_type: full has weights of its own; an adapter scores on the base as that is.")
        }
        try StageSettings.checkMerging(adapters, rewardQuantizer, argument: "reward_model_adapters")
    }

    private static func scorer(
        _ model: String, _ configuration: Configuration
    ) throws(TrainingError) -> Scorer {
        let adapters = configuration[.rewardModelAdapters]
        switch configuration[.rewardModelType] {
        case "api":
            return .server(try RewardServer.Address(model))
        case "full":
            try StageSettings.checkVocabulary(of: model, argument: "reward_model", configuration)
            for adapter in adapters { try StageSettings.checkAdapter(adapter, argument: "reward_model_adapters") }
            try checkHead(adapters.last ?? model, argument: adapters.isEmpty ? "reward_model" : "reward_model_adapters")
            return .model(model, adapters: adapters)
        default:
            try StageSettings.checkAdapter(model, argument: "reward_model")
            try checkHead(model, argument: "reward_model")
            return .adapter(model)
        }
    }

    private static func checkHead(_ directory: String, argument: String) throws(TrainingError) {
        guard !ValueHead.exists(in: directory) else { return }
        throw .unsuitable(
            argument: argument, value: directory,
            reason: "there is no \(ValueHead.fileName) in it, so it cannot score. Train it with stage: rm.")
    }
}
