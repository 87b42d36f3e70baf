/// A drawing surface of dots: two across and four down in every cell, in Unicode's braille patterns.
///
/// ```
/// dots of a cell   1 4
///                  2 5      U+2800 + bits, bit n - 1 for dot n
///                  3 6
///                  7 8
/// ```
struct BrailleCanvas {
    let columns: Int
    let rows: Int
    private var dots: [UInt8]

    init(columns: Int, rows: Int) {
        self.columns = max(0, columns)
        self.rows = max(0, rows)
        dots = [UInt8](repeating: 0, count: self.columns * self.rows)
    }

    var width: Int { columns * 2 }
    var height: Int { rows * 4 }

    private static let bits: [UInt8] = [0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80]

    mutating func set(_ x: Int, _ y: Int) {
        guard x >= 0, y >= 0, x < width, y < height else { return }
        dots[(y >> 2) * columns + (x >> 1)] |= BrailleCanvas.bits[(x & 1) << 2 | (y & 3)]
    }

    /// Takes away the dots of the columns that are named: a line becomes a broken one.
    mutating func clearColumns(where isCleared: (Int) -> Bool) {
        for column in 0..<columns {
            var kept: UInt8 = 0
            if !isCleared(column * 2) { kept |= 0x47 }
            if !isCleared(column * 2 + 1) { kept |= 0xB8 }
            guard kept != 0xFF else { continue }
            for row in 0..<rows { dots[row * columns + column] &= kept }
        }
    }

    /// A vertical stroke, ends included.
    mutating func stroke(x: Int, from start: Int, to end: Int) {
        guard x >= 0, x < width else { return }
        let low = max(0, min(start, end))
        let high = min(height - 1, max(start, end))
        guard low <= high else { return }
        for y in low...high { set(x, y) }
    }

    /// A straight line between two places, clipped to the surface.
    mutating func line(_ ax: Double, _ ay: Double, _ bx: Double, _ by: Double) {
        guard let (x0, y0, x1, y1) = clip(ax, ay, bx, by) else { return }
        let steps = max(abs(x1 - x0), abs(y1 - y0)).rounded(.up)
        guard steps >= 1 else {
            set(Int(x0.rounded()), Int(y0.rounded()))
            return
        }
        for step in 0...Int(steps) {
            let share = Double(step) / steps
            set(Int((x0 + (x1 - x0) * share).rounded()), Int((y0 + (y1 - y0) * share).rounded()))
        }
    }

    /// The part of a line that lies on the surface (Liang and Barsky, 1984).
    private func clip(_ ax: Double, _ ay: Double, _ bx: Double, _ by: Double) -> (Double, Double, Double, Double)? {
        guard ax.isFinite, ay.isFinite, bx.isFinite, by.isFinite else { return nil }
        let dx = bx - ax
        let dy = by - ay
        var enter = 0.0
        var leave = 1.0
        for (direction, distance) in [(-dx, ax + 0.5), (dx, Double(width) - 0.5 - ax), (-dy, ay + 0.5), (dy, Double(height) - 0.5 - ay)] {
            if direction == 0 {
                if distance < 0 { return nil }
            } else if direction < 0 {
                enter = max(enter, distance / direction)
            } else {
                leave = min(leave, distance / direction)
            }
        }
        guard enter <= leave else { return nil }
        return (ax + enter * dx, ay + enter * dy, ax + leave * dx, ay + leave * dy)
    }

    /// Puts the dots on the grid. Where two canvases meet in one cell the dots join and the later style wins.
    func draw(into grid: inout CellGrid, at origin: Point, style: Style) {
        for row in 0..<rows {
            for column in 0..<columns {
                let pattern = dots[row * columns + column]
                guard pattern != 0 else { continue }
                let point = origin.offset(x: column, y: row)
                let below = grid[point.x, point.y].flatMap { $0.base >= 0x2800 && $0.base < 0x2900 ? UInt8($0.base - 0x2800) : nil } ?? 0
                if let scalar = Unicode.Scalar(0x2800 + UInt32(pattern | below)) { grid.set(scalar, at: point, style: style) }
            }
        }
    }
}
