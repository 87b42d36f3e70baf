/// Taking apart what one matrix computed for several readers: query, key and value, or gate and up.
extension Tape {
    /// One value for each list of column ranges of x [T, n]: the columns of those ranges side by side.
    /// - Parameter parts: together they must take every column of x once.
    public func columns(_ x: Value, _ parts: [[Range<Int>]]) -> [Value] {
        let input = x.tensor
        precondition(parts.joined().reduce(0) { $0 + $1.count } == input.columnCount, "parts that are not the columns of \(input.shape)")
        let blocks = parts.map { ranges in
            var place = 0
            return ranges.map { range in
                defer { place += range.count }
                return ColumnBlock(from: range.lowerBound, to: place, count: range.count)
            }
        }
        let values = blocks.map { blocks in
            let result = backend.empty([input.rowCount, blocks.reduce(0) { $0 + $1.count }], input.dtype)
            backend.copyColumns(input, blocks: blocks, into: result)
            return newValue(result, requiresGradient: requiresGradient(x))
        }
        if let first = values.first, requiresGradient(first) {
            record(ColumnsOperation(x: x.id, shape: input.shape, blocks: blocks, results: values.map(\.id)))
        }
        return values
    }
}

/// Saves nothing but the places.
private struct ColumnsOperation: Operation {
    static let name = "columns"
    let x: Int32
    let shape: [Int]
    let blocks: [[ColumnBlock]]
    let results: [Int32]

    func backward(on tape: Tape) {
        let gradients = results.map { tape.takeGradient(of: $0) }
        guard gradients.contains(where: { $0 != nil }) else { return }
        let together = tape.backend.empty(shape, gradients.compactMap { $0 }.first?.dtype ?? .float32)
        if gradients.contains(where: { $0 == nil }) { tape.backend.fill(together, with: 0) }
        for (gradient, blocks) in zip(gradients, blocks) {
            guard let gradient else { continue }
            let back = blocks.map { ColumnBlock(from: $0.to, to: $0.from, count: $0.count) }
            tape.backend.copyColumns(gradient, blocks: back, into: together)
        }
        tape.addGradient(together, to: x)
    }
}
