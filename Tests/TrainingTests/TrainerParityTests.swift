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
    @Test("Ten steps of LoRA and of full fine-tuning, Llama and Qwen2", arguments: ["llama", "qwen2"],
        ["lora", "lora_decay", "lora_smoothing", "full", "full_constant", "full_pretraining"])
    func tenSteps(folder: String, run: String) throws {
        let example = try Fixtures.json(Fixtures.training + "/\(folder)/runs.json")
        let expected = example["histories"]?[run]?.arrayValue ?? []
        let history = try train(folder, run, example)
        #expect(history.count == expected.count)
        for (mine, theirs) in zip(history, expected) {
            for (key, tolerance) in Self.tolerances {
                guard let value = theirs[key]?.doubleValue else { continue }
                let found = mine[key]?.doubleValue ?? .nan
                let place = "\(folder) \(run) step \(theirs["step"]?.intValue ?? 0)"
                #expect(abs(found - value) <= tolerance * max(1, abs(value)), "\(place): \(key) \(found), Trainer \(value)")
            }
        }
    }

    private static let tolerances = [
        ("loss", 1e-4), ("grad_norm", 1e-3), ("learning_rate", 1e-12), ("epoch", 1e-12), ("eval_loss", 1e-4), ("eval_accuracy", 1e-9),
        ("train_loss", 1e-4),
    ]

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
        let samples = SampleBatches(
            example["train"]?.arrayValue ?? [], batchSize: settings.batchSize, learnsEverything: run == "full_pretraining")
        let evaluation = SampleBatches(example["evaluation"]?.arrayValue ?? [], batchSize: 2)
        let steps = StepPlan(
            batchesPerEpoch: samples.batchesPerEpoch, accumulation: settings.accumulation, epochs: settings.epochs, maximumSteps: -1)
        let loop = try TrainingLoop(
            model: model, optimizer: Optimizer.adamW(model.trainableParameters, settings: settings.optimizer.adam, backend: backend),
            schedule: settings.schedule(totalSteps: steps.totalSteps), steps: steps, batches: samples, settings: settings,
            state: TrainerState(), control: JobControl())
        loop.hooks.evaluate = {
            try LossEvaluator(model: model, batchSize: 2, labelSmoothing: settings.labelSmoothing).evaluate(count: evaluation.samples.count, batch: evaluation.batch)
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
        configuration[.gradientAccumulationSteps] = changes?["gradient_accumulation_steps"]?.intValue ?? 2
        configuration[.numTrainEpochs] = changes?["num_train_epochs"]?.doubleValue ?? 2
        configuration[.labelSmoothingFactor] = changes?["label_smoothing_factor"]?.doubleValue ?? 0
        configuration[.loggingSteps] = 1
        configuration[.evalStrategy] = "steps"
        configuration[.evalSteps] = 5
        configuration[.saveStrategy] = "no"
        configuration[.learningRate] = changes?["learning_rate"]?.doubleValue ?? 0
        configuration[.lrSchedulerType] = changes?["lr_scheduler_type"]?.stringValue ?? ""
        configuration[.warmupSteps] = changes?["warmup_steps"]?.doubleValue ?? 0
        configuration[.maxGradNorm] = changes?["max_grad_norm"]?.doubleValue ?? 1
        configuration[.weightDecay] = changes?["weight_decay"]?.doubleValue ?? 0
        return configuration
    }
}

/// Samples in their given order, `batchSize` to a micro-batch.
final class SampleBatches: BatchSource {
    let samples: [TrainingSample]
    private let batchSize: Int

    init(_ samples: [JSONValue], batchSize: Int, learnsEverything: Bool = false) {
        self.samples = samples.map { sample in
            let tokens = sample["input_ids"]?.tokens ?? []
            return TrainingSample(tokens: tokens, labels: learnsEverything ? tokens : sample["labels"]?.tokens ?? [])
        }
        self.batchSize = batchSize
    }

    var batchesPerEpoch: Int { (samples.count + batchSize - 1) / batchSize }

    func batch(epoch: Int, index: Int) -> Batch {
        batch(index * batchSize..<min(samples.count, (index + 1) * batchSize))
    }

    func batch(_ range: Range<Int>) -> Batch { Batch(Array(samples[range])) }
}
