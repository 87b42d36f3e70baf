/// Model folders on this machine, for the pickers.

import Exporting
import Formats
import Models
import Platform

/// A folder with a config.json in the Hugging Face layout, or a GGUF file.
public struct FoundModel: Sendable, Equatable {
    public var path: String
    /// What a recipe would say: the path relative to the working directory, or `org/name` for the Hugging Face cache.
    public var name: String
    /// `llama`, `qwen2`, ...; empty when the config does not say.
    public var architecture: String
    /// 0 when unknown.
    public var parameterCount: Int
    /// Bytes of all weight files.
    public var bytes: Int64
    /// Why the folder cannot be used as it is; nil when nothing speaks against it.
    public var problem: String?
    /// Whether it lies in a folder that an export made, and that another may replace.
    public var isExport = false
}

public enum ModelCatalog {
    /// Where models are looked for when nothing else is said: the runs, ./models, ~/models and the Hugging Face cache.
    public static var standardRoots: [String] { ["saves", "models", Path.join(FileSystem.homeDirectory, "models")] }

    /// `HF_HUB_CACHE`, else `HF_HOME/hub`, else ~/.cache/huggingface/hub.
    static var hubCache: String {
        if let cache = Environment.value("HF_HUB_CACHE"), !cache.isEmpty { return cache }
        if let home = Environment.value("HF_HOME"), !home.isEmpty { return Path.join(home, "hub") }
        return Path.join(FileSystem.homeDirectory, ".cache", "huggingface", "hub")
    }

    /// Every model folder under the roots, then those of the Hugging Face cache.
    public static func scan(roots: [String] = standardRoots, withHubCache: Bool = true) -> [FoundModel] {
        var seen: Set<String> = []
        var models: [FoundModel] = []
        for root in roots {
            FolderWalk.visit(Path.absolute(Path.expandingTilde(root)), depth: 4) { path, names in
                for name in GGUFFile.candidates(in: path) where !name.contains("-adapter-") && seen.insert(Path.join(path, name)).inserted {
                    models.append(readFile(Path.join(path, name)))
                }
                guard names.contains("config.json"), !names.contains("adapter_config.json"), seen.insert(path).inserted else { return true }
                if let model = read(path, names: names) { models.append(model) }
                return true
            }
        }
        return withHubCache ? models + scanHub() : models
    }

    /// The newest snapshot of `org/name` in the cache: `models--org--name/snapshots/REVISION`.
    static func hubSnapshot(_ name: String) -> String? {
        let snapshots = Path.join(hubCache, "models--" + name.replacing("/", with: "--"), "snapshots")
        let revisions = ((try? FileSystem.list(snapshots)) ?? []).map { Path.join(snapshots, $0) }
        return revisions.max { (FileSystem.modificationTime($0) ?? 0) < (FileSystem.modificationTime($1) ?? 0) }
    }

    private static func scanHub() -> [FoundModel] {
        let prefix = "models--"
        let names = ((try? FileSystem.list(hubCache)) ?? []).filter { $0.hasPrefix(prefix) }
        return names.compactMap { folder -> FoundModel? in
            let name = String(folder.dropFirst(prefix.count)).replacing("--", with: "/")
            guard let snapshot = hubSnapshot(name), let files = try? FileSystem.list(snapshot), files.contains("config.json"),
                var model = read(snapshot, names: files)
            else { return nil }
            model.name = name
            return model
        }
    }

    private static func readFile(_ path: String) -> FoundModel {
        let size = (try? FileSystem.size(path)) ?? 0
        var model = FoundModel(
            path: path, name: Path.relative(path, to: FileSystem.currentDirectory), architecture: "", parameterCount: 0, bytes: size, problem: nil,
            isExport: ExportTarget.isExport(Path.directory(path)))
        do {
            let summary = try ModelSummary(directory: path)
            model.architecture = summary.spec.modelType
            model.parameterCount = summary.parameterCount
        } catch {
            model.problem = String(describing: error)
        }
        return model
    }

    private static func read(_ path: String, names: [String]) -> FoundModel? {
        let name = Path.relative(path, to: FileSystem.currentDirectory)
        var model = FoundModel(path: path, name: name, architecture: "", parameterCount: 0, bytes: 0, problem: nil, isExport: ExportTarget.isExport(path))
        do {
            let text = try FileSystem.readText(Path.join(path, "config.json"))
            let config = try JSONValue.parse(text, name: Path.join(name, "config.json")).objectValue
            guard let type = config?["model_type"]?.stringValue else { return nil }
            model.architecture = type
            model.parameterCount = try ModelSummary(directory: path).parameterCount
        } catch {
            model.problem = String(describing: error)
        }
        let weights = names.filter(CheckpointCatalog.isWeights)
        model.bytes = weights.reduce(0) { $0 + ((try? FileSystem.size(Path.join(path, $1))) ?? 0) }
        if model.problem == nil, weights.isEmpty { model.problem = "there are no weight files beside config.json" }
        if model.problem == nil, !names.contains("tokenizer.json"), !names.contains("tokenizer.model") {
            model.problem = "there is no tokenizer.json beside config.json"
        }
        return model
    }
}
