/// The questions of a multiple-choice benchmark as LLaMA-Factory's `evaluation` folder keeps them: mapping.json names the subjects and
/// their categories, and each subject has a csv file for each part.
///
///     evaluation/mmlu/mapping.json               {"anatomy": {"name": "anatomy", "category": "Other"}, ...}
///     evaluation/mmlu/data/test/anatomy_test.csv    question,A,B,C,D,answer without a header
///     evaluation/ceval/val/physician_val.csv        with one, and more columns
///     evaluation/cmmlu/test/agronomy.csv            with one, "Question" and "Answer" in capitals

import Datasets
import Formats
import Platform

struct BenchmarkQuestion: Sendable, Equatable {
    var question: String
    /// A to D.
    var choices: [String]
    /// One of the letters; empty where it is kept secret.
    var answer: String
}

struct BenchmarkSubject: Sendable, Equatable {
    /// Of its files.
    var identifier: String
    /// In prompts.
    var name: String
    var category: String
    var questions: [BenchmarkQuestion]
    /// What examples are drawn from.
    var examples: [BenchmarkQuestion]
}

struct BenchmarkData: Sendable {
    static let letters = ["A", "B", "C", "D"]

    let subjects: [BenchmarkSubject]

    /// - Parameters:
    ///   - task: `mmlu_test`: a folder of `directory` and one of its parts, test, validation or train.
    ///   - needsExamples: the part that examples are drawn from must be there.
    init(task: String, directory: String, needsExamples: Bool) throws {
        let words = task.split(separator: "_", omittingEmptySubsequences: false).map(String.init)
        guard words.count == 2, let part = Self.parts[words[1]] else {
            throw EvaluationError.unsuitable(
                argument: "task", value: task, reason: "write a folder of task_dir and test, validation or train, such as mmlu_test.")
        }
        let folder = Path.join(directory, words[0])
        let mapping = Path.join(folder, "mapping.json")
        guard FileSystem.exists(mapping) else {
            throw EvaluationError.unsuitable(
                argument: "task", value: task,
                reason: "there is no \(mapping). It comes with the benchmark in LLaMA-Factory's folder evaluation; task_dir says where that is.")
        }
        guard let entries = try JSONValue.read(file: mapping).objectValue, !entries.isEmpty else {
            throw EvaluationError.unsuitable(argument: "task", value: task, reason: "\(mapping) names no subject.")
        }
        var subjects: [BenchmarkSubject] = []
        for (identifier, entry) in entries {
            guard let name = entry["name"]?.stringValue, let category = entry["category"]?.stringValue else {
                throw EvaluationError.unsuitable(argument: "task", value: task, reason: "\(mapping): \(identifier) has no name or no category.")
            }
            subjects.append(
                BenchmarkSubject(
                    identifier: identifier, name: name, category: category,
                    questions: try Self.questions(identifier, part: part, in: folder, task: task),
                    examples: needsExamples ? try Self.questions(identifier, part: "dev", in: folder, task: task) : []))
        }
        self.subjects = subjects
    }

    /// The datasets' names of the parts, and those of the folders.
    private static let parts = ["test": "test", "validation": "val", "train": "dev"]

    private static func questions(_ subject: String, part: String, in folder: String, task: String) throws -> [BenchmarkQuestion] {
        let candidates = [folder, Path.join(folder, "data")].flatMap { root in
            [Path.join(root, part, "\(subject)_\(part).csv"), Path.join(root, part, "\(subject).csv")]
        }
        guard let path = candidates.first(where: FileSystem.exists) else {
            let packed = Path.join(folder, Path.name(folder) + ".zip")
            throw EvaluationError.unsuitable(
                argument: "task", value: task,
                reason: FileSystem.exists(packed)
                    ? "\(packed) is still packed: unzip \(packed) -d \(folder)" : "there is no \(candidates[0]).")
        }
        return try read(path)
    }

    private static func read(_ path: String) throws -> [BenchmarkQuestion] {
        var records = try CommaSeparatedRecords.read(path)
        var columns = ["question"] + letters + ["answer"]
        // A byte order mark belongs to no name.
        if let first = records.first?.map({ $0.replacing("\u{FEFF}", with: "").lowercased() }), first.contains("question") {
            columns = first.map { letters.contains($0.uppercased()) ? $0.uppercased() : $0 }
            records.removeFirst()
        }
        return try records.enumerated().map { index, record in
            func field(_ name: String) -> String? { columns.firstIndex(of: name).flatMap { $0 < record.count ? record[$0] : nil } }
            let choices = letters.compactMap(field)
            guard let question = field("question"), choices.count == letters.count else {
                throw EvaluationError.unsuitable(
                    argument: "task_dir", value: path, reason: "record \(index + 1) has \(record.count) fields; expected a question and four answers.")
            }
            return BenchmarkQuestion(question: question, choices: choices, answer: field("answer") ?? "")
        }
    }
}
