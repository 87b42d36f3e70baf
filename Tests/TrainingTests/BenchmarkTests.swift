import Configuration
import Events
import Formats
import Platform
import Testing

@testable import Evaluation

/// Multiple-choice benchmarks against LLaMA-Factory's prompts and transformers' logits (generate/benchmark.py).
@Suite struct BenchmarkTests {
    private static let folder = Path.join(Fixtures.directory, "evaluation/benchmark")

    /// The model of the fixtures with the chat template of the expected answers.
    private func withModel(_ body: (_ directory: String, _ configuration: Configuration) throws -> Void) throws {
        try Fixtures.withTemporaryDirectory { directory in
            let model = Path.join(directory, "model")
            try FileSystem.createDirectory(model)
            for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
                try FileSystem.copy(Path.join(Fixtures.training, "qwen2", name), Path.join(model, name))
            }
            let template = try Fixtures.json(Path.join(Self.folder, "expected.json"))["chat_template"]?.stringValue
            try FileSystem.writeAtomically(Path.join(model, "chat_template.jinja"), text: try #require(template))
            var configuration = Configuration()
            for (name, text) in ["model_name_or_path": model, "task_dir": Self.folder, "batch_size": "4", "device": "cpu"] {
                try configuration.set(name, text: text)
            }
            try body(directory, configuration)
        }
    }

    @Test("Questions whose answer is kept secret are not counted")
    func leavesOutSecrets() {
        let subject = BenchmarkSubject(identifier: "a", name: "A", category: "STEM", questions: [], examples: [])
        let found = BenchmarkJob.accuracies([subject], [(0, "A"), (0, "B"), (0, "")], ["A", "A", "A"])
        #expect(found.map(\.category) == ["Average", "STEM"] && found.map(\.accuracy) == [0.5, 0.5])
        #expect(BenchmarkJob.accuracies([subject], [(0, "")], ["A"]).isEmpty)
    }

    @Test("Every answer and the accuracy of each category are the reference's, in all three layouts", arguments: 0..<5)
    func answersLikeTheReference(index: Int) throws {
        try withModel { directory, configuration in
            let expected = try #require(try Fixtures.json(Path.join(Self.folder, "expected.json"))["runs"]?[index])
            var configuration = configuration
            for name in ["task", "lang"] { try configuration.set(name, text: try #require(expected[name]?.stringValue)) }
            try configuration.set("n_shot", text: "\(expected["n_shot"]?.intValue ?? -1)")
            let results = Path.join(directory, "results")
            try configuration.set("save_dir", text: results)
            try configuration.set("output_dir", text: Path.join(directory, "out"))
            #expect(configuration.validate(for: .evaluate).filter { $0.severity == .error }.isEmpty)
            let summary = try BenchmarkJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run()
            #expect(try Fixtures.json(Path.join(results, "results.json")) == expected["answers"])
            let accuracy = try #require(expected["accuracy"]?.objectValue)
            #expect(Set(summary.values.map(\.name)) == Set(accuracy.keys.map { "accuracy_" + $0 }))
            for value in summary.values { #expect(abs(value.value - (accuracy[String(value.name.dropFirst(9))]?.doubleValue ?? -1)) < 1e-12, "\(value.name)") }
            let lines = try FileSystem.readText(Path.join(results, "results.log")).split(separator: "\n")
            #expect(lines.count == accuracy.count && lines[0].hasPrefix("        Average: "))
            let written = try Fixtures.json(Path.join(directory, "out/eval_results.json"))
            #expect(written["eval_accuracy_Average"]?.doubleValue == summary.values.first?.value)
            // What is there is not written over.
            let error = #expect(throws: EvaluationError.self) {
                try BenchmarkJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run()
            }
            #expect(error?.description.contains("save_dir") == true)
        }
    }

    @Test("What is missing or wrong is named before the model is loaded", arguments: [
        ("mmlu_dev", "mmlu_test"), ("none_test", "mapping.json"), ("cmmlu_validation", "agronomy"), ("packed_test", "unzip"), ("short_test", "record 1"),
    ])
    func refuses(task: String, words: String) throws {
        try withModel { directory, configuration in
            var configuration = configuration
            let folder = Path.join(directory, "tasks")
            for (name, file) in [("packed", "packed.zip"), ("short", "test/a.csv")] {
                let place = Path.join(folder, name)
                try FileSystem.createDirectory(Path.join(place, "test"))
                try FileSystem.writeAtomically(Path.join(place, "mapping.json"), text: #"{"a": {"name": "a", "category": "STEM"}}"#)
                try FileSystem.writeAtomically(Path.join(place, file), text: "what,is,this\n")
            }
            try configuration.set("task", text: task)
            try configuration.set("n_shot", text: "0")
            if task.hasPrefix("packed") || task.hasPrefix("short") { try configuration.set("task_dir", text: folder) }
            let error = #expect(throws: EvaluationError.self) {
                try BenchmarkJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run()
            }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }
}
