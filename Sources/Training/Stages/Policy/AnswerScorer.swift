/// What judges the policy's answers: a model with a value head, or a server.

import Datasets
import Models
import Tensors
import Tokenizers

enum AnswerScorer {
    case model(Transformer, ValueHead)
    case server(RewardServer, Tokenizer)

    /// One score for each question with its answer.
    func scores(_ trajectories: [Trajectory]) throws -> [Double] {
        switch self {
        case .model(let model, let head): return head.scores(model, Batch(trajectories: trajectories))
        case .server(let server, let tokenizer):
            return try server.scores(trajectories.map { tokenizer.decode($0.prompt + $0.answer, skipSpecialTokens: false) })
        }
    }

    /// Memory beside the policy's: an adapter on the shared base has none worth counting.
    var residentBytes: Int64 {
        switch self {
        case .model(let model, _): model.adapterBytes
        case .server: 0
        }
    }
}

extension Batch {
    /// Questions with their answers, the answers' tokens as labels.
    init(trajectories: [Trajectory]) {
        self.init(
            trajectories.map { trajectory in
                TrainingSample(
                    tokens: trajectory.prompt + trajectory.answer,
                    labels: Array(repeating: ignoredLabel, count: trajectory.prompt.count) + trajectory.answer)
            })
    }

    /// The same prompts with so many tokens more each, all of them answers: the most that a step can become.
    func extended(by count: Int) -> Batch {
        Batch(
            trajectories: sequences.map { rows in
                Trajectory(prompt: Array(tokens[rows]), answer: Array(repeating: tokens.first ?? 0, count: count))
            })
    }
}
