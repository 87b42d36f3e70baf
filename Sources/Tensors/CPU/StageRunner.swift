import CKernels
import Glibc
import Synchronization

/// Runs a list of stages with all threads of a pool inside one piece of its work: whoever finishes a stage's last chunk does what
/// stands between it and the next, and the next begins at once. A step of decoding has a hundred stages of a few
/// microseconds; waking threads for each would cost more than the work.
///
/// Each thread has a stretch of a stage's chunks and takes them in order, so that it reads memory as one stream, which the processor
/// fetches ahead (chunks dealt out in turn are read at half the speed): three quarters of what is left at a time, because beginning
/// anew interrupts the stream. Whoever is through with his stretch takes half of another's rest, from its end. A
/// thread that the system keeps from running holds up nobody, but for the chunks that it has taken.
///
/// Who waits for others asks meanwhile for what he will read next, so that memory never stands still.
final class StageRunner: @unchecked Sendable {
    /// A thread's chunks of a stage that are not yet taken, on a cache line of its own: the first in the low half, the end in the
    /// high one.
    private struct Stretch: ~Copyable {
        let rest = Atomic<UInt64>(0)
        let padding: (Int, Int, Int, Int, Int, Int, Int) = (0, 0, 0, 0, 0, 0, 0)
    }

    private struct Counter: ~Copyable {
        let unfinished = Atomic<Int>(0)
        let padding: (Int, Int, Int, Int, Int, Int, Int) = (0, 0, 0, 0, 0, 0, 0)
    }

    /// What a thread reads first in a stage: one stretch of memory or two side by side, and small things before.
    struct Upcoming {
        var first: UnsafeRawPointer?
        var second: UnsafeRawPointer?
        /// Of each.
        var byteCount = 0
        var small: UnsafeRawPointer?
        var smallBytes = 0
        var other: UnsafeRawPointer?
        var otherBytes = 0
    }

    private let sizes: [Int]
    private let threadCount: Int
    /// [stages, threads]
    private let upcoming: UnsafePointer<Upcoming>?
    private let stretches: UnsafeMutablePointer<Stretch>
    private let counters: UnsafeMutablePointer<Counter>
    /// How many stages are done.
    private let done = Atomic<Int>(0)

    /// - Parameters:
    ///   - sizes: chunks of each stage; at least 1
    ///   - upcoming: [stages, threads], as long as the runner lives
    init(sizes: [Int], threadCount: Int, upcoming: UnsafePointer<Upcoming>? = nil) {
        precondition(sizes.allSatisfy { $0 > 0 && $0 < 1 << 31 }, "a stage without work")
        self.sizes = sizes
        self.threadCount = threadCount
        self.upcoming = upcoming
        stretches = .allocate(capacity: max(1, sizes.count * threadCount))
        counters = .allocate(capacity: max(1, sizes.count))
        for index in 0..<sizes.count * threadCount { (stretches + index).initialize(to: Stretch()) }
        for index in sizes.indices { (counters + index).initialize(to: Counter()) }
    }

    deinit {
        stretches.deinitialize(count: sizes.count * threadCount)
        stretches.deallocate()
        counters.deinitialize(count: sizes.count)
        counters.deallocate()
    }

    /// - Parameters:
    ///   - pool: of `threadCount` threads
    ///   - begin: what each thread that takes part in a stage does first there
    ///   - perform: chunks of a stage, by number, and the thread's number
    ///   - finish: what one thread does when a stage is done
    func run(
        on pool: ThreadPool, begin: (Int, Int) -> Void = { _, _ in }, perform: (Int, Range<Int>, Int) -> Void, finish: (Int) -> Void
    ) {
        for (stage, size) in sizes.enumerated() {
            counters[stage].unfinished.store(size, ordering: .relaxed)
            for thread in 0..<threadCount {
                let first = size * thread / threadCount, end = size * (thread + 1) / threadCount
                stretches[stage * threadCount + thread].rest.store(UInt64(end) << 32 | UInt64(first), ordering: .relaxed)
            }
        }
        done.store(0, ordering: .sequentiallyConsistent)
        // A thread has the same stretches in every run: their memory may still be in caches of its own.
        pool.run(threadCount) { _ in work(min(Int(tb_thread_number()), threadCount - 1), begin, perform, finish) }
    }

