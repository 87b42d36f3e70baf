/// Places on the screen in character cells: x grows to the right, y downwards, both from 0.

public struct Point: Hashable, Sendable {
    public var x: Int
    public var y: Int

    public init(x: Int, y: Int) {
        self.x = x
        self.y = y
    }

    public func offset(x: Int = 0, y: Int = 0) -> Point { Point(x: self.x + x, y: self.y + y) }
}

/// The extent of a terminal or a drawing area.
public struct Size: Hashable, Sendable {
    public var columns: Int
    public var rows: Int

    /// Negative extents become 0.
    public init(columns: Int, rows: Int) {
        self.columns = max(0, columns)
        self.rows = max(0, rows)
    }
}

/// A rectangle of cells. Width and height are never negative; a rectangle without cells is legal and draws nothing.
public struct Rect: Hashable, Sendable {
    public var x: Int
    public var y: Int
    public var width: Int
    public var height: Int

    public init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = max(0, width)
        self.height = max(0, height)
    }

    /// The whole of a screen.
    public init(_ size: Size) {
        self.init(x: 0, y: 0, width: size.columns, height: size.rows)
    }

    public static let zero = Rect(x: 0, y: 0, width: 0, height: 0)

    public var origin: Point { Point(x: x, y: y) }
    public var size: Size { Size(columns: width, rows: height) }
    public var isEmpty: Bool { width == 0 || height == 0 }
    /// The first column to the right of the rectangle.
    public var endX: Int { x + width }
    /// The first row below the rectangle.
    public var endY: Int { y + height }

    public func contains(_ point: Point) -> Bool {
        point.x >= x && point.x < endX && point.y >= y && point.y < endY
    }

    /// The rectangle inside a margin of `amount` cells on every side: the content of a box for 1.
    public func inset(_ amount: Int) -> Rect { inset(horizontal: amount, vertical: amount) }

    public func inset(horizontal: Int, vertical: Int) -> Rect {
        Rect(x: x + min(horizontal, width), y: y + min(vertical, height), width: width - 2 * horizontal, height: height - 2 * vertical)
    }

    public func intersection(_ other: Rect) -> Rect {
        let left = max(x, other.x)
        let top = max(y, other.y)
        return Rect(x: left, y: top, width: min(endX, other.endX) - left, height: min(endY, other.endY) - top)
    }

    /// One row of the rectangle, counted from its top; empty when outside.
    public func row(_ index: Int) -> Rect {
        guard index >= 0, index < height else { return Rect(x: x, y: y, width: 0, height: 0) }
        return Rect(x: x, y: y + index, width: width, height: 1)
    }

    public func droppingFirstRows(_ count: Int) -> Rect {
        let dropped = min(max(0, count), height)
        return Rect(x: x, y: y + dropped, width: width, height: height - dropped)
    }

    public func droppingLastRows(_ count: Int) -> Rect {
        Rect(x: x, y: y, width: width, height: height - max(0, count))
    }

    /// A rectangle of at most the given extent in the middle of this one: where a popup goes.
    public func centered(width: Int, height: Int) -> Rect {
        let fittedWidth = min(max(0, width), self.width)
        let fittedHeight = min(max(0, height), self.height)
        return Rect(
            x: x + (self.width - fittedWidth) / 2, y: y + (self.height - fittedHeight) / 2,
            width: fittedWidth, height: fittedHeight)
    }
}
