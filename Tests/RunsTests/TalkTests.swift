import Configuration
import Events
import Platform
import Tensors
import Testing
import Training

@testable import Runs

/// Talking to a model while it is being trained.
@Suite struct TalkTests {
    private static let model = Path.join(Path.directory(Path.directory(#filePath)), "Fixtures", "training", "llama")

    private func configuration(in folder: TemporaryFolder, output: String) throws -> Configuration {
        let rows = (0..<12).map { "{\"instruction\": \"say \($0)\", \"output\": \"yes \($0)\"}\n" }
        try folder.write("rows.jsonl", rows.joined())
        var configuration = Configuration()
        let values = [
            ("model_name_or_path", Self.model), ("output_dir", Path.join(folder.path, output)), ("dataset", Path.join(folder.path, "rows.jsonl")),
            ("template", "default"), ("cutoff_len", "60"), ("per_device_train_batch_size", "2"), ("gradient_accumulation_steps", "2"),
            ("num_train_epochs", "4"), ("logging_steps", "1"), ("learning_rate", "0.02"), ("lora_rank", "4"), ("lora_dropout", "0.2"),
            ("threads", "2"), ("max_new_tokens", "8"), ("do_sample", "false"),
        ]
        for (name, text) in values { try configuration.set(name, text: text) }
        return configuration
    }

    private func losses(_ events: [JobEvent]) -> [Double] {
        events.compactMap { if case .step(let step) = $0, step.isLogged { step.loss } else { nil } }
    }

    private func converse(_ service: ChatService, _ configuration: Configuration) -> [String] {
        var answers: [String] = []
        for isOn in [true, false, true] {
            service.setAdapterEnabled(isOn)
            service.send([ChatLine(.user, "say 3")], configuration)
            var text = ""
            var isOver = false
            while !isOver {
                for event in service.waitForEvents() {
                    switch event {
                    case .piece(let piece): text += piece
                    case .finished: isOver = true
                    case .failed(let failure):
                        Issue.record("\(failure.description)")
                        isOver = true
                    case .loading, .ready, .adapter, .unloaded: break
                    }
                }
            }
            answers.append(text)
        }
        // What is left switched off must not stay so.
        service.setAdapterEnabled(false)
        return answers
    }

    @Test func `a training that was talked to has exactly the losses of one that was not`() throws {
        let folder = try TemporaryFolder()
        let plain = try JobRunner().start(.train, try configuration(in: folder, output: "plain"))
        plain.wait()
        let expected = losses(plain.drain())
        #expect(expected.count >= 12)

        let configuration = try configuration(in: folder, output: "talked")
        let handle = try JobRunner().start(.train, configuration)
        let first = ChatService(hasThread: false)
        #expect(handle.talk(first, configuration))
        let second = ChatService(hasThread: false)
        #expect(!handle.talk(second, configuration))
        guard case .ready(let info)? = first.waitForEvents().first else {
            Issue.record("the training did not hold")
            return
        }
        #expect(info.adapterNames.first?.hasPrefix("step ") == true)
        #expect(waitUntil { handle.state == .paused })
        let answers = converse(first, configuration)
        #expect(answers[0] == answers[2])
        first.close()
        handle.wait()
        #expect(handle.state == .finished)
        let said = handle.drain()
        #expect(losses(said) == expected)
        let states = said.compactMap { event -> JobState? in if case .state(let state) = event { state } else { nil } }
        guard let held = states.firstIndex(of: .paused), held + 1 < states.count else { return #expect(Bool(false), "never paused") }
        #expect(states[held + 1] == .running, "after the visit it trains, and says so: \(states)")
    }

    @Test func `a conversation with a training gives its memory back`() throws {
        let folder = try TemporaryFolder()
        let configuration = try configuration(in: folder, output: "memory")
        let handle = try JobRunner().start(.train, configuration)
        let measured = Mutex<(before: Int, after: Int)?>(nil)
        let visited = handle.control.askForVisit(
            { host in
                guard let held = host as? HeldTraining, let backend = held.model.backend as? CPUBackend else { return }
                let before = backend.memory.liveBytes
                _ = try? EngineChatModel(held, configuration).answer([ChatLine(.user, "say 3")], configuration) { _ in true }
                measured.withLock { $0 = (before, backend.memory.liveBytes) }
            }, leave: {})
        #expect(visited)
        handle.wait()
        let bytes = try #require(measured.withLock { $0 })
        #expect(bytes.before == bytes.after)
    }

    @Test func `a training that is asked to stop while one talks to it stops and saves`() throws {
        let folder = try TemporaryFolder()
        var configuration = try configuration(in: folder, output: "stopped")
        try configuration.set("num_train_epochs", text: "4000")
        let handle = try JobRunner().start(.train, configuration)
        #expect(waitUntil(seconds: 20) { handle.runState.step > 2 })
        let service = ChatService(hasThread: false)
        #expect(handle.talk(service, configuration))
        _ = service.waitForEvents()
        handle.request(.stopAndSave)
        handle.wait()
        #expect(handle.state == .stopped)
        #expect(FileSystem.exists(Path.join(folder.path, "stopped/adapter_model.safetensors")))
    }

    @Test func `a talk that comes too late is told so`() throws {
        let folder = try TemporaryFolder()
        let configuration = try configuration(in: folder, output: "late")
        let handle = try JobRunner { _, _, _, _ in JobSummary() }.start(.train, configuration)
        let service = ChatService(hasThread: false)
        if handle.talk(service, configuration) {
            // The visit is turned away just after the end is known.
            handle.wait()
            #expect(waitUntil(seconds: 20) { service.drain().last == .unloaded })
        } else {
            #expect(handle.hasEnded)
        }
    }
}
