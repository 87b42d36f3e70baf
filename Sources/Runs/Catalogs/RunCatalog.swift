/// The runs under a folder: ours and LLaMA-Factory's.

import Events
import Formats
import Platform

/// Finds run directories and reads each one's record.
public enum RunCatalog {
    /// Every run under `root`, newest first. Folders that cannot be read are passed over.
    /// - Parameters:
    ///   - depth: levels below the root: `saves/model/method/run` is three.
    ///   - cache: given by those who scan again and again.
    public static func scan(_ root: String = "saves", depth: Int = 3, cache: TrainerLogCache? = nil) -> [RunRecord] {
        var records: [RunRecord] = []
        FolderWalk.visit(Path.absolute(Path.expandingTilde(root)), depth: depth) { path, _ in
            guard CheckpointCatalog.step(ofName: Path.name(path)) == nil else { return false }
            let directory = RunDirectory(path)
            if directory.isRun { records.append(RunRecord(directory: directory, cache: cache)) }
            return true
        }
        return records.sorted { ($0.updateTime, $0.directory.path) > ($1.updateTime, $1.directory.path) }
    }

    /// The record of one run.
    public static func record(at path: String) throws(RunError) -> RunRecord {
        let directory = RunDirectory(path)
        guard directory.isRun else { throw .notARun(path: path) }
        return RunRecord(directory: directory)
    }

    /// The run that is at work under `root`, newest first when there are several.
    public static func live(_ root: String = "saves") -> RunRecord? { scan(root).first(where: \.isLive) }
}

/// The scores in a run's all_results.json.
public struct ResultRecord: Sendable, Equatable {
    public var directory: RunDirectory
    public var values: [NamedValue]
    /// Seconds since 1970-01-01 UTC.
    public var modificationTime: Double

    /// Every folder under `root` that holds results, newest first.
    public static func scan(_ root: String = "saves", depth: Int = 3) -> [ResultRecord] {
        var records: [ResultRecord] = []
        FolderWalk.visit(Path.absolute(Path.expandingTilde(root)), depth: depth) { path, names in
            if names.contains("all_results.json"), let record = ResultRecord(RunDirectory(path)) { records.append(record) }
            return CheckpointCatalog.step(ofName: Path.name(path)) == nil
        }
        return records.sorted { $0.modificationTime > $1.modificationTime }
    }

    /// Nil when the folder has no readable all_results.json.
    public init?(_ directory: RunDirectory) {
        guard let text = try? FileSystem.readText(directory.resultsPath),
            let object = (try? JSONValue.parse(text, name: "all_results.json"))?.objectValue
        else { return nil }
        self.directory = directory
        values = object.keys.compactMap { key in object[key]?.doubleValue.map { NamedValue(key, $0) } }
        modificationTime = FileSystem.modificationTime(directory.resultsPath) ?? 0
    }
}
