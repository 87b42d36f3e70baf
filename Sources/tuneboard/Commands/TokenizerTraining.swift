/// `tuneboard tokenizer train`: a byte-level BPE vocabulary from files of text or of JSON rows.

import Formats
import Platform
import Tokenizers

enum TokenizerTraining {
    private static let standardSpecialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    /// Fields that hold a speaker or a label, not text.
    private static let skippedFields: Set<String> = ["role", "from", "id", "tag", "label", "type", "source"]

    static func run(_ invocation: Invocation) throws -> Int32 {
        let files = invocation.words.dropFirst()
        guard !files.isEmpty else { throw UsageError("which text? tuneboard tokenizer train FILE... --vocab_size N --output_dir DIR") }
        let directory = try TokenizerCommand.newFolder(invocation)
        let special = invocation.value("special_tokens").map { $0.split(separator: ",").map(String.init) } ?? standardSpecialTokens
        let patternName = invocation.value("pattern") ?? TokenizerTrainer.WordPattern.qwen2.rawValue
        guard let pattern = TokenizerTrainer.WordPattern(rawValue: patternName) else {
            let names = TokenizerTrainer.WordPattern.allCases.map(\.rawValue).joined(separator: ", ")
            throw UsageError("--pattern is one of \(names), not `\(patternName)`.")
        }
        let size = try invocation.integer("vocab_size", default: 32_000)
        let frequency = try invocation.integer("min_frequency", default: 2)
        var trainer = TokenizerTrainer(vocabularySize: size, specialTokens: special, pattern: pattern, minimumFrequency: frequency)
        for file in files { try add(file, to: &trainer) }
        let trained = try trainer.train()
        try trained.write(
            to: directory, endToken: invocation.value("eos_token") ?? special.last, padToken: invocation.value("pad_token") ?? special.first)
        Output.print("\(trained.vocabularySize) tokens, \(trained.merges.count) merges, in \(directory)")
        if trained.vocabularySize < size {
            Output.message(
                "note: \(size) tokens were asked for; no other pair comes \(frequency) times in the text (--min_frequency). More text has more pairs.")
        }
        return ExitCode.done
    }

    private static func add(_ file: String, to trainer: inout TokenizerTrainer) throws {
        switch Path.extension(file) {
        case "jsonl":
            let reader = try LineReader(path: file)
            while let line = try reader.next() {
                guard line.contains(where: { $0 > 0x20 }) else { continue }
                addTexts(try JSONValue.parse(line, name: file, firstLine: reader.lineNumber), to: &trainer)
            }
        case "json":
            addTexts(try JSONValue.parse(try FileSystem.readText(file), name: file), to: &trainer)
        default:
            let reader = try LineReader(path: file)
            while let line = try reader.next() { trainer.add(String(decoding: line, as: UTF8.self) + "\n") }
        }
    }

    /// Every text of a row, however deep.
    private static func addTexts(_ value: JSONValue, to trainer: inout TokenizerTrainer) {
        switch value {
        case .string(let text): trainer.add(text)
        case .array(let items): for item in items { addTexts(item, to: &trainer) }
        case .object(let object):
            for (key, item) in object.pairs where !skippedFields.contains(key) { addTexts(item, to: &trainer) }
        case .null, .bool, .integer, .number: break
        }
    }
}
