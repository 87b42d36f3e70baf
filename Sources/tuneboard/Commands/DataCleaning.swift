/// `tuneboard data clean | dedup | convert | split`: rows of files into new files, with a report of what became of them.

import Configuration
import Datasets
import Formats
import Platform
import Runs

enum DataCleaning {
    static let names = ["clean", "dedup", "convert", "split"]

    static let usage = [
        "clean FILE... --output CLEAN.jsonl [RULES] [--mask KINDS] [--dry_run]",
        "dedup FILE... --output UNIQUE.jsonl [--by exact,sentences,near] [--against FILE] [--dry_run]",
        "convert NAME --to alpaca|sharegpt|openai --output ROWS.jsonl", "split FILE --val_size X --output TRAIN.jsonl --held_output VAL.jsonl",
    ]

    static let details = """
        `clean` leaves out rows by the rules given and masks personal data; `dedup` leaves out rows that are there already, or that overlap
        with the evaluation rows of --against; the first of several alike stays. `convert` writes rows in another format, `split` holds rows
        back as val_size does. Files are JSON, JSONL, CSV or text and may be larger than memory; the output is a new file, and the report says
        how many rows each rule took, with examples. --dry_run only reports.
        """

    static let options =
        [
            OptionRow("dry_run", nil, "clean, dedup, convert: report, and write nothing"),
            OptionRow("overwrite", nil, "clean, dedup, convert, split, prefer, answer: replace an output that exists; files that are read never are"),
            OptionRow("columns", "A,B,...", "clean, dedup: the columns that count (all)"),
        ]
        + CleaningRule.all.map { OptionRow($0.name, $0.value, "clean: " + $0.help) } + [
            OptionRow("mask", "KINDS", "clean: mask \(PersonalDatum.allCases.map { "\($0.rawValue) (\($0.what))" }.joined(separator: ", ")); or all"),
            OptionRow("by", "WAYS", "dedup: exact (all values are the same), sentences, near (texts), with commas between them (exact,near)"),
            OptionRow("similarity", "X", "dedup: near are rows that share so much of their stretches of five words (0.8)"),
            OptionRow("sentence_share", "X", "dedup: rows go when so much of them is sentences of earlier rows (0.8)"),
            OptionRow("against", "FILE", "dedup: rows go that overlap with this file's; may be repeated"),
            OptionRow("overlap_words", "N", "dedup: an overlap is so many words in a row (13)"),
            OptionRow("to", "FORMAT", "convert: alpaca, sharegpt or openai"),
            OptionRow("held_output", "FILE", "split: where the rows held back go"),
            OptionRow("split_seed", "N", "split: which rows are held back; as seed of a run (42)"),
        ]

    static func run(_ name: String, _ invocation: Invocation, _ configuration: Configuration) throws -> Int32 {
        let sources = invocation.words.dropFirst().map { Path.expandingTilde($0) }
        guard !sources.isEmpty else { throw UsageError("which file? tuneboard data \(usage.first { $0.hasPrefix(name) } ?? name)") }
        switch name {
        case "clean": return try clean(Array(sources), invocation, configuration)
        case "dedup": return try deduplicate(Array(sources), invocation, configuration)
        case "convert": return try convert(Array(sources), invocation, configuration)
        default: return try split(Array(sources), invocation, configuration)
        }
    }

    /// Where rows go; nil for a dry run.
    private static func output(_ invocation: Invocation) throws -> String? {
        if invocation.has("dry_run") { return nil }
        guard let output = invocation.value("output") else {
            throw UsageError("where do the rows go? --output FILE.jsonl, or --dry_run to see the report alone.")
        }
        return Path.expandingTilde(output)
    }

    private static func list(_ invocation: Invocation, _ option: String) -> [String] {
        invocation.values(option).flatMap { $0.split(separator: ",").map(String.init) }
    }

    private static func number(_ invocation: Invocation, _ option: String, default fallback: Double) throws -> Double {
        guard let text = invocation.value(option) else { return fallback }
        guard let number = Double(text), number.isFinite else { throw UsageError("--\(option) takes a number, not `\(text)`.") }
        return number
    }

    private static func threads(_ configuration: Configuration) -> Int {
        configuration[.threads] > 0 ? configuration[.threads] : SystemInfo.cpuCount
    }

    // MARK: Commands

    private static func clean(_ sources: [String], _ invocation: Invocation, _ configuration: Configuration) throws -> Int32 {
        let output = try output(invocation)
        var cleaner = RowCleaner(sources: sources)
        cleaner.columns = list(invocation, "columns")
        cleaner.overwrites = invocation.has("overwrite")
        cleaner.threads = threads(configuration)
        cleaner.rules = CleaningRule.all.compactMap { rule in invocation.value(rule.name).map { (rule.name, $0) } }
        for name in list(invocation, "mask") {
            if name == "all" {
                cleaner.masks = Set(PersonalDatum.allCases)
            } else if let datum = PersonalDatum(rawValue: name) {
                cleaner.masks.insert(datum)
            } else {
                throw UsageError("--mask \(name) is none of \(PersonalDatum.allCases.map(\.rawValue).joined(separator: ", ")), all.")
            }
        }
        if cleaner.rules.isEmpty, cleaner.masks.isEmpty {
            throw UsageError("no rule is given: \(CleaningRule.all.map { "--" + $0.name }.joined(separator: ", ")) or --mask.")
        }
        if invocation.value(CleaningRule.perplexity) != nil {
            guard configuration[.modelNameOrPath] != nil else { throw UsageError("--max_perplexity needs a model: --model_name_or_path DIR.") }
            cleaner.perplexities = try EngineJobs.perplexities(configuration) { Output.message($0) }
        }
        return try report(invocation, output) { line in
            cleaner.progress = line
            return try cleaner.run(output: output)
        }
    }

