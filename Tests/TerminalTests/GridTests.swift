import Testing

@testable import Terminal

@Suite struct GridTests {
    @Test func textIsClippedAtTheEdgesAndAtItsMaximum() {
        var grid = CellGrid(size: Size(columns: 6, rows: 2))
        #expect(grid.put("abcdefgh", at: Point(x: 2, y: 0)) == 4)
        #expect(grid.put("abcdef", at: Point(x: 0, y: 1), maxWidth: 3) == 3)
        grid.put("unseen", at: Point(x: 0, y: 7))
        #expect(grid.text() == ["  abcd", "abc"])
    }

    @Test func aWideCharacterThatWouldCrossTheRightEdgeBecomesASpace() {
        var grid = CellGrid(size: Size(columns: 5, rows: 1))
        grid.put("月光落", at: Point(x: 0, y: 0))
        #expect(grid.text() == ["月光"])
        #expect(grid[4, 0]?.text == " ")
        #expect(grid[1, 0]?.width == 0)
    }

    @Test func textThatBeginsLeftOfTheScreenKeepsItsColumns() {
        var grid = CellGrid(size: Size(columns: 6, rows: 1))
        grid.put("月光ab", at: Point(x: -1, y: 0))
        #expect(grid.text() == [" 光ab"])
    }

    @Test func writingOverHalfOfAWideCharacterBlanksTheOtherHalf() {
        var grid = CellGrid(size: Size(columns: 6, rows: 1))
        grid.put("月光落", at: Point(x: 0, y: 0))
        grid.put("x", at: Point(x: 1, y: 0))
        #expect(grid.text() == [" x光落"])
        grid.put("y", at: Point(x: 2, y: 0))
        #expect(grid.text() == [" xy 落"])
        grid.fill(Rect(x: 5, y: 0, width: 1, height: 1), character: "z")
        #expect(grid.text() == [" xy  z"])
        for y in 0..<1 { #expect(grid.row(y).reduce(0) { $0 + Int($1.width) } == 6) }
    }

    @Test func marksShareTheCellOfTheirLetter() {
        var grid = CellGrid(size: Size(columns: 6, rows: 1))
        #expect(grid.put("e\u{301}a\u{308}\u{304}b", at: Point(x: 0, y: 0)) == 3)
        #expect(grid[0, 0]?.text == "e\u{301}")
        #expect(grid[2, 0]?.text == "b")
    }

    @Test func controlCharactersNeverReachACell() {
        var grid = CellGrid(size: Size(columns: 12, rows: 1))
        grid.put("a\u{1B}b\u{7}\u{202E}c\td", at: Point(x: 0, y: 0))
        #expect(grid.text() == ["abc d"])
    }

    @Test func aFocusedBoxIsHeavyAndATitleIsCut() {
        var grid = CellGrid(size: Size(columns: 16, rows: 4))
        let inside = grid.box(grid.bounds, title: "a title that is long", style: .plain, isFocused: true)
        #expect(inside == Rect(x: 1, y: 1, width: 14, height: 2))
        #expect(grid.text() == ["┏━ a title t… ━┓", "┃              ┃", "┃              ┃", "┗━━━━━━━━━━━━━━┛"])
    }

    @Test func aNoteStandsInTheTopBorderWhenThereIsRoom() {
        var grid = CellGrid(size: Size(columns: 24, rows: 2))
        grid.box(grid.bounds, title: "log", note: "3/9", style: .plain)
        #expect(grid.text()[0] == "┌─ log ────────── 3/9 ─┐")
    }

    @Test func boxesOfNoExtentDrawNothing() {
        var grid = CellGrid(size: Size(columns: 3, rows: 1))
        grid.box(Rect(x: 0, y: 0, width: 1, height: 5), style: .plain)
        grid.box(Rect(x: -4, y: -4, width: 3, height: 3), title: "x", style: .plain)
        #expect(grid.text() == [""])
    }

    @Test func anOverlayKeepsTextAndAddsItsLooks() {
        var grid = CellGrid(size: Size(columns: 3, rows: 1))
        grid.put("ab", at: Point(x: 0, y: 0), style: Style(foreground: .ansi(1), attributes: .bold))
        grid.overlay(Rect(x: 0, y: 0, width: 2, height: 1), style: Style(background: .ansi(4), attributes: .reverse))
        #expect(grid[0, 0]?.style == Style(foreground: .ansi(1), background: .ansi(4), attributes: [.bold, .reverse]))
        #expect(grid.styleMap().rows == ["aa."])
    }

    @Test func withoutUnicodeFramesBecomeASCIIOfTheSameShape() {
        var grid = CellGrid(size: Size(columns: 12, rows: 3))
        grid.box(grid.bounds, title: "月", style: .plain)
        grid.put("⠑█▌●…", at: Point(x: 1, y: 1))
        #expect(grid.transliterated().text() == ["+- ?? -----+", "|'#=*~     |", "+----------+"])
    }

    @Test func rectanglesAreSharedOutToTheLastCell() {
        let rect = Rect(x: 0, y: 0, width: 101, height: 24)
        let columns = rect.columns(.fixed(20), .fill, .fill(2), .ratio(0.1))
        #expect(columns.map(\.width) == [20, 23, 48, 10])
        #expect(columns.map(\.x) == [0, 20, 43, 91])
        #expect(rect.rows(.fixed(20), .fixed(20), .fill).map(\.height) == [20, 4, 0])
        #expect(rect.rows(.atLeast(10), .fill).map(\.height) == [17, 7])
        #expect(rect.centered(width: 200, height: 4) == Rect(x: 0, y: 10, width: 101, height: 4))
    }
}
