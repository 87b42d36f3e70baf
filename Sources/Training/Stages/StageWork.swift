/// What a stage does in a step: learn from the loss of micro-batches, or answer, be scored and learn from that.

import Formats
import Tensors

public enum StageWork {
    case losses(any Objective)
    case policy(PolicyOptimisation)

    /// What is trained beside the model's own parameters.
    var parameters: [Parameter] {
        switch self {
        case .losses(let objective): objective.parameters
        case .policy(let policy): policy.head.parameters
        }
    }

    /// What a checkpoint has to keep beside weights and optimizer.
    var memory: JSONObject {
        switch self {
        case .losses(let objective): objective.memory
        case .policy(let policy): policy.memory
        }
    }

    func remember(_ memory: JSONObject) {
        guard !memory.keys.isEmpty else { return }
        switch self {
        case .losses(let objective): objective.memory = memory
        case .policy(let policy): policy.memory = memory
        }
    }

    /// The head that is saved with the model.
    var valueHead: ValueHead? {
        switch self {
        case .losses(let objective): (objective as? RewardObjective)?.head
        case .policy(let policy): policy.head
        }
    }

    /// What evaluations measure; none for a policy.
    var objective: (any Objective)? {
        switch self {
        case .losses(let objective): objective
        case .policy: nil
        }
    }
}
