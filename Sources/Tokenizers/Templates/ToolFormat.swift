import Formats
import Platform

/// How tools are described in the system message and how calls of them are written.
enum ToolFormat: Sendable {
    /// "Action: ... Action Input: ..."
    case plain
    case glm4
    case llama3
    case mistral
    case qwen
    case ling
    /// The list of tools between two marks, as it is given.
    case wrapped(String, String)
    /// This template's way is not built.
    case unsupported

    /// The text that describes the tools. `source` is the JSON list of them.
    func describe(_ source: String, template: String) throws(TemplateError) -> String {
        if case .wrapped(let open, let close) = self { return open + source + close }
        let value: JSONValue
        do { value = try JSONValue.parse(source, name: "tools") } catch { throw .badToolJSON(what: "The list of tools", reason: error.description) }
        guard let tools = value.arrayValue else { throw .badToolJSON(what: "The list of tools", reason: "it is \(value.kindName)") }
        if tools.isEmpty { return "" }
        switch self {
        case .plain: return try ToolFormat.plainDescription(tools)
        case .glm4:
            var text = ""
            for tool in tools {
                let function = ToolFormat.inner(tool)
                text += "\n\n## \(function["name"]?.stringValue ?? "")\n\n\(function.text(style: .indented(4)))\n"
                text += "在调用上述函数时，请使用 Json 格式表示调用的参数。"
            }
            return "你是一个名为 ChatGLM 的人工智能助手。你是基于智谱 AI 公司训练的语言模型 GLM-4 模型开发的，"
                + "你的任务是针对用户的问题和要求提供适当的答复和支持。\n\n# 可用工具\(text)"
        case .llama3:
            var text = ""
            for tool in tools { text += ToolFormat.outer(tool).text(style: .indented(4)) + "\n\n" }
            return "Cutting Knowledge Date: December 2023\nToday Date: \(ToolFormat.today())\n\n"
                + "You have access to the following functions. To call a function, please respond with JSON for a function call. "
                + "Respond in the format {\"name\": function name, \"parameters\": dictionary of argument name and its value}. "
                + "Do not use variables.\n\n\(text)"
        case .mistral:
            return "[AVAILABLE_TOOLS] " + JSONValue.array(tools.map { ToolFormat.outer($0) }).text(style: .python) + "[/AVAILABLE_TOOLS]"
        case .qwen, .ling:
            var text = ""
            for tool in tools { text += "\n" + ToolFormat.outer(tool).text(style: .python) }
            var lead = "\n\n"
            var tail = ""
            if case .ling = self { (lead, tail) = ("", "\ndetailed thinking off") }
            return lead + "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
                + "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\(text)"
                + "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
                + "<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, "
                + "\"arguments\": <args-json-object>}\n</tool_call>" + tail
        case .wrapped: return source
        case .unsupported: throw .toolsUnsupported(template: template)
        }
    }

    /// The text of an assistant message that calls tools. `content` holds the calls as JSON, possibly after thoughts.
    func call(_ content: String, thoughts: (String, String)?, marks: (String, String)?, template: String) throws(TemplateError) -> String {
        var before = ""
        var source = content
        if let marks, let match = TextSearch.between(content, marks.0, marks.1) {
            before = TextSearch.replacing(content, match.whole, with: "")
            source = match.inside
        } else if let thoughts, let match = TextSearch.between(content, thoughts.0, thoughts.1) {
            before = match.whole
            source = TextSearch.replacing(content, match.whole, with: "")
        }
        let value: JSONValue
        do { value = try JSONValue.parse(source, name: "tool call") } catch {
            throw .badToolJSON(what: "A tool call", reason: error.description)
        }
        var calls: [(name: String, arguments: JSONValue)] = []
        for call in value.arrayValue ?? [value] {
            guard let name = call["name"]?.stringValue, let arguments = call["arguments"] else {
                throw .badToolJSON(what: "A tool call", reason: "it needs \"name\" and \"arguments\"")
            }
            calls.append((name, arguments))
        }
        return before + (try write(calls, template))
    }

    private func write(_ calls: [(name: String, arguments: JSONValue)], _ template: String) throws(TemplateError) -> String {
        let objects = calls.map { JSONValue.object(["name": .string($0.name), "arguments": $0.arguments]) }
        switch self {
        case .plain, .wrapped:
            return calls.map { "Action: \($0.name)\nAction Input: \($0.arguments.text(style: .python))" }.joined(separator: "\n")
        case .glm4:
            guard calls.count == 1, let call = calls.first else {
                throw .badToolJSON(what: "A tool call", reason: "this template writes one call at a time")
            }
            return "\(call.name)\n\(call.arguments.text(style: .python))"
        case .llama3:
            let values = calls.map { JSONValue.object(["name": .string($0.name), "parameters": $0.arguments]) }
            return (values.count == 1 ? values[0] : .array(values)).text(style: .python)
        case .mistral: return JSONValue.array(objects).text(style: .python)
        case .qwen, .ling:
            return objects.map { "<tool_call>\n\($0.text(style: .python))\n</tool_call>" }.joined(separator: "\n")
        case .unsupported: throw .toolsUnsupported(template: template)
        }
    }

