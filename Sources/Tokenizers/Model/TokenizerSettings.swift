import Formats
import Platform

/// What the files beside tokenizer.json say: which tokens are special, and the chat template.
struct TokenizerSettings: Sendable {
    var bosToken: String?
    var eosToken: String?
    var padToken: String?
    var unkToken: String?
    /// All special tokens by name, the four above included, in order of appearance.
    var specialTokens: [String] = []
    /// Tokens of `added_tokens_decoder`, which tokenizer.json may lack.
    var addedTokens: [AddedToken] = []
    var addsBOS = false
    /// `add_bos_token` and `add_eos_token`, where they are said.
    var addBeginToken: Bool?
    var addEndToken: Bool?
    var addsPrefixSpace = false
    /// SentencePiece's blank goes after added tokens too: how Llama's tokenizer was at first.
    var isLegacy: Bool?
    var className: String?
    var chatTemplate: String?
    var modelMaxLength: Int?

    init() {}

    /// Reads tokenizer_config.json, special_tokens_map.json and chat_template.jinja or .json, whichever are there.
    init(directory: String) throws(TokenizerError) {
        let configurationPath = Path.join(directory, "tokenizer_config.json")
        if let configuration = try TokenizerSettings.object(configurationPath) { try readConfiguration(configuration, configurationPath) }
        let mapPath = Path.join(directory, "special_tokens_map.json")
        if let map = try TokenizerSettings.object(mapPath) { readSpecialTokens(map, overrides: false) }
        let addedPath = Path.join(directory, "added_tokens.json")
        if let added = try TokenizerSettings.object(addedPath) { try readAddedTokens(added, addedPath) }
        let templatePath = Path.join(directory, "chat_template.jinja")
        if FileSystem.exists(templatePath) {
            do { chatTemplate = try FileSystem.readText(templatePath) } catch {
                throw .unreadable(path: templatePath, reason: error.description)
            }
        } else if let file = try TokenizerSettings.object(Path.join(directory, "chat_template.json")) {
            chatTemplate = TokenizerSettings.template(file["chat_template"]) ?? chatTemplate
        }
    }

    private static func object(_ path: String) throws(TokenizerError) -> JSONObject? {
        guard FileSystem.exists(path) else { return nil }
        do {
            let value = try JSONValue.read(file: path)
            guard let object = value.objectValue else {
                throw TokenizerError.malformed(path: path, part: "the file", expected: "an object", found: value.kindName)
            }
            return object
        } catch let error as TokenizerError {
            throw error
        } catch {
            throw .notJSON(sentence: "\(error)")
        }
    }

    private mutating func readConfiguration(_ object: JSONObject, _ path: String) throws(TokenizerError) {
        readSpecialTokens(object, overrides: true)
        addBeginToken = object["add_bos_token"]?.boolValue
        addEndToken = object["add_eos_token"]?.boolValue
        addsBOS = addBeginToken ?? false
        addsPrefixSpace = object["add_prefix_space"]?.boolValue ?? false
        isLegacy = object["legacy"]?.boolValue
        className = object["tokenizer_class"]?.stringValue
        modelMaxLength = object["model_max_length"]?.intValue
        chatTemplate = TokenizerSettings.template(object["chat_template"])
        guard let decoder = object["added_tokens_decoder"]?.objectValue else { return }
        let parts = TokenizerParts(path: path)
        for (key, entry) in decoder {
            guard let id = Int32(key), id >= 0, id < TokenizerFile.largestID, let content = entry["content"]?.stringValue else {
                throw .malformed(
                    path: path, part: "added_tokens_decoder[\"\(key)\"]", expected: "an id with its content", found: entry.kindName)
            }
            addedTokens.append(parts.addedToken(entry, id: id, content: content))
        }
    }

    /// `{"token": id}`, as older folders have it.
    private mutating func readAddedTokens(_ object: JSONObject, _ path: String) throws(TokenizerError) {
        for (content, value) in object {
            guard let id = value.intValue, id >= 0, id < TokenizerFile.largestID else {
                throw .malformed(
                    path: path, part: "\"\(content)\"", expected: "an id from 0 to \(TokenizerFile.largestID - 1)", found: value.kindName)
            }
            let isKnown = addedTokens.contains { $0.id == Int32(id) || $0.content.utf8.elementsEqual(content.utf8) }
            if !isKnown { addedTokens.append(AddedToken(id: Int32(id), content: content)) }
        }
    }

    mutating func addSpecial(_ token: String?) { if let token { add(token) } }

    func isSpecial(_ token: String) -> Bool { specialTokens.contains { $0.utf8.elementsEqual(token.utf8) } }

    private mutating func readSpecialTokens(_ object: JSONObject, overrides: Bool) {
        let names: [(String, WritableKeyPath<TokenizerSettings, String?>)] = [
            ("bos_token", \.bosToken), ("eos_token", \.eosToken), ("unk_token", \.unkToken), ("pad_token", \.padToken),
        ]
        for (name, path) in names {
            guard let token = TokenizerSettings.content(object[name]) else { continue }
            if overrides || self[keyPath: path] == nil { self[keyPath: path] = token }
            add(token)
        }
        for name in ["sep_token", "cls_token", "mask_token"] { TokenizerSettings.content(object[name]).map { add($0) } }
        // Version 5 of transformers writes `extra_special_tokens`, as a list or as names with tokens; before it was a list of the other name.
        for name in ["additional_special_tokens", "extra_special_tokens"] {
            for token in object[name]?.arrayValue ?? [] { TokenizerSettings.content(token).map { add($0) } }
            for (_, token) in object[name]?.objectValue ?? [:] { TokenizerSettings.content(token).map { add($0) } }
        }
    }

    private mutating func add(_ token: String) {
        if !token.isEmpty, !specialTokens.contains(where: { $0.utf8.elementsEqual(token.utf8) }) { specialTokens.append(token) }
    }

    /// A token is written as text or as an object with its `content`.
    private static func content(_ value: JSONValue?) -> String? { value?.stringValue ?? value?["content"]?.stringValue }

    /// A template is text, or a list of named ones of which `default` counts.
    private static func template(_ value: JSONValue?) -> String? {
        if let text = value?.stringValue { return text }
        let named = value?.arrayValue ?? []
        let chosen = named.first { $0["name"]?.stringValue == "default" } ?? named.first
        return chosen?["template"]?.stringValue
    }
}
