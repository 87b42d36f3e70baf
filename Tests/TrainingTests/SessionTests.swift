import Configuration
import Datasets
import Events
import Formats
import Models
import Platform
import Synchronization
import Tensors
import Testing
import Tokenizers

@testable import Evaluation
@testable import Training

/// What a run leaves on disk, and that an interrupted one ends as if nothing had happened.
@Suite("Runs, checkpoints and resuming")
struct SessionTests {
    @Test("Killed in the middle of a pass and resumed, a LoRA run with dropout ends with the same adapter, bit for bit")
    func resumesExactly() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let whole = Path.join(directory, "whole")
            let parts = Path.join(directory, "parts")
            try Run(output: whole, changes: ["lora_dropout": "0.1", "save_steps": "3"]).finish()

            // An abort leaves nothing behind but what the last checkpoint holds, as a kill does.
            let killed = try Run(output: parts, changes: ["lora_dropout": "0.1", "save_steps": "3"])
            killed.control(atStep: 8, .abort)
            #expect(throws: Interruption.aborted) { try killed.finish() }
            #expect(!FileSystem.exists(Path.join(parts, "adapter_model.safetensors")))
            #expect(CheckpointFolder.all(in: parts).map(\.step) == [3, 6])

            let resumed = try Run(output: parts, changes: ["lora_dropout": "0.1", "save_steps": "3"])
            #expect(resumed.session.output.resumesByItself)
            try resumed.finish()
            try expectEqualFiles("adapter_model.safetensors", whole, parts)
            for checkpoint in ["checkpoint-9", "checkpoint-10"] {
                try expectEqualFiles(checkpoint + "/adapter_model.safetensors", whole, parts)
                try expectEqualFiles(checkpoint + "/optimizer.safetensors", whole, parts)
            }
            try expectEqualLosses(whole, parts)
            #expect(try losses(whole).count == 10)
            let wholeHistory = try history(whole)
            let resumedHistory = try history(parts)
            #expect(wholeHistory == resumedHistory)
        }
    }

    @Test("Counters of a checkpoint that are out of bounds are refused by name; damaged records beside it are told of")
    func refusesWildCounters() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let output = Path.join(directory, "run")
            let run = try Run(output: output, changes: ["save_steps": "3"])
            run.control(atStep: 4, .abort)
            #expect(throws: Interruption.aborted) { try run.finish() }
            let folder = Path.join(output, "checkpoint-3")
            let sound = try FileSystem.readText(Path.join(folder, TrainerState.fileName))
            func broken(_ key: String, _ value: String) throws -> String {
                let line = try #require(sound.split(separator: "\n").first { $0.contains("\"\(key)\":") })
                let damaged = sound.split(separator: "\n").map { $0 == line ? "\"\(key)\": \(value)\($0.hasSuffix(",") ? "," : "")" : String($0) }
                try FileSystem.writeAtomically(Path.join(folder, TrainerState.fileName), text: damaged.joined(separator: "\n"))
                do {
                    _ = try TrainerState.read(from: folder)
                    return ""
                } catch { return "\(error)" }
            }
            #expect(try broken("num_input_tokens_seen", "9223372036854775807").contains("num_input_tokens_seen should be a whole number from 0 to"))
            #expect(
                try broken("last_logged_step", "-9223372036854775808")
                    .contains("stateful_callbacks.TuneboardRunningLoss.last_logged_step should be a whole number from 0 to"))
            #expect(try broken("global_step", "1e300").contains("found 1e+300"))
            #expect(try broken("train_batch_size", "4611686018427387904").contains("train_batch_size"))
            #expect(try broken("num_input_tokens_seen", "77") == "")

            try FileSystem.writeAtomically(Path.join(folder, "rng_state.json"), bytes: [0xFF, 0, 1])
            try FileSystem.writeAtomically(Path.join(folder, "scheduler.json"), text: "[]")
            let resumed = try Run(output: output, changes: ["save_steps": "3"])
            let warnings = resumed.sink.warnings
            #expect(warnings.contains { $0.contains("checkpoint-3/rng_state.json") } && warnings.contains { $0.contains("checkpoint-3/scheduler.json") })
        }
    }

    @Test("The same holds for full fine-tuning with sparse logging, in f32 and in bf16", arguments: ["false", "true"])
    func resumesFullExactly(pureBFloat16: String) throws {
        try Fixtures.withTemporaryDirectory { directory in
            let changes = ["finetuning_type": "full", "pure_bf16": pureBFloat16, "save_steps": "4", "logging_steps": "3"]
            let whole = Path.join(directory, "whole")
            let parts = Path.join(directory, "parts")
            try Run(output: whole, changes: changes).finish()
            let killed = try Run(output: parts, changes: changes)
            killed.control(atStep: 5, .abort)
            #expect(throws: Interruption.aborted) { try killed.finish() }
            try Run(output: parts, changes: changes).finish()
            try expectEqualFiles("model.safetensors", whole, parts)
            try expectEqualLosses(whole, parts)
        }
    }

    @Test("Stop-and-save leaves a checkpoint and an adapter, and the run goes on from there to the same end")
    func stopAndSave() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let whole = Path.join(directory, "whole")
            let parts = Path.join(directory, "parts")
            try Run(output: whole).finish()
            let stopped = try Run(output: parts)
            stopped.control(atStep: 7, .stopAndSave)
            try stopped.finish()
            #expect(stopped.sink.states.last == .stopped)
            #expect(CheckpointFolder.all(in: parts).map(\.step) == [7])
            #expect(FileSystem.exists(Path.join(parts, "adapter_model.safetensors")))
            try Run(output: parts, changes: ["resume_from_checkpoint": "true"]).finish()
            try expectEqualFiles("adapter_model.safetensors", whole, parts)
            try expectEqualLosses(whole, parts)
        }
    }

    @Test("A finished run can be made longer")
    func extends() throws {
        try Fixtures.withTemporaryDirectory { directory in
            try Run(output: directory, changes: ["lr_scheduler_type": "constant"]).finish()
            let longer = try Run(
                output: directory,
                changes: ["lr_scheduler_type": "constant", "num_train_epochs": "3", "resume_from_checkpoint": directory + "/checkpoint-10"])
            try longer.finish()
            #expect(longer.session.loop.state.globalStep == 15)
            #expect(try losses(directory).count == 15)
        }
    }

    @Test("Everything that LLaMA-Factory leaves is there, with its keys")
    func outputs() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let run = try Run(
                output: directory, changes: ["eval_strategy": "epoch", "plot_loss": "true", "do_eval": "true", "report_to": "tensorboard"])
            let summary = try run.finish()
            #expect(summary.outputDirectory == directory)
            for name in [
                "adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "tokenizer_config.json", "trainer_log.jsonl",
                "trainer_state.json", "train_results.json", "eval_results.json", "all_results.json", "training_args.yaml",
                "training_loss.svg", "training_loss.png", "training_eval_loss.png", "README.md", "runs",
            ] { #expect(FileSystem.exists(Path.join(directory, name)), "\(name)") }
            let checkpoint = Path.join(directory, "checkpoint-10")
            for name in [
                "adapter_model.safetensors", "optimizer.safetensors", "scheduler.json", "rng_state.json", "trainer_state.json",
                "tokenizer.json",
            ] {
                #expect(FileSystem.exists(Path.join(checkpoint, name)), "\(name)")
            }
            let all = try Fixtures.json(Path.join(directory, "all_results.json")).objectValue
            #expect(
                all?.keys == [
                    "epoch", "eval_loss", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "num_input_tokens_seen",
                    "total_flos", "train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second",
                ])
            let lines = try lines(directory)
            #expect(
                lines.first?.keys == [
                    "current_steps", "total_steps", "loss", "lr", "epoch", "percentage", "elapsed_time", "remaining_time", "throughput",
                    "total_tokens", "grad_norm",
                ])
            #expect(lines.contains { $0["eval_loss"] != nil && $0["loss"] == nil })
            let state = try TrainerState.read(from: directory)
            #expect(state.globalStep == 10 && state.logHistory.count == lines.count)
        }
    }

    @Test("save_total_limit keeps the newest and the best")
    func totalLimit() throws {
        try Fixtures.withTemporaryDirectory { directory in
            for step in [2, 4, 6, 8, 10] {
                try CheckpointFolder.write(step: step, in: directory) { folder in try TrainerState().write(to: folder) }
            }
            CheckpointFolder.thin(in: directory, limit: 3, best: directory + "/checkpoint-4", newest: 10)
            #expect(CheckpointFolder.all(in: directory).map(\.step) == [4, 8, 10])
            CheckpointFolder.thin(in: directory, limit: 1, best: directory + "/checkpoint-4", newest: 10)
            #expect(CheckpointFolder.all(in: directory).map(\.step) == [4, 10])
            CheckpointFolder.thin(in: directory, limit: 1, best: nil, newest: 10)
            #expect(CheckpointFolder.all(in: directory).map(\.step) == [10])
        }
    }

    @Test("After resuming from an earlier step, what lay beyond it goes first")
    func totalLimitOfAnotherCourse() throws {
        try Fixtures.withTemporaryDirectory { directory in
            for step in [2, 4, 20, 6] {
                try CheckpointFolder.write(step: step, in: directory) { folder in try TrainerState().write(to: folder) }
            }
            CheckpointFolder.thin(in: directory, limit: 2, best: nil, newest: 6)
            #expect(CheckpointFolder.all(in: directory).map(\.step) == [4, 6])
        }
    }

    @Test("An ended run is resumed from its last checkpoint, not from its results")
    func resumesFromCheckpointOfEndedRun() throws {
        try Fixtures.withTemporaryDirectory { directory in
            try TrainerState().write(to: directory)
            #expect(try CheckpointFolder.resumed(directory, outputDirectory: directory).path == directory)
            try CheckpointFolder.write(step: 3, in: directory) { folder in try TrainerState().write(to: folder) }
            #expect(try CheckpointFolder.resumed(directory, outputDirectory: directory).step == 3)
        }
    }

    @Test("Numbers that no run reaches are held, not a crash")
    func hugeNumbersOfSteps() {
        let plan = StepPlan(batchesPerEpoch: 10, accumulation: 1, epochs: 1e300, maximumSteps: 0)
        #expect(plan.totalSteps == 1_000_000_000_000_000)
        #expect(StepPlan.interval(1e300, totalSteps: 10) == 1_000_000_000_000_000)
        #expect(StepPlan.warmupSteps(steps: 1e300, ratio: nil, totalSteps: 10) == 1_000_000_000_000_000)
        #expect(StepPlan.warmupSteps(steps: 2.9, ratio: nil, totalSteps: 10) == 2)
    }

    @Test("A checkpoint is complete or absent: a failure while writing leaves the old one")
    func completeOrAbsent() throws {
        struct Full: Error {}
        try Fixtures.withTemporaryDirectory { directory in
            #expect(throws: Full.self) {
                try CheckpointFolder.write(step: 3, in: directory) { folder in
                    try TrainerState().write(to: folder)
                    throw Full()
                }
            }
            let left = try FileSystem.list(directory)
            #expect(left.isEmpty)
        }
    }

    @Test("The best model is found, kept and taken at the end; patience ends the run early")
    func bestModel() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let run = try Run(
                output: directory,
                changes: [
                    "eval_strategy": "steps", "eval_steps": "1", "save_steps": "1", "load_best_model_at_end": "true",
                    "early_stopping_steps": "2", "save_total_limit": "2", "learning_rate": "0.3", "num_train_epochs": "6",
                ])
            try run.finish()
            let state = run.session.loop.state
            let evaluated = state.logHistory.compactMap { entry in
                entry["eval_loss"]?.doubleValue.map { (entry["step"]?.intValue ?? 0, $0) }
            }
            let best = evaluated.min { $0.1 < $1.1 }
            #expect(state.bestMetric == best?.1)
            #expect(state.bestGlobalStep == best?.0)
            #expect(state.globalStep < 30 && state.globalStep == (best?.0 ?? 0) + 2)
            #expect(CheckpointFolder.all(in: directory).map(\.step).contains(best?.0 ?? -1))
            try expectEqualFiles("adapter_model.safetensors", directory, directory + "/checkpoint-\(best?.0 ?? 0)")
        }
    }

    @Test("Pause holds, resume goes on, and the losses are those of a run that was never held")
    func pauses() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let whole = Path.join(directory, "whole")
            let held = Path.join(directory, "held")
            try Run(output: whole).finish()
            let run = try Run(output: held)
            run.control(atStep: 3, .pause)
            let control = run.control
            let helper = EngineThread(name: "resume") {
                while !control.isPaused { Clock.sleep(seconds: 0.001) }
                control.post(.resume)
            }
            try run.finish()
            helper.join()
            try expectEqualLosses(whole, held)
        }
    }

    @Test("Recomputing activations changes no digit")
    func recomputation() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let plain = Path.join(directory, "plain")
            let recomputed = Path.join(directory, "recomputed")
            try Run(output: plain, changes: ["lora_dropout": "0.1"]).finish()
            try Run(output: recomputed, changes: ["lora_dropout": "0.1", "gradient_checkpointing": "true"]).finish()
            try expectEqualLosses(plain, recomputed)
            try expectEqualFiles("adapter_model.safetensors", plain, recomputed)
        }
    }

    @Test("A weight that is no number is found by name, and the run gives up with a sentence")
    func notFinite() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let run = try Run(output: directory, changes: ["num_train_epochs": "4"])
            let weight = run.session.model.linears.first { $0.name.hasSuffix("layers.1.mlp.down_proj") }?.adapter?.a
            weight?.value.write([Float](repeating: .nan, count: weight?.count ?? 0))
            let error = #expect(throws: TrainingError.self) { try run.finish() }
            #expect("\(error as Any)".contains("layers.1.mlp.down_proj.lora_A"))
            #expect(run.sink.warnings.contains { $0.contains("the weights are left as they were") })
        }
    }

    // MARK: Reading what was written

    private func lines(_ directory: String) throws -> [JSONObject] {
        try FileSystem.readText(Path.join(directory, "trainer_log.jsonl")).split(separator: "\n").compactMap {
            try JSONValue.parse(String($0)).objectValue
        }
    }

    private func losses(_ directory: String) throws -> [String] {
        try lines(directory).compactMap { $0["loss"].map { $0.text(style: .python) } }
    }

    /// The log history without what depends on the clock.
    private func history(_ directory: String) throws -> [JSONObject] {
        try TrainerState.read(from: directory).logHistory.map { entry in
            JSONObject(entry.pairs.filter { !$0.key.contains("_runtime") && !$0.key.contains("_per_second") }.map { ($0.key, $0.value) })
        }
    }

    private func expectEqualLosses(_ first: String, _ second: String) throws {
        let one = try losses(first)
        let other = try losses(second)
        #expect(one == other)
    }

    private func expectEqualFiles(_ name: String, _ first: String, _ second: String) throws {
        let same = try FileSystem.readBytes(Path.join(first, name)) == FileSystem.readBytes(Path.join(second, name))
        #expect(same, "\(name) differs between \(first) and \(second)")
    }
}

