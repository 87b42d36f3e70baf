import Configuration
import Events
import Platform
import Terminal

extension BoardState {
    // MARK: Order, filter, marks

    /// Does something to the list and keeps the cursor on its run.
    private mutating func rearrange(_ change: (inout RunListState) -> Void) {
        let selected = selectedRun?.directory
        change(&runList)
        keepRunSelected(selected)
        clampSelections()
    }

    mutating func cycleRunOrder() -> [Effect] {
        rearrange { $0.order = $0.order.next }
        status = StatusMessage(.note, say("Runs \(runList.order.title)"))
        return []
    }

    mutating func startRunFilter() -> [Effect] {
        runList.filter = TextField(runList.filter?.text ?? "", isSelected: true)
        runList.isFiltering = true
        return []
    }

    mutating func acceptRunFilter() -> [Effect] {
        runList.isFiltering = false
        if runList.filter?.text.isEmpty != false { runList.filter = nil }
        return []
    }

    mutating func clearRunFilter() -> [Effect] {
        rearrange {
            $0.isFiltering = false
            $0.filter = nil
        }
        return []
    }

    mutating func changeRunFilter(_ change: (inout TextField) -> Void) {
        guard var filter = runList.filter else { return }
        change(&filter)
        runList.filter = filter
        runList.selection = 0
        clampSelections()
    }

    mutating func markRun() -> [Effect] {
        guard let directory = selectedRun?.directory else { return [] }
        if let index = runList.marked.firstIndex(of: directory) {
            runList.marked.remove(at: index)
        } else {
            runList.marked.append(directory)
        }
        return []
    }

    // MARK: Comparing

    func runComparisonRefusal() -> String? {
        if let reason = runRefusal() { return reason }
        return catalog.runs.count < 2 ? say("There is only one run: nothing to compare it with.") : nil
    }

    /// The marked runs; with one mark the run under the cursor is the other. Without marks, of two runs each is the other's.
    private var comparedRuns: [RunEntry] {
        if runList.marked.isEmpty, case let shown = visibleRuns, shown.count == 2 { return shown }
        var runs = chosenRuns
        if runs.count == 1, let selected = selectedRun, runs[0].directory != selected.directory { runs.append(selected) }
        return Array(runs.prefix(4))
    }

    /// With nothing marked it marks the run under the cursor: the other one is chosen by the same key.
    mutating func compareRuns() -> [Effect] {
        let runs = comparedRuns
        guard runs.count < 2, let run = runs.first else { return [.compareRuns(runs.map(\.directory))] }
        runList.marked = [run.directory]
        runList.selection = partner(of: run)
        status = StatusMessage(.note, say("\(RunName.short(run.directory)) is marked. Go to another run and press = again."))
        return []
    }

    /// Where the cursor goes from a run to the one that it is probably compared with: the next of its kind or the last one before it,
    /// and where there is none the next at all.
    private func partner(of run: RunEntry) -> Int {
        let runs = visibleRuns
        let place = runList.selection
        let alike = runs.indices.filter { $0 != place && runs[$0].kind == run.kind }
        return alike.first { $0 > place } ?? alike.last ?? (place + 1 < runs.count ? place + 1 : max(0, runs.count - 2))
    }

    mutating func show(_ comparison: RunComparison) -> [Effect] {
        overlays.append(.comparison(comparison))
        return []
    }

    func drawMarkedRefusal() -> String? {
        if let reason = runRefusal() { return reason }
        return chosenRuns.contains { $0.kind == .train && $0.lastLoss != nil } ? nil : say("This run has no curves to draw.")
    }

    /// Draws the marked runs over each other: the first becomes the chart's own where none is shown.
    mutating func drawMarkedRuns() -> [Effect] {
        var runs = chosenRuns.filter { $0.kind == .train && $0.lastLoss != nil }
        var effects: [Effect] = []
        if monitoredRun == nil, let first = runs.first {
            runList.selection = visibleRuns.firstIndex { $0.directory == first.directory } ?? runList.selection
            effects += openSelectedRun()
            runs.removeFirst()
        }
        for run in runs where !isMonitored(run.directory) && !overlayRuns.contains(where: { RunName.isSame($0.directory, run.directory) }) {
            effects.append(.loadOverlay(directory: run.directory))
        }
        overlays.removeAll()
        tab = .monitor
        focusByTab[.monitor] = .chart
        runList.marked = []
        if runs.contains(where: { !isMonitored($0.directory) }) { status = StatusMessage(.note, say("Drawn over each other: = shows where they differ, O draws one alone, R goes back to the list.")) }
        return effects
    }

