import Configuration
import Events
import Platform
import Terminal

extension BoardState {
    // MARK: Starting

    func startRefusal() -> String? {
        if let job = runningJob { return say("A job is \(say(key: job.kind.activity)) already. x stops it.") }
        if starting != nil { return say("Another job is being started.") }
        return nil
    }

    /// Starts what the page's form describes, unless it has errors: then the cursor goes to the first of them.
    mutating func requestStart(_ tab: Tab) -> [Effect] {
        forms[tab].problems = problems(of: tab)
        if let problem = forms[tab].firstError {
            focus = .form
            if let name = problem.argument { forms[tab].reveal(name) }
            status = StatusMessage(.failure, problem.words)
            // A folder in use may be free by now.
            return [.bell] + (folderProblem(tab, forms[tab].configuration) == nil ? [] : rescan())
        }
        if let reason = nothingLeft(tab) {
            focus = .form
            forms[tab].reveal("resume_from_checkpoint")
            status = StatusMessage(.failure, say(engine: reason))
            return [.bell]
        }
        // A job that waits may have been told to replace what lies in its folder, but not the run that is to start now.
        let folder = forms[tab].configuration.text("output_dir")
        if tab == .train, queue.contains(where: { $0.tab == .train && RunName.isSame($0.folder, folder) }) {
            status = StatusMessage(.failure, say("\(folder) is taken by a job at work or in the queue: choose another folder."))
            return [.bell]
        }
        if case .ready(let plan) = forms[tab].plan, tab == .train, let reason = memoryShortage(plan) {
            return ask(
                DialogState(
                    title: say("More memory than there is"),
                    text: reason,
                    choices: [
                        .init(say("Start anyway"), key: "s", .start(tab)), .init(say("Cancel"), key: "c", .dismiss),
                    ], selection: 1))
        }
        return tab == .export ? requestExport() : start(tab)
    }

    /// Why a run would not fit in memory; nil when it does.
    func memoryShortage(_ plan: RunPlan) -> String? {
        plan.availableBytes > 0 && plan.peakBytes > plan.availableBytes ? Self.shortageWords(plan) : nil
    }

    static func shortageWords(_ plan: RunPlan) -> String {
        say("The run is estimated to need \(NumberText.bytes(plan.peakBytes)), and \(NumberText.bytes(plan.availableBytes)) are free. A smaller batch or cutoff_len needs less.")
    }

    mutating func start(_ tab: Tab) -> [Effect] {
        if let reason = startRefusal() {
            status = StatusMessage(.warning, reason)
            return [.bell]
        }
        return handOver(tab, forms[tab].configuration)
    }

    /// Gives a job to the engine, which answers with its start or with what keeps it from starting.
    /// - Parameters:
    ///   - queued: the job of the queue that it is.
    ///   - replaces: whether a run that lies in its folder may go.
    mutating func handOver(_ tab: Tab, _ configuration: Configuration, queued: String? = nil, replaces: Bool = false) -> [Effect] {
        starting = StartingJob(
            tab: tab, queued: queued, folder: configuration.text(tab.folderArgument), configuration: configuration, shown: self.tab)
        status = StatusMessage(.note, say("Starting…"))
        return [.startJob(tab, kind(tab, configuration), configuration, replaces: replaces)]
    }

    /// What a page's form starts.
    func kind(_ tab: Tab, _ configuration: Configuration) -> JobKind {
        switch tab {
        case .train, .monitor: .train
        case .evaluate: configuration.isOn("predict_with_generate") || configuration.isOn("do_predict") ? .predict : .evaluate
        case .chat: .chat
        case .export: .export
        }
    }

