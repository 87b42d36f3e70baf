import CKernels

/// Quantises one weight after the other while a model is loaded, with bitsandbytes' numbers.
public struct WeightQuantizer: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// QLoRA's 4-bit numbers (Dettmers et al., arXiv 2305.14314) in blocks of 64; with `doubleQuantized`, their scales are 8-bit
        /// numbers in blocks of 256 around their mean.
        case table(QuantizationFormat.TableKind, doubleQuantized: Bool)
        /// Rows of bytes, the largest being 127 (Dettmers et al., arXiv 2208.07339).
        case int8
    }

    public let kind: Kind

    public init(_ kind: Kind) { self.kind = kind }

    public var format: QuantizationFormat {
        switch kind {
        case .table(let table, let isDouble): .table(table, doubleQuantized: isDouble)
        case .int8: .rowInt8
        }
    }

    /// Elements that share a scale, and scales that share theirs.
    public static let block = 64, nestedBlock = 256

    /// - Parameter weight: [out, in] in a floating type
    public func quantize(_ weight: Tensor, backend: any Backend) -> QuantizedMatrix { parts(weight, backend: backend).matrix }

    /// A quantised weight and what it is made of, as checkpoints store it.
    public struct Parts: Sendable {
        public let matrix: QuantizedMatrix
        /// uint8
        public let codes: Tensor
        /// f32: a scale for each block or row, or for each block of scales
        public let scales: Tensor
        /// uint8, for double quantisation
        public var scaleCodes: Tensor?
        public var offset: Float?
    }

    /// - Parameter weight: [out, in] in a floating type
    public func parts(_ weight: Tensor, backend: any Backend) -> Parts {
        switch kind {
        case .table(let table, let isDouble): Self.quantizeTable(weight, table, isDouble, backend)
        case .int8: Self.quantizeRows(weight, backend)
        }
    }

    /// bitsandbytes' 256 dynamic numbers, ascending.
    public static var dynamicNumbers: [Float] { DynamicTable.values }

    /// Rows that are widened at a time: a multiple of the block's elements for any width.
    private static func pieces(_ weight: Tensor, _ body: (Range<Int>) -> Void) {
        let rows = weight.shape[0], atOnce = max(64, (1 << 20) / max(1, weight.shape[1]) / 64 * 64)
        for start in stride(from: 0, to: rows, by: atOnce) { body(start..<min(start + atOnce, rows)) }
    }

    private static func quantizeTable(
        _ weight: Tensor, _ kind: QuantizationFormat.TableKind, _ isDouble: Bool, _ backend: any Backend
    ) -> Parts {
        let count = weight.count, width = weight.shape[1], blocks = (count + block - 1) / block
        let codes = Tensor.zeros([(count + 1) / 2], .uint8)
        let scales = Tensor.zeros([blocks])
        let bytes = codes.address.assumingMemoryBound(to: UInt8.self)
        pieces(weight) { rows in
            let wide = backend.empty([rows.count, width], .float32)
            backend.convert(weight.slice(rows: rows), into: wide)
            let first = rows.lowerBound * width
            tb_quantize_table4(
                wide.floatPointer, wide.count, block, kind.bounds, kind.order, bytes + first / 2, scales.floatPointer + first / block)
        }
        let table = Tensor(kind.values, shape: [16])
        guard isDouble else {
            let matrix = QuantizedMatrix.table(kind, shape: weight.shape, codes: codes, table: table, block: block, scales: scales)
            return Parts(matrix: matrix, codes: codes, scales: scales)
        }
        // Around the mean, which bitsandbytes sums in an order of its own: ours may differ in the last bit.
        var sum = 0.0
        for index in 0..<blocks { sum += Double(scales.floatPointer[index]) }
        let offset = blocks == 0 ? 0 : Float(sum / Double(blocks))
        for index in 0..<blocks { scales.floatPointer[index] -= offset }
        let scaleCodes = Tensor.zeros([blocks], .uint8)
        let nested = Tensor.zeros([(blocks + nestedBlock - 1) / nestedBlock])
        let dynamic = Tensor(DynamicTable.values, shape: [256])
        tb_quantize_table8(
            scales.floatPointer, blocks, nestedBlock, dynamic.floatPointer, scaleCodes.address.assumingMemoryBound(to: UInt8.self),
            nested.floatPointer)
        let matrix = QuantizedMatrix.table(
            kind, shape: weight.shape, codes: codes, table: table, block: block, scaleCodes: scaleCodes, scaleTable: dynamic, scales: nested,
            nestedBlock: nestedBlock, offset: offset)
        return Parts(matrix: matrix, codes: codes, scales: nested, scaleCodes: scaleCodes, offset: offset)
    }

    /// bitsandbytes rounds the weight to f16 first.
    private static func quantizeRows(_ weight: Tensor, _ backend: any Backend) -> Parts {
        let rows = weight.shape[0], width = weight.shape[1]
        let codes = Tensor.zeros([rows, width], .uint8), scales = Tensor.zeros([rows])
        let bytes = codes.address.assumingMemoryBound(to: Int8.self)
        pieces(weight) { range in
            let half = backend.empty([range.count, width], .float16), wide = backend.empty([range.count, width], .float32)
            if weight.dtype == .float16 {
                backend.convert(weight.slice(rows: range), into: wide)
            } else {
                backend.convert(weight.slice(rows: range), into: half)
                backend.convert(half, into: wide)
            }
            for row in range {
                var largest: Float = 0
                tb_quantize_row8(wide.floatPointer + (row - range.lowerBound) * width, width, bytes + row * width, &largest)
                scales.floatPointer[row] = largest * Float(1.0 / 127.0)
            }
        }
        return Parts(matrix: .rowInt8(shape: weight.shape, codes: codes, scales: scales), codes: codes, scales: scales)
    }
}

