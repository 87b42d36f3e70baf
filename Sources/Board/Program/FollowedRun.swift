import Events
import Platform
import Runs
import Synchronization

/// A run opened from disk, read on a thread of its own: what there is of it in pieces, so that a long one shows at once, then what
/// another process appends while it lives.
final class FollowedRun: Sendable {
    let directory: String
    private let isStopped = Atomic<Bool>(false)

    private static let pollSeconds = 0.25
    /// How often a run that is still being read is shown.
    private static let showSeconds = 0.15

    /// Reads the run and posts `runOpened` (several times while a long one is read), then `runGrew` until the run ends or `stop` is
    /// called.
    init(directory: String, queue: ActionQueue) {
        self.directory = directory
        queue.beginWork()
        _ = EngineThread(name: "follower") { [self] in follow(queue) }
    }

    func stop() { isStopped.store(true, ordering: .releasing) }

    private var mayGoOn: Bool { !isStopped.load(ordering: .acquiring) }

    private func follow(_ queue: ActionQueue) {
        let follower = RunFollower(RunDirectory(directory))
        var run = RunDigest(kind: follower.record.kind, title: Path.name(directory), directory: directory, origin: .finished)
        // Smoothed here as the board does at first, so that nothing is left to do when it is shown.
        run.metrics.setSmoothing(ChartState().smoothing)
        run.facts = RunFacts.read(directory)
        var update = follower.poll()
        run.apply(update.events)
        var shown = 0.0
        while update.hasMore, mayGoOn {
            if Clock.monotonicSeconds() - shown > Self.showSeconds {
                shown = Clock.monotonicSeconds()
                run.origin = follower.record.isLive ? .elsewhere : .finished
                queue.post(.runOpened(run))
            }
            update = follower.poll()
            run.apply(update.events)
        }
        run.origin = follower.record.isLive ? .elsewhere : .finished
        run.kind = follower.record.kind
        run.isControllable = follower.isControllable
        let isLive = follower.record.isLive
        queue.endWork(mayGoOn ? [.runOpened(run)] : [])
        if isLive { followOn(follower, queue) }
    }

    /// Looks again and again until the run's process is gone.
    private func followOn(_ follower: RunFollower, _ queue: ActionQueue) {
        while follower.record.isLive, mayGoOn {
            Clock.sleep(seconds: Self.pollSeconds)
            let update = follower.poll()
            guard mayGoOn else { return }
            if !update.events.isEmpty || update.startedOver || !follower.record.isLive {
                queue.post(
                    .runGrew(
                        directory: directory, update.events, startedOver: update.startedOver, isAlive: follower.record.isLive))
            }
        }
        // What it has learnt lies there now.
        if mayGoOn { queue.post(.runFactsRead(directory: directory, RunFacts.read(directory), for: nil)) }
    }
}
