import Events
import Formats
import Glibc
import Platform
import Testing

@testable import Runs

@Suite struct RunFilesTests {
    private let logged = """
        {"current_steps": 10, "total_steps": 40, "loss": 2.5, "lr": 5e-05, "epoch": 0.25, "percentage": 25.0, "elapsed_time": "0:00:10", "remaining_time": "0:00:30", "throughput": 1200.5, "total_tokens": 4096}
        {"current_steps": 20, "total_steps": 40, "loss": 1.25, "lr": 2.5e-05, "epoch": 0.5, "percentage": 50.0, "elapsed_time": "1 day, 0:00:20", "remaining_time": "0:00:20"}
        {"current_steps": 20, "total_steps": 40, "eval_loss": 1.5, "epoch": 0.5, "percentage": 50.0}

        """

    @Test func `the best training loss is the lowest that was logged, not the last`() throws {
        let folder = try TemporaryFolder()
        let lines = [3.0, 0.5, 0.75, 2].enumerated().map { "{\"current_steps\": \($0.offset + 1), \"total_steps\": 4, \"loss\": \($0.element)}" }
        try folder.write("trainer_log.jsonl", lines.joined(separator: "\n") + "\n")
        let record = RunRecord(directory: RunDirectory(folder.path))
        #expect(record.lowestLoss == 0.5)
        #expect(record.lastLoss == 2)
        #expect(record.bestLoss == nil, "there was no evaluation")
    }

    @Test func `a folder that links lead to in circles is listed once, under its own name`() throws {
        let folder = try TemporaryFolder()
        try folder.write("zeta/run/trainer_log.jsonl", logged)
        #expect(symlink(".", Path.join(folder.path, "loop")) == 0)
        #expect(symlink("zeta/run", Path.join(folder.path, "best")) == 0)
        #expect(symlink("..", Path.join(folder.path, "zeta/up")) == 0)
        #expect(RunCatalog.scan(folder.path).map(\.directory.path) == [Path.join(folder.path, "zeta/run")])
        // What lies elsewhere is still found through its link.
        let other = try TemporaryFolder()
        #expect(symlink(folder.path, Path.join(other.path, "there")) == 0)
        #expect(RunCatalog.scan(other.path).map(\.directory.path) == [Path.join(other.path, "there/zeta/run")])
    }

    @Test func `a log without line ends is passed over quickly`() throws {
        let folder = try TemporaryFolder()
        try folder.write("trainer_log.jsonl", "{\"x\": \"" + String(repeating: "a", count: 20 << 20))
        let started = Clock.threadSeconds()
        #expect(RunRecord(directory: RunDirectory(folder.path)).lastLoss == nil)
        #expect(Clock.threadSeconds() - started < 3)
        // The tail begins after the first line end in it, wherever the blocks of reading fall.
        let line = String(repeating: "b", count: 99_999)
        try folder.write("long", Array(repeating: line, count: 5).joined(separator: "\n") + "\n")
        var file = GrowingFile(path: Path.join(folder.path, "long"), tailBytes: 250_000)
        #expect(file.read().lines == [line, line])
    }

    @Test func trainerLogLinesBecomeEvents() throws {
        let lines = logged.split(separator: "\n").map(String.init)
        guard case .step(let first)? = TrainerLog.event(line: lines[0]), case .step(let second)? = TrainerLog.event(line: lines[1]),
            case .evaluation(let evaluation)? = TrainerLog.event(line: lines[2])
        else {
            Issue.record("the three lines are two steps and an evaluation")
            return
        }
        #expect(first.loss == 2.5)
        #expect(first.learningRate == 5e-5)
        #expect(first.tokensPerSecond == 1200.5)
        #expect(first.remainingSeconds == 30)
        #expect(second.elapsedSeconds == 86_420)
        #expect(evaluation.loss == 1.5)
        #expect(TrainerLog.event(line: "{\"current_steps\": 1, ") == nil)
        #expect(TrainerLog.event(line: "garbage") == nil)
    }

