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

    /// The text of English frames, and of Chinese ones at 80x24, stands in files; of every frame in both languages and at every depth of
    /// colour the marks are kept: a hash of its text and of the style of each cell.
    static func check(_ state: BoardState, _ name: String, keepsText: Bool = true, sourceLocation: SourceLocation = #_sourceLocation) {
        let size = "\(state.size.columns)x\(state.size.rows)"
        let language = state.wording.language == .english ? "" : "-" + state.wording.language.rawValue
        checkMarks(state, name, "\(size)\(language)", sourceLocation)
        guard keepsText else { return }
        let file = Path.join(folder, "\(name)-\(size)\(language).txt")
        let drawn = lines(state)
        for (number, line) in drawn.enumerated() {
            let width = TextWidth.width(of: line)
            #expect(width <= state.size.columns, "line \(number + 1) of \(name) takes \(width) cells", sourceLocation: sourceLocation)
        }
        let text = drawn.joined(separator: "\n") + "\n"
        if isUpdating {
            try? FileSystem.createDirectory(folder)
            try? FileSystem.writeAtomically(file, text: text)
            return
        }
        guard let expected = try? FileSystem.readText(file) else {
            Issue.record("there is no \(file); TUNEBOARD_UPDATE_FRAMES=1 writes it", sourceLocation: sourceLocation)
            return
        }
        guard text != expected else { return }
        Issue.record("\(name) at \(size)\(language) changed:\n\(difference(expected, text))", sourceLocation: sourceLocation)
    }

    // MARK: Marks

    private static let isUpdating = Environment.value("TUNEBOARD_UPDATE_FRAMES") == "1"
    /// One test at a time looks into the files of marks.
    private static let marks = Mutex<[String: [String: String]]>([:])

    /// The themes of the depths: nothing but attributes, the terminal's own colours, and 256 of them.
    private static let themes: [(name: String, theme: Theme)] = [
        ("mono", Theme.builtIn("mono", depth: .mono) ?? .dark()), ("16", .dark(depth: .ansi16)), ("256", harbour),
    ]

    /// A theme with colours of its own, so that 256 of them differ from 16.
    private static let harbour = Theme.named(
        "harbour", folder: Path.join(Path.directory(Path.directory(Path.directory(#filePath))), "themes"), depth: .indexed256).theme

    private static func checkMarks(_ state: BoardState, _ name: String, _ variant: String, _ sourceLocation: SourceLocation) {
        let file = Path.join(folder, "marks", name + ".txt")
        for (depth, theme) in themes {
            let mark = mark(BoardView.draw(state, theme: theme).grid)
            let key = "\(variant) \(depth)"
            marks.withLock { all in
                if all[name] == nil { all[name] = isUpdating ? [:] : read(file) }
                if isUpdating {
                    all[name]?[key] = mark
                    let lines = (all[name] ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }
                    try? FileSystem.createDirectory(Path.directory(file))
                    try? FileSystem.writeAtomically(file, text: lines.joined())
                } else if all[name]?[key] != mark {
                    let text = all[name]?[key] == nil ? "has no mark in \(file)" : "looks different now"
                    Issue.record("\(name) at \(key) \(text); TUNEBOARD_UPDATE_FRAMES=1 writes it anew", sourceLocation: sourceLocation)
                }
            }
        }
    }

    private static func read(_ file: String) -> [String: String] {
        var table: [String: String] = [:]
        for line in ((try? FileSystem.readText(file)) ?? "").split(separator: "\n") {
            guard let space = line.lastIndex(of: " ") else { continue }
            table[String(line[..<space])] = String(line[line.index(after: space)...])
        }
        return table
    }

    private static func mark(_ grid: CellGrid) -> String {
        var hash = StableHash()
        for line in grid.text() { hash.combine(line) }
        let styles = grid.styleMap()
        for row in styles.rows { hash.combine(row) }
        for entry in styles.legend { hash.combine("\(entry.letter) \(entry.style)") }
        return String(hash.value, radix: 36)
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