    mutating func jobStarted(_ tab: Tab, _ kind: JobKind, title: String, directory: String) -> [Effect] {
        let start = starting
        activeStart = start
        starting = nil
        queueGaveWay = false
        var run = RunDigest(kind: kind, title: title, directory: directory, origin: .here)
        if start?.queued != nil {
            if start?.queued == queueStart?.identifier {
                queueStart?.stage = .begun
                run.plan = queueStart?.plan
            }
        } else {
            forms[tab].refusal = nil
            if tab == .train, case .ready(let plan) = forms[.train].plan { run.plan = plan }
        }
        if kind == .train, let configuration = start?.configuration { run.facts = RunFacts(arguments: configuration, startTime: now) }
        run.metrics.setSmoothing(chart.smoothing)
        // Where the Monitor's keys go must not hang on whether there is a run, now that there will be one.
        if self.tab == .monitor { focusByTab[.monitor] = focus }
        jobs[tab] = run
        activeJob = tab
        // What was drawn of this folder is no longer what it holds.
        if kind == .train { overlayRuns.removeAll { RunName.isSame($0.directory, directory) } }
        status =
            tab == .evaluate && evaluatesTrainingData(start?.configuration ?? forms.evaluate.configuration)
            ? StatusMessage(.success, say("Started \(title) on the training set: it shows memory, not skill"))
            : StatusMessage(.success, say("Started \(title)"))
        if tab == .train { return showStarted(start) }
        if tab == .evaluate { evaluation = EvaluationViewState() }
        return []
    }

    /// The Monitor turns to a training that has begun. Only one who has just asked for it is taken there, and not while something else
    /// has the keys: the next letters would be commands.
    private mutating func showStarted(_ start: StartingJob?) -> [Effect] {
        let isAskedFor = start?.queued == nil
        let isBusy = takesText || !overlays.isEmpty
        // A run that is being looked at stays in view.
        if !isAskedFor, tab == .monitor, openedRun != nil { return rescan() }
        openedRun = nil
        resetViews(keepsLog: isBusy && tab == .monitor)
        if isAskedFor, !isBusy, start == nil || start?.shown == tab {
            tab = .monitor
            focusByTab[.monitor] = .chart
        }
        return [.closeRun] + rescan()
    }

    private mutating func resetViews(keepsLog: Bool) {
        chart.view.fit()
        chart.view.cursor = nil
        chart.metric = .loss
        if !keepsLog { logPane = LogPaneState() }
    }

    // MARK: Events

    mutating func fold(_ events: [JobEvent]) -> [Effect] {
        guard let activeJob else { return [] }
        let logBefore = jobs[activeJob]?.log.records.count ?? 0
        jobs[activeJob]?.apply(events)
        if activeJob == .train { chartMemory(events) }
        if activeJob == .train, openedRun == nil { viewGrew(events, logLinesBefore: logBefore) }
        if activeJob == .evaluate, evaluation.isFollowing, let run = jobs[.evaluate] {
            evaluation.sampleIndex = max(0, run.samples.count - 1)
        }
        guard let run = jobs[activeJob] else { return [] }
        let queued = followQueued(run)
        return run.state.isFinal ? queued + jobEnded(activeJob, run) : queued
    }

    /// What the program takes, as last sampled, at the steps that were logged.
    private mutating func chartMemory(_ events: [JobEvent]) {
        guard system.residentBytes > 0 else { return }
        let size = Double(system.residentBytes) / Double(1 << 30)
        for case .step(let step) in events where step.isLogged { jobs[.train]?.metrics.append(.memory, step: step.step, value: size) }
    }

