import Formats
import Glibc
import Models
import Platform
import Tensors

/// The tiny models under Tests/Fixtures/models and what the reference programs say about them.
enum Fixtures {
    static let directory = Path.join(Path.directory(Path.directory(#filePath)), "Fixtures", "models")
    static let llama = Path.join(directory, "llama")
    static let qwen2 = Path.join(directory, "qwen2")
    static let adapter = Path.join(directory, "llama-adapter")
    static let secondAdapter = Path.join(directory, "llama-adapter-second")

    static func json(_ name: String) throws -> JSONValue {
        let path = Path.join(directory, name)
        return try JSONValue.parse(try FileSystem.readText(path), name: path)
    }

    static func tensors(_ name: String) throws -> [String: [Float]] {
        let tensors = try TensorFile.read(Path.join(directory, name), as: .float32)
        return Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor.floats()) })
    }

    /// Both sequences of the expectations as one packed batch.
    static func batch() throws -> PackedBatch {
        let expected = try json("expected.json")
        return PackedBatch(sequences: tokenLists(expected["sequences"]), labels: tokenLists(expected["labels"]))
    }

    static func tokenLists(_ value: JSONValue?) -> [[Int32]] { (value?.arrayValue ?? []).map { tokens($0) } }
    static func tokens(_ value: JSONValue?) -> [Int32] { (value?.arrayValue ?? []).map { Int32($0.intValue ?? -1) } }
    static func numbers(_ value: JSONValue?) -> [Double] { (value?.arrayValue ?? []).map { $0.doubleValue ?? .nan } }

    /// A folder of a test's own, gone when `body` is through.
    static func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
        let directory = try FileSystem.createTemporaryDirectory(prefix: "tuneboard-models-")
        defer { try? FileSystem.removeTree(directory) }
        return try body(directory)
    }

    static func changeConfiguration(_ directory: String, _ change: (inout JSONObject) -> Void) throws {
        let path = Path.join(directory, "config.json")
        var object = try JSONValue.parse(try FileSystem.readText(path), name: path).objectValue ?? [:]
        change(&object)
        try FileSystem.writeAtomically(path, text: JSONValue.object(object).text())
    }

    /// A copy of a model folder that a test may damage.
    static func copy(_ source: String, to directory: String) throws {
        try FileSystem.createDirectory(directory)
        for name in try FileSystem.list(source) { try FileSystem.copy(Path.join(source, name), Path.join(directory, name)) }
    }
}

/// Sequences one after the other, with targets shifted by one as the trainer's batches have them.
struct PackedBatch {
    let tokens: [Int32]
    let targets: [Int32]
    let lengths: [Int]

    init(sequences: [[Int32]], labels: [[Int32]]) {
        tokens = sequences.flatMap { $0 }
        targets = labels.flatMap { $0.dropFirst() + [-100] }
        lengths = sequences.map(\.count)
    }

    var layout: SequenceLayout { SequenceLayout(lengths: lengths) }
    var lossTokenCount: Int { targets.filter { $0 != -100 }.count }
}

/// One backend for all tests of this target.
let backend = CPUBackend(threadCount: 2)

/// Logits of every row of a batch.
func logits(_ model: Transformer, _ batch: PackedBatch) -> [Float] {
    let tape = Tape(backend: backend, isRecording: false)
    return tape.tensor(model.logits(tape, model.hidden(tape, tokens: batch.tokens, layout: batch.layout))).floats()
}

/// Loss of a batch, with gradients left in the parameters.
func trainingLoss(_ model: Transformer, _ batch: PackedBatch) -> Double {
    let tape = Tape(backend: backend, isRecording: true)
    let hidden = model.hidden(tape, tokens: batch.tokens, layout: batch.layout)
    let output = tape.linearCrossEntropy(hidden, head: model.head, targets: batch.targets, normalizer: Float(batch.lossTokenCount))
    tape.backward(output.loss)
    return output.lossSum / Double(batch.lossTokenCount)
}

func largestDifference(_ left: [Float], _ right: [Float]) -> Float {
    guard left.count == right.count else { return .infinity }
    return zip(left, right).map { abs($0 - $1) }.max() ?? 0
}

/// `|left - right| / |right|`
func relativeDifference(_ left: [Float], _ right: [Float]) -> Double {
    guard left.count == right.count else { return .infinity }
    let distance = zip(left, right).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    let norm = right.reduce(0.0) { $0 + Double($1 * $1) }
    return norm == 0 ? distance.squareRoot() : (distance / norm).squareRoot()
}

func cosine(_ left: [Float], _ right: [Float]) -> Double {
    let product = zip(left, right).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    let squares = (left.reduce(0.0) { $0 + Double($1 * $1) }, right.reduce(0.0) { $0 + Double($1 * $1) })
    return product / (squares.0 * squares.1).squareRoot()
}
