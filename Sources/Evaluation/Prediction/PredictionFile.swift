/// generated_predictions.jsonl: one line per answer, `{"prompt": ..., "predict": ..., "label": ...}`, written as soon as it is
/// there. A run that was interrupted reads its own lines back and goes on behind them.

import Formats
import Platform

struct Prediction: Sendable, Equatable {
    var prompt: String
    var predict: String
    var label: String
}

final class PredictionFile {
    static let fileName = "generated_predictions.jsonl"
    private let file: AppendFile

    /// Lines that stand already, in order.
    let finished: [Prediction]

    /// - Parameter continues: keep the complete lines of an earlier run; a half-written last one is cut off.
    init(directory: String, continues: Bool) throws {
        let path = Path.join(directory, Self.fileName)
        var lines: [String] = []
        var predictions: [Prediction] = []
        if continues, FileSystem.exists(path) {
            let reader = try LineReader(path: path)
            while let bytes = try reader.next() {
                guard let value = try? JSONValue.parse(bytes, name: path), let prompt = value["prompt"]?.stringValue,
                    let predict = value["predict"]?.stringValue, let label = value["label"]?.stringValue
                else { break }
                lines.append(String(decoding: bytes, as: UTF8.self))
                predictions.append(Prediction(prompt: prompt, predict: predict, label: label))
            }
        }
        finished = predictions
        try FileSystem.writeAtomically(path, text: lines.map { $0 + "\n" }.joined())
        file = try AppendFile(path: path)
    }

    func append(_ prediction: Prediction) throws {
        let line = JSONObject([
            ("prompt", .string(prediction.prompt)), ("predict", .string(prediction.predict)), ("label", .string(prediction.label)),
        ])
        try file.write(line.text(style: .python) + "\n")
    }

    func close() {
        file.sync()
        file.close()
    }
}
