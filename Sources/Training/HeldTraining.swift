/// What a training lends while it holds between two steps.

import Configuration
import Models
import Tokenizers

/// The model of a run at work, as it stands. To be used on the engine's thread only, until the visit returns; its weights are only
/// to be read, and whatever is switched is switched back.
public final class HeldTraining {
    public let model: Transformer
    public let tokenizer: Tokenizer
    public let configuration: Configuration
    /// Steps made so far.
    public let step: Int

    init(model: Transformer, tokenizer: Tokenizer, configuration: Configuration, step: Int) {
        self.model = model
        self.tokenizer = tokenizer
        self.configuration = configuration
        self.step = step
    }
}
