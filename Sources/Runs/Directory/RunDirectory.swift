/// A run's folder on disk: the names of its files, its state, and the way to ask something of the process that writes it.

import Events
import Platform

/// A folder that holds, or will hold, one run. The names are LLaMA-Factory's, plus `state.json` and `control`.
public struct RunDirectory: Sendable, Hashable {
    public let path: String

    public init(_ path: String) {
        self.path = Path.absolute(Path.expandingTilde(path))
    }

    public var name: String { Path.name(path) }
    public var statePath: String { Path.join(path, "state.json") }
    /// Evaluations and predictions that write into the folder of a training run keep their state apart from the run's.
    public var evaluationStatePath: String { Path.join(path, "evaluation_state.json") }
    public var controlPath: String { Path.join(path, "control") }
    public var runningLogPath: String { Path.join(path, "running_log.txt") }
    public var trainerLogPath: String { Path.join(path, "trainer_log.jsonl") }
    public var trainerStatePath: String { Path.join(path, "trainer_state.json") }
    public var resultsPath: String { Path.join(path, "all_results.json") }
    /// The arguments of the run, as `tuneboard train FILE` takes them.
    public var argumentsPath: String { Path.join(path, "training_args.yaml") }

    /// True when the folder holds any file by which a run is known.
    public var isRun: Bool {
        [statePath, evaluationStatePath, trainerLogPath, trainerStatePath, runningLogPath].contains(where: FileSystem.exists)
    }

    /// The state that the run's process wrote last: of its training if there was one, else of an evaluation.
    public func state() -> RunState? {
        Self.readState(statePath) ?? Self.readState(evaluationStatePath)
    }

    /// The state of the process that works in this folder now, if there is one.
    public func liveState() -> RunState? {
        [statePath, evaluationStatePath].lazy.compactMap(Self.readState)
            .first { !$0.status.isFinal && $0.process.isAlive == true }
    }

    /// Leaves a request for the process that writes this run; it is read within a quarter of a second.
    public func request(_ request: ControlRequest) throws(RunError) {
        guard let word = request.controlWord else { return }
        guard let state = state() else { throw .notARun(path: path) }
        guard liveState() != nil else { throw .notRunning(path: path, status: state.status.rawValue) }
        do {
            try FileSystem.writeAtomically(controlPath, text: word + "\n")
        } catch {
            throw .cannotControl(path: path, reason: String(describing: error))
        }
    }

    /// Takes the request that another process left, if any.
    func takeRequest() -> ControlRequest? {
        guard FileSystem.exists(controlPath), let text = try? FileSystem.readText(controlPath) else { return nil }
        try? FileSystem.remove(controlPath)
        return ControlRequest(controlWord: String(text.prefix { !$0.isWhitespace }))
    }

    /// Removes the folder and all in it, unless a process is at work there.
    public func delete() throws(RunError) {
        guard isRun else { throw .notARun(path: path) }
        if let live = liveState() { throw .isRunning(path: path, processIdentifier: live.process.processIdentifier) }
        do {
            try FileSystem.removeTree(path)
        } catch {
            throw .cannotDelete(path: path, reason: String(describing: error))
        }
    }

    /// Gives the folder another name, unless a process is at work there or something has that name.
    /// - Parameter name: a path; folders above it are made.
    public func rename(to name: String) throws(RunError) {
        guard isRun else { throw .notARun(path: path) }
        if let live = liveState() { throw .isRunning(path: path, processIdentifier: live.process.processIdentifier) }
        let target = Path.absolute(Path.expandingTilde(name))
        guard !FileSystem.exists(target) else { throw .cannotRename(path: path, reason: "\(name) exists already. Choose another name.") }
        do {
            try FileSystem.createDirectory(Path.directory(target))
            try FileSystem.rename(path, target)
        } catch {
            throw .cannotRename(path: path, reason: String(describing: error))
        }
    }

    private static func readState(_ path: String) -> RunState? {
        guard let text = try? FileSystem.readText(path) else { return nil }
        return RunState(text: text)
    }
}

extension ControlRequest {
    /// The word that stands for the request in a run's `control` file.
    public var controlWord: String? {
        switch self {
        case .none: nil
        case .pause: "pause"
        case .resume: "resume"
        case .save: "save"
        case .stopAndSave: "stop"
        case .abort: "abort"
        }
    }

    /// Reads the word in a `control` file.
    public init?(controlWord: String) {
        guard let request = Self.allCases.first(where: { $0.controlWord == controlWord }) else { return nil }
        self = request
    }
}