    private mutating func jobEnded(_ tab: Tab, _ run: RunDigest) -> [Effect] {
        activeJob = nil
        let start = activeStart
        activeStart = nil
        let isQueued = start?.queued != nil
        jobs[tab]?.origin = .finished
        var effects: [Effect] = []
        switch run.state {
        case .finished, .stopped:
            let what = run.state == .finished ? say("Finished") : say("Stopped and saved")
            status = StatusMessage(.success, run.summary.map { $0.text.isEmpty ? what : say(engine: $0.text) } ?? "\(what): \(run.title)")
            // The forms are the user's: a job that ran by itself leaves them as they are.
            if !isQueued { effects = adoptResult(of: tab, run, start?.configuration ?? forms[.train].configuration) }
        case .failed:
            if !isQueued { forms[tab].refusal = run.failure?.words }
            status = StatusMessage(.failure, run.failure?.words ?? say("The job failed; the log says why."))
        case .aborted: status = StatusMessage(.warning, say("Aborted: \(run.title)"))
        case .waiting, .loading, .running, .paused, .stopping: break
        }
        let intent = afterStop
        afterStop = .dismiss
        // What waits goes on after an end of any kind but the user's own.
        let goesOn = intent == .dismiss && (run.state == .finished || run.state == .failed) && !queue.isEmpty
        overlays.removeAll { if case .dialog(let dialog) = $0 { dialog.isAboutRunningJob } else { false } }
        if goesOn { return effects + rescan() + [.bell] + startNextInQueue() }
        if intent == .dismiss, standingJobs > 0, let told = status {
            status = StatusMessage(told.kind, [told.text, Self.standingWords(standingJobs)].joined(separator: Wording.current.language.sentenceSpace))
        }
        return effects + rescan() + (intent == .dismiss ? [.bell] : carryOut(intent))
    }

    /// What was just trained is what one wants to talk to, measure and export next.
    private mutating func adoptResult(of tab: Tab, _ run: RunDigest, _ trained: Configuration) -> [Effect] {
        guard tab == .train, !run.directory.isEmpty, run.kind == .train else { return [] }
        let effects = adopt(trained, learntIn: run.directory, for: [.chat, .evaluate, .export])
        if chat.modelInfo != nil, !chat.isStreaming {
            status = StatusMessage(.success, say("\((status?.text ?? say("Finished")).withoutFullStop). In Chat, F5 loads the new adapter."))
        }
        return effects
    }

    // MARK: Steering

    /// The run that pause, save and stop are about: what the Monitor shows there, the job of this process elsewhere.
    var steeredRun: RunDigest? {
        if tab == .monitor, let openedRun { return openedRun }
        return runningJob
    }

    func controlRefusal(_ what: String) -> String? {
        guard let run = steeredRun else { return say("There is no running job to \(say(key: what)).") }
        guard run.isActive else { return say("This run is over: \(say(key: run.state.word)).") }
        if run.origin == .elsewhere, !run.isControllable { return say("This run is another program's: it can be watched, not steered.") }
        if (what == "pause" || what == "save"), run.kind != .train { return say("Only training can be asked to \(say(key: what)).") }
        return nil
    }

    mutating func request(_ request: ControlRequest) -> [Effect] {
        if tab == .monitor, let opened = openedRun {
            openedRun?.pendingRequest = request
            return [.controlRun(directory: opened.directory, request)]
        }
        return requestOfOwnJob(request)
    }

    /// The same of this process's job, whatever the Monitor shows.
    mutating func requestOfOwnJob(_ request: ControlRequest) -> [Effect] {
        guard let activeJob else { return [] }
        jobs[activeJob]?.pendingRequest = request
        return [.control(request)]
    }

    mutating func requestStop() -> [Effect] {
        guard let run = steeredRun else { return [] }
        if run.pendingRequest == .stopAndSave || run.state == .stopping {
            status = StatusMessage(.warning, say("Aborting now; what was not saved is lost."))
            return request(.abort)
        }
        if run.kind != .train {
            return ask(
                DialogState(
                    title: say("Stop \(say(key: run.kind.activity))?"), text: say("What is done so far stays on disk; the rest is not done."),
                    choices: [.init(say("Stop"), key: "s", .abort), .init(say("Go on"), key: "g", .dismiss)], selection: 0))
        }
        status = StatusMessage(.note, say("Stopping after this step and saving. x again aborts at once."))
        return request(.stopAndSave)
    }

