import Configuration
import Events
import Terminal

/// What `update` wants done outside of the board: files, jobs, the terminal. Results come back as actions.
public enum Effect: Sendable {
    /// - `outputs`: folders that the forms write to and that lie where no runs are looked for.
    case scanCatalog(datasetDirectory: String, outputs: [String] = [])
    /// Estimates memory and steps of a configuration. Only the latest request of a page matters.
    case plan(Tab, Configuration, generation: Int)
    /// The same of a job of the queue, which is in no form; comes back as `queuePlanned`.
    case planQueued(String, Configuration)
    case loadRecipe(Tab, path: String)
    /// Writes a form. A file that exists is replaced only where that is asked for, otherwise it comes back as `recipeExists`.
    case saveRecipe(Tab, path: String, Configuration, overwrites: Bool)
    /// Writes a file. One that exists is replaced only where that is asked for, otherwise it comes back as `fileExists`.
    case writeText(path: String, text: String, overwrites: Bool)
    /// Gives the terminal to the user's editor and comes back with what was written.
    case editText(EditorPurpose, text: String)
    /// Remembers a value that a field was given, for its history.
    case rememberValue(argument: String, value: String)
    /// Counts what is in the folder that an export is to go to.
    case checkExportTarget(path: String)
    /// Writes the points of a chart as a table.
    case exportChart(path: String, [PlotSeries], axis: String)
    case renameRun(directory: String, to: String)
    /// Looks up what the form of a page needs to take up what a run has learnt; comes back as `runFactsRead`.
    case readFacts(directory: String, for: Tab)
    /// Reads the configurations of two runs, to show where they differ.
    case compareRuns([String])
    /// Changes the queue of jobs on disk, or reads it.
    case changeQueue(QueueChange)
    case copy(String, what: String)

    /// Starts a job, or comes back with what keeps it. A run that lies in its folder is replaced only where that was agreed to, otherwise
    /// it comes back as `jobWouldReplace`.
    case startJob(Tab, JobKind, Configuration, replaces: Bool)
    /// Asks something of the job of this process.
    case control(ControlRequest)
    /// Asks something of a run of another process.
    case controlRun(directory: String, ControlRequest)
    /// A line that something printed, for the log of the job at work.
    case logOutput(String)
    case openRun(directory: String)
    case closeRun
    case loadOverlay(directory: String)
    case deleteRun(directory: String)

    case loadChat(Configuration)
    case unloadChat
    case sendChat(ChatRequest)
    case cancelChat
    case setAdapter(enabled: Bool)
    /// Looks for stored conversations and offers them.
    case listConversations
    case loadConversation(path: String)
    /// Holds the training between two steps and talks to its weights as they stand in memory.
    case talkToTraining(Configuration)
    /// Ends that talk; the training goes on.
    case endTalk

    case previewDataset(Configuration, dataset: String, row: Int)
    case loadPredictions(directory: String)
    case useTheme(String)
    case repaint
    case bell
    case suspend
    /// Lets go of the terminal while the job goes on.
    case detach
    case quit
}

/// A conversation up to and including the user's latest message, to be answered.
public struct ChatRequest: Sendable, Equatable {
    public struct Message: Sendable, Equatable {
        public var isUser: Bool
        public var text: String

        public init(isUser: Bool, text: String) {
            self.isUser = isUser
            self.text = text
        }
    }

    public var messages: [Message]
    public var system: String
    /// The tools that the model may call, as JSON; empty for none.
    public var tools: String
    /// Sampling options, by the names of the argument table.
    public var configuration: Configuration

    public init(messages: [Message], system: String, tools: String = "", configuration: Configuration) {
        self.messages = messages
        self.system = system
        self.tools = tools
        self.configuration = configuration
    }
}
