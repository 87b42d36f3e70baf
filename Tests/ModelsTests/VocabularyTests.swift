import Configuration
import Events
import Exporting
import Formats
import Generation
import Models
import Platform
import Tensors
import Testing
import Tokenizers

/// New tokens: their ids, their rows in embedding and head, and what others read afterwards.
@Suite("Growing a vocabulary")
struct VocabularyTests {
    private let backend = CPUBackend(threadCount: 1)

    private func rows(_ parameter: Parameter, _ range: Range<Int>) -> [[Float]] {
        range.map { parameter.value.slice(rows: $0..<$0 + 1).floats() }
    }

    private func mean(_ rows: [[Float]]) -> [Float] {
        var sums = [Double](repeating: 0, count: rows.first?.count ?? 0)
        for row in rows { for (column, value) in row.enumerated() { sums[column] += Double(value) } }
        return sums.map { Float($0 / Double(max(1, rows.count))) }
    }

    @Test("Rows grow to a multiple of 64, the old ones stay, the new ones lie around the mean with a deviation of 1/sqrt(hidden)")
    func growsWithNoise() throws {
        for (folder, isTied) in [(Fixtures.llama, false), (Fixtures.qwen2, true)] {
            let plain = try Transformer.load(directory: folder, backend: backend)
            let stored = plain.spec.vocabularySize, width = plain.spec.hiddenSize
            let growth = VocabularyGrowth(tokenCount: stored + 3, seed: 7)
            let grown = try Transformer.load(directory: folder, backend: backend, options: LoadOptions(growth: growth))
            #expect(grown.spec.vocabularySize % 64 == 0 && grown.spec.vocabularySize > stored)
            #expect(grown.spec.tiesEmbeddings == isTied)
            var tables = [(plain.embedding, grown.embedding)]
            if !isTied {
                let name = plain.head.name + ".weight"
                tables.append((try #require(plain.parameters.first { $0.name == name }), try #require(grown.parameters.first { $0.name == name })))
            }
            for (before, after) in tables {
                #expect(rows(before, 0..<stored) == rows(after, 0..<stored))
                let center = mean(rows(before, 0..<stored))
                let fresh = rows(after, stored..<grown.spec.vocabularySize)
                var sum = 0.0
                for row in fresh { for (value, middle) in zip(row, center) { sum += Double(value - middle) * Double(value - middle) } }
                let deviation = (sum / Double(fresh.count * width)).squareRoot()
                #expect(abs(deviation * Double(width).squareRoot() - 1) < 0.25, "\(deviation)")
            }
            let again = try Transformer.load(directory: folder, backend: backend, options: LoadOptions(growth: growth))
            #expect(rows(again.embedding, stored..<stored + 3) == rows(grown.embedding, stored..<stored + 3))
            let same = try Transformer.load(directory: folder, backend: backend, options: LoadOptions(growth: VocabularyGrowth(tokenCount: stored)))
            #expect(same.spec.vocabularySize == stored)
        }
    }

    @Test("A described token begins as the mean of its words; words that are new themselves do not count")
    func growsByDescription() throws {
        let plain = try Transformer.load(directory: Fixtures.llama, backend: backend)
        let stored = plain.spec.vocabularySize
        let growth = VocabularyGrowth(
            tokenCount: stored + 2, addsNoise: false,
            descriptions: [.init(row: stored, tokens: [3, 5, Int32(stored + 1)]), .init(row: stored + 1, tokens: [Int32(stored)])])
        let grown = try Transformer.load(directory: Fixtures.llama, backend: backend, options: LoadOptions(growth: growth))
        let old = rows(plain.embedding, 0..<stored)
        #expect(rows(grown.embedding, stored..<stored + 1) == [mean([old[3], old[5]])])
        #expect(rows(grown.embedding, stored + 1..<stored + 3) == [mean(old), mean(old)])
    }

    @Test("New tokens are cut whole, come back from a saved tokenizer, and those that exist keep their ids")
    func addsTokens() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let plain = try Tokenizer(directory: Fixtures.llama)
            let known = try #require(plain.token(20))
            let tokens = [NewToken("<tool>", isSpecial: true), NewToken("newword", isSpecial: false), NewToken(known, isSpecial: false), NewToken("<tool>", isSpecial: true)]
            let tokenizer = try Tokenizer(directory: Fixtures.llama, adding: tokens)
            let first = Int32(plain.vocabularySize)
            #expect(tokenizer.vocabularySize == plain.vocabularySize + 2)
            #expect(tokenizer.encode("<tool>newword<tool>") == [first, first + 1, first])
            #expect(tokenizer.id(of: known) == 20)
            #expect(tokenizer.decode([first, first + 1]) == "newword")
            try tokenizer.save(to: directory)
            let reread = try Tokenizer(directory: directory)
            #expect(reread.encode("a<tool>newword") == tokenizer.encode("a<tool>newword"))
            #expect(reread.isSpecial(first) && !reread.isSpecial(first + 1))
        }
    }

    @Test("An export with new tokens opens elsewhere with equal logits and the same ids")
    func exports() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let described = Path.join(parent, "tokens.yaml")
            try FileSystem.writeAtomically(described, text: "\"<tool>\": a\n\"<end_tool>\": b c\n")
            let directory = Path.join(parent, "out")
            var configuration = Configuration()
            configuration[.modelNameOrPath] = Fixtures.llama
            configuration[.exportDir] = directory
            try configuration.set("new_special_tokens_config", text: described)
            try configuration.set("init_special_tokens", text: "desc_init")
            try configuration.set("add_tokens", text: "newword," + (0..<16).map { "w\($0)" }.joined(separator: ","))
            _ = try ExportJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run()
            let config = try JSONValue.read(file: Path.join(directory, "config.json"))
            #expect(config["vocab_size"]?.intValue == 64)
            let tokenizer = try Tokenizer(directory: directory)
            let model = try Transformer.load(directory: directory, backend: backend)
            let id = try #require(tokenizer.id(of: "<tool>"))
            let plain = try Transformer.load(directory: Fixtures.llama, backend: backend)
            let words = try Tokenizer(directory: Fixtures.llama).encode("a").map { Int($0) }
            #expect(rows(model.embedding, Int(id)..<Int(id) + 1) == [mean(words.map { rows(plain.embedding, $0..<$0 + 1)[0] })])
            guard let python = Python.interpreter else { return }
            try Python.compareLogits(python, model: directory, adapter: nil, logits: logits(model, try Fixtures.batch()))
            let script = "import sys;from transformers import AutoTokenizer as A;t=A.from_pretrained(sys.argv[1]);print(len(t),t.encode('<tool>newword<end_tool>',add_special_tokens=False))"
            let result = try ProcessRunner.run([python, "-c", script, directory])
            #expect(String(decoding: result.output, as: UTF8.self).hasSuffix("\(tokenizer.vocabularySize) \(tokenizer.encode("<tool>newword<end_tool>"))\n"))
        }
    }

    @Test("A file of descriptions that is none is named")
    func namesBadFiles() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let path = Path.join(directory, "x.yaml")
            for text in ["- a\n", "{}", "a: [1]\n", "a: {"] {
                try FileSystem.writeAtomically(path, text: text)
                var configuration = Configuration()
                try configuration.set("new_special_tokens_config", text: path)
                #expect(throws: VocabularyError.self, "\(text)") { try VocabularyChange(configuration) }
            }
        }
    }
}
