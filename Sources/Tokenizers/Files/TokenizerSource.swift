import Formats
import Platform

/// Finds what a model folder's tokenizer is made of: tokenizer.json; else a SentencePiece or tiktoken model, else vocab.json and
/// merges.txt, completed by the rules of the class that tokenizer_config.json names.
enum TokenizerSource {
    private static let modelNames = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "qwen.tiktoken"]

    /// Everything of a folder's tokenizer, or of a GGUF file's.
    static func open(_ directory: String) throws(TokenizerError) -> (file: TokenizerFile, settings: TokenizerSettings, path: String) {
        let hasFiles = (["tokenizer.json", "vocab.json"] + modelNames).contains { FileSystem.exists(Path.join(directory, $0)) }
        if !hasFiles, let path = GGUFFile.location(directory) {
            let gguf: GGUFFile
            do { gguf = try GGUFFile(path: path) } catch { throw .notJSON(sentence: error.description) }
            let tokenizer = try GGUFTokenizer(gguf)
            return (tokenizer.file, tokenizer.settings, path)
        }
        var settings = try TokenizerSettings(directory: directory)
        let (file, path) = try read(directory: directory, settings: &settings)
        return (file, settings, path)
    }

    static func read(directory: String, settings: inout TokenizerSettings) throws(TokenizerError) -> (file: TokenizerFile, path: String) {
        let path = Path.join(directory, "tokenizer.json")
        if FileSystem.exists(path) { return (try TokenizerFile(path: path), path) }
        for name in modelNames {
            let path = Path.join(directory, name)
            guard FileSystem.exists(path) else { continue }
            let file: MappedFile
            do { file = try MappedFile(path: path) } catch { throw .unreadable(path: path, reason: error.description) }
            return try withExtendedLifetime(file) { () throws(TokenizerError) in
                (try model(file.bytes, path: path, settings: &settings), path)
            }
        }
        if FileSystem.exists(Path.join(directory, "vocab.json")), FileSystem.exists(Path.join(directory, "merges.txt")) {
            return (
                try TokenTableFiles.vocabularyAndMerges(directory: directory, settings: settings), Path.join(directory, "vocab.json")
            )
        }
        throw .missingFile(path: path)
    }

    /// A tokenizer.model of either kind.
    static func model(
        _ bytes: UnsafeRawBufferPointer, path: String, settings: inout TokenizerSettings
    ) throws(TokenizerError) -> TokenizerFile {
        if TokenTableFiles.isTiktoken(bytes) {
            let isQwen = Path.name(path) == "qwen.tiktoken"
            var file = try TokenTableFiles.tiktoken(bytes, pattern: isQwen ? .qwen2 : .llama3, composes: isQwen, path: path)
            if isQwen { addQwenTokens(&file) }
            if settings.className?.hasPrefix("ChatGLM") ?? false { file.prefixNames = ["[gMASK]", "<sop>"] }
            return file
        }
        let piece = try SentencePieceFile(bytes: bytes, path: path)
        var file = TokenizerFile(model: try piece.model())
        file.normalizer = try piece.normalizer(prefixesOnlyStart: settings.isLegacy == false)
        file.decoder = piece.decoder
        if settings.className == "ChatGLMTokenizer" {
            addChatGLMTokens(&file, piece, &settings)
            return file
        }
        settings.bosToken = settings.bosToken ?? piece.text(piece.beginID)
        settings.eosToken = settings.eosToken ?? piece.text(piece.endID)
        settings.unkToken = settings.unkToken ?? piece.text(piece.unknownID)
        for token in [settings.bosToken, settings.eosToken, settings.unkToken] { settings.addSpecial(token) }
        file.addedTokens = piece.controlIDs.compactMap { id in
            piece.text(Int64(id)).map {
                var token = AddedToken(id: id, content: $0, isSpecial: true)
                token.isFoundInText = settings.isSpecial($0)
                return token
            }
        }
        let isT5 = settings.className?.contains("T5") ?? false
        if settings.addBeginToken ?? !isT5, let name = settings.bosToken { file.prefixNames = [name] }
        if settings.addEndToken ?? isT5, let name = settings.eosToken { file.suffixNames = [name] }
        return file
    }

    /// ChatGLM 2 and 3 number their special tokens after the pieces, put two of them in front, and never look for them in text.
    private static func addChatGLMTokens(_ file: inout TokenizerFile, _ piece: SentencePieceFile, _ settings: inout TokenizerSettings) {
        let names = ["[MASK]", "[gMASK]", "[sMASK]", "sop", "eop", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"]
        for (index, name) in names.enumerated() {
            var token = AddedToken(id: Int32(piece.pieces.count + index), content: name, isSpecial: true)
            token.isFoundInText = false
            file.addedTokens.append(token)
        }
        for id in piece.controlIDs {
            guard let text = piece.text(Int64(id)) else { continue }
            var token = AddedToken(id: id, content: text, isSpecial: true)
            token.isFoundInText = false
            file.addedTokens.append(token)
        }
        settings.bosToken = piece.text(piece.beginID)
        settings.eosToken = piece.text(piece.endID)
        settings.unkToken = piece.text(piece.unknownID)
        settings.padToken = settings.unkToken
        settings.specialTokens = []
        file.prefixNames = ["[gMASK]", "sop"]
    }

    /// Qwen 1's special tokens follow its 151,643 others.
    private static func addQwenTokens(_ file: inout TokenizerFile) {
        let names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + (0..<205).map { "<|extra_\($0)|>" }
        let first = file.model.limit
        file.addedTokens = names.enumerated().map { AddedToken(id: Int32(first + $0), content: $1, isSpecial: true) }
    }
}
