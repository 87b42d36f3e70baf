import CKernels
import Glibc
import Synchronization

/// Runs a list of stages with all threads of a pool inside one piece of its work: whoever finishes a stage's last chunk does what
/// stands between it and the next, and the next begins at once. A step of decoding has a hundred stages of a few
/// microseconds; waking threads for each would cost more than the work.
///
/// Each thread has a stretch of a stage's chunks and takes them in order, so that it reads memory as one stream, which the processor
/// fetches ahead (chunks dealt out in turn are read at half the speed). Whoever is through with his stretch helps at the end
/// of another's. A thread that the system keeps from running holds up nobody, but for a chunk that it has taken.
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

    private let sizes: [Int]
    private let threadCount: Int
    private let stretches: UnsafeMutablePointer<Stretch>
    private let counters: UnsafeMutablePointer<Counter>
    /// How many stages are done.
    private let done = Atomic<Int>(0)

    /// - Parameter sizes: chunks of each stage; at least 1
    init(sizes: [Int], threadCount: Int) {
        precondition(sizes.allSatisfy { $0 > 0 && $0 < 1 << 31 }, "a stage without work")
        self.sizes = sizes
        self.threadCount = threadCount
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
    ///   - perform: one chunk of a stage, by number
    ///   - ahead: asks for the memory of a chunk that the caller will soon be given
    ///   - finish: what one thread does when a stage is done
    func run(on pool: ThreadPool, perform: (Int, Int) -> Void, ahead: (Int, Int) -> Void = { _, _ in }, finish: (Int) -> Void) {
        for (stage, size) in sizes.enumerated() {
            counters[stage].unfinished.store(size, ordering: .relaxed)
            for thread in 0..<threadCount {
                let first = size * thread / threadCount, end = size * (thread + 1) / threadCount
                stretches[stage * threadCount + thread].rest.store(UInt64(end) << 32 | UInt64(first), ordering: .relaxed)
            }
        }
        done.store(0, ordering: .sequentiallyConsistent)
        pool.run(threadCount) { worker in work(worker, perform, ahead, finish) }
    }

    private func work(_ worker: Int, _ perform: (Int, Int) -> Void, _ ahead: (Int, Int) -> Void, _ finish: (Int) -> Void) {
        let count = sizes.count
        var stage = 0
        while stage < count {
            // Reported together: the count is everybody's, and going to it costs a tenth of a chunk.
            var performed = 0
            while let chunk = take(stage, worker) {
                perform(stage, chunk)
                performed += 1
            }
            if stage + 1 < count { ahead(stage + 1, sizes[stage + 1] * worker / threadCount) }
            if performed > 0, counters[stage].unfinished.subtract(performed, ordering: .acquiringAndReleasing).newValue == 0 {
                finish(stage)
                stage += 1
                done.store(stage, ordering: .releasing)
            } else {
                stage = waitFor(stage)
            }
        }
    }

    /// The next chunk of the worker's own stretch, or the last of another's.
    private func take(_ stage: Int, _ worker: Int) -> Int? {
        for step in 0..<threadCount {
            let owner = worker + step < threadCount ? worker + step : worker + step - threadCount
            let place = stretches + (stage * threadCount + owner)
            while true {
                let rest = place.pointee.rest.load(ordering: .relaxed)
                let first = rest & 0xFFFF_FFFF, end = rest >> 32
                guard first < end else { break }
                let left = step == 0 ? rest + 1 : rest - (1 << 32)
                guard place.pointee.rest.compareExchange(expected: rest, desired: left, ordering: .relaxed).exchanged else { continue }
                return Int(step == 0 ? first : end - 1)
            }
        }
        return nil
    }

    /// Returns the stage that is open once `stage` is done. Spins, but lets others have the processor now and then.
    private func waitFor(_ stage: Int) -> Int {
        var turns = 0
        while true {
            let open = done.load(ordering: .acquiring)
            if open > stage { return open }
            turns &+= 1
            if turns & 511 == 0 { sched_yield() } else { tb_cpu_relax() }
        }
    }
}
