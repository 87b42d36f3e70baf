/// training_loss.svg and .png, and one pair more for every evaluated loss and accuracy, as LLaMA-Factory's `plot_loss` names them.

import Formats
import Platform

enum LossPlots {
    /// Whether a run draws a file of this name: of the keys that the stages have, and of evaluated ones.
    static func isPlot(_ name: String) -> Bool {
        guard name.hasSuffix(".png") || name.hasSuffix(".svg") else { return false }
        let stem = name.dropLast(4)
        return stem.hasPrefix("training_eval_") || stages.contains { stem == fileStem($0) }
    }

    private static let stages = ["loss", "reward", "rewards/accuracies", "rewards/chosen"]

    private static func fileStem(_ key: String) -> String { "training_" + String(key.map { $0 == "/" ? "_" : $0 }) }

    /// - Returns: the files written.
    @discardableResult
    static func write(history: [JSONObject], keys: [String], to directory: String) throws -> [String] {
        var written: [String] = []
        for key in keys {
            let points = history.compactMap { entry -> (step: Double, value: Double)? in
                guard let step = entry["step"]?.doubleValue, let value = entry[key]?.doubleValue, value.isFinite else { return nil }
                return (step, value)
            }
            if points.isEmpty { continue }
            let plot = LossPlot(
                title: "training \(key) of \(directory)",
                series: [LossPlot.Series(name: key, steps: points.map(\.step), values: points.map(\.value))])
            let name = fileStem(key)
            try FileSystem.writeAtomically(Path.join(directory, name + ".svg"), text: plot.svg())
            try FileSystem.writeAtomically(Path.join(directory, name + ".png"), bytes: plot.png())
            written += [name + ".svg", name + ".png"]
        }
        return written
    }
}
