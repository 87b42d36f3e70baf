/// A lock between processes that change the same file.

import Glibc

public enum FileLock {
    /// Runs `body` while no other process holds the lock of `path`, a file made for that and left there. Waits for its turn; a file
    /// system without locks counts as free.
    public static func withLock<Result, Failure: Error>(_ path: String, _ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        defer { if descriptor >= 0 { close(descriptor) } }
        if descriptor >= 0 { while flock(descriptor, LOCK_EX) != 0, errno == EINTR {} }
        return try body()
    }
}
