import Testing

@testable import Terminal

private func keys(_ names: String) -> [Key] { names.split(separator: " ").compactMap { Key(name: String($0)) } }

@Suite struct TextFieldTests {
    private func edited(_ text: String, _ names: String) -> TextField {
        var field = TextField(text)
        for key in keys(names) { _ = field.handle(key) }
        return field
    }

    @Test(arguments: [
        ("abc", "left backspace", "ac", 1), ("abc", "home x", "xabc", 1), ("abc", "ctrl+a delete", "bc", 0), ("a b", "ctrl+u", "", 0),
        ("abc def", "ctrl+w", "abc ", 4), ("abc def", "ctrl+a ctrl+k", "", 0), ("abc def", "alt+b x", "abc xdef", 5),
        ("abc def", "home alt+f x", "abcx def", 4), ("月光", "left 落", "月落光", 2), ("ab", "right right left left left", "ab", 0),
        ("abc def", "ctrl+left ctrl+left ctrl+right", "abc def", 3),
    ])
    func keysEdit(_ text: String, _ names: String, _ result: String, _ cursor: Int) {
        let field = edited(text, names)
        #expect(field.text == result)
        #expect(field.cursor == cursor)
    }

    @Test func keysWithoutMeaningAreLeftToOthers() {
        var field = TextField("a")
        for name in ["enter", "esc", "up", "tab", "F5", "ctrl+r", "alt+x"] {
            guard let key = Key(name: name) else { continue }
            let isTaken = field.handle(key)
            #expect(!isTaken, "\(name)")
        }
    }

    @Test func pastedLinesBecomeOneAndMarksJoinTheirLetter() {
        var field = TextField("")
        field.insert("a\nb\u{1B}[2J")
        #expect(field.text == "a b")
        field.text = "e"
        _ = field.handle(Key(Character("\u{301}")))
        #expect(field.characters.count == 1)
        #expect(field.cursor == 1)
    }

    @Test func aLongTextScrollsSoThatTheCursorShows() {
        var grid = CellGrid(size: Size(columns: 6, rows: 1))
        let field = TextField("abcdefghij")
        #expect(field.draw(into: &grid, grid.bounds, style: .plain) == Point(x: 5, y: 0))
        #expect(grid.text() == ["…ghij"])
        let atHome = edited("abcdefghij", "home")
        #expect(atHome.draw(into: &grid, grid.bounds, style: .plain) == Point(x: 0, y: 0))
        #expect(grid.text() == ["abcde…"])
        let wide = TextField("月光落在窗台")
        #expect(wide.draw(into: &grid, grid.bounds, style: .plain) == Point(x: 5, y: 0))
        #expect(grid.text() == ["…窗台"])
    }

    @Test func aClickPutsTheCursorThere() {
        var field = TextField("月光ab")
        field.click(cell: 3, width: 20)
        #expect(field.cursor == 1)
        field.click(cell: 5, width: 20)
        #expect(field.cursor == 3)
        field.click(cell: 15, width: 20)
        #expect(field.cursor == 4)
    }
}

@Suite struct TextAreaTests {
    @Test func rowsWrapAtWordsAndBetweenWideCharacters() {
        let area = TextArea("the quick brown\nfox 月光落在")
        #expect(area.rows(width: 9).map { String(area.characters[$0]) } == ["the quick", " brown", "fox 月光", "落在"])
    }

    @Test func upAndDownGoThroughWrappedRowsAndKeepTheirColumn() {
        var area = TextArea("abcdef\nab\nabcdef")
        _ = area.handle(Key(.up), width: 20)
        #expect(area.cursor == 9)
        _ = area.handle(Key(.up), width: 20)
        #expect(area.cursor == 6)
        let isAtTop = area.handle(Key(.up), width: 20)
        #expect(!isAtTop)
    }

    @Test func theCursorIsDrawnInItsRow() {
        var grid = CellGrid(size: Size(columns: 6, rows: 3))
        var area = TextArea("one two three")
        #expect(area.draw(into: &grid, grid.bounds, style: .plain) == Point(x: 5, y: 2))
        area.insertNewline()
        #expect(area.draw(into: &grid, grid.bounds, style: .plain).x == 0)
        #expect(area.text == "one two three\n")
    }

