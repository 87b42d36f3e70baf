import Configuration
import Glibc
import Platform
import Runs
import Terminal

/// Puts the board together with the real terminal and the real engine, runs it, and sees to what comes after it.
public enum BoardLauncher {
    public struct Options: Sendable {
        /// The recipe in the Train form at the start; nil takes `recipes/quickstart.yaml` where it exists.
        public var recipe: String?
        /// `auto`, a built-in theme, or the name of a file in `themes/`.
        /// Nil leaves it to the settings.
        public var theme: String?
        /// `en`, `zh`, `ru`, `ko` or `ja`; nil leaves it to the settings and the environment.
        public var language: Language?
        public var usesMouse = true
        /// Lines instead of a screen.
        public var isPlain = false

        public init() {}

        /// Options as `TUNEBOARD_THEME` and `TUNEBOARD_MOUSE=off` ask for them.
        public static func fromEnvironment() -> Options {
            var options = Options()
            options.theme = Environment.value("TUNEBOARD_THEME")
            options.language = Environment.value("TUNEBOARD_LANGUAGE").flatMap { Language(rawValue: $0) }
            options.usesMouse = Environment.value("TUNEBOARD_MOUSE") != "off"
            return options
        }
    }

    /// Runs the board until it is left, and then the job it was left with. Signals must be blocked and the process forked before.
    /// - Parameter goesOnAlone: called when the board is gone and its job goes on without a terminal.
    /// - Returns: the exit code.
    public static func run(
        _ options: Options, detachment: Detachment, goesOnAlone: (JobRunner) -> Void = { _ in }
    ) throws(TerminalError) -> Int32 {
        let preferences = Preferences.load()
        let folder = FileSystem.currentDirectory
        let remembered = preferences.remembers ? Remembered.load(folder: folder) : Remembered()
        let name = options.theme ?? preferences.theme ?? remembered.theme ?? "auto"
        // Asked before the screen opens, and only where the answer matters.
        let background = name == "auto" && Theme.environment("COLORFGBG") == nil ? TerminalBackground.ask() : nil
        var terminal = NcursesBackend.Options.fromEnvironment()
        terminal.usesMouse = options.usesMouse && preferences.usesMouse != false
        let backend = try NcursesBackend(options: terminal)
        let depth = backend.depth
        let folders = [themesFolder, UserFolders.configuration("themes")]
        let themes = { (name: String) -> (theme: Theme, problems: [ThemeSource.Problem]) in
            depth == .mono ? (Theme.named("mono", folder: "", depth: .mono).theme, []) : Theme.named(name, folders: folders, depth: depth, background: background)
        }
        let found = themes(name)
        let theme = found.theme
        var state = FirstState.make(size: backend.size, recipe: options.recipe)
        state.keyBindings = KeyBindings(preferences.keys)
        state.themeName = name
        state.shownTheme = name
        state.themeNames = ["auto"] + Theme.names(inFolders: folders)
        if options.recipe == nil { remembered.restore(&state) }
        // Of the forms as they are now: what was remembered may differ from the recipe.
        let startup = FirstState.lookups(&state)
        switch preferences.startTab {
        case .tab(let tab): state.tab = tab
        case .last: state.tab = remembered.tab ?? .train
        case nil: break
        }
        speak(options.language ?? preferences.language ?? remembered.language ?? Language.fromEnvironment(), &state)
        if let problem = found.problems.first { state.status = StatusMessage(.warning, String(describing: problem)) }
        let mistakes = preferences.problems
        if let first = mistakes.first {
            let more = mistakes.count > 1 ? " (\(mistakes.count - 1) more)" : ""
            state.status = StatusMessage(.warning, first.description + more)
        }
        let runner = JobRunner()
        let effects = RunsEffects(runner: runner, detachment: detachment)
        let program = BoardProgram(
            backend: backend, handler: effects, state: state, theme: theme, startup: startup,
            idleFile: Environment.value("TUNEBOARD_IDLE_FILE"), themes: themes)
        ThreadTurns.short()
        let outcome = program.run()
        // What cannot be written is not worth a word at the end.
        if preferences.remembers { try? Remembered(program.state).save(folder: folder) }
        backend.close()
        switch outcome {
        case .quit: return 0
        case .detached: detachment.detach(farewell: program.state.farewell)
        case .hungUp: detachment.hangUp()
        }
        goesOnAlone(runner)
        runner.current?.keepTrace()
        let last = program.state
        // What is written down for the next board speaks the language of this one.
        last.withSurroundings { effects.waitForJobs(isAtWork: last.runningJob != nil, claimed: last.queueStart, secrets: last.queueSecrets) }
        return 0
    }

    /// The forms that a session begins with, and what is wrong with the recipe that was asked for.
    public static func firstForms(recipe: String?) -> (forms: Forms, problem: String?) {
        let state = FirstState.make(size: Size(columns: 80, rows: 24), recipe: recipe)
        return (state.forms, state.status.flatMap { $0.kind == .failure ? $0.text : nil })
    }

