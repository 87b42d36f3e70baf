/// The board as a conversation by lines: for screen readers, dumb terminals and pipes. No boxes, no colours, nothing is redrawn.

import Board
import Configuration
import Platform
import Runs
import Terminal

final class PlainBoard {
    private let terminal: PlainBackend
    private let signals = SignalListener()
    private let runner = JobRunner()
    private var forms: Forms

    init(_ options: BoardLauncher.Options) {
        var words = PlainBackend.Words()
        words.number = board("number")
        words.yesOrNo = board("(yes or no)")
        words.notYesOrNo = board("Please answer yes or no.")
        words.noSuchNumber = { board("Please type a number from 1 to \($0), or nothing to go back.") }
        terminal = PlainBackend(words: words, columns: Output.isOutputTerminal ? Output.columns : nil)
        let start = BoardLauncher.firstForms(recipe: options.recipe)
        forms = start.forms
        if let problem = start.problem { terminal.say(problem) }
    }

    /// Asks what to do until the input ends or the user leaves.
    func run() -> Int32 {
        terminal.say(board("Tuneboard, plain mode. Every question takes a number or a text and ⏎; an empty line goes back."))
        let pages: [Tab] = [.train, .evaluate, .chat, .export]
        let choices = pages.map { board(key: $0.title) } + [board("List the runs"), board("Quit")]
        while let choice = terminal.choose(board("What do you want to do?"), from: choices) {
            switch choice {
            case 0..<pages.count: page(pages[choice])
            case pages.count: listRuns()
            default: return ExitCode.done
            }
        }
        return ExitCode.done
    }

    // MARK: A page

    private func page(_ tab: Tab) {
        while true {
            let problems = forms[tab].configuration.validate(for: tab.command)
            let errors = problems.filter { $0.severity == .error }
            terminal.say("\(board(key: tab.title)): " + (errors.isEmpty ? board("ready to start") : board("errors: \(errors.count)")))
            for problem in problems { terminal.say((problem.severity == .error ? "  ✗ " : "  ! ") + problem.words) }
            let actions = [
                board("Start"), board("Show the values"), board("Change a value"), board("Load a recipe"), board("Save the form as a recipe"),
                board("Show the command line"),
            ]
            guard let choice = terminal.choose("", from: actions) else { return }
            switch choice {
            case 0: errors.isEmpty ? start(tab) : terminal.say(board("Mend the errors first."))
            case 1: showValues(tab)
            case 2: changeValue(tab)
            case 3: loadRecipe(tab)
            case 4: saveRecipe(tab)
            default: terminal.show(forms[tab].configuration.commandLine(tab.command, style: .minimal))
            }
        }
    }

    /// What was set first: all of it is hundreds of lines.
    private func showValues(_ tab: Tab) {
        let count = listValues(tab) { forms[tab].configuration.isSet($0) }
        if count == 0 { terminal.say(board("Everything has its default.")) }
        guard terminal.confirm(board("Show the others too, which have their defaults?")) else { return }
        listValues(tab) { !forms[tab].configuration.isSet($0) }
    }

    @discardableResult
    private func listValues(_ tab: Tab, where isShown: (String) -> Bool) -> Int {
        var count = 0
        for section in FormLayout.layout(for: tab).sections {
            let arguments = section.arguments.filter(isShown).compactMap(ArgumentTable.argument(named:))
            if !arguments.isEmpty { terminal.say("\(board(key: section.title)):") }
            for argument in arguments {
                let text = forms[tab].configuration.text(argument.name)
                var line = "  \(argument.name): " + (argument.isSecret && !text.isEmpty ? "••••" : text.isEmpty ? board("none") : text)
                if let reason = argument.applies(forms[tab].configuration) { line += "  (\(board("does not apply: \(Board.say(engine: reason))")))" }
                terminal.say(line)
            }
            count += arguments.count
        }
        return count
    }

    private func changeValue(_ tab: Tab) {
        guard let text = terminal.ask(board("name of the value")), !text.isEmpty else { return }
        guard let argument = FieldLabel.argument(called: text, on: tab) else {
            let near = ArgumentTable.all.filter { $0.commands.contains(tab.command) && $0.name.contains(text.lowercased()) }.prefix(8).map(\.name)
            terminal.say(near.isEmpty ? board("There is no such value.") : board("There is no such value. Near: \(near.joined(separator: ", "))"))
            return
        }
        let name = argument.name
        if case .elsewhere(let reason) = argument.support {
            terminal.say(board("\(name) is not available here: \(Board.say(engine: reason))"))
            return
        }
        terminal.say(FieldLabel.help(argument))
        terminal.say(argument.allowedWords)
        guard let text = terminal.ask(board("new value, - for none"), preset: forms[tab].configuration.text(name)) else { return }
        do {
            var configuration = forms[tab].configuration
            if text == "-" { configuration.reset(name) } else { try configuration.set(name, text: text) }
            replace(tab, configuration)
            terminal.say("\(name): \(configuration.text(name))")
        } catch {
            terminal.say("✗ " + Board.say(engine: String(describing: error), about: argument))
        }
    }

