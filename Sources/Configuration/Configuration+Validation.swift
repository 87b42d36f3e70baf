/// What is wrong with a configuration as a whole, and what is worth knowing about it. The rules between arguments are those of
/// LLaMA-Factory and the Trainer, so that what they refuse is refused here with the same meaning.

extension Configuration {
    /// Every problem at once, errors first. A job starts when none of them is an error.
    public func validate(for command: Command) -> [Problem] {
        var problems = readingNotices.map {
            Problem(argument: $0.argument, severity: .notice, message: $0.text, place: $0.place)
        }
        for argument in ArgumentTable.all { problems += check(argument, for: command) }
        var rules = ValidationRules(configuration: self)
        switch command {
        case .train: rules.checkTraining()
        case .evaluate: rules.checkEvaluation()
        case .chat, .api: rules.checkModel()
        case .export: rules.checkExport()
        case .data, .tokenizer, .runs, .env, .version, .help: break
        }
        problems += rules.problems
        // Stable: errors, warnings, notices, each in the order they were found.
        return problems.filter { $0.severity == .error } + problems.filter { $0.severity == .warning }
            + problems.filter { $0.severity == .notice }
    }

    /// Values that were accepted with a notice, for a command that does not validate.
    public var notices: [Notice] {
        readingNotices
            + ArgumentTable.all.flatMap { argument in
                check(argument, for: .train).filter { $0.severity == .notice }
                    .map { Notice(argument: argument.name, text: $0.message, place: $0.place) }
            }
    }

    /// How far the argument's present value is supported.
    public func support(of argument: Argument) -> ArgumentSupport {
        if let support = argument.valueSupport[text(argument.name)] { return support }
        return isChanged(argument.name) ? argument.support : .full
    }

    /// One argument by itself: its bounds, whether it has an effect, and how far it is supported.
    private func check(_ argument: Argument, for command: Command) -> [Problem] {
        guard isChanged(argument.name) || argument.valueSupport[text(argument.name)] != nil else { return [] }
        func problem(_ severity: Problem.Severity, _ message: String) -> Problem {
            Problem(argument: argument.name, severity: severity, message: message, place: place(argument.name))
        }
        var problems: [Problem] = []
        // A typed write may have gone around the reader.
        if case .null = value(argument.name) {} else {
            do throws(ArgumentError) { _ = try argument.read(text(argument.name)) } catch { problems.append(problem(.error, error.message)) }
        }
        guard argument.commands.contains(command) else { return problems }
        if let reason = argument.applies(self) {
            return problems + [problem(.notice, "\(argument.name) has no effect. \(reason)")]
        }
        switch support(of: argument) {
        case .full: break
        case .notice(let reason): problems.append(problem(.notice, "\(argument.name) has no effect here. \(reason)"))
        case .elsewhere(let reason):
            let setting = argument.kind == .flag ? argument.name : "\(argument.name): \(text(argument.name))"
            problems.append(problem(.error, "\(setting) cannot be used. \(reason)"))
        }
        return problems
    }
}

/// The rules between several arguments.
private struct ValidationRules {
    let configuration: Configuration
    var problems: [Problem] = []

    init(configuration: Configuration) { self.configuration = configuration }

    // MARK: Commands

    mutating func checkTraining() {
        let trains = configuration[.doTrain]
        checkModel()
        if !trains, !configuration[.doEval], !configuration[.doPredict] {
            error("do_train", "There is nothing to do: set do_train, do_eval or do_predict to true.")
        }
        if configuration[.outputDir] == nil { error("output_dir", "output_dir is missing: name the folder for the result.") }
        if trains, configuration[.dataset].isEmpty { error("dataset", "dataset is missing: name what to train on.") }
        checkData()
        checkStage()
        for (argument, message) in configuration.methodConflicts { error(argument, message) }
        for (argument, message) in configuration.methodWarnings { warn(argument, message) }
        checkPrecision()
        checkReporting()
        for (argument, message) in configuration.optimizerErrors() { error(argument, message) }
        if trains {
            checkLength()
            checkIntervals()
            checkSchedule()
        }
    }

