import Formats
import Testing
import Tokenizers

@testable import Datasets

/// Against what LLaMA-Factory's own code makes of the same conversations (Tests/Fixtures/generate/prompt_templates.py).
@Suite struct PromptTemplateOracleTests {
    private struct Variant {
        var thinking: Bool? = true
        var settings = SampleSettings(cutoffLength: 2048)
    }

    private static let variants: [Variant] = [
        Variant(), Variant(thinking: false), Variant(settings: SampleSettings(cutoffLength: 2048, masksHistory: true)),
        Variant(settings: SampleSettings(cutoffLength: 24)),
        Variant(settings: SampleSettings(cutoffLength: 2048, trainsOnPrompt: true)),
        Variant(settings: SampleSettings(cutoffLength: 24, masksHistory: true)),
    ]

    private static let tools =
        #"[{"name": "weather", "description": "Weather of a city", "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "Name, e.g. Köln"}, "days": {"type": "integer", "enum": ["1", "7"]}}, "required": ["city"]}}]"#

    private static let conversations: [Conversation] = [
        conversation([.user("Hello"), .assistant("Hi there!")]),
        conversation(
            [.user("你好"), .assistant("你好！"), .user("Second {{content}} 'question'?"), .assistant("Second\nanswer.")], system: "You are kind."),
        conversation([.user(""), .assistant("")]),
        conversation([
            .user("  spaced \n"), .assistant(" lead"), .user("b"), .assistant("<think>\nhm\n</think>\n\nc"), .user("d"), .assistant("e"),
        ]),
        conversation(
            [
                .user("Weather in Köln?"),
                ChatMessage(role: .function, content: #"{"name": "weather", "arguments": {"city": "Köln", "days": 7}}"#),
                ChatMessage(role: .observation, content: #"{"t": 21.5}"#), .assistant("21.5 °C"),
            ], system: "Use tools.", tools: tools),
    ]

    private static func conversation(_ messages: [ChatMessage], system: String = "", tools: String = "") -> Conversation {
        Conversation(prompt: Array(messages.dropLast()), response: Array(messages.suffix(1)), system: system, tools: tools)
    }

    private static func hash(_ sample: TrainingSample) -> String {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for value in sample.tokens + sample.labels {
            for shift in [UInt32(0), 8, 16, 24] {
                state = (state ^ UInt64(UInt32(bitPattern: value) >> shift & 0xFF)) &* 0x100_0000_01B3
            }
        }
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    @Test("Samples of every named template are LLaMA-Factory's, id for id and label for label")
    func samplesLikeTheReference() throws {
        let tokenizer = try Fixtures.tokenizer()
        let expected = try #require(try Fixtures.json("tokenizers/templates/prompts.json").objectValue)
        for (name, entry) in expected {
            let definition = try PromptTemplate.named(name)
            for (variant, rows) in zip(Self.variants, entry["cases"]?.arrayValue ?? []) {
                var template = definition
                template.enableThinking = variant.thinking
                let builder = SampleBuilder(tokenizer: tokenizer, template: template, settings: variant.settings)
                for (index, (conversation, row)) in zip(Self.conversations, rows.arrayValue ?? []).enumerated() {
                    guard let hash = row[0]?.stringValue else { continue }
                    if !conversation.tools.isEmpty, ["qwen3_5", "qwen3_5_nothink", "glm4_moe", "glm4_7", "seed_oss"].contains(name) { continue }
                    if row[1] == 0 { continue }
                    let comment: Comment = "\(name), conversation \(index), \(variant)"
                    let sample = try builder.supervised(conversation).sample
                    if let ids = row[5]?.arrayValue { #expect(sample.tokens == Fixtures.ids(.array(ids)), comment) }
                    #expect(sample.count == row[1]?.intValue, comment)
                    #expect(sample.labels.filter { $0 != ignoredLabel }.count == row[2]?.intValue, comment)
                    #expect(Self.hash(sample) == hash, comment)
                    let prediction = try builder.prediction(conversation, row: 0)
                    #expect(prediction.promptTokens.count == row[3]?.intValue && prediction.labelTokens.count == row[4]?.intValue, comment)
                }
            }
        }
    }

    @Test("Exported Jinja renders what LLaMA-Factory's export renders")
    func exportsLikeTheReference() throws {
        let tokenizer = try Fixtures.tokenizer()
        let expected = try #require(try Fixtures.json("tokenizers/templates/prompts.json").objectValue)
        let context: JSONObject = [
            "messages": [
                ["role": "system", "content": "It's \\ a system"], ["role": "user", "content": "Hi"], ["role": "assistant", "content": "Ho"],
                ["role": "user", "content": "Again"],
            ]
        ]
        for (name, entry) in expected {
            guard let source = entry["jinja"]?.stringValue else { continue }
            let ours = try #require(try PromptTemplate.named(name).jinja(tokenizer: tokenizer))
            let found = try JinjaTemplate(ours).render(context: context)
            let wanted = try JinjaTemplate(source).render(context: context)
            #expect(found == wanted, "\(name)")
        }
    }
}
