import Configuration
import Events
import Platform

/// A job that waits for its turn: the arguments of a form as they were when it was put there.
public struct QueuedRun: Sendable, Equatable {
    /// Tells it apart from all others, also those of another board in the same folder.
    public var identifier: String
    public var tab: Tab
    public var title: String
    /// The configuration as YAML, which is also how the queue is kept between sessions. It holds no secrets.
    public var recipe: String
    /// Arguments whose values are kept by the board that added the job, and never on disk.
    public var secretNames: [String]
    /// Whether the run that lies in its folder may go: somebody has agreed to it.
    public var replaces = false
    /// Why it does not start by itself: it needs somebody. Nil for one that may start.
    public var problem: String?

    public init(tab: Tab, title: String, recipe: String, identifier: String = "", secretNames: [String] = [], problem: String? = nil) {
        self.identifier = identifier
        self.tab = tab
        self.title = title
        self.recipe = recipe
        self.secretNames = secretNames
        self.problem = problem
    }

    /// The folder that the job writes to, as its recipe says.
    var folder: String {
        (try? Configuration.parse(recipe, name: title))?.text(tab.folderArgument) ?? ""
    }
}

extension Tab {
    /// The argument that names the folder which a job of the page writes to.
    var folderArgument: String { self == .export ? "export_dir" : "output_dir" }
}

/// What happens to the queue on disk. Several boards may share it, so each change is made to what the file holds at that moment.
public enum QueueChange: Sendable, Equatable {
    /// Only read.
    case look
    case add(QueuedRun)
    case remove(String)
    case move(String, by: Int)
    /// Claims a job, so that no other board starts it. It stays in the file until it is removed; if this process dies, it is free again.
    case take(String)
    /// Gives a claimed job back, to the front of the queue, with what keeps it from starting.
    case release(QueuedRun, problem: String?)
}

/// A job between the key that starts it and the engine's word that it has begun, or cannot.
struct StartingJob: Sendable, Equatable {
    var tab: Tab
    /// The job of the queue that it is; nil for one that was started from its page.
    var queued: String?
    /// The folder that it writes to.
    var folder: String
    var configuration: Configuration
    /// The page that was shown when it was given.
    var shown: Tab
}

/// The job of the queue that is being started or has just been.
struct QueueStart: Sendable {
    enum Stage: Sendable, Equatable {
        /// It is being claimed.
        case taking
        /// Its needs are being looked up; the questions that a person would be asked are answered from them.
        case checking
        /// The engine looks whether it can begin with it.
        case starting
        /// The engine has it, and has not begun its work proper.
        case begun
    }

    var identifier: String
    var stage = Stage.taking
    var run: QueuedRun?
    /// What it runs with. The forms are the user's: they are neither read nor changed for it.
    var configuration = Configuration()
    /// What a training will need, once that is known.
    var plan: RunPlan?
}
