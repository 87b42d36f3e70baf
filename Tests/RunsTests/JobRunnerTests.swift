import Configuration
import Events
import Formats
import Platform
import Testing

@testable import Runs

@Suite struct JobRunnerTests {
    private func configuration(_ folder: TemporaryFolder) throws -> Configuration {
        var configuration = Configuration()
        try configuration.set("output_dir", text: Path.join(folder.path, "run"))
        try configuration.set("model_name_or_path", text: "models/tiny")
        return configuration
    }

    private func step(_ number: Int, of total: Int) -> JobEvent {
        .step(StepMetrics(step: number, totalSteps: total, epoch: 0.5, loss: 1.5, isLogged: true))
    }

    @Test func aJobRunsToItsEndAndLeavesItsState() throws {
        let folder = try TemporaryFolder()
        let runner = JobRunner { kind, _, sink, _ in
            #expect(kind == .train)
            sink.emit(.state(.running))
            for number in 1...3 { sink.emit(.step(StepMetrics(step: number, totalSteps: 3, epoch: 1, loss: 2, isLogged: true))) }
            sink.emit(.log(LogRecord(time: 0, level: .warning, text: "two\nlines")))
            return JobSummary(text: "trained")
        }
        let handle = try runner.start(.train, try configuration(folder))
        handle.wait()
        let events = handle.drain()
        #expect(events.first == .log(LogRecord(time: 0, level: .info, text: "")) || !events.isEmpty)
        #expect(events.last == .state(.finished))
        #expect(events.contains(.finished(JobSummary(text: "trained"))))

        let directory = try #require(handle.runDirectory)
        let state = try #require(directory.state())
        #expect(state.status == .finished)
        #expect(state.step == 3)
        #expect(state.totalSteps == 3)
        #expect(state.message == "trained")
        #expect(state.model == "models/tiny")
        #expect(state.endTime != nil)
        #expect(directory.liveState() == nil)
        let log = try FileSystem.readText(directory.runningLogPath)
        #expect(log.contains("[WARNING|"))
        #expect(log.contains("] two\n  lines\n"))
    }

    @Test func theControlFileOfAnotherProcessStopsTheJob() throws {
        let folder = try TemporaryFolder()
        let runner = JobRunner { _, _, sink, control in
            var number = 0
            while !control.isStopping, number < 100_000 {
                number += 1
                sink.emit(.step(StepMetrics(step: number, totalSteps: 100_000, isLogged: false)))
                Clock.sleep(seconds: 0.001)
            }
            return JobSummary(text: "stopped at \(number)")
        }
        let handle = try runner.start(.train, try configuration(folder))
        let directory = try #require(handle.runDirectory)
        #expect(RunRecord(directory: directory).isControllable)
        try directory.request(.stopAndSave)
        #expect(waitUntil { handle.hasEnded })
        #expect(handle.state == .stopped)
        #expect(!FileSystem.exists(directory.controlPath))
        #expect(throws: RunError.self) { try directory.request(.save) }
    }

    @Test func pauseAndResumeAreSeenInTheState() throws {
        let folder = try TemporaryFolder()
        let runner = JobRunner { _, _, sink, control in
            sink.emit(.state(.running))
            while !control.isStopping {
                control.waitWhilePaused()
                Clock.sleep(seconds: 0.001)
            }
            return JobSummary()
        }
        let handle = try runner.start(.train, try configuration(folder))
        #expect(waitUntil { handle.state == .running })
        handle.request(.pause)
        #expect(handle.state == .paused)
        #expect(try #require(handle.runDirectory).state()?.status == .paused)
        handle.request(.resume)
        #expect(handle.state == .running)
        handle.request(.abort)
        handle.wait()
        #expect(handle.state == .aborted)
    }

    @Test func aFailureSaysWhatHappened() throws {
        struct Broken: Error, CustomStringConvertible { var description: String { "tensor w is missing" } }
        let folder = try TemporaryFolder()
        let runner = JobRunner { _, _, sink, _ in
            sink.emit(.state(.running))
            throw Broken()
        }
        let handle = try runner.start(.train, try configuration(folder))
        handle.wait()
        #expect(handle.state == .failed)
        #expect(handle.drain().contains(.failed(JobFailure(what: "tensor w is missing"))))
        #expect(handle.runDirectory?.state()?.message == "tensor w is missing")
    }

