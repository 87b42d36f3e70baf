import Configuration
import Datasets
import Events
import Formats
import Glibc
import Models
import Platform
import Tensors
import Testing

@testable import Evaluation
@testable import Training

/// What the loop does beside the plain step: rates that follow evaluations, loss scaling, weighted tokens, batches that fit.
@Suite("Beside the plain step")
struct LoopFeatureTests {
    // MARK: Rates that follow evaluations

    @Test("Plateau and greedy rates are PyTorch's and transformers' after every evaluation, across a checkpoint too")
    func followsMetrics() throws {
        let cases = try Fixtures.json(Fixtures.training + "/following.json").arrayValue ?? []
        #expect(cases.count == 9)
        for example in cases {
            let name = example["name"]?.stringValue ?? ""
            let keywords = example["keywords"]?.objectValue ?? JSONObject()
            let schedule = try LearningRateSchedule(
                name: name, keywords: keywords, baseRate: example["rate"]?.doubleValue ?? 0, warmupSteps: 0, totalSteps: 100)
            var follower = try #require(schedule.follower)
            #expect(follower.rate == schedule.baseRate)
            let metrics = example["metrics"]?.doubles ?? [], rates = example["rates"]?.doubles ?? []
            #expect(metrics.count == rates.count && Set(rates).count > 1 || name == "greedy" && schedule.baseRate == 5e-5 || schedule.baseRate == 1e-7)
            for (index, metric) in metrics.enumerated() {
                follower.follow(metric)
                #expect(abs(follower.rate - rates[index]) <= 1e-12 * rates[index], "\(name) \(keywords.text()) after \(index + 1)")
                // Written and read again, it goes on as if nothing had happened.
                var other = try #require(schedule.follower)
                other.memory = try JSONValue.parse(JSONValue.object(follower.memory).text(style: .compact)).objectValue ?? [:]
                #expect(other == follower)
            }
        }
    }

