/// Makes a stage's objective, with the further models that it needs.

import Configuration
import Evaluation
import Events
import Generation
import Models
import Platform
import Tensors
import Tokenizers

enum StageMaker {
    /// - Parameters:
    ///   - model: with its adapter.
    ///   - stopTokens: end an answer, beside the model's own.
    ///   - checkpoint: where a resumed run takes its value head from.
    ///   - control: says when a server is not to be waited for any longer.
    static func work(
        _ configuration: Configuration, _ settings: TrainingSettings, model: Transformer, tokenizer: Tokenizer, stopTokens: [Int32],
        checkpoint: CheckpointFolder? = nil, control: JobControl? = nil
    ) throws -> StageWork {
        switch settings.stage {
        case .pretraining, .supervised:
            let anchor = try settings.stageSettings.anchorWeight.map { weight in
                ModelAnchor(model: try reference(configuration, settings, model: model), weight: weight)
            }
            return .losses(
                CrossEntropyObjective(model: model, labelSmoothing: settings.labelSmoothing, weighting: settings.weighting, anchor: anchor))
        case .preference:
            let preference = settings.stageSettings.preference
            let reference = preference.kind.usesReference ? try reference(configuration, settings, model: model) : nil
            return .losses(PreferenceObjective(model: model, reference: reference, settings: preference))
        case .feedback:
            return .losses(
                FeedbackObjective(
                    model: model, reference: try reference(configuration, settings, model: model), settings: settings.stageSettings.feedback))
        case .rewardModelling:
            return .losses(RewardObjective(model: model, head: try valueHead(configuration, settings, model: model, checkpoint: checkpoint)))
        case .policyOptimisation:
            var options = SamplingOptions(configuration)
            options.beams = 1
            let stops = Set(stopTokens + model.spec.eosTokens + [tokenizer.eosID].compactMap { $0 })
            return .policy(
                PolicyOptimisation(
                    model: model, head: try valueHead(configuration, settings, model: model, checkpoint: checkpoint),
                    reference: try reference(configuration, settings, model: model),
                    scorer: try scorer(configuration, settings, model, tokenizer, control),
                    writer: AnswerWriter(model: model, options: options, stopTokens: stops), settings: settings.stageSettings.policy))
        }
    }

    /// The reward model. One that is an adapter gets a second model over the very same base weights.
    static func scorer(
        _ configuration: Configuration, _ settings: TrainingSettings, _ model: Transformer, _ tokenizer: Tokenizer,
        _ control: JobControl? = nil
    ) throws -> AnswerScorer {
        switch settings.stageSettings.policy.scorer {
        case .server(let address):
            return .server(RewardServer(address, isInterrupted: { control?.isStopping ?? false }), tokenizer)
        case .model(let directory, let adapters):
            let quantizer = settings.stageSettings.policy.rewardQuantizer
            let reward = try Transformer.load(directory: directory, backend: model.backend, options: LoadOptions(quantizer: quantizer))
            try AdapterFile.load(adapters, into: reward, mergesAll: !reward.isQuantized)
            return .model(reward, try ValueHead(directory: adapters.last ?? directory, hiddenSize: reward.head.inputCount))
        case .adapter(let directory):
            let reward = try Transformer.load(directory: settings.modelDirectory, backend: model.backend)
            try AdapterFile.load(TrainableModel.adapterStack(configuration).merged, into: reward, mergesAll: true)
            model.setAdapter(enabled: false)
            for (mine, other) in zip(reward.parameters, model.parameters) where mine.name == other.name && mine.shape == other.shape {
                mine.value = other.value
            }
            // A base quantised while loading is shared as it is.
            for (mine, other) in zip(reward.linears, model.linears) where other.weight.parameter == nil { mine.weight = other.weight }
            model.setAdapter(enabled: true)
            try AdapterFile.load(directory, into: reward)
            return .model(reward, try ValueHead(directory: directory, hiddenSize: reward.head.inputCount))
        }
    }

    /// `ref_model` with its adapters, else the base without its adapter, else a second copy of the model that training starts from.
    static func reference(_ configuration: Configuration, _ settings: TrainingSettings, model: Transformer) throws -> ReferenceModel {
        let stage = settings.stageSettings
        if stage.referenceModel == nil, model.hasAdapter { return ReferenceModel(.adapterOff(model)) }
        let reference = try Transformer.load(
            directory: stage.referenceModel ?? settings.modelDirectory, backend: model.backend,
            options: LoadOptions(
                dtype: model.hasAdapter || stage.referenceQuantizer != nil ? nil : settings.storedType, quantizer: stage.referenceQuantizer,
                growth: stage.referenceModel == nil ? try VocabularyChange.growth(configuration, directory: settings.modelDirectory) : nil))
        try AdapterFile.load(stage.referenceAdapters, into: reference, mergesAll: !reference.isQuantized)
        return ReferenceModel(.separate(reference))
    }

    /// The same without training: a model without an adapter and without `ref_model` is its own reference.
    static func evaluationReference(_ stage: StageSettings, model: Transformer) throws -> ReferenceModel {
        guard let directory = stage.referenceModel else { return ReferenceModel(model.hasAdapter ? .adapterOff(model) : .separate(model)) }
        let reference = try Transformer.load(
            directory: directory, backend: model.backend, options: LoadOptions(quantizer: stage.referenceQuantizer))
        try AdapterFile.load(stage.referenceAdapters, into: reference, mergesAll: !reference.isQuantized)
        return ReferenceModel(.separate(reference))
    }

    /// The value head of the checkpoint, of the adapter that is trained further, or of the model; else a fresh one.
    static func valueHead(
        _ configuration: Configuration, _ settings: TrainingSettings, model: Transformer, checkpoint: CheckpointFolder?
    ) throws -> ValueHead {
        let size = model.head.inputCount
        if let checkpoint { return try ValueHead(directory: checkpoint.path, hiddenSize: size) }
        let places = [configuration[.adapterNameOrPath].last, settings.modelDirectory].compactMap { $0 }
        if let place = places.first(where: { ValueHead.exists(in: $0) }) { return try ValueHead(directory: place, hiddenSize: size) }
        var random = RandomGenerator(seed: settings.seed, stream: 0x56_4845_4144)
        return ValueHead(hiddenSize: size, random: &random)
    }
}
