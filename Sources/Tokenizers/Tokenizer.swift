import Formats
import Platform

/// Text to token ids and back, as the model's tokenizer.json says. Safe to use from several threads at once.
///
///     let tokenizer = try Tokenizer(directory: "models/qwen2.5-0.5b")
///     let ids = tokenizer.encode("Hello, world")
///     let text = tokenizer.decode(ids)
public final class Tokenizer: @unchecked Sendable {
    /// The folder that the files were read from.
    public let directory: String
    /// Source of the model's own chat template; nil when it has none.
    public let chatTemplateSource: String?
    public let bosToken: String?
    public let eosToken: String?
    public let padToken: String?
    public let unkToken: String?
    public let bosID: Int32?
    public let eosID: Int32?
    public let padID: Int32?
    public let unkID: Int32?
    /// True when tokenizer_config.json says that texts begin with the bos token.
    public let addsBOS: Bool
    /// Longest input that the tokenizer's settings name; nil when they do not.
    public let modelMaxLength: Int?
    /// One more than the largest id that can come out of `encode`.
    public let vocabularySize: Int
    /// All added tokens, by id.
    public let addedTokens: [AddedToken]

    /// Special tokens in a text are split like other text.
    public let splitsSpecialTokens: Bool

    let core: TokenizerCore
    /// Tokens that this instance has and the files of `directory` do not.
    let newTokens: [AddedToken]

    /// Reads tokenizer.json and the files beside it; where there is none, a SentencePiece or tiktoken model, vocab.json and merges.txt,
    /// or what a GGUF file says.
    /// - Parameter directory: a model folder, or a GGUF file.
    /// - Parameter tokens: to be known besides; those that the vocabulary has keep their ids, the others follow the largest.
    public init(directory: String, adding tokens: [NewToken] = []) throws(TokenizerError) {
        let (file, settings, path) = try TokenizerSource.open(directory)
        let stored = try TokenizerCore(file: file, settings: settings, path: path)
        newTokens = NewToken.placed(tokens, in: stored)
        if newTokens.isEmpty {
            core = stored
        } else {
            var extended = file
            extended.addedTokens += newTokens
            core = try TokenizerCore(file: extended, settings: settings, path: path)
        }
        self.directory = directory
        (bosToken, eosToken) = (settings.bosToken, settings.eosToken)
        (padToken, unkToken) = (settings.padToken, settings.unkToken)
        (bosID, eosID) = (core.id(of: settings.bosToken), core.id(of: settings.eosToken))
        (padID, unkID) = (core.id(of: settings.padToken), core.id(of: settings.unkToken))
        addsBOS = settings.addsBOS
        modelMaxLength = settings.modelMaxLength
        chatTemplateSource = settings.chatTemplate
        addedTokens = core.addedTokens
        vocabularySize = core.limit
        splitsSpecialTokens = false
    }

    private init(_ other: Tokenizer, eosToken: String?, padToken: String?, chatTemplate: String?, splitsSpecialTokens: Bool) {
        self.splitsSpecialTokens = splitsSpecialTokens
        core = other.core
        newTokens = other.newTokens
        directory = other.directory
        (bosToken, bosID, unkToken, unkID) = (other.bosToken, other.bosID, other.unkToken, other.unkID)
        (self.eosToken, eosID) = (eosToken, other.core.id(of: eosToken))
        (self.padToken, padID) = (padToken, other.core.id(of: padToken))
        addsBOS = other.addsBOS
        modelMaxLength = other.modelMaxLength
        chatTemplateSource = chatTemplate
        addedTokens = other.addedTokens
        vocabularySize = other.vocabularySize
    }

    /// The same tokenizer with other end and padding tokens and another chat template, as a prompt template asks for them.
    public func replacing(eosToken: String?, padToken: String?, chatTemplate: String?) -> Tokenizer {
        Tokenizer(self, eosToken: eosToken, padToken: padToken, chatTemplate: chatTemplate, splitsSpecialTokens: splitsSpecialTokens)
    }

    /// The same tokenizer with special tokens in texts split like other text, as `split_special_tokens` of transformers does it.
    public func splittingSpecialTokens() -> Tokenizer {
        Tokenizer(self, eosToken: eosToken, padToken: padToken, chatTemplate: chatTemplateSource, splitsSpecialTokens: true)
    }

