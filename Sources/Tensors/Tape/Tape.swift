import Platform

/// A record of coarse operations, in the order they ran, that is played backwards for gradients.
///
///     let tape = Tape(backend: backend, isRecording: true, random: random)
///     let hidden = model.hidden(tape, tokens: tokens, layout: layout)
///     let loss = tape.linearCrossEntropy(hidden, head: model.head, targets: targets, normalizer: 512)
///     tape.backward(loss.loss)          // gradients are added to the parameters
///
/// Operations run at once. Only those are recorded that lie between something trainable and the loss: a frozen weight
/// gets no gradient, and nothing below the first trainable part is passed on the way back. One thread uses a tape.
public final class Tape {
    public let backend: any Backend
    public let isRecording: Bool
    /// Dropout is on. Follows `isRecording` unless it is set.
    public var isTraining: Bool
    /// For prompts: products may round to the precision that the weights have (`Backend.inferenceLinear`).
    public var isAnswering = false
    /// Drawn from by dropout only.
    public internal(set) var random: RandomGenerator
    /// Multiplies what losses send back, so that small gradients are not lost in half precision: whoever uses the gradients divides
    /// them again. Heeded by `backward(from:)` and by the gradients that `linearCrossEntropy` makes on the way forward.
    public var lossScale: Float = 1
    /// The layer of the model that is at work, for `watch`; nil outside of layers.
    public var layer: Int?
    /// Is shown every result as it is made and every gradient as it arrives, with the operation's name: for diagnosis.
    public var watch: ((Sighting) -> Void)?

    /// Something that an operation made.
    public struct Sighting {
        public let operation: String
        public let layer: Int?
        /// On the way back.
        public let isGradient: Bool
        public let tensor: Tensor
    }

    private var operations: [(any Operation)?] = []
    /// The layers that the operations belong to; kept while somebody watches.
    private var layers: [Int?] = []
    /// Gradients by value id, while they are waiting for the operation that made the value.
    private var gradients: [Tensor?] = []
    private var needsGradient: [Bool] = []
    /// How values are kept; their gradients are kept alike.
    private var types: [DType] = []
    private var seed: (storage: Storage, value: Float)?

    public init(backend: any Backend, isRecording: Bool, random: RandomGenerator = RandomGenerator(seed: 0)) {
        self.backend = backend
        self.isRecording = isRecording
        self.isTraining = isRecording
        self.random = random
    }

    // MARK: Values

    public func tensor(_ value: Value) -> Tensor { value.tensor }

    /// A tensor from outside, without a gradient.
    public func constant(_ tensor: Tensor) -> Value { newValue(tensor, requiresGradient: false) }

    /// A tensor from outside whose gradient can be read after `backward`.
    public func variable(_ tensor: Tensor) -> Value { newValue(tensor, requiresGradient: true) }

    /// The gradient of a `variable` after `backward`, nil when the loss does not depend on it.
    public func gradient(of value: Value) -> Tensor? { gradients[Int(value.id)] }

    /// Whether gradients flow to this value.
    public func requiresGradient(_ value: Value) -> Bool { needsGradient[Int(value.id)] }

    /// Recorded operations in order, for tests and for the curious.
    public var operationNames: [String] { operations.compactMap { $0.map { type(of: $0).name } } }

    /// Drops everything recorded.
    public func reset() {
        operations.removeAll(keepingCapacity: true)
        layers.removeAll()
        gradients.removeAll(keepingCapacity: true)
        needsGradient.removeAll(keepingCapacity: true)
        types.removeAll(keepingCapacity: true)
    }

    /// - Parameter operation: the function that makes the value; found by itself.
    func newValue(
        _ tensor: Tensor, requiresGradient: Bool, again: (() -> Tensor)? = nil, operation: StaticString = #function
    ) -> Value {
        if let watch {
            let name = String("\(operation)".prefix { $0 != "(" })
            watch(Sighting(operation: name, layer: layer, isGradient: false, tensor: tensor))
        }
        let value = Value(id: Int32(needsGradient.count), tensor: tensor, again: again)
        needsGradient.append(requiresGradient && isRecording)
        gradients.append(nil)
        types.append(tensor.dtype)
        return value
    }

