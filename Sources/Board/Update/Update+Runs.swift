import Configuration
import Events
import Platform
import Terminal

extension BoardState {
    mutating func openRuns() -> [Effect] {
        let shown = monitoredRun.map { RunName.absolute($0.directory) }
        if runList.filter == nil, !runList.wasOpened || shown != nil && shown != runList.shown {
            // What is shown, or the newest.
            if let index = visibleRuns.firstIndex(where: { RunName.absolute($0.directory) == shown }) {
                runList.selection = index
                runList.shown = shown
            } else if !runList.wasOpened {
                runList.selection = 0
            }
            runList.wasOpened = true
        }
        if tab == .monitor, monitoredRun == nil || layout.isWide {
            focus = .runs
        } else if tab == .train, layout.showsRunsBesideForm {
            focus = .runs
        } else {
            overlays.append(.runs)
        }
        return rescan()
    }

    /// A run that another process is at work on is shown as soon as the board opens, unless something was done already.
    mutating func showLiveRun() -> [Effect] {
        guard let index = catalog.runs.firstIndex(where: { $0.isAlive && !$0.isOurs && $0.kind == .train }), jobs.isEmpty else { return [] }
        guard tab == .train, overlays.isEmpty, !forms.train.isModified, forms.train.edit == nil, !forms.train.isFiltering else {
            if status == nil { status = StatusMessage(.note, say("\(RunName.short(catalog.runs[index].directory)) goes on in another process: R shows it.")) }
            return []
        }
        runList = RunListState()
        runList.selection = index
        status = StatusMessage(.note, say("\(RunName.short(catalog.runs[index].directory)) is at work in another process. p, S and x steer it."))
        return openSelectedRun()
    }

    // MARK: Why not

    func runRefusal() -> String? { selectedRun == nil ? say("There are no runs under saves/ yet.") : nil }

    /// A run that is done is not begun again: nothing would be trained, and its record would be that of an empty run.
    func resumeRefusal() -> String? {
        if let reason = continueRefusal() { return reason }
        guard let run = selectedRun, run.state == .finished, run.totalSteps > 0, run.step >= run.totalSteps else { return nil }
        return say("\(Path.name(run.directory)) has all of its \(run.totalSteps) steps behind it: nothing is left to train. e makes it longer.")
    }

    /// Why the run under the cursor cannot go on from a checkpoint.
    func continueRefusal() -> String? {
        guard let run = selectedRun else { return runRefusal() }
        if run.isAlive { return say("\(Path.name(run.directory)) is at work; there is nothing to resume.") }
        if let reason = startRefusal() { return reason }
        if run.kind != .train { return say("Only training runs can be resumed.") }
        if run.configurationPath == nil { return say("\(run.directory) has no training_args.yaml to resume from.") }
        if run.checkpoint == nil { return say("\(run.directory) has no complete checkpoint to resume from.") }
        return nil
    }

    func loadRunRefusal() -> String? {
        guard let run = selectedRun else { return runRefusal() }
        return run.configurationPath == nil ? say("\(run.directory) has no training_args.yaml to load.") : nil
    }

    func deleteRefusal() -> String? {
        guard let run = selectedRun else { return runRefusal() }
        return run.isAlive ? say("\(Path.name(run.directory)) is at work. Stop it before you delete it.") : nil
    }

    // MARK: Opening

    mutating func openSelectedRun() -> [Effect] {
        guard let run = selectedRun else { return [] }
        if run.kind != .train, !run.isAlive { return openResult(run) }
        overlays.removeAll()
        tab = .monitor
        focusByTab[.monitor] = .chart
        chart.view.fit()
        chart.view.cursor = nil
        logPane = LogPaneState()
        runList.shown = RunName.absolute(run.directory)
        if run.isOurs, jobs[.train]?.directory == run.directory {
            openedRun = nil
            return [.closeRun]
        }
        return [.openRun(directory: run.directory)]
    }

