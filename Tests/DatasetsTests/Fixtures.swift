import Formats
import Platform
import Tokenizers

@testable import Datasets

enum Fixtures {
    static let root = Path.join(Path.directory(Path.directory(#filePath)), "Fixtures")
    static func path(_ name: String) -> String { Path.join(root, name) }
    static func json(_ name: String) throws -> JSONValue { try JSONValue.read(file: path(name)) }
    static func ids(_ value: JSONValue?) -> [Int32] { (value?.arrayValue ?? []).compactMap { $0.intValue.map(Int32.init) } }

    /// The Llama-3-like tokenizer of the fixtures, with the special tokens that the expected values were made with.
    static func tokenizer() throws -> Tokenizer {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        try FileSystem.copy(path("tokenizers/llama3/tokenizer.json"), Path.join(directory, "tokenizer.json"))
        try FileSystem.writeAtomically(
            Path.join(directory, "tokenizer_config.json"),
            text: #"{"bos_token": "<|bos|>", "eos_token": "<|end|>", "pad_token": "<|end|>"}"#)
        return try Tokenizer(directory: directory)
    }

    /// A folder that is gone when the body returns.
    static func temporary<Result>(_ body: (String) throws -> Result) throws -> Result {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        return try body(directory)
    }

    static func write(_ text: String, to directory: String, _ name: String) throws -> String {
        let path = Path.join(directory, name)
        try FileSystem.writeAtomically(path, text: text)
        return path
    }
}
