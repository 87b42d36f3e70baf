import Configuration
import Events
import Runs
import Terminal

/// Everything that can happen to the board: keys, results of effects, and time. `update` is the only one to handle them.
public enum Action: Sendable {
    case key(Key)
    case paste(String)
    /// The terminal gave no more than so many characters of it.
    case pasteWasCut(limit: Int)
    case mouse(MouseEvent, HitTarget?)
    case resize(Size)
    /// A command picked by other means than its key.
    case run(commandIdentifier: String)
    /// Time passes; sent about once a second while something moves.
    case tick(now: Double, SystemSample)

    case catalogScanned(Catalog)
    case planned(Tab, generation: Int, PlanState)
    case recipeLoaded(Tab, path: String, Configuration, notices: [String])
    case recipeSaved(Tab, path: String)
    /// The form was not saved, because it would have replaced a file.
    case recipeExists(Tab, path: String)

    case jobStarted(Tab, JobKind, title: String, directory: String)
    /// What a run that is taken up again had logged before.
    case jobHistory(Tab, [JobEvent])
    case jobEvents([JobEvent])
    case runOpened(RunDigest)
    case runGrew(directory: String, [JobEvent], startedOver: Bool, isAlive: Bool)
    /// What a run's folder tells; with a page, its form is to take up what was learnt.
    case runFactsRead(directory: String, RunFacts, for: Tab?)
    case runDeleted(directory: String)
    case overlayLoaded(directory: String, MetricsStore)

    case chat(ChatUpdate)
    case datasetPreviewed(DatasetPreview)
    case datasetFailed(name: String, reason: String)
    case predictionsLoaded(directory: String, [PredictionSample])
    case conversationsListed([StoredConversation])
    case conversationLoaded(Conversation, path: String)
    /// The training holds, and its weights can be talked to; and the end of that.
    case talkBegan(ChatModelInfo)
    case talkEnded

    /// A line that something printed to stdout or stderr.
    case captured(String)
    case fileExists(path: String, text: String)
    /// What the editor left; nil when it could not be run or the file is gone.
    case textEdited(EditorPurpose, before: String, after: String?)
    /// How many files are in the folder that an export is to go to, and the names of what lies beside it.
    case exportTargetChecked(path: String, fileCount: Int, neighbours: [String] = [])
    case runRenamed(directory: String, to: String)
    case runsCompared(RunComparison)
    /// A file was written as it was asked for.
    case fileWritten(path: String, text: String)
    /// The jobs that wait, as the disk has them now.
    case queueChanged([QueuedRun])
    /// A job that was to be claimed; nil when it was there no longer.
    case queueTaken(identifier: String, QueuedRun?, waiting: [QueuedRun])
    /// What a claimed job would need.
    case queuePlanned(identifier: String, PlanState)
    /// The engine could not begin with a job.
    case jobRefused(Tab, reason: String, argument: String?)
    /// A run lies where the one to be started would go.
    case jobWouldReplace(Tab, Configuration, EarlierRun)
    /// The same of one that was to be queued: it is not in the queue.
    case queueWouldReplace(QueuedRun, EarlierRun)
    /// The outcome of an effect in words.
    case notify(StatusMessage)
    /// The terminal hung up or a termination signal came.
    case hangUp
    case terminate
    case suspendRequested
    case resumed
}

/// What the chat engine says.
public enum ChatUpdate: Sendable, Equatable {
    case loading(String)
    case ready(ChatModelInfo)
    case piece(String)
    /// The end of an answer. `contextUsed` counts the tokens of the whole conversation.
    case finished(tokenCount: Int, tokensPerSecond: Double, contextUsed: Int, wasStopped: Bool)
    case failed(String)
}
