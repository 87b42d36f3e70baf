import CKernels

/// The second factor of a product as it lies in memory: [rows, columns] of floating numbers, or quantised.
enum StoredMatrix {
    case dense(Tensor)
    case quantized(QuantizedMatrix)

    var rowCount: Int {
        switch self {
        case .dense(let tensor): tensor.rowCount
        case .quantized(let matrix): matrix.rowCount
        }
    }

    var columnCount: Int {
        switch self {
        case .dense(let tensor): tensor.columnCount
        case .quantized(let matrix): matrix.columnCount
        }
    }

    /// Whether its numbers must be made f32 before BLAS can use them.
    var isWidened: Bool {
        switch self {
        case .dense(let tensor): tensor.dtype != .float32
        case .quantized: true
        }
    }

    /// A rectangle as f32, its rows one after the other.
    func widen(rows: Range<Int>, columns: Range<Int>, into to: UnsafeMutablePointer<Float>) {
        var to = to
        for row in rows {
            switch self {
            case .dense(let tensor): tensor.widen(from: row * columnCount + columns.lowerBound, count: columns.count, into: to)
            case .quantized(let matrix): matrix.dequantize(row: row, columns: columns, into: to)
            }
            to += columns.count
        }
    }
}

extension Tensor {
    /// Elements `start ..< start + count` of a floating tensor as f32.
    func widen(from start: Int, count: Int, into to: UnsafeMutablePointer<Float>) {
        switch dtype {
        case .float32: to.update(from: floatPointer + start, count: count)
        case .bfloat16: tb_widen_bf16(halfPointer + start, to, count)
        case .float16: tb_widen_f16(halfPointer + start, to, count)
        case .int32, .int64, .uint8: preconditionFailure("a \(dtype) tensor where a floating one belongs")
        }
    }
}

extension WeightStore {
    /// As products read it.
    var stored: StoredMatrix {
        switch self {
        case .dense(let parameter): .dense(parameter.value)
        case .quantized(let matrix): .quantized(matrix)
        }
    }
}
