import CKernels

/// A norm with its numbers in f32.
struct DecodeNorm {
    let isLayerNorm: Bool
    let width: Int
    let weight: UnsafePointer<Float>
    let bias: UnsafePointer<Float>?
    let epsilon: Float
    let offset: Float

    /// - Parameter statistics: one float for each of two numbers of a row
    func apply(_ from: UnsafePointer<Float>, rows: Int, into to: UnsafeMutablePointer<Float>, statistics: UnsafeMutablePointer<Float>) {
        for row in 0..<rows {
            if isLayerNorm, let bias {
                tb_layer_norm(from + row * width, weight, bias, epsilon, 1, width, to + row * width, statistics, statistics + 1)
            } else {
                tb_rms_norm(from + row * width, weight, offset, epsilon, 1, width, to + row * width, statistics)
            }
        }
    }
}

/// One weight's product with the rows in hand: `to[row, o] = weight[o] . x[row] + bias[o] + up[o] . low[row]`.
struct DecodeProduct {
    enum Weight {
        case float32(UnsafePointer<Float>)
        /// bf16 or f16, by the kernels' number of the type.
        case half(Int32, UnsafeRawPointer)
        case quantized(UnsafePointer<tb_quantized>)
    }

    let weight: Weight
    let inputs, outputs: Int
    let bias: UnsafePointer<Float>?
    /// The adapter's B, the place of its part in `low`, and its rank.
    var up: UnsafePointer<Float>?
    var lowOffset = 0
    var rank = 0
    let to: UnsafeMutablePointer<Float>
    let stride: Int
    /// Where its part of the weight begins.
    var firstRow = 0
    /// Its first chunk in the stage, and what a chunk is.
    var firstChunk = 0
    var columnsPerChunk = 1
    var chunkCount: Int { (outputs + columnsPerChunk - 1) / columnsPerChunk }

    /// Bytes of one row of the weight.
    var rowBytes: Int {
        switch weight {
        case .float32: 4 * inputs
        case .half: 2 * inputs
        case .quantized(let matrix): matrix.pointee.row_bytes > 0 ? matrix.pointee.row_bytes : (inputs + 1) / 2
        }
    }

    /// Its part in chunks of the stage; empty where they are others'.
    func columns(_ chunks: Range<Int>) -> Range<Int> {
        let first = max(0, chunks.lowerBound - firstChunk) * columnsPerChunk
        let end = min(outputs, max(0, chunks.upperBound - firstChunk) * columnsPerChunk)
        return min(first, end)..<end
    }

    /// Whether all that it reads of an activation is known (`tb_activation_parts`).
    var readsKnownParts: Bool {
        guard case .quantized(let matrix) = weight else { return false }
        return tb_activation_parts(matrix.pointee.kind) != 0
    }

    /// Which of a stage's products a chunk belongs to.
    static func index(of chunk: Int, in products: UnsafePointer<DecodeProduct>, _ count: Int) -> Int {
        var index = count - 1
        while products[index].firstChunk > chunk { index -= 1 }
        return index
    }

    /// Where the weights of a column begin.
    func address(_ column: Int) -> UnsafeRawPointer {
        let base: UnsafeRawPointer =
            switch weight {
            case .float32(let matrix): UnsafeRawPointer(matrix)
            case .half(_, let matrix): matrix
            case .quantized(let matrix): UnsafeRawPointer(matrix.pointee.codes)
            }
        return base + (firstRow + column) * rowBytes
    }

    func run(_ columns: Range<Int>, input: DecodeInput) {
        let corner = to + columns.lowerBound, rows = input.rows
        switch weight {
        case .float32(let matrix):
            tb_gemv_f32(input.numbers, rows, inputs, matrix + (firstRow + columns.lowerBound) * inputs, columns.count, inputs, corner, stride)
        case .half(let type, let matrix):
            tb_dense_gemv(type, matrix, firstRow + columns.lowerBound, columns.count, inputs, input.activations, rows, corner, stride)
        case .quantized(let matrix):
            tb_quantized_gemv(matrix, firstRow + columns.lowerBound, columns.count, input.activations, rows, corner, stride)
        }
        if let bias {
            for row in 0..<rows { tb_accumulate(bias + columns.lowerBound, corner + row * stride, 1, columns.count) }
        }
        guard let up else { return }
        for row in 0..<rows {
            tb_add_low(
                input.low + row * input.lowStride + lowOffset, up + columns.lowerBound * rank, rank, columns.count, corner + row * stride)
        }
    }
}

