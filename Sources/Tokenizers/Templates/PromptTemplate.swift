import Formats

/// How a conversation becomes token ids: a named template with LLaMA-Factory's behaviour, or the model's own Jinja template.
///
///     let template = try PromptTemplate.named("qwen")
///     let (tokenizer, notices) = template.prepare(tokenizer)       // end token and chat template as the template wants them
///     let turns = try template.encodeMultiTurn(messages, system: nil, tools: nil, tokenizer: tokenizer)
public struct PromptTemplate: Sendable {
    public let name: String
    private(set) var source: Source

    enum Source: Sendable {
        case named(TemplateDefinition)
        case jinja(OwnTemplate)
    }

    /// Written instead of the template's own default when a conversation has no system message; nil keeps the template's.
    public var defaultSystem: String?
    /// Thinking of reasoning templates: true learns it, false leaves it out, nil writes empty thoughts into the prompt.
    public var enableThinking: Bool? = true
    /// Keeps the thoughts of earlier turns.
    public var preservesThinking = false

    init(name: String, source: Source) {
        self.name = name
        self.source = source
    }

    /// Names of all named templates, in alphabetical order.
    public static let names: [String] = TemplateTable.all.map(\.name).sorted()

    /// The template of this name.
    public static func named(_ name: String) throws(TemplateError) -> PromptTemplate {
        guard let definition = TemplateTable.definition(name) else { throw .unknownName(name, nearest: nearest(name)) }
        return PromptTemplate(name: name, source: .named(definition))
    }

    /// The model's own template, rendered as it is.
    public static func ownJinja(of tokenizer: Tokenizer) throws(TemplateError) -> PromptTemplate {
        guard let source = tokenizer.chatTemplateSource else { throw .noOwnTemplate(directory: tokenizer.directory) }
        return PromptTemplate(name: "chat_template", source: .jinja(try OwnTemplate(source: source)))
    }

    /// The template that a run uses: the named one; without a name the model's own, or `empty` when it has none.
    public static func choose(name: String?, tokenizer: Tokenizer) throws(TemplateError) -> PromptTemplate {
        if let name, !name.isEmpty { return try named(name) }
        if tokenizer.chatTemplateSource != nil { return try ownJinja(of: tokenizer) }
        return try named("empty")
    }

    /// Names that `useToolFormat` takes.
    public static let toolFormatNames: [String] = ToolFormat.named.map(\.name)

    /// Describes tools and writes calls in another format than the template's own (`tool_format`). The model's own Jinja template
    /// keeps its way.
    public mutating func useToolFormat(_ name: String) throws(TemplateError) {
        guard let format = ToolFormat.named.first(where: { $0.name == name })?.format else {
            throw .unknownToolFormat(name, known: PromptTemplate.toolFormatNames)
        }
        guard case .named(var definition) = source else { return }
        definition.tools = format
        definition.functionFormat = nil
        definition.function = definition.efficientEOS ? [.text("{{content}}")] : [.text("{{content}}"), .eos]
        source = .named(definition)
    }

    private static func nearest(_ name: String) -> String? {
        let wanted = Array(name.lowercased().utf8)
        var best: (name: String, distance: Int)?
        for candidate in names {
            let distance = editDistance(wanted, Array(candidate.utf8))
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        guard let best, best.distance <= max(2, wanted.count / 3) else { return nil }
        return best.name
    }

    private static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        if a.isEmpty || b.isEmpty || a.count > 64 { return max(a.count, b.count) }
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let replaced = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }

    /// True when turns are joined by a single end token that is put in by whoever builds the sample.
    public var efficientEOS: Bool {
        if case .named(let definition) = source { return definition.efficientEOS }
        return false
    }

    /// True for templates whose answers carry a block of thoughts.
    public var isReasoning: Bool {
        if case .named(let definition) = source {
            switch definition.kind {
            case .reasoning, .closingReasoning: return true
            case .plain, .systemInUser: return false
            }
        }
        return false
    }

    /// Texts at which generation stops, besides the tokenizer's end token.
    public var stopWords: [String] {
        switch source {
        case .named(let definition): return definition.stopWords
        case .jinja: return []
        }
    }

    /// The system text for a conversation that brings `given`.
    func systemText(_ given: String?) -> String {
        if let given, !given.isEmpty { return given }
        if let defaultSystem { return defaultSystem }
        if case .named(let definition) = source { return definition.defaultSystem }
        return ""
    }

    /// The tokenizer as the template wants it: its first stop word as end token where it says so, a padding token, its own text as
    /// chat template. Stop words that are no single tokens are named in the notices; they are then written as ordinary text.
    public func prepare(_ tokenizer: Tokenizer) -> (tokenizer: Tokenizer, notices: [String]) {
        var notices: [String] = []
        var eos = tokenizer.eosToken
        var template = tokenizer.chatTemplateSource
        if case .named(let definition) = source {
            for word in definition.stopWords where tokenizer.id(of: word) == nil {
                notices.append("The template \(name) stops at \(word), which this tokenizer does not have as one token.")
            }
            if definition.replacesEOS, let word = definition.stopWords.first, tokenizer.id(of: word) != nil { eos = word }
            if eos == nil, tokenizer.id(of: "<|endoftext|>") != nil { eos = "<|endoftext|>" }
            if template == nil || definition.replacesJinja {
                let changed = tokenizer.replacing(eosToken: eos, padToken: tokenizer.padToken, chatTemplate: nil)
                template = jinja(tokenizer: changed) ?? template
            }
        }
        if eos == nil { notices.append("The tokenizer has no end token: answers cannot learn where to stop.") }
        return (tokenizer.replacing(eosToken: eos, padToken: tokenizer.padToken ?? eos, chatTemplate: template), notices)
    }

