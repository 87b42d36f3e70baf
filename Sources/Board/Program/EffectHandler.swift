/// Does outside of the board what `update` asks for. Calls come on the board's thread and must return at once; what takes time
/// runs elsewhere and comes back through the queue.
public protocol EffectHandler: AnyObject {
    /// Called once, before anything is performed.
    func attach(_ queue: ActionQueue)

    func perform(_ effect: Effect)

    /// What running jobs and the chat have to say since the last call; called whenever the board was woken.
    func poll() -> [Action]

    /// True for an answer that nobody waits for any more: what was asked has been replaced by another question.
    func isStale(_ action: Action) -> Bool

    /// Processor and memory now.
    func sampleSystem() -> SystemSample

    /// True when there is a parent that holds the terminal, so that the job can go on without it.
    var canDetach: Bool { get }
}

extension EffectHandler {
    public func isStale(_ action: Action) -> Bool { false }
}
