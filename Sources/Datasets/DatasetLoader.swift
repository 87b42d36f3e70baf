import Configuration
import Formats
import Platform
import Tokenizers

/// The samples of a run.
public struct LoadedDatasets: Sendable {
    public var train: SampleStore
    /// Evaluation sets; the name is nil when there is one for all.
    public var evaluation: [(name: String?, store: SampleStore)]
    public var report: DatasetReport
    /// Of the evaluation sets together.
    public var evaluationReport: DatasetReport
}

/// Reads the data sets that a configuration names.
///
///     let loader = try DatasetLoader(configuration: configuration, tokenizer: tokenizer, template: template) { log($0) }
///     let data = try loader.load()
public struct DatasetLoader: Sendable {
    let configuration: Configuration
    let tokenizer: Tokenizer
    let template: PromptTemplate
    let log: @Sendable (String) -> Void
    let progress: @Sendable (_ phase: String, _ completed: Int, _ total: Int) -> Void
    let directory: DatasetDirectory
    let sampleBuilder: SampleBuilder

    /// Files smaller than this together are tokenised into memory: that is quicker than keeping them.
    static let cachedBytes = 8 << 20

    /// - Parameter template: `prepare` should have been called on the tokenizer with it.
    public init(
        configuration: Configuration, tokenizer: Tokenizer, template: PromptTemplate,
        progress: @escaping @Sendable (_ phase: String, _ completed: Int, _ total: Int) -> Void = { _, _, _ in },
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(DatasetError) {
        self.configuration = configuration
        self.tokenizer = tokenizer
        let configured: PromptTemplate
        do { configured = try template.configured(by: configuration) } catch { throw .template(error.description) }
        self.template = configured
        self.log = log
        self.progress = progress
        directory = try DatasetDirectory(path: configuration[.datasetDir])
        let cutoff = configuration[.cutoffLen]
        if cutoff < 1 { throw .badSetting(argument: "cutoff_len", reason: "it is \(cutoff), expected at least 1 token") }
        if configuration[.trainOnPrompt], configuration[.maskHistory] {
            throw .badSetting(argument: "mask_history", reason: "it contradicts train_on_prompt; choose one of the two")
        }
        if configuration[.trainOnPrompt], template.efficientEOS {
            throw .badSetting(argument: "train_on_prompt", reason: "the template \(template.name) cannot learn prompts")
        }
        sampleBuilder = SampleBuilder(
            tokenizer: tokenizer, template: configured,
            settings: SampleSettings(
                cutoffLength: cutoff, trainsOnPrompt: configuration[.trainOnPrompt], masksHistory: configuration[.maskHistory]))
    }

    var seed: UInt64 { UInt64(bitPattern: Int64(configuration[.seed])) }
    private var isPretraining: Bool { configuration[.stage] == "pt" }

    // MARK: Loading

    /// Training and evaluation samples.
    public func load() throws(DatasetError) -> LoadedDatasets {
        let names = configuration[.dataset]
        if names.isEmpty { throw .noDataset(argument: "dataset") }
        let valSize = configuration[.valSize]
        let evaluationNames = configuration[.evalDataset]
        if !evaluationNames.isEmpty, valSize > 1e-6 {
            throw .badSetting(argument: "val_size", reason: "it cannot be given together with eval_dataset")
        }
        let sets = try open(names)
        var rows = try mixed(sets)
        var held: [RowReference] = []
        if valSize > 1e-6 { (rows, held) = try RowSelection.split(rows, size: valSize, seed: seed) }
        let (store, report) = try tokenise(sets, rows, label: names.joined(separator: ", "), part: "train")
        var evaluation: [(name: String?, store: SampleStore)] = []
        var evaluationReport = DatasetReport()
        if !held.isEmpty {
            let (store, report) = try tokenise(sets, held, label: "the part held back", part: "val")
            evaluation = [(nil, store)]
            evaluationReport = report
        } else if !evaluationNames.isEmpty {
            (evaluation, evaluationReport) = try loadEvaluation(evaluationNames)
        }
        return LoadedDatasets(train: store, evaluation: evaluation, report: report, evaluationReport: evaluationReport)
    }

    /// Samples to measure the loss on, for runs that only evaluate: `eval_dataset`, or `dataset` when there is none.
    public func loadForEvaluation() throws(DatasetError) -> (sets: [(name: String?, store: SampleStore)], report: DatasetReport) {
        let names = configuration[.evalDataset].isEmpty ? configuration[.dataset] : configuration[.evalDataset]
        if names.isEmpty { throw .noDataset(argument: "eval_dataset") }
        return try loadEvaluation(names)
    }

    func loadEvaluation(
        _ names: [String]
    ) throws(DatasetError) -> (sets: [(name: String?, store: SampleStore)], report: DatasetReport) {
        var result: [(name: String?, store: SampleStore)] = []
        var report = DatasetReport()
        if configuration[.evalOnEachDataset] {
            for name in names {
                let sets = try open([name])
                let (store, part) = try tokenise(sets, try mixed(sets), label: name, part: "eval")
                result.append((name, store))
                report.merge(part)
            }
        } else {
            let sets = try open(names)
            let (store, part) = try tokenise(sets, try mixed(sets), label: names.joined(separator: ", "), part: "eval")
            result.append((nil, store))
            report.merge(part)
        }
        return (result, report)
    }

    /// Prompts and expected answers, for generating and scoring.
    public func loadPredictionRows() throws(DatasetError) -> (rows: [PredictionRow], report: DatasetReport) {
        let names = configuration[.evalDataset].isEmpty ? configuration[.dataset] : configuration[.evalDataset]
        if names.isEmpty { throw .noDataset(argument: "eval_dataset") }
        let sets = try open(names)
        var report = DatasetReport(parts: sets.map { DatasetReport.Part(name: $0.entry.name) })
        var result: [PredictionRow] = []
        for reference in try mixed(sets) {
            let set = sets[reference.dataset]
            report.parts[reference.dataset].rowsRead += 1
            do throws(RowFault) {
                if set.entry.format == .tokenised { throw RowFault("it holds token ids: there is no prompt to answer") }
                let row = try sampleBuilder.prediction(try set.converter.conversation(try set.value(reference.row)), row: reference.row)
                report.parts[reference.dataset].kept += 1
                report.samples += 1
                report.tokens += row.promptTokens.count + row.labelTokens.count
                report.lossTokens += row.labelTokens.count
                report.longest = max(report.longest, row.promptTokens.count)
                result.append(row)
            } catch {
                report.parts[reference.dataset].dropped += 1
                report.add(set.problem(reference.row, error.reason))
            }
        }
        if result.isEmpty {
            throw .nothingUsable(
                dataset: names.joined(separator: ", "), rows: report.parts.reduce(0) { $0 + $1.rowsRead }, problems: report.problems)
        }
        return (result, report)
    }

    func open(_ names: [String]) throws(DatasetError) -> [DatasetRows] {
        var result: [DatasetRows] = []
        for name in names {
            let entry = try StageRows(stage: configuration[.stage]).suited(try directory.entry(name))
            let rows = try DatasetRows(entry)
            if rows.count == 0 { throw .nothingUsable(dataset: name, rows: 0, problems: []) }
            log("Data set \(name): \(NumberText.grouped(rows.count)) rows, \(entry.format.rawValue)")
            result.append(rows)
        }
        return result
    }

    func mixed(_ sets: [DatasetRows]) throws(DatasetError) -> [RowReference] {
        let lists = sets.enumerated().map { RowSelection.rows($0, $1, maximum: configuration[.maxSamples], seed: seed) }
        return try RowSelection.mix(lists, strategy: try mixStrategy(), probabilities: try mixWeights(setCount: sets.count), seed: seed)
    }

    func mixStrategy() throws(DatasetError) -> RowSelection.Strategy {
        guard let strategy = RowSelection.Strategy(rawValue: configuration[.mixStrategy]) else {
            throw .badSetting(argument: "mix_strategy", reason: "\"\(configuration[.mixStrategy])\" is not known")
        }
        return strategy
    }

    func mixWeights(setCount: Int) throws(DatasetError) -> [Double]? {
        let given = configuration[.interleaveProbs]
        guard !given.isEmpty, try mixStrategy() != .concat else { return nil }
        if given.count != setCount {
            throw .badSetting(argument: "interleave_probs", reason: "it has \(given.count) numbers for \(setCount) data sets")
        }
        if given.contains(where: { !($0 >= 0) }) || !(given.reduce(0, +) > 0) {
            throw .badSetting(argument: "interleave_probs", reason: "the numbers must not be negative, and not all 0")
        }
        return given
    }

    // MARK: Tokenising

    var kind: Tokenisation.Kind {
        switch configuration[.stage] {
        case "rm", "dpo": return .pairs
        case "kto": return .feedback
        case "ppo": return .prompts
        case "pt": break
        default: return .supervised
        }
        return configuration[.packing] ?? true ? .blocks(startsWithBOS: tokenizer.addsBOS) : .documents(startsWithBOS: tokenizer.addsBOS)
    }

    private func tokenise(
        _ sets: [DatasetRows], _ rows: [RowReference], label: String, part: String
    ) throws(DatasetError) -> (store: SampleStore, report: DatasetReport) {
        let wanted = configuration[.threads]
        let progress = self.progress
        let work = Tokenisation(
            sets: sets, builder: sampleBuilder, kind: kind, threads: wanted > 0 ? wanted : SystemInfo.cpuCount,
            progress: { progress("tokenise", $0, $1) })
        var (store, report) = try runCached(work, sets, rows, part)
        if report.samples == 0 { throw .nothingUsable(dataset: label, rows: rows.count, problems: report.problems) }
        if kind == .feedback, part == "train" { try checkClasses(store, label, sets) }
        if kind == .supervised, configuration[.packing] ?? false || configuration[.neatPacking] {
            store = store.packed(capacity: configuration[.cutoffLen])
            log("\(label): \(store.count) samples packed into \(store.unitCount) sequences")
        }
        tell(report, of: label)
        return (store, report)
    }

    /// What became of the rows, and which of them were left out: the first by name, the others by their number.
    func tell(_ report: DatasetReport, of label: String) {
        log("\(label): \(report.summary)")
        for problem in report.problems.prefix(DatasetReport.toldLimit) { log("Left out: \(problem)") }
        if let rest = report.untold { log(rest) }
    }

    private func checkClasses(_ store: SampleStore, _ label: String, _ sets: [DatasetRows]) throws(DatasetError) {
        let wanted = (0..<store.unitCount).count { store.isDesirable($0) }
        guard wanted == 0 || wanted == store.unitCount else { return }
        throw .oneClass(dataset: label, wanted: wanted, unwanted: store.unitCount - wanted, column: sets.first?.entry.ktoTag ?? "kto_tag")
    }

    /// Through the cache on disk where it pays; a cache that cannot be written costs a line in the log, not the run.
    private func runCached(
        _ work: Tokenisation, _ sets: [DatasetRows], _ rows: [RowReference], _ part: String
    ) throws(DatasetError) -> (store: SampleStore, report: DatasetReport) {
        let given = configuration[.tokenizedPath]
        let bytes = sets.reduce(0) { $0 + $1.byteCount }
        guard given != nil || bytes >= DatasetLoader.cachedBytes else { return try work.run(rows, cache: nil) }
        let folder = given ?? DatasetLoader.cacheDirectory(configuration[.cacheDir])
        let cache = SampleCache(directory: folder, key: part + "-" + cacheKey(sets, rows))
        if configuration[.overwriteCache] { cache.remove() }
        do {
            return try work.run(rows, cache: cache)
        } catch {
            switch error {
            case .cannotWriteCache where given == nil:
                log("\(error) The data are tokenised into memory.")
                return try work.run(rows, cache: nil)
            case .badCache:
                log("\(error)")
                cache.remove()
                return try work.run(rows, cache: cache)
            default: throw error
            }
        }
    }

    private static func cacheDirectory(_ configured: String?) -> String {
        if let configured, !configured.isEmpty { return Path.join(configured, "tokenised") }
        let base = Environment.value("XDG_CACHE_HOME") ?? Path.join(FileSystem.homeDirectory, ".cache")
        return Path.join(base, "tuneboard", "tokenised")
    }

    /// A name that changes with anything that the samples depend on.
    private func cacheKey(_ sets: [DatasetRows], _ rows: [RowReference]) -> String {
        var hash = StableHash()
        hash.combine(SampleCache.version)
        for set in sets {
            hash.combine("\(set.entry)")
            for file in set.entry.files { hash.combine(DatasetLoader.identity(file)) }
        }
        for reference in rows {
            hash.combine(reference.dataset)
            hash.combine(reference.row)
        }
        for name in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"] {
            hash.combine(DatasetLoader.identity(Path.join(tokenizer.directory, name)))
        }
        hash.combine(tokenizer.eosToken ?? "")
        if tokenizer.splitsSpecialTokens { hash.combine("split special tokens") }
        hash.combine(template.fingerprint)
        hash.combine("\(kind)")
        hash.combine("\(sampleBuilder.settings)")
        return hash.text
    }

    private static func identity(_ path: String) -> String {
        let size = (try? FileSystem.size(path)) ?? -1
        return "\(path) \(size) \(FileSystem.modificationTime(path) ?? 0)"
    }
}
