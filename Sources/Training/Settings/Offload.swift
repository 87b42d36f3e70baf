/// What waits in the host's memory because a card's is short.

import Events
import Platform

public struct Offload: Sendable, Equatable {
    /// The optimizer's state, which the card then works on over the bus, once a step.
    public var optimizer = false
    /// What gradient checkpointing keeps: copied there and back beside the computation.
    public var checkpoints = false

    public init(optimizer: Bool = false, checkpoints: Bool = false) {
        self.optimizer = optimizer
        self.checkpoints = checkpoints
    }

    /// What may be given up beyond this, the cheaper first. Copies of checkpoints are hidden behind the computation, an update over the
    /// bus is not.
    func further(recomputesBlocks: Bool) -> [Offload] {
        var steps = [Offload(optimizer: true, checkpoints: checkpoints)]
        if recomputesBlocks { steps = [Offload(optimizer: optimizer, checkpoints: true)] + steps + [Offload(optimizer: true, checkpoints: true)] }
        return steps.filter { $0 != self }
    }

    /// "the optimizer's state and the checkpoints of activations wait"
    var text: String {
        switch (optimizer, checkpoints) {
        case (true, true): "the optimizer's state and the checkpoints of activations wait"
        case (true, false): "the optimizer's state waits"
        case (false, true): "the checkpoints of activations wait"
        case (false, false): "nothing waits"
        }
    }
}
