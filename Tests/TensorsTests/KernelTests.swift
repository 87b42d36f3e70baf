import CKernels
import Glibc
import Platform
import Testing

@testable import Tensors

/// Kernels against plain arithmetic in f64.
@Suite struct KernelTests {
    let backend = CPUBackend(threadCount: 2)

    @Test("bf16 and f16 survive widening and narrowing", arguments: [DType.bfloat16, .float16])
    func halves(dtype: DType) {
        let tensor = Tensor.zeros([65536], dtype)
        let bits = tensor.address.assumingMemoryBound(to: UInt16.self)
        for i in 0..<65536 { bits[i] = UInt16(i) }
        let again = tensor.converted(to: .float32).converted(to: dtype)
        let result = again.address.assumingMemoryBound(to: UInt16.self)
        for i in 0..<65536 where result[i] != UInt16(i) {
            // NaNs may lose their payload but stay NaNs.
            #expect(Tensor(storage: again.storage, byteOffset: 2 * i, shape: [1], dtype: dtype).floats()[0].isNaN, "\(i)")
        }
    }

    @Test("f16 values are those of the standard")
    func float16Values() {
        let cases: [(UInt16, Float)] = [(0x3C00, 1), (0xC000, -2), (0x0001, 0x1p-24), (0x7BFF, 65504), (0x7C00, .infinity), (0x0400, 0x1p-14)]
        for (bits, value) in cases {
            let tensor = Tensor.zeros([1], .float16)
            tensor.address.storeBytes(of: bits, as: UInt16.self)
            #expect(tensor.floats() == [value])
        }
        #expect(Tensor([1e6, 65519, 1.0004883, 2.9e-8], shape: [4]).converted(to: .float16).floats() == [.infinity, 65504, 1, 0])
    }

    @Test("narrowing to bf16 rounds to the nearest even")
    func rounding() {
        let values: [Float] = [1, 1.00390625, 1.01171875, 1.004, -1.00390625]
        #expect(Tensor(values, shape: [5]).converted(to: .bfloat16).floats() == [1, 1, 1.015625, 1.0078125, -1])
    }

    @Test("products of every thickness agree with f64", arguments: [1, 2, 3, 4, 5, 7, 64, 130], [DType.float32, .bfloat16, .float16])
    func products(rows: Int, dtype: DType) {
        var random = RandomGenerator(seed: UInt64(rows))
        let layer = randomLinear("w", 75, 333, &random, isTrained: false, hasBias: true, rank: 3, dtype: dtype)
        let x = randomTensor([rows, 75], &random)
        let tape = Tape(backend: backend, isRecording: false)
        let found = tape.linear(tape.constant(x), layer).tensor.floats()
        let blas = Tape(backend: CPUBackend(threadCount: 2, products: .blas), isRecording: false)
        let other = blas.linear(blas.constant(x), layer).tensor
        #expect(largestDifference(tape.linear(tape.constant(x), layer).tensor, other) < 1e-4)
        guard let weight = layer.weight.parameter?.value.floats(), let bias = layer.bias?.value.floats(), let adapter = layer.adapter else { return }
        let a = adapter.a.value.floats(), b = adapter.b.value.floats(), values = x.floats()
        for row in 0..<rows {
            let low = (0..<3).map { r in (0..<75).reduce(0.0) { $0 + Double(a[r * 75 + $1]) * Double(values[row * 75 + $1]) } }
            for column in stride(from: 0, to: 333, by: 7) {
                var sum = Double(bias[column])
                for k in 0..<75 { sum += Double(weight[column * 75 + k]) * Double(values[row * 75 + k]) }
                for r in 0..<3 { sum += 0.5 * Double(b[column * 3 + r]) * low[r] }
                #expect(abs(sum - Double(found[row * 333 + column])) < 1e-4, "row \(row), column \(column)")
            }
        }
    }

