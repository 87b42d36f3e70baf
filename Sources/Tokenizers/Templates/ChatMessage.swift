import Formats

/// One message of a conversation.
public struct ChatMessage: Sendable, Equatable {
    public enum Role: String, Sendable, CaseIterable {
        case system, user, assistant
        /// What a tool answered.
        case observation
        /// The assistant calls tools; the content is a JSON object or list of `{"name", "arguments"}`.
        case function

        /// The role by the name that data sets and clients use; `tool` is an observation.
        public init?(name: String) {
            if name == "tool" {
                self = .observation
            } else if let role = Role(rawValue: name) {
                self = role
            } else {
                return nil
            }
        }
    }

    public var role: Role
    public var content: String
    /// Calls in the OpenAI form, for templates that take them apart from the content.
    public var toolCalls: [JSONValue]
    /// Thinking that came before the content, when it is kept apart.
    public var reasoning: String?

    public init(role: Role, content: String, toolCalls: [JSONValue] = [], reasoning: String? = nil) {
        self.role = role
        self.content = content
        self.toolCalls = toolCalls
        self.reasoning = reasoning
    }

    public static func user(_ content: String) -> ChatMessage { ChatMessage(role: .user, content: content) }
    public static func assistant(_ content: String) -> ChatMessage { ChatMessage(role: .assistant, content: content) }
    public static func system(_ content: String) -> ChatMessage { ChatMessage(role: .system, content: content) }
}

/// What can be wrong with a template, or with a conversation that is put through one.
public enum TemplateError: Error, Equatable, CustomStringConvertible {
    /// No template has this name; `nearest` is what was perhaps meant.
    case unknownName(String, nearest: String?)
    /// The model has no chat template of its own.
    case noOwnTemplate(directory: String)
    /// The conversation is not turns of user and assistant: `position` counts from 0.
    case wrongRole(position: Int, found: String, expected: String)
    case emptyConversation
    /// A tool call or the list of tools is not the JSON that it should be.
    case badToolJSON(what: String, reason: String)
    /// `tool_format` names no format.
    case unknownToolFormat(String, known: [String])
    /// The Jinja source cannot be read.
    case syntax(line: Int, reason: String)
    /// Rendering failed, or the template refused the conversation with `raise_exception`.
    case rendering(line: Int, reason: String)
    case refused(message: String)
    /// The template asks for more steps, depth or text than is allowed.
    case tooExpensive(what: String)

    public var description: String {
        switch self {
        case .unknownName(let name, let nearest):
            let hint = nearest.map { " Did you mean \($0)?" } ?? ""
            return "There is no template named \"\(name)\".\(hint) `tuneboard train --help template` lists them."
        case .noOwnTemplate(let directory):
            return "\(directory) has no chat template of its own (tokenizer_config.json or chat_template.jinja). Name one with `template`."
        case .wrongRole(let position, let found, let expected):
            return "Message \(position + 1) of the conversation is of the role \(found), expected \(expected)."
        case .emptyConversation:
            return "The conversation has no message."
        case .badToolJSON(let what, let reason):
            return "\(what) is not the JSON that tools need: \(reason)."
        case .unknownToolFormat(let name, let known):
            return "tool_format \"\(name)\" is not known. It can be \(known.joined(separator: ", "))."
        case .syntax(let line, let reason):
            return "The chat template cannot be read, line \(line): \(reason)."
        case .rendering(let line, let reason):
            return "The chat template failed in line \(line): \(reason)."
        case .refused(let message):
            return "The chat template refuses this conversation: \(message)"
        case .tooExpensive(let what):
            return "The chat template was stopped: \(what)."
        }
    }
}