    mutating func togglePause() -> [Effect] {
        guard let run = steeredRun else { return [] }
        if run.origin == .here, isTalking { return togglePauseAfterTalk() }
        let isPaused = run.state == .paused || run.pendingRequest == .pause
        if run.origin == .here { talkLeavesPaused = !isPaused }
        status = StatusMessage(.note, isPaused ? say("Going on.") : say("Pausing after this step."))
        return request(isPaused ? .resume : .pause)
    }

    mutating func requestCheckpoint() -> [Effect] {
        status = StatusMessage(.note, say("Saving a checkpoint after this step."))
        return request(.save)
    }

    // MARK: Leaving

    mutating func requestQuit() -> [Effect] {
        guard let job = runningJob else { return carryOut(.quit) }
        return ask(quitDialog(for: job))
    }

    private func quitDialog(for job: RunDigest) -> DialogState {
        let isTraining = job.kind == .train
        var sentences = [say("\(job.title) is at work. What should become of it?")]
        let waiting = queue.count { $0.problem == nil }
        if waiting > 0 { sentences.append(say("Waiting in the queue: \(waiting). Detached, the queue goes on; after a stop it waits for you.")) }
        return DialogState(
            title: say("A job is \(say(key: job.kind.activity))"), text: sentences.joined(separator: Wording.current.language.sentenceSpace),
            choices: [
                .init(isTraining ? say("Stop and save") : say("Stop"), key: "s", isTraining ? .stopAndQuit : .abortAndQuit),
                .init(say("Detach"), key: "d", .detachAndQuit), .init(say("Cancel"), key: "c", .dismiss),
            ], selection: 0)
    }

    mutating func requestSuspend() -> [Effect] {
        guard let job = runningJob else { return [.suspend] }
        return ask(
            DialogState(
                title: say("A job is \(say(key: job.kind.activity))"),
                text: say("Suspending stops every thread, the job's too, until the program is continued."),
                choices: [.init(say("Suspend"), key: "s", .suspend), .init(say("Cancel"), key: "c", .dismiss)], selection: 1))
    }

    /// Ctrl+C: the innermost thing first, and only then the question whether to leave.
    mutating func cancelCurrent() -> [Effect] {
        if !overlays.isEmpty {
            if case .form(let tab) = overlays.last, forms[tab].edit != nil { return cancelEdit() }
            return closeOverlay()
        }
        if let tab = activeFormTab, forms[tab].edit != nil { return cancelEdit() }
        if let tab = activeFormTab, forms[tab].filter != nil { return clearFilter() }
        if logPane.draft != nil { return clearLogSearch() }
        if tab == .chat, chat.isStreaming { return stopAnswer() }
        if let job = runningJob { return ask(quitDialog(for: job)) }
        return ask(
            DialogState(
                title: say("Leave Tuneboard?"), text: say("Nothing is running."),
                choices: [.init(say("Quit"), key: "q", .quit), .init(say("Stay"), key: "s", .dismiss)], selection: 0))
    }
}

extension String {
    /// Without the mark that ends a sentence, for one that another sentence follows.
    var withoutFullStop: String {
        guard let last, ".。．".contains(last) else { return self }
        return String(dropLast())
    }
}

extension DialogState {
    /// True for questions that are moot once the job has ended.
    var isAboutRunningJob: Bool {
        choices.contains { choice in
            switch choice.intent {
            case .stopAndQuit, .detachAndQuit, .abortAndQuit, .abort, .suspend: true
            case .dismiss, .quit, .deleteRun, .clearChat, .start, .discardChangesAndLoad, .saveRecipe, .replaceFile, .adoptEditedForm,
                .editAgain, .dequeue, .loadConversation, .takeOver: false
            }
        }
    }
}

extension Configuration {
    /// Whether a flag is on.
    func isOn(_ name: String) -> Bool { text(name) == "true" }
}
