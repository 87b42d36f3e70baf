import Formats
import Platform

@testable import Tokenizers

/// Where the fixtures of this area lie.
enum Fixtures {
    static let root = Path.join(Path.directory(Path.directory(#filePath)), "Fixtures")
    static func path(_ name: String) -> String { Path.join(root, "tokenizers", name) }

    static func json(_ name: String) throws -> JSONValue { try JSONValue.read(file: path(name)) }

    static func ids(_ value: JSONValue?) -> [Int32] { (value?.arrayValue ?? []).compactMap { $0.intValue.map(Int32.init) } }

    static let kinds = ["gpt2", "gpt2-prefix", "llama3", "qwen2", "o200k", "llama2", "mistral"]
}
