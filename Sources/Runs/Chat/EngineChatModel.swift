/// A base model with its adapter, a tokenizer and a template, ready to talk.

import Configuration
import Evaluation
import Events
import Generation
import Models
import Platform
import Tensors
import Tokenizers
import Training

public enum EngineChat {
    /// Loads what the configuration names; keeps the base when it is the one that is loaded.
    public static let load: ChatLoader = { configuration, loaded, report in
        let configuration = try ModelLocation.resolved(configuration)
        let model = (loaded as? EngineChatModel).flatMap { $0.canTake(configuration) ? $0 : nil }
        guard let model else { return try EngineChatModel(configuration, report: report) }
        try model.take(configuration, report: report)
        return model
    }
}

/// The engine's side of a chat.
final class EngineChatModel: ChatModel {
    private let directory: String
    private let threadCount: Int
    private let device: ComputeDevice.Request?
    private let quantizer: WeightQuantizer?
    private let transformer: Transformer
    /// As it lies in the folder; the template decides what ends a turn.
    private let plainTokenizer: Tokenizer
    private var tokenizer: Tokenizer
    private var generator: TextGenerator
    private var template: PromptTemplate
    private var adapters: [String] = []
    /// Adapters below the last one are merged into the base, which is then no longer the base of the folder.
    private var isBaseChanged = false
    private(set) var info: ChatInfo

    init(_ configuration: Configuration, report: (String) -> Void) throws {
        let start = Clock.monotonicSeconds()
        directory = configuration.text("model_name_or_path")
        threadCount = configuration[.threads]
        device = ComputeDevice.request(configuration)
        report("Reading the tokenizer of \(directory)")
        let vocabulary = try VocabularyChange(configuration)
        plainTokenizer = try vocabulary.tokenizer(directory)
        template = try Self.template(configuration, plainTokenizer)
        tokenizer = template.prepare(plainTokenizer).tokenizer
        report("Reading the weights of \(directory)")
        quantizer = WeightQuantizer(configuration)
        let growth = vocabulary.growth(plainTokenizer)
        transformer = try Transformer.load(
            directory: directory, backend: try EngineSetup.backend(configuration, notice: report),
            options: LoadOptions(quantizer: quantizer, growth: growth, restoresLayout: !configuration[.adapterNameOrPath].isEmpty))
        generator = TextGenerator(model: transformer, tokenizer: tokenizer)
        info = ChatInfo(
            modelName: Path.relative(directory, to: FileSystem.currentDirectory), templateName: template.name,
            contextLength: transformer.spec.maximumPositions, parameterCount: transformer.parameters.reduce(0) { $0 + $1.count })
        try take(configuration, report: report)
        info.loadSeconds = Clock.monotonicSeconds() - start
    }

    /// The model of a training that holds: nothing is read, nothing is changed.
    /// - Parameter configuration: the template, system prompt and sampling of the conversation.
    init(_ held: HeldTraining, _ configuration: Configuration) throws {
        directory = held.configuration.text("model_name_or_path")
        threadCount = held.configuration[.threads]
        device = ComputeDevice.request(held.configuration)
        quantizer = WeightQuantizer(held.configuration)
        plainTokenizer = held.tokenizer
        template = try Self.template(configuration, plainTokenizer)
        tokenizer = template.prepare(plainTokenizer).tokenizer
        transformer = held.model
        generator = TextGenerator(model: transformer, tokenizer: tokenizer)
        info = ChatInfo(
            modelName: Path.relative(directory, to: FileSystem.currentDirectory), templateName: template.name,
            contextLength: transformer.spec.maximumPositions, parameterCount: transformer.parameters.reduce(0) { $0 + $1.count })
        if transformer.isAdapterEnabled {
            adapters = ["step \(held.step)"]
            info.adapterNames = adapters
        } else {
            info.modelName += ", step \(held.step)"
        }
        // What is merged or trained in memory is not what lies in the folder.
        isBaseChanged = true
    }

    /// Whether the loaded base serves the configuration.
    func canTake(_ configuration: Configuration) -> Bool {
        !isBaseChanged && configuration.text("model_name_or_path") == directory && configuration[.threads] == threadCount
            && ComputeDevice.request(configuration) == device
            && WeightQuantizer(configuration) == quantizer && (configuration[.adapterNameOrPath].isEmpty || !transformer.usesFileLayout)
    }

