/// Events as JSON objects, one to a line, for scripts.

import Events
import Formats
import Runs

enum EventJSON {
    /// `{"event": "step", ...}`. Names are those of trainer_log.jsonl where that has one.
    static func object(_ event: JobEvent) -> JSONObject {
        switch event {
        case .phase(let name): return named("phase", [("phase", .string(name))])
        case .planned(let plan): return named("planned", pairs(plan))
        case .step(let metrics): return named(metrics.isLogged ? "step" : "tick", pairs(metrics))
        case .evaluation(let metrics):
            let values = metrics.values.sorted { $0.key < $1.key }.filter { $0.key != "eval_loss" }
            return named(
                "evaluation",
                [("current_steps", integer(metrics.step)), ("epoch", .number(metrics.epoch)), ("eval_loss", number(metrics.loss))]
                    + values.map { ($0.key, .number($0.value)) })
        case .log(let record):
            return named(
                "log", [("time", .number(record.time)), ("level", .string(record.level.rawValue)), ("text", .string(record.text))])
        case .checkpoint(let record):
            return named(
                "checkpoint",
                [("current_steps", integer(record.step)), ("path", .string(record.path)), ("bytes", .integer(record.bytes))])
        case .progress(let record):
            return named(
                "progress",
                [
                    ("phase", .string(record.phase)), ("completed", integer(record.completed)), ("total", integer(record.total)),
                    ("detail", .string(record.detail)),
                ])
        case .sample(let sample):
            return named(
                "sample",
                [
                    ("index", integer(sample.index)), ("prompt", .string(sample.prompt)), ("label", .string(sample.label)),
                    ("predict", .string(sample.prediction)), ("scores", scores(sample.scores)),
                ])
        case .state(let state): return named("state", [("state", .string(state.rawValue))])
        case .finished(let summary):
            return named(
                "finished",
                [
                    ("text", .string(summary.text)), ("output_dir", .string(summary.outputDirectory)),
                    ("results", .object(JSONObject(summary.values.map { ($0.name, .number($0.value)) }))),
                ])
        case .failed(let failure):
            return named("failed", [("error", .string(failure.what)), ("what_to_do", .string(failure.whatToDo))])
        }
    }

    static func line(_ event: JobEvent) -> String { JSONValue.object(object(event)).text(style: .python) }

    static func line(_ error: String) -> String {
        JSONValue.object(named("failed", [("error", .string(error))])).text(style: .python)
    }

    private static func named(_ name: String, _ pairs: [(String, JSONValue)]) -> JSONObject {
        JSONObject([("event", .string(name))] + pairs)
    }

    private static func integer(_ value: Int) -> JSONValue { .integer(Int64(value)) }
    private static func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }

    private static func scores(_ values: [String: Double]) -> JSONValue {
        .object(JSONObject(values.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) }))
    }

    private static func pairs(_ metrics: StepMetrics) -> [(String, JSONValue)] {
        var pairs: [(String, JSONValue)] = [
            ("current_steps", integer(metrics.step)), ("total_steps", integer(metrics.totalSteps)), ("epoch", .number(metrics.epoch)),
        ]
        if let loss = metrics.loss { pairs.append(("loss", .number(loss))) }
        if let norm = metrics.gradientNorm { pairs.append(("grad_norm", .number(norm))) }
        if let rate = metrics.learningRate { pairs.append(("lr", .number(rate))) }
        if let speed = metrics.tokensPerSecond { pairs.append(("throughput", .number(speed))) }
        pairs += metrics.extra.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) }
        return pairs + [
            ("total_tokens", integer(metrics.tokensSeen)), ("elapsed_seconds", .number(metrics.elapsedSeconds)),
            ("remaining_seconds", .number(metrics.remainingSeconds)),
        ]
    }

    static func pairs(_ plan: RunPlan) -> [(String, JSONValue)] {
        [
            ("model", .string(plan.modelName)), ("architecture", .string(plan.architecture)),
            ("parameters", integer(plan.parameterCount)), ("trainable_parameters", integer(plan.trainableCount)),
            ("samples", integer(plan.samples)), ("eval_samples", integer(plan.evalSamples)), ("tokens", integer(plan.tokens)),
            ("loss_tokens", integer(plan.lossTokens)), ("truncated_samples", integer(plan.truncatedSamples)),
            ("dropped_samples", integer(plan.droppedSamples)), ("fully_masked_samples", integer(plan.fullyMaskedSamples)),
            ("longest_sample", integer(plan.longestSample)), ("steps_per_epoch", integer(plan.stepsPerEpoch)),
            ("total_steps", integer(plan.totalSteps)), ("effective_batch", integer(plan.effectiveBatch)),
            ("memory", .object(JSONObject(plan.memory.map { ($0.part, .integer($0.bytes)) }))),
            ("peak_bytes", .integer(plan.peakBytes)), ("available_bytes", .integer(plan.availableBytes)),
            ("checkpoint_bytes", .integer(plan.checkpointBytes)), ("free_disk_bytes", .integer(plan.freeDiskBytes)),
            ("step_seconds", plan.stepSeconds.map { .number($0) } ?? .null), ("measured_by", .string(plan.measuredBy)),
            ("warnings", .array(plan.warnings.map { .string($0) })),
        ]
    }
}