    /// From the list of differences to the curves of the same runs.
    mutating func drawComparedRuns() -> [Effect] {
        guard case .comparison(let comparison) = overlays.last else { return [] }
        runList.marked = comparison.directories
        if let reason = drawMarkedRefusal() {
            runList.marked = []
            status = StatusMessage(.warning, reason)
            return []
        }
        return drawMarkedRuns()
    }

    // MARK: Name and path

    mutating func copyRunPath() -> [Effect] {
        guard let run = selectedRun else { return [] }
        return [.copy(Path.absolute(run.directory), what: say("the folder's path"))]
    }

    func renameRefusal() -> String? {
        guard let run = selectedRun else { return runRefusal() }
        return run.isAlive ? say("\(Path.name(run.directory)) is at work. Stop it before you rename it.") : nil
    }

    mutating func promptToRename() -> [Effect] {
        guard let run = selectedRun else { return [] }
        overlays.append(.prompt(PromptState(title: say("Rename the run to"), text: run.directory, purpose: .renameRun(directory: run.directory))))
        return []
    }

    mutating func renameRun(_ directory: String, to name: String) -> [Effect] {
        // A name alone stays in the same folder.
        let target = name.contains("/") ? name : Path.join(Path.directory(directory), name)
        guard target != directory else { return [] }
        return [.renameRun(directory: directory, to: target)]
    }

    mutating func runRenamed(_ directory: String, to name: String) -> [Effect] {
        status = StatusMessage(.success, say("\(directory) is now \(name)"))
        var effects: [Effect] = []
        if openedRun?.directory == directory {
            openedRun = nil
            effects.append(.openRun(directory: name))
        }
        if jobs[.train]?.directory == directory { jobs[.train]?.directory = name }
        for index in overlayRuns.indices where overlayRuns[index].directory == directory { overlayRuns[index].directory = name }
        runList.marked = runList.marked.map { $0 == directory ? name : $0 }
        return effects + rescan()
    }

    // MARK: Extending

    func extendRefusal() -> String? {
        if let reason = continueRefusal() { return reason }
        guard let run = selectedRun, run.state == .finished else { return say("Only a finished run can be made longer; r resumes this one.") }
        return nil
    }

    mutating func promptToExtend() -> [Effect] {
        guard let run = selectedRun else { return [] }
        overlays.append(
            .prompt(
                PromptState(
                    title: say("Go on until: epochs=N or steps=N (it had \(run.step) steps)"), text: "epochs=",
                    purpose: .extendRun(directory: run.directory))))
        return []
    }

    mutating func extendRun(_ directory: String, by text: String, _ prompt: PromptState) -> [Effect] {
        let parts = text.split(separator: "=", maxSplits: 1).map { String($0).trimmingSpaces }
        let names = ["epochs": "num_train_epochs", "steps": "max_steps"]
        guard parts.count == 2, let name = names[parts[0]], let number = Double(parts[1]), number > 0, number.isFinite,
            let run = catalog.runs.first(where: { $0.directory == directory }), let path = run.configurationPath,
            let checkpoint = run.checkpoint
        else { return reject(prompt, say("Write epochs=5 or steps=2000.")) }
        if name == "max_steps", number <= Double(run.step) { return reject(prompt, say("The run has \(run.step) steps already: more are needed.")) }
        overlays.removeAll()
        resumesAfterLoading = ResumeRequest(recipe: path, checkpoint: checkpoint, changes: [(name, parts[1])])
        return [.loadRecipe(.train, path: path)]
    }

    /// Puts a prompt back with what is wrong.
    private mutating func reject(_ prompt: PromptState, _ problem: String) -> [Effect] {
        var prompt = prompt
        prompt.problem = problem
        overlays.append(.prompt(prompt))
        return [.bell]
    }
}

/// A run that is to go on once its recipe is loaded.
struct ResumeRequest: Sendable {
    var recipe: String
    var checkpoint: String
    /// Arguments that are different this time.
    var changes: [(name: String, value: String)] = []

    /// Why the run would be no longer than it is; nil when it would be.
    func changesNothing(in configuration: Configuration) -> String? {
        guard let wanted = changes.first(where: { $0.name == "num_train_epochs" }).flatMap({ Double($0.value) }),
            configuration[.maxSteps] <= 0, case let had = configuration[.numTrainEpochs], wanted <= had
        else { return nil }
        return say("The run was made for \(NumberText.significant(had, digits: 6)) epochs already: more are needed.")
    }
}
