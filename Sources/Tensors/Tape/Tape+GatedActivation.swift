/// The gated unit of the feed-forward part: activation(gate) * up (Shazeer, 2020).
extension Tape {
    public func gatedActivation(gate: Value, up: Value, kind: GatedActivation) -> Value {
        precondition(gate.tensor.shape == up.tensor.shape, "gated activation of \(gate.tensor.shape) and \(up.tensor.shape)")
        let backend = backend
        let gateTensor = gate.tensor, upTensor = up.tensor, shape = gateTensor.shape, type = gateTensor.dtype
        let result = backend.empty(gateTensor.shape, gateTensor.dtype)
        backend.gatedActivation(gate: gateTensor, up: upTensor, kind: kind, into: result)
        let flows = requiresGradient(gate) || requiresGradient(up)
        let isKept = isRecording && flows
        let keptGate = isKept ? backend.kept(gateTensor) : gateTensor, keptUp = isKept ? backend.kept(upTensor) : upTensor
        // Cheap to make again from gate and up, which the backward keeps.
        let again = {
            let tensor = backend.empty(shape, type)
            backend.gatedActivation(gate: backend.widened(keptGate), up: backend.widened(keptUp), kind: kind, into: tensor)
            return tensor
        }
        let value = newValue(result, requiresGradient: flows, again: isRecording ? again : nil)
        if requiresGradient(value) {
            record(
                GatedActivationOperation(
                    ids: (gate.id, up.id), gate: keptGate, up: keptUp, kind: kind, result: value.id))
        }
        return value
    }
}

/// Saves gate and up, in the backend's `savedType`.
private struct GatedActivationOperation: Operation {
    static let name = "gatedActivation"
    let ids: (gate: Int32, up: Int32)
    let gate, up: Tensor
    let kind: GatedActivation
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let gateGradient = tape.backend.empty(gate.shape, gradient.dtype)
        let upGradient = tape.backend.empty(up.shape, gradient.dtype)
        tape.backend.gatedActivationBackward(
            gradient: gradient, gate: tape.backend.widened(gate), up: tape.backend.widened(up), kind: kind, gateGradient: gateGradient,
            upGradient: upGradient)
        tape.addGradient(gateGradient, to: ids.gate)
        tape.addGradient(upGradient, to: ids.up)
    }
}
