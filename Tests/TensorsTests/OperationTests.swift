import Platform
import Testing

@testable import Tensors

/// Every operation of the tape against finite differences of itself, on each backend.
@Suite struct OperationTests {
    /// Backends whose operations are tested. A new backend adds itself here.
    static let backends: [any Backend] = [
        CPUBackend(threadCount: 1), CPUBackend(threadCount: 3), CPUBackend(threadCount: 2, products: .blas),
    ]

    @Test("each operation's gradients agree with finite differences", arguments: OperationCase.all)
    func gradients(_ operation: OperationCase) {
        for backend in Self.backends {
            let problem = GradientCheck(backend: backend, operation: operation).run()
            #expect(problem == nil, "\(operation.name): \(problem ?? "")")
        }
    }
}

/// One row of the table: inputs, trained parameters and how the operation is put on a tape.
struct OperationCase: Sendable, CustomTestStringConvertible {
    let name: String
    let inputs: [[Int]]
    /// Made anew for each check, from its own random numbers.
    let layers: @Sendable (inout RandomGenerator) -> [Linear]
    let parameters: @Sendable (inout RandomGenerator) -> [Parameter]
    let body: @Sendable (Tape, [Value], [Linear], [Parameter]) -> [Value]
    var tolerance: Float = 2e-2

    init(
        _ name: String, inputs: [[Int]], layers: @escaping @Sendable (inout RandomGenerator) -> [Linear] = { _ in [] },
        parameters: @escaping @Sendable (inout RandomGenerator) -> [Parameter] = { _ in [] }, tolerance: Float = 2e-2,
        body: @escaping @Sendable (Tape, [Value], [Linear], [Parameter]) -> [Value]
    ) {
        self.name = name
        self.inputs = inputs
        self.layers = layers
        self.parameters = parameters
        self.tolerance = tolerance
        self.body = body
    }

    var testDescription: String { name }
}

func randomTensor(_ shape: [Int], _ random: inout RandomGenerator, scale: Double = 1) -> Tensor {
    Tensor((0..<shape.reduce(1, *)).map { _ in Float(random.normal() * scale) }, shape: shape)
}

func randomLinear(
    _ name: String, _ inputs: Int, _ outputs: Int, _ random: inout RandomGenerator, isTrained: Bool, hasBias: Bool = false, rank: Int = 0,
    dropout: Float = 0, dtype: DType = .float32
) -> Linear {
    let weight = randomTensor([outputs, inputs], &random, scale: 0.5).converted(to: dtype)
    let bias = hasBias ? Parameter(name: "\(name).bias", value: randomTensor([outputs], &random), requiresGradient: isTrained) : nil
    let linear = Linear(name: name, weight: .dense(Parameter(name: name, value: weight, requiresGradient: isTrained)), bias: bias)
    if rank > 0 {
        linear.adapter = LowRankAdapter(
            a: Parameter(name: "\(name).a", value: randomTensor([rank, inputs], &random), requiresGradient: true),
            b: Parameter(name: "\(name).b", value: randomTensor([outputs, rank], &random), requiresGradient: true), scale: 0.5,
            dropout: dropout)
    }
    return linear
}

/// Compares gradients with differences of sum(result * weights) along random directions of each input and parameter.
struct GradientCheck {
    let backend: any Backend
    let operation: OperationCase

    /// A sentence about the first disagreement, or nil.
    func run() -> String? {
        var random = RandomGenerator(seed: 7)
        let inputs = operation.inputs.map { randomTensor($0, &random) }
        let layers = operation.layers(&random), parameters = operation.parameters(&random)
        let trained = trainedParts(layers, parameters)

        let tape = Tape(backend: backend, isRecording: true, random: RandomGenerator(seed: 3))
        let values = inputs.map { tape.variable($0) }
        let results = operation.body(tape, values, layers, parameters)
        let weights = results.map { randomTensor($0.tensor.shape, &random) }
        tape.backward(from: zip(results, weights).map { ($0.0, $0.1) })

        for (index, input) in inputs.enumerated() {
            guard let gradient = tape.gradient(of: values[index]) else { return "input \(index) got no gradient" }
            let probe = { evaluate(inputs, layers, parameters, weights) }
            if let problem = compare(input, gradient, "input \(index)", &random, probe) { return problem }
        }
        for parameter in trained {
            guard let gradient = parameter.gradient else { return "\(parameter.name) got no gradient" }
            let probe = { evaluate(inputs, layers, parameters, weights) }
            if let problem = compare(parameter.value, gradient, parameter.name, &random, probe) { return problem }
        }
        return nil
    }

    private func trainedParts(_ layers: [Linear], _ parameters: [Parameter]) -> [Parameter] {
        var all = parameters
        for layer in layers {
            if let weight = layer.weight.parameter { all.append(weight) }
            if let bias = layer.bias { all.append(bias) }
            if let adapter = layer.activeAdapter { all += adapter.parameters }
            if let rotation = layer.activeRotation { all.append(rotation.generators) }
        }
        return all.filter(\.requiresGradient)
    }

    private func evaluate(_ inputs: [Tensor], _ layers: [Linear], _ parameters: [Parameter], _ weights: [Tensor]) -> Double {
        let tape = Tape(backend: backend, isRecording: false, random: RandomGenerator(seed: 3))
        tape.isTraining = true
        let results = operation.body(tape, inputs.map { tape.constant($0) }, layers, parameters)
        var total = 0.0
        for (result, weight) in zip(results, weights) {
            for (a, b) in zip(result.tensor.floats(), weight.floats()) { total += Double(a) * Double(b) }
        }
        return total
    }

    private func compare(
        _ place: Tensor, _ gradient: Tensor, _ what: String, _ random: inout RandomGenerator, _ probe: () -> Double
    ) -> String? {
        let start = place.floats(), found = gradient.floats()
        for _ in 0..<3 {
            let direction = (0..<start.count).map { _ in Float(random.normal()) }
            let length = Float(0.01)
            place.write(zip(start, direction).map { $0 + length * $1 })
            let above = probe()
            place.write(zip(start, direction).map { $0 - length * $1 })
            let below = probe()
            place.write(start)
            let measured = (above - below) / Double(2 * length)
            let predicted = zip(found, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            let norm = found.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            if abs(measured - predicted) > Double(operation.tolerance) * max(norm, 1e-2) {
                return "gradient of \(what) along a direction: expected \(measured) by differences, found \(predicted)"
            }
        }
        return nil
    }
}
