import Formats
import Terminal

/// A text of several lines being written over the page.
public struct EditorState: Sendable {
    public enum Purpose: Sendable, Equatable { case systemPrompt, tools }

    public var purpose: Purpose
    public var area: TextArea
    /// What is wrong with the text as it stands, or nil.
    public var problem: String?

    public init(purpose: Purpose, text: String) {
        self.purpose = purpose
        area = TextArea(text)
    }

    public var title: String {
        switch purpose {
        case .systemPrompt: say("System prompt")
        case .tools: say("Tools, as a JSON list")
        }
    }

    mutating func check() { problem = purpose == .tools ? ToolList.problem(in: area.text) : nil }
}

/// The tools that a model may call, as templates take them: `[{"name": ..., "description": ..., "parameters": {...}}]`, or each of
/// these inside `{"type": "function", "function": ...}`.
enum ToolList {
    /// What is wrong with the text, or nil; an empty one stands for no tools.
    static func problem(in text: String) -> String? {
        guard !text.allSatisfy(\.isWhitespace) else { return nil }
        do {
            let value = try JSONValue.parse(text, name: "tools")
            guard let list = value.arrayValue else { return say("expected a list: [ … ]") }
            for (index, tool) in list.enumerated() {
                let description = tool["function"] ?? tool
                guard description.objectValue != nil else { return say("tool \(index + 1): expected an object: { … }") }
                guard let name = description["name"]?.stringValue, !name.isEmpty else { return say("tool \(index + 1) has no \"name\"") }
            }
            return nil
        } catch {
            return String(describing: error)
        }
    }

    static func count(in text: String) -> Int { (try? JSONValue.parse(text, name: "tools"))?.arrayValue?.count ?? 0 }
}
