import Configuration
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
    /// Rows of a data set as the run would see them.
    case dataset(DatasetViewState)
    /// Labels over everything that can be jumped to.
    case jump(JumpState)
    /// Several lines of text: the system prompt, the tools of the chat.
    case editor(EditorState)
    /// The runs under `saves/` where the page has no room for them.
    case runs
    /// Two to four runs side by side.
    case comparison(RunComparison)
    /// The jobs that wait for their turn.
    case queue(selection: Int)
}

/// Help and palette: a filter and a selection over the command table and, once something is typed, over the fields of all forms.
public struct CommandListState: Sendable {
    public var filter = TextField()
    public var selection = 0
    /// The fields that what is typed means, best first; looked up when it changes.
    public var fields: [FoundField] = []
    /// Where the board was when the list was opened: commands of those contexts can be run.
    public var contexts: [Context]
    /// True for the palette, which has every command from the beginning.
    public var isPalette: Bool

    public init(contexts: [Context], isPalette: Bool = false) {
        self.contexts = contexts
        self.isPalette = isPalette
    }
}

/// A list of things to choose from, with a fuzzy filter. What is typed can itself be taken as the value.
public struct PickerState: Sendable {
    public enum Kind: Sendable, Equatable {
        case models, datasets, adapters, recipes, outputDirectories, checkpoints, templates
        /// Values that the field had before, in this session and in earlier ones.
        case history
        /// The choices of an enumerated argument.
        case choices([String])
        /// Another run to draw over the chart.
        case overlayRun
        /// Themes, each shown while the cursor is on it.
        case themes([String])
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
    /// Whether somebody has marked something here. What the field held is marked from the beginning, and is no wish to keep it.
    var hasOwnMarks = false

    public init(kind: Kind, title: String, tab: Tab, argument: String, marked: [String] = [], takesSeveral: Bool = false) {
        self.kind = kind
        self.title = title
        self.tab = tab
        self.argument = argument
        self.marked = marked
        self.takesSeveral = takesSeveral
    }

    /// The marked values where Enter takes those: once something was marked here, and on a line of several that the field holds. Nil
    /// where it takes the line under the cursor.
    func takenMarks(on item: PickerItem?) -> [String]? {
        guard takesSeveral, !marked.isEmpty else { return nil }
        return hasOwnMarks || item.map { marked.contains($0.value) } ?? true ? marked : nil
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
    case replaceFile(path: String, text: String)
    case adoptEditedForm(Tab, Configuration)
    case editAgain(EditorPurpose, text: String)
    case dequeue(String)
    case loadConversation(path: String)
    /// Starts a run, or queues it, in a folder that holds another.
    case takeOver(Tab, Configuration, Takeover, isQueued: Bool)
}

/// The preview of a form in one of the styles in which its run can be started.
public struct PreviewState: Sendable {
    public var tab: Tab
    public var style = LaunchStyle.command
    /// Machines and devices for the styles that are about several.
    public var shape = LaunchShape()
    public var scroll = 0

    public init(tab: Tab) { self.tab = tab }
}

/// One line asked from the user.
public struct PromptState: Sendable {
    public enum Purpose: Sendable, Equatable {
        case saveRecipe(Tab)
        case writePreview(Tab, LaunchStyle, LaunchShape)
        /// A new name for a run, as its path below the working directory.
        case renameRun(directory: String)
        /// How long a finished run should become: `epochs=5` or `steps=2000`.
        case extendRun(directory: String)
        /// The file that the points of the chart are written to.
        case exportChart
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
