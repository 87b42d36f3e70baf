/// Prompt templates, for the pickers.

import Tokenizers

public enum TemplateCatalog {
    /// The names that `template` takes, sorted.
    public static var names: [String] { PromptTemplate.names }
}
