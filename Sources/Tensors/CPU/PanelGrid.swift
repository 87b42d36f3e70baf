/// How a product's result [rows, columns] is cut into panels. It depends on the shape alone, so that results are the same for any
/// number of threads.
struct PanelGrid {
    struct Panel {
        let firstRow, rowCount, firstColumn, columnCount: Int
    }

    private let rows, columns, rowsPerPanel, columnsPerPanel, panelsAcross: Int
    let count: Int

    /// - Parameters:
    ///   - depth: the length of the sums
    ///   - isWidened: a panel of the second factor is made in scratch memory, and should fit the second-level cache
    ///   - isThin: a few rows, for the kernels that read the weight once
    init(rows: Int, columns: Int, depth: Int, isWidened: Bool, isThin: Bool) {
        self.rows = rows
        self.columns = columns
        var across: Int, down: Int
        if isThin {
            down = rows
            across = max(1, (1 << 16) / max(1, depth))
        } else {
            // A chunk of some tens of MFLOP costs about half a millisecond: long against handing it out, short against a step.
            down = min(rows, 1024)
            across = 256
            if isWidened { across = min(256, max(64, (3 << 16) / max(1, depth) / 32 * 32)) }
            while across > 128, columns < 4 * across { across /= 2 }
            if columns < 64 {
                across = columns
                down = PanelGrid.evenly(rows, max(64, (1 << 22) / max(1, depth * columns)))
            } else if rows < 64 {
                across = PanelGrid.evenly(columns, max(64, (1 << 22) / max(1, depth * rows)))
            }
        }
        rowsPerPanel = max(1, down)
        columnsPerPanel = max(1, across)
        panelsAcross = max(1, (columns + columnsPerPanel - 1) / columnsPerPanel)
        count = rows == 0 || columns == 0 ? 0 : panelsAcross * ((rows + rowsPerPanel - 1) / rowsPerPanel)
    }

    /// The size, a multiple of 16, of pieces that are about `wanted` long and alike.
    private static func evenly(_ total: Int, _ wanted: Int) -> Int {
        let pieces = max(1, (total + wanted / 2) / wanted)
        return ((total + pieces - 1) / pieces + 15) / 16 * 16
    }

    func panel(_ number: Int) -> Panel {
        let row = number / panelsAcross * rowsPerPanel, column = number % panelsAcross * columnsPerPanel
        return Panel(
            firstRow: row, rowCount: min(rowsPerPanel, rows - row), firstColumn: column,
            columnCount: min(columnsPerPanel, columns - column))
    }
}
