import Configuration
import Datasets
import Events
import Formats
import Models
import Platform
import Tensors
import Testing

@testable import Evaluation
@testable import Training

/// The same ten steps that transformers' Trainer made on the same samples, with warm-up, schedule, clipping, weight decay and
/// accumulation over micro-batches of different lengths.
@Suite("The loop against transformers' Trainer")
struct TrainerParityTests {
    @Test("Ten steps of LoRA and of full fine-tuning, Llama and Qwen2", arguments: ["llama", "qwen2"], ["lora", "lora_decay", "full", "full_constant"])
    func tenSteps(folder: String, run: String) throws {
        let example = try Fixtures.json(Fixtures.training + "/\(folder)/runs.json")
        let expected = example["histories"]?[run]?.arrayValue ?? []
        let history = try train(folder, run, example)
        #expect(history.count == expected.count)
        for (mine, theirs) in zip(history, expected) {
            for (key, tolerance) in [("loss", 1e-4), ("grad_norm", 1e-3), ("learning_rate", 1e-12), ("epoch", 1e-12), ("eval_loss", 1e-4), ("eval_accuracy", 1e-9), ("train_loss", 1e-4)] {
                guard let value = theirs[key]?.doubleValue else { continue }
                let found = mine[key]?.doubleValue ?? .nan
                #expect(abs(found - value) <= tolerance * max(1, abs(value)), "\(folder) \(run) step \(theirs["step"]?.intValue ?? 0): \(key) \(found), Trainer \(value)")
            }
        }
    }

    private func train(_ folder: String, _ run: String, _ example: JSONValue) throws -> [JSONObject] {
        let settings = try TrainingSettings(configuration(run, example["settings"]?[run]))
        let backend = CPUBackend(threadCount: 1)
        let model = try Transformer.load(
            directory: Fixtures.training + "/\(folder)", backend: backend,
            options: LoadOptions(dtype: .float32, trainsBase: settings.method == .full))
        if settings.method == .lora {
            try AdapterFile.load(Fixtures.training + "/\(folder)/adapter", into: model, isTrainable: true)
        }
        for parameter in model.trainableParameters { TrainableModel.takeOwnMemory(parameter) }
        let samples = SampleBatches(example["train"]?.arrayValue ?? [], batchSize: settings.batchSize)
        let evaluation = SampleBatches(example["evaluation"]?.arrayValue ?? [], batchSize: 2)
        let steps = StepPlan(
            batchesPerEpoch: samples.batchesPerEpoch, accumulation: settings.accumulation, epochs: settings.epochs, maximumSteps: -1)
        let loop = try TrainingLoop(
            model: model, optimizer: AdamW(parameters: model.trainableParameters, settings: settings.adam, backend: backend),
            schedule: settings.schedule(totalSteps: steps.totalSteps), steps: steps, batches: samples, settings: settings,
            state: TrainerState(), control: JobControl())
        loop.hooks.evaluate = {
            try LossEvaluator(model: model, batchSize: 2).evaluate(count: evaluation.samples.count, batch: evaluation.batch)
                .entry(prefix: "eval_", withAccuracy: true)
        }
        #expect(try loop.run() == .finished)
        try loop.record(
            ["train_loss": .number(loop.state.running.mean(overSteps: loop.state.globalStep)), "epoch": .number(loop.state.epoch)])
        return loop.state.logHistory
    }

    private func configuration(_ run: String, _ changes: JSONValue?) -> Configuration {
        var configuration = Configuration()
        configuration[.modelNameOrPath] = "model"
        configuration[.outputDir] = "output"
        configuration[.dataset] = ["samples"]
        configuration[.evalDataset] = ["samples"]
        configuration[.finetuningType] = run.hasPrefix("lora") ? "lora" : "full"
        configuration[.perDeviceTrainBatchSize] = 2
        configuration[.gradientAccumulationSteps] = 2
        configuration[.numTrainEpochs] = 2
        configuration[.loggingSteps] = 1
        configuration[.evalStrategy] = "steps"
        configuration[.evalSteps] = 5
        configuration[.saveStrategy] = "no"
        configuration[.learningRate] = changes?["learning_rate"]?.doubleValue ?? 0
        configuration[.lrSchedulerType] = changes?["lr_scheduler_type"]?.stringValue ?? ""
        configuration[.warmupSteps] = changes?["warmup_steps"]?.doubleValue ?? 0
        configuration[.maxGradNorm] = changes?["max_grad_norm"]?.doubleValue ?? 0
        configuration[.weightDecay] = changes?["weight_decay"]?.doubleValue ?? 0
        return configuration
    }
}

/// Samples in their given order, `batchSize` to a micro-batch.
final class SampleBatches: BatchSource {
    let samples: [(tokens: [Int32], labels: [Int32])]
    private let batchSize: Int

    init(_ samples: [JSONValue], batchSize: Int) {
        self.samples = samples.map { ($0["input_ids"]?.tokens ?? [], $0["labels"]?.tokens ?? []) }
        self.batchSize = batchSize
    }

    var batchesPerEpoch: Int { (samples.count + batchSize - 1) / batchSize }

    func batch(epoch: Int, index: Int) -> Batch {
        batch(index * batchSize..<min(samples.count, (index + 1) * batchSize))
    }

    func batch(_ range: Range<Int>) -> Batch {
        var tokens: [Int32] = []
        var targets: [Int32] = []
        var positions: [Int32] = []
        var ends: [Int32] = [0]
        for sample in samples[range] {
            tokens += sample.tokens
            targets += sample.labels.dropFirst() + [-100]
            positions += sample.tokens.indices.map { Int32($0) }
            ends.append(Int32(tokens.count))
        }
        return Batch(
            tokens: tokens, targets: targets, positions: positions, cumulativeLengths: ends, sampleCount: range.count,
            lossTokenCount: targets.count { $0 != -100 })
    }
}
