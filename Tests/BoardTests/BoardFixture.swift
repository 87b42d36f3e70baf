import Configuration
import Events
import Terminal

@testable import Board

/// A board on a machine that never changes: fixed clock, fixed catalog, effects that answer at once.
enum BoardFixture {
    static let now = 1_800_000_000.0

    static func configuration(_ values: [(String, String)]) -> Configuration {
        var configuration = Configuration()
        for (name, text) in values { try? configuration.set(name, text: text) }
        return configuration
    }

    static let training = configuration([
        ("model_name_or_path", "saves/demo-model"), ("stage", "sft"), ("do_train", "true"), ("finetuning_type", "lora"),
        ("lora_target", "all"), ("lora_rank", "16"), ("lora_alpha", "32"), ("dataset_dir", "recipes/data"), ("dataset", "identity"),
        ("template", "chatml"), ("cutoff_len", "256"), ("output_dir", "saves/demo-model/lora/quickstart"), ("logging_steps", "1"),
        ("save_steps", "50"), ("per_device_train_batch_size", "8"), ("learning_rate", "1e-3"), ("num_train_epochs", "3.0"),
        ("lr_scheduler_type", "cosine"), ("warmup_ratio", "0.1"),
    ])

    static let evaluation = configuration([
        ("model_name_or_path", "saves/demo-model"), ("finetuning_type", "lora"), ("dataset_dir", "recipes/data"),
        ("eval_dataset", "identity"), ("template", "chatml"), ("output_dir", "saves/demo-model/eval"),
    ])

    static let chat = configuration([("model_name_or_path", "saves/demo-model"), ("template", "chatml")])

    static let export = configuration([
        ("model_name_or_path", "saves/demo-model"), ("adapter_name_or_path", "saves/demo-model/lora/quickstart"),
        ("template", "chatml"), ("export_dir", "saves/demo-model/merged"),
    ])

    static func state(columns: Int, rows: Int) -> BoardState {
        var state = BoardState(
            size: Size(columns: columns, rows: rows),
            forms: Forms(
                train: FormState(tab: .train, configuration: training, recipePath: "recipes/quickstart.yaml"),
                evaluate: FormState(tab: .evaluate, configuration: evaluation),
                chat: FormState(tab: .chat, configuration: chat), export: FormState(tab: .export, configuration: export)))
        state.forms.train.configuration.becomeRecipe(path: "recipes/quickstart.yaml")
        state.forms.train.baseline = state.forms.train.configuration
        state.forms.export.plan = .ready(
            RunPlan(
                modelName: "demo-model",
                memory: [MemoryPart(part: "base", bytes: 9_400_000), MemoryPart(part: "adapter", bytes: 760_000)],
                checkpointBytes: 9_400_000, freeDiskBytes: 100 << 30))
        state.now = now
        state.catalog = catalog
        state.forms.train.plan = .ready(plan)
        state.system = system
        return state
    }

    static let system: SystemSample = {
        var sample = SystemSample(
            cpuModel: "Example CPU", cpuCount: 2, cpuBusy: 0.97, memoryBytes: 16 << 30, availableBytes: 12 << 30,
            residentBytes: 220 << 20, peakResidentBytes: 310 << 20)
        sample.hasLookedForGPUs = true
        return sample
    }()

    static let plan = RunPlan(
        modelName: "demo-model", architecture: "llama", parameterCount: 4_700_000, trainableCount: 184_320, samples: 110,
        tokens: 5_234, lossTokens: 2_120, longestSample: 78, stepsPerEpoch: 14, totalSteps: 42, effectiveBatch: 8,
        memory: [
            MemoryPart(part: "weights", bytes: 9_400_000), MemoryPart(part: "gradients", bytes: 737_280),
            MemoryPart(part: "optimizer", bytes: 1_474_560), MemoryPart(part: "activations", bytes: 60 << 20),
        ], peakBytes: 82 << 20, availableBytes: 12 << 30, checkpointBytes: 3 << 20, freeDiskBytes: 100 << 30)