    private func work(_ worker: Int, _ begin: (Int, Int) -> Void, _ perform: (Int, Range<Int>, Int) -> Void, _ finish: (Int) -> Void) {
        let count = sizes.count
        var stage = 0
        while stage < count {
            // Reported together: the count is everybody's, and going to it costs a tenth of a chunk.
            var performed = 0
            while let (chunks, isLast) = take(stage, worker) {
                if performed == 0 { begin(stage, worker) }
                if isLast { fetch(stage + 1, worker) }
                perform(stage, chunks, worker)
                performed += chunks.count
            }
            if performed > 0, counters[stage].unfinished.subtract(performed, ordering: .acquiringAndReleasing).newValue == 0 {
                finish(stage)
                stage += 1
                done.store(stage, ordering: .releasing)
            } else {
                stage = waitFor(stage, worker)
            }
        }
    }

    /// The next chunks of the worker's own stretch, or the last ones of another's; and whether his own are at an end.
    private func take(_ stage: Int, _ worker: Int) -> (Range<Int>, isLast: Bool)? {
        for step in 0..<threadCount {
            let owner = worker + step < threadCount ? worker + step : worker + step - threadCount
            let place = stretches + (stage * threadCount + owner)
            while true {
                let rest = place.pointee.rest.load(ordering: .relaxed)
                let first = rest & 0xFFFF_FFFF, end = rest >> 32
                guard first < end else { break }
                let count = end - first, taken = step == 0 ? (count <= 4 ? count : count - count / 4) : max(1, count / 2)
                let left = step == 0 ? rest + taken : rest - taken << 32
                guard place.pointee.rest.compareExchange(expected: rest, desired: left, ordering: .relaxed).exchanged else { continue }
                return step == 0 ? (Int(first)..<Int(first + taken), taken == count) : (Int(end - taken)..<Int(end), false)
            }
        }
        return nil
    }

    /// Returns the stage that is open once `stage` is done. Spins, but lets others have the processor now and then.
    private func waitFor(_ stage: Int, _ worker: Int) -> Int {
        var turns = 0, asked = Self.bytesAtFirst
        let next = stage + 1 < sizes.count ? upcoming.map { $0[(stage + 1) * threadCount + worker] } : nil
        while true {
            let open = done.load(ordering: .acquiring)
            if open > stage { return open }
            turns &+= 1
            if turns & 511 == 0 { sched_yield() }
            guard let next, asked < next.byteCount else {
                tb_cpu_relax()
                continue
            }
            if let first = next.first { tb_fetch(first + asked, Self.bytesAtOnce) }
            if let second = next.second { tb_fetch(second + asked, Self.bytesAtOnce) }
            asked += Self.bytesAtOnce
        }
    }

    /// Asks for what comes before a stage, and for the beginning of its stretch.
    private func fetch(_ stage: Int, _ worker: Int) {
        guard stage < sizes.count, let next = upcoming.map({ $0 + (stage * threadCount + worker) }) else { return }
        if let small = next.pointee.small { tb_fetch(small, next.pointee.smallBytes) }
        if let other = next.pointee.other { tb_fetch(other, next.pointee.otherBytes) }
        let bytes = min(Self.bytesAtFirst, next.pointee.byteCount)
        if let first = next.pointee.first { tb_fetch(first, bytes) }
        if let second = next.pointee.second { tb_fetch(second, bytes) }
    }

    /// Asked for before the last chunks of the stage before.
    private static let bytesAtFirst = 2048
    /// Asked for between two looks at whether the wait is over.
    private static let bytesAtOnce = 256
}