    @Test("exponentials and the normal distribution agree with libm")
    func activations() {
        let x = (-2000...2000).map { Float($0) / 100 }
        let gate = Tensor(x, shape: [x.count]), ones = Tensor([Float](repeating: 1, count: x.count), shape: [x.count])
        let result = Tensor.zeros([x.count])
        let expected: [(GatedActivation, (Double) -> Double)] = [
            (.silu, { $0 / (1 + exp(-$0)) }), (.gelu, { 0.5 * $0 * erfc(-$0 / 2.0.squareRoot()) }),
            (.geluTanh, { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }),
        ]
        for (kind, formula) in expected {
            backend.gatedActivation(gate: gate, up: ones, kind: kind, into: result)
            for (value, found) in zip(x, result.floats()) {
                #expect(abs(formula(Double(value)) - Double(found)) < 2e-6 * max(1, abs(Double(value))), "\(kind) of \(value)")
            }
        }
    }

    @Test("cross-entropy agrees with f64, also for large logits")
    func crossEntropy() {
        var random = RandomGenerator(seed: 4)
        let logits = randomTensor([5, 1000], &random, scale: 30)
        let targets = Tensor(integers: [3, 999, 0, 500, 77], shape: [5])
        let values = logits.floats()
        var expected = 0.0
        for (row, target) in targets.integers().enumerated() {
            let line = values[row * 1000..<(row + 1) * 1000].map { Double($0) }
            let top = line.max() ?? 0
            expected += top + log(line.reduce(0) { $0 + exp($1 - top) }) - line[Int(target)]
        }
        let sums = backend.crossEntropy(logits: logits, targets: targets, weight: .uniform(1), labelSmoothing: 0, losses: nil)
        #expect(abs(sums.loss - expected) < 1e-3)
        for row in 0..<5 { #expect(abs(logits.floats()[row * 1000..<(row + 1) * 1000].reduce(0, +)) < 1e-5) }
    }

    @Test("AdamW follows torch.optim.AdamW's formula")
    func adamW() {
        let p = Tensor([1, -2], shape: [2]), g = Tensor([0.5, -0.25], shape: [2])
        let m = Tensor.zeros([2]), v = Tensor.zeros([2])
        var expected = [1.0, -2.0], first = [0.0, 0.0], second = [0.0, 0.0]
        for step in 1...3 {
            backend.adamW(
                parameter: p, gradient: g, firstMoment: m, secondMoment: v,
                step: AdamWStep(learningRate: 0.1, weightDecay: 0.01, step: step, gradientScale: 0.5))
            for i in 0..<2 {
                let gradient = 0.5 * [0.5, -0.25][i]
                expected[i] *= 1 - 0.1 * 0.01
                first[i] = 0.9 * first[i] + 0.1 * gradient
                second[i] = 0.999 * second[i] + 0.001 * gradient * gradient
                let root = (second[i] / (1 - pow(0.999, Double(step)))).squareRoot()
                expected[i] -= 0.1 * first[i] / (1 - pow(0.9, Double(step))) / (root + 1e-8)
            }
        }
        for i in 0..<2 { #expect(abs(Double(p.floats()[i]) - expected[i]) < 1e-5) }
    }

    @Test("dropout leaves out the share it should and keeps the mean")
    func dropout() {
        let ones = Tensor([Float](repeating: 1, count: 200_000), shape: [200_000]), result = Tensor.zeros([200_000])
        backend.dropout(ones, probability: 0.3, seed: 99, into: result)
        let values = result.floats()
        #expect(abs(Double(values.filter { $0 == 0 }.count) / 200_000 - 0.3) < 0.005)
        #expect(abs(values.reduce(0) { $0 + Double($1) } / 200_000 - 1) < 0.01)
        let other = Tensor.zeros([200_000])
        backend.dropout(ones, probability: 0.3, seed: 100, into: other)
        let both = zip(values, other.floats()).filter { $0 == 0 && $1 == 0 }.count
        #expect(abs(Double(both) / 200_000 - 0.09) < 0.005)
    }

    @Test("threads take every chunk once, whatever the order")
    func chunks() {
        let pool = ThreadPool(threadCount: 4)
        for count in [0, 1, 2, 3, 100] {
            for _ in 0..<200 {
                let seen = Tensor.zeros([max(1, count)], .int32)
                pool.run(count) { seen.integerPointer[$0] += 1 }
                #expect(seen.integers().prefix(count).allSatisfy { $0 == 1 })
            }
        }
    }
}
