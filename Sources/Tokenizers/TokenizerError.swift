import Platform

/// What can be wrong with a tokenizer's files. The sentence for people is made in `description`.
public enum TokenizerError: Error, Equatable, CustomStringConvertible {
    /// `tokenizer.json` is not in the model folder.
    case missingFile(path: String)
    /// The file could not be read: `reason` is the system's.
    case unreadable(path: String, reason: String)
    /// The file is not JSON, or not of the expected shape: `part` names the place inside it, like `model.vocab`.
    case malformed(path: String, part: String, expected: String, found: String)
    /// The file is not JSON; the sentence says where.
    case notJSON(sentence: String)
    /// A part of the file asks for something that is not built: `part` is like `normalizer.type`, `found` like `"Precompiled"`.
    case unsupported(path: String, part: String, found: String)
    /// Merge number `index` (from 0) joins tokens that are not in the vocabulary.
    case mergeOutOfVocabulary(path: String, index: Int, text: String)
    /// Two tokens share an id, or one token is listed twice.
    case duplicateToken(path: String, token: String)
    /// A regular expression of the file cannot be read.
    case badPattern(path: String, part: String, pattern: String, reason: String)
    /// Writing the tokenizer's files failed.
    case unwritable(path: String, reason: String)
    /// Nothing to learn from: the training text is empty, or the size asked for is too small.
    case cannotTrain(reason: String)
    /// Two vocabularies do not go together.
    case cannotMerge(reason: String)

    public var description: String {
        switch self {
        case .missingFile(let path):
            return "\(path) is missing: the model folder needs a tokenizer.json, or a tokenizer.model, or vocab.json and merges.txt. "
                + "Copy it from the original model."
        case .unreadable(let path, let reason):
            return "\(path) cannot be read: \(reason)."
        case .malformed(let path, let part, let expected, let found):
            return "\(path): \(part) should be \(expected), found \(found.excerpt())."
        case .notJSON(let sentence):
            return sentence
        case .unsupported(let path, let part, let found):
            return "\(path): \(part) is \(found.excerpt()), which this program does not know. BPE, Unigram, WordPiece and WordLevel tokenizers work."
        case .mergeOutOfVocabulary(let path, let index, let text):
            return "\(path): model.merges[\(index)] (\"\(text.excerpt())\") joins tokens that model.vocab lacks. The file is damaged or edited; copy it again."
        case .duplicateToken(let path, let token):
            return "\(path): the token \"\(token.excerpt())\" is listed twice, or shares its id with another one."
        case .badPattern(let path, let part, let pattern, let reason):
            return "\(path): \(part) has the pattern \(pattern.excerpt()), which cannot be read: \(reason)."
        case .unwritable(let path, let reason):
            return "\(path) cannot be written: \(reason)."
        case .cannotTrain(let reason):
            return "No tokenizer can be trained: \(reason)."
        case .cannotMerge(let reason):
            return "These vocabularies cannot be merged: \(reason)."
        }
    }
}
