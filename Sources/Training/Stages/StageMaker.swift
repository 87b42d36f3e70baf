/// Makes a stage's objective, with the further models that it needs.

import Configuration
import Evaluation
import Events
import Models
import Platform
import Tensors

enum StageMaker {
    /// - Parameters:
    ///   - model: with its adapter.
    ///   - checkpoint: where a resumed run takes its value head from.
    static func objective(
        _ configuration: Configuration, _ settings: TrainingSettings, model: Transformer, checkpoint: CheckpointFolder? = nil
    ) throws -> any Objective {
        switch settings.stage {
        case .pretraining, .supervised:
            return CrossEntropyObjective(model: model, labelSmoothing: settings.labelSmoothing)
        case .preference:
            let preference = settings.stageSettings.preference
            let reference = preference.kind.usesReference ? try reference(settings, model: model) : nil
            return PreferenceObjective(model: model, reference: reference, settings: preference)
        case .feedback:
            return FeedbackObjective(
                model: model, reference: try reference(settings, model: model), settings: settings.stageSettings.feedback)
        case .rewardModelling, .policyOptimisation:
            return RewardObjective(model: model, head: try valueHead(configuration, settings, model: model, checkpoint: checkpoint))
        }
    }

    /// `ref_model` with its adapters, else the base without its adapter, else a second copy of the model that training starts from.
    static func reference(_ settings: TrainingSettings, model: Transformer) throws -> ReferenceModel {
        let stage = settings.stageSettings
        if stage.referenceModel == nil, model.hasAdapter { return ReferenceModel(.adapterOff(model)) }
        let reference = try Transformer.load(
            directory: stage.referenceModel ?? settings.modelDirectory, backend: model.backend,
            options: LoadOptions(dtype: model.hasAdapter ? nil : settings.storedType))
        try AdapterFile.load(stage.referenceAdapters, into: reference, mergesAll: true)
        return ReferenceModel(.separate(reference))
    }

    /// The same without training: a model without an adapter and without `ref_model` is its own reference.
    static func evaluationReference(_ stage: StageSettings, model: Transformer) throws -> ReferenceModel {
        guard let directory = stage.referenceModel else { return ReferenceModel(model.hasAdapter ? .adapterOff(model) : .separate(model)) }
        let reference = try Transformer.load(directory: directory, backend: model.backend)
        try AdapterFile.load(stage.referenceAdapters, into: reference, mergesAll: true)
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
