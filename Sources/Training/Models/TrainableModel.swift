/// The model of a run, made ready to be trained: loaded or drawn afresh, adapters stacked, its trainable part in memory of its own.

import Configuration
import Generation
import Glibc
import Models
import Platform
import Tensors

public enum TrainableModel {
    /// - Parameters:
    ///   - checkpoint: where a resumed run takes its weights from.
    public static func load(
        _ configuration: Configuration, settings: TrainingSettings, backend: any Backend, checkpoint: CheckpointFolder? = nil
    ) throws -> Transformer {
        let model: Transformer
        switch settings.method {
        case .full:
            model = try loadBase(configuration, settings, backend, directory: checkpoint?.path)
            try refuseQuantized(model, settings)
        case .freeze:
            model = try loadBase(configuration, settings, backend, directory: checkpoint?.path)
            try refuseQuantized(model, settings)
            try model.freeze(FreezeSelection(configuration), trainedType: settings.storedType)
        case .lora, .oft:
            model = try loadBase(configuration, settings, backend, directory: nil)
            try putAdapterOn(model, configuration, settings, checkpoint: checkpoint)
        }
        try setForward(model, configuration, settings)
        if let weight = configuration[.moeAuxLossCoef], weight > 0 { model.balanceWeight = weight }
        for parameter in model.trainableParameters { takeOwnMemory(parameter) }
        return model
    }

    /// The same model without its weights, on a backend that only counts bytes.
    /// - Parameter backend: whose habits are planned for
    static func planned(
        _ configuration: Configuration, settings: TrainingSettings, like backend: (any Backend)? = nil
    ) throws -> Transformer {
        let summary = try ModelSummary(directory: settings.modelDirectory)
        let isFull = settings.method == .full
        let model = try Transformer.planned(
            folder: ModelFolder(directory: settings.modelDirectory),
            backend: PlanningBackend(savedType: settings.products == .bfloat16 ? .bfloat16 : .float32, like: backend),
            dtype: isFull ? settings.storedType : summary.dtype, trainsBase: isFull, quantizer: WeightQuantizer(configuration),
            growth: VocabularyChange.growth(configuration, directory: settings.modelDirectory))
        if settings.method == .freeze { try model.freeze(FreezeSelection(configuration), trainedType: settings.storedType) }
        if settings.method.makesAdapter { try addFreshAdapter(to: model, configuration, settings) }
        try setForward(model, configuration, settings)
        return model
    }

    private static func refuseQuantized(_ model: Transformer, _ settings: TrainingSettings) throws {
        guard model.isQuantized else { return }
        throw TrainingError.unsuitable(
            argument: "finetuning_type", value: settings.method.rawValue,
            reason: "the base is quantised and can be trained with adapters only: use lora, or the unquantised model.")
    }

    /// What the forward pass does in training beside what the model is.
    private static func setForward(_ model: Transformer, _ configuration: Configuration, _ settings: TrainingSettings) throws {
        model.recomputesBlocks = settings.recomputesBlocks
        model.noiseAlpha = configuration[.neftuneNoiseAlpha].flatMap { $0 > 0 ? Float($0) : nil }
        guard configuration[.shiftAttn] else { return }
        if let reason = model.spec.shiftObstacle {
            throw TrainingError.unsuitable(argument: "shift_attn", value: "true", reason: reason)
        }
        model.shiftsAttention = true
    }

    /// What `pissa_convert` leaves: the adapter as it began, and one for the whole base.
    /// - Returns: the folders.
    static func writeConverted(_ model: Transformer, _ configuration: Configuration, to output: String) throws -> [String] {
        var start = try model.principalStart()
        // An adapter that a script has split off begins as its file has it.
        if start.isEmpty, let continued = adapterStack(configuration).continued { start = try AdapterFile.matrices(continued) }
        guard !start.isEmpty else { return [] }
        let first = Path.join(output, "pissa_init"), converted = Path.join(output, "pissa_converted")
        try AdapterFile.saveStart(model, start, to: first)
        try AdapterFile.saveConverted(model, start: start, to: converted)
        return [first, converted]
    }

    private static func addFreshAdapter(
        to model: Transformer, _ configuration: Configuration, _ settings: TrainingSettings
    ) throws(ModelError) {
        var random = RandomGenerator(seed: settings.seed)
        var adapter = try AdapterSettings(configuration, method: settings.method, model: model)
        // New rows are of no use unless they are trained and saved.
        if adapter.savedModules.isEmpty, (try? VocabularyChange(configuration))?.resizes ?? false {
            adapter.savedModules = [.embedding, .head].map { Transformer.lastPart(model.names.module($0)) }
        }
        try model.addLowRankAdapters(adapter, random: &random)
    }

