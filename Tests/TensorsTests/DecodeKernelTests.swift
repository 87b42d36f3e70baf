import CKernels
import Glibc
import Testing

@testable import Tensors

/// The kernels that read weights once: every level of vectors against plain C, and one row against several.
@Suite(.serialized) struct DecodeKernelTests {
    private static func numbers(_ count: Int, _ seed: UInt64) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 33) % 2001) / 1000 - 0.5
        }
    }

    /// Rows of x in every form that a kernel may ask for.
    private final class Rows {
        let memory: [UnsafeMutableRawPointer]
        let numbers: UnsafeMutablePointer<Float>
        var activations: [tb_activation] = []

        init(_ count: Int, columns: Int) {
            numbers = .allocate(capacity: count * columns)
            numbers.initialize(from: DecodeKernelTests.numbers(count * columns, 3), count: count * columns)
            memory = (0..<count).map { _ in .allocate(byteCount: tb_activation_bytes(columns), alignment: 64) }
            for row in 0..<count {
                var activation = tb_activation_in(memory[row], columns)
                if columns % 32 == 0 { tb_quantize_activation(numbers + row * columns, 0, columns, &activation) }
                tb_halve_activation(numbers + row * columns, columns, &activation)
                activation.full = UnsafePointer(numbers + row * columns)
                activations.append(activation)
            }
        }

        deinit {
            for block in memory { block.deallocate() }
            numbers.deallocate()
        }
    }

    private func blockProduct(_ matrix: QuantizedMatrix, _ rows: Rows, _ range: Range<Int>) -> [Float] {
        var result = [Float](repeating: .nan, count: range.count * matrix.rowCount)
        withUnsafePointer(to: matrix.kernel) {
            tb_quantized_gemv($0, 0, matrix.rowCount, Array(rows.activations[range]), range.count, &result, matrix.rowCount)
        }
        return result
    }

    @Test("blocks with bytes give the same at every level, within what rounding in f32 leaves", arguments: BlockType.all)
    func levelsAgree(_ type: BlockType) {
        guard tb_has_block_dot(Int32(type.number)) != 0 else { return }
        defer { tb_limit_vector_level(9) }
        // Whole groups of four blocks, and a rest.
        for columns in type.elementCount == 32 ? [128, 416, 896] : [256, 768] {
            var state: UInt64 = 11
            let matrix = QuantizedMatrix.randomBlocks(type, shape: [7, columns], state: &state)
            tb_limit_vector_level(0)
            let rows = Rows(8, columns: columns), plain = blockProduct(matrix, rows, 0..<8)
            let size = plain.map { abs($0) }.max() ?? 0
            #expect(size > 0)
            for level in [Int32(1), 2, 3, 9] {
                tb_limit_vector_level(level)
                let found = blockProduct(matrix, rows, 0..<8)
                let most = zip(found, plain).map { abs($0 - $1) }.max() ?? .infinity
                #expect(most < 2e-5 * size, "\(type.name), \(columns) columns, level \(level)")
                // Alone or together: the same bits.
                for row in 0..<8 { #expect(blockProduct(matrix, rows, row..<row + 1) == Array(found[row * 7..<row * 7 + 7])) }
                #expect(blockProduct(matrix, rows, 1..<4) == Array(found[7..<28]))
            }
        }
    }

    @Test("codes that are made in pieces, and copies of what a kind reads, give the same products", arguments: BlockType.all)
    func copiesAgree(_ type: BlockType) {
        let parts = tb_activation_parts(Int32(type.number))
        guard parts != 0 else { return }
        for columns in type.elementCount == 256 ? [512] : [128, 160] {
            var state: UInt64 = 9
            let matrix = QuantizedMatrix.randomBlocks(type, shape: [6, columns], state: &state)
            let rows = Rows(1, columns: columns), others = Rows(2, columns: columns)
            tb_quantize_activation(rows.numbers, 0, 64, &others.activations[0])
            tb_quantize_activation(rows.numbers + 64, 64, columns - 64, &others.activations[0])
            var made = others.activations[0]
            tb_copy_activation(&made, parts, columns, &others.activations[1])
            #expect(others.activations[1].full == made.full)
            let expected = blockProduct(matrix, rows, 0..<1)
            #expect(blockProduct(matrix, others, 0..<1) == expected)
            #expect(blockProduct(matrix, others, 1..<2) == expected)
        }
    }

    @Test("attention of a new token is the same with wide vectors and without", arguments: [(1, 16), (3, 64), (4, 80), (7, 64), (6, 128), (2, 24)])
    func attentionAgrees(_ size: (group: Int, dimension: Int)) {
        let (group, dimension) = size, slots = 300
        let query = Self.numbers(group * dimension, 5), keys = Self.numbers(slots * dimension, 6), values = Self.numbers(slots * dimension, 7)
        let narrowKeys = Tensor(keys, shape: [slots, dimension]).converted(to: .bfloat16)
        let narrowValues = Tensor(values, shape: [slots, dimension]).converted(to: .bfloat16)
        for isHalf in [false, true] {
            for (first, count) in [(0, 1), (0, 6), (3, 260), (0, 300)] {
                func attended(_ level: Int32) -> [Float] {
                    tb_limit_vector_level(level)
                    defer { tb_limit_vector_level(9) }
                    var result = [Float](repeating: .nan, count: group * dimension), scratch = [Float](repeating: 0, count: tb_attend_scratch(group))
                    keys.withUnsafeBytes { keys in
                        values.withUnsafeBytes { values in
                            var one = tb_token_attention()
                            one.keys = isHalf ? UnsafeRawPointer(narrowKeys.address) : keys.baseAddress
                            one.values = isHalf ? UnsafeRawPointer(narrowValues.address) : values.baseAddress
                            one.is_bf16 = isHalf ? 1 : 0
                            (one.first, one.count, one.group, one.dimension) = (first, count, group, dimension)
                            one.scale = 0.3
                            tb_attend_token(&one, query, &scratch, &result)
                        }
                    }
                    return result
                }
                let most = zip(attended(9), attended(0)).map { abs($0 - $1) }.max() ?? .infinity
                #expect(most < 2e-5)
            }
        }
    }

    @Test("bf16 and f16 weights give the same at every level", arguments: [DType.bfloat16, .float16])
    func halvesAgree(_ type: DType) {
        defer { tb_limit_vector_level(9) }
        for columns in [32, 75, 896] {
            let weight = Tensor(Self.numbers(5 * columns, 8), shape: [5, columns]).converted(to: type)
            let rows = Rows(8, columns: columns)
            func product(_ range: Range<Int>) -> [Float] {
                var result = [Float](repeating: .nan, count: range.count * 5)
                tb_dense_gemv(type.kernelType, weight.address, 0, 5, columns, Array(rows.activations[range]), range.count, &result, 5)
                return result
            }
            tb_limit_vector_level(0)
            let plain = product(0..<8)
            for level in [Int32(1), 2, 9] {
                tb_limit_vector_level(level)
                let found = product(0..<8)
                // x has eleven bits there.
                let most = zip(found, plain).map { abs($0 - $1) }.max() ?? .infinity
                #expect(most < 1e-3 * Float(columns).squareRoot(), "\(columns) columns, level \(level)")
                for row in 0..<8 { #expect(product(row..<row + 1) == Array(found[row * 5..<row * 5 + 5])) }
            }
        }
    }

    @Test("numbers of any size survive being halved")
    func halvesAreScaled() {
        for scale in [Float(1e-30), 1e-6, 1, 7e4, 1e30] {
            let numbers = Self.numbers(64, 5).map { $0 * scale }
            let memory = UnsafeMutableRawPointer.allocate(byteCount: tb_activation_bytes(64), alignment: 64)
            defer { memory.deallocate() }
            var activation = tb_activation_in(memory, 64)
            tb_halve_activation(numbers, 64, &activation)
            var back = [Float](repeating: 0, count: 64)
            tb_widen_f16(activation.halves, &back, 64)
            for (found, number) in zip(back, numbers) { #expect(abs(found * activation.half_scale - number) <= 5e-4 * abs(number) + 1e-7 * scale) }
        }
    }

    @Test("the largest number, stretches that reach a limit, and the mass of exponentials are what plain loops find")
    func scansAgree() {
        for count in [1, 5, 127, 128, 129, 9000] {
            let numbers = Self.numbers(count, UInt64(count)).map { $0 * 20 }
            numbers.withUnsafeBufferPointer { buffer in
                let largest = numbers.max() ?? 0
                #expect(LogitScan.largest(buffer) == numbers.firstIndex(of: largest))
                var seen: [Int] = []
                LogitScan.forEachStretch(of: buffer, from: 0, above: { largest - 1 }) { if numbers[$0] >= largest - 1 { seen.append($0) } }
                #expect(seen == numbers.indices.filter { numbers[$0] >= largest - 1 })
                let mass = numbers.reduce(0.0) { $0 + exp(Double(($1 - largest) * 0.7)) }
                #expect(abs(Double(LogitScan.mass(buffer, scale: 0.7)) - mass) < 1e-5 * mass)
            }
        }
    }

    @Test("products of many rows in bf16 are those of the rounded numbers", arguments: [(9, 64, 48), (40, 76, 33), (13, 300, 7)])
    func halfProducts(_ size: (Int, Int, Int)) {
        guard tb_gemm_has_bf16() != 0 else { return }
        let (rows, inputs, outputs) = size, backend = CPUBackend(threadCount: 2)
        let x = Tensor(Self.numbers(rows * inputs, 1), shape: [rows, inputs])
        let bias = Tensor(Self.numbers(outputs, 3), shape: [outputs]), low = Tensor(Self.numbers(rows * 2, 4), shape: [rows, 2])
        let up = Tensor(Self.numbers(outputs * 2, 5), shape: [outputs, 2])
        let weight = Tensor(Self.numbers(outputs * inputs, 2), shape: [outputs, inputs])
        for type in [DType.bfloat16] {
            let parameter = Parameter(name: "w", value: weight.converted(to: type))
            let rounded = Parameter(name: "r", value: weight.converted(to: type).converted(to: .bfloat16).converted(to: .float32))
            let found = backend.empty([rows, outputs], .float32), expected = backend.empty([rows, outputs], .float32)
            backend.inferenceLinear(x, weight: .dense(parameter), bias: bias, low: MatrixView(low), up: up, into: found)
            backend.linear(
                x.converted(to: .bfloat16).converted(to: .float32), weight: .dense(rounded), bias: bias, low: MatrixView(low), up: up, into: expected)
            let most = zip(found.floats(), expected.floats()).map { abs($0 - $1) }.max() ?? .infinity
            #expect(most < 1e-4)
        }
    }

    @Test("stages run in order, every chunk once, with any number of threads", arguments: [1, 2, 3, 7])
    func stagesRun(_ threads: Int) {
        let sizes = [1, 5, 64, 2, 1, 33, 8]
        let pool = ThreadPool(threadCount: threads), runner = StageRunner(sizes: sizes, threadCount: threads)
        for _ in 0..<200 {
            let counts = UnsafeMutablePointer<Int>.allocate(capacity: 7 * 64)
            counts.initialize(repeating: 0, count: 7 * 64)
            defer { counts.deallocate() }
            var finished: [Int] = []
            runner.run(on: pool) { stage, chunks, _ in
                for chunk in chunks {
                    counts[stage * 64 + chunk] += 1
                    // What earlier stages wrote is there.
                    if stage > 0 { counts[stage * 64 + chunk] += counts[(stage - 1) * 64] - 1 }
                }
            } finish: { finished.append($0) }
            #expect(finished == Array(0..<7))
            for (stage, size) in sizes.enumerated() {
                for chunk in 0..<64 { #expect(counts[stage * 64 + chunk] == (chunk < size ? 1 : 0)) }
            }
        }
    }
}
