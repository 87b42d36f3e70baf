/// A run that lies in the folder that another is about to take.

import Configuration
import Events
import Platform
import Training

/// What a training would find in its `output_dir`: the model or the checkpoints of a run that has ended. LLaMA-Factory's rules for such
/// a folder are the command line's; where there is somebody to ask, nothing of it is replaced or continued without a question.
public struct EarlierRun: Sendable, Equatable {
    /// As the configuration names it.
    public var folder: String
    /// How it ended; one that was cut off counts as failed.
    public var state: JobState
    public var step: Int
    /// 0 where it is not known.
    public var totalSteps: Int
    /// The step of its newest complete checkpoint.
    public var checkpointStep: Int?
    /// The names of all that lies beside it, so that a new folder can be called otherwise.
    public var neighbours: [String]

    public init(folder: String, state: JobState, step: Int, totalSteps: Int, checkpointStep: Int?, neighbours: [String] = []) {
        self.folder = folder
        self.state = state
        self.step = step
        self.totalSteps = totalSteps
        self.checkpointStep = checkpointStep
        self.neighbours = neighbours
    }

    /// Of several jobs that follow each other the first one is looked at.
    public static func inTheWay(of jobs: [PlannedJob]) -> EarlierRun? {
        guard let first = jobs.first, first.kind == .train else { return nil }
        return inTheWay(of: first.configuration)
    }

    /// Nil where nothing would be lost, where the configuration says itself that it resumes, and where a process is at work, which the
    /// start finds out by itself.
    public static func inTheWay(of configuration: Configuration) -> EarlierRun? {
        guard let settings = try? TrainingSettings(configuration), settings.resumePath == nil else { return nil }
        let directory = RunDirectory(settings.outputDirectory)
        guard FileSystem.isDirectory(directory.path), directory.liveState() == nil else { return nil }
        let checkpoint = CheckpointCatalog.checkpoints(in: directory.path).last
        guard checkpoint != nil || OutputDirectory.holdsModel(directory.path) else { return nil }
        let record = RunRecord(directory: directory)
        return EarlierRun(
            folder: settings.outputDirectory, state: record.status.jobState ?? .finished, step: record.step, totalSteps: record.totalSteps,
            checkpointStep: checkpoint?.step, neighbours: (try? FileSystem.list(Path.directory(directory.path))) ?? [])
    }

    /// Whether going on from its checkpoint would train anything.
    /// - Parameter plannedSteps: how many steps the new run is to have; nil where nobody knows.
    public func canGoOn(plannedSteps: Int?) -> Bool {
        guard let checkpointStep else { return false }
        return plannedSteps.map { checkpointStep < $0 } ?? (state != .finished)
    }

    /// - Parameter isTaken: whether somebody has other plans with a folder.
    public func freeFolder(isTaken: (String) -> Bool = { _ in false }) -> String {
        Self.freeFolder(beside: folder, neighbours: neighbours, isTaken: isTaken)
    }

    /// The first folder beside another that is free: `run-2`, `run-3`, …
    /// - Parameters:
    ///   - neighbours: the names of all that lies there.
    ///   - isTaken: whether somebody has other plans with a folder.
    public static func freeFolder(beside folder: String, neighbours: [String], isTaken: (String) -> Bool) -> String {
        var stem = folder
        while stem.count > 1, stem.hasSuffix("/") { stem.removeLast() }
        let digits = stem.reversed().prefix { $0.isASCII && $0.isNumber }.count
        var number = 2
        // `run-2` goes on as `run-3`; a year or a date is a name.
        if (1...3).contains(digits), stem.dropLast(digits).hasSuffix("-"), stem.count > digits + 1, let own = Int(stem.suffix(digits)), own > 0 {
            stem.removeLast(digits + 1)
            number = own + 1
        }
        let taken = Set(neighbours)
        while taken.contains(Path.name("\(stem)-\(number)")) || isTaken("\(stem)-\(number)") { number += 1 }
        return "\(stem)-\(number)"
    }
}