    private static func loadBase(
        _ configuration: Configuration, _ settings: TrainingSettings, _ backend: any Backend, directory: String?
    ) throws -> Transformer {
        if settings.startsFromScratch, directory == nil {
            var random = RandomGenerator(seed: settings.seed)
            var folder = try ModelFolder(directory: settings.modelDirectory)
            if let growth = try VocabularyChange.growth(configuration, directory: settings.modelDirectory) {
                folder.setVocabulary(growth.rows(stored: folder.spec.vocabularySize))
            }
            return try Transformer.initialized(folder: folder, backend: backend, random: &random, dtype: settings.storedType)
        }
        let options = LoadOptions(
            dtype: settings.method == .full ? settings.storedType : nil, trainsBase: settings.method == .full,
            rotaryScaling: try rotaryScaling(configuration, settings), quantizer: WeightQuantizer(configuration),
            growth: try VocabularyChange.growth(configuration, directory: settings.modelDirectory))
        return try Transformer.load(directory: directory ?? settings.modelDirectory, backend: backend, options: options)
    }

    /// LLaMA-Factory's rules: every adapter but the last is merged into the base; the last is trained further, unless
    /// `create_new_adapter` asks for a fresh one on top.
    private static func putAdapterOn(
        _ model: Transformer, _ configuration: Configuration, _ settings: TrainingSettings, checkpoint: CheckpointFolder?
    ) throws {
        let (merged, continued) = adapterStack(configuration)
        try AdapterFile.load(merged, into: model, mergesAll: true)
        let notes = model.adapterNotes
        defer { model.adapterNotes = notes + model.adapterNotes }
        if let checkpoint {
            try AdapterFile.load(checkpoint.path, into: model, isTrainable: true)
        } else if let continued {
            try AdapterFile.load(continued, into: model, isTrainable: true)
        } else {
            try addFreshAdapter(to: model, configuration, settings)
        }
    }

    /// The adapters that become part of the base, and the one that is trained further.
    static func adapterStack(_ configuration: Configuration) -> (merged: [String], continued: String?) {
        var stack = configuration[.adapterNameOrPath]
        let continued = configuration[.createNewAdapter] ? nil : stack.popLast()
        return (stack, continued)
    }

    /// Weights that lie in a mapped file cannot be written to.
    static func takeOwnMemory(_ parameter: Parameter) {
        guard parameter.value.storage.isBorrowed else { return }
        let copy = Tensor.zeros(parameter.shape, parameter.value.dtype)
        copy.address.copyMemory(from: parameter.value.address, byteCount: parameter.value.byteCount)
        parameter.value = copy
    }

    /// `rope_scaling` stretches the positions of a model that is trained on samples longer than it knows; shorter ones leave it as
    /// it is. The factor is a whole number, as in LLaMA-Factory.
    private static func rotaryScaling(_ configuration: Configuration, _ settings: TrainingSettings) throws -> RotaryScaling? {
        guard let name = configuration[.ropeScaling], !name.isEmpty else { return nil }
        let known = try ModelFolder(directory: settings.modelDirectory).spec.maximumPositions
        let wanted = configuration[.cutoffLen]
        guard wanted > known else { return nil }
        let factor = Double((wanted + known - 1) / known)
        switch name {
        case "linear": return .linear(factor: factor)
        case "dynamic": return .dynamic(factor: factor, originalPositions: known)
        case "llama3":
            return .llama3(factor: factor, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: known)
        case "yarn":
            // The temperature and the two turning points are the paper's (arXiv 2309.00071), as transformers fills them in.
            return .yarn(
                factor: factor, betaFast: 32, betaSlow: 1, attentionFactor: 0.1 * log(factor) + 1, originalPositions: known, roundsRange: true)
        default:
            throw TrainingError.unsuitable(
                argument: "rope_scaling", value: name, reason: "it is one of linear, dynamic, yarn and llama3.")
        }
    }
}

extension TrainingSettings {
    /// How the weights of a fully trained model are kept.
    var storedType: DType {
        switch precision {
        case .float32: .float32
        case .pureBFloat16: .bfloat16
        }
    }

    /// `bf16` rounds what meets a bf16 or quantised weight, as autocast does.
    var products: CPUBackend.ProductKernels {
        switch precision {
        case .float32(saved: .bfloat16): .bfloat16
        case .float32, .pureBFloat16: .best
        }
    }

    /// How the finished full model is written.
    var savedType: DType {
        switch precision {
        case .pureBFloat16, .float32(saved: .bfloat16): .bfloat16
        case .float32(saved: .float16): .float16
        case .float32(saved: .float32): .float32
        }
    }
}
