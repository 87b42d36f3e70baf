/// A base model with its adapter, a tokenizer and a template, ready to talk.

import Configuration
import Events

public enum EngineChat {
    /// Loads what the configuration names; keeps the base when it is the one that is loaded.
    public static let load: ChatLoader = { _, _, _ in
        throw RunError.cannotStart(reason: "prompt templates are not part of this build")
    }
}
