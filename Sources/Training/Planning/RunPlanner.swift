/// The estimate that is shown before a run starts: the model, the data, the steps, memory by part, disk, and what looks wrong.

import Configuration
import Datasets
import Events
import Evaluation
import Models
import Platform
import Tensors
import Tokenizers

struct RunPlanner {
    let configuration: Configuration
    var settings: TrainingSettings
    let data: TrainingData
    let steps: StepPlan
    /// Where the run takes up again.
    let resumed: CheckpointFolder?
    var availableBytes = SystemInfo.availableMemoryBytes
    /// Where the run will compute; nil for the processor.
    var backend: (any Backend)?

    func plan() throws -> RunPlan {
        let model = try TrainableModel.planned(configuration, settings: settings, like: backend)
        let batches = try plannedBatches(model, of: data)
        let trainable = model.trainableParameters.reduce(0) { $0 + $1.count }
        let checkpointWeights = model.trainableParameters.reduce(0) { $0 + $1.byteCount }
        let optimizer = try settings.optimizer.optimizer(for: model.trainableParameters, of: model)
        let memory = memoryPlan(model, optimizer, batches)
        let report = data.report
        var plan = RunPlan(
            modelName: Path.name(settings.modelDirectory), architecture: model.spec.modelType,
            parameterCount: model.parameters.reduce(0) { $0 + $1.count }, trainableCount: trainable, samples: data.sampleCount,
            evalSamples: data.evaluations.reduce(0) { $0 + $1.count }, tokens: data.tokenCount, lossTokens: report.lossTokens,
            truncatedSamples: report.truncated, droppedSamples: report.dropped, fullyMaskedSamples: report.fullyMasked,
            longestSample: report.longest, stepsPerEpoch: steps.stepsPerEpoch, totalSteps: steps.totalSteps,
            effectiveBatch: settings.batchSize * steps.accumulation, memory: memory.parts, peakBytes: memory.peakBytes,
            availableBytes: availableBytes, checkpointBytes: checkpointBytes(weights: checkpointWeights, optimizer),
            freeDiskBytes: FileSystem.freeBytes(at: existingPart(of: settings.outputDirectory)))
        if let speed = MeasuredSpeed.ofEarlierRun(configuration, settings), plan.samples > 0 {
            plan.stepSeconds = speed.secondsPerToken * Double(plan.tokens) / Double(plan.samples) * Double(plan.effectiveBatch)
            plan.measuredBy = speed.run
        }
        plan.warnings = try memoryWarning(plan, model, optimizer, batches) + warnings(plan, model)
        return plan
    }

    /// The least that has to wait in the host's memory so that the run fits on the card, and the plan of the run then; nil where that does
    /// not help.
    func offloaded(_ plan: RunPlan) throws -> (offload: Offload, plan: RunPlan)? {
        guard backend?.availableBytes != nil else { return nil }
        for offload in settings.offload.further(recomputesBlocks: settings.recomputesBlocks) {
            var other = self
            other.settings.offload = offload
            let smaller = try other.plan()
            let moved = plan.peakBytes - smaller.peakBytes
            guard smaller.peakBytes <= smaller.availableBytes, moved < SystemInfo.availableMemoryBytes * 4 / 5 else { continue }
            return (offload, smaller)
        }
        return nil
    }

    private func memoryPlan(_ model: Transformer, _ optimizer: Optimizer, _ batches: [Batch]) -> MemoryPlan {
        // The processor's own memory is the host's.
        let offload = backend?.availableBytes == nil ? Offload() : settings.offload
        model.backend.offloadsCheckpoints = offload.checkpoints
        return MemoryPlan(
            model: model, optimizer: optimizer, batches: batches, labelSmoothing: settings.labelSmoothing, stage: settings.stage,
            stageSettings: settings.stageSettings, otherModels: otherModelBytes(model), offload: offload)
    }

    /// What is too much, and the smallest change of arguments that would fit.
    private func memoryWarning(_ plan: RunPlan, _ model: Transformer, _ optimizer: Optimizer, _ batches: [Batch]) throws -> [String] {
        guard plan.peakBytes > plan.availableBytes else { return [] }
        let start = "About \(NumberText.bytes(plan.peakBytes)) of memory are needed and \(NumberText.bytes(plan.availableBytes)) are free. "
        let isRecomputed = model.recomputesBlocks
        model.recomputesBlocks = true
        defer { model.recomputesBlocks = isRecomputed }
        var change = isRecomputed ? "" : "gradient_checkpointing: true"
        var peak = memoryPlan(model, optimizer, batches).peakBytes
        var smaller = settings
        while peak > plan.availableBytes, smaller.batchSize > 1 {
            smaller.batchSize /= 2
            let size = "per_device_train_batch_size: \(smaller.batchSize)"
            change = isRecomputed ? size : size + " and gradient_checkpointing: true"
            let fewer = try data.rebatched(configuration, smaller)
            peak = memoryPlan(model, optimizer, try plannedBatches(model, of: fewer)).peakBytes
        }
        if peak <= plan.availableBytes { return [start + "With \(change) it would be about \(NumberText.bytes(peak)), which fits."] }
        return [
            start + "Even one sample at a time, with gradient_checkpointing: true, needs about \(NumberText.bytes(peak)): lower cutoff_len, "
                + "train a LoRA adapter, or quantise the base with quantization_bit: 4."
        ]
    }

