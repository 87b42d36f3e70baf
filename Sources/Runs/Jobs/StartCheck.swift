import Configuration
import Datasets
import Events
import Models
import Platform
import Training

/// What is wrong with a job before it has begun: paths that lead nowhere, a folder that may not be written over. Looked up before the
/// job gets a folder of its own, so that a slip of the pen leaves nothing behind. It reads a few small files.
public struct StartProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// The argument to be put right: "model_name_or_path".
    public var argument: String
    public var description: String

    init(_ argument: String, _ error: any Error) {
        self.argument = argument
        description = String(describing: error)
    }

    /// Nil where the job may be started.
    public static func find(_ kind: JobKind, _ configuration: Configuration) -> StartProblem? {
        inModels(configuration) ?? (kind == .export || kind == .chat ? nil : inData(configuration)) ?? (kind == .train ? inOutput(configuration) : nil)
    }

    private static func inModels(_ configuration: Configuration) -> StartProblem? {
        let model = configuration.text("model_name_or_path")
        if !model.isEmpty {
            do { _ = try ModelFolder(directory: ModelLocation.folder(model)) } catch { return StartProblem("model_name_or_path", error) }
        }
        let adapters = configuration[.adapterNameOrPath].map(ModelLocation.folder)
        let subfolder = configuration.text("adapter_folder")
        guard configuration.text("finetuning_type") == "lora", subfolder.isEmpty else { return nil }
        for adapter in adapters {
            do { _ = try AdapterFile.configuration(adapter) } catch { return StartProblem("adapter_name_or_path", error) }
        }
        return nil
    }

    private static func inData(_ configuration: Configuration) -> StartProblem? {
        for argument in ["dataset", "eval_dataset"] {
            let names = configuration.text(argument).split(separator: ",").map { $0.filter { $0 != " " } }
            guard !names.isEmpty else { continue }
            do {
                let directory = try DatasetDirectory(path: configuration.text("dataset_dir"))
                for name in names { _ = try directory.entry(String(name)) }
            } catch {
                return StartProblem(argument, error)
            }
        }
        return nil
    }

    private static func inOutput(_ configuration: Configuration) -> StartProblem? {
        // Settings that do not go together are told by the job itself, with the names of their arguments.
        guard let settings = try? TrainingSettings(configuration) else { return nil }
        do { _ = try OutputDirectory(settings) } catch { return StartProblem("output_dir", error) }
        return nil
    }
}
