import Configuration
import Formats
import Platform

/// Where a data set's rows are and what their columns mean: an entry of dataset_info.json, or a guess for a bare file.
public struct DatasetEntry: Sendable, Equatable {
    public enum Format: String, Sendable, CaseIterable {
        /// instruction, input, output, history
        case alpaca
        /// A list of messages with `from` and `value`.
        case sharegpt
        /// A list of messages with `role` and `content`, tool calls apart.
        case openai
        /// Rows of token ids.
        case tokenised
    }

    public var name: String
    public var files: [String]
    public var format = Format.alpaca
    public var isRanking = false
    /// Take so many rows at random; rows repeat when there are fewer.
    public var sampleCount: Int?
    /// Rows are drawn with repetition up to `num_samples`, and each takes memory.
    static let mostSamples = 100_000_000
    /// Take this part of the rows, from the start; above 1 they repeat.
    public var share: Double?

    public var prompt: String? = "instruction"
    public var query: String? = "input"
    public var response: String? = "output"
    public var history: String?
    public var messages: String? = "conversations"
    public var system: String?
    public var tools: String?
    /// The better answer of a preference row, and the worse one.
    public var chosen: String?
    public var rejected: String?
    /// true for a wanted answer, false for an unwanted one.
    public var ktoTag: String?
    /// The columns were guessed from the file's first row.
    public var isGuessed = false

    public var roleTag = "from"
    public var contentTag = "value"
    public var userTag = "human"
    public var assistantTag = "gpt"
    public var observationTag = "observation"
    public var functionTag = "function_call"
    public var systemTag: String? = "system"

    init(name: String, files: [String]) {
        self.name = name
        self.files = files
    }

    /// Columns in use, for people.
    public var columns: [String] {
        switch format {
        case .alpaca: return [prompt, query, isRanking ? nil : response, history, system, tools, chosen, rejected, ktoTag].compactMap { $0 }
        case .sharegpt, .openai: return [messages, system, tools, chosen, rejected, ktoTag].compactMap { $0 }
        case .tokenised: return ["input_ids", "labels"]
        }
    }

    /// Takes over `role` and `content` as OpenAI's messages call them.
    mutating func useOpenAITags() {
        (roleTag, contentTag) = ("role", "content")
        (userTag, assistantTag) = ("user", "assistant")
        (observationTag, functionTag, systemTag) = ("tool", "function", "system")
    }
}

/// dataset_info.json and the folder it stands in.
public struct DatasetDirectory: Sendable {
    public let path: String
    public let infoPath: String
    static let infoName = "dataset_info.json"
    private let entries: JSONObject

    /// A missing dataset_info.json is no error: files can be named by path.
    public init(path: String) throws(DatasetError) {
        self.path = path
        infoPath = Path.join(path, Self.infoName)
        guard FileSystem.exists(infoPath) else {
            entries = [:]
            return
        }
        let value: JSONValue
        do { value = try JSONValue.read(file: infoPath) } catch { throw .badFile(sentence: error.description) }
        guard let object = value.objectValue else {
            throw .badFile(sentence: "\(infoPath): expected an object of data sets, found \(value.kindName).")
        }
        entries = object
    }

    /// Names in the order of the file.
    public var names: [String] { entries.keys }

    /// The data set of this name, or the file at this path.
    ///
    /// `name@0.25` takes a quarter of its rows, as the mixers of the alignment handbook do: the first ones, rounded down.
    public func entry(_ name: String) throws(DatasetError) -> DatasetEntry {
        if entries[name] == nil, let at = name.lastIndex(of: "@"), let share = Double(name[name.index(after: at)...]) {
            guard share >= 0, share <= 1000 else {
                throw .badSetting(argument: "dataset", reason: "\(name) asks for a part of \(share), expected 0 to 1000")
            }
            var entry = try entry(String(name[..<at]))
            entry.share = share
            return entry
        }
        if let value = entries[name] {
            guard let object = value.objectValue else { throw .badEntry(name: name, infoPath: infoPath, reason: "it is \(value.kindName)") }
            return try read(object, name: name)
        }
        for candidate in [name, Path.join(path, name)] {
            let path = Path.expandingTilde(candidate)
            guard FileSystem.exists(path) else { continue }
            var entry = DatasetEntry(name: name, files: try files(at: path, dataset: name))
            entry.isGuessed = true
            try DatasetSniffer.guess(&entry)
            return entry
        }
        throw .unknownDataset(name: name, infoPath: infoPath, known: names)
    }

    /// Every file that a job reads rows from. A data set that cannot be found has none here; whoever reads it says so.
    public static func files(of configuration: Configuration) -> [(argument: String, path: String)] {
        guard let directory = try? DatasetDirectory(path: configuration[.datasetDir]) else { return [] }
        return [ArgumentKey<[String]>.dataset, .evalDataset].flatMap { argument in
            configuration[argument].compactMap { try? directory.entry($0) }.flatMap(\.files).map { (argument.name, $0) }
        }
    }

    private func files(at path: String, dataset: String) throws(DatasetError) -> [String] {
        guard FileSystem.exists(path) else { throw .missingFile(dataset: dataset, path: path) }
        guard FileSystem.isDirectory(path) else { return [path] }
        let names: [String]
        do { names = try FileSystem.list(path) } catch { throw .unreadable(path: path, reason: error.description) }
        let found = names.map { Path.join(path, $0) }.filter { RowFile.Kind(path: $0) != nil && !FileSystem.isDirectory($0) }
        if found.isEmpty, let columns = names.first(where: { Path.extension($0).lowercased() == "parquet" }) {
            throw .parquet(path: Path.join(path, columns))
        }
        if found.isEmpty { throw .missingFile(dataset: dataset, path: Path.join(path, "*.json")) }
        return found
    }

