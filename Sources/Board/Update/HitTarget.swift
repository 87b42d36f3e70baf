import Terminal

/// What lies under a place on the screen. Views return these while they draw; the event loop looks them up for the mouse.
public struct HitRegion: Sendable {
    public var rect: Rect
    public var target: HitTarget

    public init(_ rect: Rect, _ target: HitTarget) {
        self.rect = rect
        self.target = target
    }
}

public enum HitTarget: Sendable, Equatable {
    case tab(Tab)
    case pane(Pane)
    case formRow(Tab, FormRowIdentity)
    case listRow(Pane, Int)
    /// A row of the topmost overlay's list.
    case overlayRow(Int)
    case choice(Int)
    case command(String)
    /// Inside the topmost overlay but on nothing in particular.
    case overlay
    /// The edge between two panes, to be dragged.
    case split(Split)
    /// The plot's inner area; x is the share of its width, 0...1, in thousandths.
    case chart(left: Int, width: Int)
    /// A small chart.
    case metric(Metric)
}

extension [HitRegion] {
    /// The target drawn last over `point`.
    public func target(at point: Point) -> HitTarget? {
        last { $0.rect.contains(point) }?.target
    }
}
