import CKernels
import Glibc
import Platform
import Synchronization

/// Threads that share the chunks of one piece of work after another.
///
/// Chunks are handed out as threads get free, so a core that is busy elsewhere does not hold the others up; what a chunk is depends
/// only on the work, never on the threads, so results are the same for every thread count. Work comes from one thread at a time
/// (others wait for their turn). A thread that has nothing to do spins for a moment, because the next product follows at
/// once in a training step, and then sleeps.
final class ThreadPool: @unchecked Sendable {
    let threadCount: Int
    /// Number of the work in the high half, chunks not yet handed out in the low half.
    private let ticket = Atomic<UInt64>(0)
    private let unfinished = Atomic<Int>(0)
    private let isClosing = Atomic<Bool>(false)
    private let sleeperCount = Atomic<Int>(0)
    private let turn = Condition()
    private let sleepers = Condition()
    private var generation: UInt64 = 0
    private var chunkCount = 0
    private var work: ((Int) -> Void)?
    private var threads: [EngineThread] = []

    /// - Parameter threadCount: including the caller's thread; at least 1
    init(threadCount: Int) {
        self.threadCount = max(1, threadCount)
    }

    /// Threads are started with the first work that needs them.
    private func startThreads() {
        guard threads.isEmpty, threadCount > 1 else { return }
        let shared = Unowned(pool: self, starter: pthread_self())
        threads = (1..<threadCount).map { number in
            EngineThread(name: "compute \(number)", stackSize: 1 << 20) {
                // Where the system has no thread to give, the body runs on the starter, which must not become a server.
                if pthread_equal(shared.starter, pthread_self()) == 0 { shared.pool.serve(number) }
            }
        }
    }

    private struct Unowned: @unchecked Sendable {
        unowned(unsafe) let pool: ThreadPool
        let starter: pthread_t
    }

    deinit {
        isClosing.store(true, ordering: .sequentiallyConsistent)
        sleepers.withLock { sleepers.broadcast() }
        for thread in threads { thread.join() }
    }

    /// Runs `body` for every chunk number below `count` and returns when all are done.
    func run(_ count: Int, _ body: (Int) -> Void) {
        guard count > 1, threadCount > 1 else {
            for chunk in 0..<count { body(chunk) }
            return
        }
        turn.lock()
        defer { turn.unlock() }
        startThreads()
        // The caller is the first thread of this pool, whatever it is elsewhere.
        let callersNumber = tb_thread_number()
        tb_set_thread_number(0)
        defer { tb_set_thread_number(callersNumber) }
        withoutActuallyEscaping(body) { body in
            work = body
            chunkCount = count
            generation &+= 1
            unfinished.store(count, ordering: .relaxed)
            ticket.store(generation << 32 | UInt64(count), ordering: .sequentiallyConsistent)
            if sleeperCount.load(ordering: .sequentiallyConsistent) > 0 { sleepers.withLock { sleepers.broadcast() } }
            takeChunks(of: generation & 0xFFFF_FFFF)
            waitForOthers()
            work = nil
        }
    }

    /// Takes chunks of one generation of work until none is left.
    private func takeChunks(of wanted: UInt64) {
        while true {
            let seen = ticket.load(ordering: .acquiring)
            let left = seen & 0xFFFF_FFFF
            guard seen >> 32 == wanted, left > 0 else { return }
            guard ticket.compareExchange(expected: seen, desired: seen - 1, ordering: .acquiringAndReleasing).exchanged else { continue }
            // The work cannot end before this chunk is reported, so its closure and count are safe to read.
            perform(chunkCount - Int(left))
            unfinished.subtract(1, ordering: .acquiringAndReleasing)
        }
    }

    /// Not inlined: the closure's reference is given up before the chunk is reported.
    @inline(never) private func perform(_ chunk: Int) { work?(chunk) }

    private func waitForOthers() {
        var turns = 0
        while unfinished.load(ordering: .acquiring) > 0 {
            turns += 1
            if turns & 1023 == 0 { sched_yield() } else { tb_cpu_relax() }
        }
    }

    private func serve(_ number: Int) {
        ThreadTurns.long()
        tb_set_thread_number(Int32(number))
        while !isClosing.load(ordering: .relaxed) {
            let seen = ticket.load(ordering: .acquiring)
            if seen & 0xFFFF_FFFF > 0 {
                takeChunks(of: seen >> 32)
                continue
            }
            if spin() { continue }
            sleep()
        }
    }

    /// Waits about a tenth of a millisecond for work, which is what lies between two tokens; true when there is some. Others who
    /// want the processor get it.
    private func spin() -> Bool {
        for turn in 1...8000 {
            if ticket.load(ordering: .relaxed) & 0xFFFF_FFFF > 0 { return true }
            if turn & 255 == 0 { sched_yield() } else { tb_cpu_relax() }
        }
        return false
    }

    private func sleep() {
        sleepers.lock()
        sleeperCount.add(1, ordering: .sequentiallyConsistent)
        while ticket.load(ordering: .sequentiallyConsistent) & 0xFFFF_FFFF == 0, !isClosing.load(ordering: .relaxed) {
            sleepers.wait()
        }
        sleeperCount.subtract(1, ordering: .sequentiallyConsistent)
        sleepers.unlock()
    }
}
