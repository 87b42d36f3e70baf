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
                    inputs: inputs.map { ($0.id, backend.park($0.tensor)) }, results: values.map(\.id), random: before, isTraining: isTraining,
                    body: body))
        }
        return values
    }
}

/// Saves its inputs, which a card may leave to the host's memory, and the state of the random generator.
private struct CheckpointOperation: Operation {
    static let name = "checkpoint"
    let inputs: [(id: Int32, tensor: any ParkedTensor)]
    let results: [Int32]
    let random: RandomGenerator
    let isTraining: Bool
    let body: (Tape, [Value]) -> [Value]

    func backward(on tape: Tape) {
        guard results.contains(where: { tape.hasGradient($0) }) else { return }
        let again = Tape(backend: tape.backend, isRecording: true, random: random)
        again.isTraining = isTraining
        let values = inputs.map { input in
            let tensor = input.tensor.fetch()
            return tape.needsGradient(input.id) ? again.variable(tensor) : again.constant(tensor)
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
