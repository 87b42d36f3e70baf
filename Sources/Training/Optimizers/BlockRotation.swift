/// BAdam's layer mode (Luo et al., arXiv 2404.02827): one block of the model trains at a time, and only it has gradients and moments.
/// Blocks are the transformer's layers; embeddings, head and final norm stay as they are, as in badam's default.

import Platform

public struct BlockRotation: Sendable {
    public enum Order: String, Sendable, CaseIterable {
        case ascending, descending, random, fixed
    }

    public let blockNames: [String]
    public let order: Order
    /// Updates per block; nil never moves on.
    public let interval: Int?
    private let start: Int
    private let seed: UInt64

    /// - Parameter parameterNames: of the parameters that may train, in the model's order.
    /// - Returns: nil where no parameter lies in a numbered layer.
    public init?(parameterNames: [String], order: Order, start: Int?, interval: Int?, seed: UInt64) {
        var names: [String] = []
        for name in parameterNames.compactMap(Self.block) where !names.contains(name) { names.append(name) }
        guard let last = names.indices.last else { return nil }
        blockNames = names
        self.order = order
        self.interval = interval.flatMap { $0 > 0 ? $0 : nil }
        self.seed = seed
        self.start = min(start ?? (order == .descending ? last : 0), last)
        beginsAtStart = start != nil
    }

    private let beginsAtStart: Bool

    /// The layer a parameter belongs to: its name up to the first number between two dots, as in `model.layers.3.`.
    static func block(of name: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let place = parts.firstIndex(where: { !$0.isEmpty && $0.allSatisfy { ("0"..."9").contains($0) } }), place + 1 < parts.count
        else { return nil }
        return parts[...place].joined(separator: ".") + "."
    }

    /// Which block trains in the update after `finished` ones. The first change comes one update early, as in badam.
    public func block(afterUpdates finished: Int) -> Int {
        let turn = turn(afterUpdates: finished), count = blockNames.count
        switch order {
        case .fixed: return start
        case .ascending: return (start + turn) % count
        case .descending: return ((start - turn) % count + count) % count
        case .random: return randomBlock(turn)
        }
    }

    /// How often the block has changed; moments begin afresh at each change.
    func turn(afterUpdates finished: Int) -> Int { interval.map { (finished + 1) / $0 } ?? 0 }

    /// Each pass over the blocks has an order of its own.
    private func randomBlock(_ turn: Int) -> Int {
        if beginsAtStart, turn == 0 { return start }
        let turn = beginsAtStart ? turn - 1 : turn
        var random = RandomGenerator(seed: seed, stream: UInt64(turn / blockNames.count))
        var order = Array(blockNames.indices)
        order.shuffle(using: &random)
        return order[turn % blockNames.count]
    }
}
