import Platform
import Terminal

/// The board's event loop: inputs and results become actions, actions change the state, the state becomes frames.
///
/// One thread does all of this. It sleeps in the back end until there is a key, a signal or a wake-up, and draws only when something
/// changed. What a key changed is drawn at once; what a job measured waits for the next quarter of a second, because every frame
/// takes the processor from the training that it shows.
public final class BoardProgram {
    /// How the board was left.
    public enum Outcome: Sendable, Equatable {
        case quit
        /// The job goes on; the terminal is to be given back.
        case detached
        /// The terminal is gone; the job goes on.
        case hungUp
    }

    private let backend: any TerminalBackend
    private let handler: any EffectHandler
    private let queue: ActionQueue
    private var theme: Theme
    public private(set) var state: BoardState
    private var hits: [HitRegion] = []
    private var outcome: Outcome?
    private var isHungUp = false

    private var isDirty = true
    /// Only measurements arrived since the last frame, which may wait longer.
    private var isDirtyByEventsOnly = false
    private var lastFrame = -1.0
    /// When a frame was drawn last that somebody waited for.
    private var lastAnswer = -1.0
    private var lastTick = -1.0
    private var keyCount = 0
    private var frameCount = 0
    private var marker: IdleMarker?
    private let startup: [Effect]
    private let themes: ((String) -> (theme: Theme, problems: [ThemeSource.Problem]))?

    private var lastPoll = 0.0
    private var isPollWaiting = false
    /// A key is answered at once; this only keeps a held key from drawing more than any screen shows.
    private static let answerSeconds = 1.0 / 100
    /// Numbers that change faster cannot be read.
    private static let measurementSeconds = 1.0 / 4
    /// Text that a model says is read as it comes.
    private static let speechSeconds = 1.0 / 20
    private static let tickSeconds = 1.0

    /// - Parameters:
    ///   - startup: effects to begin with once the first frame is on the screen.
    ///   - idleFile: see `IdleMarker`.
    ///   - themes: finds a theme by its name when another one is chosen.
    public init(
        backend: any TerminalBackend, handler: any EffectHandler, state: BoardState, theme: Theme, startup: [Effect] = [],
        idleFile: String? = nil, themes: ((String) -> (theme: Theme, problems: [ThemeSource.Problem]))? = nil
    ) {
        self.themes = themes
        self.backend = backend
        self.handler = handler
        self.theme = theme
        self.startup = startup
        self.state = state
        self.state.size = backend.size
        let handle = backend.wakeHandle
        queue = ActionQueue(wake: { handle.wake() })
        marker = IdleMarker(path: idleFile)
        handler.attach(queue)
    }

    /// True when nothing but jobs is under way.
    public var isIdle: Bool { queue.isIdle }

    /// Runs until the board is left. The caller closes the back end.
    public func run() -> Outcome {
        draw()
        startup.forEach(perform)
        apply(.tick(now: Clock.unixTime(), handler.sampleSystem()))
        while outcome == nil {
            step()
        }
        return outcome ?? .quit
    }

    /// One turn of the loop: wait, handle what came, draw if it is time.
    private func step() {
        let inputs = backend.nextInputs(timeoutMilliseconds: timeout())
        for input in inputs { handle(input) }
        // What an action begins is known before what it says: a job's start before its first event.
        applyQueued()
        pollIfDue()
        // A job that was begun just now is known before the next input: a terminal that hangs up then must not take it along.
        applyQueued()
        tickIfDue()
        drawIfDue()
        marker?.update(isIdle: queue.isIdle && (!isDirty || isDirtyByEventsOnly || outcome != nil), keys: keyCount, frames: frameCount, state: state)
    }

    private func applyQueued() {
        while case let actions = queue.drain(), !actions.isEmpty { for action in actions where !handler.isStale(action) { apply(action) } }
    }

    // MARK: Time

    private var needsTicks: Bool {
        state.runningJob != nil || state.tab == .monitor || state.openedRun?.origin == .elsewhere || state.showsDisk || state.hasPassingStatus
    }

    /// How long to wait for input: until the next frame, tick or poll is due.
    private func timeout() -> Int32? {
        guard !isHungUp else { return Int32(Self.tickSeconds * 1_000) }
        let now = Clock.monotonicSeconds()
        var waits: [Double] = []
        if isDirty { waits.append(nextFrame - now) }
        if needsTicks { waits.append(nextTick - now) }
        if isPollWaiting { waits.append(lastPoll + pollSeconds - now) }
        guard let shortest = waits.min() else { return nil }
        return Int32((max(0, shortest) * 1_000).rounded(.up))
    }

    private var nextFrame: Double { isDirtyByEventsOnly ? lastFrame + Self.measurementSeconds : lastAnswer + Self.answerSeconds }

    private var nextTick: Double { lastTick + Self.tickSeconds }

    /// While a job runs, what it says is fetched a few times a second: its queue wakes nobody again before it has been emptied, so
    /// a run of a hundred steps a second costs four wake-ups, not a hundred.
    private var pollSeconds: Double {
        let speaks = if case .loading = state.chat.engine { true } else { state.chat.isStreaming }
        return speaks ? Self.speechSeconds : Self.measurementSeconds
    }

