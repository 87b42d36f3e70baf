import Events
import Platform
import Testing

@testable import Runs

/// The fast reader of trainer_log.jsonl against the strict one.
@Suite struct TrainerLogScannerTests {
    private func fast(_ line: String) -> JobEvent? {
        let bytes = Array(line.utf8) + [0]
        return bytes.withUnsafeBytes { TrainerLogScanner.event(UnsafeRawBufferPointer(rebasing: $0[..<(bytes.count - 1)])) }
    }

    /// Equal, a value that is not a number included.
    private func isSame(_ left: JobEvent?, _ right: JobEvent?) -> Bool { left == right || "\(String(describing: left))" == "\(String(describing: right))" }

    @Test(arguments: [
        #"{"current_steps": 5, "total_steps": 100, "loss": 1.2345678901234567, "lr": 5e-05, "epoch": 0.1, "percentage": 5.0, "elapsed_time": "0:00:10", "remaining_time": "1 day, 0:10:00"}"#,
        #"{"current_steps": 5, "total_steps": 100, "eval_loss": 0.5, "epoch": 0.1, "rewards/accuracies": 0.75}"#,
        #"{"current_steps":1,"loss":NaN,"grad_norm":Infinity,"throughput":-Infinity}"#,
        #"{"current_steps": 7, "loss": -0.0, "lr": 1E+3, "x": 123456789012345678901234567890, "y": 1e-320, "z": 1e400}"#,
        #"  { "current_steps" : 7 , "loss" : null, "name": "a \"quoted\" one", "flag": true }  "#,
        #"{"current_steps": 7, "nested": {"a": [1, 2]}, "loss": 2}"#,
        #"{"current_steps": 7, "loss": 2"#, #"{"current_steps": 7,, "loss": 2}"#, #"{"loss": 2}"#, "", "{", "[1]", #"{"current_steps": 1.5, "loss": 1}"#,
        #"{"current_steps": 7, "loss": 1.}"#, #"{"current_steps": 7, "loss": -}"#, #"{"current_steps": 7, "loss": 1e}"#,
        #"{"current_steps": 7, "loss": 1} trailing"#, #"{"current_steps": 99999999999999999999, "loss": 1}"#,
        #"{"current_steps": 7, "total_tokens": 1e300, "elapsed_seconds": 12.5, "remaining_seconds": 3, "learning_rate": 0.1}"#,
    ])
    func bothReadTheSame(line: String) {
        #expect(isSame(fast(line), TrainerLog.event(line: line)), "\(line)")
    }

    @Test func randomNumbersAreReadExactly() {
        var random = RandomGenerator(seed: 3)
        for _ in 0..<2_000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            let line = #"{"current_steps": 3, "loss": \#(NumberText.pythonFloat(value))}"#
            guard case .step(let metrics)? = fast(line) else {
                Issue.record("not read: \(line)")
                continue
            }
            #expect(metrics.loss == value, "\(line)")
        }
    }

    @Test func damageNeitherTrapsNorDiffers() {
        let line = #"{"current_steps": 5, "total_steps": 100, "loss": 1.25, "lr": 5e-05, "epoch": 0.1, "elapsed_time": "0:00:10"}"#
        var random = RandomGenerator(seed: 4)
        for _ in 0..<3_000 {
            var bytes = Array(line.utf8)
            for _ in 0..<(1 + random.index(below: 3)) { bytes[random.index(below: bytes.count)] = UInt8(32 + random.index(below: 95)) }
            if random.uniform() < 0.3 { bytes.removeLast(random.index(below: bytes.count)) }
            let damaged = String(decoding: bytes, as: UTF8.self)
            #expect(isSame(fast(damaged), TrainerLog.event(line: damaged)), "\(damaged)")
        }
    }

    @Test func aRunOfTheHuggingFaceTrainerIsReadFromItsState() throws {
        let folder = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(folder) }
        let state = #"{"global_step": 4, "max_steps": 10, "log_history": [{"step": 2, "epoch": 0.2, "loss": 1.5, "grad_norm": 0.5, "learning_rate": 1e-4}, {"step": 4, "eval_loss": 1.25}, {"step": 4, "train_runtime": 3}]}"#
        try FileSystem.writeAtomically(Path.join(folder, "trainer_state.json"), text: state)
        let follower = RunFollower(RunDirectory(folder))
        let update = follower.poll()
        #expect(update.events.contains { if case .step(let step) = $0 { step.loss == 1.5 && step.gradientNorm == 0.5 } else { false } })
        #expect(update.events.contains { if case .evaluation(let found) = $0 { found.loss == 1.25 } else { false } })
        #expect(!follower.poll().startedOver)
        // Half-written: nothing new, and nothing lost.
        try FileSystem.writeAtomically(Path.join(folder, "trainer_state.json"), text: String(state.prefix(60)))
        #expect(!follower.poll().startedOver)
    }

    @Test func aTimeWithAnyNumberOfColonsIsRead() {
        let line = #"{"current_steps": 1, "elapsed_time": "\#(String(repeating: "9:", count: 40))1"}"# + "\n"
        let event = Array(line.utf8).withUnsafeBytes { TrainerLogScanner.event(UnsafeRawBufferPointer(rebasing: $0.dropLast())) }
        #expect(event != nil)
    }

    @Test func aRenamedRunIsWhereItWasAskedToBe() throws {
        let folder = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(folder) }
        let run = Path.join(folder, "a")
        try FileSystem.createDirectory(run)
        try FileSystem.writeAtomically(Path.join(run, "trainer_log.jsonl"), text: "{}\n")
        try RunDirectory(run).rename(to: Path.join(folder, "deeper", "b"))
        #expect(RunDirectory(Path.join(folder, "deeper", "b")).isRun)
        try FileSystem.createDirectory(Path.join(folder, "taken"))
        #expect(throws: RunError.self) { try RunDirectory(Path.join(folder, "deeper", "b")).rename(to: Path.join(folder, "taken")) }
    }
}
