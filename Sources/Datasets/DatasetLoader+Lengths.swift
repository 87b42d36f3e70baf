import Configuration

/// How long the samples of a data set are before anything is cut off.
public struct LengthSurvey: Sendable, Equatable {
    /// Tokens of each sample that was looked at, in the order of the rows.
    public var lengths: [Int] = []
    /// Rows of the whole data set, and those that could not be used among the ones looked at.
    public var rowCount = 0
    public var unusable = 0

    public init() {}

    /// The share of samples longer than `cutoff`, 0...1.
    public func shareTruncated(cutoff: Int) -> Double {
        lengths.isEmpty ? 0 : Double(lengths.count { $0 > cutoff }) / Double(lengths.count)
    }

    public var longest: Int { lengths.max() ?? 0 }

    public func median() -> Int {
        guard !lengths.isEmpty else { return 0 }
        return lengths.sorted()[lengths.count / 2]
    }
}

extension DatasetLoader {
    /// Measures up to `limit` rows, spread evenly over the data set.
    public func lengths(dataset name: String, limit: Int = 1_000) throws(DatasetError) -> LengthSurvey {
        let entry = try DatasetDirectory(path: configuration[.datasetDir]).entry(name)
        let rows = try DatasetRows(entry)
        let settings = SampleSettings(
            cutoffLength: 1 << 30, trainsOnPrompt: configuration[.trainOnPrompt], masksHistory: configuration[.maskHistory])
        let builder = SampleBuilder(tokenizer: tokenizer, template: template, settings: settings)
        var survey = LengthSurvey()
        survey.rowCount = rows.count
        let count = min(limit, rows.count)
        for place in 0..<count {
            let row = place * rows.count / max(1, count)
            do throws(RowFault) {
                let value = try rows.value(row)
                if entry.format == .tokenised {
                    survey.lengths.append(try builder.tokenised(value).sample.tokens.count)
                } else if entry.isRanking {
                    let pair = try builder.pair(try rows.converter.pair(value))
                    survey.lengths.append(max(pair.chosen.tokens.count, pair.rejected.tokens.count))
                } else {
                    let conversation = try rows.converter.conversation(value)
                    survey.lengths.append(
                        configuration[.stage] == "pt"
                            ? try builder.document(conversation, startsWithBOS: tokenizer.addsBOS).count
                            : try builder.supervised(conversation).sample.tokens.count)
                }
            } catch {
                survey.unusable += 1
            }
        }
        return survey
    }
}
