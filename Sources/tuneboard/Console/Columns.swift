/// Rows as columns, for lists on the command line.

enum Columns {
    /// Pads every cell but a row's last to the width of its column. Widths count characters; ours are plain.
    static func lines(_ rows: [[String]], gap: Int = 2) -> [String] {
        var widths: [Int] = []
        for row in rows {
            for (index, cell) in row.enumerated() {
                if index == widths.count { widths.append(0) }
                widths[index] = max(widths[index], cell.count)
            }
        }
        return rows.map { row in
            row.enumerated().map { index, cell in
                index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count + gap)
            }.joined()
        }
    }
}
