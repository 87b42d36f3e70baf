import Formats

/// A conversation as it is kept in a file: the messages form that chat APIs and data sets use, so that a good conversation can
/// become a row of training data.
public struct Conversation: Sendable, Equatable {
    public var system = ""
    public var tools = ""
    public var turns: [ChatTurn] = []

    public init(system: String = "", tools: String = "", turns: [ChatTurn] = []) {
        self.system = system
        self.tools = tools
        self.turns = turns
    }

    /// `{"messages": [{"role": "system", "content": ...}, ...], "tools": ...}`
    public var json: String {
        var messages: [JSONValue] = []
        if !system.isEmpty { messages.append(Self.message("system", system)) }
        messages += turns.map { Self.message($0.speaker == .user ? "user" : "assistant", $0.text) }
        var object = JSONObject([("messages", .array(messages))])
        if !tools.isEmpty { object.set("tools", .string(tools)) }
        return object.text(style: .indented(2)) + "\n"
    }

    private static func message(_ role: String, _ text: String) -> JSONValue {
        .object(JSONObject([("role", .string(role)), ("content", .string(text))]))
    }

    /// What is wrong with a file of a conversation.
    public struct Problem: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    /// Reads `messages` with `role` and `content`, or ShareGPT's `conversations` with `from` and `value`.
    public init(json text: String, name: String) throws(Problem) {
        let value: JSONValue
        do { value = try JSONValue.parse(text, name: name) } catch { throw Problem(description: String(describing: error)) }
        guard let list = (value["messages"] ?? value["conversations"] ?? value).arrayValue else {
            throw Problem(description: "\(name): expected an object with \"messages\", or a list of messages.")
        }
        for (index, item) in list.enumerated() {
            guard let role = (item["role"] ?? item["from"])?.stringValue, let content = (item["content"] ?? item["value"])?.stringValue else {
                throw Problem(description: "\(name): message \(index + 1) needs \"role\" and \"content\".")
            }
            switch role {
            case "system": system = content
            case "user", "human": turns.append(ChatTurn(speaker: .user, text: content))
            case "assistant", "gpt": turns.append(ChatTurn(speaker: .assistant, text: content))
            default: throw Problem(description: "\(name): message \(index + 1) has the role \"\(role)\", expected system, user or assistant.")
            }
        }
        tools = value["tools"]?.stringValue ?? ""
        if system.isEmpty { system = value["system"]?.stringValue ?? "" }
    }
}

/// A conversation that was found on disk.
public struct StoredConversation: Sendable, Equatable {
    public var path: String
    public var title: String
    public var modified: Double

    public init(path: String, title: String, modified: Double) {
        self.path = path
        self.title = title
        self.modified = modified
    }
}
