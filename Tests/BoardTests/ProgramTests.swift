import Configuration
import Events
import Platform
import Terminal
import Testing

@testable import Board

/// Answers effects at once or on another thread, without disk or engine.
private final class FakeEffects: EffectHandler {
    var queue: ActionQueue?
    var performed: [String] = []
    var waiting: [JobEvent] = []
    var canDetach = true

    func attach(_ queue: ActionQueue) { self.queue = queue }

    func perform(_ effect: Effect) {
        guard let queue else { return }
        performed.append(String(describing: effect).prefix { $0 != "(" }.description)
        switch effect {
        case .scanCatalog:
            queue.beginWork()
            // From another thread, as the real one does.
            _ = EngineThread(name: "scan") { queue.endWork([.catalogScanned(BoardFixture.catalog)]) }
        case .plan(let tab, _, let generation):
            queue.beginWork()
            _ = EngineThread(name: "plan") { queue.endWork([.planned(tab, generation: generation, .ready(BoardFixture.plan))]) }
        case .startJob(let tab, let kind, _, _):
            queue.post(.jobStarted(tab, kind, title: "quickstart", directory: "saves/demo-model/lora/quickstart"))
            waiting = BoardFixture.trainingEvents(steps: 42, of: 42)
        case .control(.stopAndSave): waiting.append(.state(.stopped))
        case .loadChat:
            let info = ChatModelInfo(
                modelName: "demo-model", adapterName: nil, templateName: "chatml", contextLength: 512, parameterCount: 1)
            queue.post(.chat(.ready(info)))
        case .sendChat:
            queue.post(.chat(.piece("Hello from the fake.")))
            queue.post(.chat(.finished(tokenCount: 5, tokensPerSecond: 50, contextUsed: 12, wasStopped: false)))
        default: break
        }
    }

    func poll() -> [Action] {
        guard !waiting.isEmpty else { return [] }
        defer { waiting = [] }
        return [.jobEvents(waiting)]
    }

    func sampleSystem() -> SystemSample { BoardFixture.system }
}

@Suite struct ProgramTests {
    /// Runs the board over a script of keys and returns how it ended; every key waits until nothing is under way.
    private func run(
        _ keys: String, columns: Int = 80, rows: Int = 24, effects: FakeEffects = FakeEffects(), atEnd: Input = .terminate,
        idleFile: String? = nil
    ) -> (outcome: BoardProgram.Outcome, program: BoardProgram, backend: MemoryBackend) {
        let backend = MemoryBackend(size: Size(columns: columns, rows: rows))
        backend.feed(keys: keys)
        backend.atEnd = atEnd
        let program = BoardProgram(
            backend: backend, handler: effects, state: BoardFixture.state(columns: columns, rows: rows), theme: .dark(),
            startup: [.scanCatalog(datasetDirectory: "recipes/data")], idleFile: idleFile)
        backend.isBusy = { [unowned program] in !program.isIdle }
        return (program.run(), program, backend)
    }

    @Test func `a training is started, watched, stopped and left by keys alone`() {
        let effects = FakeEffects()
        let (outcome, program, backend) = run("f5 l s 1 5 x q", effects: effects)
        #expect(outcome == .quit)
        #expect(effects.performed.contains("startJob"))
        #expect(effects.performed.contains("control"))
        #expect(program.state.jobs[.train]?.state == .stopped)
        #expect(backend.frameCount >= 1)
    }

    @Test func `the first frame comes before anything is looked up`() {
        let effects = FakeEffects()
        let backend = MemoryBackend(size: Size(columns: 80, rows: 24))
        var performedAtFirstFrame: [String]?
        backend.onFrame = { _ in if performedAtFirstFrame == nil { performedAtFirstFrame = effects.performed } }
        backend.atEnd = .terminate
        let program = BoardProgram(
            backend: backend, handler: effects, state: BoardFixture.state(columns: 80, rows: 24), theme: .dark(),
            startup: [.scanCatalog(datasetDirectory: "")])
        _ = program.run()
        #expect(performedAtFirstFrame == [])
    }

    @Test func `a chat from loading to copying`() {
        let (_, program, backend) = run("3 f5 H i enter ctrl+y ctrl+c q")
        #expect(program.state.chat.turns.last?.text == "Hello from the fake.")
        #expect(backend.clipboard == "Hello from the fake.")
    }

    @Test func `the previewed command goes to the clipboard`() {
        let (_, _, backend) = run("y q")
        #expect(backend.clipboard == "tuneboard train recipes/quickstart.yaml")
    }

    @Test func `detaching leaves the board with the job at work`() {
        let (outcome, _, _) = run("f5 d")
        // The fake's job is over only when its events say so.
        #expect(outcome == .detached)
    }

    @Test func `detaching without a parent is refused in words`() {
        let effects = FakeEffects()
        effects.canDetach = false
        let (outcome, program, _) = run("f5 d", effects: effects)
        #expect(outcome == .quit)
        #expect(program.state.afterStop == .dismiss || program.state.isQuitting)
    }

    @Test func `a hang-up with a job leaves it at work, without one it ends the board`() {
        #expect(run("f5", atEnd: .hangUp).outcome == .hungUp)
        #expect(run("5", atEnd: .hangUp).outcome == .quit)
    }

    @Test func `a resize lays everything out anew, however small`() {
        let backend = MemoryBackend(size: Size(columns: 80, rows: 24))
        let sizes = [(160, 45), (20, 5), (60, 16), (1, 1), (0, 0), (300, 80), (80, 24)]
        for (columns, rows) in sizes { backend.feed([.resize(Size(columns: columns, rows: rows))]) }
        backend.atEnd = .terminate
        let program = BoardProgram(
            backend: backend, handler: FakeEffects(), state: BoardFixture.state(columns: 80, rows: 24), theme: .dark())
        backend.isBusy = { [unowned program] in !program.isIdle }
        #expect(program.run() == .quit)
        #expect(program.state.size == Size(columns: 80, rows: 24))
    }

    @Test func `the idle file counts keys and says when all are handled`() throws {
        let folder = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(folder) }
        let file = Path.join(folder, "idle")
        _ = run("down down 5", idleFile: file)
        let line = try FileSystem.readText(file)
        #expect(line.hasPrefix("idle keys=3 "))
        #expect(line.contains("tab=Monitor"))
    }

    @Test func `random keys never trap and always leave a drawable state`() {
        var random = RandomGenerator(seed: 7)
        let names = CommandTable.all.flatMap(\.keys).filter { $0 != Key("z", .control) } + (32..<127).map { Key(Character(Unicode.Scalar($0))) }
        for round in 0..<6 {
            let size = [(60, 16), (80, 24), (160, 45)][round % 3]
            var state = BoardFixture.state(columns: size.0, rows: size.1)
            if round > 2 {
                _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/x"))
                _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: 30, of: 40)))
            }
            for step in 0..<400 {
                _ = update(&state, .key(names[Int(random.next() % UInt64(names.count))]))
                if step % 10 == 0 {
                    let frame = BoardView.draw(state, theme: .dark())
                    let point = Point(x: Int(random.next() % UInt64(size.0)), y: Int(random.next() % UInt64(size.1)))
                    let kinds: [MouseEvent.Kind] = [.press, .wheelUp, .wheelDown, .drag]
                    let event = MouseEvent(point: point, kind: kinds[step / 10 % 4])
                    _ = update(&state, .mouse(event, frame.hits.target(at: point)))
                }
            }
        }
    }
}
