import Configuration
import Formats
import Platform
import Testing
import Tokenizers

@testable import Datasets

/// Rows of preferences: pairs of answers, and judged answers.
@Suite struct PreferenceTests {
    private func load(_ directory: String, _ settings: [String: String]) throws -> LoadedDatasets {
        var configuration = Configuration()
        try configuration.set("dataset_dir", text: directory)
        for (name, value) in settings { try configuration.set(name, text: value) }
        return try DatasetLoader(configuration: configuration, tokenizer: try Fixtures.tokenizer(), template: try .named("chatml")).load()
    }

    private func sentence(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return ""
    }

    private static let info = #"""
        {"pairs": {"file_name": "pairs.json", "ranking": true,
                   "columns": {"prompt": "instruction", "query": "input", "chosen": "good", "rejected": "bad"}},
         "talks": {"file_name": "talks.json", "formatting": "sharegpt", "ranking": true,
                   "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}},
         "judged": {"file_name": "judged.json",
                    "columns": {"prompt": "instruction", "response": "output", "kto_tag": "liked"}},
         "heard": {"file_name": "heard.json", "formatting": "sharegpt",
                   "columns": {"messages": "messages", "kto_tag": "label"},
                   "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}},
         "plain": {"file_name": "plain.json"}}
        """#

    private func withFiles(_ files: [String: String], _ body: (String) throws -> Void) throws {
        try Fixtures.temporary { directory in
            _ = try Fixtures.write(Self.info, to: directory, "dataset_info.json")
            for (name, text) in files { _ = try Fixtures.write(text, to: directory, name) }
            try body(directory)
        }
    }

    @Test("A ranking row becomes two sequences, and a batch has all better answers before all worse ones")
    func readsPairs() throws {
        let rows = #"""
            [{"instruction": "Colour?", "input": "of grass", "good": "Green.", "bad": "A very long red."},
             {"instruction": "Colour of snow?", "input": "", "good": "White.", "bad": "Black."}]
            """#
        try withFiles(["pairs.json": rows]) { directory in
            let store = try load(directory, ["dataset": "pairs", "stage": "dpo"]).train
            #expect(store.unitCount == 2 && store.count == 4 && store.arrangement == .pairs)
            let batch = store.batch(units: [0, 1])
            #expect(batch.sampleCount == 2 && batch.sequenceCount == 4 && batch.arrangement == .pairs)
            let tokenizer = try Fixtures.tokenizer()
            let texts = zip(batch.cumulativeLengths, batch.cumulativeLengths.dropFirst()).map {
                tokenizer.decode(Array(batch.tokens[Int($0)..<Int($1)]), skipSpecialTokens: false)
            }
            let first = "<|im_start|>user\nColour?\nof grass<|im_end|>\n<|im_start|>assistant\n"
            let second = "<|im_start|>user\nColour of snow?<|im_end|>\n<|im_start|>assistant\n"
            let end = "<|im_end|>\n"
            #expect(texts == [first + "Green." + end, second + "White." + end, first + "A very long red." + end, second + "Black." + end])
            let learnt = tokenizer.decode(store[1].labels.filter { $0 != ignoredLabel }, skipSpecialTokens: false)
            #expect(learnt == "A very long red." + end)
        }
    }

    @Test("Conversations with a chosen and a rejected message are pairs too")
    func readsConversations() throws {
        let rows = #"""
            [{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, {"from": "human", "value": "c"}],
              "chosen": {"from": "gpt", "value": "d"}, "rejected": {"from": "gpt", "value": "e"}},
             {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
              "chosen": {"from": "gpt", "value": "d"}, "rejected": {"from": "gpt", "value": "e"}}]
            """#
        try withFiles(["talks.json": rows]) { directory in
            let data = try load(directory, ["dataset": "talks", "stage": "rm"])
            #expect(data.train.unitCount == 1 && data.report.dropped == 1)
            #expect(data.report.problems.first?.reason.contains("must end with the question") == true)
            let text = try Fixtures.tokenizer().decode(data.train[1].tokens, skipSpecialTokens: false)
            #expect(text.hasSuffix("<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\ne<|im_end|>\n"))
        }
    }

    @Test("The cutoff is shared between the question and the longer answer")
    func cutsPairs() throws {
        let rows = #"[{"instruction": "one two three four five six", "input": "", "good": "a b c d e f g h i j k l m n", "bad": "a b"}]"#
        try withFiles(["pairs.json": rows]) { directory in
            let whole = try load(directory, ["dataset": "pairs", "stage": "dpo"]).train
            let cut = try load(directory, ["dataset": "pairs", "stage": "dpo", "cutoff_len": "16"])
            let prompt = whole[0].labels.prefix { $0 == ignoredLabel }.count
            let kept = SampleBuilder.lengths(source: prompt, target: whole[0].count - prompt, cutoff: 16)
            #expect(cut.train[0].count == kept.source + kept.target)
            #expect(cut.train[1].count == kept.source + min(kept.target, whole[1].count - prompt))
            #expect(cut.report.truncated == 1)
        }
    }

    @Test("Rows without a partner and pairs that prefer nothing are named")
    func namesSpoiltPairs() throws {
        let rows = #"""
            [{"instruction": "a", "good": "b", "bad": "c"},
             {"instruction": "a", "good": "b"},
             {"instruction": "a", "good": "b", "bad": null},
             {"instruction": "a", "good": "b", "bad": ""},
             {"instruction": "a", "good": "b", "bad": "b"},
             {"instruction": "a", "good": 5, "bad": "b"}]
            """#
        try withFiles(["pairs.json": rows]) { directory in
            let report = try load(directory, ["dataset": "pairs", "stage": "dpo"]).report
            #expect(report.samples == 1 && report.dropped == 5)
            #expect(report.problems.map(\.row) == [2, 3, 4, 5, 6])
            #expect(report.problems[0].reason == "the column \"bad\" is missing: a preference needs two answers")
            #expect(report.problems[2].reason == "the column \"bad\" is empty: a preference needs two answers")
            #expect(report.problems[3].reason == "both answers are the same: \"good\" and \"bad\" prefer nothing")
            #expect(report.problems[4].reason == "the column \"good\" is an integer, expected an answer")
        }
    }

    @Test("Answers that differ only behind the cutoff prefer nothing")
    func namesPairsEqualAfterCutting() throws {
        let rows = #"[{"instruction": "a", "good": "b c d e f g h", "bad": "b c d e f g i"}, {"instruction": "a", "good": "x", "bad": "y"}]"#
        try withFiles(["pairs.json": rows]) { directory in
            let report = try load(directory, ["dataset": "pairs", "stage": "dpo", "cutoff_len": "8"]).report
            #expect(report.problems.first?.reason == "both answers are the same within cutoff_len (8 tokens)")
        }
    }

    @Test("A judged answer comes with its question answered by the row before")
    func readsFeedback() throws {
        let rows = #"""
            [{"instruction": "q1", "output": "a1", "liked": true}, {"instruction": "q2", "output": "a2", "liked": "yes"},
             {"instruction": "q3", "output": "a3", "liked": false}, {"instruction": "q4", "output": "a4", "liked": true}]
            """#
        try withFiles(["judged.json": rows]) { directory in
            let data = try load(directory, ["dataset": "judged", "stage": "kto"])
            #expect(data.report.problems.map(\.reason) == ["the column \"liked\" is a string, expected true or false"])
            #expect(data.train.unitCount == 3)
            let batch = data.train.batch(units: [0, 1, 2])
            #expect(batch.isDesirable == [true, false, true] && batch.sampleCount == 3 && batch.arrangement == .feedback)
            let tokenizer = try Fixtures.tokenizer()
            let texts = zip(batch.cumulativeLengths, batch.cumulativeLengths.dropFirst()).map {
                tokenizer.decode(Array(batch.tokens[Int($0)..<Int($1)]), skipSpecialTokens: false)
            }
            func text(_ question: String, _ answer: String) -> String {
                "<|im_start|>user\n\(question)<|im_end|>\n<|im_start|>assistant\n\(answer)<|im_end|>\n"
            }
            #expect(
                texts == [text("q1", "a1"), text("q3", "a3"), text("q4", "a4"), text("q1", "a4"), text("q3", "a1"), text("q4", "a3")])
        }
    }

    @Test("Judged conversations, and the same samples through the cache on disk")
    func cachesFeedback() throws {
        let rows = (0..<40).map {
            #"{"messages": [{"role": "user", "content": "q\#($0)"}, {"role": "assistant", "content": "a\#($0)"}], "label": \#($0 % 3 == 0)}"#
        }
        try withFiles(["heard.json": "[" + rows.joined(separator: ",") + "]"]) { directory in
            let inMemory = try load(directory, ["dataset": "heard", "stage": "kto", "threads": "1"]).train
            for _ in 0..<2 {
                let cached = try load(
                    directory, ["dataset": "heard", "stage": "kto", "threads": "2", "tokenized_path": Path.join(directory, "kept")]
                ).train
                #expect(cached.unitCount == 40)
                #expect(cached.batch(units: Array(0..<40)) == inMemory.batch(units: Array(0..<40)))
            }
        }
    }

    @Test("Answers of one kind only, and rows of another kind than the stage's, are refused with what to do")
    func refusesWrongKinds() throws {
        let rows = #"[{"instruction": "q1", "output": "a1", "liked": true}, {"instruction": "q2", "output": "a2", "liked": true}]"#
        let pairs = #"[{"instruction": "q", "good": "a", "bad": "b"}]"#
        let plain = #"[{"instruction": "q", "output": "a"}]"#
        try withFiles(["judged.json": rows, "pairs.json": pairs, "plain.json": plain]) { directory in
            let one = sentence { _ = try load(directory, ["dataset": "judged", "stage": "kto"]) }
            #expect(one.contains("2 wanted and 0 unwanted answers") && one.contains("liked is false"))
            for (dataset, stage, words) in [
                ("plain", "dpo", "has no pairs of answers"), ("plain", "kto", "does not say which answers are wanted"),
                ("pairs", "kto", "use stage dpo"), ("pairs", "sft", "rm and dpo do"),
            ] {
                let text = sentence { _ = try load(directory, ["dataset": dataset, "stage": stage]) }
                #expect(text.contains(words), "\(dataset) \(stage): \(text)")
            }
        }
    }

    @Test("Stage ppo takes the questions of any rows and learns no label")
    func readsPrompts() throws {
        try withFiles([
            "pairs.json": #"[{"instruction": "q", "good": "a", "bad": "b"}]"#, "plain.json": #"[{"instruction": "q", "output": "a"}]"#,
        ]) { directory in
            let tokenizer = try Fixtures.tokenizer()
            for dataset in ["pairs", "plain"] {
                let data = try load(directory, ["dataset": dataset, "stage": "ppo"])
                #expect(tokenizer.decode(data.train[0].tokens, skipSpecialTokens: false) == "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n")
                #expect(data.report.fullyMasked == 0 && data.train[0].lossTokenCount == 0)
            }
        }
    }

    @Test("A bare file with chosen and rejected columns is understood, messages of OpenAI's kind included")
    func guessesPairs() throws {
        try Fixtures.temporary { directory in
            let path = try Fixtures.write(
                #"{"prompt": "q", "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "rejected": "b"}"# + "\n",
                to: directory, "binarised.jsonl")
            let store = try load(directory, ["dataset": path, "stage": "dpo"]).train
            let text = try Fixtures.tokenizer().decode(store[0].tokens, skipSpecialTokens: false)
            #expect(text == "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n")
        }
    }
}