    mutating func checkEvaluation() {
        checkModel()
        if configuration[.evalDataset].isEmpty, configuration[.dataset].isEmpty, configuration[.task].isEmpty {
            error("eval_dataset", "eval_dataset is missing: name what to evaluate on.")
        }
        let task = configuration[.task].split(separator: "_", omittingEmptySubsequences: false)
        if !configuration[.task].isEmpty, task.count != 2 || !["test", "validation", "train"].contains(task.last) {
            error("task", "task is \(configuration[.task]); write a folder of task_dir and test, validation or train, such as mmlu_test.")
        }
    }

    mutating func checkExport() {
        checkModel()
        if configuration[.exportDir] == nil { error("export_dir", "export_dir is missing: name the folder for the merged model.") }
        if let target = configuration[.exportDir], target == configuration[.modelNameOrPath] || configuration[.adapterNameOrPath].contains(target) {
            error("export_dir", "export_dir is the folder of the model itself; name another.")
        }
        if configuration[.exportGGUFAdapter] {
            if configuration[.adapterNameOrPath].count != 1 { error("export_gguf_adapter", "export_gguf_adapter writes one adapter; name it in adapter_name_or_path.") }
            if let type = configuration[.exportGGUF], !["f32", "f16", "bf16"].contains(type) {
                error("export_gguf", "An adapter is written as f32, f16 or bf16, not as \(type).")
            }
        }
        if !configuration[.adapterNameOrPath].isEmpty, configuration[.quantizationBit] != nil {
            error("quantization_bit", "An adapter cannot be merged into a quantised base; leave quantization_bit out.")
        }
    }

    mutating func checkModel() {
        if configuration[.modelNameOrPath] == nil { error("model_name_or_path", "model_name_or_path is missing: name the folder of the model.") }
        let type = configuration[.finetuningType]
        if !configuration[.adapterNameOrPath].isEmpty, type != "lora", type != "oft" {
            error("adapter_name_or_path", "An adapter needs finetuning_type lora, not \(type).")
        }
        if configuration[.quantizationBit] != nil, type != "lora", type != "oft" {
            error("quantization_bit", "A quantised base can only be trained with adapters; set finetuning_type to lora.")
        }
        if let bits = configuration[.quantizationBit], configuration[.quantizationMethod] == "bnb", bits != 4, bits != 8 {
            error("quantization_bit", "quantization_bit is \(bits); bnb knows 4 and 8.")
        }
    }

    // MARK: Data and stage

    private mutating func checkData() {
        let size = configuration[.valSize]
        let hasEvaluationData = !configuration[.evalDataset].isEmpty || size > 1e-6
        if !configuration[.evalDataset].isEmpty, size > 1e-6 {
            error("val_size", "val_size and eval_dataset exclude each other; leave one of them out.")
        }
        if size >= 1, size != size.rounded() {
            error("val_size", "val_size is \(configuration.text("val_size")); from 1 on it counts rows and must be whole.")
        }
        if size > 1e-6, configuration[.dataset].isEmpty { error("val_size", "val_size holds back part of dataset, but dataset is missing.") }
        let evaluates = configuration[.doEval] || configuration[.doPredict] || configuration[.evalStrategy] != "no"
        if evaluates, !hasEvaluationData {
            error("eval_dataset", "There is nothing to evaluate on: set eval_dataset, or val_size above 0.")
        }
        if configuration[.predictWithGenerate] {
            if configuration[.evalDataset].isEmpty { error("eval_dataset", "predict_with_generate needs eval_dataset.") }
            if configuration[.computeAccuracy] {
                error("compute_accuracy", "compute_accuracy and predict_with_generate exclude each other; leave one of them out.")
            }
        }
        if configuration[.trainOnPrompt], configuration[.maskHistory] {
            error("mask_history", "mask_history and train_on_prompt exclude each other; leave one of them out.")
        }
        checkStreaming(size)
        let probabilities = configuration[.interleaveProbs]
        if !probabilities.isEmpty, configuration[.mixStrategy] != "concat", probabilities.count != configuration[.dataset].count {
            error(
                "interleave_probs",
                "interleave_probs has \(probabilities.count) numbers for \(configuration[.dataset].count) datasets; give one for each.")
        }
    }

    private mutating func checkStreaming(_ size: Double) {
        guard configuration[.streaming] else { return }
        if configuration[.maxSteps] < 0, configuration[.doTrain] { error("max_steps", "streaming needs max_steps, because nobody knows the end.") }
        if size > 1e-6, size < 1 { error("val_size", "With streaming val_size counts rows and must be at least 1.") }
        if configuration[.tokenizedPath] != nil { error("tokenized_path", "Streamed data are not kept: tokenized_path and streaming exclude each other.") }
        if configuration[.maxSamples] != nil { error("max_samples", "max_samples and streaming exclude each other; leave one of them out.") }
    }

