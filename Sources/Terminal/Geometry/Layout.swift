/// How a stretch of cells is shared out among neighbours.
public enum Extent: Hashable, Sendable {
    /// So many cells.
    case fixed(Int)
    /// A share of the whole, 0...1.
    case ratio(Double)
    /// What the others leave, shared by weight.
    case fill(Int)
    /// Like `fill(1)`, but never less than the given number of cells while there is room.
    case atLeast(Int)

    public static let fill = Extent.fill(1)
}

extension Rect {
    /// Cuts the rectangle into bands from top to bottom. When there is too little room the last bands shrink first, to nothing.
    public func rows(_ extents: [Extent]) -> [Rect] {
        var top = y
        return Rect.lengths(extents, total: height).map { length in
            defer { top += length }
            return Rect(x: x, y: top, width: width, height: length)
        }
    }

    public func rows(_ extents: Extent...) -> [Rect] { rows(extents) }

    /// Cuts the rectangle into columns from left to right.
    public func columns(_ extents: [Extent]) -> [Rect] {
        var left = x
        return Rect.lengths(extents, total: width).map { length in
            defer { left += length }
            return Rect(x: left, y: y, width: length, height: height)
        }
    }

    public func columns(_ extents: Extent...) -> [Rect] { columns(extents) }

    /// Lengths that never add up to more than `total`; they add up to exactly `total` when something fills.
    static func lengths(_ extents: [Extent], total: Int) -> [Int] {
        var lengths = [Int](repeating: 0, count: extents.count)
        var remaining = total
        var weights = 0
        for (index, extent) in extents.enumerated() {
            switch extent {
            case .fixed(let cells), .atLeast(let cells):
                lengths[index] = min(max(0, cells), remaining)
            case .ratio(let share):
                lengths[index] = min(Int((Double(total) * min(max(share, 0), 1)).rounded()), remaining)
            case .fill:
                break
            }
            remaining -= lengths[index]
            weights += extent.weight
        }
        for (index, extent) in extents.enumerated() where extent.weight > 0 {
            let part = remaining * extent.weight / weights
            lengths[index] += part
            remaining -= part
            weights -= extent.weight
        }
        return lengths
    }
}

extension Extent {
    /// The share of what is left over.
    fileprivate var weight: Int {
        switch self {
        case .fixed, .ratio: 0
        case .fill(let weight): max(0, weight)
        case .atLeast: 1
        }
    }
}
