import Formats

/// What is put around the ids of a text when special tokens are asked for.
struct PostProcessor: Sendable {
    var prefix: [Int32] = []
    var suffix: [Int32] = []
}

/// Turns the small parts of a tokenizer.json into values; every error names the part.
struct TokenizerParts {
    let path: String
    private static let longestInsertion = 1024

    private func wrong(_ part: String, _ expected: String, _ found: JSONValue?) -> TokenizerError {
        .malformed(path: path, part: part, expected: expected, found: found?.kindName ?? "nothing")
    }

    private func type(_ value: JSONValue, _ part: String) throws(TokenizerError) -> String {
        guard let type = value["type"]?.stringValue else { throw wrong(part + ".type", "a string", value["type"]) }
        return type
    }

    private func text(_ value: JSONValue, _ key: String, _ part: String) throws(TokenizerError) -> [UInt8] {
        guard let text = value[key]?.stringValue else { throw wrong("\(part).\(key)", "a string", value[key]) }
        return Array(text.utf8)
    }

    /// Text that is put in for other text: a long one would let a short input fill the memory.
    private func insertion(_ value: JSONValue, _ key: String, _ part: String) throws(TokenizerError) -> [UInt8] {
        let content = try text(value, key, part)
        if content.count > TokenizerParts.longestInsertion {
            throw .malformed(
                path: path, part: "\(part).\(key)", expected: "at most \(TokenizerParts.longestInsertion) bytes", found: "\(content.count)")
        }
        return content
    }

    private func list(_ value: JSONValue, _ key: String, _ part: String) throws(TokenizerError) -> [JSONValue] {
        guard let list = value[key]?.arrayValue else { throw wrong("\(part).\(key)", "a list", value[key]) }
        return list
    }

    private func unsupported(_ part: String, _ type: String) -> TokenizerError {
        .unsupported(path: path, part: part + ".type", found: "\"\(type)\"")
    }

    private func pattern(_ text: String, _ part: String) throws(TokenizerError) -> Pattern {
        do { return try Pattern(text) } catch { throw .badPattern(path: path, part: part, pattern: text, reason: error.reason) }
    }

    func addedTokens(_ value: JSONValue) throws(TokenizerError) -> [AddedToken] {
        if value.isNull { return [] }
        guard let entries = value.arrayValue else { throw wrong("added_tokens", "a list", value) }
        var result: [AddedToken] = []
        for (index, entry) in entries.enumerated() {
            guard let content = entry["content"]?.stringValue else {
                throw wrong("added_tokens[\(index)].content", "a string", entry["content"])
            }
            guard let id = entry["id"]?.intValue, id >= 0, id < TokenizerFile.largestID else {
                throw wrong("added_tokens[\(index)].id", "an id from 0 to \(TokenizerFile.largestID - 1)", entry["id"])
            }
            result.append(addedToken(entry, id: Int32(id), content: content))
        }
        return result
    }

    /// An added token from its JSON form (tokenizer.json or `added_tokens_decoder`).
    func addedToken(_ entry: JSONValue, id: Int32, content: String) -> AddedToken {
        var token = AddedToken(id: id, content: content)
        token.isSpecial = entry["special"]?.boolValue ?? false
        token.isNormalized = entry["normalized"]?.boolValue ?? !token.isSpecial
        token.isSingleWord = entry["single_word"]?.boolValue ?? false
        token.stripsLeft = entry["lstrip"]?.boolValue ?? false
        token.stripsRight = entry["rstrip"]?.boolValue ?? false
        return token
    }

    func normalizer(_ value: JSONValue, _ part: String) throws(TokenizerError) -> Normalizer? {
        if value.isNull { return nil }
        switch try type(value, part) {
        case "Sequence":
            var steps: [Normalizer] = []
            for (index, step) in try list(value, "normalizers", part).enumerated() {
                if let made = try normalizer(step, "\(part).normalizers[\(index)]") { steps.append(made) }
            }
            if steps.isEmpty { return nil }
            return steps.count == 1 ? steps[0] : .sequence(steps)
        case "NFC": return .form(.nfc)
        case "NFD": return .form(.nfd)
        case "NFKC": return .form(.nfkc)
        case "NFKD": return .form(.nfkd)
        case "Nmt": return .nmt
        case "ByteLevel": return .byteLevel
        case "BertNormalizer":
            let lowercases = value["lowercase"]?.boolValue ?? true
            return .bert(
                BertCleaning(
                    cleansText: value["clean_text"]?.boolValue ?? true,
                    separatesIdeographs: value["handle_chinese_chars"]?.boolValue ?? true,
                    stripsAccents: value["strip_accents"]?.boolValue ?? lowercases, lowercases: lowercases))
        case "Precompiled":
            if value["precompiled_charsmap"]?.isNull ?? true { return nil }
            guard let blob = Base64.decode(try text(value, "precompiled_charsmap", part)) else {
                throw wrong(part + ".precompiled_charsmap", "base64", value["precompiled_charsmap"])
            }
            if blob.isEmpty { return nil }
            guard let map = CharacterMap(blob) else {
                throw .malformed(
                    path: path, part: part + ".precompiled_charsmap", expected: "a compiled character map",
                    found: "\(blob.count) bytes whose sizes do not fit")
            }
            return .precompiled(map)
        case "Lowercase": return .lowercase
        case "StripAccents": return .stripAccents
        case "Strip": return .strip(left: value["strip_left"]?.boolValue ?? true, right: value["strip_right"]?.boolValue ?? true)
        case "Prepend": return .prepend(try insertion(value, "prepend", part))
        case "Replace":
            let content = try insertion(value, "content", part)
            guard let what = value["pattern"] else { throw wrong(part + ".pattern", "an object", nil) }
            if let literal = what["String"]?.stringValue { return .replace(Array(literal.utf8), with: content) }
            guard let expression = what["Regex"]?.stringValue else { throw wrong(part + ".pattern", "String or Regex", what) }
            if let run = TokenizerParts.run(expression) { return .replaceRuns(run.byte, minimum: run.minimum, with: content) }
            return .replacePattern(try pattern(expression, part + ".pattern"), with: content)
        case let other: throw unsupported(part, other)
        }
    }