    /// Micro-batches of the run, with their longest answers where the model answers itself.
    private func plannedBatches(_ model: Transformer, of data: TrainingData) throws -> [Batch] {
        let batches = try data.plannedBatches(of: steps.totalSteps * steps.accumulation)
        guard settings.stage == .policyOptimisation else { return batches }
        return batches.map { batch in
            let asked = configuration[.maxNewTokens] > 0 ? configuration[.maxNewTokens] : configuration[.maxLength]
            return batch.extended(by: max(1, min(asked, (model.spec.positionLimit ?? .max) - batch.longestSequence)))
        }
    }

    /// Weights of models beside the trained one.
    private func otherModelBytes(_ model: Transformer) -> Int64 {
        func bytes(_ directory: String, _ quantizer: WeightQuantizer?) -> Int64 {
            guard let summary = try? ModelSummary(directory: directory) else { return 0 }
            guard let quantizer, let folder = try? ModelFolder(directory: directory) else { return summary.weightBytes }
            let model = try? Transformer.planned(
                folder: folder, backend: PlanningBackend(), dtype: summary.dtype, trainsBase: false, quantizer: quantizer)
            return model?.baseBytes ?? summary.weightBytes
        }
        let stage = settings.stageSettings
        var sum: Int64 = 0
        switch settings.stage {
        case .pretraining, .rewardModelling: return 0
        case .supervised where stage.anchorWeight == nil: return 0
        case .preference where !stage.preference.kind.usesReference: return 0
        case .supervised, .preference, .feedback, .policyOptimisation:
            if let reference = stage.referenceModel {
                sum += bytes(reference, stage.referenceQuantizer)
            } else if !model.hasAdapter {
                sum += Int64(model.parameters.reduce(0) { $0 + $1.byteCount })
            }
        }
        if settings.stage == .policyOptimisation, case .model(let directory, _) = stage.policy.scorer {
            sum += bytes(directory, stage.policy.rewardQuantizer)
        }
        return sum
    }

    /// An adapter that is trained further keeps its rank, whatever `lora_rank` says.
    private var rankNote: String? {
        guard settings.method == .lora, configuration.isSet("lora_rank") else { return nil }
        let continued = resumed?.path ?? TrainableModel.adapterStack(configuration).continued
        guard let continued, let found = try? AdapterFile.configuration(continued).rank, found != configuration[.loraRank] else { return nil }
        return "\(continued) has rank \(found) and keeps it; lora_rank: \(configuration[.loraRank]) counts for new adapters only. "
            + "Set create_new_adapter: true to put one on top."
    }

    /// What a checkpoint takes on disk: the trained weights, the optimizer's state, the tokenizer, and small files.
    private func checkpointBytes(weights: Int, _ optimizer: Optimizer) -> Int64 {
        let tokenizer = Tokenizer.fileNames.reduce(0) { $0 + ((try? FileSystem.size(Path.join(settings.modelDirectory, $1))) ?? 0) }
        return Int64(weights) + (settings.savesOptimizer ? Int64(optimizer.plannedStateBytes()) : 0) + tokenizer + Self.smallFilesBytes
    }

    /// Headers, configurations and the trainer's state.
    private static let smallFilesBytes: Int64 = 32 << 10

    private func existingPart(of path: String) -> String {
        var path = Path.absolute(path)
        while !FileSystem.exists(path), path != "/" { path = Path.directory(path) }
        return path
    }

    private func warnings(_ plan: RunPlan, _ model: Transformer) -> [String] {
        var warnings: [String] = []
        let kept = Double(settings.saveTotalLimit ?? 1)
        if Double(plan.checkpointBytes) * kept > Double(plan.freeDiskBytes) {
            warnings.append(
                "A checkpoint takes about \(NumberText.bytes(plan.checkpointBytes)) and only \(NumberText.bytes(plan.freeDiskBytes)) "
                    + "of disk are free at output_dir.")
        }
        if plan.fullyMaskedSamples > 0 {
            warnings.append(
                plan.fullyMaskedSamples == 1
                    ? "1 sample carries no loss at all: its answer is empty or lies beyond cutoff_len."
                    : "\(NumberText.grouped(plan.fullyMaskedSamples)) samples carry no loss at all: "
                        + "their answers are empty or lie beyond cutoff_len.")
        }
        if plan.truncatedSamples > 0 {
            warnings.append(
                "\(NumberText.grouped(plan.truncatedSamples)) \(plan.truncatedSamples == 1 ? "sample was" : "samples were") "
                    + "cut at cutoff_len (\(configuration[.cutoffLen])).")
        }
        if data.isStream {
            warnings.append(
                "The data stream in: counts, the longest sample and the memory "
                    + "are those of the first \(NumberText.grouped(data.report.samples)) samples.")
        }
        if plan.droppedSamples > 0 {
            let rows = plan.droppedSamples == 1 ? "1 row is" : "\(NumberText.grouped(plan.droppedSamples)) rows are"
            let named = data.report.problems.prefix(3).map(\.description).joined(separator: "; ")
            warnings.append("\(rows) left out: \(named)\(plan.droppedSamples > 3 ? "; and \(plan.droppedSamples - 3) more" : "")")
        }
        if plan.longestSample > model.spec.maximumPositions {
            warnings.append(
                "The longest sample has \(plan.longestSample) tokens, the model knows \(model.spec.maximumPositions) positions.")
        }
        if let note = rankNote { warnings.append(note) }
        if let resumed, resumed.step >= steps.totalSteps {
            let way = settings.resumePath == nil ? "set overwrite_output_dir: true" : "clear resume_from_checkpoint"
            warnings.append(
                "The run has \(resumed.step) steps behind it and \(steps.totalSteps) in all: nothing is left to train. "
                    + "Raise num_train_epochs or max_steps to extend it, or \(way).")
        }
        return warnings + model.notes
    }
}
