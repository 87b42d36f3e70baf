/// The results of `body` for 0 ..< count in their order, made by several threads, each for a stretch of its own.
/// - Parameters:
///   - threads: at most so many; a thread has at least 32 to do
///   - name: of the threads
public func concurrentMap<Result: Sendable>(
    _ count: Int, threads: Int, name: String, _ body: @escaping @Sendable (Int) -> Result
) -> [Result] {
    let workers = max(1, min(threads, count / 32))
    if workers == 1 { return (0..<max(0, count)).map(body) }
    let share = (count + workers - 1) / workers
    let results = Mutex<[Int: [Result]]>([:])
    let running = (0..<workers).map { worker in
        EngineThread(name: "\(name)-\(worker)") {
            let part = (min(worker * share, count)..<min((worker + 1) * share, count)).map(body)
            results.withLock { $0[worker] = part }
        }
    }
    for thread in running { thread.join() }
    return results.withLock { done in (0..<workers).flatMap { done[$0] ?? [] } }
}