    private func replace(_ tab: Tab, _ configuration: Configuration) {
        forms[tab] = FormState(tab: tab, configuration: configuration, recipePath: forms[tab].recipePath)
    }

    private func loadRecipe(_ tab: Tab) {
        guard let path = terminal.ask(board("file"), preset: forms[tab].recipePath ?? ""), !path.isEmpty else { return }
        do {
            replace(tab, try Configuration.load(file: path, overrides: []))
            terminal.say(board("Loaded \(path)"))
        } catch {
            terminal.say("✗ " + Board.say(engine: error.description))
        }
    }

    private func saveRecipe(_ tab: Tab) {
        guard let path = terminal.ask(board("file"), preset: "recipes/mine.yaml"), !path.isEmpty else { return }
        if FileSystem.exists(path), !terminal.confirm(board("Replace \(path)?")) { return }
        do {
            let folder = Path.directory(path)
            if !folder.isEmpty, folder != ".", !FileSystem.exists(folder) { try FileSystem.createDirectory(folder) }
            try FileSystem.writeAtomically(path, text: forms[tab].configuration.yaml())
            terminal.say(board("Saved \(path)"))
        } catch {
            terminal.say("✗ \(error)")
        }
    }

    // MARK: Starting

    private func start(_ tab: Tab) {
        guard let configuration = allowed(tab) else { return }
        if tab == .chat {
            chat(configuration)
            return
        }
        let jobs =
            switch tab {
            case .train, .monitor: JobSequence.train(configuration)
            case .evaluate: JobSequence.evaluate(configuration)
            case .chat, .export: [PlannedJob(kind: .export, configuration: configuration)]
            }
        terminal.say(board("Ctrl+C stops and saves, twice aborts."))
        for job in jobs {
            do {
                let code = try JobPrinter(isJSON: false, isPlain: true).follow(signals) { [runner] wake throws(RunError) in
                    try runner.start(job.kind, job.configuration, wake: wake)
                }
                guard code == ExitCode.done else { return }
            } catch {
                terminal.say("✗ " + Board.say(engine: error.description))
                return
            }
        }
        if tab == .train { adoptResult(configuration) }
    }

    /// What the page starts, once it is known what becomes of a run that lies in its folder; nil when it is not to be started.
    private func allowed(_ tab: Tab) -> Configuration? {
        let configuration = forms[tab].configuration
        guard tab == .train, let earlier = EarlierRun.inTheWay(of: JobSequence.train(configuration)) else { return configuration }
        let ways = Takeover.ways(with: earlier)
        guard let choice = terminal.choose(Takeover.question(earlier, ways), from: ways.map(\.label) + [board("Cancel")]), ways.indices.contains(choice)
        else { return nil }
        let chosen = ways[choice].applied(to: configuration)
        // The form follows to a new folder; what is decided about the old one is decided for this once.
        if case .elsewhere = ways[choice] { replace(tab, chosen) }
        return chosen
    }

    /// What was just trained is what one wants to talk to, measure and export next.
    private func adoptResult(_ trained: Configuration) {
        let output = trained.text("output_dir")
        let isAdapter = FileSystem.exists(Path.join(output, "adapter_config.json"))
        for tab in [Tab.evaluate, .chat, .export] {
            var configuration = forms[tab].configuration
            try? configuration.set("model_name_or_path", text: isAdapter ? trained.text("model_name_or_path") : output)
            if isAdapter { try? configuration.set("adapter_name_or_path", text: output) } else { configuration.reset("adapter_name_or_path") }
            replace(tab, configuration)
        }
    }

    private func listRuns() {
        let runs = RunCatalog.scan()
        if runs.isEmpty { terminal.say(board("There are no runs under saves/ yet.")) }
        for run in runs {
            terminal.say("\(run.directory.path): \(board(key: run.status.rawValue)), " + board("step \(run.step) of \(run.totalSteps)"))
        }
    }

    private func chat(_ configuration: Configuration) {
        let session = ChatSession(configuration, isJSON: false, signals: signals, isPlain: true)
        guard session.load() else { return }
        _ = ChatPrompt(session, read: { [terminal] in terminal.readLine() }).run()
        session.close()
    }
}

/// The board's words in the language of this session. `say` is the terminal's here.
private func board(_ phrase: Phrase) -> String { Board.say(phrase) }
private func board(key: String) -> String { Board.say(key: key) }
