import Platform

/// Memory for the inside of one chunk of work: a widened panel of weights, a tile of scores. A few buffers go round, as many as
/// threads have been working at once.
final class ScratchBuffers: @unchecked Sendable {
    private struct Buffer {
        let address: UnsafeMutableRawPointer
        let byteCount: Int
    }

    private let free = Mutex<[Buffer]>([])

    deinit { free.withLock { for buffer in $0 { MemoryPool.release(buffer.address, byteCount: buffer.byteCount) } } }

    /// Lends `count` uninitialised floats to `body`.
    func withFloats(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
        let needed = max(64, count * 4)
        var buffer = free.withLock { $0.popLast() }
        if let found = buffer, found.byteCount < needed {
            MemoryPool.release(found.address, byteCount: found.byteCount)
            buffer = nil
        }
        let lent = buffer ?? Buffer(address: MemoryPool.allocate(needed), byteCount: needed)
        body(lent.address.bindMemory(to: Float.self, capacity: lent.byteCount / 4))
        free.withLock { $0.append(lent) }
    }
}
