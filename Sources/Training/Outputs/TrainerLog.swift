/// trainer_log.jsonl: one line per log call, with the keys and the order that LLaMA-Factory gives them. The gradient norm and
/// further metrics follow at the end of the line, for those who watch the run from outside.

import Formats
import Glibc
import Platform

final class TrainerLog {
    static let fileName = "trainer_log.jsonl"
    private let file: AppendFile
    private let meter: SpeedMeter
    private let totalSteps: Int

    /// - Parameter keptLines: lines of an existing log that the resumed run keeps; 0 starts the file anew.
    init(directory: String, keptLines: Int, totalSteps: Int, meter: SpeedMeter) throws {
        let path = Path.join(directory, Self.fileName)
        try Self.cut(path, toLines: keptLines)
        file = try AppendFile(path: path)
        self.totalSteps = totalSteps
        self.meter = meter
    }

    /// What a killed run wrote after its last checkpoint would stand twice in the log of the resumed one.
    private static func cut(_ path: String, toLines kept: Int) throws {
        guard FileSystem.exists(path) else { return }
        var lines: [String] = []
        let reader = try LineReader(path: path)
        while lines.count < kept, let line = try reader.next() { lines.append(String(decoding: line, as: UTF8.self)) }
        try FileSystem.writeAtomically(path, text: lines.map { $0 + "\n" }.joined())
    }

    /// - Parameter entry: what went into the log history: `loss`, `learning_rate`, `epoch`, `eval_loss`, ...
    func write(_ entry: JSONObject, step: Int, tokens: Int) throws {
        var line = JSONObject([("current_steps", .integer(step)), ("total_steps", .integer(totalSteps))])
        let renamed = [
            ("loss", "loss"), ("eval_loss", "eval_loss"), ("predict_loss", "predict_loss"), ("reward", "reward"),
            ("accuracy", "rewards/accuracies"), ("lr", "learning_rate"), ("epoch", "epoch"),
        ]
        for (name, source) in renamed {
            if let value = entry[source] { line.set(name, value) }
        }
        let percentage = totalSteps == 0 ? 100 : (Double(step) / Double(totalSteps) * 10_000).rounded(.toNearestOrEven) / 100
        line.set("percentage", .number(percentage))
        line.set("elapsed_time", .string(NumberText.duration(meter.elapsedSeconds.rounded(.down))))
        line.set("remaining_time", .string(NumberText.duration(meter.remainingSeconds(step: step).rounded(.down))))
        if tokens > 0 {
            line.set("throughput", .number((meter.throughput(tokens: tokens) * 100).rounded() / 100))
            line.set("total_tokens", .integer(tokens))
        }
        for name in ["grad_norm", "eval_accuracy", "eval_perplexity"] {
            if let value = entry[name] { line.set(name, value) }
        }
        // What a stage measures is told by names with a slash, but for the divergence and the score.
        for (name, value) in entry where name.utf8.contains(UInt8(ascii: "/")) || ["kl", "accuracy", "sft_loss", "odds_ratio_loss"].contains(name) {
            line.set(name, value)
        }
        try file.write(line.text(style: .python, escapeNonASCII: true) + "\n")
    }

    func close() {
        file.sync()
        file.close()
    }
}
