/// What the catalog needs of a trainer_log.jsonl or a trainer_state.json, without reading all of it.

import Events
import Formats
import Platform

/// The newest step, the lowest training loss and the best evaluation of a trainer_log.jsonl.
struct TrainerLogEnd: Sendable {
    private(set) var lastStep: StepMetrics?
    private(set) var lastLoss: Double?
    private(set) var lowestLoss: Double?
    private(set) var bestEvaluationLoss: Double?
    private(set) var modificationTime = 0.0

    /// The best is looked for in this much of the file's end.
    private static let searchedBytes = 8 << 20

    init(path: String) {
        guard let time = FileSystem.modificationTime(path) else { return }
        modificationTime = time
        var file = GrowingFile(path: path, tailBytes: Self.searchedBytes)
        var last: [[UInt8]] = []
        var best: Double?
        var lowest: Double?
        _ = file.readLines(limit: Self.searchedBytes + 1) { line in
            if last.count == 64 { last.removeFirst(32) }
            last.append(Array(line))
            switch TrainerLogScanner.event(line) {
            case .evaluation(let metrics): if let loss = metrics.loss, loss.isFinite { best = min(best ?? loss, loss) }
            case .step(let metrics): if let loss = metrics.loss, loss.isFinite { lowest = min(lowest ?? loss, loss) }
            default: break
            }
        }
        lowestLoss = lowest
        bestEvaluationLoss = best
        for line in last.reversed() where lastStep == nil || lastLoss == nil {
            guard case .step(let metrics)? = TrainerLog.event(line: String(decoding: line, as: UTF8.self)) else { continue }
            if lastStep == nil { lastStep = metrics }
            lastLoss = metrics.loss
        }
    }
}

/// Remembers what was read of each log as long as its file stays the same, so that a list of runs can be refreshed often.
public final class TrainerLogCache: Sendable {
    private let entries = Mutex<[String: (identity: String, end: TrainerLogEnd)]>([:])

    public init() {}

    func end(of path: String) -> TrainerLogEnd {
        guard let identity = FileSystem.identity(path) else { return TrainerLogEnd(path: path) }
        if let entry = entries.withLock({ $0[path] }), entry.identity == identity { return entry.end }
        let end = TrainerLogEnd(path: path)
        entries.withLock { $0[path] = (identity, end) }
        return end
    }
}

/// The few numbers of a trainer_state.json. Its log history can be megabytes long; files beyond a bound are not read.
struct TrainerStateHead {
    private(set) var step = 0
    private(set) var totalSteps = 0
    private(set) var epoch = 0.0
    private(set) var bestMetric: Double?

    private static let largestFile: Int64 = 16 << 20

    init(path: String) {
        guard let size = try? FileSystem.size(path), size <= Self.largestFile, let text = try? FileSystem.readText(path),
            let object = (try? JSONValue.parse(text, name: "trainer_state.json"))?.objectValue
        else { return }
        step = object["global_step"]?.intValue ?? 0
        totalSteps = object["max_steps"]?.intValue ?? 0
        epoch = object["epoch"]?.doubleValue ?? 0
        bestMetric = object["best_metric"]?.doubleValue
    }
}
