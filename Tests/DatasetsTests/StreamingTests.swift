import Configuration
import Formats
import Platform
import Testing
import Tokenizers

@testable import Datasets

/// Data that are read while they are used.
@Suite struct StreamingTests {
    private func stream(
        _ directory: String, _ settings: [String: String], batchSize: Int = 1, shuffles: Bool = true, dropsLast: Bool = false, seed: UInt64 = 7,
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> StreamedDatasets {
        var configuration = Configuration()
        try configuration.set("dataset_dir", text: directory)
        try configuration.set("streaming", text: "true")
        for (name, value) in settings { try configuration.set(name, text: value) }
        return try DatasetLoader(
            configuration: configuration, tokenizer: try Fixtures.tokenizer(), template: try .named("chatml"), log: log
        ).stream(batchSize: batchSize, shuffles: shuffles, dropsLast: dropsLast, seed: seed)
    }

    /// Rows whose answers are their numbers, and what a batch of them says.
    private static func rows(_ range: Range<Int>) -> String {
        range.map { #"{"instruction": "question \#($0)", "output": "\#($0)"}"# }.joined(separator: "\n")
    }

    private func numbers(_ batch: Batch) throws -> [Int] {
        let tokenizer = try Fixtures.tokenizer()
        return zip(batch.cumulativeLengths, batch.cumulativeLengths.dropFirst()).compactMap { start, end in
            let learnt = (Int(start)..<Int(end)).map { batch.targets[$0] }.filter { $0 != ignoredLabel }
            let text = tokenizer.decode(learnt, skipSpecialTokens: false)
            return Int(text.prefix { $0.isNumber })
        }
    }

    private func numbers(_ data: StreamedDatasets, _ range: Range<Int>) throws -> [Int] {
        try range.flatMap { try numbers(data.train.batch(index: $0)) }
    }

    @Test("Unshuffled, the rows come in the order of their files, whatever those are, and each pass begins anew")
    func keepsOrder() throws {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(Self.rows(0..<3), to: directory, "a.jsonl")
            let list = (3..<6).map { #"{"instruction": "q", "output": "\#($0)"}"# }.joined(separator: ",\n")
            _ = try Fixtures.write("[\(list)]", to: directory, "b.json")
            _ = try Fixtures.write("instruction,output\nq,6\n\"q,\nr\",7\n", to: directory, "c.csv")
            let data = try stream(directory, ["dataset": "a.jsonl,b.json,c.csv"], batchSize: 3, shuffles: false)
            #expect(try numbers(data, 0..<5) == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5])
            #expect(try data.train.batch(index: 2).sampleCount == 2)
            let full = try stream(directory, ["dataset": "a.jsonl,b.json,c.csv"], batchSize: 3, shuffles: false, dropsLast: true)
            #expect(try numbers(full, 0..<3) == [0, 1, 2, 3, 4, 5, 0, 1, 2])
        }
    }

    @Test("Rows that are left out are told by name up to five times, then by their number", arguments: ["val_size", "train"])
    func capsTheList(part: String) throws {
        try Fixtures.temporary { directory in
            let bad = (0..<9).map { "{\"instruction\": \"question \($0)\"}" }.joined(separator: "\n")
            let path = try Fixtures.write(Self.rows(0..<1) + "\n" + bad + "\n" + Self.rows(1..<4), to: directory, "a.jsonl")
            let lines = Mutex<[String]>([])
            let settings = part == "train" ? [:] : ["val_size": "10"]
            let data = try stream(directory, settings.merging(["dataset": "a.jsonl"]) { $1 }, shuffles: false) { line in lines.withLock { $0.append(line) } }
            if part == "train" { for batch in 0..<5 { _ = try data.train.batch(index: batch) } }
            let told = lines.withLock { $0 }.filter { $0.hasPrefix("Left out: ") }
            #expect(told.count == 6 && told.last == "Left out: 4 more rows", "\(told)")
            #expect(told.first == "Left out: \(path), line 2: the column \"output\" is missing")
        }
    }

    @Test("Of judged answers the row that cannot be used is named and left out, not the one behind it")
    func namesTheRightJudgedRow() throws {
        try Fixtures.temporary { directory in
            let rows = (0..<5).map { #"{"q": "question \#($0)", "a": "\#($0)", "liked": \#($0 % 2 == 0), "t": "\#($0 == 2 ? "no list of tools" : "")"}"# }
            _ = try Fixtures.write(rows.joined(separator: "\n"), to: directory, "p.jsonl")
            _ = try Fixtures.write(
                #"{"judged": {"file_name": "p.jsonl", "columns": {"prompt": "q", "response": "a", "kto_tag": "liked", "tools": "t"}}}"#,
                to: directory, "dataset_info.json")
            let lines = Mutex<[String]>([])
            let data = try stream(directory, ["stage": "kto", "dataset": "judged"], shuffles: false, log: { line in lines.withLock { $0.append(line) } })
            let batches = try (0..<3).map { try data.train.batch(index: $0) }
            let told = lines.withLock { $0 }.filter { $0.hasPrefix("Left out") }
            #expect(told.count == 1 && told.first?.contains("p.jsonl, line 3") == true, "\(told)")
            #expect(try batches.compactMap { try numbers($0).first } == [0, 1, 3])
        }
    }

    @Test("The buffer shuffles as IterableDataset's does: every row once in a pass, none before it is read, each pass in another order")
    func shuffles() throws {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(Self.rows(0..<60), to: directory, "a.jsonl")
            let settings = ["dataset": "a.jsonl", "buffer_size": "8"]
            let data = try stream(directory, settings, batchSize: 5)
            let first = try numbers(data, 0..<12), second = try numbers(data, 12..<24)
            #expect(first.sorted() == Array(0..<60) && second.sorted() == Array(0..<60))
            #expect(first != Array(0..<60) && first != second)
            // Row n is read when n - 7 rows are out at the earliest: nothing comes further in front than the buffer reaches.
            for (place, row) in first.enumerated() { #expect(row <= place + 8) }
            #expect(try numbers(try stream(directory, settings, batchSize: 5), 0..<12) == first)
            #expect(try numbers(try stream(directory, settings, batchSize: 5, seed: 8), 0..<12) != first)
            // A buffer as large as the data is a full shuffle.
            let whole = try numbers(try stream(directory, ["dataset": "a.jsonl"], batchSize: 5), 0..<12)
            #expect(whole.sorted() == Array(0..<60) && whole.prefix(10).contains { $0 > 20 })
        }
    }

    @Test("Any batch can be had again, and a stream goes on from what a checkpoint keeps", arguments: [
        ["stage": "sft"], ["stage": "sft", "packing": "true", "cutoff_len": "60"], ["stage": "pt", "cutoff_len": "37"],
        ["stage": "pt", "packing": "false"], ["stage": "dpo", "dataset": "pairs"], ["stage": "kto", "dataset": "judged"],
    ])
    func findsItsPlace(settings: [String: String]) throws {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(Self.rows(0..<23) + "\n{broken\n" + Self.rows(23..<31), to: directory, "a.jsonl")
            let pairs = (0..<23).map { #"{"q": "question \#($0)", "good": "yes \#($0)", "bad": "no", "liked": \#($0 % 3 == 0)}"# }
            _ = try Fixtures.write(pairs.joined(separator: "\n"), to: directory, "p.jsonl")
            _ = try Fixtures.write(
                #"""
                {"pairs": {"file_name": "p.jsonl", "ranking": true, "columns": {"prompt": "q", "chosen": "good", "rejected": "bad"}},
                 "judged": {"file_name": "p.jsonl", "columns": {"prompt": "q", "response": "good", "kto_tag": "liked"}}}
                """#, to: directory, "dataset_info.json")
            let settings = ["dataset": "a.jsonl", "buffer_size": "6"].merging(settings) { $1 }
            let whole = try stream(directory, settings, batchSize: 3).train
            let batches = try (0..<40).map { try whole.batch(index: $0) }
            #expect(Set(batches.map { "\($0.tokens)" }).count > 20)
            for index in [7, 0, 39, 12] {
                #expect(try whole.batch(index: index) == batches[index])
                // In front of every batch, at the end of passes too, a fresh stream takes up what a checkpoint kept.
            }
            _ = try whole.batch(index: 39)
            for index in 0..<40 {
                let fresh = try stream(directory, settings, batchSize: 3).train
                let memory = whole.memory(before: index)
                fresh.restore(try JSONValue.parse(JSONValue.object(memory).text(style: .compact)).objectValue ?? [:])
                #expect(fresh.memory(before: index) == memory && !memory.keys.isEmpty)
                #expect(try fresh.batch(index: index) == batches[index], "batch \(index)")
            }
        }
    }

    @Test("Blocks and packs of a stream hold what those of the whole file hold")
    func joins() throws {
        try Fixtures.temporary { directory in
            let texts = (0..<40).map { #"{"text": "document number \#($0)"}"# }.joined(separator: "\n")
            _ = try Fixtures.write(texts, to: directory, "t.jsonl")
            let tokenizer = try Fixtures.tokenizer()
            let all = (0..<40).flatMap { tokenizer.encode("document number \($0)<|end|>") }
            let blocks = try stream(directory, ["dataset": "t.jsonl", "stage": "pt", "cutoff_len": "64"], shuffles: false).train
            let joined = try (0..<all.count / 64).flatMap { try blocks.batch(index: $0).tokens }
            #expect(joined == Array(all.prefix(all.count / 64 * 64)))
            #expect(try blocks.batch(index: all.count / 64).tokens == Array(all.prefix(64)), "a pass begins with its first document")

            _ = try Fixtures.write(Self.rows(0..<30), to: directory, "a.jsonl")
            let packs = try stream(
                directory, ["dataset": "a.jsonl", "neat_packing": "true", "cutoff_len": "80"], batchSize: 2, shuffles: false)
            var seen: [Int] = []
            var index = 0
            while seen.count < 30 {
                let batch = try packs.train.batch(index: index)
                #expect(batch.tokens.count <= 160 && batch.sampleCount <= 2)
                if seen.count + 8 < 30 { #expect(batch.tokens.count > 100) }
                seen += try numbers(batch)
                index += 1
            }
            #expect(seen == Array(0..<30))
        }
    }

    @Test("Streams are mixed by strategy and probabilities like lists")
    func mixes() throws {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(Self.rows(0..<3), to: directory, "a.jsonl")
            _ = try Fixtures.write(Self.rows(10..<11), to: directory, "b.jsonl")
            for (strategy, expected) in [
                ("concat", [0, 1, 2, 10]), ("interleave_under", [0, 10]), ("interleave_over", [0, 10, 1, 10, 2, 10]), ("interleave_once", [0, 10, 1, 2]),
            ] {
                let data = try stream(directory, ["dataset": "a.jsonl,b.jsonl", "mix_strategy": strategy], shuffles: false)
                #expect(try numbers(data, 0..<expected.count + 1) == expected + [0], "\(strategy)")
            }
            let settings = ["dataset": "a.jsonl,b.jsonl", "mix_strategy": "interleave_over", "interleave_probs": "0.9,0.1"]
            let drawn = try numbers(try stream(directory, settings, shuffles: false), 0..<40)
            #expect(drawn.filter { $0 < 10 }.count > 25 && drawn.contains(10))
        }
    }

    @Test("A row that cannot be used is named with its line, once, and the others train")
    func namesBadRows() throws {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(Self.rows(0..<2) + "\n{\"instruction\": 3}\n" + Self.rows(2..<4), to: directory, "a.jsonl")
            let lines = Mutex<[String]>([])
            let data = try stream(directory, ["dataset": "a.jsonl"], shuffles: false) { line in lines.withLock { $0.append(line) } }
            #expect(try numbers(data, 0..<8) == [0, 1, 2, 3, 0, 1, 2, 3])
            let told = lines.withLock { $0 }
            #expect(told.count == 1 && told[0].contains("a.jsonl, line 3: "))
            let (report, batches) = try data.train.survey(batches: 100)
            #expect(report.samples == 4 && report.dropped == 1 && report.lossTokens > 0 && batches.count == 6)
        }
    }

    @Test("Rows held back for evaluation are never trained on")
    func holdsBack() throws {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(Self.rows(0..<20), to: directory, "a.jsonl")
            let data = try stream(directory, ["dataset": "a.jsonl", "val_size": "4", "buffer_size": "10"])
            let store = try #require(data.evaluation.first?.store)
            let held = try numbers(store.batch(units: Array(0..<store.unitCount)))
            #expect(held.count == 4 && data.evaluationReport.samples == 4)
            let trained = try numbers(data, 0..<32)
            #expect(Set(trained).isDisjoint(with: held) && Set(trained).count == 16)
        }
    }

    @Test("What a stream cannot do is refused with the reason")
    func refuses() throws {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(Self.rows(0..<4), to: directory, "a.jsonl")
            _ = try Fixtures.write("{\"x\": 1}\n{\"x\": 2}", to: directory, "bad.jsonl")
            _ = try Fixtures.write("PAR1", to: directory, "p.parquet")
            func sentence(_ settings: [String: String], batchSize: Int = 1, dropsLast: Bool = false) -> String {
                do {
                    _ = try stream(directory, settings, batchSize: batchSize, dropsLast: dropsLast).train.batch(index: 0)
                    return "no error"
                } catch { return "\(error)" }
            }
            #expect(sentence(["dataset": "a.jsonl@0.5"]).contains("nobody knows how many"))
            #expect(sentence(["dataset": "a.jsonl", "tokenized_path": "x"]).contains("tokenized_path"))
            #expect(sentence(["dataset": "bad.jsonl"]).contains("None of the 2 rows"))
            #expect(sentence(["dataset": "a.jsonl"], batchSize: 9, dropsLast: true).contains("fills no batch of 9"))
            let parquet = sentence(["dataset": "p.parquet"])
            #expect(parquet.contains("p.jsonl") && parquet.contains("read_parquet") && parquet.contains("duckdb"))
        }
    }
}
