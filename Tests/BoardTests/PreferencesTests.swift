import Configuration
import Events
import Platform
import Terminal
import Testing

@testable import Board

@Suite struct PreferencesTests {
    @Test func `settings and keys are read`() {
        let text = """
            # mine
            theme = harbour   # evenings
            language = "zh"
            start_tab = monitor
            mouse = off
            [keys]
            board.quit = ctrl+q
            chart.follow = none
            chart.zoomIn = + ctrl+up
            form.filter = #
            """
        let preferences = Preferences.parse(text, file: "board.conf")
        #expect(preferences.problems == [])
        #expect(preferences.theme == "harbour" && preferences.language == .chinese && preferences.usesMouse == false)
        #expect(preferences.startTab == .tab(.monitor))
        #expect(preferences.keys["chart.follow"] == [])
        #expect(preferences.keys["form.filter"] == [Key("#")])
        #expect(preferences.keys["chart.zoomIn"]?.count == 2)
    }

    @Test func `mistakes are told with their line and the rest holds`() {
        let text = """
            them = x
            language = tlh
            start_tab = kitchen
            mouse = perhaps
            [colours]
            no equals
            [keys]
            board.qiut = q
            board.quit = ctrl+alt+delete+x
            theme = y
            chart.log = L
            """
        let preferences = Preferences.parse(text, file: "board.conf")
        #expect(preferences.problems.map(\.line) == [1, 2, 3, 4, 5, 6, 8, 9, 10])
        #expect(preferences.problems[6].message.contains("board.quit"))
        #expect(preferences.keys == ["chart.log": [Key("L")]])
    }

