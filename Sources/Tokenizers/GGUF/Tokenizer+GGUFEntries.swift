import Formats
import Platform

/// The kinds of tokens that GGUF files tell apart.
enum GGUFTokenKind: Int32 {
    case normal = 1, unknown, control, userDefined, unused, byte
}

extension Tokenizer {
    /// The tokenizer as the metadata of a GGUF file.
    /// - Parameters:
    ///   - vocabularySize: rows of the model's embedding: as many tokens are written.
    ///   - stopTokenIDs: where answers end; the first that is not the end of text becomes the end of a turn.
    /// - Returns: keys and values in the order of llama.cpp's converter, and what llama.cpp will do otherwise.
    /// - Throws: when llama.cpp has no tokenizer of this kind.
    public func ggufEntries(
        vocabularySize: Int, stopTokenIDs: [Int32] = []
    ) throws(TokenizerError) -> (entries: [(String, GGUFEntry)], notices: [String]) {
        guard core.limit <= vocabularySize else {
            throw .unsupported(
                path: directory, part: "the vocabulary",
                found: "of \(core.limit) tokens, more than the \(vocabularySize) that the model has rows for (resize_vocab makes room)")
        }
        guard case .bytePair(let model) = core.model else {
            throw .unsupported(path: directory, part: "the tokenizer", found: "no byte pair model: llama.cpp has none of this kind for such models")
        }
        var entries: [(String, GGUFEntry)], notices: [String] = []
        if model.isByteLevel {
            guard let name = PreTokenizerName.name(of: self) else {
                throw .unsupported(
                    path: directory, part: "pre_tokenizer",
                    found: "a way to cut words that llama.cpp has no name for (\(PreTokenizerName.hash(self).prefix(16)))")
            }
            if case .form? = core.normalizer {
                notices.append("llama.cpp does not compose characters (NFC) as this tokenizer does: text with loose accents becomes other tokens.")
            }
            entries = [("tokenizer.ggml.model", .text("gpt2")), ("tokenizer.ggml.pre", .text(name))]
            entries += tokens(model, size: vocabularySize, scores: nil)
            entries.append(("tokenizer.ggml.merges", .texts(mergeTexts(model))))
        } else {
            guard model.usesByteFallback, model.continuingPrefix.isEmpty, model.endOfWordSuffix.isEmpty else {
                throw .unsupported(path: directory, part: "the tokenizer", found: "a byte pair model over characters without byte tokens, which llama.cpp has not")
            }
            entries = [("tokenizer.ggml.model", .text("llama")), ("tokenizer.ggml.pre", .text("default"))]
            entries += tokens(model, size: vocabularySize, scores: scores(model))
            let (addsPrefix, notice) = leadingBlank
            entries.append(("tokenizer.ggml.add_space_prefix", .bool(addsPrefix)))
            if let notice { notices.append(notice) }
        }
        return (entries + specialEntries(stopTokenIDs), notices)
    }

