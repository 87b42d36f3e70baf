/// The tokenizer and the prompt template of a job, each fitted to the other, and the data that is read with them.

import Configuration
import Datasets
import Generation
import Tokenizers

public struct TextSetup {
    public let tokenizer: Tokenizer
    public let template: PromptTemplate
    private let configuration: Configuration
    private let reporter: JobReporter

    /// - Parameter directory: the model's folder.
    public init(_ configuration: Configuration, directory: String, reporter: JobReporter) throws {
        self.configuration = configuration
        self.reporter = reporter
        let stored = try VocabularyChange(configuration).tokenizer(directory)
        let template = try PromptTemplate.choose(configuration, tokenizer: stored)
        let (tokenizer, notices) = template.prepare(stored)
        self.tokenizer = tokenizer
        self.template = template
        for notice in notices { reporter.log(.warning, notice) }
        if let difference = template.differenceFromOwn(stored) { reporter.log(.warning, difference.description) }
    }

    public func loader() throws(DatasetError) -> DatasetLoader {
        let reporter = reporter
        return try DatasetLoader(
            configuration: configuration, tokenizer: tokenizer, template: template,
            progress: { reporter.progress($0, $1, $2) }, log: { reporter.log(.info, $0) })
    }
}
