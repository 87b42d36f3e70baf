/// What every job needs before it can work: a backend, a model with its adapters, a folder to write to.

import Configuration
import Generation
import Models
import Platform
import Tensors

public enum EngineSetup {
    /// The device that `device`, `use_cpu` and `threads` ask for.
    /// - Parameters:
    ///   - products: how the processor multiplies
    ///   - notice: is told why a card that seems to be here is not used
    public static func backend(
        _ configuration: Configuration, products: CPUBackend.ProductKernels = .best, isTraining: Bool = false,
        notice: (String) -> Void = { _ in }
    ) throws(EvaluationError) -> any Backend {
        guard ComputeDevice.request(configuration) != nil else {
            throw .unsuitable(argument: "device", value: configuration[.device], reason: "use auto, cpu, or cuda:0 for the first GPU.")
        }
        do {
            let choice = try ComputeDevice.choose(configuration, products: products, isTraining: isTraining)
            if let text = choice.notice { notice(text) }
            return choice.backend
        } catch {
            throw .unsuitable(argument: "device", value: configuration[.device], reason: error.description)
        }
    }

    /// The model with its adapters: all but the last merged into the base, the last left on it.
    public static func model(_ configuration: Configuration, backend: any Backend) throws -> Transformer {
        let directory = try modelDirectory(configuration)
        let growth = try VocabularyChange.growth(configuration, directory: directory)
        let options = LoadOptions(
            quantizer: WeightQuantizer(configuration), growth: growth, restoresLayout: !configuration[.adapterNameOrPath].isEmpty)
        let model = try Transformer.load(directory: directory, backend: backend, options: options)
        try AdapterFile.load(configuration[.adapterNameOrPath], into: model)
        return model
    }

    public static func modelDirectory(_ configuration: Configuration) throws(EvaluationError) -> String {
        guard let directory = configuration[.modelNameOrPath], !directory.isEmpty else {
            throw .missingArgument("model_name_or_path", reason: "name the folder of the model.")
        }
        return directory
    }

    /// Makes the output folder and proves that files can be written there.
    public static func outputDirectory(_ configuration: Configuration) throws(EvaluationError) -> String {
        guard let path = configuration[.outputDir], !path.isEmpty else {
            throw .missingArgument("output_dir", reason: "name a folder for the results.")
        }
        do { try FileSystem.createWritableDirectory(path) } catch { throw .outputNotWritable(path: path, reason: "\(error)") }
        return path
    }
}
