/// Steps sent ahead: while a card computes a step, the host prepares and sends off the next one, and reads the loss and the norm of the
/// first only then. The card never waits for the host, and nobody sees a difference: where something is due after a step that wants its
/// weights, or somebody asks for anything, the numbers of that step are waited for first.

import Datasets
import Evaluation
import Events

/// A step whose work is on its way.
struct SentStep {
    /// Of steps before it.
    let number: Int
    let batches: [Batch]
    let results: [ObjectiveResult]
    let rate: Double
    /// Nil where clipping and update wait for the norm.
    let update: Optimizer.GroupUpdate?
    let objective: any Objective
}

/// A step behind one that was left out is sent again.
private struct Restart: Error {}

extension TrainingLoop {
    /// Steps of one objective until the end.
    func takeSteps(_ objective: any Objective) throws {
        var next: SentStep?
        while state.globalStep < steps.totalSteps, !stopsEarly {
            let step = try next ?? send(objective, number: state.globalStep)
            next = nil
            if mayRunAhead(of: step) {
                unsettled = step
                do { next = try send(objective, number: step.number + 1) } catch is Restart {
                    optimizer.dropGradients()
                    continue
                } catch {
                    // What was sent before is not lost by it, and does not hide it either.
                    optimizer.dropGradients()
                    do { try settleEarlier() } catch is Restart {}
                    throw error
                }
                guard unsettled != nil else { continue }
                unsettled = nil
            }
            let measured = try settle(step)
            if discardsNextStep {
                discardsNextStep = false
                // It was left out as well: the gate was closed. Its batches are computed again.
                if let update = next?.update { optimizer.takeBack(update) }
                next = nil
            }
            isAhead = next != nil
            defer { isAhead = false }
            try follow(measured)
        }
    }

    /// Settles a step before something else happens at which its successor is only half sent.
    func settleEarlier() throws {
        guard let step = unsettled else { return }
        unsettled = nil
        try follow(try settle(step))
        if discardsNextStep {
            discardsNextStep = false
            throw Restart()
        }
    }

    /// Whether the next step may be sent before this one's numbers are known: nothing that is due between them wants the weights.
    /// The scale of half precision hangs on the norm, and other objectives read in the midst of a step anyway.
    private func mayRunAhead(of step: SentStep) -> Bool {
        let number = step.number + 1
        guard step.update != nil, state.scaler == nil, step.objective is CrossEntropyObjective, number < steps.totalSteps,
            number % steps.stepsPerEpoch != 0, !control.wantsAttention
        else { return false }
        if case .steps = evaluation, evaluation.isDue(afterStep: number) { return false }
        if case .steps = saving, saving.isDue(afterStep: number) { return false }
        return true
    }
}