    /// Runs `body` with the board's words in the language that is asked for.
    public static func speaking<Result>(_ options: Options, _ body: () -> Result) -> Result {
        let preferences = Preferences.load()
        let language = options.language ?? preferences.language ?? Language.fromEnvironment()
        return Wording.$current.withValue(Wording(language, userFolder: UserFolders.configuration("languages"))) { body() }
    }

    /// Loads the words of every language, so that switching needs no disk, and takes one.
    private static func speak(_ language: Language, _ state: inout BoardState) {
        let folder = UserFolders.configuration("languages")
        for language in Language.allCases { state.wordings[language] = Wording(language, userFolder: folder) }
        let wording = state.wordings[language] ?? .english
        state.wording = wording
        if let problem = wording.problems.first { state.status = StatusMessage(.warning, problem.description) }
    }

    /// `themes/` here, or beside the program's checkout.
    private static var themesFolder: String {
        if FileSystem.isDirectory("themes") { return "themes" }
        var folder = Path.directory(FileSystem.executablePath ?? "/")
        while folder != "/", !folder.isEmpty {
            let candidate = Path.join(folder, "themes")
            if FileSystem.isDirectory(candidate) { return candidate }
            folder = Path.directory(folder)
        }
        return "themes"
    }
}

/// What the board shows when it opens: the demo, ready to be started, or whatever recipe was asked for.
enum FirstState {
    static let recipe = "recipes/quickstart.yaml"

    static func make(size: Size, recipe asked: String?) -> BoardState {
        var problem: String?
        var training = Configuration()
        let path = asked ?? (FileSystem.exists(recipe) ? recipe : nil)
        if let path {
            do {
                training = try Configuration.load(file: path, overrides: [])
            } catch {
                problem = error.description
            }
        }
        let loaded = problem == nil ? path : nil
        let forms = Forms(
            train: FormState(tab: .train, configuration: training, recipePath: loaded),
            evaluate: FormState(tab: .evaluate, configuration: derived(training, for: .evaluate)),
            chat: FormState(tab: .chat, configuration: derived(training, for: .chat)),
            export: FormState(tab: .export, configuration: derived(training, for: .export)))
        var state = BoardState(size: size, forms: forms)
        state.now = Clock.unixTime()
        state.history = HistoryFile.load()
        state.queue = QueueFile().load()
        state.queueOwner = "\(getpid())"
        state.secondsFromUTC = secondsFromUTC(state.now)
        if let problem {
            state.status = StatusMessage(.failure, problem)
        } else if path == nil {
            state.status = StatusMessage(.note, say("There is no \(recipe) here. ⏎ picks a model and data, L loads a recipe."))
        }
        return state
    }

    /// What is looked up once the first frame is drawn: the disk, and what the forms would need.
    static func lookups(_ state: inout BoardState) -> [Effect] {
        var effects: [Effect] = [
            .scanCatalog(datasetDirectory: state.forms.train.configuration.text("dataset_dir"), outputs: state.outputsElsewhere)
        ]
        for tab in [Tab.train, .export] where state.forms[tab].firstError == nil {
            state.forms[tab].plan = .computing
            effects.append(.plan(tab, state.forms[tab].configuration, generation: state.forms[tab].generation))
        }
        return effects
    }

    /// The same model, template and data for the other pages; the adapter where the training has left one already.
    private static func derived(_ training: Configuration, for tab: Tab) -> Configuration {
        var configuration = Configuration()
        func set(_ name: String, _ text: String) {
            if !text.isEmpty { try? configuration.set(name, text: text) }
        }
        for name in ["model_name_or_path", "template", "finetuning_type"] where training.isSet(name) { set(name, training.text(name)) }
        let output = training.text("output_dir")
        if FileSystem.exists(Path.join(output, "adapter_config.json")) { set("adapter_name_or_path", output) }
        let model = Path.name(training.text("model_name_or_path"))
        switch tab {
        case .evaluate:
            for name in ["dataset_dir", "cutoff_len", "stage"] where training.isSet(name) { set(name, training.text(name)) }
            set("eval_dataset", training.text("eval_dataset").isEmpty ? training.text("dataset") : training.text("eval_dataset"))
            set("output_dir", ResultFolder.evaluation(model: model, adapter: configuration.text("adapter_name_or_path")))
        case .export:
            set("export_dir", ResultFolder.export(of: configuration))
        case .train, .chat, .monitor: break
        }
        return configuration
    }

    private static func secondsFromUTC(_ now: Double) -> Int {
        let local = Clock.localDate(now)
        let localSecond = local.hour * 3_600 + local.minute * 60 + local.second
        let difference = localSecond - Int(now) % 86_400
        // Zones reach from -12 to +14 hours.
        if difference > 14 * 3_600 { return difference - 86_400 }
        return difference < -12 * 3_600 ? difference + 86_400 : difference
    }
}
