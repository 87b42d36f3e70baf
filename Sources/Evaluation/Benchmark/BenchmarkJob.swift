/// Multiple-choice benchmarks (MMLU, CMMLU, C-Eval), scored as LLaMA-Factory scores them: the answer is the letter among A to D that is
/// likeliest right behind the prompt.

import Configuration
import Events
import Formats
import Models
import Platform
import Tensors
import Tokenizers

public struct BenchmarkJob {
    private let job: ModelJob
    private var configuration: Configuration { job.configuration }

    public init(configuration: Configuration, sink: any EventSink, control: JobControl) {
        job = ModelJob(configuration: configuration, sink: sink, control: control)
    }

    /// A question as tokens, and what it is scored by.
    private struct Prompt {
        var tokens: [Int32]
        var subject: Int
        var answer: String
    }

    private struct Prompts {
        var subjects: [BenchmarkSubject]
        var prompts: [Prompt]
        /// The tokens of the letters.
        var letters: [Int32]
    }

    /// Answers and counts. With `save_dir` every answer is written there, with `output_dir` the accuracies.
    public func run() throws -> JobSummary {
        if let folder = configuration[.saveDir], FileSystem.exists(folder) {
            throw EvaluationError.unsuitable(argument: "save_dir", value: folder, reason: "it is there already; name a new folder.")
        }
        let output = configuration.text("output_dir").isEmpty ? "" : try EngineSetup.outputDirectory(configuration)
        return try job.run(in: output, stopped: { _ in "Stopped before everything was answered; nothing was written." }, answer)
    }

    private func answer(_ output: String) throws -> JobSummary {
        let (data, model) = try job.load(prompts, check: check)
        job.reporter.sink.emit(.state(.running))
        job.reporter.phase("answering")
        let answers = try answers(data, model)
        let accuracies = Self.accuracies(data.subjects, data.prompts.map { ($0.subject, $0.answer) }, answers)
        if let folder = configuration[.saveDir] { try save(data, answers, accuracies, to: folder) }
        if !output.isEmpty {
            try ResultsFile.write(
                JSONObject(accuracies.map { ("eval_accuracy_" + $0.category, JSONValue.number($0.accuracy)) }), split: "eval", to: output)
        }
        let secret = data.prompts.count { !BenchmarkData.letters.contains($0.answer) }
        if secret > 0 {
            let place = configuration[.saveDir].map { "\(Path.join($0, "results.json")) has the answers to hand in" }
            job.reporter.log(
                .info, "\(secret) of \(data.prompts.count) questions have no public answer and are not counted; "
                    + (place ?? "with save_dir the answers are written, to hand in") + ".")
        }
        return summary(accuracies, output)
    }

    // MARK: Prompts

    private func prompts(_ text: TextSetup) throws -> Prompts {
        let shots = configuration[.nShot]
        let data = try BenchmarkData(task: configuration[.task], directory: configuration[.taskDir], needsExamples: shots > 0)
        guard let language = BenchmarkPrompt(rawValue: configuration[.lang]) else {
            throw EvaluationError.unsuitable(argument: "lang", value: configuration[.lang], reason: "it is en or zh.")
        }
        var prompts: [Prompt] = []
        for (place, subject) in data.subjects.enumerated() {
            for (index, question) in subject.questions.enumerated() {
                try job.heed()
                // Each question draws its examples by itself, so that they do not depend on what stands before it.
                var random = RandomGenerator(
                    seed: UInt64(bitPattern: Int64(configuration[.seed])), stream: UInt64(place) << 32 | UInt64(index))
                let examples = random.permutation(subject.examples.count).prefix(shots).map { subject.examples[$0] }
                let messages = language.messages(question, examples: examples, subject: subject.name)
                let tokens = try text.template.encodeOneTurn(messages, tokenizer: text.tokenizer).prompt
                prompts.append(Prompt(tokens: tokens, subject: place, answer: question.answer))
            }
            job.reporter.progress("tokenising", place + 1, data.subjects.count)
        }
        guard !prompts.isEmpty else { throw EvaluationError.noSamples(reason: "task \(configuration[.task]) has no question.") }
        let letters = BenchmarkData.letters.compactMap { text.tokenizer.encode($0).last }
        guard Set(letters).count == BenchmarkData.letters.count else {
            throw EvaluationError.unsuitable(
                argument: "task", value: configuration[.task], reason: "the tokenizer writes two of the letters A to D with the same token.")
        }
        return Prompts(subjects: data.subjects, prompts: prompts, letters: letters)
    }

    private func check(_ data: Prompts, _ model: Transformer) throws {
        try VocabularyCheck.check(data.letters, vocabularySize: model.spec.vocabularySize)
        for prompt in data.prompts {
            try VocabularyCheck.check(prompt.tokens, vocabularySize: model.spec.vocabularySize)
            guard let limit = model.spec.positionLimit, prompt.tokens.count > limit else { continue }
            throw EvaluationError.unsuitable(
                argument: "n_shot", value: configuration.text("n_shot"),
                reason: "a prompt has \(prompt.tokens.count) tokens, but the model knows only \(limit) positions. Give fewer examples.")
        }
    }

