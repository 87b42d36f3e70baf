import CKernels

/// How a quantised weight's numbers are kept.
public enum QuantizationFormat: Sendable, Equatable {
    /// bitsandbytes' 4-bit codes through a table of 16 numbers.
    case table(TableKind, doubleQuantized: Bool)
    /// Signed bytes with a scale for each row (LLM.int8's weights).
    case rowInt8
    /// scale (code - zero) for each group of columns (GPTQ, AWQ).
    case grouped(bits: Int, groupSize: Int)
    /// Blocks as GGUF files hold them.
    case blocks(BlockType)

    public enum TableKind: String, Sendable {
        case nf4, fp4
    }

    /// "nf4", "int8", "4 bits in groups of 128", "Q4_K".
    public var name: String {
        switch self {
        case .table(let kind, _): kind.rawValue
        case .rowInt8: "int8"
        case .grouped(let bits, let size): "\(bits) bits in groups of \(size)"
        case .blocks(let type): type.name
        }
    }
}

/// A weight [out, in] of two to eight bits a number. It never stands in memory in f32: products ask for the piece that they are
/// about to use, and it cannot be trained itself.
public final class QuantizedMatrix: @unchecked Sendable {
    public let format: QuantizationFormat
    /// [out, in]
    public let shape: [Int]
    /// Bytes of codes, scales and tables.
    public let byteCount: Int
    let kernel: tb_quantized
    /// What the kernel's pointers look into.
    let owned: [Tensor]

    private init(format: QuantizationFormat, shape: [Int], kernel: tb_quantized, owned: [Tensor]) {
        self.format = format
        self.shape = shape
        self.kernel = kernel
        self.owned = owned
        byteCount = owned.reduce(0) { $0 + $1.byteCount }
    }

    public var rowCount: Int { shape[0] }
    public var columnCount: Int { shape[1] }
    public var count: Int { shape[0] * shape[1] }

    /// Part of a row as f32.
    func dequantize(row: Int, columns: Range<Int>, into to: UnsafeMutablePointer<Float>) {
        withUnsafePointer(to: kernel) { tb_dequantize($0, row, columns.lowerBound, columns.count, to) }
    }

