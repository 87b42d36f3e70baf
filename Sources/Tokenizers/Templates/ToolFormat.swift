import Formats
import Platform

/// How tools are described in the system message and how calls of them are written.
enum ToolFormat: Sendable {
    /// "Action: ... Action Input: ..."
    case plain
    case glm4
    case glm4MoE
    case llama3
    case mistral
    case qwen
    case qwen35
    case seed
    case ling
    case lfm2
    case minimax1
    case minimax2
    case gemma4
    /// The list of tools between two marks, as it is given.
    case wrapped(String, String)

    /// LLaMA-Factory's names of the formats that can be asked for.
    static let named: [(name: String, format: ToolFormat)] = [
        ("default", .plain), ("gemma4", .gemma4), ("glm4", .glm4), ("glm4_moe", .glm4MoE), ("lfm2", .lfm2), ("ling", .ling),
        ("llama3", .llama3), ("minimax1", .minimax1), ("minimax2", .minimax2), ("mistral", .mistral), ("qwen", .qwen), ("qwen3_5", .qwen35),
        ("seed_oss", .seed),
    ]

    /// The text that describes the tools. `source` is the JSON list of them.
    func describe(_ source: String) throws(TemplateError) -> String {
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
            var text = ToolFormat.tagged(tools)
            var tail = ""
            if case .ling = self {
                text = JinjaText.strip(text, "\n", left: true, right: false)
                tail = "\ndetailed thinking off"
            }
            return text + "For each function call, return a json object with function name and arguments within "
                + "<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, "
                + "\"arguments\": <args-json-object>}\n</tool_call>" + tail
        case .glm4MoE:
            return ToolFormat.tagged(tools)
                + "For each function call, output the function name and arguments within the following XML format:"
                + "\n<tool_call>{function-name}\n<arg_key>{arg-key-1}</arg_key>\n<arg_value>{arg-value-1}</arg_value>"
                + "\n<arg_key>{arg-key-2}</arg_key>\n<arg_value>{arg-value-2}</arg_value>\n...\n</tool_call>\n"
        case .qwen35:
            let text = tools.map { "\n" + ToolFormat.inner($0).text(style: .python) }.joined()
            return "\n\n# Tools\n\nYou have access to the following functions:\n\n<tools>\(text)\n</tools>\n\n"
                + "If you choose to call a function ONLY reply in the following format with NO suffix:\n\n"
                + "<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>\nvalue_1\n</parameter>\n"
                + "<parameter=example_parameter_2>\nThis is the value for the second parameter\nthat can span\nmultiple lines\n"
                + "</parameter>\n</function>\n</tool_call>\n\n<IMPORTANT>\nReminder:\n"
                + "- Function calls MUST follow the specified format: an inner <function=...></function> block must be nested "
                + "within <tool_call></tool_call> XML tags\n- Required parameters MUST be specified\n"
                + "- You may provide optional reasoning for your function call in natural language BEFORE the function call, "
                + "but NOT after\n- If there is no function call available, answer the question like normal with your current "
                + "knowledge and do not tell the user about function calls\n</IMPORTANT>"
        case .seed:
            return "system\nYou are Doubao, a helpful AI assistant. You may call one or more functions to assist with the user query."
                + "Tool List:\nYou are authorized to use the following tools (described in JSON Schema format). Before performing "
                + "any task, you must decide how to call them based on the descriptions and parameters of these tools.\n"
                + value.text(style: .python)
                + "\n工具调用请遵循如下格式:\n<seed:tool_call>\n<function=example_function_name>\n"
                + "<parameter=example_parameter_1>value_1</parameter>\n<parameter=example_parameter_2>This is the value for the second "
                + "parameter\nthat can span\nmultiple lines</parameter>\n</function>\n</seed:tool_call>\n"
        case .lfm2:
            let list = JSONValue.array(tools.map { ToolFormat.inner($0) }).text(style: .python)
            return "List of tools: <|tool_list_start|>\(list)<|tool_list_end|>"
        case .minimax1:
            let text = tools.map { ToolFormat.inner($0).text(style: .python) + "\n" }.joined()
            return "You are provided with these tools:\n<tools>\n\(text)</tools>\n\n"
                + "If you need to call tools, please respond with <tool_calls></tool_calls> XML tags, and provide tool-name and "
                + "json-object of arguments, following the format below:\n<tool_calls>\n"
                + "{\"name\": <tool-name-1>, \"arguments\": <args-json-object-1>}\n...\n</tool_calls>"
        case .minimax2:
            let text = tools.map { "<tool>" + ToolFormat.inner($0).text(style: .python) + "</tool>\n" }.joined()
            return "\n\n# Tools\n\nYou may call one or more tools to assist with the user query.\n"
                + "Here are the tools available in JSONSchema format:\n\n<tools>\n\(text)</tools>\n\n"
                + "When making tool calls, use XML format to invoke tools and pass parameters:\n"
                + "\n<minimax:tool_call>\n<invoke name=\"tool-name-1\">\n<parameter name=\"param-key-1\">param-value-1</parameter>\n"
                + "<parameter name=\"param-key-2\">param-value-2</parameter>\n...\n</invoke>\n</minimax:tool_call>"
        case .gemma4: return try tools.map { (tool) throws(TemplateError) in try GemmaTools.declaration(ToolFormat.inner(tool)) }.joined(separator: "\n")
        case .wrapped: return source
        }
    }

    /// The list of tools between `<tools>` marks.
    private static func tagged(_ tools: [JSONValue]) -> String {
        let text = tools.map { "\n" + outer($0).text(style: .python) }.joined()
        return "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            + "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\(text)\n</tools>\n\n"
    }

    /// The text of an assistant message that calls tools. `content` holds the calls as JSON, possibly after thoughts.
    func call(_ content: String, thoughts: (String, String)?, marks: (String, String)?) throws(TemplateError) -> String {
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
        return before + (try write(calls))
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
