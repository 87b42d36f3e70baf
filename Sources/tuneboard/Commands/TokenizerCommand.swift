/// `tuneboard tokenizer`: text to ids and back, and conversations to prompts, line by line; a vocabulary learnt from text,
/// and one put behind another.

import Formats
import Platform
import Runs
import Tokenizers

enum TokenizerCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        guard let action = invocation.words.first else { throw UsageError("which one? tuneboard tokenizer encode|decode|render|train|merge") }
        if action == "train" { return try TokenizerTraining.run(invocation) }
        if action == "merge" { return try merge(invocation) }
        guard invocation.words.count == 1 else { throw UsageError("`\(invocation.words[1])` is one word too many.") }
        switch action {
        case "encode":
            let tokenizer = try Self.tokenizer(invocation)
            let addsSpecial = invocation.has("add_special_tokens")
            return answerLines(tokenizer) { value in
                guard let text = value.stringValue else { throw LineError("expected a JSON string, found \(value.kindName)") }
                return object([("ids", ids(tokenizer.encode(text, addSpecialTokens: addsSpecial)))])
            }
        case "decode":
            let tokenizer = try Self.tokenizer(invocation)
            let skipsSpecial = invocation.has("skip_special_tokens")
            return answerLines(tokenizer) { value in
                .string(tokenizer.decode(try tokens(value, tokenizer), skipSpecialTokens: skipsSpecial))
            }
        case "render":
            let tokenizer = try Self.tokenizer(invocation)
            let renderer = try ConversationRenderer(
                tokenizer: tokenizer, template: invocation.value("template"),
                addsGenerationPrompt: invocation.has("add_generation_prompt"))
            let own = invocation.has("compare")
                ? try ConversationRenderer(
                    tokenizer: tokenizer, template: nil, addsGenerationPrompt: invocation.has("add_generation_prompt")) : nil
            return answerLines(tokenizer) { value in
                let (text, tokens) = try renderer.render(value)
                var answer = [("text", JSONValue.string(text)), ("ids", ids(tokens))]
                if let own {
                    let other = try own.render(value).text
                    answer += [("own_text", .string(other)), ("is_equal", .bool(text.utf8.elementsEqual(other.utf8)))]
                }
                return object(answer)
            }
        default:
            throw UsageError("`\(action)` is not one of encode, decode, render, train, merge.")
        }
    }

    /// Where a tokenizer is written: never over another, which a model may depend on.
    static func newFolder(_ invocation: Invocation) throws -> String {
        guard let directory = invocation.value("output_dir") else { throw UsageError("--output_dir DIR is missing.") }
        if let found = Tokenizer.fileNames.first(where: { FileSystem.exists(Path.join(directory, $0)) }) {
            throw UsageError("\(directory) holds \(found) already; name another --output_dir.")
        }
        return directory
    }

    /// `tokenizer merge BASE NEW --output_dir DIR [--max_new_tokens N]`.
    private static func merge(_ invocation: Invocation) throws -> Int32 {
        guard invocation.words.count == 3 else {
            throw UsageError("which two folders? tuneboard tokenizer merge BASE NEW --output_dir DIR: BASE keeps its ids, tokens of NEW follow.")
        }
        let directory = try newFolder(invocation)
        let limit = try invocation.integer("max_new_tokens", default: 0)
        let merge = VocabularyMerge(
            base: ModelLocation.folder(invocation.words[1]), addition: ModelLocation.folder(invocation.words[2]), limit: limit > 0 ? limit : nil)
        let summary = try merge.write(to: directory)
        Output.print(
            "\(summary.size) tokens in \(directory): \(summary.baseSize) as before, \(summary.newTokens) new, \(summary.newMerges) new merges")
        return ExitCode.done
    }

    /// What is wrong with one line; the others are still answered.
    struct LineError: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }

    private static func tokenizer(_ invocation: Invocation) throws -> Tokenizer {
        guard let directory = invocation.value("model_name_or_path") else { throw UsageError("--model_name_or_path DIR is missing.") }
        return try Tokenizer(directory: ModelLocation.folder(directory))
    }

    /// One JSON value per line in, one per line out, an error in its place where one cannot be answered. 1 when any could not.
    private static func answerLines(_ tokenizer: Tokenizer, _ answer: (JSONValue) throws -> JSONValue) -> Int32 {
        if Output.isInputTerminal { Output.message("waiting for JSON on standard input, one value on each line; Ctrl-D ends") }
        var number = 0
        var hasFailed = false
        while let line = readLine() {
            number += 1
            let result: JSONValue
            do {
                result = try answer(try JSONValue.parse(Array(line.utf8), name: "input", firstLine: number))
            } catch {
                hasFailed = true
                result = object([("error", .string(String(describing: error)))])
            }
            Output.print(result.text(style: .python))
        }
        for warning in tokenizer.warnings { Output.message("warning: " + SafeText.filter(warning)) }
        return hasFailed ? ExitCode.failed : ExitCode.done
    }

    private static func tokens(_ value: JSONValue, _ tokenizer: Tokenizer) throws -> [Int32] {
        guard let list = value.arrayValue ?? value.objectValue?["ids"]?.arrayValue else {
            throw LineError("expected a list of ids or {\"ids\": [...]}, found \(value.kindName)")
        }
        return try list.map { item in
            guard let id = item.intValue else { throw LineError("expected whole numbers, found \(item.kindName)") }
            guard id >= 0, id < tokenizer.vocabularySize else {
                throw LineError("\(id) is not a token: the vocabulary has \(tokenizer.vocabularySize)")
            }
            return Int32(id)
        }
    }

    private static func ids(_ tokens: [Int32]) -> JSONValue { .array(tokens.map { .integer(Int64($0)) }) }
    private static func object(_ pairs: [(String, JSONValue)]) -> JSONValue { .object(JSONObject(pairs)) }
}
