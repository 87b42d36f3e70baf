import Configuration
import Events
import Platform
import Terminal

/// What was learnt goes to the pages that use it: Evaluate, Chat and Export.
extension BoardState {
    /// A page as the next step of what is in view: from a run of another process, its form takes the run's model.
    mutating func goOn(to page: Tab) -> [Effect] {
        guard page != .train, page != .monitor else { return select(page) }
        if focus == .runs || isShowingRunsPopup, let run = selectedRun, canTake(run) {
            return select(page) + [.readFacts(directory: run.directory, for: page)]
        }
        // Once only: who comes back from there may have chosen another model by then.
        guard tab == .monitor, let run = openedRun, let facts = run.facts, isLearnt(run), takenRuns[page] != run.directory else { return select(page) }
        return select(page) + take(facts, of: run.directory, for: page)
    }

    private var isShowingRunsPopup: Bool {
        if case .runs = overlays.last { return true }
        return false
    }

    /// Whether the run under the cursor may have left something to use.
    func canTake(_ run: RunEntry) -> Bool { run.kind == .train && !run.isAlive && run.configurationPath != nil }

    /// Whether a run of another process is over and has left weights.
    func isLearnt(_ run: RunDigest) -> Bool { run.kind == .train && !run.isActive && run.facts?.weights != nil && run.facts?.arguments != nil }

    mutating func take(_ facts: RunFacts, of directory: String, for page: Tab?) -> [Effect] {
        if openedRun?.directory == directory { openedRun?.facts = facts }
        guard let page else { return [] }
        let name = RunName.short(directory)
        guard let arguments = facts.arguments, let weights = facts.weights else {
            status = StatusMessage(.warning, say("\(name) has left no model to go on with."))
            return []
        }
        takenRuns[page] = directory
        let before = forms[page].configuration
        let effects = adopt(arguments, learntIn: weights, for: [page])
        guard forms[page].configuration != before else { return effects }
        status = StatusMessage(.success, page == .chat ? say("The form holds \(name) now: F5 loads it.") : say("The form holds \(name) now: F5 starts."))
        return effects
    }

    /// Sets forms to what a training has learnt. What they held is one undo away.
    /// - Parameters:
    ///   - trained: the arguments of the training.
    ///   - folder: where its weights lie.
    mutating func adopt(_ trained: Configuration, learntIn folder: String, for pages: [Tab]) -> [Effect] {
        var effects: [Effect] = []
        let usesAdapter = ["lora", "oft"].contains(trained.text("finetuning_type"))
        for page in pages {
            var configuration = forms[page].configuration
            try? configuration.set("model_name_or_path", text: usesAdapter ? trained.text("model_name_or_path") : folder)
            try? configuration.set("adapter_name_or_path", text: usesAdapter ? folder : "")
            for name in ["template", "finetuning_type"] where !trained.text(name).isEmpty {
                try? configuration.set(name, text: trained.text(name))
            }
            switch page {
            case .evaluate: ResultFolder.follow(&configuration, before: forms[page].configuration)
            case .export: ResultFolder.followExport(&configuration, before: forms[page].configuration)
            case .train, .chat, .monitor: break
            }
            guard configuration != forms[page].configuration else { continue }
            forms[page].undoStack.append(FormState.Change(argument: "adapter_name_or_path", configuration: forms[page].configuration))
            forms[page].configuration = configuration
            if forms[page].recipePath == nil { forms[page].baseline = configuration }
            effects += formChanged(page)
        }
        return effects
    }
}