/// The rows that a stage's products read, in every form that its weights want.
struct DecodeInput {
    var rows = 0
    /// [rows, width], f32
    var numbers: UnsafePointer<Float>
    var activations: UnsafeMutablePointer<tb_activation>
    /// Those of the norms' results, and those that stages make for the next one.
    let normalised, made: UnsafeMutablePointer<tb_activation>
    /// Of one row, for each thread: what another has written and this one reads all the time is slow to come back into its caches.
    let own: UnsafeMutablePointer<tb_activation>
    /// The adapters' A x, [rows, lowStride].
    let low: UnsafeMutablePointer<Float>
    let lowStride: Int
}

/// What is done between two stages, by one thread: the stream takes in what was added to it, a norm, and the forms of the next input.
/// Only plain pointers inside, as in a stage.
struct DecodePreparation {
    enum Source {
        /// The norm of the stream.
        case stream(DecodeNorm)
        /// A buffer [rows, width] as it is.
        case buffer(UnsafePointer<Float>)
    }

    /// An adapter's A, scaled into `low`.
    struct Down {
        let matrix: UnsafePointer<Float>
        let rank, offset: Int
        let scale: Float
    }

    /// Added to the stream first, [rows, hidden]; normalised before where the family does that.
    var delta: UnsafeMutablePointer<Float>?
    var deltaNorm: DecodeNorm?
    var source: Source
    var width: Int
    var needsCodes = false
    var needsHalves = false
    var downs: UnsafePointer<Down>
    var downCount: Int
}

/// A step of the program. Only plain pointers inside: threads read it all the time, and counting references would make them wait
/// for each other.
struct DecodeStage {
    enum Work {
        /// Products, whose chunks follow each other.
        case products(UnsafePointer<DecodeProduct>, count: Int)
        /// The same chunks of gate and up, and what they make in `to`.
        case gated(UnsafePointer<DecodeProduct>, kind: Int32, to: UnsafeMutablePointer<Float>)
        /// One product and an activation on it.
        case activated(UnsafePointer<DecodeProduct>, kind: Int32, ones: UnsafePointer<Float>)
        /// One product and a cap on it.
        case capped(UnsafePointer<DecodeProduct>, cap: Float)
        /// A task for each row and key head.
        case attention(UnsafePointer<DecodeAttention>)
    }

    let work: Work
    /// Whether what a chunk makes is turned into codes at once: by the thread that has it near.
    var makesCodes = false
    /// Codes that its products read, and which parts of them (`tb_activation_parts`).
    var codeCount = 0
    var codeParts: Int32 = 0
    /// Chunks; of attention, for each row.
    let chunkCount: Int
    var isPerRow: Bool { if case .attention = work { true } else { false } }
}

/// Attention of one layer: where its heads lie in the projections' result and how they are turned.
struct DecodeAttention {
    let layer: Int
    let keyHeadCount: Int
    /// Query heads that share a key head.
    let group: Int
    let dimension: Int
    let scale: Float
    /// 0 for none.
    let softCap: Float
    /// Tokens that are seen, the new one included; nil for all.
    let window: Int?
    let isSliding: Bool
    let queryNorm: DecodeNorm?
    let keyNorm: DecodeNorm?
    /// First columns of each key head's queries, of its key and of its value.
    let queryColumns, keyColumns, valueColumns: UnsafePointer<Int>
    let slopes: UnsafePointer<Float>?
}

/// Where the keys and values of a conversation lie in one layer: [keyHead][slot][dimension].
struct DecodeCache {
    var keys, values: UnsafeMutableRawPointer
    var isHalf: Bool
    /// Slots that are filled, and those that there are.
    var length, capacity: Int
}

/// Angles of the rotations, [positions, half].
struct DecodeRotation {
    let cosines, sines: UnsafePointer<Float>
    let half: Int
    let isInterleaved: Int32

    init(_ table: RotaryTable) {
        cosines = UnsafePointer(table.cosines.floatPointer)
        sines = UnsafePointer(table.sines.floatPointer)
        half = table.rotaryDimension / 2
        isInterleaved = table.isInterleaved ? 1 : 0
    }
}