    @Test("Wrong options of such schedules are named", arguments: [
        ("reduce_lr_on_plateau", #"{"factor": 1}"#, "factor"), ("reduce_lr_on_plateau", #"{"mode": "low"}"#, "one of min, max"),
        ("greedy", #"{"window_size": 0}"#, "window_size"), ("greedy", #"{"smooth": 3}"#, "true or false"),
        ("reduce_lr_on_plateau", #"{"max_lr": 1}"#, "no option \"max_lr\""),
    ])
    func namesWrongOptions(name: String, text: String, words: String) throws {
        let keywords = try JSONValue.parse(text).objectValue ?? [:]
        let error = #expect(throws: TrainingError.self) {
            try LearningRateSchedule(name: name, keywords: keywords, baseRate: 1, warmupSteps: 0, totalSteps: 10)
        }
        let sentence = error?.description ?? ""
        #expect(sentence.contains(words))
    }

    static let features: [(String, [String: String])] = [
        ("plateau", ["lr_scheduler_type": "reduce_lr_on_plateau", "lr_scheduler_kwargs": #"{"patience": 0, "threshold": 0.2, "factor": 0.5}"#]),
        ("greedy", ["lr_scheduler_type": "greedy", "lr_scheduler_kwargs": #"{"patience": 1, "factor": 0.7, "smooth": true, "window_size": 2}"#]),
        ("fp16", ["fp16": "true"]), ("dft", ["use_dft_loss": "true"]), ("eaft", ["use_eaft_loss": "true", "eaft_alpha": "0.5"]),
        ("asft", ["use_asft_loss": "true", "asft_alpha": "0.3"]),
    ]

    @Test("Killed and resumed, a run ends with the same weights and the same log, bit for bit", arguments: features)
    func resumesExactly(_ name: String, _ changes: [String: String]) throws {
        try Fixtures.withTemporaryDirectory { directory in
            let changes = changes.merging(
                ["save_steps": "3", "eval_strategy": "steps", "eval_steps": "1", "learning_rate": "0.02"]) { first, _ in first }
            let whole = Path.join(directory, "whole"), parts = Path.join(directory, "parts")
            try Run(output: whole, changes: changes).finish()
            let killed = try Run(output: parts, changes: changes)
            killed.control(atStep: 8, .abort)
            #expect(throws: Interruption.aborted) { try killed.finish() }
            try Run(output: parts, changes: changes).finish()
            #expect(try StageJobTests.history(whole) == StageJobTests.history(parts))
            try Self.expectEqualFiles("adapter_model.safetensors", whole, parts)
            try Self.expectEqualFiles("checkpoint-9/optimizer.safetensors", whole, parts)
            let rates = try StageJobTests.history(whole).compactMap { $0["learning_rate"]?.doubleValue }
            if name == "plateau" || name == "greedy" { #expect(Set(rates).count > 1, "the rate never moved") }
        }
    }

    @Test("A rate that follows evaluations moves after them, and without any it is refused")
    func plateauInARun() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let changes = [
                "lr_scheduler_type": "reduce_lr_on_plateau", "lr_scheduler_kwargs": #"{"patience": 0, "threshold": 0.9, "factor": 0.5}"#,
                "eval_strategy": "steps", "eval_steps": "2", "learning_rate": "0.016",
            ]
            let run = try Run(output: directory, changes: changes)
            try run.finish()
            let rates = run.session.loop.state.logHistory.compactMap { $0["learning_rate"]?.doubleValue }
            // The first evaluation sets the mark; none of the others is nine tenths below it.
            #expect(rates == [0.016, 0.016, 0.016, 0.016, 0.008, 0.008, 0.004, 0.004, 0.002, 0.002])
            let scheduler = try Fixtures.json(Path.join(directory, "checkpoint-10/scheduler.json"))
            #expect(scheduler["_last_lr"]?.doubles == [0.001])
            #expect(throws: TrainingError.self) {
                try Run(output: directory + "/other", changes: ["lr_scheduler_type": "reduce_lr_on_plateau"])
            }
        }
    }

    // MARK: Half precision

    @Test("The scale of the losses goes up and down as GradScaler's")
    func scales() throws {
        var scaler = LossScaler()
        #expect(scaler.scale == 65_536)
        for (index, stretch) in (try Fixtures.json(Fixtures.training + "/scaler.json").arrayValue ?? []).enumerated() {
            for _ in 0..<(stretch["good"]?.intValue ?? 0) { scaler.update(foundOverflow: false) }
            scaler.update(foundOverflow: true)
            #expect(Double(scaler.scale) == stretch["scale"]?.doubleValue && scaler.growthTracker == stretch["tracker"]?.intValue)
            #expect(scaler.skippedSteps == index + 1)
            #expect(LossScaler(scaler.json) == scaler)
        }
        // Stage ppo makes several updates in a step; the schedule waits at most once, for the last.
        var policy = LossScaler()
        policy.update(foundOverflow: true, endsStep: false)
        policy.update(foundOverflow: false, endsStep: true)
        policy.update(foundOverflow: true, endsStep: false)
        policy.update(foundOverflow: true, endsStep: true)
        #expect(policy.skippedSteps == 1 && policy.skippedUpdates == 3 && LossScaler(policy.json) == policy)
        var large = LossScaler()
        for _ in 0..<2000 * 130 { large.update(foundOverflow: false) }
        #expect(large.scale == 0x1p127)
    }

    @Test("Scaled losses leave the weights of a run as they are without, to the bit", arguments: ["lora", "full"])
    func scalingChangesNothing(method: String) throws {
        try Fixtures.withTemporaryDirectory { directory in
            let plain = Path.join(directory, "plain"), scaled = Path.join(directory, "scaled")
            for (output, fp16) in [(plain, "false"), (scaled, "true")] {
                try Run(output: output, changes: ["finetuning_type": method, "fp16": fp16, "save_steps": "5"]).finish()
            }
            #expect(try StageJobTests.history(plain) == StageJobTests.history(scaled))
            if method == "lora" { try Self.expectEqualFiles("adapter_model.safetensors", plain, scaled) }
            try Self.expectEqualFiles("checkpoint-10/optimizer.safetensors", plain, scaled)
        }
    }

    @Test("Gradients that overflow halve the scale and skip the update; schedule and weights stay, and the steps are counted")
    func skipsOverflow() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let run = try Run(output: directory, changes: ["fp16": "true", "lr_scheduler_type": "linear", "max_grad_norm": "1"])
            // A scale so large that the squares of the first gradients do not fit into 32 bits either.
            var state = run.session.loop.state
            var scaler = LossScaler()
            for _ in 0..<2000 * 50 { scaler.update(foundOverflow: false) }
            #expect(scaler.scale == 0x1p66)
            state.scaler = scaler
            run.session.loop.state = state
            try run.finish()
            let skipped = try #require(run.session.loop.state.scaler?.skippedSteps)
            #expect(skipped > 0 && skipped < 10)
            #expect(run.session.loop.state.scaler?.scale == 0x1p66 / Float(1 << skipped))
            let notes = run.sink.all.compactMap { if case .log(let record) = $0, record.text.contains("overflow at loss scale") { record.text } else { nil } }
            #expect(notes.count == skipped)
            let rates = run.session.loop.state.logHistory.compactMap { $0["learning_rate"]?.doubleValue }
            #expect(rates.prefix(skipped + 1).allSatisfy { $0 == 0.01 } && rates[skipped + 1] < 0.01)
            #expect(run.session.optimizer.stepCount == 10 - skipped)
            let results = try Fixtures.json(Path.join(directory, "train_results.json"))
            #expect(results["skipped_steps"]?.intValue == skipped)
        }
    }

    // MARK: Weighted tokens

    @Test("Losses weighted by probability and by entropy, the anchored one, and their gradients are LLaMA-Factory's", arguments: 0..<5, [Float(1), 1024])
    func weighsTokens(index: Int, scale: Float) throws {
        let example = try Fixtures.json(Fixtures.training + "/weighted.json")
        let wanted = try #require(example["cases"]?[index])
        let backend = CPUBackend(threadCount: 1)
        let weight = Parameter(name: "head", value: Tensor(example["weight"]?.floats ?? [], shape: [40, 8]), requiresGradient: true)
        let head = Linear(name: "head", weight: .dense(weight))
        let tape = Tape(backend: backend, isRecording: true)
        tape.lossScale = scale
        let hidden = tape.variable(Tensor(example["hidden"]?.floats ?? [], shape: [9, 8]))
        let alpha = Float(wanted["alpha"]?.doubleValue ?? 0)
        let weighting: TokenWeighting = wanted["name"]?.stringValue == "entropy" ? .entropy(alpha: alpha) : .probability
        var anchor: LogitAnchor?
        if wanted["name"]?.stringValue == "anchored" {
            let other = Parameter(name: "other", value: Tensor(example["reference_weight"]?.floats ?? [], shape: [40, 8]))
            anchor = LogitAnchor(weight: alpha, hidden: Tensor(example["reference_hidden"]?.floats ?? [], shape: [9, 8])) { rows in
                let piece = Tape(backend: backend, isRecording: false)
                return piece.tensor(piece.linear(piece.constant(rows), Linear(name: "other", weight: .dense(other))))
            }
        }
        let output = tape.linearCrossEntropy(
            hidden, head: head, targets: example["targets"]?.tokens ?? [], normalizer: 7, weighting: weighting, anchor: anchor)
        #expect(abs(output.lossSum / 7 - (wanted["loss"]?.doubleValue ?? .nan)) < 1e-5)
        tape.backward(output.loss)
        func expectEqual(_ found: [Float], _ key: String) {
            let expected = wanted[key]?.floats ?? []
            let largest = expected.reduce(0) { max($0, abs($1)) }
            #expect(found.count == expected.count && !expected.isEmpty)
            for (a, b) in zip(found, expected) where !(abs(a / scale - b) <= 1e-4 * largest) { Issue.record("\(key): \(a / scale), expected \(b)") }
        }
        expectEqual(tape.gradient(of: hidden)?.floats() ?? [], "hidden_gradient")
        expectEqual(weight.gradient?.floats() ?? [], "weight_gradient")
    }

    @Test("The entropies of rows are those of their distributions, on the CPU and by the plain path")
    func entropies() throws {
        let backend = CPUBackend(threadCount: 2)
        var random = RandomGenerator(seed: 4)
        let values = (0..<3 * 700).map { _ in Float(3 * random.normal()) } + [Float](repeating: 2, count: 700) + [500] + [Float](repeating: 0, count: 699)
        let found = backend.entropies(logits: Tensor(values, shape: [5, 700]))
        for row in 0..<5 {
            let line = values[row * 700..<(row + 1) * 700].map { Double($0) }
            let largest = line.max() ?? 0
            let parts = line.map { exp($0 - largest) }
            let total = parts.reduce(0, +)
            let expected = parts.reduce(0) { $0 - ($1 > 0 ? $1 / total * log($1 / total) : 0) }
            #expect(abs(Double(found[row]) - expected) < 1e-4)
        }
    }

    // MARK: Batches that fit

    @Test("auto_find_batch_size halves the batch until the plan fits, keeps it when resumed, and says when nothing fits")
    func findsBatchSize() throws {
        try StageJobTests.withData { directory, configuration in
            let changes = [
                "stage": "dpo", "per_device_train_batch_size": "6", "auto_find_batch_size": "true", "max_steps": "3", "save_steps": "2",
                "output_dir": Path.join(directory, "found"),
            ]
            func plan(_ size: Int) throws -> Int64 {
                try TrainingJob.plan(
                    try StageJobTests.changed(configuration, ["stage": "dpo", "per_device_train_batch_size": "\(size)", "max_steps": "3"])
                ).peakBytes
            }
            let (one, three, six) = (try plan(1), try plan(3), try plan(6))
            #expect(one < three && three < six)
            let sink = RecordingSink()
            var job = TrainingJob(configuration: try StageJobTests.changed(configuration, changes), sink: sink, control: JobControl())
            job.availableBytes = three
            _ = try job.run()
            #expect(sink.plans.first?.effectiveBatch == 3 && sink.plans.first?.peakBytes == three)
            #expect(try TrainerState.read(from: Path.join(directory, "found")).trainBatchSize == 3)
            // Resumed where there is room again, the run keeps what it had.
            let longer = changes.merging(["max_steps": "5"]) { $1 }
            let again = RecordingSink()
            _ = try TrainingJob(configuration: try StageJobTests.changed(configuration, longer), sink: again, control: JobControl()).run()
            #expect(again.plans.first?.effectiveBatch == 3 && again.plans.first?.totalSteps == 5)
            var hopeless = TrainingJob(
                configuration: try StageJobTests.changed(configuration, changes.merging(["output_dir": Path.join(directory, "none")]) { $1 }),
                sink: RecordingSink(), control: JobControl())
            hopeless.availableBytes = one - 1
            let error = #expect(throws: TrainingError.self) { _ = try hopeless.run() }
            let sentence = error?.description ?? ""
            #expect(sentence.contains("one sample at a time"))
        }
    }

    @Test("A plan that does not fit names the smallest change that does, or says that none does", arguments: [true, false])
    func namesWhatFits(_ somethingFits: Bool) throws {
        try StageJobTests.withData { directory, configuration in
            let changes = ["stage": "dpo", "per_device_train_batch_size": "6", "max_steps": "1", "output_dir": Path.join(directory, "tight")]
            let changed = try StageJobTests.changed(configuration, changes)
            let smaller = try StageJobTests.changed(configuration, changes.merging(["per_device_train_batch_size": "3"]) { $1 })
            let sink = RecordingSink()
            var job = TrainingJob(configuration: changed, sink: sink, control: JobControl())
            job.availableBytes = try somethingFits ? TrainingJob.plan(smaller).peakBytes : 1 << 20
            _ = try job.run()
            let warning = try #require(sink.plans.first?.warnings.first)
            #expect(warning.contains("of memory are needed"))
            #expect(warning.contains(somethingFits ? "which fits" : "Even one sample at a time"), "\(warning)")
        }
    }

    // MARK: Evaluations

    @Test("A run that is stopped during an evaluation makes it up when resumed and ends like one that was not stopped")
    func stopsWhileEvaluating() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let changes = [
                "eval_strategy": "steps", "eval_steps": "2", "save_steps": "2", "lr_scheduler_type": "reduce_lr_on_plateau",
                "lr_scheduler_kwargs": #"{"patience": 0, "threshold": 0.9, "factor": 0.5}"#, "logging_steps": "2",
            ]
            let whole = Path.join(directory, "whole"), parts = Path.join(directory, "parts")
            try Run(output: whole, changes: changes).finish()
            let stopped = try Run(output: parts, changes: changes)
            stopped.sink.onEvent { [control = stopped.control, sink = stopped.sink] event in
                if case .phase("evaluating") = event, sink.all.count(where: { if case .step(let metrics) = $0 { metrics.step == 4 } else { false } }) > 0 {
                    control.post(.stopAndSave)
                }
            }
            try stopped.finish()
            #expect(stopped.session.loop.state.globalStep == 4)
            let left = try TrainerState.read(from: Path.join(parts, "checkpoint-4"))
            #expect(left.unfinishedStep != nil && !left.logHistory.contains { $0["eval_loss"] != nil && $0["step"]?.intValue == 4 })
            try Run(output: parts, changes: changes).finish()
            func evaluations(_ path: String) throws -> [JSONObject] { try StageJobTests.history(path).filter { $0["train_loss"] == nil } }
            #expect(try evaluations(whole) == evaluations(parts))
            let made = try TrainerState.read(from: Path.join(parts, "checkpoint-4"))
            #expect(made.unfinishedStep == nil && made.logHistory.contains { $0["eval_loss"] != nil && $0["step"]?.intValue == 4 })
            try Self.expectEqualFiles("adapter_model.safetensors", whole, parts)
        }
    }