    @Test func stateSurvivesTheRoundTrip() throws {
        var state = RunState(kind: .train, status: .running, process: .current(), startTime: 1.5, model: "m", stage: "sft", method: "lora")
        state.step = 7
        state.totalSteps = 9
        state.loss = 0.125
        state.bestLoss = 0.5
        state.message = "a \"quoted\"\nline"
        #expect(RunState(text: state.text()) == state)
        #expect(RunState(text: String(state.text().dropLast(20))) == nil)
        #expect(RunState(text: "{}") == nil)
        #expect(RunState(text: "") == nil)
    }

    @Test func aProcessIsToldApartFromALaterOneWithItsNumber() throws {
        let own = ProcessIdentity.current()
        #expect(own.isAlive == true)
        var other = own
        other.startTicks += 1
        #expect(other.isAlive == false)
        other = own
        other.host = "elsewhere"
        #expect(other.isAlive == nil)
        other = own
        other.bootIdentifier = "an earlier boot"
        #expect(other.isAlive == false)
        // A child that has ended and was not waited for is dead, though its number is still taken.
        let child = try ProcessRunner.spawn(["/bin/true"])
        defer { _ = ProcessRunner.wait(child) }
        let zombie = ProcessIdentity(processIdentifier: child, startTicks: 0, host: own.host, bootIdentifier: own.bootIdentifier)
        #expect(waitUntil { zombie.isAlive == false })
    }

    @Test func aRunOfADeadProcessHasCrashed() throws {
        let folder = try TemporaryFolder()
        let dead = ProcessIdentity(
            processIdentifier: 4_000_000, startTicks: 1, host: SystemInfo.hostName, bootIdentifier: ProcessIdentity.bootIdentifier())
        var state = RunState(kind: .train, status: .running, process: dead, startTime: Clock.unixTime())
        state.step = 21
        state.totalSteps = 40
        try folder.write("state.json", state.text())
        try folder.write("trainer_log.jsonl", logged)
        try folder.write("checkpoint-20/adapter_model.safetensors", "weights")
        try folder.write("checkpoint-30/trainer_state.json", "{}")
        let record = RunRecord(directory: RunDirectory(folder.path))
        #expect(record.status == .crashed)
        #expect(record.step == 21)
        #expect(record.lastLoss == 1.25)
        #expect(record.bestLoss == 1.5)
        #expect(record.lowestLoss == 1.25)
        #expect(record.checkpoints.map(\.step) == [20])
        #expect(!record.isControllable)
        #expect(throws: RunError.self) { try record.directory.request(.save) }
    }

    @Test func aRunThatHasJustBegunDoesNotShowTheNumbersOfTheOneBefore() throws {
        let folder = try TemporaryFolder()
        try folder.write("trainer_log.jsonl", logged)
        var state = RunState(kind: .train, status: .loading, process: .current(), startTime: Clock.unixTime() + 1)
        try folder.write("state.json", state.text())
        let fresh = RunRecord(directory: RunDirectory(folder.path))
        #expect(fresh.status == .running)
        #expect(fresh.step == 0)
        #expect(fresh.lastLoss == nil)
        state.startTime = 0
        try folder.write("state.json", state.text())
        #expect(RunRecord(directory: RunDirectory(folder.path)).step == 20)
    }

