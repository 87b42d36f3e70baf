/// train_results.json, eval_results.json and predict_results.json, each also merged into all_results.json, as the Trainer's
/// `save_metrics` leaves them.

import Formats
import Platform

public enum ResultsFile {
    /// - Parameters:
    ///   - split: `train`, `eval` or `predict`.
    ///   - metrics: names as they shall stand in the file.
    public static func write(_ metrics: JSONObject, split: String, to directory: String) throws {
        try FileSystem.writeAtomically(Path.join(directory, "\(split)_results.json"), text: text(metrics))
        let combinedPath = Path.join(directory, "all_results.json")
        var combined = JSONObject()
        if FileSystem.exists(combinedPath), let found = try? JSONValue.read(file: combinedPath).objectValue { combined = found }
        combined.merge(metrics)
        try FileSystem.writeAtomically(combinedPath, text: text(combined))
    }

    private static func text(_ metrics: JSONObject) -> String {
        metrics.text(style: .indented(4), sortedKeys: true, escapeNonASCII: true)
    }

    /// Runtime and speed by the Trainer's names: `eval_runtime`, `eval_samples_per_second`, `eval_steps_per_second`.
    public static func speed(split: String, seconds: Double, samples: Double, steps: Int) -> [(String, JSONValue)] {
        var values: [(String, JSONValue)] = [("\(split)_runtime", .number(PythonNumbers.rounded(seconds, digits: 4)))]
        guard seconds > 0 else { return values }
        values.append(("\(split)_samples_per_second", .number(PythonNumbers.rounded(samples / seconds, digits: 3))))
        values.append(("\(split)_steps_per_second", .number(PythonNumbers.rounded(Double(steps) / seconds, digits: 3))))
        return values
    }
}
