/// Everything a training run reads from its configuration, resolved once: defaults filled in, names turned into cases, and
/// combinations that cannot work refused before anything is loaded.

import Configuration
import Datasets
import Formats
import Tensors

public struct TrainingSettings: Sendable {
    public enum Stage: String, Sendable, CaseIterable {
        /// Continued pre-training on plain text.
        case pretraining = "pt"
        /// Supervised fine-tuning.
        case supervised = "sft"
        /// A value head that scores answers.
        case rewardModelling = "rm"
        /// Answers of its own, scored by a reward model.
        case policyOptimisation = "ppo"
        /// Pairs of answers.
        case preference = "dpo"
        /// Judged answers.
        case feedback = "kto"

        /// Whether a value head belongs to the model.
        var hasValueHead: Bool { self == .rewardModelling || self == .policyOptimisation }
    }

    public enum Method: String, Sendable, CaseIterable {
        case lora, oft, freeze, full

        /// Whether the run leaves an adapter, not a model.
        var makesAdapter: Bool { self == .lora || self == .oft }
    }

    /// How the trained weights are kept.
    public enum Precision: Sendable, Equatable {
        /// f32 weights; `bf16` and `fp16` choose the type of the final full model.
        case float32(saved: SavedType)
        /// `pure_bf16`: weights stay bf16, moments f32.
        case pureBFloat16
    }

    public enum SavedType: Sendable, Equatable { case float32, bfloat16, float16 }

    public let stage: Stage
    public let method: Method
    public let precision: Precision
    public let stageSettings: StageSettings
    public let modelDirectory: String
    /// Folders that the run reads, with the arguments that name them.
    let sources: [(argument: String, path: String)]
    public let startsFromScratch: Bool
    public let outputDirectory: String
    public let overwritesOutput: Bool
    /// nil: not asked for. Empty: the last checkpoint of the output directory.
    public let resumePath: String?

    /// `per_device_train_batch_size`, or what `auto_find_batch_size` has made of it.
    public internal(set) var batchSize: Int
    public let findsBatchSize: Bool
    public let evaluationBatchSize: Int
    public let accumulation: Int
    public let epochs: Double
    public let maximumSteps: Int

    public let learningRate: Double
    public let scheduleName: String
    public let scheduleKeywords: JSONObject
    public let warmupSteps: Double
    public let warmupRatio: Double?
    public let optimizer: OptimizerSettings
    public let maximumGradientNorm: Double
    public let labelSmoothing: Double
    /// What each token's loss counts: `use_dft_loss`, `use_eaft_loss`, `use_asft_loss`.
    public let weighting: TokenWeighting
    /// `fp16`: losses are scaled, and steps whose gradients overflow skipped.
    public let scalesLoss: Bool
    public let recomputesBlocks: Bool
    /// `use_unsloth_gc`, and what the plan of the run has added on a card.
    public internal(set) var offload: Offload

    public let seed: UInt64
    public let logsFirstStep: Bool
    public let filtersNotFinite: Bool
    public let evaluatesOnStart: Bool
    public let evaluationDelay: Double
    public let evaluatesAtEnd: Bool
    public let measuresAccuracy: Bool
    public let saveTotalLimit: Int?
    public let savesOptimizer: Bool
    public let loadsBestAtEnd: Bool
    public let bestMetric: String?
    public let greaterIsBetter: Bool
    public let earlyStoppingPatience: Int?
    public let plotsLoss: Bool
    public let reportsToTensorBoard: Bool
    public let tensorBoardDirectory: String?
    public let reportsEffectiveSpeed: Bool
    public let threads: Int

    private let loggingStrategy: String
    private let loggingSteps: Double
    private let evaluationStrategy: String
    private let evaluationSteps: Double?
    private let saveStrategy: String
    private let saveSteps: Double

