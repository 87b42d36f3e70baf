import Events
import Terminal

/// What lies over the page. The topmost gets the keys first.
public enum Overlay: Sendable {
    /// Every key of the board, searchable; Enter runs the entry.
    case help(CommandListState)
    /// The command palette.
    case palette(CommandListState)
    case picker(PickerState)
    case dialog(DialogState)
    /// The exact command line or YAML of a form.
    case preview(PreviewState)
    /// A form over another page: model and sampling of the chat.
    case form(Tab)
    /// One line asked from the user.
    case prompt(PromptState)
    /// Several lines of text: the system prompt, the tools of the chat.
    case editor(EditorState)
    /// The runs under `saves/` where the page has no room for them.
    case runs
}

/// Help and palette: a filter and a selection over the command table.
public struct CommandListState: Sendable {
    public var filter = TextField()
    public var selection = 0
    /// Where the board was when the list was opened: commands of those contexts can be run.
    public var contexts: [Context]

    public init(contexts: [Context]) { self.contexts = contexts }
}

/// A list of things to choose from, with a fuzzy filter. What is typed can itself be taken as the value.
public struct PickerState: Sendable {
    public enum Kind: Sendable, Equatable {
        case models, datasets, adapters, recipes, outputDirectories, checkpoints, templates
        /// The choices of an enumerated argument.
        case choices([String])
        /// Another run to draw over the chart.
        case overlayRun
        /// Conversations that were saved.
        case conversations([StoredConversation])
    }

    public var kind: Kind
    public var title: String
    /// The form and argument that the choice goes to; an empty name for recipes, which are loaded.
    public var tab: Tab
    public var argument: String
    public var filter = TextField()
    public var selection = 0
    /// Values marked by Space where several can be taken, in the order of marking.
    public var marked: [String]
    public var takesSeveral: Bool

    public init(kind: Kind, title: String, tab: Tab, argument: String, marked: [String] = [], takesSeveral: Bool = false) {
        self.kind = kind
        self.title = title
        self.tab = tab
        self.argument = argument
        self.marked = marked
        self.takesSeveral = takesSeveral
    }
}

/// A question with a few answers.
public struct DialogState: Sendable {
    public struct Choice: Sendable {
        public var label: String
        /// The letter that picks it at once.
        public var key: Character
        public var intent: Intent

        public init(_ label: String, key: Character, _ intent: Intent) {
            self.label = label
            self.key = key
            self.intent = intent
        }
    }

    public var title: String
    public var text: String
    public var choices: [Choice]
    public var selection: Int

    public init(title: String, text: String, choices: [Choice], selection: Int = 0) {
        self.title = title
        self.text = text
        self.choices = choices
        self.selection = selection
    }
}

/// What an answer to a question makes happen.
public enum Intent: Sendable, Equatable {
    case dismiss
    case quit
    case stopAndQuit
    case detachAndQuit
    case abortAndQuit
    case abort
    case suspend
    case deleteRun(directory: String)
    case clearChat
    case start(Tab)
    case discardChangesAndLoad(path: String, tab: Tab)
    case saveRecipe(path: String, tab: Tab)
}

/// The preview of a form as a command or as YAML.
public struct PreviewState: Sendable {
    public enum Style: Sendable, CaseIterable, Equatable {
        case minimal, full, yaml, factory

        public var title: String {
            switch self {
            case .minimal: say("command")
            case .full: say("command, every value")
            case .yaml: "YAML"
            case .factory: say("for LLaMA-Factory")
            }
        }

        public var next: Style {
            switch self {
            case .minimal: .full
            case .full: .yaml
            case .yaml: .factory
            case .factory: .minimal
            }
        }
    }

    public var tab: Tab
    public var style = Style.minimal
    public var scroll = 0

    public init(tab: Tab) { self.tab = tab }
}

/// One line asked from the user.
public struct PromptState: Sendable {
    public enum Purpose: Sendable, Equatable {
        case saveRecipe(Tab)
        case writePreview(Tab, PreviewState.Style)
        case saveConversation
    }

    public var title: String
    public var field: TextField
    public var purpose: Purpose
    public var problem: String?

    public init(title: String, text: String, purpose: Purpose) {
        self.title = title
        self.field = TextField(text)
        self.purpose = purpose
    }
}
