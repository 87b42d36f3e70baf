/// The history in a trainer_state.json, as events: what there is to show of a run that has no trainer_log.jsonl.

import Events
import Formats
import Platform

enum TrainerHistory {
    private static let largestFile: Int64 = 64 << 20
    /// Keys with a place of their own; every other number goes to `extra`.
    private static let known: Set<String> = ["step", "epoch", "loss", "learning_rate", "grad_norm", "eval_loss", "num_input_tokens_seen"]

    /// Nothing where the file is missing, too large, half-written or another program's.
    static func events(path: String) -> [JobEvent] {
        guard let size = try? FileSystem.size(path), size <= largestFile, let text = try? FileSystem.readText(path),
            let state = (try? JSONValue.parse(text, name: path))?.objectValue, let history = state["log_history"]?.arrayValue
        else { return [] }
        let total = state["max_steps"]?.intValue ?? 0
        return history.compactMap { entry -> JobEvent? in
            guard let object = entry.objectValue, let step = object["step"]?.intValue else { return nil }
            let epoch = object["epoch"]?.doubleValue ?? 0
            var extra: [String: Double] = [:]
            for key in object.keys where !known.contains(key) {
                if let value = object[key]?.doubleValue { extra[key] = value }
            }
            if let loss = object["eval_loss"]?.doubleValue {
                return .evaluation(EvaluationMetrics(step: step, epoch: epoch, loss: loss, values: extra))
            }
            // The last entry sums the run up.
            guard let loss = object["loss"]?.doubleValue else { return nil }
            return .step(
                StepMetrics(
                    step: step, totalSteps: total, epoch: epoch, loss: loss, gradientNorm: object["grad_norm"]?.doubleValue,
                    learningRate: object["learning_rate"]?.doubleValue, tokensSeen: object["num_input_tokens_seen"]?.intValue ?? 0,
                    extra: extra, isLogged: true))
        }
    }
}
