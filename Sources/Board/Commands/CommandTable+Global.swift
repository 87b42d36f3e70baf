import Events
import Terminal

extension CommandTable {
    /// Keys by their names, as they are written in the tables below.
    static func keys(_ names: String...) -> [Key] { names.compactMap { Key(name: $0) } }

    static let global: [BoardCommand] = [
        BoardCommand("board.help", "Help: every key, searchable", keys: keys("f1"), in: [.anywhere]) { $0.openHelp() },
        BoardCommand("board.help.page", "Help: every key, searchable", label: "help", keys: keys("?"), in: [.page, .overlay, .dialog, .jump], rank: 90) {
            $0.openHelp()
        },
        // Where letters are text the footer names the key that works there as well.
        BoardCommand("board.help.typing", "Help: every key, searchable", label: "help", keys: [],
            in: [.message, .picker, .prompt, .editor, .fieldEdit, .formFilter, .runsFilter, .logSearch], rank: 90) { $0.openHelp() },
        BoardCommand("board.palette", "Command palette", keys: keys("ctrl+p"), in: [.anywhere]) { $0.openPalette() },
        BoardCommand("board.palette.page", "Command palette", label: "cmd", keys: keys(":"), in: [.page, .overlay], rank: 91) {
            $0.openPalette()
        },
        BoardCommand("board.quit", "Quit; asks while a job runs", label: "quit", keys: keys("q"), in: [.page], rank: 92) {
            $0.requestQuit()
        },
        BoardCommand("board.cancel", "Cancel, then offer to quit", keys: keys("ctrl+c"), in: [.anywhere]) {
            $0.cancelCurrent()
        },
        BoardCommand("board.repaint", "Repaint the screen", keys: keys("ctrl+l"), in: [.anywhere]) { _ in [.repaint] },
        BoardCommand("board.suspend", "Suspend to the shell", keys: keys("ctrl+z"), in: [.anywhere]) { $0.requestSuspend() },
        BoardCommand("board.detach", "Detach: leave the board, the job goes on", label: "detach", keys: keys("d"), in: [.page], rank: 20, onlyWhenPossible: true,
            refusal: { $0.runningJob == nil ? say("There is nothing to detach from: no job runs here.") : nil },
            perform: { _ in [.detach] }),
        BoardCommand("board.theme", "Theme: choose with preview", keys: keys("T"), in: [.page]) { $0.openThemes() },
        BoardCommand("board.jump", "Jump: type the label of a field or list row", keys: keys(";"), in: [.page],
            refusal: { $0.jumpRefusal() }, perform: { $0.openJump() }),
        BoardCommand("jump.leave", "Leave without jumping", label: "leave", keys: keys("escape", "ctrl+c"), in: [.jump], rank: 1) {
            $0.closeOverlay()
        },
        BoardCommand("board.language", "Next language: English, 中文, Русский, 한국어, 日本語", keys: keys("alt+l"), in: [.anywhere]) {
            $0.speakNextLanguage()
        },
        BoardCommand("catalog.refresh", "Look for models, datasets and runs again", keys: keys("ctrl+f"), in: [.page]) { $0.rescan() },
    ]

    static let pages: [BoardCommand] = Tab.allCases.map { tab in
        BoardCommand("tab.\(tab.title.lowercased())", "Go to \(tab.title)",
            keys: keys("alt+\(tab.number)", "f\(tab.number + 5)"), in: [.anywhere], perform: { $0.goOn(to: tab) })
    } + Tab.allCases.map { tab in
        // The footer names a page where it is the next thing to go to.
        BoardCommand("tab.\(tab.title.lowercased()).page", "Go to \(tab.title)", label: nextLabels[tab], keys: keys("\(tab.number)"), in: [.page],
            rank: 0, hinted: { $0.isNext(tab) }, perform: { $0.goOn(to: tab) })
    } + [
        BoardCommand("tab.next", "Next page", keys: keys("]"), in: [.page]) { $0.select($0.tab.following(by: 1)) },
        BoardCommand("tab.previous", "Previous page", keys: keys("["), in: [.page]) { $0.select($0.tab.following(by: -1)) },
        BoardCommand("pane.next", "Next pane", label: "pane", keys: keys("tab"), in: [.page, .message], rank: 80,
            hinted: { $0.availablePanes.count > 1 }, perform: { $0.moveFocus(by: 1) }),
        BoardCommand("pane.previous", "Previous pane", keys: keys("shift+tab"), in: [.page, .message]) { $0.moveFocus(by: -1) },
    ]

