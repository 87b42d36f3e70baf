import Configuration
import Formats
import Platform
import Testing

@testable import Datasets

/// Rows that are there already, rows that evaluation data have, other formats, and files cut in two.
@Suite struct DeduplicationTests {
    private static func row(_ text: String) -> String { JSONValue.object(["text": .string(text)]).text(style: .python) }

    private func deduplicate(_ texts: [String], _ set: (inout RowDeduplicator) -> Void = { _ in }) throws -> (report: RowReport, kept: [String]) {
        try Fixtures.temporary { directory in
            let source = try Fixtures.write(texts.map(Self.row).joined(separator: "\n"), to: directory, "a.jsonl")
            var worker = RowDeduplicator(sources: [source])
            set(&worker)
            let target = Path.join(directory, "b.jsonl")
            let report = try worker.run(output: target)
            let kept = try FileSystem.readText(target).split(separator: "\n").map { try JSONValue.parse(String($0))["text"]?.stringValue ?? "" }
            return (report, kept)
        }
    }

    /// The rows that stay, by their places.
    private func kept(_ rows: [String], columns: [String] = [], near: Bool = false) throws -> [Int] {
        try Fixtures.temporary { directory in
            let source = try Fixtures.write(rows.joined(separator: "\n"), to: directory, "a.jsonl")
            var worker = RowDeduplicator(sources: [source])
            worker.columns = columns
            worker.similarity = near ? 0.8 : nil
            let target = Path.join(directory, "b.jsonl")
            _ = try worker.run(output: target)
            return try FileSystem.readText(target).split(separator: "\n").compactMap { rows.firstIndex(of: String($0)) }
        }
    }

