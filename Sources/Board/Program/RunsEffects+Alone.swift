import Configuration
import Events
import Platform
import Runs

/// What becomes of jobs when the board is gone: the one at work comes to its end, and those that wait follow it.
extension RunsEffects {
    /// Waits for the job that goes on without a board, and for those that wait in the queue behind it.
    /// - Parameters:
    ///   - isAtWork: whether a job had begun whose end the board does not know of.
    ///   - claimed: the job of the queue that has not begun its work proper yet.
    ///   - secrets: of the jobs that wait, by job.
    func waitForJobs(isAtWork: Bool, claimed: QueueStart?, secrets: [String: [(name: String, value: String)]]) {
        var isAtWork = isAtWork
        var queued = release(claimed)
        if let ready = waitForPrepared() {
            let problem = begin(ready)
            isAtWork = problem == nil
            if let problem, let run = queued {
                _ = try? queueFile.change(.release(run, problem: problem))
                queued = nil
            }
        }
        if !isAtWork {
            // The queue was about to go on.
            guard claimed != nil else { return }
            queued = startQueued(secrets)
            guard queued != nil else { return }
        }
        while let handle = job {
            handle.wait()
            let events = jobEvents(handle)
            guard job === handle else { continue }
            if let run = queued {
                // What failed before it began stays in the queue.
                let failure = events.lazy.compactMap { if case .failed(let failure) = $0 { failure.words } else { nil } }.first
                _ = try? queueFile.change(handle.runState.step == 0 && failure != nil ? .release(run, problem: failure) : .remove(run.identifier))
            }
            // As with a board: what waits goes on after an end of any kind but the user's own.
            guard events.contains(.state(.finished)) || events.contains(.state(.failed)) else { return }
            queued = startQueued(secrets)
            if queued == nil { return }
        }
    }

    /// Gives back what was claimed for a start that nobody makes any more: its needs were still being looked up, or the claim itself
    /// was still under way.
    /// - Returns: the job of the queue that the engine has been given.
    private func release(_ claimed: QueueStart?) -> QueuedRun? {
        queueKeeper.finish()
        for case .queueTaken(_, let run?, _) in queue?.drain() ?? [] { _ = try? queueFile.change(.release(run, problem: nil)) }
        guard let claimed, let run = claimed.run else { return nil }
        switch claimed.stage {
        case .starting, .begun: return run
        case .taking, .checking:
            _ = try? queueFile.change(.release(run, problem: nil))
            return nil
        }
    }

    /// Begins what a board had asked for.
    /// - Returns: what kept it from beginning.
    private func begin(_ prepared: PreparedJob) -> String? {
        if let problem = prepared.problem { return say(engine: problem.description) }
        // Nobody is there to be asked.
        if let earlier = prepared.earlier { return Takeover.reason(earlier) }
        do {
            try start(prepared.sequence)
            return nil
        } catch {
            return say(engine: error.description)
        }
    }

    private func start(_ sequence: [PlannedJob]) throws(RunError) {
        guard let first = sequence.first else { return }
        job = try runner.start(first.kind, first.configuration, keepsTrace: true)
        waitingJobs = Array(sequence.dropFirst())
    }

    /// Starts the first job of the queue that needs nobody. One that a board would ask about is held, with the question, for the next
    /// board.
    /// - Returns: nil when there is none that can be started.
    private func startQueued(_ secrets: [String: [(name: String, value: String)]]) -> QueuedRun? {
        while let waiting = try? queueFile.change(.look).waiting, let next = waiting.first(where: { $0.problem == nil }) {
            guard let run = try? queueFile.change(.take(next.identifier)).taken else { return nil }
            do {
                var configuration = try Configuration.parse(run.recipe, name: run.title)
                for secret in secrets[run.identifier] ?? [] { try configuration.set(secret.name, text: secret.value) }
                if let problem = problem(of: run, configuration, secrets[run.identifier] ?? []) {
                    _ = try queueFile.change(.release(run, problem: problem))
                    continue
                }
                let sequence =
                    switch run.tab {
                    case .evaluate: JobSequence.evaluate(configuration)
                    case .export: [PlannedJob(kind: .export, configuration: configuration)]
                    case .train, .chat, .monitor: JobSequence.train(configuration)
                    }
                guard !sequence.isEmpty else { return nil }
                try start(sequence)
                return run
            } catch {
                guard (try? queueFile.change(.release(run, problem: String(describing: error)))) != nil else { return nil }
            }
        }
        return nil
    }

    /// What a board would ask before it starts a job; nil when there is nothing to ask.
    private func problem(of run: QueuedRun, _ configuration: Configuration, _ secrets: [(name: String, value: String)]) -> String? {
        if let missing = run.secretNames.first(where: { name in !secrets.contains { $0.name == name } }) {
            return say("\(missing) is not kept on disk: enter it anew.")
        }
        if let error = configuration.validate(for: run.tab.command).first(where: { $0.severity == .error }) { return error.words }
        if let earlier = run.runInTheWay { return Takeover.reason(earlier) }
        switch run.tab {
        case .train:
            do {
                let plan = try EngineJobs.plan(configuration, JobControl())
                guard plan.availableBytes > 0, plan.peakBytes > plan.availableBytes else { return nil }
                return BoardState.shortageWords(plan)
            } catch {
                return say(engine: String(describing: error))
            }
        case .export:
            let target = configuration.text("export_dir")
            let files = (try? FileSystem.list(target)) ?? []
            return files.isEmpty || run.replaces ? nil : say("\(target) holds \(files.count) files.")
        case .evaluate, .chat, .monitor: return nil
        }
    }
}
