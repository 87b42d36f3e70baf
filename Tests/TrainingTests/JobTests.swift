import Configuration
import Events
import Formats
import Platform
import Testing

@testable import Evaluation
@testable import Training

/// Jobs from their arguments to their files, on a tiny model with a tokenizer of single characters.
@Suite("Jobs from end to end")
struct JobTests {
    @Test("A LoRA run learns its rows, evaluates and plans before it starts")
    func trains() throws {
        try withData { directory, configuration in
            let sink = RecordingSink()
            let summary = try TrainingJob(configuration: configuration, sink: sink, control: JobControl()).run()
            #expect(summary.text.hasPrefix("Finished after 12 of 12 steps"))
            let plan = try #require(sink.plans.first)
            #expect(plan.samples == 9 && plan.evalSamples == 3)
            #expect(plan.totalSteps == 12 && plan.stepsPerEpoch == 3 && plan.effectiveBatch == 4)
            #expect(plan.trainableCount < plan.parameterCount && plan.peakBytes > 0)
            let checkpoint = Path.join(directory, "out/checkpoint-12")
            let written = FileSystem.treeSize(checkpoint)
            #expect(abs(plan.checkpointBytes - written) < 32 << 10, "\(plan.checkpointBytes) planned, \(written) written")
            let losses = sink.losses
            #expect(losses.count == 12)
            #expect((losses.last ?? 9) < (losses.first ?? 0) - 1)
            #expect(FileSystem.exists(Path.join(directory, "out/adapter_model.safetensors")))
            #expect(FileSystem.exists(Path.join(directory, "out/checkpoint-12/trainer_state.json")))
        }
    }

    @Test("A finished run that is resumed with nothing left keeps its record to the byte; one that was cut off before its results gets them")
    func resumesNothing() throws {
        try withData { directory, configuration in
            let out = Path.join(directory, "out")
            let names = ["all_results.json", "train_results.json", "trainer_log.jsonl", "trainer_state.json", "adapter_model.safetensors", "training_args.yaml"]
            _ = try TrainingJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run()
            let before = try names.map { try FileSystem.readBytes(Path.join(out, $0)) }
            for checkpoint in ["true", Path.join(out, "checkpoint-12")] {
                var again = configuration
                try again.set("resume_from_checkpoint", text: checkpoint)
                let sink = RecordingSink()
                let summary = try TrainingJob(configuration: again, sink: sink, control: JobControl()).run()
                #expect(summary.text.hasPrefix("Nothing is left to train: the run has 12 of 12 steps behind it"))
                #expect(summary.values.contains { $0.name == "train_loss" } && sink.states.last == .finished && sink.losses.isEmpty)
                let after = try names.map { try FileSystem.readBytes(Path.join(out, $0)) }
                #expect(after == before)
            }
            // Killed between the last checkpoint and the results.
            for name in ["all_results.json", "train_results.json", "adapter_model.safetensors"] { try FileSystem.remove(Path.join(out, name)) }
            var again = configuration
            try again.set("resume_from_checkpoint", text: "true")
            _ = try TrainingJob(configuration: again, sink: RecordingSink(), control: JobControl()).run()
            let adapter = try FileSystem.readBytes(Path.join(out, "adapter_model.safetensors"))
            #expect(adapter == before[4] && FileSystem.exists(Path.join(out, "all_results.json")))
        }
    }

    @Test("Checkpoints that are to wait in the host's memory are told to be there already where a processor computes")
    func offloadsNothing() throws {
        try withData { _, configuration in
            var changed = configuration
            try changed.set("use_unsloth_gc", text: "true")
            try changed.set("device", text: "cpu")
            try changed.set("max_steps", text: "1")
            #expect(changed.validate(for: .train).contains { $0.argument == "use_unsloth_gc" && $0.severity == .notice })
            let sink = RecordingSink()
            _ = try TrainingJob(configuration: changed, sink: sink, control: JobControl()).run()
            #expect(sink.warnings.filter { $0.hasPrefix("use_unsloth_gc has no effect here: a processor") }.count == 1)
            #expect(configuration.offloadNotice(isOnProcessor: true) == nil)
            try changed.set("gradient_checkpointing", text: "true")
            #expect(changed.offloadNotice(isOnProcessor: false) == nil)
            try changed.set("disable_gradient_checkpointing", text: "true")
            #expect(changed.offloadNotice(isOnProcessor: false)?.contains("without gradient checkpointing") == true)
        }
    }