    private mutating func checkStage() {
        let stage = configuration[.stage]
        if stage != "sft" {
            for name in ["predict_with_generate", "neat_packing", "train_on_prompt", "mask_history"] where configuration.text(name) == "true" {
                error(name, "\(name) belongs to stage sft, not \(stage).")
            }
        }
        let weightings = ["use_dft_loss", "use_eaft_loss", "use_asft_loss"].filter { configuration.text($0) == "true" }
        for name in weightings {
            if stage != "sft" { error(name, "\(name) belongs to stage sft, not \(stage).") }
            if configuration[.labelSmoothingFactor] > 0 { error(name, "\(name) and label_smoothing_factor exclude each other; leave one of them out.") }
        }
        if weightings.count > 1 {
            error(weightings[1], "\(weightings[0]) and \(weightings[1]) exclude each other; leave one of them out.")
        }
        if stage == "sft", configuration[.doPredict], !configuration[.predictWithGenerate] {
            error("predict_with_generate", "do_predict needs predict_with_generate to generate answers.")
        }
        for conflict in configuration.stageConflicts { error(conflict.argument, configuration.sentence(conflict)) }
    }

    private mutating func checkPrecision() {
        if configuration[.bf16] {
            add(
                "bf16", .notice,
                "Products with bf16 or quantised weights are computed in bf16 on a GPU and on processors with AVX-512 BF16; a processor computes "
                    + "all else in fp32. A fully trained model is written in bf16.")
        }
        if configuration[.fp16] {
            add(
                "fp16", .notice,
                "A GPU keeps activations in fp16; a processor computes in fp32. Losses are scaled as GradScaler does it, and a fully trained model "
                    + "is written in fp16.")
        }
        if configuration[.bf16], configuration[.fp16] { error("fp16", "bf16 and fp16 exclude each other; leave one of them out.") }
        if configuration[.pureBf16], configuration[.fp16] { error("fp16", "pure_bf16 and fp16 exclude each other; leave one of them out.") }
        if let notice = configuration.offloadNotice(isOnProcessor: configuration[.device] == "cpu" || configuration[.useCpu]) {
            add("use_unsloth_gc", .notice, notice)
        }
        if configuration[.device] != "cpu", configuration[.device] != "auto", !configuration[.device].hasPrefix("cuda") {
            error("device", "device is \(configuration[.device]); it must be auto, cpu or cuda:0.")
        }
    }

    private mutating func checkReporting() {
        for name in configuration[.reportTo] where !["none", "all", "tensorboard"].contains(name) {
            add("report_to", .notice, "\(name) is not called; metrics are in trainer_log.jsonl, and in TensorBoard files with report_to: tensorboard.")
        }
    }

    // MARK: The loop

    private mutating func checkLength() {
        if configuration[.maxSteps] == 0 { error("max_steps", "max_steps is 0; write -1 for no limit.") }
        if configuration[.maxSteps] < 0, configuration[.numTrainEpochs] == 0 {
            error("num_train_epochs", "num_train_epochs and max_steps say that nothing is trained; set one of them above 0.")
        }
        if configuration[.learningRate] == 0 { warn("learning_rate", "learning_rate is 0: the weights will not change.") }
    }

    private mutating func checkIntervals() {
        checkWhole("logging_steps", configuration[.loggingSteps], isUsed: configuration[.loggingStrategy] == "steps")
        checkWhole("save_steps", configuration[.saveSteps], isUsed: configuration[.saveStrategy] == "steps")
        let evaluates = configuration[.evalStrategy]
        let evaluationSteps = configuration[.evalSteps] ?? configuration[.loggingSteps]
        checkWhole("eval_steps", evaluationSteps, isUsed: evaluates == "steps")
        if configuration[.loggingStrategy] == "steps", configuration[.loggingSteps] == 0 {
            error("logging_steps", "logging_steps is 0; set it above 0, or logging_strategy to no.")
        }
        if configuration[.earlyStoppingSteps] != nil {
            if evaluates == "no" { error("early_stopping_steps", "early_stopping_steps needs evaluations: set eval_strategy to steps or epoch.") }
            if !configuration[.loadBestModelAtEnd] {
                warn("early_stopping_steps", "Without load_best_model_at_end the run ends with its last weights, not its best.")
            }
        }
        if configuration[.saveStrategy] == "best", evaluates == "no" {
            error("save_strategy", "save_strategy best needs evaluations: set eval_strategy to steps or epoch.")
        }
        if configuration[.loadBestModelAtEnd] { checkBestModel(evaluates, evaluationSteps) }
        if configuration[.saveOnlyModel], configuration[.resumeFromCheckpoint] != nil {
            warn("save_only_model", "With save_only_model this run's checkpoints cannot be resumed.")
        }
    }

