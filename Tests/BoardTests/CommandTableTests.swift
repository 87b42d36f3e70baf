import Terminal
import Testing

@testable import Board

@Suite struct CommandTableTests {
    @Test func `identifiers are unique and every command has keys that exist`() {
        let identifiers = CommandTable.all.map(\.identifier)
        #expect(identifiers.count == Set(identifiers).count)
        for command in CommandTable.all where command.identifier != "board.help.typing" {
            #expect(!command.keys.isEmpty, "\(command.identifier) has no key")
        }
    }

    @Test func `no key means two things in one context`() {
        for context in Context.allCases {
            var owners: [Key: String] = [:]
            for command in CommandTable.all where command.contexts.contains(context) {
                for key in command.keys {
                    if let other = owners[key] { Issue.record("\(key.label) in \(context): \(other) and \(command.identifier)") }
                    owners[key] = command.identifier
                }
            }
        }
    }

    @Test func `nothing needs the prefixes of screen and tmux`() {
        for command in CommandTable.all {
            for key in command.keys { #expect(key != Key("a", .control) && key != Key("b", .control)) }
        }
    }

    @Test func `every function key has another key for the same thing`() {
        for command in CommandTable.all {
            for key in command.keys {
                guard case .function = key.code else { continue }
                let others = CommandTable.keys(of: command).filter { if case .function = $0.code { false } else { true } }
                #expect(!others.isEmpty || command.identifier == "chat.reload", "\(command.identifier) has only \(key.label)")
            }
        }
    }

    @Test func `the palette holds every command, what can be done here first`() {
        var state = BoardFixture.state(columns: 160, rows: 45)
        state.press(":")
        guard case .palette(let list) = state.overlays.last else { return }
        let commands = state.entries(of: list).compactMap { if case .command(let command) = $0 { command } else { nil } }
        let titles = Set(commands.map(\.title))
        for command in CommandTable.all where !command.contexts.contains(.commandList) && !command.keys.isEmpty {
            #expect(titles.contains(command.title))
        }
        let beneath = state.beneathList
        let ranks = commands.map { state.isHere($0, list) ? $0.refusal(beneath) == nil ? 0 : 1 : 2 }
        #expect(ranks == ranks.sorted())
    }

    @Test func `the help shows what works here by pane, and finds the rest when one types`() {
        var state = BoardFixture.state(columns: 160, rows: 45)
        state.press("5 tab ?")
        guard case .help(let list) = state.overlays.last else { return }
        let groups = state.helpGroups(of: list)
        #expect(groups.map(\.title) == ["Runs", "Lists", "Monitor", "Everywhere"] || groups.first?.title == "Runs")
        #expect(groups.last?.title == "Everywhere")
        for group in groups { for command in group.commands { #expect(state.isHere(command, list), "\(command.identifier)") } }
        #expect(Set(groups.flatMap { $0.commands.map(\.title) }).count == groups.reduce(0) { $0 + $1.commands.count })
        state.type("logarithmic")
        guard case .help(let searched) = state.overlays.last else { return }
        guard case .command(let found)? = state.entries(of: searched).first else { return #expect(Bool(false), "nothing found") }
        #expect(found.identifier == "chart.log")
    }

    @Test func `the footer follows what one does`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.catalog.runs = []
        state.press("5")
        #expect(GoldenFrames.lines(state).last?.hasPrefix(" 1 train ") == true)
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/demo-model/lora/quickstart"))
        _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: 20, of: 20)))
        #expect(GoldenFrames.lines(state).last?.hasPrefix(" x stop  p pause  + zoom  R runs ") == true)
        state.press("i")
        #expect(GoldenFrames.lines(state).last?.hasPrefix(" ← earlier  → later ") == true)
        state.press("i")
        _ = update(&state, .jobEvents([.state(.finished)]))
        #expect(GoldenFrames.lines(state).last?.hasPrefix(" 2 evaluate  3 chat  4 export ") == true)
    }

    @Test func `help finds an entry by its key and runs it`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("?")
        state.type("F5")
        state.press("enter")
        #expect(state.status?.text == "Starting…")
    }

    @Test func `the palette runs a command by a few letters`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press(":")
        state.type("gomon")
        state.press("enter")
        #expect(state.tab == .monitor)
    }

    @Test func `a command of another place says where it works`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press(":")
        state.type("logarithmic")
        state.press("enter")
        #expect(state.status?.text.contains("Monitor") == true)
    }

    @Test func `footers hold only commands of the context`() {
        for tab in Tab.allCases {
            var state = BoardFixture.state(columns: 80, rows: 24)
            state.press("\(tab.number)")
            for command in CommandTable.footer(in: state.contexts) {
                #expect(command.contexts.contains { state.contexts.contains($0) })
            }
        }
    }

    @Test func `the key list is written for people`() {
        let text = CommandTable.markdown()
        #expect(text.hasPrefix("# Keys\n"))
        #expect(text.contains("| `F5` `^R` |"))
    }

    @Test func `an unbound key says so instead of nothing`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("z")
        #expect(state.status?.text == "z does nothing here. ? lists the keys.")
    }

    @Test func `Esc and a function key typed at once are both obeyed`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("v")
        let effects = state.press("alt+f5")
        #expect(state.overlays.isEmpty)
        #expect(effects.contains { if case .startJob = $0 { true } else { false } })
    }

    @Test func `clicks select tabs, rows and footer commands`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        let frame = BoardView.draw(state, theme: .dark())
        func click(_ wanted: (HitTarget) -> Bool) {
            guard let region = frame.hits.last(where: { wanted($0.target) }) else {
                Issue.record("nothing to click on")
                return
            }
            let point = region.rect.origin
            _ = update(&state, .mouse(MouseEvent(point: point, kind: .press), frame.hits.target(at: point)))
        }
        click { $0 == .formRow(.train, .field("template")) }
        #expect(state.forms.train.selection == .field("template"))
        click { $0 == .command("form.filter") }
        #expect(state.forms.train.isFiltering)
        click { $0 == .tab(.monitor) }
        #expect(state.tab == .monitor)
    }
}