    /// A pattern that is one plain character and `{n,}` or `+`.
    private static func run(_ expression: String) -> (byte: UInt8, minimum: Int)? {
        let text = Array(expression.utf8)
        guard text.count > 1, text[0] == 0x20 || (0x61...0x7A).contains(text[0]) else { return nil }
        if text.count == 2, text[1] == 0x2B { return (text[0], 1) }
        guard text.count == 5, text[1] == 0x7B, (0x31...0x39).contains(text[2]), text[3] == 0x2C, text[4] == 0x7D else { return nil }
        return (text[0], Int(text[2] - 0x30))
    }

    func preTokenizer(_ value: JSONValue, _ part: String) throws(TokenizerError) -> PreTokenizer? {
        if value.isNull { return nil }
        switch try type(value, part) {
        case "Sequence":
            var steps: [PreTokenizer] = []
            for (index, step) in try list(value, "pretokenizers", part).enumerated() {
                let made = try preTokenizer(step, "\(part).pretokenizers[\(index)]")
                if let last = steps.last, last.isByteLevel {
                    throw .unsupported(path: path, part: "\(part).pretokenizers[\(index)]", found: "a step after ByteLevel")
                }
                if let made { steps.append(made) }
            }
            return steps.count == 1 ? steps[0] : .sequence(steps)
        case "ByteLevel":
            return .byteLevel(
                addPrefixSpace: value["add_prefix_space"]?.boolValue ?? true, usesPattern: value["use_regex"]?.boolValue ?? true)
        case "Split": return try split(value, part)
        case "Metaspace":
            let mark = value["replacement"]?.stringValue ?? "\u{2581}"
            guard mark.unicodeScalars.count == 1 else { throw wrong(part + ".replacement", "one character", value["replacement"]) }
            var scheme = PreTokenizer.PrependScheme.always
            if let name = value["prepend_scheme"]?.stringValue {
                guard let known = PreTokenizer.PrependScheme(rawValue: name) else {
                    throw .unsupported(path: path, part: part + ".prepend_scheme", found: "\"\(name)\"")
                }
                scheme = known
            } else if value["add_prefix_space"]?.boolValue == false {
                scheme = .never
            }
            return .metaspace(replacement: Array(mark.utf8), scheme: scheme, splits: value["split"]?.boolValue ?? true)
        case "Digits": return .digits(individual: value["individual_digits"]?.boolValue ?? false)
        case "Whitespace": return .whitespaceWords
        case "WhitespaceSplit": return .whitespaceSplit
        case "Punctuation": return .punctuation(try behavior(value, part))
        case "BertPreTokenizer": return .bert
        case "CharDelimiterSplit":
            let delimiter = value["delimiter"]?.stringValue?.unicodeScalars
            guard let delimiter, delimiter.count == 1, let scalar = delimiter.first else {
                throw wrong(part + ".delimiter", "one character", value["delimiter"])
            }
            return .delimiter(scalar.value)
        case "FixedLength":
            let length = value["length"]?.intValue ?? 5
            guard length > 0 else { throw .malformed(path: path, part: part + ".length", expected: "at least 1", found: "\(length)") }
            return .fixedLength(length)
        case let other: throw unsupported(part, other)
        }
    }

    private func split(_ value: JSONValue, _ part: String) throws(TokenizerError) -> PreTokenizer {
        let behavior = try behavior(value, part)
        let invert = value["invert"]?.boolValue ?? false
        guard let what = value["pattern"] else { throw wrong(part + ".pattern", "an object", nil) }
        if let literal = what["String"]?.stringValue { return .split(.literal(Array(literal.utf8)), behavior, invert: invert) }
        guard let expression = what["Regex"]?.stringValue else { throw wrong(part + ".pattern", "String or Regex", what) }
        // The known patterns match everything, so isolating matches and removing what is between them are the same.
        if let known = WordScanner.Known(pattern: expression), behavior == .isolated || (behavior == .removed && invert) {
            return .known(known)
        }
        return .split(.pattern(try pattern(expression, part + ".pattern")), behavior, invert: invert)
    }

