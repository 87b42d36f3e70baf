import Platform

/// Which samples make up which micro-batch. A batch depends on seed, epoch and index alone, so that a resumed run gets the same.
///
///     let planner = BatchPlanner(store: store, batchSize: 2, seed: 42)
///     for index in 0..<planner.batchesPerEpoch { step(planner.batch(epoch: 0, index: index)) }
public final class BatchPlanner: @unchecked Sendable {
    public enum Order: Sendable, Equatable {
        /// Shuffled anew for each epoch.
        case random
        case sequential
        /// Shuffled, with samples of like length in a batch.
        case groupedByLength
    }

    public let store: SampleStore
    public let batchSize: Int
    public let seed: UInt64
    public let order: Order
    /// Leaves out a last batch that is not full.
    public let dropsLast: Bool
    private let known = Mutex<(epoch: Int, units: [Int32])?>(nil)

    public init(store: SampleStore, batchSize: Int, seed: UInt64, order: Order = .random, dropsLast: Bool = false) {
        self.store = store
        self.batchSize = max(1, batchSize)
        self.seed = seed
        self.order = order
        self.dropsLast = dropsLast
    }

    /// Micro-batches of one pass over the data.
    public var batchesPerEpoch: Int {
        let full = store.unitCount / batchSize
        return dropsLast || store.unitCount % batchSize == 0 ? full : full + 1
    }

    /// The micro-batch at a place.
    /// - Parameters:
    ///   - epoch: passes finished before.
    ///   - index: from 0 to `batchesPerEpoch` - 1; others give an empty batch.
    public func batch(epoch: Int, index: Int) -> Batch { store.batch(units: units(epoch: epoch, index: index)) }

    /// Micro-batches of one optimiser step: `accumulation` of them, fewer at the end of an epoch.
    public func group(epoch: Int, step: Int, accumulation: Int) -> [Batch] {
        let size = max(1, accumulation)
        let end = min((step + 1) * size, batchesPerEpoch)
        return (min(step * size, end)..<end).map { batch(epoch: epoch, index: $0) }
    }

    /// Units (packs or samples) of a micro-batch.
    public func units(epoch: Int, index: Int) -> [Int] {
        guard index >= 0, index < batchesPerEpoch else { return [] }
        let order = permutation(epoch)
        return order[index * batchSize..<min((index + 1) * batchSize, order.count)].map { Int($0) }
    }

    private func permutation(_ epoch: Int) -> [Int32] {
        known.withLock { known in
            if let known, known.epoch == epoch { return known.units }
            let units = makePermutation(epoch)
            known = (epoch, units)
            return units
        }
    }

    private func makePermutation(_ epoch: Int) -> [Int32] {
        let count = store.unitCount
        if order == .sequential { return (0..<Int32(count)).map { $0 } }
        var random = RandomGenerator(seed: seed, stream: UInt64(truncatingIfNeeded: epoch))
        let shuffled = random.permutation(count)
        guard order == .groupedByLength else { return shuffled.map { Int32($0) } }
        // Fifty batches at a time are sorted by length, the longest sample first of all, so that memory is known early.
        let block = batchSize * 50
        var result: [Int] = []
        var start = 0
        while start < count {
            let part = shuffled[start..<min(start + block, count)].map { ($0, store.unitLength($0)) }
            result += part.sorted { $0.1 == $1.1 ? $0.0 < $1.0 : $0.1 > $1.1 }.map(\.0)
            start += block
        }
        if let longest = result.indices.max(by: { store.unitLength(result[$0]) < store.unitLength(result[$1]) }) {
            result.swapAt(0, longest)
        }
        return result.map { Int32($0) }
    }
}
