import Configuration
import Datasets
import Events
import Formats
import Models
import Platform
import Testing

@testable import Evaluation
@testable import Training

/// The preference stages as jobs: what they learn, leave, resume and refuse.
@Suite("Stages from end to end")
struct StageJobTests {
    @Test(
        "Killed and resumed, every stage ends as the uninterrupted run does, bit for bit",
        arguments: [
            "pt", "sft", "dpo", "dpo full", "dpo bco", "kto", "rm", "ppo", "pt stream", "sft stream", "dpo stream", "kto stream", "ppo stream",
        ])
    func resumesExactly(kind: String) throws {
        try Self.withData { directory, configuration in
            var changes = ["save_steps": "2", "logging_steps": "3", "max_steps": "5", "stage": String(kind.prefix { $0 != " " })]
            if kind == "dpo full" { changes["finetuning_type"] = "full" }
            if kind == "dpo bco" { changes["pref_bco_weight"] = "0.5" }
            if kind.hasPrefix("kto") { changes["dataset"] = "judged" }
            if kind.hasPrefix("pt") || kind.hasPrefix("sft") { (changes["dataset"], changes["cutoff_len"]) = ("plain", "16") }
            if kind.hasSuffix("stream") { changes.merge(["streaming": "true", "buffer_size": "3", "gradient_accumulation_steps": "2"]) { $1 } }
            if kind.hasPrefix("ppo") { changes.merge(try Self.rewardModel(directory, configuration)) { $1 } }
            let whole = Path.join(directory, "whole"), parts = Path.join(directory, "parts")
            _ = try Self.train(configuration, changes.merging(["output_dir": whole]) { $1 })
            let killed = RecordingSink(), control = JobControl()
            killed.onStep { if $0.step == 3 { control.post(.abort) } }
            #expect(throws: Interruption.aborted) {
                try Self.train(configuration, changes.merging(["output_dir": parts]) { $1 }, sink: killed, control: control)
            }
            #expect(CheckpointFolder.all(in: parts).map(\.step) == [2])
            _ = try Self.train(configuration, changes.merging(["output_dir": parts]) { $1 })
            let weights = kind == "dpo full" ? "model.safetensors" : "adapter_model.safetensors"
            let files = [weights] + (kind == "rm" || kind.hasPrefix("ppo") ? [ValueHead.fileName] : [])
            for file in files + ["checkpoint-4/optimizer.safetensors"] {
                let same = try FileSystem.readBytes(Path.join(whole, file)) == FileSystem.readBytes(Path.join(parts, file))
                #expect(same, "\(kind): \(file)")
            }
            let histories = try [whole, parts].map { try Self.history($0) }
            #expect(histories[0] == histories[1])
        }
    }

    @Test("What is logged and measured has TRL's names")
    func names() throws {
        try Self.withData { directory, configuration in
            let answers = ["rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected",
                           "logits/chosen", "logits/rejected"]
            for (stage, data, names) in [
                ("dpo", "pairs", answers), ("kto", "judged", answers.filter { $0 != "rewards/accuracies" } + ["kl"]), ("rm", "pairs", ["accuracy"]),
            ] {
                let output = Path.join(directory, stage)
                let sink = RecordingSink()
                _ = try Self.train(
                    configuration,
                    ["stage": stage, "dataset": data, "eval_dataset": data, "eval_strategy": "epoch", "num_train_epochs": "1", "output_dir": output],
                    sink: sink)
                let history = try Self.history(output)
                let logged = try #require(history.first { $0["loss"] != nil }), measured = try #require(history.first { $0["eval_loss"] != nil })
                for name in names {
                    #expect(logged[name]?.doubleValue != nil, "\(stage) \(name)")
                    #expect(measured["eval_" + name]?.doubleValue != nil, "\(stage) eval_\(name)")
                }
                let extra = sink.all.compactMap { if case .step(let metrics) = $0, metrics.isLogged { metrics.extra } else { nil } }
                #expect(Set(names).isSubset(of: Set(extra.first?.keys ?? [:].keys)))
            }
        }
    }

    @Test("What stage ppo logs has the names of trl's stats, the entropy of the policy among them")
    func policyNames() throws {
        try Self.withData { directory, configuration in
            let reward = try Self.rewardModel(directory, configuration)
            let output = Path.join(directory, "ppo")
            _ = try Self.train(configuration, reward.merging(["stage": "ppo", "max_steps": "2", "output_dir": output]) { $1 })
            let logged = try #require(Self.history(output).first { $0["loss"] != nil })
            for name in [
                "reward", "objective/kl", "objective/kl_coef", "objective/entropy", "ppo/mean_non_score_reward", "ppo/loss/policy", "ppo/loss/value",
                "ppo/policy/entropy", "ppo/policy/approxkl", "ppo/policy/clipfrac", "ppo/returns/mean", "ppo/val/error", "ppo/val/clipfrac",
                "tokens/responses_len_mean",
            ] { #expect(logged[name]?.doubleValue?.isFinite == true, "\(name)") }
            // Nothing that draws from 96 tokens has more than log 96.
            let entropy = logged["ppo/policy/entropy"]?.doubleValue ?? 0
            #expect(entropy > 0 && entropy < 4.57)
        }
    }

    @Test("Best-of-N answers are scored by the reward model, become pairs, and an interrupted run goes on behind what it has")
    func samplesAnswers() throws {
        try Self.withData { directory, configuration in
            let reward = try Self.rewardModel(directory, configuration)
            let asked = try Self.changed(configuration, reward.merging(["dataset": "plain", "temperature": "1.5", "top_p": "1", "top_k": "0"]) { $1 })
            let output = Path.join(directory, "scored.jsonl"), best = Path.join(directory, "best.jsonl")
            func sample(
                to output: String = output, best: String? = best, overwrites: Bool = false
            ) throws -> (questions: Int, mean: Double, meanOfBest: Double) {
                try AnswerSampling(asked, answerCount: 3, overwrites: overwrites, sink: RecordingSink(), control: JobControl())
                    .run(output: output, best: best)
            }
            let first = try sample()
            #expect(first.questions == 6 && first.meanOfBest > first.mean)
            let text = try FileSystem.readText(output), lines = text.split(separator: "\n")
            let row = try JSONValue.parse(String(lines[0]))
            #expect(lines.count == 6 && row["prompt"]?.stringValue == "ab" && row["answers"]?.arrayValue?.count == 3)
            let winners = try FileSystem.readText(best).split(separator: "\n").map { try JSONValue.parse(String($0)) }
            let answers = row["answers"]?.arrayValue ?? []
            let highest = answers.max { ($0["score"]?.doubleValue ?? 0) < ($1["score"]?.doubleValue ?? 0) }
            #expect(winners.count == 6 && winners[0]["output"] == highest?["text"])
            // Cut off in the midst of a line, it ends as it would have.
            try FileSystem.writeAtomically(output, text: lines[..<5].joined(separator: "\n") + "\n{\"prompt\": \"e")
            #expect(throws: DatasetError.outputExists(path: best)) { try sample() }
            #expect(try sample(overwrites: true).mean == first.mean)
            #expect(try FileSystem.readText(output) == text)
            // Other files stay, and the data whatever is allowed.
            let data = Path.join(directory, "pairs.jsonl"), rows = try FileSystem.readText(data), other = Path.join(directory, "notes.jsonl")
            for allowed in [true, false] {
                #expect(throws: DatasetError.self) { try sample(to: data, best: nil, overwrites: allowed) }
                #expect(throws: DatasetError.self) { try sample(best: data, overwrites: allowed) }
            }
            #expect(try FileSystem.readText(data) == rows)
            for content in ["a note", #"{"prompt": "ab", "answers": []}"#] {
                try FileSystem.writeAtomically(other, text: content)
                #expect(throws: DatasetError.outputExists(path: other)) { try sample(to: other, best: nil) }
                #expect(try FileSystem.readText(other) == content)
            }
            let pairs = try PreferenceBuilder().run(from: output, to: Path.join(directory, "made.jsonl")).pairs
            #expect(pairs > 0)
        }
    }

    @Test("A plan tells the time by a measured step, or by an earlier run of the same kind")
    func plansTime() throws {
        try Self.withData { directory, configuration in
            let first = try Self.changed(configuration, ["stage": "sft", "dataset": "plain", "output_dir": Path.join(directory, "runs/one")])
            #expect(try TrainingJob.plan(first).stepSeconds == nil)
            let measured = try TrainingJob.plan(first, measuresStep: true)
            #expect((measured.stepSeconds ?? 0) > 0 && measured.measuredBy.isEmpty)
            #expect(measured.trainingSeconds == (measured.stepSeconds ?? 0) * Double(measured.totalSteps))
            #expect(!FileSystem.exists(Path.join(directory, "runs/one")))
            _ = try TrainingJob(configuration: first, sink: RecordingSink(), control: JobControl()).run()
            let second = try Self.changed(first, ["output_dir": Path.join(directory, "runs/two"), "learning_rate": "0.002"])
            let told = try TrainingJob.plan(second)
            #expect(told.measuredBy == "one" && (told.stepSeconds ?? 0) > 0)
            // Another method goes at another pace.
            let other = try Self.changed(second, ["finetuning_type": "full"])
            #expect(try TrainingJob.plan(other).stepSeconds == nil)
        }
    }

    @Test("disable_shuffling keeps the order of the rows, and logs keep every digit")
    func keepsOrder() throws {
        try Self.withData { directory, configuration in
            let output = Path.join(directory, "ordered")
            let changes = [
                "stage": "sft", "dataset": "plain", "per_device_train_batch_size": "1", "disable_shuffling": "true", "num_train_epochs": "2",
                "learning_rate": "0", "output_dir": output, "max_grad_norm": "0",
            ]
            _ = try Self.train(configuration, changes)
            let losses = try Self.history(output).compactMap { $0["loss"]?.doubleValue }
            // With a rate of nothing a row's loss is its own wherever it comes, so the second pass repeats the first.
            #expect(losses.count == 12 && Array(losses[0..<6]) == Array(losses[6...]) && Set(losses).count == 6)
            let shuffled = Path.join(directory, "shuffled")
            _ = try Self.train(configuration, changes.merging(["disable_shuffling": "false", "output_dir": shuffled]) { $1 })
            let others = try Self.history(shuffled).compactMap { $0["loss"]?.doubleValue }
            #expect(others != losses && others.prefix(6).sorted() == losses.prefix(6).sorted())
            let text = try FileSystem.readText(Path.join(output, "trainer_log.jsonl"))
            for loss in losses { #expect(text.contains("\"loss\": \(NumberText.pythonFloat(loss)),")) }
        }
    }

    @Test("A reward model is kept with its value head and measures the same when it is opened again")
    func reopensRewardModel() throws {
        try Self.withData { directory, configuration in
            let output = Path.join(directory, "reward")
            let trained = try Self.train(
                configuration,
                ["stage": "rm", "output_dir": output, "eval_dataset": "pairs", "do_eval": "true", "num_train_epochs": "6", "learning_rate": "0.02"])
            let head = try TensorFile.read(Path.join(output, ValueHead.fileName))
            #expect(Set(head.map(\.name)) == ["v_head.summary.weight", "v_head.summary.bias"])
            let values = Dictionary(trained.values.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
            #expect((values["eval_accuracy"] ?? 0) >= 0.8)
            var opened = configuration
            for (name, text) in [
                ("stage", "rm"), ("adapter_name_or_path", output), ("eval_dataset", "pairs"), ("output_dir", Path.join(directory, "measured")),
            ] { try opened.set(name, text: text) }
            let again = try StageEvaluationJob(configuration: opened, sink: RecordingSink(), control: JobControl()).run()
            let measured = Dictionary(again.values.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
            #expect(measured["eval_loss"] == values["eval_loss"] && measured["eval_accuracy"] == values["eval_accuracy"])
            // Trained further, it begins where it ended.
            let further = RecordingSink()
            _ = try Self.train(
                configuration, ["stage": "rm", "adapter_name_or_path": output, "output_dir": Path.join(directory, "further"), "max_steps": "1"],
                sink: further)
            #expect((further.losses.first ?? 9) < 0.5)
        }
    }

    @Test("Several micro-batches make the step that one batch makes", arguments: ["dpo", "rm"])
    func accumulates(stage: String) throws {
        try Self.withData { directory, configuration in
            var losses: [[Double]] = []
            for (size, count) in [("6", "1"), ("2", "3")] {
                let sink = RecordingSink()
                // Dropout of the value head is drawn per micro-batch, so rm is compared before its first update alone.
                _ = try Self.train(
                    configuration,
                    ["stage": stage, "per_device_train_batch_size": size, "gradient_accumulation_steps": count, "disable_shuffling": "true",
                     "output_dir": Path.join(directory, size), "max_steps": stage == "rm" ? "1" : "4"], sink: sink)
                losses.append(sink.losses)
            }
            for (a, b) in zip(losses[0], losses[1]) where stage == "dpo" { #expect(abs(a - b) <= 1e-6 * abs(a)) }
            #expect(losses[0].count == losses[1].count && !losses[0].isEmpty)
        }
    }

    @Test("A plan counts a reference model of its own, and nothing for the base under the adapter")
    func plansReference() throws {
        try Self.withData { directory, configuration in
            func parts(_ changes: [String: String]) throws -> [String] {
                try TrainingJob.plan(try Self.changed(configuration, changes.merging(["output_dir": Path.join(directory, "none")]) { $1 })).memory
                    .map(\.part)
            }
            let cases: [([String: String], Bool)] = [
                ([:], false), (["ref_model": Fixtures.training + "/llama"], true), (["finetuning_type": "full"], true),
                (["finetuning_type": "full", "pref_loss": "simpo"], false),
            ]
            for (changes, isCounted) in cases {
                let found = try parts(changes.merging(["stage": "dpo"]) { $1 })
                #expect(found.contains("reference") == isCounted, "\(changes)")
            }
        }
    }

    @Test("An adapter of another rank that is trained further is named in the plan")
    func namesOtherRank() throws {
        try Self.withData { directory, configuration in
            let first = Path.join(directory, "first")
            _ = try Self.train(configuration, ["stage": "dpo", "output_dir": first, "max_steps": "1"])
            func warnings(_ changes: [String: String]) throws -> [String] {
                let base = ["stage": "dpo", "adapter_name_or_path": first, "output_dir": Path.join(directory, "second")]
                return try TrainingJob.plan(try Self.changed(configuration, base.merging(changes) { $1 })).warnings
            }
            let told = try warnings(["lora_rank": "8"]), silent = try warnings(["lora_rank": "4"])
            let fresh = try warnings(["lora_rank": "8", "create_new_adapter": "true"])
            #expect(told.contains { $0.contains("has rank 4 and keeps it") })
            #expect(!silent.contains { $0.contains("rank") } && !fresh.contains { $0.contains("rank") })
        }
    }

    @Test("What cannot work is refused before anything is read, with what to do")
    func refuses() throws {
        try Self.withData { directory, configuration in
            let cases: [([String: String], String)] = [
                (["stage": "dpo", "pref_beta": "0"], "pref_beta"), (["stage": "kto", "pref_beta": "0"], "must be above 0"),
                (["stage": "dpo", "pref_loss": "hinge", "dpo_label_smoothing": "0.1"], "only pref_loss: sigmoid"),
                (["stage": "dpo", "pref_loss": "simpo", "pref_bco_weight": "1"], "pref_loss: simpo has none"),
                (["stage": "kto", "kto_chosen_weight": "0", "kto_rejected_weight": "0"], "nothing would be learnt"),
                (["stage": "dpo", "ref_model_adapters": "x"], "name it with ref_model"),
                (["stage": "dpo", "ref_model": Path.join(Fixtures.directory, "models/llama")], "vocabulary"),
                (["stage": "rm", "load_best_model_at_end": "true"], "rm and ppo"), (["stage": "dpo", "do_predict": "true"], "stage: sft"),
                (["stage": "ppo"], "reward_model is not set"), (["stage": "ppo", "reward_model": directory], "adapter_config.json"),
                (["stage": "ppo", "reward_model": directory, "finetuning_type": "full"], "reward_model_type: full"),
                (["stage": "ppo", "reward_model": Fixtures.training + "/llama/adapter"], "value_head.safetensors"),
                (["stage": "ppo", "reward_model": Path.join(Fixtures.directory, "models/llama"), "reward_model_type": "full"], "vocabulary"),
                (["stage": "ppo", "reward_model": "https://x", "reward_model_type": "api"], "plain HTTP"),
                (["stage": "ppo", "reward_model": "localhost", "reward_model_type": "api"], "http://host:port/path"),
                (["stage": "ppo", "reward_model": "http://localhost:x/", "reward_model_type": "api"], "port"),
                (["stage": "ppo", "reward_model": "http://localhost:1/", "reward_model_type": "api", "val_size": "0.5"], "nothing to evaluate"),
            ]
            for (changes, words) in cases {
                let error = #expect(throws: TrainingError.self) { _ = try TrainingSettings(try Self.changed(configuration, changes)) }
                let sentence = "\(error?.description ?? "")"
                #expect(sentence.contains(words), "\(changes): \(sentence)")
            }
        }
    }

    // MARK: Data

    static func withData(_ body: (String, Configuration) throws -> Void) throws {
        try Fixtures.withTemporaryDirectory { directory in
            let words = ["ab", "cd", "ef", "gh", "ij", "kl"]
            let pairs = words.map { #"{"instruction": "\#($0)", "chosen": "yes \#($0)!", "rejected": "no"}"# }
            let judged = words.enumerated().map { #"{"instruction": "\#($1)", "output": "\#($0 % 2 == 0 ? "yes!" : "no")", "liked": \#($0 % 2 == 0)}"# }
            try FileSystem.writeAtomically(Path.join(directory, "pairs.jsonl"), text: pairs.joined(separator: "\n"))
            try FileSystem.writeAtomically(Path.join(directory, "judged.jsonl"), text: judged.joined(separator: "\n"))
            try FileSystem.writeAtomically(
                Path.join(directory, "dataset_info.json"),
                text: #"""
                    {"pairs": {"file_name": "pairs.jsonl", "ranking": true,
                               "columns": {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"}},
                     "plain": {"file_name": "pairs.jsonl", "columns": {"prompt": "instruction", "response": "chosen"}},
                     "judged": {"file_name": "judged.jsonl", "columns": {"prompt": "instruction", "response": "output", "kto_tag": "liked"}}}
                    """#)
            var configuration = Configuration()
            for (name, text) in [
                ("model_name_or_path", Fixtures.training + "/llama"), ("dataset_dir", directory), ("dataset", "pairs"), ("template", "default"),
                ("output_dir", Path.join(directory, "out")), ("per_device_train_batch_size", "2"), ("gradient_accumulation_steps", "1"),
                ("per_device_eval_batch_size", "4"), ("num_train_epochs", "2"), ("logging_steps", "1"), ("learning_rate", "0.01"),
                ("lora_rank", "4"), ("threads", "1"), ("cutoff_len", "32"), ("max_new_tokens", "6"),
            ] { try configuration.set(name, text: text) }
            try body(directory, configuration)
        }
    }

    static func changed(_ configuration: Configuration, _ changes: [String: String]) throws -> Configuration {
        var configuration = configuration
        for (name, text) in changes { try configuration.set(name, text: text) }
        return configuration
    }

    static func train(
        _ configuration: Configuration, _ changes: [String: String], sink: RecordingSink = RecordingSink(), control: JobControl = JobControl()
    ) throws -> JobSummary {
        try TrainingJob(configuration: try changed(configuration, changes), sink: sink, control: control).run()
    }

    /// Trains a reward model and gives the arguments that name it.
    static func rewardModel(_ directory: String, _ configuration: Configuration) throws -> [String: String] {
        let output = Path.join(directory, "reward")
        _ = try train(configuration, ["stage": "rm", "output_dir": output, "num_train_epochs": "2"])
        return ["reward_model": output]
    }

    static func history(_ directory: String) throws -> [JSONObject] {
        try TrainerState.read(from: directory).logHistory.map { entry in
            JSONObject(entry.pairs.filter { !$0.key.contains("_runtime") && !$0.key.contains("_per_second") }.map { ($0.key, $0.value) })
        }
    }
}