    // MARK: Answers

    private func answers(_ data: Prompts, _ model: Transformer) throws -> [String] {
        var answers: [String] = []
        for start in stride(from: 0, to: data.prompts.count, by: max(1, configuration[.batchSize])) {
            try job.heed()
            let batch = data.prompts[start..<min(data.prompts.count, start + max(1, configuration[.batchSize]))]
            let layout = SequenceLayout(lengths: batch.map(\.tokens.count))
            let tape = Tape(backend: model.backend, isRecording: false)
            let hidden = model.hidden(tape, tokens: batch.flatMap(\.tokens), layout: layout)
            let logits = tape.tensor(model.logits(tape, hidden, rows: layout.cumulativeLengths.dropFirst().map { $0 - 1 }))
            try model.backend.throwIfFailed()
            for row in 0..<batch.count {
                let values = logits.slice(rows: row..<row + 1).floats()
                let scores = data.letters.map { values[Int($0)] }
                let best = scores.indices.max { scores[$0] < scores[$1] || scores[$0] == scores[$1] && $0 > $1 } ?? 0
                answers.append(BenchmarkData.letters[best])
            }
            let subject = batch.last.map { data.subjects[$0.subject].name } ?? ""
            job.reporter.progress("answering", answers.count, data.prompts.count, detail: subject)
        }
        return answers
    }

    /// LLaMA-Factory's categories in its order, then others; those without a question are left out.
    private static let categories = ["Average", "STEM", "Social Sciences", "Humanities", "Other"]

    static func accuracies(
        _ subjects: [BenchmarkSubject], _ wanted: [(subject: Int, answer: String)], _ answers: [String]
    ) -> [(category: String, accuracy: Double)] {
        var counts: [String: (right: Int, all: Int)] = [:]
        // Answers that are kept secret are no letters.
        for (question, answer) in zip(wanted, answers) where BenchmarkData.letters.contains(question.answer) {
            for category in ["Average", subjects[question.subject].category] {
                counts[category, default: (0, 0)].right += question.answer == answer ? 1 : 0
                counts[category, default: (0, 0)].all += 1
            }
        }
        let others = counts.keys.filter { !categories.contains($0) }.sorted()
        return (categories + others).compactMap { category in
            counts[category].map { (category, Double($0.right) / Double($0.all)) }
        }
    }

    // MARK: Results

    /// `         STEM: 56.25`
    private static func lines(_ accuracies: [(category: String, accuracy: Double)]) -> [String] {
        accuracies.map { category, accuracy in
            String(repeating: " ", count: max(0, 15 - category.count)) + category + ": " + NumberText.fixed(100 * accuracy, digits: 2)
        }
    }

    /// results.json has every answer by subject and number, results.log the accuracies.
    private func save(_ data: Prompts, _ answers: [String], _ accuracies: [(category: String, accuracy: Double)], to folder: String) throws {
        var bySubject: [[(String, JSONValue)]] = data.subjects.map { _ in [] }
        for (prompt, answer) in zip(data.prompts, answers) {
            bySubject[prompt.subject].append((String(bySubject[prompt.subject].count), .string(answer)))
        }
        let results = JSONObject(zip(data.subjects, bySubject).map { ($0.identifier, .object(JSONObject($1))) })
        do {
            try FileSystem.createDirectory(folder)
            try FileSystem.writeAtomically(Path.join(folder, "results.json"), text: results.text(style: .indented(2)))
            try FileSystem.writeAtomically(Path.join(folder, "results.log"), text: Self.lines(accuracies).joined(separator: "\n"))
        } catch {
            throw EvaluationError.unsuitable(argument: "save_dir", value: folder, reason: "it cannot be written: \(error.description)")
        }
    }

    private func summary(_ accuracies: [(category: String, accuracy: Double)], _ output: String) -> JobSummary {
        for line in Self.lines(accuracies) { job.reporter.log(.info, line) }
        let values = accuracies.map { NamedValue("accuracy_" + $0.category, $0.accuracy) }
        job.reporter.sink.emit(
            .evaluation(
                EvaluationMetrics(step: 0, loss: nil, values: Dictionary(values.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }))))
        let shown = accuracies.isEmpty ? "no question has a public answer" : accuracies.map { "\($0.category) \(NumberText.fixed(100 * $0.accuracy, digits: 2))" }.joined(separator: ", ")
        let places = [configuration[.saveDir], output.isEmpty ? nil : output].compactMap { $0 }
        return JobSummary(
            values: values, outputDirectory: output,
            text: "\(configuration[.task]): \(shown)" + (places.isEmpty ? "." : ", in \(places.joined(separator: " and "))."))
    }
}
