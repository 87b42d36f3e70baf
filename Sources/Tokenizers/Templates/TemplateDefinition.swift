/// A named template as data: what is written around each kind of message. The texts are those of LLaMA-Factory's templates of
/// the same names, so that models trained there and here see the same prompts.
struct TemplateDefinition: Sendable {
    /// A piece of a format. Each piece is tokenised by itself.
    enum Slot: Sendable, Equatable {
        /// Text, in which `{{content}}` stands for the message and `{{idx}}`, in questions, for the number of the turn from 0.
        case text(String)
        /// A single token by name.
        case token(String)
        case bos
        case eos
    }

    enum Kind: Sendable {
        case plain
        /// The system message is put in front of the first user message.
        case systemInUser
        /// Answers begin with a block of thoughts, empty when there is none.
        case reasoning
        /// As `reasoning`, where an empty block is only its closing mark.
        case closingReasoning
    }

    var name: String
    var user: [Slot] = [.text("{{content}}")]
    var assistant: [Slot]?
    var system: [Slot] = [.text("{{content}}")]
    var function: [Slot]?
    var observation: [Slot]?
    var prefix: [Slot] = []
    var tools: ToolFormat = .plain
    /// How tool calls are written, when it is not the way of `tools`.
    var functionFormat: ToolFormat?
    var defaultSystem = ""
    var stopWords: [String] = []
    var thoughtWords = ("<think>\n", "\n</think>\n\n")
    var toolCallWords = ("<tool_call>", "</tool_call>")
    var efficientEOS = false
    var replacesEOS = false
    var replacesJinja = false
    var kind = Kind.plain

    var assistantSlots: [Slot] { assistant ?? (efficientEOS ? [.text("{{content}}")] : [.text("{{content}}"), .eos]) }
    var functionSlots: [Slot] { function ?? assistantSlots }
    var observationSlots: [Slot] { observation ?? user }
}

extension TemplateDefinition.Slot: ExpressibleByStringLiteral {
    init(stringLiteral value: String) { self = .text(value) }
}