    private mutating func checkBestModel(_ evaluates: String, _ evaluationSteps: Double) {
        let saves = configuration[.saveStrategy]
        guard saves != "best" else { return }
        guard evaluates != "no", evaluates == saves else {
            return error(
                "load_best_model_at_end",
                "load_best_model_at_end needs the same eval_strategy and save_strategy; they are \(evaluates) and \(saves).")
        }
        guard saves == "steps" else { return }
        let saveSteps = configuration[.saveSteps]
        let areAlike = (saveSteps < 1) == (evaluationSteps < 1)
        // Fractions are compared as millionths, since 0.3 is no exact multiple of 0.1.
        let scale: Double = saveSteps < 1 ? 1_000_000 : 1
        let remainder = (saveSteps * scale).rounded().truncatingRemainder(dividingBy: max((evaluationSteps * scale).rounded(), 1))
        if !areAlike || remainder != 0 {
            error(
                "save_steps",
                "load_best_model_at_end needs save_steps to be a multiple of eval_steps; they are \(configuration.text("save_steps")) and "
                    + "\(ArgumentValue.short(evaluationSteps)).")
        }
    }

    private mutating func checkWhole(_ name: String, _ value: Double, isUsed: Bool) {
        if isUsed, value > 1, value != value.rounded() {
            error(name, "\(name) is \(configuration.text(name)); above 1 it counts steps and must be whole.")
        }
    }

    private mutating func checkSchedule() {
        if configuration[.warmupSteps] > 1, configuration[.warmupSteps] != configuration[.warmupSteps].rounded() {
            error("warmup_steps", "warmup_steps is \(configuration.text("warmup_steps")); above 1 it counts steps and must be whole.")
        }
        if configuration[.warmupSteps] > 0, configuration.isChanged("warmup_ratio") {
            warn("warmup_ratio", "warmup_steps is set too and goes first.")
        }
        if ["reduce_lr_on_plateau", "greedy"].contains(configuration[.lrSchedulerType]) { checkFollowingSchedule() }
        if configuration[.lrSchedulerType] == "constant", configuration[.warmupSteps] > 0 || (configuration[.warmupRatio] ?? 0) > 0 {
            warn("lr_scheduler_type", "constant has no warm-up; constant_with_warmup has.")
        }
    }

    /// Rates that follow evaluations.
    private mutating func checkFollowingSchedule() {
        let name = configuration[.lrSchedulerType]
        if configuration[.evalStrategy] == "no" {
            error("lr_scheduler_type", "lr_scheduler_type \(name) follows evaluations: set eval_strategy to steps or epoch.")
        }
        if configuration[.warmupSteps] > 0 || (configuration[.warmupRatio] ?? 0) > 0 {
            warn("lr_scheduler_type", "\(name) has no warm-up; it begins at learning_rate.")
        }
        let lowest = configuration[.lrSchedulerKwargs]["min_lr"]?.doubleValue ?? 1e-3
        if name == "greedy", configuration[.learningRate] <= lowest {
            warn(
                "lr_scheduler_kwargs",
                "greedy never lowers learning_rate (\(configuration.text("learning_rate"))): its min_lr is \(ArgumentValue.short(lowest)).")
        }
    }

    private mutating func error(_ argument: String, _ message: String) { add(argument, .error, message) }
    private mutating func warn(_ argument: String, _ message: String) { add(argument, .warning, message) }

    private mutating func add(_ argument: String, _ severity: Problem.Severity, _ message: String) {
        problems.append(Problem(argument: argument, severity: severity, message: message, place: configuration.place(argument)))
    }
}
