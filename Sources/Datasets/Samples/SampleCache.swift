import Formats
import Platform

/// Tokenised samples on disk: data and index grow by appending; a small state file says how much of them is valid and which row
/// comes next, so that an interrupted run goes on where it stopped. Nothing counts as finished before the state says so.
struct SampleCache {
    struct State {
        var rowsDone = 0
        var samples = 0
        var dataBytes: Int64 = 0
        var isComplete = false
        var report = DatasetReport()
    }

    let directory: String
    /// Names the content: data files, template, tokenizer and settings.
    let key: String

    private var dataPath: String { Path.join(directory, key + ".bin") }
    private var indexPath: String { Path.join(directory, key + ".idx") }
    private var statePath: String { Path.join(directory, key + ".json") }
    private static let entryBytes = 16
    static let version = 1

    /// What is there already; nil when there is nothing to go on with.
    func load() -> State? {
        guard let value = try? JSONValue.read(file: statePath), value["version"]?.intValue == SampleCache.version,
            value["key"]?.stringValue == key, let rows = value["rows_done"]?.intValue, let samples = value["samples"]?.intValue,
            let bytes = value["data_bytes"]?.intValue, rows >= 0, samples >= 0, bytes >= 0,
            let dataSize = try? FileSystem.size(dataPath), let indexSize = try? FileSystem.size(indexPath),
            dataSize >= Int64(bytes), indexSize / Int64(SampleCache.entryBytes) >= Int64(samples)
        else { return nil }
        var state = State(rowsDone: rows, samples: samples, dataBytes: Int64(bytes))
        state.isComplete = value["complete"]?.boolValue ?? false
        state.report = SampleCache.report(value["report"] ?? .null)
        return state
    }

    /// The finished store.
    func open(_ state: State, arrangement: SampleStore.Arrangement = .single) throws(DatasetError) -> SampleStore {
        let index: MappedFile
        let data: MappedFile
        do {
            index = try MappedFile(path: indexPath)
            data = try MappedFile(path: dataPath)
        } catch {
            throw .badCache(path: directory, reason: error.description)
        }
        var entries: [SampleStore.Entry] = []
        entries.reserveCapacity(state.samples)
        for number in 0..<state.samples {
            let place = number * SampleCache.entryBytes
            guard place + SampleCache.entryBytes <= index.count else {
                throw .badCache(path: directory, reason: "the index is shorter than its state says")
            }
            let offset = index.bytes.loadUnaligned(fromByteOffset: place, as: Int64.self)
            let length = index.bytes.loadUnaligned(fromByteOffset: place + 8, as: Int32.self)
            let flags = index.bytes.loadUnaligned(fromByteOffset: place + 12, as: Int32.self)
            let parts: Int64 = flags & SampleStore.Entry.labelsEqualTokens != 0 ? 1 : 2
            guard length > 0 else { throw .badCache(path: directory, reason: "sample \(number) has \(length) tokens") }
            let end = offset.addingReportingOverflow(Int64(length) * parts)
            guard offset >= 0, !end.overflow, end.partialValue <= Int64(data.count) / 4 else {
                throw .badCache(path: directory, reason: "sample \(number) lies outside the data")
            }
            entries.append(SampleStore.Entry(offset: offset, length: length, flags: flags))
        }
        return SampleStore(entries: entries, memory: [], mapping: data, arrangement: arrangement)
    }

    func remove() {
        for path in [statePath, dataPath, indexPath] { try? FileSystem.remove(path) }
    }

    /// Appends samples; they count once `commit` has written the state.
    func append(_ data: SampleData, after state: State) throws(DatasetError) {
        var index: [UInt8] = []
        index.reserveCapacity(data.entries.count * SampleCache.entryBytes)
        let base = state.dataBytes / 4
        for entry in data.entries {
            withUnsafeBytes(of: (entry.offset + base).littleEndian) { index.append(contentsOf: $0) }
            withUnsafeBytes(of: entry.length.littleEndian) { index.append(contentsOf: $0) }
            withUnsafeBytes(of: entry.flags.littleEndian) { index.append(contentsOf: $0) }
        }
        do {
            try SampleCache.write(data.values.withUnsafeBytes { Array($0) }, to: dataPath, at: state.dataBytes)
            try SampleCache.write(index, to: indexPath, at: Int64(state.samples * SampleCache.entryBytes))
        } catch {
            throw .cannotWriteCache(path: directory, reason: error.description)
        }
    }

    private static func write(_ bytes: [UInt8], to path: String, at offset: Int64) throws(PlatformError) {
        try PositionedFile.write(bytes, to: path, at: offset)
    }

    func commit(_ state: State) throws(DatasetError) {
        let object: JSONObject = [
            "version": .integer(SampleCache.version), "key": .string(key), "rows_done": .integer(state.rowsDone),
            "samples": .integer(state.samples), "data_bytes": .integer(state.dataBytes), "complete": .bool(state.isComplete),
            "report": SampleCache.json(state.report),
        ]
        do { try FileSystem.writeAtomically(statePath, text: object.text(style: .indented(2)) + "\n") } catch {
            throw .cannotWriteCache(path: directory, reason: error.description)
        }
    }

    // MARK: The report as JSON

    private static func json(_ report: DatasetReport) -> JSONValue {
        let parts = report.parts.map { part -> JSONValue in
            [
                "name": .string(part.name), "rows": .integer(part.rowsRead), "kept": .integer(part.kept),
                "truncated": .integer(part.truncated), "dropped": .integer(part.dropped),
            ]
        }
        let problems = report.problems.map { problem -> JSONValue in
            ["file": .string(problem.file), "row": .integer(problem.row ?? 0), "line": .integer(problem.line), "reason": .string(problem.reason)]
        }
        return [
            "parts": .array(parts), "problems": .array(problems), "samples": .integer(report.samples), "tokens": .integer(report.tokens),
            "loss_tokens": .integer(report.lossTokens), "truncated": .integer(report.truncated), "dropped": .integer(report.dropped),
            "fully_masked": .integer(report.fullyMasked), "longest": .integer(report.longest),
            "tail_tokens": .integer(report.droppedTailTokens),
        ]
    }

    private static func report(_ value: JSONValue) -> DatasetReport {
        var report = DatasetReport()
        func number(_ value: JSONValue, _ key: String) -> Int { max(0, min(value[key]?.intValue ?? 0, 1 << 53)) }
        for part in value["parts"]?.arrayValue ?? [] {
            var read = DatasetReport.Part(name: part["name"]?.stringValue ?? "")
            read.rowsRead = number(part, "rows")
            read.kept = number(part, "kept")
            read.truncated = number(part, "truncated")
            read.dropped = number(part, "dropped")
            report.parts.append(read)
        }
        for problem in value["problems"]?.arrayValue ?? [] {
            report.problems.append(
                RowProblem(
                    file: problem["file"]?.stringValue ?? "", row: number(problem, "row"), line: number(problem, "line"),
                    reason: problem["reason"]?.stringValue ?? ""))
        }
        report.samples = number(value, "samples")
        report.tokens = number(value, "tokens")
        report.lossTokens = number(value, "loss_tokens")
        report.truncated = number(value, "truncated")
        report.dropped = number(value, "dropped")
        report.fullyMasked = number(value, "fully_masked")
        report.longest = number(value, "longest")
        report.droppedTailTokens = number(value, "tail_tokens")
        return report
    }
}
