/// What a text handed to the user's editor is, and so what becomes of it when it comes back.
public enum EditorPurpose: Sendable, Equatable {
    /// One field of a form.
    case field(Tab, String)
    /// A whole form, as YAML.
    case form(Tab)
    /// The message being written in the chat.
    case message

    /// The ending of the temporary file: editors colour by it.
    var fileExtension: String {
        switch self {
        case .form: "yaml"
        case .field: "txt"
        case .message: "md"
        }
    }
}
