import Platform
import Testing

@testable import Tensors

/// One operation of the protocol with inputs that are made from its name: it is run on every back end, and the results are compared.
struct OperationCase: Sendable, CustomTestStringConvertible {
    let name: String
    /// Whether narrow activations make sense for it.
    let isForActivations: Bool
    let run: @Sendable (any Backend, Inputs) -> [Tensor]

    init(_ name: String, isForActivations: Bool = true, _ run: @escaping @Sendable (any Backend, Inputs) -> [Tensor]) {
        self.name = name
        self.isForActivations = isForActivations
        self.run = run
    }

    var testDescription: String { name }
}

/// Random inputs that are the same for every back end, activations in the type under test.
final class Inputs {
    /// How the back end keeps activations.
    let type: DType
    private let rounding: DType
    private var random: RandomGenerator

    /// - Parameter isWidened: activations are rounded to the type and kept in f32, for the processor
    init(_ name: String, _ type: DType, isWidened: Bool = false) {
        self.type = isWidened ? .float32 : type
        rounding = type
        random = RandomGenerator(seed: name.utf8.reduce(UInt64(7)) { $0 &* 31 &+ UInt64($1) })
    }

    /// f32
    func floats(_ shape: [Int], _ scale: Double = 1) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float(random.normal() * scale) }, shape: shape)
    }

    func positive(_ shape: [Int]) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float(0.2 + random.uniform(0, 1)) }, shape: shape)
    }

    /// Rounded to the type under test, so that all back ends see the same numbers.
    func activation(_ shape: [Int], _ scale: Double = 1) -> Tensor { floats(shape, scale).converted(to: rounding).converted(to: type) }
    func half(_ shape: [Int], _ scale: Double = 1) -> Tensor { floats(shape, scale).converted(to: .bfloat16) }
    func integers(_ count: Int, below limit: Int) -> [Int32] { (0..<count).map { _ in Int32(random.uniform(0, 1) * Double(limit - 1)) } }
}

extension OperationCase {
    static let all: [OperationCase] = elements + rows + layers + products + attentions + optimizers + adapters

    static let elements: [OperationCase] = [
        OperationCase("fill") { backend, inputs in
            let result = backend.empty([301], inputs.type)
            backend.fill(result, with: 0.75)
            return [result]
        },
        OperationCase("fill of zero") { backend, inputs in
            let result = backend.empty([301], inputs.type)
            backend.fill(result, with: 0)
            return [result]
        },
        OperationCase("convert") { backend, inputs in
            let x = inputs.floats([17, 33]), half = backend.empty([17, 33], .bfloat16), back = backend.empty([17, 33], .float32)
            backend.convert(x, into: half)
            backend.convert(half, into: back)
            return [half, back]
        },
        OperationCase("scale") { backend, inputs in
            let x = inputs.activation([9, 77]), result = backend.empty([9, 77], inputs.type)
            backend.scale(x, by: -1.5, into: result)
            return [result]
        },
        OperationCase("add, multiply") { backend, inputs in
            let a = inputs.activation([9, 77]), b = inputs.activation([9, 77])
            let sum = backend.empty([9, 77], inputs.type), product = backend.empty([9, 77], inputs.type)
            backend.add(a, b, into: sum)
            backend.multiply(a, b, into: product)
            return [sum, product]
        },
        OperationCase("accumulate") { backend, inputs in
            let source = inputs.activation([5, 130]), result = inputs.floats([5, 130])
            backend.accumulate(source, factor: 0.5, into: result)
            return [result]
        },
        OperationCase("sums") { backend, inputs in
            let a = inputs.activation([70, 130]), b = inputs.activation([70, 130])
            return [
                Tensor([Float(backend.sumOfSquares(a)), Float(backend.dot(a, b)), Float(backend.sumOfSquares([a, b]))], shape: [3])
            ]
        },
        OperationCase("dropout") { backend, inputs in
            let x = inputs.activation([9, 77]), result = backend.empty([9, 77], inputs.type)
            backend.dropout(x, probability: 0.3, seed: 0x1234_5678_9ABC_DEF0, into: result)
            return [result]
        },
        OperationCase("uniformNoise") { backend, inputs in
            let x = inputs.activation([6, 50]), result = backend.empty([6, 50], inputs.type)
            backend.uniformNoise(x, bounds: inputs.positive([6]), seed: 99, into: result)
            return [result]
        },
        OperationCase("softCap") { backend, inputs in
            let x = inputs.activation([6, 50], 20), result = backend.empty([6, 50], inputs.type), slopes = backend.empty([6, 50], inputs.type)
            backend.softCap(x, cap: 15, into: result, slopes: slopes)
            return [result, slopes]
        },
        OperationCase("activations") { backend, inputs in
            let x = inputs.activation([7, 65]), d = inputs.activation([7, 65])
            return [GatedActivation.silu, .geluTanh, .gelu].flatMap { kind in
                let result = backend.empty([7, 65], inputs.type), back = backend.empty([7, 65], inputs.type)
                backend.activation(x, kind: kind, into: result)
                backend.activationBackward(gradient: d, x: x, kind: kind, into: back)
                return [result, back]
            }
        },
        OperationCase("gatedActivation") { backend, inputs in
            let gate = inputs.activation([7, 64]), up = inputs.activation([7, 64]), d = inputs.activation([7, 64])
            return [GatedActivation.silu, .geluTanh, .gelu].flatMap { kind in
                let result = backend.empty([7, 64], inputs.type), a = backend.empty([7, 64], inputs.type), b = backend.empty([7, 64], inputs.type)
                backend.gatedActivation(gate: gate, up: up, kind: kind, into: result)
                backend.gatedActivationBackward(gradient: d, gate: gate, up: up, kind: kind, gateGradient: a, upGradient: b)
                return [result, a, b]
            }
        },
    ]

