/// The tokenizer and the prompt template of a job, each fitted to the other, and the data that is read with them.

import Configuration
import Datasets
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
        let stored = try Tokenizer(directory: directory)
        let template = try PromptTemplate.choose(configuration, tokenizer: stored)
        let (tokenizer, notices) = template.prepare(stored)
        self.tokenizer = tokenizer
        self.template = template
        for notice in notices { reporter.log(.warning, notice) }
    }

    public func loader() throws(DatasetError) -> DatasetLoader {
        let reporter = reporter
        return try DatasetLoader(
            configuration: configuration, tokenizer: tokenizer, template: template,
            progress: { reporter.progress($0, $1, $2) }, log: { reporter.log(.info, $0) })
    }
}
