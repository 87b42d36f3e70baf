import Formats
import Platform
import Testing
import Tokenizers

@testable import Datasets

/// Against what LLaMA-Factory's own code makes of the same conversations (Tests/Fixtures/generate/prompt_templates.py).
/// `TUNEBOARD_PROMPT_CASES=FILE` compares with a file made there with DETAIL=1, which tells conversations apart.
@Suite struct PromptTemplateOracleTests {
    private struct Variant {
        var thinking: Bool? = true
        var preserves = false
        var settings = SampleSettings(cutoffLength: 2048)
    }

    private static let variants: [Variant] = [
        Variant(), Variant(thinking: false), Variant(thinking: nil), Variant(preserves: true),
        Variant(settings: SampleSettings(cutoffLength: 2048, masksHistory: true)), Variant(settings: SampleSettings(cutoffLength: 24)),
        Variant(settings: SampleSettings(cutoffLength: 2048, trainsOnPrompt: true)),
        Variant(settings: SampleSettings(cutoffLength: 24, masksHistory: true)),
        Variant(preserves: true, settings: SampleSettings(cutoffLength: 2048, masksHistory: true)),
    ]

    private static func fixture() throws -> JSONValue {
        if let path = Environment.value("TUNEBOARD_PROMPT_CASES") { return try JSONValue.read(file: path) }
        return try Fixtures.json("tokenizers/templates/prompts.json")
    }

    private static func conversations(_ fixture: JSONValue) -> [Conversation] {
        (fixture["conversations"]?.arrayValue ?? []).map { entry in
            let messages = (entry["messages"]?.arrayValue ?? []).compactMap { message in
                ChatMessage.Role(name: message[0]?.stringValue ?? "").map { ChatMessage(role: $0, content: message[1]?.stringValue ?? "") }
            }
            return Conversation(
                prompt: Array(messages.dropLast()), response: Array(messages.suffix(1)), system: entry["system"]?.stringValue ?? "",
                tools: entry["tools"]?.stringValue ?? "")
        }
    }

