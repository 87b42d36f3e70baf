import Configuration
import Events
import Terminal

/// The board's only transition: what happened goes in, the new state and what is to be done outside come out. Pure: the same
/// state and action always give the same result.
public func update(_ state: inout BoardState, _ action: Action) -> [Effect] {
    Wording.$current.withValue(state.wording) {
        KeyBindings.$current.withValue(state.keyBindings) {
            var effects = state.reduce(action)
            effects += state.settle()
            return effects
        }
    }
}

extension BoardState {
    fileprivate mutating func reduce(_ action: Action) -> [Effect] {
        switch action {
        case .key(let key): return handle(key)
        case .paste(let text): return paste(text)
        case .pasteWasCut(let limit):
            // Of the little that a line takes was told already.
            if takesText, contexts.first == .message || contexts.first == .editor { status = cutPaste(limit) }
            return []
        case .mouse(let event, let target): return handle(event, on: target)
        case .resize(let size):
            self.size = size
            return []
        case .run(let identifier):
            guard let command = CommandTable.command(identifier) else { return [] }
            return perform(command)
        case .tick(let now, let sample):
            self.now = now
            system = sample
            ageStatus()
            return refreshIfDue()
        case .catalogScanned(let catalog):
            let isFirst = !self.catalog.isScanned
            let selected = selectedRun?.directory
            self.catalog = catalog
            forgetDeletedCheckpoints()
            keepRunSelected(selected)
            clampSelections()
            // What waits is on disk too, and other boards change it.
            return reviewFolders() + [.changeQueue(.look)] + (isFirst ? showLiveRun() : [])
        case .planned(let tab, let generation, let plan):
            guard forms[tab].generation == generation else { return [] }
            forms[tab].plan = plan
            // Whether anything is left to train hangs on it.
            if tab == .train { forms[tab].problems = problems(of: tab) }
            return []
        case .queuePlanned(let identifier, let plan): return queuedPlanned(identifier, plan)
        case .recipeLoaded(let tab, let path, let configuration, let notices):
            return adoptRecipe(tab, path: path, configuration, notices: notices)
        case .recipeSaved(let tab, let path):
            forms[tab].configuration.becomeRecipe(path: path)
            forms[tab].baseline = forms[tab].configuration
            forms[tab].recipePath = path
            status = StatusMessage(.success, say("Saved \(path)"))
            return rescan()
        case .jobStarted(let tab, let kind, let title, let directory):
            return jobStarted(tab, kind, title: title, directory: directory)
        case .jobHistory(let tab, let events):
            jobs[tab]?.applyHistory(events)
            return []
        case .jobEvents(let events): return fold(events)
        case .runOpened(let run): return show(run)
        case .runGrew(let directory, let events, let startedOver, let isAlive):
            return growOpenedRun(directory, events, startedOver: startedOver, isAlive: isAlive)
        case .runFactsRead(let directory, let facts, let tab): return take(facts, of: directory, for: tab)
        case .runDeleted(let directory): return runDeleted(directory)
        case .overlayLoaded(let directory, let metrics): return layUnder(directory, metrics)
        case .recipeExists(let tab, let path): return askToReplaceRecipe(tab, path)
        case .fileExists(let path, let content): return askToReplace(path, content)
        case .textEdited(let purpose, let before, let after): return takeEditedText(purpose, before: before, after: after)
        case .runRenamed(let directory, let name): return runRenamed(directory, to: name)
        case .runsCompared(let comparison): return show(comparison)
        case .queueChanged(let waiting): return queueChanged(waiting)
        case .queueTaken(let identifier, let run, let waiting): return queueTaken(identifier, run, waiting: waiting)
        case .jobRefused(let tab, let reason, let argument): return jobRefused(tab, reason, argument)
        case .jobWouldReplace(let tab, let configuration, let earlier): return jobWouldReplace(tab, configuration, earlier)
        case .queueWouldReplace(let run, let earlier): return queueWouldReplace(run, earlier)
        case .fileWritten(let path, let text):
            if text == conversation.json { chat.kept = chat.turns }
            status = StatusMessage(.success, say("Wrote \(path)"))
            return []
        case .exportTargetChecked(let path, let fileCount, let neighbours): return exportTargetChecked(path, fileCount: fileCount, neighbours)
        case .chat(let update): return fold(update)
        case .datasetPreviewed(let preview): return show(preview)
        case .datasetFailed(let name, let reason): return failDataset(name, reason)
        case .predictionsLoaded(let directory, let samples): return predictionsLoaded(directory, samples)
        case .conversationsListed(let stored): return offerConversations(stored)
        case .conversationLoaded(let conversation, let path): return adopt(conversation, path: path)
        case .talkBegan(let info): return talkBegan(info)
        case .talkEnded: return talkEnded()
        case .captured(let line): return capture(line)
        case .notify(let message):
            status = message
            return []
        case .hangUp, .terminate, .suspendRequested, .resumed: return reduceSignal(action)
        }
    }

    private mutating func reduceSignal(_ action: Action) -> [Effect] {
        switch action {
        // What is being started goes on as well as what is at work.
        case .hangUp: return runningJob == nil && starting == nil && queueStart == nil ? [.quit] : [.detach]
        case .terminate:
            guard runningJob != nil else { return [.quit] }
            afterStop = .quit
            return [.control(.stopAndSave)]
        case .suspendRequested: return requestSuspend()
        case .resumed: return [.repaint]
        default: return []
        }
    }

    /// What must hold after every action: cursors inside their lists and visible, forms validated, estimates asked for.
    fileprivate mutating func settle() -> [Effect] {
        // A hidden form waits until it is shown: laying one out costs more than the rest of an event, and a run sends many.
        if tab != .monitor { keepSelectionVisible(tab) }
        if chat.modelInfo == nil, focusByTab[.chat] == .message || focusByTab[.chat] == .transcript { focusByTab[.chat] = .form }
        if !tab.panes.contains(focus) && focus != .form { focus = tab.panes[0] }
        return settleTheme()
    }

    /// Runs a command, or says why it cannot be run.
    mutating func perform(_ command: BoardCommand) -> [Effect] {
        if let reason = command.refusal(self) {
            status = StatusMessage(.warning, reason)
            return []
        }
        return command.perform(&self)
    }
}
