import Formats
import Platform

/// A token that a vocabulary is to get.
public struct NewToken: Sendable, Equatable {
    public var content: String
    /// Left out of decoded text when special tokens are skipped.
    public var isSpecial: Bool

    public init(_ content: String, isSpecial: Bool) {
        self.content = content
        self.isSpecial = isSpecial
    }

    /// With ids; those that are added tokens already are not among them.
    static func placed(_ tokens: [NewToken], in core: TokenizerCore) -> [AddedToken] {
        var result: [AddedToken] = []
        var next = Int32(clamping: core.limit)
        var seen = Set(core.addedTokens.map { Array($0.content.utf8) })
        for token in tokens where !token.content.isEmpty && seen.insert(Array(token.content.utf8)).inserted {
            let known = core.id(of: token.content)
            result.append(AddedToken(id: known ?? next, content: token.content, isNormalized: !token.isSpecial, isSpecial: token.isSpecial))
            if known == nil { next += 1 }
        }
        return result
    }
}

extension Tokenizer {
    /// Writes the new tokens into files that `save` has copied, as transformers writes them.
    func saveNewTokens(to directory: String) throws {
        if newTokens.isEmpty { return }
        let path = Path.join(directory, "tokenizer.json")
        guard FileSystem.exists(path), var file = try JSONValue.read(file: path).objectValue else {
            throw TokenizerError.missingFile(path: path)
        }
        var added = file["added_tokens"]?.arrayValue ?? []
        for token in newTokens { added.append(Tokenizer.entry(token, withID: true)) }
        added.sort { ($0["id"]?.intValue ?? 0) < ($1["id"]?.intValue ?? 0) }
        file.set("added_tokens", .array(added))
        try FileSystem.writeAtomically(path, text: JSONValue.object(file).text(style: .indented(2)))
        // The settings may list all added tokens once more; both must agree.
        let settingsPath = Path.join(directory, "tokenizer_config.json")
        guard var settings = try JSONValue.read(file: settingsPath).objectValue, var decoder = settings["added_tokens_decoder"]?.objectValue else { return }
        for token in newTokens { decoder.set(String(token.id), Tokenizer.entry(token, withID: false)) }
        settings.set("added_tokens_decoder", .object(decoder))
        try FileSystem.writeAtomically(settingsPath, text: settings.text(style: .indented(2)) + "\n")
    }

    private static func entry(_ token: AddedToken, withID: Bool) -> JSONValue {
        var object: JSONObject = [:]
        if withID { object.set("id", .integer(Int64(token.id))) }
        object.set("content", .string(token.content))
        for (name, value) in [
            ("single_word", token.isSingleWord), ("lstrip", token.stripsLeft), ("rstrip", token.stripsRight), ("normalized", token.isNormalized),
            ("special", token.isSpecial),
        ] { object.set(name, .bool(value)) }
        return .object(object)
    }
}