    @Test("The same arguments give the same losses, digit for digit, with one thread and with two")
    func isDeterministic() throws {
        try withData { directory, configuration in
            var runs: [[Double]] = []
            for (index, threads) in ["1", "2", "2"].enumerated() {
                var changed = configuration
                try changed.set("threads", text: threads)
                try changed.set("output_dir", text: Path.join(directory, "run-\(index)"))
                let sink = RecordingSink()
                _ = try TrainingJob(configuration: changed, sink: sink, control: JobControl()).run()
                runs.append(sink.losses)
            }
            #expect(runs[1] == runs[2])
            #expect(runs[0] == runs[1])
        }
    }

    @Test("New tokens are trained and saved with the adapter, and evaluate with the same arguments")
    func trainsNewTokens() throws {
        try withData { directory, configuration in
            var changed = configuration
            try changed.set("add_special_tokens", text: "say")
            try changed.set("num_train_epochs", text: "1")
            let sink = RecordingSink()
            _ = try TrainingJob(configuration: changed, sink: sink, control: JobControl()).run()
            let areFinite = sink.losses.allSatisfy(\.isFinite)
            #expect(areFinite)
            let adapter = try JSONValue.read(file: Path.join(directory, "out/adapter_config.json"))
            #expect(adapter["modules_to_save"]?.strings == ["embed_tokens", "lm_head"])
            let tokenizer = try JSONValue.read(file: Path.join(directory, "out/tokenizer.json"))
            let added = tokenizer["added_tokens"]?.arrayValue ?? []
            let isThere = added.contains { $0["content"]?.stringValue == "say" && $0["special"]?.boolValue == true }
            #expect(isThere)
            var again = changed
            try again.set("adapter_name_or_path", text: Path.join(directory, "out"))
            try again.set("output_dir", text: Path.join(directory, "eval"))
            try again.set("eval_dataset", text: Path.join(directory, "rows.jsonl"))
            try again.set("val_size", text: "0")
            _ = try EvaluationJob(configuration: again, sink: RecordingSink(), control: JobControl()).run()
            #expect(FileSystem.exists(Path.join(directory, "eval/eval_results.json")))
        }
    }

    @Test("A plan writes nothing")
    func plans() throws {
        try withData { directory, configuration in
            let plan = try TrainingJob.plan(configuration)
            #expect(plan.totalSteps == 12)
            #expect(plan.memory.map(\.part) == ["weights", "adapter", "gradients", "optimizer", "activations", "program"])
            #expect(!FileSystem.exists(Path.join(directory, "out")))
        }
    }

    @Test("A plan names the rows that are left out", arguments: [1, 5])
    func plansName(count: Int) throws {
        try withData { directory, configuration in
            let rows = Path.join(directory, "rows.jsonl")
            let bad = String(repeating: "{\"instruction\": \"q\"}\n", count: count)
            try FileSystem.writeAtomically(rows, text: try FileSystem.readText(rows) + bad)
            var changed = configuration
            try changed.set("val_size", text: "0")
            try changed.set("eval_strategy", text: "no")
            let warning = try #require(try TrainingJob.plan(changed).warnings.first { $0.contains("left out") })
            #expect(warning.hasPrefix(count == 1 ? "1 row is left out: \(rows), row " : "5 rows are left out: \(rows), row "), "\(warning)")
            #expect(warning.hasSuffix(count == 1 ? "the column \"output\" is missing" : "; and 2 more"), "\(warning)")
        }
    }

