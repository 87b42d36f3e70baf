/// `tuneboard data`: which datasets there are, and what a model makes of their rows.

import Configuration
import Datasets
import Generation
import Formats
import Platform
import Runs
import Tokenizers

enum DataCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        let configuration: Configuration
        do {
            configuration = try Configuration.load(file: invocation.recipe, overrides: invocation.overrides)
        } catch {
            for failure in error.failures { Output.message("error: \(failure)") }
            return ExitCode.usage
        }
        switch invocation.words.first ?? "list" {
        case "list":
            guard invocation.words.count <= 1 else { throw UsageError("the folder is given as --dataset_dir \(invocation.words[1])") }
            return try list(configuration, isJSON: invocation.isJSON)
        case "preview":
            guard invocation.words.count == 2 else { throw UsageError("which dataset? tuneboard data preview NAME") }
            return try preview(invocation, configuration)
        case "prefer":
            guard invocation.words.count == 2, let output = invocation.value("output") else {
                throw UsageError("data prefer takes one file of scored answers and --output: tuneboard data prefer SCORED.jsonl --output PAIRS.jsonl")
            }
            return try prefer(invocation, output)
        case "answer":
            guard invocation.words.count == 1, let output = invocation.value("output") else {
                throw UsageError(
                    "data answer takes a recipe and --output: tuneboard data answer RECIPE --reward_model DIR --answers N --output SCORED.jsonl")
            }
            return try answer(invocation, configuration, Path.expandingTilde(output))
        case let name where DataCleaning.names.contains(name):
            return try DataCleaning.run(name, invocation, configuration)
        default:
            throw UsageError("`\(invocation.words[0])` is none of list, preview, prefer, answer, \(DataCleaning.names.joined(separator: ", ")).")
        }
    }

    private static func list(_ configuration: Configuration, isJSON: Bool) throws -> Int32 {
        let datasets = try DatasetCatalog.list(directory: configuration[.datasetDir])
        if isJSON {
            for dataset in datasets { Output.print(JSONValue.object(object(dataset)).text(style: .python)) }
            return ExitCode.done
        }
        guard !datasets.isEmpty else { return try explainEmpty(configuration[.datasetDir]) }
        show(datasets)
        return ExitCode.done
    }

    /// The data sets that come with this program.
    private static let demoDirectory = "recipes/data"

    /// Where data are put, and what there is to try.
    private static func explainEmpty(_ directory: String) throws -> Int32 {
        let info = Path.join(directory, "dataset_info.json")
        Output.message(FileSystem.exists(info) ? "\(info) names no data set." : "There is no \(info).")
        Output.message(
            "Put files into \(directory)/ and name them there (the README shows how), or give another folder with --dataset_dir. "
                + "A single file needs no entry: --dataset my_rows.jsonl.")
        let demo = directory == demoDirectory ? [] : (try? DatasetCatalog.list(directory: demoDirectory)) ?? []
        guard !demo.isEmpty else { return ExitCode.done }
        Output.message("Those of the demo, with --dataset_dir \(demoDirectory):")
        show(demo)
        return ExitCode.done
    }

    private static func show(_ datasets: [DatasetSummary]) {
        var rows = [["NAME", "FORMAT", "ROWS", "SIZE", "COLUMNS"]]
        rows += datasets.map { dataset in
            [
                dataset.name, dataset.format.rawValue, (dataset.isEstimate ? "about " : "") + NumberText.grouped(dataset.rows),
                NumberText.bytes(dataset.bytes), dataset.problem.map { "! " + $0 } ?? dataset.columns.joined(separator: ", "),
            ]
        }
        for line in Columns.lines(rows) { Output.print(line) }
    }

    private static func preview(_ invocation: Invocation, _ configuration: Configuration) throws -> Int32 {
        let model = ModelLocation.folder(configuration.text("model_name_or_path"))
        guard !model.isEmpty else { throw UsageError("a model is needed to cut the text into tokens: --model_name_or_path DIR, or a recipe.") }
        let plain = try VocabularyChange(configuration).tokenizer(model)
        let template = try PromptTemplate.choose(configuration, tokenizer: plain)
        if let difference = template.differenceFromOwn(plain) { Output.message("note: \(difference)") }
        let loader = try DatasetLoader(
            configuration: configuration, tokenizer: template.prepare(plain).tokenizer, template: template)
        let first = try invocation.integer("from", default: 1)
        guard first >= 1 else { throw UsageError("--from is the number of a row, counted from 1, not \(first).") }
        var left = max(1, try invocation.integer("rows", default: 1))
        var row = first - 1
        while left > 0 {
            let preview = try loader.preview(dataset: invocation.words[1], row: row)
            if invocation.isJSON {
                Output.print(JSONValue.object(object(preview)).text(style: .python))
            } else {
                show(preview)
            }
            row += 1
            left -= 1
            if row >= preview.rowCount { break }
        }
        if !invocation.isJSON { try tellProblems(loader, invocation.words[1]) }
        return ExitCode.done
    }

    /// Rows that a training would leave out, also those that are not shown.
    private static func tellProblems(_ loader: DatasetLoader, _ name: String) throws {
        let (rows, isWhole, report) = try loader.problems(dataset: name)
        guard report.dropped > 0 else { return }
        let among = isWhole ? NumberText.grouped(rows) : "the first \(NumberText.grouped(rows))"
        Output.print("\(NumberText.grouped(report.dropped)) of \(among) rows cannot be used and would be left out:")
        for problem in report.problems.prefix(10) { Output.print("  \(problem)") }
        if report.dropped > 10 { Output.print("  and \(NumberText.grouped(report.dropped - 10)) more") }
    }

    /// Pairs of a best answer and a lower one, out of rows with scored answers.
    private static func prefer(_ invocation: Invocation, _ output: String) throws -> Int32 {
        var builder = PreferenceBuilder()
        builder.overwrites = invocation.has("overwrite")
        builder.seed = UInt64(bitPattern: Int64(try invocation.integer("pair_seed", default: 42)))
        if let margin = invocation.value("margin") {
            guard let value = Double(margin), value >= 0 else { throw UsageError("--margin is a number from 0, not \(margin).") }
            builder.margin = value
        }
        if let column = invocation.value("prompt_column") { builder.promptColumn = column }
        if let column = invocation.value("answers_column") { builder.answersColumn = column }
        if let key = invocation.value("text_key") { builder.textKey = key }
        if let key = invocation.value("score_key") { builder.scoreKey = key }
        let (pairs, problems) = try builder.run(from: Path.expandingTilde(invocation.words[1]), to: Path.expandingTilde(output))
        for problem in problems.prefix(10) { Output.message("left out: \(problem)") }
        let more = problems.count - 10
        if more > 0 { Output.message("left out: \(more) more \(more == 1 ? "row" : "rows")") }
        Output.print("\(pairs) \(pairs == 1 ? "pair" : "pairs") written to \(output)")
        return ExitCode.done
    }

    /// Several answers to each question, scored by a reward model.
    private static func answer(_ invocation: Invocation, _ configuration: Configuration, _ output: String) throws -> Int32 {
        let count = max(1, try invocation.integer("answers", default: 4))
        let best = invocation.value("best_output").map { Path.expandingTilde($0) }
        let result = try EngineJobs.sampleAnswers(
            configuration, count: count, output: output, best: best, overwrites: invocation.has("overwrite")
        ) { Output.message($0) }
        Output.print(
            "\(result.questions) questions with \(count) answers each in \(output), mean score \(NumberText.fixed(result.mean, digits: 4)), "
                + "of the best \(NumberText.fixed(result.meanOfBest, digits: 4))")
        return ExitCode.done
    }

    private static func show(_ preview: RowPreview) {
        Output.print("row \(preview.row + 1) of \(NumberText.grouped(preview.rowCount))")
        Output.print("raw     " + SafeText.filter(preview.raw))
        if let problem = preview.problem {
            Output.print("left out: \(problem)\n")
            return
        }
        let learnt = preview.tokens.filter(\.isLearnt).count
        Output.print("tokens  \(preview.tokens.count), \(learnt) with loss" + (preview.isTruncated ? ", cut at cutoff_len" : ""))
        let isPair = !preview.rejectedTokens.isEmpty
        Output.print((isPair ? "chosen  " : "prompt  ") + marked(preview.tokens))
        if isPair { Output.print("rejected " + marked(preview.rejectedTokens)) }
        Output.print("ids     " + preview.tokens.map { String($0.id) }.joined(separator: " ") + "\n")
    }

    /// The text with what is learnt in colour on a terminal, and between « and » elsewhere. Tokens are joined by runs, so that
    /// characters of several tokens stay whole.
    private static func marked(_ tokens: [RowPreview.Token]) -> String {
        let usesColor = Output.isOutputTerminal && !Environment.isOn("NO_COLOR")
        let (open, close) = usesColor ? ("\u{1b}[1;32m", "\u{1b}[0m") : ("«", "»")
        var text = ""
        var isOpen = false
        for token in tokens {
            if token.isLearnt != isOpen {
                text += isOpen ? close : open
                isOpen.toggle()
            }
            text += SafeText.filter(token.text)
        }
        return isOpen ? text + close : text
    }

    private static func object(_ dataset: DatasetSummary) -> JSONObject {
        JSONObject([
            ("name", .string(dataset.name)), ("format", .string(dataset.format.rawValue)),
            ("files", .array(dataset.files.map { .string($0) })), ("rows", .integer(Int64(dataset.rows))),
            ("rows_estimated", .bool(dataset.isEstimate)), ("bytes", .integer(dataset.bytes)),
            ("columns", .array(dataset.columns.map { .string($0) })), ("problem", dataset.problem.map { .string($0) } ?? .null),
        ])
    }

    private static func object(_ preview: RowPreview) -> JSONObject {
        JSONObject([
            ("row", .integer(Int64(preview.row) + 1)), ("rows", .integer(Int64(preview.rowCount))), ("raw", .string(preview.raw)),
            ("text", .string(preview.rendered)), ("ids", .array(preview.tokens.map { .integer(Int64($0.id)) })),
            ("labels", .array((preview.sample?.labels ?? []).map { .integer(Int64($0)) })),
            ("rejected_ids", .array(preview.rejectedTokens.map { .integer(Int64($0.id)) })), ("truncated", .bool(preview.isTruncated)),
            ("problem", preview.problem.map { .string($0) } ?? .null),
        ])
    }
}
