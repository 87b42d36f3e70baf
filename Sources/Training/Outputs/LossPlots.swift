/// training_loss.svg and .png, and one pair more for every evaluated loss and accuracy, as LLaMA-Factory's `plot_loss` names them.

import Formats
import Platform

enum LossPlots {
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
            let name = "training_" + String(key.map { $0 == "/" ? "_" : $0 })
            try FileSystem.writeAtomically(Path.join(directory, name + ".svg"), text: plot.svg())
            try FileSystem.writeAtomically(Path.join(directory, name + ".png"), bytes: plot.png())
            written += [name + ".svg", name + ".png"]
        }
        return written
    }
}
