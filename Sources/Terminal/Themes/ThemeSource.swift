/// A theme file as read, before it is resolved for a terminal's depth.
///
/// ```
/// name = "nord"
/// variant = "dark"                 # a twin for the other background: pair = "nord-light"
/// [palette]
/// frost = "#88c0d0" 110 cyan       # true colour, then optionally its 256 index and its 16-colour name (or default)
/// [style]
/// ui.border.focus  = fg:frost bold
/// meter.ram        = gradient green yellow red
/// ```
/// Mistakes never make a theme unusable: a line that cannot be read is reported and left out, and what is not said falls back to
/// the built-in theme of the same variant.
public struct ThemeSource: Sendable {
    /// One colour in up to three precisions.
    struct PaletteColor: Hashable, Sendable {
        var exact: Color
        var indexed: Color?
        var named: Color?

        func resolved(for depth: ColorDepth) -> Color {
            switch depth {
            case .mono: .default
            case .ansi16: named ?? exact.quantized(to: .ansi16)
            case .indexed256: indexed ?? exact.quantized(to: .indexed256)
            case .direct: exact
            }
        }
    }

    struct StyleRule: Sendable {
        var foreground: PaletteColor?
        var background: PaletteColor?
        var attributes: Style.Attributes = []
        var gradient: [PaletteColor] = []
    }

    /// Something wrong in a theme file.
    public struct Problem: Hashable, Sendable, CustomStringConvertible {
        public let file: String
        public let line: Int
        public let message: String
        public var description: String { "\(file):\(line): \(message)" }
    }

    public internal(set) var name: String
    public internal(set) var variant: Theme.Variant = .dark
    public internal(set) var pair: String?
    var rules: [String: StyleRule] = [:]
    public internal(set) var problems: [Problem] = []

    /// The theme for a terminal of the given depth. Without colours every theme is `mono`: attributes alone carry the meaning.
    public func theme(depth: ColorDepth) -> Theme {
        let base = depth == .mono ? BuiltInThemes.mono : variant == .light ? BuiltInThemes.light : BuiltInThemes.dark
        let merged = depth == .mono ? base.rules : base.rules.merging(rules) { _, own in own }
        var styles: [String: Style] = [:]
        var gradients: [String: [Color]] = [:]
        for (scope, rule) in merged {
            styles[scope] = Style(
                foreground: rule.foreground?.resolved(for: depth) ?? .default,
                background: rule.background?.resolved(for: depth) ?? .default, attributes: rule.attributes)
            guard !rule.gradient.isEmpty else { continue }
            gradients[scope] = rule.gradient.map { depth == .direct || depth == .indexed256 ? $0.exact : $0.resolved(for: depth) }
            styles[scope]?.foreground = rule.gradient[0].resolved(for: depth)
        }
        return Theme(
            name: depth == .mono ? "mono" : name, variant: variant, pair: pair, depth: depth, styles: styles, gradients: gradients)
    }
}