    private func pollIfDue() {
        let now = Clock.monotonicSeconds()
        isPollWaiting = state.runningJob != nil && outcome == nil && now - lastPoll < pollSeconds
        // A board that is being left begins nothing any more.
        guard !isPollWaiting, outcome != .quit else { return }
        lastPoll = now
        for action in state.withSurroundings({ handler.poll() }) {
            // A plot may wait; a streamed answer should not.
            if case .jobEvents = action { apply(action, isEvent: true) } else { apply(action) }
        }
    }

    private func tickIfDue() {
        let now = Clock.monotonicSeconds()
        guard needsTicks, now >= nextTick else { return }
        lastTick = now
        apply(.tick(now: Clock.unixTime(), handler.sampleSystem()), isEvent: true)
    }

    private func drawIfDue() {
        guard isDirty, !isHungUp, outcome == nil else { return }
        guard Clock.monotonicSeconds() >= nextFrame else { return }
        draw()
    }

    private func draw() {
        let frame = BoardView.draw(state, theme: theme)
        hits = frame.hits
        backend.present(frame.grid, cursor: frame.cursor)
        frameCount += 1
        lastFrame = Clock.monotonicSeconds()
        if !isDirtyByEventsOnly { lastAnswer = lastFrame }
        isDirty = false
        isDirtyByEventsOnly = false
    }

    // MARK: Actions

    private func handle(_ input: Input) {
        switch input {
        case .key(let key):
            keyCount += 1
            apply(.key(key))
        case .paste(let text):
            keyCount += 1
            apply(.paste(text))
        case .pasteWasCut(let limit): apply(.pasteWasCut(limit: limit))
        case .mouse(let event): apply(.mouse(event, hits.target(at: event.point)))
        case .resize(let size): apply(.resize(size))
        case .hangUp:
            isHungUp = true
            apply(.hangUp)
        // Ctrl+C is a key here; an interrupt from outside asks the program to leave.
        case .interrupt, .terminate: apply(.terminate)
        case .wake: break
        case .captured(let line): apply(.captured(line), isEvent: true)
        case .suspendRequested: apply(.suspendRequested)
        case .resumed: apply(.resumed)
        }
    }

    private func apply(_ action: Action, isEvent: Bool = false) {
        let effects = update(&state, action)
        if !isDirty {
            isDirty = true
            isDirtyByEventsOnly = isEvent
        } else if !isEvent {
            isDirtyByEventsOnly = false
        }
        effects.forEach(perform)
    }

    private func perform(_ effect: Effect) {
        switch effect {
        case .copy(let text, let what): copy(text, what: what)
        case .editText(let purpose, let text): edit(text, purpose)
        case .repaint:
            backend.repaint()
            isDirty = true
        case .bell: backend.bell()
        case .useTheme(let name): useTheme(name)
        case .suspend: backend.suspend()
        case .detach:
            // Nobody is left to talk to a training that holds.
            handler.perform(.endTalk)
            if isHungUp {
                outcome = .hungUp
            } else if handler.canDetach {
                outcome = .detached
            } else {
                apply(.notify(StatusMessage(.failure, say("This board was started without a parent to give the terminal back to."))))
            }
        case .quit:
            handler.perform(.endTalk)
            outcome = .quit
        case .scanCatalog, .plan, .planQueued, .loadRecipe, .saveRecipe, .writeText, .rememberValue, .renameRun, .readFacts, .compareRuns, .changeQueue,
            .checkExportTarget, .exportChart, .startJob, .control, .controlRun, .openRun, .closeRun,
            .loadOverlay, .deleteRun, .logOutput, .loadChat, .unloadChat, .sendChat, .cancelChat, .setAdapter, .listConversations,
            .loadConversation, .talkToTraining, .endTalk, .previewDataset, .loadPredictions:
            state.withSurroundings { handler.perform(effect) }
        }
    }

    /// The editor has the terminal until it is left; what a job says meanwhile waits.
    private func edit(_ text: String, _ purpose: EditorPurpose) {
        switch backend.withTerminalReleased({ UserEditor.edit(text, purpose) }) {
        case .text(let after): apply(.textEdited(purpose, before: text, after: after))
        case .failure(let problem):
            apply(.notify(StatusMessage(.failure, problem)))
            apply(.textEdited(purpose, before: text, after: nil))
        }
        apply(.resize(backend.size))
    }

    private func useTheme(_ name: String) {
        guard let found = themes?(name) else { return }
        theme = found.theme
        isDirty = true
        if let problem = found.problems.first { apply(.notify(StatusMessage(.warning, String(describing: problem)))) }
    }

    private func copy(_ text: String, what: String) {
        let message =
            backend.copyToClipboard(text)
            ? StatusMessage(.success, say("Copied \(what) by OSC 52. If the terminal does not take it, Y writes it to a file."))
            : StatusMessage(.warning, say("The terminal cannot take \(what). Y writes it to a file."))
        apply(.notify(message))
    }
}
