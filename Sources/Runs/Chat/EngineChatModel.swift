/// A base model with adapters and a template, ready to talk.

import Configuration
import Events

final class EngineChatModel {
    static let load: @Sendable (Configuration, (any ChatModel)?, (String) -> Void) throws -> any ChatModel = { _, _, _ in
        throw RunError.cannotStart(reason: "no engine")
    }
}