    @Test func lineKeysActOnTheLine() {
        var area = TextArea("abc\ndef")
        _ = area.handle(Key("u", .control), width: 10)
        #expect(area.text == "abc\n")
        _ = area.handle(Key(.backspace), width: 10)
        #expect(area.text == "abc")
    }
}

@Suite struct ListTests {
    @Test func theSelectionStaysVisible() {
        var state = ListState()
        for _ in 0..<12 { _ = state.handle(Key("j"), count: 20, visible: 5) }
        #expect(state.selection == 12)
        #expect(state.firstVisible(count: 20, visible: 5) == 8)
        _ = state.handle(Key("g"), count: 20, visible: 5)
        #expect(state.firstVisible(count: 20, visible: 5) == 0)
        state.selection = 19
        #expect(state.firstVisible(count: 20, visible: 5) == 15)
        state.clamp(count: 3)
        #expect(state.selection == 2)
        #expect(state.firstVisible(count: 3, visible: 5) == 0)
    }

    @Test func anEmptyListIsHarmless() {
        var state = ListState()
        _ = state.handle(Key(.end), count: 0, visible: 5)
        #expect(state.selection == 0)
        var grid = CellGrid(size: Size(columns: 5, rows: 2))
        #expect(state.draw(into: &grid, grid.bounds, count: 0, isFocused: true, theme: .dark()) { _, _, _, _ in }.isEmpty)
    }
}

@Suite struct ScrollTextTests {
    private func drawn(_ log: ScrollText, rows: Int = 3) -> [String] {
        var grid = CellGrid(size: Size(columns: 9, rows: rows))
        log.draw(into: &grid, grid.bounds, theme: .dark())
        return grid.text().map { String($0.prefix(8)).filter { $0 != " " } }
    }

    @Test func itFollowsUntilOneScrollsAwayAndAgainAtTheEnd() {
        var log = ScrollText()
        for index in 1...10 { log.append("line \(index)") }
        #expect(drawn(log) == ["line8", "line9", "line10"])
        log.scroll(by: -2, visibleRows: 3)
        #expect(!log.isFollowing)
        log.append("line 11")
        #expect(drawn(log) == ["line6", "line7", "line8"])
        log.scroll(by: 99, visibleRows: 3)
        #expect(log.isFollowing)
        #expect(drawn(log).last == "line11")
    }

    @Test func oldLinesGoWhenItIsFull() {
        var log = ScrollText(capacity: 16)
        for index in 1...100 { log.append("\(index)") }
        #expect(log.count <= 16)
        #expect(drawn(log).last == "100")
    }

    @Test func searchGoesFromTheNewestBackwards() {
        var log = ScrollText()
        for index in 1...20 { log.append(index % 5 == 0 ? "Five \(index)" : "\(index)") }
        let isFound = log.search("five", visibleRows: 3)
        #expect(isFound)
        #expect(drawn(log).contains("Five20"))
        log.findNext(backwards: true, visibleRows: 3)
        #expect(drawn(log).contains("Five15"))
        log.findNext(backwards: false, visibleRows: 3)
        #expect(drawn(log).contains("Five20"))
        let isAbsent = !log.search("absent", visibleRows: 3)
        #expect(isAbsent)
        #expect(ScrollText.occurrences(of: "ab", in: "月ABxab") == [2..<4, 5..<7])
    }

    @Test func linesBelowTheRankAreHidden() {
        var log = ScrollText()
        log.append("debug", rank: 0)
        log.append("info", rank: 1)
        log.append("error", rank: 3)
        log.minimumRank = 2
        #expect(log.count == 1)
        log.minimumRank = 0
        #expect(log.count == 3)
    }
}

@Suite struct StripTests {
    @Test func theActiveTabStandsInBrackets() {
        var grid = CellGrid(size: Size(columns: 40, rows: 1))
        let hits = TabsBar.draw(into: &grid, grid.bounds, titles: ["1 Train", "2 Chat"], active: 1, note: "idle", theme: .dark())
        #expect(grid.text() == ["  1 Train [2 Chat]                 idle"])
        #expect(hits == [Rect(x: 1, y: 0, width: 9, height: 1), Rect(x: 10, y: 0, width: 8, height: 1)])
    }

