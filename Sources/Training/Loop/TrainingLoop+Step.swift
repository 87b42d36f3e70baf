/// One optimiser step: micro-batches forward and backward, clipping, update.

import Datasets
import Evaluation
import Events
import Formats
import Models
import Platform
import Tensors

/// What a step measured.
public struct StepMeasurement: Sendable, Equatable {
    /// Mean loss per token of the step's group.
    var loss: Double
    /// Before clipping.
    var gradientNorm: Double
    /// The rate the update was made with.
    var learningRate: Double
    /// What the stage measured beside the loss.
    var metrics = MetricSums()
}

extension StepMeasurement {
    /// In a checkpoint: what a log entry needs beside the sums that the state keeps.
    var json: JSONObject {
        func number(_ value: Double) -> JSONValue { value.isFinite ? .number(value) : .null }
        return JSONObject([("grad_norm", number(gradientNorm)), ("learning_rate", number(learningRate)), ("loss", number(loss))])
    }

    init(_ object: JSONObject) {
        func number(_ name: String) -> Double { object[name]?.doubleValue ?? .nan }
        self.init(loss: number("loss"), gradientNorm: number("grad_norm"), learningRate: number("learning_rate"))
    }
}

extension TrainingLoop {
    /// Steps in a row whose gradients may be useless before the run gives up.
    private static let patienceWithBadGradients = 10

    /// Sends off a step's work: micro-batches forward and backward and, where the backend takes them together, clipping and update.
    /// - Parameter number: of steps before it.
    func send(_ objective: any Objective, number: Int) throws -> SentStep {
        let stepInEpoch = number % steps.stepsPerEpoch
        let epoch = number / steps.stepsPerEpoch
        let group = try steps.batchRange(stepInEpoch: stepInEpoch).map { index in
            (place: epoch * steps.batchesPerEpoch + index, batch: try batches.batch(epoch: epoch, index: index))
        }
        // Every sample is checked before the first step, but for those that the first pass drops at its end.
        for (_, batch) in group { try VocabularyCheck.check(batch, spec: model.spec) }
        let divisor = max(1, group.reduce(0) { $0 + objective.weight(of: $1.batch) })

        var results: [ObjectiveResult] = []
        for (place, batch) in group {
            try heedControl()
            // A micro-batch's place in the whole run alone decides what dropout drops.
            let tape = Tape(
                backend: model.backend, isRecording: true, random: RandomGenerator(seed: settings.seed, stream: UInt64(place)))
            tape.lossScale = lossScale
            results.append(objective.accumulate(batch, tape: tape, divisor: divisor))
            try model.backend.throwIfFailed()
        }
        let rate = learningRate(afterSteps: number)
        let update = optimizer.updateGroup(
            learningRate: rate, maximumNorm: settings.maximumGradientNorm, gradientScale: 1 / Double(lossScale))
        return SentStep(number: number, batches: group.map(\.batch), results: results, rate: rate, update: update, objective: objective)
    }

    /// Waits for a step's numbers, updates where that is not on its way yet, and counts the step.
    func settle(_ step: SentStep) throws -> StepMeasurement {
        let norm: Double
        if let update = step.update {
            norm = update.norm.value
            try model.backend.throwIfFailed()
            if !norm.isFinite {
                optimizer.takeBack(update)
                model.backend.resumeUpdates()
                discardsNextStep = true
            }
            _ = try accepts(norm, step.batches, objective: step.objective)
        } else {
            norm = gradientNorm()
            try self.update(rate: step.rate, norm: norm, step.batches, objective: step.objective)
        }
        try model.backend.throwIfFailed()
        var measured = MetricSums(), loss = 0.0
        for result in step.results {
            measured.merge(result.metrics)
            loss += result.loss
            state.running.add(result.loss, afterSteps: state.globalStep, filterNotFinite: settings.filtersNotFinite)
        }
        // A loss that was waited for may tell of a failure.
        try model.backend.throwIfFailed()
        let tokens = step.batches.reduce(0) { $0 + $1.tokens.count }
        state.metrics.merge(measured)
        state.inputTokensSeen += tokens
        state.totalFlops += 6 * Double(tokens) * Double(model.parametersOutsideEmbedding)
        state.globalStep += 1
        state.epoch = steps.epoch(afterSteps: state.globalStep)
        meter.finishStep(tokens: tokens)
        return StepMeasurement(loss: loss, gradientNorm: norm, learningRate: step.rate, metrics: measured)
    }

    /// What losses are multiplied with, and gradients divided by.
    var lossScale: Float { state.scaler?.scale ?? 1 }

    /// Norm of all gradients, the scale of the losses taken out.
    func gradientNorm() -> Double { optimizer.gradientNorm() / Double(lossScale) }