    private func read(_ object: JSONObject, name: String) throws(DatasetError) -> DatasetEntry {
        guard let fileName = object["file_name"]?.stringValue else {
            let remote = ["hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"].first { object.contains($0) }
            let reason = remote.map { "it is fetched by \($0), which this program cannot do; download it and give file_name" }
            throw .badEntry(name: name, infoPath: infoPath, reason: reason ?? "it has no file_name")
        }
        let location = Path.isAbsolute(fileName) ? fileName : Path.join(path, fileName)
        var entry = DatasetEntry(name: name, files: try files(at: location, dataset: name))
        let format = object["formatting"]?.stringValue ?? "alpaca"
        guard let known = DatasetEntry.Format(rawValue: format), known != .tokenised else {
            throw .badEntry(name: name, infoPath: infoPath, reason: "formatting is \"\(format)\", expected alpaca, sharegpt or openai")
        }
        entry.format = known
        entry.isRanking = object["ranking"]?.boolValue ?? false
        entry.sampleCount = object["num_samples"]?.intValue
        if let count = entry.sampleCount, count > DatasetEntry.mostSamples {
            throw .badEntry(
                name: name, infoPath: infoPath, reason: "num_samples is \(count), expected at most \(DatasetEntry.mostSamples)")
        }
        if let columns = object["columns"]?.objectValue {
            // Naming any column gives up the defaults of all.
            entry.prompt = columns["prompt"]?.stringValue
            entry.query = columns["query"]?.stringValue
            entry.response = columns["response"]?.stringValue
            entry.history = columns["history"]?.stringValue
            entry.messages = columns["messages"]?.stringValue
            entry.system = columns["system"]?.stringValue
            entry.tools = columns["tools"]?.stringValue
            entry.chosen = columns["chosen"]?.stringValue
            entry.rejected = columns["rejected"]?.stringValue
            entry.ktoTag = columns["kto_tag"]?.stringValue
        }
        if let tags = object["tags"]?.objectValue {
            entry.roleTag = tags["role_tag"]?.stringValue ?? entry.roleTag
            entry.contentTag = tags["content_tag"]?.stringValue ?? entry.contentTag
            entry.userTag = tags["user_tag"]?.stringValue ?? entry.userTag
            entry.assistantTag = tags["assistant_tag"]?.stringValue ?? entry.assistantTag
            entry.observationTag = tags["observation_tag"]?.stringValue ?? entry.observationTag
            entry.functionTag = tags["function_tag"]?.stringValue ?? entry.functionTag
            entry.systemTag = tags["system_tag"]?.stringValue
        }
        if known != .alpaca, entry.messages == nil {
            throw .badEntry(name: name, infoPath: infoPath, reason: "columns does not name messages, which \(format) needs")
        }
        // A file of token ids is taken as such, whatever the entry says.
        if DatasetSniffer.isTokenised(entry) { entry.format = .tokenised }
        return entry
    }
}

/// Guesses the format of a file from its first row.
enum DatasetSniffer {
    static func firstRow(_ entry: DatasetEntry) -> JSONObject? {
        guard let file = entry.files.first, let rows = try? RowFile(path: file, limit: 1), rows.count > 0 else { return nil }
        return (try? rows.value(0))?.objectValue
    }

    static func isTokenised(_ entry: DatasetEntry) -> Bool { firstRow(entry)?["input_ids"]?.arrayValue != nil }

    static func guess(_ entry: inout DatasetEntry) throws(DatasetError) {
        guard let file = entry.files.first else { return }
        if Path.extension(file).lowercased() == "parquet" { throw .parquet(path: file) }
        guard RowFile.Kind(path: file) != nil else { throw .unknownFileType(path: file) }
        guard let row = firstRow(entry) else { return }
        if row.contains("chosen"), row.contains("rejected") { (entry.chosen, entry.rejected) = ("chosen", "rejected") }
        entry.ktoTag = ["kto_tag", "label"].first { row[$0]?.boolValue != nil }
        if row["input_ids"]?.arrayValue != nil {
            entry.format = .tokenised
        } else if let column = ["messages", "conversations", "conversation"].first(where: { row[$0]?.arrayValue != nil }) {
            entry.messages = column
            entry.format = .sharegpt
            if row[column]?[0]?["role"] != nil {
                entry.format = .openai
                entry.useOpenAITags()
            }
            if row["system"]?.stringValue != nil { entry.system = "system" }
            if row.contains("tools") { entry.tools = "tools" }
        } else {
            guessColumns(&entry, row)
        }
    }

    private static func guessColumns(_ entry: inout DatasetEntry, _ row: JSONObject) {
        let has: (String) -> Bool = { row.contains($0) }
        entry.system = has("system") ? "system" : nil
        entry.history = has("history") ? "history" : nil
        if has("instruction") {
            entry.query = has("input") ? "input" : nil
            entry.response = ["output", "response", "answer"].first(where: has)
        } else if let prompt = ["prompt", "question", "query", "input"].first(where: has) {
            entry.prompt = prompt
            entry.query = nil
            entry.response = ["response", "completion", "answer", "output", "chosen"].first(where: has)
        } else if let text = ["text", "content"].first(where: has) {
            entry.prompt = text
            entry.query = nil
            entry.response = nil
        }
    }
}