    /// Whole rows in a floating type, in memory of their own.
    public func dequantized(rows: Range<Int>, as type: DType = .float32) -> Tensor {
        let result = Tensor.zeros([rows.count, columnCount], type)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, columnCount)) { buffer in
            guard let line = buffer.baseAddress else { return }
            for (place, row) in rows.enumerated() {
                let target = result.slice(rows: place..<place + 1)
                if type == .float32 {
                    dequantize(row: row, columns: 0..<columnCount, into: target.floatPointer)
                    continue
                }
                dequantize(row: row, columns: 0..<columnCount, into: line)
                if type == .bfloat16 {
                    tb_narrow_bf16(line, target.halfPointer, columnCount)
                } else {
                    tb_narrow_f16(line, target.halfPointer, columnCount)
                }
            }
        }
        return result
    }

    /// The whole weight in a floating type, for merging and export.
    public func dequantized(as type: DType = .float32) -> Tensor { dequantized(rows: 0..<rowCount, as: type) }

    // MARK: Making one

    /// 4-bit codes, two in a byte with the first in the high half.
    /// - Parameters:
    ///   - codes: uint8, (out * in + 1) / 2
    ///   - table: f32 [16]
    ///   - scales: f32, one for each block of the flattened weight
    public static func table(
        _ kind: QuantizationFormat.TableKind, shape: [Int], codes: Tensor, table: Tensor, block: Int, scales: Tensor
    ) -> QuantizedMatrix {
        make(kind, shape, codes: codes, table: table, block: block, scales: scales, nested: nil)
    }

    /// The same with 8-bit scales: `table[code] * scales[block / nestedBlock] + offset`.
    /// - Parameters:
    ///   - scaleCodes: uint8, one for each block
    ///   - scaleTable: f32 [256]
    public static func table(
        _ kind: QuantizationFormat.TableKind, shape: [Int], codes: Tensor, table: Tensor, block: Int, scaleCodes: Tensor,
        scaleTable: Tensor, scales: Tensor, nestedBlock: Int, offset: Float
    ) -> QuantizedMatrix {
        make(
            kind, shape, codes: codes, table: table, block: block, scales: scales, nested: (scaleCodes, scaleTable, nestedBlock, offset))
    }

    private static func make(
        _ kind: QuantizationFormat.TableKind, _ shape: [Int], codes: Tensor, table: Tensor, block: Int, scales: Tensor,
        nested: (codes: Tensor, table: Tensor, block: Int, offset: Float)?
    ) -> QuantizedMatrix {
        let count = shape[0] * shape[1]
        let blocks = (count + block - 1) / block
        precondition(codes.byteCount * 2 >= count && table.count == 16 && block > 0, "4-bit codes of \(shape)")
        precondition(
            nested.map { $0.codes.count >= blocks && $0.table.count == 256 && scales.count * $0.block >= blocks } ?? (scales.count >= blocks))
        var kernel = Self.kernel(TB_TABLE4, shape, codes)
        kernel.table = UnsafePointer(table.floatPointer)
        kernel.scales = UnsafePointer(scales.floatPointer)
        kernel.block = block
        var owned = [codes, table, scales]
        if let nested {
            kernel.scale_codes = UnsafePointer(nested.codes.address.assumingMemoryBound(to: UInt8.self))
            kernel.scale_table = UnsafePointer(nested.table.floatPointer)
            kernel.scale_block = nested.block
            kernel.scale_offset = nested.offset
            owned += [nested.codes, nested.table]
        }
        return QuantizedMatrix(format: .table(kind, doubleQuantized: nested != nil), shape: shape, kernel: kernel, owned: owned)
    }

    /// Signed bytes (kept as uint8) and a factor for each row, f32.
    public static func rowInt8(shape: [Int], codes: Tensor, scales: Tensor) -> QuantizedMatrix {
        precondition(codes.byteCount == shape[0] * shape[1] && scales.count == shape[0], "int8 codes of \(shape)")
        var kernel = Self.kernel(TB_ROW8, shape, codes)
        kernel.row_bytes = shape[1]
        kernel.scales = UnsafePointer(scales.floatPointer)
        return QuantizedMatrix(format: .rowInt8, shape: shape, kernel: kernel, owned: [codes, scales])
    }

    /// - Parameters:
    ///   - codes: uint8 [out, bytes of a row], low bits first
    ///   - scales: f32 [out, groups]
    ///   - zeros: uint8 [out, groups, 2], the bytes of 16-bit numbers
    ///   - groupOf: int32 [in] where the columns of a group do not lie together
    public static func grouped(
        shape: [Int], bits: Int, groupSize: Int, codes: Tensor, scales: Tensor, zeros: Tensor, groupOf: Tensor?
    ) -> QuantizedMatrix {
        let rowBytes = (shape[1] * bits + 7) / 8
        precondition(codes.byteCount == shape[0] * rowBytes && zeros.byteCount == 2 * scales.count && groupSize > 0, "grouped codes of \(shape)")
        var kernel = Self.kernel(TB_GROUPED, shape, codes)
        kernel.row_bytes = rowBytes
        kernel.bits = Int32(bits)
        kernel.block = groupSize
        kernel.groups = scales.columnCount
        kernel.scales = UnsafePointer(scales.floatPointer)
        kernel.zeros = UnsafePointer(zeros.address.assumingMemoryBound(to: UInt16.self))
        if let groupOf { kernel.group_of = UnsafePointer(groupOf.integerPointer) }
        return QuantizedMatrix(
            format: .grouped(bits: bits, groupSize: groupSize), shape: shape, kernel: kernel,
            owned: [codes, scales, zeros] + (groupOf.map { [$0] } ?? []))
    }

    /// GGUF blocks, row by row; a row is a whole number of blocks.
    public static func blocks(_ type: BlockType, shape: [Int], codes: Tensor) -> QuantizedMatrix {
        precondition(shape[1] % type.elementCount == 0 && codes.byteCount == type.byteCount(shape), "\(type.name) blocks of \(shape)")
        var kernel = Self.kernel(type.number, shape, codes)
        kernel.row_bytes = type.byteCount([1, shape[1]])
        return QuantizedMatrix(format: .blocks(type), shape: shape, kernel: kernel, owned: [codes])
    }

    /// What takes the place of a matrix in a plan: its size, and no numbers.
    public static func placeholder(_ format: QuantizationFormat, shape: [Int]) -> QuantizedMatrix {
        QuantizedMatrix(
            format: format, shape: shape, kernel: tb_quantized(),
            owned: [PlanningBackend.placeholder([format.byteCount(shape)], .uint8)])
    }

    private static func kernel(_ kind: some BinaryInteger, _ shape: [Int], _ codes: Tensor) -> tb_quantized {
        var kernel = tb_quantized()
        kernel.kind = Int32(kind)
        kernel.rows = shape[0]
        kernel.columns = shape[1]
        kernel.codes = UnsafePointer(codes.address.assumingMemoryBound(to: UInt8.self))
        return kernel
    }
}

extension QuantizationFormat {
    /// Bytes that a weight takes, for plans.
    public func byteCount(_ shape: [Int]) -> Int {
        let count = shape.reduce(1, *)
        switch self {
        case .table(_, let isDouble):
            let blocks = (count + 63) / 64
            return (count + 1) / 2 + 64 + (isDouble ? blocks + (blocks + 255) / 256 * 4 + 1024 : 4 * blocks)
        case .rowInt8: return count + 4 * (shape.first ?? 0)
        case .grouped(let bits, let size):
            let rows = shape.first ?? 0, columns = rows == 0 ? 0 : count / rows
            return rows * ((columns * bits + 7) / 8 + (columns + size - 1) / size * 6)
        case .blocks(let type): return type.byteCount(shape)
        }
    }
}
