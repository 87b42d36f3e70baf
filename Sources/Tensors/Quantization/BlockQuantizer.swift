import CKernels

extension BlockType {
    /// Whether blocks of this type can be made here; all can be read.
    public var canQuantize: Bool { self != .q2_k && self != .q3_k }
}

extension CPUBackend {
    /// Rows of numbers as GGUF blocks.
    ///
    /// Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 are the bytes that gguf-py and llama.cpp make; the K types are fitted by least squares over
    /// each part of a block.
    /// - Parameters:
    ///   - weight: in a floating type; its innermost axis is a whole number of blocks
    ///   - type: one that `canQuantize`
    /// - Returns: uint8, `type.byteCount(weight.shape)`
    public func blocks(_ weight: Tensor, as type: BlockType) -> Tensor {
        let columns = weight.columnCount, rows = weight.count / max(1, columns)
        precondition(type.canQuantize && columns % type.elementCount == 0, "\(type.name) blocks of \(weight.shape)")
        let result = Tensor.zeros([type.byteCount(weight.shape)], .uint8)
        let to = result.address, rowBytes = type.byteCount([1, columns])
        forEachChunk(of: rows, size: max(1, (1 << 14) / max(1, columns))) { start, count in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: count * columns) { buffer in
                guard let line = buffer.baseAddress else { return }
                weight.widen(from: start * columns, count: count * columns, into: line)
                _ = tb_quantize_blocks(Int32(type.number), line, count * columns, to + start * rowBytes)
            }
        }
        return result
    }
}
