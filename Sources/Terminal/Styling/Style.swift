/// How a cell looks: two colours and attributes.
public struct Style: Hashable, Sendable {
    public struct Attributes: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        public static let bold = Attributes(rawValue: 1)
        public static let dim = Attributes(rawValue: 2)
        public static let italic = Attributes(rawValue: 4)
        public static let underline = Attributes(rawValue: 8)
        public static let reverse = Attributes(rawValue: 16)
    }

    public var foreground: Color
    public var background: Color
    public var attributes: Attributes

    public init(foreground: Color = .default, background: Color = .default, attributes: Attributes = []) {
        self.foreground = foreground
        self.background = background
        self.attributes = attributes
    }

    public static let plain = Style()

    /// The same style with more attributes.
    public func adding(_ more: Attributes) -> Style {
        Style(foreground: foreground, background: background, attributes: attributes.union(more))
    }

    /// The same style on another background.
    public func on(_ background: Color) -> Style {
        Style(foreground: foreground, background: background, attributes: attributes)
    }

    /// This style laid over another: default colours let the one below through, attributes add up.
    public func over(_ below: Style) -> Style {
        Style(
            foreground: foreground == .default ? below.foreground : foreground,
            background: background == .default ? below.background : background,
            attributes: attributes.union(below.attributes))
    }

    public func quantized(to depth: ColorDepth) -> Style {
        Style(foreground: foreground.quantized(to: depth), background: background.quantized(to: depth), attributes: attributes)
    }
}