    private static func inner(_ tool: JSONValue) -> JSONValue {
        tool["type"]?.stringValue == "function" ? tool["function"] ?? tool : tool
    }

    private static func outer(_ tool: JSONValue) -> JSONValue {
        tool["type"]?.stringValue == "function" ? tool : ["type": "function", "function": tool]
    }

    private static func plainDescription(_ tools: [JSONValue]) throws(TemplateError) -> String {
        var text = ""
        var names: [String] = []
        for tool in tools {
            let function = inner(tool)
            guard let name = function["name"]?.stringValue, let properties = function["parameters"]?["properties"]?.objectValue else {
                throw .badToolJSON(what: "The list of tools", reason: "a tool needs \"name\" and \"parameters\" with \"properties\"")
            }
            let required = function["parameters"]?["required"]?.arrayValue ?? []
            var arguments = ""
            for (key, parameter) in properties {
                let isRequired = required.contains(.string(key)) ? ", required" : ""
                var choices = ""
                if let values = parameter["enum"]?.arrayValue, !values.isEmpty {
                    choices = ", should be one of [\(values.map { $0.stringValue ?? $0.text(style: .python) }.joined(separator: ", "))]"
                }
                let items = parameter["items"].map { ", where each item should be \($0["type"]?.stringValue ?? "")" } ?? ""
                let type = parameter["type"]?.stringValue ?? ""
                let about = parameter["description"]?.stringValue ?? ""
                arguments += "  - \(key) (\(type)\(isRequired)): \(about)\(choices)\(items)\n"
            }
            text += "> Tool Name: \(name)\nTool Description: \(function["description"]?.stringValue ?? "")\nTool Args:\n\(arguments)\n"
            names.append(name)
        }
        return "You have access to the following tools:\n\(text)Use the following format if using a tool:\n```\n"
            + "Action: tool name (one of [\(names.joined(separator: ", "))])\n"
            + "Action Input: the input to the tool, in a JSON format representing the kwargs "
            + "(e.g. ```{\"input\": \"hello world\", \"num_beams\": 5}```)\n```\n"
    }

    /// Today as "05 Nov 2026".
    static func today() -> String {
        let date = Clock.localDate()
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let day = date.day < 10 ? "0\(date.day)" : "\(date.day)"
        return "\(day) \(months[max(0, min(11, date.month - 1))]) \(date.year)"
    }
}

/// Searching and replacing in text, byte by byte: Swift's own comparison would join letters with their accents.
enum TextSearch {
    /// The first stretch from `open` to the next `close`: the whole of it, and what is inside.
    static func between(_ text: String, _ open: String, _ close: String) -> (whole: String, inside: String)? {
        let bytes = Array(text.utf8)
        guard let start = find(Array(open.utf8), in: bytes, from: 0),
            let end = find(Array(close.utf8), in: bytes, from: start + open.utf8.count)
        else { return nil }
        let inside = String(decoding: bytes[(start + open.utf8.count)..<end], as: UTF8.self)
        return (open + inside + close, inside)
    }

    static func find(_ wanted: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard !wanted.isEmpty else { return start <= bytes.count ? start : nil }
        var position = start
        while position + wanted.count <= bytes.count {
            if bytes[position] == wanted[0], bytes[position..<position + wanted.count].elementsEqual(wanted) { return position }
            position += 1
        }
        return nil
    }

    static func contains(_ text: String, _ wanted: String) -> Bool { find(Array(wanted.utf8), in: Array(text.utf8), from: 0) != nil }

    /// Replaces occurrences, at most `limit` of them.
    static func replacing(_ text: String, _ wanted: String, with replacement: String, limit: Int = .max) -> String {
        let bytes = Array(text.utf8)
        let pattern = Array(wanted.utf8)
        if pattern.isEmpty { return text }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var position = 0
        var count = 0
        while count < limit, let found = find(pattern, in: bytes, from: position) {
            result.append(contentsOf: bytes[position..<found])
            result.append(contentsOf: replacement.utf8)
            position = found + pattern.count
            count += 1
        }
        result.append(contentsOf: bytes[position...])
        return String(decoding: result, as: UTF8.self)
    }
}