    @Test func `the user's keys dispatch and are shown`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.keyBindings = KeyBindings(["board.help.page": [Key("g", .control)], "board.quit": []])
        state.press("?")
        #expect(state.overlays.isEmpty)
        state.press("ctrl+g")
        guard case .help = state.overlays.last else {
            Issue.record("the help did not open")
            return
        }
        state.overlays = []
        let footer = GoldenFrames.lines(state).last ?? ""
        #expect(footer.contains("^G help"))
    }

    @Test func `what is remembered comes back, and secrets do not`() throws {
        let folder = try FileSystem.createTemporaryDirectory(prefix: "board-")
        defer { try? FileSystem.removeTree(folder) }
        let file = Path.join(folder, "state/board.json")
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("5")
        state.themeName = "harbour"
        state.wording = Wording(.japanese)
        state.chart.smoothing = 0.6
        state.splits = ["train": 0.4]
        try? state.forms.train.configuration.set("learning_rate", text: "3e-4")
        try? state.forms.train.configuration.set("swanlab_api_key", text: "hush")
        try Remembered(state).save(file: file, folder: "/somewhere")
        try Remembered(state).save(file: file, folder: "/elsewhere")
        #expect(!(try FileSystem.readText(file)).contains("hush"))

        let kept = Remembered.load(file: file, folder: "/somewhere")
        #expect(kept.tab == .monitor && kept.theme == "harbour" && kept.language == .japanese && kept.splits == ["train": 0.4])
        var fresh = BoardFixture.state(columns: 80, rows: 24)
        kept.restore(&fresh)
        #expect(fresh.forms.train.configuration.text("learning_rate") == "0.0003")
        #expect(fresh.chart.smoothing == 0.6)
        #expect(Remembered.load(file: file, folder: "/never").forms.isEmpty)
    }

    @Test(arguments: ["", "{", "[]", "{\"folders\": 3}", "{\"theme\": {}, \"folders\": {\"/a\": {\"tab\": 99, \"splits\": {\"train\": 7}}}}"])
    func `a broken memory counts as none`(_ text: String) throws {
        let folder = try FileSystem.createTemporaryDirectory(prefix: "board-")
        defer { try? FileSystem.removeTree(folder) }
        let file = Path.join(folder, "board.json")
        try FileSystem.writeAtomically(file, text: text)
        let kept = Remembered.load(file: file, folder: "/a")
        #expect(kept == Remembered())
        try Remembered(BoardFixture.state(columns: 80, rows: 24)).save(file: file, folder: "/a")
        #expect(Remembered.load(file: file, folder: "/a").tab == .train)
    }

    @Test func `a theme is shown while the cursor is on it and comes back on Esc`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.themeNames = ["auto", "dark", "harbour"]
        func theme(_ effects: [Effect]) -> String? { effects.compactMap { if case .useTheme(let name) = $0 { name } else { nil } }.last }
        #expect(theme(state.press("T")) == nil)
        #expect(theme(state.press("down")) == "dark")
        #expect(theme(state.press("down")) == "harbour")
        #expect(theme(state.press("escape")) == "auto")
        state.press("T")
        state.press("down")
        #expect(theme(state.press("enter")) == nil)
        #expect(state.themeName == "dark")
    }

    @Test func `a jump label leads to its field`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press(";")
        guard case .jump(let jump) = state.overlays.last,
            let index = jump.targets.firstIndex(of: .formRow(.train, .field("template")))
        else {
            Issue.record("no label for the template")
            return
        }
        state.type(jump.labels[index])
        #expect(state.overlays.isEmpty)
        #expect(state.forms.train.selection == .field("template"))
        state.press("; escape")
        #expect(state.overlays.isEmpty)
        state.press(";")
        state.type("9")
        #expect(state.overlays.isEmpty)
    }

    @Test func `an edge is dragged and keeps within the page`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        let region = BoardView.draw(state, theme: .dark()).hits.first { if case .split = $0.target { true } else { false } }
        guard let region else {
            Issue.record("no edge to drag")
            return
        }
        let before = state.layout.train.form.width
        _ = update(&state, .mouse(MouseEvent(point: region.rect.origin, kind: .press, button: .left, modifiers: []), region.target))
        for x in [40, -5, 500, 35] {
            _ = update(&state, .mouse(MouseEvent(point: Point(x: x, y: 5), kind: .drag, button: .left, modifiers: []), nil))
            for line in GoldenFrames.lines(state) { #expect(TextWidth.width(of: line) <= 80) }
        }
        _ = update(&state, .mouse(MouseEvent(point: Point(x: 35, y: 5), kind: .release, button: .left, modifiers: []), nil))
        #expect(state.layout.train.form.width < before)
        let width = state.layout.train.form.width
        _ = update(&state, .mouse(MouseEvent(point: Point(x: 60, y: 5), kind: .drag, button: .left, modifiers: []), nil))
        #expect(state.layout.train.form.width == width)
    }
}

/// The answers of finished evaluations, looked through side by side.
@Suite struct SampleTests {
    @Test func `two marked results are read side by side, the worst first on request`() {
        var state = BoardFixture.state(columns: 100, rows: 30)
        state.press("2 tab")
        guard state.evaluationResults.count >= 2 else {
            Issue.record("the fixture has fewer than two results")
            return
        }
        state.press("space down space")
        let effects = state.press("enter")
        let asked = effects.compactMap { if case .loadPredictions(let directory) = $0 { directory } else { nil } }
        #expect(asked.count == 2)
        for (number, directory) in asked.enumerated() {
            let samples = (0..<3).map { index in
                PredictionSample(
                    index: index, prompt: "q\(index)", label: "l\(index)", prediction: "answer \(number)-\(index)",
                    scores: ["rouge-l": [50.0, 10, 90][index]])
            }
            _ = update(&state, .predictionsLoaded(directory: directory, samples))
        }
        var text = GoldenFrames.lines(state).joined(separator: "\n")
        #expect(text.contains("answer 0-0") && text.contains("answer 1-0"))
        state.press("s")
        text = GoldenFrames.lines(state).joined(separator: "\n")
        #expect(text.contains("answer 0-1"))
        state.press("n n n")
        text = GoldenFrames.lines(state).joined(separator: "\n")
        #expect(text.contains("answer 0-2"))
    }
}