    public init(_ configuration: Configuration) throws(TrainingError) {
        guard let stage = Stage(rawValue: configuration[.stage]) else {
            throw .unsuitable(
                argument: "stage", value: configuration[.stage], reason: "the stages are \(Stage.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        guard let method = Method(rawValue: configuration[.finetuningType]) else {
            throw .unsuitable(
                argument: "finetuning_type", value: configuration[.finetuningType], reason: "the methods are lora, oft, freeze and full.")
        }
        guard let model = configuration[.modelNameOrPath], !model.isEmpty else {
            throw .missingArgument("model_name_or_path", reason: "name the folder of the model to train.")
        }
        guard let output = configuration[.outputDir], !output.isEmpty else {
            throw .missingArgument("output_dir", reason: "name a folder for what the run leaves behind.")
        }
        guard !configuration[.dataset].isEmpty else {
            throw .missingArgument("dataset", reason: "name a dataset of dataset_info.json, or a json or jsonl file.")
        }
        self.stage = stage
        self.method = method
        modelDirectory = model
        sources = Self.sources(configuration, model: model)
        outputDirectory = output
        startsFromScratch = configuration[.trainFromScratch]
        if startsFromScratch, method != .full {
            throw .unsuitable(
                argument: "train_from_scratch", value: "true",
                reason: "fresh weights need finetuning_type: full, all of them must be trained.")
        }
        stageSettings = try StageSettings(configuration, stage: stage)
        precision = Self.precision(configuration, method)
        overwritesOutput = configuration[.overwriteOutputDir]
        resumePath = Self.resumePath(configuration)

        batchSize = try Self.atLeastOne(configuration[.perDeviceTrainBatchSize], "per_device_train_batch_size")
        findsBatchSize = configuration[.autoFindBatchSize]
        evaluationBatchSize = try Self.atLeastOne(configuration[.perDeviceEvalBatchSize], "per_device_eval_batch_size")
        accumulation = try Self.atLeastOne(configuration[.gradientAccumulationSteps], "gradient_accumulation_steps")
        epochs = configuration[.numTrainEpochs]
        maximumSteps = configuration[.maxSteps]
        if maximumSteps <= 0, !(epochs > 0) {
            throw .unsuitable(argument: "num_train_epochs", value: "\(epochs)", reason: "it must be above 0, or max_steps must be.")
        }

        learningRate = configuration[.learningRate]
        scheduleName = configuration[.lrSchedulerType]
        scheduleKeywords = configuration[.lrSchedulerKwargs]
        warmupSteps = configuration[.warmupSteps]
        warmupRatio = configuration[.warmupRatio]
        optimizer = try OptimizerSettings(configuration)
        maximumGradientNorm = configuration[.maxGradNorm]
        labelSmoothing = configuration[.labelSmoothingFactor]
        weighting = try Self.weighting(configuration, stage)
        scalesLoss = configuration[.fp16]
        recomputesBlocks = configuration[.gradientCheckpointing] && !configuration[.disableGradientCheckpointing]
        offload = Offload(checkpoints: configuration[.useUnslothGc])

        seed = UInt64(bitPattern: Int64(configuration[.seed]))
        loggingStrategy = configuration[.loggingStrategy]
        loggingSteps = configuration[.loggingSteps]
        logsFirstStep = configuration[.loggingFirstStep]
        filtersNotFinite = configuration[.loggingNanInfFilter]
        evaluationStrategy = configuration[.evalStrategy]
        evaluationSteps = configuration[.evalSteps]
        evaluatesOnStart = configuration[.evalOnStart]
        evaluationDelay = configuration[.evalDelay]
        evaluatesAtEnd = configuration[.doEval]
        measuresAccuracy = configuration[.computeAccuracy]
        saveStrategy = configuration[.saveStrategy]
        saveSteps = configuration[.saveSteps]
        saveTotalLimit = configuration[.saveTotalLimit]
        savesOptimizer = !configuration[.saveOnlyModel]
        loadsBestAtEnd = configuration[.loadBestModelAtEnd]
        earlyStoppingPatience = configuration[.earlyStoppingSteps]
        let metric = configuration[.metricForBestModel].flatMap { $0.isEmpty ? nil : $0 }
        let needsMetric =
            loadsBestAtEnd || earlyStoppingPatience != nil || saveStrategy == "best" || MetricSchedule.Kind(rawValue: scheduleName) != nil
        bestMetric = metric ?? (needsMetric ? "loss" : nil)
        greaterIsBetter = configuration[.greaterIsBetter] ?? !(bestMetric ?? "loss").hasSuffix("loss")
        plotsLoss = configuration[.plotLoss]
        reportsToTensorBoard = configuration[.reportTo].contains { $0 == "tensorboard" || $0 == "all" }
        tensorBoardDirectory = configuration[.loggingDir]
        reportsEffectiveSpeed = configuration[.includeEffectiveTokensPerSecond]
        threads = configuration[.threads]
        try checkEvaluation(hasData: !configuration[.evalDataset].isEmpty || configuration[.valSize] > 1e-6)
    }

    private static func sources(_ configuration: Configuration, model: String) -> [(argument: String, path: String)] {
        let lists = [
            ("adapter_name_or_path", configuration[.adapterNameOrPath]), ("ref_model", [configuration[.refModel]].compactMap { $0 }),
            ("ref_model_adapters", configuration[.refModelAdapters]), ("reward_model", [configuration[.rewardModel]].compactMap { $0 }),
            ("reward_model_adapters", configuration[.rewardModelAdapters]),
        ]
        var found: [(argument: String, path: String)] = [("model_name_or_path", model)]
        for (argument, paths) in lists { found += paths.map { (argument, $0) } }
        return found + DatasetDirectory.files(of: configuration)
    }

    /// The base weights' type asked for, and what the finished full model is stored in.
    private static func precision(_ configuration: Configuration, _ method: Method) -> Precision {
        if configuration[.pureBf16], !method.makesAdapter { return .pureBFloat16 }
        if configuration[.bf16] || configuration[.pureBf16] { return .float32(saved: .bfloat16) }
        return .float32(saved: configuration[.fp16] ? .float16 : .float32)
    }

    private static func weighting(_ configuration: Configuration, _ stage: Stage) throws(TrainingError) -> TokenWeighting {
        let weighting: TokenWeighting = configuration[.useDftLoss] || configuration[.useAsftLoss] ? .probability
            : configuration[.useEaftLoss] ? .entropy(alpha: Float(configuration[.eaftAlpha])) : .equal
        guard weighting != .equal else { return .equal }
        let argument = configuration[.useDftLoss] ? "use_dft_loss" : configuration[.useAsftLoss] ? "use_asft_loss" : "use_eaft_loss"
        if stage != .supervised {
            throw .unsuitable(argument: argument, value: "true", reason: "it weighs the tokens of stage sft, not of \(stage.rawValue).")
        }
        if configuration[.labelSmoothingFactor] > 0 {
            throw .unsuitable(argument: argument, value: "true", reason: "smoothed labels have no weights; set label_smoothing_factor: 0.")
        }
        return weighting
    }

    private static func resumePath(_ configuration: Configuration) -> String? {
        guard let text = configuration[.resumeFromCheckpoint], !text.isEmpty else { return nil }
        switch text.lowercased() {
        case "true", "yes", "last", "latest": return ""
        case "false", "no", "none", "null": return nil
        default: return text
        }
    }

    private static func atLeastOne(_ value: Int, _ argument: String) throws(TrainingError) -> Int {
        guard value >= 1 else { throw .unsuitable(argument: argument, value: "\(value)", reason: "it must be at least 1.") }
        return value
    }

    private func checkEvaluation(hasData: Bool) throws(TrainingError) {
        let evaluates = !["no", "none", "false"].contains(evaluationStrategy.lowercased())
        if evaluates || evaluatesAtEnd || evaluatesOnStart, !hasData {
            throw .unsuitable(
                argument: evaluates ? "eval_strategy" : evaluatesAtEnd ? "do_eval" : "eval_on_start",
                value: evaluates ? evaluationStrategy : "true",
                reason: "there is nothing to evaluate on. Set eval_dataset, or val_size above 0, or eval_strategy: no.")
        }
        if earlyStoppingPatience != nil, !evaluates {
            throw .unsuitable(
                argument: "early_stopping_steps", value: "\(earlyStoppingPatience ?? 0)",
                reason: "it needs eval_strategy: steps or epoch.")
        }
        if MetricSchedule.Kind(rawValue: scheduleName) != nil, !evaluates {
            throw .unsuitable(
                argument: "lr_scheduler_type", value: scheduleName,
                reason: "its rate follows evaluations and needs eval_strategy: steps or epoch.")
        }
        if saveStrategy == "best", !evaluates {
            throw .unsuitable(argument: "save_strategy", value: "best", reason: "it needs eval_strategy: steps or epoch.")
        }
        guard loadsBestAtEnd, saveStrategy != "best" else { return }
        guard evaluates, evaluationStrategy == saveStrategy else {
            throw .unsuitable(
                argument: "load_best_model_at_end", value: "true",
                reason: "every evaluated model must be saved: eval_strategy is \(evaluationStrategy), "
                    + "save_strategy is \(saveStrategy); make them equal.")
        }
        let evaluationInterval = evaluationSteps ?? loggingSteps
        if evaluationStrategy == "steps", saveSteps.truncatingRemainder(dividingBy: evaluationInterval) != 0, saveSteps >= 1 {
            throw .unsuitable(
                argument: "load_best_model_at_end", value: "true",
                reason: "save_steps (\(saveSteps)) must be a multiple of eval_steps (\(evaluationInterval)).")
        }
    }

    // MARK: What depends on the number of steps

    public func schedule(totalSteps: Int) throws(TrainingError) -> LearningRateSchedule {
        try LearningRateSchedule(
            name: scheduleName, keywords: scheduleKeywords, baseRate: learningRate,
            warmupSteps: StepPlan.warmupSteps(steps: warmupSteps, ratio: warmupRatio, totalSteps: totalSteps), totalSteps: totalSteps)
    }

    /// `logging_steps`, `eval_steps` and `save_steps` in steps.
    func intervals(totalSteps: Int) -> (logging: Int, evaluation: Int, saving: Int) {
        (
            StepPlan.interval(loggingSteps, totalSteps: totalSteps),
            StepPlan.interval(evaluationSteps ?? loggingSteps, totalSteps: totalSteps), StepPlan.interval(saveSteps, totalSteps: totalSteps)
        )
    }

    func logging(totalSteps: Int) throws(TrainingError) -> Recurrence {
        try Recurrence(name: loggingStrategy, interval: intervals(totalSteps: totalSteps).logging, argument: "logging_strategy")
    }

    /// `eval_steps` falls back to `logging_steps`.
    func evaluation(totalSteps: Int) throws(TrainingError) -> Recurrence {
        try Recurrence(name: evaluationStrategy, interval: intervals(totalSteps: totalSteps).evaluation, argument: "eval_strategy")
    }

    func saving(totalSteps: Int) throws(TrainingError) -> Recurrence {
        try Recurrence(name: saveStrategy, interval: intervals(totalSteps: totalSteps).saving, argument: "save_strategy")
    }
}