    /// Token ids of a text.
    /// - Parameter addSpecialTokens: puts the tokens around it that the tokenizer's post-processor names (usually bos).
    public func encode(_ text: String, addSpecialTokens: Bool = false) -> [Int32] {
        var output: [Int32] = []
        if addSpecialTokens, let post = core.postProcessor { output.append(contentsOf: post.prefix) }
        var text = text
        text.withUTF8 { core.encode($0, splitsSpecial: splitsSpecialTokens, into: &output) }
        if addSpecialTokens, let post = core.postProcessor { output.append(contentsOf: post.suffix) }
        return output
    }

    /// The 256 characters that byte-level vocabularies write bytes with, by byte.
    public static var byteAlphabet: [String] { (0..<256).map { ByteAlphabet.text(of: [UInt8($0)]) } }

    /// Text of token ids. Ids that do not exist are left out.
    public func decode(_ ids: [Int32], skipSpecialTokens: Bool = true) -> String {
        core.decode(ids, skipSpecialTokens: skipSpecialTokens)
    }

    /// Decodes ids one at a time as they are generated.
    public func streamingDecoder(skipSpecialTokens: Bool = true) -> StreamingDecoder {
        StreamingDecoder(tokenizer: self, skipsSpecialTokens: skipSpecialTokens)
    }

    /// Id of a token by its exact text in the vocabulary.
    public func id(of token: String) -> Int32? { core.id(of: token) }

    /// Text of a token as the vocabulary spells it (`Ġthe` in byte-level vocabularies).
    public func token(_ id: Int32) -> String? { core.tokenText(id).map { String(decoding: $0, as: UTF8.self) } }

    public func isSpecial(_ id: Int32) -> Bool { core.specialIDs.contains(id) }

    /// The text in which only this token's bytes come out; U+FFFD where they are no whole characters.
    public func readableText(of id: Int32) -> String { core.decode([id], skipSpecialTokens: false) }

    /// See `TokenizerCore.appendDecodedBytes`.
    func appendDecodedBytes(
        of id: Int32, isFirst: Bool, after owed: inout [UInt8], to bytes: inout [UInt8]
    ) -> (owed: [UInt8], countsAsOutput: Bool)? {
        core.appendDecodedBytes(of: id, isFirst: isFirst, after: &owed, to: &bytes)
    }

    /// Files that make up a tokenizer; those that exist are copied by `save`.
    public static let fileNames = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "chat_template.json",
        "vocab.json", "merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "qwen.tiktoken", "added_tokens.json", "generation_config.json",
    ]

    /// Copies the tokenizer's files to `directory`, with the end and padding tokens and the chat template of this instance.
    public func save(to directory: String) throws(TokenizerError) {
        do {
            try FileSystem.createDirectory(directory)
            for name in Tokenizer.fileNames where name != "generation_config.json" {
                let source = Path.join(self.directory, name)
                if FileSystem.exists(source), name != "tokenizer_config.json" { try FileSystem.copy(source, Path.join(directory, name)) }
            }
            try saveSettings(to: directory)
            try saveNewTokens(to: directory)
        } catch {
            throw .unwritable(path: directory, reason: "\(error)")
        }
    }

    private func saveSettings(to directory: String) throws {
        let source = Path.join(self.directory, "tokenizer_config.json")
        var settings = JSONObject()
        if FileSystem.exists(source) { settings = try JSONValue.read(file: source).objectValue ?? [:] }
        if let eosToken { settings["eos_token"] = .string(eosToken) }
        if let padToken { settings["pad_token"] = .string(padToken) }
        let templatePath = Path.join(directory, "chat_template.jinja")
        if let chatTemplateSource {
            // One place for the template: the file when there is one, else the settings.
            if FileSystem.exists(templatePath) {
                try FileSystem.writeAtomically(templatePath, text: chatTemplateSource)
                settings.remove("chat_template")
            } else {
                settings["chat_template"] = .string(chatTemplateSource)
            }
        }
        try FileSystem.writeAtomically(
            Path.join(directory, "tokenizer_config.json"), text: settings.text(style: .indented(2)) + "\n")
    }
}