/// A training session on the tiny Llama, its samples given directly.
final class Run {
    let session: TrainingSession
    let control = JobControl()
    let sink = RecordingSink()

    init(output: String, changes: [String: String] = [:]) throws {
        var configuration = Configuration()
        var values = [
            "model_name_or_path": Fixtures.training + "/llama", "output_dir": output, "dataset": "samples", "eval_dataset": "samples",
            "per_device_train_batch_size": "2", "gradient_accumulation_steps": "2", "num_train_epochs": "2", "logging_steps": "1",
            "learning_rate": "0.01", "lr_scheduler_type": "cosine", "per_device_eval_batch_size": "2", "lora_rank": "4", "threads": "1",
        ]
        values.merge(changes) { $1 }
        for (name, text) in values { try configuration.set(name, text: text) }
        let settings = try TrainingSettings(configuration)
        let directory = try OutputDirectory(settings)
        try directory.prepare()
        let example = try Fixtures.json(Fixtures.training + "/llama/runs.json")
        let samples = SampleBatches(example["train"]?.arrayValue ?? [], batchSize: 2)
        let evaluation = SampleBatches(example["evaluation"]?.arrayValue ?? [], batchSize: 2)
        let steps = settings.stepPlan(batchesPerEpoch: samples.batchesPerEpoch)
        session = try TrainingSession(
            configuration: configuration, settings: settings, output: directory,
            data: TrainingData(
                training: samples, sampleCount: samples.samples.count, tokenCount: samples.samples.reduce(0) { $0 + $1.tokens.count },
                evaluations: [EvaluatedSet(name: nil, count: evaluation.samples.count, batch: evaluation.batch)], report: DatasetReport()),
            tokenizer: Tokenizer(directory: settings.modelDirectory),
            model: TrainableModel.load(
                configuration, settings: settings, backend: CPUBackend(threadCount: 1), checkpoint: directory.resumed),
            steps: steps, schedule: settings.schedule(totalSteps: steps.totalSteps), reporter: JobReporter(sink), control: control)
    }

    @discardableResult
    func finish() throws -> JobSummary { try session.run() }

    /// Posts a request as soon as `step` is done.
    func control(atStep step: Int, _ request: ControlRequest) {
        sink.onStep { [control] metrics in if metrics.step == step { control.post(request) } }
    }
}

final class RecordingSink: EventSink {
    private let events = Platform.Mutex<[JobEvent]>([])
    private let listener = Platform.Mutex<(@Sendable (JobEvent) -> Void)?>(nil)

    func emit(_ event: JobEvent) {
        events.withLock { $0.append(event) }
        listener.withLock { $0 }?(event)
    }

    func onEvent(_ body: @escaping @Sendable (JobEvent) -> Void) { listener.withLock { $0 = body } }
    func onStep(_ body: @escaping @Sendable (StepMetrics) -> Void) { onEvent { if case .step(let metrics) = $0 { body(metrics) } } }

    var all: [JobEvent] { events.withLock { $0 } }

    var warnings: [String] {
        all.compactMap { event in if case .log(let record) = event, record.level == .warning { record.text } else { nil } }
    }

    var states: [JobState] {
        all.compactMap { event in if case .state(let state) = event { state } else { nil } }
    }
}
