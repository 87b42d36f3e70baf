import CKernels
import Glibc
import Synchronization

/// Runs a list of stages with all threads of a pool inside one piece of its work: whoever finishes a stage's last chunk does what
/// stands between it and the next, and the next begins at once. A step of decoding has a hundred stages of a few
/// microseconds; waking threads for each would cost more than the work.
///
/// Each thread has a stretch of a stage's chunks and takes them in order, so that it reads memory as one stream, which the processor
/// fetches ahead (chunks dealt out in turn are read at half the speed): half of what is left at a time, because taking and beginning
/// anew cost as much as a tenth of a chunk. Whoever is through with his stretch takes half of another's rest, from its end. A
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

    /// What a thread reads first in a stage: one stretch of memory or two side by side.
    struct Upcoming {
        var first: UnsafeRawPointer?
        var second: UnsafeRawPointer?
        /// Of each.
        var byteCount = 0
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
    ///   - perform: chunks of a stage, by number
    ///   - finish: what one thread does when a stage is done
    func run(on pool: ThreadPool, perform: (Int, Range<Int>) -> Void, finish: (Int) -> Void) {
        for (stage, size) in sizes.enumerated() {
            counters[stage].unfinished.store(size, ordering: .relaxed)
            for thread in 0..<threadCount {
                let first = size * thread / threadCount, end = size * (thread + 1) / threadCount
                stretches[stage * threadCount + thread].rest.store(UInt64(end) << 32 | UInt64(first), ordering: .relaxed)
            }
        }
        done.store(0, ordering: .sequentiallyConsistent)
        pool.run(threadCount) { worker in work(worker, perform, finish) }
    }

    private func work(_ worker: Int, _ perform: (Int, Range<Int>) -> Void, _ finish: (Int) -> Void) {
        let count = sizes.count
        var stage = 0
        while stage < count {
            // Reported together: the count is everybody's, and going to it costs a tenth of a chunk.
            var performed = 0
            while let chunks = take(stage, worker) {
                perform(stage, chunks)
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

    /// The next chunks of the worker's own stretch, or the last ones of another's.
    private func take(_ stage: Int, _ worker: Int) -> Range<Int>? {
        for step in 0..<threadCount {
            let owner = worker + step < threadCount ? worker + step : worker + step - threadCount
            let place = stretches + (stage * threadCount + owner)
            while true {
                let rest = place.pointee.rest.load(ordering: .relaxed)
                let first = rest & 0xFFFF_FFFF, end = rest >> 32
                guard first < end else { break }
                let taken = max(1, (end - first) / 2)
                let left = step == 0 ? rest + taken : rest - taken << 32
                guard place.pointee.rest.compareExchange(expected: rest, desired: left, ordering: .relaxed).exchanged else { continue }
                return step == 0 ? Int(first)..<Int(first + taken) : Int(end - taken)..<Int(end)
            }
        }
        return nil
    }

    /// Returns the stage that is open once `stage` is done. Spins, but lets others have the processor now and then.
    private func waitFor(_ stage: Int, _ worker: Int) -> Int {
        var turns = 0, asked = 0
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

    /// Asked for between two looks at whether the wait is over.
    private static let bytesAtOnce = 256
}
