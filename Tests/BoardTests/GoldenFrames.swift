import Platform
import Terminal
import Testing

@testable import Board

/// Frames as text, compared with files under Tests/Fixtures/board. `TUNEBOARD_UPDATE_FRAMES=1` writes them anew.
enum GoldenFrames {
    static let sizes = [(columns: 60, rows: 16), (columns: 80, rows: 24), (columns: 160, rows: 45)]

    private static let folder = Path.join(Path.directory(Path.directory(Path.directory(#filePath))), "Tests", "Fixtures", "board")

    static func lines(_ state: BoardState) -> [String] {
        let frame = BoardView.draw(state, theme: .dark())
        return frame.grid.text()
    }

    static func check(_ state: BoardState, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let file = Path.join(folder, "\(name)-\(state.size.columns)x\(state.size.rows).txt")
        let drawn = lines(state)
        for (number, line) in drawn.enumerated() {
            let width = TextWidth.width(of: line)
            #expect(width <= state.size.columns, "line \(number + 1) of \(name) takes \(width) cells", sourceLocation: sourceLocation)
        }
        let text = drawn.joined(separator: "\n") + "\n"
        if Environment.value("TUNEBOARD_UPDATE_FRAMES") == "1" {
            try? FileSystem.createDirectory(folder)
            try? FileSystem.writeAtomically(file, text: text)
            return
        }
        guard let expected = try? FileSystem.readText(file) else {
            Issue.record("there is no \(file); TUNEBOARD_UPDATE_FRAMES=1 writes it", sourceLocation: sourceLocation)
            return
        }
        guard text != expected else { return }
        Issue.record("\(name) at \(state.size.columns)x\(state.size.rows) changed:\n\(difference(expected, text))", sourceLocation: sourceLocation)
    }

    /// The cells' styles as a map of letters with their meaning below, compared like the text.
    static func checkStyles(_ state: BoardState, _ name: String, theme: Theme, sourceLocation: SourceLocation = #_sourceLocation) {
        let grid = BoardView.draw(state, theme: theme).grid
        var letters: [Style: Character] = [:]
        var legend: [String] = []
        var rows: [String] = []
        for y in 0..<grid.size.rows {
            var row = ""
            for x in 0..<grid.size.columns {
                guard let cell = grid[x, y], cell.width > 0 else { continue }
                if letters[cell.style] == nil {
                    let letter = Character(Unicode.Scalar(UInt8(97 + letters.count % 26)))
                    letters[cell.style] = letters.count < 26 ? letter : Character(letter.uppercased())
                    legend.append("\(letters[cell.style] ?? "?") \(cell.style)")
                }
                row.append(letters[cell.style] ?? "?")
            }
            rows.append(row)
        }
        compare(rows + legend, file: Path.join(folder, name + ".txt"), name, sourceLocation)
    }

    private static func compare(_ lines: [String], file: String, _ name: String, _ sourceLocation: SourceLocation) {
        let text = lines.joined(separator: "\n") + "\n"
        if Environment.value("TUNEBOARD_UPDATE_FRAMES") == "1" {
            try? FileSystem.writeAtomically(file, text: text)
            return
        }
        let expected = (try? FileSystem.readText(file)) ?? ""
        guard text != expected else { return }
        Issue.record("\(name) changed:\n\(difference(expected, text))", sourceLocation: sourceLocation)
    }

    /// The lines that differ, as `-` expected and `+` drawn.
    private static func difference(_ expected: String, _ drawn: String) -> String {
        let old = expected.split(separator: "\n", omittingEmptySubsequences: false)
        let new = drawn.split(separator: "\n", omittingEmptySubsequences: false)
        var report: [String] = []
        for index in 0..<max(old.count, new.count) {
            let before = index < old.count ? String(old[index]) : ""
            let after = index < new.count ? String(new[index]) : ""
            if before != after { report += ["\(index + 1)-\(before)", "\(index + 1)+\(after)"] }
        }
        return report.joined(separator: "\n")
    }
}

extension BoardState {
    /// Feeds keys by name, as in `"down enter"`; returns the effects they asked for.
    @discardableResult
    mutating func press(_ names: String) -> [Effect] {
        names.split(separator: " ").flatMap { name -> [Effect] in
            guard let key = Key(name: String(name)) else {
                Issue.record("\(name) is no key")
                return []
            }
            return update(&self, .key(key))
        }
    }

    /// Types text letter by letter.
    @discardableResult
    mutating func type(_ text: String) -> [Effect] {
        text.flatMap { update(&self, .key(Key($0))) }
    }
}
