import Formats
import Platform

/// A vocabulary fresh from training, ready to be written as the files that this program and Hugging Face's libraries open.
public struct TrainedTokenizer: Sendable {
    public let specialTokens: [String]
    /// Bytes of the tokens after the special ones, by id.
    public let tokens: [[UInt8]]
    /// Pairs of ids in the order in which they were merged.
    public let merges: [(Int32, Int32)]
    public let pattern: TokenizerTrainer.WordPattern

    public var vocabularySize: Int { specialTokens.count + tokens.count }

    private func text(_ id: Int32) -> String {
        let index = Int(id)
        return index < specialTokens.count ? specialTokens[index] : ByteAlphabet.text(of: tokens[index - specialTokens.count])
    }

    /// The whole tokenizer.json.
    public func tokenizerJSON() -> JSONObject {
        var vocabulary: [(String, JSONValue)] = []
        for id in 0..<vocabularySize { vocabulary.append((text(Int32(id)), .integer(id))) }
        let byteLevel: JSONValue = [
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": .bool(pattern == .gpt2),
        ]
        var preTokenizer = byteLevel
        if pattern != .gpt2 {
            let known: WordScanner.Known = pattern == .llama3 ? .llama3 : .qwen2
            let split: JSONValue = [
                "type": "Split", "pattern": ["Regex": .string(known.pattern)], "behavior": "Isolated", "invert": false,
            ]
            preTokenizer = ["type": "Sequence", "pretokenizers": [split, byteLevel]]
        }
        let added = specialTokens.enumerated().map { index, content -> JSONValue in
            [
                "id": .integer(index), "content": .string(content), "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            ]
        }
        let model: JSONValue = [
            "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": .object(JSONObject(vocabulary)),
            "merges": .array(merges.map { [.string(text($0.0)), .string(text($0.1))] }),
        ]
        return [
            "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": .array(added),
            "normalizer": pattern == .qwen2 ? ["type": "NFC"] : nil, "pre_tokenizer": preTokenizer,
            "post_processor": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true],
            "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true], "model": model,
        ]
    }

    /// The whole tokenizer_config.json.
    public func configurationJSON(
        beginToken: String? = nil, endToken: String?, padToken: String? = nil, modelMaxLength: Int = 2048, chatTemplate: String? = nil
    ) -> JSONObject {
        var decoder: [(String, JSONValue)] = []
        for (index, content) in specialTokens.enumerated() {
            decoder.append(
                (
                    String(index),
                    [
                        "content": .string(content), "lstrip": false, "normalized": false, "rstrip": false, "single_word": false,
                        "special": true,
                    ]
                ))
        }
        let named = [beginToken, endToken, padToken]
        let others = specialTokens.filter { token in !named.contains { $0 == token } }
        var result: JSONObject = [
            "added_tokens_decoder": .object(JSONObject(decoder)),
            "additional_special_tokens": .array(others.map { .string($0) }),
            "bos_token": beginToken.map { .string($0) } ?? nil,
            "clean_up_tokenization_spaces": false,
            "eos_token": endToken.map { .string($0) } ?? nil,
            "model_max_length": .integer(modelMaxLength),
            "pad_token": (padToken ?? endToken).map { .string($0) } ?? nil,
            "tokenizer_class": "PreTrainedTokenizerFast",
        ]
        if let chatTemplate { result["chat_template"] = .string(chatTemplate) }
        return result
    }

    /// Writes tokenizer.json and tokenizer_config.json into `directory`, which is made when it is not there.
    public func write(
        to directory: String, beginToken: String? = nil, endToken: String?, padToken: String? = nil, modelMaxLength: Int = 2048,
        chatTemplate: String? = nil
    ) throws(TokenizerError) {
        for token in [beginToken, endToken, padToken].compactMap({ $0 }) where !specialTokens.contains(token) {
            throw .cannotTrain(reason: "\"\(token)\" is not among the special tokens")
        }
        do {
            try FileSystem.createDirectory(directory)
            try FileSystem.writeAtomically(Path.join(directory, "tokenizer.json"), text: tokenizerJSON().text(style: .indented(2)) + "\n")
            let configuration = configurationJSON(
                beginToken: beginToken, endToken: endToken, padToken: padToken, modelMaxLength: modelMaxLength, chatTemplate: chatTemplate)
            try FileSystem.writeAtomically(
                Path.join(directory, "tokenizer_config.json"), text: configuration.text(style: .indented(2)) + "\n")
        } catch {
            throw .unwritable(path: directory, reason: error.description)
        }
    }
}