    @Test func theFooterLeavesOutWhatMattersLeast() {
        let hints = [
            FooterHint(key: "⏎", label: "edit", priority: 5), FooterHint(key: "/", label: "find", priority: 1),
            FooterHint(key: "F5", label: "start", priority: 9), FooterHint(key: "q", label: "quit", priority: 8, isTrailing: true),
        ]
        func footer(_ columns: Int) -> String {
            var grid = CellGrid(size: Size(columns: columns, rows: 1))
            FooterBar.draw(into: &grid, grid.bounds, hints: hints, theme: .dark())
            return grid.text()[0]
        }
        #expect(footer(40) == " ⏎ edit  / find  F5 start        q quit")
        #expect(footer(28) == " ⏎ edit  F5 start    q quit")
        #expect(footer(12) == " F5 start")
    }

    @Test func barsFillByEighths() {
        func bar(_ share: Double) -> String {
            var grid = CellGrid(size: Size(columns: 6, rows: 1))
            ProgressBar.draw(into: &grid, grid.bounds, share: share, theme: .dark())
            return grid.text()[0]
        }
        #expect(bar(0) == "▕    ▏")
        #expect(bar(0.5) == "▕██  ▏")
        #expect(bar(0.54) == "▕██▏ ▏")
        #expect(bar(1) == "▕████▏")
        #expect(bar(7) == "▕████▏")
        #expect(bar(.nan) == "▕    ▏")
    }

    @Test func aSparklineShowsTheNewestValues() {
        var grid = CellGrid(size: Size(columns: 4, rows: 1))
        Sparkline.draw(into: &grid, grid.bounds, values: [9, 0, 1, .nan, 2], style: .plain)
        #expect(grid.text() == ["▁▅ █"])
    }

    @Test func aTableMarksItsSortingColumn() {
        var grid = CellGrid(size: Size(columns: 20, rows: 3))
        let table = Table(
            columns: [.init("run"), .init("loss", .fixed(8), alignment: .trailing)], sortOrder: .init(column: 1, isAscending: false))
        let hits = table.draw(into: &grid, grid.bounds, count: 2, state: ListState(), isFocused: true, theme: .dark()) { row, column in
            (column == 0 ? "run-\(row)" : "1.\(row)", nil)
        }
        #expect(grid.text() == ["run            loss▼", "run-0            1.0", "run-1            1.1"])
        #expect(hits.rows.count == 2)
        #expect(hits.header.count == 2)
    }
}

@Suite struct FuzzyTests {
    private let names = ["learning_rate", "lora_rank", "lr_scheduler_type", "per_device_train_batch_size", "max_grad_norm", "early_stopping_steps"]

    @Test(arguments: [
        ("lrate", "learning_rate"), ("lr", "lr_scheduler_type"), ("rank", "lora_rank"), ("bs", "per_device_train_batch_size"),
        ("gn", "max_grad_norm"), ("rate lea", "learning_rate"), ("pdtbs", "per_device_train_batch_size"),
    ])
    func fewLettersFindTheName(_ pattern: String, _ expected: String) {
        let best = FuzzyMatcher(pattern: pattern).rank(names) { $0 }.first
        #expect(best.map { names[$0.index] } == expected)
    }

    @Test func lettersOutOfOrderDoNotMatch() {
        #expect(FuzzyMatcher(pattern: "etar").match("rate") == nil)
        #expect(FuzzyMatcher(pattern: "X").match("xyz") == nil)
        #expect(FuzzyMatcher(pattern: "x").match("XYZ") != nil)
        #expect(FuzzyMatcher(pattern: "").match("anything")?.positions == [])
    }

    @Test func matchedLettersAreSetOff() {
        var grid = CellGrid(size: Size(columns: 10, rows: 1))
        let match = FuzzyMatcher(pattern: "光b").match("月光ab")
        #expect(match?.positions == [1, 3])
        grid.put("月光ab", at: Point(x: 0, y: 0), style: .plain, highlighting: match?.positions ?? [], highlight: Style(attributes: .bold), maxWidth: 10)
        #expect(grid.styleMap().rows == ["..aa.a...."])
    }
}