    @Test("A pause holds between the pieces of an evaluation even where a checkpoint is asked for, until somebody goes on or ends it")
    func pausesWhileEvaluating() {
        let control = JobControl(), isOver = Mutex(false)
        control.post(.save)
        control.post(.pause)
        let thread = EngineThread(name: "evaluation") {
            try? control.heed(RecordingSink())
            isOver.update { $0 = true }
        }
        Clock.sleep(seconds: 0.1)
        #expect(!isOver.withLock { $0 })
        control.post(.resume)
        thread.join()
        // What was asked for is still to be done, and between two steps it ends the pause.
        #expect(control.pending == .save)
        control.post(.pause)
        control.waitWhilePaused()
        #expect(control.takeSave() && control.pending == .pause)
    }

    @Test("The loss of an evaluation has the load-balancing loss in it where the model is trained with one")
    func evaluatesBalance() throws {
        let folder = Path.join(Fixtures.directory, "families/mixtral")
        let expected = try Fixtures.json(Path.join(folder, "expected.json"))
        let model = try Transformer.load(directory: folder, backend: CPUBackend(threadCount: 1), options: LoadOptions(dtype: .float32))
        let samples = [[0, 5, 17, 9, 33, 21, 8, 36, 12, 3, 30, 27, 19], [0, 31, 4, 4, 25, 38, 11]].map { (tokens: [Int32]) in
            TrainingSample(tokens: tokens, labels: tokens)
        }
        func loss() throws -> Double {
            try LossEvaluator(model: model, batchSize: 2).evaluate(count: 2, batch: { Batch(Array(samples[$0])) }).loss
        }
        let plain = try loss()
        model.balanceWeight = 0.25
        let balance = try #require(expected["balance"]?.doubleValue)
        #expect(abs(try loss() - plain - 0.25 * balance) < 1e-5)
    }