    static let rows: [OperationCase] = [
        OperationCase("embedding and its gradient") { backend, inputs in
            let table = inputs.half([40, 48]), tokens = backend.upload(inputs.integers(23, below: 40))
            let result = backend.empty([23, 48], inputs.type), gradient = inputs.activation([23, 48]), sum = inputs.floats([40, 48])
            backend.embedding(table: table, tokens: tokens, scale: 2, into: result)
            backend.embeddingBackward(gradient: gradient, tokens: tokens, scale: 2, tableGradient: sum)
            return [result, sum]
        },
        OperationCase("selectRows, scatterAddRows") { backend, inputs in
            let x = inputs.activation([20, 33]), rows = backend.upload([3, 19, 3, 0, 7])
            let chosen = backend.empty([5, 33], inputs.type), sum = inputs.activation([20, 33])
            backend.selectRows(x, rows: rows, into: chosen)
            backend.scatterAddRows(chosen, rows: rows, into: sum)
            return [chosen, sum]
        },
        OperationCase("copyColumns") { backend, inputs in
            let x = inputs.activation([6, 40]), result = inputs.activation([6, 24])
            backend.copyColumns(
                x, blocks: [ColumnBlock(from: 32, to: 0, count: 8), ColumnBlock(from: 1, to: 9, count: 5)], into: result)
            return [result]
        },
        OperationCase("scaleRows, scaleColumns, rowDots") { backend, inputs in
            let x = inputs.activation([6, 40]), y = inputs.activation([6, 40])
            let a = backend.empty([6, 40], inputs.type), b = backend.empty([6, 40], inputs.type), c = backend.empty([6, 40], inputs.type)
            let dots = backend.empty([6], .float32)
            backend.scaleRows(x, factors: inputs.floats([6]), into: a)
            backend.scaleColumns(x, factors: inputs.floats([40]), into: b)
            backend.scaleAndShiftColumns(x, factors: inputs.floats([40]), offsets: inputs.half([40]), into: c)
            backend.rowDots(x, y, into: dots)
            return [a, b, c, dots]
        },
        OperationCase("columnDots, biasGradient") { backend, inputs in
            let x = inputs.activation([80, 40]), y = inputs.activation([80, 40])
            let a = backend.empty([40], .float32), b = inputs.floats([40]), c = inputs.floats([40])
            backend.columnDots(x, y, factors: inputs.floats([40]), into: GradientTarget(a, isAccumulating: false))
            backend.columnDots(x, y, factors: nil, into: GradientTarget(b, isAccumulating: true))
            backend.biasGradient(gradient: x, into: GradientTarget(c, isAccumulating: true))
            return [a, b, c]
        },
        OperationCase("norms of rows and columns", isForActivations: false) { backend, inputs in
            let weight = inputs.half([30, 50]), x = inputs.floats([30, 50])
            let a = backend.empty([30], .float32), b = backend.empty([30], .float32), c = backend.empty([30], .float32), d = backend.empty([50], .float32)
            backend.inverseRowNorms(weight, into: a)
            backend.squaredRowNorms(.dense(Parameter(name: "w", value: weight)), into: b)
            backend.rowMeanSquares(x, into: c)
            backend.columnMeanSquares(x, into: d)
            return [a, b, c, d]
        },
    ]

