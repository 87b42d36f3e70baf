/// How long a step takes: measured on the model itself, or told by an earlier run of the same kind beside the one that is planned.

import Configuration
import Evaluation
import Events
import Formats
import Models
import Platform

enum MeasuredSpeed {
    /// Runs that are looked at, the latest first.
    private static let runLimit = 40

    /// What makes two runs equally fast per token.
    private static let decisive = [
        "model_name_or_path", "stage", "finetuning_type", "quantization_bit", "gradient_checkpointing", "disable_gradient_checkpointing", "use_dora",
        "pure_bf16", "threads", "device", "ref_model", "neftune_noise_alpha", "pref_loss", "lora_target",
    ]

    /// Seconds per token of the latest finished run in the folder of `output_dir` that trained the same model in the same way.
    /// - Returns: with the run's name; nil when there is none.
    static func ofEarlierRun(_ configuration: Configuration, _ settings: TrainingSettings) -> (secondsPerToken: Double, run: String)? {
        let own = Path.absolute(settings.outputDirectory), parent = Path.directory(own)
        let names = (try? FileSystem.list(parent)) ?? []
        let runs = names.map { Path.join(parent, $0) }
            .compactMap { path in FileSystem.modificationTime(Path.join(path, "train_results.json")).map { (path: path, time: $0) } }
            .sorted { $0.time > $1.time }
        for (path, _) in runs.prefix(runLimit) {
            guard let other = try? Configuration.load(file: Path.join(path, "training_args.yaml")),
                decisive.allSatisfy({ other.text($0) == configuration.text($0) }),
                let seconds = secondsPerToken(path)
            else { continue }
            return (seconds, Path.name(path))
        }
        return nil
    }

    /// From what the run says of its last session: steps per second, and tokens per step over all of it.
    private static func secondsPerToken(_ path: String) -> Double? {
        guard let results = try? JSONValue.read(file: Path.join(path, "train_results.json")),
            let rate = results["train_steps_per_second"]?.doubleValue, rate > 0,
            let tokens = results["num_input_tokens_seen"]?.doubleValue, tokens > 0,
            let state = try? TrainerState.read(from: path), state.globalStep > 0
        else { return nil }
        return 1 / rate / (tokens / Double(state.globalStep))
    }

    /// Takes two steps on the loaded model, which is thrown away after them.
    /// - Returns: seconds of the second step.
    static func measure(
        _ configuration: Configuration, _ settings: TrainingSettings, _ data: TrainingData, text: TextSetup, resumed: CheckpointFolder?
    ) throws -> Double {
        let backend = try EngineSetup.backend(configuration)
        let model = try TrainableModel.load(configuration, settings: settings, backend: backend, checkpoint: resumed)
        try data.check(for: model.spec)
        let work = try StageMaker.work(
            configuration, settings, model: model, tokenizer: text.tokenizer, stopTokens: text.template.stopTokenIDs(text.tokenizer),
            checkpoint: resumed)
        let optimizer = try settings.optimizer.optimizer(for: model.trainableParameters + work.parameters, of: model)
        let steps = StepPlan(
            batchesPerEpoch: data.training.batchesPerEpoch, accumulation: settings.batchesPerStep, epochs: settings.epochs, maximumSteps: 2)
        let loop = try TrainingLoop(
            model: model, work: work, optimizer: optimizer, schedule: settings.schedule(totalSteps: 2), steps: steps, batches: data.training,
            settings: settings, state: TrainerState(), control: JobControl())
        let clock = StepClock()
        loop.hooks = TrainingLoop.Hooks(save: {}, stepped: { _ in clock.tick() })
        _ = try loop.run()
        return clock.lastSeconds
    }

    private final class StepClock {
        private var last = Clock.monotonicSeconds()
        private(set) var lastSeconds = 0.0

        func tick() {
            let now = Clock.monotonicSeconds()
            lastSeconds = now - last
            last = now
        }
    }
}