    @Test("Rows that differ anywhere are not the same, and reasons name rows that stayed")
    func exactValues() throws {
        #expect(try kept([#"{"input_ids": [1, 2]}"#, #"{"input_ids": [1, 3]}"#, #"{"input_ids": [1,2]}"#]) == [0, 1])
        #expect(try kept([#"{"a": "x\ny"}"#, #"{"a": "x", "b": "y"}"#, #"{"a": ["x", "y"]}"#, #"{"a": "xy"}"#]) == [0, 1, 2, 3])
        #expect(try kept([#"{"q": "x", "n": 1}"#, #"{"q": "x", "n": 1.0}"#, #"{"q": "x", "n": "1"}"#, #"{"n": 1, "q": "x"}"#]) == [0, 1, 2])
        #expect(try kept([#"{"a": null}"#, #"{"a": false}"#, #"{"a": []}"#, #"{"a": {}}"#, #"{"a": ""}"#, #"{"a": 0}"#, "[]"]) == [0, 1, 2, 3, 4, 5, 6])
        #expect(try kept([#"{"q": "x", "kto_tag": true}"#, #"{"q": "x", "kto_tag": false}"#]) == [0, 1])
        let picture = "what is it that can be seen in the picture above"
        let pictures = ["a.png", "b.png", "a.png"].map { #"{"q": "\#(picture)", "images": ["\#($0)"]}"# }
        #expect(try kept(pictures) == [0, 1])
        #expect(try kept(pictures, near: true) == [0, 1])
        #expect(try kept([#"{"id": 1, "q": "x"}"#, #"{"id": 2, "q": "x"}"#, #"{"id": 3}"#, #"{"id": 4}"#], columns: ["q"]) == [0, 2, 3])
        let typo = #expect(throws: DatasetError.self) { try kept([#"{"id": 1, "q": "x"}"#], columns: ["text"]) }
        #expect(typo?.description.contains("\"text\"; the rows have id, q") == true)
        let texts = ["one two three four five six seven eight nine ten", "ONE two three four five six seven eight nine ten", "ONE two three four five six seven eight nine ten"]
        let (report, _) = try deduplicate(texts) { $0.similarity = 0.8 }
        #expect(report.taken.map(\.rule) == ["near"] && report.taken[0].examples.allSatisfy { $0.contains("the same as row 1:") })
    }

    @Test("Sentences end where lines end, however those end, and only at whole characters")
    func sentenceEnds() {
        let line = "one two three four five"
        #expect(RowDeduplicator.sentences(line + "\r\n" + line).map(\.hash) == RowDeduplicator.sentences(line + "\n" + line).map(\.hash))
        #expect(RowDeduplicator.sentences(line + "\r\n" + line).count == 2)
        #expect(RowDeduplicator.sentences("今天天气很好，我们走。今天天气很好、我们走？今天天气很好！我们走走走走；").map(\.words) == [9, 9, 6, 6])
    }

    @Test("Files that are read are not written over, and short evaluation rows are told, not called nothing")
    func sparesEvaluation() throws {
        try Fixtures.temporary { directory in
            let source = try Fixtures.write(Self.row("a"), to: directory, "a.jsonl"), short = Self.row("too short")
            let test = try Fixtures.write(short, to: directory, "test.jsonl")
            var worker = RowDeduplicator(sources: [source])
            worker.evaluationFiles = [test]
            let failure = #expect(throws: DatasetError.self) { try worker.run(output: nil) }
            #expect(failure?.description.contains("all 1 rows of \(test) have fewer than 6 words") == true)
            _ = try Fixtures.write(short + "\n" + Self.row("one two three four five six"), to: directory, "test.jsonl")
            #expect(try worker.run(output: nil).notes == ["1 evaluation row has fewer than 6 words and was not looked for"])
            worker.overwrites = true
            let refused = #expect(throws: DatasetError.self) { try worker.run(output: test) }
            #expect(refused?.description.contains("never overwritten") == true)
            #expect(try FileSystem.readText(test).contains("too short"))
        }
    }

    /// Sentences of words that no two share by chance.
    private static func words(_ count: Int, _ random: inout RandomGenerator) -> [String] { (0..<count).map { _ in "w\(random.index(below: 100_000))" } }

    @Test("Of rows that are the same the first stays")
    func exact() throws {
        let (report, kept) = try deduplicate(["a b", "c", "a b", "a  b", "c"])
        #expect(kept == ["a b", "c", "a  b"])
        #expect(report.taken.map(\.rule) == ["exact"] && report.taken[0].count == 2 && report.taken[0].examples[0].contains("the same as row 1"))
    }

    @Test("A row of sentences that were there goes by its share of them, in Chinese too")
    func sentences() throws {
        let texts = [
            "The first sentence has seven words here. A second one follows right behind it.",
            "The first sentence has seven words here! Nothing else of this text was ever seen before by anybody.",
            "A SECOND one follows right behind it. The first sentence has seven words here.",
            "今天天气真的非常好。我们一起去公园散步吧。", "我们一起去公园散步吧！今天天气真的非常好！", "短。短。",
        ]
        let (report, kept) = try deduplicate(texts) { worker in
            worker.isExact = false
            worker.sentenceShare = 0.8
        }
        #expect(kept == [texts[0], texts[1], texts[3], texts[5]])
        #expect(report.taken.map(\.rule) == ["sentences"] && report.taken[0].count == 2)
    }

    @Test("Estimated similarity is near the true share of stretches, and bands fit their threshold", arguments: [0.5, 0.7, 0.8, 0.9])
    func estimates(threshold: Double) {
        let hash = MinHash(threshold: threshold)
        #expect(hash.bandCount * hash.rowsPerBand <= MinHash.permutations)
        var random = RandomGenerator(seed: 3)
        var errors: [Double] = []
        for round in 0..<40 {
            let base = Self.words(200, &random)
            var other = base
            for place in 0..<round { other[place * 5] = "changed\(place)" }
            let a = TextMeasure(base.joined(separator: " ")), b = TextMeasure(other.joined(separator: " "))
            let first = Set(a.stretches(MinHash.stretch)), second = Set(b.stretches(MinHash.stretch))
            let true_ = Double(first.intersection(second).count) / Double(first.union(second).count)
            guard let x = hash.signature(a), let y = hash.signature(b) else { return #expect(Bool(false)) }
            errors.append(MinHash.similarity(x.bytes[...], y.bytes[...]) - true_)
            if true_ > threshold + 0.2 { #expect(!Set(x.bands).isDisjoint(with: y.bands), "\(true_) was missed") }
        }
        // The deviation of a mean of 128 draws is at most 0.045.
        #expect(errors.allSatisfy { abs($0) < 0.18 })
        #expect(abs(errors.reduce(0, +)) / 40 < 0.02)
    }

    @Test("Nearly equal rows are found among many, and rows that only resemble each other stay")
    func near() throws {
        var random = RandomGenerator(seed: 8)
        var texts = (0..<300).map { _ in Self.words(60, &random).joined(separator: " ") }
        var copy = texts[17].split(separator: " ").map(String.init)
        copy[30] = "other"
        texts.append(copy.joined(separator: " "))
        var half = texts[40].split(separator: " ").map(String.init)
        for place in stride(from: 0, to: 60, by: 4) { half[place] = "x\(place)" }
        texts.append(half.joined(separator: " "))
        texts.append("中文" + String(repeating: "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳", count: 1))
        texts.append("中文" + String(repeating: "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调羊", count: 1))
        let (report, kept) = try deduplicate(texts) { $0.similarity = 0.7 }
        #expect(report.taken.map(\.rule) == ["near"] && report.taken[0].count == 2)
        #expect(report.taken[0].examples[0].contains("the same as row 18"))
        #expect(kept == Array(texts[..<300]) + [texts[301], texts[302]])
    }

    @Test("Rows that share a stretch of words with evaluation data go, and so do those that hold a short evaluation row")
    func evaluation() throws {
        try Fixtures.temporary { directory in
            let long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
            let file = try Fixtures.write([Self.row(long), Self.row("中国的首都是哪里")].joined(separator: "\n"), to: directory, "eval.jsonl")
            let texts = [
                "before " + long.uppercased() + " behind", "one two three four five six seven eight nine ten eleven twelve and something else",
                "请问中国的首都是哪里？", "中国的首都很大",
            ]
            let (report, kept) = try deduplicate(texts) { $0.evaluationFiles = [file] }
            #expect(kept == [texts[1], texts[3]])
            #expect(report.taken.map(\.rule) == ["evaluation"] && report.taken[0].count == 2)
        }
    }

    // MARK: Conversion

    private func convert(_ rows: [String], to target: FormatConversion.Target, info: String? = nil) throws -> (report: RowReport, rows: [JSONValue], entry: JSONObject) {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(rows.joined(separator: "\n"), to: directory, "a.jsonl")
            if let info { _ = try Fixtures.write(info, to: directory, "dataset_info.json") }
            let conversion = try FormatConversion(source: info == nil ? "a.jsonl" : "named", directory: directory, target: target)
            let output = Path.join(directory, "b.jsonl")
            let report = try conversion.run(output: output)
            return (report, try FileSystem.readText(output).split(separator: "\n").map { try JSONValue.parse(String($0)) }, conversion.description(of: output))
        }
    }

    @Test("Conversations go from one format to another and back and stay what they were", arguments: FormatConversion.Target.allCases)
    func convertsAround(target: FormatConversion.Target) throws {
        let rows = [
            #"{"instruction": "Add", "input": "1 and 2", "output": "3", "system": "You count.", "history": [["hi", "hello"]]}"#,
            #"{"instruction": "再见", "input": "", "output": "再见！"}"#,
        ]
        let there = try convert(rows, to: target)
        #expect(there.report.kept == 2 && there.entry["columns"] != nil)
        let back = try convert(there.rows.map { $0.text(style: .python) }, to: .alpaca)
        let first: JSONValue = ["instruction": "Add\n1 and 2", "input": "", "output": "3", "system": "You count.", "history": [["hi", "hello"]]]
        #expect(back.rows == [first, ["instruction": "再见", "input": "", "output": "再见！", "system": "", "history": []]])
    }

    @Test("The entry for dataset_info.json makes a run read the converted file as it read the source", arguments: FormatConversion.Target.allCases)
    func describes(target: FormatConversion.Target) throws {
        try Fixtures.temporary { directory in
            let rows = [
                #"{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}"#,
                #"{"messages": [{"role": "user", "content": "v"}, {"role": "assistant", "content": "b"}]}"#,
            ]
            _ = try Fixtures.write(rows.joined(separator: "\n"), to: directory, "a.jsonl")
            let conversion = try FormatConversion(source: "a.jsonl", directory: directory, target: target)
            _ = try conversion.run(output: Path.join(directory, "b.jsonl"))
            let info: JSONValue = ["new": .object(conversion.description(of: "b.jsonl"))]
            _ = try Fixtures.write(info.text(), to: directory, "dataset_info.json")
            func conversations(_ name: String) throws -> [Conversation] {
                let found = try DatasetRows(try DatasetDirectory(path: directory).entry(name))
                return try (0..<found.count).map { try found.converter.conversation(try found.value($0)) }
            }
            #expect(try conversations("a.jsonl") == conversations("new"))
        }
    }

    @Test("A row without an answer is named, not written as one that nobody can read; columns of the entry stand in every row")
    func refusesWithoutAnswer() throws {
        let rows = [
            #"{"instruction": "a", "output": null, "system": "s", "tools": "[]"}"#, #"{"instruction": "b", "output": "c", "system": "s", "tools": "[]"}"#,
            #"{"instruction": "d", "output": "e"}"#,
        ]
        for target in FormatConversion.Target.allCases {
            let (report, written, entry) = try convert(rows, to: target)
            #expect(report.kept == 2 && report.changed == 0 && report.taken.first?.examples.first?.contains("it has no answer") == true)
            for (_, column) in entry["columns"]?.objectValue ?? [:] {
                #expect(written.allSatisfy { $0[column.stringValue ?? ""] != nil }, "\(column)")
            }
        }
    }

    @Test("Pairs and judged answers keep both answers and their judgement; tool calls have no place in alpaca rows and are named")
    func convertsPreferences() throws {
        let pair = try convert([#"{"instruction": "q", "chosen": "good", "rejected": "bad"}"#], to: .sharegpt)
        #expect(pair.rows == [["conversations": [["from": "human", "value": "q"]], "chosen": ["from": "gpt", "value": "good"], "rejected": ["from": "gpt", "value": "bad"]]])
        #expect(pair.entry["ranking"] == true)
        let judged = try convert([#"{"instruction": "q", "completion": "a", "kto_tag": true}"#], to: .openai)
        #expect(judged.rows == [["messages": [["role": "user", "content": "q"], ["role": "assistant", "content": "a"]], "kto_tag": true]])
        let calls = #"{"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": "{}"}]}"#
        let refused = try convert([calls, #"{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}"#], to: .alpaca)
        #expect(refused.report.kept == 1 && refused.report.taken[0].examples[0].contains("calls tools"))
    }

    // MARK: Splitting

    @Test("A split holds back the rows that val_size holds back with the same seed, and keeps the order and the bytes", arguments: [(0.25, 10), (7, 7)])
    func splits(size: Double, held: Int) throws {
        try Fixtures.temporary { directory in
            let rows = (0..<40).map { #"{"n":   \#($0)}"# }
            let source = try Fixtures.write(rows.joined(separator: "\n"), to: directory, "a.jsonl")
            var split = FileSplit(source: source, size: size)
            split.seed = 9
            let (train, val) = (Path.join(directory, "t.jsonl"), Path.join(directory, "v.jsonl"))
            #expect(try split.run(train: train, held: val) == (40 - held, held))
            let references = (0..<40).map { RowReference(dataset: 0, row: $0) }
            let wanted = Set(try RowSelection.split(references, size: size, seed: 9).held.map(\.row))
            func lines(_ path: String) throws -> [String] { try FileSystem.readText(path).split(separator: "\n").map(String.init) }
            #expect(try lines(val) == rows.indices.filter(wanted.contains).map { rows[$0] })
            #expect(try lines(train) == rows.indices.filter { !wanted.contains($0) }.map { rows[$0] })
            #expect(throws: DatasetError.self) { try split.run(train: source, held: val) }
            #expect(throws: DatasetError.self) { try split.run(train: val, held: val) }
            #expect(throws: DatasetError.outputExists(path: train)) { try split.run(train: train, held: val) }
            split.overwrites = true
            split.size = 40
            #expect(throws: DatasetError.self) { try split.run(train: train, held: val) }
        }
    }
}
