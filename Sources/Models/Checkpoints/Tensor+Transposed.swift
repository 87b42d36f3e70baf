import Tensors

extension Tensor {
    /// A copy of a matrix with rows and columns exchanged, for checkpoints that store linear layers as [in, out].
    func transposed() -> Tensor {
        precondition(shape.count == 2, "transposition of \(shape)")
        let result = Tensor.zeros([shape[1], shape[0]], dtype)
        switch dtype.byteCount {
        case 2: exchange(into: result, as: UInt16.self)
        case 4: exchange(into: result, as: UInt32.self)
        case 8: exchange(into: result, as: UInt64.self)
        case _: exchange(into: result, as: UInt8.self)
        }
        return result
    }

    /// In squares of 32, so that both sides stay in the cache.
    private func exchange<Element>(into result: Tensor, as type: Element.Type) {
        let rows = shape[0], columns = shape[1], side = 32
        let from = address.assumingMemoryBound(to: type), to = result.address.assumingMemoryBound(to: type)
        for firstRow in stride(from: 0, to: rows, by: side) {
            for firstColumn in stride(from: 0, to: columns, by: side) {
                for row in firstRow..<min(firstRow + side, rows) {
                    for column in firstColumn..<min(firstColumn + side, columns) { to[column * rows + row] = from[row * columns + column] }
                }
            }
        }
    }
}