    /// Puts the configuration's adapters and template on the loaded base.
    func take(_ configuration: Configuration, report: (String) -> Void) throws {
        template = try Self.template(configuration, plainTokenizer)
        tokenizer = template.prepare(plainTokenizer).tokenizer
        generator = TextGenerator(model: transformer, tokenizer: tokenizer)
        info.templateName = template.name
        let wanted = configuration[.adapterNameOrPath]
        guard wanted != adapters || isBaseChanged else {
            transformer.setAdapter(enabled: true)
            return
        }
        if !adapters.isEmpty { transformer.removeAdapter() }
        adapters = []
        if !wanted.isEmpty { report("Reading the adapter \(wanted.joined(separator: ", "))") }
        isBaseChanged = wanted.count > 1
        try AdapterFile.load(wanted, into: transformer)
        adapters = wanted
        info.adapterNames = wanted.map { Path.relative($0, to: FileSystem.currentDirectory) }
    }

    func setAdapterEnabled(_ isEnabled: Bool) { transformer.setAdapter(enabled: isEnabled) }

    func answer(_ lines: [ChatLine], _ configuration: Configuration, receive: (String) -> Bool) throws -> ChatStatistics {
        var options = SamplingOptions(configuration)
        if configuration.isSet("seed") { options.seed = UInt64(max(0, configuration[.seed])) }
        options.stopTokenIDs = template.stopTokenIDs(tokenizer)
        options.stopStrings += template.stopWords.filter { tokenizer.id(of: $0) == nil }
        let context = info.contextLength
        let (prompt, omitted) = try fittingPrompt(lines, configuration, answerRoom: min(options.maxNewTokens ?? 1, context / 4))
        let room = context - prompt.count
        options.maxNewTokens = min(options.maxNewTokens ?? max(1, options.maxLength - prompt.count), room)

        let start = Clock.monotonicSeconds()
        var firstPiece: Double?
        let result = try generator.generate(prompt: prompt, options: options) { piece in
            if firstPiece == nil, !piece.text.isEmpty { firstPiece = Clock.monotonicSeconds() - start }
            return receive(piece.text)
        }
        return ChatStatistics(
            promptTokens: result.promptTokens, answerTokens: result.tokenIDs.count, tokensPerSecond: result.tokensPerSecond,
            firstPieceSeconds: firstPiece ?? Clock.monotonicSeconds() - start, contextUsed: prompt.count + result.tokenIDs.count,
            contextLength: context, omittedMessages: omitted, ending: Self.ending(result.finishReason),
            isAdapterEnabled: transformer.isAdapterEnabled)
    }

    /// The prompt of the conversation; when it is too long for the context, of its newest part. Whole turns are left out, the
    /// oldest first; the system message stays.
    private func fittingPrompt(
        _ lines: [ChatLine], _ configuration: Configuration, answerRoom: Int
    ) throws -> (tokens: [Int32], omitted: Int) {
        let system = lines.first { $0.speaker == .system }?.text
        let tools = lines.first { $0.speaker == .tools }?.text
        var turns = lines.filter { $0.speaker == .user || $0.speaker == .assistant }
        let count = turns.count
        while true {
            let messages = turns.map { ChatMessage(role: $0.speaker == .user ? .user : .assistant, content: $0.text) }
            let prompt = try template.encodePrompt(messages, system: system, tools: tools, tokenizer: tokenizer)
            if prompt.count + max(1, answerRoom) <= info.contextLength { return (prompt, count - turns.count) }
            guard turns.count > 1 else {
                throw JobFailure(
                    what: "The message is \(prompt.count) tokens long with its template; the model's context is \(info.contextLength).",
                    whatToDo: "Shorten it.")
            }
            turns.removeFirst()
            while turns.count > 1, turns[0].speaker != .user { turns.removeFirst() }
        }
    }

    private static func template(_ configuration: Configuration, _ tokenizer: Tokenizer) throws -> PromptTemplate {
        try PromptTemplate.choose(configuration, tokenizer: tokenizer)
    }

    private static func ending(_ reason: FinishReason) -> ChatEnding {
        switch reason {
        case .stop: .complete
        case .length: .length
        case .cancelled: .cancelled
        }
    }
}
