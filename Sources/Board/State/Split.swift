import Terminal

/// An edge between two panes that can be dragged: which one, and where it may go.
public struct Split: Sendable, Equatable, Hashable {
    public enum Place: String, Sendable, CaseIterable {
        /// Form and what stands beside it on Train.
        case train
        /// Plot and log on the Monitor.
        case monitor
        /// Conversation and message on Chat.
        case chat
        /// Form and results on Evaluate.
        case evaluate
        /// Form and plan on Export.
        case export
    }

    public let place: Place
    /// The cells that are shared out: from where, how many, and in which direction.
    public let start: Int
    public let length: Int
    public let isVertical: Bool
}

extension BoardState {
    /// The mouse has moved with an edge in its hand.
    mutating func dragSplit(_ split: Split, to point: Point) -> [Effect] {
        let position = (split.isVertical ? point.x : point.y) - split.start
        let share = Double(position) / Double(max(1, split.length))
        splits[split.place.rawValue] = min(max(share, 0.15), 0.85)
        return []
    }
}