    @Test("Full training from fresh weights writes a model that loads again")
    func fromScratch() throws {
        try withData { directory, configuration in
            var changed = configuration
            try changed.set("finetuning_type", text: "full")
            try changed.set("train_from_scratch", text: "true")
            try changed.set("bf16", text: "true")
            _ = try TrainingJob(configuration: changed, sink: RecordingSink(), control: JobControl()).run()
            var again = configuration
            try again.set("model_name_or_path", text: Path.join(directory, "out"))
            try again.set("output_dir", text: Path.join(directory, "eval"))
            try again.set("eval_dataset", text: Path.join(directory, "rows.jsonl"))
            try again.set("val_size", text: "0")
            let summary = try EvaluationJob(configuration: again, sink: RecordingSink(), control: JobControl()).run()
            let values = Dictionary(summary.values.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
            let loss = try #require(values["eval_loss"])
            #expect(loss > 0 && loss < 5)
            #expect(values["eval_perplexity"] == LossMetrics.perplexity(ofLoss: loss))
            #expect(FileSystem.exists(Path.join(directory, "eval/eval_results.json")))
        }
    }

    @Test("Predictions are written one by one, scored, and an interrupted run goes on behind them")
    func predicts() throws {
        try withData { directory, configuration in
            var changed = configuration
            try changed.set("max_new_tokens", text: "8")
            try changed.set("eval_dataset", text: Path.join(directory, "rows.jsonl"))
            try changed.set("val_size", text: "0")
            let sink = RecordingSink()
            _ = try PredictionJob(configuration: changed, sink: sink, control: JobControl()).run()
            let path = Path.join(directory, "out/generated_predictions.jsonl")
            let lines = try FileSystem.readText(path).split(separator: "\n")
            #expect(lines.count == 12 && sink.samples.count == 12)
            let first = try JSONValue.parse(String(lines[0])).objectValue
            #expect(first?.keys == ["prompt", "predict", "label"])
            #expect(first?["label"]?.stringValue == "yes 0")
            let results = try Fixtures.json(Path.join(directory, "out/predict_results.json")).objectValue
            for name in ["predict_bleu-4", "predict_rouge-1", "predict_rouge-2", "predict_rouge-l", "predict_runtime"] {
                #expect(results?[name] != nil, "\(name)")
            }
            let kept = lines.prefix(5).joined(separator: "\n") + "\n{\"prompt\": \"half"
            try FileSystem.writeAtomically(path, text: kept)
            _ = try PredictionJob(configuration: changed, sink: RecordingSink(), control: JobControl()).run()
            let again = try FileSystem.readText(path).split(separator: "\n")
            #expect(again == lines)
        }
    }

    @Test("What cannot work is said before anything is loaded")
    func refusals() throws {
        try withData { directory, configuration in
            func expectRefusal(_ changes: [String: String], naming word: String) throws {
                var changed = configuration
                for (name, text) in changes { try changed.set(name, text: text) }
                do {
                    _ = try TrainingJob(configuration: changed, sink: RecordingSink(), control: JobControl()).run()
                    Issue.record("\(changes) was accepted")
                } catch {
                    #expect("\(error)".contains(word), "\(error)")
                }
                #expect(!FileSystem.exists(Path.join(directory, "out/trainer_log.jsonl")))
            }
            try expectRefusal(["val_size": "0", "eval_strategy": "steps"], naming: "eval_dataset")
            try expectRefusal(["lr_scheduler_type": "cosine_with_min_lr"], naming: "min_lr_rate")
            try expectRefusal(["load_best_model_at_end": "true", "eval_strategy": "epoch", "save_strategy": "steps"], naming: "save_strategy")
            try expectRefusal(["dataset": Path.join(directory, "missing.jsonl")], naming: "missing.jsonl")
            try expectRefusal(["train_from_scratch": "true"], naming: "finetuning_type")
            try expectRefusal(["output_dir": "/proc/nowhere"], naming: "/proc/nowhere")
            try expectRefusal(["model_name_or_path": directory], naming: directory)
        }
    }

    @Test("An abort during the run throws and leaves no adapter")
    func aborts() throws {
        try withData { directory, configuration in
            let control = JobControl()
            let sink = RecordingSink()
            sink.onStep { if $0.step == 2 { control.post(.abort) } }
            let job = TrainingJob(configuration: configuration, sink: sink, control: control)
            #expect(throws: Interruption.aborted) { try job.run() }
            #expect(!FileSystem.exists(Path.join(directory, "out/adapter_model.safetensors")))
        }
    }

    @Test("A prediction that is stopped keeps its answers, and started again it ends like one that was not")
    func stopsPrediction() throws {
        try withData { directory, configuration in
            var changed = configuration
            try changed.set("max_new_tokens", text: "6")
            let whole = RecordingSink()
            _ = try PredictionJob(configuration: changed, sink: whole, control: JobControl()).run()
            let path = Path.join(directory, "out/generated_predictions.jsonl")
            let expected = try FileSystem.readText(path)

            try changed.set("output_dir", text: Path.join(directory, "parts"))
            let control = JobControl()
            let sink = RecordingSink()
            sink.onEvent { if case .sample(let sample) = $0, sample.index == 3 { control.post(.stopAndSave) } }
            let summary = try PredictionJob(configuration: changed, sink: sink, control: control).run()
            #expect(summary.text.hasPrefix("Stopped") && sink.states.last == .stopped)
            #expect(!FileSystem.exists(Path.join(directory, "parts/predict_results.json")))
            let parts = Path.join(directory, "parts/generated_predictions.jsonl")
            #expect(try FileSystem.readText(parts).split(separator: "\n").count == 4)
            _ = try PredictionJob(configuration: changed, sink: RecordingSink(), control: JobControl()).run()
            #expect(try FileSystem.readText(parts) == expected)
        }
    }

    @Test("A run that is stopped before its first step says so and trains nothing")
    func stopsEarly() throws {
        try withData { directory, configuration in
            let control = JobControl()
            let sink = RecordingSink()
            sink.onEvent { if case .planned = $0 { control.post(.stopAndSave) } }
            let summary = try TrainingJob(configuration: configuration, sink: sink, control: control).run()
            #expect(summary.text.contains("before the first step") && sink.states.last == .stopped)
            #expect(!FileSystem.exists(Path.join(directory, "out/adapter_model.safetensors")))
        }
    }

    /// Twelve short rows, three of them held back.
    private func withData(_ body: (String, Configuration) throws -> Void) throws {
        try Fixtures.withTemporaryDirectory { directory in
            let rows = (0..<12).map { "{\"instruction\": \"say \($0)\", \"output\": \"yes \($0)\"}\n" }
            try FileSystem.writeAtomically(Path.join(directory, "rows.jsonl"), text: rows.joined())
            var configuration = Configuration()
            let values = [
                "model_name_or_path": Fixtures.training + "/llama", "output_dir": Path.join(directory, "out"),
                "dataset": Path.join(directory, "rows.jsonl"), "template": "default", "cutoff_len": "60", "val_size": "3",
                "per_device_train_batch_size": "2", "gradient_accumulation_steps": "2", "num_train_epochs": "4", "logging_steps": "1",
                "learning_rate": "0.02", "per_device_eval_batch_size": "2", "lora_rank": "4", "eval_strategy": "epoch", "threads": "1",
                "plot_loss": "true",
            ]
            for (name, text) in values { try configuration.set(name, text: text) }
            try body(directory, configuration)
        }
    }
}

extension RecordingSink {
    var plans: [RunPlan] { all.compactMap { if case .planned(let plan) = $0 { plan } else { nil } } }
    var samples: [PredictionSample] { all.compactMap { if case .sample(let sample) = $0 { sample } else { nil } } }
    var losses: [Double] {
        all.compactMap { if case .step(let metrics) = $0, metrics.isLogged { metrics.loss } else { nil } }
    }
}
