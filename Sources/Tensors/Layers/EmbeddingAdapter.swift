/// A low-rank update of an embedding table: row t becomes table_t + scale * a_t Bᵀ. With a magnitude (DoRA) the columns of the
/// updated table are brought to learned lengths.
public final class EmbeddingAdapter: @unchecked Sendable {
    /// The table that it belongs to.
    public let table: Parameter
    /// [vocabulary, rank], f32: PEFT's `lora_embedding_A`, which files hold the other way round.
    public let a: Parameter
    /// [hidden, rank], f32
    public let b: Parameter
    /// [hidden], f32
    public let magnitude: Parameter?
    public var scale: Float
    public var isEnabled: Bool

    public init(table: Parameter, a: Parameter, b: Parameter, magnitude: Parameter? = nil, scale: Float, isEnabled: Bool = true) {
        precondition(
            a.shape == [table.shape[0], b.shape[1]] && b.shape[0] == table.shape[1], "adapter shapes \(a.shape), \(b.shape) on \(table.shape)")
        self.table = table
        self.a = a
        self.b = b
        self.magnitude = magnitude
        self.scale = scale
        self.isEnabled = isEnabled
    }

    /// A, B and the magnitude.
    public var parameters: [Parameter] { [a, b] + (magnitude.map { [$0] } ?? []) }

    /// 1 / length of every column of the updated table: [hidden].
    public func inverseNorms(backend: any Backend) -> Tensor {
        let rank = a.shape[1], width = b.shape[0]
        let squares = backend.empty([width], .float32), cross = backend.empty([rank, width], .float32)
        let transposed = backend.empty([rank, rank], .float32), gram = backend.empty(b.shape, .float32)
        // The table is widened a piece at a time.
        let rowsAtOnce = max(1, (1 << 20) / max(1, width))
        for start in stride(from: 0, to: table.shape[0], by: rowsAtOnce) {
            let rows = start..<min(start + rowsAtOnce, table.shape[0])
            let piece = backend.empty([rows.count, width], .float32), part = a.value.slice(rows: rows)
            backend.convert(table.value.slice(rows: rows), into: piece)
            backend.columnDots(piece, piece, factors: nil, into: GradientTarget(squares, isAccumulating: start > 0))
            let beta: Float = start > 0 ? 1 : 0
            backend.product(MatrixView(part, transposed: true), MatrixView(piece), alpha: 1, beta: beta, into: MatrixView(cross))
            backend.product(MatrixView(part, transposed: true), MatrixView(part), alpha: 1, beta: beta, into: MatrixView(transposed))
        }
        backend.product(MatrixView(b.value), MatrixView(transposed), alpha: 1, beta: 0, into: MatrixView(gram))
        let result = backend.empty([width], .float32)
        backend.inverseUpdatedNorms(squares: squares, up: b.value, cross: cross, gram: gram, scale: scale, into: result)
        return result
    }
}

extension Tape {
    /// scale * (table + update)[tokens]: [T, hidden].
    public func embedding(
        _ table: Parameter, tokens: [Int32], scale: Float = 1, adapter: EmbeddingAdapter?, standing: Tensor? = nil
    ) -> Value {
        let plain = embedding(table, tokens: tokens, scale: scale, standing: standing)
        guard let adapter, adapter.isEnabled else { return plain }
        let low = embedding(adapter.a, tokens: tokens, scale: scale * adapter.scale, standing: standing)
        let sum = add(plain, linear(low, Linear(name: adapter.b.name, weight: .dense(adapter.b))))
        guard let magnitude = adapter.magnitude else { return sum }
        return scaledColumns(sum, magnitude: magnitude, inverseNorms: adapter.inverseNorms(backend: backend))
    }
}