    /// Clips and updates, unless the gradients are of no use.
    /// - Parameter endsStep: no other update follows in this step.
    func update(rate: Double, norm: Double, _ group: [Batch], objective: (any Objective)? = nil, endsStep: Bool = true) throws {
        let scale = Double(lossScale)
        guard try accepts(norm, group, objective: objective, endsStep: endsStep) else { return }
        optimizer.update(
            learningRate: rate, gradientScale: Optimizer.clipFactor(norm: norm, maximum: settings.maximumGradientNorm) / scale)
    }

    /// Gradients that are not numbers are dropped with a word about where they come from: one bad sample must not cost the weights.
    /// Under loss scaling they first of all mean that the scale is too large.
    /// - Returns: whether gradients of this norm are of use.
    private func accepts(_ norm: Double, _ group: [Batch], objective: (any Objective)?, endsStep: Bool = true) throws -> Bool {
        let scale = Double(lossScale)
        state.scaler?.update(foundOverflow: !norm.isFinite, endsStep: endsStep)
        if norm.isFinite {
            skippedUpdates = 0
            return true
        }
        if let scaler = state.scaler, scale > 1 {
            optimizer.dropGradients()
            hooks.note(
                .info,
                "Step \(state.globalStep + 1): gradients overflow at loss scale \(NumberText.pythonFloat(scale)); the update is skipped "
                    + "(\(scaler.skippedUpdates) so far) and the scale is \(NumberText.pythonFloat(Double(scaler.scale))) now.")
            return false
        }
        let origin = NotFiniteLocator(model: model, optimizer: optimizer).origin(group, objective: objective)
        optimizer.dropGradients()
        skippedUpdates += 1
        hooks.note(.warning, "Step \(state.globalStep + 1): \(origin) is not finite; the weights are left as they were.")
        if skippedUpdates >= Self.patienceWithBadGradients {
            throw TrainingError.notFinite(
                step: state.globalStep + 1, what: "the gradient, for \(skippedUpdates) steps in a row,", origin: origin)
        }
        return false
    }

    /// Between two micro-batches: holds while paused, leaves when asked to.
    func heedControl() throws {
        while true {
            // Whoever comes sees the state of the weights.
            if control.wantsAttention { try settleEarlier() }
            if !control.isStopping, let visit = control.takeVisit() {
                receive(visit)
                continue
            }
            switch control.pending {
            case .none, .resume, .save:
                return
            case .pause:
                hooks.changedState(.paused)
                control.waitWhilePaused()
                meter.pause()
                if !control.isStopping { hooks.changedState(.running) }
            case .stopAndSave:
                throw Interruption.stopped
            case .abort:
                throw Interruption.aborted
            }
        }
    }

    /// Lends the model to a visitor. The weights are those of the last step wherever in a step this happens, and nothing that the next
    /// step depends on is touched: dropout draws from generators of its own, and gradients stay with their parameters.
    private func receive(_ visit: JobControl.Visit) {
        let isAdapterEnabled = model.isAdapterEnabled
        hooks.changedState(.paused)
        visit(hooks.held())
        control.endVisit()
        if model.isAdapterEnabled != isAdapterEnabled { model.setAdapter(enabled: isAdapterEnabled) }
        meter.pause()
        if !control.isStopping, !control.isPaused { hooks.changedState(.running) }
    }

    /// Closes a stretch of steps: their mean loss goes into the history.
    func log(_ measured: StepMeasurement) throws {
        guard state.globalStep > state.running.lastLoggedStep else { return }
        let loss = state.running.takeMean(atStep: state.globalStep)
        let extra = state.metrics
        state.metrics = MetricSums()
        var entry = JSONObject([
            ("loss", .number(loss)), ("grad_norm", .number(measured.gradientNorm)), ("learning_rate", .number(measured.learningRate)),
        ])
        for (name, value) in extra.means { entry.set(name, .number(value)) }
        entry.set("epoch", .number(state.epoch))
        try record(entry)
        hooks.stepped(metrics(measured, loss: loss, extra: extra, isLogged: true))
    }

    func metrics(_ measured: StepMeasurement, loss: Double, extra: MetricSums, isLogged: Bool) -> StepMetrics {
        let timing = meter.timing(step: state.globalStep)
        return StepMetrics(
            step: state.globalStep, totalSteps: steps.totalSteps, epoch: state.epoch, loss: loss,
            gradientNorm: measured.gradientNorm, learningRate: measured.learningRate, tokensPerSecond: timing.tokensPerSecond,
            tokensSeen: state.inputTokensSeen, elapsedSeconds: timing.elapsedSeconds, remainingSeconds: timing.remainingSeconds,
            extra: Dictionary(extra.means.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }), isLogged: isLogged)
    }
}

extension Transformer {
    /// What the Trainer counts for `total_flos`: every weight but the embedding, adapters included.
    var parametersOutsideEmbedding: Int {
        parameters.reduce(0) { $0 + ($1 === embedding ? 0 : $1.count) } + adapterParameters.reduce(0) { $0 + $1.count }
    }
}
