import Events
import Platform
import Runs
import Synchronization

/// A run opened from disk, read on a thread of its own: all of it first, then what another process appends while it lives.
final class FollowedRun: Sendable {
    let directory: String
    private let isStopped = Atomic<Bool>(false)

    private static let pollSeconds = 0.4

    /// Reads the run and posts `runOpened`, then `runGrew` until the run ends or `stop` is called.
    init(directory: String, queue: ActionQueue) {
        self.directory = directory
        queue.beginWork()
        _ = EngineThread(name: "follower") { [self] in follow(queue) }
    }

    func stop() { isStopped.store(true, ordering: .releasing) }

    private func follow(_ queue: ActionQueue) {
        let follower = RunFollower(RunDirectory(directory))
        var run = RunDigest(kind: follower.record.kind, title: Path.name(directory), directory: directory, origin: .finished)
        var update = follower.poll()
        run.apply(update.events)
        while update.hasMore {
            update = follower.poll()
            run.apply(update.events)
        }
        run.origin = follower.record.isLive ? .elsewhere : .finished
        run.kind = follower.record.kind
        queue.endWork(isStopped.load(ordering: .acquiring) ? [] : [.runOpened(run)])
        while follower.record.isLive, !isStopped.load(ordering: .acquiring) {
            Clock.sleep(seconds: Self.pollSeconds)
            let update = follower.poll()
            guard !isStopped.load(ordering: .acquiring) else { return }
            if !update.events.isEmpty || update.startedOver || !follower.record.isLive {
                queue.post(
                    .runGrew(
                        directory: directory, update.events, startedOver: update.startedOver, isAlive: follower.record.isLive))
            }
        }
    }
}
