import Configuration
import Formats
import Platform
import Testing
import Tokenizers

@testable import Datasets

@Suite struct DatasetLoaderTests {
    private func loader(_ directory: String, _ settings: [String: String]) throws -> DatasetLoader {
        var configuration = Configuration()
        try configuration.set("dataset_dir", text: directory)
        for (name, value) in settings { try configuration.set(name, text: value) }
        return try DatasetLoader(configuration: configuration, tokenizer: try Fixtures.tokenizer(), template: try .named("chatml"))
    }

    private static let alpaca = #"""
        [
          {"instruction": "Say hi", "input": "", "output": "Hi!"},
          {"instruction": "Add", "input": "1 2", "output": "3"},
          {"instruction": "No answer here", "input": ""},
          {"instruction": 5, "output": "x"}
        ]
        """#

    @Test("Alpaca rows become samples; rows without their columns are named with file, row, line and reason")
    func readsAlpaca() throws {
        try Fixtures.temporary { directory in
            let path = try Fixtures.write(Self.alpaca, to: directory, "a.json")
            _ = try Fixtures.write(#"{"toy": {"file_name": "a.json"}}"#, to: directory, "dataset_info.json")
            let data = try loader(directory, ["dataset": "toy"]).load()
            #expect(data.train.count == 2 && data.report.samples == 2 && data.report.dropped == 2)
            #expect(
                data.report.problems == [
                    RowProblem(file: path, row: 3, line: 4, reason: "the column \"output\" is missing"),
                    RowProblem(file: path, row: 4, line: 5, reason: "the column \"instruction\" is an integer, expected a string"),
                ])
            let tokenizer = try Fixtures.tokenizer()
            #expect(
                tokenizer.decode(data.train[1].tokens, skipSpecialTokens: false)
                    == "<|im_start|>user\nAdd\n1 2<|im_end|>\n<|im_start|>assistant\n3<|im_end|>\n")
            let learnt = data.train[1].labels.filter { $0 != ignoredLabel }
            #expect(tokenizer.decode(learnt, skipSpecialTokens: false) == "3<|im_end|>\n")
        }
    }

    @Test("A part of a data set is taken by name@part, and parts above 1 repeat rows")
    func takesShares() throws {
        try Fixtures.temporary { directory in
            let lines = (0..<10).map { "{\"instruction\": \"q\($0)\", \"output\": \"a\($0)\"}" }.joined(separator: "\n")
            _ = try Fixtures.write(lines, to: directory, "t.jsonl")
            _ = try Fixtures.write(#"{"toy": {"file_name": "t.jsonl"}, "odd@2": {"file_name": "t.jsonl"}}"#, to: directory, "dataset_info.json")
            func count(_ names: String) throws -> Int { try loader(directory, ["dataset": names]).load().train.count }
            #expect(try count("toy@0.35") == 3)
            #expect(try count("toy@0.5,t.jsonl@1.5") == 20)
            #expect(try count("odd@2") == 10)
            #expect(throws: DatasetError.self) { try count("toy@-1") }
            _ = try Fixtures.write(
                #"{"more": {"file_name": "t.jsonl", "num_samples": 12}, "most": {"file_name": "t.jsonl", "num_samples": 4611686018427387904}}"#,
                to: directory, "dataset_info.json")
            #expect(try count("more") == 12)
            let failure = #expect(throws: DatasetError.self) { try count("most") }
            #expect(failure?.description.contains("num_samples is 4611686018427387904, expected at most 100000000") == true)
            #expect(throws: DatasetError.self) { try count("toy@0") }
        }
    }

    @Test("Answers with the same text, and a file that is not there, are told in words of their own")
    func namesWhatPrefersNothing() throws {
        let row: JSONValue = ["prompt": "p", "answers": [["text": "a", "score": 1], ["text": "a", "score": 9]]]
        let failure = #expect(throws: DatasetError.self) { try PreferenceBuilder().pair(row, row: 0) }
        #expect(failure?.description.contains("all 2 answers have the same text") == true)
        let missing = #expect(throws: DatasetError.self) { try PreferenceBuilder().run(from: "/no/such.jsonl", to: "/no/pairs.jsonl") }
        #expect(missing?.description == "/no/such.jsonl cannot be read: there is no such file or directory.")
    }

    @Test("Pairs are the best answer against a lower one that the seed draws; rows without one are named")
    func buildsPreferences() throws {
        try Fixtures.temporary { directory in
            let rows = [
                #"{"prompt": "p", "answers": [{"text": "a", "score": 1}, {"text": "b", "score": 9.5}, {"text": "c", "score": 3}, {"text": "d", "score": 9}]}"#,
                #"{"prompt": "q", "answers": [{"text": "a", "score": 1}, {"text": "b", "score": 1}]}"#,
                #"{"prompt": "r", "answers": [{"text": "a", "score": "high"}]}"#,
            ]
            let source = try Fixtures.write(rows.joined(separator: "\n"), to: directory, "scored.jsonl")
            let target = Path.join(directory, "pairs.jsonl")
            var drawn: Set<String> = []
            for seed in 0..<40 {
                var builder = PreferenceBuilder()
                builder.seed = UInt64(seed)
                builder.margin = 1
                var worker = builder
                worker.overwrites = true
                let (pairs, problems) = try worker.run(from: source, to: target)
                #expect(pairs == 1 && problems.map(\.row) == [2, 3])
                let pair = try JSONValue.parse(try FileSystem.readText(target))
                #expect(pair["chosen"]?.stringValue == "b")
                drawn.insert(pair["rejected"]?.stringValue ?? "")
                #expect(try builder.pair(try JSONValue.parse(rows[0]), row: 0)["rejected"] == pair["rejected"])
            }
            #expect(drawn == ["a", "c"])
        }
    }

    @Test("Scored answers that give no pair say what was expected, what was found and what to do")
    func saysWhatIsWrongWithScores() throws {
        let cases: [(row: String, reason: String)] = [
            (#"["p"]"#, "it is a list, expected an object with a prompt and its answers"),
            (#"{"question": "p", "answers": []}"#, #""prompt" is missing, found "question", "answers"; name the right one with --prompt_column"#),
            (#"{"prompt": 3, "answers": []}"#, #""prompt" is an integer, expected a string"#),
            (#"{"prompt": "p"}"#, #""answers" is missing, found "prompt"; name the right one with --answers_column"#),
            (#"{"prompt": "p", "answers": []}"#, #"the column "answers" is empty, expected at least two answers"#),
            (#"{"prompt": "p", "answers": ["a"]}"#, "answer 1: it is a string, expected an object with a text and a score"),
            (
                #"{"prompt": "p", "answers": [{"text": "a", "rating": 1}]}"#,
                #"answer 1: "score" is missing, found "text", "rating"; name the right one with --score_key"#
            ),
            (#"{"prompt": "p", "answers": [{"text": "a", "score": "high"}]}"#, #"answer 1: "score" is a string, expected a number"#),
            (#"{"prompt": "p", "answers": [{"text": "a", "score": 1}]}"#, "it has one answer, expected at least two"),
            (
                #"{"prompt": "p", "answers": [{"text": "a", "score": 1}, {"text": "b", "score": 1}]}"#,
                "all 2 answers score 1: none is the better one"
            ),
            (
                #"{"prompt": "p", "answers": [{"text": "a", "score": 1}, {"text": "b", "score": 1.5}]}"#,
                "the best answer scores 1.5 and the next 1, expected 1 or more between them; lower --margin"
            ),
        ]
        var builder = PreferenceBuilder()
        builder.margin = 1
        for (row, reason) in cases {
            #expect(throws: DatasetError.badFile(sentence: reason)) { try builder.pair(try JSONValue.parse(row), row: 0) }
        }
    }

    @Test("All rows that cannot be used are found, also those that a preview does not show")
    func findsProblems() throws {
        try Fixtures.temporary { directory in
            let good = #"{"instruction": "q", "output": "a"}"#
            let path = try Fixtures.write([good, good, "{\"instruction\": \"q\"}", good].joined(separator: "\n"), to: directory, "x.jsonl")
            let (rows, isWhole, report) = try loader(directory, ["dataset": path]).problems(dataset: path)
            #expect(try !loader(directory, ["dataset": path]).problems(dataset: path, rows: 3).isWhole)
            #expect(rows == 4 && isWhole && report.problems.map(\.description) == ["\(path), row 3 (line 3): the column \"output\" is missing"])
            let preview = try loader(directory, ["dataset": path]).preview(dataset: path, row: 2)
            #expect(preview.problem == report.problems.first?.description)
        }
    }

    @Test("Bare files are understood by their columns")
    func guessesFormats() throws {
        try Fixtures.temporary { directory in
            let rows = [
                ("a.jsonl", #"{"instruction": "q", "output": "a"}"#),
                ("b.jsonl", #"{"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}"#),
                ("c.jsonl", #"{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}"#),
                ("d.csv", "prompt,response\n\"q\",\"a\"\n"), ("e.json", #"[{"question": "q", "answer": "a"}]"#),
            ]
            let tokenizer = try Fixtures.tokenizer()
            for (name, text) in rows {
                let path = try Fixtures.write(text, to: directory, name)
                let data = try loader(directory, ["dataset": path]).load()
                let rendered = tokenizer.decode(data.train[0].tokens, skipSpecialTokens: false)
                let system = name == "b.jsonl" || name == "c.jsonl" ? "<|im_start|>system\ns<|im_end|>\n" : ""
                #expect(rendered == system + "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n", "\(name)")
            }
            let path = try Fixtures.write(#"{"input_ids": [1, 2, 3], "labels": [-100, 2, 3]}"# + "\n", to: directory, "ids.jsonl")
            #expect(try loader(directory, ["dataset": path]).load().train[0] == TrainingSample(tokens: [1, 2, 3], labels: [-100, 2, 3]))
        }
    }

    @Test("Tool calls of OpenAI messages arrive as calls, several results as one observation")
    func readsToolCalls() throws {
        var entry = DatasetEntry(name: "x", files: [])
        entry.format = .openai
        entry.messages = "messages"
        entry.useOpenAITags()
        let row = try JSONValue.parse(
            #"""
            {"messages": [{"role": "user", "content": "w"}, {"role": "assistant", "content": null, "tool_calls": [{"type": "function",
              "function": {"name": "f", "arguments": "{\"a\": 1}"}}]}, {"role": "tool", "content": "r1"}, {"role": "tool", "content": "r2"},
              {"role": "assistant", "content": "done"}]}
            """#)
        let conversation = try RowConverter(entry: entry).conversation(row)
        #expect(conversation.messages.map(\.role) == [.user, .function, .observation, .assistant])
        #expect(conversation.messages[1].content == #"[{"name": "f", "arguments": {"a": 1}}]"#)
        #expect(conversation.messages[2].content == "r1\n</tool_response>\n<tool_response>\nr2")
    }

    @Test("Wrong input is refused with a sentence that names the thing")
    func refusesWrongInput() throws {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(#"{"gone": {"file_name": "gone.json"}, "far": {"hf_hub_url": "x/y"}}"#, to: directory, "dataset_info.json")
            _ = try Fixtures.write("[]", to: directory, "empty.json")
            _ = try Fixtures.write("[{\"instruction\": \"a\",\n \"output\": \"b\"},\n {oops}]", to: directory, "broken.json")
            _ = try Fixtures.write(Self.alpaca, to: directory, "a.json")
            func sentence(_ settings: [String: String]) -> String {
                do {
                    _ = try loader(directory, settings).load()
                    return "no error"
                } catch { return "\(error)" }
            }
            #expect(sentence([:]).contains("No data set is given"))
            #expect(sentence(["dataset": "nowhere"]).contains("\"nowhere\" is neither in \(directory)/dataset_info.json nor a file. It lists gone, far."))
            #expect(sentence(["dataset": "gone"]).contains("gone.json, which does not exist"))
            #expect(sentence(["dataset": "far"]).contains("hf_hub_url"))
            #expect(sentence(["dataset": "empty.json"]).contains("empty"))
            #expect(sentence(["dataset": "broken.json"]).contains("broken.json, line 3"))
            #expect(sentence(["dataset": "a.json", "val_size": "50"]).contains("val_size"))
            var configuration = Configuration()
            configuration[.cutoffLen] = 0
            #expect(throws: DatasetError.badSetting(argument: "cutoff_len", reason: "it is 0, expected at least 1 token")) {
                try DatasetLoader(configuration: configuration, tokenizer: try Fixtures.tokenizer(), template: try .named("chatml"))
            }
        }
    }

    @Test("A broken line of a jsonl file is left out and named; the others are used")
    func goesOnAfterBadLines() throws {
        try Fixtures.temporary { directory in
            let good = #"{"instruction": "q", "output": "a"}"#
            let path = try Fixtures.write("\(good)\n{\"instruction\": \"q\", \n\n\(good)\n\"text\"\n", to: directory, "x.jsonl")
            let report = try loader(directory, ["dataset": path]).load().report
            #expect(report.samples == 2 && report.dropped == 2)
            #expect(report.problems.map(\.line) == [2, 5])
            // The file and the line are told once.
            #expect(report.problems[0].reason.hasPrefix("column ") && report.problems[0].description.hasPrefix("\(path), row 2 (line 2): column "))
        }
    }

    @Test("Pre-training joins documents with their end tokens and cuts blocks")
    func cutsBlocks() throws {
        try Fixtures.temporary { directory in
            let lines = (0..<40).map { "{\"text\": \"document number \($0)\"}" }.joined(separator: "\n")
            let path = try Fixtures.write(lines, to: directory, "t.jsonl")
            let tokenizer = try Fixtures.tokenizer()
            // chatml would make <|im_end|> the end token where the tokenizer has it; here it stays <|end|>.
            let stream = (0..<40).flatMap { tokenizer.encode("document number \($0)<|end|>") }
            let data = try loader(directory, ["dataset": path, "stage": "pt", "cutoff_len": "64"]).load()
            #expect(data.train.count == stream.count / 64)
            #expect((0..<data.train.count).flatMap { data.train[$0].tokens } == Array(stream.prefix(stream.count / 64 * 64)))
            #expect(data.report.droppedTailTokens == stream.count % 64)
            let single = try loader(directory, ["dataset": path, "stage": "pt", "packing": "false"]).load()
            #expect(single.train.count == 40 && single.train[3].tokens == tokenizer.encode("document number 3<|end|>"))
        }
    }

    @Test("Samples kept on disk are the same, and an interrupted run goes on where it stopped")
    func keepsSamplesOnDisk() throws {
        try Fixtures.temporary { directory in
            let lines = (0..<5000).map { "{\"instruction\": \"question \($0)\", \"output\": \"answer \($0 * 7)\"}" }.joined(separator: "\n")
            let path = try Fixtures.write(lines, to: directory, "t.jsonl")
            let cachePath = Path.join(directory, "kept")
            let plain = try loader(directory, ["dataset": path]).load()
            let kept = try loader(directory, ["dataset": path, "tokenized_path": cachePath]).load()
            #expect(kept.report == plain.report && kept.train.count == 5000)
            #expect((0..<5000).allSatisfy { kept.train[$0] == plain.train[$0] })
            let state = try #require(try FileSystem.list(cachePath).first { $0.hasSuffix(".json") })
            let again = try loader(directory, ["dataset": path, "tokenized_path": cachePath]).load()
            #expect(again.report == plain.report)
            // As after a crash: the state says that 2048 rows are done, and more bytes than that are in the files.
            let cache = SampleCache(directory: cachePath, key: String(state.dropLast(5)))
            let rows = try DatasetRows(try DatasetDirectory(path: directory).entry(path))
            let builder = SampleBuilder(
                tokenizer: try Fixtures.tokenizer(), template: try .named("chatml"), settings: SampleSettings(cutoffLength: 2048))
            let all = (0..<5000).map { RowReference(dataset: 0, row: $0) }
            var partial = SampleCache.State(rowsDone: 2048, samples: 2048, report: DatasetReport(parts: [DatasetReport.Part(name: path)]))
            for index in 0..<2048 {
                let sample = plain.train[index]
                partial.report.count(sample)
                partial.report.parts[0].rowsRead += 1
                partial.report.parts[0].kept += 1
                partial.dataBytes += Int64(sample.count * 8)
            }
            try cache.commit(partial)
            let work = Tokenisation(sets: [rows], builder: builder, kind: .supervised, threads: 2, progress: { _, _ in })
            let resumed = try work.run(all, cache: cache)
            #expect(resumed.report == plain.report)
            #expect((0..<5000).allSatisfy { resumed.store[$0] == plain.train[$0] })
        }
    }

    @Test("A tokenised cache whose state or index lies is made anew or refused, never followed")
    func refusesDamagedCaches() throws {
        try Fixtures.temporary { directory in
            let path = try Fixtures.write(Self.alpaca, to: directory, "a.json")
            let folder = Path.join(directory, "kept")
            func load() throws -> LoadedDatasets { try loader(directory, ["dataset": path, "tokenized_path": folder]).load() }
            let count = try load().train.count
            let name = try #require(try FileSystem.list(folder).first { $0.hasSuffix(".json") })
            let (state, index) = (Path.join(folder, name), Path.join(folder, String(name.dropLast(5)) + ".idx"))
            let soundState = try FileSystem.readText(state), soundIndex = try FileSystem.readBytes(index)
            var lie = try #require(try JSONValue.read(file: state).objectValue)
            lie.set("samples", .integer(1 << 60))
            try FileSystem.writeAtomically(state, text: lie.text())
            #expect(try load().train.count == count)
            func entry(_ offset: Int64, _ length: Int32) -> [UInt8] {
                withUnsafeBytes(of: offset.littleEndian) { Array($0) } + withUnsafeBytes(of: length.littleEndian) { Array($0) } + [0, 0, 0, 0]
            }
            for (first, reason) in [(entry(1 << 62, 5), "lies outside the data"), (entry(.max, 5), "lies outside the data"), (entry(0, 0), "has 0 tokens"), (entry(0, -4), "has -4 tokens")] {
                try FileSystem.writeAtomically(state, text: soundState)
                try FileSystem.writeAtomically(index, bytes: first + soundIndex.dropFirst(16))
                let cache = SampleCache(directory: folder, key: String(name.dropLast(5)))
                let found = try #require(cache.load())
                do throws(DatasetError) {
                    _ = try cache.open(found)
                    Issue.record("an index that lies was followed")
                } catch {
                    #expect(error.description.contains(reason), "\(error)")
                }
                #expect(try load().train.count == count)
            }
        }
    }

    @Test("Preview shows the row, its text and what is learnt; the catalogue lists what is there and what is broken")
    func previewsAndLists() throws {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(Self.alpaca, to: directory, "a.json")
            _ = try Fixtures.write(#"{"toy": {"file_name": "a.json"}, "gone": {"file_name": "no.json"}}"#, to: directory, "dataset_info.json")
            let loader = try loader(directory, [:])
            let preview = try loader.preview(dataset: "toy", row: 1)
            #expect(preview.rowCount == 4 && preview.raw.contains("\"1 2\"") && preview.problem == nil)
            #expect(preview.tokens.filter(\.isLearnt).map(\.text).joined() == "3<|im_end|>\n")
            #expect(try loader.preview(dataset: "toy", row: 2).problem?.hasSuffix(", row 3 (line 4): the column \"output\" is missing") == true)
            #expect(throws: DatasetError.self) { try loader.preview(dataset: "toy", row: 4) }
            let list = try DatasetCatalog.list(directory: directory)
            #expect(list.map(\.name) == ["toy", "gone"] && list[0].rows == 4 && list[0].problem == nil && list[1].problem != nil)
        }
    }

    @Test("Predictions carry the prompt up to the assistant, and the expected answer as text")
    func readsPredictionRows() throws {
        try Fixtures.temporary { directory in
            let path = try Fixtures.write(Self.alpaca, to: directory, "a.json")
            let (rows, report) = try loader(directory, ["eval_dataset": path]).loadPredictionRows()
            #expect(rows.count == 2 && report.dropped == 2)
            #expect(rows[0].promptText == "<|im_start|>user\nSay hi<|im_end|>\n<|im_start|>assistant\n")
            #expect(rows[0].labelText == "Hi!<|im_end|>\n")
        }
    }
}
