/// The looks of everything: a style for each scope.
///
/// A scope is looked up with its dots: `plot.series.1`, then `plot.series`, then `plot`, then `ui.text`. A theme knows the depth that
/// it was resolved for; views only ask for styles.
public struct Theme: Sendable {
    public enum Variant: String, Sendable { case dark, light }

    public let name: String
    public let variant: Variant
    /// The theme of the other variant, by name.
    public let pair: String?
    public let depth: ColorDepth
    private let styles: [String: Style]
    private let gradients: [String: [Color]]

    init(name: String, variant: Variant, pair: String?, depth: ColorDepth, styles: [String: Style], gradients: [String: [Color]]) {
        self.name = name
        self.variant = variant
        self.pair = pair
        self.depth = depth
        self.styles = styles
        self.gradients = gradients
    }

    /// The style of a scope.
    public func style(_ scope: String) -> Style {
        if let style = styles[scope] { return style }
        var shorter = Substring(scope)
        while let dot = shorter.lastIndex(of: ".") {
            shorter = shorter[..<dot]
            if let style = styles[String(shorter)] { return style }
        }
        return styles["ui.text"] ?? .plain
    }

    /// The style at a place of a scope's gradient, 0...1: low to high. A scope without a gradient has its plain style everywhere.
    public func style(_ scope: String, at share: Double) -> Style {
        var style = style(scope)
        guard let colors = gradients[scope], colors.count > 1, depth != .mono else { return style }
        let place = min(max(share.isNaN ? 0 : share, 0), 1) * Double(colors.count - 1)
        let index = min(Int(place), colors.count - 2)
        if depth == .ansi16 {
            style.foreground = colors[Int(place.rounded())].quantized(to: depth)
        } else {
            style.foreground = colors[index].mixed(with: colors[index + 1], share: place - Double(index)).quantized(to: depth)
        }
        return style
    }

    /// The styles in which the n-th series of a plot is drawn, counted from 0; they repeat.
    public func seriesStyle(_ index: Int) -> Style { style("plot.series.\(index % 6 + 1)") }
}
