import Platform

/// Recomputation instead of memory (Chen et al., 2016).
extension Tape {
    /// Runs `body` without recording and keeps only its inputs; on the way back the body runs again, recorded.
    /// `body` must compute the same from the same inputs: it draws random numbers only from the tape that it is given.
    public func checkpoint(_ inputs: [Value], _ body: @escaping (Tape, [Value]) -> [Value]) -> [Value] {
        let before = random
        let silent = Tape(backend: backend, isRecording: false, random: before)
        silent.isTraining = isTraining
        let outputs = body(silent, inputs.map { silent.constant($0.tensor) })
        random = silent.random
        let values = outputs.map { newValue($0.tensor, requiresGradient: true) }
        if isRecording {
            record(
                CheckpointOperation(
                    inputs: inputs.map { ($0.id, $0.tensor) }, results: values.map(\.id), random: before, isTraining: isTraining,
                    body: body))
        }
        return values
    }
}

/// Saves its inputs and the state of the random generator.
private struct CheckpointOperation: Operation {
    static let name = "checkpoint"
    let inputs: [(id: Int32, tensor: Tensor)]
    let results: [Int32]
    let random: RandomGenerator
    let isTraining: Bool
    let body: (Tape, [Value]) -> [Value]

    func backward(on tape: Tape) {
        guard results.contains(where: { tape.hasGradient($0) }) else { return }
        let again = Tape(backend: tape.backend, isRecording: true, random: random)
        again.isTraining = isTraining
        let values = inputs.map { input in
            tape.needsGradient(input.id) ? again.variable(input.tensor) : again.constant(input.tensor)
        }
        let outputs = body(again, values).map(\.id)
        // The gradients move over: nobody else holds them, so they can be added to in place.
        for (result, output) in zip(results, outputs) {
            if let gradient = tape.takeGradient(of: result) { again.addGradient(gradient, to: output) }
        }
        again.playBackward()
        for (input, value) in zip(inputs, values) {
            if let gradient = again.takeGradient(of: value.id) { tape.addGradient(gradient, to: input.id) }
        }
    }
}
