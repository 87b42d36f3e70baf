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

    /// Nil where the job may be started: of several that follow each other the first one is looked at.
    public static func find(_ jobs: [PlannedJob]) -> StartProblem? {
        guard let first = jobs.first else { return nil }
        let configuration = first.configuration
        return inModels(configuration) ?? inData(configuration, first.kind) ?? (first.kind == .train ? inOutput(configuration) : nil)
    }

    private static func inModels(_ configuration: Configuration) -> StartProblem? {
        do {
            _ = try ModelLocation.resolved(configuration)
        } catch RunError.missingStep(let argument, let path, let command) {
            return StartProblem(argument, RunError.missingStep(argument: argument, path: path, command: command))
        } catch {
            return StartProblem("model_name_or_path", error)
        }
        guard configuration.text("finetuning_type") == "lora", configuration.text("adapter_folder").isEmpty else { return nil }
        for adapter in configuration[.adapterNameOrPath].map(ModelLocation.folder) {
            do { _ = try AdapterFile.configuration(adapter) } catch { return StartProblem("adapter_name_or_path", error) }
        }
        return nil
    }

    /// Only what the job reads: a training both sets, an evaluation its own or else the training's, a benchmark none.
    private static func inData(_ configuration: Configuration, _ kind: JobKind) -> StartProblem? {
        var arguments: [ArgumentKey<[String]>] = []
        switch kind {
        case .train: arguments = [.dataset, .evalDataset]
        case .evaluate where !configuration[.task].isEmpty: break
        case .evaluate, .predict: arguments = [configuration[.evalDataset].isEmpty ? .dataset : .evalDataset]
        case .export, .chat: break
        }
        for argument in arguments where !configuration[argument].isEmpty {
            do {
                let directory = try DatasetDirectory(path: configuration.text("dataset_dir"))
                for name in configuration[argument] { _ = try directory.entry(name) }
            } catch {
                return StartProblem(argument.name, error)
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
