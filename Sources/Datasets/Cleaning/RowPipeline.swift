import Formats
import Platform

/// What becomes of a row.
enum RowVerdict: Sendable {
    case keep
    /// Another row takes its place.
    case change(JSONValue)
    case drop(rule: String, reason: String)
}

/// What a pass over rows did: how many each rule took, with examples.
public struct RowReport: Sendable, Equatable {
    public struct Taken: Sendable, Equatable {
        public var rule: String
        public var count: Int
        /// "a.jsonl, row 3 (line 3): it has 2 words: {"text": ...".
        public var examples: [String]
    }

    public var read = 0
    public var kept = 0
    /// Of those kept.
    public var changed = 0
    public var taken: [Taken] = []
    /// Sentences about what was not looked at.
    public var notes: [String] = []

    static let exampleCount = 3

    mutating func take(_ rule: String, _ example: @autoclosure () -> String) {
        let place = taken.firstIndex { $0.rule == rule } ?? taken.count
        if place == taken.count { taken.append(Taken(rule: rule, count: 0, examples: [])) }
        taken[place].count += 1
        if taken[place].examples.count < Self.exampleCount { taken[place].examples.append(example()) }
    }
}

/// Rows of files through a judgement into another file, some thousands at a time: what is looked at of each row is made by several
/// threads, judged and written in order. Memory does not grow with the files.
struct RowPipeline<Facts: Sendable> {
    /// A row that could be read, with what was looked at.
    struct Row: Sendable {
        /// Among all rows read, from 1.
        var number: Int
        var value: JSONValue
        var facts: Facts
    }

    let sources: [String]
    /// Nil looks and writes nothing.
    let output: String?
    var overwrites = false
    /// Files besides the sources that must stay as they are.
    var spared: [String] = []
    let threads: Int
    let progress: (Int) -> Void
    /// Runs on several threads.
    let look: @Sendable (JSONValue) throws(RowFault) -> Facts
    /// Verdicts for rows that follow each other.
    let judge: ([Row]) throws -> [RowVerdict]

    private struct Place {
        var file: RowFile
        var span: RowSpan
        /// In its file, from 1.
        var number: Int
    }

    private enum Outcome: Sendable {
        case row(Row)
        case fault(String)
    }

    /// Rows and bytes of a portion; it ends with the row that reaches either.
    private static var portion: Int { 4096 }
    private static var portionBytes: Int { 32 << 20 }

    func run() throws -> RowReport {
        var files: [RowFile] = []
        for path in sources { files.append(try RowFile(path: path, limit: 0)) }
        let writer = try output.map { try RowWriter(path: $0, sources: sources + spared, overwrites: overwrites) }
        var report = RowReport()
        for file in files {
            var scanner = try file.scanner()
            var places: [Place] = [], number = 0, bytes = 0
            repeat {
                places.removeAll(keepingCapacity: true)
                bytes = 0
                while places.count < Self.portion, bytes < Self.portionBytes, let span = try scanner.next() {
                    number += 1
                    bytes += span.end - span.start
                    places.append(Place(file: file, span: span, number: number))
                }
                try run(places, writer, &report)
                progress(report.read)
            } while !places.isEmpty
        }
        try writer?.finish()
        return report
    }

    private func run(_ places: [Place], _ writer: RowWriter?, _ report: inout RowReport) throws {
        let spans = places.map(\.span), file = places.first?.file
        let look = look, before = report.read
        let outcomes: [Outcome] = concurrentMap(places.count, threads: threads, name: "rows") { index in
            guard let file else { return .fault("") }
            let value: JSONValue
            do throws(JSONError) { value = try file.value(spans[index]) } catch { return .fault(error.description) }
            do throws(RowFault) { return .row(Row(number: before + index + 1, value: value, facts: try look(value))) } catch { return .fault(error.reason) }
        }
        let rows = outcomes.compactMap { if case .row(let row) = $0 { row } else { nil } }
        var verdicts = try judge(rows)[...]
        for (place, outcome) in zip(places, outcomes) {
            report.read += 1
            switch outcome {
            case .fault(let reason): take("unreadable", reason, place, &report)
            case .row(let row): try finish(row, verdicts.popFirst() ?? .keep, place, writer, &report)
            }
        }
    }

    private func finish(_ row: Row, _ verdict: RowVerdict, _ place: Place, _ writer: RowWriter?, _ report: inout RowReport) throws {
        switch verdict {
        case .drop(let rule, let reason): return take(rule, reason, place, &report)
        case .change(let value):
            report.changed += 1
            try writer?.write(value)
        case .keep:
            if let writer {
                let source = place.file.json(place.span)
                // A row over several lines would not be one line of the new file.
                if let source, !source.contains(0x0A) { try writer.write(source: source) } else { try writer.write(row.value) }
            }
        }
        report.kept += 1
    }

    private func take(_ rule: String, _ reason: String, _ place: Place, _ report: inout RowReport) {
        report.take(
            rule, RowProblem(file: place.file.path, row: place.number, line: place.span.line, reason: reason).description + ": "
                + place.file.excerpt(place.span))
    }
}