    @Test func aStartThatFailsLeavesNothingBehind() throws {
        struct Broken: Error, CustomStringConvertible { var description: String { "no such model" } }
        let folder = try TemporaryFolder()
        func start(_ output: String, _ body: @escaping JobBody = { _, _, _, _ in throw Broken() }, isWatched: Bool = true) throws -> RunDirectory {
            var configuration = Configuration()
            try configuration.set("output_dir", text: Path.join(folder.path, output))
            let handle = try JobRunner(body: body).start(.train, configuration, keepsTrace: !isWatched)
            handle.wait()
            return RunDirectory(Path.join(folder.path, output))
        }
        _ = try start("deep/er/run")
        #expect(try FileSystem.list(folder.path) == [], "the folders above it go as well")
        // What was there before stays, whoever made it.
        try FileSystem.createDirectory(Path.join(folder.path, "mine"))
        _ = try start("mine")
        #expect(try FileSystem.list(Path.join(folder.path, "mine")).isEmpty)
        try FileSystem.writeAtomically(Path.join(folder.path, "mine/notes.txt"), text: "mine")
        #expect(try start("mine").state()?.status == .failed)
        #expect(FileSystem.exists(Path.join(folder.path, "mine/notes.txt")))
        // What has begun keeps its files, and so does what nobody watched.
        #expect(try start("begun", { _, _, sink, _ in
            sink.emit(.state(.running))
            throw Broken()
        }).state()?.message == "no such model")
        // One that was held and let go while it loaded has not begun.
        _ = try start("held", { _, _, sink, control in
            for state in [JobState.loading, .paused, .running] { sink.emit(.state(state)) }
            throw Broken()
        })
        #expect(!FileSystem.exists(Path.join(folder.path, "held")))
        #expect(try start("alone", isWatched: false).state()?.message == "no such model")
        #expect(try start("written", { _, configuration, _, _ in
            try FileSystem.writeAtomically(Path.join(configuration.text("output_dir"), "training_args.yaml"), text: "")
            throw Broken()
        }).state()?.status == .failed)
    }

    @Test func wrongPathsAreToldBeforeAnythingIsMade() throws {
        let folder = try TemporaryFolder()
        func problem(_ values: [(String, String)], _ kind: JobKind = .train) throws -> StartProblem? {
            var configuration = Configuration()
            let fixtures = Path.join(Path.directory(Path.directory(Path.directory(#filePath))), "Tests/Fixtures/models/llama")
            let data = Path.join(Path.directory(Path.directory(Path.directory(#filePath))), "recipes/data")
            let all = [("model_name_or_path", fixtures), ("stage", "sft"), ("do_train", "true"), ("dataset_dir", data), ("dataset", "identity"),
                ("template", "alpaca"), ("finetuning_type", "lora"), ("output_dir", Path.join(folder.path, "run"))] + values
            for (name, text) in all { try configuration.set(name, text: text) }
            return StartProblem.find([PlannedJob(kind: kind, configuration: configuration)])
        }
        #expect(try problem([]) == nil)
        for (name, value, word) in [
            ("model_name_or_path", "no/such/model", "no/such/model"), ("adapter_name_or_path", "no/adapter", "no/adapter"),
            ("dataset", "identity,lost", "lost"), ("eval_dataset", "nothing", "nothing"),
        ] {
            let found = try problem([(name, value)])
            #expect(found?.argument == name && found?.description.contains(word) == true, "\(name): \(String(describing: found))")
        }
        try FileSystem.createDirectory(Path.join(folder.path, "run"))
        try FileSystem.writeAtomically(Path.join(folder.path, "run/adapter_model.safetensors"), text: "")
        #expect(try problem([])?.argument == "output_dir")
        #expect(try problem([("overwrite_output_dir", "true")]) == nil)
        // A finished run's folder takes the answers of a prediction, and an evaluation with a set of its own does not read the other.
        #expect(try problem([], .predict) == nil)
        #expect(try problem([("eval_dataset", "identity"), ("dataset", "lost")], .evaluate) == nil)
        #expect(try problem([("dataset", "lost")], .evaluate)?.argument == "dataset")
        #expect(try problem([("dataset", "lost"), ("task", "mmlu_test")], .evaluate) == nil)
        let spaced = Path.join(folder.path, "my rows.jsonl")
        try FileSystem.writeAtomically(spaced, text: #"{"instruction": "q", "output": "a"}"#)
        #expect(try problem([("dataset", "identity, \(spaced)"), ("overwrite_output_dir", "true")]) == nil)
    }

    @Test func cardsAreReadOnAThreadOfTheirOwnWhenSomebodyAsks() throws {
        let reads = Mutex(0)
        let mayOpen = Mutex(false)
        let sampler = GPUSampler(open: {
            mayOpen.waitUntil({ $0 }, then: { _ in })
            return {
                let number = reads.withLock { count -> Int in
                    count += 1
                    return count
                }
                return [GPUReading(name: "Fake card", temperature: number)]
            }
        })
        #expect(sampler.latest().isEmpty, "nobody waits for the library")
        mayOpen.update { $0 = true }
        #expect(waitUntil { sampler.latest().first?.temperature ?? 0 >= 2 })
        // Without a question nothing is read.
        #expect(waitUntil { reads.withLock { $0 } >= 2 })
        Clock.sleep(seconds: 0.05)
        let count = reads.withLock { $0 }
        Clock.sleep(seconds: 0.1)
        #expect(reads.withLock { $0 } <= count + 1)
        sampler.stop()
        #expect(sampler.hasLooked)
        let none = GPUSampler(open: { nil })
        #expect(!none.hasLooked)
        #expect(none.latest().isEmpty)
        #expect(waitUntil { none.hasLooked }, "none is known only once somebody has looked")
    }

    @Test func aStartThatFailsOnItsDataLeavesAnEarlierRunAsItWas() throws {
        struct Broken: Error, CustomStringConvertible { var description: String { "no such data" } }
        let folder = try TemporaryFolder()
        let configuration = try configuration(folder)
        let log = Path.join(folder.path, "run/trainer_log.jsonl")
        func run(_ body: @escaping JobBody) throws -> RunState? {
            let handle = try JobRunner(body: body).start(.train, configuration)
            handle.wait()
            return handle.runDirectory?.state()
        }
        let finished = try run { _, _, sink, _ in
            sink.emit(.state(.running))
            try FileSystem.writeAtomically(log, text: "{\"current_steps\": 1, \"total_steps\": 1, \"loss\": 1.0}\n")
            return JobSummary(text: "done")
        }
        #expect(finished?.status == .finished)
        #expect(try run { _, _, _, _ in throw Broken() } == finished)
        #expect(try run { _, _, sink, _ in
            sink.emit(.state(.stopped))
            return JobSummary()
        } == finished, "a stop before the first step is none of the earlier run's either")
        // One that has taken the folder over answers for it.
        let failed = try run { _, _, sink, _ in
            sink.emit(.state(.running))
            throw Broken()
        }
        #expect(failed?.status == .failed)
        let cleared = try run { _, _, _, _ in
            try FileSystem.remove(log)
            throw Broken()
        }
        #expect(cleared?.status == .failed && cleared?.startTime != failed?.startTime)
    }

    @Test func twoJobsAtOnceAndTwoRunsInOneFolderAreRefused() throws {
        let folder = try TemporaryFolder()
        let body: JobBody = { _, _, _, control in
            while !control.isStopping { Clock.sleep(seconds: 0.001) }
            return JobSummary()
        }
        let first = JobRunner(body: body)
        let configuration = try configuration(folder)
        let handle = try first.start(.train, configuration)
        #expect(throws: RunError.busy(job: "train")) { try first.start(.train, configuration) }
        let path = try #require(handle.runDirectory).path
        #expect(throws: RunError.directoryInUse(path: path, processIdentifier: ProcessRunner.ownIdentifier)) {
            try JobRunner(body: body).start(.train, configuration)
        }
        handle.request(.abort)
        handle.wait()
        let second = try JobRunner(body: body).start(.train, configuration)
        second.request(.abort)
        second.wait()
    }

    @Test func anUnwritableFolderIsAnErrorBeforeAnythingStarts() throws {
        var configuration = Configuration()
        try configuration.set("output_dir", text: "/proc/no/such/place")
        let runner = JobRunner { _, _, _, _ in JobSummary() }
        #expect(throws: RunError.self) { try runner.start(.train, configuration) }
        #expect(!runner.isBusy)
    }

    @Test func exportsKeepNoRunDirectory() throws {
        let folder = try TemporaryFolder()
        let handle = try JobRunner { _, _, _, _ in JobSummary() }.start(.export, try configuration(folder))
        handle.wait()
        #expect(handle.runDirectory == nil)
        #expect(try FileSystem.list(folder.path).isEmpty)
    }
}