    // MARK: Diagnosis

    @Test("The operation and the layer that first make something that is no number are named, forward and backward")
    func namesOperation() throws {
        try Fixtures.withTemporaryDirectory { directory in
            // Weights that are numbers, whose products are not.
            let run = try Run(output: directory + "/forward", changes: ["num_train_epochs": "4"])
            let layer = try #require(run.session.model.linears.first { $0.name.hasSuffix("layers.1.mlp.up_proj") }?.adapter)
            layer.a.value.write([Float](repeating: 1e38, count: layer.a.count))
            layer.b.value.write([Float](repeating: 1e38, count: layer.b.count))
            let error = #expect(throws: TrainingError.self) { try run.finish() }
            let sentence = error?.description ?? ""
            #expect(sentence.contains("Linear in layer 1"), "\(sentence)")

            // Only what flows back overflows: the value is tiny, its slope is not.
            let back = try Run(output: directory + "/backward", changes: ["finetuning_type": "full", "num_train_epochs": "4"])
            let norm = try #require(back.session.model.parameters.first { $0.name.hasSuffix("model.norm.weight") })
            norm.value.write([Float](repeating: 1e-30, count: norm.count))
            let head = try #require(back.session.model.parameters.first { $0.name.hasSuffix("lm_head.weight") })
            head.value.write([Float](repeating: 3e38, count: head.count))
            let other = #expect(throws: TrainingError.self) { try back.finish() }
            let words = other?.description ?? ""
            #expect(words.contains("the gradient that linearCrossEntropy passes on"), "\(words)")
        }
    }

    static func expectEqualFiles(_ name: String, _ first: String, _ second: String) throws {
        let same = try FileSystem.readBytes(Path.join(first, name)) == FileSystem.readBytes(Path.join(second, name))
        #expect(same, "\(name) differs between \(first) and \(second)")
    }
}
