/// Conversations as the text and the ids that a model gets.

import Formats
import Tokenizers

struct ConversationRenderer {
    let tokenizer: Tokenizer
    /// Nil for the model's own template.
    let template: String?
    let addsGenerationPrompt: Bool

    func render(_ value: JSONValue) throws -> (text: String, tokens: [Int32]) { throw UsageError("") }
}
