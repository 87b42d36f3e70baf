import Events
import Formats
import Platform
import Runs

/// Looks on the disk for models, datasets, adapters, recipes and runs: one look at a time, on a thread of its own, and once more
/// when another was asked for meanwhile.
final class CatalogScan: @unchecked Sendable {
    private struct Request: Sendable {
        var datasetDirectory: String
        var outputs: [String]
        var ours: RunDirectory?
    }

    private struct Contents: Sendable {
        var next: Request?
        var isWorking = false
    }

    private let contents = Mutex(Contents())
    /// Logs that have not grown are not read again.
    private let logs = TrainerLogCache()
    /// Set once, before the first request.
    var queue: ActionQueue?

    func request(datasetDirectory: String, outputs: [String], ours: RunDirectory?) {
        guard let queue else { return }
        let mustStart = contents.withLock { contents in
            contents.next = Request(datasetDirectory: datasetDirectory, outputs: outputs, ours: ours)
            defer { contents.isWorking = true }
            return !contents.isWorking
        }
        guard mustStart else { return }
        queue.beginWork()
        _ = EngineThread(name: "catalog") { [self] in work(queue) }
    }

    private func work(_ queue: ActionQueue) {
        while true {
            let request = contents.withLock { contents -> Request? in
                defer { contents.next = nil }
                if contents.next == nil { contents.isWorking = false }
                return contents.next
            }
            guard let request else {
                queue.endWork()
                return
            }
            queue.post(.catalogScanned(catalog(request)))
        }
    }

    private func catalog(_ request: Request) -> Catalog {
        let here = FileSystem.currentDirectory
        func relative(_ path: String) -> String { Path.relative(path, to: here) }
        var catalog = Catalog()
        let runs = RunCatalog.scan(cache: logs)
        catalog.runs = runs.map { Self.entry($0, ours: request.ours, relative) }
        catalog.outputs = request.outputs
        let elsewhere = request.outputs.map { RunDirectory($0) }.filter(\.isRun).map { RunRecord(directory: $0, cache: logs) }
        for record in runs + elsewhere where record.isControllable && record.processIdentifier != ProcessRunner.ownIdentifier {
            catalog.usedFolders[record.directory.path] = record.processIdentifier
        }
        catalog.models = ModelCatalog.scan().map {
            ModelEntry(
                path: $0.name, architecture: $0.architecture, parameterCount: $0.parameterCount, bytes: $0.bytes, problem: $0.problem,
                isExport: $0.isExport)
        }
        catalog.adapters = Self.adapters(of: runs, relative)
        catalog.recipes = RecipeCatalog.scan().map { RecipeEntry(path: $0.name, summary: $0.summary) }
        catalog.results = ResultRecord.scan().map {
            ResultEntry(directory: relative($0.directory.path), values: $0.values, modified: $0.modificationTime)
        }
        catalog.datasets = DatasetList.read(request.datasetDirectory)
        catalog.datasetDirectory = request.datasetDirectory
        catalog.templates = TemplateCatalog.names
        catalog.isScanned = true
        return catalog
    }

    /// Adapters, and the checkpoints of full fine-tuning, which have none.
    private static func adapters(of runs: [RunRecord], _ relative: (String) -> String) -> [AdapterEntry] {
        var entries = AdapterCatalog.scan().map {
            AdapterEntry(path: $0.name, baseModel: $0.baseModel, rank: $0.rank, step: $0.step, loss: $0.loss, evaluationLoss: $0.evaluationLoss,
                modified: $0.modificationTime)
        }
        let known = Set(entries.map(\.path))
        for run in runs {
            for checkpoint in run.checkpoints where !known.contains(relative(checkpoint.path)) {
                entries.append(
                    AdapterEntry(path: relative(checkpoint.path), baseModel: run.model, step: checkpoint.step, modified: run.updateTime))
            }
        }
        return entries
    }

    private static func entry(_ record: RunRecord, ours: RunDirectory?, _ relative: (String) -> String) -> RunEntry {
        let state: JobState =
            switch record.status {
            case .running: .running
            case .paused: .paused
            case .finished: .finished
            case .stopped: .stopped
            case .failed: .failed
            case .aborted: .aborted
            case .crashed, .unknown: .running
            }
        return RunEntry(
            directory: relative(record.directory.path), kind: record.kind, state: state, isAlive: record.isLive,
            isOurs: record.directory == ours && record.isLive, step: record.step, totalSteps: record.totalSteps,
            bestLoss: record.bestLoss ?? record.lowestLoss, lastLoss: record.lastLoss, modified: record.updateTime,
            configurationPath: FileSystem.exists(record.directory.argumentsPath) ? relative(record.directory.argumentsPath) : nil,
            checkpoint: record.checkpoints.last.map { relative($0.path) }, checkpointSteps: record.checkpoints.map(\.step))
    }
}

/// The datasets of a dataset_info.json, with their formats and, where counting is cheap, their rows.
enum DatasetList {
    /// Files up to this size are counted.
    private static let countedBytes: Int64 = 16 << 20

    static func read(_ directory: String) -> [DatasetEntry] {
        let path = Path.join(directory, "dataset_info.json")
        guard let text = try? FileSystem.readText(path), let object = (try? JSONValue.parse(text, name: path))?.objectValue else { return [] }
        return object.keys.map { name in entry(name, object[name]?.objectValue, directory) }
    }

    private static func entry(_ name: String, _ description: JSONObject?, _ directory: String) -> DatasetEntry {
        let format = description?["formatting"]?.stringValue ?? "alpaca"
        guard let file = description?["file_name"]?.stringValue else {
            let source = description?["hf_hub_url"] != nil || description?["ms_hub_url"] != nil ? "on a hub" : "of a script"
            return DatasetEntry(name: name, format: format, problem: "\(source), not on this disk")
        }
        let path = Path.join(directory, file)
        guard FileSystem.exists(path) else { return DatasetEntry(name: name, format: format, problem: "\(file) is missing") }
        return DatasetEntry(name: name, format: format, rowCount: rows(in: path))
    }

    private static func rows(in path: String) -> Int? {
        guard let size = try? FileSystem.size(path), size <= countedBytes, let bytes = try? FileSystem.readBytes(path) else { return nil }
        if Path.extension(path) == "jsonl" {
            let breaks = bytes.reduce(0) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
            return breaks + (bytes.last == UInt8(ascii: "\n") || bytes.isEmpty ? 0 : 1)
        }
        guard Path.extension(path) == "json" else { return nil }
        return (try? JSONValue.parse(bytes, name: path))?.arrayValue?.count
    }
}