    private static let nextLabels: [Tab: String] = [.train: "train", .evaluate: "evaluate", .chat: "chat", .export: "export"]

    static let lists: [BoardCommand] = [
        BoardCommand("list.up", "Up", keys: keys("up"), in: [.list, .textList]) { $0.move(.up) },
        BoardCommand("list.up.letter", "Up", keys: keys("k"), in: [.list]) { $0.move(.up) },
        BoardCommand("list.down", "Down", keys: keys("down"), in: [.list, .textList]) { $0.move(.down) },
        BoardCommand("list.down.letter", "Down", keys: keys("j"), in: [.list]) { $0.move(.down) },
        BoardCommand("list.pageUp", "Page up", keys: keys("pageup"), in: [.list, .textList]) { $0.move(.pageUp) },
        BoardCommand("list.pageDown", "Page down", keys: keys("pagedown"), in: [.list, .textList]) { $0.move(.pageDown) },
        BoardCommand("list.first", "First", keys: keys("home", "g"), in: [.list]) { $0.move(.first) },
        BoardCommand("list.last", "Last", keys: keys("end", "G"), in: [.list]) { $0.move(.last) },
        BoardCommand("overlay.close", "Close", label: "close", keys: keys("escape", "q"), in: [.overlay], rank: 89) { $0.closeOverlay() },
    ]

    static let jobs: [BoardCommand] = [
        BoardCommand("job.start", "Start what the form describes", label: "start", keys: keys("f5", "ctrl+r"), in: [.formPage], rank: 3,
            onlyWhenPossible: true,
            refusal: { $0.startRefusal() }, perform: { $0.requestStart($0.tab) }),
        BoardCommand("job.stop", "Stop and save; twice: abort now", label: "stop", keys: keys("x"), in: [.page], rank: 2,
            onlyWhenPossible: true,
            refusal: { $0.controlRefusal("stop") }, perform: { $0.requestStop() }),
        BoardCommand("job.pause", "Pause or resume the job", label: "pause", keys: keys("p"), in: [.page], rank: 2,
            onlyWhenPossible: true, relabelled: { $0.steeredRun?.state == .paused && !($0.isTalking && !$0.staysPaused) ? "resume" : nil },
            refusal: { $0.controlRefusal("pause") }, perform: { $0.togglePause() }),
        BoardCommand("job.pause.space", "Pause or resume the job", keys: keys("space"), in: [.chart, .log],
            refusal: { $0.controlRefusal("pause") }, perform: { $0.togglePause() }),
        BoardCommand("job.save", "Save a checkpoint now", label: "ckpt", keys: keys("S"), in: [.page], rank: 7,
            onlyWhenPossible: true,
            refusal: { $0.controlRefusal("save") }, perform: { $0.requestCheckpoint() }),
        BoardCommand("preview.copy", "Copy the command line", label: "copy", keys: keys("y"), in: [.formPage, .preview], rank: 13) {
            $0.copyPreview()
        },
        BoardCommand("preview.write", "Write the command or YAML to a file", keys: keys("Y"), in: [.formPage, .preview]) {
            $0.promptForPreviewFile()
        },
        BoardCommand("preview.open", "Preview the command and the YAML", label: "view", keys: keys("v"), in: [.formPage, .chatForm],
            rank: 14) { $0.openPreview() },
        BoardCommand("recipe.save", "Save the form as a recipe", label: "save", keys: keys("w"), in: [.formPage, .chatForm], rank: 12) {
            $0.promptForRecipe()
        },
        BoardCommand("recipe.load", "Load a recipe or a run's configuration", label: "load", keys: keys("L"),
            in: [.formPage, .chatForm], rank: 11) { $0.openPicker(.recipes) },
    ]
}