    /// What was evaluated has no curve to show in the Monitor: its numbers stand in the table of results.
    private mutating func openResult(_ run: RunEntry) -> [Effect] {
        let effects = select(.evaluate)
        guard let index = evaluationResults.firstIndex(where: { $0.directory == run.directory }) else {
            status = StatusMessage(.note, say("\(RunName.short(run.directory)) left no results."))
            return effects
        }
        focusByTab[.evaluate] = .results
        evaluation.resultSelection = index
        return effects
    }

    mutating func show(_ run: RunDigest) -> [Effect] {
        let isSame = openedRun?.directory == run.directory
        openedRun = run
        if isSame {
            // More of the same run has been read.
            smoothSeries()
            return []
        }
        if !run.metrics.charts.contains(chart.metric) { chart.metric = .loss }
        if !run.metrics.covers(chart.axis) { chart.axis = .step }
        smoothSeries()
        if focusByTab[.monitor] == .runs { focusByTab[.monitor] = .chart }
        return []
    }

    mutating func growOpenedRun(_ directory: String, _ events: [JobEvent], startedOver: Bool, isAlive: Bool) -> [Effect] {
        guard var run = openedRun, run.directory == directory else { return [] }
        // Let go of the old value first: a long run must not be copied for a few new points.
        openedRun = nil
        let before = run.log.records.count
        if startedOver {
            run.metrics = MetricsStore(smoothing: chart.smoothing)
            run.metrics.setAxis(chart.axis)
        }
        run.apply(events)
        let ended = run.origin == .elsewhere && !isAlive
        if ended { run.origin = .finished }
        openedRun = run
        viewGrew(events, logLinesBefore: before)
        return ended ? rescan() : []
    }

    /// A run tells of the checkpoints that it makes, not of those that `save_total_limit` takes away.
    mutating func forgetDeletedCheckpoints() {
        for run in catalog.runs where run.kind == .train {
            guard let steps = run.checkpointSteps, let newest = steps.max() else { continue }
            // Newer ones were made after the look at the disk.
            let isGone = { (record: CheckpointRecord) in record.step < newest && !steps.contains(record.step) }
            if let job = jobs[.train], RunName.isSame(job.directory, run.directory) { jobs[.train]?.checkpoints.removeAll(where: isGone) }
            if let opened = openedRun, RunName.isSame(opened.directory, run.directory) { openedRun?.checkpoints.removeAll(where: isGone) }
        }
    }

    mutating func closeOpenedRun() -> [Effect] {
        guard openedRun != nil else {
            if case .runs = overlays.last { return closeOverlay() }
            status = StatusMessage(.note, say("Nothing to leave: q quits."))
            return []
        }
        if case .runs = overlays.last { return closeOverlay() }
        openedRun = nil
        chart.view.fit()
        chart.view.cursor = nil
        if jobs[.train] == nil { focusByTab[.monitor] = .runs }
        return [.closeRun]
    }

    // MARK: Resuming, loading, deleting

    /// Puts the run's own configuration into the form, set to go on from its newest complete checkpoint, and starts it.
    mutating func resumeSelectedRun() -> [Effect] {
        guard let run = selectedRun, let path = run.configurationPath, run.checkpoint != nil else { return [] }
        overlays.removeAll()
        resumesAfterLoading = run.checkpoint.map { ResumeRequest(recipe: path, checkpoint: $0) }
        return [.loadRecipe(.train, path: path)]
    }

    mutating func loadSelectedRun() -> [Effect] {
        guard let path = selectedRun?.configurationPath else { return [] }
        overlays.removeAll()
        tab = .train
        focusByTab[.train] = .form
        return loadRecipe(path, tab: .train)
    }

