import Formats
import Platform

/// The tokenizer that lies in a GGUF file's metadata: byte-level BPE ("gpt2") or SentencePiece BPE ("llama").
struct GGUFTokenizer {
    let file: TokenizerFile
    let settings: TokenizerSettings
    let path: String

    private struct Token {
        var text: [UInt8]
        var kind: GGUFTokenKind
    }

    init(_ gguf: GGUFFile) throws(TokenizerError) {
        path = gguf.path
        do throws(GGUFError) {
            let reader = Reader(gguf: gguf)
            (file, settings) = try reader.read()
        } catch {
            throw .notJSON(sentence: error.description)
        }
    }

    /// Works in the format's own errors.
    private struct Reader {
        let gguf: GGUFFile

        func read() throws(GGUFError) -> (TokenizerFile, TokenizerSettings) {
            let tokens = try readTokens()
            var settings = TokenizerSettings()
            func name(_ key: String) throws(GGUFError) -> String? {
                guard let id = try gguf.integer("tokenizer.ggml.\(key)_token_id") else { return nil }
                guard tokens.indices.contains(id) else { throw wrong("\(key)_token_id", "an id below \(tokens.count)", "\(id)") }
                return String(decoding: tokens[id].text, as: UTF8.self)
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
            case "gpt2": file = try byteLevel(tokens)
            case "llama": file = try pieces(tokens)
            case let other: throw wrong("model", "gpt2 or llama", "\"\(other)\"")
            }
            file.addedTokens = tokens.enumerated().compactMap { id, token in
                guard token.kind == .control || token.kind == .userDefined || (token.kind == .unknown && kind == "llama") else { return nil }
                return AddedToken(id: Int32(id), content: String(decoding: token.text, as: UTF8.self), isSpecial: token.kind != .userDefined)
            }
            if settings.addBeginToken ?? false, let name = settings.bosToken { file.prefixNames = [name] }
            if settings.addEndToken ?? false, let name = settings.eosToken { file.suffixNames = [name] }
            return (file, settings)
        }

        private func readTokens() throws(GGUFError) -> [Token] {
            var tokens: [Token] = []
            var seen: Set<ByteKey> = []
            let isThere = try gguf.forEachText("tokenizer.ggml.tokens") { _, text in tokens.append(Token(text: Array(text), kind: .normal)) }
            guard isThere else { throw .missingKey(path: gguf.path, key: "tokenizer.ggml.tokens") }
            guard !tokens.isEmpty, tokens.count < TokenizerFile.largestID else {
                throw wrong("tokens", "from 1 to \(TokenizerFile.largestID - 1) tokens", "\(tokens.count)")
            }
            if let kinds = try gguf.numbers("tokenizer.ggml.token_type") {
                guard kinds.count == tokens.count else { throw wrong("token_type", "\(tokens.count) numbers", "\(kinds.count)") }
                for (id, number) in kinds.enumerated() {
                    guard let kind = Int32(exactly: number).flatMap({ GGUFTokenKind(rawValue: $0) }) else {
                        throw wrong("token_type", "kinds from 1 to 6", "\(number)")
                    }
                    tokens[id].kind = kind
                }
            }
            // The same text twice: llama.cpp finds one of them; the other keeps a name of its own, so that ids stay.
            for id in tokens.indices where tokens[id].text.isEmpty || !seen.insert(ByteKey(String(decoding: tokens[id].text, as: UTF8.self))).inserted {
                tokens[id] = Token(text: Array("[PAD\(id)]".utf8), kind: .unused)
            }
            return tokens
        }

        private func byteLevel(_ tokens: [Token]) throws(GGUFError) -> TokenizerFile {
            let name = try gguf.text("tokenizer.ggml.pre") ?? "default"
            guard let rules = PreTokenizerName.rules(name) else {
                throw wrong("pre", "a pre-tokenizer that is known here (llama-bpe, qwen2, gpt-2, ...)", "\"\(name)\"")
            }
            var vocabulary = Vocabulary(capacity: tokens.count), literals = Vocabulary(capacity: 16)
            for (id, token) in tokens.enumerated() where token.kind == .normal || token.kind == .byte {
                var bytes: [UInt8] = []
                let isMapped = token.text.withUnsafeBytes { ByteAlphabet.appendBytes(ofText: $0, to: &bytes) }
                let text = isMapped ? bytes : token.text
                let insertion = text.withUnsafeBytes {
                    isMapped ? vocabulary.insert($0, id: Int32(id)) : literals.insert($0, id: Int32(id))
                }
                if insertion != .inserted { throw wrong("tokens", "different tokens", "\(String(decoding: token.text, as: UTF8.self)) twice") }
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
            var found: [(Int32, Int32, Int32)] = [], problem: String?
            let isThere = try gguf.forEachText("tokenizer.ggml.merges") { _, text in
                // A blank inside of a token is written by another character, so the first one after a token's start parts the two.
                guard let blank = text.dropFirst().firstIndex(of: 0x20) else {
                    problem = problem ?? String(decoding: text.prefix(80), as: UTF8.self)
                    return
                }
                var left: [UInt8] = [], right: [UInt8] = []
                let isMapped =
                    ByteAlphabet.appendBytes(ofText: UnsafeRawBufferPointer(rebasing: text[..<blank]), to: &left)
                    && ByteAlphabet.appendBytes(ofText: UnsafeRawBufferPointer(rebasing: text[(blank + 1)...]), to: &right)
                guard isMapped, let first = vocabulary.id(of: left), let second = vocabulary.id(of: right), let result = vocabulary.id(of: left + right)
                else {
                    problem = problem ?? String(decoding: text.prefix(80), as: UTF8.self)
                    return
                }
                found.append((first, second, result))
            }
            guard isThere else { throw .missingKey(path: gguf.path, key: "tokenizer.ggml.merges") }
            if let problem { throw wrong("merges", "pairs of tokens that make a token", "\"\(problem)\"") }
            let table = MergeTable(capacity: found.count)
            for (rank, merge) in found.enumerated() { table.insert(left: merge.0, right: merge.1, rank: UInt32(rank), result: merge.2) }
            return table
        }

        private func pieces(_ tokens: [Token]) throws(GGUFError) -> TokenizerFile {
            guard let scores = try gguf.numbers("tokenizer.ggml.scores"), scores.count == tokens.count else {
                throw wrong("scores", "\(tokens.count) numbers", "\(gguf.value("tokenizer.ggml.scores")?.kindName ?? "nothing")")
            }
            var piece = SentencePieceFile(
                pieces: zip(tokens, scores).map { token, score in
                    SentencePieceFile.Piece(text: token.text, score: Float(score), type: Self.pieceType(token.kind))
                }, path: gguf.path)
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
