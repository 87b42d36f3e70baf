import Configuration
import Platform
import Runs
import Terminal

/// Starts in a folder that holds a run: its files are replaced only when somebody says so, whatever `overwrite_output_dir` says.
extension BoardState {
    /// The engine found a run where the one to be started would go.
    mutating func jobWouldReplace(_ tab: Tab, _ configuration: Configuration, _ earlier: EarlierRun) -> [Effect] {
        let queued = starting?.queued
        starting = nil
        if let queued, queued == queueStart?.identifier { return holdQueued(Takeover.reason(earlier)) }
        status = nil
        return askAbout(earlier, tab, configuration, isQueued: false) + resumeQueue()
    }

    /// The same of a job that was to be put into the queue: it is asked about now, when there is somebody.
    mutating func queueWouldReplace(_ run: QueuedRun, _ earlier: EarlierRun) -> [Effect] {
        queue.removeAll { $0.identifier == run.identifier }
        let secrets = queueSecrets.removeValue(forKey: run.identifier) ?? []
        guard var configuration = try? Configuration.parse(run.recipe, name: run.title) else { return [] }
        for secret in secrets { try? configuration.set(secret.name, text: secret.value) }
        status = nil
        return askAbout(earlier, run.tab, configuration, isQueued: true)
    }

    private mutating func askAbout(_ earlier: EarlierRun, _ tab: Tab, _ configuration: Configuration, isQueued: Bool) -> [Effect] {
        var plannedSteps: Int?
        if case .ready(let plan) = forms[tab].plan { plannedSteps = plan.totalSteps }
        let ways = Takeover.ways(with: earlier, plannedSteps: plannedSteps) { isTaken($0) }
        // The question may come in the midst of a word, whose letters must not answer it.
        let isTyping = takesText
        let choices = ways.map { way in
            DialogState.Choice(
                way.label, key: isTyping && way == .replace ? "\0" : way.key, .takeOver(tab, configuration, way, isQueued: isQueued))
        }
        return ask(
            DialogState(
                title: say("\(Path.name(earlier.folder)) is there already"), text: Takeover.question(earlier, ways),
                choices: choices + [.init(say("Cancel"), key: "c", .dismiss)]))
    }

    mutating func takeOver(_ tab: Tab, _ configuration: Configuration, _ way: Takeover, isQueued: Bool) -> [Effect] {
        let configuration = way.applied(to: configuration, folderArgument: tab.folderArgument)
        var effects: [Effect] = []
        // The form follows to a new folder; what is decided about the old one is decided for this once.
        if case .elsewhere(let folder) = way { effects = change(tab, tab.folderArgument, to: folder) }
        if isQueued { return effects + enqueue(tab, configuration, replaces: way == .replace) }
        if let reason = startRefusal() {
            status = StatusMessage(.warning, reason)
            return effects + [.bell]
        }
        return effects + handOver(tab, configuration, replaces: way == .replace)
    }
}
