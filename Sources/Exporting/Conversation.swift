import Platform
import Tokenizers

/// How the exported model is to be talked to: its tokenizer with the chat template that it was trained with.
struct Conversation {
    let tokenizer: Tokenizer
    let templateName: String?
    /// Where answers end.
    let stopTokenIDs: [Int32]
    let notices: [String]
    let template: PromptTemplate

    /// A named template is written into the tokenizer. Without a name the tokenizer that training left beside the adapter is taken,
    /// which has the template of that training; without that, the model's own.
    init(_ settings: ExportSettings) throws {
        if let name = settings.templateName, !name.isEmpty {
            let template = try PromptTemplate.named(name)
            (tokenizer, notices) = template.prepare(try settings.vocabulary.tokenizer(settings.modelDirectory))
            templateName = name
            self.template = template
            stopTokenIDs = template.stopTokenIDs(tokenizer)
            return
        }
        let besideAdapter = settings.adapterDirectories.last { FileSystem.exists(Path.join($0, "tokenizer.json")) }
        tokenizer = try settings.vocabulary.tokenizer(besideAdapter ?? settings.modelDirectory)
        templateName = nil
        notices = []
        template = try PromptTemplate.choose(name: nil, tokenizer: tokenizer)
        stopTokenIDs = tokenizer.chatTemplateSource == nil ? [] : template.stopTokenIDs(tokenizer)
    }
}