    @Test func foldersOfLLaMAFactoryAreRuns() throws {
        let folder = try TemporaryFolder()
        try folder.write("model/lora/train_1/trainer_log.jsonl", logged)
        try folder.write("model/lora/train_1/all_results.json", "{\"train_loss\": 1.5}")
        try folder.write("model/lora/train_2/trainer_log.jsonl", logged + "{\"current_steps\": 30, \"to")
        try folder.write("model/lora/train_2/checkpoint-20/trainer_state.json", "{}")
        try folder.write("model/full/train_3/trainer_state.json", "{\"global_step\": 5, \"max_steps\": 10, \"epoch\": 0.5, \"best_metric\": 0.75}")
        try folder.write("model/full/train_4/trainer_state.json", "{\"global_step\": 5, ")
        try folder.write("notes/readme.txt", "no run")
        let records = RunCatalog.scan(folder.path)
        let byName = Dictionary(uniqueKeysWithValues: records.map { ($0.name, $0) })
        #expect(byName.keys.sorted() == ["train_1", "train_2", "train_3", "train_4"])
        #expect(byName["train_1"]?.status == .finished)
        #expect(byName["train_1"]?.bestLoss == 1.5)
        #expect(byName["train_2"]?.status == .running)
        #expect(byName["train_2"]?.step == 20)
        #expect(byName["train_2"]?.isControllable == false)
        #expect(byName["train_3"]?.bestLoss == 0.75)
        #expect(byName["train_4"]?.step == 0)
        #expect(ResultRecord.scan(folder.path).map(\.values) == [[NamedValue("train_loss", 1.5)]])
    }

    @Test func theFollowerReadsWhatIsAppendedAndWaitsForHalfLines() throws {
        let folder = try TemporaryFolder()
        let directory = RunDirectory(folder.path)
        let lines = logged.split(separator: "\n").map(String.init)
        let log = try AppendFile(path: directory.trainerLogPath)
        try log.write(lines[0])
        try log.write(bytes: Array(lines[1].utf8.prefix(30)))
        let follower = RunFollower(directory)
        func steps(_ update: RunUpdate) -> [Int] {
            update.events.compactMap { event in if case .step(let metrics) = event { metrics.step } else { nil } }
        }
        #expect(steps(follower.poll()) == [10])
        #expect(steps(follower.poll()).isEmpty)
        try log.write(bytes: Array(lines[1].utf8.dropFirst(30)) + [10])
        #expect(steps(follower.poll()) == [20])

        try AppendFile(path: directory.runningLogPath).write("[INFO|2026-11-21 04:05:06] hello")
        let update = follower.poll()
        #expect(update.events.contains { event in if case .log(let record) = event { record.text == "hello" && record.level == .info } else { false } })

        try FileSystem.writeAtomically(directory.trainerLogPath, text: lines[0] + "\n")
        let anew = follower.poll()
        #expect(anew.startedOver)
        #expect(steps(anew) == [10])
    }

    @Test func theFollowerTellsOnceThatItsFolderIsGone() throws {
        let folder = try TemporaryFolder()
        let directory = RunDirectory(Path.join(folder.path, "run"))
        try FileSystem.createDirectory(directory.path)
        let follower = RunFollower(directory)
        #expect(!follower.poll().events.contains(.state(.failed)))
        try FileSystem.removeTree(directory.path)
        #expect(follower.poll().events.contains(.state(.failed)) && !follower.record.isLive)
        #expect(follower.poll().events.isEmpty)
    }

    @Test func theFollowerOfALongLogBeginsNearItsEnd() throws {
        let folder = try TemporaryFolder()
        let directory = RunDirectory(folder.path)
        let long = (0..<40_000).map { "[INFO|2026-11-21 04:05:06] line \($0)" }.joined(separator: "\n") + "\n"
        try FileSystem.writeAtomically(directory.runningLogPath, text: long)
        let records = RunFollower(directory).poll().events.compactMap { event in if case .log(let record) = event { record.text } else { nil } }
        #expect(records.count < 10_000)
        #expect(records.last == "line 39999")
        #expect(records.first?.hasPrefix("line ") == true)
    }

    @Test func runningLogLinesOfOtherProgramsAreOutput() {
        let record = RunningLog.record(line: "Traceback (most recent call last):", time: 5)
        #expect(record == LogRecord(time: 5, level: .output, text: "Traceback (most recent call last):"))
        let written = LogRecord(time: 1_700_000_000, level: .error, text: "no space left")
        #expect(RunningLog.record(line: RunningLog.line(written), time: 0) == written)
        #expect(RunningLog.record(line: "[|]", time: 5).level == .output)
        #expect(RunningLog.record(line: "[", time: 5).level == .output)
    }
}