    private static func deduplicate(_ sources: [String], _ invocation: Invocation, _ configuration: Configuration) throws -> Int32 {
        let output = try output(invocation)
        let ways = invocation.value("by") == nil ? ["exact", "near"] : list(invocation, "by")
        if let unknown = ways.first(where: { !["exact", "sentences", "near"].contains($0) }) {
            throw UsageError("--by \(unknown) is none of exact, sentences, near.")
        }
        var worker = RowDeduplicator(sources: sources)
        worker.columns = list(invocation, "columns")
        worker.overwrites = invocation.has("overwrite")
        worker.threads = threads(configuration)
        worker.isExact = ways.contains("exact")
        if ways.contains("sentences") { worker.sentenceShare = try number(invocation, "sentence_share", default: 0.8) }
        if ways.contains("near") { worker.similarity = try number(invocation, "similarity", default: 0.8) }
        worker.evaluationFiles = invocation.values("against").map { Path.expandingTilde($0) }
        worker.overlapWords = try invocation.integer("overlap_words", default: 13)
        return try report(invocation, output) { line in
            worker.progress = line
            return try worker.run(output: output)
        }
    }

    private static func convert(_ sources: [String], _ invocation: Invocation, _ configuration: Configuration) throws -> Int32 {
        guard sources.count == 1, let target = invocation.value("to").flatMap(FormatConversion.Target.init) else {
            throw UsageError("tuneboard data convert NAME --to alpaca|sharegpt|openai --output ROWS.jsonl")
        }
        let output = try output(invocation)
        var conversion = try FormatConversion(source: sources[0], directory: configuration[.datasetDir], target: target)
        conversion.overwrites = invocation.has("overwrite")
        conversion.threads = threads(configuration)
        let code = try report(invocation, output) { line in
            conversion.progress = line
            return try conversion.run(output: output)
        }
        if let output, !invocation.isJSON {
            Output.print("for dataset_info.json: \"\(Path.stem(output))\": " + conversion.description(of: output).text(style: .python))
        }
        return code
    }

    private static func split(_ sources: [String], _ invocation: Invocation, _ configuration: Configuration) throws -> Int32 {
        // val_size is an argument of jobs too, and read as one.
        guard sources.count == 1, let output = invocation.value("output"), let held = invocation.value("held_output"), configuration.isSet("val_size") else {
            throw UsageError("tuneboard data split FILE --val_size X --output TRAIN.jsonl --held_output VAL.jsonl")
        }
        var splitting = FileSplit(source: sources[0], size: configuration[.valSize])
        splitting.overwrites = invocation.has("overwrite")
        splitting.seed = UInt64(try invocation.integer("split_seed", default: 42))
        let (train, heldCount) = try splitting.run(train: Path.expandingTilde(output), held: Path.expandingTilde(held))
        if invocation.isJSON {
            Output.print(JSONObject([("train", .integer(train)), ("held", .integer(heldCount))]).text(style: .python))
        } else {
            Output.print("\(NumberText.grouped(train)) rows in \(output), \(NumberText.grouped(heldCount)) held back in \(held)")
        }
        return ExitCode.done
    }

    // MARK: The report

    private static func report(_ invocation: Invocation, _ output: String?, _ work: (@escaping (Int) -> Void) throws -> RowReport) throws -> Int32 {
        let start = Clock.monotonicSeconds()
        var told = start
        let report = try work { rows in
            let now = Clock.monotonicSeconds()
            guard Output.isMessageTerminal, now - told > 0.5 else { return }
            told = now
            Output.message("\r\(NumberText.grouped(rows)) rows", terminator: "")
        }
        if Output.isMessageTerminal, told > start { Output.message("\r", terminator: "") }
        if invocation.isJSON {
            Output.print(json(report, output).text(style: .python))
            return ExitCode.done
        }
        for taken in report.taken {
            Output.print("\(taken.rule): \(NumberText.grouped(taken.count)) left out")
            for example in taken.examples { Output.print("  " + SafeText.filter(example)) }
        }
        for note in report.notes { Output.print("note: " + SafeText.filter(note)) }
        let seconds = Clock.monotonicSeconds() - start
        let changed = report.changed > 0 ? ", \(NumberText.grouped(report.changed)) of them changed" : ""
        let place = output.map { "in \($0)" } ?? "and nothing written (dry run)"
        Output.print(
            "\(NumberText.grouped(report.read)) rows read, \(NumberText.grouped(report.kept)) kept\(changed), \(place), in \(NumberText.duration(seconds))")
        return ExitCode.done
    }

    private static func json(_ report: RowReport, _ output: String?) -> JSONObject {
        let taken = report.taken.map { taken -> JSONValue in
            ["rule": .string(taken.rule), "rows": .integer(taken.count), "examples": .array(taken.examples.map { .string($0) })]
        }
        return JSONObject([
            ("read", .integer(report.read)), ("kept", .integer(report.kept)), ("changed", .integer(report.changed)), ("taken", .array(taken)),
            ("notes", .array(report.notes.map { .string($0) })),
            ("output", output.map { .string($0) } ?? .null),
        ])
    }
}