    static let catalog: Catalog = {
        var catalog = Catalog()
        catalog.isScanned = true
        catalog.models = [
            ModelEntry(path: "saves/demo-model", architecture: "llama", parameterCount: 4_700_000, bytes: 9_400_000),
            ModelEntry(path: "models/broken", problem: "config.json has no model_type"),
        ]
        catalog.datasetDirectory = "recipes/data"
        catalog.datasets = [
            DatasetEntry(name: "identity", format: "alpaca", rowCount: 110), DatasetEntry(name: "facts", format: "sharegpt", rowCount: 64),
            DatasetEntry(name: "lost", format: "alpaca", problem: "lost.json is missing"),
        ]
        catalog.adapters = [
            AdapterEntry(path: "saves/demo-model/lora/quickstart", baseModel: "saves/demo-model", rank: 16, modified: now - 300),
            AdapterEntry(
                path: "saves/demo-model/lora/quickstart/checkpoint-40", baseModel: "saves/demo-model", rank: 16, step: 40,
                modified: now - 320),
        ]
        catalog.recipes = [
            RecipeEntry(path: "recipes/quickstart.yaml", summary: "Teaches the embedded demo model a new name."),
            RecipeEntry(path: "recipes/full_sft.yaml", summary: "Full fine-tuning: every weight learns."),
        ]
        catalog.runs = [
            RunEntry(
                directory: "saves/demo-model/lora/quickstart", state: .finished, step: 42, totalSteps: 42, bestLoss: 0.4312,
                lastLoss: 0.4312, modified: now - 300, configurationPath: "saves/demo-model/lora/quickstart/training_args.yaml",
                checkpoint: "saves/demo-model/lora/quickstart/checkpoint-40"),
            RunEntry(
                directory: "saves/demo-model/full/sft", state: .stopped, step: 17, totalSteps: 120, bestLoss: 1.204, lastLoss: 1.31,
                modified: now - 86_400, configurationPath: "saves/demo-model/full/sft/training_args.yaml",
                checkpoint: "saves/demo-model/full/sft/checkpoint-17"),
        ]
        catalog.results = [
            ResultEntry(
                directory: "saves/demo-model/eval", values: [NamedValue("eval_loss", 1.455), NamedValue("predict_rouge-l", 41.2)],
                modified: now - 600),
            ResultEntry(
                directory: "saves/demo-model/base", values: [NamedValue("eval_loss", 2.106), NamedValue("predict_rouge-l", 22.4)],
                modified: now - 900),
        ]
        return catalog
    }()

    /// A training run as its events tell it: a falling loss with a spike, an evaluation now and then.
    static func trainingEvents(steps: Int, of total: Int) -> [JobEvent] {
        var events: [JobEvent] = [.state(.loading), .phase("loading model"), .planned(plan), .state(.running)]
        for step in 1...max(1, steps) {
            let progress = Double(step) / Double(total)
            let wobble = Double((step * 7_919) % 100) / 400 - 0.125
            let loss = 0.5 + 3.2 / (1 + 6 * progress) + wobble + (step == 30 ? 1.2 : 0)
            events.append(
                .step(
                    StepMetrics(
                        step: step, totalSteps: total, epoch: 3 * progress, loss: loss, gradientNorm: 0.8 + wobble,
                        learningRate: 1e-3 * (1 - progress), tokensPerSecond: 3_400 + 100 * wobble, tokensSeen: step * 400,
                        elapsedSeconds: Double(step) * 0.4, remainingSeconds: Double(total - step) * 0.4)))
            events.append(
                .log(LogRecord(time: now + Double(step), level: .info, text: "step \(step) loss \(Words.metric(loss)) lr 1.0e-03")))
            if step % 20 == 0 {
                events.append(.evaluation(EvaluationMetrics(step: step, epoch: 3 * progress, loss: loss + 0.1)))
                events.append(.checkpoint(CheckpointRecord(step: step, path: "saves/demo-model/lora/quickstart/checkpoint-\(step)", bytes: 3 << 20)))
            }
        }
        return events
    }
}