    private func tokens(_ model: BytePairModel, size: Int, scores: [Float]?) -> [(String, GGUFEntry)] {
        var texts: [[UInt8]] = [], kinds: [Int32] = [], own = scores ?? []
        let added = Dictionary(core.addedTokens.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let bytes = model.isByteLevel ? [] : Set(model.byteIDs)
        for id in 0..<Int32(size) {
            var kind = GGUFTokenKind.normal
            if let token = added[id] {
                let isControl = token.isSpecial || Self.looksSpecial(token.content)
                kind = id == unknownTokenID && !model.isByteLevel ? .unknown : isControl ? .control : .userDefined
                // Tokens that are looked for in text as it is given have plain blanks.
                texts.append(kind == .userDefined ? Normalizer.replace(SentencePieceText.blank, in: Array(token.content.utf8), with: [0x20]) : Array(token.content.utf8))
                if own.indices.contains(Int(id)) { own[Int(id)] = -1000 }
            } else if let text = core.tokenText(id) {
                if bytes.contains(id) { kind = .byte }
                if id == unknownTokenID, !model.isByteLevel { kind = .unknown }
                if model.unused.contains(id) { kind = .unused }
                texts.append(Array(text))
            } else {
                kind = .unused
                texts.append(Array("[PAD\(id)]".utf8))
            }
            kinds.append(kind.rawValue)
        }
        var entries: [(String, GGUFEntry)] = [("tokenizer.ggml.tokens", .texts(texts))]
        if scores != nil {
            own += [Float](repeating: -10000, count: max(0, size - own.count))
            entries.append(("tokenizer.ggml.scores", .float32s(own)))
        }
        entries.append(("tokenizer.ggml.token_type", .int32s(kinds)))
        return entries
    }

    private var unknownTokenID: Int32? { unkID ?? core.model.unknownID }

    /// Added tokens that are control tokens by their looks, though some vocabularies do not call them special.
    private static func looksSpecial(_ text: String) -> Bool {
        ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(text) || (text.hasPrefix("<|") && text.hasSuffix("|>"))
            || (text.hasPrefix("<｜") && text.hasSuffix("｜>")) || (text.hasPrefix("<unused") && text.hasSuffix(">"))
    }

    /// Merges in the byte alphabet, best first.
    private func mergeTexts(_ model: BytePairModel) -> [[UInt8]] {
        let texts = (0..<Int32(model.limit)).map { id in model.vocabulary.bytes(of: id).map { Array(ByteAlphabet.text(of: $0).utf8) } ?? [] }
        return model.merges.ordered(byteIDs: model.byteIDs).map { texts[Int($0.left)] + [0x20] + texts[Int($0.right)] }
    }

    /// A number for each token by which llama.cpp merges in the order of this model's merges: the earlier, the higher.
    private func scores(_ model: BytePairModel) -> [Float] {
        var scores = [Float](repeating: 0, count: model.limit)
        for id in model.byteIDs where id >= 0 { scores[Int(id)] = 0 }
        if let ranks = model.merges.tokenRanks {
            let order = Dictionary(uniqueKeysWithValues: Set(ranks).sorted().enumerated().map { ($1, $0) })
            for (id, rank) in ranks.enumerated() where scores.indices.contains(id) { scores[id] = rank == .max ? 0 : -Float(order[rank] ?? 0) }
            return scores
        }
        for (rank, merge) in model.merges.ordered(byteIDs: model.byteIDs).enumerated().reversed() where scores.indices.contains(Int(merge.result)) {
            scores[Int(merge.result)] = -Float(rank)
        }
        return scores
    }

    /// Whether a blank is put in front of text, as llama.cpp does it.
    private var leadingBlank: (adds: Bool, notice: String?) {
        let first = "The tokenizer puts a blank only before the first word; llama.cpp puts one after every special token."
        if case .metaspace(_, let scheme, _)? = core.preTokenizer {
            switch scheme {
            case .always: return (true, nil)
            case .first: return (true, first)
            case .never: return (false, nil)
            }
        }
        switch core.normalizer {
        case .sentencePiece(let rules)?: return (rules.addsDummyPrefix, rules.addsDummyPrefix && rules.prefixesOnlyStart ? first : nil)
        case .prepend?: return (true, nil)
        case .sequence(let steps)?: return (steps.contains { if case .prepend = $0 { true } else { false } }, nil)
        default: return (false, nil)
        }
    }

    private func specialEntries(_ stopTokenIDs: [Int32]) -> [(String, GGUFEntry)] {
        var entries: [(String, GGUFEntry)] = []
        let prefix = core.postProcessor?.prefix ?? [], suffix = core.postProcessor?.suffix ?? []
        let begin = bosID ?? (prefix.count == 1 ? prefix.first : nil)
        let named: [(String, Int32?)] = [
            ("bos", begin), ("eos", eosID), ("eot", stopTokenIDs.first { $0 != eosID }), ("unknown", unknownTokenID), ("padding", padID),
        ]
        for (name, id) in named { if let id, id >= 0 { entries.append(("tokenizer.ggml.\(name)_token_id", .uint32(UInt32(id)))) } }
        let addsBegin = begin != nil && (prefix == [begin] || (prefix.isEmpty && addsBOS && core.postProcessor == nil))
        entries.append(("tokenizer.ggml.add_bos_token", .bool(addsBegin)))
        entries.append(("tokenizer.ggml.add_eos_token", .bool(eosID != nil && suffix == [eosID])))
        if let template = chatTemplateSource { entries.append(("tokenizer.chat_template", .text(template))) }
        return entries
    }
}

extension MergeTable {
    /// Ranks of tokens, where any two may merge whose texts together are a token.
    var tokenRanks: [UInt32]? { concatenation?.ranks }

    /// Every merge, best first. Where there is only a list of tokens, the merge that makes each is found by merging its bytes.
    func ordered(byteIDs: [Int32]) -> [(left: Int32, right: Int32, result: Int32)] {
        guard let concatenation else {
            return entries.sorted { $0.rank < $1.rank }.map { ($0.left, $0.right, $0.result) }
        }
        let ids = (0..<Int32(concatenation.ranks.count)).filter { concatenation.ranks[Int($0)] != .max }
        return ids.sorted { concatenation.ranks[Int($0)] < concatenation.ranks[Int($1)] }.compactMap { id in
            guard let bytes = concatenation.vocabulary.bytes(of: id), bytes.count > 1 else { return nil }
            var parts = bytes.map { byteIDs[Int($0)] }
            while parts.count > 2 {
                var best = (rank: concatenation.ranks[Int(id)], place: -1, result: Int32(-1))
                for place in 0..<parts.count - 1 {
                    let found = merge(parts[place], parts[place + 1])
                    if found.rank < best.rank { best = (found.rank, place, found.result) }
                }
                if best.place < 0 { return nil }
                parts[best.place] = best.result
                parts.remove(at: best.place + 1)
            }
            return parts.count == 2 ? (parts[0], parts[1], id) : nil
        }
    }
}
