import Formats
import Platform

/// The tokenizer that lies in a GGUF file's metadata: byte-level BPE ("gpt2") or SentencePiece BPE ("llama").
struct GGUFTokenizer {
    let file: TokenizerFile
    let settings: TokenizerSettings
    let path: String

    /// The tokens where they lie in the file.
    private struct Tokens {
        var texts: [UnsafeRawBufferPointer] = []
        var kinds: [GGUFTokenKind] = []
        var count: Int { texts.count }

        func text(_ id: Int) -> String { String(decoding: texts[id], as: UTF8.self) }
    }

    init(_ gguf: GGUFFile) throws(TokenizerError) {
        path = gguf.path
        do throws(GGUFError) {
            let reader = Reader(gguf: gguf)
            (file, settings) = try withExtendedLifetime(gguf) { () throws(GGUFError) in try reader.read() }
        } catch {
            throw .notJSON(sentence: error.description)
        }
    }

    /// Works in the format's own errors.
    private struct Reader {
        let gguf: GGUFFile

        func read() throws(GGUFError) -> (TokenizerFile, TokenizerSettings) {
            var tokens = try readTokens()
            var settings = TokenizerSettings()
            func name(_ key: String) throws(GGUFError) -> String? {
                guard let id = try gguf.integer("tokenizer.ggml.\(key)_token_id") else { return nil }
                guard id >= 0, id < tokens.count else { throw wrong("\(key)_token_id", "an id below \(tokens.count)", "\(id)") }
                return tokens.text(id)
            }
            settings.bosToken = try name("bos")
            settings.eosToken = try name("eos")
            settings.padToken = try name("padding")
            settings.unkToken = try name("unknown")
            settings.chatTemplate = try gguf.text("tokenizer.chat_template")
            let kind = try gguf.text("tokenizer.ggml.model") ?? ""
            settings.addBeginToken = try gguf.flag("tokenizer.ggml.add_bos_token") ?? (kind == "llama")
            settings.addEndToken = try gguf.flag("tokenizer.ggml.add_eos_token") ?? false
            settings.addsBOS = settings.addBeginToken ?? false
            for token in [settings.bosToken, settings.eosToken, settings.padToken, settings.unkToken] { settings.addSpecial(token) }
            var file: TokenizerFile
            switch kind {
            case "gpt2": file = try byteLevel(&tokens)
            case "llama": file = try pieces(&tokens)
            case let other: throw wrong("model", "gpt2 or llama", "\"\(other)\"")
            }
            for (id, found) in tokens.kinds.enumerated() where found == .control || found == .userDefined || (found == .unknown && kind == "llama") {
                file.addedTokens.append(AddedToken(id: Int32(id), content: tokens.text(id), isSpecial: found != .userDefined))
            }
            if settings.addBeginToken ?? false, let name = settings.bosToken { file.prefixNames = [name] }
            if settings.addEndToken ?? false, let name = settings.eosToken { file.suffixNames = [name] }
            return (file, settings)
        }

        private func readTokens() throws(GGUFError) -> Tokens {
            var tokens = Tokens()
            tokens.texts.reserveCapacity(gguf.value("tokenizer.ggml.tokens")?.listValue?.count ?? 0)
            let isThere = try gguf.forEachText("tokenizer.ggml.tokens") { _, text in tokens.texts.append(text) }
            guard isThere else { throw .missingKey(path: gguf.path, key: "tokenizer.ggml.tokens") }
            guard tokens.count > 0, tokens.count < TokenizerFile.largestID else {
                throw wrong("tokens", "from 1 to \(TokenizerFile.largestID - 1) tokens", "\(tokens.count)")
            }
            tokens.kinds = Array(repeating: .normal, count: tokens.count)
            if let kinds = try gguf.numbers("tokenizer.ggml.token_type") {
                guard kinds.count == tokens.count else { throw wrong("token_type", "\(tokens.count) numbers", "\(kinds.count)") }
                for (id, number) in kinds.enumerated() {
                    guard let kind = Int32(exactly: number).flatMap({ GGUFTokenKind(rawValue: $0) }) else {
                        throw wrong("token_type", "kinds from 1 to 6", "\(number)")
                    }
                    tokens.kinds[id] = kind
                }
            }
            return tokens
        }