extension QuantizationFormat.TableKind {
    /// The number of each code. NF4: quantiles of the normal distribution; FP4: sign, two bits of exponent, one of mantissa, over 12.
    var values: [Float] {
        switch self {
        case .nf4:
            [
                -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
                -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
                0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
            ]
        case .fp4: [0, 0.0625, 8, 12, 4, 6, 2, 3, -0.0, -0.0625, -8, -12, -4, -6, -2, -3].map { $0 / 12 }
        }
    }

    /// The codes in ascending order of their numbers. Where FP4's two zeros meet, bitsandbytes takes 0 for the lower.
    var order: [UInt8] {
        switch self {
        case .nf4: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
        case .fp4: [11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3]
        }
    }

    /// The 15 borders between neighbours.
    var bounds: [Float] {
        let sorted = order.map { values[Int($0)] }
        return zip(sorted, sorted.dropFirst()).map { ($0 + $1) / 2 }
    }
}

/// The 8-bit dynamic numbers of Dettmers et al. (arXiv 2110.02861): seven decades, each with twice the steps of the one below.
enum DynamicTable {
    static let values: [Float] = {
        var numbers: [Float] = [0, 1]
        for (decade, scale) in [Float(0.000001), 0.00001, 0.0001, 0.001, 0.01, 0.1, 1].enumerated() {
            let steps = 1 << decade
            let borders = (0...steps).map { border($0, of: steps) }
            for (low, high) in zip(borders, borders.dropFirst()) {
                let middle = scale * ((low + high) / 2)
                numbers += [middle, -middle]
            }
        }
        return numbers.sorted()
    }()

    /// torch.linspace(0.1, 1, steps + 1): counted from the nearer end, each number rounded once.
    private static func border(_ index: Int, of steps: Int) -> Float {
        let step = Double((Float(1) - Float(0.1)) / Float(steps))
        return 2 * index < steps + 1 ? Float(Double(Float(0.1)) + step * Double(index)) : Float(1 - step * Double(steps - index))
    }
}
