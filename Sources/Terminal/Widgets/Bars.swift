/// Bars in eighths of a cell. On terminals without Unicode they become `#` by transliteration.
public enum ProgressBar {
    /// Blocks that fill 1/8 to 7/8 of a cell from the left.
    private static let parts: [Unicode.Scalar] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉"]

    /// Draws `▕█████▌    ▏` into the rectangle's first row; the caps take a cell on either side.
    ///
    /// - Parameter share: 0...1; not a number draws an empty bar.
    public static func draw(into grid: inout CellGrid, _ rect: Rect, share: Double, style: Style, trackStyle: Style, hasCaps: Bool = true) {
        guard rect.height > 0, rect.width > (hasCaps ? 2 : 0) else { return }
        let inner = hasCaps ? Rect(x: rect.x + 1, y: rect.y, width: rect.width - 2, height: 1) : rect.row(0)
        if hasCaps {
            grid.set("▕", at: rect.origin, style: trackStyle)
            grid.set("▏", at: Point(x: rect.endX - 1, y: rect.y), style: trackStyle)
        }
        let bounded = share.isNaN ? 0 : min(max(share, 0), 1)
        let eighths = Int((bounded * Double(inner.width * 8)).rounded(.down))
        for x in 0..<inner.width {
            let filled = eighths - x * 8
            let glyph: Unicode.Scalar = filled >= 8 ? "█" : filled <= 0 ? " " : parts[filled - 1]
            grid.set(glyph, at: inner.origin.offset(x: x), style: filled > 0 ? style : trackStyle)
        }
    }

    /// The same in the theme's progress colours.
    public static func draw(into grid: inout CellGrid, _ rect: Rect, share: Double, theme: Theme) {
        draw(into: &grid, rect, share: share, style: theme.style("progress.bar"), trackStyle: theme.style("progress.track"))
    }
}

/// A labelled gauge, `RAM ▕██████▌    ▏ 14.2/24.0G`, coloured along its scope's gradient.
public struct Meter: Sendable {
    public var label: String
    /// 0...1
    public var share: Double
    public var value: String
    /// The theme's scope, as `meter.memory`.
    public var scope: String

    public init(label: String, share: Double, value: String, scope: String = "meter") {
        self.label = label
        self.share = share
        self.value = value
        self.scope = scope
    }

    /// - Parameters:
    ///   - labelWidth: cells for the label, so that meters below each other line up.
    ///   - valueWidth: cells for the value.
    public func draw(into grid: inout CellGrid, _ rect: Rect, theme: Theme, labelWidth: Int? = nil, valueWidth: Int? = nil) {
        let labelCells = labelWidth ?? TextWidth.width(of: label)
        let valueCells = valueWidth ?? TextWidth.width(of: value)
        let columns = rect.row(0).columns(.fixed(labelCells), .fixed(1), .fill, .fixed(1), .fixed(valueCells))
        grid.put(label, in: columns[0], style: theme.style("ui.text"))
        if columns[2].width >= 4 {
            ProgressBar.draw(into: &grid, columns[2], share: share, style: theme.style(scope, at: share), trackStyle: theme.style("meter.track"))
        }
        grid.put(value, in: columns[4], style: theme.style("ui.text"))
    }
}

/// A line of little columns: `▁▂▂▁▅█▇▃`.
public enum Sparkline {
    private static let steps: [Unicode.Scalar] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// Draws the newest values that fit, one to a cell; values that are not finite leave a gap.
    public static func draw(into grid: inout CellGrid, _ rect: Rect, values: [Double], range: ClosedRange<Double>? = nil, style: Style) {
        guard !rect.isEmpty else { return }
        let shown = values.suffix(rect.width)
        let finite = shown.filter(\.isFinite)
        guard let low = range?.lowerBound ?? finite.min(), let high = range?.upperBound ?? finite.max() else { return }
        for (x, value) in shown.enumerated() where value.isFinite {
            let share = high > low ? min(max((value - low) / (high - low), 0), 1) : 0.5
            grid.set(steps[min(7, Int(share * 8))], at: rect.origin.offset(x: x), style: style)
        }
    }
}