    /// Ids at which generation stops.
    public func stopTokenIDs(_ tokenizer: Tokenizer) -> [Int32] {
        var result: [Int32] = []
        if let eos = tokenizer.eosID { result.append(eos) }
        switch source {
        case .named(let definition): result += definition.stopWords.compactMap { tokenizer.id(of: $0) }
        case .jinja(let own): result += own.endTokens(tokenizer)
        }
        var seen = Set<Int32>()
        return result.filter { seen.insert($0).inserted }
    }

    // MARK: Encoding

    /// The turns of a conversation of user and assistant messages in turn, ending with the assistant.
    /// - Parameter discardsHistoryThoughts: leaves out the thoughts of all answers but the last.
    /// - Returns: for each turn what is given (prefix, system and question) and what is learnt (the answer with its end).
    public func encodeMultiTurn(
        _ messages: [ChatMessage], system: String? = nil, tools: String? = nil, tokenizer: Tokenizer,
        discardsHistoryThoughts: Bool = false
    ) throws(TemplateError) -> [(prompt: [Int32], response: [Int32])] {
        try checkTurns(messages, endsWithAnswer: true)
        switch source {
        case .jinja(let own):
            return try own.turns(
                messages, system: jinjaSystem(system), tools: tools, tokenizer: tokenizer, enableThinking: enableThinking)
        case .named(let definition):
            return try TemplateEncoder(definition: definition, template: self, tokenizer: tokenizer)
                .multiTurn(messages, system: system, tools: tools, discardsHistoryThoughts: discardsHistoryThoughts)
        }
    }

    /// The whole conversation as one prompt, up to where the assistant begins, and the last answer.
    public func encodeOneTurn(
        _ messages: [ChatMessage], system: String? = nil, tools: String? = nil, tokenizer: Tokenizer
    ) throws(TemplateError) -> (prompt: [Int32], response: [Int32]) {
        try checkTurns(messages, endsWithAnswer: true)
        switch source {
        case .jinja(let own):
            return try own.oneTurn(
                messages, system: jinjaSystem(system), tools: tools, tokenizer: tokenizer, enableThinking: enableThinking)
        case .named(let definition):
            return try TemplateEncoder(definition: definition, template: self, tokenizer: tokenizer)
                .oneTurn(messages, system: system, tools: tools)
        }
    }

    /// The prompt for the next answer to a conversation that ends with the user (or a tool).
    public func encodePrompt(
        _ messages: [ChatMessage], system: String? = nil, tools: String? = nil, enableThinking: Bool? = nil, tokenizer: Tokenizer
    ) throws(TemplateError) -> [Int32] {
        var template = self
        if let enableThinking { template.enableThinking = enableThinking }
        try checkTurns(messages, endsWithAnswer: false)
        switch source {
        case .jinja(let own):
            return tokenizer.encode(
                try own.text(
                    messages, system: jinjaSystem(system), tools: tools, tokenizer: tokenizer, addGenerationPrompt: true,
                    enableThinking: template.enableThinking))
        case .named(let definition):
            return try TemplateEncoder(definition: definition, template: template, tokenizer: tokenizer)
                .oneTurn(messages + [.assistant("")], system: system, tools: tools).prompt
        }
    }

    private func jinjaSystem(_ given: String?) -> String? {
        if let given, !given.isEmpty { return given }
        return defaultSystem
    }

    /// User (or tool result) and assistant (or tool call) take turns, the user first.
    private func checkTurns(_ messages: [ChatMessage], endsWithAnswer: Bool) throws(TemplateError) {
        if messages.isEmpty { throw .emptyConversation }
        for (index, message) in messages.enumerated() {
            let isQuestion = message.role == .user || message.role == .observation
            let isAnswer = message.role == .assistant || message.role == .function
            if index % 2 == 0 ? !isQuestion : !isAnswer {
                throw .wrongRole(
                    position: index, found: message.role.rawValue, expected: index % 2 == 0 ? "user or observation" : "assistant or function")
            }
        }
        let endsWell = messages.count % 2 == (endsWithAnswer ? 0 : 1)
        if !endsWell, let last = messages.last {
            throw .wrongRole(
                position: messages.count, found: last.role.rawValue + " (the last one)", expected: endsWithAnswer ? "assistant" : "user")
        }
    }
}

extension PromptTemplate {
    /// Text that changes whenever the template would write something else, for cache keys.
    public var fingerprint: String {
        let thinking = enableThinking.map { String($0) } ?? "none"
        let settings = "\(name) \(defaultSystem ?? "-") \(thinking) \(preservesThinking)"
        switch source {
        case .named(let definition): return settings + " \(definition)"
        case .jinja(let own): return settings + own.sourceText
        }
    }
}