    private func behavior(_ value: JSONValue, _ part: String) throws(TokenizerError) -> PreTokenizer.SplitBehavior {
        guard let name = value["behavior"]?.stringValue else { return .isolated }
        let first = name.prefix(1).lowercased()
        guard let known = PreTokenizer.SplitBehavior(rawValue: first + name.dropFirst()) else {
            throw .unsupported(path: path, part: part + ".behavior", found: "\"\(name)\"")
        }
        return known
    }

    func decoder(_ value: JSONValue, _ part: String) throws(TokenizerError) -> TokenDecoder? {
        if value.isNull { return nil }
        switch try type(value, part) {
        case "Sequence":
            var steps: [TokenDecoder] = []
            for (index, step) in try list(value, "decoders", part).enumerated() {
                if let made = try decoder(step, "\(part).decoders[\(index)]") { steps.append(made) }
            }
            return .sequence(steps)
        case "ByteLevel": return .byteLevel
        case "ByteFallback": return .byteFallback
        case "Fuse": return .fuse
        case "BPEDecoder": return .endOfWord(suffix: Array((value["suffix"]?.stringValue ?? "</w>").utf8))
        case "WordPiece":
            return .wordPiece(prefix: Array((value["prefix"]?.stringValue ?? "##").utf8), cleansUp: value["cleanup"]?.boolValue ?? true)
        case "Metaspace":
            let dropsFirst = value["prepend_scheme"]?.stringValue.map { $0 != "never" } ?? value["add_prefix_space"]?.boolValue ?? true
            return .metaspace(replacement: Array((value["replacement"]?.stringValue ?? "\u{2581}").utf8), dropsFirst: dropsFirst)
        case "Strip":
            return .strip(
                content: try text(value, "content", part), start: value["start"]?.intValue ?? 0, stop: value["stop"]?.intValue ?? 0)
        case "Replace":
            let content = try insertion(value, "content", part)
            if let literal = value["pattern"]?["String"]?.stringValue { return .replace(Array(literal.utf8), with: content) }
            guard let expression = value["pattern"]?["Regex"]?.stringValue else {
                throw wrong(part + ".pattern", "String or Regex", value["pattern"])
            }
            return .replacePattern(try pattern(expression, part + ".pattern"), with: content)
        case "CTC":
            return .ctc(
                pad: Array((value["pad_token"]?.stringValue ?? "<pad>").utf8),
                delimiter: Array((value["word_delimiter_token"]?.stringValue ?? "|").utf8), cleansUp: value["cleanup"]?.boolValue ?? true)
        case let other: throw unsupported(part, other)
        }
    }

    func postProcessor(_ value: JSONValue, _ part: String) throws(TokenizerError) -> PostProcessor? {
        if value.isNull { return nil }
        switch try type(value, part) {
        case "ByteLevel": return nil
        case "Sequence":
            var result = PostProcessor()
            for (index, step) in try list(value, "processors", part).enumerated() {
                guard let made = try postProcessor(step, "\(part).processors[\(index)]") else { continue }
                result.prefix = made.prefix + result.prefix
                result.suffix += made.suffix
            }
            return result
        case "TemplateProcessing": return try templateProcessing(value, part)
        case "RobertaProcessing", "BertProcessing":
            guard let end = value["sep"]?[1]?.intValue, let start = value["cls"]?[1]?.intValue else {
                throw wrong(part + ".sep", "a pair of token and id", value["sep"])
            }
            guard (0..<TokenizerFile.largestID).contains(start), (0..<TokenizerFile.largestID).contains(end) else {
                throw .malformed(
                    path: path, part: part, expected: "ids from 0 to \(TokenizerFile.largestID - 1)", found: "\(start) and \(end)")
            }
            return PostProcessor(prefix: [Int32(start)], suffix: [Int32(end)])
        case let other: throw unsupported(part, other)
        }
    }

    private func templateProcessing(_ value: JSONValue, _ part: String) throws(TokenizerError) -> PostProcessor {
        var result = PostProcessor()
        var isPastText = false
        for (index, item) in try list(value, "single", part).enumerated() {
            if item["Sequence"] != nil {
                isPastText = true
                continue
            }
            guard let name = item["SpecialToken"]?["id"]?.stringValue else {
                throw wrong("\(part).single[\(index)]", "a Sequence or SpecialToken", item)
            }
            guard let ids = value["special_tokens"]?[name]?["ids"]?.arrayValue else {
                throw wrong("\(part).special_tokens[\"\(name)\"].ids", "a list of ids", value["special_tokens"]?[name])
            }
            for id in ids {
                guard let id = id.intValue, id >= 0, id < TokenizerFile.largestID else {
                    throw wrong("\(part).special_tokens[\"\(name)\"].ids", "a list of ids", id)
                }
                if isPastText { result.suffix.append(Int32(id)) } else { result.prefix.append(Int32(id)) }
            }
        }
        return result
    }
}
