/// A linear layer from a hidden state to one number: what an answer is worth. Kept in `value_head.safetensors` under the names that
/// LLaMA-Factory and TRL give it.

import Datasets
import Formats
import Models
import Platform
import Tensors

public final class ValueHead {
    public static let fileName = "value_head.safetensors"
    private static let weightName = "v_head.summary.weight"
    private static let biasName = "v_head.summary.bias"
    /// TRL's `summary_dropout_prob`.
    static let dropout: Float = 0.1

    let linear: Linear
    private let weight: Parameter
    private let bias: Parameter

    /// A fresh head, drawn as `torch.nn.Linear` draws.
    public convenience init(hiddenSize: Int, random: inout RandomGenerator) {
        let bound = 1 / Double(max(1, hiddenSize)).squareRoot()
        let weights = (0..<hiddenSize).map { _ in Float(random.uniform(-bound, bound)) }
        self.init(weight: Tensor(weights, shape: [1, hiddenSize]), bias: Tensor([Float(random.uniform(-bound, bound))], shape: [1]))
    }

    init(weight: Tensor, bias: Tensor) {
        self.weight = Parameter(name: Self.weightName, value: weight, requiresGradient: true)
        self.bias = Parameter(name: Self.biasName, value: bias, requiresGradient: true)
        linear = Linear(name: "v_head.summary", weight: .dense(self.weight), bias: self.bias)
    }

    public var parameters: [Parameter] { [weight, bias] }

    /// Whether a folder holds one.
    public static func exists(in directory: String) -> Bool { FileSystem.exists(Path.join(directory, fileName)) }

    /// The head that was saved with an adapter or a model.
    public convenience init(directory: String, hiddenSize: Int) throws {
        let path = Path.join(directory, Self.fileName)
        let tensors = try TensorFile.read(path, as: .float32)
        func tensor(_ name: String, _ shape: [Int]) throws(TrainingError) -> Tensor {
            guard let found = tensors.first(where: { $0.name == name })?.tensor else {
                throw .brokenCheckpoint(path: directory, file: Self.fileName, reason: "it has no \(name).")
            }
            guard found.shape == shape else {
                throw .checkpointMismatch(path: path, what: name, expected: "\(shape)", found: "\(found.shape)")
            }
            return found
        }
        self.init(weight: try tensor(Self.weightName, [1, hiddenSize]), bias: try tensor(Self.biasName, [1]))
    }

    public func save(to directory: String) throws {
        try FileSystem.createDirectory(directory)
        try TensorFile.write(
            Path.join(directory, Self.fileName), tensors: [(Self.biasName, bias.value), (Self.weightName, weight.value)])
    }

    func freeze() {
        weight.requiresGradient = false
        bias.requiresGradient = false
    }

    /// The worth of each row: [rows, 1].
    func values(_ tape: Tape, _ hidden: Value) -> Value { tape.linear(hidden, linear) }

    /// What each sequence of a batch is worth: the value at its last token.
    func scores(_ model: Transformer, _ batch: Batch) -> [Double] {
        let tape = Tape(backend: model.backend, isRecording: false)
        let hidden = model.hidden(tape, tokens: batch.tokens, layout: SequenceLayout(batch))
        let last = tape.selectRows(hidden, rows: batch.lastRows)
        return tape.tensor(values(tape, last)).floats().map { Double($0) }
    }
}
