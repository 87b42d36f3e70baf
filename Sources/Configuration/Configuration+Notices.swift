/// What is told of a run's arguments before it starts as well as when it does.

extension Configuration {
    /// Why `use_unsloth_gc` has no effect; nil where it has one, or is not asked for.
    public func offloadNotice(isOnProcessor: Bool) -> String? {
        guard self[.useUnslothGc] else { return nil }
        if isOnProcessor { return "use_unsloth_gc has no effect here: a processor keeps what gradient checkpointing saves in the host's memory anyway." }
        guard !self[.gradientCheckpointing] || self[.disableGradientCheckpointing] else { return nil }
        return "use_unsloth_gc has no effect here: without gradient checkpointing there is nothing that could wait."
    }
}
