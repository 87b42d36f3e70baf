/// The lines of trainer_log.jsonl, LLaMA-Factory's record of a run, as events.

import Events
import Formats

/// One object per line: `{"current_steps": 10, "total_steps": 120, "loss": 1.9, "lr": 5e-05, "epoch": 0.25, ...}`; a line with
/// `eval_loss` is an evaluation.
public enum TrainerLog {
    /// Keys with a place of their own in `StepMetrics`; every other number goes to `extra`.
    private static let knownKeys: Set<String> = [
        "current_steps", "total_steps", "loss", "eval_loss", "lr", "learning_rate", "epoch", "percentage", "elapsed_time", "remaining_time",
        "throughput", "total_tokens", "grad_norm", "elapsed_seconds", "remaining_seconds",
    ]

    /// The event that a line stands for. Nil for lines that are broken or carry nothing that is known here.
    public static func event(line: String) -> JobEvent? {
        guard let object = (try? JSONValue.parse(line, name: "trainer_log.jsonl"))?.objectValue,
            let step = object["current_steps"]?.intValue
        else { return nil }
        let epoch = object["epoch"]?.doubleValue ?? 0
        var extra: [String: Double] = [:]
        for key in object.keys where !knownKeys.contains(key) {
            if let value = object[key]?.doubleValue { extra[key] = value }
        }
        if let loss = object["eval_loss"]?.doubleValue {
            return .evaluation(EvaluationMetrics(step: step, epoch: epoch, loss: loss, values: extra))
        }
        return .step(
            StepMetrics(
                step: step, totalSteps: object["total_steps"]?.intValue ?? 0, epoch: epoch, loss: object["loss"]?.doubleValue,
                gradientNorm: object["grad_norm"]?.doubleValue,
                learningRate: object["lr"]?.doubleValue ?? object["learning_rate"]?.doubleValue,
                tokensPerSecond: object["throughput"]?.doubleValue, tokensSeen: object["total_tokens"]?.intValue ?? 0,
                elapsedSeconds: seconds(object["elapsed_seconds"] ?? object["elapsed_time"]),
                remainingSeconds: seconds(object["remaining_seconds"] ?? object["remaining_time"]), extra: extra, isLogged: true))
    }

    /// Seconds of `H:MM:SS` or `D days, H:MM:SS` (how Python writes a time span), or of a plain number.
    static func seconds(_ value: JSONValue?) -> Double {
        if let number = value?.doubleValue { return number }
        guard let text = value?.stringValue else { return 0 }
        var days = 0.0
        var clock = Substring(text)
        if let comma = text.firstIndex(of: ",") {
            days = Double(text.prefix { $0.isNumber }) ?? 0
            clock = text[text.index(after: comma)...]
        }
        let parts = clock.split(separator: ":").map { part in Double(part.filter { !$0.isWhitespace }) ?? 0 }
        return days * 86_400 + parts.reduce(0) { $0 * 60 + $1 }
    }
}