    /// The Llama-3-like tokenizer with the special tokens of all templates added to it.
    private static func tokenizer(_ fixture: JSONValue) throws -> Tokenizer {
        try Fixtures.temporary { directory in
            var file = try #require(try JSONValue.read(file: Fixtures.path("tokenizers/llama3/tokenizer.json")).objectValue)
            var added = file["added_tokens"]?.arrayValue ?? []
            var known = Set(added.compactMap { $0["content"]?.stringValue.map { Array($0.utf8) } })
            var next = added.compactMap { $0["id"]?.intValue }.max() ?? 0
            for entry in file["model"]?["vocab"]?.objectValue ?? [:] {
                known.insert(Array(entry.key.utf8))
                next = max(next, entry.value.intValue ?? 0)
            }
            for name in (fixture["tokens"]?.arrayValue ?? []).compactMap(\.stringValue) where !known.contains(Array(name.utf8)) {
                next += 1
                added.append([
                    "id": .integer(Int64(next)), "content": .string(name), "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": true,
                ])
            }
            file["added_tokens"] = .array(added)
            _ = try Fixtures.write(file.text(), to: directory, "tokenizer.json")
            _ = try Fixtures.write(#"{"bos_token": "<|bos|>", "eos_token": "<|end|>", "pad_token": "<|end|>"}"#, to: directory, "tokenizer_config.json")
            return try Tokenizer(directory: directory)
        }
    }

    private static func hash(_ bytes: some Sequence<UInt8>) -> String {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// What the fixture holds for one template and one variant, computed here.
    private static func rows(_ builder: SampleBuilder, _ conversations: [Conversation], isDated: Bool) -> [String] {
        conversations.map { conversation in
            if isDated, !conversation.tools.isEmpty { return "date" }
            guard let sample = try? builder.supervised(conversation).sample, let prediction = try? builder.prediction(conversation, row: 0) else {
                return "error"
            }
            let values =
                sample.tokens + sample.labels + [Int32(sample.count), Int32(prediction.promptTokens.count)] + prediction.promptTokens
                + prediction.labelTokens
            return hash(values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: UInt32(bitPattern: value) >> (8 * UInt32($0))) } })
        }
    }

    private static func check(_ expected: JSONValue?, _ found: [String], _ what: String) {
        guard let expected, !expected.isNull else { return }
        if let details = expected.arrayValue {
            for (index, (one, other)) in zip(details, found).enumerated() where one.stringValue != other {
                Issue.record("\(what), conversation \(index): expected \(one.stringValue ?? ""), found \(other)")
            }
        } else {
            #expect(expected.stringValue == hash(found.joined(separator: " ").utf8), "\(what)")
        }
    }

    private static let dated: Set<String> = ["llama3", "llama4", "skywork_o1"]

    @Test("Samples of every named template are LLaMA-Factory's, id for id and label for label")
    func samplesLikeTheReference() throws {
        let fixture = try Self.fixture()
        let tokenizer = try Self.tokenizer(fixture)
        let conversations = Self.conversations(fixture)
        let expected = try #require(fixture["templates"]?.objectValue)
        #expect(expected.count > 95 && conversations.count > 20)
        for (name, entry) in expected {
            let definition = try PromptTemplate.named(name)
            #expect(definition.stopWords == (entry["stop_words"]?.arrayValue ?? []).compactMap(\.stringValue), "\(name)")
            for (index, variant) in Self.variants.enumerated() {
                var template = definition
                template.enableThinking = variant.thinking
                template.preservesThinking = variant.preserves
                let builder = SampleBuilder(tokenizer: tokenizer, template: template, settings: variant.settings)
                Self.check(entry["cases"]?[index], Self.rows(builder, conversations, isDated: Self.dated.contains(name)), "\(name), variant \(index)")
            }
        }
    }

    @Test("tool_format describes tools and writes calls as LLaMA-Factory does under every template")
    func usesToolFormats() throws {
        let fixture = try Self.fixture()
        let tokenizer = try Self.tokenizer(fixture)
        let conversations = Self.conversations(fixture)
        var count = 0
        for (name, entry) in try #require(fixture["templates"]?.objectValue) {
            for (format, expected) in entry["tool_formats"]?.objectValue ?? [:] {
                var template = try PromptTemplate.named(name)
                try template.useToolFormat(format)
                let builder = SampleBuilder(tokenizer: tokenizer, template: template, settings: SampleSettings(cutoffLength: 2048))
                Self.check(expected, Self.rows(builder, conversations, isDated: format == "llama3"), "\(name) with \(format)")
                count += 1
            }
        }
        #expect(count == 4 * PromptTemplate.toolFormatNames.count)
        #expect(throws: TemplateError.unknownToolFormat("xml", known: PromptTemplate.toolFormatNames)) {
            var template = try PromptTemplate.named("qwen")
            try template.useToolFormat("xml")
        }
    }

    @Test("Exported Jinja renders what LLaMA-Factory's export renders")
    func exportsLikeTheReference() throws {
        let fixture = try Self.fixture()
        let tokenizer = try Self.tokenizer(fixture)
        let context: JSONObject = [
            "messages": [
                ["role": "system", "content": "It's \\ a system"], ["role": "user", "content": "Hi"], ["role": "assistant", "content": "Ho"],
                ["role": "user", "content": "Again"],
            ]
        ]
        for (name, entry) in try #require(fixture["templates"]?.objectValue) {
            guard let source = entry["jinja"]?.stringValue else { continue }
            let ours = try #require(try PromptTemplate.named(name).jinja(tokenizer: tokenizer))
            let found = try JinjaTemplate(ours).render(context: context)
            let wanted = try JinjaTemplate(source).render(context: context)
            #expect(found == wanted, "\(name)")
        }
    }
}
