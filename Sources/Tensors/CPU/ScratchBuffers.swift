import Platform

/// Memory for the inside of one chunk of work: a widened panel of weights, a tile of scores. A few buffers go round, one for each
/// thread. All are as large as the largest request so far, so that whichever thread meets which chunk, a step like one before it
/// finds what it needs; pages that are never written cost nothing.
final class ScratchBuffers: @unchecked Sendable {
    private struct Buffer {
        let address: UnsafeMutableRawPointer
        let byteCount: Int

        init(_ byteCount: Int) {
            address = MemoryPool.allocate(byteCount)
            self.byteCount = byteCount
        }

        func release() { MemoryPool.release(address, byteCount: byteCount) }
    }

    private struct State {
        var free: [Buffer] = []
        var lentCount = 0
        var largest = 0
        var missCount = 0

        mutating func make() -> Buffer {
            missCount += 1
            return Buffer(largest)
        }
    }

    private let usualCount: Int
    private let state = Mutex(State())

    /// - Parameter count: buffers that are in use at the same time.
    init(count: Int) { usualCount = count }

    deinit { state.withLock { for buffer in $0.free { buffer.release() } } }

    /// How often memory had to be asked for.
    var missCount: Int { state.withLock { $0.missCount } }

    /// Lends `count` uninitialised floats to `body`.
    func withFloats(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
        let needed = max(64, count * 4)
        let lent = state.withLock { state in
            if needed > state.largest { grow(&state, to: needed) }
            state.lentCount += 1
            return state.free.popLast() ?? state.make()
        }
        body(lent.address.bindMemory(to: Float.self, capacity: lent.byteCount / 4))
        state.withLock { state in
            state.lentCount -= 1
            if lent.byteCount < state.largest {
                lent.release()
                state.free.append(state.make())
            } else {
                state.free.append(lent)
            }
        }
    }

    /// Those that are lent are replaced when they come back.
    private func grow(_ state: inout State, to byteCount: Int) {
        state.largest = byteCount
        let count = max(state.free.count, usualCount - state.lentCount)
        for buffer in state.free { buffer.release() }
        state.free.removeAll(keepingCapacity: true)
        for _ in 0..<count { state.free.append(state.make()) }
    }
}
