import Configuration
import Events
import Platform
import Terminal

extension BoardState {
    /// Puts what the page's form describes at the end of the queue; without a job at work it starts at once.
    mutating func enqueue() -> [Effect] {
        let tab = pageForm
        forms[tab].problems = forms[tab].configuration.validate(for: tab.command)
        if let problem = forms[tab].firstError {
            if let name = problem.argument { forms[tab].reveal(name) }
            status = StatusMessage(.failure, problem.message)
            return [.bell]
        }
        let configuration = forms[tab].configuration
        let folder = configuration.text(tab == .export ? "export_dir" : "output_dir")
        let taken = queue.contains { $0.folder == folder && !folder.isEmpty } || runningJob?.directory == folder && !folder.isEmpty
        if taken {
            status = StatusMessage(.failure, say("\(folder) is taken by a job at work or in the queue: choose another folder."))
            return [.bell]
        }
        queue.append(QueuedRun(tab: tab, title: "\(say(key: tab.title)) \(RunName.short(folder))", recipe: configuration.yaml()))
        if runningJob == nil, queue.count == 1 { return startNextInQueue() }
        status = StatusMessage(.success, say("\(queue.count) in the queue; B shows it"))
        return [.saveQueue(queue)]
    }

    func enqueueRefusal() -> String? { pageForm == .chat ? say("A chat cannot be queued.") : nil }

    /// Starts the first of the queue; those that cannot be read are told and passed over.
    mutating func startNextInQueue() -> [Effect] {
        while !queue.isEmpty {
            let next = queue.removeFirst()
            do {
                let configuration = try Configuration.parse(next.recipe, name: next.title)
                if configuration != forms[next.tab].configuration {
                    forms[next.tab].undoStack.append(
                        FormState.Change(argument: "model_name_or_path", configuration: forms[next.tab].configuration))
                    forms[next.tab].configuration = configuration
                    _ = formChanged(next.tab)
                }
                if let problem = forms[next.tab].firstError {
                    status = StatusMessage(.failure, "\(next.title): \(problem.message)")
                    continue
                }
                return [.saveQueue(queue)] + start(next.tab)
            } catch {
                status = StatusMessage(.failure, "\(next.title): \(error.description)")
            }
        }
        return [.saveQueue(queue)]
    }

    mutating func openQueue() -> [Effect] {
        overlays.append(.queue(selection: 0))
        return []
    }

    func queueRefusal() -> String? { queue.isEmpty ? say("Nothing waits: A adds the page's form to the queue.") : nil }

    func startQueueRefusal() -> String? { queueRefusal() ?? startRefusal() }

    mutating func startQueue() -> [Effect] {
        overlays.removeAll()
        return startNextInQueue()
    }

    private var queueSelection: Int? {
        guard case .queue(let selection) = overlays.last, queue.indices.contains(selection) else { return nil }
        return selection
    }

    mutating func moveInQueue(_ movement: Movement, page: Int) {
        guard case .queue(let selection) = overlays.last else { return }
        overlays[overlays.count - 1] = .queue(selection: movement.applied(to: selection, count: queue.count, page: page))
    }

    /// Moves the job under the cursor forwards or backwards.
    mutating func shiftInQueue(by count: Int) -> [Effect] {
        guard let selection = queueSelection, queue.indices.contains(selection + count) else { return [] }
        queue.swapAt(selection, selection + count)
        overlays[overlays.count - 1] = .queue(selection: selection + count)
        return [.saveQueue(queue)]
    }

    mutating func askToDequeue() -> [Effect] {
        guard let selection = queueSelection else { return [] }
        return ask(
            DialogState(
                title: say("Take it out of the queue?"), text: queue[selection].title,
                choices: [.init(say("Take out"), key: "t", .dequeue(selection)), .init(say("Keep"), key: "k", .dismiss)], selection: 1))
    }

    mutating func dequeue(_ index: Int) -> [Effect] {
        guard queue.indices.contains(index) else { return [] }
        queue.remove(at: index)
        if case .queue(let selection) = overlays.last {
            overlays[overlays.count - 1] = .queue(selection: min(selection, max(0, queue.count - 1)))
        }
        return [.saveQueue(queue)]
    }

    /// Takes a job out of the queue and into its form, to be changed.
    mutating func editQueued() -> [Effect] {
        guard let selection = queueSelection else { return [] }
        let job = queue[selection]
        guard let configuration = try? Configuration.parse(job.recipe, name: job.title) else { return dequeue(selection) }
        queue.remove(at: selection)
        overlays.removeAll()
        tab = job.tab
        focus = .form
        return [.saveQueue(queue)] + adoptEditedForm(job.tab, configuration)
    }
}

extension QueuedRun {
    /// The folder that the job writes to, as its recipe says.
    var folder: String {
        let name = tab == .export ? "export_dir" : "output_dir"
        return (try? Configuration.parse(recipe, name: title))?.text(name) ?? ""
    }
}
