import CKernels
import Glibc
import Testing

@testable import Tensors

/// Quantised weights: products and gradients on them against the same on their full numbers, with every level of vectors.
@Suite(.serialized) struct QuantisationTests {
    static let formats: [WeightQuantizer] = [
        WeightQuantizer(.table(.nf4, doubleQuantized: true)), WeightQuantizer(.table(.nf4, doubleQuantized: false)),
        WeightQuantizer(.table(.fp4, doubleQuantized: true)), WeightQuantizer(.int8),
    ]

    private func random(_ shape: [Int], _ seed: UInt64) -> Tensor {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        return Tensor((0..<shape.reduce(1, *)).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 33) % 2001) / 1000 - 0.5
        }, shape: shape)
    }

    private func difference(_ left: Tensor, _ right: Tensor) -> Float {
        zip(left.floats(), right.floats()).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test(arguments: [(3, 50, 37), (40, 96, 65), (13, 330, 48)], [CPUBackend.ProductKernels.best, .blas])
    func productsOnAQuantisedWeightAreThoseOnItsNumbers(_ size: (Int, Int, Int), _ kernels: CPUBackend.ProductKernels) {
        let (rows, inputs, outputs) = size
        let backend = CPUBackend(threadCount: 2, products: kernels)
        let x = random([rows, inputs], 1), weight = random([outputs, inputs], 2), gradient = random([rows, outputs], 3)
        for quantizer in Self.formats {
            let matrix = quantizer.quantize(weight, backend: backend)
            let full = Parameter(name: "full", value: matrix.dequantized())
            let found = backend.empty([rows, outputs], .float32), expected = backend.empty([rows, outputs], .float32)
            backend.linear(x, weight: .quantized(matrix), bias: nil, low: nil, up: nil, into: found)
            backend.linear(x, weight: .dense(full), bias: nil, low: nil, up: nil, into: expected)
            #expect(difference(found, expected) < 2e-4)
            let dx = backend.empty([rows, inputs], .float32), wanted = backend.empty([rows, inputs], .float32)
            backend.linearInputGradient(
                gradient: gradient, weight: .quantized(matrix), lowGradient: nil, down: nil, into: GradientTarget(dx, isAccumulating: false))
            backend.linearInputGradient(
                gradient: gradient, weight: .dense(full), lowGradient: nil, down: nil, into: GradientTarget(wanted, isAccumulating: false))
            #expect(difference(dx, wanted) < 2e-4)
        }
    }

    @Test func everyLevelOfVectorsGivesTheSameNumbers() {
        let backend = CPUBackend(threadCount: 1)
        let weight = random([9, 77], 5)
        defer { tb_limit_vector_level(9) }
        for quantizer in Self.formats {
            let matrix = quantizer.quantize(weight, backend: backend)
            tb_limit_vector_level(0)
            let plain = matrix.dequantized().floats()
            for level in [Int32(1), 2, 9] {
                tb_limit_vector_level(level)
                #expect(matrix.dequantized().floats() == plain)
            }
            // Pieces of rows that begin and end anywhere.
            var piece = [Float](repeating: 0, count: 31)
            matrix.dequantize(row: 4, columns: 13..<44, into: &piece)
            #expect(piece == Array(plain[4 * 77 + 13..<4 * 77 + 44]))
        }
    }

    @Test func aPlanCountsTheBytesThatAMatrixTakes() {
        let backend = CPUBackend(threadCount: 1)
        for quantizer in Self.formats {
            let made = quantizer.quantize(random([24, 100], 6), backend: backend)
            #expect(QuantizedMatrix.placeholder(quantizer.format, shape: [24, 100]).byteCount == made.byteCount)
        }
    }

    /// Random bytes with scales that are small numbers.
    private func blocks(_ type: BlockType, rows: Int, columns: Int) -> QuantizedMatrix {
        let codes = Tensor.zeros([type.byteCount([rows, columns])], .uint8)
        let bytes = codes.address.assumingMemoryBound(to: UInt8.self)
        var state: UInt64 = 77
        for index in 0..<codes.count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes[index] = UInt8(truncatingIfNeeded: state >> 33)
        }
        // Where the two bytes of each f16 in a block lie.
        let places: [Int] =
            switch type {
            case .q4_1, .q5_1, .q4_k, .q5_k: [0, 2]
            case .q2_k: [80, 82]
            case .q3_k: [108]
            case .q6_k: [208]
            default: [0]
            }
        for block in stride(from: 0, to: codes.count, by: type.blockBytes) {
            for place in places { bytes[block + place + 1] = 0x20 | bytes[block + place + 1] & 3 }
        }
        return .blocks(type, shape: [rows, columns], codes: codes)
    }

    @Test(arguments: BlockType.all) func aFewRowsAgainstBlocksGiveTheProductOnTheirNumbers(_ type: BlockType) {
        let inputs = 768, outputs = 21
        let matrix = blocks(type, rows: outputs, columns: inputs)
        let backend = CPUBackend(threadCount: 1)
        let full = Parameter(name: "full", value: matrix.dequantized())
        let x = random([3, inputs], 9)
        let expected = backend.empty([3, outputs], .float32)
        backend.linear(x, weight: .dense(full), bias: nil, low: nil, up: nil, into: expected)
        let size = expected.floats().map { abs($0) }.max() ?? 0
        #expect(size > 0)
        defer { tb_limit_vector_level(9) }
        for level in [Int32(0), 1, 2, 9] {
            tb_limit_vector_level(level)
            let found = backend.empty([3, outputs], .float32)
            backend.linear(x, weight: .quantized(matrix), bias: nil, low: nil, up: nil, into: found)
            // Where activations become bytes, half a step of each counts; elsewhere only the order of the sum.
            let tolerance: Float = tb_has_block_dot(Int32(type.number)) != 0 ? 0.01 : 1e-4
            #expect(difference(found, expected) < tolerance * size, "\(type.name), level \(level)")
        }
    }
}
