/// A base model with adapters and a template, ready to talk.

import Configuration
import Events

public enum EngineChat {
    public static let load: ChatLoader = { _, _, _ in
        throw RunError.cannotStart(reason: "no engine")
    }
}
