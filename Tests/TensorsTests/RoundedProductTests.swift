import Platform
import Testing

@testable import Tensors

/// Products whose factors are rounded to bf16 on machines that multiply such pairs faster.
@Suite struct RoundedProductTests {
    private static func random(_ shape: [Int], seed: UInt64) -> Tensor {
        var random = RandomGenerator(seed: seed)
        return Tensor((0..<shape.reduce(1, *)).map { _ in Float(random.normal()) * 0.1 }, shape: shape)
    }

    private func rounded(_ tensor: Tensor) -> [Double] { tensor.converted(to: .bfloat16).floats().map { Double($0) } }

    /// Largest difference from the sum of products in double precision, beside the largest sum.
    private func distance(_ found: [Float], rows: Int, columns: Int, _ sum: (Int, Int) -> Double) -> Double {
        var worst = 0.0, largest = 0.0
        for row in 0..<rows {
            for column in 0..<columns {
                let expected = sum(row, column)
                largest = max(largest, abs(expected))
                worst = max(worst, abs(Double(found[row * columns + column]) - expected))
            }
        }
        return worst / largest
    }

    /// Tokens, inputs, outputs: whole tiles, ragged ones, several blocks of depth, and a depth that has no pairs.
    private static let shapes = [[24, 64, 96], [37, 130, 70], [13, 1200, 34], [70, 90, 1100], [9, 33, 41]]

    @Test("A weight of bf16 or NF4 gives the products of the rounded factors, there and back, with any number of threads", arguments: shapes, [true, false])
    func roundedProducts(_ shape: [Int], _ isQuantised: Bool) {
        let (rows, inputs, outputs) = (shape[0], shape[1], shape[2])
        let x = Self.random([rows, inputs], seed: 1), d = Self.random([rows, outputs], seed: 2)
        let full = Self.random([outputs, inputs], seed: 3)
        let up = Self.random([outputs, 4], seed: 4), low = Self.random([rows, 4], seed: 5)
        var results: [[Float]] = []
        for threads in [1, 2] {
            let backend = CPUBackend(threadCount: threads, products: .bfloat16)
            let weight: WeightStore, numbers: [Double]
            if isQuantised {
                let matrix = WeightQuantizer(.table(.nf4, doubleQuantized: false)).quantize(full, backend: backend)
                weight = .quantized(matrix)
                numbers = matrix.dequantized().floats().map { Double($0) }
            } else {
                let half = full.converted(to: .bfloat16)
                weight = .dense(Parameter(name: "weight", value: half))
                numbers = half.floats().map { Double($0) }
            }
            func factors(_ tensor: Tensor, depth: Int) -> (left: [Double], right: [Double]) {
                let isRounded = backend.roundsProducts && depth % 2 == 0 && (isQuantised || inputs % 2 == 0)
                guard isRounded else { return (tensor.floats().map { Double($0) }, numbers) }
                return (rounded(tensor), isQuantised ? rounded(Tensor(numbers.map { Float($0) }, shape: [outputs, inputs])) : numbers)
            }
            let result = backend.empty([rows, outputs], .float32), back = backend.empty([rows, inputs], .float32)
            backend.linear(x, weight: weight, bias: nil, low: MatrixView(low), up: up, into: result)
            backend.linearInputGradient(
                gradient: d, weight: weight, lowGradient: nil, down: nil, into: GradientTarget(back, isAccumulating: false))
            let forward = factors(x, depth: inputs), lows = low.floats(), ups = up.floats()
            let there = distance(result.floats(), rows: rows, columns: outputs) { row, output in
                let main = (0..<inputs).reduce(0) { $0 + forward.left[row * inputs + $1] * forward.right[output * inputs + $1] }
                return main + (0..<4).reduce(0) { $0 + Double(lows[row * 4 + $1]) * Double(ups[output * 4 + $1]) }
            }
            let backward = factors(d, depth: outputs)
            let again = distance(back.floats(), rows: rows, columns: inputs) { row, input in
                (0..<outputs).reduce(0) { $0 + backward.left[row * outputs + $1] * backward.right[$1 * inputs + input] }
            }
            #expect(there < 1e-5 && again < 1e-5, "\(shape): \(there) forward, \(again) backward")
            results.append(result.floats() + back.floats())
        }
        #expect(results[0] == results[1])
    }
}
