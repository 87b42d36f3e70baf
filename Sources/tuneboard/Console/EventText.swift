/// Events as lines for people.

import Events
import Platform

enum EventText {
    /// `step 10/1240  epoch 0.02  loss 2.1034  lr 4.98e-05  grad_norm 0.812  3,412 tok/s`
    static func line(_ metrics: StepMetrics) -> String {
        var parts = ["step \(metrics.step)/\(metrics.totalSteps)", "epoch " + NumberText.fixed(metrics.epoch, digits: 2)]
        if let loss = metrics.loss { parts.append("loss " + NumberText.plain(loss, digits: 4)) }
        if let rate = metrics.learningRate { parts.append("lr " + NumberText.significant(rate, digits: 3)) }
        if let norm = metrics.gradientNorm { parts.append("grad_norm " + NumberText.significant(norm, digits: 3)) }
        parts += metrics.extra.sorted { $0.key < $1.key }.map { "\($0.key) " + NumberText.significant($0.value, digits: 4) }
        if let speed = metrics.tokensPerSecond { parts.append(rate(speed)) }
        return parts.joined(separator: "  ")
    }

    static func line(_ metrics: EvaluationMetrics) -> String {
        var parts = ["eval at step \(metrics.step)", "epoch " + NumberText.fixed(metrics.epoch, digits: 2)]
        if let loss = metrics.loss { parts.append("eval_loss " + NumberText.plain(loss, digits: 4)) }
        parts += metrics.values.sorted { $0.key < $1.key }.filter { $0.key != "eval_loss" }
            .map { "\($0.key) " + NumberText.significant($0.value, digits: 5) }
        return parts.joined(separator: "  ")
    }

    static func line(_ record: CheckpointRecord) -> String {
        "saved " + Path.relative(record.path, to: FileSystem.currentDirectory) + " (" + NumberText.bytes(record.bytes) + ")"
    }

    static func line(_ record: LogRecord) -> String {
        switch record.level {
        case .warning: "warning: " + record.text
        case .error: "error: " + record.text
        case .debug, .info, .output: record.text
        }
    }

    /// `merge 11/22 model.layers.11`, or with a share of 100 where numbers are large.
    static func line(_ record: ProgressRecord) -> String {
        var text = record.phase
        if record.total > 0 { text += " \(NumberText.grouped(record.completed))/\(NumberText.grouped(record.total))" }
        return record.detail.isEmpty ? text : text + "  " + record.detail
    }

    private static func counted(_ count: Int, _ what: String) -> String { "\(NumberText.grouped(count)) \(what)\(count == 1 ? "" : "s")" }

    static func lines(_ plan: RunPlan) -> [String] {
        var lines = [
            "model      \(plan.modelName)  \(plan.architecture)  \(NumberText.count(plan.parameterCount)) parameters, "
                + "\(NumberText.count(plan.trainableCount)) trainable" + share(plan.trainableCount, of: plan.parameterCount)
        ]
        if plan.samples > 0 {
            var data = "data       \(counted(plan.samples, "sample")), \(NumberText.count(plan.tokens)) tokens, "
            data += "\(NumberText.count(plan.lossTokens)) with loss, longest \(NumberText.grouped(plan.longestSample))"
            if plan.evalSamples > 0 { data += ", \(NumberText.grouped(plan.evalSamples)) for evaluation" }
            lines.append(data)
        }
        if plan.totalSteps > 0 {
            lines.append(
                "steps      \(NumberText.grouped(plan.totalSteps)) of \(counted(plan.effectiveBatch, "sample")), "
                    + "\(NumberText.grouped(plan.stepsPerEpoch)) per epoch")
        }
        if let seconds = plan.trainingSeconds, let step = plan.stepSeconds {
            let source = plan.measuredBy.isEmpty ? "as measured" : "as \(plan.measuredBy) took per token"
            lines.append("time       about \(NumberText.duration(seconds)), \(NumberText.significant(step, digits: 3)) s per step, \(source)")
        }
        if plan.fullyMaskedSamples > 0 { lines.append("masked     \(counted(plan.fullyMaskedSamples, "sample")) without loss") }
        if plan.peakBytes > 0 {
            let parts = plan.memory.map { "\($0.part) \(NumberText.bytes($0.bytes))" }.joined(separator: ", ")
            lines.append("memory     about \(NumberText.bytes(plan.peakBytes)) of \(NumberText.bytes(plan.availableBytes)) (\(parts))")
        }
        if plan.checkpointBytes > 0 {
            lines.append("disk       \(NumberText.bytes(plan.checkpointBytes)) per checkpoint, \(NumberText.bytes(plan.freeDiskBytes)) free")
        }
        return lines
    }

    static func lines(_ summary: JobSummary) -> [String] {
        let width = summary.values.map(\.name.count).max() ?? 0
        var lines = summary.values.map { value in
            value.name + String(repeating: " ", count: width - value.name.count) + "  " + number(value.value)
        }
        if !summary.text.isEmpty { lines.append(summary.text) }
        return lines
    }

    static func rate(_ tokensPerSecond: Double) -> String {
        let isLarge = tokensPerSecond >= 100
        return (isLarge ? NumberText.grouped(Int(tokensPerSecond.rounded())) : NumberText.fixed(tokensPerSecond, digits: 1)) + " tok/s"
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? NumberText.grouped(Int(value)) : NumberText.significant(value, digits: 6)
    }

    private static func share(_ part: Int, of whole: Int) -> String {
        whole > 0 ? " (" + NumberText.fixed(100 * Double(part) / Double(whole), digits: 2) + " %)" : ""
    }
}
