/// Rows of a data set as a run would see them, for people to look at.

import Configuration
import Datasets
import Generation
import Platform
import Tokenizers

/// One row, and how long all of them are.
public struct DatasetPreview: Sendable, Equatable {
    public struct Token: Sendable, Equatable {
        public var id: Int32
        public var text: String
        /// Whether it carries loss.
        public var isLearnt: Bool

        public init(id: Int32, text: String, isLearnt: Bool) {
            self.id = id
            self.text = text
            self.isLearnt = isLearnt
        }
    }

    public var dataset: String
    public var row: Int
    public var rowCount: Int
    /// The row as it stands in the file.
    public var raw: String
    public var tokens: [Token]
    /// Of a pair, the worse answer.
    public var rejected: [Token]
    public var isTruncated: Bool
    /// Why the row would be left out, or nil.
    public var problem: String?
    /// Lengths of samples over the whole data set, uncut.
    public var lengths: [Int]
    public var cutoff: Int

    public init(
        dataset: String, row: Int, rowCount: Int, raw: String, tokens: [Token], rejected: [Token] = [], isTruncated: Bool = false,
        problem: String? = nil, lengths: [Int], cutoff: Int
    ) {
        self.dataset = dataset
        self.row = row
        self.rowCount = rowCount
        self.raw = raw
        self.tokens = tokens
        self.rejected = rejected
        self.isTruncated = isTruncated
        self.problem = problem
        self.lengths = lengths
        self.cutoff = cutoff
    }
}

/// Reads previews; keeps the tokenizer and the lengths between rows of the same configuration.
public final class DatasetPreviewer: Sendable {
    private struct Kept {
        var configuration: Configuration
        var loader: DatasetLoader
        var lengths: [String: [Int]] = [:]
    }

    private let kept = Mutex<Kept?>(nil)

    public init() {}

    /// - Throws: what is wrong with the model, the template or the data set, in words.
    public func preview(_ configuration: Configuration, dataset: String, row: Int) throws -> DatasetPreview {
        let loader = try loader(configuration)
        let found = try loader.preview(dataset: dataset, row: row)
        let lengths: [Int]
        if let known = kept.withLock({ $0?.configuration == configuration ? $0?.lengths[dataset] : nil }) {
            lengths = known
        } else {
            lengths = try loader.lengths(dataset: dataset).lengths
            // Another thread may have begun with other arguments meanwhile.
            kept.withLock { if $0?.configuration == configuration { $0?.lengths[dataset] = lengths } }
        }
        func shown(_ tokens: [RowPreview.Token]) -> [DatasetPreview.Token] {
            tokens.map { .init(id: $0.id, text: $0.text, isLearnt: $0.isLearnt) }
        }
        return DatasetPreview(
            dataset: dataset, row: found.row, rowCount: found.rowCount, raw: found.raw, tokens: shown(found.tokens),
            rejected: shown(found.rejectedTokens), isTruncated: found.isTruncated, problem: found.problem, lengths: lengths,
            cutoff: configuration[.cutoffLen])
    }

    private func loader(_ configuration: Configuration) throws -> DatasetLoader {
        if let kept = kept.withLock({ $0 }), kept.configuration == configuration { return kept.loader }
        let resolved = try ModelLocation.resolved(configuration)
        let plain = try VocabularyChange(resolved).tokenizer(resolved.text("model_name_or_path"))
        let template = try PromptTemplate.choose(resolved, tokenizer: plain)
        let loader = try DatasetLoader(configuration: resolved, tokenizer: template.prepare(plain).tokenizer, template: template)
        kept.withLock { $0 = Kept(configuration: configuration, loader: loader) }
        return loader
    }
}