    func record(_ operation: any Operation) {
        operations.append(operation)
        if watch != nil { layers.append(layer) }
    }

    // MARK: Backward

    /// Plays the tape backwards from `loss`, whose gradient is `seed`. Gradients are added to the parameters; the record is
    /// used up on the way.
    public func backward(_ loss: Value, seed: Float = 1) {
        precondition(loss.tensor.count == 1, "backward starts from a single number")
        let gradient = backend.empty(loss.tensor.shape, .float32)
        backend.fill(gradient, with: seed)
        addGradient(gradient, to: loss)
        self.seed = (gradient.storage, seed)
        playBackward()
        self.seed = nil
    }

    /// The number in a gradient of one element. That which `backward` began with is known without asking the backend.
    func number(_ gradient: Tensor) -> Float {
        if let seed, seed.storage === gradient.storage { return seed.value }
        return gradient.floats()[0]
    }

    /// Plays the tape backwards from several values with given gradients.
    public func backward(from values: [(value: Value, gradient: Tensor)]) {
        for (value, gradient) in values {
            if lossScale == 1 {
                addGradient(gradient, to: value)
            } else {
                let scaled = backend.empty(gradient.shape, .float32)
                backend.scale(gradient, by: lossScale, into: scaled)
                addGradient(scaled, to: value)
            }
        }
        playBackward()
    }

    func playBackward() {
        while let last = operations.popLast() {
            last?.backward(on: self)
            guard let watch, let last else { continue }
            let layer = layers.popLast() ?? nil
            for gradient in gradients.compactMap({ $0 }) {
                watch(Sighting(operation: type(of: last).name, layer: layer, isGradient: true, tensor: gradient))
            }
        }
    }

    /// The gradient that has arrived at a result, for the operation that made it; nil when none did.
    func takeGradient(of id: Int32) -> Tensor? {
        let gradient = gradients[Int(id)]
        gradients[Int(id)] = nil
        return gradient
    }

    func hasGradient(_ id: Int32) -> Bool { gradients[Int(id)] != nil }

    func needsGradient(_ id: Int32) -> Bool { needsGradient[Int(id)] }

    /// Gives `gradient` to a value: becomes its gradient, or is added to it. The tensor may be shared between several values.
    func addGradient(_ gradient: Tensor, to value: Value) { addGradient(gradient, to: value.id) }

    func addGradient(_ gradient: Tensor, to id: Int32) {
        guard needsGradient[Int(id)] else { return }
        guard gradients[Int(id)] != nil else {
            gradients[Int(id)] = like(gradient, types[Int(id)])
            return
        }
        let target = gradientTarget(for: id, shape: gradient.shape)
        backend.accumulate(gradient, factor: 1, into: target.tensor)
    }

    private func like(_ gradient: Tensor, _ type: DType) -> Tensor {
        if gradient.dtype == type { return gradient }
        let result = backend.empty(gradient.shape, type)
        backend.convert(gradient, into: result)
        return result
    }

    /// Where to write (or add) the gradient of a value. What is there already may be shared with others; then it is copied first.
    func gradientTarget(for id: Int32, shape: [Int]) -> GradientTarget {
        let index = Int(id)
        if gradients[index] == nil {
            let fresh = backend.empty(shape, types[index])
            gradients[index] = fresh
            return GradientTarget(fresh, isAccumulating: false)
        }
        if !gradients[index]!.ownsItsStorage() {
            let copy = backend.empty(shape, gradients[index]!.dtype)
            backend.convert(gradients[index]!, into: copy)
            gradients[index] = copy
        }
        return GradientTarget(gradients[index]!, isAccumulating: true)
    }

    /// Where to write (or add) a parameter's gradient.
    func gradientTarget(for parameter: Parameter) -> GradientTarget {
        if let gradient = parameter.gradient { return GradientTarget(gradient, isAccumulating: true) }
        let fresh = backend.empty(parameter.shape, .float32)
        fresh.storage.purpose = .gradients
        parameter.gradient = fresh
        return GradientTarget(fresh, isAccumulating: false)
    }
}
