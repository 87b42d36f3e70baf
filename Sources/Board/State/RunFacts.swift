import Configuration

/// What a run's folder tells beside its log: the arguments that it was started with, when that was, and where its weights lie.
public struct RunFacts: Sendable, Equatable {
    /// Nil where the folder holds none, or none that can be read.
    public var arguments: Configuration?
    /// The base model, the stage and the kind of fine-tuning; empty where nobody knows.
    public var model: String
    public var stage: String
    public var method: String
    /// Seconds since 1970; 0 where unknown.
    public var startTime: Double
    /// The folder with what was learnt: the run's own, or that of its newest checkpoint. Nil while there is none.
    public var weights: String?

    public init(
        arguments: Configuration? = nil, model: String = "", stage: String = "", method: String = "", startTime: Double = 0, weights: String? = nil
    ) {
        self.arguments = arguments
        self.model = model.isEmpty ? arguments?.text("model_name_or_path") ?? "" : model
        self.stage = stage.isEmpty ? arguments?.text("stage") ?? "" : stage
        self.method = method.isEmpty ? arguments?.text("finetuning_type") ?? "" : method
        self.startTime = startTime
        self.weights = weights
    }

    /// Samples of an optimizer step, on one device.
    var effectiveBatch: Int? {
        guard let arguments else { return nil }
        let (size, isTooLarge) = arguments[.perDeviceTrainBatchSize].multipliedReportingOverflow(by: arguments[.gradientAccumulationSteps])
        return isTooLarge ? nil : size
    }
}
