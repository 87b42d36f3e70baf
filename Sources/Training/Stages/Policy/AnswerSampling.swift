/// Best-of-N sampling: several answers to each question, scored by a reward model. What comes out are rows of scored answers, from which
/// `PreferenceBuilder` makes pairs, and on request rows with the best answer alone, to fine-tune on.

import Configuration
import Datasets
import Evaluation
import Events
import Formats
import Generation
import Models
import Platform
import Tokenizers

public struct AnswerSampling {
    private let configuration: Configuration
    private let answerCount: Int
    private let overwrites: Bool
    private let reporter: JobReporter
    private let control: JobControl

    /// Questions answered side by side.
    private static let batchSize = 4

    /// - Parameters:
    ///   - configuration: model, data, generation settings, and `reward_model` with its kind as stage ppo has them.
    ///   - answerCount: answers to each question.
    ///   - overwrites: whether files of other rows are replaced; the data never are.
    public init(_ configuration: Configuration, answerCount: Int, overwrites: Bool = false, sink: any EventSink, control: JobControl) {
        self.configuration = configuration
        self.answerCount = max(1, answerCount)
        self.overwrites = overwrites
        self.control = control
        reporter = JobReporter(sink)
    }

    /// Writes `{"prompt": ..., "answers": [{"text": ..., "score": ...}, ...]}` per question, line by line, so that an interrupted run
    /// goes on behind what is there. A file with anything else is left alone, unless it may be overwritten.
    /// - Parameter best: where rows `{"instruction": ..., "input": "", "output": best answer}` go; nil for none.
    /// - Returns: questions answered in all, and the mean scores of all answers and of each question's best.
    public func run(output: String, best: String? = nil) throws -> (questions: Int, mean: Double, meanOfBest: Double) {
        var changed = configuration
        try changed.set("stage", text: "ppo")
        try changed.set("finetuning_type", text: "lora")
        try changed.set("output_dir", text: Path.directory(Path.absolute(output)))
        try changed.set("val_size", text: "0")
        try changed.set("eval_dataset", text: "null")
        let settings = try TrainingSettings(changed)
        let text = try TextSetup(changed, directory: settings.modelDirectory, reporter: reporter)
        let (questions, problems) = try text.loader().loadQuestions()
        var lines = try kept(output, questions)
        try checkBest(best, output)
        for problem in problems.prefix(10) { reporter.log(.warning, "Left out: \(problem)") }
        if problems.count > 10 { reporter.log(.warning, "Left out: \(problems.count - 10) more rows") }
        reporter.phase("loading the model")
        // As stage ppo begins: adapters below a new one are part of the base that the reward model shares.
        let model = try TrainableModel.load(changed, settings: settings, backend: try EngineSetup.backend(changed))
        let scorer = try StageMaker.scorer(changed, settings, model, text.tokenizer)
        var options = SamplingOptions(changed)
        options.beams = 1
        let stops = Set(text.template.stopTokenIDs(text.tokenizer) + model.spec.eosTokens + [text.tokenizer.eosID].compactMap { $0 })
        let writer = AnswerWriter(model: model, options: options, stopTokens: stops)

        reporter.phase("answering")
        while lines.count < questions.count {
            try control.heed(reporter.sink)
            let part = questions[lines.count..<min(lines.count + Self.batchSize, questions.count)]
            lines += try rows(Array(part), writer, scorer, text.tokenizer)
            try FileSystem.writeAtomically(output, text: lines.map { $0.text(style: .python) + "\n" }.joined())
            reporter.progress("answering", lines.count, questions.count)
        }
        return try finish(lines, best: best)
    }

    /// What an interrupted run has written, as far as it answers these questions with as many answers.
    private func kept(_ output: String, _ questions: [Question]) throws -> [JSONObject] {
        try RowTarget.check(output, sources: dataFiles, overwrites: true)
        guard FileSystem.exists(output) else { return [] }
        var lines: [JSONObject] = []
        let reader = try LineReader(path: output)
        while lines.count < questions.count, let line = try reader.next() {
            let value = try? JSONValue.parse(String(decoding: line, as: UTF8.self))
            guard let row = value?.objectValue, row["prompt"]?.stringValue == questions[lines.count].text,
                row["answers"]?.arrayValue?.count == answerCount
            else {
                // Behind rows of this run, a last line that is no JSON is one that was cut off.
                let wasCutOff = try value == nil && !lines.isEmpty && reader.next() == nil
                if !overwrites, !wasCutOff { throw DatasetError.outputExists(path: output) }
                break
            }
            lines.append(row)
        }
        // Whole batches alone: what stands beside an answer shows in the last digits of its score.
        if lines.count < questions.count { lines.removeLast(lines.count % Self.batchSize) }
        if !lines.isEmpty { reporter.log(.info, "\(output) holds \(lines.count) of \(questions.count) questions; going on behind them.") }
        return lines
    }

    private func checkBest(_ best: String?, _ output: String) throws {
        guard let best else { return }
        if Path.absolute(best) == Path.absolute(output) {
            throw DatasetError.badSetting(argument: "best_output", reason: "it is the same file as output")
        }
        try RowTarget.check(best, argument: "best_output", sources: dataFiles + [output], overwrites: overwrites)
    }

    private var dataFiles: [String] {
        DatasetDirectory.files(of: configuration).map(\.path)
    }

    private func rows(
        _ questions: [Question], _ writer: AnswerWriter, _ scorer: AnswerScorer, _ tokenizer: Tokenizer
    ) throws -> [JSONObject] {
        let prompts = questions.flatMap { Array(repeating: $0.tokens, count: answerCount) }
        // A question's row and the answer's number alone decide what is drawn.
        let seeds = questions.flatMap { question in
            (0..<answerCount).map { number in
                var random = RandomGenerator(
                    seed: UInt64(bitPattern: Int64(configuration[.seed])), stream: UInt64(question.row) << 16 | UInt64(number))
                return random.next()
            }
        }
        let trajectories = zip(prompts, writer.answers(prompts, seeds: seeds)).map { Trajectory(prompt: $0, answer: $1) }
        let scores = try scorer.scores(trajectories)
        return questions.indices.map { index in
            let answers = (index * answerCount..<(index + 1) * answerCount).map { place -> JSONValue in
                ["text": .string(tokenizer.decode(trajectories[place].answer, skipSpecialTokens: true)), "score": .number(scores[place])]
            }
            return ["prompt": .string(questions[index].text), "answers": .array(answers)]
        }
    }

    private func finish(_ lines: [JSONObject], best: String?) throws -> (questions: Int, mean: Double, meanOfBest: Double) {
        var all: [Double] = [], highest: [Double] = [], rows: [String] = []
        for line in lines {
            let answers = (line["answers"]?.arrayValue ?? []).map { ($0["text"]?.stringValue ?? "", $0["score"]?.doubleValue ?? .nan) }
            all += answers.map { $0.1 }
            guard let top = answers.max(by: { $0.1 < $1.1 }) else { continue }
            highest.append(top.1)
            let row: JSONObject = ["instruction": line["prompt"] ?? "", "input": "", "output": .string(top.0)]
            rows.append(row.text(style: .python) + "\n")
        }
        if let best { try FileSystem.writeAtomically(best, text: rows.joined()) }
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }
        return (lines.count, mean(all), mean(highest))
    }
}
