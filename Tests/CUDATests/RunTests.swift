import Configuration
import Datasets
import Events
import FakeCUDA
import Formats
import Models
import Platform
import Testing
import Tokenizers

@testable import Evaluation
@testable import Tensors
@testable import Training

private let fixtures = Path.join(Path.directory(Path.directory(#filePath)), "Fixtures/training/llama")

private final class FixtureSamples: BatchSource {
    let samples: [TrainingSample]

    init() throws {
        let list = try JSONValue.read(file: fixtures + "/runs.json")["train"]?.arrayValue ?? []
        samples = list.map { sample in
            func tokens(_ name: String) -> [Int32] { (sample[name]?.arrayValue ?? []).compactMap(\.doubleValue).map { Int32($0) } }
            return TrainingSample(tokens: tokens("input_ids"), labels: tokens("labels"))
        }
    }

    var batchesPerEpoch: Int { samples.count / 2 }
    func batch(epoch: Int, index: Int) -> Batch { Batch(Array(samples[2 * index..<2 * index + 2])) }
}

private final class QuietSink: EventSink {
    func emit(_ event: JobEvent) {}
}

extension CardTests {
    /// Whole runs with their files: what becomes of one whose card is lost, and of one that does not fit.
    @Suite(.enabled(if: !TestCard.isReal)) struct RunTests {
        private func configuration(_ output: String, _ changes: [String: String]) throws -> Configuration {
            var configuration = Configuration()
            var values = [
                "model_name_or_path": fixtures, "output_dir": output, "dataset": "samples", "per_device_train_batch_size": "2",
                "gradient_accumulation_steps": "2", "num_train_epochs": "2", "logging_steps": "1", "learning_rate": "0.01",
                "lr_scheduler_type": "cosine", "lora_rank": "4", "save_steps": "3", "lora_dropout": "0.1",
            ]
            values.merge(changes) { $1 }
            for (name, text) in values { try configuration.set(name, text: text) }
            return configuration
        }

        private func data(_ samples: FixtureSamples) -> TrainingData {
            TrainingData(
                training: samples, sampleCount: samples.samples.count, tokenCount: samples.samples.reduce(0) { $0 + $1.tokens.count },
                evaluations: [], report: DatasetReport())
        }

        /// Trains to the end on a card of its own, which is given back whatever happens.
        private func train(
            _ output: String, _ settings: tb_fake_settings = tb_fake_settings(), changes: [String: String] = [:], offload: Offload? = nil
        ) throws {
            let card = try TestCard.start(settings, activationType: .float32)
            let configuration = try configuration(output, changes)
            var settings = try TrainingSettings(configuration)
            if let offload { settings.offload = offload }
            let directory = try OutputDirectory(settings)
            try directory.prepare()
            let samples = try FixtureSamples(), steps = settings.stepPlan(batchesPerEpoch: samples.batchesPerEpoch)
            let session = try TrainingSession(
                configuration: configuration, settings: settings, output: directory, data: data(samples),
                tokenizer: Tokenizer(directory: settings.modelDirectory),
                model: TrainableModel.load(configuration, settings: settings, backend: card, checkpoint: directory.resumed), steps: steps,
                schedule: settings.schedule(totalSteps: steps.totalSteps), reporter: JobReporter(QuietSink()), control: JobControl())
            _ = try session.run()
        }

        private func losses(_ directory: String) throws -> [Double] {
            let state = try JSONValue.read(file: Path.join(directory, "trainer_state.json"))
            return (state["log_history"]?.arrayValue ?? []).compactMap { $0["loss"]?.doubleValue }
        }

        @Test("a run whose card is lost ends with an error that says so, and goes on from its last checkpoint to the same end", arguments: [719, 999, 46], [0, 1])
        func lost(failure: Int, isLazy: Int) throws {
            let directory = try FileSystem.createTemporaryDirectory()
            defer { try? FileSystem.removeTree(directory) }
            let whole = Path.join(directory, "whole"), parts = Path.join(directory, "parts")
            try train(whole)
            let launches = tb_fake_read_counts().launches
            var broken = tb_fake_settings()
            broken.fail_launch = launches * 3 / 4
            broken.failure = Int32(failure)
            broken.is_lazy = Int32(isLazy)
            do {
                try train(parts, broken)
                Issue.record("a lost card went unnoticed")
            } catch let error as CUDAError {
                guard case .lost = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect("\(error)".contains("resume_from_checkpoint"))
            }
            #expect(TestCard.complaint == "")
            #expect(CheckpointFolder.all(in: parts).map(\.step) == [3, 6])
            #expect(!FileSystem.exists(Path.join(parts, "adapter_model.safetensors")))
            // The same process, a fresh context.
            try train(parts, changes: ["resume_from_checkpoint": "true"])
            #expect(TestCard.complaint == "")
            #expect(try losses(parts) == losses(whole))
            #expect(
                try FileSystem.readBytes(Path.join(parts, "adapter_model.safetensors"))
                    == FileSystem.readBytes(Path.join(whole, "adapter_model.safetensors")))
        }

        @Test("a run whose paged optimizer waits in the host's memory goes on from its checkpoint to the same end, with that memory or without")
        func resumesOffloaded() throws {
            let directory = try FileSystem.createTemporaryDirectory()
            defer { try? FileSystem.removeTree(directory) }
            let whole = Path.join(directory, "whole"), parts = Path.join(directory, "parts")
            let changes = ["optim": "paged_adamw_8bit"], away = Offload(optimizer: true, checkpoints: true)
            try train(whole, changes: changes)
            var broken = tb_fake_settings()
            broken.fail_launch = tb_fake_read_counts().launches * 3 / 4
            broken.failure = 719
            for (folder, offload) in [(parts, away), (parts + "2", Offload())] {
                #expect(throws: CUDAError.self) { try train(folder, broken, changes: changes, offload: away) }
                #expect(CheckpointFolder.all(in: folder).map(\.step) == [3, 6])
                try train(folder, changes: changes.merging(["resume_from_checkpoint": "true"]) { $1 }, offload: offload)
                #expect(TestCard.complaint == "")
                #expect(try losses(folder) == losses(whole))
                #expect(
                    try FileSystem.readBytes(Path.join(folder, "adapter_model.safetensors"))
                        == FileSystem.readBytes(Path.join(whole, "adapter_model.safetensors")))
            }
        }

        @Test("a plan counts the copies that a card with 16-bit activations makes of wider weights")
        func plannedCopies() throws {
            let directory = try FileSystem.createTemporaryDirectory(), samples = try FixtureSamples()
            defer { try? FileSystem.removeTree(directory) }
            func weights(_ type: DType, _ changes: [String: String]) throws -> (planned: Int, linears: Int, copies: Int) {
                let card = try TestCard.start(activationType: type), configuration = try configuration(Path.join(directory, "run"), changes)
                let settings = try TrainingSettings(configuration)
                let planner = RunPlanner(
                    configuration: configuration, settings: settings, data: data(samples), steps: settings.stepPlan(batchesPerEpoch: samples.batchesPerEpoch),
                    resumed: nil, availableBytes: 1 << 40, backend: card)
                let bytes = try planner.plan().memory.first { $0.part == "weights" }?.bytes ?? 0
                // What is there after one pass over the same model.
                let model = try TrainableModel.load(configuration, settings: settings, backend: card, checkpoint: nil)
                let tape = Tape(backend: card, isRecording: true), tokens = samples.samples.map(\.tokens).max { $0.count < $1.count } ?? []
                _ = model.logits(tape, model.hidden(tape, tokens: tokens, layout: SequenceLayout(lengths: [tokens.count])))
                let copies = model.linears.compactMap { $0.weight.parameter?.value.storage.mirror?.narrowed?.byteCount }
                return (Int(bytes), model.linears.reduce(0) { $0 + $1.outputCount * $1.inputCount }, copies.reduce(0, +))
            }
            let full = ["finetuning_type": "full", "bf16": "true"]
            let wide = try weights(.float32, full), narrow = try weights(.bfloat16, full)
            #expect(wide.copies == 0 && narrow.copies >= 2 * narrow.linears)
            #expect(narrow.planned - wide.planned >= 2 * narrow.linears && narrow.planned - wide.planned < 2 * narrow.linears + 2 * 96 * 16 + 1)
        }

        @Test("with gradient checkpointing the checkpoints may wait first, then the optimizer, then both, and each makes the plan smaller")
        func planWithCheckpoints() throws {
            #expect(
                Offload().further(recomputesBlocks: true)
                    == [Offload(checkpoints: true), Offload(optimizer: true), Offload(optimizer: true, checkpoints: true)])
            var deep = SmallModel.configuration
            deep.set("num_hidden_layers", 12)
            let card = try TestCard.start(activationType: .bfloat16)
            func peak(_ offload: Offload) throws -> Int64 {
                let backend = PlanningBackend(like: card)
                backend.offloadsCheckpoints = offload.checkpoints
                let model = try Transformer.planned(folder: ModelFolder(configuration: deep), backend: backend, dtype: .float32, trainsBase: true)
                model.recomputesBlocks = true
                return MemoryPlan(
                    model: model, optimizer: Optimizer.adamW(model.trainableParameters, backend: backend),
                    batches: [Batch(SmallModel.samples(64))], offload: offload
                ).peakBytes
            }
            let plain = try peak(Offload()), checkpoints = try peak(Offload(checkpoints: true)), optimizer = try peak(Offload(optimizer: true))
            let both = try peak(Offload(optimizer: true, checkpoints: true))
            #expect(both < checkpoints && both < optimizer && checkpoints < plain && optimizer < plain, "\(plain) \(checkpoints) \(optimizer) \(both)")
            #expect(plain - checkpoints == optimizer - both)
        }

        @Test("a plan that does not fit the card leaves to the host's memory what helps, and no more")
        func plan() throws {
            let directory = try FileSystem.createTemporaryDirectory()
            defer { try? FileSystem.removeTree(directory) }
            let card = try TestCard.start(activationType: .float32), samples = try FixtureSamples()
            func planner(_ changes: [String: String], availableBytes: Int64, backend: any Backend) throws -> RunPlanner {
                let configuration = try configuration(Path.join(directory, "run"), changes), settings = try TrainingSettings(configuration)
                return RunPlanner(
                    configuration: configuration, settings: settings, data: data(samples), steps: settings.stepPlan(batchesPerEpoch: samples.batchesPerEpoch),
                    resumed: nil, availableBytes: availableBytes, backend: backend)
            }
            let full = ["finetuning_type": "full", "gradient_checkpointing": "false"]
            let roomy = try planner(full, availableBytes: 1 << 40, backend: card).plan()
            let state = try #require(roomy.memory.first { $0.part == "optimizer" }?.bytes)
            #expect(state > 0)
            let short = try planner(full, availableBytes: roomy.peakBytes - 1, backend: card), tight = try short.plan()
            let (offload, smaller) = try #require(try short.offloaded(tight))
            #expect(offload == Offload(optimizer: true) && smaller.peakBytes == roomy.peakBytes - state)
            #expect(smaller.memory.allSatisfy { $0.part != "optimizer" })
            // What is still too much is not begun.
            #expect(try planner(full, availableBytes: smaller.peakBytes - 1, backend: card).offloaded(tight) == nil)
            // On the processor the host's memory is all there is.
            #expect(try planner(full, availableBytes: 1, backend: CPUBackend(threadCount: 1)).offloaded(tight) == nil)
            #expect(try TrainingSettings(configuration(directory, ["use_unsloth_gc": "true"])).offload == Offload(checkpoints: true))
        }
    }
}
