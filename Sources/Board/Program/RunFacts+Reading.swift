import Configuration
import Platform
import Runs

extension RunFacts {
    /// Looks into a run's folder.
    static func read(_ directory: String) -> RunFacts {
        let run = RunDirectory(directory)
        let record = RunRecord(directory: run)
        let arguments = try? Configuration.load(file: run.argumentsPath, overrides: [])
        return RunFacts(
            arguments: arguments, model: record.model, stage: record.stage, method: record.method, startTime: record.startTime,
            weights: record.learntFolder.map { Path.relative($0, to: FileSystem.currentDirectory) })
    }
}
