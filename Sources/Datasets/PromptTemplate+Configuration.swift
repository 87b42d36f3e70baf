import Configuration
import Tokenizers

extension PromptTemplate {
    /// The template that a configuration asks for: `template`, with `tool_format`, `default_system`, `enable_thinking` and
    /// `preserve_thinking`.
    public static func choose(_ configuration: Configuration, tokenizer: Tokenizer) throws(TemplateError) -> PromptTemplate {
        try choose(name: configuration[.template], tokenizer: tokenizer).configured(by: configuration)
    }

    /// The template with the settings of a configuration.
    public func configured(by configuration: Configuration) throws(TemplateError) -> PromptTemplate {
        var template = self
        if let format = configuration[.toolFormat], !format.isEmpty { try template.useToolFormat(format) }
        if let system = configuration[.defaultSystem] { template.defaultSystem = system }
        template.enableThinking = configuration[.enableThinking]
        template.preservesThinking = configuration[.preserveThinking]
        return template
    }
}
