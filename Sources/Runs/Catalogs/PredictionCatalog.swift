/// Answers that an evaluation left behind, with their scores.

import Evaluation
import Events
import Formats
import Platform

public enum PredictionCatalog {
    /// What is read of a file at most: more is not browsed by hand.
    private static let limit = 5_000

    /// The samples of `generated_predictions.jsonl`, as far as they are complete; empty where there is no such file.
    public static func read(directory: String) throws -> [PredictionSample] {
        let path = Path.join(directory, "generated_predictions.jsonl")
        guard FileSystem.exists(path) else { return [] }
        let reader = try LineReader(path: path)
        let similarity = TextSimilarity(segmenter: WordSegmenter())
        var samples: [PredictionSample] = []
        while samples.count < limit, let bytes = try reader.next() {
            // The last line of a run at work may be half there.
            guard let value = try? JSONValue.parse(bytes, name: path), let prompt = value["prompt"]?.stringValue,
                let prediction = value["predict"]?.stringValue, let label = value["label"]?.stringValue
            else { continue }
            samples.append(
                PredictionSample(
                    index: samples.count, prompt: prompt, label: label, prediction: prediction,
                    scores: similarity.scores(prediction: prediction, label: label).byName))
        }
        return samples
    }
}
