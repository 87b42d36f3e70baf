/// A small picture in memory: rectangles, anti-aliased lines and text.

struct Canvas {
    /// Red, green and blue from 0 to 255.
    struct Ink {
        var red, green, blue: UInt8

        static let black = Ink(red: 0x26, green: 0x26, blue: 0x26)
        static let grey = Ink(red: 0xDD, green: 0xDD, blue: 0xDD)
    }

    let width: Int
    let height: Int
    private(set) var pixels: [UInt8]

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        pixels = [UInt8](repeating: 255, count: width * height * 3)
    }

    func png() -> [UInt8] { PNG.encoded(width: width, height: height, pixels: pixels) }

    mutating func fill(x: Int, y: Int, width: Int, height: Int, _ ink: Ink) {
        for row in y..<(y + height) { for column in x..<(x + width) { blend(column, row, ink, 1) } }
    }

    /// A line through the points, `thickness` pixels wide. Where it crosses itself it is not darker, so opacity looks right.
    mutating func line(_ points: [(x: Double, y: Double)], thickness: Double, _ ink: Ink, opacity: Double = 1) {
        var coverage = [Float](repeating: 0, count: width * height)
        if points.count == 1 { cover(&coverage, points[0], points[0], thickness + 2) }
        for (start, end) in zip(points, points.dropFirst()) { cover(&coverage, start, end, thickness) }
        for index in coverage.indices where coverage[index] > 0 {
            blend(index % width, index / width, ink, Double(coverage[index]) * opacity)
        }
    }

    /// Adds one segment: a pixel is covered by how much of it lies within half the thickness of the segment.
    private func cover(_ coverage: inout [Float], _ start: (x: Double, y: Double), _ end: (x: Double, y: Double), _ thickness: Double) {
        let reach = thickness / 2 + 1
        let left = max(0, Int(min(start.x, end.x) - reach))
        let right = min(width - 1, Int(max(start.x, end.x) + reach))
        let top = max(0, Int(min(start.y, end.y) - reach))
        let bottom = min(height - 1, Int(max(start.y, end.y) + reach))
        guard left <= right, top <= bottom else { return }
        let (dx, dy) = (end.x - start.x, end.y - start.y)
        let squared = dx * dx + dy * dy
        for row in top...bottom {
            for column in left...right {
                let (px, py) = (Double(column) + 0.5 - start.x, Double(row) + 0.5 - start.y)
                let along = squared == 0 ? 0 : min(1, max(0, (px * dx + py * dy) / squared))
                let (ox, oy) = (px - along * dx, py - along * dy)
                let inside = thickness / 2 + 0.5 - (ox * ox + oy * oy).squareRoot()
                let place = row * width + column
                coverage[place] = max(coverage[place], Float(min(1, max(0, inside))))
            }
        }
    }

    /// Text in the built-in font, each of its dots `scale` pixels wide; (x, y) is the upper left corner.
    mutating func text(_ text: String, x: Int, y: Int, scale: Int = 2, _ ink: Ink = .black) {
        var left = x
        for scalar in text.unicodeScalars {
            for (row, bits) in BitmapFont.rows(scalar).enumerated() {
                for column in 0..<5 where bits >> UInt8(4 - column) & 1 == 1 {
                    fill(x: left + column * scale, y: y + row * scale, width: scale, height: scale, ink)
                }
            }
            left += BitmapFont.advance * scale
        }
    }

    static func textWidth(_ text: String, scale: Int = 2) -> Int { max(0, text.unicodeScalars.count * BitmapFont.advance * scale - scale) }

    private mutating func blend(_ column: Int, _ row: Int, _ ink: Ink, _ opacity: Double) {
        guard column >= 0, column < width, row >= 0, row < height else { return }
        let place = (row * width + column) * 3
        for (offset, value) in [ink.red, ink.green, ink.blue].enumerated() {
            let mixed = Double(pixels[place + offset]) * (1 - opacity) + Double(value) * opacity
            pixels[place + offset] = UInt8(min(255, max(0, mixed.rounded())))
        }
    }
}
