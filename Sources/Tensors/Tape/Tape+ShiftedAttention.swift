/// Shifted sparse attention (S²-Attn of LongLoRA; Chen et al., arXiv 2309.12307): long sequences are trained at a quarter of
/// attention's cost, because tokens attend within groups; half of the heads have their groups half a group further on.
extension Tape {
    /// Takes what `attention` takes. Half of the query heads must be served by whole key heads: an even number of them, or one.
    ///
    /// A group is a quarter of the sequence, whose length counts as the next multiple of 8. As in the published code the last
    /// shifted group holds the sequence's end and, after it, its first half group.
    public func shiftedAttention(
        query: Value, key: Value, value: Value, shape: AttentionShape, layout: SequenceLayout, layer: Int
    ) -> Value {
        let groups = ShiftedGroups(layout), heads = shape.headCount / 2
        var half = shape
        half.headCount = heads
        half.keyValueHeadCount = max(1, shape.keyValueHeadCount / 2)
        func halves(_ x: Value, _ count: Int) -> [Value] {
            let width = count * shape.headDimension / 2
            return count == 1 ? [x, x] : columns(x, [[0..<width], [width..<2 * width]])
        }
        let queries = halves(query, shape.headCount)
        let keys = halves(key, shape.keyValueHeadCount), values = halves(value, shape.keyValueHeadCount)
        let plain = attention(query: queries[0], key: keys[0], value: values[0], shape: half, layout: groups.plain, layer: layer)
        func shifted(_ x: Value) -> Value { selectRows(x, rows: groups.order) }
        let moved = attention(
            query: shifted(queries[1]), key: shifted(keys[1]), value: shifted(values[1]), shape: half, layout: groups.shifted, layer: layer)
        return joined([plain, selectRows(moved, rows: groups.inverse)])
    }

    /// The columns of several values of T rows side by side.
    public func joined(_ parts: [Value]) -> Value {
        let rows = parts.first?.tensor.rowCount ?? 0, widths = parts.map { $0.tensor.columnCount }
        let result = backend.empty([rows, widths.reduce(0, +)], parts.first?.tensor.dtype ?? .float32)
        var place = 0
        for (part, width) in zip(parts, widths) {
            backend.copyColumns(part.tensor, blocks: [ColumnBlock(from: 0, to: place, count: width)], into: result)
            place += width
        }
        let value = newValue(result, requiresGradient: parts.contains { requiresGradient($0) })
        if requiresGradient(value) { record(JoinOperation(parts: parts.map(\.id), widths: widths, rows: rows, result: value.id)) }
        return value
    }
}

/// Which tokens attend to each other: groups of the sequences as they are, and of the sequences moved half a group to the left.
struct ShiftedGroups {
    let plain: SequenceLayout
    let shifted: SequenceLayout
    /// The row at each place after moving, and the place of each row.
    let order, inverse: [Int32]

    init(_ layout: SequenceLayout) {
        var plainLengths: [Int] = [], shiftedLengths: [Int] = [], order: [Int32] = []
        for sequence in 0..<layout.sequenceCount {
            let rows = layout.rows(of: sequence), padded = (rows.count + 7) / 8 * 8, size = max(1, padded / 4)
            for start in stride(from: 0, to: padded, by: size) {
                let own = (start..<start + size).filter { $0 < rows.count }
                let moved = (start..<start + size).map { ($0 + size / 2) % padded }.filter { $0 < rows.count }
                if !own.isEmpty { plainLengths.append(own.count) }
                if !moved.isEmpty { shiftedLengths.append(moved.count) }
                order += moved.map { Int32(rows.lowerBound + $0) }
            }
        }
        plain = SequenceLayout(lengths: plainLengths)
        shifted = SequenceLayout(lengths: shiftedLengths)
        self.order = order
        var inverse = [Int32](repeating: 0, count: order.count)
        for (place, row) in order.enumerated() { inverse[Int(row)] = Int32(place) }
        self.inverse = inverse
    }
}

/// Saves nothing but the widths.
private struct JoinOperation: Operation {
    static let name = "joined"
    let parts: [Int32]
    let widths: [Int]
    let rows: Int
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        var place = 0
        for (part, width) in zip(parts, widths) {
            defer { place += width }
            guard tape.needsGradient(part) else { continue }
            let flow = tape.backend.empty([rows, width], gradient.dtype)
            tape.backend.copyColumns(gradient, blocks: [ColumnBlock(from: place, to: 0, count: width)], into: flow)
            tape.addGradient(flow, to: part)
        }
    }
}
