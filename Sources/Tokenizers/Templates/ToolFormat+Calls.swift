import Formats
import Platform

/// How calls of tools are written.
extension ToolFormat {
    typealias Call = (name: String, arguments: JSONValue)

    func write(_ calls: [Call]) throws(TemplateError) -> String {
        let objects = calls.map { JSONValue.object(["name": .string($0.name), "arguments": $0.arguments]) }
        switch self {
        case .plain, .wrapped:
            return calls.map { "Action: \($0.name)\nAction Input: \($0.arguments.text(style: .python))" }.joined(separator: "\n")
        case .glm4:
            guard calls.count == 1, let call = calls.first else {
                throw .badToolJSON(what: "A tool call", reason: "this template writes one call at a time")
            }
            return "\(call.name)\n\(call.arguments.text(style: .python))"
        case .glm4MoE:
            return try joined(calls) { name, arguments in
                "\n<tool_call>\(name)" + arguments.map { "\n<arg_key>\($0.key)</arg_key>\n<arg_value>\($0.text)</arg_value>" }.joined()
            }
        case .llama3:
            let values = calls.map { JSONValue.object(["name": .string($0.name), "parameters": $0.arguments]) }
            return (values.count == 1 ? values[0] : .array(values)).text(style: .python)
        case .mistral: return JSONValue.array(objects).text(style: .python)
        case .qwen, .ling:
            return objects.map { "<tool_call>\n\($0.text(style: .python))\n</tool_call>" }.joined(separator: "\n")
        case .qwen35:
            return try joined(calls) { name, arguments in
                "<tool_call>\n<function=\(name)>" + arguments.map { "\n<parameter=\($0.key)>\n\($0.text)\n</parameter>" }.joined()
                    + "\n</function>\n</tool_call>"
            }
        case .seed:
            return try joined(calls) { name, arguments in
                "\n<seed:tool_call>\n<function=\(name)" + arguments.map { "\n<parameter=\($0.key)>\($0.text)</parameter>" }.joined()
                    + "\n</function>\n</seed:tool_call>"
            }
        case .minimax1: return "<tool_calls>\n" + objects.map { $0.text(style: .python) }.joined(separator: "\n") + "\n</tool_calls>"
        case .minimax2:
            return try joined(calls) { name, arguments in
                "<invoke name=\"\(name)\">" + arguments.map { "\n<parameter name=\"\($0.key)\">\($0.text)</parameter>" }.joined() + "\n</invoke>"
            }
        case .lfm2:
            var parts: [String] = []
            for call in calls {
                let arguments = try members(call).map { key, value in
                    value.stringValue.map { "\(key)=\"\($0)\"" } ?? "\(key)=\(value.text(style: .python))"
                }
                parts.append("\(call.name)(\(arguments.joined(separator: ", ")))")
            }
            return "<|tool_call_start|>[\(parts.joined(separator: ", "))]<|tool_call_end|>"
        case .gemma4: return calls.map { GemmaTools.call($0.name, $0.arguments) }.joined()
        }
    }

    private func members(_ call: Call) throws(TemplateError) -> [(key: String, value: JSONValue)] {
        guard let object = call.arguments.objectValue else {
            throw .badToolJSON(what: "A tool call", reason: "the arguments of \(call.name) are \(call.arguments.kindName), expected an object")
        }
        return object.map { ($0.key, $0.value) }
    }

    /// Calls one per line, each argument as text: strings as they are, the rest as JSON.
    private func joined(
        _ calls: [Call], _ format: (String, [(key: String, text: String)]) -> String
    ) throws(TemplateError) -> String {
        var parts: [String] = []
        for call in calls {
            parts.append(format(call.name, try members(call).map { ($0.key, $0.value.stringValue ?? $0.value.text(style: .python)) }))
        }
        return parts.joined(separator: "\n")
    }
}

/// Gemma 4 writes tools and calls in a notation of its own, with strings between special marks.
enum GemmaTools {
    private static let quote = "<|\"|>"

    private static func quoted(_ text: String) -> String { quote + text + quote }

    /// What is there and not empty, as Python's truth has it.
    private static func given(_ value: JSONValue?) -> JSONValue? {
        guard let value, !value.isNull, value.stringValue != "", value.arrayValue?.isEmpty != true, value.objectValue?.isEmpty != true else { return nil }
        return value
    }

    private static func plain(_ value: JSONValue) -> String { value.stringValue ?? value.text(style: .python) }

    static func declaration(_ function: JSONValue) throws(TemplateError) -> String {
        guard let name = function["name"]?.stringValue else { throw .badToolJSON(what: "The list of tools", reason: "a tool needs \"name\"") }
        var text = "declaration:\(name){description:" + quoted(function["description"].map(plain) ?? "")
        if let parameters = given(function["parameters"]) {
            var parts: [String] = []
            if let properties = given(parameters["properties"])?.objectValue {
                let members = properties.map { name, schema in
                    var items: [String] = []
                    if let about = given(schema["description"]) { items.append("description:" + quoted(plain(about))) }
                    if let type = given(schema["type"]) { items.append("type:" + quoted(plain(type).uppercased())) }
                    return "\(name):{\(items.joined(separator: ","))}"
                }
                parts.append("properties:{\(members.joined(separator: ","))}")
            }
            if let required = given(parameters["required"])?.arrayValue {
                parts.append("required:[\(required.map { quoted(plain($0)) }.joined(separator: ","))]")
            }
            if let type = given(parameters["type"]) { parts.append("type:" + quoted(plain(type).uppercased())) }
            text += ",parameters:{\(parts.joined(separator: ","))}"
        }
        if let response = given(function["response"]) {
            var parts: [String] = []
            if let about = given(response["description"]) { parts.append("description:" + quoted(plain(about))) }
            let type = (response["type"].map(plain) ?? "").uppercased()
            if type == "OBJECT" { parts.append("type:" + quoted(type)) }
            text += ",response:{\(parts.joined(separator: ","))}"
        }
        return text + "}"
    }

    static func call(_ name: String, _ arguments: JSONValue) -> String {
        let inside: String
        if let object = arguments.objectValue {
            inside = sorted(object).map { "\($0.key):\(argument($0.value))" }.joined(separator: ",")
        } else {
            inside = arguments.stringValue ?? argument(arguments)
        }
        return "<|tool_call>call:\(name){\(inside)}<tool_call|>"
    }

    private static func sorted(_ object: JSONObject) -> [(key: String, value: JSONValue)] {
        object.map { ($0.key, $0.value) }.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    private static func argument(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): return quoted(text)
        case .bool(let flag): return flag ? "true" : "false"
        case .null: return "null"
        case .integer(let number): return String(number)
        case .number(let number): return NumberText.pythonFloat(number)
        case .array(let values): return "[" + values.map(argument).joined(separator: ",") + "]"
        case .object(let object): return "{" + sorted(object).map { "\($0.key):\(argument($0.value))" }.joined(separator: ",") + "}"
        }
    }
}