    mutating func loadRecipe(_ path: String, tab: Tab) -> [Effect] {
        guard forms[tab].isModified, !forms[tab].undoStack.isEmpty else { return [.loadRecipe(tab, path: path)] }
        return ask(
            DialogState(
                title: say("Load \(Path.name(path))?"),
                text: say("The form has unsaved changes. Loading puts them on the undo stack: u brings them back."),
                choices: [
                    .init(say("Load"), key: "l", .discardChangesAndLoad(path: path, tab: tab)), .init(say("Cancel"), key: "c", .dismiss),
                ]))
    }

    mutating func adoptRecipe(_ tab: Tab, path: String, _ configuration: Configuration, notices: [String]) -> [Effect] {
        var configuration = configuration
        // Loading may have failed before, and this be another recipe.
        let request = resumesAfterLoading?.recipe == path ? resumesAfterLoading : nil
        let checkpoint = request?.checkpoint
        resumesAfterLoading = nil
        if let request, let reason = request.changesNothing(in: configuration) {
            status = StatusMessage(.failure, reason)
            return [.bell]
        }
        if checkpoint != nil {
            // Not by its name: what is newest now may be gone, or no longer the newest, when the form is started once more.
            try? configuration.set("resume_from_checkpoint", text: "true")
            try? configuration.set("overwrite_output_dir", text: "false")
            // A run that was renamed or moved goes on where it lies now, not under the name that its arguments still have.
            let folder = Path.directory(path)
            if Path.absolute(Path.expandingTilde(configuration.text("output_dir"))) != Path.absolute(folder) {
                try? configuration.set("output_dir", text: folder)
            }
            for change in request?.changes ?? [] {
                try? configuration.set(change.name, text: change.value)
                // A number of steps would go before the epochs that were asked for.
                if change.name == "num_train_epochs" { configuration.reset("max_steps") }
            }
        }
        if configuration != forms[tab].configuration {
            forms[tab].undoStack.append(FormState.Change(argument: "model_name_or_path", configuration: forms[tab].configuration, recipe: forms[tab].recipe))
            forms[tab].redoStack.removeAll()
        }
        forms[tab].configuration = configuration
        forms[tab].baseline = configuration
        forms[tab].recipePath = path
        forms[tab].edit = nil
        forms[tab].filter = nil
        let text = notices.isEmpty ? say("Loaded \(path)") : say("Loaded \(path): \(notices.joined(separator: "; "))")
        status = StatusMessage(notices.isEmpty ? .success : .warning, text)
        let effects = formChanged(tab)
        guard checkpoint != nil else { return effects }
        self.tab = .train
        return effects + requestStart(.train)
    }

    mutating func askToDeleteRun() -> [Effect] {
        guard let run = selectedRun else { return [] }
        return ask(
            DialogState(
                title: say("Delete \(Path.name(run.directory))?"), text: say("\(run.directory) and all of its checkpoints are removed for good."),
                choices: [
                    .init(say("Delete"), key: "d", .deleteRun(directory: run.directory)), .init(say("Keep"), key: "k", .dismiss),
                ], selection: 1))
    }

    mutating func runDeleted(_ directory: String) -> [Effect] {
        status = StatusMessage(.success, say("Deleted \(directory)"))
        let wasOpen = openedRun?.directory == directory
        if wasOpen { openedRun = nil }
        if jobs[.train]?.directory == directory, activeJob != .train { jobs[.train] = nil }
        return (wasOpen ? [.closeRun] : []) + rescan()
    }

    // MARK: Evaluate

    mutating func markResult() -> [Effect] {
        guard evaluationResults.indices.contains(evaluation.resultSelection) else { return [] }
        let directory = evaluationResults[evaluation.resultSelection].directory
        if let index = evaluation.marked.firstIndex(of: directory) {
            evaluation.marked.remove(at: index)
        } else {
            evaluation.marked.append(directory)
            // The difference is between two: the oldest mark goes.
            if evaluation.marked.count > 2 { evaluation.marked.removeFirst() }
        }
        return []
    }
}
