/// A colour as a theme or a view asks for it; `ColorDepth` says how much of it a terminal can show.
///
/// ```
/// bits 31...24   kind: 0 default, 1 one of the terminal's 16, 2 one of 256, 3 true colour
/// bits 23...0    the number, or red, green, blue
/// ```
public struct Color: Hashable, Sendable {
    let bits: UInt32

    /// The terminal's own foreground or background; keeps transparency.
    public static let `default` = Color(bits: 0)

    /// One of the terminal's 16 colours: 0-7 black, red, green, yellow, blue, magenta, cyan, white, then their bright twins.
    public static func ansi(_ number: UInt8) -> Color { Color(bits: 1 << 24 | UInt32(number & 15)) }

    /// One of the xterm palette's 256 colours.
    public static func indexed(_ number: UInt8) -> Color { Color(bits: 2 << 24 | UInt32(number)) }

    public static func rgb(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> Color {
        Color(bits: 3 << 24 | UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue))
    }

    enum Kind: UInt32 { case `default`, ansi, indexed, direct }

    var kind: Kind { Kind(rawValue: bits >> 24) ?? .default }
    var number: UInt8 { UInt8(truncatingIfNeeded: bits) }

    /// Red, green and blue, 0...255; `nil` for the terminal's default, which we cannot know.
    public var components: (red: UInt8, green: UInt8, blue: UInt8)? {
        switch kind {
        case .default: nil
        case .ansi, .indexed: XtermPalette.components(number)
        case .direct: (UInt8(truncatingIfNeeded: bits >> 16), UInt8(truncatingIfNeeded: bits >> 8), number)
        }
    }
}

/// How many colours a terminal shows.
public enum ColorDepth: Int, Sendable, Comparable, CaseIterable {
    /// Attributes only: NO_COLOR, or a terminal without colours.
    case mono
    case ansi16
    case indexed256
    case direct

    public static func < (a: ColorDepth, b: ColorDepth) -> Bool { a.rawValue < b.rawValue }
}

/// The usual values of the xterm palette: 16 named colours, a 6x6x6 cube, 24 greys.
enum XtermPalette {
    static let named: [(red: UInt8, green: UInt8, blue: UInt8)] = [
        (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
        (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255),
    ]
    static let steps: [UInt8] = [0, 95, 135, 175, 215, 255]

    static func components(_ number: UInt8) -> (red: UInt8, green: UInt8, blue: UInt8) {
        if number < 16 { return named[Int(number)] }
        if number >= 232 {
            let grey = 8 + 10 * (number - 232)
            return (grey, grey, grey)
        }
        let cube = Int(number) - 16
        return (steps[cube / 36], steps[cube / 6 % 6], steps[cube % 6])
    }

    /// The nearest colour of the cube or the grey ramp, by squared distance.
    static func nearest256(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
        func nearestStep(_ value: UInt8) -> Int {
            steps.indices.min { abs(Int(steps[$0]) - Int(value)) < abs(Int(steps[$1]) - Int(value)) } ?? 0
        }
        let cube = UInt8(16 + 36 * nearestStep(red) + 6 * nearestStep(green) + nearestStep(blue))
        let mean = (Int(red) + Int(green) + Int(blue)) / 3
        let grey = UInt8(232 + min(23, max(0, (mean - 3) / 10)))
        let target = (red, green, blue)
        return distance(components(cube), target) <= distance(components(grey), target) ? cube : grey
    }

    /// The nearest of the 16. Near-greys stay grey, other colours keep their hue, pale ones become the bright twin.
    static func nearest16(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
        let high = Int(max(red, green, blue))
        let low = Int(min(red, green, blue))
        if high - low < 40 {
            let mean = (Int(red) + Int(green) + Int(blue)) / 3
            return mean < 56 ? 0 : mean < 150 ? 8 : mean < 225 ? 7 : 15
        }
        let threshold = (high + low) / 2
        let hue = (Int(red) > threshold ? 1 : 0) | (Int(green) > threshold ? 2 : 0) | (Int(blue) > threshold ? 4 : 0)
        return UInt8(hue) + (high > 200 && low > 110 ? 8 : 0)
    }

    private static func distance(_ a: (red: UInt8, green: UInt8, blue: UInt8), _ b: (UInt8, UInt8, UInt8)) -> Int {
        let red = Int(a.red) - Int(b.0)
        let green = Int(a.green) - Int(b.1)
        let blue = Int(a.blue) - Int(b.2)
        return red * red + green * green + blue * blue
    }
}

extension Color {
    /// The nearest colour that a terminal of the given depth has.
    public func quantized(to depth: ColorDepth) -> Color {
        guard depth != .direct, kind != .default else { return self }
        if depth == .mono { return .default }
        guard let (red, green, blue) = components else { return self }
        switch kind {
        case .default, .ansi: return self
        case .indexed:
            if depth == .indexed256 { return self }
            return number < 16 ? .ansi(number) : .ansi(XtermPalette.nearest16(red, green, blue))
        case .direct:
            return depth == .indexed256
                ? .indexed(XtermPalette.nearest256(red, green, blue)) : .ansi(XtermPalette.nearest16(red, green, blue))
        }
    }

    /// A colour between two, `share` of the way from `self` to `other`; the nearer of the two when one has no components.
    public func mixed(with other: Color, share: Double) -> Color {
        let amount = min(max(share.isNaN ? 0 : share, 0), 1)
        guard let a = components, let b = other.components else { return amount < 0.5 ? self : other }
        func blend(_ from: UInt8, _ to: UInt8) -> UInt8 {
            UInt8((Double(from) + (Double(to) - Double(from)) * amount).rounded())
        }
        return .rgb(blend(a.red, b.red), blend(a.green, b.green), blend(a.blue, b.blue))
    }
}
