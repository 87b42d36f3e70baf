/// AdamW with PyTorch's semantics (torch.optim.AdamW; Loshchilov and Hutter, arXiv 1711.05101): decay is decoupled from the
/// gradient, both moments are f32 whatever the weights are stored in, and the bias of the moments is corrected.

import Formats
import Platform
import Tensors

/// The numbers that stay the same over a run.
public struct AdamWSettings: Sendable, Equatable {
    public var beta1 = 0.9
    public var beta2 = 0.999
    public var epsilon = 1e-8
    public var weightDecay = 0.0

    public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }
}

public final class AdamW {
    private struct Entry {
        let parameter: Parameter
        let firstMoment: Tensor
        let secondMoment: Tensor
        let decays: Bool
    }

    private let entries: [Entry]
    private let settings: AdamWSettings
    private let backend: any Backend
    /// Updates made so far.
    public private(set) var stepCount = 0

    public init(parameters: [Parameter], settings: AdamWSettings, backend: any Backend) {
        self.settings = settings
        self.backend = backend
        entries = parameters.map { parameter in
            Entry(
                parameter: parameter, firstMoment: .zeros(parameter.shape), secondMoment: .zeros(parameter.shape),
                decays: Self.decays(parameter.name))
        }
    }

    public var parameters: [Parameter] { entries.map(\.parameter) }

    /// Biases and norms do not decay. The Trainer tells them by the name alone: `bias`, `layernorm` or `rmsnorm` anywhere, a path
    /// component `norm`, or one that ends in `_norm`.
    public static func decays(_ name: String) -> Bool {
        let name = name.lowercased()
        for part in ["bias", "layernorm", "rmsnorm"] where name.contains(part) { return false }
        return !name.split(separator: ".").contains { $0 == "norm" || $0.hasSuffix("_norm") }
    }

    /// Norm of all gradients together.
    public func gradientNorm() -> Double {
        entries.reduce(0) { sum, entry in sum + (entry.parameter.gradient.map(backend.sumOfSquares) ?? 0) }.squareRoot()
    }

    /// The first parameter whose gradient holds something that is not a number, for the diagnosis.
    public func firstNotFiniteGradient() -> String? {
        entries.first { entry in entry.parameter.gradient.map { !backend.sumOfSquares($0).isFinite } ?? false }?.parameter.name
    }

    /// What gradients are multiplied with so that their norm is at most `maximum` (torch.nn.utils.clip_grad_norm_). A maximum of
    /// 0 leaves them as they are.
    public static func clipFactor(norm: Double, maximum: Double) -> Double {
        maximum > 0 ? min(1, maximum / (norm + 1e-6)) : 1
    }

    /// One update of every parameter that has a gradient; the gradients are dropped.
    public func update(learningRate: Double, gradientScale: Double = 1) {
        stepCount += 1
        for entry in entries {
            guard let gradient = entry.parameter.gradient else { continue }
            backend.adamW(
                parameter: entry.parameter.value, gradient: gradient, firstMoment: entry.firstMoment,
                secondMoment: entry.secondMoment,
                step: AdamWStep(
                    learningRate: learningRate, beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon,
                    weightDecay: entry.decays ? settings.weightDecay : 0, step: stepCount, gradientScale: gradientScale))
        }
        dropGradients()
    }

    public func dropGradients() {
        for entry in entries { entry.parameter.gradient = nil }
    }

    /// Bytes of both moments.
    public var byteCount: Int { entries.reduce(0) { $0 + $1.firstMoment.byteCount + $1.secondMoment.byteCount } }
}

// MARK: On disk

extension AdamW {
    static let fileName = "optimizer.safetensors"

    /// Writes both moments of every parameter: `<name>.exp_avg` and `<name>.exp_avg_sq`, as PyTorch names them.
    func write(to directory: String) throws {
        let writer = try SafetensorsWriter(
            path: Path.join(directory, Self.fileName),
            tensors: entries.flatMap { entry in
                moments(of: entry).map { TensorDeclaration(name: $0.name, dtype: .float32, shape: $0.tensor.shape) }
            },
            metadata: ["format": "pt", "optimizer": "adamw", "step": String(stepCount)])
        for entry in entries {
            for moment in moments(of: entry) { try writer.write(moment.tensor.bytes, to: moment.name) }
        }
        try writer.finish()
    }

    /// Takes the moments and the step count of a checkpoint.
    func read(from directory: String) throws(TrainingError) {
        let path = Path.join(directory, Self.fileName)
        let file: SafetensorsFile
        do { file = try SafetensorsFile(path: path) } catch {
            throw .brokenCheckpoint(path: directory, file: Self.fileName, reason: "\(error)")
        }
        guard let step = file.metadata["step"].flatMap({ Int($0) }), step >= 0 else {
            throw .brokenCheckpoint(path: directory, file: Self.fileName, reason: "it does not say how many steps were made.")
        }
        guard file.tensors.count == 2 * entries.count else {
            throw .checkpointMismatch(
                path: directory, what: "number of trained tensors", expected: "\(entries.count)", found: "\(file.tensors.count / 2)")
        }
        for entry in entries {
            for moment in moments(of: entry) {
                let stored = file.entry(named: moment.name)
                guard let found = stored, found.shape == moment.tensor.shape, found.dtype == .float32 else {
                    throw .checkpointMismatch(
                        path: directory, what: "optimizer state \(moment.name)", expected: "f32 \(moment.tensor.shape)",
                        found: stored.map { "\($0.dtype.rawValue) \($0.shape)" } ?? "missing")
                }
                let bytes = file.bytes(found)
                if let source = bytes.baseAddress { moment.tensor.address.copyMemory(from: source, byteCount: bytes.count) }
            }
        }
        stepCount = step
    }

    private func moments(of entry: Entry) -> [(name: String, tensor: Tensor)] {
        let name = entry.parameter.name
        return [("\(name).exp_avg", entry.firstMoment), ("\(name).exp_avg_sq", entry.secondMoment)]
    }
}
