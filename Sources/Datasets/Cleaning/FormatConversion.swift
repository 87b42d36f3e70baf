import Formats
import Platform
import Tokenizers

/// Rows of one format written in another: alpaca's columns, ShareGPT's conversations, OpenAI's messages. Pairs of answers and judged
/// answers stay what they are.
public struct FormatConversion {
    public enum Target: String, CaseIterable, Sendable { case alpaca, sharegpt, openai }

    /// As `DatasetDirectory` reads it.
    let entry: DatasetEntry
    public let target: Target
    /// Whether an output that exists is replaced; the source never is.
    public var overwrites = false
    public var threads = SystemInfo.cpuCount
    public var progress: (Int) -> Void = { _ in }

    /// - Parameter source: a name in dataset_info.json of the folder, or a file.
    public init(source: String, directory: String, target: Target) throws(DatasetError) {
        var entry = try DatasetDirectory(path: directory).entry(source)
        if entry.format == .tokenised { throw .wrongKind(dataset: source, stage: "conversion", reason: "it holds token ids, not text") }
        if entry.isGuessed, entry.chosen != nil { entry.isRanking = true }
        if entry.isGuessed, entry.ktoTag != nil, entry.response == nil, entry.format == .alpaca { entry.response = "completion" }
        self.entry = entry
        self.target = target
    }

    public var sources: [String] { entry.files }

    /// - Parameter output: nil only counts.
    public func run(output: String?) throws -> RowReport {
        let converter = RowConverter(entry: entry), target = target, columns = columns
        let pipeline = RowPipeline<JSONValue>(
            sources: entry.files, output: output, overwrites: overwrites, threads: threads, progress: progress,
            look: { value throws(RowFault) in try Self.converted(value, converter, target, columns) },
            judge: { rows in rows.map { .change($0.facts) } })
        var report = try pipeline.run()
        // All of them are written anew, which says nothing.
        report.changed = 0
        return report
    }

    /// Columns besides the conversation that every row is written with, empty where a row has nothing to say: readers of LLaMA-Factory's
    /// entries fail for a column that is missing.
    private struct Columns: Sendable {
        var system, tools, history: Bool
    }

    private var columns: Columns {
        let isAlpaca = entry.format == .alpaca
        return Columns(
            system: target != .openai && (entry.system != nil || !isAlpaca), tools: entry.tools != nil,
            history: target == .alpaca && (entry.history != nil || !isAlpaca))
    }

    /// The entry of dataset_info.json for a file that `run` has written.
    public func description(of file: String) -> JSONObject {
        var columns = JSONObject()
        let written = self.columns
        var description = JSONObject([("file_name", .string(Path.name(file)))])
        switch target {
        case .alpaca:
            columns["prompt"] = "instruction"
            columns["query"] = "input"
            if !entry.isRanking { columns["response"] = "output" }
            if written.history { columns["history"] = "history" }
        case .sharegpt, .openai:
            description["formatting"] = .string(target.rawValue)
            columns["messages"] = target == .sharegpt ? "conversations" : "messages"
        }
        if written.system { columns["system"] = "system" }
        if written.tools { columns["tools"] = "tools" }
        if entry.isRanking {
            description["ranking"] = true
            columns["chosen"] = "chosen"
            columns["rejected"] = "rejected"
        }
        if entry.ktoTag != nil { columns["kto_tag"] = "kto_tag" }
        description["columns"] = .object(columns)
        if target == .openai {
            description["tags"] = [
                "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant", "observation_tag": "tool",
                "function_tag": "function", "system_tag": "system",
            ]
        }
        return description
    }

    // MARK: Rows

    private static func converted(_ value: JSONValue, _ converter: RowConverter, _ target: Target, _ columns: Columns) throws(RowFault) -> JSONValue {
        let entry = converter.entry
        var row = JSONObject()
        if entry.isRanking {
            let pair = try converter.pair(value)
            try write(pair.prompt, answer: nil, pair.system, pair.tools, target, columns, &row)
            row["chosen"] = try answer(pair.chosen, target)
            row["rejected"] = try answer(pair.rejected, target)
        } else {
            let conversation = try converter.conversation(value)
            guard let answer = conversation.response.last else { throw RowFault("it has no answer, and each format wants one") }
            try write(conversation.prompt, answer: answer, conversation.system, conversation.tools, target, columns, &row)
            if let column = entry.ktoTag, let tag = value[column] { row["kto_tag"] = tag }
        }
        return .object(row)
    }

    private static func write(
        _ prompt: [ChatMessage], answer: ChatMessage?, _ system: String, _ tools: String, _ target: Target, _ columns: Columns, _ row: inout JSONObject
    ) throws(RowFault) {
        switch target {
        case .alpaca: try alpaca(prompt, answer, system, columns, &row)
        case .sharegpt:
            row["conversations"] = .array((prompt + (answer.map { [$0] } ?? [])).map(shareGPT))
            if columns.system { row["system"] = .string(system) }
        case .openai:
            let lead: [JSONValue] = system.isEmpty ? [] : [["role": "system", "content": .string(system)]]
            row["messages"] = .array(lead + (prompt + (answer.map { [$0] } ?? [])).map(openAI))
        }
        if columns.tools { row["tools"] = .string(tools) }
    }

    private static func alpaca(_ prompt: [ChatMessage], _ answer: ChatMessage?, _ system: String, _ columns: Columns, _ row: inout JSONObject) throws(RowFault) {
        for message in prompt + (answer.map { [$0] } ?? []) where message.role == .function || message.role == .observation {
            throw RowFault("it calls tools, which alpaca's columns cannot say; convert to sharegpt or openai")
        }
        row["instruction"] = .string(prompt.last?.content ?? "")
        row["input"] = ""
        if let answer { row["output"] = .string(answer.content) }
        if columns.system { row["system"] = .string(system) }
        let turns = stride(from: 0, to: prompt.count - 1, by: 2).map { JSONValue.array([.string(prompt[$0].content), .string(prompt[$0 + 1].content)]) }
        if columns.history { row["history"] = .array(turns) }
    }

    private static func answer(_ message: ChatMessage, _ target: Target) throws(RowFault) -> JSONValue {
        switch target {
        case .alpaca:
            if message.role == .function { throw RowFault("it calls tools, which alpaca's columns cannot say; convert to sharegpt or openai") }
            return .string(message.content)
        case .sharegpt: return shareGPT(message)
        case .openai: return openAI(message)
        }
    }

    private static func shareGPT(_ message: ChatMessage) -> JSONValue {
        let role = switch message.role {
        case .user: "human"
        case .assistant: "gpt"
        case .observation: "observation"
        case .function: "function_call"
        case .system: "system"
        }
        return ["from": .string(role), "value": .string(message.content)]
    }

    private static func openAI(_ message: ChatMessage) -> JSONValue {
        let role = switch message.role {
        case .user: "user"
        case .assistant: "assistant"
        case .observation: "tool"
        case .function: "function"
        case .system: "system"
        }
        return ["role": .string(role), "content": .string(message.content)]
    }
}