        /// The same text twice: llama.cpp finds one of them; the other becomes an unused token, so that ids stay. So do empty ones.
        private func byteLevel(_ tokens: inout Tokens) throws(GGUFError) -> TokenizerFile {
            let name = try gguf.text("tokenizer.ggml.pre") ?? "default"
            guard let rules = PreTokenizerName.rules(name) else {
                throw wrong("pre", "a pre-tokenizer that is known here (llama-bpe, qwen2, gpt-2, ...)", "\"\(name)\"")
            }
            var vocabulary = Vocabulary(capacity: tokens.count), literals = Vocabulary(capacity: 16), others = Vocabulary(capacity: 16)
            var bytes = TokenText()
            for id in 0..<tokens.count {
                let text = tokens.texts[id], kind = tokens.kinds[id]
                bytes.clear()
                let isMapped = bytes.append(text, asBytes: true)
                var isNew = !text.isEmpty && (others.count == 0 || others.id(of: text) == nil)
                if isNew, kind == .normal || kind == .byte {
                    isNew = (isMapped ? vocabulary.insert(bytes.bytes, id: Int32(id)) : literals.insert(text, id: Int32(id))) == .inserted
                } else if isNew {
                    isNew = (isMapped ? vocabulary.id(of: bytes.bytes) : literals.id(of: text)) == nil && others.insert(text, id: Int32(id)) == .inserted
                }
                if !isNew { tokens.kinds[id] = .unused }
            }
            var settings = BytePairModelReader.Settings()
            settings.ignoresMerges = rules.ignoresMerges
            let model = BytePairModelReader.model(settings, vocabulary, literals, try merges(vocabulary), isByteLevel: true)
            var file = TokenizerFile(model: .bytePair(model))
            file.decoder = .byteLevel
            file.preTokenizer = rules.preTokenizer
            if rules.composes { file.normalizer = .composed }
            return file
        }

        private func merges(_ vocabulary: Vocabulary) throws(GGUFError) -> MergeTable {
            guard let list = gguf.value("tokenizer.ggml.merges") else { throw .missingKey(path: gguf.path, key: "tokenizer.ggml.merges") }
            let table = MergeTable(capacity: list.listValue?.count ?? 0)
            var joined = TokenText(), last: Int32 = -1, problem: String?
            try gguf.forEachText("tokenizer.ggml.merges") { rank, text in
                joined.clear()
                // Most lists make the tokens in the order of their ids.
                guard let boundary = joined.appendHalves(text, asBytes: true), let left = vocabulary.id(of: joined[0..<boundary]),
                    let right = vocabulary.id(of: joined[boundary..<joined.count]), let result = vocabulary.id(of: joined.bytes, likely: last &+ 1)
                else {
                    problem = problem ?? String(decoding: text.prefix(80), as: UTF8.self)
                    return
                }
                table.insert(left: left, right: right, rank: UInt32(rank), result: result)
                last = result
            }
            if let problem { throw wrong("merges", "pairs of tokens that make a token", "\"\(problem)\"") }
            return table
        }

        private func pieces(_ tokens: inout Tokens) throws(GGUFError) -> TokenizerFile {
            guard let scores = try gguf.numbers("tokenizer.ggml.scores"), scores.count == tokens.count else {
                throw wrong("scores", "\(tokens.count) numbers", "\(gguf.value("tokenizer.ggml.scores")?.kindName ?? "nothing")")
            }
            var seen = Vocabulary(capacity: tokens.count), pieces: [SentencePieceFile.Piece] = []
            pieces.reserveCapacity(tokens.count)
            for id in 0..<tokens.count {
                // As in a byte-level vocabulary; a piece has to have a name.
                let isNew = !tokens.texts[id].isEmpty && seen.insert(tokens.texts[id], id: Int32(id)) == .inserted
                if !isNew { tokens.kinds[id] = .unused }
                pieces.append(
                    SentencePieceFile.Piece(
                        text: isNew ? Array(tokens.texts[id]) : Array("[PAD\(id)]".utf8), score: Float(scores[id]),
                        type: Self.pieceType(tokens.kinds[id])))
            }
            var piece = SentencePieceFile(pieces: pieces, path: gguf.path)
            piece.modelType = .bytePair
            piece.usesByteFallback = true
            piece.removesExtraBlanks = false
            piece.addsDummyPrefix = try gguf.flag("tokenizer.ggml.add_space_prefix") ?? true
            do throws(TokenizerError) {
                var file = TokenizerFile(model: try piece.model())
                file.normalizer = try piece.normalizer(prefixesOnlyStart: false)
                file.decoder = piece.decoder
                return file
            } catch {
                throw wrong("tokens", "a SentencePiece vocabulary", error.description)
            }
        }

        /// Tokens of one's own are found in text before pieces are, and are no pieces themselves.
        private static func pieceType(_ kind: GGUFTokenKind) -> SentencePieceFile.PieceType {
            switch kind {
            case .normal: .normal
            case .unknown: .unknown
            case .control, .userDefined: .control
            case .unused: .unused
            case .byte: .byte
            }
        }

        private func wrong(_ key: String, _ expected: String, _ found: String) -> GGUFError {
            .wrongValue(path: gguf.path, key: "tokenizer.ggml." + key, expected: expected, found: found)
        }
    }
}
