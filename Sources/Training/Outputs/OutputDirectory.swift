/// The folder a run writes to: whether it may, what it continues, and what an earlier run left there.

import Events
import Formats
import Models
import Platform

public struct OutputDirectory: Sendable {
    public let path: String
    /// Where the run takes up again; nil for a fresh start.
    public let resumed: CheckpointFolder?
    /// True when nobody asked to resume and the run does so because the folder holds an unfinished one.
    public let resumesByItself: Bool
    /// Whether an earlier run wrote to the folder: only what runs left is removed.
    private let holdsRun: Bool

    /// Files of a finished model, whose presence stops a run that was not told to overwrite them.
    private static let modelFiles = [
        AdapterFile.weightsName, "adapter_model.bin", "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
        "pytorch_model.bin.index.json",
    ]

    private static let otherFiles = [
        "trainer_log.jsonl", TrainerState.fileName, "all_results.json", "train_results.json", "eval_results.json",
        "predict_results.json", "generated_predictions.jsonl", AdapterFile.configurationName,
    ]

    /// Files that a run writes and that somebody may have of his own, a base model's among them.
    private static let sharedFiles = [
        "README.md", "config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "model.safetensors.index.json",
        "pytorch_model.bin", "pytorch_model.bin.index.json",
    ]

    /// What trainings, LLaMA-Factory's included, leave and nothing else does. A job's own first files are no sign: they are there already;
    /// nor is what evaluations leave, which may write beside a model.
    private static let signsOfARun = [
        "trainer_log.jsonl", TrainerState.fileName, "training_args.yaml", "training_args.bin", "train_results.json",
    ]

    /// Decides and checks, before anything is loaded. An existing folder with checkpoints is resumed, one with a finished model and no
    /// checkpoint is refused, unless `overwrite_output_dir` is set; the rules are LLaMA-Factory's. Beyond them, what no run made is never
    /// replaced: a folder of somebody's own with files of the same names; nor is what this run begins with.
    public init(_ settings: TrainingSettings) throws(TrainingError) {
        path = settings.outputDirectory
        if let wanted = settings.resumePath {
            resumed = try CheckpointFolder.resumed(wanted, outputDirectory: path)
            resumesByItself = false
        } else if !settings.overwritesOutput, let last = CheckpointFolder.all(in: path).last {
            resumed = last
            resumesByItself = true
        } else {
            resumed = nil
            resumesByItself = false
        }
        if resumed == nil, !settings.overwritesOutput, let found = Self.model(in: path) {
            throw .outputDirectoryNotEmpty(path: path, found: found)
        }
        let names = (try? FileSystem.list(path)) ?? []
        holdsRun = Self.signsOfARun.contains(where: names.contains) || !CheckpointFolder.all(in: path).isEmpty
        guard resumed == nil else { return }
        if !holdsRun, let found = names.sorted().first(where: { Self.sharedFiles.contains($0) || Self.isShard($0) }) {
            throw .outputDirectoryForeign(path: path, found: found)
        }
        try Self.spare(settings.sources, in: path, isToBeCleared: holdsRun)
    }

    /// Whether a folder holds the model or the adapter that a run ended with.
    public static func holdsModel(_ path: String) -> Bool { model(in: path) != nil }

    private static func model(in path: String) -> String? { modelFiles.first { FileSystem.exists(Path.join(path, $0)) } }

    /// What the run reads stays, also where an earlier run made it: the folder is cleared while the run still depends on it.
    private static func spare(
        _ sources: [(argument: String, path: String)], in path: String, isToBeCleared: Bool
    ) throws(TrainingError) {
        guard let own = FileSystem.realPath(path) else { return }
        let checkpoints = CheckpointFolder.all(in: own).map { $0.path + "/" }
        for source in sources {
            guard let place = FileSystem.realPath(source.path) else { continue }
            let isCleared = isToBeCleared && Path.directory(place) == own && Self.isCleared(Path.name(place))
            guard place == own || isCleared || checkpoints.contains(where: (place + "/").hasPrefix) else { continue }
            throw .outputDirectoryIsSource(path: path, argument: source.argument, source: source.path)
        }
    }

    private static func isCleared(_ name: String) -> Bool {
        LossPlots.isPlot(name) || isShard(name) || modelFiles.contains(name) || otherFiles.contains(name)
    }

    private static func isShard(_ name: String) -> Bool { name.hasPrefix("model-") && name.hasSuffix(".safetensors") }

    /// The end of a resumed run that has nothing left to train and whose folder has its model and its record already: they are those of
    /// the run, and would only be replaced by those of a session without steps. Nil for any other run, also for one that was cut off
    /// between its last step and its results.
    func finishedRun(ofSteps total: Int) -> JobSummary? {
        guard let resumed, resumed.step >= total, let from = try? TrainerState.read(from: resumed.path), from.unfinishedStep == nil,
            let last = try? TrainerState.read(from: path), last.globalStep >= resumed.step, Self.holdsModel(path),
            let results = (try? JSONValue.read(file: Path.join(path, "train_results.json")))?.objectValue
        else { return nil }
        return JobSummary(
            values: results.pairs.compactMap { pair in pair.value.doubleValue.map { NamedValue(pair.key, $0) } }, outputDirectory: path,
            text: "Nothing is left to train: the run has \(resumed.step) of \(total) steps behind it, and what is in \(path) stays as it is. "
                + "Raise num_train_epochs or max_steps to make it longer.")
    }

    /// Makes the folder and proves that files can be written there.
    func prepare() throws(TrainingError) {
        do { try FileSystem.createWritableDirectory(path) } catch {
            throw .outputDirectoryNotWritable(path: path, reason: error.description.hasSuffix(".") ? String(error.description.dropLast()) : error.description)
        }
    }

    /// Removes what an earlier run left, so that nothing of it can be taken for a part of this one. Only files that runs write, and only
    /// where one has written.
    func clear() throws {
        guard resumed == nil, holdsRun else {
            CheckpointFolder.removePartial(in: path)
            return
        }
        for name in try FileSystem.list(path) {
            if Self.isCleared(name) { try FileSystem.remove(Path.join(path, name)) }
        }
        for folder in CheckpointFolder.all(in: path) { try FileSystem.removeTree(folder.path) }
        CheckpointFolder.removePartial(in: path)
    }
}
