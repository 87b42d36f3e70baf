import Configuration
import Events
import Platform
import Runs

/// Counts calls from any thread.
final class Counter: Sendable {
    private let count = Mutex(0)
    func add() { count.withLock { $0 += 1 } }
    var value: Int { count.withLock { $0 } }
}

/// A folder that is removed when the test is over.
final class TemporaryFolder {
    let path: String

    init() throws { path = try FileSystem.createTemporaryDirectory(prefix: "runs-test-") }
    deinit { try? FileSystem.removeTree(path) }

    func write(_ name: String, _ text: String) throws {
        let file = Path.join(path, name)
        try FileSystem.createDirectory(Path.directory(file))
        try FileSystem.writeAtomically(file, text: text)
    }
}

/// Waits, at most `seconds`, until the condition holds.
func waitUntil(seconds: Double = 5, _ condition: () -> Bool) -> Bool {
    let end = Clock.monotonicSeconds() + seconds
    while Clock.monotonicSeconds() < end {
        if condition() { return true }
        Clock.sleep(seconds: 0.005)
    }
    return condition()
}