    static let layers: [OperationCase] = [
        OperationCase("rmsNorm") { backend, inputs in
            let x = inputs.activation([12, 96]), weight = inputs.half([96]), d = inputs.activation([12, 96])
            let result = backend.empty([12, 96], inputs.type), again = backend.empty([12, 96], inputs.type), inverse = backend.empty([12], .float32)
            let dx = backend.empty([12, 96], inputs.type), sum = inputs.activation([12, 96]), dw = inputs.floats([96])
            backend.rmsNorm(x, weight: weight, epsilon: 1e-6, weightOffset: 1, into: result, inverseRMS: inverse)
            backend.rmsNormAgain(x, weight: weight, weightOffset: 1, inverseRMS: inverse, into: again)
            backend.rmsNormBackward(
                gradient: d, x: x, weight: weight, weightOffset: 1, inverseRMS: inverse, inputGradient: GradientTarget(dx, isAccumulating: false),
                weightGradient: GradientTarget(dw, isAccumulating: true))
            backend.rmsNormBackward(
                gradient: d, x: x, weight: weight, weightOffset: 1, inverseRMS: inverse, inputGradient: GradientTarget(sum, isAccumulating: true),
                weightGradient: nil)
            return [result, again, inverse, dx, sum, dw]
        },
        OperationCase("layerNorm") { backend, inputs in
            let x = inputs.activation([12, 80]), weight = inputs.floats([80]), bias = inputs.floats([80]), d = inputs.activation([12, 80])
            let result = backend.empty([12, 80], inputs.type), means = backend.empty([12], .float32), inverse = backend.empty([12], .float32)
            let dx = backend.empty([12, 80], inputs.type), dw = inputs.floats([80]), db = inputs.floats([80])
            backend.layerNorm(x, weight: weight, bias: bias, epsilon: 1e-5, into: result, means: means, inverseDeviations: inverse)
            backend.layerNormBackward(
                gradient: d, x: x, weight: weight, means: means, inverseDeviations: inverse,
                inputGradient: GradientTarget(dx, isAccumulating: false), weightGradient: GradientTarget(dw, isAccumulating: true),
                biasGradient: GradientTarget(db, isAccumulating: true))
            return [result, means, inverse, dx, dw, db]
        },
        OperationCase("rotary") { backend, inputs in
            let positions = backend.upload([0, 1, 5, 9, 2])
            return [(false, 32), (true, 32), (false, 20)].flatMap { isInterleaved, dimension -> [Tensor] in
                let table = RotaryTable(
                    inverseFrequencies: (0..<dimension / 2).map { 1 / Float($0 + 1) }, positionCount: 16, isInterleaved: isInterleaved)
                let x = inputs.activation([5, 96]), there = backend.empty([5, 96], inputs.type), back = backend.empty([5, 96], inputs.type)
                backend.rotary(x, headDimension: 32, table: table, positions: positions, isInverse: false, into: there)
                backend.rotary(there, headDimension: 32, table: table, positions: positions, isInverse: true, into: back)
                return [there, back]
            }
        },
        OperationCase("softmax") { backend, inputs in
            let x = inputs.activation([6, 45], 3), d = inputs.activation([6, 45])
            let result = backend.empty([6, 45], .float32), back = backend.empty([6, 45], inputs.type)
            if inputs.type == .float32 { backend.softmax(x, into: result) } else { backend.softmax(x.converted(to: .float32), into: result) }
            backend.softmaxBackward(gradient: d.converted(to: .float32), result: result, into: back)
            return [result, back]
        },
        OperationCase("crossEntropy") { backend, inputs in
            let logits = inputs.activation([12, 301], 2), targets = backend.upload(inputs.integers(12, below: 301))
            let losses = backend.empty([12], .float32)
            let sums = backend.crossEntropy(
                logits: logits, targets: targets, weight: .uniform(0.25), labelSmoothing: 0.1, losses: losses)
            return [logits, losses, Tensor([Float(sums.loss), Float(sums.correctCount)], shape: [2])]
        },
        OperationCase("crossEntropy with weights of rows") { backend, inputs in
            let logits = inputs.activation([12, 301], 2), targets = backend.upload(inputs.integers(12, below: 301))
            let sums = backend.crossEntropy(
                logits: logits, targets: targets, weight: .perRow(inputs.floats([12])), labelSmoothing: 0, losses: nil)
            return [logits, Tensor([Float(sums.loss), Float(sums.correctCount)], shape: [2])]
        },
    ]
}
